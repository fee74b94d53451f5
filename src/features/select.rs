//! Which features are worth keeping: those that differ between customers, and of those that say the same the plainest.

use super::set::FeatureSet;
use serde::{Deserialize, Serialize};

/// What counts as the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// A feature in which more than this share of customers has one and the same value says little, 0 to 1.
    pub max_same: f64,
    /// A feature that more than this share of customers lacks says little, 0 to 1.
    pub max_missing: f64,
    /// Of two features with a rank correlation this high (either way) one is enough, 0 to 1.
    pub max_correlation: f64,
}

impl Default for Selection {
    fn default() -> Self {
        Self { max_same: 0.99, max_missing: 0.95, max_correlation: 0.9 }
    }
}

/// Why a feature is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Dropped {
    /// Too many lack it.
    Missing { share: f64 },
    /// Too many have the same value.
    Same { share: f64 },
    /// Another feature, kept, says the same.
    Redundant { of: usize, correlation: f64 },
}

/// Every feature has its place in one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selected {
    /// Columns, growing.
    pub kept: Vec<usize>,
    /// Columns, growing, with the reason.
    pub dropped: Vec<(usize, Dropped)>,
}

impl Selection {
    /// Goes through the features from the plainest on and keeps each that says something no kept one says. The plainest is the
    /// one that comes first in the set: [`Behaviour`](super::Behaviour) lists counts, days and money before what is reckoned from
    /// them. So each cluster of like features is named by its plainest member, and none is dropped for one that is dropped itself.
    pub fn select(&self, set: &FeatureSet) -> Selected {
        let (mut kept, mut dropped) = (Vec::<(usize, Ranks)>::new(), Vec::new());
        for column in 0..set.n_features() {
            let ranks = Ranks::of(&set.column(column));
            match self.fault(&ranks).or_else(|| self.redundancy(&ranks, &kept)) {
                Some(reason) => dropped.push((column, reason)),
                None => kept.push((column, ranks)),
            }
        }
        Selected { kept: kept.into_iter().map(|(column, _)| column).collect(), dropped }
    }

    fn fault(&self, ranks: &Ranks) -> Option<Dropped> {
        let missing = 1.0 - ranks.n as f64 / ranks.cells.len().max(1) as f64;
        let same = ranks.most_frequent as f64 / ranks.n.max(1) as f64;
        if ranks.n == 0 || missing > self.max_missing {
            Some(Dropped::Missing { share: missing })
        } else if same > self.max_same || ranks.most_frequent == ranks.n {
            Some(Dropped::Same { share: same })
        } else {
            None
        }
    }

    fn redundancy(&self, ranks: &Ranks, kept: &[(usize, Ranks)]) -> Option<Dropped> {
        let correlations = kept.iter().map(|(of, other)| (*of, ranks.correlation(other)));
        // Of equals the first, which is the plainest.
        let nearest = correlations.reduce(|a, b| if b.1.abs() > a.1.abs() { b } else { a });
        let (of, correlation) = nearest.filter(|(_, correlation)| correlation.abs() >= self.max_correlation)?;
        Some(Dropped::Redundant { of, correlation })
    }
}

/// A column by ranks: scaling and outliers do not matter to it.
struct Ranks {
    /// `[n]`: twice the mean rank of ties, counted from 1; nothing where missing.
    cells: Vec<Option<f64>>,
    n: usize,
    /// How many share the most frequent value.
    most_frequent: usize,
}

impl Ranks {
    fn of(column: &[Option<f64>]) -> Self {
        let mut order: Vec<(f64, usize)> =
            column.iter().enumerate().filter_map(|(i, cell)| Some(((*cell)?, i))).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (mut cells, mut below, mut most_frequent) = (vec![None; column.len()], 0, 0);
        for equal in order.chunk_by(|a, b| a.0 == b.0) {
            let rank = (2 * below + equal.len() + 1) as f64;
            equal.iter().for_each(|(_, i)| cells[*i] = Some(rank));
            below += equal.len();
            most_frequent = most_frequent.max(equal.len());
        }
        Self { cells, n: order.len(), most_frequent }
    }

