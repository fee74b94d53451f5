//! What the API's JSON looks like. Domain values become these at the edge and nowhere else.

use super::problem::ProblemField;
use crate::domain::{self, Job, Key, Quality, Timestamp, TypicalReview, Version};
use crate::segment::{Assigned, LiveVersion, Placed};
use crate::store::StoredReview;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Give it back as `cursor` for the next page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

impl<T> Page<T> {
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None, has_more: false }
    }
}

/// What became of a batch, item by item where something was wrong.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Taken {
    /// Facts kept: new ones, and reviews whose words replaced older ones. Durable when this is answered.
    pub accepted: u64,
    /// Facts that were there already.
    pub duplicate: u64,
    pub rejected: Vec<RejectedItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedItem {
    /// Position in the batch, from 0.
    pub index: usize,
    pub errors: Vec<ProblemField>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct WorkspaceBody {
    pub workspace: String,
    pub customers: u64,
    pub reviews: u64,
    pub events: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewBody {
    pub review_id: String,
    pub text: String,
    pub item_id: Option<String>,
    pub rating: Option<f64>,
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
}

impl From<StoredReview> for ReviewBody {
    fn from(stored: StoredReview) -> Self {
        let review = stored.review;
        Self {
            review_id: review.id.to_string(),
            text: review.text.as_str().to_owned(),
            item_id: review.item,
            rating: review.rating,
            time: review.time,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerBody {
    pub customer_id: String,
    #[schema(value_type = Object)]
    pub traits: Value,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    pub n_reviews: u64,
    pub n_events: u64,
    /// The newest 20; nothing in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviews: Option<Vec<ReviewBody>>,
}

impl From<domain::Customer> for CustomerBody {
    fn from(customer: domain::Customer) -> Self {
        Self {
            customer_id: customer.id.to_string(),
            traits: Value::Object(customer.traits),
            created_at: customer.created_at,
            n_reviews: customer.n_reviews,
            n_events: customer.n_events,
            reviews: None,
        }
    }
}

/// A segment somebody is also near to.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunnerUp {
    pub segment_id: String,
    pub segment: String,
    pub confidence: f64,
}

/// A customer's place in one segmentation.
#[derive(Debug, Serialize, ToSchema)]
pub struct MembershipBody {
    pub segmentation: String,
    /// The version that answers.
    pub version: u32,
    pub segment_id: String,
    /// The segment's name.
    pub segment: String,
    /// 0 to 1.
    pub confidence: f64,
    pub runner_up: Option<RunnerUp>,
    /// Since when the customer is in this segment, across versions.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Why the customer came to be in it: `joined` or `refit`.
    #[schema(value_type = String)]
    pub reason: domain::MoveReason,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerSegments {
    pub customer_id: String,
    pub data: Vec<MembershipBody>,
}

/// Four digits are more than any confidence or cosine here is worth.
pub fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn name_of(live: &LiveVersion, id: domain::SegmentId) -> String {
    live.segment(id).map_or_else(|| id.to_string(), |segment| segment.name.clone())
}

fn runner_up(live: &LiveVersion, id: domain::SegmentId, confidence: f64) -> RunnerUp {
    RunnerUp { segment_id: id.to_string(), segment: name_of(live, id), confidence: rounded(confidence) }
}

impl MembershipBody {
    pub fn new(live: &LiveVersion, placed: Placed) -> Self {
        Self {
            segmentation: live.version.segmentation.to_string(),
            version: live.version.number,
            segment_id: placed.segment.to_string(),
            segment: name_of(live, placed.segment),
            confidence: rounded(f64::from(placed.confidence)),
            runner_up: placed.runner_up.map(|id| runner_up(live, id, f64::from(placed.runner_up_confidence))),
            since: placed.since,
            reason: placed.reason,
        }
    }
}

/// `POST /v1/customers/segments:batch`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomersAsk {
    /// 1 to 1,000 customers' ids.
    pub customer_ids: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CustomersSegments {
    pub data: Vec<CustomerSegments>,
    /// Ids that are in no live segmentation.
    pub not_found: Vec<String>,
}

/// `POST /v1/segmentations/{s}/fit` and `PUT /v1/segmentations/{s}`; what is left out keeps its value, or its default.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefinitionAsk {
    /// A catalogue id or alias; a folder where the service's own command line gives it. Default: the catalogue's first.
    pub model: Option<String>,
    /// A whole number from 2 to 1000, or `"auto"` (the default).
    #[schema(value_type = Option<Object>)]
    pub k: Option<Value>,
    /// Default 0.
    pub seed: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DefinitionBody {
    pub model: String,
    /// `"auto"` or a number.
    #[schema(value_type = Object)]
    pub k: Value,
    pub seed: u64,
}

impl From<&domain::Definition> for DefinitionBody {
    fn from(definition: &domain::Definition) -> Self {
        let k = match definition.k {
            domain::KChoice::Auto => Value::from("auto"),
            domain::KChoice::Fixed(k) => Value::from(k),
        };
        Self { model: definition.model.clone(), k, seed: definition.seed }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SegmentationBody {
    pub name: String,
    pub definition: DefinitionBody,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    pub live_version: Option<u32>,
}

impl From<domain::Segmentation> for SegmentationBody {
    fn from(segmentation: domain::Segmentation) -> Self {
        Self {
            name: segmentation.name.to_string(),
            definition: (&segmentation.definition).into(),
            created_at: segmentation.created_at,
            live_version: segmentation.live_version,
        }
    }
}

/// Where a segment lies on the map, -1 to 1: like segments lie near each other.
#[derive(Debug, Serialize, ToSchema)]
pub struct MapPoint {
    pub x: f64,
    pub y: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SegmentBody {
    pub id: String,
    pub name: String,
    #[schema(value_type = Vec<Object>)]
    pub keywords: Vec<domain::Keyword>,
    #[schema(value_type = Vec<Object>)]
    pub typical_reviews: Vec<TypicalReview>,
    /// Customers in it.
    pub size: u64,
    /// Of all customers of the version, 0 to 1.
    pub share: f64,
    /// Mean cosine of its customers to its centre.
    pub cohesion: f64,
    /// Mean Jaccard index with its best match in refits on resampled customers, 0 to 1.
    pub stability: f64,
    pub map: Option<MapPoint>,
}

impl SegmentBody {
    pub fn new(segment: &domain::Segment, at: Option<[f64; 2]>) -> Self {
        Self {
            id: segment.id.to_string(),
            name: segment.name.clone(),
            keywords: segment.keywords.clone(),
            typical_reviews: segment.typical_reviews.clone(),
            size: segment.size,
            share: rounded(segment.share),
            cohesion: rounded(segment.cohesion),
            stability: rounded(segment.stability),
            map: at.map(|[x, y]| MapPoint { x: rounded(x), y: rounded(y) }),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SegmentsBody {
    pub segmentation: String,
    pub version: u32,
    /// Largest first.
    pub data: Vec<SegmentBody>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OneSegmentBody {
    pub segmentation: String,
    pub version: u32,
    pub segment: SegmentBody,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct VersionBody {
    pub segmentation: String,
    pub version: u32,
    /// `candidate`, `live` or `retired`.
    #[schema(value_type = String)]
    pub state: domain::VersionState,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    pub definition: DefinitionBody,
    pub model_fingerprint: String,
    pub dimension: usize,
    pub n_customers: u64,
    pub n_reviews: u64,
    #[schema(value_type = Object)]
    pub quality: Quality,
    pub segments: Vec<SegmentBody>,
}

impl VersionBody {
    pub fn new(version: &Version, map: &[[f64; 2]]) -> Self {
        Self {
            segmentation: version.segmentation.to_string(),
            version: version.number,
            state: version.state,
            created_at: version.created_at,
            definition: (&version.definition).into(),
            model_fingerprint: version.model_fingerprint.clone(),
            dimension: version.dimension,
            n_customers: version.n_customers,
            n_reviews: version.n_reviews,
            quality: version.quality.clone(),
            segments: segments(version, map),
        }
    }
}

/// A version's segments, largest first.
pub fn segments(version: &Version, map: &[[f64; 2]]) -> Vec<SegmentBody> {
    let mut all: Vec<_> =
        version.segments.iter().enumerate().map(|(i, s)| SegmentBody::new(s, map.get(i).copied())).collect();
    all.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.id.len().cmp(&b.id.len())).then_with(|| a.id.cmp(&b.id)));
    all
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MemberBody {
    pub customer_id: String,
    pub segment_id: String,
    pub segment: String,
    pub confidence: f64,
    pub runner_up: Option<RunnerUp>,
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    #[schema(value_type = String)]
    pub reason: domain::MoveReason,
}

impl MemberBody {
    pub fn new(live: &LiveVersion, member: domain::Membership) -> Self {
        Self {
            customer_id: member.customer.to_string(),
            segment_id: member.segment.to_string(),
            segment: name_of(live, member.segment),
            confidence: rounded(member.confidence),
            runner_up: member.runner_up.map(|id| runner_up(live, id, member.runner_up_confidence)),
            since: member.since,
            reason: member.reason,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MembersPage {
    pub segmentation: String,
    pub version: u32,
    pub data: Vec<MemberBody>,
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// `POST /v1/segmentations/{s}/assign`: a text, or up to 100.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignAsk {
    pub text: Option<String>,
    pub texts: Option<Vec<String>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Similarity {
    pub segment_id: String,
    pub segment: String,
    /// Cosine to the segment's centre, -1 to 1.
    pub similarity: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AssignedBody {
    pub segment_id: String,
    pub segment: String,
    pub confidence: f64,
    pub runner_up: Option<RunnerUp>,
    /// Nearest first.
    pub similarities: Vec<Similarity>,
}

impl AssignedBody {
    pub fn new(live: &LiveVersion, assigned: Assigned) -> Self {
        let mut similarities: Vec<_> = assigned
            .similarities
            .into_iter()
            .map(|(id, similarity)| Similarity {
                segment_id: id.to_string(),
                segment: name_of(live, id),
                similarity: rounded(similarity),
            })
            .collect();
        similarities.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        Self {
            segment_id: assigned.segment.to_string(),
            segment: name_of(live, assigned.segment),
            confidence: rounded(assigned.confidence),
            runner_up: assigned.runner_up.map(|(id, confidence)| runner_up(live, id, confidence)),
            similarities,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AssignBody {
    pub segmentation: String,
    pub version: u32,
    pub model: String,
    /// Texts that were longer than the model takes and were cut.
    pub n_truncated: usize,
    pub data: Vec<AssignedBody>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JobErrorBody {
    pub code: String,
    pub detail: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JobBody {
    pub id: String,
    /// `import` or `fit`.
    #[schema(value_type = String)]
    pub kind: domain::JobKind,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    #[schema(value_type = String)]
    pub state: domain::JobState,
    #[schema(value_type = Object)]
    pub progress: domain::Progress,
    #[schema(value_type = Object)]
    pub result: Option<Value>,
    pub error: Option<JobErrorBody>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

impl From<Job> for JobBody {
    fn from(job: Job) -> Self {
        Self {
            id: job.id.to_string(),
            kind: job.kind,
            state: job.state,
            progress: job.progress,
            result: job.result,
            error: job.error.map(|(code, detail)| JobErrorBody { code, detail }),
            created_at: job.created_at,
            finished_at: job.finished_at,
        }
    }
}

/// `POST /v1/keys`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyAsk {
    /// What to call it.
    pub label: String,
    /// Of `write`, `read`, `manage`, `admin`.
    pub scopes: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct KeyBody {
    pub id: String,
    pub workspace: String,
    pub label: String,
    #[schema(value_type = Vec<String>)]
    pub scopes: Vec<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// Shown this once, when the key is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl From<Key> for KeyBody {
    fn from(key: Key) -> Self {
        Self {
            id: key.id.to_string(),
            workspace: key.workspace.to_string(),
            label: key.label,
            scopes: key.scopes.names(),
            created_at: key.created_at,
            revoked_at: key.revoked_at,
            secret: None,
        }
    }
}
