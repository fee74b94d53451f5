//! Erasing a customer: every row that tells of them, under every id, in one transaction; and the list of the erased.
//!
//! The connection that writes overwrites what it deletes (`secure_delete`), and [`super::SqliteStore`] empties the log
//! afterwards, so that the words are in no file any more.

use super::columns::{Json, Moment, Text, Unsigned};
use super::{changes, customers, identity, jobs, reviews, workspaces};
use crate::domain::{CustomerId, Job, Timestamp, TypicalReview, WorkspaceId};
use crate::store::{Changed, Erased, Removed, Result, rules};
use rusqlite::{Connection, params};
use std::collections::HashSet;

pub(super) fn erase(db: &Connection, workspace: &WorkspaceId, id: &CustomerId, job: &Job) -> Result<Option<Erased>> {
    let row = workspaces::require(db, workspace)?;
    let Some(root) = customers::root(db, workspace, id)? else { return Ok(None) };
    let erasing = Erasing { db, workspace: row, rows: identity::rows_of_one(db, root)? };
    let ids = erasing.ids()?;
    let texts = erasing.texts()?;
    let removed = erasing.remove(&ids)?;
    for id in &ids {
        suppress(db, row, workspace, id, job.created_at)?;
    }
    let job = jobs::add(db, workspace, &rules::proving(workspace, job, &ids, removed)?)?;
    Ok(Some(Erased { ids, texts, removed, job }))
}

struct Erasing<'a> {
    db: &'a Connection,
    workspace: i64,
    /// Of all ids that count for the customer, the customer's own first.
    rows: Vec<i64>,
}

impl Erasing<'_> {
    fn ids(&self) -> Result<Vec<CustomerId>> {
        let mut statement = self.db.prepare_cached("SELECT external_id FROM customer WHERE id = ?1")?;
        let ids = self
            .rows
            .iter()
            .map(|row| statement.query_row([row], |row| row.get(0).map(|Text(id)| id)).map_err(Into::into));
        ids.collect()
    }

    fn texts(&self) -> Result<Vec<String>> {
        let mut statement = self.db.prepare_cached("SELECT text FROM review WHERE customer_id = ?1")?;
        let mut texts = Vec::new();
        for row in &self.rows {
            for text in statement.query_map([row], |row| row.get(0))? {
                texts.push(text?);
            }
        }
        Ok(texts)
    }

    fn remove(&self, ids: &[CustomerId]) -> Result<Removed> {
        let mut removed = Removed { ids: self.rows.len() as u64, ..Removed::default() };
        let reviews = self.remove_reviews()?;
        removed.reviews = reviews.len() as u64;
        // A version may quote them under another: an id that was claimed since counted for somebody else then.
        removed.typical_reviews = remove_typical(self.db, self.workspace, |quoted| {
            ids.contains(&quoted.customer_id) || reviews.contains(quoted.review_id.as_str())
        })?;
        if removed.typical_reviews > 0 {
            changes::log(self.db, self.workspace, Changed::Expired)?;
        }
        removed.events = self.delete("DELETE FROM event WHERE customer_id = ?1")?;
        removed.orders = self.delete("DELETE FROM purchase WHERE customer_id = ?1")?;
        removed.refunds = self.delete("DELETE FROM refund WHERE customer_id = ?1")?;
        removed.traits = self.delete("DELETE FROM customer_trait WHERE customer_id = ?1")?;
        removed.memberships = self.delete("DELETE FROM membership WHERE customer_id = ?1")?;
        self.delete("DELETE FROM consent WHERE customer_id = ?1")?;
        removed.consents = self.delete("DELETE FROM consent_log WHERE customer_id = ?1")?;
        self.delete("DELETE FROM account_member WHERE customer_id = ?1")?;
        self.delete("DELETE FROM alias WHERE from_id = ?1 OR to_id = ?1")?;
        self.delete("DELETE FROM merge_log WHERE customer_id = ?1 OR root_id = ?1")?;
        // Ids of others may have been claimed by this customer once; no id points at one that is gone.
        self.delete("UPDATE customer SET owner_id = NULL, owned_at = NULL WHERE owner_id = ?1")?;
        self.delete("UPDATE customer SET root_id = NULL WHERE id = ?1")?;
        self.delete("DELETE FROM customer WHERE id = ?1")?;
        self.db
            .prepare_cached(
                "UPDATE workspace SET n_customers = n_customers - 1, n_reviews = n_reviews - ?2, n_events = n_events - ?3,
                     n_orders = n_orders - ?4
                 WHERE id = ?1",
            )?
            .execute(params![
                self.workspace,
                Unsigned(removed.reviews),
                Unsigned(removed.events),
                Unsigned(removed.orders)
            ])?;
        Ok(removed)
    }

    /// Runs a statement for each of the rows; how many rows it changed.
    fn delete(&self, sql: &str) -> Result<u64> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut n_changed = 0;
        for row in &self.rows {
            n_changed += statement.execute([row])? as u64;
        }
        Ok(n_changed)
    }

    /// The ids of those that went.
    fn remove_reviews(&self) -> Result<HashSet<String>> {
        let mut statement = self.db.prepare_cached("SELECT seq, review_id FROM review WHERE customer_id = ?1")?;
        let mut removed = HashSet::new();
        for row in &self.rows {
            let found: Vec<(i64, String)> =
                statement.query_map([row], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
            for (seq, id) in found {
                reviews::delete(self.db, self.workspace, seq)?;
                removed.insert(id);
            }
        }
        Ok(removed)
    }
}

