//! Yesterday's centroids on today's points: a daily refit looks at a few thousand points at a time, and at everybody once.
//!
//! [`refine`](super::refine) starts from given centroids too, and reads all points in every iteration. Here each batch moves the centroids by
//! what it shows (mini-batch k-means, Sculley 2010, algorithm 1, a batch at once): a centroid is the mean of all points it was ever given, those
//! it was made of yesterday counted as so many.

use super::geometry::{Points, assign};
use super::kmeans::from_nearest;
use super::{ClusterError, Clustering, Metric, Watch, step};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// The random streams of batches lie beyond those of all else.
const STREAM: u64 = 1 << 44;

/// How batches are drawn and what they weigh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MiniBatch {
    /// Points of a batch, drawn without replacement; all where there are fewer.
    pub batch: usize,
    pub n_batches: usize,
    /// Points that each given centroid counts for: 0, and the first batch decides; the more, the less they move.
    pub memory: f64,
    pub metric: Metric,
    pub seed: u64,
}

impl Default for MiniBatch {
    /// Twenty batches of 4,096 points; centroids count for as many points as they may expect of two batches among ten clusters.
    fn default() -> Self {
        Self { batch: 4_096, n_batches: 20, memory: 800.0, metric: Metric::Cosine, seed: 0 }
    }
}

/// Moves these centroids, `[k, dimension]`, batch by batch, then places everybody. Clusters keep the order of their centroids; every
/// cluster has a point.
///
/// # Errors
/// A batch of nothing, or a memory that is no number of at least 0; centroids that are no whole number of rows, or more of them than
/// points; [`ClusterError::Cancelled`].
pub fn mini_batch(
    points: &Points<'_>,
    centroids: &[f32],
    settings: MiniBatch,
    watch: &dyn Watch,
) -> Result<Clustering, ClusterError> {
    let MiniBatch { batch, n_batches, memory, metric, seed } = settings;
    let k = Points::new(centroids, points.dimension())?.len();
    match k {
        0 => return Err(ClusterError::NoClusters { k }),
        k if k > points.len() => return Err(ClusterError::TooFewPoints { k, n: points.len() }),
        _ => {}
    }
    if batch == 0 {
        return Err(ClusterError::Setting { setting: "batch", takes: "1 point or more" });
    }
    if !(memory.is_finite() && memory >= 0.0) {
        return Err(ClusterError::Setting { setting: "memory", takes: "a number of points of at least 0" });
    }
    let mut moving = Moving::new(centroids, k, memory, metric);
    for at in 0..n_batches {
        step(watch, at, n_batches + 1)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(STREAM + at as u64);
        let mut rows = index::sample(&mut rng, points.len(), batch.min(points.len())).into_vec();
        rows.sort_unstable();
        moving.take(&Points::new(&points.select(&rows), points.dimension())?);
    }
    step(watch, n_batches, n_batches + 1)?;
    let found = from_nearest(points, moving.centroids, metric)?;
    step(watch, n_batches + 1, n_batches + 1)?;
    Ok(found)
}

/// Centroids on their way.
struct Moving {
    centroids: Vec<f32>,
    /// `[k, dimension]`: Σ of all points a centroid was given; its size.
    sums: Vec<f64>,
    sizes: Vec<f64>,
    metric: Metric,
}

impl Moving {
    fn new(centroids: &[f32], k: usize, memory: f64, metric: Metric) -> Self {
        let sums = centroids.iter().map(|&value| memory * f64::from(value)).collect();
        Self { centroids: centroids.to_vec(), sums, sizes: vec![memory; k], metric }
    }

