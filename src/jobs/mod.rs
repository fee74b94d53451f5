//! Long work: accepted durably, done one after the other a kind, seen while it runs, cancelled, taken up again after a crash, and
//! shared out between the processes on one store by leases.

mod context;
mod dry_run;
mod erase;
mod fit;
mod import;
mod rejects;
mod retention;
mod uploads;
mod worker;

pub use context::JobContext;
pub use dry_run::{Looked, ReadAs};
pub use erase::{EraseRequest, EraseWork};
pub use fit::{FitRequest, FitWork};
pub use import::{FoundRule, ImportReport, ImportRequest, ImportWork};
pub use rejects::Rejects;
pub use retention::{ForgetTexts, RetentionRequest, RetentionWork};

use crate::domain::{Job, JobId, JobKind, JobLease, JobNeeds, JobState, Progress, Timestamp, WorkspaceId};
use crate::store::{Result, Store, StoreError};
use async_trait::async_trait;
use context::Signal;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;
use worker::Shared;

/// What one kind of job does.
#[async_trait]
pub trait Work: Send + Sync {
    /// Does the job, or goes on with it from `context.job().checkpoint`; gives its result.
    async fn run(&self, context: Arc<JobContext>) -> Result<Value, JobFailure>;

    /// Called when the job's end is on record: what it needed can go.
    async fn clear_away(&self, _ended: &Job) {}
}

/// Why a job did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobFailure {
    /// Somebody cancelled it.
    #[error("the job was cancelled")]
    Cancelled,
    /// The process is stopping, or has lost the job: it goes on elsewhere, or after the next start.
    #[error("the service is stopping")]
    Interrupted,
    /// The store was not there: the job goes on when it is back.
    #[error("the store is not there: {0}")]
    StoreAway(String),
    /// The store refused the work: the job is another process's now, or the work contradicts what is there.
    #[error("{0}")]
    Refused(String),
    #[error("{detail}")]
    Failed {
        /// A word of the error table.
        code: String,
        detail: String,
    },
}

impl From<StoreError> for JobFailure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) | StoreError::Full(why) => Self::StoreAway(why),
            StoreError::Conflict(why) => Self::Refused(why),
            error => Self::Failed { code: "internal".into(), detail: error.to_string() },
        }
    }
}

type Running = Arc<Mutex<HashMap<JobId, Arc<JobContext>>>>;

/// How a process holds its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobSettings {
    /// The process, for people who look into the store.
    pub holder: Uuid,
    /// The data folder it has.
    pub place: Option<Uuid>,
    /// How long a process that is silent keeps a job. What it did not write down within that time, another does again.
    pub lease: Duration,
    /// How often a process that is at a job says so: its progress is seen elsewhere then, and it learns that the job was cancelled.
    pub heartbeat: Duration,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self { holder: Uuid::now_v7(), place: None, lease: Duration::from_secs(30), heartbeat: Duration::from_secs(10) }
    }
}

/// The jobs of a process: one of each kind at a time; an import runs beside a fit. Processes on one store share the jobs out.
pub struct Jobs {
    shared: Arc<Shared>,
    worker: Mutex<Option<JoinHandle<()>>>,
    stopping: watch::Sender<bool>,
}

impl Jobs {
    /// Starts a process's share of the work. Call within a tokio runtime. No job is taken up before one is accepted here, or
    /// [`Jobs::resume`] is called.
    pub fn start(store: Arc<dyn Store>, works: Vec<(JobKind, Arc<dyn Work>)>, settings: JobSettings) -> Self {
        let shared = Arc::new(Shared {
            store,
            works: works.into_iter().collect(),
            running: Running::default(),
            settings,
            wake: Notify::new(),
            takes_up: AtomicBool::new(false),
        });
        let stopping = watch::Sender::new(false);
        let worker = tokio::spawn(Arc::clone(&shared).work_through(stopping.subscribe()));
        Self { shared, worker: Mutex::new(Some(worker)), stopping }
    }

    /// The data folder of this process.
    pub fn place(&self) -> Option<Uuid> {
        self.shared.settings.place
    }

    /// From now on takes up jobs that nobody is at, whoever accepted them. How many there are.
    ///
    /// # Errors
    /// The store's own.
    pub async fn resume(&self) -> Result<usize> {
        let unfinished = self.shared.store.unfinished_jobs().await?;
        self.take_up();
        Ok(unfinished.iter().filter(|(_, job)| !job.lease.is_held).count())
    }

