//! How customers' facts become numbers: pure mathematics, no I/O, no async, no clock.
//!
//! The way of a customer: facts → [`History`] → [`Behaviour::table`] as of a [`Cutoff`], a [`FeatureSet`] in the features' own units →
//! [`Selection`] → [`TableScaler`] → [`Blocks`], points whose squared distances are `Σ λ_b d_b²`. Traits come in as
//! [`TraitEncoder`] rows, texts as vectors, both as further blocks. Beside it, from the same history: [`rfm_scores`] and their cells,
//! and [`lifetime`] value. [`explain`] goes the way back, from segments to features and rules; [`head`] reads sentiment and needs off texts' vectors.
//!
//! Everything that is fitted is a value that can be written down (serde) and applied to customers who come later. Columns are
//! `[n, d]`, row by row; a missing cell is a mark of its own and never a number that was made up.

mod behaviour;
mod blocks;
mod cutoff;
pub mod explain;
mod feature;
pub mod head;
mod history;
pub mod lifetime;
mod rfm;
mod scale;
mod select;
mod set;
mod timeline;
mod traits;

pub use behaviour::{Behaviour, Categories};
pub use blocks::{Block, BlockError, BlockInput, Blocks, JoinedPoints};
pub use cutoff::Cutoff;
pub use feature::{Feature, Kind};
pub use history::History;
pub use rfm::{Rfm, RfmCell, RfmScore, rfm_scores};
pub use scale::{OtherFeatures, Scaler, Scaling, TableScaler};
pub use select::{Dropped, Selected, Selection};
pub use set::FeatureSet;
pub use traits::{TraitEncoder, TraitKind};
