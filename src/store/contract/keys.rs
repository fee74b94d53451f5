//! Keys: one secret, one key; a revoked one stays to be seen.

use super::samples::*;
use super::{Place, reopened};
use crate::domain::{Key, KeyId, WorkspaceId};
use crate::store::{Store, StoreError};
use uuid::Uuid;

async fn added(store: &dyn Store, workspace: &WorkspaceId, number: u8) -> Key {
    let (key, hash) = key(workspace, number);
    store.add_key(&key, &hash).await.unwrap();
    key
}

pub(crate) async fn a_key_is_found_by_its_secret_revoked_or_not(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    assert_eq!(store.key_by_hash(&[1; 32]).await.unwrap(), None);
    assert!(!store.has_live_keys().await.unwrap());
    let key = added(&*store, &a, 1).await;
    assert_eq!(store.key_by_hash(&[1; 32]).await.unwrap(), Some(key.clone()));
    assert_eq!(store.key_by_hash(&[2; 32]).await.unwrap(), None);
    assert!(store.has_live_keys().await.unwrap());
    store.revoke_key(&a, key.id, at(5)).await.unwrap();
    assert!(!store.has_live_keys().await.unwrap());
    let store = reopened(place, store).await;
    assert_eq!(store.key_by_hash(&[1; 32]).await.unwrap(), Some(Key { revoked_at: Some(at(5)), ..key }));
}

pub(crate) async fn a_second_key_with_the_same_id_or_secret_is_a_conflict(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    let first = added(&*store, &a, 1).await;
    let same_id = Key { label: "second".into(), ..first.clone() };
    let same_secret = Key { id: KeyId(Uuid::from_u128(99)), ..first.clone() };
    let elsewhere = Key { workspace: b.clone(), ..same_secret.clone() };
    for (key, hash) in [(&same_id, [2; 32]), (&same_secret, [1; 32]), (&elsewhere, [1; 32])] {
        let outcome = store.add_key(key, &hash).await;
        assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{key:?} gave {outcome:?}");
    }
    assert_eq!(store.keys(&a).await.unwrap(), [first]);
    assert_eq!(store.keys(&b).await.unwrap(), []);
    assert_eq!(store.key_by_hash(&[2; 32]).await.unwrap(), None);
}

pub(crate) async fn a_revoked_key_keeps_its_first_moment(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let (gone, live) = (added(&*store, &a, 1).await, added(&*store, &a, 2).await);
    for time in [5, 3, 9] {
        store.revoke_key(&a, gone.id, at(time)).await.unwrap();
    }
    assert_eq!(store.keys(&a).await.unwrap(), [Key { revoked_at: Some(at(5)), ..gone }, live]);
    assert!(store.has_live_keys().await.unwrap());
    let unknown = store.revoke_key(&a, KeyId(Uuid::from_u128(77)), at(1)).await;
    assert!(matches!(unknown, Err(StoreError::Missing("key"))), "{unknown:?}");
}

pub(crate) async fn keys_come_oldest_first(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    for number in [3, 1, 2] {
        added(&*store, &a, number).await;
    }
    let labels: Vec<_> = store.keys(&a).await.unwrap().into_iter().map(|key| key.label).collect();
    assert_eq!(labels, ["key 1", "key 2", "key 3"]);
}
