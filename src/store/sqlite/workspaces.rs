//! Workspaces and how much is in them.

use super::columns::{Moment, Text, Unsigned};
use crate::domain::{Timestamp, Workspace, WorkspaceId};
use crate::store::{Counts, Result, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The workspace's row, unless there is none.
pub(super) fn find(db: &Connection, id: &WorkspaceId) -> Result<Option<i64>> {
    let mut statement = db.prepare_cached("SELECT id FROM workspace WHERE slug = ?1")?;
    Ok(statement.query_row([id.as_str()], |row| row.get(0)).optional()?)
}

/// The workspace's row, for writing into it.
pub(super) fn require(db: &Connection, id: &WorkspaceId) -> Result<i64> {
    find(db, id)?.ok_or(StoreError::Missing("workspace"))
}

pub(super) fn create(db: &Connection, id: &WorkspaceId, now: Timestamp) -> Result<Workspace> {
    db.prepare_cached("INSERT INTO workspace (slug, created_at) VALUES (?1, ?2) ON CONFLICT (slug) DO NOTHING")?
        .execute(params![id.as_str(), Moment(now)])?;
    let mut statement = db.prepare_cached("SELECT slug, created_at FROM workspace WHERE slug = ?1")?;
    Ok(statement.query_row([id.as_str()], workspace)?)
}

pub(super) fn all(db: &Connection) -> Result<Vec<Workspace>> {
    let mut statement =
        db.prepare_cached("SELECT slug, created_at FROM workspace WHERE slug NOT LIKE '~%' ORDER BY slug")?;
    Ok(statement.query_map([], workspace)?.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn counts(db: &Connection, id: &WorkspaceId) -> Result<Counts> {
    let mut statement =
        db.prepare_cached("SELECT n_customers, n_reviews, n_events, n_orders, n_items FROM workspace WHERE slug = ?1")?;
    let counts = statement.query_row([id.as_str()], |row| {
        let [customers, reviews, events] = [row.get(0)?, row.get(1)?, row.get(2)?].map(|Unsigned(n)| n);
        let [orders, items] = [row.get(3)?, row.get(4)?].map(|Unsigned(n)| n);
        Ok(Counts { customers, reviews, events, orders, items })
    });
    Ok(counts.optional()?.unwrap_or_default())
}

fn workspace(row: &Row<'_>) -> rusqlite::Result<Workspace> {
    let (Text(id), Moment(created_at)) = (row.get(0)?, row.get(1)?);
    Ok(Workspace { id, created_at })
}
