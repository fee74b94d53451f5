//! Scores from elsewhere: the seam where a GPU takes the products of Lloyd's iterations over.
//!
//! Only rounded scores come from there. Which label is certain is decided by a bound, and what the bound leaves open is scored again
//! here, so labels are the same wherever the products were made.

use super::ClusterError;
use std::fmt::Debug;
use std::ops::Range;

/// What stands in the place of a label that rounding leaves open.
pub const UNSURE: u32 = u32::MAX;

/// A place that scores points faster than the processor does.
pub trait Scorer: Debug + Send + Sync {
    /// Multiplications of an iteration from which on points are worth taking there.
    fn worth(&self) -> usize;

    /// Takes points up, `[n, dimension]` row by row, until what is returned is dropped.
    ///
    /// # Errors
    /// [`ClusterError::Scorer`]: there is no room, or the place is gone. The processor goes on by itself then.
    fn place<'a>(&'a self, values: &[f32], dimension: usize) -> Result<Box<dyn PlacedPoints + 'a>, ClusterError>;
}

/// Points that a [`Scorer`] has.
pub trait PlacedPoints: Send + Sync {
    /// By how much a number may be off, as a share of itself, before it is multiplied: 2^-10 for TF32, 0 where products are those of
    /// `f32`. Sums are kept in `f32`, in any order.
    fn rounding(&self) -> f32;

    /// The labels of some rows in every fit, `[fit][row]`: the centroid with the largest x·c + offset, the first of equals, where it
    /// leads by more than ‖x‖ · slope + base, both of that centroid; else [`UNSURE`].
    ///
    /// # Errors
    /// [`ClusterError::Scorer`], as for [`Scorer::place`].
    fn labels(&self, rows: Range<usize>, fits: &[Scored]) -> Result<Vec<Vec<u32>>, ClusterError>;
}

/// A fit's centroids for a [`Scorer`].
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// `[k, dimension]`
    pub centroids: Vec<f32>,
    /// `[k]`: added to scores.
    pub offsets: Vec<f32>,
    /// `[k]`: what rounding may take from a lead, per length of the point.
    pub slopes: Vec<f32>,
    /// What it may take besides.
    pub base: f32,
}
