//! [`Store`] on a PostgreSQL database: any number of processes on one store.
//!
//! **Order.** A review's `seq` comes from a sequence, and a sequence knows no commits: a number drawn early may become visible late,
//! and a reader that has paged beyond it would never see it. So whoever writes facts or vectors of a workspace locks the workspace's
//! row first, until the commit: within a workspace, numbers become visible in their order. (A watermark of the oldest transaction
//! under way would let appends of one workspace run side by side, but one idle transaction anywhere in the database would then hold
//! up every reader.) The counts on that row would make writers wait for each other anyway, only later and with deadlocks.
//!
//! **What one call sees.** Reads are one statement, or several in one repeatable-read transaction. Writes read what stands after they
//! have locked it.
//!
//! **What is not known.** A connection that is lost during a commit leaves open whether it came through. The call fails as
//! `Unavailable` and nothing is tried again here: every write is safe to repeat, and the caller knows whether to.

mod accounts;
mod changes;
mod columns;
mod connections;
mod consent;
mod customers;
mod erasure;
mod error;
mod events;
mod facts;
mod identity;
mod items;
mod jobs;
mod keys;
mod leases;
mod members;
mod opening;
mod orders;
mod plan;
mod quality;
mod retention;
mod reviews;
mod schema;
mod segmentations;
mod settings;
mod side;
mod standing;
mod statements;
#[cfg(test)]
mod tests;
mod tls;
mod url;
mod vectors;
mod versions;
mod workspaces;
mod writing;

pub(super) use side::PostgresSide;
pub use url::PostgresUrl;

use super::{
    Account, Appended, Change, Checkpoint, Claim, ConsentStore, Counts, Erased, Expired, IdChoices, Judged, Lease,
    MembersQuery, Publication, QualityCount, Result, RetentionStore, ReviewVector, Store, StoreError, StoredEvent,
    StoredOrder, StoredRefund, StoredReview,
};
use crate::domain::{
    Customer, CustomerConsent, CustomerId, FactKind, GroupId, Item, ItemId, Job, JobId, JudgedKind, Key, KeyId,
    Language, Membership, Merge, Money, Progress, Rule, Segmentation, SegmentationName, Timestamp, Twin, Version,
    Workspace, WorkspaceId,
};
use async_trait::async_trait;
use connections::{Connections, Limits};
use serde_json::Value;
use std::time::Duration;

/// A store in a PostgreSQL database. Dropping it closes its connections.
pub struct PostgresStore {
    connections: Connections,
}

impl PostgresStore {
    /// Connects, and makes or updates the tables.
    ///
    /// # Errors
    /// [`Open`](super::StoreError::Open) with what stands in the way and its mend, [`TooNew`](super::StoreError::TooNew) for a schema
    /// this program does not know. The database stays as it is then.
    pub async fn open(url: &PostgresUrl) -> Result<Self> {
        Self::with_limits(url, Limits::default()).await
    }

    async fn with_limits(url: &PostgresUrl, limits: Limits) -> Result<Self> {
        Ok(Self { connections: opening::open(url, limits).await? })
    }
}

/// A read of one statement (or of several that need not see one moment).
macro_rules! read {
    ($store:ident, $db:ident => $work:expr) => {
        $store
            .connections
            .within($store.connections.limits.call, async {
                let mut connection = $store.connections.take().await?;
                let $db = connection.client()?;
                let outcome = $work.await;
                connection.give_back(&outcome);
                outcome
            })
            .await
    };
}

/// A read of several statements that sees one moment.
macro_rules! read_snapshot {
    ($store:ident, $db:ident => $work:expr) => {
        $store
            .connections
            .within($store.connections.limits.call, async {
                let mut connection = $store.connections.take().await?;
                let transaction = connection.snapshot().await?;
                let $db = &transaction;
                let outcome = $work.await;
                // Ends a transaction that changed nothing; what was read is true whatever becomes of this.
                let _ = transaction.commit().await;
                connection.give_back(&outcome);
                outcome
            })
            .await
    };
}

/// A write: whole or not at all.
macro_rules! write_within {
    ($store:ident, $limit:ident, $db:ident => $work:expr) => {
        $store
            .connections
            .within($store.connections.limits.$limit, async {
                let mut connection = $store.connections.take().await?;
                let transaction = connection.begin().await?;
                let $db = &transaction;
                let outcome = match $work.await {
                    Ok(done) => transaction.commit().await.map(|()| done).map_err(Into::into),
                    Err(error) => {
                        // A transaction that cannot even be rolled back is none any more.
                        let _ = transaction.rollback().await;
                        Err(error)
                    }
                };
                connection.give_back(&outcome);
                outcome
            })
            .await
    };
}

