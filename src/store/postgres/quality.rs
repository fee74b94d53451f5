//! What was found of facts: counted by day and import with the facts themselves, and looked for among those that are there.

use super::columns::{Json, Unsigned, Word, Words, get, limit};
use super::statements::{execute, rows};
use crate::domain::{Currency, Flags, JobId, JudgedKind, Order, Review, Rule, Twin, WorkspaceId};
use crate::store::rules::Tally;
use crate::store::{QualityCount, Result};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;
use uuid::Uuid;

/// Adds to the counts of a day and an import.
pub(super) async fn count(
    db: &Transaction<'_>,
    workspace: i64,
    (day, import): (i64, Option<JobId>),
    found: &Tally,
) -> Result<()> {
    if found.0.is_empty() {
        return Ok(());
    }
    let import = import.map_or(Uuid::nil(), |job| job.0);
    let kinds: Vec<_> = found.0.keys().map(|(kind, _, _)| Word(*kind)).collect();
    let rules: Vec<_> = found.0.keys().map(|(_, rule, _)| Word(*rule)).collect();
    let outcomes: Vec<_> = found.0.keys().map(|(_, _, outcome)| Word(*outcome)).collect();
    let n: Vec<i64> = found.0.values().copied().collect();
    let upsert = "INSERT INTO quality_count AS standing (workspace_id, day, import, kind, rule, outcome, n)
         SELECT $1, $2, $3, * FROM unnest($4::text[], $5::text[], $6::text[], $7::bigint[])
         ON CONFLICT (workspace_id, day, import, kind, rule, outcome) DO UPDATE SET n = standing.n + excluded.n";
    execute(db, upsert, &[&workspace, &day, &import, &kinds, &rules, &outcomes, &n]).await?;
    Ok(())
}

pub(super) async fn counts(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    import: Option<JobId>,
) -> Result<Vec<QualityCount>> {
    let select = "SELECT day, import, kind, rule, outcome, n FROM quality_count
         WHERE workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND ($2::uuid IS NULL OR import = $2)
         ORDER BY day, import, kind, rule, outcome";
    let import = import.map(|job| job.0);
    let counts = rows(db, select, &[&workspace.as_str(), &import]).await?;
    counts.iter().map(counted).collect()
}

fn counted(row: &Row) -> Result<QualityCount> {
    let (Word(kind), Word(rule), Word(outcome), Unsigned(n)) = (get(row, 2)?, get(row, 3)?, get(row, 4)?, get(row, 5)?);
    let import = Some(get::<Uuid>(row, 1)?).filter(|job| !job.is_nil()).map(JobId);
    Ok(QualityCount { day: get(row, 0)?, import, kind, rule, outcome, n })
}

/// The newest ids of one table that have a flag.
macro_rules! select_flagged {
    ($id:literal, $table:literal, $seq:literal) => {
        concat!(
            "SELECT ",
            $id,
            " FROM ",
            $table,
            " WHERE workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND flags <> 0 AND flags & $2 <> 0
             ORDER BY ",
            $seq,
            " DESC LIMIT $3"
        )
    };
}

pub(super) async fn flagged(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    (kind, rule): (JudgedKind, Rule),
    n_ids: usize,
) -> Result<Vec<String>> {
    let select = match kind {
        JudgedKind::Review => select_flagged!("review_id", "review", "seq"),
        JudgedKind::Event => select_flagged!("event_id", "event", "id"),
        JudgedKind::Order => select_flagged!("order_id", "purchase", "seq"),
        JudgedKind::Refund => select_flagged!("refund_id", "refund", "seq"),
    };
    let ids = rows(db, select, &[&workspace.as_str(), &Flags::of(&[rule]).bits(), &limit(n_ids)]).await?;
    ids.iter().map(|row| Ok(get::<Words<'static>>(row, 0)?.owned())).collect()
}

pub(super) async fn twins(db: &impl GenericClient, workspace: &WorkspaceId, twins: &[Twin<'_>]) -> Result<Vec<bool>> {
    let (mut reviews, mut orders) = (Vec::new(), Vec::new());
    for (place, twin) in twins.iter().enumerate() {
        match *twin {
            Twin::Review(review) => reviews.push((place, review)),
            Twin::Order(order, within_s) => orders.push((place, order, within_s)),
        }
    }
    let mut found = vec![false; twins.len()];
    for place in repeated_reviews(db, workspace, &reviews).await? {
        found[place] = true;
    }
    for place in repeated_orders(db, workspace, &orders).await? {
        found[place] = true;
    }
    Ok(found)
}

/// Places of those that there is another of.
async fn repeated_reviews(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    reviews: &[(usize, &Review)],
) -> Result<Vec<usize>> {
    if reviews.is_empty() {
        return Ok(Vec::new());
    }
    let customers: Vec<&str> = reviews.iter().map(|(_, review)| review.customer.as_str()).collect();
    let prints: Vec<i64> = reviews.iter().map(|(_, review)| review.text.fingerprint()).collect();
    let ids: Vec<&str> = reviews.iter().map(|(_, review)| review.id.as_str()).collect();
    let select = "SELECT position FROM unnest($2::text[], $3::bigint[], $4::text[])
             WITH ORDINALITY AS sought (customer, print, id, position)
         WHERE EXISTS (SELECT 1 FROM customer JOIN review ON customer_id = customer.id
             WHERE customer.workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND external_id = sought.customer
                 AND words_hash = print AND review_id <> sought.id)";
    let found = rows(db, select, &[&workspace.as_str(), &customers, &prints, &ids]).await?;
    places(&found, |at| reviews[at].0)
}

async fn repeated_orders(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    orders: &[(usize, &Order, i64)],
) -> Result<Vec<usize>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let customers: Vec<&str> = orders.iter().map(|(_, order, _)| order.customer.as_str()).collect();
    let ids: Vec<&str> = orders.iter().map(|(_, order, _)| order.id.as_str()).collect();
    let times: Vec<i64> = orders.iter().map(|(_, order, _)| order.time.as_microsecond()).collect();
    let within: Vec<i64> = orders.iter().map(|(_, _, within_s)| within_s * 1_000_000).collect();
    let totals: Vec<i64> = orders.iter().map(|(_, order, _)| order.total.minor).collect();
    let currencies: Vec<_> =
        orders.iter().map(|(_, order, _)| order.total.currency.as_ref().map(Currency::as_str)).collect();
    let lines: Vec<_> = orders.iter().map(|(_, order, _)| Json(&order.lines)).collect();
    let select = "SELECT position
         FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[])
             WITH ORDINALITY AS sought (customer, id, time, within, total, currency, lines, position)
         WHERE EXISTS (SELECT 1 FROM customer JOIN purchase ON customer_id = customer.id
             WHERE customer.workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND external_id = sought.customer
                 AND purchase.time BETWEEN sought.time - within AND sought.time + within AND total_minor = total
                 AND purchase.currency IS NOT DISTINCT FROM sought.currency AND purchase.lines = sought.lines
                 AND order_id <> sought.id)";
    let found =
        rows(db, select, &[&workspace.as_str(), &customers, &ids, &times, &within, &totals, &currencies, &lines])
            .await?;
    places(&found, |at| orders[at].0)
}

/// Positions count from 1.
fn places(found: &[Row], place: impl Fn(usize) -> usize) -> Result<Vec<usize>> {
    found.iter().map(|row| Ok(place(usize::try_from(get::<i64>(row, 0)? - 1).unwrap_or_default()))).collect()
}
