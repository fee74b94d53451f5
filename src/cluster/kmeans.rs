//! Spherical k-means (Dhillon & Modha 2001): centroids are unit vectors, a point belongs to the one with the largest cosine.

use super::geometry::{Points, assign, dot, normalise};
use super::seeding::plus_plus;
use super::{ClusterError, Watch, step};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::HashSet;

/// Above this many points, tries run on a sample and only the best go on with all.
const SAMPLE: usize = 20_000;
/// Lloyd iterations of a try: enough to tell good first centroids from bad ones.
const TRY_ITERATIONS: usize = 12;
/// How many tries go on until they settle.
const FINALISTS: usize = 2;

/// What to run, as asked for. [`KMeansParams::check`] gives the only type that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMeansParams {
    k: usize,
    seed: u64,
    n_init: usize,
    max_iter: usize,
}

impl KMeansParams {
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// First centroids tried; the try with the smallest inertia wins. Default 10.
    #[must_use]
    pub fn n_init(self, n_init: usize) -> Self {
        Self { n_init: n_init.max(1), ..self }
    }

    /// Lloyd iterations at most. Default 300.
    #[must_use]
    pub fn max_iter(self, max_iter: usize) -> Self {
        Self { max_iter: max_iter.max(1), ..self }
    }

    /// # Errors
    /// k is 0, or larger than the number of (distinct) points.
    pub fn check(self, points: &Points<'_>) -> Result<KMeans, ClusterError> {
        let (k, n) = (self.k, points.len());
        if k < 1 {
            return Err(ClusterError::NoClusters { k });
        }
        if n < k {
            return Err(ClusterError::TooFewPoints { k, n });
        }
        let mut distinct = HashSet::with_capacity(k);
        for i in 0..n {
            distinct.insert(points.row(i).iter().map(|v| v.to_bits()).collect::<Vec<_>>());
            if distinct.len() >= k {
                return Ok(KMeans(self));
            }
        }
        Err(ClusterError::TooFewDistinct { k, n_distinct: distinct.len() })
    }
}

/// A k-means that can run on the points it was checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMeans(KMeansParams);

/// What k-means found. Clusters are numbered by size, largest first, ties by their first member.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering {
    pub k: usize,
    pub dimension: usize,
    /// `[k, dimension]`, unit length.
    pub centroids: Vec<f32>,
    /// Each point's cluster, 0 to k - 1; every cluster has a point.
    pub labels: Vec<u32>,
    /// Σ (1 - cosine to the own centroid).
    pub inertia: f64,
    pub n_iter: usize,
}

impl KMeans {
    pub fn params(k: usize) -> KMeansParams {
        KMeansParams { k, seed: 0, n_init: 10, max_iter: 300 }
    }

    /// # Errors
    /// [`ClusterError::Cancelled`] alone.
    pub fn fit(&self, points: &Points<'_>, watch: &dyn Watch) -> Result<Clustering, ClusterError> {
        let KMeansParams { k, seed, n_init, max_iter } = self.0;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let sample = (points.len() > SAMPLE.max(50 * k)).then(|| {
            let mut rows = index::sample(&mut rng, points.len(), SAMPLE.max(50 * k)).into_vec();
            rows.sort_unstable();
            points.select(&rows)
        });
        let tried_on = match &sample {
            Some(values) => Points::new(values, points.dimension())?,
            None => *points,
        };
        let mut tries = Vec::with_capacity(n_init);
        for i in 0..n_init {
            step(watch, i, n_init)?;
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(1 + i as u64);
            tries.push(lloyd(&tried_on, plus_plus(&tried_on, k, &mut rng), max_iter.min(TRY_ITERATIONS)));
        }
        tries.sort_by(|a, b| a.inertia.total_cmp(&b.inertia));
        tries = tries.into_iter().take(FINALISTS).map(|tried| lloyd(points, tried.centroids, max_iter)).collect();
        tries.sort_by(|a, b| a.inertia.total_cmp(&b.inertia));
        step(watch, n_init, n_init)?;
        tries.into_iter().next().map(canonical).ok_or(ClusterError::NoClusters { k })
    }
}

/// The same clusters of other points: their centroids and inertia there. Row i of both is the same customer.
pub fn recentre(points: &Points<'_>, clustering: &Clustering) -> Clustering {
    let centroids = means(points, &clustering.labels, clustering.k);
    let inertia = inertia(points, &clustering.labels, &centroids);
    Clustering { dimension: points.dimension(), centroids, inertia, ..clustering.clone() }
}

