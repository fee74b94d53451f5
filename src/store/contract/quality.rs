//! What was found of facts: kept with them, counted once, found again.

use super::samples::*;
use super::{Place, for_all};
use crate::domain::*;
use crate::store::{Appended, Checkpoint, Judged, QualityCount, Store, StoreError};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

fn order(id: &str, customer: &str, minor: i64, time: i64) -> Order {
    let line = OrderLine { item: ItemId::parse("kettle").unwrap(), quantity: 1, price_minor: None, category: None };
    Order {
        id: OrderId::parse(id).unwrap(),
        customer: customer_id(customer),
        time: at(time),
        total: Money { minor, currency: Currency::parse("EUR").ok() },
        discount_minor: 0,
        lines: vec![line],
    }
}

fn marked(rules: &[Rule], mended: &[Rule]) -> Mark {
    Mark { flags: Flags::of(rules), mended: Flags::of(mended) }
}

fn own(mark: Mark) -> Marks {
    Marks { own: mark, ..Marks::default() }
}

async fn append(store: &dyn Store, a: &WorkspaceId, facts: &[Fact], marks: Vec<Marks>) -> Vec<Appended> {
    let findings = Findings { marks, rejected: Vec::new() };
    store.append_judged(a, Judged { facts, findings: &findings }, None, at(1)).await.unwrap()
}

fn count(kind: JudgedKind, rule: Rule, outcome: Outcome, n: u64) -> QualityCount {
    QualityCount { day: 20_089, import: None, kind, rule, outcome, n }
}

pub(crate) async fn flags_are_kept_with_each_kind_of_fact(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let future = marked(&[Rule::FutureTime], &[]);
    let (broken, both) = (marked(&[Rule::BrokenText], &[]), marked(&[Rule::FutureTime, Rule::BrokenText], &[]));
    let told = Event { told: Some(Told::Review(review("v", "ann", "told words"))), ..event("e2", "ann", "told") };
    let refund = Refund {
        id: "f".into(),
        order: OrderId::parse("o").unwrap(),
        customer: customer_id("ann"),
        time: at(2),
        amount: None,
    };
    let facts = [
        Fact::Review(review("r", "ann", "words")),
        Fact::Event(event("e", "ann", "seen")),
        Fact::Order(order("o", "ann", 5, 5)),
        Fact::Refund(refund),
        Fact::Event(told),
    ];
    let marks = vec![own(both), own(future), own(future), own(future), Marks { own: future, told: broken }];
    append(&*store, &a, &facts, marks).await;
    let store = super::reopened(place, store).await;
    let reviews = store.reviews(&a, 0, 9).await.unwrap();
    assert_eq!(reviews.iter().map(|stored| stored.flags).collect::<Vec<_>>(), [both.flags, broken.flags]);
    assert_eq!(store.customer_reviews(&a, &customer_id("ann"), 9).await.unwrap().len(), 2);
    let events = store.events(&a, 0, 9).await.unwrap();
    assert_eq!(events.iter().map(|stored| stored.flags).collect::<Vec<_>>(), [future.flags; 2]);
    assert_eq!(store.orders(&a, 0, 9).await.unwrap()[0].flags, future.flags);
    assert_eq!(store.refunds(&a, 0, 9).await.unwrap()[0].flags, future.flags);
    for (kind, rule, ids) in [
        (JudgedKind::Review, Rule::BrokenText, &["v", "r"][..]),
        (JudgedKind::Review, Rule::FutureTime, &["r"]),
        (JudgedKind::Event, Rule::FutureTime, &["e2", "e"]),
        (JudgedKind::Order, Rule::FutureTime, &["o"]),
        (JudgedKind::Refund, Rule::FutureTime, &["f"]),
        (JudgedKind::Refund, Rule::BrokenText, &[]),
    ] {
        assert_eq!(store.flagged(&a, kind, rule, 9).await.unwrap(), ids, "{kind:?} {rule:?}");
    }
    assert_eq!(store.flagged(&a, JudgedKind::Event, Rule::FutureTime, 1).await.unwrap(), ["e2"]);
    let b = workspace(&*store, "b").await;
    assert!(store.flagged(&b, JudgedKind::Event, Rule::FutureTime, 9).await.unwrap().is_empty());
    assert!(store.quality(&b, None).await.unwrap().is_empty());
}

