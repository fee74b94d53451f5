//! How a customer rates, and how glad their reviews sound. The words themselves are the text block's.

use super::Scope;
use crate::features::cutoff::Period;
use crate::features::feature::{Entry, Kind, NEVER, mean_and_deviation};
use crate::features::history::History;

#[derive(Debug, Default)]
pub(super) struct Opinions {
    n_reviews: usize,
    /// In the order of time.
    ratings: Vec<f64>,
    ratings_last: Vec<f64>,
    ratings_before: Vec<f64>,
    sentiments: Vec<f64>,
}

impl Opinions {
    pub fn of(history: &History, scope: &Scope<'_>) -> Self {
        let mut opinions = Self::default();
        for (time, id, opinion) in history.reviews.until(scope.cutoff.at) {
            opinions.n_reviews += 1;
            opinions.sentiments.extend(history.sentiments.get(id));
            let rating = opinion.rating.filter(|rating| rating.is_finite());
            opinions.ratings.extend(rating);
            match scope.cutoff.period(time) {
                Period::Last => opinions.ratings_last.extend(rating),
                Period::Before => opinions.ratings_before.extend(rating),
                Period::Earlier => {}
            }
        }
        opinions
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    mean_and_deviation(values).map(|(mean, _)| mean)
}

/// The mean of the one less the mean of the other.
pub(super) fn difference(last: &[f64], before: &[f64]) -> Option<f64> {
    Some(mean(last)? - mean(before)?)
}

pub(super) const FEATURES: &[Entry<Opinions>] = &[
    Entry {
        id: "reviews",
        names: ("Reviews", "评价数"),
        unit: "reviews",
        kind: Kind::Count,
        definition: "reviews until the cut-off",
        missing: NEVER,
        value: |o| Some(o.n_reviews as f64),
    },
    Entry {
        id: "rating_mean",
        names: ("Mean rating", "平均评分"),
        unit: "the shop's scale",
        kind: Kind::Score,
        definition: "mean of the ratings given",
        missing: "no review with a rating",
        value: |o| mean(&o.ratings),
    },
    Entry {
        id: "rating_spread",
        names: ("Spread of ratings", "评分波动"),
        unit: "the shop's scale",
        kind: Kind::Score,
        definition: "standard deviation of the ratings given",
        missing: "fewer than two reviews with a rating",
        value: |o| (o.ratings.len() > 1).then(|| mean_and_deviation(&o.ratings))?.map(|(_, deviation)| deviation),
    },
    Entry {
        id: "rating_trend",
        names: ("Trend of ratings", "评分趋势"),
        unit: "the shop's scale",
        kind: Kind::Change,
        definition: "mean rating of the last period less that of the one before",
        missing: "no rating in one of the two periods",
        value: |o| difference(&o.ratings_last, &o.ratings_before),
    },
    Entry {
        id: "sentiment",
        names: ("Sentiment of reviews", "评价情感"),
        unit: "-1 to 1",
        kind: Kind::Score,
        definition: "mean of the sentiment of reviews, as given by whoever read them",
        missing: "no review that was read for its sentiment",
        value: |o| mean(&o.sentiments),
    },
];
