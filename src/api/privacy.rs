//! What a customer may ask for: everything that is kept of them, and that it be no more.

use super::ApiState;
use super::auth::{Manager, Reader};
use super::customers::{places_of, unknown};
use super::imports::accepted;
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::{
    ConsentBody, CustomerBody, EventBody, ExportBody, JobBody, OrderBody, RefundBody, ReviewBody, SuppressionBody,
};
use crate::domain::{CustomerId, Job, JobKind, Timestamp, WorkspaceId};
use crate::jobs::{EraseRequest, JobAsk};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::Arc;

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
    let segments = places_of(&state, workspace, &customer);
    let reviews = store.customer_reviews(workspace, &id, usize::MAX).await?;
    let body = ExportBody {
        exported_at: Timestamp::now(),
        consent: ConsentBody::new(
            &customer.id,
            store.consent(workspace, &id).await?,
            &state.intake.consent_settings(workspace).await?,
        ),
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
    // In a task of its own: memory forgets what the store has erased, also when the caller hangs up in between.
    let erasing = tokio::spawn(async move { erase(&state, &caller.workspace, &id).await });
    erasing.await.map_err(|e| ApiError::new(Code::Internal, e.to_string()))?.map(accepted)
}

async fn erase(state: &ApiState, workspace: &WorkspaceId, id: &CustomerId) -> ApiResult<Job> {
    // The job must not bring the id back: it knows its hash.
    let hash = Sha256::digest(id.as_str()).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let request = serde_json::to_value(EraseRequest { customer_sha256: hash });
    let request = request.map_err(|e| ApiError::new(Code::Internal, e.to_string()))?;
    let job = JobAsk::new(JobKind::Erase, request).job(Timestamp::now());
    let erased = state.store.erase_customer(workspace, id, &job).await?.ok_or_else(|| unknown(id))?;
    state.models.purge_texts(&erased.texts);
    state.snapshots.forget(workspace, &erased.ids);
    state.intake.consents().forget(workspace, &erased.ids).await;
    // Some of what was quoted may have been quoted under another.
    if erased.removed.typical_reviews > 0
        && let Err(error) = state.snapshots.reload(&*state.store, workspace).await
    {
        tracing::warn!(%error, "live versions cannot be read at the moment; what they quote of an erased customer goes with the next change");
    }
    forget_rejects(state, erased.ids).await;
    state.jobs.take_up();
    Ok(erased.job)
}

/// By the ids themselves, which finds more than the job can by their hashes. Where it cannot be done, the job says so.
async fn forget_rejects(state: &ApiState, ids: Vec<CustomerId>) {
    let rejects = Arc::clone(&state.rejects);
    let forget = move || rejects.forget(&ids.iter().map(CustomerId::as_str).collect::<Vec<_>>());
    if !matches!(tokio::task::spawn_blocking(forget).await, Ok(Ok(()))) {
        tracing::warn!("rejected rows could not be searched for an erased customer; the erasure's job tries again");
    }
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
