//! The catalogue: what the shop offers, or the school teaches.

use super::ApiState;
use super::auth::{Reader, Writer};
use super::body::{Json, Query};
use super::cursor::List;
use super::customers::{PageParams, page};
use super::facts::{check_size, keep};
use super::problem::{ApiError, ApiResult, Problem};
use super::wire::{ItemBody, Page, Taken};
use crate::domain::{Fact, ItemId, Timestamp};
use crate::ingest::item_json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An item as the API takes it. A later one replaces an earlier one whole.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what item_json parses")]
pub struct ItemAsk {
    item_id: String,
    /// `product` (default) or `course`.
    kind: Option<String>,
    name: Option<String>,
    category: Option<String>,
    description: Option<String>,
    /// In major units: 19.90.
    price: Option<f64>,
    /// Three letters (ISO 4217).
    currency: Option<String>,
    #[schema(value_type = Option<Object>)]
    attributes: Option<Value>,
    /// When this was so; left out, the moment of arrival.
    time: Option<String>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what create_items parses")]
pub struct ItemsAsk {
    /// 1 to 2,500.
    items: Vec<ItemAsk>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Items {
    items: Vec<Value>,
}

/// Keep one item.
#[utoipa::path(post, path = "/v1/items", tag = "facts", security(("key" = [])), request_body = ItemAsk,
    responses((status = 201, body = Taken), (status = 200, description = "It was there already", body = Taken), (status = "default", body = Problem)))]
pub async fn create_item(
    caller: Writer,
    State(state): State<ApiState>,
    Json(item): Json<Value>,
) -> ApiResult<(StatusCode, axum::Json<Taken>)> {
    let item = item_json::parse_item(&item, Timestamp::now())?;
    let taken = keep(&state, &caller.workspace, vec![(0, Ok(Fact::Item(item).into()))]).await?;
    let status = if taken.duplicate > 0 { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, axum::Json(taken)))
}

/// Keep a batch of items; each is judged by itself.
#[utoipa::path(post, path = "/v1/items:batch", tag = "facts", security(("key" = [])), request_body = ItemsAsk,
    responses((status = 200, body = Taken), (status = "default", body = Problem)))]
pub async fn create_items(
    caller: Writer,
    State(state): State<ApiState>,
    Json(asked): Json<Items>,
) -> ApiResult<axum::Json<Taken>> {
    check_size("/items", asked.items.len(), state.limits.batch_items)?;
    let now = Timestamp::now();
    let facts = asked
        .items
        .iter()
        .map(|item| item_json::parse_item(item, now).map(|item| Fact::Item(item).into()))
        .enumerate()
        .collect();
    keep(&state, &caller.workspace, facts).await.map(axum::Json)
}

/// Items in byte order of their ids.
#[utoipa::path(get, path = "/v1/items", tag = "lookup", security(("key" = [])), params(PageParams),
    responses((status = 200, body = Page<ItemBody>), (status = "default", body = Problem)))]
pub async fn list_items(
    caller: Reader,
    State(state): State<ApiState>,
    Query(params): Query<PageParams>,
) -> ApiResult<axum::Json<Page<ItemBody>>> {
    let limit = params.limit()?;
    let list = List::new(&["items", caller.workspace.as_str()]);
    let after = list.key(params.cursor.as_deref())?.map(|key| ItemId::parse(&key)).transpose()?;
    let rows = state.store.items(&caller.workspace, after.as_ref(), limit + 1).await?;
    Ok(axum::Json(page(rows, limit, &list, |item| item.id.to_string())))
}

/// An item of the catalogue, as it was told last.
#[utoipa::path(get, path = "/v1/items/{item_id}", tag = "lookup", security(("key" = [])),
    params(("item_id" = String, Path)),
    responses((status = 200, body = ItemBody), (status = "default", body = Problem)))]
pub async fn get_item(
    caller: Reader,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> ApiResult<axum::Json<ItemBody>> {
    let id = ItemId::parse(&id)?;
    let item = state.store.item(&caller.workspace, &id).await?;
    let item = item.ok_or_else(|| ApiError::not_found(&format!("the item {id:?}")))?;
    Ok(axum::Json(item.into()))
}
