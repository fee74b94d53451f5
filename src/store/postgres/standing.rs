//! What stands where facts come: read in statements that are sent together and answered together.

use super::columns::{Text, Words, get};
use super::plan::{Beside, Named, Plan, StandingOrder, StandingPerson, StandingReview};
use super::statements::rows;
use super::{accounts, items};
use crate::domain::{Currency, CustomerId, Flags, WorkspaceId};
use crate::store::{Result, rules};
use deadpool_postgres::Transaction;
use std::collections::HashMap;
use tokio_postgres::Row;

/// The facts' names, and where they are looked up.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub workspace: &'a WorkspaceId,
    pub row: i64,
    pub named: &'a Named<'a>,
}

/// With an id, all that count for the same customer.
const CUSTOMERS: &str = "WITH asked AS (
         SELECT DISTINCT coalesce(root_id, id) AS root FROM customer WHERE workspace_id = $1 AND external_id = ANY ($2)
     )
     SELECT own.id, own.external_id, own.known, own.root_id, own.owner_id, own.owned_at
     FROM asked JOIN customer own ON own.id = asked.root OR own.root_id = asked.root ORDER BY own.id";
const ALIASES: &str = "WITH asked AS (
         SELECT DISTINCT coalesce(root_id, id) AS root FROM customer WHERE workspace_id = $1 AND external_id = ANY ($2)
     )
     SELECT own.external_id, other.external_id
     FROM asked JOIN customer own ON own.id = asked.root OR own.root_id = asked.root
     JOIN alias ON from_id = own.id JOIN customer other ON other.id = to_id";
const SUPPRESSED: &str = "SELECT id_sha256 FROM suppression WHERE workspace_id = $1 AND id_sha256 = ANY ($2)";
const REVIEWS: &str = "SELECT review_id, customer_id, external_id, seq, text, item, rating
     FROM review JOIN customer ON customer.id = customer_id
     WHERE review.workspace_id = $1 AND review_id = ANY ($2)";
const ORDERS: &str =
    "SELECT order_id, customer_id, external_id, seq, time, said_at, total_minor, currency, discount_minor, lines
     FROM purchase JOIN customer ON customer.id = customer_id
     WHERE purchase.workspace_id = $1 AND order_id = ANY ($2)";
const EVENTS: &str = "SELECT event_id FROM event WHERE workspace_id = $1 AND event_id = ANY ($2)";
const MESSAGES: &str = "SELECT message_id FROM message WHERE workspace_id = $1 AND message_id = ANY ($2)";
const REFUNDS: &str = "SELECT refund_id FROM refund WHERE workspace_id = $1 AND refund_id = ANY ($2)";
const TRAITS: &str = "SELECT external_id, t.name, value, time
     FROM unnest($2::text[], $3::text[]) AS asked (customer, name)
     JOIN customer ON workspace_id = $1 AND external_id = asked.customer
     JOIN customer_trait t ON t.customer_id = customer.id AND t.name = asked.name";