pub(crate) async fn what_was_there_already_counts_nothing_and_a_replaced_fact_has_the_new_flags(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let (future, broken) = (marked(&[Rule::FutureTime], &[]), marked(&[Rule::BrokenText], &[Rule::BrokenText]));
    let fact = [Fact::Review(review("r", "ann", "words"))];
    append(&*store, &a, &fact, vec![own(future)]).await;
    assert_eq!(append(&*store, &a, &fact, vec![own(broken)]).await, [Appended::Duplicate]);
    let once = [count(JudgedKind::Review, Rule::FutureTime, Outcome::Flagged, 1)];
    assert_eq!(store.quality(&a, None).await.unwrap(), once);
    assert_eq!(store.reviews(&a, 0, 9).await.unwrap()[0].flags, future.flags);
    let edited = [Fact::Review(review("r", "ann", "other words"))];
    assert_eq!(append(&*store, &a, &edited, vec![own(broken)]).await, [Appended::Replaced]);
    assert_eq!(store.reviews(&a, 0, 9).await.unwrap()[0].flags, broken.flags);
    assert!(store.flagged(&a, JudgedKind::Review, Rule::FutureTime, 9).await.unwrap().is_empty());
    let both = [once[0].clone(), count(JudgedKind::Review, Rule::BrokenText, Outcome::Mended, 1)];
    let mut found = store.quality(&a, None).await.unwrap();
    found.sort_by_key(|count| count.rule);
    assert_eq!(found, both);
    store.erase_customer(&a, &customer_id("ann"), &erasing(2)).await.unwrap();
    assert_eq!(append(&*store, &a, &edited, vec![own(future)]).await, [Appended::Suppressed]);
    assert!(store.flagged(&a, JudgedKind::Review, Rule::BrokenText, 9).await.unwrap().is_empty());
    assert_eq!(
        store.quality(&a, None).await.unwrap().iter().map(|count| count.n).sum::<u64>(),
        2,
        "it tells what came"
    );
}

