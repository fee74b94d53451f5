//! Scaling: columns of any unit and shape into columns that can be compared. Fitted on some customers, applied to others.
//!
//! What every scaling promises, for columns of finite values:
//! - what is missing stays missing, and what is finite stays finite (beyond ±1e150 a value counts as that);
//! - a greater value is never scaled to a smaller one;
//! - a constant column becomes 0 wherever a scaling centres (all but `Log1p` and `QuantileBins`), and nothing is divided by nothing;
//! - fitted and applied again to its own result, a scaling changes nothing (all but `Log1p` and `QuantileBins`).

mod normal;
mod table;
#[cfg(test)]
mod tests;

pub use table::{OtherFeatures, TableScaler};

use super::feature::Kind;
use normal::normal_quantile;
use serde::{Deserialize, Serialize};
use std::f64::consts::SQRT_2;

/// What is to be done with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// `sign(x) · ln(1 + |x|)`: tames long tails, needs no fit.
    Log1p,
    /// Mean 0, standard deviation 1 (n below the line).
    Standard,
    /// Median 0, range between the quartiles 1. Where the quartiles are equal, the standard deviation stands for their range.
    Robust,
    /// 0 to 1; what lies outside of what was fitted counts as its nearest end.
    MinMax,
    /// The normal quantile of the mean rank, `Φ⁻¹((rank - 1/2) / n)`; linear between ranks, the ends beyond them.
    RankGaussian,
    /// The number of the bin, 0 to `n_bins - 1`, each with about as many customers; equal edges are one.
    QuantileBins { n_bins: usize },
}

impl Kind {
    /// The scalings that suit a feature of this kind, one after the other.
    pub fn scalings(self) -> &'static [Scaling] {
        match self {
            Self::Count | Self::Amount | Self::Duration | Self::Ratio => &[Scaling::Log1p, Scaling::Robust],
            Self::Share | Self::Score | Self::Circle | Self::Change => &[Scaling::Standard],
            Self::Trait => &[],
        }
    }
}

/// Squares of such values, summed over any number of customers, are still finite.
const LARGEST: f64 = 1e150;
/// A spread below this part of the column's size is rounding.
const CONSTANT: f64 = 1e-12;
/// Ranks are kept at so many values; between them they are interpolated.
const MAX_KNOTS: usize = 1000;

/// One fitted step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
enum Step {
    Log1p,
    Linear {
        centre: f64,
        scale: f64,
    },
    MinMax {
        low: f64,
        range: f64,
    },
    /// Distinct values, growing, and the share of customers below each, ties by half.
    Rank {
        values: Vec<f64>,
        shares: Vec<f64>,
    },
    /// Inner edges, growing.
    Bins {
        edges: Vec<f64>,
    },
}

/// The scaling of one column, fitted: steps one after the other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    steps: Vec<Step>,
}

impl Scaler {
    /// Fits each step to what the steps before it make of the column.
    pub fn fit(scalings: &[Scaling], column: &[Option<f64>]) -> Self {
        let mut values: Vec<f64> = column.iter().flatten().filter(|v| v.is_finite()).map(|v| bounded(*v)).collect();
        let mut steps = Vec::with_capacity(scalings.len());
        for scaling in scalings {
            values.sort_unstable_by(f64::total_cmp);
            let step = Step::fit(*scaling, &values);
            values.iter_mut().for_each(|value| *value = step.apply(*value));
            steps.push(step);
        }
        Self { steps }
    }

    pub fn apply(&self, value: Option<f64>) -> Option<f64> {
        let value = bounded(value.filter(|value| value.is_finite())?);
        Some(self.steps.iter().fold(value, |value, step| step.apply(value)))
    }

    /// The value that was scaled to this one; nothing where a step cannot be taken back (`QuantileBins`). What was cut off at an
    /// end comes back as that end.
    pub fn invert(&self, scaled: f64) -> Option<f64> {
        self.steps.iter().rev().try_fold(scaled, |value, step| step.invert(value))
    }
}

