//! Facts go when they have been kept for long enough, whole and for ever; the others stay as they are.

use super::samples::*;
use super::{Place, reopened};
use crate::domain::*;
use crate::store::{Appended, Changed, Checkpoint, Claim, Expired, Store, StoreError};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

const DAY: i64 = 86_400_000_000;

async fn keep(store: &dyn Store, workspace: &WorkspaceId, retention: Retention) {
    store.put_setting(workspace, Retention::NAME, &serde_json::to_value(retention).unwrap()).await.unwrap();
}

/// A checkpoint of a job that this process holds.
async fn held(store: &dyn Store, workspace: &WorkspaceId, number: u128) -> Checkpoint {
    store.create_job(workspace, &Job { kind: JobKind::Retention, ..job(number) }).await.unwrap();
    let kinds = [JobKind::Retention];
    let claim = Claim { holder: Uuid::nil(), kinds: &kinds, place: None, lasts: Duration::from_secs(60) };
    let (_, job) = store.claim_job(&claim).await.unwrap().unwrap();
    let progress = Progress { phase: "removing".into(), done: 1, total: None };
    Checkpoint { job: job.id, token: job.lease.token, progress, checkpoint: json!({"after": 1}) }
}

/// One fact of each kind at a day, with ids of that day.
fn facts_of(day: i64) -> [Fact; 4] {
    let (time, customer) = (at(day * DAY), customer_id("ann"));
    let total = Money { minor: 5, currency: None };
    let order = OrderId::parse(&format!("o{day}")).unwrap();
    let refund = Refund { id: format!("f{day}"), order: order.clone(), customer: customer.clone(), time, amount: None };
    [
        Fact::Event(Event { time, ..event(&format!("e{day}"), "ann", "seen") }),
        Fact::Review(Review { time, ..review(&format!("r{day}"), "ann", &format!("words {day}")) }),
        Fact::Order(Order { id: order, customer, time, total, discount_minor: 0, lines: vec![] }),
        Fact::Refund(refund),
    ]
}

pub(crate) async fn what_is_removed_for_its_age_goes_whole_and_never_comes_back(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    for workspace in [&a, &b] {
        for day in 0..4 {
            store.append(workspace, &facts_of(day), None, at(4 * DAY)).await.unwrap();
        }
        let stored = store.reviews(workspace, 0, 9).await.unwrap();
        let vectors: Vec<_> = stored.iter().map(|one| (one.seq, vec![1.0, 0.5])).collect();
        store.put_vectors(workspace, MODEL, &vectors).await.unwrap();
    }
    store.put_segmentation(&a, &segmentation("needs")).await.unwrap();
    let mut quoting = version("needs", 1);
    quoting.segments[0].typical_reviews[0].review_id = ReviewId::parse("r3").unwrap();
    store.publish(&a, &quoting, &[membership("ann", 1)]).await.unwrap();
    let other = everything(&*store, &b).await;
    let checkpoint = held(&*store, &a, 9).await;
    for (kind, text) in FactKind::ALL.into_iter().zip([None, Some("words"), None, None]) {
        assert_eq!(store.count_expired(&a, kind, at(2 * DAY)).await.unwrap(), 2, "{kind:?}");
        let first = store.expired(&a, kind, at(2 * DAY), 0, 1).await.unwrap();
        let second = store.expired(&a, kind, at(2 * DAY), first[0], 9).await.unwrap();
        assert_eq!((first.len(), second.len()), (1, 1));
        let seqs = [first, second].concat();
        let gone = store.remove_expired(&a, kind, &seqs, &checkpoint).await.unwrap();
        let mut texts = gone.texts;
        texts.sort();
        assert_eq!((gone.n, texts), (2, text.map_or(vec![], |text| vec![format!("{text} 0"), format!("{text} 1")])));
        assert_eq!(store.remove_expired(&a, kind, &seqs, &checkpoint).await.unwrap(), Expired::default());
    }
    let store = reopened(place, store).await;
    assert_eq!(store.job(&a, checkpoint.job).await.unwrap().unwrap().checkpoint, Some(checkpoint.checkpoint));
    let counts = store.counts(&a).await.unwrap();
    assert_eq!((counts.customers, counts.events, counts.reviews, counts.orders), (1, 2, 2, 2));
    let ann = store.customer(&a, &customer_id("ann")).await.unwrap().unwrap();
    assert_eq!((ann.n_events, ann.n_reviews, ann.n_orders), (2, 2, 2));
    assert_eq!(store.refunds(&a, 0, 9).await.unwrap().len(), 2);
    assert_eq!(store.vectors(&a, MODEL, 0, 9).await.unwrap().len(), 2);
    // r1 was quoted by one segment, and r3 is by the other.
    let quoting = store.version(&a, &name("needs"), 1).await.unwrap().unwrap();
    let quoted: Vec<_> =
        quoting.segments.iter().flat_map(|one| &one.typical_reviews).map(|one| one.review_id.as_str()).collect();
    assert_eq!(quoted, ["r3"]);
    assert!(
        store.changes(0).await.unwrap().iter().any(|change| change.what == Changed::Expired && change.workspace == a)
    );
    // Whatever time they have now, and though nothing says that facts are not kept for ever.
    let standing = everything(&*store, &a).await;
    for day in 0..2 {
        assert_eq!(store.append(&a, &facts_of(day), None, at(4 * DAY)).await.unwrap(), [Appended::Expired; 4]);
    }
    let late = Fact::Event(Event { time: at(4 * DAY), ..event("e0", "bob", "seen") });
    assert_eq!(store.append(&a, &[late], None, at(4 * DAY)).await.unwrap(), [Appended::Expired]);
    assert_eq!(everything(&*store, &a).await, standing);
    assert_eq!(everything(&*store, &b).await, other, "an id of another workspace is another fact");
}

