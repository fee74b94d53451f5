//! A file as a job: the upload is kept on disk first, then imported, so that a crash loses neither.

use super::ApiState;
use super::auth::Writer;
use super::body::Query;
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::wire::JobBody;
use crate::domain::{Job, JobId, JobKind};
use crate::ingest::{Format, Kind, Mapping};
use crate::jobs::{ImportRequest, JobAsk};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::Deserialize;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use utoipa::IntoParams;

/// The longest pause between two pieces of an upload.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ImportParams {
    /// `reviews`, `events`, `customers`, `orders` or `items`. A dry run may leave it and the columns out: they are proposed.
    kind: Option<String>,
    /// `csv`, `ndjson` or `parquet`. Compressed with gzip or zstd or not is told from the body itself.
    format: String,
    /// The column or field that holds the customer's id.
    customer: Option<String>,
    /// … the words (reviews).
    text: Option<String>,
    /// … the row's own id: a review's, an event's, an order's. Else it is made of the content.
    id: Option<String>,
    /// … the item's id (reviews, orders).
    item: Option<String>,
    /// … the rating, a number (reviews).
    rating: Option<String>,
    /// … the time.
    time: Option<String>,
    /// … the language's code, such as `zh` (reviews). Else it is found in the words.
    language: Option<String>,
    /// … the event's name (events).
    event: Option<String>,
    /// The name of all events of the file, where no column holds it.
    event_name: Option<String>,
    /// The column or field with what was paid for the order (orders).
    total: Option<String>,
    /// … the currency (orders).
    currency: Option<String>,
    /// The currency where no column holds one, such as `EUR`.
    currency_code: Option<String>,
    /// The column or field with what was taken off the order (orders).
    discount: Option<String>,
    /// … how many of the item (orders).
    quantity: Option<String>,
    /// … the price of one (orders).
    price: Option<String>,
    /// … the item's category (orders).
    category: Option<String>,
    /// … the item's name (items).
    name: Option<String>,
    /// … its description (items).
    description: Option<String>,
    /// … the order's lines: a list of objects with `item`, `quantity`, `price` and `category`.
    lines: Option<String>,
    /// … whether the customer allows analytics: `true` or `false`, `yes` or `no`, `granted` or `withdrawn` (customers).
    consent_analytics: Option<String>,
    /// … whether they allow marketing (customers).
    consent_marketing: Option<String>,
    /// … whether they allow profiling (customers).
    consent_profiling: Option<String>,
    /// Write nothing: profile the file, propose what its columns are, and count the rows that would be taken and left out.
    #[serde(default)]
    dry_run: bool,
    /// What to call the file in the job.
    file_name: Option<String>,
}

impl ImportParams {
    fn request(self, upload: String, bytes: u64) -> ApiResult<ImportRequest> {
        let wrong = |field: &'static str| {
            move |error: crate::ingest::IngestError| ApiError::field(Code::InvalidField, field, error.to_string())
        };
        let kind = self.kind.as_deref().map(str::parse::<Kind>).transpose().map_err(wrong("kind"))?;
        let missing = "is missing; say what the file holds, or have it proposed with dry_run=true";
        let format = self.format.parse::<Format>().map_err(wrong("format"))?;
        let file_name = self.file_name.unwrap_or_else(|| "upload".into());
        let mapping = Mapping {
            customer: self.customer,
            text: self.text,
            id: self.id,
            item: self.item,
            rating: self.rating,
            time: self.time,
            language: self.language,
            event: self.event,
            event_name: self.event_name,
            total: self.total,
            currency: self.currency,
            currency_code: self.currency_code,
            discount: self.discount,
            quantity: self.quantity,
            price: self.price,
            category: self.category,
            lines: self.lines,
            name: self.name,
            description: self.description,
            consent_analytics: self.consent_analytics,
            consent_marketing: self.consent_marketing,
            consent_profiling: self.consent_profiling,
        };
        if !self.dry_run {
            let kind = kind.ok_or_else(|| ApiError::field(Code::InvalidField, "kind", missing))?;
            mapping.check(kind, format).map_err(|error| ApiError::new(Code::InvalidField, error.to_string()))?;
        }
        let mapping = Some(mapping).filter(|mapping| *mapping != Mapping::default());
        Ok(ImportRequest { kind, format, mapping, dry_run: self.dry_run, file_name, bytes, upload })
    }
}

