//! [`Store`] on one SQLite file: a single process, a single writing thread, readers beside it.

mod accounts;
mod backup;
mod changes;
mod columns;
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
#[cfg(test)]
mod older;
mod opening;
mod orders;
mod quality;
mod readers;
mod retention;
mod reviews;
mod schema;
mod segmentations;
mod settings;
mod side;
#[cfg(test)]
mod tests;
mod vectors;
mod verify;
mod versions;
#[cfg(test)]
mod wal_damage;
mod workspaces;
mod writer;

pub use backup::{BackedUp, BackupProgress, backup, restore};
pub(super) use side::SqliteSide;
pub(super) use verify::verify;

use super::{
    Account, Appended, Change, Checkpoint, Claim, Counts, Erased, Judged, Lease, MembersQuery, Publication,
    QualityCount, Result, ReviewVector, Store, StoredEvent, StoredOrder, StoredRefund, StoredReview,
};
use crate::domain::{
    Customer, CustomerId, Fact, GroupId, Item, ItemId, Job, JobId, JudgedKind, Key, KeyId, Language, Membership, Merge,
    Money, Progress, Rule, Segmentation, SegmentationName, Timestamp, Told, Twin, Version, Workspace, WorkspaceId,
};
use async_trait::async_trait;
use leases::OwnedPublication;
use readers::Readers;
use rusqlite::Connection;
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use writer::Writer;

/// The embedded store: `clientele.db` in a data folder, and `clientele.lock` beside it for the one process that has it.
///
/// Dropping it finishes what was asked for, closes the file and lets go of the lock; that may wait for a commit.
pub struct SqliteStore {
    // Dropped in this order: the writer closes last and moves the log into the file, and only then the lock goes.
    readers: Arc<Readers>,
    writer: Writer,
    _lock: File,
    /// Set when no job is in an earlier process's hands any more: before the first claim.
    leases_ended: OnceCell<()>,
}

