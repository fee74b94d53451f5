//! Removing facts that have been kept for long enough: in lots, each with its checkpoint, so that a run that is killed or handed over goes
//! on where it was, and one that is cancelled stops between two lots.

use super::{JobContext, JobFailure, Work};
use crate::domain::{FactKind, Progress, Retention, Timestamp, WorkspaceId};
use crate::segment::Snapshots;
use crate::store::{Result as StoreResult, Store};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Facts removed in one transaction.
const LOT: usize = 500;

/// What a retention job is asked for, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionRequest {
    /// By what is to be kept at the moment of asking.
    pub retention: Retention,
    /// Count, and remove nothing.
    pub dry_run: bool,
}

/// What came of it, and how far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Report {
    dry_run: bool,
    /// Facts of before this moment go; a kind that is kept for ever has none.
    before: BTreeMap<FactKind, Timestamp>,
    /// How many were removed, or would be.
    removed: BTreeMap<FactKind, u64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Checkpoint {
    report: Report,
    /// Kinds that are done.
    n_kinds: usize,
    /// Of the kind that is at work, the last number behind.
    after: i64,
    total: u64,
}

/// Told the words of removed reviews, for memories that hold something of them.
pub type ForgetTexts = Arc<dyn Fn(&[String]) + Send + Sync>;

pub struct RetentionWork {
    pub store: Arc<dyn Store>,
    pub snapshots: Arc<Snapshots>,
    pub forget_texts: ForgetTexts,
}

#[async_trait]
impl Work for RetentionWork {
    async fn run(&self, context: Arc<JobContext>) -> Result<Value, JobFailure> {
        let broken = |e: serde_json::Error| JobFailure::Failed { code: "internal".into(), detail: e.to_string() };
        let request: RetentionRequest = serde_json::from_value(context.job().request.clone()).map_err(broken)?;
        let left = context.job().checkpoint.clone().and_then(|value| serde_json::from_value(value).ok());
        let mut at = match left {
            Some(left) => left,
            None => self.counted(&context, &request).await?,
        };
        if !request.dry_run {
            let removed = self.remove(&context, &mut at).await;
            // Also after a cancel: what went is in no memory and no log.
            let forgotten = self.forget(&context.workspace).await;
            removed.and(forgotten)?;
        }
        serde_json::to_value(at.report).map_err(broken)
    }
}

impl RetentionWork {
    async fn counted(&self, context: &JobContext, request: &RetentionRequest) -> StoreResult<Checkpoint> {
        context.report(Progress { phase: "counting".into(), done: 0, total: None });
        let mut at =
            Checkpoint { report: Report { dry_run: request.dry_run, ..Report::default() }, ..Checkpoint::default() };
        for kind in FactKind::ALL {
            let Some(before) = request.retention.cutoff(kind, context.job().created_at) else { continue };
            let n = self.store.count_expired(&context.workspace, kind, before).await?;
            at.total += n;
            at.report.before.insert(kind, before);
            at.report.removed.insert(kind, if request.dry_run { n } else { 0 });
        }
        Ok(at)
    }

    async fn remove(&self, context: &JobContext, at: &mut Checkpoint) -> Result<(), JobFailure> {
        let kinds: Vec<(FactKind, Timestamp)> =
            at.report.before.iter().map(|(kind, before)| (*kind, *before)).collect();
        for (kind, before) in kinds.into_iter().skip(at.n_kinds) {
            while self.remove_lot(context, at, (kind, before)).await? {
                // Words of reviews are in no memory by the time the next lot goes.
                context.check()?;
            }
            (at.n_kinds, at.after) = (at.n_kinds + 1, 0);
        }
        Ok(())
    }

