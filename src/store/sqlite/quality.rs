//! What was found of facts: counted by day and import with the facts themselves, and looked for among those that are there.

use super::columns::{Id, Json, Unsigned, Word, limit};
use super::workspaces;
use crate::domain::{Currency, Flags, JobId, JudgedKind, Order, Review, Rule, Twin, WorkspaceId};
use crate::store::rules::Tally;
use crate::store::{QualityCount, Result};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

/// Adds to the counts of a day and an import.
pub(super) fn count(db: &Connection, workspace: i64, came: (i64, Option<JobId>), found: &Tally) -> Result<()> {
    if found.0.is_empty() {
        return Ok(());
    }
    let (day, import) = came;
    let import = Id(import.map_or(Uuid::nil(), |job| job.0));
    let mut statement = db.prepare_cached(
        "INSERT INTO quality_count (workspace_id, day, import, kind, rule, outcome, n) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET n = n + excluded.n",
    )?;
    for ((kind, rule, outcome), n) in &found.0 {
        statement.execute(params![workspace, day, import, Word(kind), Word(rule), Word(outcome), n])?;
    }
    Ok(())
}

pub(super) fn counts(db: &Connection, workspace: &WorkspaceId, import: Option<JobId>) -> Result<Vec<QualityCount>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(
        "SELECT day, import, kind, rule, outcome, n FROM quality_count
         WHERE workspace_id = ?1 AND (?2 IS NULL OR import = ?2) ORDER BY day, import, kind, rule, outcome",
    )?;
    let counts = statement.query_map(params![workspace, import.map(|job| Id(job.0))], counted)?;
    Ok(counts.collect::<rusqlite::Result<_>>()?)
}

fn counted(row: &Row<'_>) -> rusqlite::Result<QualityCount> {
    let (Word(kind), Word(rule), Word(outcome), Unsigned(n)) = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
    let Id(import) = row.get(1)?;
    let import = Some(import).filter(|job| !job.is_nil()).map(JobId);
    Ok(QualityCount { day: row.get(0)?, import, kind, rule, outcome, n })
}

pub(super) fn flagged(
    db: &Connection,
    workspace: &WorkspaceId,
    (kind, rule): (JudgedKind, Rule),
    n_ids: usize,
) -> Result<Vec<String>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let select = match kind {
        JudgedKind::Review => {
            "SELECT review_id FROM review WHERE workspace_id = ?1 AND flags <> 0 AND flags & ?2 <> 0 ORDER BY seq DESC LIMIT ?3"
        }
        JudgedKind::Event => {
            "SELECT event_id FROM event WHERE workspace_id = ?1 AND flags <> 0 AND flags & ?2 <> 0 ORDER BY id DESC LIMIT ?3"
        }
        JudgedKind::Order => {
            "SELECT order_id FROM purchase WHERE workspace_id = ?1 AND flags <> 0 AND flags & ?2 <> 0 ORDER BY seq DESC LIMIT ?3"
        }
        JudgedKind::Refund => {
            "SELECT refund_id FROM refund WHERE workspace_id = ?1 AND flags <> 0 AND flags & ?2 <> 0 ORDER BY seq DESC LIMIT ?3"
        }
    };
    let mut statement = db.prepare_cached(select)?;
    let ids = statement.query_map([workspace, Flags::of(&[rule]).bits(), limit(n_ids)], |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

/// A [`Twin`] that can wait in a queue.
pub(super) enum Sought {
    Review { id: String, customer: String, fingerprint: i64 },
    Order { order: Order, within_us: i64 },
}

impl Sought {
    pub fn of(twin: &Twin<'_>) -> Self {
        match *twin {
            Twin::Review(Review { id, customer, text, .. }) => {
                Self::Review { id: id.to_string(), customer: customer.to_string(), fingerprint: text.fingerprint() }
            }
            Twin::Order(order, within_s) => Self::Order { order: order.clone(), within_us: within_s * 1_000_000 },
        }
    }
}

pub(super) fn twins(db: &Connection, workspace: &WorkspaceId, sought: &[Sought]) -> Result<Vec<bool>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(vec![false; sought.len()]) };
    let mut reviews = db.prepare_cached(
        "SELECT 1 FROM customer JOIN review ON customer_id = customer.id
         WHERE customer.workspace_id = ?1 AND external_id = ?2 AND words_hash = ?3 AND review_id <> ?4",
    )?;
    let mut orders = db.prepare_cached(
        "SELECT 1 FROM customer JOIN purchase ON customer_id = customer.id
         WHERE customer.workspace_id = ?1 AND external_id = ?2 AND time BETWEEN ?3 AND ?4 AND total_minor = ?5
             AND currency IS ?6 AND lines = ?7 AND order_id <> ?8",
    )?;
    let mut found = Vec::with_capacity(sought.len());
    for one in sought {
        found.push(match one {
            Sought::Review { id, customer, fingerprint } => {
                reviews.exists(params![workspace, customer, fingerprint, id])?
            }
            Sought::Order { order, within_us } => {
                let time = order.time.as_microsecond();
                orders.exists(params![
                    workspace,
                    order.customer.as_str(),
                    time - within_us,
                    time + within_us,
                    order.total.minor,
                    order.total.currency.as_ref().map(Currency::as_str),
                    Json(&order.lines),
                    order.id.as_str(),
                ])?
            }
        });
    }
    Ok(found)
}
