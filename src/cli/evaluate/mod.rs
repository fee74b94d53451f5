//! `clientele evaluate`: how good the live version's segments are, by many figures and how sure they are.

mod files;
mod html;
mod page;

use super::client::{Call, Client, Opening, encoded};
use super::{CliError, CliResult, Target};
use crate::domain::UNSTABLE_BELOW;
use crate::measure::{self, BootstrapSettings};
use clap::Args;
use files::{column_of, numbers_of};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Resamples of customers, for intervals.
const RESAMPLES: usize = 200;

/// Say how good a segmentation's live version is: quality, stability, agreement with labels, what it tells of the next period.
///
/// Figures have 95 % bootstrap intervals. A segment whose stability is below 0.6 is marked unstable: other customers of the same kind
/// would hardly bring it forth. Labels and outcomes are only compared with, never learnt from.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele evaluate --segmentation needs
  clientele evaluate --segmentation needs --html report.html
  clientele evaluate --segmentation needs --labels truth.csv --customer customer_id --label persona
  clientele evaluate --segmentation needs --outcomes spend.csv --outcome next_half_year")]
pub struct EvaluateArgs {
    #[arg(long)]
    segmentation: String,
    /// A CSV file with a header: labels that somebody gave the customers
    #[arg(long, alias = "truth", value_name = "FILE")]
    labels: Option<PathBuf>,
    /// The column with the customer's id, in both files
    #[arg(long, value_name = "COL", default_value = "customer_id")]
    customer: String,
    /// The labels' column
    #[arg(long, value_name = "COL", default_value = "label")]
    label: String,
    /// A CSV file with a number for each customer of the period after the fit's facts, such as what they spent in it
    #[arg(long, value_name = "FILE")]
    outcomes: Option<PathBuf>,
    /// Its column with the number
    #[arg(long, value_name = "COL", default_value = "outcome")]
    outcome: String,
    /// Write the report as one web page with plots, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

pub fn run(args: &EvaluateArgs) -> CliResult {
    let client = args.target.connect(Opening::Read)?;
    let mut panel = panel(&client, &args.segmentation)?;
    if args.labels.is_some() || args.outcomes.is_some() {
        let mut export = Vec::new();
        let path = format!("/v1/segmentations/{}/members?format=ndjson", encoded(&args.segmentation));
        client.download(Call::get(path), &mut export)?;
        if let Some(file) = &args.labels {
            panel.insert("agreement".into(), agreement(&export, file, &args.customer, &args.label)?);
        }
        if let Some(file) = &args.outcomes {
            panel.insert("prediction".into(), prediction(&export, file, &args.customer, &args.outcome)?);
        }
    }
    let panel = Value::Object(panel);
    if let Some(file) = &args.html {
        std::fs::write(file, page::page(&panel))
            .map_err(|error| CliError::user(format!("{} cannot be written: {error}", file.display())))?;
        eprintln!("the report is in {}", file.display());
    }
    println!("{}", serde_json::to_string_pretty(&panel)?);
    Ok(())
}

/// What the live version says of itself.
fn panel(client: &Client, segmentation: &str) -> CliResult<Map<String, Value>> {
    let path = format!("/v1/segmentations/{}", encoded(segmentation));
    let number = client.json::<Value>(Call::get(format!("{path}/segments")))?["version"].clone();
    let version: Value = client.json(Call::get(format!("{path}/versions/{number}")))?;
    let quality = version["quality"].clone();
    let interval = |i: usize| quality.pointer(&format!("/intervals/segments/{i}")).cloned().unwrap_or_default();
    let segments = version["segments"].as_array().into_iter().flatten().enumerate().map(|(i, segment)| {
        let stability = segment["stability"].as_f64();
        json!({
            "id": segment["id"],
            "name": segment["name"],
            "size": segment["size"],
            "share": segment["share"],
            "cohesion": segment["cohesion"],
            "stability": stability,
            "stability_interval": interval(i),
            "unstable": stability.is_some_and(|stability| stability < UNSTABLE_BELOW),
        })
    });
    let segments: Vec<Value> = segments.collect();
    let panel = json!({
        "segmentation": segmentation,
        "version": number,
        "n_customers": version["n_customers"],
        "quality": quality,
        "segments": segments,
    });
    Ok(panel.as_object().cloned().unwrap_or_default())
}

/// Each customer's segment and, of those who are in a file too, what it says of them.
struct Joined<T> {
    segments: Vec<usize>,
    n_segments: usize,
    values: Vec<T>,
}

impl<T: Clone> Joined<T> {
    fn of(export: &[u8], file: &Path, values: &HashMap<String, T>) -> CliResult<Self> {
        let (mut index, mut joined) =
            (HashMap::new(), Self { segments: Vec::new(), n_segments: 0, values: Vec::new() });
        for line in std::str::from_utf8(export)?.lines() {
            let row: Value = serde_json::from_str(line)?;
            let cell = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
            if let Some(value) = values.get(cell("customer")) {
                joined.segments.push(index_of(&mut index, cell("segment_id").to_owned()));
                joined.values.push(value.clone());
            }
        }
        if joined.segments.is_empty() {
            return Err(CliError::user(format!("{} shares no customer with the segmentation", file.display())));
        }
        joined.n_segments = index.len();
        Ok(joined)
    }

