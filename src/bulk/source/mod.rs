//! Inputs: windows of rows from each format, each with the place where it ends.

mod columnar;
mod csv;
mod ndjson;

use super::kept::Kept;
use super::{BulkError, Extent, Format, OnError, Settings};
use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};

/// A window of a text format ends after so many bytes even if it has not all its rows yet.
const MAX_WINDOW_BYTES: u64 = 64 << 20;

/// Wrong rows that are told one by one; the others are counted.
const MAX_TOLD: u64 = 20;

/// A place between two rows of the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Rows before it, without those left out.
    pub rows: u64,
    /// Rows before it that were left out.
    pub skipped: u64,
    /// Bytes read before it.
    pub byte: u64,
    /// Lines before it, in text formats.
    pub line: u64,
}

impl Mark {
    /// In the unit of the extent.
    pub fn position(&self, extent: Extent) -> u64 {
        match extent {
            Extent::Rows(_) => self.rows,
            Extent::Bytes(_) | Extent::Unknown => self.byte,
        }
    }
}

/// Some rows in a row.
pub struct Window {
    pub kept: Kept,
    pub texts: Vec<Option<String>>,
    /// What is wrong with rows that were left out, told one by one for the first of them.
    pub complaints: Vec<String>,
    /// Where it ends.
    pub end: Mark,
}

pub trait Source: Send {
    /// The next window; nothing at the end. Where a window ends follows from the input and the settings alone.
    ///
    /// # Errors
    /// [`BulkError::Wrong`] for a wrong row that is not to be skipped, or an input that can be read no further.
    fn next(&mut self) -> Result<Option<Window>, BulkError>;

    /// Goes on after a window's end, as if all before had been read.
    ///
    /// # Errors
    /// The input cannot be read there.
    fn seek(&mut self, mark: &Mark) -> Result<(), BulkError>;
}

/// An input, ready to be read.
pub struct Opened {
    pub source: Box<dyn Source>,
    /// Of the kept columns.
    pub schema: SchemaRef,
    pub extent: Extent,
}

/// # Errors
/// The input cannot be read, is not of its format, or lacks a column.
pub fn open(settings: &Settings) -> Result<Opened, BulkError> {
    match settings.input_format {
        Format::Csv => csv::open(settings),
        Format::Ndjson => ndjson::open(settings),
        Format::Parquet => columnar::open_parquet(settings),
        Format::Arrow | Format::ArrowStream => columnar::open_arrow(settings),
    }
}

/// What becomes of wrong rows.
struct Complaints {
    on_error: OnError,
    place: String,
}

impl Complaints {
    fn new(settings: &Settings) -> Self {
        Self { on_error: settings.on_error, place: settings.input.to_string() }
    }

    /// Leaves the row out, or stops.
    fn about(&self, line: u64, why: &str, window: &mut Window) -> Result<(), BulkError> {
        if self.on_error == OnError::Fail {
            let message = format!("{}, line {line}: {why}; --on-error skip leaves such rows out", self.place);
            return Err(BulkError::Wrong(message));
        }
        if window.end.skipped < MAX_TOLD {
            window.complaints.push(format!("line {line} is left out: {why}"));
        }
        window.end.skipped += 1;
        Ok(())
    }
}
