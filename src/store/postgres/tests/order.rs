//! A reader that pages by `seq` while several processes write misses nothing.

use super::server::{Schema, server_or_skip, session};
use crate::domain::{CustomerId, Fact, Review, ReviewId, ReviewText, Timestamp, WorkspaceId};
use crate::store::Store;
use crate::store::contract::Place;
use std::collections::HashSet;
use std::sync::Arc;

fn review(id: &str) -> Fact {
    Fact::Review(Review {
        id: ReviewId::parse(id).unwrap(),
        customer: CustomerId::parse("c").unwrap(),
        text: ReviewText::parse("words").unwrap(),
        item: None,
        rating: None,
        time: Timestamp::UNIX_EPOCH,
        tongue: None,
    })
}

async fn prepared(place: &Schema) -> (Arc<dyn Store>, Arc<dyn Store>, WorkspaceId) {
    let (one, other) = (place.open().await, place.open().await);
    let workspace = WorkspaceId::parse("a").unwrap();
    one.create_workspace(&workspace, Timestamp::UNIX_EPOCH).await.unwrap();
    (one, other, workspace)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paging_reader_misses_nothing_of_two_writers() {
    server_or_skip!("a_paging_reader_misses_nothing_of_two_writers");
    let place = Schema::new();
    let (one, other, workspace) = prepared(&place).await;
    let writers: Vec<_> = [Arc::clone(&one), other]
        .into_iter()
        .enumerate()
        .map(|(writer, store)| {
            let workspace = workspace.clone();
            tokio::spawn(async move {
                for round in 0..60 {
                    // Long and short calls, so that they would overtake each other.
                    let n = if (round + writer) % 2 == 0 { 1 } else { 40 };
                    let facts: Vec<_> = (0..n).map(|i| review(&format!("{writer}-{round}-{i}"))).collect();
                    store.append(&workspace, &facts, None, Timestamp::UNIX_EPOCH).await.unwrap();
                }
            })
        })
        .collect();
    let (mut seen, mut after) = (HashSet::new(), 0);
    loop {
        let are_done = writers.iter().all(|writer| writer.is_finished());
        let page = one.reviews(&workspace, after, 7).await.unwrap();
        for stored in &page {
            assert!(stored.seq > after && seen.insert(stored.review.id.clone()), "out of order or twice");
            after = stored.seq;
        }
        if are_done && page.is_empty() {
            break;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen.len(), 2 * 30 * 41);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_was_drawn_is_visible_before_a_higher_one_is() {
    server_or_skip!("a_number_that_was_drawn_is_visible_before_a_higher_one_is");
    let place = Schema::new();
    let (one, other, workspace) = prepared(&place).await;
    one.append(&workspace, &[review("first")], None, Timestamp::UNIX_EPOCH).await.unwrap();
    // A writer that is slow between drawing its number and committing.
    let mut slow = session(&place.address()).await;
    let transaction = slow.transaction().await.unwrap();
    transaction.query("SELECT id FROM workspace FOR NO KEY UPDATE", &[]).await.unwrap();
    transaction
        .execute(
            "INSERT INTO review (workspace_id, review_id, customer_id, text, time)
             SELECT workspace_id, 'slow', customer_id, 'words', 0 FROM review",
            &[],
        )
        .await
        .unwrap();
    let quick = tokio::spawn({
        let workspace = workspace.clone();
        async move { other.append(&workspace, &[review("quick")], None, Timestamp::UNIX_EPOCH).await }
    });
    // The quick one waits for the slow one: seen in the server's own list of locks.
    let watcher = session(&place.address()).await;
    let waiting =
        "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND query LIKE '%FOR NO KEY%'
         AND pg_blocking_pids(pid) @> ARRAY[$1::int]";
    let blocker: i32 = transaction.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    while watcher.query(waiting, &[&blocker]).await.unwrap().is_empty() {
        assert!(!quick.is_finished(), "the quick writer did not wait");
        tokio::task::yield_now().await;
    }
    assert_eq!(one.reviews(&workspace, 0, 9).await.unwrap().len(), 1);
    transaction.commit().await.unwrap();
    quick.await.unwrap().unwrap();
    let ids: Vec<_> =
        one.reviews(&workspace, 0, 9).await.unwrap().into_iter().map(|r| r.review.id.to_string()).collect();
    assert_eq!(ids, ["first", "slow", "quick"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_waits_for_a_version_that_is_being_published_and_facts_do_not() {
    server_or_skip!("an_erasure_waits_for_a_version_that_is_being_published_and_facts_do_not");
    let place = Schema::new();
    let (one, other, workspace) = prepared(&place).await;
    one.append(&workspace, &[review("first")], None, Timestamp::UNIX_EPOCH).await.unwrap();
    // As a publish holds it that has looked its members up.
    let mut publishing = session(&place.address()).await;
    let transaction = publishing.transaction().await.unwrap();
    transaction.query("SELECT id FROM workspace FOR KEY SHARE", &[]).await.unwrap();
    let blocker: i32 = transaction.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    one.append(&workspace, &[review("second")], None, Timestamp::UNIX_EPOCH).await.unwrap();
    let erasing = tokio::spawn({
        let (workspace, customer) = (workspace.clone(), CustomerId::parse("c").unwrap());
        async move { other.erase_customer(&workspace, &customer, &crate::store::contract::samples::erasing(1)).await }
    });
    let watcher = session(&place.address()).await;
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE pg_blocking_pids(pid) @> ARRAY[$1::int]";
    while watcher.query(waiting, &[&blocker]).await.unwrap().is_empty() {
        assert!(!erasing.is_finished(), "the erasure did not wait");
        tokio::task::yield_now().await;
    }
    transaction.commit().await.unwrap();
    assert_eq!(erasing.await.unwrap().unwrap().unwrap().removed.reviews, 2);
    one.sweep().await.unwrap();
    one.sweep().await.unwrap();
    assert_eq!(one.reviews(&workspace, 0, 9).await.unwrap(), []);
}
