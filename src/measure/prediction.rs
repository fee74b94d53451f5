//! How well groups tell what comes next: a number of each customer's next period, such as what they spend in it.

use std::collections::BTreeMap;

/// What knowing a customer's group is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Share of the outcome's variance that the mean of the others in the group explains; below 0 where everybody's mean would do
    /// better. The customer is left out of the group's mean, so that many small groups gain nothing by themselves.
    pub r2: f64,
    /// Rank correlation of the group's mean and the outcome, ties with their mean rank (Spearman 1904); 0 where either is constant.
    pub rank_correlation: f64,
}

/// Of customers in groups, each with an outcome; both lists in the same order.
///
/// # Panics
/// The lists differ in length: a defect of the caller.
pub fn predict(groups: &[usize], outcomes: &[f64]) -> Prediction {
    assert_eq!(groups.len(), outcomes.len(), "each customer has one group and one outcome");
    let n = outcomes.len() as f64;
    let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (group, outcome) in groups.iter().zip(outcomes) {
        let (sum, size) = sums.entry(*group).or_default();
        *sum += outcome;
        *size += 1.0;
    }
    let total: f64 = outcomes.iter().sum();
    let (mut missed, mut spread) = (0.0, 0.0);
    for (group, outcome) in groups.iter().zip(outcomes) {
        let (sum, size) = sums[group];
        let everybody = (total - outcome) / (n - 1.0).max(1.0);
        let others = if size > 1.0 { (sum - outcome) / (size - 1.0) } else { everybody };
        missed += (outcome - others).powi(2);
        spread += (outcome - everybody).powi(2);
    }
    let means: Vec<f64> = groups.iter().map(|group| sums[group].0 / sums[group].1).collect();
    let r2 = if spread > 0.0 { 1.0 - missed / spread } else { 0.0 };
    Prediction { r2, rank_correlation: correlation(&ranks(&means), &ranks(outcomes)) }
}

/// From 1; equals share the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    while first < order.len() {
        let equal = order[first..].iter().take_while(|&&i| values[i] == values[order[first]]).count().max(1);
        for &i in &order[first..first + equal] {
            ranks[i] = first as f64 + (equal as f64 + 1.0) / 2.0;
        }
        first += equal;
    }
    ranks
}

/// Pearson's.
fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (m, o) = (mean(one), mean(other));
    let sum = |f: &dyn Fn(f64, f64) -> f64| one.iter().zip(other).map(|(a, b)| f(a - m, b - o)).sum::<f64>();
    let spread = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    if spread > 0.0 { sum(&|a, b| a * b) / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn groups_that_say_it_all_explain_nearly_all_and_one_group_nothing() {
        let groups: Vec<usize> = (0..60).map(|i| i % 3).collect();
        let outcomes: Vec<f64> = groups.iter().map(|group| [5.0, 1.0, 9.0][*group]).collect();
        let all = predict(&groups, &outcomes);
        assert!((all.r2 - 1.0).abs() < 1e-12 && (all.rank_correlation - 1.0).abs() < 1e-12, "{all:?}");
        let none = predict(&[7; 60], &outcomes);
        assert_eq!((none.r2, none.rank_correlation), (0.0, 0.0));
        // A group of one says no more than everybody does.
        assert!(predict(&(0..60).collect::<Vec<_>>(), &outcomes).r2.abs() < 1e-12);
    }

    /// Recorded from scipy.stats.spearmanr of the groups' means [2, 2, 2, 5, 5, 9] and these outcomes.
    #[test]
    fn the_rank_correlation_equals_the_one_recorded_from_scipy() {
        let found = predict(&[0, 0, 0, 1, 1, 2], &[1.0, 2.0, 3.0, 3.0, 7.0, 9.0]);
        assert!((found.rank_correlation - RECORDED).abs() < 1e-12, "{}", found.rank_correlation);
    }

    const RECORDED: f64 = 0.861_058_400_242_080_6;

    proptest! {
        #[test]
        fn a_scale_changes_nothing_and_chance_gains_nothing(
            pairs in prop::collection::vec((0usize..4, 0.0..100.0f64), 3..60), factor in 0.1..9.0f64,
        ) {
            let (groups, outcomes): (Vec<usize>, Vec<f64>) = pairs.into_iter().unzip();
            let found = predict(&groups, &outcomes);
            let scaled: Vec<f64> = outcomes.iter().map(|outcome| 3.0 + factor * outcome).collect();
            let other = predict(&groups, &scaled);
            prop_assert!((found.r2 - other.r2).abs() < 1e-6 && found.r2 <= 1.0);
            prop_assert!((found.rank_correlation - other.rank_correlation).abs() < 1e-6);
            prop_assert!((-1.0 - 1e-9..=1.0 + 1e-9).contains(&found.rank_correlation));
        }
    }
}
