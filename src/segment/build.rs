//! The pure part of a fit: what customers say, do and are in, a version and its members out.
//!
//! Here is the way where what they say counts alone; [`joined`] has the one where more does.

use super::SegmentError;
use super::fit::{Reporter, step};
use super::joined;
use super::people::People;
use super::profile::{TextProfiles, text_profiles};
use super::snapshot::LiveVersion;
use super::typical::{Geometry, Typical, typical_reviews};
use crate::cluster::{self, Clustering, Placed, Points, Scorer, Stability, Watch};
use crate::domain::{
    Candidate, CustomerId, Definition, Intervals, KChoice, Membership, MoveReason, Quality, Segment, SegmentId,
    SegmentationName, Timestamp, TypicalReview, Version, VersionState,
};
use crate::language;
use crate::measure::BootstrapSettings;
use crate::store::ReviewVector;
use std::ops::ControlFlow;
use std::sync::Arc;

pub(super) const KEYWORDS: usize = 5;
pub(super) const TYPICAL_REVIEWS: usize = 3;
const TYPICAL_CHARACTERS: usize = 280;
/// Refits on resampled customers, for stability and confidence.
const REFITS: usize = 10;
/// Resamples, for how sure the figures of quality are.
const RESAMPLES: usize = 100;

/// Everything a version is made of, once the model is done.
pub struct Material {
    pub reviews: Vec<ReviewVector>,
    /// The words of `reviews[i]`.
    pub texts: Vec<String>,
    /// What they do and are; nothing where that is not to count. Everybody with a review is among them.
    pub people: Option<People>,
    /// Who was in which segment before, if there is a live version.
    pub previous: Option<Arc<LiveVersion>>,
    /// The number of the version to come.
    pub version: u32,
    /// The highest segment id any version ever had: ids are never used again for another group.
    pub highest_id: u32,
    pub model_fingerprint: String,
    pub now: Timestamp,
    /// Where customers are scored faster than here, if anywhere. It changes no result.
    pub scorer: Option<Arc<dyn Scorer>>,
}

impl Material {
    /// A typical review as it is shown; its index counts the material's reviews.
    pub(super) fn shown(&self, typical: Typical) -> TypicalReview {
        let review = &self.reviews[typical.review];
        TypicalReview {
            review_id: review.review.clone(),
            customer_id: review.customer.clone(),
            text: self.texts[typical.review].chars().take(TYPICAL_CHARACTERS).collect(),
            similarity: typical.similarity,
        }
    }

    /// A customer's place, with `since` kept for who stays where they were. `ids[i]` is the id of cluster i.
    pub(super) fn membership(&self, customer: &CustomerId, placed: Placed, ids: &[SegmentId]) -> Membership {
        let segment = ids[placed.best];
        let before = self.previous.as_deref().and_then(|live| live.placed(customer));
        let (since, reason) = match before {
            Some(before) if before.segment == segment => (before.since, before.reason),
            Some(_) => (self.now, MoveReason::Refit),
            None => (self.now, MoveReason::Joined),
        };
        Membership {
            customer: customer.clone(),
            segment,
            confidence: placed.confidence,
            runner_up: placed.runner_up.map(|(index, _)| ids[index]),
            runner_up_confidence: placed.runner_up.map_or(0.0, |(_, confidence)| confidence),
            since,
            reason,
        }
    }
}

/// Clusters the customers, describes the segments and places everybody. Where the definition lets more than texts count and there is
/// more, that is in the joined space; else in the texts' own.
///
/// # Errors
/// There are too few customers for k, or the work was cancelled.
pub fn build(
    material: &Material,
    name: &SegmentationName,
    definition: &Definition,
    reporter: &dyn Reporter,
) -> Result<(Version, Vec<Membership>), SegmentError> {
    if let Some(people) = &material.people
        && let Some(built) = joined::build(material, people, (name, definition), reporter)?
    {
        return Ok(built);
    }
    text_alone(material, name, definition, reporter)
}

