//! Blocks of numbers into one point a customer: text, behaviour, traits, each with a say that its weight decides and not its width.
//!
//! `distance² = Σ_b λ_b d_b²`, where `d_b` is the distance in block b, scaled so that the mean of `d_b²` over pairs of customers who
//! have the block is 1. A block's part of a point is centred, scaled and multiplied by `√λ_b`, so the plain distance of points is
//! that sum. A missing cell lies at the mean, so a customer without a block lies at the block's mean, with a lower confidence.

use serde::{Deserialize, Serialize};

/// What goes into a block: `[n, d]` values, and which of them are missing.
#[derive(Debug, Clone, Copy)]
pub struct BlockInput<'a> {
    pub name: &'a str,
    /// λ, at least 0: how much the block counts.
    pub weight: f64,
    /// Columns.
    pub width: usize,
    /// `[n, width]`, row by row; finite where not missing.
    pub values: &'a [f64],
    /// `[n, width]`
    pub missing: &'a [bool],
}

/// Why blocks cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    #[error("block {block:?} has {found} values and {n_missing} marks of missing ones, not {expected} of each")]
    Shape { block: String, expected: usize, found: usize, n_missing: usize },
    #[error("block {block:?} has a value in row {row} that is neither finite nor missing")]
    NotFinite { block: String, row: usize },
    #[error("the weight of block {block:?} is to be finite and at least 0")]
    Weight { block: String },
    #[error("the blocks are {found:?}, not {expected:?} as they were fitted")]
    Others { expected: Vec<String>, found: Vec<String> },
}

/// One block, fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    pub name: String,
    pub weight: f64,
    /// `[width]`: the mean over who has the cell.
    pub centre: Vec<f64>,
    /// Squared differences times its square are 1 in the mean; 0 where everybody is the same.
    pub scale: f64,
}

/// All blocks of a segmentation, fitted on some customers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Blocks {
    pub blocks: Vec<Block>,
}

/// Customers as points.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinedPoints {
    /// Columns of all blocks together.
    pub width: usize,
    /// `[n, width]`, row by row.
    pub values: Vec<f64>,
    /// `[n]`, 0 to 1: what is known of the customer, blocks by their weights, in a block the share of its cells.
    pub confidence: Vec<f64>,
}

impl JoinedPoints {
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.width..][..self.width]
    }
}

impl BlockInput<'_> {
    fn check(&self, n: usize) -> Result<(), BlockError> {
        let block = || self.name.to_owned();
        let (expected, found, n_missing) = (n * self.width, self.values.len(), self.missing.len());
        if (found, n_missing) != (expected, expected) {
            return Err(BlockError::Shape { block: block(), expected, found, n_missing });
        }
        if !(self.weight.is_finite() && self.weight >= 0.0) {
            return Err(BlockError::Weight { block: block() });
        }
        let bad = self.values.iter().zip(self.missing).position(|(value, missing)| !missing && !value.is_finite());
        bad.map_or(Ok(()), |at| Err(BlockError::NotFinite { block: block(), row: at / self.width }))
    }

    fn cells(&self, row: usize) -> impl Iterator<Item = Option<f64>> {
        let at = row * self.width..(row + 1) * self.width;
        self.values[at.clone()].iter().zip(&self.missing[at]).map(|(value, missing)| (!missing).then_some(*value))
    }

    fn coverage(&self, row: usize) -> f64 {
        self.cells(row).flatten().count() as f64 / self.width.max(1) as f64
    }
}

impl Block {
    fn fit(input: &BlockInput<'_>, n: usize) -> Self {
        let (mut sums, mut counts) = (vec![0.0; input.width], vec![0usize; input.width]);
        for row in 0..n {
            for (column, value) in input.cells(row).enumerate() {
                sums[column] += value.unwrap_or_default();
                counts[column] += usize::from(value.is_some());
            }
        }
        let centre: Vec<f64> = sums.iter().zip(&counts).map(|(sum, n)| sum / (*n).max(1) as f64).collect();
        let scale = scale(input, n, &centre);
        Self { name: input.name.to_owned(), weight: input.weight, centre, scale }
    }

    /// The block's part of a point, `[width]`.
    fn place(&self, cells: impl Iterator<Item = Option<f64>>) -> impl Iterator<Item = f64> {
        let factor = self.scale * self.weight.sqrt();
        cells.zip(&self.centre).map(move |(cell, centre)| cell.map_or(0.0, |value| (value - centre) * factor))
    }
}

