//! What a customer may ask for: everything that is kept of them, and that it be no more.

use super::ApiState;
use super::auth::{Manager, Reader};
use super::customers::{look_up_any, unknown};
use super::imports::accepted;
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::{CustomerBody, EventBody, ExportBody, JobBody, OrderBody, RefundBody, ReviewBody, SuppressionBody};
use crate::domain::{CustomerId, JobKind, Timestamp, WorkspaceId};
use crate::jobs::{EraseRequest, JobAsk};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Events read at a time.
const PAGE: usize = 1_000;

/// Everything that is kept of a customer, as one JSON document.
#[utoipa::path(get, path = "/v1/customers/{customer_id}/export", tag = "privacy", security(("key" = [])),
    params(("customer_id" = String, Path)),
    responses((status = 200, body = ExportBody), (status = "default", body = Problem)))]
pub async fn export_customer(
    caller: Reader,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let id = CustomerId::parse(&id)?;
    let (store, workspace) = (&state.store, &caller.workspace);
    let customer = store.customer(workspace, &id).await?.ok_or_else(|| unknown(&id))?;
    let segments = look_up_any(&state, workspace, &customer);
    let reviews = store.customer_reviews(workspace, &id, usize::MAX).await?;
    let body = ExportBody {
        exported_at: Timestamp::now(),
        customer: CustomerBody::from(customer),
        segments,
        events: events(&state, workspace, &id).await?,
        reviews: reviews.into_iter().map(ReviewBody::from).collect(),
        orders: store.customer_orders(workspace, &id, usize::MAX).await?.into_iter().map(OrderBody::from).collect(),
        refunds: store.customer_refunds(workspace, &id, usize::MAX).await?.into_iter().map(RefundBody::from).collect(),
    };
    let disposition = [(header::CONTENT_DISPOSITION, "attachment; filename=\"customer.json\"")];
    Ok((disposition, axum::Json(body)).into_response())
}

async fn events(state: &ApiState, workspace: &WorkspaceId, id: &CustomerId) -> ApiResult<Vec<EventBody>> {
    let mut events: Vec<EventBody> = Vec::new();
    let mut before = None;
    loop {
        let page = state.store.customer_events(workspace, id, before, PAGE).await?;
        before = page.last().map(|last| (last.event.time, last.seq));
        let is_last = page.len() < PAGE;
        events.extend(page.into_iter().map(EventBody::from));
        if is_last {
            return Ok(events);
        }
    }
}

/// Erase a customer: every fact, under every id that counts for them, in every version and cache. It is done in one step before this
/// is answered; the job then empties the store's logs, and its result is the proof. What comes under these ids later is not kept.
#[utoipa::path(delete, path = "/v1/customers/{customer_id}", tag = "privacy", security(("key" = [])),
    params(("customer_id" = String, Path)),
    responses((status = 202, body = JobBody), (status = "default", body = Problem)))]
pub async fn erase_customer(
    caller: Manager,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let id = CustomerId::parse(&id)?;
    let now = Timestamp::now();
    let erased = state.store.erase_customer(&caller.workspace, &id, now).await?.ok_or_else(|| unknown(&id))?;
    state.models.purge_texts(&erased.texts);
    state.snapshots.forget(&caller.workspace, &erased.ids);
    // The job must not bring the id back: it knows its hash.
    let hash = Sha256::digest(id.as_str()).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let request = EraseRequest { customer_sha256: hash, erased_at: now, removed: erased.removed };
    let request = serde_json::to_value(request).map_err(|e| ApiError::new(Code::Internal, e.to_string()))?;
    let job = state.jobs.submit(&caller.workspace, JobAsk::new(JobKind::Erase, request)).await?;
    Ok(accepted(job))
}

/// Let an erased id come back: facts about it are kept again from now on.
#[utoipa::path(delete, path = "/v1/suppressions/{customer_id}", tag = "privacy", security(("key" = [])),
    params(("customer_id" = String, Path)),
    responses((status = 200, body = SuppressionBody), (status = "default", body = Problem)))]
pub async fn lift_suppression(
    caller: Manager,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> ApiResult<axum::Json<SuppressionBody>> {
    let id = CustomerId::parse(&id)?;
    let lifted = state.store.lift_suppression(&caller.workspace, &id).await?;
    Ok(axum::Json(SuppressionBody { customer_id: id.to_string(), lifted }))
}
