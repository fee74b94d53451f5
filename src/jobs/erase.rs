//! What is left to do after a customer was erased: the store's logs are emptied, and the proof is written down.

use super::{JobContext, JobFailure, Work};
use crate::domain::{Progress, Timestamp};
use crate::store::{Removed, Store, StoreError};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A reader that holds the log is gone after a moment.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_millis(500);

/// What was erased, without saying who it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EraseRequest {
    /// Of the id that the erasure was asked for, in hex: whoever knows the id can check it.
    pub customer_sha256: String,
    pub erased_at: Timestamp,
    pub removed: Removed,
}

pub struct EraseWork {
    pub store: Arc<dyn Store>,
}

#[async_trait]
impl Work for EraseWork {
    async fn run(&self, context: Arc<JobContext>) -> Result<Value, JobFailure> {
        let request: EraseRequest = serde_json::from_value(context.job().request.clone())
            .map_err(|e| JobFailure::Failed { code: "internal".into(), detail: e.to_string() })?;
        context.report(Progress { phase: "sweeping".into(), done: 0, total: Some(1) });
        self.sweep(&context).await?;
        Ok(json!({
            "customer_sha256": request.customer_sha256,
            "erased_at": request.erased_at,
            "removed": request.removed,
            "logs_emptied_at": Timestamp::now(),
        }))
    }
}

impl EraseWork {
    async fn sweep(&self, context: &JobContext) -> Result<(), JobFailure> {
        for _ in 1..TRIES {
            context.check()?;
            match self.store.sweep().await {
                Err(error) if error.may_pass() => tokio::time::sleep(PAUSE).await,
                swept => return swept.map_err(failed),
            }
        }
        self.store.sweep().await.map_err(failed)
    }
}

fn failed(error: StoreError) -> JobFailure {
    JobFailure::Failed { code: "store_unavailable".into(), detail: error.to_string() }
}
