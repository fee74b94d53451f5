//! What a customer is worth from here on: BG/NBD for how often they will buy, Gamma-Gamma for how much at a time, and both together
//! for their lifetime value.

mod bgnbd;
mod gamma_gamma;
mod hypergeometric;
mod simplex;
mod summary;
#[cfg(test)]
mod tests;
mod value;

pub use bgnbd::BgNbd;
pub use gamma_gamma::GammaGamma;
pub use summary::RepeatPurchases;
pub use value::{Horizon, lifetime_value};

/// Why a model cannot be fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LifetimeError {
    #[error("{n} customers bought again; it takes at least {needed} to fit {model}")]
    TooFew { model: &'static str, n: usize, needed: usize },
    #[error("row {row}: {why}")]
    Row { row: usize, why: &'static str },
    #[error("the likelihood of {model} has no maximum that could be found; the customers may buy too alike")]
    NoMaximum { model: &'static str },
    #[error("`{field}` is to be positive and finite")]
    Parameter { field: &'static str },
}

/// Fewer customers than this who came back say too little about four parameters.
const FEWEST: usize = 10;

fn positive(fields: &[(&'static str, f64)]) -> Result<(), LifetimeError> {
    match fields.iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
        Some(&(field, _)) => Err(LifetimeError::Parameter { field }),
        None => Ok(()),
    }
}
