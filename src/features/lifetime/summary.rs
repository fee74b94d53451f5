//! A customer's purchases as the models of lifetime value take them.

use super::LifetimeError;
use crate::domain::Currency;
use crate::features::cutoff::Cutoff;
use crate::features::history::History;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Repeat purchases until a cut-off. Orders of one day are one purchase; the first one is the start and no repetition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RepeatPurchases {
    /// `x`: days with a purchase after the first.
    pub n_repeats: u32,
    /// `t_x`: weeks from the first purchase to the last; 0 without a repetition.
    pub last_weeks: f64,
    /// `T`: weeks from the first purchase to the cut-off.
    pub age_weeks: f64,
    /// Mean amount of a repeated day of purchases, major units; nothing without a repetition that has an amount.
    pub mean_value: Option<f64>,
}

impl RepeatPurchases {
    /// Of the orders until the cut-off, before refunds; nothing for who never bought. Amounts in another currency than the one
    /// given do not count; those without are taken to be in it.
    pub fn of(history: &History, cutoff: Cutoff, currency: Option<Currency>) -> Option<Self> {
        let mut minor_of_day = BTreeMap::<i64, i128>::new();
        for (time, _, purchase) in history.orders.until(cutoff.at) {
            let counts = purchase.total.currency.is_none() || purchase.total.currency == currency;
            let minor = if counts { purchase.total.minor.max(0) } else { 0 };
            *minor_of_day.entry(cutoff.local_day(time)).or_default() += i128::from(minor);
        }
        let weeks = |from: i64, to: i64| (to - from) as f64 / 7.0;
        let (&first, &last) = (minor_of_day.keys().next()?, minor_of_day.keys().next_back()?);
        let repeated = minor_of_day.values().skip(1);
        let n_repeats = repeated.len();
        let units = repeated.sum::<i128>() as f64 / 10f64.powi(currency.map_or(2, |c| c.n_decimals()) as i32);
        Some(Self {
            n_repeats: n_repeats as u32,
            last_weeks: weeks(first, last),
            age_weeks: weeks(first, cutoff.local_day(cutoff.at)),
            mean_value: (n_repeats > 0 && units > 0.0).then(|| units / n_repeats as f64),
        })
    }

    pub(super) fn check(&self, row: usize) -> Result<(), LifetimeError> {
        let Self { n_repeats, last_weeks, age_weeks, mean_value } = *self;
        let why = if !(age_weeks.is_finite() && (0.0..=age_weeks).contains(&last_weeks)) {
            "`last_weeks` lies between 0 and `age_weeks`, and both are finite"
        } else if n_repeats == 0 && last_weeks > 0.0 {
            "without a repetition `last_weeks` is 0"
        } else if mean_value.is_some_and(|value| !(value.is_finite() && value > 0.0)) {
            "`mean_value` is positive and finite, or nothing"
        } else {
            return Ok(());
        };
        Err(LifetimeError::Row { row, why })
    }
}

/// Equal customers once, with how many they are: a likelihood need not be reckoned twice for them. In the order of their values.
pub(super) fn counted<K: Ord>(keys: impl IntoIterator<Item = K>) -> Vec<(K, f64)> {
    let mut counts = BTreeMap::<K, u64>::new();
    keys.into_iter().for_each(|key| *counts.entry(key).or_default() += 1);
    counts.into_iter().map(|(key, n)| (key, n as f64)).collect()
}
