//! Values that the laws are tried with, and a look at everything a workspace holds.

use crate::domain::*;
use crate::store::{Judged, MembersQuery, Store};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use uuid::Uuid;

pub(crate) const MODEL: &str = "some-model@1";

pub(crate) fn workspace_id(text: &str) -> WorkspaceId {
    WorkspaceId::parse(text).unwrap()
}

/// A workspace that is there.
pub(crate) async fn workspace(store: &dyn Store, text: &str) -> WorkspaceId {
    store.create_workspace(&workspace_id(text), at(0)).await.unwrap().id
}

pub(crate) fn customer_id(text: &str) -> CustomerId {
    CustomerId::parse(text).unwrap()
}

pub(crate) fn name(text: &str) -> SegmentationName {
    SegmentationName::parse(text).unwrap()
}

/// A moment some microseconds after the beginning of 2025.
pub(crate) fn at(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(1_735_689_600_000_000 + microseconds).unwrap()
}

pub(crate) fn review(id: &str, customer: &str, text: &str) -> Review {
    Review {
        id: ReviewId::parse(id).unwrap(),
        customer: customer_id(customer),
        text: ReviewText::parse(text).unwrap(),
        item: Some("kettle".into()),
        rating: Some(4.5),
        time: at(0),
        tongue: None,
    }
}

pub(crate) fn reviews(n: usize) -> Vec<Fact> {
    (0..n).map(|i| Fact::Review(review(&format!("r{i}"), &format!("c{i}"), &format!("review {i}")))).collect()
}

pub(crate) fn event(id: &str, customer: &str, name: &str) -> Event {
    let properties = Map::from_iter([("amount".into(), json!(12.75))]);
    Event {
        id: EventId::parse(id).unwrap(),
        who: Who::known(customer_id(customer)),
        kind: EventKind::Track,
        name: name.into(),
        time: at(0),
        properties,
        activity: None,
        told: None,
    }
}

pub(crate) fn identify(customer: &str, traits: Value, time: i64) -> Identify {
    let Value::Object(traits) = traits else { panic!("traits are an object") };
    Identify { who: Who::known(customer_id(customer)), traits, message: None, time: at(time) }
}

pub(crate) fn job(number: u128) -> Job {
    Job {
        id: JobId(Uuid::from_u128(number)),
        kind: JobKind::Import,
        state: JobState::Queued,
        request: json!({"file": number.to_string()}),
        progress: Progress::default(),
        checkpoint: None,
        result: None,
        error: None,
        idempotency_key: None,
        created_at: at(i64::try_from(number).unwrap()),
        finished_at: None,
        needs: JobNeeds::default(),
        lease: JobLease::default(),
    }
}

/// The job of an erasure.
pub(crate) fn erasing(number: u128) -> Job {
    Job { kind: JobKind::Erase, request: json!({"asked": "whom"}), ..job(number) }
}

pub(crate) fn key(workspace: &WorkspaceId, number: u8) -> (Key, [u8; 32]) {
    let key = Key {
        id: KeyId(Uuid::from_u128(number.into())),
        workspace: workspace.clone(),
        label: format!("key {number}"),
        scopes: Scopes::parse("read,write").unwrap(),
        created_at: at(number.into()),
        revoked_at: None,
    };
    (key, [number; 32])
}

pub(crate) fn segmentation(text: &str) -> Segmentation {
    let definition = Definition {
        model: "all-MiniLM-L6-v2".into(),
        k: KChoice::Auto,
        seed: u64::MAX,
        inputs: Inputs { as_of: Some(at(5)), ..Inputs::default() },
        algorithm: Algorithm::KMeans,
    };
    Segmentation { name: name(text), definition, created_at: at(7), live_version: None }
}

/// A version with segments s1 and s2.
pub(crate) fn version(of: &str, number: u32) -> Version {
    let quality = Quality {
        silhouette: 0.1 + 0.2,
        davies_bouldin: 1.0 / 3.0,
        calinski_harabasz: 1e17,
        largest_share: 0.5,
        stability: 5e-324,
        inertia: 0.0,
        k: 2,
        candidates: vec![Candidate {
            k: 2,
            silhouette: -0.3,
            stability: 0.7,
            largest_share: 0.5,
            score: 0.123_456_789_012_345_68,
            rejected: Some("too few".into()),
        }],
        intervals: Some(Intervals {
            silhouette: [0.1, 0.5],
            davies_bouldin: [0.3, 1.0 / 3.0],
            calinski_harabasz: [1e16, 1e17],
            largest_share: [0.4, 0.6],
            stability: [0.0, 5e-324],
            segments: vec![[0.1, 0.2], [0.3, 0.4]],
        }),
    };
    Version {
        segmentation: name(of),
        number,
        state: VersionState::Candidate,
        created_at: at(number.into()),
        definition: segmentation(of).definition,
        model_fingerprint: MODEL.into(),
        dimension: 2,
        centre: vec![0.1, -0.0],
        centroids: vec![1.0, 0.0, f32::MIN_POSITIVE, 0.999_999_9],
        temperature: 0.07,
        n_customers: 10,
        n_reviews: u64::MAX,
        quality,
        segments: vec![segment(2), segment(1)],
        joined: Some(joined()),
    }
}

