//! Changes that processes follow: none is missed by who goes by the numbers.

use super::samples::*;
use super::{Place, reopened};
use crate::domain::{Fact, Identify, Who};
use crate::store::{Changed, erased_id};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) async fn a_change_is_told_with_its_workspace_and_nothing_personal(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    assert_eq!((store.last_change().await.unwrap(), store.changes(0).await.unwrap()), (0, vec![]));
    let known = Identify {
        who: Who { also: Some(customer_id("anon")), ..Who::known(customer_id("ann")) },
        ..identify("ann", json!({"x": 1}), 1)
    };
    store.append(&a, &[Fact::Identify(known)], None, at(0)).await.unwrap();
    store.put_setting(&b, "colour", &json!(1)).await.unwrap();
    let (key, hash) = key(&a, 1);
    store.add_key(&key, &hash).await.unwrap();
    store.erase_customer(&a, &customer_id("anon"), &erasing(1)).await.unwrap().unwrap();
    store.lift_suppression(&a, &customer_id("ann")).await.unwrap();
    store.revoke_key(&a, key.id, at(2)).await.unwrap();
    let store = reopened(place, store).await;
    let changes = store.changes(0).await.unwrap();
    let numbers: Vec<_> = changes.iter().map(|change| change.number).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let what: Vec<_> = changes.iter().map(|change| (&change.workspace, change.what)).collect();
    let erased = |id| (&a, Changed::Erased(erased_id(&a, &customer_id(id))));
    let mut expected =
        vec![(&b, Changed::Settings), (&a, Changed::Keys), erased("ann"), erased("anon"), (&a, Changed::Keys)];
    if what[2] != expected[2] {
        // In which order the ids of one customer come is nobody's business.
        expected.swap(2, 3);
    }
    assert_eq!(what, expected);
    assert_eq!(store.last_change().await.unwrap(), numbers[4]);
    assert_eq!(store.changes(numbers[1]).await.unwrap(), changes[2..]);
    assert_eq!(store.changes(u64::MAX).await.unwrap(), []);
}

pub(crate) async fn who_follows_the_numbers_misses_no_change(place: &dyn Place) {
    let store = place.open().await;
    let over = Arc::new(AtomicBool::new(false));
    let following = {
        let (store, over) = (Arc::clone(&store), Arc::clone(&over));
        tokio::spawn(async move {
            let (mut seen, mut n_seen) = (0, 0);
            loop {
                let is_last = over.load(Ordering::SeqCst);
                let changes = store.changes(seen).await.unwrap();
                n_seen += changes.len();
                seen = changes.last().map_or(seen, |change| change.number);
                if is_last && changes.is_empty() {
                    return n_seen;
                }
            }
        })
    };
    let changing = (0..6).map(|i| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let workspace = workspace(&*store, &format!("w{i}")).await;
            for value in 0..30 {
                store.put_setting(&workspace, "colour", &json!(value)).await.unwrap();
            }
        })
    });
    for one in changing.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    over.store(true, Ordering::SeqCst);
    assert_eq!(following.await.unwrap(), 6 * 30);
}
