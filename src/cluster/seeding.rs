//! First centroids: greedy k-means++ (Arthur & Vassilvitskii 2007, section 2.2, with several candidates a step) on a sample.

use super::Metric;
use super::geometry::Points;
use pulp::{Arch, Simd, WithSimd};
use rand::RngExt;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// Rows looked at: enough to see every cluster that deserves a centroid.
const SAMPLE: usize = 4_000;

/// k rows of the points as first centroids, `[k, dimension]`.
///
/// The first is drawn evenly; each further one is, of a few candidates drawn with probability proportional to the distance to the
/// nearest centroid so far (1 - cosine, or the squared distance), the one that leaves the smallest sum.
pub(super) fn plus_plus(points: &Points<'_>, k: usize, metric: Metric, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut rows: Vec<usize> = index::sample(rng, points.len(), points.len().min(SAMPLE.max(20 * k))).into_vec();
    rows.sort_unstable();
    let n_candidates = 2 + (k as f64).ln() as usize;
    let first = rows[rng.random_range(0..rows.len())];
    let mut centroids = points.row(first).to_vec();
    let mut far = distances(points, &rows, points.row(first), metric);
    for _ in 1..k {
        let total: f64 = far.iter().sum();
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for _ in 0..n_candidates {
            let at = draw(&far, total, rng);
            let candidate = distances(points, &rows, points.row(rows[at]), metric);
            let merged: Vec<f64> = far.iter().zip(&candidate).map(|(a, b)| a.min(*b)).collect();
            let sum = merged.iter().sum();
            if best.as_ref().is_none_or(|(least, ..)| sum < *least) {
                best = Some((sum, at, merged));
            }
        }
        if let Some((_, at, merged)) = best {
            centroids.extend_from_slice(points.row(rows[at]));
            far = merged;
        }
    }
    centroids
}

/// How far each sampled row is from a vector.
fn distances(points: &Points<'_>, rows: &[usize], vector: &[f32], metric: Metric) -> Vec<f64> {
    Arch::new().dispatch(Distances { points, rows, vector, metric })
}

struct Distances<'a> {
    points: &'a Points<'a>,
    rows: &'a [usize],
    vector: &'a [f32],
    metric: Metric,
}

impl WithSimd for Distances<'_> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f64> {
        let mut far = Vec::with_capacity(self.rows.len());
        for &row in self.rows {
            far.push(self.metric.distance(self.points.row(row), self.vector));
        }
        far
    }
}

/// An index with probability proportional to its weight; evenly when all weights are zero.
fn draw(weights: &[f64], total: f64, rng: &mut ChaCha8Rng) -> usize {
    if total <= 0.0 {
        return rng.random_range(0..weights.len());
    }
    let mut left = rng.random_range(0.0..total);
    for (i, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return i;
        }
    }
    weights.len() - 1
}
