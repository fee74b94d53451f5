//! Which method, how many groups, and what each block of features weighs: a search with a budget (successive halving; Jamieson &
//! Talwalkar 2016, algorithm 1).
//!
//! Many candidates are tried on few points, the better third of them on three times as many, and so on, so that most of the work goes into
//! those that deserve it. Whatever a candidate's weights, it is measured in one and the same space, that of the weights that were given: a
//! space with less in it has a better silhouette, and tells less.

#[cfg(test)]
mod tests;
mod trial;

pub use trial::{Rung, Trial};

use super::algorithm::Algorithm;
use super::{ClusterError, Points, Watch, step};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trial::{Judge, better};

/// Of so many candidates one goes on, with so many times the points.
const HALVING: usize = 3;
/// Points of the first rung at least, and of the last at most.
const FIRST: usize = 300;
const LAST: usize = 20_000;
/// Candidates at most: a larger budget has nothing left to tell.
const CANDIDATES: usize = 1_000;
/// The random stream of the search, beyond those of all methods.
const STREAM: u64 = 1 << 46;

/// One kind of features of all customers, in the same order in every block.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// `[n, dimension]`, each row of unit length, or zero where nothing is known.
    pub values: &'a [f32],
    pub dimension: usize,
    /// What the block weighs unless the search finds better; above 0.
    pub weight: f64,
}

/// What is searched, and how long.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchSettings {
    pub algorithms: Vec<Algorithm>,
    pub k_min: usize,
    pub k_max: usize,
    /// Work at most, counted in trials on all points (on 20,000 where there are more). At least one candidate a method is tried.
    pub budget: f64,
    pub seed: u64,
}

/// All trials, the best first: those that came farther before others, and by their scores there.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    pub trials: Vec<Trial>,
}

impl Search {
    /// The best of those that came farthest.
    pub fn best(&self) -> &Trial {
        &self.trials[0]
    }
}

/// Runs the search. `clock` tells seconds since any moment; trials note how long they took by it, and nothing else depends on it.
///
/// # Errors
/// Blocks that are none, of unlike numbers of rows or with a weight that is no positive number; no method, no k, or no budget; every
/// candidate failed (the reason is the first one's); [`ClusterError::Cancelled`].
pub fn search(
    blocks: &[Block<'_>],
    settings: &SearchSettings,
    clock: &dyn Fn() -> f64,
    watch: &dyn Watch,
) -> Result<Search, ClusterError> {
    let n = check(blocks, settings)?;
    let sizes = rungs(n);
    let rows = shuffled(n, settings.seed);
    let given = shares(&blocks.iter().map(|block| block.weight).collect::<Vec<f64>>());
    let mut trials = candidates(settings, &given, n_candidates(settings, sizes.len()));
    let total: usize = (0..sizes.len()).map(|rung| n_going_on(trials.len(), rung)).sum();
    let (mut done, mut failure, n_trials) = (0, None, trials.len());
    for (rung, &size) in sizes.iter().enumerate() {
        let judge = Judge::new(blocks, &given, &rows[..size]);
        for trial in &mut trials[..n_going_on(n_trials, rung)] {
            step(watch, done, total)?;
            let started = clock();
            match judge.measure(trial, settings.seed) {
                Err(ClusterError::Cancelled) => return Err(ClusterError::Cancelled),
                Err(error) => {
                    trial.failed = Some(error.to_string());
                    failure = failure.or(Some(error));
                }
                Ok(measured) => trial.rungs.push(Rung { seconds: clock() - started, ..measured }),
            }
            done += 1;
        }
        trials.sort_by(better);
    }
    step(watch, total, total)?;
    match failure {
        Some(error) if trials.iter().all(|trial| trial.rungs.is_empty()) => Err(error),
        _ => Ok(Search { trials }),
    }
}

/// The number of points.
fn check(blocks: &[Block<'_>], settings: &SearchSettings) -> Result<usize, ClusterError> {
    let refused = |setting, takes| Err(ClusterError::Setting { setting, takes });
    let Some(first) = blocks.first() else { return refused("blocks", "one or more") };
    let n = Points::new(first.values, first.dimension)?.len();
    for block in blocks {
        if Points::new(block.values, block.dimension)?.len() != n {
            return refused("blocks", "the same number of rows each");
        }
        if !(block.weight.is_finite() && block.weight > 0.0) {
            return refused("weight of a block", "a positive number");
        }
    }
    if settings.algorithms.is_empty() {
        return refused("methods", "one or more");
    }
    if settings.k_min < 2 || settings.k_max < settings.k_min {
        return refused("range of k", "2 or more, the smallest first");
    }
    if !(settings.budget.is_finite() && settings.budget > 0.0) {
        return refused("budget", "a positive number of trials");
    }
    if n < 2 * settings.k_min {
        return Err(ClusterError::TooFewPoints { k: settings.k_min, n });
    }
    Ok(n)
}

/// Points of each rung: the last has all of them, 20,000 at most, each other a third of the next.
fn rungs(n: usize) -> Vec<usize> {
    let mut sizes = vec![n.min(LAST)];
    while sizes[sizes.len() - 1] / HALVING >= FIRST {
        sizes.push(sizes[sizes.len() - 1] / HALVING);
    }
    sizes.reverse();
    sizes
}

/// Each rung costs what the first does: it has a third of the candidates and three times the points.
fn n_candidates(settings: &SearchSettings, n_rungs: usize) -> usize {
    let affordable = settings.budget * (HALVING as f64).powi(n_rungs as i32 - 1) / n_rungs as f64;
    (affordable as usize).clamp(settings.algorithms.len(), CANDIDATES)
}

/// Candidates that are tried in a rung.
fn n_going_on(n_candidates: usize, rung: usize) -> usize {
    n_candidates.div_ceil(HALVING.pow(rung as u32)).max(1)
}

/// All rows in random order: each rung takes the first of them, so that it holds the rung before.
fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    let mut rows: Vec<usize> = (0..n).collect();
    rows.shuffle(&mut rng);
    rows
}

/// Candidates that differ from each other. Methods take turns; each one's first has the weights that were given; other weights are drawn evenly
/// from all that sum to one.
fn candidates(settings: &SearchSettings, given: &[f64], wanted: usize) -> Vec<Trial> {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    rng.set_stream(STREAM + 1);
    let (n_methods, ks) = (settings.algorithms.len(), settings.k_max - settings.k_min + 1);
    let mut trials: Vec<Trial> = Vec::new();
    // With one block there are only so many; a draw may also hit what is there already.
    for draw in 0..20 * wanted.max(n_methods * ks) {
        if trials.len() == wanted || given.len() == 1 && trials.len() == n_methods * ks {
            break;
        }
        let algorithm = settings.algorithms[draw % n_methods];
        let k = rng.random_range(settings.k_min..=settings.k_max);
        let drawn: Vec<f64> = given.iter().map(|_| -f64::ln(rng.random_range(f64::EPSILON..1.0))).collect();
        let weights = if draw < n_methods || given.len() == 1 { given.to_vec() } else { shares(&drawn) };
        let same = |trial: &Trial| trial.algorithm == algorithm && trial.k == k && trial.weights == weights;
        if !trials.iter().any(same) {
            trials.push(Trial::new(trials.len(), algorithm, k, weights));
        }
    }
    trials
}

/// Summing to one.
fn shares(weights: &[f64]) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}
