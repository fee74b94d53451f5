//! How well two ways of grouping the same things agree, whatever the groups are called.

mod agreement;
mod assignment;

pub use agreement::{Agreement, compare};
pub use assignment::best_matching;
