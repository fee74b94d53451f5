//! Reviews one by one and in batches.

use super::ApiState;
use super::auth::Writer;
use super::body::Json;
use super::facts::{check_size, keep};
use super::problem::{ApiResult, Problem};
use super::wire::Taken;
use crate::domain::{Fact, Timestamp};
use crate::ingest::review_json;
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

/// Keep one review.
#[utoipa::path(post, path = "/v1/reviews", tag = "facts", security(("key" = [])), request_body = ReviewAsk,
    responses((status = 201, body = Taken), (status = 200, description = "It was there already", body = Taken), (status = "default", body = Problem)))]
pub async fn create_review(
    caller: Writer,
    State(state): State<ApiState>,
    Json(review): Json<Value>,
) -> ApiResult<(StatusCode, axum::Json<Taken>)> {
    let review = review_json::parse_review(&review, Timestamp::now())?;
    let taken = keep(&state, &caller.workspace, vec![(0, Ok(Fact::Review(review).into()))]).await?;
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
        .map(|review| review_json::parse_review(review, now).map(|review| Fact::Review(review).into()))
        .enumerate()
        .collect();
    keep(&state, &caller.workspace, facts).await.map(axum::Json)
}