pub(crate) async fn facts_older_than_they_are_kept_are_refused(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    store.append(&a, &facts_of(0), None, at(4 * DAY)).await.unwrap();
    keep(&*store, &a, Retention { events: Some(2), reviews: Some(1), orders: Some(2), refunds: None }).await;
    use Appended::{Accepted, Duplicate, Expired};
    assert_eq!(
        store.append(&a, &facts_of(2), None, at(4 * DAY)).await.unwrap(),
        [Accepted, Expired, Accepted, Accepted]
    );
    assert_eq!(store.append(&a, &facts_of(1), None, at(4 * DAY)).await.unwrap(), [Expired, Expired, Expired, Accepted]);
    assert_eq!(
        store.append(&a, &facts_of(0), None, at(4 * DAY)).await.unwrap(),
        [Duplicate; 4],
        "they are still there"
    );
    assert_eq!(
        store.append(&b, &facts_of(0), None, at(4 * DAY)).await.unwrap(),
        [Accepted; 4],
        "another's are kept for ever"
    );
    // What an event tells beside expires by itself.
    let Fact::Review(told) = facts_of(2)[1].clone() else { panic!("a review") };
    let tells = Event { time: at(2 * DAY), told: Some(Told::Review(told)), ..event("tells", "ann", "reviewed") };
    assert_eq!(store.append(&a, &[Fact::Event(tells)], None, at(4 * DAY)).await.unwrap(), [Accepted]);
    assert_eq!(store.counts(&a).await.unwrap().reviews, 1);
    // Who is told of by nothing that is kept does not come to be.
    let nobody = Fact::Event(Event { time: at(0), ..event("old", "nobody", "seen") });
    assert_eq!(store.append(&a, &[nobody], None, at(4 * DAY)).await.unwrap(), [Expired]);
    assert_eq!(store.customer(&a, &customer_id("nobody")).await.unwrap(), None);
}

pub(crate) async fn nobody_but_the_jobs_holder_removes_for_age(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    store.append(&a, &facts_of(0), None, at(4 * DAY)).await.unwrap();
    let held = held(&*store, &a, 9).await;
    let older = Checkpoint { token: held.token - 1, ..held.clone() };
    let seqs = store.expired(&a, FactKind::Events, at(DAY), 0, 9).await.unwrap();
    let refused = store.remove_expired(&a, FactKind::Events, &seqs, &older).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(store.counts(&a).await.unwrap().events, 1);
    assert_eq!(store.remove_expired(&a, FactKind::Events, &seqs, &held).await.unwrap().n, 1);
}