macro_rules! write {
    ($store:ident, $db:ident => $work:expr) => {
        write_within!($store, call, $db => $work)
    };
}

#[async_trait]
impl ConsentStore for PostgresStore {
    async fn consent(&self, workspace: &WorkspaceId, id: &CustomerId) -> Result<CustomerConsent> {
        read_snapshot!(self, db => consent::of_customer(db, workspace, id))
    }

    async fn choices(&self, workspace: &WorkspaceId, ids: &[CustomerId]) -> Result<Vec<IdChoices>> {
        read!(self, db => consent::of_ids(db, workspace, ids))
    }

    async fn all_choices(&self, workspace: &WorkspaceId) -> Result<Vec<IdChoices>> {
        read!(self, db => consent::of_everybody(db, workspace))
    }
}

#[async_trait]
impl RetentionStore for PostgresStore {
    async fn count_expired(&self, workspace: &WorkspaceId, kind: FactKind, before: Timestamp) -> Result<u64> {
        read!(self, db => retention::count(db, workspace, kind, before))
    }

    async fn expired(
        &self,
        workspace: &WorkspaceId,
        kind: FactKind,
        before: Timestamp,
        after: i64,
        limit: usize,
    ) -> Result<Vec<i64>> {
        read!(self, db => retention::page(db, workspace, (kind, before), after, limit))
    }

