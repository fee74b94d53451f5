//! What is done with personal data in texts, by workspace.

use super::ApiState;
use super::auth::{Admin, Reader};
use super::body::Json;
use super::problem::{ApiError, ApiResult, Code, Problem};
use crate::redact::Policy;
use axum::extract::State;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// `keep`, `mask`, `drop` or `hash` for each kind of personal data in texts; `traits` for traits whose name says what they are.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what Policy parses")]
pub struct PolicyBody {
    email: Option<String>,
    phone: Option<String>,
    id: Option<String>,
    card: Option<String>,
    iban: Option<String>,
    ip: Option<String>,
    url: Option<String>,
    address: Option<String>,
    name: Option<String>,
    /// By kind, the certainty (0 to 1) from which a finding counts.
    #[schema(value_type = Option<Object>)]
    min_certainty: Option<Value>,
    #[schema(value_type = Option<Object>)]
    traits: Option<Value>,
}

/// What is done with personal data before it is kept.
#[utoipa::path(get, path = "/v1/redaction", tag = "privacy", security(("key" = [])),
    responses((status = 200, body = PolicyBody), (status = "default", body = Problem)))]
pub async fn get_policy(caller: Reader, State(state): State<ApiState>) -> ApiResult<axum::Json<Policy>> {
    Ok(axum::Json(state.intake.policy(&caller.workspace).await?))
}

/// Replace the policy: it holds for what is sent from now on. A kind that is left out has the default.
#[utoipa::path(put, path = "/v1/redaction", tag = "privacy", security(("key" = [])), request_body = PolicyBody,
    responses((status = 200, body = PolicyBody), (status = "default", body = Problem)))]
pub async fn put_policy(
    caller: Admin,
    State(state): State<ApiState>,
    Json(asked): Json<Map<String, Value>>,
) -> ApiResult<axum::Json<Policy>> {
    let policy = Policy::try_from(asked).map_err(|error| {
        let pointer = format!("/{}", error.key.replace('.', "/"));
        ApiError::field(Code::InvalidField, pointer, error.to_string())
    })?;
    state.intake.set_policy(&caller.workspace, &policy).await?;
    Ok(axum::Json(policy))
}
