//! Long work: accepted durably, done one after the other a kind, seen while it runs, cancelled, taken up again after a crash.

mod dry_run;
mod erase;
mod fit;
mod import;
mod rejects;
mod uploads;

pub use dry_run::{Looked, ReadAs};
pub use erase::{EraseRequest, EraseWork};
pub use fit::{FitRequest, FitWork};
pub use import::{ImportReport, ImportRequest, ImportWork};
pub use rejects::Rejects;

use crate::domain::{Job, JobId, JobKind, JobState, Progress, Timestamp, WorkspaceId};
use crate::store::{Result, Store, StoreError};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// What one kind of job does.
#[async_trait]
pub trait Work: Send + Sync {
    /// Does the job, or goes on with it from `context.job().checkpoint`; gives its result.
    async fn run(&self, context: Arc<JobContext>) -> Result<Value, JobFailure>;
}

/// Why a job did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobFailure {
    /// Somebody cancelled it.
    #[error("the job was cancelled")]
    Cancelled,
    /// The process is stopping: the job goes on after the next start.
    #[error("the service is stopping")]
    Interrupted,
    #[error("{detail}")]
    Failed {
        /// A word of the error table.
        code: String,
        detail: String,
    },
}

impl From<StoreError> for JobFailure {
    fn from(error: StoreError) -> Self {
        let code = if matches!(error, StoreError::Unavailable(_)) { "store_unavailable" } else { "internal" };
        Self::Failed { code: code.into(), detail: error.to_string() }
    }
}

const GO_ON: u8 = 0;
const CANCEL: u8 = 1;
const INTERRUPT: u8 = 2;

/// A job at work, as its [`Work`] and the API see it.
pub struct JobContext {
    pub workspace: WorkspaceId,
    job: Job,
    progress: Mutex<Progress>,
    signal: AtomicU8,
}

impl JobContext {
    pub fn job(&self) -> &Job {
        &self.job
    }

