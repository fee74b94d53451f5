//! `clientele lookup`: which segments is this customer in; where would the writer of this text be.

use super::client::{Call, Opening, Payload, encoded};
use super::{CliError, CliResult, Target};
use clap::Args;
use serde_json::{Value, json};

/// Look a customer up, or place a text that is not stored.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele lookup c00042
  clientele lookup --segmentation needs --text \"the grinder is loud but the coffee is great\"")]
pub struct LookupArgs {
    /// The customer's id
    #[arg(required_unless_present = "text", conflicts_with = "text")]
    customer: Option<String>,
    /// A text to place instead
    #[arg(long, requires = "segmentation")]
    text: Option<String>,
    /// The segmentation that places the text
    #[arg(long)]
    segmentation: Option<String>,
    #[command(flatten)]
    target: Target,
}

pub fn run(args: &LookupArgs) -> CliResult {
    let client = args.target.connect(Opening::Read)?;
    let call = match (&args.customer, &args.text, &args.segmentation) {
        (Some(customer), _, _) => Call::get(format!("/v1/customers/{}/segments", encoded(customer))),
        (None, Some(text), Some(segmentation)) => {
            let path = format!("/v1/segmentations/{}/assign", encoded(segmentation));
            Call::post(path, Payload::Json(json!({ "text": text })))
        }
        _ => return Err(CliError::user("give a customer, or --text with --segmentation")),
    };
    let answer: Value = client.json(call)?;
    println!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(())
}
