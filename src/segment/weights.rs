//! The weights of blocks, sought: by how stable the segments are that they give, and by how well segments made of what was known
//! before the last period tell what came in it.
//!
//! Successive halving (Jamieson & Talwalkar 2016): a handful of weightings is measured on a few customers, the better half on more,
//! until one is left or the rounds are over. A trial is a whole fit of its customers, its step towards neighbours among it.

use super::build::{Material, Phase};
use super::fit::{Reporter, step};
use super::joined::broken;
use super::people::{HeldOut, People};
use super::profile::text_profiles;
use super::sides::{Sides, TextRows};
use super::space::Space;
use super::{SegmentError, build};
use crate::cluster::{self, ChooseK, KMeans, Points, StabilitySettings};
use crate::domain::{BlockKind, BlockWeights, Definition, KChoice, Timestamp, WeightTrial};
use crate::store::ReviewVector;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use std::cmp::Ordering;

/// Customers of each round.
const ROUNDS: [usize; 3] = [600, 2_000, 6_000];
/// Refits behind a trial's stability where k is given.
const REFITS: usize = 5;
/// The random stream of the samples, beyond those of clustering.
const STREAM: u64 = 1 << 42;

/// Weightings that are tried of these blocks: all alike, each twice and four times the others, each alone, and of three each left out.
pub fn candidates(blocks: &[BlockKind]) -> Vec<BlockWeights> {
    let with = |weight: &dyn Fn(BlockKind) -> f64| {
        BlockWeights::each(|block| if blocks.contains(&block) { weight(block) } else { 0.0 })
    };
    let mut found = vec![with(&|_| 1.0)];
    if blocks.len() > 1 {
        for factor in [2.0, 4.0] {
            found.extend(blocks.iter().map(|own| with(&|block| if block == *own { factor } else { 1.0 })));
        }
        found.extend(blocks.iter().map(|own| with(&|block| f64::from(u8::from(block == *own)))));
    }
    if blocks.len() > 2 {
        found.extend(blocks.iter().map(|own| with(&|block| f64::from(u8::from(block != *own)))));
    }
    found
}

/// All trials, the best first. Trials that lasted longer are better than others; scores compare within a round.
///
/// # Errors
/// The work was cancelled.
pub fn search(
    sides: &Sides,
    (material, people): (&Material, &People),
    definition: &Definition,
    reporter: &dyn Reporter,
) -> Result<Vec<WeightTrial>, SegmentError> {
    let tried = candidates(&sides.blocks());
    build::check_number(sides.known_by(tried[0]).customers.len(), definition.k)?;
    let ground = Ground::of(sides, material, people);
    let n_steps = tried.len() as u64 * 2;
    let mut alive: Vec<BlockWeights> = tried;
    let (mut done, mut ended): (u64, Vec<WeightTrial>) = (0, Vec::new());
    for (round, n_customers) in (1..).zip(ROUNDS) {
        let sample = ground.sample(n_customers, definition.seed);
        let mut trials = Vec::with_capacity(alive.len());
        for weights in &alive {
            step(reporter, "weighing blocks", done.min(n_steps - 1), Some(n_steps))?;
            let trial = match sample.trial(*weights, definition, reporter) {
                // By these blocks there are not so many different customers: others may tell them apart.
                Err(SegmentError::Cluster(_)) => sample.lost(*weights),
                tried => tried?,
            };
            trials.push(WeightTrial { rounds: round, ..trial });
            done += 1;
        }
        score(&mut trials);
        trials.sort_by(better);
        let n_left = trials.len().div_ceil(2);
        let is_over = round as usize == ROUNDS.len() || trials.len() == 1 || sample.is_everybody;
        if is_over {
            trials.extend(ended);
            return Ok(trials);
        }
        alive = trials[..n_left].iter().map(|trial| trial.weights).collect();
        let mut lost = trials.split_off(n_left);
        lost.extend(ended);
        ended = lost;
    }
    Ok(ended)
}

fn better(one: &WeightTrial, other: &WeightTrial) -> Ordering {
    other.score.total_cmp(&one.score)
}

/// Stability times the mean, over what can be predicted, of the skill beside the round's best.
fn score(trials: &mut [WeightTrial]) {
    let best = |skill: fn(&WeightTrial) -> Option<f64>| trials.iter().filter_map(skill).fold(0.0, f64::max);
    let most = [best(|trial| trial.predicts_behaviour), best(|trial| trial.predicts_text)];
    for trial in trials {
        let skills = [trial.predicts_behaviour, trial.predicts_text].into_iter().zip(most);
        let beside: Vec<f64> =
            skills.filter(|(_, most)| *most > 0.0).filter_map(|(skill, most)| Some(skill?.max(0.0) / most)).collect();
        let mean = if beside.is_empty() { 1.0 } else { beside.iter().sum::<f64>() / beside.len() as f64 };
        trial.score = trial.stability.max(0.0) * mean;
    }
}

