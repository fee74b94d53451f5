//! Merging of traits: key by key, the latest wins, in whatever order they come.

use super::samples::*;
use super::{Place, for_all};
use crate::domain::{Fact, Identify, Who, WorkspaceId};
use crate::store::{Appended, Store};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

async fn identified(store: &dyn Store, workspace: &WorkspaceId, traits: Value, time: i64) -> Appended {
    let facts = [Fact::Identify(identify("c", traits, time))];
    store.append(workspace, &facts, None, at(1)).await.unwrap()[0]
}

async fn known(store: &dyn Store, workspace: &WorkspaceId) -> Value {
    Value::Object(store.customer(workspace, &customer_id("c")).await.unwrap().unwrap().traits)
}

pub(crate) async fn each_key_keeps_its_latest_value(place: &dyn Place) {
    let store = place.open().await;
    let identifies = proptest::collection::vec(any_identify(Just("c".to_owned())), 1..8);
    for_all(32, identifies, |run, mut identifies| {
        let store = &*store;
        async move {
            // No two at the same moment, in an order that is not that of time.
            for (i, identify) in identifies.iter_mut().enumerate() {
                identify.time = at((i as i64 * 5) % 8 + i as i64 * 100 % 7 * 8);
            }
            let workspace = workspace(store, &format!("w{run}")).await;
            let facts: Vec<_> = identifies.iter().cloned().map(Fact::Identify).collect();
            store.append(&workspace, &facts, None, at(1)).await.unwrap();
            identifies.sort_by_key(|identify| identify.time);
            let mut expected: Map<String, Value> =
                identifies.into_iter().flat_map(|identify| identify.traits).collect();
            expected.retain(|_, value| !value.is_null());
            assert_eq!(known(store, &workspace).await, Value::Object(expected));
        }
    });
}

pub(crate) async fn the_order_of_identifies_does_not_matter(place: &dyn Place) {
    let store = place.open().await;
    let orders = proptest::collection::vec(any_identify(Just("c".to_owned())), 1..8)
        .prop_flat_map(|identifies| (Just(identifies.clone()), Just(identifies).prop_shuffle(), 1..4_usize));
    for_all(48, orders, |run, (one, other, per_call)| {
        let store = &*store;
        async move {
            let mut ends = Vec::new();
            for (order, identifies) in [("one", one), ("other", other)] {
                let workspace = workspace(store, &format!("{order}{run}")).await;
                for call in identifies.chunks(per_call) {
                    let facts: Vec<_> = call.iter().cloned().map(Fact::Identify).collect();
                    store.append(&workspace, &facts, None, at(1)).await.unwrap();
                }
                ends.push(known(store, &workspace).await);
            }
            assert_eq!(ends[0], ends[1]);
        }
    });
}

pub(crate) async fn a_removed_trait_does_not_come_back_with_older_news(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    identified(&*store, &a, json!({"plan": "free", "city": "Oslo"}), 1).await;
    identified(&*store, &a, json!({"plan": null}), 5).await;
    assert_eq!(known(&*store, &a).await, json!({"city": "Oslo"}));
    identified(&*store, &a, json!({"plan": "old", "age": 30}), 3).await;
    assert_eq!(known(&*store, &a).await, json!({"city": "Oslo", "age": 30}));
    identified(&*store, &a, json!({"plan": "pro"}), 6).await;
    assert_eq!(known(&*store, &a).await, json!({"city": "Oslo", "age": 30, "plan": "pro"}));
    // Also when the removal comes before anything was known.
    identified(&*store, &a, json!({"late": null}), 9).await;
    identified(&*store, &a, json!({"late": true}), 8).await;
    assert_eq!(known(&*store, &a).await["late"], Value::Null);
}

pub(crate) async fn the_same_identify_again_is_a_duplicate(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let nested = json!({"plan": "pro", "address": {"zip": "1", "city": "Oslo"}, "gone": null, "rate": 0.1});
    assert_eq!(identified(&*store, &a, nested.clone(), 5).await, Appended::Accepted);
    for (traits, time) in [(nested.clone(), 5), (nested, 4), (json!({"plan": "free"}), 4), (json!({}), 9)] {
        let shown = traits.to_string();
        assert_eq!(identified(&*store, &a, traits, time).await, Appended::Duplicate, "{shown} at {time}");
    }
    assert_eq!(identified(&*store, &a, json!({"plan": "free"}), 6).await, Appended::Accepted);
    let nobody = Identify { who: Who::known(customer_id("new")), ..identify("c", json!({}), 1) };
    assert_eq!(store.append(&a, &[Fact::Identify(nobody)], None, at(1)).await.unwrap(), [Appended::Accepted]);
}
