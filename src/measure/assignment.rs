//! The assignment problem: which group of one grouping is which of another.

/// For each row the column it is matched with, so that the sum of the matched cells is the largest possible; no column twice.
///
/// `profit` is `[n_rows, n_columns]`, row by row. With more rows than columns some rows get none. This is the shortest
/// augmenting path form of the Hungarian method (Kuhn 1955; Jonker & Volgenant 1987), O(n³).
pub fn best_matching(profit: &[f64], n_rows: usize, n_columns: usize) -> Vec<Option<usize>> {
    let n = n_rows.max(n_columns);
    let cost = |row: usize, column: usize| {
        if row < n_rows && column < n_columns { -profit[row * n_columns + column] } else { 0.0 }
    };
    // Row and column 0 are sentinels: the path search starts at column 0.
    let (mut row_potential, mut column_potential) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    let mut row_of = vec![0usize; n + 1];
    for row in 1..=n {
        row_of[0] = row;
        let mut column = 0;
        let (mut least, mut from, mut used) = (vec![f64::INFINITY; n + 1], vec![0usize; n + 1], vec![false; n + 1]);
        while row_of[column] != 0 {
            used[column] = true;
            let (current, mut delta, mut next) = (row_of[column], f64::INFINITY, 0);
            for j in (1..=n).filter(|&j| !used[j]) {
                let reduced = cost(current - 1, j - 1) - row_potential[current] - column_potential[j];
                if reduced < least[j] {
                    (least[j], from[j]) = (reduced, column);
                }
                if least[j] < delta {
                    (delta, next) = (least[j], j);
                }
            }
            for j in 0..=n {
                if used[j] {
                    row_potential[row_of[j]] += delta;
                    column_potential[j] -= delta;
                } else {
                    least[j] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[from[column]];
            column = from[column];
        }
    }
    let mut matched = vec![None; n_rows];
    for (column, row) in row_of[1..=n_columns].iter().enumerate() {
        if let Some(entry) = row.checked_sub(1).and_then(|row| matched.get_mut(row)) {
            *entry = Some(column);
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The best sum by trying every way.
    fn by_force(profit: &[f64], n_columns: usize, row: usize, used: u32) -> f64 {
        if row * n_columns == profit.len() {
            return 0.0;
        }
        let left_out = by_force(profit, n_columns, row + 1, used);
        (0..n_columns)
            .filter(|column| used & (1 << column) == 0)
            .map(|column| profit[row * n_columns + column] + by_force(profit, n_columns, row + 1, used | 1 << column))
            .fold(left_out, f64::max)
    }

    proptest! {
        #[test]
        fn no_other_matching_is_better(rows in 1usize..6, columns in 1usize..6, cells in prop::collection::vec(0u8..20, 25)) {
            let profit: Vec<f64> = cells[..rows * columns].iter().map(|&cell| f64::from(cell)).collect();
            let matched = best_matching(&profit, rows, columns);
            let sum: f64 = matched.iter().enumerate().filter_map(|(row, column)| column.map(|c| profit[row * columns + c])).sum();
            prop_assert_eq!(sum, by_force(&profit, columns, 0, 0));
            let mut taken: Vec<usize> = matched.iter().flatten().copied().collect();
            let n_taken = taken.len();
            taken.sort_unstable();
            taken.dedup();
            prop_assert_eq!(taken.len(), n_taken, "a column twice");
            prop_assert_eq!(n_taken, rows.min(columns), "somebody is left out without need");
        }
    }

    #[test]
    fn nothing_is_matched_with_nothing() {
        assert_eq!(best_matching(&[], 0, 0), vec![]);
        assert_eq!(best_matching(&[], 2, 0), vec![None, None]);
    }
}