fn text_alone(
    material: &Material,
    name: &SegmentationName,
    definition: &Definition,
    reporter: &dyn Reporter,
) -> Result<(Version, Vec<Membership>), SegmentError> {
    let dimension = material.reviews.first().map_or(0, |review| review.vector.len());
    let profiles = text_profiles(&material.reviews, dimension);
    let points = Points::new(&profiles.values, dimension)?;
    check_number(points.len(), definition.k)?;
    let watch = Phase { reporter, name: "comparing customers" };
    let smoothed_values = cluster::smooth(&points, definition.seed, &watch)?;
    let smoothed = Points::new(&smoothed_values, dimension)?.on(material.scorer.as_deref());
    let (found, candidates) = cluster_customers(&smoothed, definition, reporter)?;
    let stability = stability(&smoothed, &found, definition.seed, reporter)?;
    step(reporter, "describing segments", 0, None)?;
    // Customers are placed among their neighbours, where the clusters were found. All else (centroids for texts to come,
    // quality, what is typical) speaks of what they wrote themselves.
    let clustering = cluster::recentre(&points, &found);
    let temperature = cluster::temperature(&points, &clustering.centroids, stability.overall);
    let quality = quality(&points, &clustering, &stability, (candidates, definition.seed));
    let ids = segment_ids(material, &profiles.customers, &clustering);
    let placement = Placement {
        points: smoothed,
        temperature: cluster::temperature(&smoothed, &found.centroids, stability.overall),
        centroids: &found.centroids,
    };
    let fitted = Fitted { material, profiles: &profiles, points, clustering: &clustering, placement, stability, ids };
    let (segments, members) = (fitted.segments(), fitted.memberships());
    let version = Version {
        segmentation: name.clone(),
        number: material.version,
        state: VersionState::Live,
        created_at: material.now,
        definition: definition.clone(),
        model_fingerprint: material.model_fingerprint.clone(),
        dimension,
        n_customers: profiles.customers.len() as u64,
        centre: profiles.centre,
        centroids: clustering.centroids,
        temperature,
        n_reviews: material.reviews.len() as u64,
        quality,
        segments,
        joined: None,
    };
    Ok((version, members))
}

/// Passes the clusterer's progress on under a phase's name.
pub(super) struct Phase<'a> {
    pub reporter: &'a dyn Reporter,
    pub name: &'static str,
}

impl Watch for Phase<'_> {
    fn progress(&self, done: usize, total: usize) -> ControlFlow<()> {
        self.reporter.report(self.name, done as u64, Some(total as u64))
    }
}

pub(super) fn check_number(n_customers: usize, k: KChoice) -> Result<(), SegmentError> {
    let (needed, k) = match k {
        KChoice::Auto => (3, None),
        KChoice::Fixed(k) => (k.max(3), Some(k)),
    };
    if n_customers < needed { Err(SegmentError::TooFewCustomers { n_customers, needed, k }) } else { Ok(()) }
}

pub(super) fn stability(
    points: &Points<'_>,
    found: &Clustering,
    seed: u64,
    reporter: &dyn Reporter,
) -> Result<Stability, SegmentError> {
    let settings = cluster::StabilitySettings { n_refits: REFITS, seed };
    Ok(cluster::stability(points, found, settings, &Phase { reporter, name: "measuring stability" })?)
}

pub(super) fn cluster_customers(
    points: &Points<'_>,
    definition: &Definition,
    reporter: &dyn Reporter,
) -> Result<(Clustering, Vec<Candidate>), SegmentError> {
    match definition.k {
        KChoice::Fixed(k) => {
            let kmeans = cluster::KMeans::params(k).seed(definition.seed).metric(points.metric()).check(points)?;
            let mut fitted = cluster::fit_all_starts(points, &[kmeans], &Phase { reporter, name: "clustering" })?;
            let clustering = fitted.pop().ok_or_else(|| SegmentError::Broken("one fit gave none".into()))?;
            Ok((clustering, Vec::new()))
        }
        KChoice::Auto => {
            let settings = cluster::ChooseK::for_customers(points.len(), definition.seed);
            let chosen = cluster::choose_k(points, settings, &Phase { reporter, name: "choosing k" })?;
            Ok((chosen.clustering, chosen.candidates))
        }
    }
}

