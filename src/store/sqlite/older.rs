//! Files of every older schema, opened by this program.

use super::schema::{self, MIGRATIONS};
use super::{SqliteStore, backup, opening};
use crate::store::contract::older::{Dialect, Part, check};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;
use tempfile::TempDir;

/// What each migration let a program write for the first time; nothing where it changed no row's meaning.
const BROUGHT: [&[Part]; MIGRATIONS.len()] = [
    &[Part::First],
    &[Part::Identity],
    &[Part::Suppression],
    &[Part::Settings],
    &[Part::Leases],
    &[Part::Consent],
    &[],
    &[Part::Quality],
    &[Part::Inputs],
];

fn parts(version: usize) -> Vec<Part> {
    BROUGHT[..version].concat()
}

fn connect(dir: &Path) -> Connection {
    Connection::open(dir.join("clientele.db")).unwrap()
}

/// As the program of that schema left it, with rows of all that it knew.
fn written(version: usize) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut db = connect(dir.path());
    db.pragma_update(None, "page_size", 8192).unwrap();
    db.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    db.pragma_update(None, "foreign_keys", true).unwrap();
    schema::apply(&mut db, &MIGRATIONS[..version]).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    for part in parts(version) {
        db.execute_batch(&part.rows(Dialect::Sqlite)).unwrap();
    }
    dir
}

/// Each table with its definition and its rows.
fn content(db: &Connection) -> Vec<String> {
    let mut tables = db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
    let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut content = vec![format!("{}", schema::version(db).unwrap())];
    for (name, sql) in tables.map(Result::<(String, Option<String>), _>::unwrap) {
        content.push(format!("{name}: {sql:?}"));
        let Ok(mut rows) = db.prepare(&format!("SELECT * FROM \"{name}\"")) else { continue };
        let n_columns = rows.column_count();
        let rows = rows.query_map([], |row| {
            (0..n_columns).map(|column| row.get(column)).collect::<Result<Vec<rusqlite::types::Value>, _>>()
        });
        content.extend(rows.unwrap().map(|row| format!("{:?}", row.unwrap())));
    }
    content
}

async fn is_whole(dir: &Path, version: usize) {
    let store = SqliteStore::open(dir).unwrap();
    check(&store, &parts(version)).await;
    drop(store);
    let db = connect(dir);
    assert_eq!(schema::version(&db).unwrap(), schema::VERSION);
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    assert!(!db.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap(), "a row refers to none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_every_older_schema_keeps_its_facts_and_takes_new_ones() {
    for version in 1..=MIGRATIONS.len() {
        let dir = written(version);
        is_whole(dir.path(), version).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_every_older_schema_is_restored_with_its_facts() {
    for version in 1..=MIGRATIONS.len() {
        let (backup, folder) = (written(version), tempfile::tempdir().unwrap());
        backup::restore(&backup.path().join("clientele.db"), folder.path(), false, &|_, _, _| {}).unwrap();
        is_whole(folder.path(), version).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_fails_or_is_killed_half_way_leaves_the_older_file() {
    for version in 1..MIGRATIONS.len() {
        let dir = written(version);
        let mut db = connect(dir.path());
        let before = content(&db);
        let mut failing: Vec<&str> = MIGRATIONS[..=version].to_vec();
        let broken = format!("{}; SELECT nonsense FROM nowhere", MIGRATIONS[version]);
        failing[version] = &broken;
        schema::apply(&mut db, &failing).unwrap_err();
        assert_eq!(content(&db), before, "schema {version}");
        // The files as a kill leaves them: what was not committed may be in the log.
        db.pragma_update(None, "cache_size", 1).unwrap();
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        transaction.execute_batch(MIGRATIONS[version]).unwrap();
        let left = tempfile::tempdir().unwrap();
        for file in ["clientele.db", "clientele.db-wal"] {
            std::fs::copy(dir.path().join(file), left.path().join(file)).unwrap();
        }
        transaction.rollback().unwrap();
        assert_eq!(content(&connect(left.path())), before, "schema {version}");
        is_whole(left.path(), version).await;
        drop(db);
        is_whole(dir.path(), version).await;
    }
}

#[test]
fn a_file_of_no_schema_yet_is_made_whole() {
    // A program that was killed between making its file and the first table has renamed nothing; this is the file of a first
    // migration that failed.
    let dir = tempfile::tempdir().unwrap();
    let db = connect(dir.path());
    db.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    drop(db);
    let opened = opening::open(dir.path()).unwrap();
    assert_eq!(schema::version(&opened.writer).unwrap(), schema::VERSION);
}
