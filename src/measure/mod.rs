//! How well two ways of grouping the same things agree, what groups tell of the next period, and how sure such figures are.

mod agreement;
mod assignment;
mod bootstrap;
mod prediction;

pub use agreement::{Agreement, compare};
pub use assignment::best_matching;
pub use bootstrap::{BootstrapSettings, bootstrap, percentile_interval};
pub use prediction::{Prediction, predict, predict_drawn};
