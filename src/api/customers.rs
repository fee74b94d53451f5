//! Look-ups: who is this customer, and which segments are they in. The hot path answers from memory.

use super::ApiState;
use super::auth::Reader;
use super::body::{Json, Query};
use super::cursor::List;
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::{
    CustomerBody, CustomerSegments, CustomersAsk, CustomersSegments, MembershipBody, Page, WorkspaceBody,
};
use crate::domain::{Customer, CustomerId, Purpose, WorkspaceId};
use crate::intake::Refusal;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use utoipa::IntoParams;

/// Reviews shown with a customer.
const SHOWN_REVIEWS: usize = 20;
/// Customers in one batched look-up.
const MAX_LOOKUP: usize = 1_000;

/// A page's size, and where it starts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PageParams {
    /// 1 to 1,000; default 50.
    pub limit: Option<usize>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl PageParams {
    /// # Errors
    /// `limit` is not 1 to 1,000.
    pub fn limit(&self) -> ApiResult<usize> {
        match self.limit.unwrap_or(50) {
            limit @ 1..=1000 => Ok(limit),
            other => {
                Err(ApiError::field(Code::InvalidField, "limit", format!("limit is {other}; 1 to 1000 are taken")))
            }
        }
    }
}

/// Cuts a page of at most `limit` from rows that were read with one more than that.
pub fn page<T, U: From<T>>(mut rows: Vec<T>, limit: usize, list: &List, key: impl Fn(&T) -> String) -> Page<U> {
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| has_more).map(|row| list.cursor(&key(row)));
    Page { data: rows.into_iter().map(U::from).collect(), next_cursor, has_more }
}

/// How much there is in this workspace.
#[utoipa::path(get, path = "/v1/workspace", tag = "lookup", security(("key" = [])),
    responses((status = 200, body = WorkspaceBody), (status = "default", body = Problem)))]
pub async fn workspace(caller: Reader, State(state): State<ApiState>) -> ApiResult<axum::Json<WorkspaceBody>> {
    let counts = state.store.counts(&caller.workspace).await?;
    Ok(axum::Json(WorkspaceBody {
        workspace: caller.workspace.to_string(),
        customers: counts.customers,
        reviews: counts.reviews,
        events: counts.events,
        orders: counts.orders,
        items: counts.items,
    }))
}

/// Customers in byte order of their ids.
#[utoipa::path(get, path = "/v1/customers", tag = "lookup", security(("key" = [])), params(PageParams),
    responses((status = 200, body = Page<CustomerBody>), (status = "default", body = Problem)))]
pub async fn list_customers(
    caller: Reader,
    State(state): State<ApiState>,
    Query(params): Query<PageParams>,
) -> ApiResult<axum::Json<Page<CustomerBody>>> {
    let limit = params.limit()?;
    let list = List::new(&["customers", caller.workspace.as_str()]);
    let after = list.key(params.cursor.as_deref())?.map(|key| CustomerId::parse(&key)).transpose()?;
    let rows = state.store.customers(&caller.workspace, after.as_ref(), limit + 1).await?;
    Ok(axum::Json(page(rows, limit, &list, |customer| customer.id.to_string())))
}

/// A customer: traits, counts, the newest reviews.
#[utoipa::path(get, path = "/v1/customers/{customer_id}", tag = "lookup", security(("key" = [])),
    params(("customer_id" = String, Path)),
    responses((status = 200, body = CustomerBody), (status = "default", body = Problem)))]
pub async fn get_customer(
    caller: Reader,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> ApiResult<axum::Json<CustomerBody>> {
    let id = CustomerId::parse(&id)?;
    let customer = state.store.customer(&caller.workspace, &id).await?.ok_or_else(|| unknown(&id))?;
    let reviews = state.store.customer_reviews(&caller.workspace, &id, SHOWN_REVIEWS).await?;
    let reviews = Some(reviews.into_iter().map(Into::into).collect());
    Ok(axum::Json(CustomerBody { reviews, ..customer.into() }))
}

/// Which segments a customer is in, how surely and since when: the look-up for the hot path, answered from memory.
#[utoipa::path(get, path = "/v1/customers/{customer_id}/segments", tag = "lookup", security(("key" = [])),
    params(("customer_id" = String, Path)),
    responses((status = 200, body = CustomerSegments), (status = 304, description = "Nothing changed since `If-None-Match`"), (status = "default", body = Problem)))]
