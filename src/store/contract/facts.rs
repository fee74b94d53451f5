//! What becomes of facts, and how customers and reviews read back.

use super::samples::*;
use super::{Place, for_all, reopened};
use crate::domain::{CustomerId, Event, Fact, Review, ReviewText, WorkspaceId};
use crate::store::{Appended, Counts, Store, StoredReview};
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

async fn append(store: &dyn Store, workspace: &WorkspaceId, fact: Fact) -> Appended {
    store.append(workspace, &[fact], None, at(1)).await.unwrap()[0]
}

/// What the contract says of reviews and events, in memory.
#[derive(Default)]
struct Model {
    customers: BTreeMap<CustomerId, (u64, u64)>,
    /// In the order of their numbers.
    reviews: Vec<Review>,
    events: BTreeSet<String>,
}

impl Model {
    /// What is to become of the fact; nothing said of identifies, which have laws of their own.
    fn append(&mut self, fact: &Fact) -> Option<Appended> {
        match fact {
            Fact::Review(review) => Some(self.review(review)),
            Fact::Event(event) if !self.events.insert(event.id.to_string()) => Some(Appended::Duplicate),
            Fact::Event(event) => {
                self.customers.entry(event.who.id.clone()).or_default().1 += 1;
                Some(Appended::Accepted)
            }
            Fact::Identify(identify) => {
                self.customers.entry(identify.who.id.clone()).or_default();
                None
            }
            other => panic!("{other:?} has laws of its own"),
        }
    }

    fn review(&mut self, review: &Review) -> Appended {
        let standing = self.reviews.iter().position(|standing| standing.id == review.id);
        if standing.is_some_and(|at| Review { time: review.time, ..self.reviews[at].clone() } == *review) {
            return Appended::Duplicate;
        }
        self.customers.entry(review.customer.clone()).or_default().0 += 1;
        self.reviews.push(review.clone());
        let Some(standing) = standing else { return Appended::Accepted };
        let replaced = self.reviews.remove(standing);
        self.customers.get_mut(&replaced.customer).unwrap().0 -= 1;
        Appended::Replaced
    }
}

pub(crate) async fn facts_add_up_as_a_simple_model_says(place: &dyn Place) {
    let store = place.open().await;
    for_all(32, proptest::collection::vec(any_facts(8), 0..5), |run, calls| {
        let store = &*store;
        async move {
            let workspace = workspace(store, &format!("w{run}")).await;
            let mut model = Model::default();
            for facts in calls {
                let expected: Vec<_> = facts.iter().map(|fact| model.append(fact)).collect();
                let appended = store.append(&workspace, &facts, None, at(1)).await.unwrap();
                assert_eq!(appended.len(), facts.len());
                for ((expected, appended), fact) in expected.into_iter().zip(appended).zip(&facts) {
                    assert_eq!(appended, expected.unwrap_or(appended), "{fact:?}");
                }
            }
            let reviews: Vec<_> =
                store.reviews(&workspace, 0, 100).await.unwrap().into_iter().map(|stored| stored.review).collect();
            let customers = store.customers(&workspace, None, 100).await.unwrap();
            let customers: BTreeMap<_, _> =
                customers.into_iter().map(|found| (found.id, (found.n_reviews, found.n_events))).collect();
            let counts = Counts {
                customers: model.customers.len() as u64,
                reviews: model.reviews.len() as u64,
                events: model.events.len() as u64,
                ..Counts::default()
            };
            assert_eq!(store.counts(&workspace).await.unwrap(), counts);
            assert_eq!(reviews, model.reviews);
            assert_eq!(customers, model.customers);
        }
    });
}

pub(crate) async fn a_customer_exists_from_the_first_fact_that_names_them(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let facts = [
        Fact::Review(review("r", "by-review", "words")),
        Fact::Event(event("e", "by-event", "seen")),
        Fact::Identify(identify("by-identify", json!({}), 1)),
    ];
    assert_eq!(store.customer(&a, &customer_id("by-review")).await.unwrap(), None);
    assert_eq!(store.append(&a, &facts, None, at(5)).await.unwrap(), [Appended::Accepted; 3]);
    let later = [
        Fact::Review(review("r2", "by-event", "words")),
        Fact::Event(event("e2", "by-identify", "seen")),
        Fact::Identify(identify("by-review", json!({"a": 1}), 1)),
    ];
    store.append(&a, &later, None, at(9)).await.unwrap();
    for (id, n_reviews, n_events, n_traits) in [("by-review", 1, 0, 1), ("by-event", 1, 1, 0), ("by-identify", 0, 1, 0)]
    {
        let customer = store.customer(&a, &customer_id(id)).await.unwrap().unwrap();
        assert_eq!(
            (customer.n_reviews, customer.n_events, customer.traits.len()),
            (n_reviews, n_events, n_traits),
            "{id}"
        );
        assert_eq!(customer.created_at, at(5), "{id}");
    }
}

