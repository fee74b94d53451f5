//! Where facts and what is derived from them are kept: one written contract, one implementation a file.
//!
//! [`Store`] is the contract; `contract` holds the one suite that every implementation passes. An implementation that needs
//! an exception to a sentence here is a wrong implementation.

mod consent;
#[cfg(test)]
mod contract;
mod dump;
mod place;
mod postgres;
mod retention;
mod rules;
mod sqlite;
mod verify;

pub use consent::{ConsentStore, IdChoices};
pub use dump::{CopiedTable, CopiedWorkspace, CopyOrder, CopyProgress, TableSum, copy};
pub use place::StorePlace;
pub use postgres::{PostgresStore, PostgresUrl};
pub use retention::{Expired, RetentionStore};
pub use rules::{ERASED_IDS, REMOVED, erased_id};
pub use sqlite::{BackedUp, BackupProgress, SqliteStore, backup, restore};
pub use verify::{Checked, Verified, verify};

use crate::domain::{
    Customer, CustomerId, Event, Fact, Findings, Flags, GroupId, Item, ItemId, Job, JobId, JobKind, JudgedKind, Key,
    KeyId, Language, Membership, Merge, Money, Order, Outcome, Progress, Refund, Review, ReviewId, Rule, SegmentId,
    Segmentation, SegmentationName, Timestamp, Twin, Version, Workspace, WorkspaceId,
};
use async_trait::async_trait;
use serde_json::{Map, Value};
use std::time::Duration;
use uuid::Uuid;

/// What can go wrong with a store, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store could not be opened. It was left as it is: never recreated, never repaired behind the operator's back.
    #[error("the store {place} cannot be opened: {why}")]
    Open { place: String, why: String },
    /// Another process has it. Two writers on one embedded store are never allowed.
    #[error("the store {place} is in use by another process{}; stop it, or speak to it with --url", holder.as_deref().map(|h| format!(" ({h})")).unwrap_or_default())]
    InUse { place: String, holder: Option<String> },
    /// The store was written by a newer program.
    #[error("the store {place} has schema {found}, newer than this program's {known}; use the newer program")]
    TooNew { place: String, found: i64, known: i64 },
    /// The work did not reach the disk or cannot be known to have; nothing of it was acknowledged. Worth another try.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// There is no room on the store's disk; nothing of the work was written. Reads go on, and writes do when there is room again.
    #[error("the store has no room: {0}")]
    Full(String),
    /// What was read back is not what this program writes.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
    /// A row this work refers to does not exist (any more).
    #[error("{0} does not exist")]
    Missing(&'static str),
    /// The work contradicts what is there.
    #[error("{0}")]
    Conflict(String),
}

impl StoreError {
    /// Whether the same work may succeed later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_))
    }
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What became of one appended fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is new.
    Accepted,
    /// It stands in the place of one that was there with other content. (A review: time and all, and the older's vectors are
    /// gone.)
    Replaced,
    /// The very same fact was there already; nothing changed.
    Duplicate,
    /// It is about somebody who was erased; nothing of it was kept.
    Suppressed,
    /// It is an event of somebody who does not allow analytics; nothing of it was kept.
    Declined,
    /// It is older than facts of its kind are kept, or had been removed for its age; nothing of it was kept.
    Expired,
}

/// A job's new checkpoint, written in the same transaction as the work it covers.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    pub job: JobId,
    /// [`JobLease::token`](crate::domain::JobLease): with an older one than the newest, the whole call is a `Conflict`.
    pub token: u64,
    pub progress: Progress,
    pub checkpoint: Value,
}

/// Facts with what was found of them.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    pub facts: &'a [Fact],
    pub findings: &'a Findings,
}

/// How many facts that came on one day, by one way, broke one rule, and what was done with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QualityCount {
    /// Of arrival, in days since 1970 in UTC.
    pub day: i64,
    /// The import that brought them; nothing for what came by calls.
    pub import: Option<JobId>,
    pub kind: JudgedKind,
    pub rule: Rule,
    pub outcome: Outcome,
    pub n: u64,
}

