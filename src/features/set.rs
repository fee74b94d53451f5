//! Customers × features: the table that everything after it works on.

use super::feature::Feature;
use crate::domain::CustomerId;
use serde::{Deserialize, Serialize};

/// The features of some customers: named columns, a row a customer, and which cells are missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSet {
    /// `[d]`
    pub features: Vec<Feature>,
    /// `[n]`
    pub customers: Vec<CustomerId>,
    /// `[n, d]`, row by row; 0 where missing.
    values: Vec<f64>,
    /// `[n, d]`
    missing: Vec<bool>,
}

impl FeatureSet {
    /// Rows in the order of the customers; each row has a value, or nothing, for every feature. What is not finite is missing.
    ///
    /// # Panics
    /// A row has not the length of `features`, or there is not one a customer.
    pub fn new(features: Vec<Feature>, customers: Vec<CustomerId>, rows: Vec<Vec<Option<f64>>>) -> Self {
        assert_eq!(rows.len(), customers.len(), "a row a customer");
        assert!(rows.iter().all(|row| row.len() == features.len()), "a cell a feature");
        let cells: Vec<Option<f64>> = rows.into_iter().flatten().map(|cell| cell.filter(|v| v.is_finite())).collect();
        let missing = cells.iter().map(Option::is_none).collect();
        Self { features, customers, values: cells.into_iter().map(Option::unwrap_or_default).collect(), missing }
    }

    pub fn n_customers(&self) -> usize {
        self.customers.len()
    }

    pub fn n_features(&self) -> usize {
        self.features.len()
    }

    /// `[n, d]`, row by row; 0 where missing.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// `[n, d]`, row by row.
    pub fn missing(&self) -> &[bool] {
        &self.missing
    }

    pub fn cell(&self, row: usize, column: usize) -> Option<f64> {
        let at = row * self.n_features() + column;
        (!self.missing[at]).then(|| self.values[at])
    }

    pub fn row(&self, row: usize) -> Vec<Option<f64>> {
        (0..self.n_features()).map(|column| self.cell(row, column)).collect()
    }

    pub fn column(&self, column: usize) -> Vec<Option<f64>> {
        (0..self.n_customers()).map(|row| self.cell(row, column)).collect()
    }

    pub fn position(&self, id: &str) -> Option<usize> {
        self.features.iter().position(|feature| feature.id == id)
    }

    /// A customer's value of the feature with that id.
    pub fn value(&self, row: usize, id: &str) -> Option<f64> {
        self.cell(row, self.position(id)?)
    }

    /// A customer's features as lines to be read: id, value and unit, name in English and Chinese; for what is missing what that means.
    pub fn sheet(&self, row: usize) -> String {
        let line = |(column, feature): (usize, &Feature)| {
            let Feature { id, name_en, name_zh, unit, missing, .. } = feature;
            match self.cell(row, column) {
                Some(value) => format!("{id:<26} {value:>10.3} {unit:<18} {name_en} / {name_zh}"),
                None => format!("{id:<26} {:>10} {:<18} {name_en} / {name_zh}: {missing}", "-", ""),
            }
        };
        self.features.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The set of these customers alone, in this order.
    pub fn of_customers(&self, rows: &[usize]) -> Self {
        let customers = rows.iter().map(|&row| self.customers[row].clone()).collect();
        Self::new(self.features.clone(), customers, rows.iter().map(|&row| self.row(row)).collect())
    }

    /// The set with these columns alone, in this order.
    pub fn select(&self, columns: &[usize]) -> Self {
        let pick = |row: usize| columns.iter().map(|&column| self.cell(row, column)).collect();
        let features = columns.iter().map(|&column| self.features[column].clone()).collect();
        Self::new(features, self.customers.clone(), (0..self.n_customers()).map(pick).collect())
    }
}