pub async fn get_customer_segments(
    caller: Reader,
    State(state): State<ApiState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let id = CustomerId::parse(&id)?;
    let mut found = look_up(&state, &caller.workspace, &id);
    if found.data.is_empty() {
        // Only who is in no segment costs a read: "in none", "nobody", or known under another id by now.
        let customer = state.store.customer(&caller.workspace, &id).await?.ok_or_else(|| unknown(&id))?;
        found = look_up_any(&state, &caller.workspace, &customer);
        found.customer_id = id.to_string();
    }
    with_etag(&headers, &found)
}

/// The same for up to 1,000 customers at once.
#[utoipa::path(post, path = "/v1/customers/segments:batch", tag = "lookup", security(("key" = [])), request_body = CustomersAsk,
    responses((status = 200, body = CustomersSegments), (status = "default", body = Problem)))]
pub async fn get_customers_segments(
    caller: Reader,
    State(state): State<ApiState>,
    Json(ask): Json<CustomersAsk>,
) -> ApiResult<axum::Json<CustomersSegments>> {
    let n = ask.customer_ids.len();
    if !(1..=MAX_LOOKUP).contains(&n) {
        let detail = format!("customer_ids has {n} entries; 1 to {MAX_LOOKUP} are taken");
        return Err(ApiError::field(Code::InvalidField, "/customer_ids", detail));
    }
    let mut body = CustomersSegments { data: Vec::with_capacity(n), not_found: Vec::new() };
    for (i, id) in ask.customer_ids.iter().enumerate() {
        let id = CustomerId::parse(id)
            .map_err(|e| ApiError::field(Code::InvalidField, format!("/customer_ids/{i}"), e.to_string()))?;
        let found = look_up(&state, &caller.workspace, &id);
        if found.data.is_empty() && found.reason.is_none() {
            body.not_found.push(found.customer_id)
        } else {
            body.data.push(found)
        }
    }
    Ok(axum::Json(body))
}

fn look_up(state: &ApiState, workspace: &WorkspaceId, id: &CustomerId) -> CustomerSegments {
    if let Some(refusal) = state.intake.consents().refusal(workspace, id, Purpose::Profiling) {
        let reason = match refusal {
            Refusal::Withdrawn => "profiling consent withdrawn",
            Refusal::NotGiven => "profiling consent not given",
        };
        return CustomerSegments { customer_id: id.to_string(), data: Vec::new(), reason: Some(reason) };
    }
    CustomerSegments { customer_id: id.to_string(), data: places(state, workspace, id), reason: None }
}

/// Where the live versions have an id, whatever the customer allows.
fn places(state: &ApiState, workspace: &WorkspaceId, id: &CustomerId) -> Vec<MembershipBody> {
    let live = state.snapshots.all(workspace);
    live.iter().filter_map(|live| Some(MembershipBody::new(live, live.placed(id)?))).collect()
}

/// All there is of a customer, for themselves: what they do not allow others is theirs.
pub fn places_of(state: &ApiState, workspace: &WorkspaceId, customer: &Customer) -> Vec<MembershipBody> {
    let ids = std::iter::once(&customer.id).chain(&customer.aliases);
    ids.map(|id| places(state, workspace, id)).find(|places| !places.is_empty()).unwrap_or_default()
}

/// The places of a customer under whichever of their ids the live versions know them.
pub fn look_up_any(state: &ApiState, workspace: &WorkspaceId, customer: &Customer) -> CustomerSegments {
    let own = look_up(state, workspace, &customer.id);
    if !own.data.is_empty() || own.reason.is_some() {
        return own;
    }
    customer.aliases.iter().map(|id| look_up(state, workspace, id)).find(|one| !one.data.is_empty()).unwrap_or(own)
}

pub fn unknown(id: &CustomerId) -> ApiError {
    ApiError::not_found(&format!("the customer {id:?}"))
}

/// Answers with the body and its hash as `ETag`, or 304 when the caller has it.
pub fn with_etag<T: serde::Serialize>(headers: &HeaderMap, body: &T) -> ApiResult<Response> {
    let bytes = serde_json::to_vec(body).map_err(|e| ApiError::new(Code::Internal, e.to_string()))?;
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in &Sha256::digest(&bytes)[..16] {
        // Writing to a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let unchanged = known.is_some_and(|known| {
        known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*")
    });
    let etag = HeaderValue::from_str(&tag).map_err(|e| ApiError::new(Code::Internal, e.to_string()))?;
    if unchanged {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::ETAG, etag), (header::CONTENT_TYPE, kind)], bytes).into_response())
}
