//! Customers as the facts describe them, and the merging of their traits.

use super::columns::{Json, Moment, Text, Unsigned, limit};
use super::workspaces;
use crate::domain::{Customer, CustomerId, Identify, WorkspaceId};
use crate::store::Result;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value};

pub(super) fn find(db: &Connection, workspace: &WorkspaceId, id: &CustomerId) -> Result<Option<Customer>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(None) };
    let mut statement = db.prepare_cached(
        "SELECT id, external_id, created_at, n_reviews, n_events FROM customer
         WHERE workspace_id = ?1 AND external_id = ?2",
    )?;
    let found = statement.query_row(params![workspace, id.as_str()], described).optional()?;
    found.map(|described| with_traits(db, described)).transpose()
}

pub(super) fn page(
    db: &Connection,
    workspace: &WorkspaceId,
    after: Option<&CustomerId>,
    n_customers: usize,
) -> Result<Vec<Customer>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    // SQLite compares texts byte by byte; no id is empty.
    let mut statement = db.prepare_cached(
        "SELECT id, external_id, created_at, n_reviews, n_events FROM customer
         WHERE workspace_id = ?1 AND external_id > ?2 ORDER BY external_id LIMIT ?3",
    )?;
    let after = after.map_or("", CustomerId::as_str);
    let page = statement.query_map(params![workspace, after, limit(n_customers)], described)?;
    page.map(|described| with_traits(db, described?)).collect()
}

/// The customer's row, unless there is none.
pub(super) fn row(db: &Connection, workspace: i64, id: &CustomerId) -> Result<Option<i64>> {
    let mut statement = db.prepare_cached("SELECT id FROM customer WHERE workspace_id = ?1 AND external_id = ?2")?;
    Ok(statement.query_row(params![workspace, id.as_str()], |row| row.get(0)).optional()?)
}

/// Merges traits into a customer's, key by key; whether any key changed.
///
/// The later time wins. At the same time a removal wins over a value, and of two values the one that is greater as text:
/// whatever the order in which they arrive, the same stays.
pub(super) fn merge_traits(db: &Connection, customer: i64, identify: &Identify) -> Result<bool> {
    let mut statement = db.prepare_cached(
        "INSERT INTO customer_trait (customer_id, name, value, time) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (customer_id, name) DO UPDATE SET value = excluded.value, time = excluded.time
         WHERE excluded.time > time
            OR excluded.time = time AND (excluded.value > value OR excluded.value IS NULL AND value IS NOT NULL)",
    )?;
    let mut changed = false;
    for (name, value) in &identify.traits {
        let value = match value {
            Value::Null => None,
            value => {
                let mut value = value.clone();
                value.sort_all_objects();
                Some(Json(value))
            }
        };
        changed |= statement.execute(params![customer, name, value, Moment(identify.time)])? > 0;
    }
    Ok(changed)
}

fn described(row: &Row<'_>) -> rusqlite::Result<(i64, Customer)> {
    let (Text(id), Moment(created_at)) = (row.get(1)?, row.get(2)?);
    let (Unsigned(n_reviews), Unsigned(n_events)) = (row.get(3)?, row.get(4)?);
    Ok((row.get(0)?, Customer { id, traits: Map::new(), created_at, n_reviews, n_events }))
}

fn with_traits(db: &Connection, (row, customer): (i64, Customer)) -> Result<Customer> {
    let mut statement =
        db.prepare_cached("SELECT name, value FROM customer_trait WHERE customer_id = ?1 AND value IS NOT NULL")?;
    let traits = statement.query_map([row], |row| {
        let Json(value) = row.get(1)?;
        Ok((row.get(0)?, value))
    })?;
    Ok(Customer { traits: traits.collect::<rusqlite::Result<_>>()?, ..customer })
}
