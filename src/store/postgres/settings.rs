//! A workspace's settings: JSON by name.

use super::columns::{Json, get};
use super::statements::{execute, row};
use super::{changes, workspaces};
use crate::domain::WorkspaceId;
use crate::store::{Changed, Result, StoreError};
use deadpool_postgres::{GenericClient, Transaction};
use serde_json::Value;

pub(super) async fn find(db: &impl GenericClient, workspace: &WorkspaceId, name: &str) -> Result<Option<Value>> {
    let select = "SELECT value FROM workspace JOIN setting ON workspace_id = id WHERE slug = $1 AND name = $2";
    let found = row(db, select, &[&workspace.as_str(), &name]).await?;
    found.map(|row| get(&row, 0).map(|Json(value)| value)).transpose()
}

pub(super) async fn put(db: &Transaction<'_>, workspace: &WorkspaceId, name: &str, value: &Value) -> Result<()> {
    let workspace = workspaces::require(db, workspace).await?;
    let upsert = "INSERT INTO setting (workspace_id, name, value) VALUES ($1, $2, $3)
         ON CONFLICT (workspace_id, name) DO UPDATE SET value = excluded.value";
    execute(db, upsert, &[&workspace, &name, &Json(value)]).await?;
    changes::log(db, workspace, Changed::Settings).await
}

/// Who comes second waits until the first has committed, and then sees the first one's value.
pub(super) async fn find_or_put(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    name: &str,
    value: &Value,
) -> Result<Value> {
    let row = workspaces::require(db, workspace).await?;
    let insert = "INSERT INTO setting (workspace_id, name, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    execute(db, insert, &[&row, &name, &Json(value)]).await?;
    find(db, workspace, name).await?.ok_or(StoreError::Missing("setting"))
}