/// Published versions quote typical reviews of their segments; removes those of which this holds.
pub(super) fn remove_typical(db: &Connection, workspace: i64, is_gone: impl Fn(&TypicalReview) -> bool) -> Result<u64> {
    let mut statement = db.prepare_cached(
        "SELECT version_id, position, typical_reviews FROM segment
         JOIN version ON version.id = version_id JOIN segmentation ON segmentation.id = segmentation_id
         WHERE workspace_id = ?1",
    )?;
    let quoting = statement
        .query_map([workspace], |row| {
            let Json(quoted) = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, quoted))
        })?
        .collect::<rusqlite::Result<Vec<(i64, i64, Vec<TypicalReview>)>>>()?;
    let mut n_removed = 0;
    for (version, position, quoted) in quoting {
        let kept: Vec<_> = quoted.iter().filter(|review| !is_gone(review)).collect();
        if kept.len() < quoted.len() {
            n_removed += (quoted.len() - kept.len()) as u64;
            db.prepare_cached("UPDATE segment SET typical_reviews = ?3 WHERE version_id = ?1 AND position = ?2")?
                .execute(params![version, position, Json(kept)])?;
        }
    }
    Ok(n_removed)
}

fn suppress(db: &Connection, row: i64, workspace: &WorkspaceId, id: &CustomerId, now: Timestamp) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO suppression (workspace_id, id_sha256, time) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute(params![row, rules::erased_id(workspace, id), Moment(now)])?;
    changes::log(db, row, Changed::Erased(rules::erased_id(workspace, id)))
}

pub(super) fn lift(db: &Connection, workspace: &WorkspaceId, id: &CustomerId) -> Result<bool> {
    let row = workspaces::require(db, workspace)?;
    let lifted = db
        .prepare_cached("DELETE FROM suppression WHERE workspace_id = ?1 AND id_sha256 = ?2")?
        .execute(params![row, rules::erased_id(workspace, id)])?;
    Ok(lifted > 0)
}

/// The list of the erased, as an append asks it.
pub(super) struct Suppressed {
    /// Most workspaces have erased nobody; their ids are not hashed.
    any: bool,
}

impl Suppressed {
    pub fn of(db: &Connection, row: i64) -> Result<Self> {
        let any = db.prepare_cached("SELECT 1 FROM suppression WHERE workspace_id = ?1 LIMIT 1")?.exists([row])?;
        Ok(Self { any })
    }

    pub fn has(&self, db: &Connection, row: i64, workspace: &WorkspaceId, id: &CustomerId) -> Result<bool> {
        if !self.any {
            return Ok(false);
        }
        let mut statement =
            db.prepare_cached("SELECT 1 FROM suppression WHERE workspace_id = ?1 AND id_sha256 = ?2")?;
        Ok(statement.exists(params![row, rules::erased_id(workspace, id)])?)
    }
}