pub(crate) async fn an_event_is_taken_once_for_ever(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    assert_eq!(append(&*store, &a, Fact::Event(event("e", "c", "seen"))).await, Appended::Accepted);
    let store = reopened(place, store).await;
    let before = everything(&*store, &a).await;
    let other = Event { time: at(99), properties: serde_json::Map::new(), ..event("e", "someone-new", "other") };
    assert_eq!(append(&*store, &a, Fact::Event(other)).await, Appended::Duplicate);
    assert_eq!(append(&*store, &a, Fact::Event(event("e", "c", "seen"))).await, Appended::Duplicate);
    assert_eq!(everything(&*store, &a).await, before);
}

pub(crate) async fn a_replaced_review_gets_a_number_never_used_before(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    store.append(&a, &reviews(2), None, at(1)).await.unwrap();
    let mut highest = store.reviews(&a, 0, 9).await.unwrap()[1].seq;
    let mut store = store;
    // Each part of the content by itself makes it another review; the one with the highest number is replaced each time.
    let base = review("r1", "c1", "review 1");
    let others = [
        Review { text: ReviewText::parse("review 1 ").unwrap(), ..base.clone() },
        Review { item: None, ..base.clone() },
        Review { rating: None, ..base.clone() },
        Review { rating: Some(0.0), ..base.clone() },
        base,
    ];
    for other in others {
        assert_eq!(append(&*store, &a, Fact::Review(other.clone())).await, Appended::Replaced, "{other:?}");
        assert_eq!(append(&*store, &a, Fact::Review(other.clone())).await, Appended::Duplicate, "{other:?}");
        store = reopened(place, store).await;
        let now = store.reviews(&a, highest, 9).await.unwrap();
        assert_eq!(now.iter().map(|stored| &stored.review).collect::<Vec<_>>(), [&other]);
        highest = now[0].seq;
    }
    assert_eq!(store.counts(&a).await.unwrap().reviews, 2);
}

pub(crate) async fn a_review_sent_again_at_another_time_is_the_same_and_keeps_its_first_time(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let first = review("r", "c", "words");
    append(&*store, &a, Fact::Review(first.clone())).await;
    let later = Review { time: at(99), ..first.clone() };
    assert_ne!(later.time, first.time);
    assert_eq!(append(&*store, &a, Fact::Review(later.clone())).await, Appended::Duplicate);
    assert_eq!(store.reviews(&a, 0, 9).await.unwrap()[0].review, first);
    // With other words, it is another review, with its own time.
    let edited = Review { text: ReviewText::parse("other words").unwrap(), ..later };
    assert_eq!(append(&*store, &a, Fact::Review(edited.clone())).await, Appended::Replaced);
    assert_eq!(store.reviews(&a, 0, 9).await.unwrap()[0].review, edited);
}

pub(crate) async fn a_review_may_move_to_another_customer(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    append(&*store, &a, Fact::Review(review("r", "first", "words"))).await;
    assert_eq!(append(&*store, &a, Fact::Review(review("r", "second", "words"))).await, Appended::Replaced);
    for (id, n_reviews) in [("first", 0), ("second", 1)] {
        assert_eq!(store.customer(&a, &customer_id(id)).await.unwrap().unwrap().n_reviews, n_reviews, "{id}");
        assert_eq!(store.customer_reviews(&a, &customer_id(id), 9).await.unwrap().len() as u64, n_reviews, "{id}");
    }
}

pub(crate) async fn texts_and_ids_come_back_as_they_were_written(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let odd = prop_oneof![any::<String>(), Just("  two\0 zeros\0 ".to_owned()), Just("אבג 👩‍👩‍👧 'x'; --".to_owned())];
    let inputs = (odd, "\\PC{1,30}", any::<Option<String>>(), proptest::option::of(proptest::num::f64::NORMAL));
    for_all(48, inputs, |run, (text, id, item, rating)| {
        let (store, a) = (&*store, &a);
        async move {
            let (Ok(text), Ok(customer)) = (ReviewText::parse(&text), CustomerId::parse(&id)) else { return };
            let review = Review { text, customer, item, rating, ..review(&format!("{run}"), "c", "x") };
            append(store, a, Fact::Review(review.clone())).await;
            let stored = store.customer_reviews(a, &review.customer, 99).await.unwrap();
            assert!(stored.iter().any(|stored| stored.review == review), "{review:?} became {stored:?}");
            assert_eq!(append(store, a, Fact::Review(review)).await, Appended::Duplicate);
        }
    });
}

