//! Which models a caller may name, and what is said of them.

use super::dialect::OpenAiProblem;
use crate::api::ApiState;
use crate::api::auth::Reader;
use crate::api::problem::{ApiError, ApiResult, Code};
use crate::api::wire::{ModelEntry, ModelList};
use crate::embed::{CatalogueModel, EmbedQueue, ModelInfo, catalogue};
use axum::extract::{Path, State};
use std::sync::Arc;

/// The model of this name, and the name it is listed under. Only catalogue models and loaded ones can be named here: whoever
/// may read is not thereby let loose on the folders of the machine.
///
/// # Errors
/// There is none of that name, or it cannot be loaded.
pub async fn named(state: &ApiState, name: &str) -> ApiResult<(String, Arc<EmbedQueue>)> {
    let id = match catalogue().find(name) {
        Some(model) => model.id.to_string(),
        None if state.models.loaded().await.iter().any(|(loaded, _)| loaded == name) => name.to_owned(),
        None => return Err(unknown(name)),
    };
    let model = state.models.get(&id).await?;
    Ok((id, model))
}

fn unknown(name: &str) -> ApiError {
    // A name may be as long as the body.
    let shown: String = name.chars().take(100).collect();
    let detail = format!("there is no model {shown:?}; GET /v1/models lists those there are");
    ApiError::field(Code::UnknownModel, "/model", detail)
}

/// Models by name: those of the catalogue, and others that are loaded.
#[utoipa::path(get, path = "/v1/models", tag = "embeddings", security(("key" = [])),
    responses((status = 200, body = ModelList), (status = "default", body = OpenAiProblem)))]
pub async fn list_models(_: Reader, State(state): State<ApiState>) -> axum::Json<ModelList> {
    axum::Json(ModelList { object: "list", data: entries(state.models.loaded().await) })
}

/// One model by id or alias.
#[utoipa::path(get, path = "/v1/models/{model}", tag = "embeddings", security(("key" = [])),
    params(("model" = String, Path, description = "An id or alias; a slash in it is sent as %2F")),
    responses((status = 200, body = ModelEntry), (status = "default", body = OpenAiProblem)))]
pub async fn get_model(
    _: Reader,
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> ApiResult<axum::Json<ModelEntry>> {
    let found = entries(state.models.loaded().await)
        .into_iter()
        .find(|entry| entry.id == name || entry.aliases.contains(&name))
        .ok_or_else(|| unknown(&name))?;
    Ok(axum::Json(found))
}

/// The catalogue's models in its order, then the rest of what is loaded.
fn entries(loaded: Vec<(String, ModelInfo)>) -> Vec<ModelEntry> {
    let info_of = |id: &str| loaded.iter().find(|(name, _)| name == id).map(|(_, info)| info);
    let known = catalogue().models().iter().map(|model| of_catalogue(model, info_of(model.id.as_str())));
    let others = loaded.iter().filter(|(name, _)| catalogue().find(name).is_none());
    known.chain(others.map(|(name, info)| of_info(name, info))).collect()
}

fn of_catalogue(model: &CatalogueModel, info: Option<&ModelInfo>) -> ModelEntry {
    let owner = model.aliases.iter().find_map(|alias| alias.split_once('/')).map_or("local", |(owner, _)| owner);
    ModelEntry {
        id: model.id.to_string(),
        object: "model",
        created: 0,
        owned_by: owner.to_owned(),
        aliases: model.aliases.clone(),
        dimension: info.map_or(model.dimension, |info| info.dimension),
        dimensions: model.matryoshka_dimensions.clone(),
        max_tokens: info.map_or(model.max_tokens, |info| info.max_tokens),
        prefix: info.map_or_else(|| model.prefix.clone(), |info| info.prefix.clone()),
        prompts: info.map(|info| info.prompts.clone()).unwrap_or_default(),
        loaded: info.is_some(),
        fingerprint: info.map(|info| info.fingerprint.clone()),
        device: info.map(|info| info.device.clone()),
        precision: info.map(|info| info.precision.to_string()),
    }
}

fn of_info(name: &str, info: &ModelInfo) -> ModelEntry {
    ModelEntry {
        id: name.to_owned(),
        object: "model",
        created: 0,
        owned_by: "local".to_owned(),
        aliases: Vec::new(),
        dimension: info.dimension,
        dimensions: info.matryoshka_dimensions.clone(),
        max_tokens: info.max_tokens,
        prefix: info.prefix.clone(),
        prompts: info.prompts.clone(),
        loaded: true,
        fingerprint: Some(info.fingerprint.clone()),
        device: Some(info.device.clone()),
        precision: Some(info.precision.to_string()),
    }
}
