//! Removing facts for their age, and knowing them when they come again.

use super::columns::{Moment, limit};
use super::{changes, erasure, jobs, reviews, settings, workspaces};
use crate::domain::{FactKind, Retention, Timestamp, WorkspaceId};
use crate::store::{Changed, Checkpoint, Expired, Result, RetentionStore, SqliteStore, StoreError, rules};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

#[async_trait]
impl RetentionStore for SqliteStore {
    async fn count_expired(&self, workspace: &WorkspaceId, kind: FactKind, before: Timestamp) -> Result<u64> {
        let workspace = workspace.clone();
        self.read(move |db| count(db, &workspace, kind, before)).await
    }

    async fn expired(
        &self,
        workspace: &WorkspaceId,
        kind: FactKind,
        before: Timestamp,
        after: i64,
        limit: usize,
    ) -> Result<Vec<i64>> {
        let workspace = workspace.clone();
        self.read(move |db| page(db, &workspace, (kind, before), after, limit)).await
    }

    async fn remove_expired(
        &self,
        workspace: &WorkspaceId,
        kind: FactKind,
        seqs: &[i64],
        checkpoint: &Checkpoint,
    ) -> Result<Expired> {
        let (workspace, seqs, checkpoint) = (workspace.clone(), seqs.to_vec(), checkpoint.clone());
        self.write(move |db| remove(db, &workspace, kind, &seqs, &checkpoint)).await
    }
}

/// What an append has to know of a workspace's retention.
pub(super) struct Rules {
    retention: Retention,
    now: Timestamp,
    /// Whether anything was ever removed. In most workspaces nothing was, and no id is hashed.
    any_removed: bool,
}

impl Rules {
    pub fn of(db: &Connection, row: i64, workspace: &WorkspaceId, now: Timestamp) -> Result<Self> {
        let retention = match settings::find(db, workspace, Retention::NAME)? {
            None => Retention::default(),
            Some(value) => serde_json::from_value(value).map_err(|why| StoreError::Corrupt(why.to_string()))?,
        };
        let any_removed =
            db.prepare_cached("SELECT 1 FROM tombstone WHERE workspace_id = ?1 LIMIT 1")?.exists([row])?;
        Ok(Self { retention, now, any_removed })
    }

    /// Whether a fact is not there and may not come any more.
    pub fn refuse(
        &self,
        db: &Connection,
        (row, workspace): (i64, &WorkspaceId),
        (kind, id, time): (FactKind, &str, Timestamp),
    ) -> Result<bool> {
        if self.retention.is_expired(kind, time, self.now) {
            return Ok(!is_there(db, row, kind, id)?);
        }
        let mut statement = db.prepare_cached("SELECT 1 FROM tombstone WHERE workspace_id = ?1 AND id_sha256 = ?2")?;
        Ok(self.any_removed && statement.exists(params![row, rules::tombstone(workspace, kind, id)])?)
    }
}

fn is_there(db: &Connection, row: i64, kind: FactKind, id: &str) -> Result<bool> {
    let sql = about(kind, "SELECT 1 FROM {table} WHERE workspace_id = ?1 AND {id} = ?2");
    Ok(db.prepare_cached(&sql)?.exists(params![row, id])?)
}

/// A statement about the facts of a kind: its table, the columns of its numbers and ids, and a review's words.
fn about(kind: FactKind, sql: &str) -> String {
    let (table, seq, id, text) = match kind {
        FactKind::Events => ("event", "id", "event_id", "NULL"),
        FactKind::Reviews => ("review", "seq", "review_id", "text"),
        FactKind::Orders => ("purchase", "seq", "order_id", "NULL"),
        FactKind::Refunds => ("refund", "seq", "refund_id", "NULL"),
    };
    sql.replace("{table}", table).replace("{seq}", seq).replace("{id}", id).replace("{text}", text)
}

fn count(db: &Connection, workspace: &WorkspaceId, kind: FactKind, before: Timestamp) -> Result<u64> {
    let Some(row) = workspaces::find(db, workspace)? else { return Ok(0) };
    let sql = about(kind, "SELECT count(*) FROM {table} WHERE workspace_id = ?1 AND time < ?2");
    let n: i64 = db.prepare_cached(&sql)?.query_row(params![row, Moment(before)], |row| row.get(0))?;
    Ok(n.cast_unsigned())
}

fn page(
    db: &Connection,
    workspace: &WorkspaceId,
    (kind, before): (FactKind, Timestamp),
    after: i64,
    n_facts: usize,
) -> Result<Vec<i64>> {
    let Some(row) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let sql = about(
        kind,
        "SELECT {seq} FROM {table} WHERE workspace_id = ?1 AND {seq} > ?3 AND time < ?2 ORDER BY {seq} LIMIT ?4",
    );
    let mut statement = db.prepare_cached(&sql)?;
    let seqs = statement.query_map(params![row, Moment(before), after, limit(n_facts)], |row| row.get(0))?;
    Ok(seqs.collect::<rusqlite::Result<_>>()?)
}

fn remove(
    db: &Connection,
    workspace: &WorkspaceId,
    kind: FactKind,
    seqs: &[i64],
    checkpoint: &Checkpoint,
) -> Result<Expired> {
    let row = workspaces::require(db, workspace)?;
    jobs::checkpoint(db, row, checkpoint)?;
    let mut expired = Expired::default();
    let mut reviews_gone = Vec::new();
    for seq in seqs {
        let Some((id, text)) = remove_one(db, row, kind, *seq)? else { continue };
        expired.n += 1;
        expired.texts.extend(text);
        db.prepare_cached("INSERT INTO tombstone (workspace_id, id_sha256) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![row, rules::tombstone(workspace, kind, &id)])?;
        if kind == FactKind::Reviews {
            reviews_gone.push(id);
        }
    }
    if !reviews_gone.is_empty() {
        erasure::remove_typical(db, row, |quoted| reviews_gone.iter().any(|id| id == quoted.review_id.as_str()))?;
    }
    if expired.n > 0 {
        changes::log(db, row, Changed::Expired)?;
    }
    Ok(expired)
}

/// Removes a fact and counts it off; its id, and a review's words.
fn remove_one(db: &Connection, workspace: i64, kind: FactKind, seq: i64) -> Result<Option<(String, Option<String>)>> {
    let counter = match kind {
        FactKind::Events => Some("n_events"),
        FactKind::Reviews => Some("n_reviews"),
        FactKind::Orders => Some("n_orders"),
        FactKind::Refunds => None,
    };
    let select = about(kind, "SELECT customer_id, {id}, {text} FROM {table} WHERE {seq} = ?1 AND workspace_id = ?2");
    let found: Option<(i64, String, Option<String>)> = db
        .prepare_cached(&select)?
        .query_row([seq, workspace], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((customer, id, text)) = found else { return Ok(None) };
    if kind == FactKind::Reviews {
        reviews::delete(db, workspace, seq)?;
    } else {
        db.prepare_cached(&about(kind, "DELETE FROM {table} WHERE {seq} = ?1"))?.execute([seq])?;
    }
    if let Some(counter) = counter {
        for (table, row) in [("customer", customer), ("workspace", workspace)] {
            let update = format!("UPDATE {table} SET {counter} = {counter} - 1 WHERE id = ?1");
            db.prepare_cached(&update)?.execute([row])?;
        }
    }
    Ok(Some((id, text)))
}
