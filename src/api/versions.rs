//! What a segmentation's fits came to: versions, segments, and who is in them.

use super::ApiState;
use super::auth::Reader;
use super::body::Query;
use super::cursor::List;
use super::customers::{PageParams, with_etag};
use super::problem::{ApiError, ApiResult, Code, Problem};
use super::segmentations::{live, unknown};
use super::wire::{MemberBody, MembersPage, OneSegmentBody, Page, SegmentBody, SegmentsBody, VersionBody, segments};
use crate::domain::{CustomerId, Membership, Purpose, SegmentId, SegmentationName, Version, WorkspaceId};
use crate::intake::Intake;
use crate::segment::LiveVersion;
use crate::store::{MembersQuery, Store};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::IntoParams;

/// Members read at a time for a whole download.
const DOWNLOAD_PAGE: usize = 5_000;

/// All versions, newest first.
#[utoipa::path(get, path = "/v1/segmentations/{segmentation}/versions", tag = "segmentations", security(("key" = [])),
    params(("segmentation" = String, Path)),
    responses((status = 200, body = Page<VersionBody>), (status = "default", body = Problem)))]
pub async fn list_versions(
    caller: Reader,
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> ApiResult<axum::Json<Page<VersionBody>>> {
    let name = SegmentationName::parse(&name)?;
    if state.store.segmentation(&caller.workspace, &name).await?.is_none() {
        return Err(unknown(&name));
    }
    let versions = state.store.versions(&caller.workspace, &name).await?;
    Ok(axum::Json(Page::whole(
        versions.iter().map(|version| VersionBody::new(&quotable(&state, &caller.workspace, version), &[])).collect(),
    )))
}

/// One version with its quality report and segments.
#[utoipa::path(get, path = "/v1/segmentations/{segmentation}/versions/{version}", tag = "segmentations", security(("key" = [])),
    params(("segmentation" = String, Path), ("version" = u32, Path)),
    responses((status = 200, body = VersionBody), (status = "default", body = Problem)))]
pub async fn get_version(
    caller: Reader,
    State(state): State<ApiState>,
    Path((name, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let name = SegmentationName::parse(&name)?;
    let number: u32 = number
        .parse()
        .map_err(|_| ApiError::field(Code::InvalidField, "version", "`version` is a whole number, for example 1"))?;
    if let Some(live) = state.snapshots.live(&caller.workspace, &name).filter(|live| live.version.number == number) {
        return with_etag(&headers, &VersionBody::new(&quotable(&state, &caller.workspace, &live.version), &live.map));
    }
    let version = state.store.version(&caller.workspace, &name, number).await?;
    let version =
        version.ok_or_else(|| ApiError::not_found(&format!("version {number} of the segmentation {name}")))?;
    let shown = LiveVersion::new(version, []);
    with_etag(&headers, &VersionBody::new(&quotable(&state, &caller.workspace, &shown.version), &shown.map))
}

/// The version without quotes of customers who do not allow profiling.
fn quotable(state: &ApiState, workspace: &WorkspaceId, version: &Version) -> Version {
    let consents = state.intake.consents();
    let mut version = version.clone();
    for segment in &mut version.segments {
        segment
            .typical_reviews
            .retain(|quoted| consents.refusal(workspace, &quoted.customer_id, Purpose::Profiling).is_none());
    }
    version
}

/// The live version's segments, largest first.
#[utoipa::path(get, path = "/v1/segmentations/{segmentation}/segments", tag = "segmentations", security(("key" = [])),
    params(("segmentation" = String, Path)),
    responses((status = 200, body = SegmentsBody), (status = "default", body = Problem)))]
pub async fn list_segments(
    caller: Reader,
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let live = live(&state, &caller.workspace, &name).await?;
    let body = SegmentsBody {
        segmentation: live.version.segmentation.to_string(),
        version: live.version.number,
        data: segments(&quotable(&state, &caller.workspace, &live.version), &live.map),
    };
    with_etag(&headers, &body)
}

