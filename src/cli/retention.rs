//! `clientele retention`: how long facts are kept, and removing what is older.

use super::client::{Call, Opening, Payload};
use super::progress::{JobView, follow};
use super::{CliResult, Target};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// How long facts are kept, and removing what is older. A service does it by itself once a day.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele retention show
  clientele retention run --dry-run
  clientele retention run --url http://127.0.0.1:7700 --key ck_…")]
pub struct RetentionArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print for how many days each kind of facts is kept; PUT /v1/retention changes it
    #[command(after_help = "Example:\n  clientele retention show --data-dir data")]
    Show,
    /// Remove what is older, now
    #[command(after_help = "Example:\n  clientele retention run --dry-run --data-dir data")]
    Run {
        /// Count it, and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
}

pub fn run(args: &RetentionArgs) -> CliResult {
    match args.what {
        What::Show => {
            let client = args.target.connect(Opening::Read)?;
            let retention: Value = client.json(Call::get("/v1/retention".to_owned()))?;
            println!("{}", serde_json::to_string_pretty(&retention)?);
        }
        What::Run { dry_run } => {
            let client = args.target.connect(Opening::Work)?;
            let ask = Payload::Json(json!({ "dry_run": dry_run }));
            let job: JobView = client.json(Call::post("/v1/retention:run".to_owned(), ask))?;
            println!("{}", follow(&client, job)?);
        }
    }
    Ok(())
}
