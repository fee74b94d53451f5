//! Appending facts: what stands is read in a few statements, the plan is made in memory, and what is new is written in a few more,
//! however many facts there are. The workspace's row is locked throughout, so nothing that was read changes meanwhile.

use super::columns::{Json, Moment, Words, get};
use super::plan::{Named, Plan, PlannedCustomer, StandingReview};
use super::statements::{execute, rows};
use super::{jobs, vectors, workspaces};
use crate::domain::{Event, Fact, Review, Timestamp, WorkspaceId};
use crate::store::{Appended, Checkpoint, Result};
use deadpool_postgres::Transaction;
use tokio_postgres::Row;

pub(super) async fn append(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    facts: &[Fact],
    checkpoint: Option<&Checkpoint>,
    now: Timestamp,
) -> Result<Vec<Appended>> {
    let workspace = workspaces::lock(db, workspace).await?;
    if let Some(checkpoint) = checkpoint {
        jobs::checkpoint(db, workspace, checkpoint).await?;
    }
    let mut plan = Plan::default();
    read_standing(db, workspace, &Named::by(facts), &mut plan).await?;
    let appended = facts.iter().map(|fact| plan.append(fact)).collect();
    write(db, workspace, &plan, now).await?;
    Ok(appended)
}

const CUSTOMERS: &str = "SELECT external_id, id FROM customer WHERE workspace_id = $1 AND external_id = ANY ($2)";
const REVIEWS: &str = "SELECT review_id, seq, external_id, customer_id, text, item, rating
     FROM review JOIN customer ON customer.id = customer_id
     WHERE review.workspace_id = $1 AND review_id = ANY ($2)";
const EVENTS: &str = "SELECT event_id FROM event WHERE workspace_id = $1 AND event_id = ANY ($2)";
const TRAITS: &str = "SELECT external_id, customer.id, t.name, value, time
     FROM unnest($2::text[], $3::text[]) AS asked (customer, name)
     JOIN customer ON workspace_id = $1 AND external_id = asked.customer
     JOIN customer_trait t ON t.customer_id = customer.id AND t.name = asked.name";