/// How much there is in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub customers: u64,
    pub reviews: u64,
    pub events: u64,
    pub orders: u64,
    pub items: u64,
}

/// A review with the number that orders it: ever growing within a store, new for a replaced review.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredReview {
    pub seq: i64,
    pub review: Review,
    /// What was found of it when it came.
    pub flags: Flags,
}

/// An event with the number that orders it, and the customer it counts for.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    pub seq: i64,
    pub customer: CustomerId,
    /// `who` is the id it was told under; `told` is not kept with it.
    pub event: Event,
    pub flags: Flags,
}

/// An order with the number that orders it: ever growing within a store, new for a replaced order.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredOrder {
    pub seq: i64,
    /// `customer` is the one it counts for.
    pub order: Order,
    pub flags: Flags,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredRefund {
    pub seq: i64,
    pub refund: Refund,
    pub flags: Flags,
}

/// An account that customers belong to.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    pub id: GroupId,
    pub traits: Map<String, Value>,
}

/// What an erasure removed, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Removed {
    /// Ids that counted for the customer, their own among them.
    pub ids: u64,
    pub events: u64,
    /// With their vectors.
    pub reviews: u64,
    pub orders: u64,
    pub refunds: u64,
    pub traits: u64,
    /// Places in versions, the retired ones too.
    pub memberships: u64,
    /// Reviews that versions quoted as typical.
    pub typical_reviews: u64,
    /// Lines of the log of consent.
    #[serde(default)]
    pub consents: u64,
}

/// An erased customer: what is to be forgotten elsewhere too.
#[derive(Debug, Clone, PartialEq)]
pub struct Erased {
    pub ids: Vec<CustomerId>,
    /// The words of their reviews.
    pub texts: Vec<String>,
    pub removed: Removed,
    /// The job as it was added, with what was removed in its request.
    pub job: Job,
}

/// A review's vector under some model.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewVector {
    pub seq: i64,
    pub review: ReviewId,
    pub customer: CustomerId,
    pub time: Timestamp,
    /// `[dimension]`, as the model gave it.
    pub vector: Vec<f32>,
}

/// What a process that looks for work can do.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The process, for people who look into the store.
    pub holder: Uuid,
    pub kinds: &'a [JobKind],
    /// The data folder it has.
    pub place: Option<Uuid>,
    pub lasts: Duration,
}

/// A job in the hands of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub workspace: WorkspaceId,
    pub job: JobId,
    pub token: u64,
}

/// A version with its members, the definition it was made by, and the checkpoint of the job that made it.
#[derive(Debug, Clone, Copy)]
pub struct Publication<'a> {
    pub segmentation: &'a Segmentation,
    pub version: &'a Version,
    pub members: &'a [Membership],
    pub checkpoint: &'a Checkpoint,
}

/// Something that processes keep in memory is another now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Grows with each change in the whole store.
    pub number: u64,
    pub workspace: WorkspaceId,
    pub what: Changed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// A customer was erased who had the id with this hash ([`erased_id`]).
    Erased([u8; 32]),
    /// A setting was put.
    Settings,
    /// A key was made or revoked.
    Keys,
    /// What some customer allows is another now.
    Consent,
    /// Facts were removed for their age.
    Expired,
}

/// A page of members: those after a customer (in byte order of their ids), in one segment or in all.
#[derive(Debug, Clone, Copy)]
pub struct MembersQuery<'a> {
    pub segment: Option<SegmentId>,
    pub after: Option<&'a CustomerId>,
    pub limit: usize,
}