fn joined() -> Joined {
    let weights = BlockWeights { text: 0.1 + 0.2, behaviour: 2.0, traits: 0.0 };
    let left_out = LeftOut { column: "category_share:茶".into(), reason: "too few have it".into() };
    Joined {
        as_of: at(5),
        weights,
        blocks: vec![JoinedBlock {
            block: BlockKind::Behaviour,
            n_customers: 7,
            columns: vec!["recency".into()],
            left_out: vec![left_out],
        }],
        trials: vec![WeightTrial {
            weights,
            rounds: 2,
            n_customers: 7,
            k: 2,
            stability: 1.0 / 3.0,
            predicts_behaviour: Some(0.1 + 0.7),
            predicts_text: None,
            score: 5e-324,
        }],
        space: json!({"scale": 0.1 + 0.2, "tiny": 5e-324}),
    }
}

fn portrait() -> Portrait {
    let difference = Difference {
        block: BlockKind::Traits,
        feature: "trait:plan=pro\u{0}".into(),
        name_en: "plan=pro".into(),
        name_zh: "套餐".into(),
        unit: String::new(),
        effect: 1.0 / 7.0,
        low: -0.1,
        high: 0.1 + 0.2,
        segment: 1e300,
        everyone: 0.0,
    };
    let rule =
        SegmentRule {
            text_en: "Orders > 5".into(), text_zh: "订单数 > 5".into(), precision: 0.9, recall: 1.0 / 3.0
        };
    Portrait { sentence_en: "5".into(), sentence_zh: "五".into(), differences: vec![difference], rule: Some(rule) }
}

fn segment(id: u32) -> Segment {
    let typical = TypicalReview {
        review_id: ReviewId::parse("r1").unwrap(),
        customer_id: customer_id("c1"),
        text: "很好用\nreally".into(),
        similarity: 0.1 + 0.7,
    };
    Segment {
        id: SegmentId(id),
        name: format!("segment {id}"),
        keywords: vec![Keyword { term: "quiet".into(), score: 1.0 / 7.0 }],
        typical_reviews: vec![typical],
        size: 5,
        share: 1.0 / 3.0,
        cohesion: 0.9,
        stability: 0.8,
        portrait: (id == 1).then(portrait),
    }
}

pub(crate) fn membership(customer: &str, segment: u32) -> Membership {
    Membership {
        customer: customer_id(customer),
        segment: SegmentId(segment),
        confidence: 0.7,
        runner_up: (segment == 1).then_some(SegmentId(2)),
        runner_up_confidence: 1.0 / 3.0,
        since: at(3),
        reason: MoveReason::Joined,
    }
}

/// Something of every kind. `flavour` makes contents differ where ids are the same; the numbers of the key keep apart what
/// is unique in a whole store.
pub(crate) async fn fill(store: &dyn Store, workspace: &WorkspaceId, flavour: u8) {
    let (key, hash) = key(workspace, flavour);
    store.add_key(&key, &hash).await.unwrap();
    let mut facts = vec![
        Fact::Identify(identify("c0", json!({"plan": flavour, "gone": null}), 1)),
        Fact::Event(event("e1", "c1", &format!("Event {flavour}"))),
    ];
    facts.extend(bought(flavour));
    facts.extend((0..3).map(|i| Fact::Review(review(&format!("r{i}"), &format!("c{i}"), &format!("words {flavour}")))));
    let mut findings = Findings { marks: vec![Marks::default(); facts.len()], rejected: vec![] };
    if let Some(last) = findings.marks.last_mut() {
        last.own.flags = Flags::of(&[Rule::NoWords]);
    }
    let judged = Judged { facts: &facts, findings: &findings };
    store.append_judged(workspace, judged, None, at(flavour.into())).await.unwrap();
    let stored = store.reviews(workspace, 0, 2).await.unwrap();
    let vectors: Vec<_> = stored.iter().map(|stored| (stored.seq, vec![flavour.into(), 0.5])).collect();
    store.put_vectors(workspace, MODEL, &vectors).await.unwrap();
    store.put_segmentation(workspace, &segmentation("needs")).await.unwrap();
    let version = Version { model_fingerprint: format!("{MODEL} {flavour}"), ..version("needs", 1) };
    store.publish(workspace, &version, &[membership("c0", 1), membership("c1", 2)]).await.unwrap();
    let job = Job { request: json!(flavour), idempotency_key: Some("once".into()), ..job(1) };
    store.create_job(workspace, &job).await.unwrap();
    store.put_setting(workspace, "colour", &json!(flavour)).await.unwrap();
}

