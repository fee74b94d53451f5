//! Ways of dividing customers: define, fit, and place a text that is not stored.

use super::ApiState;
use super::auth::{Manager, Reader};
use super::body::Json;
use super::customers::unknown as unknown_customer;
use super::definition::definition;
use super::imports::{accepted, idempotency_key};
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::{AssignAsk, AssignBody, AssignedBody, DefinitionAsk, JobBody, Page, SegmentationBody};
use crate::domain::{CustomerId, Definition, JobKind, KChoice, Segmentation, SegmentationName, Timestamp, WorkspaceId};
use crate::jobs::{FitRequest, JobAsk};
use crate::segment::{Assigned, LiveVersion, assign_customer, assign_texts};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use std::sync::Arc;

/// Texts in one `assign`.
const MAX_TEXTS: usize = 100;

/// All segmentations of the workspace, by name.
#[utoipa::path(get, path = "/v1/segmentations", tag = "segmentations", security(("key" = [])),
    responses((status = 200, body = Page<SegmentationBody>), (status = "default", body = Problem)))]
pub async fn list_segmentations(
    caller: Reader,
    State(state): State<ApiState>,
) -> ApiResult<axum::Json<Page<SegmentationBody>>> {
    let all = state.store.segmentations(&caller.workspace).await?;
    Ok(axum::Json(Page::whole(all.into_iter().map(Into::into).collect())))
}

/// A segmentation and its definition.
#[utoipa::path(get, path = "/v1/segmentations/{segmentation}", tag = "segmentations", security(("key" = [])),
    params(("segmentation" = String, Path)),
    responses((status = 200, body = SegmentationBody), (status = "default", body = Problem)))]
pub async fn get_segmentation(
    caller: Reader,
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> ApiResult<axum::Json<SegmentationBody>> {
    let name = SegmentationName::parse(&name)?;
    let segmentation = state.store.segmentation(&caller.workspace, &name).await?.ok_or_else(|| unknown(&name))?;
    Ok(axum::Json(segmentation.into()))
}

/// Define a segmentation, or change its definition; nothing is fitted yet.
#[utoipa::path(put, path = "/v1/segmentations/{segmentation}", tag = "segmentations", security(("key" = [])),
    params(("segmentation" = String, Path)), request_body = DefinitionAsk,
    responses((status = 200, body = SegmentationBody), (status = "default", body = Problem)))]
pub async fn put_segmentation(
    caller: Manager,
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Json(ask): Json<DefinitionAsk>,
) -> ApiResult<axum::Json<SegmentationBody>> {
    let name = SegmentationName::parse(&name)?;
    let definition = definition(&state, &caller.workspace, &name, ask).await?;
    let segmentation = Segmentation { name, definition, created_at: Timestamp::now(), live_version: None };
    Ok(axum::Json(state.store.put_segmentation(&caller.workspace, &segmentation).await?.into()))
}

/// Fit the segmentation on all facts that count and publish the result as its next version: a job.
#[utoipa::path(post, path = "/v1/segmentations/{segmentation}/fit", tag = "segmentations", security(("key" = [])),
    params(("segmentation" = String, Path)), request_body = DefinitionAsk,
    responses((status = 202, body = JobBody), (status = "default", body = Problem)))]
pub async fn fit(
    caller: Manager,
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(ask): Json<DefinitionAsk>,
) -> ApiResult<Response> {
    let name = SegmentationName::parse(&name)?;
    let definition = definition(&state, &caller.workspace, &name, ask).await?;
    let k = match definition.k {
        KChoice::Auto => "auto".to_owned(),
        KChoice::Fixed(k) => k.to_string(),
    };
    let subject = FitRequest::subject(&name);
    let Definition { model, seed, inputs, algorithm, .. } = definition;
    let request = FitRequest { segmentation: name, model, k, seed, inputs, algorithm };
    let request = serde_json::to_value(request).map_err(|e| ApiError::new(Code::Internal, e.to_string()))?;
    let mut job = JobAsk::new(JobKind::Fit, request);
    job.idempotency_key = idempotency_key(&headers)?;
    job.needs.subject = Some(subject);
    Ok(accepted(state.jobs.submit(&caller.workspace, job).await?))
}

/// Which segment would the writer of this text be in, or this customer by their facts of now? Nothing is stored.
#[utoipa::path(post, path = "/v1/segmentations/{segmentation}/assign", tag = "lookup", security(("key" = [])),
    params(("segmentation" = String, Path)), request_body = AssignAsk,
    responses((status = 200, body = AssignBody), (status = "default", body = Problem)))]
pub async fn assign(
    caller: Reader,
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Json(ask): Json<AssignAsk>,
) -> ApiResult<axum::Json<AssignBody>> {
    let asked = Asked::of(ask)?;
    let live = live(&state, &caller.workspace, &name).await?;
    let model = match live.version.model_fingerprint.is_empty() {
        true => None,
        false => Some(state.models.get(&live.version.definition.model).await?),
    };
    let (assigned, n_truncated): (Vec<Assigned>, usize) = match asked {
        Asked::Texts(texts) => assign_texts(&live, model.as_deref(), texts).await?,
        Asked::Customer(id) => {
            let found = assign_customer(&live, model.as_deref(), (&*state.store, &caller.workspace), &id).await?;
            let (assigned, n_truncated) = found.ok_or_else(|| unknown_customer(&id))?;
            (vec![assigned], n_truncated)
        }
    };
    Ok(axum::Json(AssignBody {
        segmentation: live.version.segmentation.to_string(),
        version: live.version.number,
        model: live.version.model_fingerprint.clone(),
        n_truncated,
        data: assigned.into_iter().map(|one| AssignedBody::new(&live, one)).collect(),
    }))
}

/// Who is to be placed.
enum Asked {
    Texts(Vec<String>),
    Customer(CustomerId),
}

impl Asked {
    fn of(ask: AssignAsk) -> ApiResult<Self> {
        match (ask.text, ask.texts, ask.customer) {
            (Some(text), None, None) => Ok(Self::Texts(vec![text])),
            (None, Some(texts), None) if (1..=MAX_TEXTS).contains(&texts.len()) => Ok(Self::Texts(texts)),
            (None, None, Some(id)) => {
                let id = CustomerId::parse(&id);
                let id = id.map_err(|e| ApiError::field(Code::InvalidField, "/customer", e.to_string()))?;
                Ok(Self::Customer(id))
            }
            _ => {
                let detail = format!("give `text`, or `texts` with 1 to {MAX_TEXTS} entries, or `customer`");
                Err(ApiError::field(Code::InvalidField, "/text", detail))
            }
        }
    }
}

/// The segmentation's live version.
///
/// # Errors
/// There is no such segmentation, or it was never fitted.
pub async fn live(state: &ApiState, workspace: &WorkspaceId, name: &str) -> ApiResult<Arc<LiveVersion>> {
    let name = SegmentationName::parse(name)?;
    if let Some(live) = state.snapshots.live(workspace, &name) {
        return Ok(live);
    }
    match state.store.segmentation(workspace, &name).await? {
        Some(_) => Err(crate::segment::SegmentError::NoLiveVersion(name).into()),
        None => Err(unknown(&name)),
    }
}

pub fn unknown(name: &SegmentationName) -> ApiError {
    ApiError::not_found(&format!("the segmentation {name}"))
}
