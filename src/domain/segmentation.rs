//! A way of dividing customers, its fitted versions, their segments, and who is in them.

use super::{
    Algorithm, BlockKind, BlockWeights, CustomerId, Inputs, Invalid, ReviewId, SegmentId, SegmentationName, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The number of segments: given, or chosen by the fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KChoice {
    Auto,
    /// 2 to 1,000.
    Fixed(usize),
}

impl KChoice {
    /// Reads `auto` or a number from 2 to 1,000.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        match text.parse() {
            Ok(k @ 2..=1000) => Ok(Self::Fixed(k)),
            _ => Err(Invalid::new("k", format!("is {text:?}; give a whole number from 2 to 1000, or auto"))),
        }
    }
}

/// What a segmentation is fitted with. The same facts, definition and program give the same segments.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// A catalogue id (`all-MiniLM-L6-v2`) or a local folder.
    pub model: String,
    pub k: KChoice,
    pub seed: u64,
    pub inputs: Inputs,
    pub algorithm: Algorithm,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    pub name: SegmentationName,
    pub definition: Definition,
    pub created_at: Timestamp,
    pub live_version: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// Fitted, not (yet) what look-ups answer from.
    Candidate,
    /// What look-ups answer from: at most one per segmentation.
    Live,
    /// Was live once.
    Retired,
}

/// One fitted, immutable result of a segmentation.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub segmentation: SegmentationName,
    /// 1, 2, 3, … in the order of fitting.
    pub number: u32,
    pub state: VersionState,
    pub created_at: Timestamp,
    pub definition: Definition,
    /// Which weights made the vectors: the catalogue id and revision, or a folder and its weights' hash.
    /// Empty where texts do not count.
    pub model_fingerprint: String,
    /// Columns of a centroid.
    pub dimension: usize,
    /// The mean review vector, as long as the model's vectors: subtracted from every vector before it is compared. Empty where
    /// texts do not count.
    pub centre: Vec<f32>,
    /// `[k, dimension]`, row by row; row i belongs to `segments[i]`. Of unit length where texts alone count, else points of the joined
    /// space.
    pub centroids: Vec<f32>,
    /// The softmax temperature that turns cosines (in a joined space: halves of negative squared distances) into confidences.
    pub temperature: f64,
    pub n_customers: u64,
    pub n_reviews: u64,
    pub quality: Quality,
    pub segments: Vec<Segment>,
    /// The space the customers lie in, where more than their texts counts.
    pub joined: Option<Joined>,
}

/// The space that words, behaviour and traits have in common, as one version was fitted in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Facts until then counted.
    pub as_of: Timestamp,
    /// What the weights were in the end; 0 for a block left out or without data.
    pub weights: BlockWeights,
    pub blocks: Vec<JoinedBlock>,
    /// What was tried where the weights were sought, best first.
    pub trials: Vec<WeightTrial>,
    /// What places a customer: settings, selection, scalers, encoders, the blocks' centres and scales. Its shape is the use-case's own.
    pub space: Value,
}

/// One block of a joined space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JoinedBlock {
    pub block: BlockKind,
    /// Customers who have something of it; the others lie at its mean.
    pub n_customers: u64,
    /// Columns that count: ids of features, names of traits; nothing for text, whose columns have no names.
    pub columns: Vec<String>,
    /// Columns that were left out, each with the reason.
    pub left_out: Vec<LeftOut>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    pub column: String,
    pub reason: String,
}

/// Weights that were tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightTrial {
    pub weights: BlockWeights,
    /// How many rounds it lasted: half of the trials go on to the next round, which looks at more customers.
    pub rounds: u32,
    /// Customers it was measured on in its last round.
    pub n_customers: u64,
    pub k: usize,
    /// Mean adjusted Rand index between the fit and refits on resampled customers.
    pub stability: f64,
    /// How much of the behaviour of the period that was held out the segments tell: mean of adjusted η² of orders, money and things done.
    pub predicts_behaviour: Option<f64>,
    /// How much of the words of that period they tell: adjusted η² of text profiles.
    pub predicts_text: Option<f64>,
    /// What the choice compares, within one round.
    pub score: f64,
}

/// A group in a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    pub id: SegmentId,
    pub name: String,
    pub keywords: Vec<Keyword>,
    /// The reviews nearest to the segment's centroid, nearest first, each of another customer.
    pub typical_reviews: Vec<TypicalReview>,
    /// Customers in it.
    pub size: u64,
    /// `size` over all customers of the version, 0 to 1.
    pub share: f64,
    /// Mean cosine between the members and the centroid. In a joined space: 1 less the members' mean squared distance to it over
    /// everyone's to the middle of all; 0 or less is no closer together than everyone is.
    pub cohesion: f64,
    /// Mean Jaccard index with its best match in refits on resampled customers, 0 to 1 (Hennig 2007).
    pub stability: f64,
    /// How it differs from everyone in what people do and are, where that counts.
    pub portrait: Option<Portrait>,
}

