//! How good a clustering is by the points alone: silhouette, Davies-Bouldin, Caliński-Harabasz, the largest share.

use super::geometry::dot;
use super::{Clustering, Metric, Points};

/// Four views of one clustering; none is enough alone. A silhouette rewards one giant cluster, which the largest share shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InternalQuality {
    /// -1 to 1, cosine distance or squared Euclidean distance (Rousseeuw 1987); 0 for points alone in their cluster.
    pub silhouette: f64,
    /// Lower is better, 0 the least (Davies & Bouldin 1979, Euclidean).
    pub davies_bouldin: f64,
    /// Higher is better (Caliński & Harabasz 1974, Euclidean).
    pub calinski_harabasz: f64,
    /// 0 to 1.
    pub largest_share: f64,
}

/// Measures a clustering of these points, over all of them, in O(n k d).
pub fn quality(points: &Points<'_>, clustering: &Clustering) -> InternalQuality {
    let sums = Sums::new(points, &clustering.labels, clustering.k);
    InternalQuality {
        silhouette: sums.silhouette(),
        davies_bouldin: sums.davies_bouldin(),
        calinski_harabasz: sums.calinski_harabasz(),
        largest_share: sums.largest_share(),
    }
}

/// What all four are made of: each cluster's sum and size.
struct Sums<'a> {
    points: &'a Points<'a>,
    labels: &'a [u32],
    k: usize,
    /// `[k, dimension]`
    sums: Vec<f64>,
    sizes: Vec<f64>,
    /// `[k]`: each cluster's sum of squared lengths.
    squares: Vec<f64>,
}

impl<'a> Sums<'a> {
    fn new(points: &'a Points<'a>, labels: &'a [u32], k: usize) -> Self {
        let d = points.dimension();
        let (mut sums, mut sizes, mut squares) = (vec![0f64; k * d], vec![0f64; k], vec![0f64; k]);
        for (i, &label) in labels.iter().enumerate() {
            let sum = &mut sums[label as usize * d..][..d];
            sum.iter_mut().zip(points.row(i)).for_each(|(sum, &value)| *sum += f64::from(value));
            sizes[label as usize] += 1.0;
            squares[label as usize] += square(points.row(i));
        }
        Self { points, labels, k, sums, sizes, squares }
    }

    /// Mean silhouette. The mean cosine distance from a point to all members of a cluster is 1 minus the point's product
    /// with their sum over their number, the mean squared distance `‖x‖² - 2 x·Σy/n + Σ‖y‖²/n`, so that no pair of points is looked at.
    fn silhouette(&self) -> f64 {
        let sums: Vec<f32> = self.sums.iter().map(|&value| value as f32).collect();
        let of = |i: usize| {
            let own = self.labels[i] as usize;
            if self.sizes[own] < 2.0 {
                return 0.0;
            }
            let within = match self.points.metric() {
                Metric::Cosine => self.mean_cosine_distance_within(i, own, &sums),
                // The distance to itself is nothing.
                Metric::Euclidean => self.mean_squared_distance(i, own) * self.sizes[own] / (self.sizes[own] - 1.0),
            };
            let to = |cluster: usize| match self.points.metric() {
                Metric::Cosine => 1.0 - self.product(i, cluster, &sums) / self.sizes[cluster],
                Metric::Euclidean => self.mean_squared_distance(i, cluster),
            };
            let others = (0..self.k).filter(|&cluster| cluster != own && self.sizes[cluster] > 0.0);
            let nearest = others.map(to).fold(f64::INFINITY, f64::min);
            let larger = within.max(nearest);
            if nearest.is_finite() && larger > 1e-12 { (nearest - within) / larger } else { 0.0 }
        };
        (0..self.points.len()).map(of).sum::<f64>() / self.points.len().max(1) as f64
    }

    fn product(&self, i: usize, cluster: usize, sums: &[f32]) -> f64 {
        let d = self.points.dimension();
        f64::from(dot(self.points.row(i), &sums[cluster * d..][..d]))
    }

    fn mean_cosine_distance_within(&self, i: usize, own: usize, sums: &[f32]) -> f64 {
        let itself = f64::from(dot(self.points.row(i), self.points.row(i)));
        1.0 - (self.product(i, own, sums) - itself) / (self.sizes[own] - 1.0)
    }

