//! What a CSV file says of each customer.

use crate::cli::{CliError, CliResult};
use std::collections::HashMap;
use std::path::Path;

/// Each customer's cell of a column; of a customer's several rows the last.
///
/// # Errors
/// The file cannot be read, or lacks one of the columns.
pub fn column_of(path: &Path, customer: &str, column: &str) -> CliResult<HashMap<String, String>> {
    let unreadable = |error: csv::Error| CliError::user(format!("{}: {error}", path.display()));
    let mut reader = csv::Reader::from_path(path).map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let position = |name: &str| {
        let found = header.iter().position(|cell| cell.trim_start_matches('\u{feff}') == name);
        let there: Vec<&str> = header.iter().collect();
        found.ok_or_else(|| {
            CliError::user(format!("{} has no column {name:?}; it has {}", path.display(), there.join(", ")))
        })
    };
    let (customer, column) = (position(customer)?, position(column)?);
    let mut cells = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        cells.insert(record[customer].to_owned(), record[column].to_owned());
    }
    Ok(cells)
}

/// The same of a column of numbers; an empty cell says nothing.
///
/// # Errors
/// As of [`column_of`], or a cell is no number.
pub fn numbers_of(path: &Path, customer: &str, column: &str) -> CliResult<HashMap<String, f64>> {
    let cells = column_of(path, customer, column)?;
    let there = cells.into_iter().filter(|(_, cell)| !cell.trim().is_empty());
    there
        .map(|(id, cell)| match cell.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok((id, number)),
            _ => Err(CliError::user(format!("{}: {column} of {id} is {cell:?}, which is no number", path.display()))),
        })
        .collect()
}
