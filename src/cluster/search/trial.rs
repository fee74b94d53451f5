//! One candidate, and how it is measured on some of the points.

use super::super::algorithm::Algorithm;
use super::super::geometry::normalise;
use super::super::{ClusterError, Points, quality};
use super::{Block, STREAM};
use crate::measure;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Refits that a candidate's stability is the mean of, and the share of the points each is made on.
const REFITS: usize = 2;
const REFIT_SHARE: f64 = 0.8;
/// A group with more of all customers than this tells nothing.
const LARGEST_SHARE: f64 = 0.8;

/// A candidate, and what was seen of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    pub number: usize,
    pub algorithm: Algorithm,
    pub k: usize,
    /// One a block; they sum to 1.
    pub weights: Vec<f64>,
    /// On ever more points; the better third goes on.
    pub rungs: Vec<Rung>,
    /// Why it could not be tried, if so.
    pub failed: Option<String>,
}

/// A candidate on some of the points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    pub n_points: usize,
    /// k, but for dense groups, whose number the points decide.
    pub n_groups: usize,
    /// Both in the space of the weights that were given.
    pub silhouette: f64,
    pub davies_bouldin: f64,
    /// Mean adjusted Rand index with refits on four fifths of the points (Ben-Hur, Elisseeff & Guyon 2002, with another index).
    pub stability: f64,
    pub largest_share: f64,
    /// Silhouette times stability: what is compared.
    pub score: f64,
    /// More than 80 % in one group: behind all that have not.
    pub giant: bool,
    pub seconds: f64,
}

impl Trial {
    pub(super) fn new(number: usize, algorithm: Algorithm, k: usize, weights: Vec<f64>) -> Self {
        Self { number, algorithm, k, weights, rungs: Vec::new(), failed: None }
    }

    /// What was seen last.
    pub fn last(&self) -> Option<&Rung> {
        self.rungs.last()
    }
}

/// The better one first: it came farther, has no giant group, has the larger score, was drawn earlier.
pub(super) fn better(one: &Trial, other: &Trial) -> Ordering {
    let rank = |trial: &Trial| {
        let last = trial.last();
        (trial.failed.is_none(), trial.rungs.len(), last.is_some_and(|rung| !rung.giant))
    };
    let score = |trial: &Trial| trial.last().map_or(f64::NEG_INFINITY, |rung| rung.score);
    rank(other).cmp(&rank(one)).then(score(other).total_cmp(&score(one))).then(one.number.cmp(&other.number))
}

/// Measures candidates on the same rows, in the same space.
pub(super) struct Judge<'a> {
    blocks: &'a [Block<'a>],
    rows: &'a [usize],
    /// The rows in the space of the weights that were given.
    reference: Vec<f32>,
}

impl<'a> Judge<'a> {
    pub fn new(blocks: &'a [Block<'a>], given: &[f64], rows: &'a [usize]) -> Self {
        Self { blocks, rows, reference: joined(blocks, given, rows) }
    }

    /// Without its seconds.
    pub fn measure(&self, trial: &Trial, seed: u64) -> Result<Rung, ClusterError> {
        let dimension = self.blocks.iter().map(|block| block.dimension).sum();
        let values = joined(self.blocks, &trial.weights, self.rows);
        let points = Points::new(&values, dimension)?;
        let found = trial.algorithm.fit(&points, trial.k, seed, &())?;
        let stability = (0..REFITS)
            .map(|refit| agreement(trial, &points, &found.labels, (seed, refit)))
            .sum::<Result<f64, ClusterError>>()?
            / REFITS as f64;
        let measured = quality(&Points::new(&self.reference, dimension)?, &found);
        Ok(Rung {
            n_points: self.rows.len(),
            n_groups: found.k,
            silhouette: measured.silhouette,
            davies_bouldin: measured.davies_bouldin,
            stability,
            largest_share: measured.largest_share,
            score: measured.silhouette * stability.max(0.0),
            giant: measured.largest_share > LARGEST_SHARE,
            seconds: 0.0,
        })
    }
}

/// How well a refit on some of the points agrees with these labels. Where it finds no groups at all, it does not.
fn agreement(
    trial: &Trial,
    points: &Points<'_>,
    labels: &[u32],
    (seed, refit): (u64, usize),
) -> Result<f64, ClusterError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM + 2 + refit as u64);
    let n_drawn = ((REFIT_SHARE * points.len() as f64) as usize).max(1);
    let mut rows = index::sample(&mut rng, points.len(), n_drawn).into_vec();
    rows.sort_unstable();
    let values = points.select(&rows);
    let refitted =
        trial.algorithm.fit(&Points::new(&values, points.dimension())?, trial.k, seed + 1 + refit as u64, &());
    match refitted {
        Err(ClusterError::NoDenseGroups { .. } | ClusterError::TooFewDistinct { .. }) => Ok(0.0),
        refitted => {
            let before: Vec<usize> = rows.iter().map(|&row| labels[row] as usize).collect();
            let after: Vec<usize> = refitted?.labels.iter().map(|&label| label as usize).collect();
            Ok(measure::compare(&before, &after).ari)
        }
    }
}

/// Some rows of all blocks side by side, each block's squared length being its weight, each row of unit length. A block of which nothing
/// is known leaves its weight to the others.
fn joined(blocks: &[Block<'_>], weights: &[f64], rows: &[usize]) -> Vec<f32> {
    let mut values = Vec::new();
    let mut row: Vec<f64> = Vec::new();
    for &at in rows {
        row.clear();
        for (block, weight) in blocks.iter().zip(weights) {
            let own = &block.values[at * block.dimension..][..block.dimension];
            row.extend(own.iter().map(|&value| weight.sqrt() * f64::from(value)));
        }
        normalise(&mut row);
        values.extend(row.iter().map(|&value| value as f32));
    }
    values
}
