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
    /// What counts, and how much: `{"text": 1, "behaviour": 1, "traits": 0.5}` (0 to 1000, 0 or left out: not at all), `"all"` (the
    /// default: every block there are data for, with weight 1) or `"auto"` (weights are sought).
    #[schema(value_type = Option<Object>)]
    pub blocks: Option<Value>,
    /// Features of the behaviour block to take or leave, by id.
    pub features: Option<PickedAsk>,
    /// Traits to take or leave, by name.
    pub traits: Option<PickedAsk>,
    /// Facts until then count: a moment (RFC 3339), or `newest` (the default).
    pub as_of: Option<String>,
    /// `kmeans`.
    pub algorithm: Option<String>,
}

/// Columns by name; a name that ends in `*` stands for all that begin like it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PickedAsk {
    /// Left out or empty: all.
    pub only: Option<Vec<String>>,
    pub without: Option<Vec<String>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DefinitionBody {
    pub model: String,
    /// `"auto"` or a number.
    #[schema(value_type = Object)]
    pub k: Value,
    pub seed: u64,
    /// `"all"`, `"auto"`, or weights.
    #[schema(value_type = Object)]
    pub blocks: Value,
    #[schema(value_type = Object)]
    pub features: domain::Picked,
    #[schema(value_type = Object)]
    pub traits: domain::Picked,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
    pub algorithm: String,
}

impl From<&domain::Definition> for DefinitionBody {
    fn from(definition: &domain::Definition) -> Self {
        let k = match definition.k {
            domain::KChoice::Auto => Value::from("auto"),
            domain::KChoice::Fixed(k) => Value::from(k),
        };
        let domain::Inputs { blocks, features, traits, as_of } = definition.inputs.clone();
        let blocks = match blocks {
            domain::BlockChoice::All => Value::from("all"),
            domain::BlockChoice::Auto => Value::from("auto"),
            domain::BlockChoice::Weights(weights) => weights_body(weights),
        };
        let algorithm = definition.algorithm.as_str().to_owned();
        Self { model: definition.model.clone(), k, seed: definition.seed, blocks, features, traits, as_of, algorithm }
    }
}

fn weights_body(weights: domain::BlockWeights) -> Value {
    let of = |block: domain::BlockKind| (block.as_str().to_owned(), Value::from(weights.of(block)));
    domain::BlockKind::ALL.into_iter().map(of).collect::<serde_json::Map<_, _>>().into()
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
    /// Mean cosine of its customers to its centre. Where more than texts counts: 1 less their mean squared distance to it over
    /// everyone's to the middle of all.
    pub cohesion: f64,
    /// Mean Jaccard index with its best match in refits on resampled customers, 0 to 1.
    pub stability: f64,
    /// Whether that is below 0.6: other customers of the same kind would hardly bring it forth.
    pub unstable: bool,
    pub map: Option<MapPoint>,
    /// How it differs from everyone in what people do and are; nothing where texts alone count.
    #[schema(value_type = Option<Object>)]
    pub portrait: Option<domain::Portrait>,
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
            portrait: segment.portrait.clone().map(rounded_portrait),
        }
    }
}

fn rounded_portrait(portrait: domain::Portrait) -> domain::Portrait {
    let difference = |one: domain::Difference| domain::Difference {
        effect: rounded(one.effect),
        low: rounded(one.low),
        high: rounded(one.high),
        segment: rounded(one.segment),
        everyone: rounded(one.everyone),
        ..one
    };
    let rule = |rule: domain::SegmentRule| domain::SegmentRule {
        precision: rounded(rule.precision),
        recall: rounded(rule.recall),
        ..rule
    };
    domain::Portrait {
        differences: portrait.differences.into_iter().map(difference).collect(),
        rule: portrait.rule.map(rule),
        ..portrait
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
    /// The space that words, behaviour and traits have in common; nothing where texts alone count.
    pub joined: Option<JoinedBody>,
}

/// What counted in a joined space.
#[derive(Debug, Serialize, ToSchema)]
pub struct JoinedBody {
    /// Facts until then counted.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// What each block counted.
    #[schema(value_type = Object)]
    pub weights: Value,
    /// Columns that counted, and those left out with the reason.
    #[schema(value_type = Vec<Object>)]
    pub blocks: Vec<domain::JoinedBlock>,
    /// Weights that were tried, best first; empty where they were given.
    #[schema(value_type = Vec<Object>)]
    pub trials: Vec<domain::WeightTrial>,
}

impl From<&domain::Joined> for JoinedBody {
    fn from(joined: &domain::Joined) -> Self {
        Self {
            as_of: joined.as_of,
            weights: weights_body(joined.weights),
            blocks: joined.blocks.clone(),
            trials: joined.trials.clone(),
        }
    }
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
            joined: version.joined.as_ref().map(Into::into),
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

/// `POST /v1/segmentations/{s}/assign`: a text, up to 100, or a customer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignAsk {
    pub text: Option<String>,
    pub texts: Option<Vec<String>>,
    /// A customer's id: placed by the facts there are of them now.
    pub customer: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Similarity {
    pub segment_id: String,
    pub segment: String,
    /// Cosine to the segment's centre, -1 to 1. Where more than texts counts: 1 less the squared distance to it over the mean one
    /// between customers.
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
    /// The weight of the blocks of which anything is known, over all weight, 0 to 1: confidence is that much nearer to a guess.
    pub known: f64,
    /// Blocks that count and of which nothing is known.
    #[schema(value_type = Vec<String>)]
    pub missing: Vec<domain::BlockKind>,
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
            known: rounded(assigned.known),
            missing: assigned.missing,
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
