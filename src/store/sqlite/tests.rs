//! The contract on SQLite, and what is SQLite's alone: files that must not be opened, and a disk that is full.

use super::{SqliteStore, opening, schema};
use crate::domain::{JobKind, Timestamp, WorkspaceId};
use crate::store::contract::{Place, contract_suite};
use crate::store::{Claim, Store, StoreError};
use async_trait::async_trait;
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::OnceCell;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait]
impl Place for Folder {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.0.path()).unwrap())
    }
}

contract_suite!(Folder::new);

fn database(dir: &Path) -> PathBuf {
    dir.join("clientele.db")
}

/// A folder with a store in it that was used and closed.
async fn used() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    store.create_workspace(&WorkspaceId::parse("a").unwrap(), Timestamp::UNIX_EPOCH).await.unwrap();
    drop(store);
    dir
}

fn failure(dir: &Path) -> StoreError {
    SqliteStore::open(dir).map(drop).unwrap_err()
}

#[tokio::test]
async fn a_file_that_is_no_sound_store_is_reported_and_left_as_it_is() {
    let whole = fs::read(database(used().await.path())).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let cases = [
        ("empty", Vec::new(), "is empty"),
        ("a text", b"name,age\nAda,36\n".repeat(50), "not a database"),
        ("random bytes", (0..9000_u32).map(|i| ((i * i) >> 3) as u8).collect(), "not a database"),
        ("another program's", with(68, &[0; 4]), "another program"),
        ("cut within its header", whole[..60].to_vec(), "cut off"),
        ("cut within its magic", whole[..7].to_vec(), "cut off"),
        ("cut after its first page", whole[..8192].to_vec(), "cut off"),
        ("cut by one byte", whole[..whole.len() - 1].to_vec(), "cut off"),
        ("overwritten in its schema", with(100, &[0xff; 8000]), "damaged"),
        ("overwritten in its tables", with(8192, &[0xff; 8192 * 4]), "damaged"),
    ];
    for (what, bytes, says) in cases {
        let dir = tempfile::tempdir().unwrap();
        fs::write(database(dir.path()), &bytes).unwrap();
        let error = failure(dir.path());
        assert!(matches!(error, StoreError::Open { .. }), "{what}: {error:?}");
        assert!(error.to_string().contains(says), "{what}: {error}");
        assert!(fs::read(database(dir.path())).unwrap() == bytes, "{what}: the file was changed");
    }
}