    fn take(&mut self, batch: &Points<'_>) {
        let d = batch.dimension();
        let (labels, _) = assign(batch, &self.centroids, self.metric);
        for (row, label) in batch.values().chunks_exact(d).zip(labels) {
            let sums = &mut self.sums[label as usize * d..][..d];
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
            self.sizes[label as usize] += 1.0;
        }
        let clusters = self.centroids.chunks_exact_mut(d).zip(self.sums.chunks_exact(d)).zip(&self.sizes);
        for ((centroid, sums), &size) in clusters.filter(|(_, size)| **size > 0.0) {
            self.metric.centre(sums.to_vec(), size, centroid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::planted::{on_threads, planted};
    use super::super::{KMeans, refine};
    use super::*;
    use crate::measure;
    use proptest::prelude::*;

    fn fit(points: &Points<'_>, k: usize, metric: Metric) -> Clustering {
        KMeans::params(k).metric(metric).check(points).unwrap().fit(points, &()).unwrap()
    }

    #[test]
    fn batches_come_near_to_what_all_points_give() {
        let truth = planted(&[4_000, 3_000, 2_000, 1_000], 24, 1.2, 1);
        let points = Points::new(&truth.values, 24).unwrap();
        for metric in [Metric::Cosine, Metric::Euclidean] {
            let whole = fit(&points, 4, metric);
            // Yesterday's points were others of the same kind.
            let yesterday = points.select(&(0..10_000).step_by(40).collect::<Vec<_>>());
            let yesterday = fit(&Points::new(&yesterday, 24).unwrap(), 4, metric);
            let settings = MiniBatch { batch: 500, n_batches: 12, memory: 60.0, metric, seed: 0 };
            let found = mini_batch(&points, &yesterday.centroids, settings, &()).unwrap();
            let before = refine(&points, vec![yesterday.centroids], metric, 0, &()).unwrap().remove(0);
            assert!(found.inertia < before.inertia, "{} after {}", found.inertia, before.inertia);
            assert!(found.inertia < 1.005 * whole.inertia, "{} beside {}", found.inertia, whole.inertia);
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let truth = planted(&[400, 300], 20, 1.5, 2);
        let points = Points::new(&truth.values, 20).unwrap();
        let run =
            || mini_batch(&points, &truth.values[..60], MiniBatch { batch: 90, ..MiniBatch::default() }, &()).unwrap();
        assert_eq!(on_threads(1, run), on_threads(3, run));
    }

    #[test]
    fn what_cannot_be_refitted_is_refused_with_its_reason() {
        let points = Points::new(&[1.0, 0.0, 0.0, 1.0], 2).unwrap();
        let refused = |start: &[f32], settings| mini_batch(&points, start, settings, &()).unwrap_err();
        let usual = MiniBatch::default();
        assert_eq!(refused(&[1.0; 3], usual), ClusterError::Shape { n_values: 3, dimension: 2 });
        assert_eq!(refused(&[], usual), ClusterError::NoClusters { k: 0 });
        assert_eq!(refused(&[1.0; 6], usual), ClusterError::TooFewPoints { k: 3, n: 2 });
        assert!(matches!(refused(&[1.0, 0.0], MiniBatch { batch: 0, ..usual }), ClusterError::Setting { .. }));
        assert!(matches!(refused(&[1.0, 0.0], MiniBatch { memory: f64::NAN, ..usual }), ClusterError::Setting { .. }));
    }

    proptest! {
        #[test]
        fn a_warm_start_from_where_nothing_moves_changes_nothing(seed in 0u64..40, k in 1usize..6, euclidean in any::<bool>()) {
            let truth = planted(&[40, 30, 20], 12, 1.5, seed);
            let points = Points::new(&truth.values, 12).unwrap();
            let metric = if euclidean { Metric::Euclidean } else { Metric::Cosine };
            let settled = fit(&points, k, metric);
            let again = refine(&points, vec![settled.centroids.clone()], metric, 10, &()).unwrap().remove(0);
            prop_assert_eq!(&again.labels, &settled.labels);
            prop_assert_eq!(&again.centroids, &settled.centroids);
            prop_assert!((again.inertia - settled.inertia).abs() < 1e-12 * settled.inertia);
            prop_assert!(again.n_iter <= 1);
            // A batch of everybody is a step of Lloyd's: nobody moves either, whatever the memory weighs.
            let all = MiniBatch { batch: 1_000, n_batches: 2, memory: 30.0, metric, seed };
            let found = mini_batch(&points, &settled.centroids, all, &()).unwrap();
            prop_assert_eq!(&found.labels, &settled.labels);
            let labels: Vec<usize> = settled.labels.iter().map(|&label| label as usize).collect();
            let few = mini_batch(&points, &settled.centroids, MiniBatch { batch: 60, memory: 1e6, metric, ..all }, &()).unwrap();
            let few: Vec<usize> = few.labels.iter().map(|&label| label as usize).collect();
            prop_assert!(measure::compare(&labels, &few).ari > 0.97, "a long memory hardly moves");
        }
    }
}
