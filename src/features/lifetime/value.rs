//! Lifetime value: what is expected to be bought, times how much at a time, worth the less the later.

use super::{BgNbd, GammaGamma, LifetimeError, RepeatPurchases, positive};
use serde::{Deserialize, Serialize};

/// How far ahead, and what the future is worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Horizon {
    pub n_periods: u32,
    pub period_weeks: f64,
    /// A period: 0.01 takes one percent off a period's value for each period it lies ahead.
    pub discount_rate: f64,
    /// What is left of an amount as profit, 0 to 1.
    pub margin: f64,
}

impl Default for Horizon {
    /// A year of months at one percent a month (12.7 % a year), amounts taken whole.
    fn default() -> Self {
        Self { n_periods: 12, period_weeks: 365.25 / 7.0 / 12.0, discount_rate: 0.01, margin: 1.0 }
    }
}

/// The discounted value of what a customer is expected to buy, major units: over periods i of the purchases expected in it, times
/// the expected amount and the margin, over (1 + discount)^i. Nothing where no amount can be expected.
///
/// # Errors
/// A period is not longer than nothing, the discount rate is at or below -1, or the margin is not finite.
pub fn lifetime_value(
    purchases: &BgNbd,
    amounts: &GammaGamma,
    customer: &RepeatPurchases,
    horizon: Horizon,
) -> Result<Option<f64>, LifetimeError> {
    positive(&[("period_weeks", horizon.period_weeks), ("1 + discount_rate", 1.0 + horizon.discount_rate)])?;
    if !horizon.margin.is_finite() {
        return Err(LifetimeError::Parameter { field: "margin" });
    }
    let until = |i: u32| purchases.expected_purchases(f64::from(i) * horizon.period_weeks, customer);
    let (mut before, mut discount, mut sum) = (0.0, 1.0, 0.0);
    for i in 1..=horizon.n_periods {
        let expected = until(i);
        discount /= 1.0 + horizon.discount_rate;
        sum += (expected - before).max(0.0) * discount;
        before = expected;
    }
    Ok(amounts.expected_amount(customer).map(|amount| sum * amount * horizon.margin))
}
