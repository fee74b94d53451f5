//! What ends the reading of a whole file, by what the caller can do about it.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("there is no kind {found:?}; there are reviews and events")]
    UnknownKind { found: String },
    #[error("there is no format {found:?}; there are csv and ndjson")]
    UnknownFormat { found: String },
    #[error("the format of {} is not told by its name; end it in .csv, .ndjson or .jsonl, or say the format", path.display())]
    UnknownExtension { path: PathBuf },
    #[error("{} cannot be opened: {why}", path.display())]
    Open { path: PathBuf, why: io::Error },
    #[error("{} cannot be read on from line {line}: {why}", path.display())]
    Read { path: PathBuf, line: u64, why: io::Error },
    /// No rows: nothing at all, blank lines alone, or a header alone.
    #[error("{} {what}; there is nothing to import", path.display())]
    Empty { path: PathBuf, what: &'static str },
    #[error("{} {what}", path.display())]
    WrongShape { path: PathBuf, what: &'static str },
    #[error("reviews need to be told which columns hold the customer and the text")]
    NoMapping,
    #[error("events are read from NDJSON, one Segment-spec call a line; CSV is for reviews")]
    EventsAsCsv,
    #[error("there is no column {column:?}{}; the header has {}", hint_text(hint.as_ref()), there.join(", "))]
    MissingColumn { column: String, there: Vec<String>, hint: Option<String> },
    #[error("the header has the column {column:?} more than once; rename one so that it is clear which is meant")]
    RepeatedColumn { column: String },
    #[error("the header is over 4 MiB or a quote in it never closes; the first line should name the columns")]
    BadHeader,
    #[error("{} ends before byte {byte}, where reading was to go on; it has changed since, so start from the beginning", path.display())]
    PastEnd { path: PathBuf, byte: u64 },
}

impl IngestError {
    /// Names the error for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownKind { .. } => "unknown_kind",
            Self::UnknownFormat { .. } | Self::UnknownExtension { .. } => "unknown_format",
            Self::Open { .. } | Self::Read { .. } => "unreadable_file",
            Self::Empty { .. } => "empty_file",
            Self::WrongShape { .. } => "wrong_shape",
            Self::NoMapping => "missing_mapping",
            Self::EventsAsCsv => "unsupported_format",
            Self::MissingColumn { .. } => "missing_column",
            Self::RepeatedColumn { .. } => "repeated_column",
            Self::BadHeader => "bad_header",
            Self::PastEnd { .. } => "file_changed",
        }
    }
}

fn hint_text(hint: Option<&String>) -> String {
    hint.map(|name| format!(" (is it {name:?}?)")).unwrap_or_default()
}
