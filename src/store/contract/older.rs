//! Stores as older programs left them: the rows they wrote, in their own SQL, and what the present program must make of them.
//!
//! A store says which of its migrations brought which [`Part`]; a new migration that changes what a program writes brings a part of
//! its own, with its rows and with what is to be read of them.

use super::samples::*;
use crate::domain::*;
use crate::store::{Appended, Claim, MembersQuery, Store, erased_id};
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;
use uuid::Uuid;

/// What a program of some age could write for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    First,
    Identity,
    Suppression,
    Settings,
    Leases,
    Consent,
    Quality,
    Inputs,
}

/// Where the two dialects write the same value in different words.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Part {
    /// What such a program wrote. `X'…'` are bytes, `U'…'` is a UUID.
    pub fn rows(self, dialect: Dialect) -> String {
        let rows = match self {
            Self::First => FIRST,
            Self::Identity => IDENTITY,
            Self::Suppression => SUPPRESSION,
            Self::Settings => {
                "INSERT INTO setting (workspace_id, name, value)
                 SELECT id, 'colour', '\"blue\"' FROM workspace WHERE slug = 'shop'"
            }
            Self::Leases => LEASES,
            Self::Consent => CONSENT,
            Self::Quality => QUALITY,
            Self::Inputs => INPUTS,
        };
        let rows = rows.replace("{gone}", &hex(&erased_id(&workspace_id("shop"), &customer_id("gone"))));
        match dialect {
            Dialect::Sqlite => rows.replace("U'", "X'"),
            Dialect::Postgres => rows.replace("U'", "'").replace("X'", "'\\x"),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

const FIRST: &str = r#"
INSERT INTO workspace (slug, created_at, n_customers, n_reviews, n_events) VALUES ('shop', 5, 2, 2, 1), ('empty', 6, 0, 0, 0);
INSERT INTO api_key (workspace_id, id, secret_sha256, label, scopes, created_at)
    SELECT id, U'0190b2a4000070008000000000000001',
        X'0707070707070707070707070707070707070707070707070707070707070707', 'backend', 'write,read', 7
    FROM workspace WHERE slug = 'shop';
INSERT INTO customer (workspace_id, external_id, created_at, n_reviews, n_events)
    SELECT id, 'ann', 8, 1, 1 FROM workspace WHERE slug = 'shop';
INSERT INTO customer (workspace_id, external_id, created_at, n_reviews, n_events)
    SELECT id, 'bob', 9, 1, 0 FROM workspace WHERE slug = 'shop';
INSERT INTO customer_trait (customer_id, name, value, time) SELECT id, 'plan', '"gold"', 10 FROM customer WHERE external_id = 'ann';
INSERT INTO customer_trait (customer_id, name, value, time) SELECT id, 'left', NULL, 20 FROM customer WHERE external_id = 'ann';
INSERT INTO review (workspace_id, review_id, customer_id, text, item, rating, time)
    SELECT workspace_id, 'r1', id, 'A quiet kettle', 'kettle', 4.5, 11 FROM customer WHERE external_id = 'ann';
INSERT INTO review (workspace_id, review_id, customer_id, text, item, rating, time)
    SELECT workspace_id, 'r2', id, '很好用', NULL, NULL, 12 FROM customer WHERE external_id = 'bob';
INSERT INTO event (workspace_id, event_id, customer_id, name, time, properties)
    SELECT workspace_id, 'e1', id, 'Product Viewed', 13, '{"price":12.5}' FROM customer WHERE external_id = 'ann';
INSERT INTO embedding_model (workspace_id, fingerprint, n_vectors, complete_through)
    SELECT workspace_id, 'some-model@1', 1, seq FROM review WHERE review_id = 'r1';
INSERT INTO review_vector (model_id, seq, vector)
    SELECT embedding_model.id, seq, X'0000803f0000003f' FROM embedding_model, review WHERE review_id = 'r1';
INSERT INTO segmentation (workspace_id, name, model, k, seed, created_at, live_version)
    SELECT id, 'needs', 'all-MiniLM-L6-v2', NULL, -1, 14, 1 FROM workspace WHERE slug = 'shop';
INSERT INTO version (segmentation_id, number, state, created_at, model, k, seed, model_fingerprint, dimension, centre, centroids,
        temperature, n_customers, n_reviews, quality)
    SELECT id, 1, 'live', 15, 'all-MiniLM-L6-v2', NULL, -1, 'some-model@1', 2, X'0000000000000000', X'0000803f00000000', 0.07, 2, 2,
        '{"silhouette":0.3,"davies_bouldin":1.5,"calinski_harabasz":20.0,"largest_share":1.0,"stability":0.9,"inertia":0.5,"k":1,"candidates":[]}'
    FROM segmentation;
INSERT INTO segment (version_id, position, id, name, keywords, typical_reviews, size, share, cohesion, stability)
    SELECT id, 0, 1, 'quiet kettles', '[{"term":"quiet","score":0.5}]',
        '[{"review_id":"r1","customer_id":"ann","text":"A quiet kettle","similarity":0.75}]', 2, 1.0, 0.9, 0.8
    FROM version;
INSERT INTO membership (version_id, position, customer_id, segment_id, confidence, runner_up, runner_up_confidence, since, reason)
    SELECT version.id, 1, customer.id, 1, 0.7, NULL, 0.0, 16, 'joined' FROM version, customer WHERE external_id = 'ann';
INSERT INTO membership (version_id, position, customer_id, segment_id, confidence, runner_up, runner_up_confidence, since, reason)
    SELECT version.id, 2, customer.id, 1, 0.6, NULL, 0.0, 16, 'refit' FROM version, customer WHERE external_id = 'bob';
INSERT INTO job (workspace_id, id, kind, state, request, phase, done, total, checkpoint, result, idempotency_key, created_at, finished_at)
    SELECT id, U'0190b2a4000070008000000000000002', 'import', 'succeeded', '{"file":"a.csv"}', 'importing', 2, 2, '{"line":2}',
        '{"rows":2}', 'once', 17, 18
    FROM workspace WHERE slug = 'shop';
INSERT INTO job (workspace_id, id, kind, state, request, phase, done, total, created_at)
    SELECT id, U'0190b2a4000070008000000000000003', 'fit', 'running', '{"name":"needs"}', 'embedding', 1, NULL, 19
    FROM workspace WHERE slug = 'shop';
"#;

const INPUTS: &str = r#"
INSERT INTO segmentation (workspace_id, name, model, k, seed, created_at, inputs, algorithm)
    SELECT id, 'both', 'all-MiniLM-L6-v2', 4, 0, 60, '{"blocks":{"weights":{"text":1.0,"behaviour":0.5,"traits":0.0}}}', 'kmeans'
    FROM workspace WHERE slug = 'shop';
"#;

const IDENTITY: &str = r#"
INSERT INTO customer (workspace_id, external_id, created_at, known, owner_id, owned_at, root_id, n_events)
    SELECT workspace_id, 'visitor', 21, FALSE, id, 22, id, 1 FROM customer WHERE external_id = 'ann';
INSERT INTO customer (workspace_id, external_id, created_at, known, root_id)
    SELECT workspace_id, 'ann-before', 23, FALSE, id FROM customer WHERE external_id = 'ann';
UPDATE customer SET n_orders = 1 WHERE external_id = 'bob';
UPDATE workspace SET n_events = 2, n_orders = 1, n_items = 1 WHERE slug = 'shop';
INSERT INTO alias (from_id, to_id, time)
    SELECT one.id, other.id, 24 FROM customer one, customer other WHERE one.external_id = 'ann-before' AND other.external_id = 'ann';
INSERT INTO merge_log (workspace_id, customer_id, root_id, reason, time)
    SELECT workspace_id, id, root_id, 'claim', 25 FROM customer WHERE external_id = 'visitor';
INSERT INTO merge_log (workspace_id, customer_id, root_id, reason, time)
    SELECT workspace_id, id, root_id, 'alias', 26 FROM customer WHERE external_id = 'ann-before';
INSERT INTO message (workspace_id, message_id) SELECT id, 'm1' FROM workspace WHERE slug = 'shop';
INSERT INTO event (workspace_id, event_id, customer_id, name, time, properties, kind, activity, item_id, amount_minor, currency, value)
    SELECT workspace_id, 'e2', id, 'Kettle seen', 27, '{}', 'page', 'view', 'kettle', 1999, 'EUR', 2.0
    FROM customer WHERE external_id = 'visitor';
INSERT INTO purchase (workspace_id, order_id, customer_id, time, said_at, total_minor, currency, discount_minor, lines)
    SELECT workspace_id, 'o1', id, 28, 29, 3998, 'EUR', 100,
        '[{"item":"kettle","quantity":2,"price_minor":1999,"category":null}]'
    FROM customer WHERE external_id = 'bob';
INSERT INTO refund (workspace_id, refund_id, order_id, customer_id, time, amount_minor, currency)
    SELECT workspace_id, 'f1', 'o1', id, 30, NULL, NULL FROM customer WHERE external_id = 'bob';
INSERT INTO item (workspace_id, item_id, kind, name, category, description, price_minor, currency, attributes, time)
    SELECT id, 'kettle', 'product', 'Kettle', 'kitchen', NULL, 1999, 'EUR', '{"colour":"red"}', 31 FROM workspace WHERE slug = 'shop';
INSERT INTO account (workspace_id, group_id) SELECT id, 'acme' FROM workspace WHERE slug = 'shop';
INSERT INTO account_trait (account_id, name, value, time) SELECT id, 'size', '"large"', 32 FROM account;
INSERT INTO account_member (customer_id, account_id)
    SELECT customer.id, account.id FROM customer, account WHERE external_id = 'ann';
"#;

const SUPPRESSION: &str = "INSERT INTO suppression (workspace_id, id_sha256, time)
    SELECT id, X'{gone}', 33 FROM workspace WHERE slug = 'shop'";

const LEASES: &str = "
INSERT INTO job (workspace_id, id, kind, state, request, phase, done, total, created_at, place, subject, token, holder, lease_until)
    SELECT id, U'0190b2a4000070008000000000000004', 'import', 'running', '{}', 'importing', 1, 9, 34,
        U'0190b2a400007000800000000000000a', 'import', 3, U'0190b2a400007000800000000000000b', 35
    FROM workspace WHERE slug = 'shop';
INSERT INTO change (number, workspace_id, what, time) SELECT 1, id, 'settings', 36 FROM workspace WHERE slug = 'shop'";

const CONSENT: &str = "
INSERT INTO consent (customer_id, purpose, is_granted, time, source)
    SELECT id, 'marketing', FALSE, 37, 'banner' FROM customer WHERE external_id = 'visitor';
INSERT INTO consent_log (workspace_id, customer_id, purpose, is_granted, time, source, told_at)
    SELECT workspace_id, id, 'marketing', FALSE, 37, 'banner', 38 FROM customer WHERE external_id = 'visitor'";
const QUALITY: &str = "
UPDATE review SET flags = 1, language = 'en', language_confidence = 0.75, words_hash = 7 WHERE review_id = 'r1';
UPDATE event SET flags = 2 WHERE event_id = 'e1';
UPDATE purchase SET flags = 16 WHERE order_id = 'o1';
INSERT INTO quality_count (workspace_id, day, import, kind, rule, outcome, n)
    SELECT id, 20000, U'0190b2a4000070008000000000000002', 'review', 'future_time', 'flagged', 1 FROM workspace WHERE slug = 'shop';
INSERT INTO quality_count (workspace_id, day, import, kind, rule, outcome, n)
    SELECT id, 20001, U'00000000000000000000000000000000', 'order', 'outlying_amount', 'mended', 2 FROM workspace WHERE slug = 'shop'";

/// Reads all that the parts' rows tell, and writes beside and over them.
pub(crate) async fn check(store: &dyn Store, parts: &[Part]) {
    let shop = workspace_id("shop");
    let has = |part| parts.contains(&part);
    first_is_there(store, &shop, has(Part::Identity)).await;
    if has(Part::Identity) {
        identity_is_there(store, &shop).await;
    }
    let gone = [Fact::Review(review("late", "gone", "a late word"))];
    let late = store.append(&shop, &gone, None, at(0)).await.unwrap();
    assert_eq!(late, [if has(Part::Suppression) { Appended::Suppressed } else { Appended::Accepted }]);
    let colour = store.setting(&shop, "colour").await.unwrap();
    assert_eq!(colour, has(Part::Settings).then(|| json!("blue")));
    leases_are_there(store, &shop, has(Part::Leases)).await;
    let consent = store.consent(&shop, &customer_id("ann")).await.unwrap();
    let told = consent.choices.get(&Purpose::Marketing).map(|choice| (choice.is_granted, choice.source.to_string()));
    assert_eq!(told, has(Part::Consent).then(|| (false, "banner".to_owned())));
    assert_eq!(consent.log.len(), usize::from(has(Part::Consent)));
    quality_is_there(store, &shop, has(Part::Quality)).await;
    if has(Part::Inputs) {
        inputs_are_there(store, &shop).await;
    }
    it_takes_new_facts(store, &shop).await;
    // Whatever was there before goes whole.
    let erased = store.erase_customer(&shop, &customer_id("ann"), &erasing(9)).await.unwrap().unwrap();
    assert_eq!((erased.removed.memberships, erased.removed.typical_reviews), (1, 1));
    assert!(!everything(store, &shop).await.contains("\"ann"), "something of an erased customer is left");
    fill(store, &workspace(store, "new").await, 1).await;
}

async fn first_is_there(store: &dyn Store, shop: &WorkspaceId, merged: bool) {
    let slugs: Vec<_> = store.workspaces().await.unwrap().into_iter().map(|w| w.id.to_string()).collect();
    assert_eq!(slugs, ["empty", "shop"]);
    let counts = store.counts(shop).await.unwrap();
    let more = u64::from(merged);
    assert_eq!((counts.customers, counts.reviews, counts.events), (2, 2, 1 + more));
    assert_eq!((counts.orders, counts.items), (more, more));
    let key = store.key_by_hash(&[7; 32]).await.unwrap().unwrap();
    assert_eq!((key.workspace.as_str(), key.label.as_str(), key.scopes.names().len()), ("shop", "backend", 2));
    let ann = store.customer(shop, &customer_id("ann")).await.unwrap().unwrap();
    assert_eq!((ann.is_known, ann.created_at.as_microsecond(), ann.n_reviews, ann.n_events), (true, 8, 1, 1 + more));
    assert_eq!(ann.traits, json!({"plan": "gold"}).as_object().unwrap().clone());
    // A key that was removed does not come back with older news.
    let older =
        Identify { time: Timestamp::from_microsecond(15).unwrap(), ..identify("ann", json!({"left": "no"}), 0) };
    assert_eq!(store.append(shop, &[Fact::Identify(older)], None, at(0)).await.unwrap(), [Appended::Duplicate]);
    let reviews = store.reviews(shop, 0, 9).await.unwrap();
    let told: Vec<_> =
        reviews.iter().map(|r| (r.review.id.as_str(), r.review.text.as_str(), r.review.rating)).collect();
    assert_eq!(told, [("r1", "A quiet kettle", Some(4.5)), ("r2", "很好用", None)]);
    let event = store.events(shop, 0, 9).await.unwrap().remove(0).event;
    assert_eq!((event.id.as_str(), event.kind, event.time.as_microsecond()), ("e1", EventKind::Track, 13));
    assert_eq!(json!(event.properties), json!({"price": 12.5}));
    let vectors = store.vectors(shop, MODEL, 0, 9).await.unwrap();
    assert_eq!(
        vectors.iter().map(|v| (v.review.as_str(), v.vector.clone())).collect::<Vec<_>>(),
        [("r1", vec![1.0, 0.5])]
    );
    let lacking = store.reviews_without_vector(shop, MODEL, 0, 9).await.unwrap();
    assert_eq!(lacking.iter().map(|r| r.review.id.as_str()).collect::<Vec<_>>(), ["r2"]);
    version_is_there(store, shop).await;
}

async fn version_is_there(store: &dyn Store, shop: &WorkspaceId) {
    let needs = store.segmentation(shop, &name("needs")).await.unwrap().unwrap();
    assert_eq!((needs.live_version, needs.definition.seed), (Some(1), u64::MAX));
    assert_eq!(needs.definition.inputs, Inputs::text_alone(), "texts alone counted then");
    let version = store.version(shop, &name("needs"), 1).await.unwrap().unwrap();
    assert_eq!((version.state, version.quality.inertia), (VersionState::Live, 0.5));
    assert_eq!(version.segments[0].typical_reviews[0].text, "A quiet kettle");
    let all = MembersQuery { segment: Some(SegmentId(1)), after: None, limit: 9 };
    let members = store.members(shop, &name("needs"), 1, all).await.unwrap();
    let told: Vec<_> = members.iter().map(|m| (m.customer.as_str(), m.confidence, m.reason)).collect();
    assert_eq!(told, [("ann", 0.7, MoveReason::Joined), ("bob", 0.6, MoveReason::Refit)]);
}

async fn inputs_are_there(store: &dyn Store, shop: &WorkspaceId) {
    let both = store.segmentation(shop, &name("both")).await.unwrap().unwrap().definition;
    let weights = BlockWeights { text: 1.0, behaviour: 0.5, traits: 0.0 };
    let expected = Inputs { blocks: BlockChoice::Weights(weights), ..Inputs::default() };
    assert_eq!((both.inputs, both.algorithm), (expected, Algorithm::KMeans));
}

async fn identity_is_there(store: &dyn Store, shop: &WorkspaceId) {
    let by_visitor = store.customer(shop, &customer_id("visitor")).await.unwrap().unwrap();
    assert_eq!(by_visitor.id, customer_id("ann"));
    assert_eq!(by_visitor.aliases, [customer_id("ann-before"), customer_id("visitor")]);
    assert_eq!(by_visitor.groups.iter().map(GroupId::as_str).collect::<Vec<_>>(), ["acme"]);
    let merges: Vec<_> = store.merges(shop, 0, 9).await.unwrap().into_iter().map(|m| m.reason).collect();
    assert_eq!(merges, [MergeReason::Claim, MergeReason::Alias]);
    let seen = store.events(shop, 0, 9).await.unwrap().remove(1);
    assert_eq!((seen.customer.as_str(), seen.event.who.is_anonymous, seen.event.kind), ("ann", true, EventKind::Page));
    let activity = seen.event.activity.unwrap();
    assert_eq!((activity.kind, activity.amount.unwrap().minor, activity.value), (ActivityKind::View, 1999, Some(2.0)));
    let order = store.customer_orders(shop, &customer_id("bob"), 9).await.unwrap().remove(0).order;
    assert_eq!((order.total.minor, order.discount_minor, order.lines[0].quantity), (3998, 100, 2));
    assert_eq!(store.customer_refunds(shop, &customer_id("bob"), 9).await.unwrap()[0].refund.amount, None);
    let item = store.item(shop, &ItemId::parse("kettle").unwrap()).await.unwrap().unwrap();
    assert_eq!(json!(item.attributes), json!({"colour": "red"}));
    let accounts = store.accounts(shop, None, 9).await.unwrap();
    assert_eq!(json!(accounts[0].traits), json!({"size": "large"}));
    let repeated = Identify { message: Some(EventId::parse("m1").unwrap()), ..identify("bob", json!({"a": 1}), 1) };
    assert_eq!(store.append(shop, &[Fact::Identify(repeated)], None, at(0)).await.unwrap(), [Appended::Duplicate]);
}

async fn leases_are_there(store: &dyn Store, shop: &WorkspaceId, leased: bool) {
    let jobs = store.jobs(shop, None, 9).await.unwrap();
    let id = |n: u128| Uuid::from_u128(0x0190_b2a4_0000_7000_8000_0000_0000_0000 | n);
    let imported = jobs.iter().find(|job| job.id == JobId(id(2))).unwrap();
    assert_eq!((imported.state, imported.result.clone()), (JobState::Succeeded, Some(json!({"rows": 2}))));
    let again = Job { idempotency_key: Some("once".into()), ..job(77) };
    assert_eq!(store.create_job(shop, &again).await.unwrap().id, imported.id);
    // What was at work goes on: in another's hands, and only where its folder is.
    let kinds = [JobKind::Fit, JobKind::Import];
    let claim = |place| Claim { holder: Uuid::nil(), kinds: &kinds, place, lasts: Duration::from_secs(60) };
    let (_, fit) = store.claim_job(&claim(None)).await.unwrap().unwrap();
    assert_eq!((fit.id, fit.progress.phase.as_str()), (JobId(id(3)), "embedding"));
    assert_eq!(store.claim_job(&claim(Some(id(1)))).await.unwrap(), None);
    let import = store.claim_job(&claim(Some(id(10)))).await.unwrap();
    assert_eq!(import.map(|(_, job)| (job.id, job.lease.token > 3)), leased.then_some((JobId(id(4)), true)));
    let n_changes = store.changes(0).await.unwrap().len();
    assert_eq!(n_changes, usize::from(leased), "no change was told but the one that was");
}

async fn quality_is_there(store: &dyn Store, shop: &WorkspaceId, is_judged: bool) {
    let first = store.reviews(shop, 0, 9).await.unwrap().remove(0);
    let english = Tongue { language: Language::english(), confidence: 0.75 };
    assert_eq!(first.review.tongue, is_judged.then_some(english), "nothing is made up for what came before");
    assert_eq!(first.flags, if is_judged { Flags::of(&[Rule::FutureTime]) } else { Flags::default() });
    let found = store.flagged(shop, JudgedKind::Order, Rule::OutlyingAmount, 9).await.unwrap();
    assert_eq!(found, if is_judged { vec!["o1"] } else { vec![] });
    let counts = store.quality(shop, None).await.unwrap();
    let told: Vec<_> = counts.iter().map(|c| (c.day, c.import.is_some(), c.kind, c.outcome, c.n)).collect();
    let expected = [
        (20_000, true, JudgedKind::Review, Outcome::Flagged, 1),
        (20_001, false, JudgedKind::Order, Outcome::Mended, 2),
    ];
    assert_eq!(told, if is_judged { expected.to_vec() } else { vec![] });
}

async fn it_takes_new_facts(store: &dyn Store, shop: &WorkspaceId) {
    let before = store.counts(shop).await.unwrap();
    let seqs: BTreeSet<i64> = store.reviews(shop, 0, 9).await.unwrap().into_iter().map(|r| r.seq).collect();
    let facts = [
        Fact::Review(review("r1", "bob", "A loud kettle")),
        Fact::Review(review("r3", "cid", "New here")),
        Fact::Event(event("e1", "ann", "Told again")),
        Fact::Event(event("e3", "ann", "New")),
    ];
    let told = store.append(shop, &facts, None, at(1)).await.unwrap();
    assert_eq!(told, [Appended::Replaced, Appended::Accepted, Appended::Duplicate, Appended::Accepted]);
    let after = store.counts(shop).await.unwrap();
    assert_eq!(
        (after.customers - before.customers, after.reviews - before.reviews, after.events - before.events),
        (1, 1, 1)
    );
    let numbers: BTreeSet<i64> = store.reviews(shop, 0, 9).await.unwrap().into_iter().map(|r| r.seq).collect();
    assert!(numbers.difference(&seqs).all(|new| new > seqs.last().unwrap()), "a number was given out twice");
    assert_eq!(store.vectors(shop, MODEL, 0, 9).await.unwrap(), [], "a replaced review kept its vector");
    let next = Version { segments: vec![], centroids: vec![], ..version("needs", 2) };
    store.publish(shop, &next, &[]).await.unwrap();
    let versions = store.versions(shop, &name("needs")).await.unwrap();
    let states: Vec<_> = versions.iter().map(|version| version.state).collect();
    assert_eq!(states, [VersionState::Live, VersionState::Retired]);
}
