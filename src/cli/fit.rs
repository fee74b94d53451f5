//! `clientele fit`: divide the customers and publish the result.

use super::client::{Call, Client, Opening, Payload, encoded};
use super::progress::{JobView, follow};
use super::{CliError, CliResult, Target};
use crate::embed::DEFAULT_MODEL;
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Fit a segmentation on what customers say, do and are, and publish it as the next version.
///
/// Vectors are kept as they are made: an interrupted fit, started again, goes on where it stopped.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele fit --name needs
  clientele fit --name needs --k 6 --seed 1
  clientele fit --name words --blocks text=1
  clientele fit --name value --blocks behaviour=1 --features recency,frequency,monetary
  clientele fit --name both --blocks text=1,behaviour=2,traits=0.5 --without-traits email
  clientele fit --name best --blocks auto --as-of 2026-11-01T00:00:00Z
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
    /// What counts, and how much: text=1,behaviour=1,traits=0.5; or all (each with weight 1), or auto (weights are sought) [default: what
    /// the segmentation says, else all]
    #[arg(long, value_name = "WEIGHTS")]
    blocks: Option<String>,
    /// Features of the behaviour block, by id and with commas; * at the end of one stands for all that begin like it [default: all]
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    features: Option<Vec<String>>,
    /// Features to leave out
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    without_features: Option<Vec<String>>,
    /// Traits, by name and with commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    traits: Option<Vec<String>>,
    /// Traits to leave out
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    without_traits: Option<Vec<String>>,
    /// Facts until then count: 2026-11-01T00:00:00Z, or newest [default: what the segmentation says, else newest]
    #[arg(long, value_name = "MOMENT")]
    as_of: Option<String>,
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
    add_inputs(args, &mut ask)?;
    let client = args.target.connect(Opening::Work)?;
    let segmentation = format!("/v1/segmentations/{}", encoded(&args.name));
    if args.target.url.is_none() {
        let standing = client.json::<Value>(Call::get(segmentation.clone())).unwrap_or_default();
        if needs_a_model(&ask, &standing, &client) {
            super::models::ensure(&model(args, &standing), &args.target.models)?;
        }
    }
    let path = format!("{segmentation}/fit");
    let job: JobView = client.json(Call::post(path, Payload::Json(Value::Object(ask))))?;
    let report = follow(&client, job)?;
    print_summary(&report);
    println!("{report}");
    Ok(())
}

/// What customers are to be grouped by, where something was said of it.
fn add_inputs(args: &FitArgs, ask: &mut Map<String, Value>) -> CliResult {
    if let Some(text) = &args.blocks {
        ask.insert("blocks".into(), blocks(text)?);
    }
    for (of, only, without) in
        [("features", &args.features, &args.without_features), ("traits", &args.traits, &args.without_traits)]
    {
        if only.is_some() || without.is_some() {
            ask.insert(of.into(), json!({ "only": only, "without": without }));
        }
    }
    if let Some(as_of) = &args.as_of {
        ask.insert("as_of".into(), as_of.as_str().into());
    }
    Ok(())
}

/// `text=1,behaviour=0.5` as weights; what has no `=` is a word the service knows.
fn blocks(text: &str) -> CliResult<Value> {
    if !text.contains('=') {
        return Ok(text.into());
    }
    let mut weights = Map::new();
    for part in text.split(',') {
        let weight =
            part.split_once('=').and_then(|(block, weight)| Some((block.trim(), weight.trim().parse::<f64>().ok()?)));
        let Some((block, weight)) = weight else {
            return Err(CliError::user(format!(
                "--blocks has {part:?}; give text=1,behaviour=1,traits=0.5, or all, or auto"
            )));
        };
        weights.insert(block.to_owned(), weight.into());
    }
    Ok(weights.into())
}

/// Whether texts may count and there are any.
fn needs_a_model(ask: &Map<String, Value>, standing: &Value, client: &Client) -> bool {
    let blocks = ask.get("blocks").or_else(|| standing.pointer("/definition/blocks"));
    let may_use = match blocks {
        Some(Value::Object(weights)) => weights.get("text").and_then(Value::as_f64).is_some_and(|weight| weight > 0.0),
        _ => true,
    };
    let workspace = || client.json::<Value>(Call::get("/v1/workspace".to_owned())).ok();
    may_use && workspace().and_then(|all| all.get("reviews")?.as_u64()) != Some(0)
}

/// The model the fit will use.
fn model(args: &FitArgs, standing: &Value) -> String {
    let named = || standing.pointer("/definition/model").and_then(Value::as_str).map(str::to_owned);
    args.model.clone().or_else(named).unwrap_or_else(|| DEFAULT_MODEL.to_owned())
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
    if !text("model").is_empty() {
        eprintln!("model {} on {}", text("model"), text("device"));
    }
    if let Some(weights) = report.get("weights").and_then(Value::as_object) {
        let shown: Vec<String> = weights.iter().map(|(block, weight)| format!("{block} {weight}")).collect();
        eprintln!("weights: {}", shown.join(", "));
    }
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
