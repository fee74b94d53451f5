//! The workspace, its jobs and its keys.

use crate::domain::{self, Job, Key, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
pub struct WorkspaceBody {
    pub workspace: String,
    pub customers: u64,
    pub reviews: u64,
    pub events: u64,
    pub orders: u64,
    pub items: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JobErrorBody {
    pub code: String,
    pub detail: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JobBody {
    pub id: String,
    /// `import`, `fit`, `erase` or `retention`.
    #[schema(value_type = String)]
    pub kind: domain::JobKind,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    #[schema(value_type = String)]
    pub state: domain::JobState,
    #[schema(value_type = Object)]
    pub progress: domain::Progress,
    #[schema(value_type = Object)]
    pub result: Option<Value>,
    pub error: Option<JobErrorBody>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

impl From<Job> for JobBody {
    fn from(job: Job) -> Self {
        Self {
            id: job.id.to_string(),
            kind: job.kind,
            state: job.state,
            progress: job.progress,
            result: job.result,
            error: job.error.map(|(code, detail)| JobErrorBody { code, detail }),
            created_at: job.created_at,
            finished_at: job.finished_at,
        }
    }
}

/// `POST /v1/keys`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyAsk {
    /// What to call it.
    pub label: String,
    /// Of `write`, `read`, `manage`, `admin`.
    pub scopes: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct KeyBody {
    pub id: String,
    pub workspace: String,
    pub label: String,
    #[schema(value_type = Vec<String>)]
    pub scopes: Vec<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// Shown this once, when the key is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl From<Key> for KeyBody {
    fn from(key: Key) -> Self {
        Self {
            id: key.id.to_string(),
            workspace: key.workspace.to_string(),
            label: key.label,
            scopes: key.scopes.names(),
            created_at: key.created_at,
            revoked_at: key.revoked_at,
            secret: None,
        }
    }
}
