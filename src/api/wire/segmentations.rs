//! Segmentations, their versions, segments and members, and texts placed in them.

use super::{RunnerUp, name_of, rounded, runner_up};
use crate::domain::{self, Quality, Timestamp, TypicalReview, Version};
use crate::segment::{Assigned, LiveVersion};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

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
    /// Whether that is below 0.6: other customers of the same kind would hardly bring it forth.
    pub unstable: bool,
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
            unstable: segment.is_unstable(),
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
