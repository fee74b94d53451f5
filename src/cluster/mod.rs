//! Clustering as pure mathematics on slices: no I/O, no async, no clock; the seed is a parameter.
//!
//! Points are unit vectors (or zero) and likeness is the cosine, but where [`Metric`] says otherwise. Sums are exact, or parallel loops
//! run over a fixed number of chunks whose sums are added in a fixed order: every result is the same to the bit for any number of
//! threads.

mod algorithm;
mod align;
mod choose;
mod confidence;
mod consensus;
mod density;
mod geometry;
mod hierarchy;
mod intervals;
mod kmeans;
mod lloyd;
mod metric;
mod mini_batch;
mod mixture;
mod principal;
mod quality;
mod scorer;
mod search;
mod seeding;
mod smoothing;
mod stability;
mod starts;

pub use algorithm::Algorithm;
pub use align::align_segments;
pub use choose::{ChooseK, Chosen, choose_k};
pub use confidence::{Placed, place, place_in, temperature};
pub use consensus::{Agreed, Consensus, ConsensusClustering, ConsensusParams, agree};
pub use density::{DenseClustering, Density, DensityParams};
pub use geometry::{Points, cohesion, cosines};
pub use hierarchy::{Hierarchy, Linkage, Merge, link, ward};
pub use intervals::{QualityIntervals, quality_intervals};
pub use kmeans::{Clustering, KMeans, KMeansParams, fit_all, recentre, refine};
pub use metric::Metric;
pub use mini_batch::{MiniBatch, mini_batch};
pub use mixture::{GaussianMixture, Mixture, MixtureParams, SoftClustering};
pub use principal::{PrincipalAxes, principal_axes};
pub use quality::{InternalQuality, quality};
pub use scorer::{PlacedPoints, Scored, Scorer, UNSURE};
pub use search::{Block, Rung, Search, SearchSettings, Trial, search};
pub use smoothing::smooth;
pub use stability::{Stability, StabilitySettings, stability};
pub use starts::fit_all_starts;

use std::ops::ControlFlow;

/// Why points cannot be clustered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    #[error("{n_values} values are no whole number of rows of {dimension}")]
    Shape { n_values: usize, dimension: usize },
    #[error("row {row} holds a value that is not finite; embed its text again")]
    NotFinite { row: usize },
    #[error("k is {k}; it takes at least 1")]
    NoClusters { k: usize },
    #[error("k is {k}, but there are only {n} points; ask for a smaller k")]
    TooFewPoints { k: usize, n: usize },
    #[error("k is {k}, but only {n_distinct} points differ from each other; ask for a smaller k")]
    TooFewDistinct { k: usize, n_distinct: usize },
    #[error("the {setting} takes {takes}")]
    Setting { setting: &'static str, takes: &'static str },
    #[error("there are {n_labels} labels for {n} points, or one of them is not below {k}")]
    Labels { n_labels: usize, n: usize, k: usize },
    #[error("the points have {found} dimensions; this was fitted to {expected}")]
    Dimension { found: usize, expected: usize },
    #[error("{n} leaves are more than the {most} a hierarchy is built over; cluster them first")]
    TooManyLeaves { n: usize, most: usize },
    #[error("no two groups of {min_size} points or more lie apart; ask for a smaller size")]
    NoDenseGroups { min_size: usize },
    /// Nobody sees it: the processor goes on by itself.
    #[error("points could not be scored on the device: {0}")]
    Scorer(String),
    #[error("the clustering was cancelled")]
    Cancelled,
}

impl ClusterError {
    /// One label a point, each below k.
    fn check_labels(labels: &[u32], n: usize, k: usize) -> Result<(), Self> {
        let fit = labels.len() == n && labels.iter().all(|&label| (label as usize) < k);
        if fit { Ok(()) } else { Err(Self::Labels { n_labels: labels.len(), n, k }) }
    }

    fn check_dimension(found: usize, expected: usize) -> Result<(), Self> {
        if found == expected { Ok(()) } else { Err(Self::Dimension { found, expected }) }
    }
}

/// Told how far long work is; says whether to go on.
pub trait Watch: Sync {
    fn progress(&self, done: usize, total: usize) -> ControlFlow<()>;
}

/// Nobody watches.
impl Watch for () {
    fn progress(&self, _done: usize, _total: usize) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn step(watch: &dyn Watch, done: usize, total: usize) -> Result<(), ClusterError> {
    match watch.progress(done, total) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ClusterError::Cancelled),
    }
}

#[cfg(test)]
pub(crate) mod planted {
    //! Points whose clusters are known: noisy copies of random directions.

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    pub struct Planted {
        pub values: Vec<f32>,
        pub labels: Vec<usize>,
    }

    /// A standard normal number (Box & Muller 1958).
    fn normal(rng: &mut ChaCha8Rng) -> f64 {
        let (a, b): (f64, f64) = (rng.random_range(f64::EPSILON..1.0), rng.random());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// A direction with noise of that length added to its own, whatever that is.
    pub fn scattered(direction: &[f64], noise: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let scale = noise / (direction.len() as f64).sqrt();
        direction.iter().map(|d| d + scale * normal(rng)).collect()
    }

    pub fn unit(row: &[f64]) -> impl Iterator<Item = f32> + '_ {
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter().map(move |v| (v / norm) as f32)
    }

    /// `sizes[i]` unit vectors around the i-th random direction; `noise` is the length of the noise beside the direction's 1.
    pub fn planted(sizes: &[usize], dimension: usize, noise: f64, seed: u64) -> Planted {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for (label, &size) in sizes.iter().enumerate() {
            let direction = scattered(&vec![0.0; dimension], 1.0, &mut rng);
            for _ in 0..size {
                values.extend(unit(&scattered(&direction, noise, &mut rng)));
                labels.push(label);
            }
        }
        Planted { values, labels }
    }

    /// The points of `tests/reference/clusterings.py`: as many rows as `sizes` says around even random centres.
    pub fn blobs(sizes: &[usize], dimension: usize, spread: f64, seed: u64) -> Planted {
        let mut state = seed;
        let mut number = || {
            state = state * 48_271 % 2_147_483_647;
            state as f64 / 2_147_483_647.0
        };
        let centres: Vec<f64> = (0..sizes.len() * dimension).map(|_| number()).collect();
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for (label, centre) in centres.chunks_exact(dimension).enumerate() {
            for _ in 0..sizes[label] {
                values.extend(centre.iter().map(|c| {
                    let noise = number() + number() + number() + number() - 2.0;
                    (4.0 * c + spread * noise) as f32
                }));
                labels.push(label);
            }
        }
        Planted { values, labels }
    }

    /// Runs on a number of threads.
    pub fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
    }
}