/// `1 / √(mean squared distance)` over pairs of different customers who have something of the block. That mean is twice the sum of
/// the columns' variances (n - 1 below the line), so no pair has to be looked at. Customers with part of the block lie at the
/// mean in the rest of it; the mean of these rows need not be the columns' own, and is taken off.
fn scale(input: &BlockInput<'_>, n: usize, centre: &[f64]) -> f64 {
    let rows: Vec<usize> = (0..n).filter(|row| input.coverage(*row) > 0.0).collect();
    let (mut sums, mut squares) = (vec![0.0; input.width], vec![0.0; input.width]);
    for row in &rows {
        for (column, value) in input.cells(*row).enumerate() {
            let difference = value.map_or(0.0, |value| value - centre[column]);
            sums[column] += difference;
            squares[column] += difference * difference;
        }
    }
    let n = rows.len() as f64;
    let scatter: f64 = sums.iter().zip(&squares).map(|(sum, square)| (square - sum * sum / n.max(1.0)).max(0.0)).sum();
    let mean = 2.0 * scatter / (n - 1.0).max(1.0);
    let size: f64 = centre.iter().map(|c| c * c).sum();
    // Below that the differences are rounding.
    if mean.is_finite() && mean > 1e-24 * size && mean > 1e-290 { mean.sqrt().recip() } else { 0.0 }
}

