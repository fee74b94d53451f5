//! `clientele evaluate`: how well segments agree with labels that somebody gave.

use super::client::{Call, Opening, encoded};
use super::{CliError, CliResult, Target};
use crate::measure;
use clap::Args;
use serde_json::json;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Compare a segmentation with known labels: V-measure, ARI, NMI, best-match accuracy.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele evaluate --segmentation needs --truth truth.csv --customer customer_id --label persona")]
pub struct EvaluateArgs {
    #[arg(long)]
    segmentation: String,
    /// A CSV file with a header
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// Its column with the customer's id
    #[arg(long, value_name = "COL", default_value = "customer_id")]
    customer: String,
    /// Its column with the label
    #[arg(long, value_name = "COL", default_value = "label")]
    label: String,
    #[command(flatten)]
    target: Target,
}

pub fn run(args: &EvaluateArgs) -> CliResult {
    let client = args.target.connect(Opening::Read)?;
    let mut assigned = Vec::new();
    let path = format!("/v1/segmentations/{}/members?format=ndjson", encoded(&args.segmentation));
    client.download(Call::get(path), &mut assigned)?;
    let agreement = agreement(&assigned, &args.truth, &args.customer, &args.label)?;
    println!("{}", serde_json::to_string_pretty(&agreement)?);
    Ok(())
}

/// Joins an NDJSON export with a truth file and measures their agreement.
///
/// # Errors
/// The file cannot be read, lacks a column, or shares no customer with the export.
pub fn agreement(export: &[u8], truth: &Path, customer: &str, label: &str) -> CliResult<serde_json::Value> {
    let truth_of = read_truth(truth, customer, label)?;
    let (mut segments, mut labels) = (Vec::new(), Vec::new());
    let (mut segment_index, mut label_index) = (HashMap::new(), HashMap::new());
    let mut text = String::new();
    let mut export = export;
    export.read_to_string(&mut text)?;
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let cell = |name: &str| row.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        if let Some(truth) = truth_of.get(&cell("customer")) {
            segments.push(index_of(&mut segment_index, cell("segment_id")));
            labels.push(index_of(&mut label_index, truth.clone()));
        }
    }
    if segments.is_empty() {
        return Err(CliError::user(format!("{} shares no customer with the segmentation", truth.display())));
    }
    let measured = measure::compare(&labels, &segments);
    Ok(json!({
        "n_customers": segments.len(),
        "n_labels": label_index.len(),
        "n_segments": segment_index.len(),
        "v_measure": measured.v_measure,
        "homogeneity": measured.homogeneity,
        "completeness": measured.completeness,
        "ari": measured.ari,
        "nmi": measured.nmi,
        "accuracy": measured.accuracy,
    }))
}

fn index_of(index: &mut HashMap<String, usize>, word: String) -> usize {
    let next = index.len();
    *index.entry(word).or_insert(next)
}

fn read_truth(path: &Path, customer: &str, label: &str) -> CliResult<HashMap<String, String>> {
    let unreadable = |error: csv::Error| CliError::user(format!("{}: {error}", path.display()));
    let mut reader = csv::Reader::from_path(path).map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let column = |name: &str| {
        let found = header.iter().position(|cell| cell.trim_start_matches('\u{feff}') == name);
        let there: Vec<&str> = header.iter().collect();
        found.ok_or_else(|| {
            CliError::user(format!("{} has no column {name:?}; it has {}", path.display(), there.join(", ")))
        })
    };
    let (customer, label) = (column(customer)?, column(label)?);
    let mut truth = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        truth.insert(record[customer].to_owned(), record[label].to_owned());
    }
    Ok(truth)
}
