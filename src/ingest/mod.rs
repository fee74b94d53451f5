//! Outside shapes into facts: files of reviews (CSV, NDJSON, Parquet), files of Segment-spec calls (NDJSON), and the API's own JSON.
//!
//! One row in, one fact or one row error out. A bad row never stops a file; only a file that cannot be read at all does. A file
//! may be of any size: at most one record (4 MiB) is held at a time, and reading can go on from any row's [`Position`].

mod amount;
mod csv;
mod error;
mod frame;
mod hint;
pub mod item_json;
mod occurrence;
mod parquet;
pub mod profile;
mod record;
mod records;
mod review;
pub mod review_json;
mod rows;
pub mod segment_spec;
mod take;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_kinds;
#[cfg(test)]
mod tests_of_parquet;
mod time;
mod unpack;
mod vocabulary;

pub use error::IngestError;
pub use review::content_id;
pub use rows::Rows;
pub use unpack::{Packing, UnpackLimits, packing, unpack};
pub use vocabulary::{Vocabulary, VocabularyError};

use crate::domain::{Fact, Preferences, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One review a row; a [`Mapping`] says which column is what.
    Reviews,
    /// One Segment-spec call a line; with a mapping one event a row, in any format.
    Events,
    /// One customer a row: what is not the id or the time is a trait.
    Customers,
    /// One order a row, or one line of an order.
    Orders,
    /// One entry of the catalogue a row: what has no role is an attribute.
    Items,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Reviews => "reviews",
            Self::Events => "events",
            Self::Customers => "customers",
            Self::Orders => "orders",
            Self::Items => "items",
        }
    }

    /// Whether the columns that nobody named are kept as well.
    fn takes_all_columns(self) -> bool {
        matches!(self, Self::Events | Self::Customers | Self::Items)
    }
}

impl FromStr for Kind {
    type Err = IngestError;

    fn from_str(text: &str) -> Result<Self, IngestError> {
        match text {
            "reviews" => Ok(Self::Reviews),
            "events" => Ok(Self::Events),
            "customers" => Ok(Self::Customers),
            "orders" => Ok(Self::Orders),
            "items" => Ok(Self::Items),
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
    /// Apache Parquet; lines are told as row numbers.
    Parquet,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    /// Tells the format from the file's extension: `.csv` and `.tsv`, `.ndjson`, `.jsonl` and `.json`, or `.parquet` and `.pq`; `.gz` and `.zst`
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
            "parquet" | "pq" => Ok(Self::Parquet),
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
            "parquet" => Ok(Self::Parquet),
            other => Err(IngestError::UnknownFormat { found: other.to_owned() }),
        }
    }
}

/// Which column (CSV, Parquet) or field (NDJSON, `a.b` for a nested one) holds what.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Without it an id is derived from the content: see [`content_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// What a review is written in; found in its words where no column says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The event's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// What was paid for the whole order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What was taken off the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// Of one piece of the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// All lines of the order as JSON: a list of objects with `item`, `quantity`, `price` and `category`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the customer allows analytics: `true` or `false`, `yes` or `no`, `1` or `0`, `granted` or `withdrawn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_analytics: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_marketing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_profiling: Option<String>,
    /// The event's name where no column holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_name: Option<String>,
    /// The currency where no column holds it, or where that holds a sign that several share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency_code: Option<String>,
}

impl Mapping {
    /// What is mapped, by the role's name and the column's.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("customer", &self.customer),
            ("text", &self.text),
            ("id", &self.id),
            ("item", &self.item),
            ("rating", &self.rating),
            ("time", &self.time),
            ("language", &self.language),
            ("event", &self.event),
            ("total", &self.total),
            ("currency", &self.currency),
            ("discount", &self.discount),
            ("quantity", &self.quantity),
            ("price", &self.price),
            ("category", &self.category),
            ("lines", &self.lines),
            ("name", &self.name),
            ("description", &self.description),
            ("consent_analytics", &self.consent_analytics),
            ("consent_marketing", &self.consent_marketing),
            ("consent_profiling", &self.consent_profiling),
        ];
        all.into_iter().filter_map(|(role, name)| Some((role, name.as_deref()?)))
    }

    /// Whether it says all that a kind of files needs.
    ///
    /// # Errors
    /// What is missing, or makes no sense.
    pub fn check(&self, kind: Kind, format: Format) -> Result<(), IngestError> {
        take::check(self, kind, format)
    }
}

/// A file and how to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub path: PathBuf,
    pub kind: Kind,
    pub format: Format,
    /// Needed by all but events in NDJSON, which are calls of the Segment spec without one.
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
    /// Line that the row starts on, or the row's number in Parquet; counted from 1.
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

/// What rows are read with, beside the file itself.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Stands in for the time of rows that give none. A job passes the moment it was created, so that going on after an
    /// interruption yields the same facts as an uninterrupted run.
    pub now: Timestamp,
    pub vocabulary: Arc<Vocabulary>,
    /// Rows that are facts keep their text too: somebody may leave them out later.
    pub keeps_raw: bool,
}

/// One row of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Line that it starts on, counted from 1.
    pub line: u64,
    /// Rows of the file that it is made of: the lines of an order are one.
    pub n_rows: u64,
    /// Where reading goes on after it.
    pub next: Position,
    pub fact: Result<Fact, RowError>,
    /// What it says of consent beside the fact.
    pub preferences: Option<Preferences>,
    /// Where there is no fact, or [`Reading::keeps_raw`]: the rows as they stand in the file. Personal data, never to be logged.
    pub raw: Vec<RawRow>,
}

/// A row as it stands in the file; of a Parquet file as JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct RawRow {
    pub line: u64,
    pub text: String,
    /// It was longer than what is kept of a row.
    pub is_cut: bool,
}

impl std::fmt::Debug for RawRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RawRow(line {}, {} bytes)", self.line, self.text.len())
    }
}

/// Every code a row or a field can be refused with, and what it means.
pub const CODES: [(&str, &str); 21] = [
    ("bad_utf8", "the row is not UTF-8"),
    ("too_large", "the row is over 4 MiB, or what it says over 1 MiB, or a call of the API over 32 KB"),
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
    ("invalid_language", "the language is no code of ISO 639 such as zh or en-GB"),
    ("invalid_amount", "the amount is not a number of at most 15 digits, or is negative"),
    ("invalid_currency", "the currency is not three letters of ISO 4217"),
    ("invalid_consent", "a column of consent holds neither a yes nor a no"),
    ("conflicting_line", "a line of an order says otherwise than the order's first line"),
    ("too_many", "there are too many rows without an id to tell apart"),
    ("invalid_name", "the event's name is over 256 bytes or holds a control character"),
    ("unsupported_call", "the call's type is none of the spec's"),
];

/// Opens a file for reading from a position.
///
/// # Errors
/// The file cannot be opened, is empty, is in another shape than said, lacks a mapped column, or ends before `from`.
pub fn open(source: &Source, from: Position, reading: Reading) -> Result<Rows, IngestError> {
    Rows::open(source, from, reading)
}