impl Step {
    /// `sorted` is growing and finite, perhaps empty.
    fn fit(scaling: Scaling, sorted: &[f64]) -> Self {
        match scaling {
            Scaling::Log1p => Self::Log1p,
            Scaling::Standard => {
                let (mean, deviation) = moments(sorted);
                Self::linear(mean, deviation)
            }
            Scaling::Robust => {
                let quartiles = quantile(sorted, 0.75) - quantile(sorted, 0.25);
                let median = quantile(sorted, 0.5);
                Self::linear(median, if quartiles > 0.0 { quartiles } else { moments(sorted).1 })
            }
            Scaling::MinMax => {
                let (low, high) = (quantile(sorted, 0.0), quantile(sorted, 1.0));
                Self::MinMax { low, range: if high > low { high - low } else { 1.0 } }
            }
            Scaling::RankGaussian => ranks(sorted),
            Scaling::QuantileBins { n_bins } => bins(sorted, n_bins),
        }
    }

    fn linear(centre: f64, spread: f64) -> Self {
        let is_constant = spread <= CONSTANT * centre.abs() || spread < 1.0 / LARGEST;
        Self::Linear { centre, scale: if is_constant { 1.0 } else { spread } }
    }

    fn apply(&self, x: f64) -> f64 {
        match self {
            Self::Log1p => x.abs().ln_1p().copysign(x),
            Self::Linear { centre, scale } => bounded((x - centre) / scale),
            Self::MinMax { low, range } => ((x - low) / range).clamp(0.0, 1.0),
            Self::Rank { values, shares } => interpolate(values, shares, x).map_or(0.0, normal_quantile),
            Self::Bins { edges } => edges.partition_point(|edge| *edge <= x) as f64,
        }
    }

    fn invert(&self, y: f64) -> Option<f64> {
        match self {
            Self::Log1p => Some(y.abs().exp_m1().copysign(y)),
            Self::Linear { centre, scale } => Some(y * scale + centre),
            Self::MinMax { low, range } => Some(y * range + low),
            Self::Rank { values, shares } => interpolate(shares, values, 0.5 * libm::erfc(-y / SQRT_2)),
            Self::Bins { .. } => None,
        }
    }
}

fn bounded(value: f64) -> f64 {
    value.clamp(-LARGEST, LARGEST)
}

/// Mean and standard deviation, n below the line; zeros of nothing. `values` is growing, and the mean lies among them in spite of
/// rounding.
fn moments(values: &[f64]) -> (f64, f64) {
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return (0.0, 0.0) };
    let n = values.len() as f64;
    let mean = (values.iter().sum::<f64>() / n).clamp(*first, *last);
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// The quantile with linear interpolation between order statistics (Hyndman & Fan 1996, type 7); 0 of nothing.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (below, part) = (at as usize, at.fract());
    let above = (below + 1).min(last);
    if part == 0.0 { sorted[below] } else { sorted[below] + part * (sorted[above] - sorted[below]) }
}

fn ranks(sorted: &[f64]) -> Step {
    let n = sorted.len() as f64;
    let mut below = 0;
    let mut knots: Vec<(f64, f64)> = Vec::new();
    for equal in sorted.chunk_by(|a, b| a == b) {
        knots.push((equal[0], (below as f64 + equal.len() as f64 / 2.0) / n));
        below += equal.len();
    }
    if knots.len() > MAX_KNOTS {
        let last = knots.len() - 1;
        knots = (0..MAX_KNOTS).map(|i| knots[i * last / (MAX_KNOTS - 1)]).collect();
    }
    let (values, shares) = knots.into_iter().unzip();
    Step::Rank { values, shares }
}

fn bins(sorted: &[f64], n_bins: usize) -> Step {
    let mut edges: Vec<f64> = (1..n_bins).map(|i| quantile(sorted, i as f64 / n_bins as f64)).collect();
    edges.dedup();
    // An edge at the very lowest value would leave the first bin empty.
    edges.retain(|edge| sorted.first().is_some_and(|first| edge > first));
    Step::Bins { edges }
}

/// The piecewise linear function through the knots (`from` growing), constant beyond its ends; nothing without knots.
fn interpolate(from: &[f64], to: &[f64], x: f64) -> Option<f64> {
    let above = from.partition_point(|knot| *knot < x);
    if above == 0 || above == from.len() {
        return if above == 0 { to.first() } else { to.last() }.copied();
    }
    let part = (x - from[above - 1]) / (from[above] - from[above - 1]);
    // Exact at the knots, and never outside of them by rounding.
    if part == 1.0 { Some(to[above]) } else { Some(to[above - 1] + part * (to[above] - to[above - 1])) }
}
