//! Outside shapes into facts: files of reviews (CSV, NDJSON), files of Segment-spec calls (NDJSON), and the API's own JSON.
//!
//! One row in, one fact or one row error out. A bad row never stops a file; only a file that cannot be read at all does. A file
//! may be of any size: at most one record (4 MiB) is held at a time, and reading can go on from any row's [`Position`].

mod csv;
mod error;
mod frame;
mod hint;
mod review;
pub mod review_json;
mod rows;
pub mod segment_spec;
#[cfg(test)]
mod tests;
mod time;
mod unpack;

pub use error::IngestError;
pub use review::content_id;
pub use rows::Rows;
pub use unpack::{Packing, UnpackLimits, packing, unpack};

use crate::domain::{Fact, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One review a row; a [`Mapping`] says which column is what.
    Reviews,
    /// One Segment-spec call a line.
    Events,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Reviews => "reviews",
            Self::Events => "events",
        }
    }
}

impl FromStr for Kind {
    type Err = IngestError;

    fn from_str(text: &str) -> Result<Self, IngestError> {
        match text {
            "reviews" => Ok(Self::Reviews),
            "events" => Ok(Self::Events),
            other => Err(IngestError::UnknownKind { found: other.to_owned() }),
        }
    }
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// RFC 4180 with a header; `,`, `;` or tab between the cells, told from the header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// Tells the format from the file's extension: `.csv` and `.tsv`, or `.ndjson`, `.jsonl` and `.json`; `.gz` and `.zst`
    /// behind it are passed over.
    ///
    /// # Errors
    /// The extension is none of these.
    pub fn of_path(path: &Path) -> Result<Self, IngestError> {
        let name = path.file_name().and_then(|text| text.to_str()).unwrap_or_default().to_ascii_lowercase();
        let packed = [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|ending| name.strip_suffix(ending));
        let extension = packed.unwrap_or(&name).rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension {
            "csv" | "tsv" => Ok(Self::Csv),
            "ndjson" | "jsonl" | "json" => Ok(Self::Ndjson),
            _ => Err(IngestError::UnknownExtension { path: path.to_owned() }),
        }
    }
}

impl FromStr for Format {
    type Err = IngestError;

    fn from_str(text: &str) -> Result<Self, IngestError> {
        match text {
            "csv" => Ok(Self::Csv),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            other => Err(IngestError::UnknownFormat { found: other.to_owned() }),
        }
    }
}

/// Which column (CSV) or field (NDJSON, `a.b` for a nested one) holds what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub customer: String,
    pub text: String,
    /// Without it a review's id is derived from its content: see [`content_id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// A file and how to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub path: PathBuf,
    pub kind: Kind,
    pub format: Format,
    /// Needed for reviews; events have fields of their own and ignore it.
    pub mapping: Option<Mapping>,
}

/// Where in a file reading goes on. `Position::default()` is the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Rows behind, the bad ones included.
    pub rows: u64,
    /// Line that the next row starts on, or a blank one before it; counted from 1.
    pub line: u64,
    pub byte: u64,
    /// A quote that never closes was met: before this byte every line is read as a row of its own. 0 as a rule.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub one_line_rows_until: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A row that is no fact, with what to look at and why. Holds no cell's content: it may be personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("line {line}{}: {message}", column.as_deref().map(|name| format!(", {name}")).unwrap_or_default())]
pub struct RowError {
    /// Line that the row starts on, counted from 1.
    pub line: u64,
    /// The column, the field, or in a call the JSON pointer.
    pub column: Option<String>,
    /// One of [`CODES`].
    pub code: &'static str,
    pub message: String,
}

/// What is wrong at one place of a JSON value. Holds no content of the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{pointer}: {message}")]
pub struct FieldError {
    /// JSON pointer (RFC 6901); the empty one is the whole value.
    pub pointer: String,
    /// One of [`CODES`].
    pub code: &'static str,
    pub message: String,
}

/// One row of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Line that it starts on, counted from 1.
    pub line: u64,
    /// Where reading goes on after it.
    pub next: Position,
    pub fact: Result<Fact, RowError>,
}

/// Every code a row or a field can be refused with, and what it means.
pub const CODES: [(&str, &str); 15] = [
    ("bad_utf8", "the row is not UTF-8"),
    ("too_large", "the row is over 4 MiB, or the call over 32 KB"),
    ("unclosed_quote", "a quote opens in the row and never closes"),
    ("ragged_row", "the row has not as many cells as the header"),
    ("bad_json", "the line is not JSON"),
    ("not_an_object", "the value is JSON but not an object"),
    ("missing_field", "a field that is needed is absent or empty"),
    ("unknown_field", "a field that is not known, where only known ones are taken"),
    ("wrong_type", "a value has another JSON type than the field takes"),
    ("invalid_id", "an id is over 256 bytes, or holds a control character or a space at an end"),
    ("invalid_text", "the text is over 512 KiB or holds a NUL character"),
    ("invalid_rating", "the rating is not a finite number"),
    ("invalid_time", "the time is in none of the forms taken"),
    ("invalid_name", "the event's name is over 256 bytes or holds a control character"),
    ("unsupported_call", "the call's type is not supported yet"),
];

/// Opens a file for reading from a position.
///
/// `now` stands in for the time of rows that give none. A job passes the moment it was created, so that going on after an
/// interruption yields the same facts as an uninterrupted run.
///
/// # Errors
/// The file cannot be opened, is empty, is in another shape than said, lacks a mapped column, or ends before `from`.
pub fn open(source: &Source, from: Position, now: Timestamp) -> Result<Rows, IngestError> {
    let path = &source.path;
    let file = std::fs::File::open(path).map_err(|why| IngestError::Open { path: path.clone(), why })?;
    Rows::over(Box::new(file), source, from, now)
}
