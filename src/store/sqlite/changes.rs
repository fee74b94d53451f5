//! What changed that processes keep in memory. Nobody shares this store, but the contract is one.

use super::columns::{Moment, Text};
use crate::domain::Timestamp;
use crate::store::{Change, Changed, Result, StoreError};
use rusqlite::{Connection, params};

/// Changes in one answer.
const PAGE: i64 = 1_000;
const KEPT_FOR: jiff::SignedDuration = jiff::SignedDuration::from_hours(8 * 24);

/// Within the transaction of the change.
pub(super) fn log(db: &Connection, workspace: i64, what: Changed) -> Result<()> {
    let now = Timestamp::now();
    let (word, id_sha256) = what.as_columns();
    db.prepare_cached("INSERT INTO change (workspace_id, what, id_sha256, time) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![workspace, word, id_sha256, Moment(now)])?;
    db.prepare_cached("DELETE FROM change WHERE time < ?1")?.execute([Moment(now - KEPT_FOR)])?;
    Ok(())
}

pub(super) fn last(db: &Connection) -> Result<u64> {
    // Also when what it counted is gone.
    let last: Option<i64> = db
        .prepare_cached("SELECT max(seq) FROM sqlite_sequence WHERE name = 'change'")?
        .query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or(0).cast_unsigned())
}

pub(super) fn after(db: &Connection, number: u64) -> Result<Vec<Change>> {
    let mut statement = db.prepare_cached(
        "SELECT number, slug, what, id_sha256 FROM change JOIN workspace ON workspace.id = workspace_id
         WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let after = i64::try_from(number).unwrap_or(i64::MAX);
    let rows = statement.query_map([after, PAGE], |row| {
        let Text(workspace) = row.get(1)?;
        Ok((row.get::<_, i64>(0)?, workspace, row.get::<_, String>(2)?, row.get::<_, Option<Vec<u8>>>(3)?))
    })?;
    let mut changes = Vec::new();
    for row in rows {
        let (number, workspace, word, id_sha256) = row?;
        let what = Changed::of_columns(&word, id_sha256)
            .ok_or_else(|| StoreError::Corrupt("a change is not one this program writes".into()))?;
        changes.push(Change { number: number.cast_unsigned(), workspace, what });
    }
    Ok(changes)
}
