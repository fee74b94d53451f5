//! Jobs: one for each idempotency key, and an end that is an end.

use super::samples::*;
use super::{Place, reopened};
use crate::domain::{Job, JobKind, JobState, Progress};
use crate::store::StoreError;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) async fn a_job_comes_back_as_it_was_written(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let full = Job {
        kind: JobKind::Fit,
        state: JobState::Failed,
        request: json!({"nested": [1, 0.1, null, {"ü": "\0"}]}),
        progress: Progress { phase: "candidates of k".into(), done: u64::MAX, total: Some(0) },
        checkpoint: Some(Value::Null),
        result: Some(json!({"version": 3})),
        error: Some(("fit_failed".into(), "Two customers are too few.".into())),
        idempotency_key: Some("key".into()),
        finished_at: Some(at(99)),
        ..job(2)
    };
    for job in [job(1), full] {
        assert_eq!(store.job(&a, job.id).await.unwrap(), None);
        assert_eq!(store.create_job(&a, &job).await.unwrap(), job);
        assert_eq!(store.job(&a, job.id).await.unwrap(), Some(job));
    }
    let before = store.jobs(&a, None, 9).await.unwrap();
    let store = reopened(place, store).await;
    assert_eq!(store.jobs(&a, None, 9).await.unwrap(), before);
}

pub(crate) async fn an_idempotency_key_stands_for_one_job(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    let keyed = |number| Job { idempotency_key: Some("once".into()), ..job(number) };
    let racing = (1..=8).map(|number| {
        let (store, a, job) = (Arc::clone(&store), a.clone(), keyed(number));
        tokio::spawn(async move { store.create_job(&a, &job).await.unwrap() })
    });
    let mut given = Vec::new();
    for one in racing.collect::<Vec<_>>() {
        given.push(one.await.unwrap());
    }
    assert!(given.iter().all(|job| *job == given[0]), "one key gave several jobs");
    assert_eq!(store.jobs(&a, None, 99).await.unwrap(), [given[0].clone()]);

    // For ever, also when the job has ended; elsewhere and without a key it means nothing.
    let ended = Job { state: JobState::Succeeded, finished_at: Some(at(5)), ..given[0].clone() };
    store.update_job(&a, &ended).await.unwrap();
    let store = reopened(place, store).await;
    assert_eq!(store.create_job(&a, &keyed(20)).await.unwrap(), ended);
    assert_eq!(store.create_job(&b, &keyed(20)).await.unwrap(), keyed(20));
    for number in [30, 31] {
        assert_eq!(store.create_job(&a, &job(number)).await.unwrap(), job(number));
    }
    // Handed over again after a lost answer it is the same job; another one under its id is not taken.
    assert_eq!(store.create_job(&a, &job(30)).await.unwrap(), job(30));
    let other = store.create_job(&a, &Job { request: json!("other"), ..job(30) }).await;
    assert!(matches!(other, Err(StoreError::Conflict(_))), "{other:?}");
    assert_eq!(store.jobs(&a, None, 99).await.unwrap().len(), 3);
}

pub(crate) async fn jobs_come_newest_first_in_pages(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    for number in [5, 3, u128::from(u64::MAX) << 1, 1, 300, 4] {
        store.create_job(&a, &Job { created_at: at(1), ..job_at_any_time(number) }).await.unwrap();
    }
    for limit in 1..8 {
        let mut seen = Vec::new();
        loop {
            let page = store.jobs(&a, seen.last().copied(), limit).await.unwrap();
            assert_eq!(page.len(), limit.min(6 - seen.len()));
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|job| job.id));
        }
        let numbers: Vec<_> = seen.into_iter().map(|id| id.0.as_u128()).collect();
        assert_eq!(numbers, [u128::from(u64::MAX) << 1, 300, 5, 4, 3, 1]);
    }
}

fn job_at_any_time(number: u128) -> Job {
    Job { id: crate::domain::JobId(uuid::Uuid::from_u128(number)), ..job(1) }
}

pub(crate) async fn a_finished_job_never_changes_again(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    for (number, state) in [(1, JobState::Succeeded), (2, JobState::Failed), (3, JobState::Cancelled)] {
        let queued = store.create_job(&a, &job(number)).await.unwrap();
        let progress = Progress { phase: "rows".into(), done: 5, total: Some(9) };
        let running = Job { state: JobState::Running, progress, checkpoint: Some(json!(5)), ..queued };
        store.update_job(&a, &running).await.unwrap();
        assert_eq!(store.job(&a, running.id).await.unwrap(), Some(running.clone()));
        // What was asked for is not up to an update.
        let claims =
            Job { request: json!("other"), idempotency_key: Some("x".into()), created_at: at(77), ..running.clone() };
        store.update_job(&a, &claims).await.unwrap();
        assert_eq!(store.job(&a, running.id).await.unwrap(), Some(running.clone()));

        let error = Some(("code".into(), "why".into()));
        let ended = Job { state, result: Some(json!(1)), error, finished_at: Some(at(9)), ..running.clone() };
        store.update_job(&a, &ended).await.unwrap();
        for again in [&ended, &running] {
            let outcome = store.update_job(&a, again).await;
            assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{state:?} gave {outcome:?}");
        }
        assert_eq!(store.job(&a, ended.id).await.unwrap(), Some(ended));
    }
}

pub(crate) async fn an_unknown_job_is_missing(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let outcome = store.update_job(&a, &job(1)).await;
    assert!(matches!(outcome, Err(StoreError::Missing("job"))), "{outcome:?}");
    assert_eq!(store.job(&a, job(1).id).await.unwrap(), None);
}

pub(crate) async fn unfinished_jobs_of_all_workspaces_come_oldest_first(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    let states = [JobState::Running, JobState::Succeeded, JobState::Queued, JobState::Failed, JobState::Cancelled];
    for number in [9, 8, 7, 6, 5, 4, 3, 2, 1, 0_u8] {
        let workspace = if number % 2 == 0 { &a } else { &b };
        let state = states[usize::from(number) % states.len()];
        store.create_job(workspace, &Job { state, ..job(number.into()) }).await.unwrap();
    }
    let store = reopened(place, store).await;
    let unfinished = store.unfinished_jobs().await.unwrap();
    let found: Vec<_> = unfinished.iter().map(|(id, job)| (id.as_str(), job.id.0.as_u128(), job.state)).collect();
    let expected = [
        ("a", 0, JobState::Running),
        ("a", 2, JobState::Queued),
        ("b", 5, JobState::Running),
        ("b", 7, JobState::Queued),
    ];
    assert_eq!(found, expected);
    store.update_job(&a, &Job { state: JobState::Cancelled, ..unfinished[0].1.clone() }).await.unwrap();
    assert_eq!(store.unfinished_jobs().await.unwrap().len(), 3);
}
