//! k-means from two kinds of first centroids, and the better of what comes of them.
//!
//! The inertia that k-means++ and its tries compete by is least where clusters are of like size, so of groups that are not the large ones
//! are cut and the small ones put together. Average linkage (Sokal & Michener 1958) looks at distances alone and finds groups as
//! unlike in size as they are, but calls every stray point a group where there are such. So both are tried, and the silhouette, which
//! prefers neither, decides.

use super::geometry::Points;
use super::hierarchy::{Hierarchy, Linkage, link};
use super::kmeans::{Stage, canonical};
use super::{ClusterError, Clustering, KMeans, Metric, Watch, fit_all, quality, refine};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Points that are linked, at most: the work grows with the square of their number.
const LEAVES: usize = 1_000;
/// The random stream they are drawn by, beyond those of k-means, refits and smoothing.
const STREAM: u64 = 1 << 41;
/// A clustering with a larger cluster is not preferred for its silhouette: one giant cluster has a good one and tells nobody anything.
const LARGEST_SHARE: f64 = 0.8;

/// As [`fit_all`], and from first centroids found by average linkage too: each time what has the larger silhouette.
///
/// # Errors
/// [`ClusterError::Cancelled`] alone.
pub fn fit_all_starts(
    points: &Points<'_>,
    asked: &[KMeans],
    watch: &dyn Watch,
) -> Result<Vec<Clustering>, ClusterError> {
    let found = fit_all(points, asked, &Stage { watch, nth: 0, of: 2 })?;
    let Some(first) = asked.first() else { return Ok(found) };
    let linked = Linked::of(points, first.metric(), first.seed())?;
    let mut starts = Vec::with_capacity(asked.len());
    for one in asked {
        starts.push(linked.centroids(points, one.k())?);
    }
    let (metric, max_iter) = (first.metric(), first.max_iter());
    let others = refine(points, starts, metric, max_iter, &Stage { watch, nth: 1, of: 2 })?;
    Ok(found.into_par_iter().zip(others).map(|(one, other)| better(points, one, canonical(other))).collect())
}

/// The one with the larger silhouette, of equals the first.
fn better(points: &Points<'_>, one: Clustering, other: Clustering) -> Clustering {
    let rank = |clustering: &Clustering| {
        let measured = quality(points, clustering);
        (measured.largest_share <= LARGEST_SHARE, measured.silhouette)
    };
    if rank(&other) > rank(&one) { other } else { one }
}

/// Some points, and who of them is joined with whom.
struct Linked {
    rows: Vec<usize>,
    hierarchy: Hierarchy,
    metric: Metric,
}

impl Linked {
    fn of(points: &Points<'_>, metric: Metric, seed: u64) -> Result<Self, ClusterError> {
        let mut rows: Vec<usize> = (0..points.len()).collect();
        if rows.len() > LEAVES {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(STREAM);
            rows = index::sample(&mut rng, points.len(), LEAVES).into_vec();
            rows.sort_unstable();
        }
        let to_later = |i: usize| {
            let row = points.row(rows[i]);
            let distance = |&j: &usize| {
                let distance = metric.distance(row, points.row(j));
                if metric == Metric::Euclidean { distance.sqrt() } else { distance }
            };
            rows[i + 1..].iter().map(distance).collect::<Vec<f64>>()
        };
        let distances: Vec<Vec<f64>> = (0..rows.len()).into_par_iter().map(to_later).collect();
        let hierarchy = link(distances.concat(), &vec![1.0; rows.len()], Linkage::Average)?;
        Ok(Self { rows, hierarchy, metric })
    }

    /// The centres of the groups when k are left, `[k, dimension]`.
    fn centroids(&self, points: &Points<'_>, k: usize) -> Result<Vec<f32>, ClusterError> {
        let (d, groups) = (points.dimension(), self.hierarchy.cut(k)?);
        let (mut sums, mut sizes) = (vec![vec![0f64; d]; k], vec![0f64; k]);
        for (&row, &group) in self.rows.iter().zip(&groups) {
            sums[group as usize].iter_mut().zip(points.row(row)).for_each(|(sum, &value)| *sum += f64::from(value));
            sizes[group as usize] += 1.0;
        }
        let mut centroids = vec![0f32; k * d];
        for ((sums, size), centroid) in sums.into_iter().zip(sizes).zip(centroids.chunks_exact_mut(d)) {
            self.metric.centre(sums, size, centroid);
        }
        Ok(centroids)
    }
}

#[cfg(test)]
mod tests {
    use super::super::planted::planted;
    use super::*;
    use crate::measure;
    use proptest::prelude::*;

    fn ari(truth: &[usize], found: &Clustering) -> f64 {
        let labels: Vec<usize> = found.labels.iter().map(|&label| label as usize).collect();
        measure::compare(truth, &labels).ari
    }

    fn both(values: &[f32], d: usize, k: usize, seed: u64) -> (Clustering, Clustering) {
        let points = Points::new(values, d).unwrap();
        let asked = [KMeans::params(k).seed(seed).check(&points).unwrap()];
        let plain = fit_all(&points, &asked, &()).unwrap().remove(0);
        (plain, fit_all_starts(&points, &asked, &()).unwrap().remove(0))
    }

    #[test]
    fn groups_of_very_unlike_size_are_found_better() {
        let (mut plain, mut started) = (0.0, 0.0);
        for seed in 0..4 {
            let truth = planted(&[160, 90, 40, 9, 7, 6, 5, 5, 4, 4], 24, 1.1, seed);
            let (one, other) = both(&truth.values, 24, 10, seed);
            plain += ari(&truth.labels, &one) / 4.0;
            started += ari(&truth.labels, &other) / 4.0;
        }
        assert!(started > plain + 0.05, "plain {plain}, with both starts {started}");
    }

    #[test]
    fn one_giant_cluster_is_not_preferred() {
        // A cloud without structure and two stray points.
        let truth = planted(&[200, 1, 1], 16, 2.5, 3);
        let (_, found) = both(&truth.values, 16, 3, 0);
        let largest = (0..3).map(|c| found.labels.iter().filter(|&&label| label == c).count()).max().unwrap();
        assert!(largest <= 161, "{largest}");
    }

    #[test]
    fn as_many_clusters_as_points_are_found() {
        let values = [1.0, 0.0, 0.0, 1.0, -1.0, 0.0];
        let (plain, found) = both(&values, 2, 3, 0);
        assert_eq!((plain.k, found.k, found.labels.len()), (3, 3, 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn the_silhouette_never_falls_and_clusters_are_in_order(
            sizes in prop::collection::vec(5usize..40, 2..5), noise in 0.4..2.0f64, seed in 0u64..100,
        ) {
            let truth = planted(&sizes, 12, noise, seed);
            let points = Points::new(&truth.values, 12).unwrap();
            let (plain, found) = both(&truth.values, 12, sizes.len(), seed);
            let silhouette = |clustering| quality(&points, clustering).silhouette;
            prop_assert!(silhouette(&found) >= silhouette(&plain) || quality(&points, &plain).largest_share > LARGEST_SHARE);
            let counts: Vec<usize> = (0..found.k as u32).map(|c| found.labels.iter().filter(|&&l| l == c).count()).collect();
            prop_assert!(counts.is_sorted_by(|a, b| a >= b) && counts.iter().all(|count| *count > 0));
        }
    }
}
