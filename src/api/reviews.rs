//! Reviews one by one and in batches.

use super::ApiState;
use super::auth::{Reader, Writer};
use super::body::{Json, Query};
use super::cursor::List;
use super::customers::{PageParams, page};
use super::facts::{check_size, keep, keep_one};
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::{Page, ReviewBody, Taken};
use crate::domain::{Fact, Language, Timestamp};
use crate::ingest::review_json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

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
    /// ISO 639, such as `zh`; left out, it is found in the words.
    language: Option<String>,
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
    let taken = keep_one(&state, &caller.workspace, Fact::Review(review).into()).await?;
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

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ReviewsParams {
    /// Reviews in this language alone: `zh`, `en`, `other`, or a code that the shop gave.
    language: Option<String>,
    /// 1 to 1,000; default 50.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Reviews in the order they came, of all languages or of one.
#[utoipa::path(get, path = "/v1/reviews", tag = "lookup", security(("key" = [])), params(ReviewsParams),
    responses((status = 200, body = Page<ReviewBody>), (status = "default", body = Problem)))]
pub async fn list_reviews(
    caller: Reader,
    State(state): State<ApiState>,
    Query(params): Query<ReviewsParams>,
) -> ApiResult<axum::Json<Page<ReviewBody>>> {
    let limit = PageParams { limit: params.limit, cursor: None }.limit()?;
    let language = params.language.as_deref().map(Language::parse).transpose()?;
    let of = language.as_ref().map_or("", Language::as_str);
    let list = List::new(&["reviews", caller.workspace.as_str(), of]);
    let bad_cursor = |_| ApiError::field(Code::BadCursor, "cursor", "the cursor is not from this list");
    let after = list.key(params.cursor.as_deref())?.map_or(Ok(0), |key| key.parse().map_err(bad_cursor))?;
    let rows = match &language {
        Some(language) => state.store.reviews_in(&caller.workspace, language, after, limit + 1).await?,
        None => state.store.reviews(&caller.workspace, after, limit + 1).await?,
    };
    Ok(axum::Json(page(rows, limit, &list, |stored| stored.seq.to_string())))
}
