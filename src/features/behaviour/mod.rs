//! The behaviour of a customer as of a moment, as named numbers.
//!
//! Each file holds one side of it: what is summed up in one pass over the facts, and a table of features, each definition beside
//! the function that reckons it.

mod learning;
mod opinions;
mod purchases;
#[cfg(test)]
mod tests;
mod visits;

use super::cutoff::{Cutoff, Period};
use super::feature::{Entry, Feature, Kind};
use super::history::{History, Line};
use super::set::FeatureSet;
use crate::domain::{Currency, CustomerId, Item, ItemId, Money};
use learning::Learning;
use opinions::Opinions;
use purchases::Purchases;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use visits::Visits;

/// What category an item has where the line of an order does not say: from the catalogue as it is now, which is about items and
/// about nobody.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Categories(BTreeMap<ItemId, String>);

impl Categories {
    pub fn of<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        Self(items.into_iter().filter_map(|item| Some((item.id.clone(), item.category.clone()?))).collect())
    }

    fn category<'a>(&'a self, line: &'a Line) -> Option<&'a str> {
        line.category.as_deref().or_else(|| self.0.get(&line.item).map(String::as_str))
    }
}

/// Which behaviour is described, and in which money. A part of a fit: the same for the customers that are placed later.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    /// Amounts in another currency count as orders but not as money. Amounts without a currency are taken to be in this one.
    pub currency: Option<Currency>,
    /// Each has a feature of its own: its share of the pieces bought.
    pub categories: Vec<String>,
    pub catalogue: Categories,
}

/// What features are reckoned with: the settings as of a cut-off.
#[derive(Clone, Copy)]
struct Scope<'a> {
    behaviour: &'a Behaviour,
    cutoff: Cutoff,
}

impl<'a> Scope<'a> {
    /// Minor units, where they are of the currency that is reckoned in.
    fn counted(&self, money: &Money) -> Option<i64> {
        (money.currency.is_none() || money.currency == self.behaviour.currency).then_some(money.minor)
    }

    fn units_per_minor(&self) -> f64 {
        let n_decimals = self.behaviour.currency.map_or(2, |currency| currency.n_decimals());
        1.0 / 10f64.powi(n_decimals as i32)
    }

    fn category(&self, line: &'a Line) -> Option<&'a str> {
        self.behaviour.catalogue.category(line)
    }
}

/// How long a customer has been one.
#[derive(Debug, Clone, Copy, Default)]
struct Tenure {
    days: Option<f64>,
    /// Whether they were there before the last period began, so that it can be compared with the one before.
    had_period_before: bool,
}

impl Tenure {
    fn of(history: &History, cutoff: Cutoff) -> Self {
        let first = history.first_time().filter(|first| cutoff.sees(*first));
        Self {
            days: first.map(|first| cutoff.days_since(first)),
            had_period_before: first.is_some_and(|first| cutoff.period(first) != Period::Last),
        }
    }
}

const TENURE: &[Entry<Tenure>] = &[Entry {
    id: "tenure",
    names: ("Days as a customer", "成为客户天数"),
    unit: "days",
    kind: Kind::Duration,
    definition: "cut-off minus the time of the first fact of any kind",
    missing: "nothing is known of the customer yet",
    value: |tenure| tenure.days,
}];

impl Behaviour {
    /// Settings that suit some customers as of a cut-off: the currency most orders are in, and the `n_categories` categories
    /// most pieces are of (ties: in the order of their names).
    pub fn suited<'a>(
        histories: impl IntoIterator<Item = &'a History>,
        catalogue: Categories,
        cutoff: Cutoff,
        n_categories: usize,
    ) -> Self {
        let (mut currencies, mut categories) = (BTreeMap::<Currency, u64>::new(), BTreeMap::<String, u64>::new());
        for (_, _, purchase) in histories.into_iter().flat_map(|history| history.orders.until(cutoff.at)) {
            if let Some(currency) = purchase.total.currency {
                *currencies.entry(currency).or_default() += 1;
            }
            for line in &purchase.lines {
                if let Some(category) = catalogue.category(line) {
                    *categories.entry(category.to_owned()).or_default() += u64::from(line.quantity);
                }
            }
        }
        let currency = most_frequent(currencies).into_iter().next();
        let categories = most_frequent(categories).into_iter().take(n_categories).collect();
        Self { currency, categories, catalogue }
    }

    /// The definitions, in the order of [`Behaviour::row`].
    pub fn features(&self) -> Vec<Feature> {
        let mut features: Vec<Feature> = TENURE.iter().map(Entry::feature).collect();
        features.extend(Purchases::FEATURES.iter().map(Entry::feature));
        features.extend(Visits::FEATURES.iter().map(Entry::feature));
        features.extend(opinions::FEATURES.iter().map(Entry::feature));
        features.extend(Learning::FEATURES.iter().map(Entry::feature));
        let mut seen = BTreeSet::new();
        features.extend(self.categories.iter().filter(|category| seen.insert(*category)).map(|c| category_feature(c)));
        features
    }

    /// A customer's features as of a cut-off, `[d]`. Nothing later than the cut-off has any part in them.
    pub fn row(&self, history: &History, cutoff: Cutoff) -> Vec<Option<f64>> {
        let scope = Scope { behaviour: self, cutoff };
        let tenure = Tenure::of(history, cutoff);
        let purchases = Purchases::of(history, &scope, tenure);
        let visits = Visits::of(history, &scope, &purchases, tenure);
        let (opinions, learning) = (Opinions::of(history, &scope), Learning::of(history, &scope));
        let mut row: Vec<Option<f64>> = TENURE.iter().map(|entry| (entry.value)(&tenure)).collect();
        row.extend(Purchases::FEATURES.iter().map(|entry| (entry.value)(&purchases)));
        row.extend(Visits::FEATURES.iter().map(|entry| (entry.value)(&visits)));
        row.extend(opinions::FEATURES.iter().map(|entry| (entry.value)(&opinions)));
        row.extend(Learning::FEATURES.iter().map(|entry| (entry.value)(&learning)));
        let mut seen = BTreeSet::new();
        let categories = self.categories.iter().filter(|category| seen.insert(*category));
        row.extend(categories.map(|category| purchases.category_share(category)));
        row
    }

    /// The features of many customers, a row each, in the order given; in parallel.
    pub fn table(&self, customers: &[(CustomerId, &History)], cutoff: Cutoff) -> FeatureSet {
        let rows = customers.par_iter().map(|(_, history)| self.row(history, cutoff)).collect();
        FeatureSet::new(self.features(), customers.iter().map(|(id, _)| id.clone()).collect(), rows)
    }
}

fn most_frequent<K: Ord>(counts: BTreeMap<K, u64>) -> Vec<K> {
    let mut sorted: Vec<(K, u64)> = counts.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sorted.into_iter().map(|(key, _)| key).collect()
}

fn category_feature(category: &str) -> Feature {
    Feature {
        id: format!("category_share:{category}").into(),
        name_en: format!("Share of {category}").into(),
        name_zh: format!("{category}占比").into(),
        unit: "".into(),
        kind: Kind::Share,
        definition: format!("pieces bought of the category {category:?}, over all pieces with a category").into(),
        missing: "no line with a category".into(),
    }
}
