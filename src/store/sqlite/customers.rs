//! Customers as the facts describe them, and the merging of their traits.

use super::columns::{Json, Moment, Text, Unsigned, limit};
use super::{accounts, identity, workspaces};
use crate::domain::{Customer, CustomerId, Timestamp, WorkspaceId};
use crate::store::Result;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value};

macro_rules! merge_sql {
    ($table:literal, $key:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (",
            $key,
            ", name, value, time) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (", $key, ", name) DO UPDATE SET value = excluded.value, time = excluded.time
             WHERE excluded.time > time
                OR excluded.time = time AND (excluded.value > value OR excluded.value IS NULL AND value IS NOT NULL)"
        )
    };
}

/// Of a customer: all the ids that count for them together.
const COLUMNS: &str = "SELECT it.id, it.external_id, created_at, n_reviews, n_events, n_orders, known FROM customer it";

pub(super) fn find(db: &Connection, workspace: &WorkspaceId, id: &CustomerId) -> Result<Option<Customer>> {
    let Some(root) = root(db, workspace, id)? else { return Ok(None) };
    let mut statement = db.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?;
    whole(db, statement.query_row([root], described)?).map(Some)
}

pub(super) fn page(
    db: &Connection,
    workspace: &WorkspaceId,
    after: Option<&CustomerId>,
    n_customers: usize,
) -> Result<Vec<Customer>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    // SQLite compares texts byte by byte; no id is empty.
    let mut statement = db.prepare_cached(&format!(
        "{COLUMNS} WHERE workspace_id = ?1 AND external_id > ?2 AND root_id IS NULL ORDER BY external_id LIMIT ?3"
    ))?;
    let after = after.map_or("", CustomerId::as_str);
    let page = statement.query_map(params![workspace, after, limit(n_customers)], described)?;
    page.map(|described| whole(db, described?)).collect()
}

/// The row of the customer that an id counts for.
pub(super) fn root(db: &Connection, workspace: &WorkspaceId, id: &CustomerId) -> Result<Option<i64>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(None) };
    row(db, workspace, id)?.map(|row| identity::root(db, row)).transpose()
}

/// The id's own row, unless there is none.
pub(super) fn row(db: &Connection, workspace: i64, id: &CustomerId) -> Result<Option<i64>> {
    let mut statement = db.prepare_cached("SELECT id FROM customer WHERE workspace_id = ?1 AND external_id = ?2")?;
    Ok(statement.query_row(params![workspace, id.as_str()], |row| row.get(0)).optional()?)
}

/// Whose traits.
#[derive(Clone, Copy)]
pub(super) enum TraitsOf {
    /// Those said under one id.
    Customer(i64),
    Account(i64),
}

/// Merges traits into those that are there, key by key; whether any key changed.
///
/// The later time wins. At the same time a removal wins over a value, and of two values the one that is greater as text:
/// whatever the order in which they arrive, the same stays.
pub(super) fn merge_traits(
    db: &Connection,
    of: TraitsOf,
    traits: &Map<String, Value>,
    time: Timestamp,
) -> Result<bool> {
    let (row, mut statement) = match of {
        TraitsOf::Customer(row) => (row, db.prepare_cached(merge_sql!("customer_trait", "customer_id"))?),
        TraitsOf::Account(row) => (row, db.prepare_cached(merge_sql!("account_trait", "account_id"))?),
    };
    let mut changed = false;
    for (name, value) in traits {
        let value = match value {
            Value::Null => None,
            value => {
                let mut value = value.clone();
                value.sort_all_objects();
                Some(Json(value))
            }
        };
        changed |= statement.execute(params![row, name, value, Moment(time)])? > 0;
    }
    Ok(changed)
}

/// The traits that hold: of a customer, those of all ids that count for them, by the rule of [`merge_traits`].
pub(super) fn traits(db: &Connection, of: TraitsOf) -> Result<Map<String, Value>> {
    let (row, mut statement) = match of {
        // The greatest comes last and so stays: by time, a removal above any value.
        TraitsOf::Customer(row) => (
            row,
            db.prepare_cached(
                "SELECT name, value FROM customer_trait
                 WHERE customer_id IN (SELECT id FROM customer WHERE id = ?1 OR root_id = ?1)
                 ORDER BY time, value IS NULL, value",
            )?,
        ),
        TraitsOf::Account(row) => {
            (row, db.prepare_cached("SELECT name, value FROM account_trait WHERE account_id = ?1")?)
        }
    };
    let mut traits = Map::new();
    let mut rows = statement.query([row])?;
    while let Some(row) = rows.next()? {
        match row.get::<_, Option<Json<Value>>>(1)? {
            Some(Json(value)) => traits.insert(row.get(0)?, value),
            None => traits.remove(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?),
        };
    }
    Ok(traits)
}

/// One row of `customer`, by itself.
fn described(row: &Row<'_>) -> rusqlite::Result<(i64, Customer)> {
    let (Text(id), Moment(created_at)) = (row.get(1)?, row.get(2)?);
    let [n_reviews, n_events, n_orders] = [row.get(3)?, row.get(4)?, row.get(5)?].map(|Unsigned(n)| n);
    let customer = Customer {
        id,
        is_known: row.get(6)?,
        aliases: Vec::new(),
        groups: Vec::new(),
        traits: Map::new(),
        created_at,
        n_reviews,
        n_events,
        n_orders,
    };
    Ok((row.get(0)?, customer))
}

/// The customer with what the other ids add that count for them.
fn whole(db: &Connection, (root, mut customer): (i64, Customer)) -> Result<Customer> {
    let mut others = db.prepare_cached(&format!("{COLUMNS} WHERE root_id = ?1 ORDER BY external_id"))?;
    for other in others.query_map([root], described)? {
        let (_, other) = other?;
        customer.is_known |= other.is_known;
        customer.created_at = customer.created_at.min(other.created_at);
        customer.n_reviews += other.n_reviews;
        customer.n_events += other.n_events;
        customer.n_orders += other.n_orders;
        customer.aliases.push(other.id);
    }
    customer.groups = accounts::of_customer(db, root)?;
    customer.traits = traits(db, TraitsOf::Customer(root))?;
    Ok(customer)
}
