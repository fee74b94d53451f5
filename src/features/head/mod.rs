//! Heads: what a text is about or how it sounds, read off its frozen embedding by a linear map.
//!
//! A head is trained on examples ([`train`]): multinomial logistic regression with an L2 penalty, its strength chosen by stratified
//! cross-validation inside the training examples, its probabilities calibrated on the folds that a fit has not seen. Where there are no
//! labels yet it starts from descriptions of them ([`Head::from_descriptions`]). A rating is a label that costs nothing
//! ([`Sentiment::of_rating`]). The same examples give the same head, to the bit, whatever the number of threads.

mod choose;
mod report;
mod solve;
#[cfg(test)]
mod tests;
mod zero_shot;

pub use choose::{PENALTIES, TrainSettings, Trained, Trial, split, train};
pub use report::{HeadReport, LabelReport, report};

use serde::{Deserialize, Serialize};
use solve::{Problem, minimise};

/// How glad a text sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sentiment {
    Negative,
    Positive,
}

impl Sentiment {
    /// Of a rating on a scale from 1 to 5: up to 2 is negative, from 4 on positive; what lies between says neither.
    pub fn of_rating(rating: f64) -> Option<Self> {
        match rating {
            rating if (1.0..=2.0).contains(&rating) => Some(Self::Negative),
            rating if (4.0..=5.0).contains(&rating) => Some(Self::Positive),
            _ => None,
        }
    }
}

/// Texts whose labels are known.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    pub dimension: usize,
    /// `[n, dimension]`, row by row: embeddings of unit length.
    pub vectors: &'a [f32],
    /// `[n]`: indices of labels, below `n_labels`.
    pub labels: &'a [usize],
    pub n_labels: usize,
}

/// Why a head cannot be trained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    #[error("{n_values} values are no rows of {dimension} for {n_labels} labels")]
    Shape { n_values: usize, dimension: usize, n_labels: usize },
    #[error("row {row} holds a value that is not finite; embed its text again")]
    NotFinite { row: usize },
    #[error("a head tells at least two labels apart, and {n_labels} are given")]
    OneLabel { n_labels: usize },
    #[error("row {row} has the label {label}, and there are {n_labels}")]
    NoSuchLabel { row: usize, label: usize, n_labels: usize },
    #[error("label {label} has {found} examples, and {needed} are needed; give more, or leave it out")]
    TooFewExamples { label: usize, found: usize, needed: usize },
}

impl Examples<'_> {
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// # Errors
    /// The numbers do not fit each other, a value is not finite, or a label has fewer examples than `needed`.
    pub fn check(&self, needed: usize) -> Result<(), HeadError> {
        let Self { dimension, vectors, labels, n_labels } = *self;
        if dimension == 0 || vectors.len() != labels.len() * dimension {
            return Err(HeadError::Shape { n_values: vectors.len(), dimension, n_labels: labels.len() });
        }
        if n_labels < 2 {
            return Err(HeadError::OneLabel { n_labels });
        }
        if let Some(at) = vectors.iter().position(|value| !value.is_finite()) {
            return Err(HeadError::NotFinite { row: at / dimension });
        }
        if let Some(row) = labels.iter().position(|&label| label >= n_labels) {
            return Err(HeadError::NoSuchLabel { row, label: labels[row], n_labels });
        }
        let count = |label: usize| labels.iter().filter(|&&found| found == label).count();
        let scarce = (0..n_labels).map(|label| (label, count(label))).find(|(_, found)| *found < needed);
        scarce.map_or(Ok(()), |(label, found)| Err(HeadError::TooFewExamples { label, found, needed }))
    }

    fn row(&self, i: usize) -> &[f32] {
        &self.vectors[i * self.dimension..][..self.dimension]
    }

    /// Copies of some rows and their labels.
    fn select(&self, rows: &[usize]) -> (Vec<f32>, Vec<usize>) {
        let vectors = rows.iter().flat_map(|&i| self.row(i)).copied().collect();
        (vectors, rows.iter().map(|&i| self.labels[i]).collect())
    }
}

/// A linear map from an embedding to the probabilities of labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub n_labels: usize,
    pub dimension: usize,
    /// `[n_rows, dimension]`: a row a label; of two labels one row, for the second against the first.
    pub weights: Vec<f64>,
    /// `[n_rows]`
    pub intercepts: Vec<f64>,
    /// Scores are divided by it before they become probabilities (Guo et al. 2017, section 4.2); 1 leaves them as they are.
    pub temperature: f64,
}

impl Head {
    /// Minimises `C Σ loss + ½ ‖W‖²` over weights W and free intercepts, the loss being that of the softmax (of two labels: the
    /// logistic one); C is `inverse_penalty`. What scikit-learn's `LogisticRegression(C)` minimises.
    ///
    /// # Errors
    /// See [`Examples::check`]; a label without examples is one of them.
    pub fn fit(examples: &Examples<'_>, inverse_penalty: f64) -> Result<Self, HeadError> {
        examples.check(1)?;
        Ok(Self::fit_from(examples, inverse_penalty, None))
    }

    /// The same of examples that are checked, from the solution for another penalty.
    fn fit_from(examples: &Examples<'_>, inverse_penalty: f64, start: Option<&Self>) -> Self {
        let problem = Problem::new(examples, inverse_penalty);
        let start = start.map_or_else(|| problem.zero(), |head| problem.joined(&head.weights, &head.intercepts));
        let (weights, intercepts) = problem.parted(&minimise(&problem, start));
        let (n_labels, dimension) = (examples.n_labels, examples.dimension);
        Self { n_labels, dimension, weights, intercepts, temperature: 1.0 }
    }

    /// A score for each label, `[n_labels]`; only their differences mean anything.
    pub fn scores(&self, vector: &[f32]) -> Vec<f64> {
        let rows = self.weights.chunks_exact(self.dimension).zip(&self.intercepts);
        let mut scores: Vec<f64> = rows.map(|(row, intercept)| solve::dot(row, vector) + intercept).collect();
        if self.n_labels == 2 && scores.len() == 1 {
            scores.insert(0, 0.0);
        }
        scores
    }

    /// A probability for each label, `[n_labels]`, 1 in all.
    pub fn probabilities(&self, vector: &[f32]) -> Vec<f64> {
        let mut scores = self.scores(vector);
        scores.iter_mut().for_each(|score| *score /= self.temperature);
        solve::softmax(&mut scores);
        scores
    }

    /// The likeliest label, of equals the first, and its probability.
    pub fn predict(&self, vector: &[f32]) -> (usize, f64) {
        let probabilities = self.probabilities(vector);
        let better = |best: (usize, f64), (label, &p): (usize, &f64)| if p > best.1 { (label, p) } else { best };
        probabilities.iter().enumerate().fold((0, f64::NEG_INFINITY), better)
    }
}
