//! Erasing a customer: every row that tells of them, under every id, in one transaction; and the list of the erased.

use super::columns::{Json, Moment, Text, Unsigned, Words, get};
use super::customers::rows_of_one;
use super::statements::{execute, rows};
use super::{changes, jobs, vectors, workspaces};
use crate::domain::{CustomerId, Job, TypicalReview, WorkspaceId};
use crate::store::{Changed, Erased, Removed, Result, rules};
use deadpool_postgres::{GenericClient, Transaction};
use std::collections::HashSet;

pub(super) async fn erase(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    id: &CustomerId,
    job: &Job,
) -> Result<Option<Erased>> {
    let row = workspaces::lock_alone(db, workspace).await?;
    let (customers, ids) = ids_of_one(db, workspace, id).await?;
    if customers.is_empty() {
        return Ok(None);
    }
    let erasing = Erasing { db, workspace: row, customers };
    let (texts, removed) = erasing.remove(&ids).await?;
    let hashes: Vec<Vec<u8>> = ids.iter().map(|id| rules::erased_id(workspace, id).to_vec()).collect();
    let suppress = "INSERT INTO suppression (workspace_id, time, id_sha256) SELECT $1, $2, * FROM unnest($3::bytea[])
         ON CONFLICT DO NOTHING";
    execute(db, suppress, &[&row, &Moment(job.created_at), &hashes]).await?;
    let job = jobs::add(db, workspace, &rules::proving(workspace, job, &ids, removed)?).await?;
    for id in &ids {
        changes::log(db, row, Changed::Erased(rules::erased_id(workspace, id))).await?;
    }
    Ok(Some(Erased { ids, texts, removed, job }))
}

/// The rows and the ids that count for a customer, the customer's own first.
async fn ids_of_one(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    id: &CustomerId,
) -> Result<(Vec<i64>, Vec<CustomerId>)> {
    let select = concat!(
        "SELECT id, external_id FROM customer WHERE id = ANY (",
        rows_of_one!(),
        ") ORDER BY root_id IS NOT NULL, id"
    );
    let found = rows(db, select, &[&workspace.as_str(), &id.as_str()]).await?;
    let one = |row: &tokio_postgres::Row| Ok((get(row, 0)?, get::<Text<CustomerId>>(row, 1)?.0));
    let found: Vec<(i64, CustomerId)> = found.iter().map(one).collect::<Result<_>>()?;
    Ok(found.into_iter().unzip())
}

struct Erasing<'a> {
    db: &'a Transaction<'a>,
    workspace: i64,
    /// The rows of all ids that count for the customer.
    customers: Vec<i64>,
}

