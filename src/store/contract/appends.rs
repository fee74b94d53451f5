//! What an append is as a whole: one transaction, safe to repeat, safe beside others, with a job's checkpoint in it.

use super::samples::*;
use super::{Place, for_all, reopened};
use crate::domain::{Fact, Job, JobState, Progress};
use crate::store::{Appended, Checkpoint, StoreError};
use serde_json::{Value, json};
use std::sync::Arc;

fn checkpoint(job: &Job, row: u64) -> Checkpoint {
    let progress = Progress { phase: "rows".into(), done: row, total: Some(100) };
    Checkpoint { job: job.id, token: job.lease.token, progress, checkpoint: json!({"row": row}) }
}

pub(crate) async fn appending_again_changes_nothing(place: &dyn Place) {
    let store = place.open().await;
    for_all(24, any_facts(12), |run, facts| {
        let store = &store;
        async move {
            let workspace = workspace(&**store, &format!("w{run}")).await;
            // Facts under one id that differ would replace each other again and again.
            let mut ids = std::collections::HashSet::new();
            let facts: Vec<_> = facts
                .into_iter()
                .filter(|fact| !matches!(fact, Fact::Review(review) if !ids.insert(review.id.clone())))
                .collect();
            store.append(&workspace, &facts, None, at(1)).await.unwrap();
            let before = everything(&**store, &workspace).await;
            let again = store.append(&workspace, &facts, None, at(2)).await.unwrap();
            assert_eq!(again, vec![Appended::Duplicate; facts.len()]);
            assert_eq!(everything(&**store, &workspace).await, before);
        }
    });
}

pub(crate) async fn a_checkpoint_moves_with_the_facts_it_covers(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let job = store.create_job(&a, &Job { state: JobState::Running, ..job(1) }).await.unwrap();
    for row in [10, 20] {
        let moved = checkpoint(&job, row);
        store.append(&a, &reviews(row as usize), Some(&moved), at(1)).await.unwrap();
        let expected = Job { progress: moved.progress, checkpoint: Some(moved.checkpoint), ..job.clone() };
        assert_eq!(store.job(&a, job.id).await.unwrap(), Some(expected));
        assert_eq!(store.counts(&a).await.unwrap().reviews, row);
    }
    let store = reopened(place, store).await;
    // Also with nothing to append, and with a checkpoint that is JSON's own nothing.
    let nothing = Checkpoint { checkpoint: Value::Null, ..checkpoint(&job, 30) };
    assert_eq!(store.append(&a, &[], Some(&nothing), at(1)).await.unwrap(), []);
    assert_eq!(store.job(&a, job.id).await.unwrap().unwrap().checkpoint, Some(Value::Null));
}

pub(crate) async fn a_call_that_fails_changes_nothing(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    fill(&*store, &a, 1).await;
    let ended = store.create_job(&a, &Job { state: JobState::Cancelled, ..job(5) }).await.unwrap();
    let before = everything(&*store, &a).await;
    let facts =
        [Fact::Review(review("r0", "c9", "other words")), Fact::Identify(identify("c0", json!({"plan": "new"}), 9))];
    let outcome = store.append(&a, &facts, Some(&checkpoint(&job(99), 1)), at(1)).await;
    assert!(matches!(outcome, Err(StoreError::Missing("job"))), "{outcome:?}");
    let outcome = store.append(&a, &facts, Some(&checkpoint(&ended, 1)), at(1)).await;
    assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
    assert_eq!(everything(&*store, &a).await, before);
}

pub(crate) async fn a_reader_sees_a_call_whole_or_not_at_all(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let writing = tokio::spawn({
        let (store, a) = (Arc::clone(&store), a.clone());
        async move {
            for round in 1..=40_i64 {
                let mut facts: Vec<_> =
                    (0..10).map(|i| Fact::Review(review(&format!("r{round}-{i}"), "c", "words"))).collect();
                // The customer's own row and their traits move together.
                facts.push(Fact::Identify(identify("c", json!({"reviews": round * 10}), round)));
                store.append(&a, &facts, None, at(1)).await.unwrap();
            }
        }
    });
    let mut seen = 0;
    while seen < 400 {
        let rows = store.reviews(&a, 0, 1000).await.unwrap().len();
        assert_eq!(rows % 10, 0, "a part of a call shows");
        assert!(rows >= seen, "what was seen is gone");
        if let Some(customer) = store.customer(&a, &customer_id("c")).await.unwrap() {
            assert_eq!(customer.traits["reviews"], customer.n_reviews, "one answer from two moments");
        }
        seen = rows;
        assert!(!writing.is_finished() || store.counts(&a).await.unwrap().reviews == 400, "the writer gave up");
    }
    writing.await.unwrap();
}

pub(crate) async fn calls_side_by_side_lose_nothing(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let writers = (0..40).map(|writer| {
        let (store, a) = (Arc::clone(&store), a.clone());
        tokio::spawn(async move {
            for i in 0..5 {
                let facts = [
                    Fact::Review(review(&format!("r{writer}-{i}"), &format!("c{writer}"), "words")),
                    Fact::Event(event(&format!("e{writer}-{i}"), "everyone's", "seen")),
                ];
                assert_eq!(store.append(&a, &facts, None, at(1)).await.unwrap(), [Appended::Accepted; 2]);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let store = reopened(place, store).await;
    let counts = store.counts(&a).await.unwrap();
    assert_eq!((counts.customers, counts.reviews, counts.events), (41, 200, 200));
    assert_eq!(store.reviews(&a, 0, 1000).await.unwrap().len(), 200);
    assert_eq!(store.customer(&a, &customer_id("everyone's")).await.unwrap().unwrap().n_events, 200);
}
