//! Would the same segments come out of other customers of the same kind? Refits on resampled customers tell.

use super::geometry::assign;
use super::{ClusterError, Clustering, KMeans, Points, Watch, fit_all_starts, step};
use crate::measure::{best_matching, percentile_interval};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Customers drawn for a refit at most.
const SAMPLE: usize = 20_000;
/// First centroids tried in a refit.
const TRIES: usize = 3;
/// The random streams of refits lie beyond those of k-means itself.
const FIRST_STREAM: u64 = 1 << 32;

/// How steady a clustering is.
#[derive(Debug, Clone, PartialEq)]
pub struct Stability {
    /// Mean over refits of the share of points that keep their cluster, clusters matched one to one.
    pub overall: f64,
    /// For each cluster its mean Jaccard index with the most alike cluster of a refit (Hennig 2007, section 2).
    pub per_segment: Vec<f64>,
    /// The middle 95 % of the refits' shares, low and high.
    pub interval: [f64; 2],
    /// The same of each cluster's Jaccard index.
    pub segment_intervals: Vec<[f64; 2]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StabilitySettings {
    pub n_refits: usize,
    pub seed: u64,
}

/// Refits on bootstrap samples and compares where every point falls.
///
/// # Errors
/// [`ClusterError::Cancelled`] alone.
pub fn stability(
    points: &Points<'_>,
    clustering: &Clustering,
    settings: StabilitySettings,
    watch: &dyn Watch,
) -> Result<Stability, ClusterError> {
    let k = clustering.k;
    let n_refits = settings.n_refits.max(1);
    let (mut overall, mut per_segment) = (Vec::with_capacity(n_refits), vec![Vec::with_capacity(n_refits); k]);
    for refit in 0..n_refits {
        step(watch, refit, n_refits)?;
        let labels = refit_labels(points, &[k], settings.seed, refit)?;
        let overlap = Overlap::new(&clustering.labels, &labels[0], k);
        overall.push(overlap.share_kept());
        for (each, jaccard) in per_segment.iter_mut().zip(overlap.best_jaccard()) {
            each.push(jaccard);
        }
    }
    step(watch, n_refits, n_refits)?;
    let mean = |refits: &Vec<f64>| refits.iter().sum::<f64>() / n_refits as f64;
    let interval = |refits: Vec<f64>| percentile_interval(refits).unwrap_or([0.0, 1.0]);
    Ok(Stability {
        overall: mean(&overall),
        per_segment: per_segment.iter().map(mean).collect(),
        interval: interval(overall),
        segment_intervals: per_segment.into_iter().map(interval).collect(),
    })
}

/// Where every point falls after a fit on points drawn with replacement, for each of several k: the same points are drawn for all.
pub(super) fn refit_labels(
    points: &Points<'_>,
    ks: &[usize],
    seed: u64,
    refit: usize,
) -> Result<Vec<Vec<u32>>, ClusterError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(FIRST_STREAM + refit as u64);
    let n = points.len();
    let rows: Vec<usize> = (0..n.min(SAMPLE)).map(|_| rng.random_range(0..n)).collect();
    let values = points.select(&rows);
    let drawn = points.like(&values)?;
    let seed = rng.random();
    let with = |k: usize| KMeans::params(k).seed(seed).n_init(TRIES).metric(points.metric()).check(&drawn);
    // A small set may draw fewer distinct points than clusters: the refit then has fewer clusters, and is less alike.
    let asked: Result<Vec<KMeans>, ClusterError> = ks
        .iter()
        .map(|&k| match with(k) {
            Err(ClusterError::TooFewDistinct { n_distinct, .. }) => with(n_distinct),
            checked => checked,
        })
        .collect();
    let fitted = fit_all_starts(&drawn, &asked?, &())?;
    Ok(fitted.iter().map(|fitted| assign(points, &fitted.centroids, points.metric()).0).collect())
}

/// How many points are in cluster i before and cluster j after.
struct Overlap {
    k: usize,
    n: f64,
    /// `[k, k]`
    shared: Vec<f64>,
    before: Vec<f64>,
    after: Vec<f64>,
}

impl Overlap {
    fn new(before: &[u32], after: &[u32], k: usize) -> Self {
        let mut overlap =
            Self { k, n: before.len() as f64, shared: vec![0.0; k * k], before: vec![0.0; k], after: vec![0.0; k] };
        for (&b, &a) in before.iter().zip(after) {
            overlap.shared[b as usize * k + a as usize] += 1.0;
            overlap.before[b as usize] += 1.0;
            overlap.after[a as usize] += 1.0;
        }
        overlap
    }

    fn share_kept(&self) -> f64 {
        let matched = best_matching(&self.shared, self.k, self.k);
        let kept: f64 = matched.iter().enumerate().filter_map(|(b, a)| a.map(|a| self.shared[b * self.k + a])).sum();
        kept / self.n.max(1.0)
    }

    fn best_jaccard(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.k).map(|b| {
            let jaccard = |a: usize| {
                let shared = self.shared[b * self.k + a];
                shared / (self.before[b] + self.after[a] - shared).max(1.0)
            };
            (0..self.k).map(jaccard).fold(0.0, f64::max)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::planted::planted;
    use super::*;

    fn stability_of(sizes: &[usize], noise: f64, k: usize) -> Stability {
        let truth = planted(sizes, 24, noise, 6);
        let points = Points::new(&truth.values, 24).unwrap();
        let found = KMeans::params(k).check(&points).unwrap().fit(&points, &()).unwrap();
        stability(&points, &found, StabilitySettings { n_refits: 8, seed: 1 }, &()).unwrap()
    }

    #[test]
    fn separate_groups_are_steady_and_halves_of_a_cloud_are_not() {
        let steady = stability_of(&[80, 60, 40], 0.4, 3);
        assert!(steady.overall > 0.99 && steady.per_segment.iter().all(|&s| s > 0.95), "{steady:?}");
        let torn = stability_of(&[150], 3.0, 4);
        assert!(torn.overall < 0.8, "{torn:?}");
    }

    #[test]
    fn a_group_that_is_torn_shows_in_its_own_figure() {
        // Four centroids for three groups: one group is cut at will.
        let mixed = stability_of(&[80, 60, 40], 0.4, 4);
        let steady = mixed.per_segment.iter().filter(|&&s| s > 0.9).count();
        assert!((1..4).contains(&steady), "{mixed:?}");
    }

    #[test]
    fn as_many_clusters_as_points_is_measured_without_failing() {
        let values = [1.0, 0.0, 0.0, 1.0, -1.0, 0.0];
        let points = Points::new(&values, 2).unwrap();
        let found = KMeans::params(3).check(&points).unwrap().fit(&points, &()).unwrap();
        let measured = stability(&points, &found, StabilitySettings { n_refits: 5, seed: 0 }, &()).unwrap();
        assert!((0.0..=1.0).contains(&measured.overall), "{measured:?}");
    }
}