    async fn remove_expired(
        &self,
        workspace: &WorkspaceId,
        kind: FactKind,
        seqs: &[i64],
        checkpoint: &Checkpoint,
    ) -> Result<Expired> {
        write!(self, db => retention::remove(db, workspace, kind, seqs, checkpoint))
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn ping(&self) -> Result<()> {
        read!(self, db => async { statements::row(db, "SELECT 1 FROM workspace LIMIT 1", &[]).await.map(drop) })
    }

    async fn create_workspace(&self, id: &WorkspaceId, now: Timestamp) -> Result<Workspace> {
        write!(self, db => workspaces::create(db, id, now))
    }

    async fn workspaces(&self) -> Result<Vec<Workspace>> {
        read!(self, db => workspaces::all(db))
    }

    async fn add_key(&self, key: &Key, secret_sha256: &[u8; 32]) -> Result<()> {
        write!(self, db => keys::add(db, key, secret_sha256))
    }

    async fn key_by_hash(&self, secret_sha256: &[u8; 32]) -> Result<Option<Key>> {
        read!(self, db => keys::by_hash(db, secret_sha256))
    }

    async fn keys(&self, workspace: &WorkspaceId) -> Result<Vec<Key>> {
        read!(self, db => keys::of_workspace(db, workspace))
    }

    async fn revoke_key(&self, workspace: &WorkspaceId, id: KeyId, now: Timestamp) -> Result<()> {
        write!(self, db => keys::revoke(db, workspace, id, now))
    }

    async fn has_live_keys(&self) -> Result<bool> {
        read!(self, db => keys::any_live(db))
    }

    async fn setting(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<Value>> {
        read!(self, db => settings::find(db, workspace, name))
    }

    async fn put_setting(&self, workspace: &WorkspaceId, name: &str, value: &Value) -> Result<()> {
        write!(self, db => settings::put(db, workspace, name, value))
    }

    async fn setting_or_put(&self, workspace: &WorkspaceId, name: &str, value: &Value) -> Result<Value> {
        write!(self, db => settings::find_or_put(db, workspace, name, value))
    }

    async fn append_judged(
        &self,
        workspace: &WorkspaceId,
        judged: Judged<'_>,
        checkpoint: Option<&Checkpoint>,
        now: Timestamp,
    ) -> Result<Vec<Appended>> {
        write!(self, db => facts::append(db, workspace, judged, checkpoint, now))
    }

    async fn twins(&self, workspace: &WorkspaceId, twins: &[Twin<'_>]) -> Result<Vec<bool>> {
        read!(self, db => quality::twins(db, workspace, twins))
    }

    async fn latest_totals(&self, workspace: &WorkspaceId, limit: usize) -> Result<Vec<Money>> {
        read!(self, db => orders::latest_totals(db, workspace, limit))
    }

    async fn quality(&self, workspace: &WorkspaceId, import: Option<JobId>) -> Result<Vec<QualityCount>> {
        read!(self, db => quality::counts(db, workspace, import))
    }

    async fn flagged(
        &self,
        workspace: &WorkspaceId,
        kind: JudgedKind,
        rule: Rule,
        limit: usize,
    ) -> Result<Vec<String>> {
        read!(self, db => quality::flagged(db, workspace, (kind, rule), limit))
    }

    async fn counts(&self, workspace: &WorkspaceId) -> Result<Counts> {
        read!(self, db => workspaces::counts(db, workspace))
    }

    async fn customer(&self, workspace: &WorkspaceId, id: &CustomerId) -> Result<Option<Customer>> {
        read!(self, db => customers::find(db, workspace, id))
    }

    async fn customers(
        &self,
        workspace: &WorkspaceId,
        after: Option<&CustomerId>,
        limit: usize,
    ) -> Result<Vec<Customer>> {
        read!(self, db => customers::page(db, workspace, after, limit))
    }

    async fn reviews(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredReview>> {
        read!(self, db => reviews::page(db, workspace, after, limit))
    }

    async fn reviews_in(
        &self,
        workspace: &WorkspaceId,
        language: &Language,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredReview>> {
        read!(self, db => reviews::in_language(db, workspace, language, after, limit))
    }

    async fn customer_reviews(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        limit: usize,
    ) -> Result<Vec<StoredReview>> {
        read!(self, db => reviews::of_customer(db, workspace, customer, limit))
    }

    async fn merges(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<Merge>> {
        read!(self, db => identity::merges(db, workspace, after, limit))
    }

    async fn events(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredEvent>> {
        read!(self, db => events::page(db, workspace, after, limit))
    }

    async fn customer_events(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        before: Option<(Timestamp, i64)>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>> {
        read!(self, db => events::of_customer(db, workspace, customer, before, limit))
    }

    async fn orders(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredOrder>> {
        read!(self, db => orders::page(db, workspace, after, limit))
    }

    async fn customer_orders(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        limit: usize,
    ) -> Result<Vec<StoredOrder>> {
        read!(self, db => orders::of_customer(db, workspace, customer, limit))
    }

    async fn refunds(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredRefund>> {
        read!(self, db => orders::refunds(db, workspace, after, limit))
    }

    async fn customer_refunds(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        limit: usize,
    ) -> Result<Vec<StoredRefund>> {
        read!(self, db => orders::refunds_of_customer(db, workspace, customer, limit))
    }

    async fn item(&self, workspace: &WorkspaceId, id: &ItemId) -> Result<Option<Item>> {
        read!(self, db => items::find(db, workspace, id))
    }

    async fn items(&self, workspace: &WorkspaceId, after: Option<&ItemId>, limit: usize) -> Result<Vec<Item>> {
        read!(self, db => items::page(db, workspace, after, limit))
    }

    async fn accounts(&self, workspace: &WorkspaceId, after: Option<&GroupId>, limit: usize) -> Result<Vec<Account>> {
        read!(self, db => accounts::page(db, workspace, after, limit))
    }

    async fn erase_customer(&self, workspace: &WorkspaceId, id: &CustomerId, job: &Job) -> Result<Option<Erased>> {
        write!(self, db => erasure::erase(db, workspace, id, job))
    }

    async fn lift_suppression(&self, workspace: &WorkspaceId, id: &CustomerId) -> Result<bool> {
        write!(self, db => erasure::lift(db, workspace, id))
    }

    async fn sweep(&self) -> Result<()> {
        let limit = self.connections.limits.publish;
        let swept = async {
            let mut connection = self.connections.take().await?;
            // The connection is closed at the end: the limits of its session are no longer those of the others.
            erasure::sweep(connection.client()?).await
        };
        self.connections.within(limit, swept).await
    }

    async fn reviews_without_vector(
        &self,
        workspace: &WorkspaceId,
        model: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredReview>> {
        read!(self, db => reviews::without_vector(db, workspace, model, after, limit))
    }

    async fn count_reviews_without_vector(&self, workspace: &WorkspaceId, model: &str) -> Result<u64> {
        read!(self, db => vectors::count_reviews_without(db, workspace, model))
    }

    async fn put_vectors(&self, workspace: &WorkspaceId, model: &str, vectors: &[(i64, Vec<f32>)]) -> Result<()> {
        write!(self, db => vectors::put(db, workspace, model, vectors))
    }

    async fn vectors(
        &self,
        workspace: &WorkspaceId,
        model: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<ReviewVector>> {
        read!(self, db => vectors::page(db, workspace, model, after, limit))
    }

    async fn put_segmentation(&self, workspace: &WorkspaceId, segmentation: &Segmentation) -> Result<Segmentation> {
        write!(self, db => segmentations::put(db, workspace, segmentation))
    }

    async fn segmentation(&self, workspace: &WorkspaceId, name: &SegmentationName) -> Result<Option<Segmentation>> {
        read!(self, db => segmentations::find(db, workspace, name))
    }

    async fn segmentations(&self, workspace: &WorkspaceId) -> Result<Vec<Segmentation>> {
        read!(self, db => segmentations::all(db, workspace))
    }

    async fn publish(&self, workspace: &WorkspaceId, version: &Version, members: &[Membership]) -> Result<()> {
        write_within!(self, publish, db => versions::publish(db, workspace, version, members))
    }

    async fn publications(&self) -> Result<u64> {
        read!(self, db => segmentations::n_published(db))
    }

    async fn version(&self, workspace: &WorkspaceId, name: &SegmentationName, number: u32) -> Result<Option<Version>> {
        read_snapshot!(self, db => versions::find(db, workspace, name, number))
    }

    async fn versions(&self, workspace: &WorkspaceId, name: &SegmentationName) -> Result<Vec<Version>> {
        read_snapshot!(self, db => versions::all(db, workspace, name))
    }

    async fn members(
        &self,
        workspace: &WorkspaceId,
        name: &SegmentationName,
        number: u32,
        query: MembersQuery<'_>,
    ) -> Result<Vec<Membership>> {
        read!(self, db => members::page(db, workspace, (name, number), query))
    }

    async fn create_job(&self, workspace: &WorkspaceId, job: &Job) -> Result<Job> {
        write!(self, db => jobs::create(db, workspace, job))
    }

    async fn job(&self, workspace: &WorkspaceId, id: JobId) -> Result<Option<Job>> {
        read!(self, db => jobs::find(db, workspace, id))
    }

    async fn jobs(&self, workspace: &WorkspaceId, before: Option<JobId>, limit: usize) -> Result<Vec<Job>> {
        read!(self, db => jobs::page(db, workspace, before, limit))
    }

    async fn update_job(&self, workspace: &WorkspaceId, job: &Job) -> Result<()> {
        write!(self, db => jobs::update(db, workspace, job))
    }

    async fn unfinished_jobs(&self) -> Result<Vec<(WorkspaceId, Job)>> {
        read!(self, db => jobs::unfinished(db))
    }

    async fn claim_job(&self, claim: &Claim<'_>) -> Result<Option<(WorkspaceId, Job)>> {
        let claimed = write!(self, db => leases::claim(db, claim));
        match claimed {
            // Another claim of the same subject came first in this very moment.
            Err(StoreError::Conflict(_)) => Ok(None),
            claimed => claimed,
        }
    }

    async fn renew_lease(&self, lease: &Lease, progress: &Progress, lasts: Duration) -> Result<bool> {
        write!(self, db => leases::renew(db, lease, progress, lasts))
    }

    async fn release_lease(&self, lease: &Lease) -> Result<()> {
        write!(self, db => leases::release(db, lease))
    }

    async fn cancel_job(&self, workspace: &WorkspaceId, id: JobId, now: Timestamp) -> Result<Job> {
        write!(self, db => leases::cancel(db, workspace, id, now))
    }

    async fn put_vectors_as(&self, lease: &Lease, model: &str, vectors: &[(i64, Vec<f32>)]) -> Result<()> {
        write!(self, db => leases::put_vectors(db, lease, model, vectors))
    }

    async fn publish_as(&self, workspace: &WorkspaceId, publication: &Publication<'_>) -> Result<()> {
        write_within!(self, publish, db => leases::publish(db, workspace, publication))
    }

    async fn last_change(&self) -> Result<u64> {
        read!(self, db => changes::last(db))
    }

    async fn changes(&self, after: u64) -> Result<Vec<Change>> {
        read!(self, db => changes::after(db, after))
    }
}
