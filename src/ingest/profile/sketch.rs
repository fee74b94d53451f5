//! What is remembered of a column of any length: distinct values, quantiles, frequent values and extremes, each in bounded memory
//! and with an error that is stated.
//!
//! All are deterministic: the same values in the same order leave the same sketch, and but for [`Frequent`] in any order.

use std::collections::{BTreeMap, HashMap, HashSet};
use twox_hash::XxHash64;

/// A hash that is the same in every run and on every machine.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

/// How many bits of a hash choose the register: 16 KiB of registers.
const REGISTER_BITS: u32 = 14;
/// Standard error of [`Distinct::estimate`] once it counts no longer: 1.04 / sqrt(2^14).
pub(super) const DISTINCT_ERROR: f64 = 0.008_125;

/// How many different values there were: exactly up to a limit, by HyperLogLog (Flajolet and others, 2007) behind it.
pub(super) struct Distinct {
    limit: usize,
    /// Hashes of 64 bits: two of a million values meet with a chance of one in 37 million.
    exact: Option<HashSet<u64>>,
    registers: Vec<u8>,
}

impl Distinct {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, exact: Some(HashSet::new()), registers: Vec::new() }
    }

    /// Takes a value by its hash. Gives whether it was there before, as long as that is known.
    pub(super) fn see(&mut self, hash: u64) -> Option<bool> {
        let Some(seen) = &mut self.exact else {
            self.register(hash);
            return None;
        };
        let is_new = seen.insert(hash);
        if seen.len() > self.limit {
            let hashes = self.exact.take().unwrap_or_default();
            self.registers = vec![0; 1 << REGISTER_BITS];
            hashes.into_iter().for_each(|hash| self.register(hash));
        }
        Some(!is_new)
    }

    fn register(&mut self, hash: u64) {
        let place = usize::try_from(hash >> (64 - REGISTER_BITS)).unwrap_or(0);
        let rest = hash << REGISTER_BITS;
        let rank = u8::try_from(rest.leading_zeros().min(64 - REGISTER_BITS) + 1).unwrap_or(u8::MAX);
        self.registers[place] = self.registers[place].max(rank);
    }

    pub(super) fn is_exact(&self) -> bool {
        self.exact.is_some()
    }

    pub(super) fn estimate(&self) -> u64 {
        match &self.exact {
            Some(seen) => seen.len() as u64,
            None => harmonic(&self.registers),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate of a count, rounded")]
fn harmonic(registers: &[u8]) -> u64 {
    let m = registers.len() as f64;
    let sum: f64 = registers.iter().map(|rank| (-f64::from(*rank)).exp2()).sum();
    let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
    let n_empty = registers.iter().filter(|rank| **rank == 0).count();
    let estimate = if raw <= 2.5 * m && n_empty > 0 { m * (m / n_empty as f64).ln() } else { raw };
    estimate.round() as u64
}

/// The relative error of every value that [`Quantiles`] gives.
pub(super) const QUANTILE_ERROR: f64 = 0.01;
/// Smaller numbers count as 0, larger ones as this: it bounds how many buckets there can be.
const SMALLEST: f64 = 1e-9;
const LARGEST: f64 = 1e18;

/// Quantiles by counts in buckets whose bounds grow by the same factor (DDSketch, Masson and others, 2019): the value given for a
/// quantile is within 1 % of the value that stands there, whatever the distribution.
#[derive(Default)]
pub(super) struct Quantiles {
    below: BTreeMap<i32, u64>,
    zero: u64,
    above: BTreeMap<i32, u64>,
    n: u64,
    range: Option<(f64, f64)>,
}

fn gamma() -> f64 {
    (1.0 + QUANTILE_ERROR) / (1.0 - QUANTILE_ERROR)
}

#[expect(clippy::cast_possible_truncation, reason = "within 4,000 for the numbers that are taken")]
fn bucket(magnitude: f64) -> i32 {
    (magnitude.min(LARGEST).ln() / gamma().ln()).ceil() as i32
}

fn middle(bucket: i32) -> f64 {
    2.0 * gamma().powi(bucket) / (gamma() + 1.0)
}

impl Quantiles {
    /// Takes a finite number.
    pub(super) fn see(&mut self, number: f64) {
        self.n += 1;
        let (low, high) = self.range.unwrap_or((number, number));
        self.range = Some((low.min(number), high.max(number)));
        if number.abs() < SMALLEST {
            self.zero += 1;
        } else {
            let side = if number < 0.0 { &mut self.below } else { &mut self.above };
            *side.entry(bucket(number.abs())).or_default() += 1;
        }
    }

    pub(super) fn n(&self) -> u64 {
        self.n
    }

    pub(super) fn range(&self) -> Option<(f64, f64)> {
        self.range
    }

    /// The buckets' middles in rising order with how many numbers each holds.
    fn counts(&self) -> impl Iterator<Item = (f64, u64)> {
        let below = self.below.iter().rev().map(|(place, n)| (-middle(*place), *n));
        let zero = Some((0.0, self.zero)).filter(|(_, n)| *n > 0);
        below.chain(zero).chain(self.above.iter().map(|(place, n)| (middle(*place), *n)))
    }

    /// The value at a share of the way, 0 to 1; nothing where there are none.
    pub(super) fn at(&self, share: f64) -> Option<f64> {
        let (low, high) = self.range?;
        weighted(self.counts(), self.n, share).map(|value| value.clamp(low, high))
    }

    /// The range outside of which a number is an outlier: 3.5 robust standard deviations (Iglewicz and Hoaglin, 1993) from the
    /// median, by the median absolute deviation; on the logarithms where none is negative and they are far apart (then 0 is usual).
    /// Nothing where half of them are equal, or there are fewer than twenty.
    pub(super) fn fences(&self) -> Option<Fences> {
        let median = self.at(0.5).filter(|_| self.n >= 20)?;
        let is_log = self.below.is_empty() && median > 0.0 && self.at(0.99)? > 3.0 * median;
        let n = if is_log { self.n - self.zero } else { self.n };
        let scale = |value: f64| if is_log { value.ln() } else { value };
        let mut deviations: Vec<(f64, u64)> = self
            .counts()
            .filter(|(value, _)| !is_log || *value > 0.0)
            .map(|(value, n)| ((scale(value) - scale(median)).abs(), n))
            .collect();
        deviations.sort_by(|a, b| a.0.total_cmp(&b.0));
        let deviation = weighted(deviations.into_iter(), n, 0.5)? / 0.6745;
        // Less than what the buckets blur is no spread at all.
        let blur = if is_log { 2.0 * QUANTILE_ERROR } else { 2.0 * QUANTILE_ERROR * median.abs() };
        if deviation <= blur {
            return None;
        }
        let (low, high) = (scale(median) - 3.5 * deviation, scale(median) + 3.5 * deviation);
        let back = |value: f64| if is_log { value.exp() } else { value };
        Some(Fences { low: back(low), high: back(high), is_log })
    }

    /// How many numbers lie outside, by their buckets' middles: those within 1 % of a fence may count to either side.
    pub(super) fn n_outside(&self, fences: &Fences) -> u64 {
        self.counts().filter(|(value, _)| fences.is_outside(*value)).map(|(_, n)| n).sum()
    }
}

/// The value at a share of the way through weighted values in rising order.
fn weighted(values: impl Iterator<Item = (f64, u64)>, n: u64, share: f64) -> Option<f64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank below n")]
    let rank = (share.clamp(0.0, 1.0) * n.saturating_sub(1) as f64).floor() as u64;
    let mut behind = 0;
    values
        .map(|(value, n)| {
            behind += n;
            (value, behind)
        })
        .find(|(_, behind)| *behind > rank)
        .map(|(value, _)| value)
}

/// What lies between is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fences {
    pub low: f64,
    pub high: f64,
    /// They were found on the numbers' logarithms.
    pub is_log: bool,
}