impl Erasing<'_> {
    /// The words that were removed with the rest, and how much it was.
    async fn remove(&self, ids: &[CustomerId]) -> Result<(Vec<String>, Removed)> {
        let (reviews, texts) = self.remove_reviews().await?;
        // A version may quote them under another: an id that was claimed since counted for somebody else then.
        let typical_reviews = remove_typical(self.db, self.workspace, |quoted| {
            ids.contains(&quoted.customer_id) || reviews.contains(quoted.review_id.as_str())
        })
        .await?;
        if typical_reviews > 0 {
            changes::log(self.db, self.workspace, Changed::Expired).await?;
        }
        let removed = Removed {
            ids: self.customers.len() as u64,
            reviews: texts.len() as u64,
            typical_reviews,
            events: self.delete("DELETE FROM event WHERE customer_id = ANY ($1)").await?,
            orders: self.delete("DELETE FROM purchase WHERE customer_id = ANY ($1)").await?,
            refunds: self.delete("DELETE FROM refund WHERE customer_id = ANY ($1)").await?,
            traits: self.delete("DELETE FROM customer_trait WHERE customer_id = ANY ($1)").await?,
            memberships: self.delete("DELETE FROM membership WHERE customer_id = ANY ($1)").await?,
            consents: self.delete("DELETE FROM consent_log WHERE customer_id = ANY ($1)").await?,
        };
        self.delete("DELETE FROM consent WHERE customer_id = ANY ($1)").await?;
        self.delete("DELETE FROM account_member WHERE customer_id = ANY ($1)").await?;
        self.delete("DELETE FROM alias WHERE from_id = ANY ($1) OR to_id = ANY ($1)").await?;
        self.delete("DELETE FROM merge_log WHERE customer_id = ANY ($1) OR root_id = ANY ($1)").await?;
        // Ids of others may have been claimed by this customer once; no id points at one that is gone.
        self.delete("UPDATE customer SET owner_id = NULL, owned_at = NULL WHERE owner_id = ANY ($1)").await?;
        // References are looked at when the statement has deleted all of them.
        self.delete("DELETE FROM customer WHERE id = ANY ($1)").await?;
        let count = "UPDATE workspace SET n_customers = n_customers - 1, n_reviews = n_reviews - $2,
                 n_events = n_events - $3, n_orders = n_orders - $4
             WHERE id = $1";
        let [reviews, events, orders] = [removed.reviews, removed.events, removed.orders].map(Unsigned);
        execute(self.db, count, &[&self.workspace, &reviews, &events, &orders]).await?;
        Ok((texts, removed))
    }

    /// Runs a statement for the rows; how many rows it changed.
    async fn delete(&self, sql: &str) -> Result<u64> {
        execute(self.db, sql, &[&self.customers]).await
    }

    /// The ids of those that went, and their words.
    async fn remove_reviews(&self) -> Result<(HashSet<String>, Vec<String>)> {
        let delete = "DELETE FROM review WHERE customer_id = ANY ($1) RETURNING seq, text, review_id::text";
        let gone = rows(self.db, delete, &[&self.customers]).await?;
        let seqs: Vec<i64> = gone.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
        vectors::delete(self.db, self.workspace, &seqs).await?;
        let ids = gone.iter().map(|row| get(row, 2)).collect::<Result<_>>()?;
        let texts = gone.iter().map(|row| Ok(get::<Words<'static>>(row, 1)?.owned())).collect::<Result<_>>()?;
        Ok((ids, texts))
    }
}

/// Published versions quote typical reviews of their segments; removes those of which this holds.
pub(super) async fn remove_typical(
    db: &Transaction<'_>,
    workspace: i64,
    is_gone: impl Fn(&TypicalReview) -> bool,
) -> Result<u64> {
    let select = "SELECT version_id, position, typical_reviews FROM segment
         JOIN version ON version.id = version_id JOIN segmentation ON segmentation.id = segmentation_id
         WHERE workspace_id = $1";
    let mut n_removed = 0;
    for row in &rows(db, select, &[&workspace]).await? {
        let (version, position): (i64, i64) = (get(row, 0)?, get(row, 1)?);
        let Json(quoted) = get::<Json<Vec<TypicalReview>>>(row, 2)?;
        let kept: Vec<_> = quoted.iter().filter(|review| !is_gone(review)).collect();
        if kept.len() < quoted.len() {
            n_removed += (quoted.len() - kept.len()) as u64;
            let update = "UPDATE segment SET typical_reviews = $3 WHERE version_id = $1 AND position = $2";
            execute(db, update, &[&version, &position, &Json(kept)]).await?;
        }
    }
    Ok(n_removed)
}

pub(super) async fn lift(db: &Transaction<'_>, workspace: &WorkspaceId, id: &CustomerId) -> Result<bool> {
    let row = workspaces::lock(db, workspace).await?;
    let hash = rules::erased_id(workspace, id);
    let delete = "DELETE FROM suppression WHERE workspace_id = $1 AND id_sha256 = $2";
    Ok(execute(db, delete, &[&row, &hash.as_slice()]).await? > 0)
}

/// Frees what the rows that were deleted still take, in every table that tells of customers. What was erased while an older
/// transaction looks on stays until a later sweep.
pub(super) async fn sweep(db: &impl GenericClient) -> Result<()> {
    // It takes as long as the tables are large; the limit of the call holds.
    db.batch_execute("SET statement_timeout = 0").await?;
    db.batch_execute(
        "VACUUM customer, customer_trait, review, review_vector, event, purchase, refund, membership, segment, alias,
             merge_log, account_member, consent, consent_log",
    )
    .await?;
    Ok(())
}
