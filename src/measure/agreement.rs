//! Agreement of a clustering with labels: V-measure, adjusted Rand index, mutual information, best-match accuracy.

use super::best_matching;
use std::collections::HashMap;

/// How well found groups agree with given ones. All but `ari` lie between 0 and 1; 1 is the same grouping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Harmonic mean of the next two (Rosenberg & Hirschberg 2007).
    pub v_measure: f64,
    /// 1 when each found group holds things of one label only.
    pub homogeneity: f64,
    /// 1 when all things of a label are in one found group.
    pub completeness: f64,
    /// Rand index adjusted for chance: 0 on average for random groups, below 0 for worse (Hubert & Arabie 1985).
    pub ari: f64,
    /// Mutual information over the arithmetic mean of the entropies.
    pub nmi: f64,
    /// Share of things in the right group, groups and labels matched one to one as well as can be.
    pub accuracy: f64,
}

/// Compares found groups with the true ones; both lists have one entry a thing, in the same order.
///
/// # Panics
/// The lists differ in length: a defect of the caller.
pub fn compare(truth: &[usize], found: &[usize]) -> Agreement {
    assert_eq!(truth.len(), found.len(), "each thing has one label and one group");
    let table = Contingency::new(truth, found);
    let (h_truth, h_found, mutual) = (entropy(&table.rows), entropy(&table.columns), table.mutual_information());
    let homogeneity = share(mutual, h_truth);
    let completeness = share(mutual, h_found);
    Agreement {
        v_measure: share(2.0 * homogeneity * completeness, homogeneity + completeness).min(1.0),
        homogeneity,
        completeness,
        ari: table.adjusted_rand_index(),
        nmi: share(mutual, (h_truth + h_found) / 2.0),
        accuracy: table.accuracy(),
    }
}

/// `part / whole`, and 1 where there is nothing to tell apart.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 1e-15 { (part / whole).clamp(0.0, 1.0) } else { 1.0 }
}

/// How many things have this label and are in that group.
struct Contingency {
    n: f64,
    /// `[n_labels, n_groups]`
    cells: Vec<f64>,
    rows: Vec<f64>,
    columns: Vec<f64>,
}

impl Contingency {
    fn new(truth: &[usize], found: &[usize]) -> Self {
        let (truth, n_rows) = numbered(truth);
        let (found, n_columns) = numbered(found);
        let (mut cells, mut rows, mut columns) =
            (vec![0.0; n_rows * n_columns], vec![0.0; n_rows], vec![0.0; n_columns]);
        for (&row, &column) in truth.iter().zip(&found) {
            cells[row * n_columns + column] += 1.0;
            rows[row] += 1.0;
            columns[column] += 1.0;
        }
        Self { n: truth.len() as f64, cells, rows, columns }
    }

    /// In nats.
    fn mutual_information(&self) -> f64 {
        let mut sum = 0.0;
        for (i, row) in self.cells.chunks_exact(self.columns.len().max(1)).enumerate() {
            for (cell, column) in row.iter().zip(&self.columns).filter(|(cell, _)| **cell > 0.0) {
                sum += cell / self.n * (cell * self.n / (self.rows[i] * column)).ln();
            }
        }
        sum.max(0.0)
    }

    fn adjusted_rand_index(&self) -> f64 {
        let pairs = |n: &f64| n * (n - 1.0) / 2.0;
        let together: f64 = self.cells.iter().map(pairs).sum();
        let (rows, columns): (f64, f64) = (self.rows.iter().map(pairs).sum(), self.columns.iter().map(pairs).sum());
        let all = pairs(&self.n);
        let expected = if all > 0.0 { rows * columns / all } else { 0.0 };
        let most = (rows + columns) / 2.0;
        if (most - expected).abs() < 1e-12 { 1.0 } else { (together - expected) / (most - expected) }
    }

    fn accuracy(&self) -> f64 {
        let n_columns = self.columns.len();
        let matched = best_matching(&self.cells, self.rows.len(), n_columns);
        let right: f64 = matched
            .iter()
            .enumerate()
            .filter_map(|(row, column)| column.map(|c| self.cells[row * n_columns + c]))
            .sum();
        share(right, self.n)
    }
}

/// The labels as 0, 1, 2, … in the order they appear, and how many there are.
fn numbered(labels: &[usize]) -> (Vec<usize>, usize) {
    let mut number = HashMap::new();
    let numbered = labels
        .iter()
        .map(|&label| {
            let next = number.len();
            *number.entry(label).or_insert(next)
        })
        .collect();
    (numbered, number.len())
}

fn entropy(sizes: &[f64]) -> f64 {
    let n: f64 = sizes.iter().sum();
    sizes.iter().filter(|&&size| size > 0.0).map(|size| -size / n * (size / n).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    /// Values recorded from scikit-learn 1.9.1 (`homogeneity_completeness_v_measure`, `adjusted_rand_score`,
    /// `normalized_mutual_info_score`), the accuracy from SciPy's `linear_sum_assignment`.
    #[test]
    fn values_equal_those_recorded_from_scikit_learn() {
        let truth = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2];
        let found = [1, 1, 0, 1, 0, 0, 2, 2, 2, 2, 1, 3];
        let a = compare(&truth, &found);
        close(a.homogeneity, RECORDED[0]);
        close(a.completeness, RECORDED[1]);
        close(a.v_measure, RECORDED[2]);
        close(a.ari, RECORDED[3]);
        close(a.nmi, RECORDED[4]);
        close(a.accuracy, RECORDED[5]);
    }

    const RECORDED: [f64; 6] = [
        0.504_416_961_719_406_5,
        0.422_638_768_113_999_8,
        0.459_920_922_672_483_86,
        0.211_469_534_050_179_2,
        0.459_920_922_672_483_4,
        2.0 / 3.0,
    ];

    #[test]
    fn one_group_tells_nothing_and_one_label_needs_nothing() {
        let a = compare(&[0, 0, 1, 1], &[5, 5, 5, 5]);
        assert_eq!((a.homogeneity, a.completeness, a.v_measure, a.ari, a.accuracy), (0.0, 1.0, 0.0, 0.0, 0.5));
        assert_eq!(compare(&[], &[]).ari, 1.0);
    }

    proptest! {
        #[test]
        fn names_do_not_matter_and_the_same_grouping_is_perfect(labels in prop::collection::vec(0usize..6, 1..60)) {
            let renamed: Vec<usize> = labels.iter().map(|label| 100 - 7 * label).collect();
            let a = compare(&labels, &renamed);
            for value in [a.v_measure, a.homogeneity, a.completeness, a.ari, a.nmi, a.accuracy] {
                prop_assert!((value - 1.0).abs() < 1e-9);
            }
        }

        #[test]
        fn the_symmetric_measures_are_symmetric(
            pairs in prop::collection::vec((0usize..5, 0usize..5), 1..60),
        ) {
            let (one, other): (Vec<usize>, Vec<usize>) = pairs.into_iter().unzip();
            let (a, b) = (compare(&one, &other), compare(&other, &one));
            prop_assert!((a.v_measure - b.v_measure).abs() < 1e-9 && (a.ari - b.ari).abs() < 1e-9);
            prop_assert!((a.nmi - b.nmi).abs() < 1e-9 && (a.accuracy - b.accuracy).abs() < 1e-9);
            prop_assert!((a.homogeneity - b.completeness).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&a.v_measure) && a.ari <= 1.0 + 1e-12);
        }
    }
}