impl Fences {
    pub(super) fn is_outside(&self, number: f64) -> bool {
        !(self.is_log && number == 0.0) && (number < self.low || number > self.high)
    }
}

/// Values that are remembered while they are counted.
const FREQUENT: usize = 256;
/// A longer value is a text, and counted by nobody.
pub(super) const LONGEST_COUNTED: usize = 64;

/// The most frequent values (Misra and Gries, 1982): all that make up more than one in 257 are among them. Exact as long as there are at
/// most 256 different ones.
#[derive(Default)]
pub(super) struct Frequent {
    counts: HashMap<String, u64>,
    missed: u64,
}

impl Frequent {
    pub(super) fn see(&mut self, value: &str) {
        if let Some(n) = self.counts.get_mut(value) {
            *n += 1;
        } else if self.counts.len() < FREQUENT {
            self.counts.insert(value.to_owned(), 1);
        } else {
            self.missed += 1;
            self.counts.retain(|_, n| {
                *n -= 1;
                *n > 0
            });
        }
    }

    /// By how much a count may be too low.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }

    /// The most frequent first; equals in the order of their spelling.
    pub(super) fn top(&self, n: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> = self.counts.iter().map(|(value, n)| (value.as_str(), *n)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(n);
        all
    }
}

/// Numbers that are kept at either end.
const EXTREMES: usize = 5;

/// The smallest and the largest numbers with the lines they stand on.
#[derive(Default)]
pub(super) struct Extremes {
    lowest: Vec<(f64, u64)>,
    highest: Vec<(f64, u64)>,
}

impl Extremes {
    pub(super) fn see(&mut self, number: f64, line: u64) {
        keep(&mut self.lowest, number, line, |a, b| a < b);
        keep(&mut self.highest, number, line, |a, b| a > b);
    }

