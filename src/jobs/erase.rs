//! What is left to do after a customer was erased: rejected rows that name them are overwritten, the store's logs are emptied, and the
//! proof is written down.

use super::{JobContext, JobFailure, Rejects, Work};
use crate::domain::{CustomerId, Progress, Timestamp, WorkspaceId};
use crate::store::{Removed, Store, erased_id};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// A reader that holds the log is gone after a moment.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_millis(500);

/// What is asked for, without saying who it is. The store adds what it removed
/// ([`Store::erase_customer`]).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EraseRequest {
    /// Of the id that the erasure was asked for, in hex: whoever knows the id can check it.
    pub customer_sha256: String,
}

/// A request as the store kept it.
#[derive(Debug, Deserialize)]
struct Erasure {
    customer_sha256: String,
    removed: Removed,
    /// Jobs of an earlier program have none: their rejected rows were overwritten before.
    #[serde(default)]
    erased_ids: HashSet<String>,
}

pub struct EraseWork {
    pub store: Arc<dyn Store>,
    pub rejects: Arc<Rejects>,
}

#[async_trait]
impl Work for EraseWork {
    async fn run(&self, context: Arc<JobContext>) -> Result<Value, JobFailure> {
        let erasure: Erasure = serde_json::from_value(context.job().request.clone())
            .map_err(|e| JobFailure::Failed { code: "internal".into(), detail: e.to_string() })?;
        context.report(Progress { phase: "searching rejected rows".into(), done: 0, total: Some(2) });
        self.forget_rejects(&context.workspace, erasure.erased_ids).await?;
        context.report(Progress { phase: "sweeping".into(), done: 1, total: Some(2) });
        self.sweep(&context).await?;
        Ok(json!({
            "customer_sha256": erasure.customer_sha256,
            "erased_at": context.job().created_at,
            "removed": erasure.removed,
            "logs_emptied_at": Timestamp::now(),
        }))
    }
}

impl EraseWork {
    /// Again, and by hashes: the process that erased the customer may have died before it came to it.
    async fn forget_rejects(&self, workspace: &WorkspaceId, erased_ids: HashSet<String>) -> Result<(), JobFailure> {
        let (rejects, workspace) = (Arc::clone(&self.rejects), workspace.clone());
        let forgetting = tokio::task::spawn_blocking(move || {
            let is_erased = |word: &str| {
                let Ok(id) = CustomerId::parse(word) else { return false };
                erased_ids.contains(&hex(&erased_id(&workspace, &id)))
            };
            if erased_ids.is_empty() { Ok(()) } else { rejects.forget_where(&is_erased) }
        });
        let failed = |detail: String| JobFailure::Failed { code: "store_unavailable".into(), detail };
        let forgotten = forgetting.await.map_err(|e| failed(e.to_string()))?;
        forgotten.map_err(|e| failed(format!("rejected rows of imports cannot be searched: {e}")))
    }

    async fn sweep(&self, context: &JobContext) -> Result<(), JobFailure> {
        for _ in 1..TRIES {
            context.check()?;
            match self.store.sweep().await {
                Err(error) if error.may_pass() => tokio::time::sleep(PAUSE).await,
                swept => return Ok(swept?),
            }
        }
        Ok(self.store.sweep().await?)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
