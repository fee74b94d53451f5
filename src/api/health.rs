//! For operators: is it alive, is it ready, what does it run, how much has it done.

use super::ApiState;
use super::auth::Reader;
use super::problem::{ApiResult, Problem};
use super::wire::Page;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// The store has to answer the readiness probe by then.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelBody {
    /// What it was asked for as.
    pub name: String,
    pub id: String,
    pub fingerprint: String,
    pub dimension: usize,
    pub max_tokens: usize,
    pub prefix: String,
    pub device: String,
    pub precision: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ReadyBody {
    pub ready: bool,
    pub store: String,
}

/// Models in memory now.
#[utoipa::path(get, path = "/v1/models/loaded", tag = "operations", security(("key" = [])),
    responses((status = 200, body = Page<ModelBody>), (status = "default", body = Problem)))]
pub async fn models(_: Reader, State(state): State<ApiState>) -> ApiResult<axum::Json<Page<ModelBody>>> {
    let models = state.models.loaded().await.into_iter().map(|(name, info)| ModelBody {
        name,
        id: info.id,
        fingerprint: info.fingerprint,
        dimension: info.dimension,
        max_tokens: info.max_tokens,
        prefix: info.prefix,
        device: info.device,
        precision: info.precision.to_string(),
    });
    Ok(axum::Json(Page::whole(models.collect())))
}

/// The process answers.
#[utoipa::path(get, path = "/health/live", tag = "operations", responses((status = 200, description = "Alive", body = String)))]
pub async fn live() -> &'static str {
    "alive\n"
}

/// The service can do its work: the store answers.
#[utoipa::path(get, path = "/health/ready", tag = "operations",
    responses((status = 200, body = ReadyBody), (status = 503, body = ReadyBody)))]
pub async fn ready(State(state): State<ApiState>) -> Response {
    let store = match tokio::time::timeout(READY_TIMEOUT, state.store.ping()).await {
        Ok(Ok(())) => "ok",
        Ok(Err(_)) => "unavailable",
        Err(_) => "slow",
    };
    let body = ReadyBody { ready: store == "ok", store: store.into() };
    if body.ready {
        return axum::Json(body).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "2")], axum::Json(body)).into_response()
}

/// Counters and histograms in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(State(state): State<ApiState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], state.metrics.render())
}