    /// From a point to all members of a cluster, itself among them if it is one.
    fn mean_squared_distance(&self, i: usize, cluster: usize) -> f64 {
        let row = self.points.row(i);
        let sum = &self.sums[cluster * row.len()..][..row.len()];
        let product: f64 = row.iter().zip(sum).map(|(&value, sum)| f64::from(value) * sum).sum();
        (square(row) + (self.squares[cluster] - 2.0 * product) / self.sizes[cluster]).max(0.0)
    }

    fn mean(&self, cluster: usize) -> impl Iterator<Item = f64> + '_ {
        let d = self.points.dimension();
        self.sums[cluster * d..][..d].iter().map(move |sum| sum / self.sizes[cluster].max(1.0))
    }

    fn davies_bouldin(&self) -> f64 {
        let mut scatter = vec![0f64; self.k];
        for (i, &label) in self.labels.iter().enumerate() {
            let label = label as usize;
            scatter[label] += squared_distance(self.points.row(i), self.mean(label)).sqrt() / self.sizes[label];
        }
        let apart =
            |a: usize, b: usize| self.mean(a).zip(self.mean(b)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        // A resample may leave a cluster empty: it lies nowhere.
        let there: Vec<usize> = (0..self.k).filter(|&cluster| self.sizes[cluster] > 0.0).collect();
        let worst = |a: usize| {
            let ratios = there.iter().filter(|&&b| b != a).map(|&b| match apart(a, b) {
                0.0 => 0.0,
                apart => (scatter[a] + scatter[b]) / apart,
            });
            ratios.fold(0.0, f64::max)
        };
        there.iter().map(|&a| worst(a)).sum::<f64>() / there.len().max(1) as f64
    }

    fn calinski_harabasz(&self) -> f64 {
        let k = self.sizes.iter().filter(|size| **size > 0.0).count() as f64;
        let (n, d) = (self.points.len() as f64, self.points.dimension());
        let middle: Vec<f64> =
            (0..d).map(|column| (0..self.k).map(|c| self.sums[c * d + column]).sum::<f64>() / n).collect();
        let between: f64 = (0..self.k)
            .map(|c| self.sizes[c] * self.mean(c).zip(&middle).map(|(a, b)| (a - b).powi(2)).sum::<f64>())
            .sum();
        let within: f64 = self
            .labels
            .iter()
            .enumerate()
            .map(|(i, &label)| squared_distance(self.points.row(i), self.mean(label as usize)))
            .sum();
        if within > 1e-12 && k > 1.0 && n > k { between * (n - k) / (within * (k - 1.0)) } else { 0.0 }
    }

    fn largest_share(&self) -> f64 {
        self.sizes.iter().copied().fold(0.0, f64::max) / self.points.len().max(1) as f64
    }
}

fn square(row: &[f32]) -> f64 {
    row.iter().map(|&value| f64::from(value) * f64::from(value)).sum()
}

