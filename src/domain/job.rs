//! Long work: an import, a fit, an erasure, with progress, a result, and an end.

use super::{JobId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    Import,
    Fit,
    /// What is left to do after a customer was erased.
    Erase,
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
}
