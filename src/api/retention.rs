//! How long facts are kept, by workspace, and the job that removes what is older.

use super::ApiState;
use super::auth::{Admin, Manager, Reader};
use super::body::Json;
use super::imports::{accepted, idempotency_key};
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::JobBody;
use crate::domain::{FactKind, JobKind, Retention, WorkspaceId};
use crate::jobs::{JobAsk, RetentionRequest};
use crate::store::StoreError;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A hundred years.
const MAX_DAYS: u64 = 36_525;

/// Days that facts are kept after their time; `null`, or left out, is for ever.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what Retention reads and writes")]
pub struct RetentionBody {
    /// 1 to 36,525.
    events: Option<u32>,
    reviews: Option<u32>,
    orders: Option<u32>,
    refunds: Option<u32>,
}

/// `POST /v1/retention:run`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunAsk {
    /// Count what would be removed, and remove nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// By what to count instead of what the workspace says; for a dry run only.
    #[schema(value_type = Option<RetentionBody>)]
    pub retention: Option<Map<String, Value>>,
}

/// How long facts are kept.
#[utoipa::path(get, path = "/v1/retention", tag = "privacy", security(("key" = [])),
    responses((status = 200, body = RetentionBody), (status = "default", body = Problem)))]
pub async fn get_retention(caller: Reader, State(state): State<ApiState>) -> ApiResult<axum::Json<Retention>> {
    Ok(axum::Json(standing(&state, &caller.workspace).await?))
}

/// Replace how long facts are kept. Older facts are refused from now on, and removed by a job within a day. There is no way back.
#[utoipa::path(put, path = "/v1/retention", tag = "privacy", security(("key" = [])), request_body = RetentionBody,
    responses((status = 200, body = RetentionBody), (status = "default", body = Problem)))]
pub async fn put_retention(
    caller: Admin,
    State(state): State<ApiState>,
    Json(asked): Json<Map<String, Value>>,
) -> ApiResult<axum::Json<Retention>> {
    let retention = parse("", &asked)?;
    let value = serde_json::to_value(retention).map_err(|e| ApiError::new(Code::Internal, e.to_string()))?;
    state.store.put_setting(&caller.workspace, Retention::NAME, &value).await?;
    Ok(axum::Json(retention))
}

/// Remove now what is older than it is kept, as a job; or count it. It runs by itself once a day.
#[utoipa::path(post, path = "/v1/retention:run", tag = "privacy", security(("key" = [])), request_body = RunAsk,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = JobBody), (status = "default", body = Problem)))]
pub async fn run(
    caller: Manager,
    State(state): State<ApiState>,
    headers: HeaderMap,
    Json(asked): Json<RunAsk>,
) -> ApiResult<Response> {
    let retention = match &asked.retention {
        Some(retention) if asked.dry_run => parse("/retention", retention)?,
        Some(_) => {
            let detail = "/retention is for a dry run; put what shall hold to /v1/retention";
            return Err(ApiError::field(Code::InvalidField, "/retention", detail));
        }
        None => standing(&state, &caller.workspace).await?,
    };
    let request = serde_json::to_value(RetentionRequest { retention, dry_run: asked.dry_run });
    let request = request.map_err(|e| ApiError::new(Code::Internal, e.to_string()))?;
    let mut job = JobAsk::new(JobKind::Retention, request);
    job.idempotency_key = idempotency_key(&headers)?;
    Ok(accepted(state.jobs.submit(&caller.workspace, job).await?))
}

async fn standing(state: &ApiState, workspace: &WorkspaceId) -> ApiResult<Retention> {
    match state.store.setting(workspace, Retention::NAME).await? {
        None => Ok(Retention::default()),
        Some(value) => Ok(serde_json::from_value(value).map_err(|why| StoreError::Corrupt(why.to_string()))?),
    }
}

fn parse(at: &str, asked: &Map<String, Value>) -> ApiResult<Retention> {
    for (name, days) in asked {
        let pointer = format!("{at}/{name}");
        if !FactKind::ALL.iter().any(|kind| kind.name() == name) {
            let detail = format!("{name} is no kind of facts; events, reviews, orders and refunds are");
            return Err(ApiError::field(Code::UnknownField, pointer, detail));
        }
        if !days.is_null() && !days.as_u64().is_some_and(|days| (1..=MAX_DAYS).contains(&days)) {
            let detail = format!("{name} takes 1 to {MAX_DAYS} whole days, or null for ever");
            return Err(ApiError::field(Code::InvalidField, pointer, detail));
        }
    }
    serde_json::from_value(Value::Object(asked.clone()))
        .map_err(|why| ApiError::field(Code::InvalidField, at, why.to_string()))
}
