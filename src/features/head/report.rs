//! How good a head is on examples it has not seen.

use serde::{Deserialize, Serialize};

/// Bins of probabilities that calibration is looked at in.
const BINS: usize = 10;

/// One label's figures, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelReport {
    /// Examples that have it.
    pub n_examples: usize,
    /// Of those said to have it, how many do; 0 where none is said to.
    pub precision: f64,
    /// Of those that have it, how many are said to; 0 where none has it.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadReport {
    pub n_examples: usize,
    pub accuracy: f64,
    /// Mean over labels, each counting the same whatever its size ("macro").
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    /// Mean of -ln of the true label's probability.
    pub log_loss: f64,
    /// Mean difference between how sure the head is and how often it is right, over ten bins of its probability, each by its size
    /// (Naeini et al. 2015).
    pub calibration_error: f64,
    /// `[n_labels]`
    pub labels: Vec<LabelReport>,
}

/// Compares each example's probabilities, `[n][n_labels]`, with its label.
pub fn report(labels: &[usize], probabilities: &[Vec<f64>]) -> HeadReport {
    let n_labels = probabilities.first().map_or(0, Vec::len);
    let said: Vec<usize> = probabilities.iter().map(|p| likeliest(p)).collect();
    let each: Vec<LabelReport> = (0..n_labels).map(|label| of_label(label, labels, &said)).collect();
    let mean = |value: fn(&LabelReport) -> f64| each.iter().map(value).sum::<f64>() / n_labels.max(1) as f64;
    let n = labels.len().max(1) as f64;
    let right = labels.iter().zip(&said).filter(|(label, said)| label == said).count();
    let losses = labels.iter().zip(probabilities).map(|(&label, p)| -p[label].max(f64::MIN_POSITIVE).ln());
    HeadReport {
        n_examples: labels.len(),
        accuracy: right as f64 / n,
        precision: mean(|one| one.precision),
        recall: mean(|one| one.recall),
        f1: mean(|one| one.f1),
        log_loss: losses.sum::<f64>() / n,
        calibration_error: calibration_error(labels, &said, probabilities),
        labels: each,
    }
}

fn likeliest(probabilities: &[f64]) -> usize {
    let better = |best: usize, label: usize| if probabilities[label] > probabilities[best] { label } else { best };
    (0..probabilities.len()).fold(0, better)
}

fn of_label(label: usize, labels: &[usize], said: &[usize]) -> LabelReport {
    let pairs = || labels.iter().zip(said);
    let both = pairs().filter(|(truth, said)| **truth == label && **said == label).count() as f64;
    let n_examples = labels.iter().filter(|&&truth| truth == label).count();
    let n_said = said.iter().filter(|&&said| said == label).count();
    let share = |of: usize| if of > 0 { both / of as f64 } else { 0.0 };
    let all = n_examples + n_said;
    let f1 = if all > 0 { 2.0 * both / all as f64 } else { 0.0 };
    LabelReport { n_examples, precision: share(n_said), recall: share(n_examples), f1 }
}

fn calibration_error(labels: &[usize], said: &[usize], probabilities: &[Vec<f64>]) -> f64 {
    let mut gaps = [0.0; BINS];
    for ((label, &said), p) in labels.iter().zip(said).zip(probabilities) {
        let sure = p[said];
        let right = f64::from(u8::from(*label == said));
        gaps[((sure * BINS as f64) as usize).min(BINS - 1)] += sure - right;
    }
    gaps.iter().map(|gap| gap.abs()).sum::<f64>() / labels.len().max(1) as f64
}
