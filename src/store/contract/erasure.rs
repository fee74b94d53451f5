//! Erasing a customer: nothing of them is left to be read, everything of the others is, and they do not come back by a late batch.

use super::samples::*;
use super::{Place, reopened};
use crate::domain::{Alias, Event, Fact, Identify, Job, JobState, ReviewId, SegmentId, Who};
use crate::store::{Appended, Changed, ERASED_IDS, MembersQuery, REMOVED, Removed, StoreError, erased_id};
use serde_json::json;

pub(crate) async fn nothing_of_an_erased_customer_is_left_and_all_of_the_others(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    fill(&*store, &a, 1).await;
    fill(&*store, &b, 2).await;
    let other = everything(&*store, &b).await;
    let vectors = store.vectors(&a, MODEL, 0, 99).await.unwrap();
    // c1 has an event, a review, an order, a refund, an account, an alias and a place, and is quoted as typical.
    let erased = store.erase_customer(&a, &customer_id("c1-before"), &erasing(50)).await.unwrap().unwrap();
    assert_eq!(erased.ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["c1", "c1-before"]);
    assert_eq!(erased.texts, ["words 1"]);
    let removed = erased.removed;
    assert_eq!((removed.ids, removed.events, removed.reviews, removed.orders, removed.refunds), (2, 1, 1, 1, 1));
    assert_eq!((removed.memberships, removed.typical_reviews), (1, 2));
    let store = reopened(place, store).await;
    assert_eq!(store.customer(&a, &customer_id("c1")).await.unwrap(), None);
    // The proof has hashes of the ids, whose digits may spell anything.
    let hashes: Vec<String> = serde_json::from_value(erased.job.request[ERASED_IDS].clone()).unwrap();
    let left = hashes.iter().fold(everything(&*store, &a).await, |left, hash| left.replace(hash, "#"));
    assert!(!left.contains("c1"), "{left}");
    assert!(left.contains("c0") && left.contains("c2"));
    let counts = store.counts(&a).await.unwrap();
    assert_eq!((counts.customers, counts.reviews, counts.events, counts.orders, counts.items), (2, 2, 0, 0, 1));
    let kept: Vec<_> = vectors.into_iter().filter(|vector| vector.customer.as_str() != "c1").collect();
    assert_eq!(store.vectors(&a, MODEL, 0, 99).await.unwrap(), kept);
    assert_eq!(everything(&*store, &b).await, other, "an id of another workspace is somebody else");
    assert_eq!(store.erase_customer(&a, &customer_id("c1"), &erasing(51)).await.unwrap(), None);
}

pub(crate) async fn a_quote_goes_with_its_review_whoever_it_was_quoted_of(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    fill(&*store, &a, 1).await;
    let mut next = version("needs", 2);
    // An id that was claimed since: what c1 said counted for c2 when the version was made.
    for quote in next.segments.iter_mut().flat_map(|segment| &mut segment.typical_reviews) {
        (quote.review_id, quote.customer_id) = (ReviewId::parse("r1").unwrap(), customer_id("c2"));
    }
    let n_quotes = next.segments.iter().map(|segment| segment.typical_reviews.len() as u64).sum::<u64>();
    store.publish(&a, &next, &[]).await.unwrap();
    let before = store.changes(0).await.unwrap().len();
    let erased = store.erase_customer(&a, &customer_id("c1"), &erasing(50)).await.unwrap().unwrap();
    assert_eq!(erased.removed.typical_reviews, 2 + n_quotes);
    let left = store.version(&a, &name("needs"), 2).await.unwrap().unwrap();
    assert!(left.segments.iter().all(|segment| segment.typical_reviews.is_empty()));
    // Other processes read their versions again.
    assert!(store.changes(0).await.unwrap()[before..].iter().any(|change| change.what == Changed::Expired));
}