/// An order, its refund, an item, an account and an alias.
fn bought(flavour: u8) -> Vec<Fact> {
    let (customer, total) = (customer_id("c1"), Money { minor: flavour.into(), currency: None });
    let order = OrderId::parse("o1").unwrap();
    vec![
        Fact::Order(Order {
            id: order.clone(),
            customer: customer.clone(),
            time: at(1),
            total,
            discount_minor: 0,
            lines: vec![],
        }),
        Fact::Refund(Refund { id: "f1".into(), order, customer: customer.clone(), time: at(2), amount: Some(total) }),
        Fact::Item(Item {
            id: ItemId::parse("i1").unwrap(),
            kind: ItemKind::Product,
            name: Some(format!("item {flavour}")),
            category: None,
            description: None,
            price_minor: None,
            currency: None,
            attributes: Map::new(),
            time: at(1),
        }),
        Fact::Group(Group {
            who: Who::known(customer.clone()),
            group: GroupId::parse("g1").unwrap(),
            traits: Map::from_iter([("plan".into(), json!(flavour))]),
            message: Some(EventId::parse("m1").unwrap()),
            time: at(1),
        }),
        Fact::Consent(Consent {
            who: Who::known(customer_id("c1-before")),
            choices: [(Purpose::Marketing, flavour.is_multiple_of(2))].into(),
            source: ConsentSource::parse("api").unwrap(),
            time: at(1),
        }),
        Fact::Alias(Alias { previous: customer_id("c1-before"), id: customer, message: None, time: at(1) }),
    ]
}

/// All that a workspace shows, as text.
pub(crate) async fn everything(store: &dyn Store, workspace: &WorkspaceId) -> String {
    let mut shown = String::new();
    macro_rules! show {
        ($($what:expr),* $(,)?) => { $(writeln!(shown, "{:#?}", $what.await.unwrap()).unwrap();)* };
    }
    show!(
        store.keys(workspace),
        store.setting(workspace, "colour"),
        store.counts(workspace),
        store.customers(workspace, None, 100),
        store.reviews(workspace, 0, 100),
        store.merges(workspace, 0, 100),
        store.events(workspace, 0, 100),
        store.orders(workspace, 0, 100),
        store.refunds(workspace, 0, 100),
        store.items(workspace, None, 100),
        store.accounts(workspace, None, 100),
        store.quality(workspace, None),
        store.vectors(workspace, MODEL, 0, 100),
        store.reviews_without_vector(workspace, MODEL, 0, 100),
        store.count_reviews_without_vector(workspace, MODEL),
        store.segmentations(workspace),
        store.jobs(workspace, None, 100),
    );
    for customer in store.customers(workspace, None, 100).await.unwrap() {
        show!(
            store.customer(workspace, &customer.id),
            store.customer_reviews(workspace, &customer.id, 100),
            store.customer_events(workspace, &customer.id, None, 100),
            store.customer_orders(workspace, &customer.id, 100),
            store.consent(workspace, &customer.id),
        );
    }
    for segmentation in store.segmentations(workspace).await.unwrap() {
        show!(store.segmentation(workspace, &segmentation.name), store.versions(workspace, &segmentation.name));
        for version in store.versions(workspace, &segmentation.name).await.unwrap() {
            let all = MembersQuery { segment: None, after: None, limit: 100 };
            show!(
                store.version(workspace, &segmentation.name, version.number),
                store.members(workspace, &segmentation.name, version.number, all),
            );
        }
    }
    shown
}

/// Facts about few customers and under few ids, so that they meet.
pub(crate) fn any_facts(n: usize) -> impl Strategy<Value = Vec<Fact>> {
    let customer = (0..4_u8).prop_map(|i| format!("c{i}"));
    let review = (0..5_u8, customer.clone(), 0..2_u8, proptest::option::of(-1.0..5.0_f64)).prop_map(
        |(id, customer, text, rating)| {
            Fact::Review(Review { rating, ..review(&format!("r{id}"), &customer, &format!("text {text}")) })
        },
    );
    let event = (0..5_u8, customer.clone(), 0..2_u8)
        .prop_map(|(id, customer, name)| Fact::Event(event(&format!("e{id}"), &customer, &format!("name {name}"))));
    let identify = any_identify(customer).prop_map(Fact::Identify);
    proptest::collection::vec(prop_oneof![3 => review, 1 => event, 1 => identify], 0..n)
}

pub(crate) fn any_identify(customer: impl Strategy<Value = String>) -> impl Strategy<Value = Identify> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..3_i64).prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        "\\PC{0,3}".prop_map(Value::from),
        Just(json!({"city": "Malmö", "zip": ["2", 1]})),
    ];
    let traits = proptest::collection::btree_map("[ab]", value, 0..3);
    (customer, traits, 0..4_i64)
        .prop_map(|(customer, traits, time)| identify(&customer, Value::Object(traits.into_iter().collect()), time))
}
