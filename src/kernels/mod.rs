//! The processor's side of the model: matrix products, activation, normalisation and attention, each in the widest instructions
//! the machine has, chosen when the model is loaded.
//!
//! **Words.** A product multiplies 32-bit words: one `f32`, two bf16 or four 8-bit numbers, so one loop serves all three
//! precisions. The numbers of a word stand [`LANES`] columns apart: word w of a group holds the columns w, w + 16, w + 32, …,
//! so that packing rows of `f32` into words never moves a number across a vector's lanes.
//!
//! **Widths.** Rows of `f32` are padded with zeros to a multiple of [`PANEL`] columns, weights likewise; nothing below handles a
//! ragged edge, and no result depends on the padding.
//!
//! `unsafe` is allowed in this module alone, where a block says why it is sound.

mod attention;
mod dot;
mod finish;
mod isa;
mod lines;
mod mathematics;
mod normalise;
mod panels;
mod product;
#[cfg(test)]
mod rounding_tests;
mod rows;
mod shared;
mod team;
#[cfg(test)]
mod tests;

pub use attention::{Attention, HeadShape};
pub use finish::{Destination, Finish, Source};
pub use isa::Isa;
pub use lines::Lines;
pub use mathematics::Activation;
pub use normalise::{Norm, add_rows, norm_rows};
pub use panels::Panels;
pub use product::{Block, Kernel};
pub use rows::{Pack, WordRows};
pub use shared::Shared;
pub use team::{Crew, Team};

/// Columns that neighbouring numbers of a word are apart, and the widest vector's lanes.
pub const LANES: usize = 16;
/// Columns of the weights that are worked on together: every buffer's width is a multiple of it.
pub const PANEL: usize = 64;

/// What the numbers of a word are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    F32,
    Bf16,
    /// Signed weights, unsigned activations with a scale and a zero point a row.
    Int8,
}

impl Word {
    /// Numbers in a word.
    pub const fn parts(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Bf16 => 2,
            Self::Int8 => 4,
        }
    }
}

/// The column that part `part` of word `word` holds.
pub(super) const fn column_of(kind: Word, word: usize, part: usize) -> usize {
    (word / LANES) * LANES * kind.parts() + part * LANES + word % LANES
}
