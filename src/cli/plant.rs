//! `clientele plant`: customers whose segments are known, as files to import.

use super::{CliError, CliResult};
use crate::demo::{PlantedKind, PlantedSettings, write_planted};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Write made-up customers whose segments are known, to measure a segmentation on.
///
/// Three files: events.ndjson and reviews.csv to import, and truth.csv (customer_id, segment_before, segment) to compare with.
/// The same kind, number and seed give the same bytes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele plant --kind joint --out planted
  clientele import --kind events planted/events.ndjson --data-dir data
  clientele import --kind reviews --customer customer_id --text text --id review_id planted/reviews.csv --data-dir data
  clientele fit --name planted --data-dir data
  clientele evaluate --segmentation planted --truth planted/truth.csv --label segment --data-dir data")]
pub struct PlantArgs {
    /// What is hidden
    #[arg(long, value_enum, default_value = "joint")]
    kind: Kind,
    #[arg(long, default_value_t = 1800)]
    customers: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A folder; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Nine segments that neither words nor behaviour show alone
    Joint,
    /// Five topics, no habits
    Text,
    /// Four habits, no topics
    Behaviour,
    /// As joint, and every fifth customer in no segment
    Noise,
    /// As joint, from 30 to 2 customers in a hundred
    Imbalance,
    /// Six segments that change at the middle of the year
    Drift,
}

impl Kind {
    fn planted(self) -> PlantedKind {
        match self {
            Self::Joint => PlantedKind::Joint,
            Self::Text => PlantedKind::Text,
            Self::Behaviour => PlantedKind::Behaviour,
            Self::Noise => PlantedKind::Noise,
            Self::Imbalance => PlantedKind::Imbalance,
            Self::Drift => PlantedKind::Drift,
        }
    }
}

pub fn run(args: &PlantArgs) -> CliResult {
    let settings = PlantedSettings { kind: args.kind.planted(), n_customers: args.customers, seed: args.seed };
    let files = write_planted(settings, &args.out)
        .map_err(|error| CliError::user(format!("{} cannot be written: {error}", args.out.display())))?;
    let (kind, n) = (settings.kind.as_str(), settings.n_customers);
    eprintln!("{n} customers ({kind}) are in {}", args.out.display());
    let shown = |path: &std::path::Path| path.display().to_string();
    let files = serde_json::json!({"events": shown(&files.events), "reviews": shown(&files.reviews), "truth": shown(&files.truth)});
    println!("{}", serde_json::to_string_pretty(&files)?);
    Ok(())
}
