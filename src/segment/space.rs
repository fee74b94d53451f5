//! The space that words, behaviour and traits have in common: sides, weighted and joined to one point a customer.

use super::sides::{Encoders, Known, Part, Sides};
use crate::domain::{BlockKind, BlockWeights};
use crate::features::{BlockError, BlockInput, Blocks};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Rows that are joined at a time.
const ROWS: usize = 1_024;

/// What places a customer: encoders, and each part's centre, scale and weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Space {
    encoders: Encoders,
    blocks: Blocks,
    weights: BlockWeights,
}

/// Customers as points of a space.
#[derive(Debug, Clone, PartialEq)]
pub struct SpacePoints {
    pub width: usize,
    /// `[n, width]`
    pub values: Vec<f32>,
    /// `[n]`, 0 to 1: the weight of the blocks of which anything is known of the customer, over all weight.
    pub known: Vec<f64>,
}

impl Space {
    /// The space of these sides with these weights, as they compare, and the customers in it. Blocks without weight are left out of it.
    ///
    /// # Errors
    /// [`BlockError`]: a defect, for sides are finite.
    pub fn fit(sides: &Sides, weights: BlockWeights) -> Result<(Self, SpacePoints), BlockError> {
        // What counts is how weights compare: confidences would depend on their size otherwise.
        let size = weights.total() / weights.blocks().count().max(1) as f64;
        let weights = BlockWeights::each(|block| if size > 0.0 { weights.of(block) / size } else { 0.0 });
        let parts: Vec<&Part> = counted(&sides.parts, weights);
        let n = sides.customers.len();
        let blocks = Blocks::fit(&inputs(&parts, weights, 0..n), n)?;
        let space = Self { encoders: sides.encoders.clone(), blocks, weights };
        let points = space.points(&parts, n)?;
        Ok((space, points))
    }

    /// The encoders' sides of one customer as a point, how much of it is known (0 to 1), and the blocks of which nothing is.
    ///
    /// # Errors
    /// A text vector of another model's length, or one that is not finite.
    pub fn place(&self, known: Known<'_>) -> Result<(Vec<f32>, f64, Vec<BlockKind>), BlockError> {
        let parts = self.encoders.parts_of(known);
        let points = self.points(&counted(&parts, self.weights), 1)?;
        let lacks = |block: &BlockKind| !parts.iter().any(|part| part.block == *block && part.has(0));
        Ok((points.values, points.known[0], self.weights.blocks().filter(lacks).collect()))
    }

    pub fn encoders(&self) -> &Encoders {
        &self.encoders
    }

    /// Mean squared distance between customers of whom all is known: the sum of the weights, one a block that counts.
    pub fn mean_squared_distance(&self) -> f64 {
        self.weights.total()
    }

    fn points(&self, parts: &[&Part], n: usize) -> Result<SpacePoints, BlockError> {
        let width = parts.iter().map(|part| part.width).sum::<usize>();
        let starts: Vec<usize> = (0..n).step_by(ROWS).collect();
        let place = |&start: &usize| -> Result<Vec<f32>, BlockError> {
            let rows = start..n.min(start + ROWS);
            let joined = self.blocks.place(&inputs(parts, self.weights, rows.clone()), rows.len())?;
            Ok(joined.values.into_iter().map(|value| value as f32).collect())
        };
        let chunks: Result<Vec<Vec<f32>>, BlockError> = starts.par_iter().map(place).collect();
        let total = self.weights.total();
        let known = |row: usize| {
            let has = |block: BlockKind| parts.iter().any(|part| part.block == block && part.has(row));
            BlockKind::ALL.iter().filter(|block| has(**block)).map(|block| self.weights.of(*block)).sum::<f64>() / total
        };
        Ok(SpacePoints { width, values: chunks?.concat(), known: (0..n).map(known).collect() })
    }
}

fn counted(parts: &[Part], weights: BlockWeights) -> Vec<&Part> {
    parts.iter().filter(|part| weights.of(part.block) > 0.0).collect()
}

fn inputs<'a>(parts: &[&'a Part], weights: BlockWeights, rows: std::ops::Range<usize>) -> Vec<BlockInput<'a>> {
    let input = |part: &&'a Part| {
        let at = rows.start * part.width..rows.end * part.width;
        BlockInput {
            name: part.name,
            weight: weights.of(part.block) * part.share,
            width: part.width,
            values: &part.values[at.clone()],
            missing: &part.missing[at],
        }
    };
    parts.iter().map(input).collect()
}
