//! Workspaces and how much is in them.

use super::columns::{Moment, Text, Unsigned, get};
use super::statements::{execute, row, rows};
use crate::domain::{Timestamp, Workspace, WorkspaceId};
use crate::store::{Counts, Result, StoreError};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

/// The workspace's row, for writing into it.
pub(super) async fn require(db: &impl GenericClient, id: &WorkspaceId) -> Result<i64> {
    let found = row(db, "SELECT id FROM workspace WHERE slug = $1", &[&id.as_str()]).await?;
    get(&found.ok_or(StoreError::Missing("workspace"))?, 0)
}

/// The workspace's row, for writing facts or vectors into it: nobody else does until this transaction ends.
pub(super) async fn lock(db: &Transaction<'_>, id: &WorkspaceId) -> Result<i64> {
    let found = row(db, "SELECT id FROM workspace WHERE slug = $1 FOR NO KEY UPDATE", &[&id.as_str()]).await?;
    get(&found.ok_or(StoreError::Missing("workspace"))?, 0)
}

/// The same for erasing in it: nobody publishes in it either.
pub(super) async fn lock_alone(db: &Transaction<'_>, id: &WorkspaceId) -> Result<i64> {
    let found = row(db, "SELECT id FROM workspace WHERE slug = $1 FOR UPDATE", &[&id.as_str()]).await?;
    get(&found.ok_or(StoreError::Missing("workspace"))?, 0)
}

/// The workspace's row, for publishing in it: facts may come meanwhile, nobody is erased until this transaction ends.
pub(super) async fn share(db: &Transaction<'_>, id: &WorkspaceId) -> Result<i64> {
    let found = row(db, "SELECT id FROM workspace WHERE slug = $1 FOR KEY SHARE", &[&id.as_str()]).await?;
    get(&found.ok_or(StoreError::Missing("workspace"))?, 0)
}

pub(super) async fn create(db: &Transaction<'_>, id: &WorkspaceId, now: Timestamp) -> Result<Workspace> {
    let insert = "INSERT INTO workspace (slug, created_at) VALUES ($1, $2) ON CONFLICT (slug) DO NOTHING";
    execute(db, insert, &[&id.as_str(), &Moment(now)]).await?;
    let made = row(db, "SELECT slug, created_at FROM workspace WHERE slug = $1", &[&id.as_str()]).await?;
    workspace(&made.ok_or(StoreError::Missing("workspace"))?)
}

pub(super) async fn all(db: &impl GenericClient) -> Result<Vec<Workspace>> {
    let select = "SELECT slug, created_at FROM workspace WHERE slug NOT LIKE '~%' ORDER BY slug";
    rows(db, select, &[]).await?.iter().map(workspace).collect()
}

pub(super) async fn counts(db: &impl GenericClient, id: &WorkspaceId) -> Result<Counts> {
    let select = "SELECT n_customers, n_reviews, n_events, n_orders, n_items FROM workspace WHERE slug = $1";
    let Some(row) = row(db, select, &[&id.as_str()]).await? else { return Ok(Counts::default()) };
    let (Unsigned(customers), Unsigned(reviews), Unsigned(events)) = (get(&row, 0)?, get(&row, 1)?, get(&row, 2)?);
    let (Unsigned(orders), Unsigned(items)) = (get(&row, 3)?, get(&row, 4)?);
    Ok(Counts { customers, reviews, events, orders, items })
}

fn workspace(row: &Row) -> Result<Workspace> {
    let (Text(id), Moment(created_at)) = (get(row, 0)?, get(row, 1)?);
    Ok(Workspace { id, created_at })
}
