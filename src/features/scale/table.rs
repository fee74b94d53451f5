//! The scaling of a whole table, a scaler a column.

use super::{Scaler, Scaling};
use crate::features::feature::Feature;
use crate::features::set::FeatureSet;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Fitted on one table, applied to any with the same features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableScaler {
    /// `[d]`
    pub features: Vec<Feature>,
    /// `[d]`
    pub scalers: Vec<Scaler>,
}

/// A table that has not the features a scaler was fitted on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the table's features are not those it was fitted on: at column {column} {expected:?} is expected, {found:?} found"
)]
pub struct OtherFeatures {
    pub column: usize,
    pub expected: String,
    pub found: String,
}

impl TableScaler {
    /// Each column by its kind ([`Kind::scalings`](super::Kind::scalings)).
    pub fn fit(set: &FeatureSet) -> Self {
        Self::fit_with(set, |feature| feature.kind.scalings())
    }

    /// Each column as `choose` says.
    pub fn fit_with<'a>(set: &FeatureSet, choose: impl Fn(&Feature) -> &'a [Scaling] + Sync) -> Self {
        let fit = |column: usize| Scaler::fit(choose(&set.features[column]), &set.column(column));
        let scalers = (0..set.n_features()).into_par_iter().map(fit).collect();
        Self { features: set.features.clone(), scalers }
    }

    /// The table scaled, cell by cell.
    ///
    /// # Errors
    /// Its features are others than those this was fitted on.
    pub fn apply(&self, set: &FeatureSet) -> Result<FeatureSet, OtherFeatures> {
        self.check(set)?;
        let rows = (0..set.n_customers()).into_par_iter().map(|row| self.apply_row(&set.row(row))).collect();
        Ok(FeatureSet::new(set.features.clone(), set.customers.clone(), rows))
    }

    /// A row of `d` cells, in the order of the features.
    pub fn apply_row(&self, row: &[Option<f64>]) -> Vec<Option<f64>> {
        self.scalers.iter().zip(row).map(|(scaler, cell)| scaler.apply(*cell)).collect()
    }

    fn check(&self, set: &FeatureSet) -> Result<(), OtherFeatures> {
        let n = self.features.len().max(set.n_features());
        let id =
            |features: &[Feature], column: usize| features.get(column).map(|f| f.id.to_string()).unwrap_or_default();
        for column in 0..n {
            let (expected, found) = (id(&self.features, column), id(&set.features, column));
            if expected != found {
                return Err(OtherFeatures { column, expected, found });
            }
        }
        Ok(())
    }
}
