//! Customers as the facts describe them.

use super::columns::{Json, Moment, Text, Unsigned, Words, get, limit};
use super::statements::{row, rows};
use crate::domain::{Customer, CustomerId, WorkspaceId};
use crate::store::{Result, StoreError};
use deadpool_postgres::GenericClient;
use serde_json::{Map, Value};
use tokio_postgres::Row;

/// What [`customer`] reads, in its order. Traits come with their customer in one statement, so that both are of one moment.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT external_id, customer.created_at, customer.n_reviews, customer.n_events, names, traits
             FROM workspace JOIN customer ON workspace_id = workspace.id
             LEFT JOIN LATERAL (
                 SELECT array_agg(name) AS names, array_agg(value) AS traits FROM customer_trait
                 WHERE customer_id = customer.id AND value IS NOT NULL
             ) AS known ON true ",
            $rest
        )
    };
}

pub(super) async fn find(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    id: &CustomerId,
) -> Result<Option<Customer>> {
    let found = row(db, select!("WHERE slug = $1 AND external_id = $2"), &[&workspace.as_str(), &id.as_str()]).await?;
    found.as_ref().map(customer).transpose()
}

pub(super) async fn page(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    after: Option<&CustomerId>,
    n_customers: usize,
) -> Result<Vec<Customer>> {
    // No id is empty.
    let after = after.map_or("", CustomerId::as_str);
    let select = select!("WHERE slug = $1 AND external_id > $2 ORDER BY external_id LIMIT $3");
    let page = rows(db, select, &[&workspace.as_str(), &after, &limit(n_customers)]).await?;
    page.iter().map(customer).collect()
}

fn customer(row: &Row) -> Result<Customer> {
    let (Text(id), Moment(created_at)) = (get(row, 0)?, get(row, 1)?);
    let (Unsigned(n_reviews), Unsigned(n_events)) = (get(row, 2)?, get(row, 3)?);
    Ok(Customer { id, traits: traits(row)?, created_at, n_reviews, n_events })
}

fn traits(row: &Row) -> Result<Map<String, Value>> {
    let names: Option<Vec<Words<'static>>> = get(row, 4)?;
    let values: Option<Vec<Json<Value>>> = get(row, 5)?;
    let (names, values) = (names.unwrap_or_default(), values.unwrap_or_default());
    if names.len() != values.len() {
        return Err(StoreError::Corrupt("a customer's traits do not match their names".into()));
    }
    Ok(names.into_iter().map(Words::owned).zip(values.into_iter().map(|Json(value)| value)).collect())
}
