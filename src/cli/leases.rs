//! How long a process keeps a job that it does not speak of: settings of all commands that do jobs.

use super::{CliError, CliResult};
use crate::app::JobSettings;
use clap::Args;
use std::time::Duration;

#[derive(Debug, Clone, Default, Args)]
pub struct LeaseArgs {
    /// Seconds after which a job of a process that is silent is taken up by another on the same store
    #[arg(
        long,
        env = "CLIENTELE_JOB_LEASE",
        default_value = "30",
        value_name = "SECONDS",
        global = true,
        hide_short_help = true
    )]
    job_lease: String,
    /// Seconds between two words of a process that is at a job; below the half of the lease
    #[arg(
        long,
        env = "CLIENTELE_JOB_HEARTBEAT",
        default_value = "10",
        value_name = "SECONDS",
        global = true,
        hide_short_help = true
    )]
    job_heartbeat: String,
}

impl LeaseArgs {
    /// # Errors
    /// One is no number of seconds, or they do not fit together.
    pub fn settings(&self) -> CliResult<JobSettings> {
        let lease = seconds("--job-lease", &self.job_lease)?;
        let heartbeat = seconds("--job-heartbeat", &self.job_heartbeat)?;
        if heartbeat * 2 > lease {
            let why = "--job-heartbeat has to be at most half of --job-lease, so that one late word loses no job";
            return Err(CliError::user(why));
        }
        Ok(JobSettings { lease, heartbeat, ..JobSettings::default() })
    }
}

fn seconds(flag: &str, text: &str) -> CliResult<Duration> {
    let takes = || CliError::user(format!("{flag} {text:?} takes seconds from 0.05 to 86400, such as 30"));
    let seconds: f64 = text.parse().map_err(|_| takes())?;
    if (0.05..=86_400.0).contains(&seconds) { Ok(Duration::from_secs_f64(seconds)) } else { Err(takes()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(lease: &str, heartbeat: &str) -> Result<(u128, u128), String> {
        let args = LeaseArgs { job_lease: lease.into(), job_heartbeat: heartbeat.into() };
        match args.settings() {
            Ok(settings) => Ok((settings.lease.as_millis(), settings.heartbeat.as_millis())),
            Err(CliError::User(why)) => Err(why),
            Err(CliError::Broken(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn leases_are_seconds_and_hold_two_heartbeats() {
        assert_eq!(settings("30", "10"), Ok((30_000, 10_000)));
        assert_eq!(settings("0.5", "0.25"), Ok((500, 250)));
        for (lease, heartbeat, says) in [
            ("30", "16", "half"),
            ("0", "0", "--job-lease"),
            ("30", "-1", "--job-heartbeat"),
            ("NaN", "1", "--job-lease"),
            ("1e9", "1", "--job-lease"),
            ("30s", "1", "--job-lease"),
        ] {
            let why = settings(lease, heartbeat).unwrap_err();
            assert!(why.contains(says), "{lease} {heartbeat}: {why}");
        }
    }
}
