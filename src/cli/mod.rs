//! The command line: one file a command. Every command but `serve`, `models`, `embed` and `store` is a client of the HTTP API: of a running
//! service with `--url`, or of the same router in this process with `--data-dir`.

mod client;
mod demo;
mod doctor;
mod embed;
mod evaluate;
mod export;
mod fit;
mod import;
mod import_profile;
mod keys;
mod leases;
mod lookup;
mod memory;
mod models;
mod plant;
mod progress;
mod retention;
mod segments;
mod serve;
mod store;

use clap::{Args, Parser, Subcommand};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// Customer segments from what customers say and do.
#[derive(Debug, Parser)]
#[command(
    name = "clientele",
    version,
    max_term_width = 110,
    after_help = "Examples:
  clientele demo                                          a sample shop, fitted and served
  clientele serve --data-dir data                         the service with its console on http://127.0.0.1:7700
  clientele import --kind reviews --customer user --text body reviews.csv --data-dir data
  clientele fit --name needs --data-dir data
  clientele export --segmentation needs --format csv --data-dir data > segments.csv
  clientele lookup c00042 --data-dir data
  clientele doctor data --data-dir data
  clientele segments needs --data-dir data
  clientele embed --in reviews.parquet --out vectors.parquet --text body

Exit codes: 0 done, 2 something in the request or the input is wrong, 1 something broke."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Demo(demo::DemoArgs),
    Import(Box<import::ImportArgs>),
    Fit(Box<fit::FitArgs>),
    Export(export::ExportArgs),
    Lookup(lookup::LookupArgs),
    Segments(segments::SegmentsArgs),
    Embed(embed::EmbedArgs),
    Evaluate(evaluate::EvaluateArgs),
    Plant(plant::PlantArgs),
    Models(models::ModelsArgs),
    Keys(keys::KeysArgs),
    Store(store::StoreArgs),
    Retention(retention::RetentionArgs),
    Doctor(doctor::DoctorArgs),
    /// Print the OpenAPI document.
    Openapi,
}

/// Where a command does its work.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// The folder that holds the store; used directly, while no service runs on it [default: clientele-data]
    #[arg(long, env = "CLIENTELE_DATA_DIR", conflicts_with = "url", value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// A PostgreSQL store, postgres://USER:PASSWORD@HOST/DATABASE, or another folder than the data folder's store
    #[arg(
        long,
        env = "CLIENTELE_STORE",
        hide_env_values = true,
        conflicts_with = "url",
        value_name = "URL",
        global = true
    )]
    store: Option<String>,
    /// A running service, for example http://127.0.0.1:7700
    #[arg(long, env = "CLIENTELE_URL", global = true)]
    url: Option<String>,
    /// A key for that service
    #[arg(long, env = "CLIENTELE_KEY", hide_env_values = true, requires = "url", global = true)]
    key: Option<String>,
    /// The workspace, with --data-dir (a key has its own)
    #[arg(long, default_value = "default", global = true)]
    workspace: String,
    /// What your events mean: a TOML file of names and fields, before the standard ones (docs/events.md)
    #[arg(long, env = "CLIENTELE_VOCABULARY", value_name = "FILE", global = true)]
    vocabulary: Option<PathBuf>,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    leases: leases::LeaseArgs,
}

/// How models are found and run.
#[derive(Debug, Clone, Default, Args)]
pub struct ModelArgs {
    /// Where model folders lie and pulled ones land
    #[arg(long, env = "CLIENTELE_MODELS_DIR", value_name = "DIR", global = true)]
    models_dir: Option<PathBuf>,
    /// auto, cpu, or cuda:N
    #[arg(long, env = "CLIENTELE_DEVICE", default_value = "auto", global = true)]
    device: String,
    /// What the model computes in: f32, bf16, int8 (f16 on CUDA), or auto: the fastest that leaves vectors as they are
    #[arg(long, env = "CLIENTELE_PRECISION", default_value = "auto", global = true)]
    precision: String,
    /// Never fetch a model: use what is there, or fail
    #[arg(long, env = "CLIENTELE_OFFLINE", value_parser = clap::builder::FalseyValueParser::new(), global = true)]
    offline: bool,
    /// What the weights of all loaded models may take: 2GiB, 500MiB, none, or half: of the memory there is. Models at rest
    /// make room for others
    #[arg(long, env = "CLIENTELE_MODELS_MEMORY", default_value = "half", value_name = "SIZE", global = true)]
    models_memory: String,
    /// Vectors kept for texts that come again: 64MiB, 0 for none
    #[arg(long, env = "CLIENTELE_EMBED_CACHE", default_value = "64MiB", value_name = "SIZE", global = true)]
    embed_cache: String,
}

/// Why a command did not do its work.
#[derive(Debug)]
pub enum CliError {
    /// What was asked, or what it was asked of, is wrong: exit code 2.
    User(String),
    /// Something broke: exit code 1.
    Broken(anyhow::Error),
}

pub type CliResult<T = ()> = Result<T, CliError>;

impl CliError {
    pub fn user(message: impl Into<String>) -> Self {
        Self::User(message.into())
    }
}

impl<E: Into<anyhow::Error>> From<E> for CliError {
    fn from(error: E) -> Self {
        let error = error.into();
        match error.downcast_ref::<crate::store::StoreError>() {
            Some(why) if why.may_pass() => Self::Broken(error),
            None => Self::Broken(error),
            Some(_) => Self::User(format!("{error:#}")),
        }
    }
}

/// Runs the command that was typed.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    start_telemetry(matches!(cli.command, Command::Serve(_)));
    let result = match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Fit(args) => fit::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Lookup(args) => lookup::run(&args),
        Command::Segments(args) => segments::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Plant(args) => plant::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Store(args) => store::run(&args),
        Command::Retention(args) => retention::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Openapi => print_openapi(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::User(message)) => {
            eprintln!("clientele: {message}");
            ExitCode::from(2)
        }
        // `head` closed the pipe: that is an end, not an error.
        Err(CliError::Broken(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(CliError::Broken(error)) => {
            eprintln!("clientele: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is = |kind| kind == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|error| is(error.kind())))
}

fn print_openapi() -> CliResult {
    println!("{}", crate::api::openapi().to_pretty_json()?);
    Ok(())
}

/// Logs go to standard error: readable on a terminal, JSON with `CLIENTELE_LOG_FORMAT=json`; `RUST_LOG` chooses what.
fn start_telemetry(service: bool) {
    use tracing_subscriber::EnvFilter;
    let default = if service { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let json = std::env::var("CLIENTELE_LOG_FORMAT").is_ok_and(|format| format == "json");
    // A second subscriber (in a test) is not installed, and that is fine.
    let colours = std::io::stderr().is_terminal();
    let _ = if json { builder.json().try_init() } else { builder.with_target(false).with_ansi(colours).try_init() };
}
