//! The laws of a copy, with PostgreSQL at either end or at both; and what a store that others use meanwhile sees of it.

use super::server::{Schema, server_or_skip, session, url};
use crate::store::contract::Place;
use crate::store::contract::samples::{at, event, fill, workspace};
use crate::store::dump::tests as laws;
use crate::store::dump::tests::{Declared, differences};
use crate::store::dump::{CopyOrder, Dialect, copy};
use crate::store::{StoreError, StorePlace, verify};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn place(schema: &Schema) -> StorePlace {
    StorePlace::Postgres(Box::new(url(&schema.address())))
}

/// Each law from a folder into a schema, back, and between two schemas.
macro_rules! laws {
    ($($law:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $law() {
            server_or_skip!("copies");
            for (from_postgres, to_postgres) in [(false, true), (true, false), (true, true)] {
                let (one, other) = (Schema::new(), Schema::new());
                one.make().await;
                other.make().await;
                let folder = tempfile::tempdir().unwrap();
                let folder = StorePlace::Folder(folder.path().to_owned());
                let from = if from_postgres { place(&one) } else { folder.clone() };
                let to = if to_postgres { place(&other) } else { folder };
                laws::$law(&from, &to).await;
            }
        })*
    };
}

laws!(
    a_copy_is_whole_and_goes_on,
    a_copy_comes_beside_others,
    a_copy_that_ends_at_any_step_leaves_nothing,
    a_difference_in_any_table_is_found,
    an_import_is_not_parted_from_its_file,
    a_dry_run_writes_nothing,
);

#[tokio::test]
async fn every_table_and_column_travels_or_is_said_to_stay() {
    server_or_skip!("every_table_and_column_travels_or_is_said_to_stay");
    let schema = Schema::new();
    drop(schema.open().await);
    let select = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
         WHERE table_schema = current_schema()";
    let rows = session(&schema.address()).await.query(select, &[]).await.unwrap();
    let declared: Vec<Declared> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert!(!declared.is_empty());
    let wrong = differences(Dialect::Postgres, &declared);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn services_go_on_writing_on_both_sides_and_lose_nothing() {
    server_or_skip!("services_go_on_writing_on_both_sides_and_lose_nothing");
    let (source, target) = (Schema::new(), Schema::new());
    let (from, to) = (source.open().await, target.open().await);
    let moved = workspace(&*from, "moved").await;
    fill(&*from, &moved, 1).await;
    let job = from.unfinished_jobs().await.unwrap().remove(0).1;
    from.cancel_job(&moved, job.id, at(3)).await.unwrap();
    let stays = workspace(&*to, "stays").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writing = [(from.clone(), moved.clone()), (to.clone(), stays.clone())].map(|(store, workspace)| {
        let stop = stop.clone();
        tokio::spawn(async move {
            let mut n = 0;
            while !stop.load(Ordering::SeqCst) {
                let facts: Vec<_> = (n..n + 20)
                    .map(|n| crate::domain::Fact::Event(event(&format!("w{n}"), &format!("c{}", n % 5), "Seen")))
                    .collect();
                store.append(&workspace, &facts, None, at(1)).await.unwrap();
                n += 20;
            }
            n
        })
    });
    let order = CopyOrder { from: place(&source), to: place(&target), workspace: None, is_dry: false };
    let copied = copy(&order, &|_| {}).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    let [_, n_stays] = futures_util::future::join_all(writing).await.try_into().unwrap();
    assert_eq!(to.counts(&stays).await.unwrap().events, n_stays.unwrap());
    // One moment of the source: whole batches, and the event that was there before.
    let n_moved = to.counts(&moved).await.unwrap().events;
    assert_eq!(n_moved % 20, 1);
    let events = copied[0].tables.iter().find(|table| table.name == "event").unwrap();
    assert_eq!((events.n_rows, to.events(&moved, 0, 99_999).await.unwrap().len() as u64), (n_moved, n_moved));
    let found = verify(&place(&target), &|_| {}).await.unwrap();
    assert!(found.is_sound() && found.n_unfinished_copies == 0, "{found:?}");
    // The services that were there learn of its keys.
    assert_eq!(to.key_by_hash(&[1; 32]).await.unwrap().map(|key| key.workspace), Some(moved));
    assert!(to.last_change().await.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_copy_at_a_time_goes_into_a_store() {
    server_or_skip!("one_copy_at_a_time_goes_into_a_store");
    let (source, target) = (Schema::new(), Schema::new());
    let from = source.open().await;
    fill(&*from, &workspace(&*from, "a").await, 1).await;
    drop(target.open().await);
    let other = session(&target.address()).await;
    let lock = "SELECT pg_advisory_lock(hashtextextended('clientele copy ' || current_schema(), 0))";
    other.query_one(lock, &[]).await.unwrap();
    let order = CopyOrder { from: place(&source), to: place(&target), workspace: None, is_dry: false };
    let refused = copy(&order, &|_| {}).await;
    assert!(matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("another copy")), "{refused:?}");
    other.query_one("SELECT pg_advisory_unlock_all()::text", &[]).await.unwrap();
    copy(&order, &|_| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_store_is_told_so_and_a_damaged_one_is_not() {
    server_or_skip!("a_sound_store_is_told_so_and_a_damaged_one_is_not");
    let schema = Schema::new();
    let store = schema.open().await;
    for (slug, flavour) in [("a", 1), ("b", 2)] {
        fill(&*store, &workspace(&*store, slug).await, flavour).await;
    }
    let found = verify(&place(&schema), &|_| {}).await.unwrap();
    assert!(found.is_sound() && found.checks.len() > 15, "{found:?}");
    let session = session(&schema.address()).await;
    for (says, damage) in [
        ("a workspace's counts", "UPDATE workspace SET n_items = n_items + 1"),
        ("a version has a centroid", "UPDATE version SET dimension = 3"),
        ("a membership is", "UPDATE membership SET segment_id = 7"),
        ("a job has an end", "UPDATE job SET finished_at = 1"),
    ] {
        session.batch_execute(damage).await.unwrap();
        let found = verify(&place(&schema), &|_| {}).await.unwrap();
        assert!(
            found.checks.iter().any(|check| check.says.starts_with(says) && check.n_wrong > 0),
            "{says}: {found:?}"
        );
    }
    let empty = Schema::new();
    empty.make().await;
    assert!(matches!(verify(&place(&empty), &|_| {}).await, Err(StoreError::Open { .. })));
}
