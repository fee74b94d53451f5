//! Looking through a whole SQLite store: its pages, its references, and what holds between its rows.

use super::{opening, schema};
use crate::store::verify::{Checked, INVARIANTS, UNFINISHED_COPIES, Verified};
use crate::store::{Result, StoreError};
use rusqlite::Connection;
use std::path::Path;

/// JSON that the program has to read back.
const DOCUMENTS: &[(&str, &str)] = &[
    ("properties of events are JSON", "SELECT count(*) FROM event WHERE NOT json_valid(properties)"),
    ("lines of orders are JSON", "SELECT count(*) FROM purchase WHERE NOT json_valid(lines)"),
    ("attributes of items are JSON", "SELECT count(*) FROM item WHERE NOT json_valid(attributes)"),
    ("traits are JSON", "SELECT count(*) FROM customer_trait WHERE value IS NOT NULL AND NOT json_valid(value)"),
    ("settings are JSON", "SELECT count(*) FROM setting WHERE NOT json_valid(value)"),
];

/// Reads beside whoever has the store: one moment of it, and without changing anything.
pub(in crate::store) fn verify(folder: &Path, progress: &(dyn Fn(&'static str) + Sync)) -> Result<Verified> {
    let db = opening::look_beside(folder)?;
    let moment = db.unchecked_transaction()?;
    look_through(&moment, progress)
}

/// The same of an open database.
pub(super) fn look_through(db: &Connection, progress: &(dyn Fn(&'static str) + Sync)) -> Result<Verified> {
    let mut checks = Vec::new();
    let mut check = |says, n_wrong: Result<u64>| {
        progress(says);
        checks.push(Checked { says, n_wrong: n_wrong? });
        Ok::<(), StoreError>(())
    };
    check("every page is sound", damaged_pages(db))?;
    check("every reference leads to a row", count(db, "SELECT count(*) FROM pragma_foreign_key_check"))?;
    for (says, sql) in INVARIANTS.iter().chain(DOCUMENTS) {
        check(says, count(db, sql))?;
    }
    let n_unfinished_copies = count(db, UNFINISHED_COPIES)?;
    Ok(Verified { schema: schema::version(db)?, checks, n_unfinished_copies })
}

fn count(db: &Connection, sql: &str) -> Result<u64> {
    let counted = db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned).map_err(StoreError::from);
    match counted {
        // What cannot be read is not sound: told with the rest.
        Err(StoreError::Corrupt(_)) => Ok(1),
        counted => counted,
    }
}

fn damaged_pages(db: &Connection) -> Result<u64> {
    let mut statement = db.prepare("PRAGMA integrity_check")?;
    let mut n_wrong = 0;
    let mut told = statement.query([])?;
    loop {
        match told.next().map_err(StoreError::from) {
            Ok(None) => return Ok(n_wrong),
            Ok(Some(row)) => n_wrong += u64::from(row.get::<_, String>(0)? != "ok"),
            Err(StoreError::Corrupt(_)) => return Ok(n_wrong + 1),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;
    use crate::store::contract::samples::{fill, workspace};
    use std::collections::BTreeSet;
    use tempfile::TempDir;

    async fn filled() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path()).unwrap();
        for (slug, flavour) in [("a", 1), ("b", 2)] {
            let workspace = workspace(&store, slug).await;
            fill(&store, &workspace, flavour).await;
        }
        dir
    }

    /// For each check what makes it fail: one that cannot fail is none.
    const BREAKS: &[(&str, &str)] = &[
        ("every reference leads to a row", "DELETE FROM account"),
        ("a workspace's counts are those of its rows", "UPDATE workspace SET n_events = n_events + 1"),
        ("an id's counts are those of its rows", "UPDATE customer SET n_orders = n_orders + 1"),
        ("an event is in its customer's workspace", "UPDATE event SET customer_id = 99"),
        (
            "a review is in its customer's workspace",
            "UPDATE review SET workspace_id = 3 - workspace_id, review_id = review_id || 'x'",
        ),
        ("an order is in its customer's workspace", "DELETE FROM customer"),
        (
            "a refund is in its customer's workspace",
            "UPDATE refund SET customer_id = (SELECT min(id) FROM customer) WHERE workspace_id = 2",
        ),
        ("an id counts for a customer of its workspace who counts for nobody else", "UPDATE customer SET root_id = id"),
        ("an id is claimed by one of its workspace, since a moment", "UPDATE customer SET owner_id = id"),
        ("an alias ties two ids of one workspace", "UPDATE alias SET to_id = (SELECT min(id) FROM customer)"),
        (
            "a member and the account are of one workspace",
            "UPDATE account SET workspace_id = 3 - workspace_id, group_id = id",
        ),
        (
            "a vector is of a review of its model's workspace",
            "DELETE FROM review WHERE seq = (SELECT min(seq) FROM review)",
        ),
        ("a model counts its vectors", "DELETE FROM review_vector"),
        (
            "up to where a model is complete each review has its vector",
            "UPDATE embedding_model SET complete_through = 99",
        ),
        ("a segmentation's live version is the one that is live", "UPDATE version SET state = 'retired'"),
        ("versions are numbered one by one", "UPDATE version SET number = 3"),
        ("a version has a centroid a segment", "DELETE FROM segment WHERE position = 1"),
        ("a membership is a customer's in a segment of the version", "UPDATE membership SET segment_id = 7"),
        ("a job has an end if and only if it has ended", "UPDATE job SET state = 'failed'"),
        ("properties of events are JSON", "UPDATE event SET properties = '{'"),
        ("lines of orders are JSON", "UPDATE purchase SET lines = '['"),
        ("attributes of items are JSON", "UPDATE item SET attributes = 'x'"),
        ("traits are JSON", "UPDATE customer_trait SET value = 'gold' WHERE value IS NOT NULL"),
        ("settings are JSON", "UPDATE setting SET value = ''"),
    ];

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_sound_store_is_told_so_and_each_check_can_fail() {
        let dir = filled().await;
        let sound = verify(dir.path(), &|_| {}).unwrap();
        assert!(sound.is_sound() && sound.n_unfinished_copies == 0, "{sound:?}");
        let mut tried: BTreeSet<&str> = BTreeSet::from(["every page is sound"]);
        let mut db = Connection::open(dir.path().join("clientele.db")).unwrap();
        db.pragma_update(None, "foreign_keys", false).unwrap();
        for (says, sql) in BREAKS {
            let transaction = db.transaction().unwrap();
            transaction.execute_batch(sql).unwrap();
            let found = look_through(&transaction, &|_| {}).unwrap();
            assert!(found.checks.iter().any(|check| check.says == *says && check.n_wrong > 0), "{says}: {found:?}");
            transaction.rollback().unwrap();
            tried.insert(says);
        }
        let all: BTreeSet<&str> = sound.checks.iter().map(|check| check.says).collect();
        assert_eq!(tried, all, "a check that nobody has seen fail");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_page_that_was_overwritten_is_found_wherever_it_is() {
        let dir = filled().await;
        let path = dir.path().join("clientele.db");
        let whole = std::fs::read(&path).unwrap();
        let mut n_found = 0;
        for page in 1..whole.len() / 8192 {
            let mut damaged = whole.clone();
            damaged[page * 8192..][..8192].fill(0x5a);
            std::fs::write(&path, &damaged).unwrap();
            let found = verify(dir.path(), &|_| {});
            assert!(!found.as_ref().is_ok_and(Verified::is_sound), "page {page}: {found:?}");
            n_found += 1;
        }
        assert!(n_found > 20, "{n_found}");
    }
}