/// Lloyd's iterations from these centroids until no label changes.
pub(super) fn lloyd(points: &Points<'_>, mut centroids: Vec<f32>, max_iter: usize) -> Clustering {
    let (d, k) = (points.dimension(), centroids.len() / points.dimension());
    let (mut labels, mut cosines) = assign(points, &centroids);
    let mut n_iter = 0;
    while n_iter < max_iter {
        n_iter += 1;
        fill_empty(&mut labels, &cosines, k);
        centroids = means(points, &labels, k);
        let (next, next_cosines) = assign(points, &centroids);
        let settled = next == labels;
        (labels, cosines) = (next, next_cosines);
        if settled {
            break;
        }
    }
    // The last assignment may have emptied a cluster: its points are taken back in, so that every cluster has one.
    if fill_empty(&mut labels, &cosines, k) {
        centroids = means(points, &labels, k);
    }
    let inertia = inertia(points, &labels, &centroids);
    Clustering { k, dimension: d, centroids, labels, inertia, n_iter }
}

/// Σ (1 - cosine to the own centroid).
fn inertia(points: &Points<'_>, labels: &[u32], centroids: &[f32]) -> f64 {
    let d = points.dimension();
    let own = |label: u32| &centroids[label as usize * d..][..d];
    points.values().chunks_exact(d).zip(labels).map(|(row, &label)| 1.0 - f64::from(dot(row, own(label)))).sum()
}

/// Gives each empty cluster the point that is farthest from its own centroid, of clusters that have more than one.
fn fill_empty(labels: &mut [u32], cosines: &[f32], k: usize) -> bool {
    let mut sizes = vec![0usize; k];
    labels.iter().for_each(|&label| sizes[label as usize] += 1);
    let empty: Vec<usize> = (0..k).filter(|&i| sizes[i] == 0).collect();
    if empty.is_empty() {
        return false;
    }
    let mut farthest: Vec<usize> = (0..labels.len()).collect();
    farthest.sort_by(|&a, &b| cosines[a].total_cmp(&cosines[b]).then(a.cmp(&b)));
    let mut next = farthest.into_iter();
    for cluster in empty {
        if let Some(i) = next.by_ref().find(|&i| sizes[labels[i] as usize] > 1) {
            sizes[labels[i] as usize] -= 1;
            sizes[cluster] += 1;
            labels[i] = cluster as u32;
        }
    }
    true
}

/// The unit mean of each cluster, in f64: one sum a chunk, chunks added in order.
fn means(points: &Points<'_>, labels: &[u32], k: usize) -> Vec<f32> {
    let (d, rows) = (points.dimension(), points.chunk_rows());
    let partial: Vec<Vec<f64>> = points
        .values()
        .par_chunks(rows * d)
        .zip(labels.par_chunks(rows))
        .map(|(values, labels)| {
            let mut sums = vec![0f64; k * d];
            for (row, &label) in values.chunks_exact(d).zip(labels) {
                let sum = &mut sums[label as usize * d..][..d];
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
            }
            sums
        })
        .collect();
    let mut sums = vec![0f64; k * d];
    for part in &partial {
        sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    sums.chunks_exact_mut(d).for_each(normalise);
    sums.into_iter().map(|value| value as f32).collect()
}

/// Renumbers the clusters by size, largest first, ties by their first member.
fn canonical(found: Clustering) -> Clustering {
    let (k, d) = (found.k, found.dimension);
    let (mut sizes, mut first) = (vec![0usize; k], vec![usize::MAX; k]);
    for (i, &label) in found.labels.iter().enumerate() {
        sizes[label as usize] += 1;
        first[label as usize] = first[label as usize].min(i);
    }
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|&a, &b| sizes[b].cmp(&sizes[a]).then(first[a].cmp(&first[b])));
    let mut new = vec![0u32; k];
    order.iter().enumerate().for_each(|(rank, &old)| new[old] = rank as u32);
    let centroids = order.iter().flat_map(|&old| &found.centroids[old * d..][..d]).copied().collect();
    Clustering { centroids, labels: found.labels.iter().map(|&label| new[label as usize]).collect(), ..found }
}

#[cfg(test)]
mod tests {
    use super::super::planted::planted;
    use super::*;
    use crate::measure;
    use proptest::prelude::*;

    fn fit(values: &[f32], d: usize, k: usize, seed: u64) -> Clustering {
        let points = Points::new(values, d).unwrap();
        KMeans::params(k).seed(seed).check(&points).unwrap().fit(&points, &()).unwrap()
    }

