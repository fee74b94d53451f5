//! A job at work, as its [`Work`](super::Work) and the API see it.

use super::JobFailure;
use crate::domain::{Job, Progress, WorkspaceId};
use crate::store::{Checkpoint, Lease};
use serde_json::Value;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

/// Why a job shall leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Signal {
    GoOn,
    /// Somebody cancelled it.
    Cancel,
    /// The process is stopping.
    Interrupt,
    /// Another process is at the job now, or it has ended.
    Lost,
}

pub struct JobContext {
    pub workspace: WorkspaceId,
    job: Job,
    progress: Mutex<Progress>,
    signal: AtomicU8,
}

impl JobContext {
    pub(super) fn new(workspace: WorkspaceId, job: Job) -> Self {
        let signal = if job.lease.cancel_asked { Signal::Cancel } else { Signal::GoOn };
        Self { workspace, progress: Mutex::new(job.progress.clone()), job, signal: AtomicU8::new(signal as u8) }
    }

    pub fn job(&self) -> &Job {
        &self.job
    }

    /// In whose name the job's work is written.
    pub fn lease(&self) -> Lease {
        Lease { workspace: self.workspace.clone(), job: self.job.id, token: self.job.lease.token }
    }

    /// Where to go on from, written with the work that leads there.
    pub fn checkpoint(&self, progress: Progress, checkpoint: Value) -> Checkpoint {
        Checkpoint { job: self.job.id, token: self.job.lease.token, progress, checkpoint }
    }

    pub fn report(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// # Errors
    /// The job was cancelled, the process is stopping, or another one is at the job: leave at once.
    pub fn check(&self) -> Result<(), JobFailure> {
        match self.signal.load(Ordering::Relaxed) {
            signal if signal == Signal::Cancel as u8 => Err(JobFailure::Cancelled),
            signal if signal == Signal::GoOn as u8 => Ok(()),
            _ => Err(JobFailure::Interrupted),
        }
    }

    /// The first signal stands, but one to cancel gives way: what is left unfinished is cancelled by who takes it up.
    pub(super) fn signal(&self, signal: Signal) {
        let stands = self.signal.load(Ordering::Relaxed);
        if stands == Signal::GoOn as u8 || stands == Signal::Cancel as u8 {
            self.signal.store(signal as u8, Ordering::Relaxed);
        }
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
