//! What was found of a workspace's facts, the rules that look for it, and what currencies are worth.

use super::ApiState;
use super::auth::{Admin, Reader};
use super::body::Json;
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::{CurrenciesBody, QualityBody, RuleExamples, RulesBody};
use crate::clean::{CleaningSettings, Currencies, SettingsError};
use crate::domain::{JudgedKind, Rule};
use axum::extract::State;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Facts that are named for each rule and kind.
const EXAMPLES: usize = 5;

/// What was found of the facts that came: by rule, by day and by import, with the ids of some.
#[utoipa::path(get, path = "/v1/quality", tag = "facts", security(("key" = [])),
    responses((status = 200, body = QualityBody), (status = "default", body = Problem)))]
pub async fn get_quality(caller: Reader, State(state): State<ApiState>) -> ApiResult<axum::Json<QualityBody>> {
    let workspace = &caller.workspace;
    let settings = state.intake.cleaning(workspace).await?;
    let counts = state.store.quality(workspace, None).await?;
    let seen: BTreeSet<(Rule, JudgedKind)> = counts.iter().map(|count| (count.rule, count.kind)).collect();
    let mut examples = Vec::with_capacity(seen.len());
    for (rule, kind) in seen {
        let ids = state.store.flagged(workspace, kind, rule, EXAMPLES).await?;
        examples.push(RuleExamples { rule, kind, ids });
    }
    let facts = state.store.counts(workspace).await?;
    Ok(axum::Json(QualityBody::new(facts, &settings, &counts, examples)))
}

/// What is done with facts that break a rule, and the bounds that the rules go by.
#[utoipa::path(get, path = "/v1/quality/rules", tag = "facts", security(("key" = [])),
    responses((status = 200, body = RulesBody), (status = "default", body = Problem)))]
pub async fn get_rules(caller: Reader, State(state): State<ApiState>) -> ApiResult<axum::Json<CleaningSettings>> {
    Ok(axum::Json(state.intake.cleaning(&caller.workspace).await?))
}

/// Replace the rules' actions and bounds: they hold for what is sent from now on. What is left out has its default.
#[utoipa::path(put, path = "/v1/quality/rules", tag = "facts", security(("key" = [])), request_body = RulesBody,
    responses((status = 200, body = RulesBody), (status = "default", body = Problem)))]
pub async fn put_rules(
    caller: Admin,
    State(state): State<ApiState>,
    Json(asked): Json<Map<String, Value>>,
) -> ApiResult<axum::Json<CleaningSettings>> {
    let settings = CleaningSettings::try_from(asked).map_err(|error| pointed(&error))?;
    state.intake.set_cleaning(&caller.workspace, &settings).await?;
    Ok(axum::Json(settings))
}

/// What currencies are worth in the base currency, and since when.
#[utoipa::path(get, path = "/v1/currencies", tag = "facts", security(("key" = [])),
    responses((status = 200, body = CurrenciesBody), (status = "default", body = Problem)))]
pub async fn get_currencies(caller: Reader, State(state): State<ApiState>) -> ApiResult<axum::Json<Currencies>> {
    let table = state.intake.currencies(&caller.workspace).await?;
    let none = || ApiError::new(Code::NotFound, "there is no table of currencies; make one with PUT /v1/currencies");
    table.map(axum::Json).ok_or_else(none)
}

/// Replace the table of currencies. Amounts are kept as they came and converted when they are read, so it holds for all of them.
#[utoipa::path(put, path = "/v1/currencies", tag = "facts", security(("key" = [])), request_body = CurrenciesBody,
    responses((status = 200, body = CurrenciesBody), (status = "default", body = Problem)))]
pub async fn put_currencies(
    caller: Admin,
    State(state): State<ApiState>,
    Json(asked): Json<Map<String, Value>>,
) -> ApiResult<axum::Json<Currencies>> {
    let table = Currencies::try_from(asked).map_err(|error| pointed(&error))?;
    state.intake.set_currencies(&caller.workspace, &table).await?;
    Ok(axum::Json(table))
}

fn pointed(error: &SettingsError) -> ApiError {
    let pointer = format!("/{}", error.key.replace('.', "/"));
    ApiError::field(Code::InvalidField, pointer, error.to_string())
}
