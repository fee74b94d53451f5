//! `clientele models`: what models there are, fetching them, checking them.

use super::{CliError, CliResult, ModelArgs};
use crate::embed::{self, EmbedError, FileState, ModelListing, Presence, PullProgress};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// List, fetch and check the models that turn text into vectors.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele models list
  clientele models pull                                   the default model
  clientele models pull multilingual-e5-small
  HF_ENDPOINT=https://mirror.example clientele models pull multilingual-e5-small
  clientele models verify
  clientele models path all-MiniLM-L6-v2

Any local folder of a BERT-style model works without this: clientele fit --model FOLDER …")]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
    #[command(flatten)]
    models: ModelArgs,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// The catalogue, and what of it is on this machine
    List {
        /// One JSON document instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model: missing and wrong files only, each checked before it takes its place; interrupted, it goes on
    Pull {
        #[arg(default_value = embed::DEFAULT_MODEL, value_name = "MODEL")]
        ids: Vec<String>,
    },
    /// Check every byte of a model's files (by default of all models that are here)
    Verify {
        #[arg(value_name = "MODEL")]
        ids: Vec<String>,
    },
    /// The folder of a model that is here
    Path {
        #[arg(default_value = embed::DEFAULT_MODEL, value_name = "MODEL")]
        id: String,
    },
}

pub fn run(args: &ModelsArgs) -> CliResult {
    let models_dir = embed::models_dir(args.models.models_dir.as_deref());
    match &args.command {
        ModelsCommand::List { json } => list(&models_dir, *json),
        ModelsCommand::Pull { ids } => ids.iter().try_for_each(|id| {
            let folder = pull(id, &models_dir, args.models.offline)?;
            println!("{}", folder.display());
            Ok(())
        }),
        ModelsCommand::Verify { ids } => verify(ids, &models_dir),
        ModelsCommand::Path { id } => path(id, &models_dir),
    }
}

/// Makes sure that a model is here before work on it starts, so that what must be fetched is fetched with a bar.
///
/// # Errors
/// There is no such model, or no source gives it.
pub fn ensure(model: &str, args: &ModelArgs) -> CliResult {
    let models_dir = embed::models_dir(args.models_dir.as_deref());
    let bars = Bars::new();
    embed::resolve_with(model, &models_dir, args.offline, &bars).map_err(mendable)?;
    Ok(())
}

fn pull(id: &str, models_dir: &Path, offline: bool) -> CliResult<PathBuf> {
    embed::pull(id, models_dir, offline, &Bars::new()).map_err(mendable)
}

fn list(models_dir: &Path, json: bool) -> CliResult {
    let models = embed::list(models_dir);
    if json {
        println!("{}", serde_json::to_string_pretty(&models)?);
        return Ok(());
    }
    println!(
        "{:<24} {:<12} {:>4} {:>6}  {:<11} {:<24} IS HERE",
        "MODEL", "LICENCE", "DIM", "TOKENS", "SIZE", "LANGUAGES"
    );
    for ModelListing { model, folder, presence } in &models {
        let default = if model.id.as_str() == embed::DEFAULT_MODEL { " (default)" } else { "" };
        let here = match presence {
            Presence::Complete => format!("yes: {}", folder.display()),
            Presence::Incomplete => format!("in part: clientele models pull {}", model.id),
            Presence::Absent => "no".into(),
        };
        let megabytes = model.files.iter().filter_map(|file| file.size).sum::<u64>() / 1_000_000;
        println!(
            "{:<24} {:<12} {:>4} {:>6}  {:<11} {:<24} {here}{default}",
            model.id.as_str(),
            model.licence,
            model.dimension,
            model.max_tokens,
            format!("{megabytes} MB"),
            model.languages.join(", "),
        );
    }
    Ok(())
}

fn path(id: &str, models_dir: &Path) -> CliResult {
    let is_meant =
        |listing: &ModelListing| embed::catalogue().find(id).is_some_and(|model| model.id == listing.model.id);
    let folder = match embed::list(models_dir).into_iter().find(is_meant) {
        Some(listing) if listing.presence == Presence::Complete => listing.folder,
        Some(listing) => {
            return Err(CliError::user(format!(
                "{id} is not here; fetch it with `clientele models pull {}`",
                listing.model.id
            )));
        }
        None => embed::resolve(id, models_dir, true).map_err(mendable)?.folder,
    };
    println!("{}", folder.display());
    Ok(())
}

fn verify(ids: &[String], models_dir: &Path) -> CliResult {
    let here = || {
        let listed = embed::list(models_dir).into_iter().filter(|listing| listing.presence != Presence::Absent);
        listed.map(|listing| listing.model.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    let ids = if ids.is_empty() { here() } else { ids.to_vec() };
    if ids.is_empty() {
        return Err(CliError::user(format!(
            "no model is in {}; fetch one with `clientele models pull`",
            models_dir.display()
        )));
    }
    let mut wrong = Vec::new();
    for id in &ids {
        for check in embed::verify(id, models_dir).map_err(mendable)? {
            let state = match check.state {
                FileState::Ok if check.pinned => "ok".to_owned(),
                FileState::Ok => "ok by its size; its sha256 is not known here".to_owned(),
                FileState::Missing => "missing".to_owned(),
                FileState::WrongSize { expected, found } => format!("WRONG: {found} bytes, {expected} expected"),
                FileState::WrongSha256 { expected, found } => format!("WRONG: sha256 {found}, {expected} expected"),
                FileState::Unreadable { why } => format!("WRONG: cannot be read: {why}"),
            };
            if !state.starts_with("ok") {
                wrong.push(id.clone());
            }
            println!("{id}/{}: {state}", check.file);
        }
    }
    wrong.dedup();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(CliError::user(format!("run `clientele models pull {}`", wrong.join(" ")))),
    }
}

/// What is wrong with a model is for the user to mend.
fn mendable(error: EmbedError) -> CliError {
    CliError::user(error.to_string())
}

/// A bar a file; one line a file where standard error is no terminal.
struct Bars {
    current: Mutex<Option<ProgressBar>>,
    terminal: bool,
}

impl Bars {
    fn new() -> Self {
        Self { current: Mutex::new(None), terminal: std::io::stderr().is_terminal() }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Option<ProgressBar>) -> T) -> T {
        act(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PullProgress for Bars {
    fn start(&self, file: &str, total_bytes: Option<u64>, already: u64) {
        if !self.terminal {
            eprintln!("fetching {file} …");
            return;
        }
        let bar = total_bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = if total_bytes.is_some() {
            "{msg:<28} {wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  ETA {eta}"
        } else {
            "{msg:<28} {spinner} {bytes}  {bytes_per_sec}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(file.to_owned());
        bar.set_position(already);
        self.with(|current| *current = Some(bar));
    }

    fn advance(&self, bytes: u64) {
        self.with(|current| current.iter().for_each(|bar| bar.inc(bytes)));
    }

    fn finish(&self) {
        if let Some(bar) = self.with(Option::take) {
            bar.finish_and_clear();
        }
    }

    fn note(&self, message: &str) {
        let print = || eprintln!("{message}");
        self.with(|current| match current {
            Some(bar) => bar.suspend(print),
            None => print(),
        });
    }
}
