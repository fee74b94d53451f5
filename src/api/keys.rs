//! Keys: make, list, revoke.

use super::ApiState;
use super::auth::{Admin, new_secret, secret_hash};
use super::body::Json;
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::{KeyAsk, KeyBody, Page};
use crate::domain::{Key, KeyId, Scopes, Timestamp};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use uuid::Uuid;

/// The workspace's keys, oldest first, without their secrets.
#[utoipa::path(get, path = "/v1/keys", tag = "operations", security(("key" = [])),
    responses((status = 200, body = Page<KeyBody>), (status = "default", body = Problem)))]
pub async fn list_keys(caller: Admin, State(state): State<ApiState>) -> ApiResult<axum::Json<Page<KeyBody>>> {
    let keys = state.store.keys(&caller.workspace).await?;
    Ok(axum::Json(Page::whole(keys.into_iter().map(Into::into).collect())))
}

/// Make a key. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/v1/keys", tag = "operations", security(("key" = [])), request_body = KeyAsk,
    responses((status = 201, body = KeyBody), (status = "default", body = Problem)))]
pub async fn create_key(
    caller: Admin,
    State(state): State<ApiState>,
    Json(ask): Json<KeyAsk>,
) -> ApiResult<(StatusCode, axum::Json<KeyBody>)> {
    let label = ask.label.trim();
    if label.is_empty() || label.chars().count() > 100 || label.chars().any(char::is_control) {
        return Err(ApiError::field(Code::InvalidField, "/label", "`label` takes 1 to 100 printable characters"));
    }
    let scopes = Scopes::parse(&ask.scopes.join(","))?;
    let secret = new_secret().map_err(|error| ApiError::new(Code::Internal, format!("no randomness: {error}")))?;
    let key = Key {
        id: KeyId(Uuid::now_v7()),
        workspace: caller.workspace,
        label: label.to_owned(),
        scopes,
        created_at: Timestamp::now(),
        revoked_at: None,
    };
    state.store.add_key(&key, &secret_hash(&secret)).await?;
    state.access.refresh();
    Ok((StatusCode::CREATED, axum::Json(KeyBody { secret: Some(secret), ..key.into() })))
}

/// Revoke a key. Other processes believe it for a second more, five at most.
#[utoipa::path(delete, path = "/v1/keys/{key_id}", tag = "operations", security(("key" = [])), params(("key_id" = String, Path)),
    responses((status = 204, description = "Revoked"), (status = "default", body = Problem)))]
pub async fn revoke_key(caller: Admin, State(state): State<ApiState>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    state.store.revoke_key(&caller.workspace, KeyId::parse(&id)?, Timestamp::now()).await?;
    state.access.refresh();
    Ok(StatusCode::NO_CONTENT)
}
