//! The best place to cut some customers in two.

use super::Labelled;
use super::tree::Split;
use rayon::prelude::*;

/// A cut and how pure it leaves the parts.
struct Cut {
    /// Σ over both parts of Σ_c n_c² / n: the greater, the less Gini impurity is left (Breiman et al. 1984, 4.3).
    purity: f64,
    split: Split,
}

/// The cut that leaves the least Gini impurity, with at least `min_leaf` customers a side; nothing if none leaves less than there
/// is. Of equals the one of the first feature, at its lowest threshold. The work is parallel over features.
pub(super) fn best_split(data: &Labelled<'_>, rows: &[usize], min_leaf: usize) -> Option<Split> {
    let whole = purity(&data.counts(rows));
    let of_feature = |feature: usize| best_of_feature(data, rows, feature, min_leaf);
    let cuts: Vec<Option<Cut>> = (0..data.width).into_par_iter().map(of_feature).collect();
    let best = cuts.into_iter().flatten().reduce(|a, b| if b.purity > a.purity { b } else { a })?;
    (best.purity > whole * (1.0 + 1e-12)).then_some(best.split)
}

fn purity(counts: &[u64]) -> f64 {
    let n: u64 = counts.iter().sum();
    counts.iter().map(|count| count * count).sum::<u64>() as f64 / n.max(1) as f64
}

fn best_of_feature(data: &Labelled<'_>, rows: &[usize], feature: usize, min_leaf: usize) -> Option<Cut> {
    let mut sorted: Vec<(f64, u32)> = rows.iter().map(|row| (data.row(*row)[feature], data.labels[*row])).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut left, mut right) = (vec![0u64; data.n_segments], data.counts(rows));
    // Sums of squares, kept up as one customer after the other goes from the right to the left.
    let (mut left_squares, mut right_squares) = (0u64, right.iter().map(|count| count * count).sum::<u64>());
    let mut best: Option<(f64, usize)> = None;
    for (i, (value, label)) in sorted.iter().enumerate() {
        let label = *label as usize;
        left_squares += 2 * left[label] + 1;
        left[label] += 1;
        right_squares -= 2 * right[label] - 1;
        right[label] -= 1;
        let (n_left, n_right) = (i + 1, sorted.len() - i - 1);
        if n_left.min(n_right) < min_leaf.max(1) || sorted[i + 1].0 == *value {
            continue;
        }
        let purity = left_squares as f64 / n_left as f64 + right_squares as f64 / n_right as f64;
        if best.is_none_or(|(highest, _)| purity > highest) {
            best = Some((purity, i));
        }
    }
    let (purity, i) = best?;
    Some(Cut { purity, split: Split { feature, threshold: round_between(sorted[i].0, sorted[i + 1].0) } })
}

/// The number with the fewest digits that tells two neighbours apart, `low ≤ t < high`, near their middle: a threshold to be read.
/// `high` may be infinite (missing): then what is known lies at or below.
pub(super) fn round_between(low: f64, high: f64) -> f64 {
    if high.is_infinite() {
        return low;
    }
    let middle = low + (high - low) / 2.0;
    let fits = |t: f64| low <= t && t < high;
    if fits(0.0) {
        return 0.0;
    }
    let rounded = (0..17).filter_map(|digits| format!("{middle:.digits$e}").parse().ok());
    rounded.into_iter().find(|t| fits(*t)).unwrap_or(low)
}