    /// Looks for jobs from now on, and at once: one was added that the store made itself.
    pub fn take_up(&self) {
        self.shared.takes_up.store(true, Ordering::Relaxed);
        self.shared.wake.notify_one();
    }

    /// Accepts a job durably. The same idempotency key again gives the job that stands.
    ///
    /// # Errors
    /// The store's own.
    pub async fn submit(&self, workspace: &WorkspaceId, ask: JobAsk) -> Result<Job> {
        let standing = self.shared.store.create_job(workspace, &ask.job(Timestamp::now())).await?;
        self.take_up();
        Ok(standing)
    }

    /// A job with its progress of this moment.
    ///
    /// # Errors
    /// The store's own.
    pub async fn get(&self, workspace: &WorkspaceId, id: JobId) -> Result<Option<Job>> {
        Ok(self.shared.store.job(workspace, id).await?.map(|job| self.as_seen_here(job)))
    }

    /// Jobs below `before`, newest first.
    ///
    /// # Errors
    /// The store's own.
    pub async fn list(&self, workspace: &WorkspaceId, before: Option<JobId>, limit: usize) -> Result<Vec<Job>> {
        let jobs = self.shared.store.jobs(workspace, before, limit).await?;
        Ok(jobs.into_iter().map(|job| self.as_seen_here(job)).collect())
    }

    /// Asks a job to stop, whichever process is at it; it does at its next step. A job that has ended stays as it ended.
    ///
    /// # Errors
    /// The store's own, or `Missing("job")`.
    pub async fn cancel(&self, workspace: &WorkspaceId, id: JobId) -> Result<Job> {
        let job = self.shared.store.cancel_job(workspace, id, Timestamp::now()).await?;
        // Taken out first: an `if let` would hold the lock that `as_seen_here` takes again.
        let context = self.running().get(&id).cloned();
        if let Some(context) = context {
            // Here it need not wait for the next heartbeat.
            context.signal(Signal::Cancel);
        }
        Ok(self.as_seen_here(job))
    }

    /// Asks running jobs to leave at their next step and waits until they are gone, at most `patience`. What was left or had not
    /// begun is free at once: for another process, or for the next start. Says whether all left in time.
    pub async fn stop(&self, patience: Duration) -> bool {
        self.stopping.send_replace(true);
        for context in self.running().values() {
            context.signal(Signal::Interrupt);
        }
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(worker) = worker else { return true };
        let left = tokio::time::timeout(patience, worker).await.is_ok();
        let stuck: Vec<_> = self.running().values().cloned().collect();
        for context in stuck {
            // What it still writes is refused from here on.
            if let Err(error) = self.shared.give_back(&context).await {
                tracing::warn!(%error, job = %context.job().id, "a job could not be given back; others wait for the end of its lease");
            }
        }
        left
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Arc<JobContext>>> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With the progress of this moment where the job is at work here, and with what it waits for where nobody is at it.
    fn as_seen_here(&self, mut job: Job) -> Job {
        if job.state.is_final() {
            return job;
        }
        let context = self.running().get(&job.id).cloned();
        if let Some(context) = context.filter(|context| context.job().lease.token == job.lease.token) {
            job.progress = context.progress();
        } else if let Some(place) = job.needs.place
            && !job.lease.is_held
            && self.place() != Some(place)
        {
            job.progress.phase = format!("waiting for a process that has its file, in the data folder {place}");
        }
        job
    }
}

/// A job that is asked for.
#[derive(Debug, Clone)]
pub struct JobAsk {
    pub id: JobId,
    pub kind: JobKind,
    pub request: Value,
    pub idempotency_key: Option<String>,
    pub needs: JobNeeds,
}

impl JobAsk {
    pub fn new(kind: JobKind, request: Value) -> Self {
        Self { id: JobId(Uuid::now_v7()), kind, request, idempotency_key: None, needs: JobNeeds::default() }
    }

    /// As it is queued at a moment.
    pub fn job(self, created_at: Timestamp) -> Job {
        Job {
            id: self.id,
            kind: self.kind,
            state: JobState::Queued,
            request: self.request,
            progress: Progress::default(),
            checkpoint: None,
            result: None,
            error: None,
            idempotency_key: self.idempotency_key,
            created_at,
            finished_at: None,
            needs: self.needs,
            lease: JobLease::default(),
        }
    }
}