/// What trials are made on: customers as they were before the last period, and what came in it.
struct Ground {
    sides: Sides,
    /// `[n]`; nothing where no period is held out.
    outcomes: Option<Vec<[f64; 3]>>,
    /// What customers wrote in the period: `[n]` rows of unit length, nothing where they wrote nothing.
    words: Vec<Option<Vec<f32>>>,
    is_everybody: bool,
}

impl Ground {
    fn of(sides: &Sides, material: &Material, people: &People) -> Self {
        let Some(held_out) = &people.held_out else { return Self::now(sides) };
        let ground = Self::before(sides, material, people, held_out);
        // Too few were there before the period: the trials are about those who are there now.
        if ground.sides.customers.len() < sides.customers.len().div_ceil(4) { Self::now(sides) } else { ground }
    }

    fn now(sides: &Sides) -> Self {
        let all = sides.known_by(BlockWeights::each(|_| 1.0));
        Self { words: vec![None; all.customers.len()], sides: all, outcomes: None, is_everybody: true }
    }

    fn before(sides: &Sides, material: &Material, people: &People, held_out: &HeldOut) -> Self {
        let at = held_out.cutoff.at;
        let earlier = written(material, people, &|time| time <= at);
        let later = written(material, people, &|time| time > at);
        let text = (!earlier.rows.is_empty() && sides.encoders.text_width > 0).then_some(earlier.as_rows());
        let before = sides.at(&held_out.table, &people.traits, text);
        // Traits are as they are now: who has nothing else was not there yet.
        let was_there = |row: &usize| before.parts.iter().any(|part| part.block != BlockKind::Traits && part.has(*row));
        let rows: Vec<usize> = (0..before.customers.len()).filter(was_there).collect();
        let mut words: Vec<Option<Vec<f32>>> = vec![None; before.customers.len()];
        if sides.encoders.text_width > 0 {
            for (row, vector) in later.rows.iter().zip(later.values.chunks_exact(later.dimension.max(1))) {
                words[*row] = Some(vector.to_vec());
            }
        }
        Self {
            sides: before.select(&rows),
            outcomes: Some(rows.iter().map(|row| held_out.outcomes[*row]).collect()),
            words: rows.iter().map(|row| words[*row].clone()).collect(),
            is_everybody: true,
        }
    }

    /// So many of the customers, drawn evenly.
    fn sample(&self, n_customers: usize, seed: u64) -> Self {
        let n = self.sides.customers.len();
        let mut rows: Vec<usize> = (0..n).collect();
        if n > n_customers {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(STREAM);
            rows = index::sample(&mut rng, n, n_customers).into_vec();
            rows.sort_unstable();
        }
        Self {
            sides: self.sides.select(&rows),
            outcomes: self.outcomes.as_ref().map(|all| rows.iter().map(|row| all[*row]).collect()),
            words: rows.iter().map(|row| self.words[*row].clone()).collect(),
            is_everybody: rows.len() == n,
        }
    }

    /// A weighting that gives no segments.
    fn lost(&self, weights: BlockWeights) -> WeightTrial {
        let n_customers = self.sides.customers.len() as u64;
        let (predicts_behaviour, predicts_text) = (None, None);
        WeightTrial {
            weights,
            rounds: 0,
            n_customers,
            k: 0,
            stability: 0.0,
            predicts_behaviour,
            predicts_text,
            score: 0.0,
        }
    }

    /// All but the rounds and the score.
    fn trial(
        &self,
        weights: BlockWeights,
        definition: &Definition,
        reporter: &dyn Reporter,
    ) -> Result<WeightTrial, SegmentError> {
        let (_, joined) = Space::fit(&self.sides, weights).map_err(broken)?;
        let points = Points::new(&joined.values, joined.width)?.euclidean();
        let smoothed = cluster::smooth(&points, definition.seed, &())?;
        let points = Points::new(&smoothed, joined.width)?.euclidean();
        let (labels, k, stability) = clustered(&points, definition, reporter)?;
        let outcomes = self.outcomes.as_ref().map(|all| {
            let column = |i: usize| all.iter().map(move |row| vec![row[i].ln_1p()]).map(Some).collect::<Vec<_>>();
            let skills: Vec<f64> = (0..3).filter_map(|i| explained(&column(i), &labels, k)).collect();
            if skills.is_empty() { 0.0 } else { skills.iter().sum::<f64>() / skills.len() as f64 }
        });
        let words: Vec<Option<Vec<f64>>> =
            self.words.iter().map(|row| Some(row.as_ref()?.iter().map(|v| f64::from(*v)).collect())).collect();
        Ok(WeightTrial {
            weights,
            rounds: 0,
            n_customers: self.sides.customers.len() as u64,
            k,
            stability,
            predicts_behaviour: outcomes,
            predicts_text: explained(&words, &labels, k),
            score: 0.0,
        })
    }
}