/// A segment beside everyone, in what people do and are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Portrait {
    /// A sentence that says how many they are and how they differ.
    pub sentence_en: String,
    pub sentence_zh: String,
    /// The largest first; empty where nothing differs.
    pub differences: Vec<Difference>,
    /// A short rule that tells its customers from the others, where one can.
    pub rule: Option<SegmentRule>,
}

/// A feature or trait in which a segment differs from everyone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub block: BlockKind,
    /// A feature's id, or `trait:NAME` and `trait:NAME=VALUE`.
    pub feature: String,
    pub name_en: String,
    pub name_zh: String,
    pub unit: String,
    /// The segment's mean less everyone's, over everyone's standard deviation, of the scaled feature (counts, money and days by their
    /// logarithm).
    pub effect: f64,
    /// The ends of its 95 % confidence interval.
    pub low: f64,
    pub high: f64,
    /// The segment's median, in the feature's unit; of a trait that is there or not, the share that has it.
    pub segment: f64,
    /// The same of everyone.
    pub everyone: f64,
}

/// A short rule for one segment. Both figures are measured on the customers it was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentRule {
    pub text_en: String,
    pub text_zh: String,
    /// The share of those who meet it that are in the segment.
    pub precision: f64,
    /// The share of the segment that meets it.
    pub recall: f64,
}

/// A segment that other customers of the same kind would not bring forth: of the clusters of a resample none shares six in ten members
/// with it in the mean (Hennig 2008: below 0.6 a cluster should not be trusted).
pub const UNSTABLE_BELOW: f64 = 0.6;

impl Segment {
    pub fn is_unstable(&self) -> bool {
        self.stability < UNSTABLE_BELOW
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Keyword {
    pub term: String,
    /// Class-based TF-IDF weight (Grootendorst 2022, equation 2); comparable within one version only.
    pub score: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypicalReview {
    pub review_id: ReviewId,
    pub customer_id: CustomerId,
    /// At most its first 280 characters.
    pub text: String,
    /// Cosine to the segment's centroid.
    pub similarity: f64,
}

/// How good a fit is: never one number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Mean silhouette with cosine distance, in a joined space with squared Euclidean distance, -1 to 1 (Rousseeuw 1987).
    pub silhouette: f64,
    /// Lower is better (Davies & Bouldin 1979).
    pub davies_bouldin: f64,
    /// Higher is better (Caliński & Harabasz 1974).
    pub calinski_harabasz: f64,
    /// Size of the largest segment over all customers.
    pub largest_share: f64,
    /// Mean over refits on resampled customers of the share of customers who keep their segment.
    pub stability: f64,
    /// Σ (1 - cosine to the own centroid); in a joined space Σ of squared distances.
    pub inertia: f64,
    pub k: usize,
    /// What was tried when k was `auto`; empty when it was given.
    pub candidates: Vec<Candidate>,
    /// How sure the figures are; nothing of versions fitted before they were measured.
    #[serde(default)]
    pub intervals: Option<Intervals>,
}

/// 95 % intervals of a fit's figures, low and high, over other customers of the same kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    pub silhouette: [f64; 2],
    pub davies_bouldin: [f64; 2],
    pub calinski_harabasz: [f64; 2],
    pub largest_share: [f64; 2],
    pub stability: [f64; 2],
    /// Of the stability of each segment, in the version's order.
    pub segments: Vec<[f64; 2]>,
}

/// One k that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub k: usize,
    pub silhouette: f64,
    pub stability: f64,
    pub largest_share: f64,
    /// What the choice compares.
    pub score: f64,
    /// Why it was out of the question, if it was.
    pub rejected: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveReason {
    /// First segment this customer has in the segmentation.
    Joined,
    /// A new version put them elsewhere.
    Refit,
}

/// Customer × segmentation → segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    pub customer: CustomerId,
    pub segment: SegmentId,
    /// 0 to 1: in how many of ten (0.7: seven) refits on resampled customers someone placed like this keeps the segment.
    pub confidence: f64,
    pub runner_up: Option<SegmentId>,
    pub runner_up_confidence: f64,
    /// Since when this customer is in this segment, across versions.
    pub since: Timestamp,
    pub reason: MoveReason,
}