/// Puts into the plan what is there already.
pub(super) async fn read(db: &Transaction<'_>, asked: Asked<'_>, plan: &mut Plan<'_>) -> Result<()> {
    let Asked { row, named, .. } = asked;
    let customers: Vec<&str> = named.customers().map(CustomerId::as_str).collect();
    let tied = if named.ties { customers.as_slice() } else { &[] };
    let refunds: Vec<Words<'_>> = named.refunds.iter().copied().map(Words::of).collect();
    let (people, aliases, reviews, orders, events, messages, refunds, traits, erased) = tokio::try_join!(
        by_ids(db, CUSTOMERS, row, &customers),
        by_ids(db, ALIASES, row, tied),
        by_ids(db, REVIEWS, row, &named.reviews),
        by_ids(db, ORDERS, row, &named.orders),
        by_ids(db, EVENTS, row, &named.events),
        by_ids(db, MESSAGES, row, &named.messages),
        by_words(db, REFUNDS, row, &refunds),
        traits(db, asked),
        erased(db, asked),
    )?;
    // The people first: what the rest is about is looked for among them.
    plan.people.stand(people.iter().map(person).collect::<Result<_>>()?);
    for row in &aliases {
        plan.people.alias_stands(get(row, 0)?, get(row, 1)?);
    }
    for row in &reviews {
        let customer = plan.people.beside(&beside(row)?);
        plan.reviews.stands(get(row, 0)?, review(row, customer)?);
    }
    for row in &orders {
        let customer = plan.people.beside(&beside(row)?);
        plan.purchases.stands(get(row, 0)?, order(row, customer)?);
    }
    plan.known_events = events.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
    plan.known_messages = messages.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
    let refund = |row: &Row| Ok(get::<Words<'static>>(row, 0)?.owned());
    plan.purchases.known_refunds = refunds.iter().map(refund).collect::<Result<_>>()?;
    for row in &traits {
        let Some(customer) = plan.people.find(get(row, 0)?) else { continue };
        let name = get::<Words<'static>>(row, 1)?.owned();
        plan.people.traits(customer).stands(name, get(row, 2)?, get(row, 3)?);
    }
    plan.erased = erased;
    super::retention::read_standing(db, (row, asked.workspace), named, plan).await?;
    super::consent::read_standing(db, row, &customers, plan).await?;
    items::read_standing(db, row, &named.items, &mut plan.catalogue).await?;
    accounts::read_standing(db, row, (&named.groups, &customers), plan).await
}

async fn by_ids(db: &Transaction<'_>, sql: &str, workspace: i64, ids: &[&str]) -> Result<Vec<Row>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    rows(db, sql, &[&workspace, &ids]).await
}

async fn by_words(db: &Transaction<'_>, sql: &str, workspace: i64, ids: &[Words<'_>]) -> Result<Vec<Row>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    rows(db, sql, &[&workspace, &ids]).await
}

async fn traits(db: &Transaction<'_>, asked: Asked<'_>) -> Result<Vec<Row>> {
    let (owners, names) = &asked.named.traits;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<Words<'_>> = names.iter().copied().map(Words::of).collect();
    rows(db, TRAITS, &[&asked.row, owners, &names]).await
}

/// Those among the named ids that were erased.
async fn erased(db: &Transaction<'_>, asked: Asked<'_>) -> Result<std::collections::HashSet<String>> {
    let hash = |id: &CustomerId| (rules::erased_id(asked.workspace, id), id.as_str().to_owned());
    let ids: HashMap<[u8; 32], String> = asked.named.customers().map(hash).collect();
    if ids.is_empty() {
        return Ok(Default::default());
    }
    let hashes: Vec<&[u8]> = ids.keys().map(<[u8; 32]>::as_slice).collect();
    let found = rows(db, SUPPRESSED, &[&asked.row, &hashes]).await?;
    let found = found.iter().map(|row| get::<&[u8]>(row, 0)).collect::<Result<Vec<_>>>()?;
    Ok(found.into_iter().filter_map(|hash| ids.get(hash).cloned()).collect())
}

fn person(row: &Row) -> Result<StandingPerson> {
    Ok(StandingPerson {
        row: get(row, 0)?,
        id: get(row, 1)?,
        is_known: get(row, 2)?,
        root: get(row, 3)?,
        owner: get(row, 4)?,
        owned_at: get(row, 5)?,
    })
}

fn beside(row: &Row) -> Result<Beside> {
    Ok(Beside { row: get(row, 1)?, id: get(row, 2)? })
}

fn review(row: &Row, customer: usize) -> Result<StandingReview> {
    Ok(StandingReview {
        customer,
        seq: get(row, 3)?,
        text: get::<Words<'static>>(row, 4)?.owned(),
        item: get::<Option<Words<'static>>>(row, 5)?.map(Words::owned),
        rating: get(row, 6)?,
    })
}

fn order(row: &Row, customer: usize) -> Result<StandingOrder> {
    Ok(StandingOrder {
        customer,
        seq: Some(get(row, 3)?),
        time: get(row, 4)?,
        said_at: get(row, 5)?,
        total_minor: get(row, 6)?,
        currency: get::<Option<Text<Currency>>>(row, 7)?.map(|Text(currency)| currency),
        discount_minor: get(row, 8)?,
        lines: get(row, 9)?,
        flags: Flags::default(),
    })
}
