//! Customers as the facts describe them: with what all the ids add that count for them.

use super::accounts::traits;
use super::columns::{Moment, Text, Unsigned, get, limit};
use super::statements::{row, rows};
use crate::domain::{Customer, CustomerId, GroupId, WorkspaceId};
use crate::store::Result;
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

/// What [`customer`] reads, in its order, of ids that stand for themselves. All of a customer comes in one statement, so that it is
/// of one moment. Of the traits of several ids, the later time wins, then a removal, then the greater text.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT it.external_id, of_all.known, aliases, groups, names, traits,
                    of_all.created_at, of_all.n_reviews, of_all.n_events, of_all.n_orders
             FROM customer it
             CROSS JOIN LATERAL (
                 SELECT array_agg(own.id) AS ids, bool_or(own.known) AS known, min(own.created_at) AS created_at,
                        array_agg(own.external_id ORDER BY own.external_id) FILTER (WHERE own.id <> it.id) AS aliases,
                        sum(own.n_reviews)::bigint AS n_reviews, sum(own.n_events)::bigint AS n_events,
                        sum(own.n_orders)::bigint AS n_orders
                 FROM customer own WHERE own.id = it.id OR own.root_id = it.id
             ) AS of_all
             CROSS JOIN LATERAL (
                 SELECT array_agg(DISTINCT group_id ORDER BY group_id) AS groups
                 FROM account_member JOIN account ON account.id = account_id WHERE customer_id = ANY (of_all.ids)
             ) AS belonging
             CROSS JOIN LATERAL (
                 SELECT array_agg(name) AS names, array_agg(value) AS traits FROM (
                     SELECT DISTINCT ON (name) name, value FROM customer_trait WHERE customer_id = ANY (of_all.ids)
                     ORDER BY name, time DESC, value IS NULL DESC, value DESC
                 ) AS latest WHERE value IS NOT NULL
             ) AS described ",
            $rest
        )
    };
}

/// The rows of all ids that count for the same customer as the one in `$2`, of the workspace in `$1`; reckoned once a statement.
macro_rules! rows_of_one {
    () => {
        "ARRAY (
             SELECT own.id FROM workspace place JOIN customer asked ON asked.workspace_id = place.id
             JOIN customer own ON own.id = coalesce(asked.root_id, asked.id) OR own.root_id = coalesce(asked.root_id, asked.id)
             WHERE place.slug = $1 AND asked.external_id = $2
             ORDER BY own.root_id IS NOT NULL, own.id
         )"
    };
}
pub(super) use rows_of_one;

pub(super) async fn find(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    id: &CustomerId,
) -> Result<Option<Customer>> {
    let select = select!(
        "WHERE it.id = (
             SELECT coalesce(root_id, customer.id) FROM workspace JOIN customer ON workspace_id = workspace.id
             WHERE slug = $1 AND external_id = $2
         )"
    );
    let found = row(db, select, &[&workspace.as_str(), &id.as_str()]).await?;
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
    // A workspace that is one value, not a join, lets the index give the order.
    let select = select!(
        "WHERE it.workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND it.external_id > $2 AND it.root_id IS NULL
         ORDER BY it.external_id LIMIT $3"
    );
    let page = rows(db, select, &[&workspace.as_str(), &after, &limit(n_customers)]).await?;
    page.iter().map(customer).collect()
}

fn customer(row: &Row) -> Result<Customer> {
    let (Text(id), Moment(created_at)) = (get(row, 0)?, get(row, 6)?);
    let (Unsigned(n_reviews), Unsigned(n_events), Unsigned(n_orders)) = (get(row, 7)?, get(row, 8)?, get(row, 9)?);
    let aliases: Option<Vec<Text<CustomerId>>> = get(row, 2)?;
    let groups: Option<Vec<Text<GroupId>>> = get(row, 3)?;
    Ok(Customer {
        id,
        is_known: get(row, 1)?,
        aliases: aliases.into_iter().flatten().map(|Text(id)| id).collect(),
        groups: groups.into_iter().flatten().map(|Text(id)| id).collect(),
        traits: traits(row, 4)?,
        created_at,
        n_reviews,
        n_events,
        n_orders,
    })
}
