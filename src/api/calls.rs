//! The Segment tracking API: a shop's clients send here what they send already, unchanged.
//!
//! Each call of a batch is judged by itself, and the answer says what became of it, where the original says `success` always.

use super::ApiState;
use super::auth::Writer;
use super::body::CallBody;
use super::facts::{check_size, keep, keep_one};
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::Taken;
use crate::domain::Timestamp;
use crate::ingest::segment_spec::{self, Arrival, CallKind, MAX_BATCH_CALLS};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A call of the Segment spec; fields that are not used here are let pass.
#[derive(ToSchema)]
#[expect(dead_code, non_snake_case, reason = "documents what segment_spec parses, under the spec's own names")]
pub struct Call {
    /// In a batch: `identify`, `track`, `page`, `screen`, `group` or `alias`.
    r#type: Option<String>,
    /// This or `anonymousId`.
    userId: Option<String>,
    anonymousId: Option<String>,
    /// At most 100 characters; a call is taken once for ever.
    messageId: Option<String>,
    /// When it happened, by the sender's clock; with `sentAt` that clock is set right.
    timestamp: Option<String>,
    /// What stands for `timestamp` where there is none.
    originalTimestamp: Option<String>,
    sentAt: Option<String>,
    /// `track`: what happened.
    event: Option<String>,
    #[schema(value_type = Option<Object>)]
    properties: Option<Value>,
    /// `identify` and `group`.
    #[schema(value_type = Option<Object>)]
    traits: Option<Value>,
    /// `alias`.
    previousId: Option<String>,
    /// `group`.
    groupId: Option<String>,
    /// `page` and `screen`.
    name: Option<String>,
    #[schema(value_type = Option<Object>)]
    context: Option<Value>,
}

/// `batch` and `import`.
#[derive(ToSchema)]
#[expect(dead_code, non_snake_case, reason = "documents what is parsed below, under the spec's own names")]
pub struct Batch {
    /// 1 to 2,500 calls, 500 KB together.
    batch: Vec<Call>,
    /// What calls without a context of their own are understood to say.
    #[schema(value_type = Option<Object>)]
    context: Option<Value>,
    sentAt: Option<String>,
}

/// What became of calls.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallsTaken {
    /// Whether all of them were right; the spec's clients look for it.
    pub success: bool,
    #[serde(flatten)]
    pub taken: Taken,
}

macro_rules! route {
    ($(#[$doc:meta])* $name:ident, $path:literal, $kind:expr) => {
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "facts", security(("key" = [])), request_body = Call,
            responses((status = 200, body = CallsTaken), (status = "default", body = Problem)))]
        pub async fn $name(
            caller: Writer,
            State(state): State<ApiState>,
            CallBody(call): CallBody,
        ) -> ApiResult<Json<CallsTaken>> {
            one(&caller, &state, $kind, call).await
        }
    };
}

route!(
    /// Who somebody is: traits of a customer.
    identify, "/v1/identify", CallKind::Identify
);
route!(
    /// What somebody did.
    track, "/v1/track", CallKind::Track
);
route!(
    /// Which page somebody saw.
    page, "/v1/page", CallKind::Page
);
route!(
    /// Which screen of an app somebody saw.
    screen, "/v1/screen", CallKind::Screen
);
route!(
    /// Which account somebody belongs to.
    group, "/v1/group", CallKind::Group
);
route!(
    /// Two ids are one customer.
    alias, "/v1/alias", CallKind::Alias
);

/// Calls of any type; each is judged by itself.
#[utoipa::path(post, path = "/v1/batch", tag = "facts", security(("key" = [])), request_body = Batch,
    responses((status = 200, body = CallsTaken), (status = "default", body = Problem)))]
pub async fn batch(
    caller: Writer,
    State(state): State<ApiState>,
    CallBody(body): CallBody,
) -> ApiResult<Json<CallsTaken>> {
    many(&caller, &state, body, true).await
}

/// History: as `batch`, but times stand as they are, whatever the sender's clock.
#[utoipa::path(post, path = "/v1/import", tag = "facts", security(("key" = [])), request_body = Batch,
    responses((status = 200, body = CallsTaken), (status = "default", body = Problem)))]
pub async fn import(
    caller: Writer,
    State(state): State<ApiState>,
    CallBody(body): CallBody,
) -> ApiResult<Json<CallsTaken>> {
    many(&caller, &state, body, false).await
}

async fn one(caller: &Writer, state: &ApiState, kind: CallKind, call: Value) -> ApiResult<Json<CallsTaken>> {
    let plain = Arrival::plain(&state.vocabulary, Timestamp::now());
    let fact = segment_spec::parse_telling(&call, Arrival { kind: Some(kind), corrects_clock: true, ..plain })?;
    let taken = keep_one(state, &caller.workspace, fact).await?;
    Ok(Json(CallsTaken { success: true, taken }))
}

async fn many(caller: &Writer, state: &ApiState, body: Value, corrects_clock: bool) -> ApiResult<Json<CallsTaken>> {
    let Value::Object(body) = body else {
        return Err(ApiError::field(Code::InvalidField, "", "a batch is an object with a list `batch` of calls"));
    };
    let Some(Value::Array(calls)) = body.get("batch") else {
        return Err(ApiError::field(Code::InvalidField, "/batch", "/batch is missing or not a list of calls"));
    };
    check_size("/batch", calls.len(), MAX_BATCH_CALLS.min(state.limits.batch_items))?;
    let sent_at = segment_spec::sent_at(&body).map_err(|error| vec![error])?;
    let context = body.get("context").and_then(Value::as_object);
    let plain = Arrival::plain(&state.vocabulary, Timestamp::now());
    let arrival = Arrival { sent_at, context, corrects_clock, ..plain };
    let facts = calls.iter().map(|call| segment_spec::parse_telling(call, arrival)).enumerate().collect();
    let taken = keep(state, &caller.workspace, facts).await?;
    Ok(Json(CallsTaken { success: taken.rejected.is_empty(), taken }))
}