/// One segment of the live version.
#[utoipa::path(get, path = "/v1/segmentations/{segmentation}/segments/{segment_id}", tag = "segmentations", security(("key" = [])),
    params(("segmentation" = String, Path), ("segment_id" = String, Path)),
    responses((status = 200, body = OneSegmentBody), (status = "default", body = Problem)))]
pub async fn get_segment(
    caller: Reader,
    State(state): State<ApiState>,
    Path((name, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let live = live(&state, &caller.workspace, &name).await?;
    let id = SegmentId::parse(&id)?;
    let index = live.version.segments.iter().position(|segment| segment.id == id);
    let index = index.ok_or_else(|| ApiError::not_found(&format!("the segment {id} of {name}")))?;
    let body = OneSegmentBody {
        segmentation: live.version.segmentation.to_string(),
        version: live.version.number,
        segment: SegmentBody::new(
            &quotable(&state, &caller.workspace, &live.version).segments[index],
            live.map.get(index).copied(),
        ),
    };
    with_etag(&headers, &body)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct MembersParams {
    /// A segment's id; all segments when left out.
    segment: Option<String>,
    /// `json` (a page, the default), `csv` or `ndjson` (all members in one download).
    format: Option<String>,
    /// 1 to 1,000; default 50 (json only).
    limit: Option<usize>,
    /// The `next_cursor` of the page before (json only).
    cursor: Option<String>,
}

/// Who is in the live version's segments, in byte order of the customers' ids. Who does not allow marketing or profiling is left out, so
/// a page may be shorter than asked for.
#[utoipa::path(get, path = "/v1/segmentations/{segmentation}/members", tag = "segmentations", security(("key" = [])),
    params(("segmentation" = String, Path), MembersParams),
    responses((status = 200, content((MembersPage = "application/json"), (String = "text/csv"), (String = "application/x-ndjson"))), (status = "default", body = Problem)))]
pub async fn list_members(
    caller: Reader,
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Query(params): Query<MembersParams>,
) -> ApiResult<Response> {
    let live = live(&state, &caller.workspace, &name).await?;
    let segment = params.segment.as_deref().map(SegmentId::parse).transpose()?;
    if let Some(id) = segment
        && live.segment(id).is_none()
    {
        return Err(ApiError::not_found(&format!("the segment {id} of {name}")));
    }
    let intake = Arc::clone(&state.intake);
    let members = Members { store: Arc::clone(&state.store), intake, workspace: caller.workspace, live, segment };
    match params.format.as_deref() {
        None | Some("json") => members.page(PageParams { limit: params.limit, cursor: params.cursor }).await,
        Some("csv") => Ok(members.download(Download::Csv)),
        Some("ndjson") => Ok(members.download(Download::Ndjson)),
        Some(other) => {
            let detail = format!("format is {other:?}; json, csv and ndjson are there");
            Err(ApiError::field(Code::InvalidField, "format", detail))
        }
    }
}

/// The members of one version, of all segments or one.
struct Members {
    store: Arc<dyn Store>,
    intake: Arc<Intake>,
    workspace: WorkspaceId,
    live: Arc<LiveVersion>,
    segment: Option<SegmentId>,
}

#[derive(Clone, Copy)]
enum Download {
    Csv,
    Ndjson,
}

/// A row of a download.
#[derive(Serialize)]
struct MemberRow<'a> {
    customer: &'a str,
    segment_id: String,
    segment: &'a str,
    confidence: f64,
}

impl Members {
    async fn read(&self, after: Option<&CustomerId>, limit: usize) -> ApiResult<Vec<Membership>> {
        let (name, number) = (&self.live.version.segmentation, self.live.version.number);
        let query = MembersQuery { segment: self.segment, after, limit };
        Ok(self.store.members(&self.workspace, name, number, query).await?)
    }