    /// Those outside, the farthest of either end first.
    pub(super) fn outside(&self, is_outside: impl Fn(f64) -> bool) -> Vec<(f64, u64)> {
        let mut all: Vec<(f64, u64)> = Vec::new();
        for i in 0..EXTREMES {
            let both = [self.highest.get(i), self.lowest.get(i)];
            all.extend(both.into_iter().flatten().filter(|(number, _)| is_outside(*number)));
        }
        let mut seen = HashSet::new();
        all.retain(|(_, line)| seen.insert(*line));
        all
    }
}

/// Keeps a number among the extremes; of equal ones those that came first.
fn keep(kept: &mut Vec<(f64, u64)>, number: f64, line: u64, is_beyond: impl Fn(f64, f64) -> bool) {
    if kept.len() == EXTREMES && !kept.last().is_some_and(|(last, _)| is_beyond(number, *last)) {
        return;
    }
    let place = kept.iter().position(|(other, _)| is_beyond(number, *other)).unwrap_or(kept.len());
    kept.insert(place, (number, line));
    kept.truncate(EXTREMES);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn distinct_values_beyond_the_limit_are_within_three_standard_errors() {
        for n in [1_000_u64, 20_000, 300_000] {
            let mut distinct = Distinct::new(500);
            for value in (0..n).chain(0..n / 2) {
                distinct.see(hash(&value.to_le_bytes()));
            }
            let off = (distinct.estimate() as f64 - n as f64).abs() / n as f64;
            assert!(!distinct.is_exact() && off < 3.0 * DISTINCT_ERROR, "{n}: {}", distinct.estimate());
        }
    }

    #[test]
    fn outliers_are_told_by_spread_and_by_magnitude() {
        let fences = |numbers: &[f64]| {
            let mut quantiles = Quantiles::default();
            numbers.iter().for_each(|number| quantiles.see(*number));
            quantiles.fences()
        };
        let even: Vec<f64> = (0..100).map(f64::from).collect();
        let fence = fences(&even).unwrap();
        assert!(!fence.is_log && !fence.is_outside(99.0) && fence.is_outside(250.0) && fence.is_outside(-150.0));
        let magnitudes: Vec<f64> = (0..100).map(|i| 10_f64.powf(f64::from(i) / 25.0)).collect();
        let fence = fences(&magnitudes).unwrap();
        assert!(fence.is_log && !fence.is_outside(9_000.0) && fence.is_outside(1e9));
        assert_eq!(fences(&[5.0; 100]), None, "without spread nothing is far");
        assert_eq!(fences(&even[..10]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn few_distinct_values_are_counted_exactly(values in prop::collection::vec(0_u16..300, 0..600)) {
            let mut distinct = Distinct::new(1_000);
            let mut seen = BTreeSet::new();
            for value in &values {
                prop_assert_eq!(distinct.see(hash(&value.to_le_bytes())), Some(!seen.insert(value)));
            }
            prop_assert_eq!(distinct.estimate(), seen.len() as u64);
        }

        #[test]
        fn quantiles_are_within_one_percent_of_the_value_that_stands_there(
            mut numbers in prop::collection::vec(prop_oneof![-1e6..1e6, -1.0..1.0, Just(0.0), 1e-6..1e-3, 1e9..1e15], 1..400),
            share in 0.0_f64..=1.0,
        ) {
            let mut quantiles = Quantiles::default();
            numbers.iter().for_each(|number| quantiles.see(*number));
            numbers.sort_by(f64::total_cmp);
            let rank = (share * (numbers.len() - 1) as f64).floor() as usize;
            let (told, true_value) = (quantiles.at(share).unwrap(), numbers[rank]);
            prop_assert!((told - true_value).abs() <= 1.000_001 * QUANTILE_ERROR * true_value.abs() + SMALLEST, "{} for {}", told, true_value);
        }

        #[test]
        fn frequent_values_are_counted_within_what_was_missed(values in prop::collection::vec(0_u32..900, 0..3_000)) {
            let mut frequent = Frequent::default();
            let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
            for value in values.iter().map(|value| value * value / 900) {
                frequent.see(&value.to_string());
                *counts.entry(value).or_default() += 1;
            }
            prop_assert!(frequent.missed() <= values.len() as u64 / (FREQUENT as u64 + 1));
            let kept: BTreeMap<_, _> = frequent.top(FREQUENT).into_iter().collect();
            for (value, n) in counts {
                let told = kept.get(value.to_string().as_str()).copied().unwrap_or(0);
                prop_assert!(told <= n && n <= told + frequent.missed());
            }
        }

        #[test]
        fn extremes_are_the_ends_of_the_sorted_numbers(numbers in prop::collection::vec(-100_i32..100, 1..60)) {
            let mut extremes = Extremes::default();
            (1..).zip(&numbers).for_each(|(line, number)| extremes.see(f64::from(*number), line));
            let mut sorted: Vec<f64> = numbers.iter().copied().map(f64::from).collect();
            sorted.sort_by(f64::total_cmp);
            let lowest: Vec<f64> = extremes.lowest.iter().map(|(number, _)| *number).collect();
            prop_assert_eq!(&lowest[..], &sorted[..lowest.len()]);
            sorted.reverse();
            let highest: Vec<f64> = extremes.highest.iter().map(|(number, _)| *number).collect();
            prop_assert_eq!(&highest[..], &sorted[..highest.len()]);
        }
    }
}
