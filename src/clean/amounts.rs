//! What amounts are usual in a workspace, currency by currency, by a measure that outliers do not move.
//!
//! Amounts spread over orders of magnitude, so their logarithms are looked at: the median, and 1.4826 times the median absolute
//! deviation from it, which is the standard deviation where they are normal (Rousseeuw and Croux 1993, section 1).

use crate::domain::{Currency, Money};
use std::collections::{HashMap, VecDeque};

/// The newest amounts of a currency that are looked at.
const REMEMBERED: usize = 2_000;
/// After so many new amounts the measure is taken again.
const STEP: usize = 128;
/// Makes the median absolute deviation of a normal distribution its standard deviation.
const CONSISTENCY: f64 = 1.4826;
/// A shop where everything costs the same has no spread; a fifth more or less is still no outlier there.
const LEAST_SPREAD: f64 = 0.25;

/// The newest amounts of a workspace.
#[derive(Debug, Clone, Default)]
pub struct Amounts(HashMap<Option<Currency>, Usual>);

#[derive(Debug, Clone, Default)]
struct Usual {
    logarithms: VecDeque<f64>,
    n_since: usize,
    /// Median and spread of the logarithms.
    measure: Option<(f64, f64)>,
}

impl Amounts {
    /// Takes one in; amounts of nothing and below are passed over.
    pub fn add(&mut self, amount: &Money) {
        if amount.minor <= 0 {
            return;
        }
        let usual = self.0.entry(amount.currency).or_default();
        if usual.logarithms.len() == REMEMBERED {
            usual.logarithms.pop_front();
        }
        usual.logarithms.push_back((amount.minor as f64).ln());
        usual.n_since += 1;
        if usual.n_since >= STEP {
            usual.measure = None;
        }
    }

    /// How many robust standard deviations an amount lies from the usual ones of its currency; nothing where fewer than
    /// `least` are known, or for amounts of nothing and below.
    pub fn deviations(&mut self, amount: &Money, least: usize) -> Option<f64> {
        let usual = self.0.get_mut(&amount.currency).filter(|usual| usual.logarithms.len() >= least.max(1))?;
        if amount.minor <= 0 {
            return None;
        }
        let (median, spread) = *usual.measure.get_or_insert_with(|| {
            usual.n_since = 0;
            measured(usual.logarithms.make_contiguous())
        });
        Some(((amount.minor as f64).ln() - median).abs() / spread)
    }
}

impl FromIterator<Money> for Amounts {
    fn from_iter<I: IntoIterator<Item = Money>>(amounts: I) -> Self {
        let mut all = Self::default();
        amounts.into_iter().for_each(|amount| all.add(&amount));
        all
    }
}

fn measured(logarithms: &[f64]) -> (f64, f64) {
    let mut values = logarithms.to_vec();
    let median = median(&mut values);
    values.iter_mut().for_each(|value| *value = (*value - median).abs());
    (median, (CONSISTENCY * self::median(&mut values)).max(LEAST_SPREAD))
}

/// The upper one of two in the middle. `values` is not empty.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn euros(minor: i64) -> Money {
        Money { minor, currency: Currency::parse("EUR").ok() }
    }

    #[test]
    fn too_few_amounts_judge_nothing_and_currencies_are_apart() {
        let mut amounts: Amounts = (0..199).map(|i| euros(1_000 + i)).collect();
        assert_eq!(amounts.deviations(&euros(1), 200), None);
        amounts.add(&euros(1_500));
        assert!(amounts.deviations(&euros(10_000_000), 200).unwrap() > 6.0);
        assert_eq!(amounts.deviations(&Money { minor: 10_000_000, currency: None }, 200), None);
        assert_eq!(amounts.deviations(&euros(0), 200), None);
    }

    proptest! {
        /// A third of the amounts may be nonsense without hiding it or condemning the rest.
        #[test]
        fn outliers_do_not_hide_themselves(usual in prop::collection::vec(1_000..10_000_i64, 200..400), share in 0..3_usize) {
            let n_wrong = usual.len() / 3 * share / 2;
            let wrong = (0..n_wrong).map(|_| euros(900_000_000_000));
            let mut amounts: Amounts = usual.iter().map(|minor| euros(*minor)).chain(wrong).collect();
            prop_assert!(amounts.deviations(&euros(900_000_000_000), 200).unwrap() > 6.0);
            for minor in usual {
                prop_assert!(amounts.deviations(&euros(minor), 200).unwrap() < 6.0);
            }
        }

        #[test]
        fn another_unit_changes_nothing(minors in prop::collection::vec(1..1_000_000_i64, 20..60), factor in 1..1_000_i64) {
            let mut one: Amounts = minors.iter().map(|minor| euros(*minor)).collect();
            let mut other: Amounts = minors.iter().map(|minor| euros(minor * factor)).collect();
            for minor in minors {
                let (a, b) = (one.deviations(&euros(minor), 20).unwrap(), other.deviations(&euros(minor * factor), 20).unwrap());
                prop_assert!((a - b).abs() < 1e-6, "{a} {b}");
            }
        }
    }
}
