//! Facts one by one and in batches: reviews, and the Segment calls understood so far.

use super::ApiState;
use super::auth::Writer;
use super::body::Json;
use super::problem::{ApiError, ApiResult, Code, Problem, ProblemField};
use super::wire::{RejectedItem, Taken};
use crate::domain::{Fact, Timestamp, WorkspaceId};
use crate::ingest::{FieldError, review_json, segment_spec};
use crate::store::Appended;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A review as the API takes it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what review_json parses")]
pub struct ReviewAsk {
    /// Left out, it is derived from the content, so that the same review sent again is known again.
    review_id: Option<String>,
    customer_id: String,
    /// Not blank, at most 512 KiB.
    text: String,
    item_id: Option<String>,
    rating: Option<f64>,
    /// RFC 3339; left out, the moment of arrival.
    time: Option<String>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what create_reviews parses")]
pub struct ReviewsAsk {
    /// 1 to 2,500.
    reviews: Vec<ReviewAsk>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviews {
    reviews: Vec<Value>,
}

/// Segment's `batch` body; what else its clients put there is their business.
#[derive(Deserialize, ToSchema)]
pub struct Calls {
    /// `identify` and `track` calls of the Segment spec.
    #[schema(value_type = Vec<Object>)]
    batch: Vec<Value>,
}

/// Keep one review.
#[utoipa::path(post, path = "/v1/reviews", tag = "facts", security(("key" = [])), request_body = ReviewAsk,
    responses((status = 201, body = Taken), (status = 200, description = "It was there already", body = Taken), (status = "default", body = Problem)))]
pub async fn create_review(
    caller: Writer,
    State(state): State<ApiState>,
    Json(review): Json<Value>,
) -> ApiResult<(StatusCode, axum::Json<Taken>)> {
    let review = review_json::parse_review(&review, Timestamp::now())?;
    let taken = keep(&state, &caller.workspace, vec![(0, Ok(Fact::Review(review)))]).await?;
    let status = if taken.duplicate > 0 { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, axum::Json(taken)))
}

/// Keep a batch of reviews; each is judged by itself.
#[utoipa::path(post, path = "/v1/reviews:batch", tag = "facts", security(("key" = [])), request_body = ReviewsAsk,
    responses((status = 200, body = Taken), (status = "default", body = Problem)))]
pub async fn create_reviews(
    caller: Writer,
    State(state): State<ApiState>,
    Json(asked): Json<Reviews>,
) -> ApiResult<axum::Json<Taken>> {
    check_size("/reviews", asked.reviews.len(), state.limits.batch_items)?;
    let now = Timestamp::now();
    let facts = asked
        .reviews
        .iter()
        .map(|review| review_json::parse_review(review, now).map(Fact::Review))
        .enumerate()
        .collect();
    keep(&state, &caller.workspace, facts).await.map(axum::Json)
}

/// Keep a batch of Segment calls: `identify` and `track`; each is judged by itself.
#[utoipa::path(post, path = "/v1/batch", tag = "facts", security(("key" = [])), request_body = Calls,
    responses((status = 200, body = Taken), (status = "default", body = Problem)))]
pub async fn create_calls(
    caller: Writer,
    State(state): State<ApiState>,
    Json(asked): Json<Calls>,
) -> ApiResult<axum::Json<Taken>> {
    check_size("/batch", asked.batch.len(), state.limits.batch_items)?;
    let now = Timestamp::now();
    let facts = asked.batch.iter().map(|call| segment_spec::parse_call(call, now)).enumerate().collect();
    keep(&state, &caller.workspace, facts).await.map(axum::Json)
}

fn check_size(pointer: &str, n: usize, limit: usize) -> ApiResult<()> {
    if (1..=limit).contains(&n) {
        return Ok(());
    }
    Err(ApiError::field(Code::InvalidField, pointer, format!("{pointer} has {n} items; 1 to {limit} are taken")))
}

/// Appends what is right, durably, and says what was wrong with the rest.
async fn keep(
    state: &ApiState,
    workspace: &WorkspaceId,
    parsed: Vec<(usize, Result<Fact, Vec<FieldError>>)>,
) -> ApiResult<Taken> {
    let mut taken = Taken::default();
    let mut facts = Vec::with_capacity(parsed.len());
    for (index, result) in parsed {
        match result {
            Ok(fact) => facts.push(fact),
            Err(errors) => {
                let errors = errors
                    .into_iter()
                    .map(|e| ProblemField { pointer: e.pointer, code: e.code.into(), detail: e.message })
                    .collect();
                taken.rejected.push(RejectedItem { index, errors });
            }
        }
    }
    for appended in state.store.append(workspace, &facts, None, Timestamp::now()).await? {
        match appended {
            Appended::Accepted | Appended::Replaced => taken.accepted += 1,
            Appended::Duplicate => taken.duplicate += 1,
        }
    }
    metrics::counter!("clientele_facts_accepted_total").increment(taken.accepted);
    metrics::counter!("clientele_facts_rejected_total").increment(taken.rejected.len() as u64);
    Ok(taken)
}