pub(super) fn quality(
    points: &Points<'_>,
    clustering: &Clustering,
    stability: &Stability,
    (candidates, seed): (Vec<Candidate>, u64),
) -> Quality {
    let measured = cluster::quality(points, clustering);
    let settings = BootstrapSettings { n_resamples: RESAMPLES, seed };
    let intervals = cluster::quality_intervals(points, clustering, settings).map(|measured| Intervals {
        silhouette: measured.silhouette,
        davies_bouldin: measured.davies_bouldin,
        calinski_harabasz: measured.calinski_harabasz,
        largest_share: measured.largest_share,
        stability: stability.interval,
        segments: stability.segment_intervals.clone(),
    });
    Quality {
        silhouette: measured.silhouette,
        davies_bouldin: measured.davies_bouldin,
        calinski_harabasz: measured.calinski_harabasz,
        largest_share: measured.largest_share,
        stability: stability.overall,
        inertia: clustering.inertia,
        k: clustering.k,
        candidates,
        intervals,
    }
}

/// Each new cluster's segment id: the one it continues, or the next that was never used.
pub(super) fn segment_ids(material: &Material, customers: &[CustomerId], clustering: &Clustering) -> Vec<SegmentId> {
    let before = |customer| Some(material.previous.as_deref()?.placed(customer)?.segment.0);
    let old: Vec<Option<u32>> = customers.iter().map(before).collect();
    let mut next = material.highest_id;
    let mut new_id = || {
        next += 1;
        next
    };
    let continued = cluster::align_segments(&old, &clustering.labels, clustering.k);
    continued.into_iter().map(|id| SegmentId(id.unwrap_or_else(&mut new_id))).collect()
}

/// A finished clustering with all it was made from.
struct Fitted<'a> {
    material: &'a Material,
    profiles: &'a TextProfiles,
    points: Points<'a>,
    clustering: &'a Clustering,
    placement: Placement<'a>,
    stability: Stability,
    ids: Vec<SegmentId>,
}

/// Where customers are placed: among their neighbours, with the temperature that fits there.
struct Placement<'a> {
    points: Points<'a>,
    centroids: &'a [f32],
    temperature: f64,
}

impl Fitted<'_> {
    /// Names, keywords, typical reviews and figures of every segment.
    fn segments(&self) -> Vec<Segment> {
        let Self { material, profiles, clustering, .. } = self;
        let rows = &profiles.row_of_review;
        let texts = material.texts.iter().zip(rows);
        let documents: Vec<(usize, &str)> =
            texts.map(|(text, &row)| (clustering.labels[row] as usize, text.as_str())).collect();
        let keywords = language::keywords(&documents, clustering.k, KEYWORDS);
        let mut names = language::names(&keywords);
        let geometry = Geometry { centre: &profiles.centre, centroids: &clustering.centroids };
        let typical = typical_reviews(&material.reviews, rows, &clustering.labels, geometry, TYPICAL_REVIEWS);
        let cohesion = cluster::cohesion(&self.points, clustering);
        let described = keywords.into_iter().zip(typical).enumerate();
        described
            .map(|(i, (keywords, typical))| {
                let size = clustering.labels.iter().filter(|&&label| label as usize == i).count();
                Segment {
                    id: self.ids[i],
                    name: std::mem::take(&mut names[i]),
                    keywords,
                    typical_reviews: typical.into_iter().map(|typical| material.shown(typical)).collect(),
                    size: size as u64,
                    share: size as f64 / self.points.len() as f64,
                    cohesion: cohesion[i],
                    stability: self.stability.per_segment[i],
                    portrait: None,
                }
            })
            .collect()
    }

    /// Every customer's membership, with `since` kept for who stays where they were.
    fn memberships(&self) -> Vec<Membership> {
        let Self { material, ids, .. } = self;
        let customers = self.profiles.customers.iter().enumerate();
        customers
            .map(|(row, customer)| {
                let cosines = cluster::cosines(self.placement.points.row(row), self.placement.centroids);
                let label = self.clustering.labels[row] as usize;
                let placed = cluster::place_in(label, &cosines, self.placement.temperature);
                material.membership(customer, placed, ids)
            })
            .collect()
    }
}
