//! How strong the penalty is, and how sure a probability: both by cross-validation inside the training examples.

use super::report::{HeadReport, report};
use super::solve::log_sum_exp;
use super::{Examples, Head, HeadError};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The inverse penalties that are tried, from strong to weak: two a decade around what unit vectors need.
pub const PENALTIES: [f64; 10] = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0];
/// Folds at most; a label with fewer examples than that makes them fewer.
const FOLDS: usize = 5;
/// A label needs so many examples: one to learn from and one to look at.
const FEWEST: usize = 2;
/// The range a temperature is sought in, and thirds of its logarithm.
const COLDEST: f64 = 0.2;
const HOTTEST: f64 = 5.0;
const THIRDS: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainSettings {
    /// Examples are dealt into folds by it.
    pub seed: u64,
}

/// One penalty that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    pub inverse_penalty: f64,
    /// Mean of -ln of the probability that the true label was given, by heads that had not seen the example.
    pub log_loss: f64,
    /// Of the same heads, 0 to 1.
    pub accuracy: f64,
}

/// A head with what was found out on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    pub head: Head,
    pub inverse_penalty: f64,
    pub trials: Vec<Trial>,
    /// How heads that had not seen an example did on it: an estimate of what this one will do.
    pub cross_validated: HeadReport,
}

/// Trains a head: the penalty with the least log loss over folds, then all examples with it, then the temperature at which the
/// probabilities that the folds' heads gave to unseen examples fit best.
///
/// # Errors
/// See [`Examples::check`]; a label has fewer than two examples.
pub fn train(examples: &Examples<'_>, settings: TrainSettings) -> Result<Trained, HeadError> {
    examples.check(FEWEST)?;
    let of_label = |label: usize| examples.labels.iter().filter(|&&found| found == label).count();
    let n_folds = (0..examples.n_labels).map(of_label).min().unwrap_or(FEWEST).min(FOLDS);
    let folds = folds(examples.labels, n_folds, settings.seed);
    let of_folds: Vec<Vec<Vec<f64>>> =
        (0..n_folds).into_par_iter().map(|fold| unseen(examples, &folds, fold)).collect();
    // Each example has been left out once, with every penalty.
    let mut scores = vec![vec![Vec::new(); examples.len()]; PENALTIES.len()];
    for (fold, of_penalties) in of_folds.into_iter().enumerate() {
        let rows: Vec<usize> = (0..examples.len()).filter(|&i| folds[i] == fold).collect();
        for (penalty, flat) in of_penalties.into_iter().enumerate() {
            for (&row, of_row) in rows.iter().zip(flat.chunks_exact(examples.n_labels)) {
                scores[penalty][row] = of_row.to_vec();
            }
        }
    }
    let trials: Vec<Trial> =
        PENALTIES.iter().zip(&scores).map(|(&penalty, scores)| trial(penalty, scores, examples)).collect();
    let best = (0..trials.len()).min_by(|&a, &b| trials[a].log_loss.total_cmp(&trials[b].log_loss)).unwrap_or_default();
    let inverse_penalty = trials[best].inverse_penalty;
    let temperature = temperature(&scores[best], examples.labels);
    let head = Head { temperature, ..Head::fit_from(examples, inverse_penalty, None) };
    let probabilities: Vec<Vec<f64>> = scores[best].iter().map(|scores| calibrated(scores, temperature)).collect();
    let cross_validated = report(examples.labels, &probabilities);
    Ok(Trained { head, inverse_penalty, trials, cross_validated })
}

/// The scores of the examples of a fold by heads of the other folds: of each penalty `[n_of_fold × n_labels]`.
fn unseen(examples: &Examples<'_>, folds: &[usize], fold: usize) -> Vec<Vec<f64>> {
    let (left_out, rest): (Vec<usize>, Vec<usize>) = (0..examples.len()).partition(|&i| folds[i] == fold);
    let (vectors, labels) = examples.select(&rest);
    let seen = Examples { vectors: &vectors, labels: &labels, ..*examples };
    let mut head: Option<Head> = None;
    let mut scores = Vec::with_capacity(PENALTIES.len());
    for penalty in PENALTIES {
        // From the last penalty's solution it is not far.
        let next = Head::fit_from(&seen, penalty, head.as_ref());
        scores.push(left_out.iter().flat_map(|&i| next.scores(examples.row(i))).collect());
        head = Some(next);
    }
    scores
}

fn trial(inverse_penalty: f64, scores: &[Vec<f64>], examples: &Examples<'_>) -> Trial {
    let log_loss = log_loss(scores, examples.labels, 1.0);
    let probabilities: Vec<Vec<f64>> = scores.iter().map(|scores| calibrated(scores, 1.0)).collect();
    Trial { inverse_penalty, log_loss, accuracy: report(examples.labels, &probabilities).accuracy }
}

fn calibrated(scores: &[f64], temperature: f64) -> Vec<f64> {
    let mut scaled: Vec<f64> = scores.iter().map(|score| score / temperature).collect();
    super::solve::softmax(&mut scaled);
    scaled
}

fn log_loss(scores: &[Vec<f64>], labels: &[usize], temperature: f64) -> f64 {
    let loss = |(scores, &label): (&Vec<f64>, &usize)| {
        let scaled: Vec<f64> = scores.iter().map(|score| score / temperature).collect();
        log_sum_exp(&scaled) - scaled[label]
    };
    scores.iter().zip(labels).map(loss).sum::<f64>() / labels.len().max(1) as f64
}

/// The temperature with the least log loss, which is convex in its inverse (Guo et al. 2017, section 4.2).
fn temperature(scores: &[Vec<f64>], labels: &[usize]) -> f64 {
    let (mut low, mut high) = (HOTTEST.recip(), COLDEST.recip());
    for _ in 0..THIRDS {
        let (one, other) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if log_loss(scores, labels, one.recip()) <= log_loss(scores, labels, other.recip()) {
            high = other;
        } else {
            low = one;
        }
    }
    f64::midpoint(low, high).recip()
}

/// Deals examples into folds, each label's evenly: `[n]`, below `n_folds`.
fn folds(labels: &[usize], n_folds: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut fold_of = vec![0; labels.len()];
    // Goes on from label to label, so that folds differ by one example at most.
    let mut next = 0;
    for rows in by_label(labels) {
        let mut rows = rows;
        rows.shuffle(&mut rng);
        for row in rows {
            fold_of[row] = next % n_folds;
            next += 1;
        }
    }
    fold_of
}

fn by_label(labels: &[usize]) -> Vec<Vec<usize>> {
    let mut rows = vec![Vec::new(); labels.iter().max().map_or(0, |most| most + 1)];
    labels.iter().enumerate().for_each(|(i, &label)| rows[label].push(i));
    rows
}

/// Rows to train on and rows to hold out, both ascending: of each label the share `held_out`, rounded, of two and more one at least on
/// either side.
pub fn split(labels: &[usize], held_out: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for mut rows in by_label(labels) {
        rows.shuffle(&mut rng);
        let most = rows.len().saturating_sub(1);
        let n_test = ((rows.len() as f64 * held_out).round() as usize).clamp(most.min(1), most);
        test.extend(rows.drain(..n_test));
        train.extend(rows);
    }
    train.sort_unstable();
    test.sort_unstable();
    (train, test)
}