/// Puts into the plan what is there already. The statements are sent together and answered together.
async fn read_standing(db: &Transaction<'_>, workspace: i64, named: &Named<'_>, plan: &mut Plan<'_>) -> Result<()> {
    let (owners, names) = &named.traits;
    let names: Vec<Words<'_>> = names.iter().copied().map(Words::of).collect();
    let asked = async |sql: &str, ids: &Vec<&str>| match ids.is_empty() {
        true => Ok(Vec::new()),
        false => rows(db, sql, &[&workspace, ids]).await,
    };
    let traits = async {
        match names.is_empty() {
            true => Ok(Vec::new()),
            false => rows(db, TRAITS, &[&workspace, owners, &names]).await,
        }
    };
    let (customers, reviews, events, traits) = tokio::try_join!(
        asked(CUSTOMERS, &named.customers),
        asked(REVIEWS, &named.reviews),
        asked(EVENTS, &named.events),
        traits
    )?;
    for row in &customers {
        plan.stands(get(row, 0)?, get(row, 1)?);
    }
    for row in &reviews {
        read_review(row, plan)?;
    }
    for row in &events {
        plan.event_stands(get(row, 0)?);
    }
    for row in &traits {
        let customer = plan.stands(get(row, 0)?, get(row, 1)?);
        plan.trait_stands(customer, get::<Words<'static>>(row, 2)?.owned(), get(row, 3)?, get(row, 4)?);
    }
    Ok(())
}

fn read_review(row: &Row, plan: &mut Plan<'_>) -> Result<()> {
    let standing = StandingReview {
        seq: get(row, 1)?,
        customer: plan.stands(get(row, 2)?, get(row, 3)?),
        text: get::<Words<'static>>(row, 4)?.owned(),
        item: get::<Option<Words<'static>>>(row, 5)?.map(Words::owned),
        rating: get(row, 6)?,
    };
    plan.review_stands(get(row, 0)?, standing);
    Ok(())
}

async fn write(db: &Transaction<'_>, workspace: i64, plan: &Plan<'_>, now: Timestamp) -> Result<()> {
    let customers = write_customers(db, workspace, &plan.customers, now).await?;
    write_traits(db, &plan.customers, &customers).await?;
    let replaced = plan.replaced();
    if !replaced.is_empty() {
        vectors::delete(db, workspace, &replaced).await?;
        execute(db, "DELETE FROM review WHERE seq = ANY ($1)", &[&replaced]).await?;
    }
    write_reviews(db, workspace, &plan.new_reviews(), &customers).await?;
    write_events(db, workspace, &plan.events, &customers).await?;
    count(db, workspace, &plan.customers).await
}

/// Makes the new customers and counts what the others gained; every planned customer's row.
async fn write_customers(
    db: &Transaction<'_>,
    workspace: i64,
    customers: &[PlannedCustomer],
    now: Timestamp,
) -> Result<Vec<i64>> {
    let gained = |customer: &&PlannedCustomer| (customer.more_reviews, customer.more_events) != (0, 0);
    let known: Vec<_> = customers.iter().filter(|customer| customer.row.is_some()).filter(gained).collect();
    if !known.is_empty() {
        let rows: Vec<Option<i64>> = known.iter().map(|customer| customer.row).collect();
        let (reviews, events) = gains(&known);
        let update = "UPDATE customer SET n_reviews = n_reviews + gain.reviews, n_events = n_events + gain.events
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS gain (id, reviews, events)
             WHERE customer.id = gain.id";
        execute(db, update, &[&rows, &reviews, &events]).await?;
    }
    let new: Vec<_> = customers.iter().filter(|customer| customer.row.is_none()).collect();
    let mut made = std::collections::HashMap::new();
    if !new.is_empty() {
        let ids: Vec<&str> = new.iter().map(|customer| customer.id.as_str()).collect();
        let (reviews, events) = gains(&new);
        let insert = "INSERT INTO customer (workspace_id, created_at, external_id, n_reviews, n_events)
             SELECT $1, $2, * FROM unnest($3::text[], $4::bigint[], $5::bigint[]) RETURNING external_id, id";
        for row in rows(db, insert, &[&workspace, &Moment(now), &ids, &reviews, &events]).await? {
            made.insert(get::<String>(&row, 0)?, get::<i64>(&row, 1)?);
        }
    }
    let row = |customer: &PlannedCustomer| customer.row.or_else(|| made.get(&customer.id).copied());
    customers.iter().map(|customer| row(customer).ok_or(crate::store::StoreError::Missing("customer"))).collect()
}

fn gains(customers: &[&PlannedCustomer]) -> (Vec<i64>, Vec<i64>) {
    customers.iter().map(|customer| (customer.more_reviews, customer.more_events)).unzip()
}

async fn write_traits(db: &Transaction<'_>, customers: &[PlannedCustomer], rows: &[i64]) -> Result<()> {
    let (mut owners, mut names, mut values, mut times) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (customer, row) in customers.iter().zip(rows) {
        for (name, new) in customer.traits.iter().filter(|(_, planned)| planned.is_new) {
            owners.push(*row);
            names.push(Words::of(name));
            values.push(new.value.as_deref());
            times.push(new.time);
        }
    }
    if owners.is_empty() {
        return Ok(());
    }
    let upsert = "INSERT INTO customer_trait (customer_id, name, value, time)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[])
         ON CONFLICT (customer_id, name) DO UPDATE SET value = excluded.value, time = excluded.time";
    execute(db, upsert, &[&owners, &names, &values, &times]).await?;
    Ok(())
}

/// Numbered in the order they came: the server gives the numbers out after it has sorted.
async fn write_reviews(
    db: &Transaction<'_>,
    workspace: i64,
    reviews: &[(usize, &Review)],
    customers: &[i64],
) -> Result<()> {
    if reviews.is_empty() {
        return Ok(());
    }
    let owners: Vec<i64> = reviews.iter().map(|(customer, _)| customers[*customer]).collect();
    let ids: Vec<&str> = reviews.iter().map(|(_, review)| review.id.as_str()).collect();
    let texts: Vec<Words<'_>> = reviews.iter().map(|(_, review)| Words::of(review.text.as_str())).collect();
    let items: Vec<_> = reviews.iter().map(|(_, review)| review.item.as_deref().map(Words::of)).collect();
    let ratings: Vec<Option<f64>> = reviews.iter().map(|(_, review)| review.rating).collect();
    let times: Vec<Moment> = reviews.iter().map(|(_, review)| Moment(review.time)).collect();
    let insert = "INSERT INTO review (workspace_id, review_id, customer_id, text, item, rating, time)
         SELECT $1, id, customer, new.text, new.item, new.rating, new.time
         FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::double precision[], $7::bigint[])
             WITH ORDINALITY AS new (id, customer, text, item, rating, time, position)
         ORDER BY position";
    execute(db, insert, &[&workspace, &ids, &owners, &texts, &items, &ratings, &times]).await?;
    Ok(())
}

async fn write_events(
    db: &Transaction<'_>,
    workspace: i64,
    events: &[(usize, &Event)],
    customers: &[i64],
) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = events.iter().map(|(_, event)| event.id.as_str()).collect();
    let owners: Vec<i64> = events.iter().map(|(customer, _)| customers[*customer]).collect();
    let names: Vec<Words<'_>> = events.iter().map(|(_, event)| Words::of(&event.name)).collect();
    let times: Vec<Moment> = events.iter().map(|(_, event)| Moment(event.time)).collect();
    let properties: Vec<Json<_>> = events.iter().map(|(_, event)| Json(&event.properties)).collect();
    let insert = "INSERT INTO event (workspace_id, event_id, customer_id, name, time, properties)
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[])";
    execute(db, insert, &[&workspace, &ids, &owners, &names, &times, &properties]).await?;
    Ok(())
}

async fn count(db: &Transaction<'_>, workspace: i64, customers: &[PlannedCustomer]) -> Result<()> {
    let n_new = customers.iter().filter(|customer| customer.row.is_none()).count() as i64;
    let n_reviews: i64 = customers.iter().map(|customer| customer.more_reviews).sum();
    let n_events: i64 = customers.iter().map(|customer| customer.more_events).sum();
    if (n_new, n_reviews, n_events) == (0, 0, 0) {
        return Ok(());
    }
    let update = "UPDATE workspace
         SET n_customers = n_customers + $2, n_reviews = n_reviews + $3, n_events = n_events + $4 WHERE id = $1";
    execute(db, update, &[&workspace, &n_new, &n_reviews, &n_events]).await?;
    Ok(())
}
