//! `clientele fit`: divide the customers and publish the result.

use super::client::{Call, Client, Opening, Payload, encoded};
use super::progress::{JobView, follow};
use super::{CliResult, Target};
use crate::embed::DEFAULT_MODEL;
use clap::Args;
use serde_json::{Map, Value};
use std::path::Path;

/// Fit a segmentation on all reviews and publish it as the next version.
///
/// Vectors are kept as they are made: an interrupted fit, started again, goes on where it stopped.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele fit --name needs
  clientele fit --name needs --k 6 --seed 1
  clientele fit --name needs --model multilingual-e5-small
  clientele fit --name needs --model ./my-model-folder --url http://127.0.0.1:7700")]
pub struct FitArgs {
    /// What to call the segmentation: a-z, 0-9, '-' and '_'
    #[arg(long)]
    name: String,
    /// A model of the catalogue, or a folder that holds one [default: what the segmentation says, else all-MiniLM-L6-v2]
    #[arg(long)]
    model: Option<String>,
    /// The number of segments, or auto [default: what the segmentation says, else auto]
    #[arg(long)]
    k: Option<String>,
    /// The same facts and the same seed give the same segments [default: what the segmentation says, else 0]
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    target: Target,
}

pub fn run(args: &FitArgs) -> CliResult {
    let mut ask = Map::new();
    if let Some(model) = &args.model {
        ask.insert("model".into(), absolute(model).into());
    }
    if let Some(k) = &args.k {
        ask.insert("k".into(), k.as_str().into());
    }
    if let Some(seed) = args.seed {
        ask.insert("seed".into(), seed.into());
    }
    let client = args.target.connect(Opening::Work)?;
    let segmentation = format!("/v1/segmentations/{}", encoded(&args.name));
    if args.target.url.is_none() {
        super::models::ensure(&model(args, &client, &segmentation), &args.target.models)?;
    }
    let path = format!("{segmentation}/fit");
    let job: JobView = client.json(Call::post(path, Payload::Json(Value::Object(ask))))?;
    let report = follow(&client, job)?;
    print_summary(&report);
    println!("{report}");
    Ok(())
}

/// The model the fit will use.
fn model(args: &FitArgs, client: &Client, segmentation: &str) -> String {
    let standing = || client.json::<Value>(Call::get(segmentation.to_owned())).ok();
    let named = args.model.clone().or_else(|| Some(standing()?.pointer("/definition/model")?.as_str()?.to_owned()));
    named.unwrap_or_else(|| DEFAULT_MODEL.to_owned())
}

/// A folder is named from the root: the service may run elsewhere.
fn absolute(model: &str) -> String {
    let path = Path::new(model);
    if !path.is_dir() {
        return model.to_owned();
    }
    std::fs::canonicalize(path).map_or_else(|_| model.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// What came of a fit, for people, on standard error.
pub fn print_summary(report: &Value) {
    let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0);
    let figure = |name: &str| report.pointer(&format!("/quality/{name}")).and_then(Value::as_f64).unwrap_or(f64::NAN);
    eprintln!(
        "{} version {}: {} segments of {} customers ({} reviews, {} embedded now, {} cut at the model's limit)",
        report.get("segmentation").and_then(Value::as_str).unwrap_or("segmentation"),
        number(report.get("version")),
        number(report.get("k")),
        number(report.get("n_customers")),
        number(report.get("n_reviews")),
        number(report.get("n_embedded")),
        number(report.get("n_truncated")),
    );
    let text = |name: &str| report.get(name).and_then(Value::as_str).unwrap_or_default();
    eprintln!("model {} on {}", text("model"), text("device"));
    eprintln!(
        "silhouette {:.3}, stability {:.3}, largest share {:.3}",
        figure("silhouette"),
        figure("stability"),
        figure("largest_share")
    );
    for segment in report.get("segments").and_then(Value::as_array).into_iter().flatten() {
        let text = |i: usize| segment.get(i).and_then(Value::as_str).unwrap_or_default();
        let unstable =
            report.get("unstable").and_then(Value::as_array).is_some_and(|ids| ids.contains(&text(0).into()));
        let mark = if unstable { "  (unstable)" } else { "" };
        eprintln!("  {:<5} {:>7}  {}{mark}", text(0), number(segment.get(2)), text(1));
    }
}