    /// Spearman's (1904) over the customers who have both, -1 to 1; 0 where fewer than three do or one does not vary. (Ranks are
    /// those among all who have the feature.)
    fn correlation(&self, other: &Self) -> f64 {
        let both: Vec<(f64, f64)> =
            self.cells.iter().zip(&other.cells).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect();
        let n = both.len() as f64;
        let mean = |value: fn(&(f64, f64)) -> f64| both.iter().map(value).sum::<f64>() / n.max(1.0);
        let (mean_a, mean_b) = (mean(|pair| pair.0), mean(|pair| pair.1));
        let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
        for (a, b) in &both {
            aa += (a - mean_a).powi(2);
            bb += (b - mean_b).powi(2);
            ab += (a - mean_a) * (b - mean_b);
        }
        if both.len() < 3 || aa <= 0.0 || bb <= 0.0 { 0.0 } else { (ab / (aa * bb).sqrt()).clamp(-1.0, 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CustomerId;
    use crate::features::Behaviour;
    use proptest::prelude::*;

    /// A set of these columns under borrowed names.
    fn set(columns: &[Vec<Option<f64>>]) -> FeatureSet {
        let n = columns[0].len();
        let customers = (0..n).map(|i| CustomerId::parse(&format!("c{i}")).unwrap()).collect();
        let rows = (0..n).map(|row| columns.iter().map(|column| column[row]).collect()).collect();
        FeatureSet::new(Behaviour::default().features()[..columns.len()].to_vec(), customers, rows)
    }

    fn some(values: impl IntoIterator<Item = f64>) -> Vec<Option<f64>> {
        values.into_iter().map(Some).collect()
    }

    #[test]
    fn what_never_differs_is_lacked_or_says_the_same_goes() {
        let mostly_missing = (0..100).map(|i| (i < 3).then_some(f64::from(i))).collect();
        let columns = [
            some((0..100).map(f64::from)),
            some([7.0; 100]),
            some((0..100).map(|i| -f64::from(i).exp())),
            mostly_missing,
            some((0..100).map(|i| f64::from(i * 37 % 101))),
        ];
        let found = Selection::default().select(&set(&columns));
        assert_eq!(found.kept, [0, 4]);
        let reasons: Vec<&Dropped> = found.dropped.iter().map(|(_, reason)| reason).collect();
        assert!(matches!(reasons[0], Dropped::Same { share: 1.0 }), "{reasons:?}");
        assert_eq!(reasons[1], &Dropped::Redundant { of: 0, correlation: -1.0 });
        assert_eq!(reasons[2], &Dropped::Missing { share: 0.97 });
    }

    /// scipy.stats.spearmanr([1, 2, 2, 5, 9, 4], [2, 1, 4, 4, 7, 3]) = 0.75.
    #[test]
    fn rank_correlation_is_spearmans() {
        let one = Ranks::of(&some([1.0, 2.0, 2.0, 5.0, 9.0, 4.0]));
        let other = Ranks::of(&some([2.0, 1.0, 4.0, 4.0, 7.0, 3.0]));
        assert!((one.correlation(&other) - 0.75).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn each_feature_has_one_place_and_none_goes_for_one_that_goes(
            rows in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.9, 0..4i32), 6), 5..40),
        ) {
            let columns: Vec<Vec<Option<f64>>> =
                (0..6).map(|c| rows.iter().map(|row| row[c].map(f64::from)).collect()).collect();
            let selection = Selection { max_correlation: 0.5, ..Selection::default() };
            let set = set(&columns);
            let found = selection.select(&set);
            let mut all: Vec<usize> = found.kept.iter().copied().chain(found.dropped.iter().map(|(c, _)| *c)).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..6).collect::<Vec<_>>());
            for (column, reason) in &found.dropped {
                if let Dropped::Redundant { of, correlation } = reason {
                    prop_assert!(of < column && found.kept.contains(of) && correlation.abs() >= 0.5);
                }
            }
            // What is left has nothing more to leave out.
            prop_assert!(selection.select(&set.select(&found.kept)).dropped.is_empty());
        }
    }
}