pub(crate) async fn counts_move_with_the_checkpoint_they_belong_to(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let job = job(7);
    store.create_job(&a, &job).await.unwrap();
    let checkpoint =
        Checkpoint { job: job.id, token: job.lease.token, progress: Progress::default(), checkpoint: json!(1) };
    let facts = [Fact::Event(event("e", "ann", "seen"))];
    let findings = Findings {
        marks: vec![own(marked(&[Rule::FutureTime], &[]))],
        rejected: vec![(JudgedKind::Review, Rule::NoWords), (JudgedKind::Review, Rule::NoWords)],
    };
    let judged = Judged { facts: &facts, findings: &findings };
    let stale = Checkpoint { token: checkpoint.token + 1, ..checkpoint.clone() };
    let refused = store.append_judged(&a, judged, Some(&stale), at(1)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    assert!(store.quality(&a, None).await.unwrap().is_empty());
    store.append_judged(&a, judged, Some(&checkpoint), at(1)).await.unwrap();
    append(&*store, &a, &[Fact::Event(event("e9", "ann", "seen"))], vec![own(marked(&[Rule::FutureTime], &[]))]).await;
    let mut of_the_job = store.quality(&a, Some(job.id)).await.unwrap();
    of_the_job.sort_by_key(|count| count.rule);
    let of = |kind, rule, outcome, n| QualityCount { import: Some(job.id), ..count(kind, rule, outcome, n) };
    let expected = [
        of(JudgedKind::Event, Rule::FutureTime, Outcome::Flagged, 1),
        of(JudgedKind::Review, Rule::NoWords, Outcome::Rejected, 2),
    ];
    assert_eq!(of_the_job, expected);
    assert_eq!(store.quality(&a, None).await.unwrap().iter().map(|count| count.n).sum::<u64>(), 4);
}

pub(crate) async fn a_twin_is_another_fact_of_the_same_customer(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    let standing = [Fact::Review(review("r", "ann", "Fine kettle,  good lid")), Fact::Order(order("o", "ann", 500, 0))];
    store.append(&a, &standing, None, at(1)).await.unwrap();
    let again = review("r2", "ann", "fine kettle, good lid");
    let (same, others, other_words) = (
        review("r", "ann", "fine kettle, good lid"),
        review("r3", "bob", "fine kettle, good lid"),
        review("r4", "ann", "x"),
    );
    const S: i64 = 1_000_000;
    let (near, far) = (order("o2", "ann", 500, 60 * S), order("o3", "ann", 500, 61 * S));
    let (itself, dearer) = (order("o", "ann", 500, 1), order("o4", "ann", 501, 1));
    let bare = Order { lines: vec![], ..order("o5", "ann", 500, 1) };
    let twins = [
        (Twin::Review(&again), true),
        (Twin::Review(&same), false),
        (Twin::Order(&near, 60), true),
        (Twin::Order(&far, 60), false),
        (Twin::Review(&others), false),
        (Twin::Review(&other_words), false),
        (Twin::Order(&itself, 60), false),
        (Twin::Order(&dearer, 60), false),
        (Twin::Order(&bare, 60), false),
    ];
    let (sought, expected): (Vec<_>, Vec<_>) = twins.into_iter().unzip();
    assert_eq!(store.twins(&a, &sought).await.unwrap(), expected);
    assert_eq!(store.twins(&b, &sought).await.unwrap(), vec![false; 9]);
    assert!(store.twins(&a, &[]).await.unwrap().is_empty());
}

pub(crate) async fn the_latest_totals_come_newest_first(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let facts: Vec<_> = (1..5).map(|i| Fact::Order(order(&format!("o{i}"), "ann", i, 9 - i))).collect();
    store.append(&a, &facts, None, at(1)).await.unwrap();
    let minors = |totals: Vec<Money>| totals.into_iter().map(|money| money.minor).collect::<Vec<_>>();
    assert_eq!(minors(store.latest_totals(&a, 3).await.unwrap()), [4, 3, 2]);
    assert!(store.latest_totals(&workspace_id("nobody"), 3).await.unwrap().is_empty());
}

pub(crate) async fn a_reviews_language_comes_back_and_finds_it(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let spoken = |id: &str, language: Language, confidence: f64| Review {
        tongue: Some(Tongue { language, confidence }),
        ..review(id, "ann", &format!("words {id}"))
    };
    let told = [
        spoken("r1", Language::chinese(), 0.75),
        spoken("r2", Language::english(), 1.0),
        review("r3", "ann", "words"),
        spoken("r4", Language::chinese(), 0.1 + 0.2),
    ];
    store.append(&a, &told.clone().map(Fact::Review), None, at(1)).await.unwrap();
    let reviews: Vec<_> = store.reviews(&a, 0, 9).await.unwrap().into_iter().map(|stored| stored.review).collect();
    assert_eq!(reviews, told);
    let chinese = store.reviews_in(&a, &Language::chinese(), 0, 9).await.unwrap();
    assert_eq!(chinese.iter().map(|stored| stored.review.id.as_str()).collect::<Vec<_>>(), ["r1", "r4"]);
    assert_eq!(store.reviews_in(&a, &Language::chinese(), chinese[0].seq, 9).await.unwrap(), chinese[1..]);
    assert_eq!(store.reviews_in(&a, &Language::chinese(), 0, 1).await.unwrap(), chinese[..1]);
    assert!(store.reviews_in(&a, &Language::other(), 0, 9).await.unwrap().is_empty());
}

/// Whatever comes how often in which batches, each kept fact counts once, with the marks it was kept with.
pub(crate) async fn counts_are_those_of_the_facts_that_were_kept(place: &dyn Place) {
    let store = place.open().await;
    let fact = (0..3_u8, 0..3_u8, 0..3_u8, 0..Rule::ALL.len(), any::<bool>());
    let calls = proptest::collection::vec(proptest::collection::vec(fact, 1..5), 1..6);
    for_all(32, calls, |run, calls| {
        let store = &*store;
        async move {
            let workspace = workspace(store, &format!("w{run}")).await;
            let mut expected: BTreeMap<(JudgedKind, Rule, Outcome), u64> = BTreeMap::new();
            for call in calls {
                let (mut facts, mut marks, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
                for (kind, id, content, rule, is_mended) in call {
                    let rule = Rule::ALL[rule];
                    let (id, words) = (format!("f{id}"), format!("words {content}"));
                    let (kind, fact) = match kind {
                        0 => (JudgedKind::Review, Fact::Review(review(&id, "ann", &words))),
                        1 => (JudgedKind::Event, Fact::Event(event(&id, "ann", &words))),
                        _ => (JudgedKind::Order, Fact::Order(order(&id, "ann", i64::from(content), 0))),
                    };
                    facts.push(fact);
                    kinds.push((kind, rule, is_mended));
                    marks.push(own(marked(&[rule], if is_mended { std::slice::from_ref(&rule) } else { &[] })));
                }
                let appended = append(store, &workspace, &facts, marks).await;
                for ((kind, rule, is_mended), appended) in kinds.into_iter().zip(appended) {
                    if matches!(appended, Appended::Accepted | Appended::Replaced) {
                        let outcome = if is_mended { Outcome::Mended } else { Outcome::Flagged };
                        *expected.entry((kind, rule, outcome)).or_default() += 1;
                    }
                }
            }
            let counts = store.quality(&workspace, None).await.unwrap();
            let found: BTreeMap<_, _> =
                counts.into_iter().map(|count| ((count.kind, count.rule, count.outcome), count.n)).collect();
            assert_eq!(found, expected);
        }
    });
}
