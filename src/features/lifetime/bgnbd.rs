//! BG/NBD: how often a customer will buy, and whether they still do.
//!
//! Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2); equations are theirs. While alive a
//! customer buys at a rate of their own (gamma, shape r, rate α); after each purchase they may be gone for good, with a
//! probability of their own (beta, a and b).

use super::hypergeometric::gauss_2f1;
use super::simplex::minimum;
use super::summary::{RepeatPurchases, counted};
use super::{FEWEST, LifetimeError, positive};
use libm::lgamma;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The fitted parameters; time is in weeks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BgNbd {
    pub r: f64,
    /// Weeks.
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
}

/// ln Γ of what depends on x alone, reckoned once for each x and not for each customer.
struct OfCount {
    /// ln Γ(r + x) - ln Γ(r) + ln B(a, b + x) - ln B(a, b)
    constant: f64,
    /// ln a - ln(b + x - 1)
    gone: f64,
}

impl BgNbd {
    const NAME: &'static str = "BG/NBD";

    /// # Errors
    /// A parameter is not positive and finite.
    pub fn new(r: f64, alpha: f64, a: f64, b: f64) -> Result<Self, LifetimeError> {
        positive(&[("r", r), ("alpha", alpha), ("a", a), ("b", b)])?;
        Ok(Self { r, alpha, a, b })
    }

    /// Maximum likelihood over the logarithms of the parameters.
    ///
    /// # Errors
    /// Fewer than ten customers bought again, a row contradicts itself, or the likelihood has no maximum.
    pub fn fit(customers: &[RepeatPurchases]) -> Result<Self, LifetimeError> {
        customers.iter().enumerate().try_for_each(|(row, customer)| customer.check(row))?;
        let n = customers.iter().filter(|customer| customer.n_repeats > 0).count();
        if n < FEWEST {
            return Err(LifetimeError::TooFew { model: Self::NAME, n, needed: FEWEST });
        }
        let key = |c: &RepeatPurchases| (c.n_repeats, c.last_weeks.to_bits(), c.age_weeks.to_bits());
        let groups = counted(customers.iter().map(key));
        let mean_age = customers.iter().map(|c| c.age_weeks).sum::<f64>() / customers.len() as f64;
        let loss = |p: &[f64]| -Self::at(p).mean_log_likelihood(&groups, customers.len());
        let start = [0.0, mean_age.max(1e-3).ln(), 0.0, 1.0];
        let (point, _) = minimum(&loss, &start).ok_or(LifetimeError::NoMaximum { model: Self::NAME })?;
        // A parameter that ran away says that the likelihood is flat there.
        let ran_away = point.iter().any(|logarithm| logarithm.abs() > 12.0);
        if ran_away { Err(LifetimeError::NoMaximum { model: Self::NAME }) } else { Ok(Self::at(&point)) }
    }

    fn at(logarithms: &[f64]) -> Self {
        let [r, alpha, a, b] = [0, 1, 2, 3].map(|i: usize| logarithms[i].exp());
        Self { r, alpha, a, b }
    }

    /// The log-likelihood of customers (equation 6), summed.
    pub fn log_likelihood(&self, customers: &[RepeatPurchases]) -> f64 {
        let key = |c: &RepeatPurchases| (c.n_repeats, c.last_weeks.to_bits(), c.age_weeks.to_bits());
        self.mean_log_likelihood(&counted(customers.iter().map(key)), 1)
    }

    fn mean_log_likelihood(&self, groups: &[((u32, u64, u64), f64)], n: usize) -> f64 {
        let mut of_count = BTreeMap::<u32, OfCount>::new();
        let mut sum = 0.0;
        for &((x, last, age), weight) in groups {
            let known = of_count.entry(x).or_insert_with(|| self.of_count(f64::from(x)));
            sum += weight * self.log_likelihood_of(f64::from(x), f64::from_bits(last), f64::from_bits(age), known);
        }
        sum / n as f64
    }

    fn of_count(&self, x: f64) -> OfCount {
        let Self { r, a, b, .. } = *self;
        let beta = lgamma(a + b) - lgamma(b) + lgamma(b + x) - lgamma(a + b + x);
        OfCount { constant: lgamma(r + x) - lgamma(r) + beta, gone: a.ln() - (b + x - 1.0).ln() }
    }

    fn log_likelihood_of(&self, x: f64, last: f64, age: f64, known: &OfCount) -> f64 {
        let Self { r, alpha, .. } = *self;
        let alive = -(r + x) * (alpha + age).ln();
        let either = if x > 0.0 { log_sum(alive, known.gone - (r + x) * (alpha + last).ln()) } else { alive };
        known.constant + r * alpha.ln() + either
    }

    /// The probability that a customer still buys, 0 to 1; 1 without a repetition, as this model lets nobody go before.
    pub fn probability_alive(&self, customer: &RepeatPurchases) -> f64 {
        1.0 / (1.0 + self.odds_gone(customer))
    }

    /// The odds against being alive: a / (b + x - 1) · ((α + T) / (α + t_x))^(r + x), by logarithms as the power can be huge.
    fn odds_gone(&self, customer: &RepeatPurchases) -> f64 {
        let Self { r, alpha, a, b } = *self;
        let x = f64::from(customer.n_repeats);
        if customer.n_repeats == 0 {
            return 0.0;
        }
        let power = (r + x) * ((alpha + customer.age_weeks) / (alpha + customer.last_weeks)).ln();
        (a.ln() - (b + x - 1.0).ln() + power).exp()
    }

    /// Purchases that are expected in the next `weeks` (equation 10).
    ///
    /// Its hypergeometric function is written by Euler's transformation (Abramowitz & Stegun 15.3.3):
    /// `(1 - z)^(r + x) 2F1(r + x, b + x; c; z) = (1 - z)^(a - 1) 2F1(a + b - 1 - r, a - 1; c; z)` with `c = a + b + x - 1` and
    /// `z = t / (α + T + t)`. On the right x is in c alone, so nothing overflows for who bought a thousand times.
    pub fn expected_purchases(&self, weeks: f64, customer: &RepeatPurchases) -> f64 {
        let x = f64::from(customer.n_repeats);
        self.expected_while_alive(weeks, x, customer.age_weeks) * self.probability_alive(customer)
    }

    /// Purchases that are expected of somebody new in their first `weeks` (equation 9).
    pub fn expected_purchases_of_new(&self, weeks: f64) -> f64 {
        self.expected_while_alive(weeks, 0.0, 0.0)
    }

    fn expected_while_alive(&self, weeks: f64, x: f64, age: f64) -> f64 {
        let Self { r, alpha, .. } = *self;
        if weeks.is_nan() || weeks <= 0.0 {
            return 0.0;
        }
        // At a = 1 and at c = 0 the formula is 0/0; its value is that of near by.
        let a = away_from(self.a, 1.0);
        let b = self.b;
        let c = away_from(a + b + x - 1.0, 0.0);
        let z = weeks / (alpha + age + weeks);
        let log_left = ((alpha + age) / (alpha + age + weeks)).ln();
        let left = ((a - 1.0) * log_left).exp() * gauss_2f1(a + b - 1.0 - r, a - 1.0, c, z);
        (c / (a - 1.0) * (1.0 - left)).max(0.0)
    }
}

fn away_from(value: f64, pole: f64) -> f64 {
    if (value - pole).abs() < 1e-6 { pole + 1e-6 } else { value }
}

/// ln(e^a + e^b) without overflow.
fn log_sum(a: f64, b: f64) -> f64 {
    let (high, low) = (a.max(b), a.min(b));
    if high == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}
