//! API keys, found by the SHA-256 of their secrets.

use super::columns::{Moment, Text, Words, get};
use super::statements::{execute, row, rows};
use super::{changes, workspaces};
use crate::domain::{Key, KeyId, Scopes, Timestamp, WorkspaceId};
use crate::store::{Changed, Result, StoreError};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

pub(super) async fn add(db: &Transaction<'_>, key: &Key, secret_sha256: &[u8; 32]) -> Result<()> {
    let workspace = workspaces::require(db, &key.workspace).await?;
    let added = execute(
        db,
        "INSERT INTO api_key (workspace_id, id, secret_sha256, label, scopes, created_at, revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        &[
            &workspace,
            &key.id.0,
            &secret_sha256.as_slice(),
            &Words::of(&key.label),
            &key.scopes.names().join(","),
            &Moment(key.created_at),
            &key.revoked_at.map(Moment),
        ],
    )
    .await?;
    match added {
        0 => Err(StoreError::Conflict("a key with this id or this secret is there already".into())),
        _ => changes::log(db, workspace, Changed::Keys).await,
    }
}

/// What [`key`] reads, in its order.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT key.id, slug, label, scopes, key.created_at, revoked_at
             FROM api_key key JOIN workspace ON workspace.id = workspace_id ",
            $rest
        )
    };
}

pub(super) async fn by_hash(db: &impl GenericClient, secret_sha256: &[u8; 32]) -> Result<Option<Key>> {
    let found =
        row(db, select!("WHERE secret_sha256 = $1 AND slug NOT LIKE '~%'"), &[&secret_sha256.as_slice()]).await?;
    found.as_ref().map(key).transpose()
}

pub(super) async fn of_workspace(db: &impl GenericClient, workspace: &WorkspaceId) -> Result<Vec<Key>> {
    let keys = rows(db, select!("WHERE slug = $1 ORDER BY key.created_at, key.id"), &[&workspace.as_str()]).await?;
    keys.iter().map(key).collect()
}

pub(super) async fn revoke(db: &Transaction<'_>, workspace: &WorkspaceId, id: KeyId, now: Timestamp) -> Result<()> {
    let workspace = workspaces::require(db, workspace).await?;
    let update = "UPDATE api_key SET revoked_at = coalesce(revoked_at, $3) WHERE workspace_id = $1 AND id = $2";
    match execute(db, update, &[&workspace, &id.0, &Moment(now)]).await? {
        0 => Err(StoreError::Missing("key")),
        _ => changes::log(db, workspace, Changed::Keys).await,
    }
}

pub(super) async fn any_live(db: &impl GenericClient) -> Result<bool> {
    let select = "SELECT 1 FROM api_key JOIN workspace ON workspace.id = workspace_id
         WHERE revoked_at IS NULL AND slug NOT LIKE '~%' LIMIT 1";
    Ok(row(db, select, &[]).await?.is_some())
}

fn key(row: &Row) -> Result<Key> {
    let (Text(workspace), Moment(created_at)) = (get(row, 1)?, get(row, 4)?);
    let scopes = Scopes::parse(get(row, 3)?);
    Ok(Key {
        id: KeyId(get(row, 0)?),
        workspace,
        label: get::<Words<'static>>(row, 2)?.owned(),
        scopes: scopes.map_err(|_| StoreError::Corrupt("a key has scopes that are not known".into()))?,
        created_at,
        revoked_at: get::<Option<Moment>>(row, 5)?.map(|Moment(time)| time),
    })
}