pub(crate) async fn an_erasure_and_its_proof_are_one_step(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    fill(&*store, &a, 1).await;
    let before = everything(&*store, &a).await;
    // A job that cannot be added: nobody is erased.
    store.create_job(&a, &erasing(60)).await.unwrap();
    let clash = store.erase_customer(&a, &customer_id("c1"), &erasing(60)).await;
    assert!(matches!(clash, Err(StoreError::Conflict(_))), "{clash:?}");
    let shapeless = Job { request: json!(1), ..erasing(61) };
    assert!(matches!(store.erase_customer(&a, &customer_id("c1"), &shapeless).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.customer(&a, &customer_id("c1")).await.unwrap().map(|one| one.n_reviews), Some(1));
    // Nobody to be erased: no job.
    assert_eq!(store.erase_customer(&a, &customer_id("nobody"), &erasing(62)).await.unwrap(), None);
    assert_eq!(store.job(&a, erasing(62).id).await.unwrap(), None);
    let erased = store.erase_customer(&a, &customer_id("c1"), &erasing(63)).await.unwrap().unwrap();
    let store = reopened(place, store).await;
    let job = store.job(&a, erasing(63).id).await.unwrap().unwrap();
    assert_eq!((&job, job.state, job.created_at), (&erased.job, JobState::Queued, at(63)));
    let removed: Removed = serde_json::from_value(job.request[REMOVED].clone()).unwrap();
    assert_eq!((removed, &job.request["asked"]), (erased.removed, &json!("whom")));
    let hex = |id| erased_id(&a, &customer_id(id)).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let mut hashes: Vec<String> = serde_json::from_value(job.request[ERASED_IDS].clone()).unwrap();
    let mut expected = [hex("c1"), hex("c1-before")];
    hashes.sort();
    expected.sort();
    assert_eq!(hashes, expected);
    assert!(before.contains("c1-before") && !everything(&*store, &a).await.contains("c1-before"));
}

pub(crate) async fn pages_of_members_go_on_past_an_erased_one(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    store.append(&a, &reviews(7), None, at(1)).await.unwrap();
    store.put_segmentation(&a, &segmentation("needs")).await.unwrap();
    let members: Vec<_> = (0..7).map(|i| membership(&format!("c{i}"), 1 + i % 2)).collect();
    store.publish(&a, &version("needs", 1), &members).await.unwrap();
    for (number, id) in (9..).zip(["c0", "c3", "c4", "c6"]) {
        store.erase_customer(&a, &customer_id(id), &erasing(number)).await.unwrap().unwrap();
    }
    let name = name("needs");
    for (segment, expected) in [(None, vec!["c1", "c2", "c5"]), (Some(SegmentId(2)), vec!["c1", "c5"])] {
        for limit in 1..4 {
            let mut seen = Vec::new();
            loop {
                let query = MembersQuery { segment, after: seen.last(), limit };
                let page = store.members(&a, &name, 1, query).await.unwrap();
                if page.is_empty() {
                    break;
                }
                seen.extend(page.into_iter().map(|member| member.customer));
            }
            assert_eq!(seen.iter().map(|id| id.as_str()).collect::<Vec<_>>(), expected);
            // Also from an id that is no member any more.
            let query = MembersQuery { segment, after: Some(&customer_id("c3")), limit };
            let page = store.members(&a, &name, 1, query).await.unwrap();
            assert_eq!(page[0].customer.as_str(), "c5");
        }
    }
}

pub(crate) async fn the_erased_do_not_come_back_until_they_are_let(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    let who = Who { also: Some(customer_id("anon")), ..Who::known(customer_id("ann")) };
    let claim = Fact::Event(Event { who: who.clone(), ..event("e1", "unused", "seen") });
    store.append(&a, &[claim], None, at(1)).await.unwrap();
    store.erase_customer(&a, &customer_id("ann"), &erasing(2)).await.unwrap().unwrap();
    let store = reopened(place, store).await;
    let empty = everything(&*store, &a).await;
    let late = [
        Fact::Event(event("e2", "ann", "seen")),
        Fact::Event(Event { who: Who::anonymous(customer_id("anon")), ..event("e3", "unused", "seen") }),
        Fact::Review(review("r", "anon", "words")),
        Fact::Identify(identify("ann", json!({"plan": "pro"}), 9)),
        Fact::Alias(Alias { previous: customer_id("anon"), id: customer_id("bob"), message: None, time: at(3) }),
        Fact::Alias(Alias { previous: customer_id("bob"), id: customer_id("ann"), message: None, time: at(3) }),
    ];
    let appended = store.append(&a, &late, None, at(3)).await.unwrap();
    assert_eq!(appended, vec![Appended::Suppressed; late.len()]);
    assert_eq!(everything(&*store, &a).await, empty);
    // Somebody else on the same device is not held up, and gets no tie to the erased id.
    let bob = Who { id: customer_id("bob"), ..who };
    let seen = Fact::Identify(Identify { who: bob, ..identify("unused", json!({"plan": "free"}), 4) });
    assert_eq!(store.append(&a, &[seen], None, at(4)).await.unwrap(), [Appended::Accepted]);
    assert_eq!(store.customer(&a, &customer_id("anon")).await.unwrap(), None);
    // In another workspace the id is another customer.
    assert_eq!(store.append(&b, &late[..1], None, at(3)).await.unwrap(), [Appended::Accepted]);
    assert!(store.lift_suppression(&a, &customer_id("ann")).await.unwrap());
    assert!(!store.lift_suppression(&a, &customer_id("ann")).await.unwrap());
    assert_eq!(store.append(&a, &late[..2], None, at(5)).await.unwrap(), [Appended::Accepted, Appended::Suppressed]);
}
