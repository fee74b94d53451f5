//! How a process comes to its jobs and keeps them: it claims one of each kind at a time, renews the lease while the work goes on,
//! writes down how it ended, and gives back what it leaves. Other processes on the same store do the same.

use super::context::{JobContext, Signal};
use super::{JobFailure, JobSettings, Running, Work};
use crate::domain::{Job, JobKind, JobState, Timestamp};
use crate::store::{Claim, Result, Store, StoreError};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How often a process that has room looks for a job that another one accepted or left.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a job rests when the store was not there for it.
const REST: Duration = Duration::from_secs(1);

/// What the workers of a process share with who gives them jobs.
pub(super) struct Shared {
    pub store: Arc<dyn Store>,
    pub works: HashMap<JobKind, Arc<dyn Work>>,
    pub running: Running,
    pub settings: JobSettings,
    /// A job was accepted here.
    pub wake: Notify,
    /// Whether to look for jobs.
    pub takes_up: AtomicBool,
}

impl Shared {
    /// Claims and does jobs until the process stops; then waits for what is at work to leave.
    pub async fn work_through(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut at_work: JoinSet<JobKind> = JoinSet::new();
        let mut free: HashSet<JobKind> = self.works.keys().copied().collect();
        loop {
            while let Some(done) = at_work.try_join_next() {
                free.extend(done.ok());
            }
            // Nobody is left who could stop it: the same as a stop.
            if *stopping.borrow() || stopping.has_changed().is_err() {
                break;
            }
            if let Some(context) = self.claim(&free).await {
                free.remove(&context.job().kind);
                at_work.spawn(Arc::clone(&self).do_one(context));
                continue;
            }
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => {}
                Some(done) = at_work.join_next() => free.extend(done.ok()),
                () = self.wake.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY.min(self.settings.heartbeat)) => {}
            }
        }
        for context in self.running.lock().unwrap_or_else(PoisonError::into_inner).values() {
            context.signal(Signal::Interrupt);
        }
        while at_work.join_next().await.is_some() {}
    }

    async fn claim(&self, free: &HashSet<JobKind>) -> Option<Arc<JobContext>> {
        if free.is_empty() || !self.takes_up.load(Ordering::Relaxed) {
            return None;
        }
        let kinds: Vec<JobKind> = free.iter().copied().collect();
        let JobSettings { holder, place, lease, .. } = self.settings;
        match self.store.claim_job(&Claim { holder, kinds: &kinds, place, lasts: lease }).await {
            Ok(claimed) => {
                let (workspace, job) = claimed?;
                let (id, token) = (job.id, job.lease.token);
                tracing::info!(job = %id, kind = ?job.kind, token, "job {id} is taken up");
                let context = Arc::new(JobContext::new(workspace, job));
                self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&context));
                Some(context)
            }
            Err(error) => {
                tracing::debug!(%error, "jobs cannot be claimed at the moment");
                None
            }
        }
    }

    async fn do_one(self: Arc<Self>, context: Arc<JobContext>) -> JobKind {
        let (kind, id) = (context.job().kind, context.job().id);
        let outcome = self.watch_over(&context).await;
        if let Err(error) = self.settle(&context, outcome).await {
            tracing::warn!(%error, job = %id, "the end of job {id} is not on record: it is taken up again when its lease is over");
        }
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        kind
    }

    /// Does the work in a task of its own, so that a panic ends the job and not the worker, and renews the lease meanwhile.
    async fn watch_over(&self, context: &Arc<JobContext>) -> Result<Value, JobFailure> {
        let Some(work) = self.works.get(&context.job().kind).cloned() else { return Err(JobFailure::Interrupted) };
        let work_context = Arc::clone(context);
        let mut work = tokio::spawn(async move { work.run(work_context).await });
        let mut beats = interval_at(Instant::now() + self.settings.heartbeat, self.settings.heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                done = &mut work => return done.unwrap_or_else(|_| {
                    let detail = "the job hit a defect; the log says where".into();
                    Err(JobFailure::Failed { code: "internal".into(), detail })
                }),
                _ = beats.tick() => self.renew(context).await,
            }
        }
    }

    async fn renew(&self, context: &JobContext) {
        let id = context.job().id;
        match self.store.renew_lease(&context.lease(), &context.progress(), self.settings.lease).await {
            Ok(false) => {}
            Ok(true) => context.signal(Signal::Cancel),
            Err(StoreError::Conflict(_) | StoreError::Missing(_)) => {
                tracing::warn!(job = %id, "job {id} has changed hands; it is left here");
                context.signal(Signal::Lost);
            }
            // Whether the lease ran out meanwhile is the store's to say when it is back.
            Err(error) => tracing::warn!(%error, job = %id, "the lease of job {id} cannot be renewed at the moment"),
        }
    }

    /// Writes down how the job ended, or gives it back.
    async fn settle(&self, context: &JobContext, outcome: Result<Value, JobFailure>) -> Result<()> {
        match self.is_it_ours(context, outcome).await {
            Err(JobFailure::Interrupted) => self.give_back(context).await,
            Err(JobFailure::StoreAway(why)) => {
                let id = context.job().id;
                tracing::warn!(job = %id, "job {id} rests, since the store is not there for it: {why}");
                tokio::time::sleep(REST).await;
                self.give_back(context).await
            }
            outcome => self.end(context, outcome).await,
        }
    }

    /// A write that was refused: because the job is another's now, or because of what it says.
    async fn is_it_ours(&self, context: &JobContext, outcome: Result<Value, JobFailure>) -> Result<Value, JobFailure> {
        let Err(JobFailure::Refused(detail)) = outcome else { return outcome };
        match self.store.renew_lease(&context.lease(), &context.progress(), self.settings.lease).await {
            Ok(_) => Err(JobFailure::Failed { code: "conflict".into(), detail }),
            Err(_) => Err(JobFailure::Interrupted),
        }
    }

    pub async fn give_back(&self, context: &JobContext) -> Result<()> {
        match self.store.release_lease(&context.lease()).await {
            // It has changed hands, or ended, already.
            Err(StoreError::Conflict(_)) => Ok(()),
            done => done,
        }
    }

    async fn end(&self, context: &JobContext, outcome: Result<Value, JobFailure>) -> Result<()> {
        let workspace = &context.workspace;
        let Some(standing) = self.store.job(workspace, context.job().id).await? else { return Ok(()) };
        // In the name of this claim, whatever stands there.
        let mut job = Job { lease: context.job().lease, ..standing };
        job.progress = context.progress();
        job.finished_at = Some(Timestamp::now());
        match outcome {
            Ok(result) => (job.state, job.result) = (JobState::Succeeded, Some(result)),
            Err(JobFailure::Failed { code, detail }) => {
                (job.state, job.error) = (JobState::Failed, Some((code, detail)));
            }
            Err(_) => job.state = JobState::Cancelled,
        }
        match self.store.update_job(workspace, &job).await {
            Ok(()) => {}
            Err(StoreError::Conflict(_)) => return Ok(()),
            Err(error) => return Err(error),
        }
        let code = job.error.as_ref().map(|error| error.0.as_str());
        tracing::info!(job = %job.id, state = ?job.state, code, "job {} ended", job.id);
        if let Some(work) = self.works.get(&job.kind) {
            work.clear_away(&job).await;
        }
        Ok(())
    }
}