/// The contract of a store.
///
/// - **Durability**: when a method that changes something returns `Ok`, the change has been fsynced and survives SIGKILL and
///   power loss. When it returns an error, either nothing or all of it is there, and doing it again is safe.
/// - **Atomicity**: each call is one transaction. A reader sees all of a call's changes or none.
/// - **Isolation by tenant**: no call sees or touches a row of another workspace; ids may repeat between workspaces.
/// - **Order**: pages are in the order said, without gaps or repetitions while nothing is written, and never repeat a row
///   that did not change while something is.
/// - Writing into a workspace that does not exist is `Missing("workspace")`.
#[async_trait]
pub trait Store: ConsentStore + RetentionStore + Send + Sync {
    /// Answers when a trivial read works.
    async fn ping(&self) -> Result<()>;

    // ---- workspaces and keys

    /// Makes the workspace unless it is there; gives the one that is there then.
    async fn create_workspace(&self, id: &WorkspaceId, now: Timestamp) -> Result<Workspace>;
    /// All workspaces by id.
    async fn workspaces(&self) -> Result<Vec<Workspace>>;
    /// Adds a key under the SHA-256 of its secret. A second key with the same id or hash is `Conflict`.
    async fn add_key(&self, key: &Key, secret_sha256: &[u8; 32]) -> Result<()>;
    /// The key with that hash, revoked or not.
    async fn key_by_hash(&self, secret_sha256: &[u8; 32]) -> Result<Option<Key>>;
    /// The workspace's keys, oldest first, the revoked ones too.
    async fn keys(&self, workspace: &WorkspaceId) -> Result<Vec<Key>>;
    /// Revokes a key from now on. A key revoked before keeps its first moment. An unknown key is `Missing("key")`.
    async fn revoke_key(&self, workspace: &WorkspaceId, id: KeyId, now: Timestamp) -> Result<()>;
    /// Whether any key that is not revoked exists in any workspace.
    async fn has_live_keys(&self) -> Result<bool>;

    // ---- settings

