//! How a pull tells what it is doing, so that the command line can draw a bar and a service can log.

/// Told about every file in turn: `start`, any number of `advance`, `finish`. Notes come in between.
pub trait PullProgress {
    /// A file begins; `already` of its bytes are there from an earlier attempt.
    fn start(&self, file: &str, total_bytes: Option<u64>, already: u64);
    /// So many more bytes are there.
    fn advance(&self, bytes: u64);
    /// The file that was started has ended, well or not.
    fn finish(&self) {}
    /// A sentence for the user: which source is tried, why one gave way to the next.
    fn note(&self, message: &str);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct SilentProgress;

impl PullProgress for SilentProgress {
    fn start(&self, _file: &str, _total_bytes: Option<u64>, _already: u64) {}
    fn advance(&self, _bytes: u64) {}
    fn note(&self, _message: &str) {}
}

/// Writes notes and the beginning of every file to the log: for a model that is fetched because it was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoggedProgress;

impl PullProgress for LoggedProgress {
    fn start(&self, file: &str, total_bytes: Option<u64>, already: u64) {
        tracing::info!(file, total_bytes, already_bytes = already, "fetching the model's file {file}");
    }
    fn advance(&self, _bytes: u64) {}
    fn note(&self, message: &str) {
        tracing::info!("{message}");
    }
}