    fn labels(clustering: &Clustering) -> Vec<usize> {
        clustering.labels.iter().map(|&label| label as usize).collect()
    }

    #[test]
    fn planted_clusters_are_found_and_numbered_by_size() {
        let truth = planted(&[200, 120, 60, 30], 48, 0.8, 1);
        let found = fit(&truth.values, 48, 4, 0);
        assert!(measure::compare(&truth.labels, &labels(&found)).ari > 0.98);
        let sizes: Vec<usize> = (0..4).map(|c| found.labels.iter().filter(|&&l| l == c).count()).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let truth = planted(&[500, 400, 300], 32, 2.0, 2);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&truth.values, 32, 5, 3))
        };
        let one = with(1);
        for threads in [2, 3, 7] {
            assert_eq!(with(threads), one, "{threads} threads");
        }
    }

    #[test]
    fn a_large_set_is_tried_on_a_sample_and_finished_on_all() {
        let truth = planted(&[12_000, 9_000, 6_000], 24, 0.4, 3);
        let found = fit(&truth.values, 24, 3, 0);
        assert!(measure::compare(&truth.labels, &labels(&found)).ari > 0.98);
    }

    #[test]
    fn what_cannot_be_clustered_is_refused_with_its_reason() {
        let points = Points::new(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0], 2).unwrap();
        assert_eq!(KMeans::params(0).check(&points), Err(ClusterError::NoClusters { k: 0 }));
        assert_eq!(KMeans::params(4).check(&points), Err(ClusterError::TooFewPoints { k: 4, n: 3 }));
        assert_eq!(KMeans::params(3).check(&points), Err(ClusterError::TooFewDistinct { k: 3, n_distinct: 2 }));
    }

    #[test]
    fn a_watcher_can_cancel() {
        struct Stop;
        impl Watch for Stop {
            fn progress(&self, done: usize, _: usize) -> std::ops::ControlFlow<()> {
                if done > 1 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
            }
        }
        let truth = planted(&[30, 30], 8, 0.5, 4);
        let points = Points::new(&truth.values, 8).unwrap();
        let run = KMeans::params(2).check(&points).unwrap().fit(&points, &Stop);
        assert_eq!(run, Err(ClusterError::Cancelled));
    }

    /// Unit rows in few dimensions, with duplicates and zero rows among them.
    fn rows() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(prop::array::uniform3(-3i8..4), 2..60).prop_map(|rows| {
            rows.iter()
                .flat_map(|row| {
                    let norm = row.iter().map(|&v| f32::from(v).powi(2)).sum::<f32>().sqrt().max(1e-9);
                    row.map(|v| f32::from(v) / norm)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn every_cluster_has_a_point_and_inertia_never_rises(values in rows(), k in 1usize..6, seed in 0u64..50) {
            let points = Points::new(&values, 3).unwrap();
            let Ok(checked) = KMeans::params(k).seed(seed).n_init(2).check(&points) else { return Ok(()) };
            let found = checked.fit(&points, &()).unwrap();
            for cluster in 0..k as u32 {
                prop_assert!(found.labels.contains(&cluster), "cluster {} of {} is empty", cluster, k);
            }
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let start = plus_plus(&points, k, &mut rng);
            let inertia: Vec<f64> = [1, 2, 4, 50].iter().map(|&n| lloyd(&points, start.clone(), n).inertia).collect();
            for pair in inertia.windows(2) {
                prop_assert!(pair[1] <= pair[0] + 1e-4 * points.len() as f64, "{:?}", inertia);
            }
        }

        #[test]
        fn shuffling_the_points_keeps_separated_groups(seed in 0u64..30, by in 1usize..89) {
            let truth = planted(&[40, 30, 20], 24, 0.4, seed);
            let one = fit(&truth.values, 24, 3, 0);
            let mut values = truth.values.clone();
            values.rotate_left(by * 24);
            let other = fit(&values, 24, 3, 0);
            let mut back = labels(&other);
            back.rotate_right(by);
            prop_assert!((measure::compare(&labels(&one), &back).ari - 1.0).abs() < 1e-9);
        }

        #[test]
        fn a_centroid_is_in_its_own_cluster(seed in 0u64..30) {
            let truth = planted(&[40, 30, 20], 24, 1.0, seed);
            let found = fit(&truth.values, 24, 3, seed);
            let centroids = Points::new(&found.centroids, 24).unwrap();
            prop_assert_eq!(assign(&centroids, &found.centroids).0, vec![0, 1, 2]);
        }
    }
}
