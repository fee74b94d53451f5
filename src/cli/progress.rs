//! Bars on standard error for long work; nothing where standard error is not a terminal but one line a phase.

use super::client::{Call, Client};
use super::{CliError, CliResult};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;
use serde_json::Value;
use std::io::IsTerminal;
use std::time::Duration;

/// How often a job is asked how far it is.
const POLL: Duration = Duration::from_millis(150);

/// A job as its API shows it.
#[derive(Debug, Deserialize)]
pub struct JobView {
    pub id: String,
    pub state: String,
    progress: ProgressView,
    #[serde(default)]
    pub result: Option<Value>,
    #[serde(default)]
    error: Option<ErrorView>,
}

#[derive(Debug, Deserialize)]
struct ProgressView {
    phase: String,
    done: u64,
    total: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct ErrorView {
    code: String,
    detail: String,
}

impl JobView {
    pub fn is_final(&self) -> bool {
        matches!(self.state.as_str(), "succeeded" | "failed" | "cancelled")
    }
}

/// A bar that follows phases.
pub struct Phases {
    bar: ProgressBar,
    phase: String,
    terminal: bool,
}

impl Phases {
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, phase: String::new(), terminal }
    }

    pub fn show(&mut self, phase: &str, done: u64, total: Option<u64>) {
        if phase != self.phase && !phase.is_empty() {
            self.phase = phase.to_owned();
            self.bar.reset();
            self.bar.set_message(phase.to_owned());
            if !self.terminal {
                eprintln!("{phase} …");
            }
        }
        let template = if total.is_some() {
            "{msg:<22} {wide_bar} {percent:>3}%  {pos}/{len}  {per_sec}  ETA {eta}"
        } else {
            "{msg:<22} {spinner} {elapsed}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Follows a job to its end and gives its result.
///
/// # Errors
/// The job failed or was cancelled.
pub fn follow(client: &Client, mut job: JobView) -> CliResult<Value> {
    let mut phases = Phases::new();
    while !job.is_final() {
        phases.show(&job.progress.phase, job.progress.done, job.progress.total);
        std::thread::sleep(POLL);
        job = client.json(Call::get(format!("/v1/jobs/{}", job.id)))?;
    }
    phases.end();
    match (job.state.as_str(), job.result, job.error) {
        ("succeeded", Some(result), _) => Ok(result),
        (_, _, Some(error)) if matches!(error.code.as_str(), "internal" | "store_unavailable" | "busy") => {
            Err(CliError::Broken(anyhow::anyhow!("{} ({})", error.detail, error.code)))
        }
        (_, _, Some(error)) => Err(CliError::user(format!("{} ({})", error.detail, error.code))),
        (state, _, _) => Err(CliError::user(format!("the job {} was {state}", job.id))),
    }
}
