//! Workspaces, the walls between them, and durability of all there is in them.

use super::samples::*;
use super::{Place, reopened};
use crate::domain::{Job, JobState, KeyId, Progress};
use crate::store::{Checkpoint, Counts, MembersQuery, Result, StoreError};
use serde_json::json;
use uuid::Uuid;

pub(crate) async fn the_store_answers_a_ping(place: &dyn Place) {
    let store = place.open().await;
    store.ping().await.unwrap();
    workspace(&*store, "a").await;
    store.ping().await.unwrap();
}

pub(crate) async fn a_workspace_is_made_once(place: &dyn Place) {
    let store = place.open().await;
    for (id, time) in [("b", 1), ("a", 2), ("b", 3), ("a-b", 4), ("a_b", 5)] {
        store.create_workspace(&workspace_id(id), at(time)).await.unwrap();
    }
    let made = store.create_workspace(&workspace_id("b"), at(9)).await.unwrap();
    assert_eq!((made.id, made.created_at), (workspace_id("b"), at(1)));
    let listed: Vec<_> =
        store.workspaces().await.unwrap().into_iter().map(|w| (w.id.to_string(), w.created_at)).collect();
    assert_eq!(listed, [("a".into(), at(2)), ("a-b".into(), at(4)), ("a_b".into(), at(5)), ("b".into(), at(1))]);
}

pub(crate) async fn everything_survives_being_closed_and_opened_again(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    fill(&*store, &a, 1).await;
    fill(&*store, &b, 2).await;
    let before = (everything(&*store, &a).await, everything(&*store, &b).await, store.workspaces().await.unwrap());
    let store = reopened(place, store).await;
    let after = (everything(&*store, &a).await, everything(&*store, &b).await, store.workspaces().await.unwrap());
    assert_eq!(before, after);
}

pub(crate) async fn no_call_sees_or_touches_another_workspace(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    let empty = everything(&*store, &b).await;
    fill(&*store, &a, 1).await;
    assert_eq!(everything(&*store, &b).await, empty, "what is in a shows in b");

    let full = everything(&*store, &a).await;
    let seq = store.reviews(&a, 0, 1).await.unwrap()[0].seq;
    store.put_vectors(&b, MODEL, &[(seq, vec![9.0])]).await.unwrap();
    let (key, _) = key(&a, 1);
    assert!(matches!(store.revoke_key(&b, key.id, at(9)).await, Err(StoreError::Missing("key"))));
    let ended = Job { state: JobState::Failed, ..job(1) };
    assert!(matches!(store.update_job(&b, &ended).await, Err(StoreError::Missing("job"))));
    assert!(matches!(store.publish(&b, &version("needs", 2), &[]).await, Err(StoreError::Missing("segmentation"))));
    let checkpoint = Checkpoint { job: ended.id, token: 0, progress: Progress::default(), checkpoint: json!(1) };
    assert!(matches!(store.append(&b, &[], Some(&checkpoint), at(1)).await, Err(StoreError::Missing("job"))));
    assert_eq!(everything(&*store, &b).await, empty, "a refused call left something");
    assert_eq!(everything(&*store, &a).await, full, "a call for b changed a");

    // The same ids again, with other contents: all of it is new there.
    fill(&*store, &b, 2).await;
    assert_eq!(everything(&*store, &a).await, full, "the same ids in b changed a");
    assert_eq!(store.counts(&b).await.unwrap(), Counts { customers: 3, reviews: 3, events: 1, orders: 1, items: 1 });
    assert!(store.job(&b, job(1).id).await.unwrap().is_some_and(|job| job.request == json!(2)));
}

pub(crate) async fn reading_an_unknown_workspace_finds_nothing(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    fill(&*store, &a, 1).await;
    let nowhere = workspace_id("nowhere");
    let empty = workspace(&*store, "empty").await;
    assert_eq!(everything(&*store, &nowhere).await, everything(&*store, &empty).await);
    assert_eq!(store.customer(&nowhere, &customer_id("c1")).await.unwrap(), None);
    assert_eq!(store.customer_reviews(&nowhere, &customer_id("c1"), 9).await.unwrap(), []);
    assert_eq!(store.version(&nowhere, &name("needs"), 1).await.unwrap(), None);
    let all = MembersQuery { segment: None, after: None, limit: 9 };
    assert_eq!(store.members(&nowhere, &name("needs"), 1, all).await.unwrap(), []);
    assert_eq!(store.job(&nowhere, job(1).id).await.unwrap(), None);
}

pub(crate) async fn writing_into_an_unknown_workspace_is_missing(place: &dyn Place) {
    let store = place.open().await;
    let nowhere = workspace_id("nowhere");
    let (key, hash) = key(&nowhere, 1);
    let outcomes: [(&str, Result<()>); 8] = [
        ("add_key", store.add_key(&key, &hash).await),
        ("revoke_key", store.revoke_key(&nowhere, KeyId(Uuid::nil()), at(1)).await),
        ("append", store.append(&nowhere, &reviews(1), None, at(1)).await.map(drop)),
        ("put_vectors", store.put_vectors(&nowhere, MODEL, &[(1, vec![1.0])]).await),
        ("put_segmentation", store.put_segmentation(&nowhere, &segmentation("needs")).await.map(drop)),
        ("publish", store.publish(&nowhere, &version("needs", 1), &[]).await),
        ("create_job", store.create_job(&nowhere, &job(1)).await.map(drop)),
        ("update_job", store.update_job(&nowhere, &job(1)).await),
    ];
    for (method, outcome) in outcomes {
        assert!(matches!(outcome, Err(StoreError::Missing("workspace"))), "{method} gave {outcome:?}");
    }
    assert_eq!(store.workspaces().await.unwrap(), []);
}

pub(crate) async fn a_setting_stands_as_it_was_put_last(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    assert_eq!(store.setting(&a, "colour").await.unwrap(), None);
    let values: Vec<_> = (0..4).map(|n| json!({ "n": n })).collect();
    let callers = (0..4).map(|i| store.setting_or_put(&a, "colour", &values[i]));
    let standing = futures_util::future::join_all(callers).await;
    let first = standing[0].as_ref().unwrap();
    assert!(standing.iter().all(|value| value.as_ref().unwrap() == first), "one stands for all: {standing:?}");
    store.put_setting(&a, "colour", &json!("red")).await.unwrap();
    assert_eq!(store.setting_or_put(&a, "colour", &json!("blue")).await.unwrap(), json!("red"));
    let store = reopened(place, store).await;
    assert_eq!(store.setting(&a, "colour").await.unwrap(), Some(json!("red")));
    assert_eq!(store.setting(&b, "colour").await.unwrap(), None);
    assert!(matches!(
        store.put_setting(&workspace_id("none"), "colour", &json!(1)).await,
        Err(StoreError::Missing("workspace"))
    ));
}