impl Blocks {
    /// # Errors
    /// A block has not `n` rows, a value that is not finite, or a weight below 0.
    pub fn fit(inputs: &[BlockInput<'_>], n: usize) -> Result<Self, BlockError> {
        inputs.iter().try_for_each(|input| input.check(n))?;
        Ok(Self { blocks: inputs.iter().map(|input| Block::fit(input, n)).collect() })
    }

    /// Customers as points. The weights are those that were fitted, whatever the inputs say.
    ///
    /// # Errors
    /// The blocks are others than those fitted, or one has not `n` rows or a value that is not finite.
    pub fn place(&self, inputs: &[BlockInput<'_>], n: usize) -> Result<JoinedPoints, BlockError> {
        inputs.iter().try_for_each(|input| input.check(n))?;
        self.check_same(inputs)?;
        let width = self.blocks.iter().map(|block| block.centre.len()).sum();
        let mut values = Vec::with_capacity(n * width);
        for row in 0..n {
            for (block, input) in self.blocks.iter().zip(inputs) {
                values.extend(block.place(input.cells(row)));
            }
        }
        let confidence = (0..n).map(|row| self.confidence(inputs, row)).collect();
        Ok(JoinedPoints { width, values, confidence })
    }

    /// What each block adds to the squared distance of two points; together they are the squared distance.
    pub fn contributions(&self, one: &[f64], other: &[f64]) -> Vec<f64> {
        let mut at = 0;
        let of_block = |block: &Block| {
            let part = at..at + block.centre.len();
            at = part.end;
            one[part.clone()].iter().zip(&other[part]).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        self.blocks.iter().map(of_block).collect()
    }

    fn confidence(&self, inputs: &[BlockInput<'_>], row: usize) -> f64 {
        let weights = || self.blocks.iter().map(|block| block.weight);
        let known: f64 = weights().zip(inputs).map(|(weight, input)| weight * input.coverage(row)).sum();
        let all: f64 = weights().sum();
        if all > 0.0 { known / all } else { 0.0 }
    }

    fn check_same(&self, inputs: &[BlockInput<'_>]) -> Result<(), BlockError> {
        let shown = |name: &str, width: usize| format!("{name} [{width}]");
        let expected: Vec<String> = self.blocks.iter().map(|block| shown(&block.name, block.centre.len())).collect();
        let found: Vec<String> = inputs.iter().map(|input| shown(input.name, input.width)).collect();
        if expected == found { Ok(()) } else { Err(BlockError::Others { expected, found }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two blocks, three and two wide; what is missing is not a number, to show that nobody reads it.
    struct Flat {
        n: usize,
        values: [Vec<f64>; 2],
        missing: [Vec<bool>; 2],
        weights: [f64; 2],
    }

    type Row = ([Option<f64>; 3], [Option<f64>; 2]);

    impl Flat {
        fn new(rows: &[Row], weights: [f64; 2]) -> Self {
            let one: Vec<Option<f64>> = rows.iter().flat_map(|(one, _)| *one).collect();
            let other: Vec<Option<f64>> = rows.iter().flat_map(|(_, other)| *other).collect();
            let fill = |cells: &[Option<f64>]| cells.iter().map(|cell| cell.unwrap_or(f64::NAN)).collect();
            let gaps = |cells: &[Option<f64>]| cells.iter().map(Option::is_none).collect();
            let (values, missing) = ([fill(&one), fill(&other)], [gaps(&one), gaps(&other)]);
            Self { n: rows.len(), values, missing, weights }
        }

        fn inputs(&self) -> [BlockInput<'_>; 2] {
            [("behaviour", 3), ("traits", 2)].map(|(name, width)| {
                let i = 3 - width;
                let (values, missing) = (self.values[i].as_slice(), self.missing[i].as_slice());
                BlockInput { name, weight: self.weights[i], width, values, missing }
            })
        }
    }

    fn cell() -> impl Strategy<Value = Option<f64>> {
        prop::option::weighted(0.8, -100.0..100.0f64)
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let block = |is_there, cells: Vec<Option<f64>>| if is_there { cells } else { vec![None; cells.len()] };
        let row = (any::<bool>(), prop::collection::vec(cell(), 3), any::<bool>(), prop::collection::vec(cell(), 2));
        let row = row.prop_map(move |(a, one, b, other)| {
            (block(a, one).try_into().unwrap(), block(b, other).try_into().unwrap())
        });
        prop::collection::vec(row, 1..15)
    }

    fn squared(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
    }

    proptest! {
        #[test]
        fn blocks_add_up_to_the_distance_and_are_one_in_the_mean(rows in rows(), weights in prop::array::uniform2(0.1..5.0f64)) {
            let flat = Flat::new(&rows, weights);
            let blocks = Blocks::fit(&flat.inputs(), flat.n).unwrap();
            let points = blocks.place(&flat.inputs(), flat.n).unwrap();
            let is_there = |row: usize| [rows[row].0.iter().any(Option::is_some), rows[row].1.iter().any(Option::is_some)];
            let (mut sums, mut pairs) = ([0.0; 2], [0.0; 2]);
            for i in 0..flat.n {
                for j in 0..i {
                    let parts = blocks.contributions(points.row(i), points.row(j));
                    let distance = squared(points.row(i), points.row(j));
                    prop_assert!((parts.iter().sum::<f64>() - distance).abs() < 1e-9 * (1.0 + distance));
                    for b in 0..2 {
                        if is_there(i)[b] && is_there(j)[b] {
                            sums[b] += parts[b] / weights[b];
                            pairs[b] += 1.0;
                        }
                    }
                }
            }
            for b in 0..2 {
                let mean = sums[b] / f64::max(pairs[b], 1.0);
                prop_assert!((mean - 1.0).abs() < 1e-9 || (mean == 0.0 && blocks.blocks[b].scale == 0.0), "{mean}");
            }
        }

        #[test]
        fn who_has_no_block_lies_at_its_mean_and_is_known_the_less(rows in rows(), weights in prop::array::uniform2(0.1..5.0f64)) {
            let flat = Flat::new(&rows, weights);
            let blocks = Blocks::fit(&flat.inputs(), flat.n).unwrap();
            let points = blocks.place(&flat.inputs(), flat.n).unwrap();
            for (i, (one, other)) in rows.iter().enumerate() {
                let known = |cells: &[Option<f64>]| cells.iter().flatten().count() as f64 / cells.len() as f64;
                let expected = (weights[0] * known(one) + weights[1] * known(other)) / (weights[0] + weights[1]);
                prop_assert!((points.confidence[i] - expected).abs() < 1e-12);
                if known(one) == 0.0 {
                    prop_assert_eq!(&points.row(i)[..3], &[0.0; 3]);
                }
            }
        }

        #[test]
        fn a_weight_stretches_its_block_alone(rows in rows(), factor in 1.0..9.0f64) {
            let placed = |weights| {
                let flat = Flat::new(&rows, weights);
                Blocks::fit(&flat.inputs(), flat.n).unwrap().place(&flat.inputs(), flat.n).unwrap()
            };
            let (plain, stretched) = (placed([1.0, 1.0]), placed([factor, 1.0]));
            for i in 0..rows.len() {
                for (column, (a, b)) in plain.row(i).iter().zip(stretched.row(i)).enumerate() {
                    let expected = if column < 3 { a * factor.sqrt() } else { *a };
                    prop_assert!((b - expected).abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn blocks_that_do_not_fit_are_refused() {
        let (values, missing) = (vec![1.0, 2.0, 3.0, 4.0], vec![false; 4]);
        let input = BlockInput { name: "text", weight: 1.0, width: 2, values: &values, missing: &missing };
        assert!(matches!(Blocks::fit(&[input], 3), Err(BlockError::Shape { expected: 6, found: 4, .. })));
        let error = Blocks::fit(&[BlockInput { weight: -1.0, ..input }], 2);
        assert_eq!(error, Err(BlockError::Weight { block: "text".into() }));
        let holed = [1.0, 2.0, f64::NAN, 4.0];
        let error = Blocks::fit(&[BlockInput { values: &holed, ..input }], 2);
        assert_eq!(error, Err(BlockError::NotFinite { block: "text".into(), row: 1 }));
        let blocks = Blocks::fit(&[input], 2).unwrap();
        let error = blocks.place(&[BlockInput { name: "traits", ..input }], 2).unwrap_err();
        assert_eq!(error.to_string(), r#"the blocks are ["traits [2]"], not ["text [2]"] as they were fitted"#);
        let error = blocks.place(&[BlockInput { width: 4, ..input }], 1);
        assert!(matches!(error, Err(BlockError::Others { .. })));
    }

    #[test]
    fn a_block_in_which_all_are_the_same_adds_nothing() {
        let (values, missing) = (vec![0.1; 30], vec![false; 30]);
        let input = BlockInput { name: "text", weight: 1.0, width: 3, values: &values, missing: &missing };
        let points = Blocks::fit(&[input], 10).unwrap().place(&[input], 10).unwrap();
        assert!(points.values.iter().all(|value| *value == 0.0));
        assert_eq!(points.confidence, [1.0; 10]);
    }
}
