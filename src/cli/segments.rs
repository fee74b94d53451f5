//! `clientele segments`: the live version's segments, what each is about and how it differs from everyone.

use super::client::{Call, Opening, encoded};
use super::{CliResult, Target};
use clap::Args;
use serde_json::Value;

/// Show the segments of a segmentation's live version: JSON on standard output, a summary on standard error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele segments needs --data-dir data
  clientele segments needs --url http://127.0.0.1:7700 | jq -r '.data[].portrait.rule.text_en'")]
pub struct SegmentsArgs {
    /// The segmentation's name
    name: String,
    #[command(flatten)]
    target: Target,
}

pub fn run(args: &SegmentsArgs) -> CliResult {
    let client = args.target.connect(Opening::Read)?;
    let path = format!("/v1/segmentations/{}/segments", encoded(&args.name));
    let answer: Value = client.json(Call::get(path))?;
    for segment in answer.get("data").and_then(Value::as_array).into_iter().flatten() {
        print_summary(segment);
    }
    println!("{answer}");
    Ok(())
}

/// A segment, for people.
fn print_summary(segment: &Value) {
    let text = |pointer: &str| segment.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
    eprintln!(
        "{:<5} {}: {} customers ({:.0} %), stability {:.2}",
        text("/id"),
        text("/name"),
        segment.get("size").and_then(Value::as_u64).unwrap_or(0),
        100.0 * number(segment, "share"),
        number(segment, "stability")
    );
    let terms: Vec<&str> = segment
        .get("keywords")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|keyword| keyword.get("term")?.as_str())
        .collect();
    if !terms.is_empty() {
        eprintln!("      words: {}", terms.join(", "));
    }
    for one in segment.pointer("/portrait/differences").and_then(Value::as_array).into_iter().flatten() {
        eprintln!(
            "      {:<34} {:>10.2} (everyone {:.2}), effect {:+.2} [{:+.2}, {:+.2}]",
            one.get("name_en").and_then(Value::as_str).unwrap_or_default(),
            number(one, "segment"),
            number(one, "everyone"),
            number(one, "effect"),
            number(one, "low"),
            number(one, "high")
        );
    }
    if let Some(rule) = segment.pointer("/portrait/rule").filter(|rule| rule.is_object()) {
        eprintln!(
            "      rule: {} (precision {:.2}, recall {:.2})",
            rule.get("text_en").and_then(Value::as_str).unwrap_or_default(),
            number(rule, "precision"),
            number(rule, "recall")
        );
    }
}
