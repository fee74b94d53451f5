//! What ends the reading of a whole file, by what the caller can do about it.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("there is no kind {found:?}; there are reviews, events, customers, orders and items")]
    UnknownKind { found: String },
    #[error("there is no format {found:?}; there are csv, ndjson and parquet")]
    UnknownFormat { found: String },
    #[error("the format of {} is not told by its name; end it in .csv, .ndjson, .jsonl or .parquet (and .gz or .zst), or say the format", path.display())]
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
    #[error("{kind} need to be told {what}")]
    NoMapping { kind: &'static str, what: &'static str },
    #[error("{0}")]
    BadMapping(String),
    #[error("there is no column {column:?}{}; the header has {}", hint_text(hint.as_ref()), there.join(", "))]
    MissingColumn { column: String, there: Vec<String>, hint: Option<String> },
    #[error("the header has the column {column:?} more than once; rename one so that it is clear which is meant")]
    RepeatedColumn { column: String },
    #[error("the header is over 4 MiB or a quote in it never closes; the first line should name the columns")]
    BadHeader,
    #[error("{} ends before byte {byte}, where reading was to go on; it has changed since, so start from the beginning", path.display())]
    PastEnd { path: PathBuf, byte: u64 },
    #[error("{} cannot be unpacked: its {packing} data is damaged at about byte {byte} ({why}); send it again", path.display())]
    Damaged { path: PathBuf, packing: &'static str, byte: u64, why: String },
    #[error("{} cannot be unpacked: its {packing} data breaks off at byte {byte}; it was cut short, so send it whole", path.display())]
    CutShort { path: PathBuf, packing: &'static str, byte: u64 },
    /// What a bomb meets.
    #[error("{} unpacks to over {limit_bytes} bytes, the limit {limit}; split it, or send it unpacked", path.display())]
    UnpacksTooLarge { path: PathBuf, limit_bytes: u64, limit: &'static str },
    #[error("there is no room on the disk to unpack {}: {free_bytes} bytes are free and {kept_bytes} have to stay so; make room and start again", path.display())]
    NoRoom { path: PathBuf, free_bytes: u64, kept_bytes: u64 },
    #[error("what {} unpacks to cannot be written: {why}", path.display())]
    Write { path: PathBuf, why: io::Error },
    #[error("{} cannot be read as Parquet{}: {why}", path.display(), after_row(*row))]
    BadParquet { path: PathBuf, row: u64, why: String },
    #[error("unpacking {} was stopped", path.display())]
    Stopped { path: PathBuf },
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
            Self::NoMapping { .. } => "missing_mapping",
            Self::BadMapping(_) => "invalid_mapping",
            Self::MissingColumn { .. } => "missing_column",
            Self::RepeatedColumn { .. } => "repeated_column",
            Self::BadHeader => "bad_header",
            Self::PastEnd { .. } => "file_changed",
            Self::BadParquet { .. } | Self::Damaged { .. } | Self::CutShort { .. } => "damaged_file",
            Self::UnpacksTooLarge { .. } => "too_large",
            Self::NoRoom { .. } => "no_room",
            Self::Write { .. } => "unwritable",
            Self::Stopped { .. } => "stopped",
        }
    }

    /// Whether the service's own disk is what is wrong, and not the file.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::NoRoom { .. } | Self::Write { .. })
    }
}

fn after_row(row: u64) -> String {
    if row == 0 { String::new() } else { format!(" after row {row}") }
}

fn hint_text(hint: Option<&String>) -> String {
    hint.map(|name| format!(" (is it {name:?}?)")).unwrap_or_default()
}
