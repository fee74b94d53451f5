//! A log that is cut or changed, at every frame and within every frame: what opens is the commits before the damage, all of them and
//! nothing else. (The format: "The Write-Ahead Log" in SQLite's file format.)

use super::SqliteStore;
use crate::domain::{Fact, WorkspaceId};
use crate::store::Store;
use crate::store::contract::samples::{at, event, review, workspace};
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const FRAME: usize = FRAME_HEADER + 8192;
const N_BATCHES: usize = 12;

fn batch(number: usize) -> Vec<Fact> {
    let event = |n| Fact::Event(event(&format!("{number}-{n}"), &format!("c{}", n % 7), "Product Viewed"));
    let review = |n| Fact::Review(review(&format!("{number}-{n}"), &format!("c{n}"), "A quiet kettle"));
    (0..20).map(event).chain((0..3).map(review)).collect()
}

/// A store whose last commits are in its log alone, as a kill leaves it: the database, and the log.
async fn killed() -> (Vec<u8>, Vec<u8>, WorkspaceId) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let shop = workspace(&store, "shop").await;
    store.sweep().await.unwrap();
    for number in 0..N_BATCHES {
        store.append(&shop, &batch(number), None, at(1)).await.unwrap();
    }
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
    (read("clientele.db"), read("clientele.db-wal"), shop)
}

/// How many commits are whole in the first `n_frames` frames. A commit's last frame says how large the database is after it.
fn commits(log: &[u8], n_frames: usize) -> usize {
    let size_after = |frame: usize| &log[LOG_HEADER + frame * FRAME + 4..][..4];
    (0..n_frames).filter(|frame| size_after(*frame) != [0; 4]).count()
}

/// The batches that are there, if they are the first ones and whole.
async fn batches(folder: &Path, shop: &WorkspaceId) -> usize {
    let store = SqliteStore::open(folder).unwrap();
    assert_eq!(store.workspaces().await.unwrap().len(), 1, "a store that was made anew");
    let (events, reviews) = (store.events(shop, 0, 9_999).await.unwrap(), store.reviews(shop, 0, 9_999).await.unwrap());
    let n = events.len() / 20;
    let expected: Vec<Fact> = (0..n).flat_map(batch).collect();
    let ids = |of: fn(&Fact) -> Option<String>| expected.iter().filter_map(of).collect::<Vec<_>>();
    let of_event = |fact: &Fact| if let Fact::Event(event) = fact { Some(event.id.to_string()) } else { None };
    let of_review = |fact: &Fact| if let Fact::Review(review) = fact { Some(review.id.to_string()) } else { None };
    assert_eq!(events.iter().map(|stored| stored.event.id.to_string()).collect::<Vec<_>>(), ids(of_event));
    assert_eq!(reviews.iter().map(|stored| stored.review.id.to_string()).collect::<Vec<_>>(), ids(of_review));
    let counts = store.counts(shop).await.unwrap();
    assert_eq!((counts.events, counts.reviews), (20 * n as u64, 3 * n as u64));
    store.append(shop, &batch(99), None, at(2)).await.unwrap();
    drop(store);
    let db = Connection::open(folder.join("clientele.db")).unwrap();
    let sound: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    n
}

async fn opened(database: &[u8], log: &[u8], shop: &WorkspaceId) -> usize {
    let dir: TempDir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("clientele.db"), database).unwrap();
    fs::write(dir.path().join("clientele.db-wal"), log).unwrap();
    batches(dir.path(), shop).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_cut_at_or_within_any_frame_opens_to_the_commits_before_it() {
    let (database, log, shop) = killed().await;
    let n_frames = (log.len() - LOG_HEADER) / FRAME;
    assert!(commits(&log, n_frames) == N_BATCHES && n_frames > 5 * N_BATCHES, "{n_frames} frames");
    for frame in 0..n_frames {
        let at = LOG_HEADER + frame * FRAME;
        let whole = commits(&log, frame);
        let cuts = [at, at + 1, at + FRAME_HEADER, at + FRAME - 1];
        let cut = cuts[frame % cuts.len()];
        assert_eq!(opened(&database, &log[..cut], &shop).await, whole, "cut in frame {frame} of {n_frames}, at {cut}");
    }
    assert_eq!(opened(&database, &log, &shop).await, N_BATCHES);
    for cut in [0, 1, LOG_HEADER - 1, LOG_HEADER] {
        assert_eq!(opened(&database, &log[..cut], &shop).await, 0, "cut at {cut}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_that_flips_in_any_frame_ends_the_log_before_it() {
    let (database, log, shop) = killed().await;
    let n_frames = (log.len() - LOG_HEADER) / FRAME;
    for frame in 0..n_frames {
        // Within the frame's header (which page, the size after a commit, salt, sum) and within its page, another place each time.
        for within in [(frame * 5) % FRAME_HEADER, FRAME_HEADER + (frame * 1_237) % (FRAME - FRAME_HEADER)] {
            let mut damaged = log.clone();
            damaged[LOG_HEADER + frame * FRAME + within] ^= 1 << (frame % 8);
            let whole = commits(&log, frame);
            assert_eq!(opened(&database, &damaged, &shop).await, whole, "frame {frame} of {n_frames}, byte {within}");
        }
    }
    for byte in 0..LOG_HEADER {
        let mut damaged = log.clone();
        damaged[byte] ^= 1 << (byte % 8);
        let n = opened(&database, &damaged, &shop).await;
        assert_eq!(n, 0, "byte {byte} of the log's header");
    }
}