fn squared_distance(row: &[f32], mean: impl Iterator<Item = f64>) -> f64 {
    row.iter().zip(mean).map(|(&value, mean)| (f64::from(value) - mean).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit_rows(rows: &[[f32; 3]]) -> Vec<f32> {
        let norm = |row: &[f32; 3]| row.iter().map(|v| v * v).sum::<f32>().sqrt();
        rows.iter().flat_map(|row| row.map(|v| v / norm(row).max(1e-9))).collect()
    }

    fn labelled(labels: Vec<u32>, k: usize) -> Clustering {
        Clustering { k, dimension: 3, centroids: vec![0.0; k * 3], labels, inertia: 0.0, n_iter: 0 }
    }

    /// Recorded from scikit-learn 1.9.1: `silhouette_score(metric="cosine")`, `davies_bouldin_score`, `calinski_harabasz_score`.
    #[test]
    fn values_equal_those_recorded_from_scikit_learn() {
        let values = unit_rows(&[
            [3.0, 1.0, 0.0],
            [3.0, 2.0, 1.0],
            [2.0, 0.0, 1.0],
            [0.0, 3.0, 1.0],
            [1.0, 3.0, 0.0],
            [0.0, 2.0, 0.0],
            [1.0, 0.0, 3.0],
            [0.0, 1.0, 3.0],
            [0.0, 0.0, 1.0],
            [1.0, 1.0, 1.0],
            [-1.0, 2.0, 0.0],
            [2.0, 2.0, 1.0],
        ]);
        let found = quality(&Points::new(&values, 3).unwrap(), &labelled(vec![0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 1, 0], 3));
        assert!((found.silhouette - 0.634_061_328_321_088_4).abs() < 1e-6, "{found:?}");
        assert!((found.davies_bouldin - 0.700_113_556_393_398_6).abs() < 1e-6, "{found:?}");
        assert!((found.calinski_harabasz - 13.473_003_177_106_815).abs() < 1e-4, "{found:?}");
        assert!((found.largest_share - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_cluster_without_points_lies_nowhere() {
        let values: Vec<f32> =
            (0..40).flat_map(|i| [10.0 + (i % 2) as f32 * 4.0 + (i % 5) as f32 * 0.1, 9.0]).collect();
        let points = Points::new(&values, 2).unwrap().euclidean();
        let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
        assert_eq!(quality(&points, &labelled(labels.clone(), 3)), quality(&points, &labelled(labels, 2)));
    }

    proptest! {
        /// Against the definition, pair by pair; clusters of one and equal points are among them.
        #[test]
        fn the_silhouette_equals_its_definition(
            rows in prop::collection::vec((prop::array::uniform3(-3i8..4), 0u32..4), 2..40),
        ) {
            let values = unit_rows(&rows.iter().map(|(row, _)| row.map(f32::from)).collect::<Vec<_>>());
            let labels: Vec<u32> = rows.iter().map(|(_, label)| *label).collect();
            let points = Points::new(&values, 3).unwrap();
            let distance = |i: usize, j: usize| 1.0 - f64::from(dot(points.row(i), points.row(j)));
            let mut expected = 0.0;
            for i in 0..labels.len() {
                let mean_to = |cluster: u32| {
                    let others: Vec<f64> = (0..labels.len())
                        .filter(|&j| j != i && labels[j] == cluster).map(|j| distance(i, j)).collect();
                    (!others.is_empty()).then(|| others.iter().sum::<f64>() / others.len() as f64)
                };
                let nearest = (0..4).filter(|&c| c != labels[i]).filter_map(mean_to).reduce(f64::min);
                if let (Some(within), Some(nearest)) = (mean_to(labels[i]), nearest) {
                    let larger = within.max(nearest);
                    if larger > 1e-6 {
                        expected += (nearest - within) / larger;
                    }
                }
            }
            expected /= labels.len() as f64;
            let found = quality(&points, &labelled(labels, 4));
            // Equal points in two clusters make 0/0 up to rounding, which neither side should be held to.
            prop_assume!(!has_equal_points_apart(&values, &rows));
            prop_assert!((found.silhouette - expected).abs() < 1e-4, "{} is not {expected}", found.silhouette);
            prop_assert!(found.davies_bouldin.is_finite() && found.calinski_harabasz.is_finite());
        }
    }

    /// Pair by pair, of points that are no unit vectors.
    #[test]
    fn the_silhouette_of_distances_equals_its_definition() {
        let values: Vec<f32> = (0..36).map(|i| ((i * 7919 % 61) as f32 - 30.0) / 7.0).collect();
        let labels: Vec<u32> = vec![0, 1, 2, 0, 1, 2, 0, 1, 0, 0, 1, 0];
        let points = Points::new(&values, 3).unwrap().euclidean();
        let distance =
            |i: usize, j: usize| squared_distance(points.row(i), points.row(j).iter().map(|v| f64::from(*v)));
        let mean_to = |i: usize, cluster: u32| {
            let others = (0..12).filter(|&j| j != i && labels[j] == cluster);
            let (sum, n) = others.fold((0.0, 0.0), |(sum, n), j| (sum + distance(i, j), n + 1.0));
            sum / n
        };
        let of = |i: usize| {
            let within = mean_to(i, labels[i]);
            let nearest = (0..3).filter(|c| *c != labels[i]).map(|c| mean_to(i, c)).fold(f64::INFINITY, f64::min);
            (nearest - within) / nearest.max(within)
        };
        let expected = (0..12).map(of).sum::<f64>() / 12.0;
        let found = quality(&points, &labelled(labels.clone(), 3)).silhouette;
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    fn has_equal_points_apart(values: &[f32], rows: &[([i8; 3], u32)]) -> bool {
        let row = |i: usize| &values[i * 3..][..3];
        let near = |i: usize, j: usize| row(i).iter().zip(row(j)).all(|(a, b)| (a - b).abs() < 1e-5);
        (0..rows.len()).any(|i| (0..i).any(|j| near(i, j) && rows[i].1 != rows[j].1))
    }
}
