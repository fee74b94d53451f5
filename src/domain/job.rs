//! Long work: an import, a fit, an erasure, with progress, a result, and an end.

use super::{JobId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    Import,
    Fit,
    /// What is left to do after a customer was erased.
    Erase,
    /// Facts that have been kept for long enough are removed.
    Retention,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Accepted and waiting for its turn.
    Queued,
    /// At work; after a crash it is taken up again from its last checkpoint.
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl JobState {
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// How far a job is. `done` and `total` count the units that `phase` works through (rows, reviews, candidates of k, …).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Progress {
    pub phase: String,
    pub done: u64,
    /// Nothing while the end is not known yet.
    pub total: Option<u64>,
}

/// What a job needs of the process that does it; said when it is accepted, and kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobNeeds {
    /// The data folder that its file lies in: only a process that has the folder can do it.
    pub place: Option<Uuid>,
    /// Of a workspace's jobs with one subject, one runs at a time.
    pub subject: Option<String>,
}

/// Who is at a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobLease {
    /// Grows whenever the job changes hands: when it is claimed, given back or taken away. What is written in the name of an older
    /// one is refused.
    pub token: u64,
    /// Whether a process holds it at this moment, by the store's clock.
    pub is_held: bool,
    /// Its holder shall leave it.
    pub cancel_asked: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub id: JobId,
    pub kind: JobKind,
    pub state: JobState,
    /// What was asked for: the kind's own settings, as JSON.
    pub request: Value,
    pub progress: Progress,
    /// Where to go on after an interruption: the kind's own, as JSON. Written in the same transaction as the work it covers.
    pub checkpoint: Option<Value>,
    /// What came of it, when it succeeded.
    pub result: Option<Value>,
    /// Why it failed: a code of the error table and a sentence.
    pub error: Option<(String, String)>,
    /// The caller's own key: the same key again is answered with the same job.
    pub idempotency_key: Option<String>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub needs: JobNeeds,
    pub lease: JobLease,
}
