//! Texts of a file or a pipe into vectors, file or pipe again: the bulk command's engine. It streams: what it holds is a few
//! windows of rows, whatever the file's size.
//!
//! A window is a fixed number of rows counted from the input's start (a record batch as it came, on a pipe). It is read,
//! embedded and written as one, so the output depends on the input and the settings alone: not on time, and not on where a
//! run was killed and taken up again.

mod draft;
mod format;
mod identity;
mod input;
mod kept;
mod object;
mod pipeline;
mod sink;
mod source;

pub use format::{Format, Keep, OnError, Place, VectorType};

use crate::embed::{EmbedError, Embedder};
use draft::{Draft, Output};
use serde::{Deserialize, Serialize};
use source::Opened;
use std::path::PathBuf;
use std::sync::Arc;

/// What to do, as checked values.
#[derive(Debug, Clone)]
pub struct Settings {
    pub input: Place,
    pub input_format: Format,
    pub output: Place,
    pub output_format: Format,
    /// The column that holds the words.
    pub text: String,
    pub keep: Keep,
    pub vector_column: String,
    pub vector_type: VectorType,
    /// Put before every text; None is the model's own.
    pub prefix: Option<String>,
    /// Rows of a window.
    pub batch_rows: usize,
    pub on_error: OnError,
    /// Between the cells of a CSV row, in and out.
    pub delimiter: u8,
    /// Replace an output that is there.
    pub overwrite: bool,
    /// Forget what an earlier, killed run has done.
    pub restart: bool,
}

/// How much has been done, from the start of the input on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows written.
    pub rows: u64,
    /// Rows whose text is null or missing: their vector is null.
    pub without_text: u64,
    /// Wrong rows that were left out.
    pub skipped: u64,
    /// Tokens that went through the model.
    pub tokens: u64,
    /// Texts cut at the model's limit.
    pub truncated: u64,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub counts: Counts,
    /// Rows that an earlier, killed run had done.
    pub resumed_rows: u64,
    pub dimension: usize,
    pub model: String,
    pub device: String,
    pub precision: String,
}

/// How long the input is, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Rows(u64),
    Bytes(u64),
    Unknown,
}

/// Somebody who watches. Called from several threads.
pub trait Watch: Send + Sync {
    /// Work starts, or goes on, at this place of the input (in the extent's unit).
    fn begin(&self, extent: Extent, position: u64);
    /// So many texts and tokens more went through the model, which brings it to this place.
    fn advance(&self, n_texts: u64, n_tokens: u64, position: u64);
    fn note(&self, message: &str);
    fn end(&self);
}

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// The input or the settings are wrong; the sentence says how to mend them.
    #[error("{0}")]
    Wrong(String),
    /// Reading or writing failed.
    #[error("{what}")]
    Io { what: String, source: std::io::Error },
    #[error(transparent)]
    Model(#[from] EmbedError),
    /// A broken promise in this program or in a library.
    #[error("{0}")]
    Internal(String),
}

impl BulkError {
    fn wrong(message: impl Into<String>) -> Self {
        Self::Wrong(message.into())
    }

    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// An input that was opened and checked, before the model is loaded: what is wrong with a file is told at once.
pub struct Bulk {
    settings: Settings,
    opened: Opened,
}

impl Bulk {
    /// # Errors
    /// The input cannot be read or lacks a column, the output is there already, or the two formats do not go together.
    pub fn open(settings: Settings) -> Result<Self, BulkError> {
        settings.check()?;
        let opened = source::open(&settings)?;
        format::check_vector_column(&settings.vector_column, &opened.schema)?;
        Ok(Self { settings, opened })
    }

    /// Embeds every text and writes every row; goes on where an earlier run of the same work was killed.
    ///
    /// # Errors
    /// A row is wrong and not to be skipped, the model failed, or the output cannot be written.
    pub fn run(self, model: Arc<dyn Embedder>, watch: Arc<dyn Watch>) -> Result<Report, BulkError> {
        let Self { settings, opened } = self;
        let info = model.info().clone();
        let sink = sink::Sink::new(&settings, &opened.schema, info.dimension)?;
        let mut source = opened.source;
        let (output, done) = match &settings.output {
            Place::Pipe => (Output::pipe(), None),
            Place::File(path) => {
                let identity = identity::of(&settings, &info)?;
                let (draft, done) = Draft::begin(path.clone(), identity, settings.restart, &*watch)?;
                (Output::File(Box::new(draft)), done)
            }
        };
        let (start, counts) = done.map_or_else(Default::default, |done| (done.mark, done.counts));
        if start != source::Mark::default() {
            source.seek(&start)?;
        }
        let (extent, start) = (opened.extent, start.position(opened.extent));
        watch.begin(extent, start);
        let job = pipeline::Job { settings: &settings, extent, start, counts, watch: Arc::clone(&watch) };
        let counts_at_end = job.run(source, model, sink, output)?;
        watch.end();
        Ok(Report {
            counts: counts_at_end,
            resumed_rows: counts.rows,
            dimension: info.dimension,
            model: info.id,
            device: info.device,
            precision: info.precision.name().to_owned(),
        })
    }
}

impl Settings {
    fn check(&self) -> Result<(), BulkError> {
        if self.batch_rows == 0 {
            return Err(BulkError::wrong("--batch-rows is at least 1"));
        }
        if self.input == Place::Pipe && !self.input_format.streams() {
            let message = "a pipe cannot bring Parquet or the Arrow file format, whose index is at the end; \
                           name a file with --in, or send arrow-stream, ndjson or csv";
            return Err(BulkError::wrong(message));
        }
        match &self.output {
            Place::Pipe if !self.output_format.streams() => Err(BulkError::wrong(
                "a pipe does not take Parquet or the Arrow file format; \
                 name a file with --out, or choose --out-format arrow-stream, ndjson or csv",
            )),
            Place::File(path) => self.check_output(path),
            Place::Pipe => Ok(()),
        }
    }

    fn check_output(&self, path: &PathBuf) -> Result<(), BulkError> {
        let there = std::fs::canonicalize(path).ok();
        if let (Place::File(input), Some(there)) = (&self.input, &there)
            && std::fs::canonicalize(input).ok().as_ref() == Some(there)
        {
            return Err(BulkError::wrong(format!("{} is the input; name another file with --out", path.display())));
        }
        if path.is_dir() {
            return Err(BulkError::wrong(format!("{} is a folder; name a file with --out", path.display())));
        }
        if there.is_some() && !self.overwrite {
            let message =
                format!("{} is there already; --overwrite replaces it when the new one is whole", path.display());
            return Err(BulkError::wrong(message));
        }
        Ok(())
    }
}
