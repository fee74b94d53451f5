//! What customers allow: told here, or beside Segment's calls and in files; and how a workspace reads it.

use super::ApiState;
use super::auth::{Admin, Reader, Writer};
use super::body::Json;
use super::customers::unknown;
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::{ConsentAsk, ConsentBody, ConsentSettingsBody};
use crate::domain::{
    Consent, ConsentSettings, ConsentSource, CustomerConsent, CustomerId, Fact, Purpose, Timestamp, Unknown, Who,
    WorkspaceId,
};
use crate::intake::Taken;
use crate::store::Appended;
use axum::extract::{Path, State};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a customer allows, by purpose, and who told it when.
#[utoipa::path(get, path = "/v1/customers/{customer_id}/consent", tag = "privacy", security(("key" = [])),
    params(("customer_id" = String, Path)),
    responses((status = 200, body = ConsentBody), (status = "default", body = Problem)))]
pub async fn get_consent(
    caller: Reader,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> ApiResult<axum::Json<ConsentBody>> {
    let id = CustomerId::parse(&id)?;
    if state.store.customer(&caller.workspace, &id).await?.is_none() {
        return Err(unknown(&id));
    }
    body(&state, &caller.workspace, &id).await
}

/// Say what a customer allows. It holds when this is answered: without analytics events are not kept, without marketing they are in no
/// audience, without profiling in no segment and no fit. The latest word stands.
#[utoipa::path(put, path = "/v1/customers/{customer_id}/consent", tag = "privacy", security(("key" = [])),
    params(("customer_id" = String, Path)), request_body = ConsentAsk,
    responses((status = 200, body = ConsentBody), (status = "default", body = Problem)))]
pub async fn put_consent(
    caller: Writer,
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Json(asked): Json<ConsentAsk>,
) -> ApiResult<axum::Json<ConsentBody>> {
    let id = CustomerId::parse(&id)?;
    let choices = asked.choices()?;
    let source = ConsentSource::parse(asked.source.as_deref().unwrap_or("api"))
        .map_err(|why| ApiError::field(Code::InvalidField, "/source", why.to_string()))?;
    let now = Timestamp::now();
    let time = match asked.time {
        Some(time) if time > now => {
            return Err(ApiError::field(Code::InvalidField, "/time", "`time` is in the future; leave it out for now"));
        }
        Some(time) => time,
        None => after(now, &state.store.consent(&caller.workspace, &id).await?, &choices),
    };
    let told = Fact::Consent(Consent { who: Who::known(id.clone()), choices, source, time });
    // What was said before counts, whatever the clock said then.
    let appended = state.intake.append(&caller.workspace, vec![told.into()], None, now.max(time)).await?;
    if appended.contains(&Taken::Appended(Appended::Suppressed)) {
        let detail = "the customer was erased, and nothing of them is kept; lift the suppression first";
        return Err(ApiError::new(Code::Conflict, detail));
    }
    body(&state, &caller.workspace, &id).await
}

/// The moment of a word that is said now: it stands, also after a clock that was set back.
fn after(now: Timestamp, standing: &CustomerConsent, choices: &BTreeMap<Purpose, bool>) -> Timestamp {
    let last = choices.keys().filter_map(|purpose| standing.choices.get(purpose)).map(|choice| choice.time).max();
    let next = last.and_then(|last| Timestamp::from_microsecond(last.as_microsecond() + 1).ok());
    next.map_or(now, |next| next.max(now))
}

async fn body(state: &ApiState, workspace: &WorkspaceId, id: &CustomerId) -> ApiResult<axum::Json<ConsentBody>> {
    let consent = state.store.consent(workspace, id).await?;
    let settings = state.intake.consent_settings(workspace).await?;
    Ok(axum::Json(ConsentBody::new(id, consent, &settings)))
}

/// How consent is read here: what holds where a customer said nothing, and what Segment's categories are about.
#[utoipa::path(get, path = "/v1/consent", tag = "privacy", security(("key" = [])),
    responses((status = 200, body = ConsentSettingsBody), (status = "default", body = Problem)))]
pub async fn get_settings(caller: Reader, State(state): State<ApiState>) -> ApiResult<axum::Json<ConsentSettings>> {
    Ok(axum::Json(whole(state.intake.consent_settings(&caller.workspace).await?)))
}

/// Replace how consent is read. It holds at once, also for what was told before; what is left out has the default.
#[utoipa::path(put, path = "/v1/consent", tag = "privacy", security(("key" = [])), request_body = ConsentSettingsBody,
    responses((status = 200, body = ConsentSettingsBody), (status = "default", body = Problem)))]
pub async fn put_settings(
    caller: Admin,
    State(state): State<ApiState>,
    Json(asked): Json<Map<String, Value>>,
) -> ApiResult<axum::Json<ConsentSettings>> {
    let settings = parse(&asked)?;
    state.intake.set_consent_settings(&caller.workspace, &settings).await?;
    Ok(axum::Json(whole(settings)))
}

fn parse(asked: &Map<String, Value>) -> ApiResult<ConsentSettings> {
    let mut settings = ConsentSettings::default();
    for (name, value) in asked {
        let wrong = |detail: &str| ApiError::field(Code::InvalidField, format!("/{name}"), format!("/{name} {detail}"));
        match name.as_str() {
            "unknown" => {
                settings.unknown = serde_json::from_value(value.clone())
                    .map_err(|_| wrong("takes analytics, marketing and profiling, each `granted` or `withheld`"))?;
            }
            "categories" => {
                settings.categories = serde_json::from_value(value.clone())
                    .map_err(|_| wrong("takes for each category a list of analytics, marketing and profiling"))?;
            }
            _ => {
                let detail = format!("{name} is not known here; unknown and categories are");
                return Err(ApiError::field(Code::UnknownField, format!("/{name}"), detail));
            }
        }
    }
    Ok(settings)
}

/// With what holds spelled out for every purpose.
fn whole(mut settings: ConsentSettings) -> ConsentSettings {
    for purpose in Purpose::ALL {
        settings.unknown.entry(purpose).or_insert(Unknown::Granted);
    }
    settings
}
