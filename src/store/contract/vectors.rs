//! Vectors: bit for bit, by model, gone with the words they were made from.

use super::samples::*;
use super::{Place, for_all, reopened};
use crate::domain::{Fact, WorkspaceId};
use crate::store::{ReviewVector, Store};
use proptest::prelude::*;
use std::collections::BTreeSet;

async fn seqs(store: &dyn Store, workspace: &WorkspaceId) -> Vec<i64> {
    store.reviews(workspace, 0, 1000).await.unwrap().into_iter().map(|stored| stored.seq).collect()
}

async fn lacking(store: &dyn Store, workspace: &WorkspaceId, model: &str) -> Vec<i64> {
    let lacking = store.reviews_without_vector(workspace, model, 0, 1000).await.unwrap();
    let count = store.count_reviews_without_vector(workspace, model).await.unwrap();
    assert_eq!(count, lacking.len() as u64);
    lacking.into_iter().map(|stored| stored.seq).collect()
}

pub(crate) async fn vectors_come_back_bit_by_bit(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    store.append(&a, &reviews(1), None, at(1)).await.unwrap();
    let seq = seqs(&*store, &a).await[0];
    let bits = proptest::collection::vec(any::<u32>(), 0..50);
    for_all(48, bits, |run, bits| {
        let (store, a) = (&*store, &a);
        async move {
            let model = format!("m{run}");
            let vector: Vec<f32> = bits.iter().map(|bits| f32::from_bits(*bits)).collect();
            store.put_vectors(a, &model, &[(seq, vector)]).await.unwrap();
            let [ReviewVector { seq: got, review, customer, time, vector }] =
                <[_; 1]>::try_from(store.vectors(a, &model, 0, 9).await.unwrap()).unwrap();
            assert_eq!((got, review.as_str(), customer.as_str(), time), (seq, "r0", "c0", at(0)));
            assert_eq!(vector.into_iter().map(f32::to_bits).collect::<Vec<_>>(), bits);
        }
    });
}

pub(crate) async fn a_vector_put_again_replaces_the_older(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    store.append(&a, &reviews(2), None, at(1)).await.unwrap();
    let seq = seqs(&*store, &a).await[0];
    for vector in [vec![1.0], vec![2.0], vec![2.0]] {
        store.put_vectors(&a, MODEL, &[(seq, vector.clone())]).await.unwrap();
        let vectors: Vec<_> = store.vectors(&a, MODEL, 0, 9).await.unwrap().into_iter().map(|v| v.vector).collect();
        assert_eq!(vectors, [vector]);
        assert_eq!(lacking(&*store, &a, MODEL).await.len(), 1);
    }
}

pub(crate) async fn a_replaced_review_loses_its_vectors(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    store.append(&a, &reviews(3), None, at(1)).await.unwrap();
    let old = seqs(&*store, &a).await;
    let vectors: Vec<_> = old.iter().map(|seq| (*seq, vec![0.5])).collect();
    for model in [MODEL, "other"] {
        store.put_vectors(&a, model, &vectors).await.unwrap();
        assert_eq!(lacking(&*store, &a, model).await, [0; 0]);
    }
    store.append(&a, &[Fact::Review(review("r1", "c1", "new words"))], None, at(1)).await.unwrap();
    let new = seqs(&*store, &a).await[2];
    for model in [MODEL, "other"] {
        // A vector of the older words that comes late is passed over.
        store.put_vectors(&a, model, &[(old[1], vec![9.0]), (i64::MAX, vec![9.0])]).await.unwrap();
        let left: Vec<_> = store.vectors(&a, model, 0, 9).await.unwrap().into_iter().map(|v| v.seq).collect();
        assert_eq!(left, [old[0], old[2]]);
        assert_eq!(lacking(&*store, &a, model).await, [new]);
    }
    store.put_vectors(&a, MODEL, &[(new, vec![0.25])]).await.unwrap();
    assert_eq!(lacking(&*store, &a, MODEL).await, [0; 0]);
    assert_eq!(lacking(&*store, &a, "other").await, [new]);
}

