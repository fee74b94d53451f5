//! How well groups tell what comes next: a number of each customer's next period, such as what they spend in it.

use std::collections::BTreeMap;

/// What knowing a customer's group is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Share of the outcome's variance that the mean of the others in the group explains; below 0 where everybody's mean would do
    /// better. The customer is left out of the group's mean, so that many small groups gain nothing by themselves.
    pub r2: f64,
    /// Rank correlation of the group's mean and the outcome, ties with their mean rank (Spearman 1904); 0 where either is constant. Who is
    /// alone in a group has everybody's mean, so that groups of one gain nothing. (The mean of the others would not do here: it ranks the
    /// members of a group the wrong way round.)
    pub rank_correlation: f64,
}

/// Of customers in groups, each with an outcome; both lists in the same order.
///
/// # Panics
/// The lists differ in length: a defect of the caller.
pub fn predict(groups: &[usize], outcomes: &[f64]) -> Prediction {
    predict_drawn(groups, outcomes, &(0..outcomes.len()).collect::<Vec<_>>())
}

/// The same of some of them, of whom one may be drawn several times: all their copies are left out of their own mean, so that a resample
/// tells nobody what they did themselves.
///
/// # Panics
/// As [`predict`]; or a row is none.
pub fn predict_drawn(groups: &[usize], outcomes: &[f64], drawn: &[usize]) -> Prediction {
    assert_eq!(groups.len(), outcomes.len(), "each customer has one group and one outcome");
    let mut copies = vec![0.0; outcomes.len()];
    let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for &row in drawn {
        let (sum, size) = sums.entry(groups[row]).or_default();
        (*sum, *size, copies[row]) = (*sum + outcomes[row], *size + 1.0, copies[row] + 1.0);
    }
    let (total, n) = sums.values().fold((0.0, 0.0), |(total, n), (sum, size)| (total + sum, n + size));
    let (mut missed, mut spread, mut means) = (0.0, 0.0, Vec::with_capacity(drawn.len()));
    for &row in drawn {
        let ((sum, size), outcome, own) = (sums[&groups[row]], outcomes[row], copies[row]);
        let everybody = (total - own * outcome) / (n - own).max(1.0);
        let others = if size > own { (sum - own * outcome) / (size - own) } else { everybody };
        missed += (outcome - others).powi(2);
        spread += (outcome - everybody).powi(2);
        means.push(if size > own { sum / size } else { total / n });
    }
    let r2 = if spread > 0.0 { 1.0 - missed / spread } else { 0.0 };
    let came: Vec<f64> = drawn.iter().map(|&row| outcomes[row]).collect();
    Prediction { r2, rank_correlation: correlation(&ranks(&means), &ranks(&came)) }
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
        // A group of one says no more than everybody does, and copies of one customer are one.
        let alone = predict(&(0..60).collect::<Vec<_>>(), &outcomes);
        assert!(alone.r2.abs() < 1e-12 && alone.rank_correlation == 0.0, "{alone:?}");
        let drawn: Vec<usize> = (0..60).map(|i| i / 3 * 3).collect();
        let alone = predict_drawn(&(0..60).collect::<Vec<_>>(), &outcomes, &drawn);
        assert!(alone.r2.abs() < 1e-12 && alone.rank_correlation == 0.0, "{alone:?}");
    }

    /// Recorded from scipy.stats.spearmanr of the groups' means [2, 2, 2, 5, 5, 25/6], the last everybody's, and these outcomes.
    #[test]
    fn the_rank_correlation_equals_the_one_recorded_from_scipy() {
        let found = predict(&[0, 0, 0, 1, 1, 2], &[1.0, 2.0, 3.0, 3.0, 7.0, 9.0]);
        assert!((found.rank_correlation - RECORDED).abs() < 1e-12, "{}", found.rank_correlation);
    }

    const RECORDED: f64 = 0.641_879_898_362_278_3;

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
