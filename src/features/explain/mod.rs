//! Which features make a segment what it is: a tree that stands in for the segmentation, what is lost when a feature is scrambled,
//! and a short rule a segment.
//!
//! All of it looks at features in their own units, before any scaling, so that thresholds can be read. A missing value is told apart
//! from every known one: `x ≤ t` means that x is known and at most t, and what is not that goes the other way.

mod permutation;
mod rules;
mod split;
#[cfg(test)]
mod tests;
mod tree;

pub use permutation::{Importance, Permutation, permutation_importance};
pub use rules::{Condition, Rule, RuleParams, segment_rules};
pub use tree::{Fidelity, Node, Split, Tree, TreeParams};

use super::set::FeatureSet;

/// Why nothing can be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    #[error("{n_values} values are no {n} rows of {width}")]
    Shape { n: usize, width: usize, n_values: usize },
    #[error("there are no customers to explain")]
    Nobody,
    #[error("row {row} is in segment {label}, but there are only {n_segments}")]
    Label { row: usize, label: u32, n_segments: usize },
    #[error("there is no column {column} among {width}")]
    Column { column: usize, width: usize },
}

/// Customers with the segment each is in.
#[derive(Debug, Clone)]
pub struct Labelled<'a> {
    /// `[n, width]`, row by row; infinite where missing, which lies beyond every threshold.
    values: Vec<f64>,
    width: usize,
    /// `[n]`: 0 to `n_segments - 1`.
    labels: &'a [u32],
    n_segments: usize,
}

impl<'a> Labelled<'a> {
    /// # Errors
    /// There are no customers, not one label a customer, or a label is not below `n_segments`.
    pub fn new(set: &FeatureSet, labels: &'a [u32], n_segments: usize) -> Result<Self, ExplainError> {
        let cells = set.values().iter().zip(set.missing());
        let values = cells.map(|(value, missing)| if *missing { f64::INFINITY } else { *value }).collect();
        Self::of_values(values, set.n_features(), labels, n_segments)
    }

    fn of_values(values: Vec<f64>, width: usize, labels: &'a [u32], n_segments: usize) -> Result<Self, ExplainError> {
        if labels.is_empty() {
            return Err(ExplainError::Nobody);
        }
        if values.len() != labels.len() * width {
            return Err(ExplainError::Shape { n: labels.len(), width, n_values: values.len() });
        }
        match labels.iter().position(|label| *label as usize >= n_segments) {
            Some(row) => Err(ExplainError::Label { row, label: labels[row], n_segments }),
            None => Ok(Self { values, width, labels, n_segments }),
        }
    }

    /// The same customers, told apart by whether they are in one segment (1) or not (0).
    fn one_against_rest(&self, segment: u32) -> (Vec<f64>, Vec<u32>) {
        (self.values.clone(), self.labels.iter().map(|label| u32::from(*label == segment)).collect())
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.width..][..self.width]
    }

    fn counts(&self, rows: &[usize]) -> Vec<u64> {
        let mut counts = vec![0; self.n_segments];
        rows.iter().for_each(|row| counts[self.labels[*row] as usize] += 1);
        counts
    }
}
