//! What a customer did, as it is kept: events and orders, newest first; and which ids became one customer.

use super::ApiState;
use super::auth::Reader;
use super::body::Query;
use super::cursor::List;
use super::customers::{PageParams, page, unknown};
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::{EventBody, MergeBody, OrderBody, Page};
use crate::domain::{CustomerId, Timestamp, WorkspaceId};
use axum::extract::{Path, State};

/// Orders of one customer that are shown; who has more is a shop of their own.
const SHOWN_ORDERS: usize = 1_000;

/// A customer's events, newest first.
#[utoipa::path(get, path = "/v1/customers/{customer_id}/events", tag = "lookup", security(("key" = [])),
    params(("customer_id" = String, Path), PageParams),
    responses((status = 200, body = Page<EventBody>), (status = "default", body = Problem)))]
pub async fn list_events(
    caller: Reader,
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(params): Query<PageParams>,
) -> ApiResult<axum::Json<Page<EventBody>>> {
    let (limit, id) = (params.limit()?, CustomerId::parse(&id)?);
    let list = List::new(&["events", caller.workspace.as_str(), id.as_str()]);
    let before = list.key(params.cursor.as_deref())?.map(|key| moment_and_seq(&key)).transpose()?;
    exists(&state, &caller.workspace, &id).await?;
    let rows = state.store.customer_events(&caller.workspace, &id, before, limit + 1).await?;
    Ok(axum::Json(page(rows, limit, &list, |stored| format!("{} {}", stored.event.time.as_microsecond(), stored.seq))))
}

/// A customer's orders, newest first.
#[utoipa::path(get, path = "/v1/customers/{customer_id}/orders", tag = "lookup", security(("key" = [])),
    params(("customer_id" = String, Path)),
    responses((status = 200, body = Page<OrderBody>), (status = "default", body = Problem)))]
pub async fn list_orders(
    caller: Reader,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> ApiResult<axum::Json<Page<OrderBody>>> {
    let id = CustomerId::parse(&id)?;
    exists(&state, &caller.workspace, &id).await?;
    let rows = state.store.customer_orders(&caller.workspace, &id, SHOWN_ORDERS).await?;
    let list = List::new(&["orders"]);
    let table = state.intake.currencies(&caller.workspace).await?;
    let mut shown: Page<OrderBody> = page(rows, SHOWN_ORDERS, &list, |stored| stored.seq.to_string());
    shown.data = shown.data.into_iter().map(|order| order.in_base(table.as_ref())).collect();
    Ok(axum::Json(shown))
}

/// The log of merges: each change of which customer an id counts for, oldest first.
#[utoipa::path(get, path = "/v1/merges", tag = "lookup", security(("key" = [])), params(PageParams),
    responses((status = 200, body = Page<MergeBody>), (status = "default", body = Problem)))]
pub async fn list_merges(
    caller: Reader,
    State(state): State<ApiState>,
    Query(params): Query<PageParams>,
) -> ApiResult<axum::Json<Page<MergeBody>>> {
    let limit = params.limit()?;
    let list = List::new(&["merges", caller.workspace.as_str()]);
    let after = match list.key(params.cursor.as_deref())? {
        Some(key) => key.parse().map_err(|_| bad_cursor())?,
        None => 0,
    };
    let rows = state.store.merges(&caller.workspace, after, limit + 1).await?;
    Ok(axum::Json(page(rows, limit, &list, |merge| merge.seq.to_string())))
}

async fn exists(state: &ApiState, workspace: &WorkspaceId, id: &CustomerId) -> ApiResult<()> {
    state.store.customer(workspace, id).await?.map(drop).ok_or_else(|| unknown(id))
}

fn moment_and_seq(key: &str) -> ApiResult<(Timestamp, i64)> {
    let parsed = key
        .split_once(' ')
        .and_then(|(time, seq)| Some((Timestamp::from_microsecond(time.parse().ok()?).ok()?, seq.parse().ok()?)));
    parsed.ok_or_else(bad_cursor)
}

fn bad_cursor() -> ApiError {
    ApiError::field(Code::InvalidField, "cursor", "the cursor is not one of this list")
}
