//! One door to all methods that put everybody into one of k groups, for those who compare them.

use super::geometry::Points;
use super::kmeans::of_labels;
use super::lloyd::lloyd;
use super::{ClusterError, Clustering, Consensus, Density, GaussianMixture, KMeans, Metric, Watch, ward};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Cells that Ward's method joins, where there are more points.
const CELLS: usize = 500;
/// Lloyd iterations of the cells: they need be small, not good.
const CELL_ITERATIONS: usize = 4;
/// A dense group has at least this share of what it would have were all of k groups equal.
const SMALLEST_SHARE: f64 = 0.2;
/// The random stream of cells, beyond those of all else.
const STREAM: u64 = 1 << 45;

/// How groups are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Spherical k-means.
    KMeans,
    /// The most probable component of a Gaussian mixture.
    Mixture,
    /// What many runs of k-means agree on.
    Consensus,
    /// Ward's hierarchy over small cells, cut where k are left.
    Ward,
    /// Dense groups of at least a fifth of n / k points: how many there are, the points say.
    Density,
}

impl Algorithm {
    pub const ALL: [Self; 5] = [Self::KMeans, Self::Mixture, Self::Consensus, Self::Ward, Self::Density];

    /// As it is written in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::KMeans => "kmeans",
            Self::Mixture => "mixture",
            Self::Consensus => "consensus",
            Self::Ward => "ward",
            Self::Density => "density",
        }
    }

    /// Everybody in one of k groups (as many as there are, for [`Self::Density`]), numbered by size.
    ///
    /// # Errors
    /// k is 0 or larger than the number of distinct points; there are no dense groups; [`ClusterError::Cancelled`].
    pub fn fit(self, points: &Points<'_>, k: usize, seed: u64, watch: &dyn Watch) -> Result<Clustering, ClusterError> {
        let whole = |labels: Vec<u32>, k: usize| of_labels(points, labels, k, Metric::Cosine).0;
        match self {
            Self::KMeans => KMeans::params(k).seed(seed).check(points)?.fit(points, watch),
            Self::Mixture => {
                let found = GaussianMixture::params(k).seed(seed).check(points)?.fit(points, watch)?;
                let (labels, k) = closed_up(&found.labels(), k);
                Ok(whole(labels, k))
            }
            Self::Consensus => Ok(Consensus::params(k).seed(seed).check(points)?.fit(points, watch)?.clustering),
            Self::Ward => {
                KMeans::params(k).check(points)?;
                Ok(whole(ward_over_cells(points, k, seed, watch)?, k))
            }
            Self::Density => {
                let min_size = (SMALLEST_SHARE * points.len() as f64 / k.max(1) as f64) as usize;
                Ok(Density::params(min_size.max(5)).seed(seed).check(points)?.fit(points, watch)?.clustering)
            }
        }
    }
}

/// Labels without numbers that nobody has, and how many are left.
fn closed_up(labels: &[u32], k: usize) -> (Vec<u32>, usize) {
    let mut has = vec![false; k];
    labels.iter().for_each(|&label| has[label as usize] = true);
    let mut next = 0;
    let new: Vec<u32> = has
        .iter()
        .map(|&has| {
            next += u32::from(has);
            next.saturating_sub(1)
        })
        .collect();
    (labels.iter().map(|&label| new[label as usize]).collect(), next as usize)
}

fn ward_over_cells(points: &Points<'_>, k: usize, seed: u64, watch: &dyn Watch) -> Result<Vec<u32>, ClusterError> {
    let (n, n_cells) = (points.len(), CELLS.max(k));
    if n <= n_cells {
        return ward(points, &vec![1.0; n])?.cut(k);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    let mut rows = index::sample(&mut rng, n, n_cells).into_vec();
    rows.sort_unstable();
    let start = vec![points.select(&rows)];
    let cells = lloyd(points, start, Metric::Euclidean, CELL_ITERATIONS, watch)?.remove(0);
    let mut sizes = vec![0f64; n_cells];
    cells.labels.iter().for_each(|&cell| sizes[cell as usize] += 1.0);
    let of_cell = ward(&Points::new(&cells.centroids, points.dimension())?, &sizes)?.cut(k)?;
    Ok(cells.labels.iter().map(|&cell| of_cell[cell as usize]).collect())
}

#[cfg(test)]
mod tests {
    use super::super::planted::{on_threads, planted};
    use super::*;
    use crate::measure;

    #[test]
    fn every_method_finds_planted_groups_and_numbers_them_by_size() {
        let truth = planted(&[500, 350, 250], 24, 0.6, 1);
        let points = Points::new(&truth.values, 24).unwrap();
        for algorithm in Algorithm::ALL {
            let found = algorithm.fit(&points, 3, 0, &()).unwrap();
            let labels: Vec<usize> = found.labels.iter().map(|&label| label as usize).collect();
            assert_eq!(found.k, 3, "{algorithm:?}");
            assert!(measure::compare(&truth.labels, &labels).ari > 0.98, "{algorithm:?}");
            assert!(labels.iter().filter(|&&l| l == 0).count() > labels.iter().filter(|&&l| l == 2).count());
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let truth = planted(&[400, 300], 16, 1.0, 2);
        let points = Points::new(&truth.values, 16).unwrap();
        for algorithm in Algorithm::ALL {
            let run = || algorithm.fit(&points, 2, 3, &());
            assert_eq!(on_threads(1, run), on_threads(3, run), "{algorithm:?}");
        }
    }

    #[test]
    fn no_groups_are_refused_by_every_method_that_was_asked_for_a_number() {
        let points = Points::new(&[1.0, 0.0, 0.0, 1.0], 2).unwrap();
        for algorithm in Algorithm::ALL.into_iter().filter(|&algorithm| algorithm != Algorithm::Density) {
            assert_eq!(algorithm.fit(&points, 0, 0, &()), Err(ClusterError::NoClusters { k: 0 }), "{algorithm:?}");
            assert_eq!(
                algorithm.fit(&points, 3, 0, &()),
                Err(ClusterError::TooFewPoints { k: 3, n: 2 }),
                "{algorithm:?}"
            );
        }
        assert!(matches!(Algorithm::Density.fit(&points, 3, 0, &()), Err(ClusterError::Setting { .. })));
    }

    #[test]
    fn numbers_that_nobody_has_are_closed_up() {
        assert_eq!(closed_up(&[3, 1, 3], 5), (vec![1, 0, 1], 2));
        assert_eq!(closed_up(&[0, 1], 2), (vec![0, 1], 2));
    }
}
