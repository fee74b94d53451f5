//! API keys, found by the SHA-256 of their secrets.

use super::columns::{Id, Moment, Text};
use super::{changes, workspaces};
use crate::domain::{Key, KeyId, Scopes, Timestamp, WorkspaceId};
use crate::store::{Changed, Result, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};

pub(super) fn add(db: &Connection, key: &Key, secret_sha256: &[u8; 32]) -> Result<()> {
    let workspace = workspaces::require(db, &key.workspace)?;
    let added = db
        .prepare_cached(
            "INSERT INTO api_key (workspace_id, id, secret_sha256, label, scopes, created_at, revoked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            workspace,
            Id(key.id.0),
            secret_sha256.as_slice(),
            key.label,
            key.scopes.names().join(","),
            Moment(key.created_at),
            key.revoked_at.map(Moment),
        ])?;
    match added {
        0 => Err(StoreError::Conflict("a key with this id or this secret is there already".into())),
        _ => changes::log(db, workspace, Changed::Keys),
    }
}

pub(super) fn by_hash(db: &Connection, secret_sha256: &[u8; 32]) -> Result<Option<Key>> {
    let mut statement = db.prepare_cached(
        "SELECT key.id, slug, label, scopes, key.created_at, revoked_at
         FROM api_key key JOIN workspace ON workspace.id = workspace_id
         WHERE secret_sha256 = ?1 AND slug NOT LIKE '~%'",
    )?;
    Ok(statement.query_row([secret_sha256.as_slice()], key).optional()?)
}

pub(super) fn of_workspace(db: &Connection, workspace: &WorkspaceId) -> Result<Vec<Key>> {
    let mut statement = db.prepare_cached(
        "SELECT key.id, slug, label, scopes, key.created_at, revoked_at
         FROM api_key key JOIN workspace ON workspace.id = workspace_id WHERE slug = ?1
         ORDER BY key.created_at, key.id",
    )?;
    Ok(statement.query_map([workspace.as_str()], key)?.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn revoke(db: &Connection, workspace: &WorkspaceId, id: KeyId, now: Timestamp) -> Result<()> {
    let workspace = workspaces::require(db, workspace)?;
    let revoked = db
        .prepare_cached("UPDATE api_key SET revoked_at = coalesce(revoked_at, ?3) WHERE workspace_id = ?1 AND id = ?2")?
        .execute(params![workspace, Id(id.0), Moment(now)])?;
    if revoked == 0 { Err(StoreError::Missing("key")) } else { changes::log(db, workspace, Changed::Keys) }
}

pub(super) fn any_live(db: &Connection) -> Result<bool> {
    let select = "SELECT 1 FROM api_key JOIN workspace ON workspace.id = workspace_id
         WHERE revoked_at IS NULL AND slug NOT LIKE '~%' LIMIT 1";
    Ok(db.prepare_cached(select)?.exists([])?)
}

fn key(row: &Row<'_>) -> rusqlite::Result<Key> {
    let (Id(id), Text(workspace), ScopesText(scopes)) = (row.get(0)?, row.get(1)?, row.get(3)?);
    let (Moment(created_at), revoked_at) = (row.get(4)?, row.get::<_, Option<Moment>>(5)?);
    Ok(Key {
        id: KeyId(id),
        workspace,
        label: row.get(2)?,
        scopes,
        created_at,
        revoked_at: revoked_at.map(|Moment(time)| time),
    })
}

struct ScopesText(Scopes);

impl rusqlite::types::FromSql for ScopesText {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        Scopes::parse(value.as_str()?).map(Self).map_err(|e| rusqlite::types::FromSqlError::Other(Box::new(e)))
    }
}
