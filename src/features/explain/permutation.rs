//! Permutation importance: how much worse a way of placing customers gets when a feature is shuffled among them.
//!
//! Breiman (2001), Random Forests, section 10. What is shuffled may be several columns together, such as a whole block.

use super::{ExplainError, Labelled};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permutation {
    /// Shuffles of each group, whose losses are averaged; at least 1.
    pub n_repeats: usize,
    pub seed: u64,
}

/// What is lost by shuffling each group of columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// The share of customers placed in their segment with nothing shuffled.
    pub accuracy: f64,
    /// `[n_groups]`: how much of that share is lost; about 0, or a little below, for what does not matter.
    pub overall: Vec<f64>,
    /// `[n_segments][n_groups]`: how much is lost of the share of the segment's own customers who are placed in it.
    pub per_segment: Vec<Vec<f64>>,
}

/// Shares of customers placed right: of all, and of each segment.
struct Hits {
    overall: f64,
    per_segment: Vec<f64>,
}

/// `place` gives the segment of a row `[width]`, infinite where missing. Groups are columns that are shuffled together. The same
/// seed gives the same figures, whatever the number of threads; the work is parallel over groups.
///
/// # Errors
/// A group names a column that is not there.
pub fn permutation_importance(
    data: &Labelled<'_>,
    place: &(dyn Fn(&[f64]) -> u32 + Sync),
    groups: &[Vec<usize>],
    settings: Permutation,
) -> Result<Importance, ExplainError> {
    if let Some(&column) = groups.iter().flatten().find(|column| **column >= data.width) {
        return Err(ExplainError::Column { column, width: data.width });
    }
    let whole = hits(data, place, &[], &[]);
    let n_repeats = settings.n_repeats.max(1);
    let lost = |group: usize| {
        let mut sum = vec![0.0; data.n_segments + 1];
        for repeat in 0..n_repeats {
            let order = shuffled(data.len(), settings.seed, (group * n_repeats + repeat) as u64);
            let left = hits(data, place, &groups[group], &order);
            sum[0] += whole.overall - left.overall;
            let each = whole.per_segment.iter().zip(&left.per_segment);
            sum[1..].iter_mut().zip(each).for_each(|(sum, (before, after))| *sum += before - after);
        }
        sum.into_iter().map(|sum| sum / n_repeats as f64).collect::<Vec<f64>>()
    };
    let losses: Vec<Vec<f64>> = (0..groups.len()).into_par_iter().map(lost).collect();
    let column = |i: usize| losses.iter().map(|loss| loss[i]).collect::<Vec<f64>>();
    let per_segment = (1..=data.n_segments).map(column).collect();
    Ok(Importance { accuracy: whole.overall, overall: column(0), per_segment })
}

/// Who is placed right when row i has these columns from row `order[i]`.
fn hits(data: &Labelled<'_>, place: &dyn Fn(&[f64]) -> u32, columns: &[usize], order: &[usize]) -> Hits {
    let (mut right, mut there) = (vec![0u64; data.n_segments], vec![0u64; data.n_segments]);
    let mut row = vec![0.0; data.width];
    for (i, label) in data.labels.iter().enumerate() {
        row.copy_from_slice(data.row(i));
        columns.iter().for_each(|column| row[*column] = data.row(order[i])[*column]);
        there[*label as usize] += 1;
        right[*label as usize] += u64::from(place(&row) == *label);
    }
    let share = |right: u64, there: u64| if there == 0 { 0.0 } else { right as f64 / there as f64 };
    Hits {
        overall: share(right.iter().sum(), data.len() as u64),
        per_segment: right.iter().zip(&there).map(|(right, there)| share(*right, *there)).collect(),
    }
}

/// The numbers below n in a random order (Fisher & Yates 1938).
fn shuffled(n: usize, seed: u64, stream: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    order
}