fn clustered(
    points: &Points<'_>,
    definition: &Definition,
    reporter: &dyn Reporter,
) -> Result<(Vec<u32>, usize, f64), SegmentError> {
    let watch = Phase { reporter, name: "weighing blocks" };
    match definition.k {
        KChoice::Auto => {
            let chosen = cluster::choose_k(points, ChooseK::for_customers(points.len(), definition.seed), &())?;
            let k = chosen.clustering.k;
            let stability = chosen.candidates.iter().find(|one| one.k == k).map_or(0.0, |one| one.stability);
            Ok((chosen.clustering.labels, k, stability))
        }
        KChoice::Fixed(k) => {
            let kmeans = KMeans::params(k).seed(definition.seed).metric(points.metric()).check(points)?;
            let found = kmeans.fit(points, &())?;
            let settings = StabilitySettings { n_refits: REFITS, seed: definition.seed };
            let stability = cluster::stability(points, &found, settings, &watch)?;
            Ok((found.labels, k, stability.overall))
        }
    }
}

/// What the customers wrote at the moments asked for.
struct Written {
    rows: Vec<usize>,
    values: Vec<f32>,
    dimension: usize,
}

impl Written {
    fn as_rows(&self) -> TextRows<'_> {
        TextRows { rows: &self.rows, values: &self.values, dimension: self.dimension }
    }
}

fn written(material: &Material, people: &People, is_asked: &dyn Fn(Timestamp) -> bool) -> Written {
    let mut reviews: Vec<&ReviewVector> = material.reviews.iter().filter(|review| is_asked(review.time)).collect();
    reviews.sort_by(|a, b| (&a.customer, a.time, &a.review).cmp(&(&b.customer, b.time, &b.review)));
    let dimension = reviews.first().map_or(0, |review| review.vector.len());
    let profiles = text_profiles(&reviews, dimension);
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    for (customer, vector) in profiles.customers.iter().zip(profiles.values.chunks_exact(dimension.max(1))) {
        if let Ok(row) = people.customers().binary_search(customer) {
            rows.push(row);
            values.extend_from_slice(vector);
        }
    }
    Written { rows, values, dimension }
}

/// How much of the spread of these rows the groups tell: ε², which is η² less what chance gives (Kelley 1935). Nothing where there are
/// too few rows or they do not differ.
fn explained(rows: &[Option<Vec<f64>>], labels: &[u32], k: usize) -> Option<f64> {
    let there: Vec<(&[f64], usize)> =
        rows.iter().zip(labels).filter_map(|(row, label)| Some((row.as_deref()?, *label as usize))).collect();
    let n = there.len();
    let width = there.first()?.0.len();
    let mut sums = vec![0.0; (k + 1) * width];
    let mut sizes = vec![0.0; k + 1];
    for (row, label) in &there {
        for at in [*label, k] {
            sums[at * width..][..width].iter_mut().zip(*row).for_each(|(sum, value)| *sum += value);
            sizes[at] += 1.0;
        }
    }
    let distance = |row: &[f64], at: usize| -> f64 {
        let mean = sums[at * width..][..width].iter().map(|sum| sum / sizes[at]);
        row.iter().zip(mean).map(|(value, mean)| (value - mean) * (value - mean)).sum()
    };
    let total: f64 = there.iter().map(|(row, _)| distance(row, k)).sum();
    let within: f64 = there.iter().map(|(row, label)| distance(row, *label)).sum();
    let n_groups = sizes[..k].iter().filter(|size| **size > 0.0).count();
    if n <= n_groups + 1 || total <= 1e-12 {
        return None;
    }
    Some(1.0 - within / total * (n as f64 - 1.0) / (n - n_groups) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_weighting_is_tried_once_and_leaves_out_what_is_not_there() {
        for (blocks, n) in [(&BlockKind::ALL[..], 13), (&BlockKind::ALL[..2], 7), (&BlockKind::ALL[1..2], 1)] {
            let tried = candidates(blocks);
            assert_eq!(tried.len(), n);
            for (i, weights) in tried.iter().enumerate() {
                assert!(!tried[..i].contains(weights), "{weights:?} twice");
                assert!(weights.check().is_ok() && weights.blocks().all(|block| blocks.contains(&block)));
            }
        }
    }

    #[test]
    fn groups_that_tell_all_explain_all_and_those_that_tell_nothing_nothing() {
        let rows: Vec<Option<Vec<f64>>> = (0..40).map(|i| Some(vec![f64::from(i % 2), 1.0])).collect();
        let telling: Vec<u32> = (0..40).map(|i| i % 2).collect();
        assert_eq!(explained(&rows, &telling, 2), Some(1.0));
        let blind: Vec<u32> = (0..40).map(|i| i / 20).collect();
        assert!(explained(&rows, &blind, 2).unwrap() <= 0.0);
        assert_eq!(explained(&vec![Some(vec![1.0]); 9], &[0; 9], 1), None);
        assert_eq!(explained(&vec![None; 9], &[0; 9], 1), None);
    }

    proptest! {
        #[test]
        fn more_groups_alone_explain_nothing_in_the_mean(seed in 0..20u64) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let rows: Vec<Option<Vec<f64>>> =
                (0..400).map(|_| Some(vec![f64::from(rand::RngExt::random_range(&mut rng, 0..1_000u32))])).collect();
            let labels: Vec<u32> = (0..400).map(|i| i % 10).collect();
            prop_assert!(explained(&rows, &labels, 10).unwrap().abs() < 0.06);
        }
    }
}
