//! Removing facts for their age, in lots.

use super::{Checkpoint, Result};
use crate::domain::{FactKind, Timestamp, WorkspaceId};
use async_trait::async_trait;

/// A lot of facts that were removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expired {
    pub n: u64,
    /// The words of the reviews among them: what is to be forgotten elsewhere too.
    pub texts: Vec<String>,
}

/// The part of the contract that is about how long facts are kept.
#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// How many facts of a kind are of before a moment.
    async fn count_expired(&self, workspace: &WorkspaceId, kind: FactKind, before: Timestamp) -> Result<u64>;
    /// The numbers (`seq`) of facts of a kind that are of before a moment, above `after`, in order.
    async fn expired(
        &self,
        workspace: &WorkspaceId,
        kind: FactKind,
        before: Timestamp,
        after: i64,
        limit: usize,
    ) -> Result<Vec<i64>>;
    /// Removes those of these facts that are there, with their vectors and quotations, in the name of a job's holder and with its
    /// checkpoint. A hash of each one's id stays, so that it never comes back as new. Customers stay. A `seq` that is gone is passed over.
    async fn remove_expired(
        &self,
        workspace: &WorkspaceId,
        kind: FactKind,
        seqs: &[i64],
        checkpoint: &Checkpoint,
    ) -> Result<Expired>;
}