    /// Whether a customer may be in an audience.
    fn may_be_told(&self, customer: &CustomerId) -> bool {
        let consents = self.intake.consents();
        [Purpose::Profiling, Purpose::Marketing]
            .into_iter()
            .all(|purpose| consents.refusal(&self.workspace, customer, purpose).is_none())
    }

    async fn page(self, params: PageParams) -> ApiResult<Response> {
        let limit = params.limit()?;
        let version = &self.live.version;
        let segment = self.segment.map_or_else(String::new, |id| id.to_string());
        let number = version.number.to_string();
        let list = List::new(&["members", self.workspace.as_str(), version.segmentation.as_str(), &number, &segment]);
        let after = list.key(params.cursor.as_deref())?.map(|key| CustomerId::parse(&key)).transpose()?;
        let mut rows = self.read(after.as_ref(), limit + 1).await?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| has_more).map(|row| list.cursor(row.customer.as_str()));
        let body = MembersPage {
            segmentation: version.segmentation.to_string(),
            version: version.number,
            data: rows
                .into_iter()
                .filter(|row| self.may_be_told(&row.customer))
                .map(|row| MemberBody::new(&self.live, row))
                .collect(),
            next_cursor,
            has_more,
        };
        Ok(axum::Json(body).into_response())
    }

    /// Streams all members; memory does not grow with their number.
    fn download(self, format: Download) -> Response {
        let (kind, extension) = match format {
            Download::Csv => ("text/csv; charset=utf-8", "csv"),
            Download::Ndjson => ("application/x-ndjson", "ndjson"),
        };
        let version = &self.live.version;
        let segment = self.segment.map_or_else(String::new, |id| format!("-{id}"));
        let file = format!("{}-v{}{segment}.{extension}", version.segmentation, version.number);
        let number = version.number;
        let head = match format {
            Download::Csv => Bytes::from_static(b"customer,segment_id,segment,confidence\n"),
            Download::Ndjson => Bytes::new(),
        };
        let rows =
            stream::try_unfold((self, None::<CustomerId>, Some(head)), move |(members, after, head)| async move {
                if let Some(head) = head {
                    return Ok(Some((head, (members, after, None))));
                }
                let page = members.read(after.as_ref(), DOWNLOAD_PAGE).await;
                let page = page.map_err(|error| std::io::Error::other(error.detail))?;
                let Some(last) = page.last().map(|row| row.customer.clone()) else { return Ok(None) };
                let bytes = members.rows(&page, format)?;
                Ok::<_, std::io::Error>(Some((bytes, (members, Some(last), None))))
            });
        let mut response = Body::from_stream(rows).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{file}\"")) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
        headers.insert("clientele-version", HeaderValue::from(number));
        response
    }

    fn rows(&self, page: &[Membership], format: Download) -> std::io::Result<Bytes> {
        let mut out = Vec::with_capacity(page.len() * 64);
        let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        for member in page.iter().filter(|member| self.may_be_told(&member.customer)) {
            let segment = self.live.segment(member.segment).map_or("", |segment| segment.name.as_str());
            let row = MemberRow {
                customer: member.customer.as_str(),
                segment_id: member.segment.to_string(),
                segment,
                confidence: super::wire::rounded(member.confidence),
            };
            match format {
                Download::Csv => {
                    let confidence = row.confidence.to_string();
                    let (customer, segment) = (csv_safe(row.customer), csv_safe(row.segment));
                    csv.write_record([&*customer, &row.segment_id, &*segment, &confidence])?;
                }
                Download::Ndjson => {
                    serde_json::to_writer(&mut out, &row)?;
                    out.push(b'\n');
                }
            }
        }
        match format {
            Download::Csv => csv.into_inner().map(Bytes::from).map_err(|e| std::io::Error::other(e.to_string())),
            Download::Ndjson => Ok(out.into()),
        }
    }
}

/// A cell that a spreadsheet would take for a formula gets a `'` before it.
fn csv_safe(cell: &str) -> std::borrow::Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}").into() } else { cell.into() }
}