    /// The interval of a figure of some of the customers.
    fn interval(&self, figure: impl Fn(&[usize], &[T]) -> f64) -> Option<[f64; 2]> {
        let settings = BootstrapSettings { n_resamples: RESAMPLES, seed: 0 };
        measure::bootstrap(self.segments.len(), settings, |rows| {
            let segments: Vec<usize> = rows.iter().map(|&row| self.segments[row]).collect();
            let values: Vec<T> = rows.iter().map(|&row| self.values[row].clone()).collect();
            figure(&segments, &values)
        })
    }
}

/// Joins an NDJSON export with a file of labels and measures their agreement.
///
/// # Errors
/// The file cannot be read, lacks a column, or shares no customer with the export.
pub fn agreement(export: &[u8], labels: &Path, customer: &str, label: &str) -> CliResult<Value> {
    let mut index = HashMap::new();
    let of_customer = column_of(labels, customer, label)?;
    let of_customer = of_customer.into_iter().map(|(id, label)| (id, index_of(&mut index, label))).collect();
    let joined = Joined::of(export, labels, &of_customer)?;
    let measured = measure::compare(&joined.values, &joined.segments);
    let mut labels_there = joined.values.clone();
    labels_there.sort_unstable();
    labels_there.dedup();
    Ok(json!({
        "n_customers": joined.segments.len(),
        "n_labels": labels_there.len(),
        "n_segments": joined.n_segments,
        "v_measure": measured.v_measure,
        "v_measure_interval": joined.interval(|segments, labels| measure::compare(labels, segments).v_measure),
        "homogeneity": measured.homogeneity,
        "completeness": measured.completeness,
        "ari": measured.ari,
        "ari_interval": joined.interval(|segments, labels| measure::compare(labels, segments).ari),
        "nmi": measured.nmi,
        "accuracy": measured.accuracy,
    }))
}

/// What the segments tell of a number of the next period.
fn prediction(export: &[u8], outcomes: &Path, customer: &str, outcome: &str) -> CliResult<Value> {
    let of_customer = numbers_of(outcomes, customer, outcome)?;
    let joined = Joined::of(export, outcomes, &of_customer)?;
    let measured = measure::predict(&joined.segments, &joined.values);
    let interval = |figure: fn(measure::Prediction) -> f64| {
        let of_drawn = |rows: &[usize]| figure(measure::predict_drawn(&joined.segments, &joined.values, rows));
        measure::bootstrap(joined.segments.len(), BootstrapSettings { n_resamples: RESAMPLES, seed: 0 }, of_drawn)
    };
    Ok(json!({
        "n_customers": joined.segments.len(),
        "outcome": outcome,
        "r2": measured.r2,
        "r2_interval": interval(|drawn| drawn.r2),
        "rank_correlation": measured.rank_correlation,
        "rank_correlation_interval": interval(|drawn| drawn.rank_correlation),
    }))
}

fn index_of(index: &mut HashMap<String, usize>, word: String) -> usize {
    let next = index.len();
    *index.entry(word).or_insert(next)
}