impl SqliteStore {
    /// Opens the store of a data folder, making the folder and an empty store where there is none. It blocks while it reads
    /// and writes files.
    ///
    /// # Errors
    /// [`InUse`](super::StoreError::InUse) while another process has it, [`TooNew`](super::StoreError::TooNew) for a schema this program does not
    /// know, and [`Open`](super::StoreError::Open) for a file that is not a sound, writable store of this program. The file stays as it is then.
    pub fn open(data_dir: &Path) -> Result<Self> {
        let opened = opening::open(data_dir)?;
        let readers = Arc::new(Readers::open(&opened.path)?);
        let writer = Writer::start(opened.writer)?;
        let leases_ended = OnceCell::new_with(opened.are_leases_ended.then_some(()));
        Ok(Self { readers, writer, _lock: opened.lock, leases_ended })
    }

    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.readers.read(work).await
    }

    /// A write that carries little.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.writer.write(0, work).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<()> {
        self.read(|db| {
            db.prepare_cached("SELECT 1 FROM workspace LIMIT 1")?.exists([])?;
            Ok(())
        })
        .await
    }

    async fn create_workspace(&self, id: &WorkspaceId, now: Timestamp) -> Result<Workspace> {
        let id = id.clone();
        self.write(move |db| workspaces::create(db, &id, now)).await
    }

    async fn workspaces(&self) -> Result<Vec<Workspace>> {
        self.read(workspaces::all).await
    }

    async fn add_key(&self, key: &Key, secret_sha256: &[u8; 32]) -> Result<()> {
        let (key, secret_sha256) = (key.clone(), *secret_sha256);
        self.write(move |db| keys::add(db, &key, &secret_sha256)).await
    }

    async fn key_by_hash(&self, secret_sha256: &[u8; 32]) -> Result<Option<Key>> {
        let secret_sha256 = *secret_sha256;
        self.read(move |db| keys::by_hash(db, &secret_sha256)).await
    }

    async fn keys(&self, workspace: &WorkspaceId) -> Result<Vec<Key>> {
        let workspace = workspace.clone();
        self.read(move |db| keys::of_workspace(db, &workspace)).await
    }

    async fn revoke_key(&self, workspace: &WorkspaceId, id: KeyId, now: Timestamp) -> Result<()> {
        let workspace = workspace.clone();
        self.write(move |db| keys::revoke(db, &workspace, id, now)).await
    }

    async fn has_live_keys(&self) -> Result<bool> {
        self.read(keys::any_live).await
    }

    async fn setting(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<Value>> {
        let (workspace, name) = (workspace.clone(), name.to_owned());
        self.read(move |db| settings::find(db, &workspace, &name)).await
    }

    async fn put_setting(&self, workspace: &WorkspaceId, name: &str, value: &Value) -> Result<()> {
        let (workspace, name, value) = (workspace.clone(), name.to_owned(), value.clone());
        self.write(move |db| settings::put(db, &workspace, &name, &value)).await
    }

    async fn setting_or_put(&self, workspace: &WorkspaceId, name: &str, value: &Value) -> Result<Value> {
        let (workspace, name, value) = (workspace.clone(), name.to_owned(), value.clone());
        self.write(move |db| settings::find_or_put(db, &workspace, &name, &value)).await
    }

    async fn append_judged(
        &self,
        workspace: &WorkspaceId,
        judged: Judged<'_>,
        checkpoint: Option<&Checkpoint>,
        now: Timestamp,
    ) -> Result<Vec<Appended>> {
        let size_bytes = judged.facts.iter().map(size_bytes).sum();
        let (workspace, checkpoint) = (workspace.clone(), checkpoint.cloned());
        let (facts, findings) = (judged.facts.to_vec(), judged.findings.clone());
        let append = move |db: &Connection| {
            let judged = Judged { facts: &facts, findings: &findings };
            facts::append(db, &workspace, judged, checkpoint.as_ref(), now)
        };
        self.writer.write(size_bytes, append).await
    }

    async fn twins(&self, workspace: &WorkspaceId, twins: &[Twin<'_>]) -> Result<Vec<bool>> {
        let (workspace, sought) = (workspace.clone(), twins.iter().map(quality::Sought::of).collect::<Vec<_>>());
        self.read(move |db| quality::twins(db, &workspace, &sought)).await
    }

    async fn latest_totals(&self, workspace: &WorkspaceId, limit: usize) -> Result<Vec<Money>> {
        let workspace = workspace.clone();
        self.read(move |db| orders::latest_totals(db, &workspace, limit)).await
    }

    async fn quality(&self, workspace: &WorkspaceId, import: Option<JobId>) -> Result<Vec<QualityCount>> {
        let workspace = workspace.clone();
        self.read(move |db| quality::counts(db, &workspace, import)).await
    }

    async fn flagged(
        &self,
        workspace: &WorkspaceId,
        kind: JudgedKind,
        rule: Rule,
        limit: usize,
    ) -> Result<Vec<String>> {
        let workspace = workspace.clone();
        self.read(move |db| quality::flagged(db, &workspace, (kind, rule), limit)).await
    }

    async fn counts(&self, workspace: &WorkspaceId) -> Result<Counts> {
        let workspace = workspace.clone();
        self.read(move |db| workspaces::counts(db, &workspace)).await
    }

    async fn customer(&self, workspace: &WorkspaceId, id: &CustomerId) -> Result<Option<Customer>> {
        let (workspace, id) = (workspace.clone(), id.clone());
        self.read(move |db| customers::find(db, &workspace, &id)).await
    }

    async fn customers(
        &self,
        workspace: &WorkspaceId,
        after: Option<&CustomerId>,
        limit: usize,
    ) -> Result<Vec<Customer>> {
        let (workspace, after) = (workspace.clone(), after.cloned());
        self.read(move |db| customers::page(db, &workspace, after.as_ref(), limit)).await
    }

    async fn reviews(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredReview>> {
        let workspace = workspace.clone();
        self.read(move |db| reviews::page(db, &workspace, after, limit)).await
    }

    async fn reviews_in(
        &self,
        workspace: &WorkspaceId,
        language: &Language,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredReview>> {
        let (workspace, language) = (workspace.clone(), language.clone());
        self.read(move |db| reviews::in_language(db, &workspace, &language, after, limit)).await
    }

    async fn customer_reviews(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        limit: usize,
    ) -> Result<Vec<StoredReview>> {
        let (workspace, customer) = (workspace.clone(), customer.clone());
        self.read(move |db| reviews::of_customer(db, &workspace, &customer, limit)).await
    }

    async fn merges(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<Merge>> {
        let workspace = workspace.clone();
        self.read(move |db| identity::merges(db, &workspace, after, limit)).await
    }

    async fn events(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredEvent>> {
        let workspace = workspace.clone();
        self.read(move |db| events::page(db, &workspace, after, limit)).await
    }

    async fn customer_events(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        before: Option<(Timestamp, i64)>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>> {
        let (workspace, customer) = (workspace.clone(), customer.clone());
        self.read(move |db| events::of_customer(db, &workspace, &customer, before, limit)).await
    }

    async fn orders(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredOrder>> {
        let workspace = workspace.clone();
        self.read(move |db| orders::page(db, &workspace, after, limit)).await
    }

    async fn customer_orders(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        limit: usize,
    ) -> Result<Vec<StoredOrder>> {
        let (workspace, customer) = (workspace.clone(), customer.clone());
        self.read(move |db| orders::of_customer(db, &workspace, &customer, limit)).await
    }

    async fn refunds(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredRefund>> {
        let workspace = workspace.clone();
        self.read(move |db| orders::refunds(db, &workspace, after, limit)).await
    }

    async fn customer_refunds(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        limit: usize,
    ) -> Result<Vec<StoredRefund>> {
        let (workspace, customer) = (workspace.clone(), customer.clone());
        self.read(move |db| orders::refunds_of_customer(db, &workspace, &customer, limit)).await
    }

    async fn erase_customer(&self, workspace: &WorkspaceId, id: &CustomerId, job: &Job) -> Result<Option<Erased>> {
        let (workspace, id, job) = (workspace.clone(), id.clone(), job.clone());
        self.write(move |db| erasure::erase(db, &workspace, &id, &job)).await
    }

    async fn lift_suppression(&self, workspace: &WorkspaceId, id: &CustomerId) -> Result<bool> {
        let (workspace, id) = (workspace.clone(), id.clone());
        self.write(move |db| erasure::lift(db, &workspace, &id)).await
    }

    async fn sweep(&self) -> Result<()> {
        self.writer.empty_log().await
    }

    async fn item(&self, workspace: &WorkspaceId, id: &ItemId) -> Result<Option<Item>> {
        let (workspace, id) = (workspace.clone(), id.clone());
        self.read(move |db| items::find(db, &workspace, &id)).await
    }

    async fn items(&self, workspace: &WorkspaceId, after: Option<&ItemId>, limit: usize) -> Result<Vec<Item>> {
        let (workspace, after) = (workspace.clone(), after.cloned());
        self.read(move |db| items::page(db, &workspace, after.as_ref(), limit)).await
    }

    async fn accounts(&self, workspace: &WorkspaceId, after: Option<&GroupId>, limit: usize) -> Result<Vec<Account>> {
        let (workspace, after) = (workspace.clone(), after.cloned());
        self.read(move |db| accounts::page(db, &workspace, after.as_ref(), limit)).await
    }

    async fn reviews_without_vector(
        &self,
        workspace: &WorkspaceId,
        model: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredReview>> {
        let (workspace, model) = (workspace.clone(), model.to_owned());
        self.read(move |db| vectors::reviews_without(db, &workspace, &model, after, limit)).await
    }

    async fn count_reviews_without_vector(&self, workspace: &WorkspaceId, model: &str) -> Result<u64> {
        let (workspace, model) = (workspace.clone(), model.to_owned());
        self.read(move |db| vectors::count_reviews_without(db, &workspace, &model)).await
    }

    async fn put_vectors(&self, workspace: &WorkspaceId, model: &str, vectors: &[(i64, Vec<f32>)]) -> Result<()> {
        let (workspace, model, vectors) = (workspace.clone(), model.to_owned(), vectors.to_vec());
        self.writer.write(vectors_bytes(&vectors), move |db| vectors::put(db, &workspace, &model, &vectors)).await
    }

    async fn vectors(
        &self,
        workspace: &WorkspaceId,
        model: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<ReviewVector>> {
        let (workspace, model) = (workspace.clone(), model.to_owned());
        self.read(move |db| vectors::page(db, &workspace, &model, after, limit)).await
    }

    async fn put_segmentation(&self, workspace: &WorkspaceId, segmentation: &Segmentation) -> Result<Segmentation> {
        let (workspace, segmentation) = (workspace.clone(), segmentation.clone());
        self.write(move |db| segmentations::put(db, &workspace, &segmentation)).await
    }

    async fn segmentation(&self, workspace: &WorkspaceId, name: &SegmentationName) -> Result<Option<Segmentation>> {
        let (workspace, name) = (workspace.clone(), name.clone());
        self.read(move |db| segmentations::find(db, &workspace, &name)).await
    }

    async fn segmentations(&self, workspace: &WorkspaceId) -> Result<Vec<Segmentation>> {
        let workspace = workspace.clone();
        self.read(move |db| segmentations::all(db, &workspace)).await
    }

    async fn publish(&self, workspace: &WorkspaceId, version: &Version, members: &[Membership]) -> Result<()> {
        let size_bytes = version_bytes(version, members);
        let (workspace, version, members) = (workspace.clone(), version.clone(), members.to_vec());
        self.writer.write(size_bytes, move |db| versions::publish(db, &workspace, &version, &members)).await
    }

    async fn version(&self, workspace: &WorkspaceId, name: &SegmentationName, number: u32) -> Result<Option<Version>> {
        let (workspace, name) = (workspace.clone(), name.clone());
        self.read(move |db| versions::find(db, &workspace, &name, number)).await
    }

    async fn versions(&self, workspace: &WorkspaceId, name: &SegmentationName) -> Result<Vec<Version>> {
        let (workspace, name) = (workspace.clone(), name.clone());
        self.read(move |db| versions::all(db, &workspace, &name)).await
    }

    async fn members(
        &self,
        workspace: &WorkspaceId,
        name: &SegmentationName,
        number: u32,
        query: MembersQuery<'_>,
    ) -> Result<Vec<Membership>> {
        let (workspace, name, after) = (workspace.clone(), name.clone(), query.after.cloned());
        let (segment, limit) = (query.segment, query.limit);
        self.read(move |db| {
            let query = MembersQuery { segment, after: after.as_ref(), limit };
            members::page(db, &workspace, (&name, number), query)
        })
        .await
    }

    async fn create_job(&self, workspace: &WorkspaceId, job: &Job) -> Result<Job> {
        let (workspace, job) = (workspace.clone(), job.clone());
        self.write(move |db| jobs::create(db, &workspace, &job)).await
    }

    async fn job(&self, workspace: &WorkspaceId, id: JobId) -> Result<Option<Job>> {
        let workspace = workspace.clone();
        self.read(move |db| jobs::find(db, &workspace, id)).await
    }

    async fn jobs(&self, workspace: &WorkspaceId, before: Option<JobId>, limit: usize) -> Result<Vec<Job>> {
        let workspace = workspace.clone();
        self.read(move |db| jobs::page(db, &workspace, before, limit)).await
    }

    async fn update_job(&self, workspace: &WorkspaceId, job: &Job) -> Result<()> {
        let (workspace, job) = (workspace.clone(), job.clone());
        self.write(move |db| jobs::update(db, &workspace, &job)).await
    }

    async fn unfinished_jobs(&self) -> Result<Vec<(WorkspaceId, Job)>> {
        self.read(jobs::unfinished).await
    }

    async fn claim_job(&self, claim: &Claim<'_>) -> Result<Option<(WorkspaceId, Job)>> {
        let Claim { holder, place, lasts, .. } = *claim;
        let kinds = claim.kinds.to_vec();
        self.leases_ended.get_or_try_init(|| self.write(leases::end_all)).await?;
        self.write(move |db| leases::claim(db, &Claim { holder, kinds: &kinds, place, lasts })).await
    }

    async fn renew_lease(&self, lease: &Lease, progress: &Progress, lasts: Duration) -> Result<bool> {
        let (lease, progress) = (lease.clone(), progress.clone());
        self.write(move |db| leases::renew(db, &lease, &progress, lasts)).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let lease = lease.clone();
        self.write(move |db| leases::release(db, &lease)).await
    }

    async fn cancel_job(&self, workspace: &WorkspaceId, id: JobId, now: Timestamp) -> Result<Job> {
        let workspace = workspace.clone();
        self.write(move |db| leases::cancel(db, &workspace, id, now)).await
    }

    async fn put_vectors_as(&self, lease: &Lease, model: &str, vectors: &[(i64, Vec<f32>)]) -> Result<()> {
        let (lease, model, vectors) = (lease.clone(), model.to_owned(), vectors.to_vec());
        self.writer.write(vectors_bytes(&vectors), move |db| leases::put_vectors(db, &lease, &model, &vectors)).await
    }

    async fn publish_as(&self, workspace: &WorkspaceId, publication: &Publication<'_>) -> Result<()> {
        let (workspace, owned) = (workspace.clone(), OwnedPublication::of(publication));
        let size_bytes = version_bytes(publication.version, publication.members);
        self.writer.write(size_bytes, move |db| leases::publish(db, &workspace, &owned.borrowed())).await
    }

    async fn last_change(&self) -> Result<u64> {
        self.read(changes::last).await
    }

    async fn changes(&self, after: u64) -> Result<Vec<Change>> {
        self.read(move |db| changes::after(db, after)).await
    }
}

fn vectors_bytes(vectors: &[(i64, Vec<f32>)]) -> usize {
    vectors.iter().map(|(_, vector)| 32 + size_of_val(vector.as_slice())).sum()
}

fn version_bytes(version: &Version, members: &[Membership]) -> usize {
    size_of_val(members) + size_of_val(version.centroids.as_slice())
}

/// About what a fact takes in memory while it waits.
fn size_bytes(fact: &Fact) -> usize {
    // A trait or a property is a name and a value: some hundred bytes with its tree.
    const PROPERTY: usize = 128;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    size_of::<Fact>()
        + match fact {
            Fact::Review(review) => review.text.as_str().len() + text(&review.item),
            Fact::Identify(identify) => identify.traits.len() * PROPERTY,
            Fact::Group(group) => group.traits.len() * PROPERTY,
            Fact::Event(event) => {
                let told = match &event.told {
                    Some(Told::Review(review)) => review.text.as_str().len(),
                    Some(Told::Order(order)) => order.lines.len() * PROPERTY,
                    Some(Told::Refund(_)) | None => 0,
                };
                event.name.len() + event.properties.len() * PROPERTY + told
            }
            Fact::Order(order) => order.lines.len() * PROPERTY,
            Fact::Item(item) => text(&item.description) + item.attributes.len() * PROPERTY,
            Fact::Alias(_) | Fact::Refund(_) | Fact::Consent(_) => 0,
        }
}
