//! A way of dividing customers, its fitted versions, their segments, and who is in them.

use super::{CustomerId, Invalid, ReviewId, SegmentId, SegmentationName, Timestamp};
use serde::{Deserialize, Serialize};

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
    pub model_fingerprint: String,
    pub dimension: usize,
    /// The mean review vector, `[dimension]`: subtracted from every vector before it is compared.
    pub centre: Vec<f32>,
    /// `[k, dimension]`, row by row, unit length; row i belongs to `segments[i]`.
    pub centroids: Vec<f32>,
    /// The softmax temperature that turns cosines into confidences.
    pub temperature: f64,
    pub n_customers: u64,
    pub n_reviews: u64,
    pub quality: Quality,
    pub segments: Vec<Segment>,
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
    /// Mean cosine between the members and the centroid.
    pub cohesion: f64,
    /// Mean Jaccard index with its best match in refits on resampled customers, 0 to 1 (Hennig 2007).
    pub stability: f64,
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
    /// Mean silhouette of a sample with cosine distance, -1 to 1 (Rousseeuw 1987).
    pub silhouette: f64,
    /// Lower is better (Davies & Bouldin 1979).
    pub davies_bouldin: f64,
    /// Higher is better (Caliński & Harabasz 1974).
    pub calinski_harabasz: f64,
    /// Size of the largest segment over all customers.
    pub largest_share: f64,
    /// Mean over refits on resampled customers of the share of customers who keep their segment.
    pub stability: f64,
    /// Σ (1 - cosine to the own centroid).
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