    /// A workspace's setting.
    async fn setting(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<Value>>;
    async fn put_setting(&self, workspace: &WorkspaceId, name: &str, value: &Value) -> Result<()>;
    /// The setting that stands; where there is none, this value from now on. Of several callers at once one value stands for all.
    async fn setting_or_put(&self, workspace: &WorkspaceId, name: &str, value: &Value) -> Result<Value>;

    // ---- facts

    /// Appends facts in order, and moves a job's checkpoint with them. The answer has one entry a fact, in the same order.
    ///
    /// - A customer exists from the first fact that names them.
    /// - A review whose id is there: same content → `Duplicate`, other content → `Replaced`. `time` is no content: a
    ///   review that is sent again without one, and so gets another moment, is the same review, and its first time stays.
    /// - An event whose id is there is `Duplicate`, whatever else it says (Segment's rule), for ever.
    ///   What it tells beside (an order, a refund, a review) is appended with it by the rules of its own, or not at all.
    /// - Traits merge key by key, the later `time` wins for each key; `null` removes the key. Nothing new → `Duplicate`.
    /// - An identify, alias or group call whose message id was seen before is `Duplicate` and changes nothing.
    /// - An order whose id is there: same content → `Duplicate`; other content → `Replaced` where it was said later (at the
    ///   same moment: where it is the greater one), else `Duplicate`. `time` is no content: the earliest stays.
    /// - A refund whose id is there is `Duplicate`. An item follows the rule of orders.
    /// - Consent is kept by id and purpose: the latest word stands, and at the same time the stricter ([`Choice::outweighs`](crate::domain::Choice::outweighs)).
    ///   A word that something outweighs, or that stands already → `Duplicate`. Each word that changed a choice is in the log.
    /// - An event of a customer who does not allow analytics, by all that was told under all their ids before it, is `Declined` unless it
    ///   is a `Duplicate`; where nothing was told, the workspace's settings say ([`ConsentSettings`](crate::domain::ConsentSettings)).
    /// - A fact of a kind that has a time is `Expired` when it is older, at `now`, than the workspace keeps that kind
    ///   ([`Retention`](crate::domain::Retention)), or when one with its id was removed for its age, whatever time it has now. One that is
    ///   there already is `Duplicate` all the same. What an event tells beside is left out where it has expired by itself.
    /// - Ids that were tied count for one customer, under one of those ids, in whatever order the facts arrive: an anonymous id
    ///   belongs to the known id that was named beside it at the earliest `time` (ties: the least id); an alias ties two ids
    ///   for good; the customer's id is the one among them that was neither claimed nor aliased to another, the least of several.
    async fn append(
        &self,
        workspace: &WorkspaceId,
        facts: &[Fact],
        checkpoint: Option<&Checkpoint>,
        now: Timestamp,
    ) -> Result<Vec<Appended>> {
        let findings = Findings::default();
        self.append_judged(workspace, Judged { facts, findings: &findings }, checkpoint, now).await
    }
    /// [`Store::append`] with what was found of the facts, in the same step. A fact that is kept has its flags from then on, and
    /// each of its rules counts once for the day of `now` and for the checkpoint's job; what is `Duplicate` or `Suppressed` counts
    /// nothing and keeps the flags it has. A replaced fact has the flags of the new one. What was left out of the call counts too.
    async fn append_judged(
        &self,
        workspace: &WorkspaceId,
        judged: Judged<'_>,
        checkpoint: Option<&Checkpoint>,
        now: Timestamp,
    ) -> Result<Vec<Appended>>;
    /// Of each, whether one like it is kept under the same customer's id and another id of its own: a review with the same
    /// [`fingerprint`](crate::domain::ReviewText::fingerprint), an order with the same total and lines within the time given. (A
    /// call that is under way beside this one is not seen.)
    async fn twins(&self, workspace: &WorkspaceId, twins: &[Twin<'_>]) -> Result<Vec<bool>>;
    /// What the latest orders came to, newest `seq` first.
    async fn latest_totals(&self, workspace: &WorkspaceId, limit: usize) -> Result<Vec<Money>>;
    /// What was counted of facts that came, of one import or of all, by day, import, kind, rule and outcome. It tells what came: a
    /// fact that is replaced or erased later is still counted.
    async fn quality(&self, workspace: &WorkspaceId, import: Option<JobId>) -> Result<Vec<QualityCount>>;
    /// Ids of facts of a kind that are there and flagged with a rule, the newest `seq` first.
    async fn flagged(&self, workspace: &WorkspaceId, kind: JudgedKind, rule: Rule, limit: usize)
    -> Result<Vec<String>>;
    async fn counts(&self, workspace: &WorkspaceId) -> Result<Counts>;
    /// The customer that an id counts for, with what is known of all their ids.
    async fn customer(&self, workspace: &WorkspaceId, id: &CustomerId) -> Result<Option<Customer>>;
    /// Customers (not the ids that count for others) after `after`, in byte order of their ids.
    async fn customers(
        &self,
        workspace: &WorkspaceId,
        after: Option<&CustomerId>,
        limit: usize,
    ) -> Result<Vec<Customer>>;
    /// Reviews with a `seq` above `after`, by `seq`.
    async fn reviews(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredReview>>;
    /// Those in one language.
    async fn reviews_in(
        &self,
        workspace: &WorkspaceId,
        language: &Language,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredReview>>;
    /// A customer's reviews, newest `time` first, `seq` breaking ties.
    async fn customer_reviews(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        limit: usize,
    ) -> Result<Vec<StoredReview>>;

    /// The log of merges after `seq`, by `seq`: each change of which customer an id counts for.
    async fn merges(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<Merge>>;
    /// Events with a `seq` above `after`, by `seq`.
    async fn events(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredEvent>>;
    /// A customer's events, newest `time` first, `seq` breaking ties; below `before` where it is given.
    async fn customer_events(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        before: Option<(Timestamp, i64)>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>>;
    /// Orders with a `seq` above `after`, by `seq`.
    async fn orders(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredOrder>>;
    /// A customer's orders, newest `time` first, `seq` breaking ties.
    async fn customer_orders(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        limit: usize,
    ) -> Result<Vec<StoredOrder>>;
    /// Refunds with a `seq` above `after`, by `seq`.
    async fn refunds(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<StoredRefund>>;
    async fn item(&self, workspace: &WorkspaceId, id: &ItemId) -> Result<Option<Item>>;
    /// Items after `after`, in byte order of their ids.
    async fn items(&self, workspace: &WorkspaceId, after: Option<&ItemId>, limit: usize) -> Result<Vec<Item>>;
    /// Accounts after `after`, in byte order of their ids.
    async fn accounts(&self, workspace: &WorkspaceId, after: Option<&GroupId>, limit: usize) -> Result<Vec<Account>>;

    /// A customer's refunds, newest `time` first, `seq` breaking ties.
    async fn customer_refunds(
        &self,
        workspace: &WorkspaceId,
        customer: &CustomerId,
        limit: usize,
    ) -> Result<Vec<StoredRefund>>;

    // ---- erasure

    /// Removes the customer that an id counts for: all their ids, facts, vectors, places and quotations, in every version. What
    /// comes under these ids from now on is `Suppressed`: a fact about them is not kept, and another's fact that names one
    /// beside (an anonymous id) is kept without it. Nobody there → nothing.
    ///
    /// The job that is left to do is added in the same step, so nobody is erased without its proof: its `created_at` is the moment,
    /// and its request, an object, gets [`REMOVED`] and [`ERASED_IDS`]. A job that has its id already is `Conflict`.
    async fn erase_customer(&self, workspace: &WorkspaceId, id: &CustomerId, job: &Job) -> Result<Option<Erased>>;
    /// Lets an erased id come back from now on; whether it was suppressed.
    async fn lift_suppression(&self, workspace: &WorkspaceId, id: &CustomerId) -> Result<bool>;
    /// Makes sure that what was erased before is in no file of the store any more, its logs included. May be called again. A
    /// database server is asked to clear its tables; its logs and backups are its operator's.
    async fn sweep(&self) -> Result<()>;

    // ---- vectors

    /// Reviews with no vector under this model fingerprint, with a `seq` above `after`, by `seq`.
    async fn reviews_without_vector(
        &self,
        workspace: &WorkspaceId,
        model: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredReview>>;
    async fn count_reviews_without_vector(&self, workspace: &WorkspaceId, model: &str) -> Result<u64>;
    /// Keeps vectors (`seq`, values) under this model fingerprint; a `seq` that is gone meanwhile is passed over silently
    /// (its review was replaced).
    async fn put_vectors(&self, workspace: &WorkspaceId, model: &str, vectors: &[(i64, Vec<f32>)]) -> Result<()>;
    /// Vectors under this fingerprint with a `seq` above `after`, by `seq`; each bit as it was put.
    async fn vectors(
        &self,
        workspace: &WorkspaceId,
        model: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<ReviewVector>>;

    // ---- segmentations

    /// Makes or edits the definition of a segmentation; `created_at` and `live_version` of one that is there stay.
    async fn put_segmentation(&self, workspace: &WorkspaceId, segmentation: &Segmentation) -> Result<Segmentation>;
    async fn segmentation(&self, workspace: &WorkspaceId, name: &SegmentationName) -> Result<Option<Segmentation>>;
    /// All segmentations by name.
    async fn segmentations(&self, workspace: &WorkspaceId) -> Result<Vec<Segmentation>>;
    /// Publishes a version whole: its segments and memberships, the version live, the one that was live retired, the
    /// segmentation's `live_version` moved, all in one step. `version.number` must be one above the highest there is, else
    /// `Conflict` and nothing changed. `version.state` is ignored and becomes `Live`.
    async fn publish(&self, workspace: &WorkspaceId, version: &Version, members: &[Membership]) -> Result<()>;
    /// A number that grows with every publish in any workspace and stays otherwise: whether another process has published since
    /// is one cheap question.
    async fn publications(&self) -> Result<u64> {
        let mut n = 0;
        for workspace in self.workspaces().await? {
            let live = self.segmentations(&workspace.id).await?;
            n += live.iter().filter_map(|segmentation| segmentation.live_version).map(u64::from).sum::<u64>();
        }
        Ok(n)
    }
    /// A version with its segments. (All fields, `centre` and `centroids` bit by bit.)
    async fn version(&self, workspace: &WorkspaceId, name: &SegmentationName, number: u32) -> Result<Option<Version>>;
    /// All versions of a segmentation, newest first.
    async fn versions(&self, workspace: &WorkspaceId, name: &SegmentationName) -> Result<Vec<Version>>;
    /// Members of a version.
    async fn members(
        &self,
        workspace: &WorkspaceId,
        name: &SegmentationName,
        number: u32,
        query: MembersQuery<'_>,
    ) -> Result<Vec<Membership>>;

    // ---- jobs

    /// Adds a job unless one with its idempotency key is in the workspace already; gives the one that stands.
    async fn create_job(&self, workspace: &WorkspaceId, job: &Job) -> Result<Job>;
    async fn job(&self, workspace: &WorkspaceId, id: JobId) -> Result<Option<Job>>;
    /// Jobs below `before` (by id, newest first).
    async fn jobs(&self, workspace: &WorkspaceId, before: Option<JobId>, limit: usize) -> Result<Vec<Job>>;
    /// Writes a job's state, progress, checkpoint, result, error and end. A job in a final state never changes again:
    /// `Conflict`; nor does one whose newest token is another than `job.lease.token`. An unknown job is `Missing("job")`.
    async fn update_job(&self, workspace: &WorkspaceId, job: &Job) -> Result<()>;
    /// Jobs of every workspace that are not in a final state, oldest first: what to take up again after a start.
    async fn unfinished_jobs(&self) -> Result<Vec<(WorkspaceId, Job)>>;

    // ---- leases: which process is at which job
    //
    // A lease ends when its time is over by the store's clock, which no process's clock moves, or when it is given back or taken
    // away. What is written in the name of a token that is not the job's newest is `Conflict`, and nothing changed: a process that
    // was away for too long can harm nothing. Opening a store that one process at a time has ends all leases.

    /// Takes up the oldest job that asks for nothing the process lacks and that nobody holds: it is `Running` then, its token is
    /// one that never was before, and nobody else gets it until the lease ends. Whatever the number of callers, a job has one
    /// holder, and so have all jobs of a workspace with one subject together.
    async fn claim_job(&self, claim: &Claim<'_>) -> Result<Option<(WorkspaceId, Job)>>;
    /// Makes the lease last for `lasts` from now on, also one that is over unless the job was claimed since, and writes the
    /// progress down. Whether the holder shall leave the job.
    async fn renew_lease(&self, lease: &Lease, progress: &Progress, lasts: Duration) -> Result<bool>;
    /// Gives a job back: others may claim it at once.
    async fn release_lease(&self, lease: &Lease) -> Result<()>;
    /// Ends a job that nobody holds as `Cancelled`, and asks the holder of another to leave it. A job that has ended stays as it is.
    async fn cancel_job(&self, workspace: &WorkspaceId, id: JobId, now: Timestamp) -> Result<Job>;
    /// [`Store::put_vectors`] in the name of a job's holder.
    async fn put_vectors_as(&self, lease: &Lease, model: &str, vectors: &[(i64, Vec<f32>)]) -> Result<()>;
    /// [`Store::put_segmentation`], [`Store::publish`] and the checkpoint of the job that did it, in one step: whoever takes the job
    /// up afterwards sees that it is published.
    async fn publish_as(&self, workspace: &WorkspaceId, publication: &Publication<'_>) -> Result<()>;

    // ---- changes: what processes keep in memory and others may have changed

    /// The number of the last change; 0 before the first.
    async fn last_change(&self) -> Result<u64>;
    /// Changes after a number, in the order of their numbers, a thousand at most. A change is seen before any with a greater
    /// number. They are kept for eight days at least.
    async fn changes(&self, after: u64) -> Result<Vec<Change>>;
}