/// What happens to a workspace with vectors, in any order.
#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    /// Vectors for the reviews at these places, under one of two models.
    Put(Vec<prop::sample::Index>, bool),
    /// A vector for everything, so that what comes later starts from a complete state.
    PutAll(bool),
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let put = (proptest::collection::vec(any::<prop::sample::Index>(), 0..4), any::<bool>());
    let step = prop_oneof![
        4 => (0..8_u8).prop_map(Step::Append),
        2 => put.prop_map(|(places, model)| Step::Put(places, model)),
        1 => any::<bool>().prop_map(Step::PutAll),
    ];
    proptest::collection::vec(step, 0..16)
}

pub(crate) async fn reviews_without_a_vector_are_those_that_got_none(place: &dyn Place) {
    let store = place.open().await;
    for_all(32, (any_steps(), 1..4_usize), |run, (steps, limit)| {
        let store = &*store;
        async move {
            let workspace = workspace(store, &format!("w{run}")).await;
            let mut have = [BTreeSet::new(), BTreeSet::new()];
            for (i, step) in steps.into_iter().enumerate() {
                let all = seqs(store, &workspace).await;
                let (model, chosen) = match step {
                    Step::Append(id) => {
                        let facts = [Fact::Review(review(&format!("r{id}"), "c", &format!("words {i}")))];
                        store.append(&workspace, &facts, None, at(1)).await.unwrap();
                        continue;
                    }
                    Step::Put(_, model) if all.is_empty() => (model, Vec::new()),
                    Step::Put(places, model) => (model, places.iter().map(|place| *place.get(&all)).collect()),
                    Step::PutAll(model) => (model, all),
                };
                let vectors: Vec<_> = chosen.iter().map(|seq| (*seq, vec![1.0])).collect();
                store.put_vectors(&workspace, &model.to_string(), &vectors).await.unwrap();
                have[usize::from(model)].extend(chosen);
            }
            let all = seqs(store, &workspace).await;
            for (model, have) in [("false", &have[0]), ("true", &have[1])] {
                let expected: Vec<_> = all.iter().copied().filter(|seq| !have.contains(seq)).collect();
                assert_eq!(lacking(store, &workspace, model).await, expected);
                let mut paged: Vec<i64> = Vec::new();
                loop {
                    let after = paged.last().copied().unwrap_or(0);
                    let page = store.reviews_without_vector(&workspace, model, after, limit).await.unwrap();
                    assert_eq!(page.len(), limit.min(expected.len() - paged.len()));
                    if page.is_empty() {
                        break;
                    }
                    paged.extend(page.into_iter().map(|stored| stored.seq));
                }
                assert_eq!(paged, expected);
            }
        }
    });
}

pub(crate) async fn pages_of_vectors_are_by_seq_without_gaps(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    store.append(&a, &reviews(10), None, at(1)).await.unwrap();
    let all = seqs(&*store, &a).await;
    // Put from the end, and the other model's in between.
    for seq in all.iter().rev() {
        store.put_vectors(&a, MODEL, &[(*seq, vec![*seq as f32])]).await.unwrap();
    }
    store.put_vectors(&a, "other", &[(all[4], vec![-1.0])]).await.unwrap();
    let store = reopened(place, store).await;
    for limit in [1, 3, 10, 99] {
        let mut seen: Vec<ReviewVector> = Vec::new();
        loop {
            let page = store.vectors(&a, MODEL, seen.last().map_or(0, |last| last.seq), limit).await.unwrap();
            assert_eq!(page.len(), limit.min(10 - seen.len()));
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert!(seen.iter().all(|found| found.vector == [found.seq as f32]));
        assert_eq!(seen.into_iter().map(|found| found.seq).collect::<Vec<_>>(), all);
    }
    assert_eq!(store.vectors(&a, "unknown", 0, 9).await.unwrap(), []);
}
