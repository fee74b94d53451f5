//! What a feature is: a number with a name, a unit and a definition, in words that both a program and a marketer can use.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What sort of number it is; how it is scaled follows from that ([`Kind::scalings`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// How often: 0, 1, 2, …; skewed.
    Count,
    /// Money in major units of the currency; skewed.
    Amount,
    /// Days; skewed.
    Duration,
    /// A quotient without a bound, such as a pace; skewed.
    Ratio,
    /// A part of a whole, 0 to 1.
    Share,
    /// In the shop's own scale.
    Score,
    /// A coordinate on a circle, -1 to 1.
    Circle,
    /// The last period against the one before; 0 is no change.
    Change,
    /// A coordinate of a trait, scaled already (`traits`).
    Trait,
}

/// The definition of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// Stable and unique in its set: `recency`, `category_share:books`.
    pub id: Cow<'static, str>,
    pub name_en: Cow<'static, str>,
    pub name_zh: Cow<'static, str>,
    /// `days`, `orders`, `major units`, … ; empty for a bare number.
    pub unit: Cow<'static, str>,
    pub kind: Kind,
    pub definition: Cow<'static, str>,
    /// What it means that a customer has none.
    pub missing: Cow<'static, str>,
}

/// A feature that every shop has: its definition beside the function that reckons it.
pub(super) struct Entry<D> {
    pub id: &'static str,
    pub names: (&'static str, &'static str),
    pub unit: &'static str,
    pub kind: Kind,
    pub definition: &'static str,
    pub missing: &'static str,
    pub value: fn(&D) -> Option<f64>,
}

impl<D> Entry<D> {
    pub fn feature(&self) -> Feature {
        Feature {
            id: self.id.into(),
            name_en: self.names.0.into(),
            name_zh: self.names.1.into(),
            unit: self.unit.into(),
            kind: self.kind,
            definition: self.definition.into(),
            missing: self.missing.into(),
        }
    }
}

pub(super) const NEVER: &str = "is never missing";

/// `part / whole`, where there is a whole.
pub(super) fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

pub(super) fn mean(sum: f64, n: usize) -> Option<f64> {
    (n > 0).then(|| sum / n as f64)
}

/// Mean and standard deviation (of the values themselves, n below the line) in the order given.
pub(super) fn mean_and_deviation(values: &[f64]) -> Option<(f64, f64)> {
    let mean = mean(values.iter().sum(), values.len())?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, (squares / values.len() as f64).sqrt()))
}

/// `(last - before) / (last + before)`: -1 all gone, 0 the same, 1 all new. Bounded, and turned round it only changes its sign.
pub(super) fn change(last: f64, before: f64) -> Option<f64> {
    share(last - before, last + before)
}