    pub fn report(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// # Errors
    /// The job was cancelled, or the process is stopping: leave at once.
    pub fn check(&self) -> Result<(), JobFailure> {
        match self.signal.load(Ordering::Relaxed) {
            CANCEL => Err(JobFailure::Cancelled),
            INTERRUPT => Err(JobFailure::Interrupted),
            _ => Ok(()),
        }
    }

    fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Running = Arc<Mutex<HashMap<JobId, Arc<JobContext>>>>;

/// The jobs of a process. Each kind has one worker: fits do not run beside each other, nor do imports; an import runs beside a fit.
pub struct Jobs {
    store: Arc<dyn Store>,
    running: Running,
    lanes: HashMap<JobKind, mpsc::UnboundedSender<(WorkspaceId, JobId)>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    stopping: watch::Sender<bool>,
}

impl Jobs {
    /// Starts a worker for each kind of work. Call within a tokio runtime.
    pub fn start(store: Arc<dyn Store>, works: Vec<(JobKind, Arc<dyn Work>)>) -> Self {
        let running = Running::default();
        let (mut lanes, mut workers) = (HashMap::new(), Vec::new());
        let stopping = watch::Sender::new(false);
        for (kind, work) in works {
            let (sender, asked) = mpsc::unbounded_channel();
            let worker = Worker { store: Arc::clone(&store), work, running: Arc::clone(&running) };
            workers.push(tokio::spawn(worker.run(asked, stopping.subscribe())));
            lanes.insert(kind, sender);
        }
        Self { store, running, lanes, workers: Mutex::new(workers), stopping }
    }

    /// Takes up every job that was not finished when the last process ended.
    ///
    /// # Errors
    /// The store's own.
    pub async fn resume(&self) -> Result<usize> {
        let unfinished = self.store.unfinished_jobs().await?;
        let n = unfinished.len();
        for (workspace, job) in unfinished {
            self.enqueue(&workspace, &job);
        }
        Ok(n)
    }

    /// Accepts a job durably. The same idempotency key again gives the job that stands.
    ///
    /// # Errors
    /// The store's own.
    pub async fn submit(&self, workspace: &WorkspaceId, ask: JobAsk) -> Result<Job> {
        let job = Job {
            id: ask.id,
            kind: ask.kind,
            state: JobState::Queued,
            request: ask.request,
            progress: Progress::default(),
            checkpoint: None,
            result: None,
            error: None,
            idempotency_key: ask.idempotency_key,
            created_at: Timestamp::now(),
            finished_at: None,
        };
        let standing = self.store.create_job(workspace, &job).await?;
        if standing.id == job.id {
            self.enqueue(workspace, &job);
        }
        Ok(standing)
    }

    /// A job with its progress of this moment.
    ///
    /// # Errors
    /// The store's own.
    pub async fn get(&self, workspace: &WorkspaceId, id: JobId) -> Result<Option<Job>> {
        Ok(self.store.job(workspace, id).await?.map(|job| self.with_progress(job)))
    }

    /// Jobs below `before`, newest first.
    ///
    /// # Errors
    /// The store's own.
    pub async fn list(&self, workspace: &WorkspaceId, before: Option<JobId>, limit: usize) -> Result<Vec<Job>> {
        let jobs = self.store.jobs(workspace, before, limit).await?;
        Ok(jobs.into_iter().map(|job| self.with_progress(job)).collect())
    }

    /// Asks a job to stop; it does at its next step. A job that has ended stays as it ended.
    ///
    /// # Errors
    /// The store's own, or `Missing("job")`.
    pub async fn cancel(&self, workspace: &WorkspaceId, id: JobId) -> Result<Job> {
        let mut job = self.store.job(workspace, id).await?.ok_or(StoreError::Missing("job"))?;
        if job.state.is_final() {
            return Ok(job);
        }
        // Taken out first: an `if let` would hold the lock that `with_progress` takes again.
        let context = self.running().get(&id).cloned();
        if let Some(context) = context {
            context.signal.store(CANCEL, Ordering::Relaxed);
            return Ok(self.with_progress(job));
        }
        job.state = JobState::Cancelled;
        job.finished_at = Some(Timestamp::now());
        match self.store.update_job(workspace, &job).await {
            // It ended, or began, in this very moment: what stands is the answer.
            Err(StoreError::Conflict(_)) => self.store.job(workspace, id).await?.ok_or(StoreError::Missing("job")),
            done => done.map(|()| job),
        }
    }

    /// Asks running jobs to leave at their next step and waits until the workers are gone, at most `patience`. What was left
    /// or had not begun goes on after the next start. Says whether all left in time.
    pub async fn stop(&self, patience: Duration) -> bool {
        self.stopping.send_replace(true);
        for context in self.running().values() {
            context.signal.store(INTERRUPT, Ordering::Relaxed);
        }
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::time::timeout(patience, futures_util::future::join_all(workers)).await.is_ok()
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Arc<JobContext>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, workspace: &WorkspaceId, job: &Job) {
        if let Some(lane) = self.lanes.get(&job.kind) {
            // The receiver lives as long as the runtime; when that ends, the job waits in the store.
            let _ = lane.send((workspace.clone(), job.id));
        }
    }

    fn with_progress(&self, mut job: Job) -> Job {
        let context = self.running().get(&job.id).cloned();
        if let Some(context) = context
            && !job.state.is_final()
        {
            job.progress = context.progress();
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
}

impl JobAsk {
    pub fn new(kind: JobKind, request: Value) -> Self {
        Self { id: JobId(Uuid::now_v7()), kind, request, idempotency_key: None }
    }
}

/// Does the jobs of one kind, one after the other.
struct Worker {
    store: Arc<dyn Store>,
    work: Arc<dyn Work>,
    running: Running,
}

impl Worker {
    async fn run(self, mut asked: mpsc::UnboundedReceiver<(WorkspaceId, JobId)>, mut stopping: watch::Receiver<bool>) {
        loop {
            let next = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                next = asked.recv() => next,
            };
            let Some((workspace, id)) = next else { return };
            if let Err(error) = self.run_one(&workspace, id).await {
                tracing::error!(%error, job = %id, "job {id} could not be kept: it is tried again after the next start");
            }
        }
    }

    async fn run_one(&self, workspace: &WorkspaceId, id: JobId) -> Result<()> {
        let Some(mut job) = self.store.job(workspace, id).await? else { return Ok(()) };
        if job.state.is_final() {
            return Ok(());
        }
        let context = Arc::new(JobContext {
            workspace: workspace.clone(),
            progress: Mutex::new(job.progress.clone()),
            job: job.clone(),
            signal: AtomicU8::new(GO_ON),
        });
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&context));
        job.state = JobState::Running;
        let ended = match self.store.update_job(workspace, &job).await {
            Ok(()) => {
                tracing::info!(job = %id, kind = ?job.kind, "job {id} started");
                self.finish(Arc::clone(&context)).await
            }
            // Cancelled between the read and now.
            Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        ended
    }

    /// Does the work in a task of its own, so that a panic ends the job and not the worker, and writes down how it ended.
    async fn finish(&self, context: Arc<JobContext>) -> Result<()> {
        let (work, task_context) = (Arc::clone(&self.work), Arc::clone(&context));
        let outcome = tokio::spawn(async move { work.run(task_context).await }).await.unwrap_or_else(|_| {
            let detail = "the job hit a defect; the log says where".into();
            Err(JobFailure::Failed { code: "internal".into(), detail })
        });
        let workspace = &context.workspace;
        let Some(mut job) = self.store.job(workspace, context.job.id).await? else { return Ok(()) };
        job.progress = context.progress();
        job.finished_at = Some(Timestamp::now());
        match outcome {
            Ok(result) => (job.state, job.result) = (JobState::Succeeded, Some(result)),
            Err(JobFailure::Cancelled) => job.state = JobState::Cancelled,
            Err(JobFailure::Interrupted) => job.finished_at = None,
            Err(JobFailure::Failed { code, detail }) => {
                (job.state, job.error) = (JobState::Failed, Some((code, detail)));
            }
        }
        let code = job.error.as_ref().map(|error| error.0.as_str());
        tracing::info!(job = %job.id, state = ?job.state, code, "job {} ended", job.id);
        self.store.update_job(workspace, &job).await
    }
}
