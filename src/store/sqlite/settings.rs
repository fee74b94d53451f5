//! A workspace's settings: JSON by name.

use super::columns::Json;
use super::{changes, workspaces};
use crate::domain::WorkspaceId;
use crate::store::{Changed, Result};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

pub(super) fn find(db: &Connection, workspace: &WorkspaceId, name: &str) -> Result<Option<Value>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(None) };
    let mut statement = db.prepare_cached("SELECT value FROM setting WHERE workspace_id = ?1 AND name = ?2")?;
    Ok(statement.query_row(params![workspace, name], |row| row.get(0).map(|Json(value)| value)).optional()?)
}

pub(super) fn put(db: &Connection, workspace: &WorkspaceId, name: &str, value: &Value) -> Result<()> {
    let workspace = workspaces::require(db, workspace)?;
    db.prepare_cached(
        "INSERT INTO setting (workspace_id, name, value) VALUES (?1, ?2, ?3)
         ON CONFLICT (workspace_id, name) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![workspace, name, Json(value)])?;
    changes::log(db, workspace, Changed::Settings)
}

pub(super) fn find_or_put(db: &Connection, workspace: &WorkspaceId, name: &str, value: &Value) -> Result<Value> {
    match find(db, workspace, name)? {
        Some(standing) => Ok(standing),
        None => put(db, workspace, name, value).map(|()| value.clone()),
    }
}