/// Import a file: send it as the body. The same `Idempotency-Key` again gives the job that stands.
#[utoipa::path(post, path = "/v1/imports", tag = "facts", security(("key" = [])), params(ImportParams),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 202, body = JobBody), (status = "default", body = Problem)))]
pub async fn create_import(
    caller: Writer,
    State(state): State<ApiState>,
    Query(params): Query<ImportParams>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    let mut ask = JobAsk::new(JobKind::Import, serde_json::Value::Null);
    ask.idempotency_key = idempotency_key(&headers)?;
    ask.needs.place = state.jobs.place();
    let upload = ask.id.to_string();
    let path = state.uploads_dir.join(&upload);
    let mut request = params.request(upload, 0)?;
    request.bytes = match receive(&path, body, state.limits.upload_bytes).await {
        Ok(bytes) => bytes,
        Err(error) => {
            discard(&path).await;
            return Err(error);
        }
    };
    ask.request = serde_json::to_value(request).map_err(|e| ApiError::new(Code::Internal, e.to_string()))?;
    let id = ask.id;
    let job = state.jobs.submit(&caller.workspace, ask).await;
    if !job.as_ref().is_ok_and(|job| job.id == id) {
        discard(&path).await;
    }
    Ok(accepted(job?))
}

/// The rows that an import left out, as they stand in the file, with what is wrong: NDJSON of `line`, `column`, `code`, `message`
/// and `raw`. Kept for seven days.
#[utoipa::path(get, path = "/v1/imports/{job_id}/rejects", tag = "facts", security(("key" = [])), params(("job_id" = String, Path)),
    responses((status = 200, content_type = "application/x-ndjson", body = String), (status = "default", body = Problem)))]
pub async fn get_rejects(
    caller: Writer,
    State(state): State<ApiState>,
    axum::extract::Path(id): axum::extract::Path<String>,
) -> ApiResult<Response> {
    let id = JobId::parse(&id)?;
    let job = state.jobs.get(&caller.workspace, id).await?.filter(|job| job.kind == JobKind::Import);
    let job = job.ok_or_else(|| ApiError::not_found(&format!("the import {id}")))?;
    let none = || {
        let why = "has no rejected rows: none was left out, they are older than seven days, or another process on the same store imported the file";
        ApiError::new(Code::NotFound, format!("the import {id} {why}"))
    };
    let path = state.rejects.find(job.id).ok_or_else(none)?;
    let file = tokio::fs::File::open(path).await.map_err(|_| none())?;
    let body = Body::from_stream(tokio_util::io::ReaderStream::new(file));
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

/// 202, with where to look.
pub fn accepted(job: Job) -> Response {
    let location = format!("/v1/jobs/{}", job.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(JobBody::from(job))).into_response()
}

/// # Errors
/// The header is not 1 to 255 printable characters.
pub fn idempotency_key(headers: &HeaderMap) -> ApiResult<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(ApiError::new(Code::BadRequest, "Idempotency-Key takes 1 to 255 printable ASCII characters")),
    }
}

/// Writes the body to a file and syncs it.
async fn receive(path: &Path, body: Body, limit: u64) -> ApiResult<u64> {
    let unwritable = |error: std::io::Error| {
        tracing::error!(%error, "an upload could not be written");
        let has_no_room = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        let code = if has_no_room { Code::StoreFull } else { Code::StoreUnavailable };
        ApiError::new(code, "the upload could not be written; nothing was imported")
    };
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    // It holds what customers said.
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).await.map_err(unwritable)?;
    let mut stream = body.into_data_stream();
    let mut bytes = 0u64;
    loop {
        let next = tokio::time::timeout(IDLE_TIMEOUT, stream.next()).await;
        let next = next.map_err(|_| ApiError::new(Code::RequestTimeout, "the upload paused for over 30 seconds"))?;
        let Some(chunk) = next else { break };
        let chunk = chunk.map_err(|_| ApiError::new(Code::BadRequest, "the upload broke off; send it again"))?;
        bytes += chunk.len() as u64;
        if bytes > limit {
            return Err(ApiError::new(
                Code::BodyTooLarge,
                format!("an upload may have at most {limit} bytes; split the file"),
            ));
        }
        file.write_all(&chunk).await.map_err(unwritable)?;
    }
    file.sync_all().await.map_err(unwritable)?;
    Ok(bytes)
}

/// Removes an upload; one that is gone already is no trouble.
pub async fn discard(path: &Path) {
    if let Err(error) = tokio::fs::remove_file(path).await
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(%error, "an upload that is not needed could not be removed");
    }
}