    /// Whether there may be more.
    async fn remove_lot(
        &self,
        context: &JobContext,
        at: &mut Checkpoint,
        (kind, before): (FactKind, Timestamp),
    ) -> Result<bool, JobFailure> {
        let seqs = self.store.expired(&context.workspace, kind, before, at.after, LOT).await?;
        let Some(last) = seqs.last() else { return Ok(false) };
        at.after = *last;
        // The lot is counted before it goes: what somebody else erased in this moment is counted with it.
        *at.report.removed.entry(kind).or_default() += seqs.len() as u64;
        let done = at.report.removed.values().sum();
        let progress = Progress { phase: format!("removing {}", kind.name()), done, total: Some(at.total.max(done)) };
        let value = serde_json::to_value(&*at)
            .map_err(|e| JobFailure::Failed { code: "internal".into(), detail: e.to_string() })?;
        let checkpoint = context.checkpoint(progress.clone(), value);
        let gone = self.store.remove_expired(&context.workspace, kind, &seqs, &checkpoint).await?;
        (self.forget_texts)(&gone.texts);
        context.report(progress);
        Ok(true)
    }

    /// Segments quote reviews: the live versions are read again. The store's logs are emptied.
    async fn forget(&self, workspace: &WorkspaceId) -> Result<(), JobFailure> {
        self.snapshots.reload(&*self.store, workspace).await?;
        Ok(self.store.sweep().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::JobAsk;
    use super::super::context::Signal;
    use super::*;
    use crate::domain::{CustomerId, Fact, JobKind, Review, ReviewId, ReviewText};
    use crate::store::{Claim, SqliteStore};
    use std::sync::Mutex;
    use std::time::Duration;
    use uuid::Uuid;

    fn review(number: usize) -> Fact {
        Fact::Review(Review {
            id: ReviewId::parse(&format!("r{number}")).unwrap(),
            customer: CustomerId::parse("ann").unwrap(),
            text: ReviewText::parse("words").unwrap(),
            item: None,
            rating: None,
            time: Timestamp::UNIX_EPOCH,
            tongue: None,
        })
    }

    async fn claimed(store: &dyn Store) -> Arc<JobContext> {
        let kinds = [JobKind::Retention];
        let claim = Claim { holder: Uuid::nil(), kinds: &kinds, place: None, lasts: Duration::from_secs(60) };
        let (workspace, job) = store.claim_job(&claim).await.unwrap().unwrap();
        Arc::new(JobContext::new(workspace, job))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_run_that_is_left_stops_between_two_lots_and_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir.path()).unwrap());
        let shop = WorkspaceId::parse("shop").unwrap();
        store.create_workspace(&shop, Timestamp::UNIX_EPOCH).await.unwrap();
        let reviews: Vec<Fact> = (0..2 * LOT + 7).map(review).collect();
        store.append(&shop, &reviews, None, Timestamp::now()).await.unwrap();
        let retention = Retention { reviews: Some(1), ..Retention::default() };
        let request = serde_json::to_value(RetentionRequest { retention, dry_run: false }).unwrap();
        let job = JobAsk::new(JobKind::Retention, request).job(Timestamp::now());
        store.create_job(&shop, &job).await.unwrap();
        let to_leave: Arc<Mutex<Option<Arc<JobContext>>>> = Arc::default();
        let leave = Arc::clone(&to_leave);
        let work = RetentionWork {
            store: Arc::clone(&store),
            snapshots: Arc::default(),
            forget_texts: Arc::new(move |texts| {
                assert!(texts.iter().all(|text| text == "words"));
                if let Some(context) = leave.lock().unwrap().take() {
                    context.signal(Signal::Cancel);
                }
            }),
        };
        let context = claimed(&*store).await;
        *to_leave.lock().unwrap() = Some(Arc::clone(&context));
        assert_eq!(work.run(Arc::clone(&context)).await, Err(JobFailure::Cancelled));
        assert_eq!(store.counts(&shop).await.unwrap().reviews as usize, LOT + 7);
        store.release_lease(&context.lease()).await.unwrap();
        let context = claimed(&*store).await;
        assert_eq!(context.progress().done as usize, LOT);
        let report = work.run(context).await.unwrap();
        assert_eq!(report["removed"]["reviews"], 2 * LOT + 7, "{report}");
        assert_eq!(store.counts(&shop).await.unwrap().reviews, 0);
    }
}