pub(crate) async fn pages_of_customers_are_in_byte_order_without_gaps(place: &dyn Place) {
    let store = place.open().await;
    let ids = proptest::collection::btree_set("[aZ0é語 ~]{1,3}", 1..12);
    for_all(24, (ids, 1..5_usize), |run, (ids, limit)| {
        let store = &*store;
        async move {
            let workspace = workspace(store, &format!("w{run}")).await;
            let ids: BTreeSet<CustomerId> = ids.iter().filter_map(|id| CustomerId::parse(id).ok()).collect();
            let facts: Vec<_> = ids
                .iter()
                .rev()
                .map(|id| Fact::Identify(identify(id.as_str(), json!({"id": id.as_str()}), 1)))
                .collect();
            store.append(&workspace, &facts, None, at(1)).await.unwrap();
            let mut seen: Vec<CustomerId> = Vec::new();
            loop {
                let page = store.customers(&workspace, seen.last(), limit).await.unwrap();
                assert!(page.len() == limit.min(ids.len() - seen.len()), "a short page before the end");
                assert!(page.iter().all(|customer| customer.traits["id"] == customer.id.as_str()));
                if page.is_empty() {
                    break;
                }
                seen.extend(page.into_iter().map(|customer| customer.id));
            }
            assert_eq!(seen, ids.into_iter().collect::<Vec<_>>());
        }
    });
    let a = workspace(&*store, "w1").await;
    assert_eq!(store.customers(&a, None, 0).await.unwrap(), []);
}

async fn paged(store: &dyn Store, workspace: &WorkspaceId, limit: usize) -> Vec<StoredReview> {
    let mut seen: Vec<StoredReview> = Vec::new();
    loop {
        let page = store.reviews(workspace, seen.last().map_or(0, |last| last.seq), limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            return seen;
        }
        seen.extend(page);
    }
}

pub(crate) async fn pages_of_reviews_have_no_gaps_and_repeat_nothing(place: &dyn Place) {
    let store = place.open().await;
    for_all(24, (any_facts(20), 1..6_usize), |run, (facts, limit)| {
        let store = &*store;
        async move {
            let workspace = workspace(store, &format!("w{run}")).await;
            store.append(&workspace, &facts, None, at(1)).await.unwrap();
            let seen = paged(store, &workspace, limit).await;
            assert_eq!(seen, store.reviews(&workspace, i64::MIN, usize::MAX).await.unwrap());
            assert!(seen.windows(2).all(|pair| pair[0].seq < pair[1].seq));
            assert_eq!(seen.len() as u64, store.counts(&workspace).await.unwrap().reviews);
        }
    });
}

pub(crate) async fn unchanged_reviews_are_not_repeated_while_others_are_replaced(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    store.append(&a, &reviews(9), None, at(1)).await.unwrap();
    let mut seen = store.reviews(&a, 0, 4).await.unwrap();
    // One that was seen and one that was not get new words.
    for id in ["r1", "r6"] {
        append(&*store, &a, Fact::Review(review(id, "c", "new words"))).await;
    }
    seen.extend(store.reviews(&a, seen[3].seq, 99).await.unwrap());
    let ids: Vec<_> = seen.iter().map(|stored| stored.review.id.to_string()).collect();
    assert_eq!(ids, ["r0", "r1", "r2", "r3", "r4", "r5", "r7", "r8", "r1", "r6"]);
}

pub(crate) async fn a_customers_reviews_come_newest_first(place: &dyn Place) {
    let store = place.open().await;
    for_all(24, (proptest::collection::vec(-3..3_i64, 1..12), 0..14_usize), |run, (times, limit)| {
        let store = &*store;
        async move {
            let workspace = workspace(store, &format!("w{run}")).await;
            let numbered =
                |(i, time): (usize, &i64)| Review { time: at(*time), ..review(&format!("r{i}"), "c", "words") };
            let facts: Vec<_> = times.iter().enumerate().map(numbered).map(Fact::Review).collect();
            store.append(&workspace, &facts, None, at(1)).await.unwrap();
            append(store, &workspace, Fact::Review(review("other", "someone-else", "words"))).await;
            let mut expected = store.reviews(&workspace, 0, times.len()).await.unwrap();
            expected.sort_by_key(|stored| std::cmp::Reverse((stored.review.time, stored.seq)));
            expected.truncate(limit);
            assert_eq!(store.customer_reviews(&workspace, &customer_id("c"), limit).await.unwrap(), expected);
        }
    });
}
