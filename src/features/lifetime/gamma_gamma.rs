//! Gamma-Gamma: how much a customer spends at a time.
//!
//! Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value. Amounts of one customer are gamma (shape p) around a mean of their
//! own, whose rate is gamma over customers (shape q, rate v). It supposes that how much does not depend on how often.

use super::simplex::minimum;
use super::summary::{RepeatPurchases, counted};
use super::{FEWEST, LifetimeError, positive};
use libm::lgamma;
use serde::{Deserialize, Serialize};

/// The fitted parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GammaGamma {
    pub p: f64,
    pub q: f64,
    /// Major units.
    pub v: f64,
}

impl GammaGamma {
    const NAME: &'static str = "Gamma-Gamma";

    /// # Errors
    /// A parameter is not positive and finite.
    pub fn new(p: f64, q: f64, v: f64) -> Result<Self, LifetimeError> {
        positive(&[("p", p), ("q", q), ("v", v)])?;
        Ok(Self { p, q, v })
    }

    /// Maximum likelihood over the customers with a repeated purchase that has an amount.
    ///
    /// # Errors
    /// Fewer than ten of them, a row contradicts itself, or the likelihood has no maximum.
    pub fn fit(customers: &[RepeatPurchases]) -> Result<Self, LifetimeError> {
        customers.iter().enumerate().try_for_each(|(row, customer)| customer.check(row))?;
        let groups = groups(customers);
        let n: f64 = groups.iter().map(|(_, weight)| weight).sum();
        if n < FEWEST as f64 {
            return Err(LifetimeError::TooFew { model: Self::NAME, n: n as usize, needed: FEWEST });
        }
        let mean = groups.iter().map(|((_, value), weight)| weight * f64::from_bits(*value)).sum::<f64>() / n;
        let loss = |p: &[f64]| -Self::at(p).sum_log_likelihood(&groups) / n;
        let (point, _) =
            minimum(&loss, &[1.0, 1.0, mean.ln()]).ok_or(LifetimeError::NoMaximum { model: Self::NAME })?;
        let ran_away = point[..2].iter().any(|logarithm| logarithm.abs() > 12.0);
        if ran_away { Err(LifetimeError::NoMaximum { model: Self::NAME }) } else { Ok(Self::at(&point)) }
    }

    fn at(logarithms: &[f64]) -> Self {
        let [p, q, v] = [0, 1, 2].map(|i: usize| logarithms[i].exp());
        Self { p, q, v }
    }

    /// The log-likelihood of the customers' mean amounts (equation 1a), summed.
    pub fn log_likelihood(&self, customers: &[RepeatPurchases]) -> f64 {
        self.sum_log_likelihood(&groups(customers))
    }

    fn sum_log_likelihood(&self, groups: &[((u32, u64), f64)]) -> f64 {
        groups.iter().map(|&((x, m), n)| n * self.log_likelihood_of(f64::from(x), f64::from_bits(m))).sum()
    }

    fn log_likelihood_of(&self, x: f64, mean: f64) -> f64 {
        let Self { p, q, v } = *self;
        let px = p * x;
        let gammas = lgamma(px + q) - lgamma(px) - lgamma(q);
        gammas + q * v.ln() + (px - 1.0) * mean.ln() + px * x.ln() - (px + q) * (x * mean + v).ln()
    }

    /// The mean amount of a purchase to come, major units (equation 5): the customer's own mean, drawn towards that of all the more
    /// the fewer purchases it rests on. Without a finite mean of all (q ≤ 1) only who bought again has one.
    pub fn expected_amount(&self, customer: &RepeatPurchases) -> Option<f64> {
        let Self { p, q, v } = *self;
        let (x, mean) = customer.mean_value.map_or((0.0, 0.0), |mean| (f64::from(customer.n_repeats), mean));
        let below = p * x + q - 1.0;
        (below > 0.0).then(|| p * (v + x * mean) / below)
    }
}

/// Customers with a repeated purchase that has an amount, equal ones once: (x, bits of the mean amount), how many.
fn groups(customers: &[RepeatPurchases]) -> Vec<((u32, u64), f64)> {
    let with_amount = customers.iter().filter(|customer| customer.n_repeats > 0);
    counted(with_amount.filter_map(|customer| Some((customer.n_repeats, customer.mean_value?.to_bits()))))
}
