//! Long work: see it, cancel it.

use super::ApiState;
use super::auth::{Manager, Reader};
use super::body::Query;
use super::cursor::List;
use super::customers::{PageParams, page};
use super::problem::{ApiError, ApiResult, Problem};
use super::wire::{JobBody, Page};
use crate::domain::{JobId, JobKind, JobState};
use axum::extract::{Path, State};

/// Jobs, newest first.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", security(("key" = [])), params(PageParams),
    responses((status = 200, body = Page<JobBody>), (status = "default", body = Problem)))]
pub async fn list_jobs(
    caller: Reader,
    State(state): State<ApiState>,
    Query(params): Query<PageParams>,
) -> ApiResult<axum::Json<Page<JobBody>>> {
    let limit = params.limit()?;
    let list = List::new(&["jobs", caller.workspace.as_str()]);
    let before = list.key(params.cursor.as_deref())?.map(|key| JobId::parse(&key)).transpose()?;
    let rows = state.jobs.list(&caller.workspace, before, limit + 1).await?;
    Ok(axum::Json(page(rows, limit, &list, |job| job.id.to_string())))
}

/// A job with its progress of this moment.
#[utoipa::path(get, path = "/v1/jobs/{job_id}", tag = "jobs", security(("key" = [])), params(("job_id" = String, Path)),
    responses((status = 200, body = JobBody), (status = "default", body = Problem)))]
pub async fn get_job(
    caller: Reader,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> ApiResult<axum::Json<JobBody>> {
    let id = JobId::parse(&id)?;
    let job = state.jobs.get(&caller.workspace, id).await?;
    Ok(axum::Json(job.ok_or_else(|| ApiError::not_found(&format!("the job {id}")))?.into()))
}

/// Ask a job to stop. What an import has taken so far stays; a fit publishes nothing.
#[utoipa::path(delete, path = "/v1/jobs/{job_id}", tag = "jobs", security(("key" = [])), params(("job_id" = String, Path)),
    responses((status = 200, body = JobBody), (status = "default", body = Problem)))]
pub async fn cancel_job(
    caller: Manager,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> ApiResult<axum::Json<JobBody>> {
    let job = state.jobs.cancel(&caller.workspace, JobId::parse(&id)?).await?;
    if job.kind == JobKind::Import && job.state == JobState::Cancelled {
        // Of one that had not begun nobody else would clear it away before the next start.
        super::imports::discard(&state.uploads_dir.join(job.id.to_string())).await;
    }
    Ok(axum::Json(job.into()))
}
