//! A server that goes away, or is out of reach: every call fails as `Unavailable` in bounded time, nothing acknowledged is lost,
//! nothing is there twice, and the store recovers by itself.

use super::server::{Schema, Server, impatient, server_or_skip, session, url};
use crate::domain::{CustomerId, Event, EventId, EventKind, Fact, Timestamp, Who, WorkspaceId};
use crate::store::postgres::PostgresStore;
use crate::store::postgres::connections::Limits;
use crate::store::{Appended, Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn event(id: u64) -> Fact {
    Fact::Event(Event {
        id: EventId::parse(&id.to_string()).unwrap(),
        who: Who::known(CustomerId::parse("c").unwrap()),
        kind: EventKind::Track,
        name: "seen".into(),
        time: Timestamp::UNIX_EPOCH,
        properties: serde_json::Map::new(),
        activity: None,
        told: None,
    })
}

async fn workspace(store: &PostgresStore) -> WorkspaceId {
    let id = WorkspaceId::parse("a").unwrap();
    store.create_workspace(&id, Timestamp::UNIX_EPOCH).await.unwrap().id
}

fn is_unavailable<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Unavailable(_)))
}

/// Sends events one after the other, each until it is taken, and counts them.
async fn send(store: Arc<PostgresStore>, workspace: WorkspaceId, first: u64, n_taken: Arc<AtomicU64>) {
    for id in first..first + 300 {
        loop {
            match store.append(&workspace, &[event(id)], None, Timestamp::UNIX_EPOCH).await {
                // A duplicate is what was there before the answer got lost.
                Ok(appended) if matches!(appended[..], [Appended::Accepted | Appended::Duplicate]) => break,
                Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
                other => panic!("{other:?}"),
            }
        }
        n_taken.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_under_load_loses_and_doubles_nothing() {
    server_or_skip!("a_server_that_crashes_under_load_loses_and_doubles_nothing");
    let (server, address) = Server::start();
    let store = Arc::new(PostgresStore::with_limits(&url(&address), impatient()).await.unwrap());
    let workspace = workspace(&store).await;
    let n_taken = Arc::new(AtomicU64::new(0));
    let senders: Vec<_> = (0..3)
        .map(|i| tokio::spawn(send(Arc::clone(&store), workspace.clone(), i * 1000, Arc::clone(&n_taken))))
        .collect();
    for at_least in [100, 300] {
        while n_taken.load(Ordering::Relaxed) < at_least {
            tokio::task::yield_now().await;
        }
        tokio::task::block_in_place(|| server.crash());
        // While it is away, reads fail too, and soon.
        let away = tokio::time::timeout(Duration::from_secs(30), store.counts(&workspace)).await;
        assert!(is_unavailable(&away.expect("a call that does not end")));
        assert_eq!(tokio::task::block_in_place(|| server.start_again()), address);
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let counts = store.counts(&workspace).await.unwrap();
    assert_eq!((counts.customers, counts.events), (1, 900));
    let rows =
        session(&address).await.query_one("SELECT count(*), count(DISTINCT event_id) FROM event", &[]).await.unwrap();
    assert_eq!((rows.get::<_, i64>(0), rows.get::<_, i64>(1)), (900, 900));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_killed_at_its_commit_is_unavailable_and_the_work_can_be_done_again() {
    server_or_skip!("a_connection_killed_at_its_commit_is_unavailable_and_the_work_can_be_done_again");
    let place = Schema::new();
    let store = place.open_with(impatient()).await.unwrap();
    let workspace = workspace(&store).await;
    let session = session(&place.address()).await;
    // A trigger that runs at the commit, and ends the connection there.
    session
        .batch_execute(
            "CREATE FUNCTION end_it() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION end_it()",
        )
        .await
        .unwrap();
    for _ in 0..6 {
        // More often than there are connections: each is replaced.
        let outcome = store.append(&workspace, &[event(1)], None, Timestamp::UNIX_EPOCH).await;
        assert!(is_unavailable(&outcome), "{outcome:?}");
    }
    session.batch_execute("DROP TRIGGER at_commit ON event").await.unwrap();
    assert_eq!(store.counts(&workspace).await.unwrap().events, 0);
    let outcome = store.append(&workspace, &[event(1)], None, Timestamp::UNIX_EPOCH).await;
    assert_eq!(outcome.unwrap(), [Appended::Accepted]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_every_connection_in_use_a_call_does_not_wait_for_ever() {
    server_or_skip!("with_every_connection_in_use_a_call_does_not_wait_for_ever");
    let place = Schema::new();
    let limits = Limits { n_connections: 1, wait: Duration::from_millis(100), ..impatient() };
    let store = place.open_with(limits).await.unwrap();
    let held = store.connections.take().await.unwrap();
    let outcome = store.ping().await;
    assert!(matches!(&outcome, Err(StoreError::Unavailable(why)) if why.contains("in use")), "{outcome:?}");
    held.give_back(&Ok(()));
    store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_too_long_for_another_is_given_up_and_leaves_a_sound_pool() {
    server_or_skip!("a_write_that_waits_too_long_for_another_is_given_up_and_leaves_a_sound_pool");
    let place = Schema::new();
    let limits = Limits { n_connections: 1, call: Duration::from_secs(2), ..impatient() };
    let store = place.open_with(limits).await.unwrap();
    let workspace = workspace(&store).await;
    let mut other = session(&place.address()).await;
    let holding = other.transaction().await.unwrap();
    holding.query("SELECT id FROM workspace FOR UPDATE", &[]).await.unwrap();
    for _ in 0..3 {
        let outcome = store.append(&workspace, &[event(1)], None, Timestamp::UNIX_EPOCH).await;
        assert!(is_unavailable(&outcome), "{outcome:?}");
    }
    // A caller that leaves in the middle takes nobody's connection with them.
    let leaving = [event(1)];
    let mut leaving = Box::pin(store.append(&workspace, &leaving, None, Timestamp::UNIX_EPOCH));
    while futures_util::FutureExt::now_or_never(&mut leaving).is_none() {
        let waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_blocking_pids(pid) @> ARRAY[pg_backend_pid()]";
        if !holding.query(waiting, &[]).await.unwrap().is_empty() {
            break;
        }
    }
    drop(leaving);
    store.ping().await.unwrap();
    holding.rollback().await.unwrap();
    let outcome = store.append(&workspace, &[event(1)], None, Timestamp::UNIX_EPOCH).await;
    assert!(outcome.is_ok(), "{outcome:?}");
}