#[tokio::test]
async fn a_newer_schema_is_left_to_the_newer_program() {
    // The version is in the file; then only in its log, as after a crash.
    for in_log in [false, true] {
        let dir = used().await;
        let newer = Connection::open(database(dir.path())).unwrap();
        newer.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
        newer.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, in_log).unwrap();
        newer.close().unwrap();
        let before = fs::read(database(dir.path())).unwrap();
        let error = failure(dir.path());
        let (newer, known) = (schema::VERSION + 1, schema::VERSION);
        assert!(
            matches!(error, StoreError::TooNew { found, known: own, .. } if found == newer && own == known),
            "{in_log}: {error:?}"
        );
        assert!(fs::read(database(dir.path())).unwrap() == before, "{in_log}: the file was changed");
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_reported() {
    let dir = used().await;
    let mut permissions = fs::metadata(database(dir.path())).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(database(dir.path()), permissions).unwrap();
    let error = failure(dir.path());
    assert!(matches!(&error, StoreError::Open { why, .. } if why.contains("read-only")), "{error:?}");

    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(database(dir.path())).unwrap();
    let error = failure(dir.path());
    assert!(matches!(&error, StoreError::Open { why, .. } if why.contains("not a file")), "{error:?}");

    let file = tempfile::NamedTempFile::new().unwrap();
    for place in [file.path().to_owned(), file.path().join("below")] {
        let error = failure(&place);
        assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_log_without_its_database_is_not_taken_for_an_empty_store() {
    let dir = used().await;
    fs::remove_file(database(dir.path())).unwrap();
    fs::write(dir.path().join("clientele.db-wal"), b"what was written last").unwrap();
    let error = failure(dir.path());
    assert!(matches!(&error, StoreError::Open { why, .. } if why.contains("clientele.db-wal")), "{error:?}");
    assert!(!database(dir.path()).exists());
    assert_eq!(fs::read(dir.path().join("clientele.db-wal")).unwrap(), b"what was written last");
}

#[tokio::test]
async fn an_interrupted_start_does_not_stand_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("clientele.db.new"), b"half a store").unwrap();
    let store = SqliteStore::open(&dir.path().join("not/there/yet")).unwrap();
    store.ping().await.unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    store.ping().await.unwrap();
    assert!(!dir.path().join("clientele.db.new").exists());
}

#[tokio::test]
async fn one_process_at_a_time_has_the_store() {
    let dir = used().await;
    let store = SqliteStore::open(dir.path()).unwrap();
    let error = failure(dir.path());
    let me = format!("process {}", std::process::id());
    assert!(matches!(&error, StoreError::InUse { holder: Some(holder), .. } if *holder == me), "{error:?}");
    // A lock that nobody filled in is a lock all the same.
    fs::write(dir.path().join("clientele.lock"), b"").unwrap();
    assert!(matches!(failure(dir.path()), StoreError::InUse { holder: None, .. }));
    store.ping().await.unwrap();
    drop(store);
    SqliteStore::open(dir.path()).unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn who_opens_the_store_waits_for_no_lease_of_a_process_that_died() {
    let dir = used().await;
    let workspace = WorkspaceId::parse("a").unwrap();
    let lasts = std::time::Duration::from_secs(3_600);
    let claim = Claim { holder: uuid::Uuid::nil(), kinds: &[JobKind::Import], place: None, lasts };
    let store = SqliteStore::open(dir.path()).unwrap();
    store.create_job(&workspace, &crate::store::contract::samples::job(1)).await.unwrap();
    let (_, before) = store.claim_job(&claim).await.unwrap().unwrap();
    assert_eq!(store.claim_job(&claim).await.unwrap(), None);
    drop(store);
    let store = SqliteStore::open(dir.path()).unwrap();
    let refused = store.update_job(&workspace, &before).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let (_, after) = store.claim_job(&claim).await.unwrap().unwrap();
    assert!(after.id == before.id && after.lease.token > before.lease.token);
    // As after a start without room for it: the first claim ends what the last process held, and only the first.
    let store = SqliteStore { leases_ended: OnceCell::new(), ..store };
    let (_, later) = store.claim_job(&claim).await.unwrap().unwrap();
    assert!(later.id == before.id && later.lease.token > after.lease.token);
    assert_eq!(store.claim_job(&claim).await.unwrap(), None);
}

#[tokio::test]
async fn closing_moves_everything_into_the_one_file() {
    let dir = used().await;
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "more than the database and its lock: {names:?}");
    let copy = tempfile::tempdir().unwrap();
    fs::copy(database(dir.path()), database(copy.path())).unwrap();
    let store = SqliteStore::open(copy.path()).unwrap();
    assert_eq!(store.workspaces().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_acknowledged_is_in_the_files_before_they_are_closed() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    for number in 1..=30 {
        let id = WorkspaceId::parse(&format!("w{number}")).unwrap();
        store.create_workspace(&id, Timestamp::UNIX_EPOCH).await.unwrap();
        // As a killed process leaves them: the log has not moved into the database.
        let left = tempfile::tempdir().unwrap();
        for file in ["clientele.db", "clientele.db-wal"] {
            fs::copy(dir.path().join(file), left.path().join(file)).unwrap();
        }
        let recovered = SqliteStore::open(left.path()).unwrap();
        assert_eq!(recovered.workspaces().await.unwrap().len(), number);
    }
}

#[test]
fn a_connection_is_as_durable_as_the_contract_says() {
    let dir = tempfile::tempdir().unwrap();
    let opened = opening::open(dir.path()).unwrap();
    let number = |name| opened.writer.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    let mode: String = opened.writer.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    assert_eq!(number("synchronous"), 2, "FULL: each commit is synced");
    assert_eq!(number("foreign_keys"), 1);
    assert_eq!(number("page_size"), 8192);
    let reader = opening::connect_reader(&opened.path).unwrap();
    assert!(reader.execute("DELETE FROM workspace", []).is_err(), "a reader can write");
}

#[tokio::test]
async fn a_start_empties_the_log_that_a_killed_process_left() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = SqliteStore::open(before.path()).unwrap();
    let workspace = WorkspaceId::parse("shop").unwrap();
    store.create_workspace(&workspace, Timestamp::UNIX_EPOCH).await.unwrap();
    for name in ["clientele.db", "clientele.db-wal"] {
        std::fs::copy(before.path().join(name), after.path().join(name)).unwrap();
    }
    let log = after.path().join("clientele.db-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 0);
    let store = SqliteStore::open(after.path()).unwrap();
    assert_eq!(std::fs::metadata(&log).unwrap().len(), 0);
    assert_eq!(store.workspaces().await.unwrap().len(), 1);
}
