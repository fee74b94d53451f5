//! The rows of a file, one after the other: a record of the file's format, then the fact that the file's kind makes of it.

use super::frame::Input;
use super::parquet::{ParquetRecords, Wanted};
use super::records::{Records, TextRecords};
use super::take::Taker;
use super::{Format, IngestError, Position, Reading, Row, Source};
use std::path::Path;

/// The rows of a file from some position on.
///
/// An item is an `Err` only when the file can be read no further; the iterator ends after it.
pub struct Rows {
    records: Box<dyn Records>,
    taker: Taker,
    reading: Reading,
    has_failed: bool,
}

impl Rows {
    /// Length of the file in bytes when it was opened: what [`Position::byte`] grows to.
    pub fn total_bytes(&self) -> u64 {
        self.records.total_bytes()
    }

    /// The rows of a text file, or of its bytes in a test.
    pub(super) fn over(
        input: Box<dyn Input>,
        source: &Source,
        from: Position,
        reading: Reading,
    ) -> Result<Self, IngestError> {
        let taker = Taker::of(source)?;
        let mapping = source.mapping.clone().unwrap_or_default();
        let start = if taker.remembers() { Position::default() } else { from };
        let records: Box<dyn Records> = Box::new(TextRecords::over(input, source, &mapping, start)?);
        Self { records, taker, reading, has_failed: false }.after(start, from, &source.path)
    }

    pub(super) fn open(source: &Source, from: Position, reading: Reading) -> Result<Self, IngestError> {
        let path = &source.path;
        let file = std::fs::File::open(path).map_err(|why| IngestError::Open { path: path.clone(), why })?;
        if source.format != Format::Parquet {
            return Self::over(Box::new(file), source, from, reading);
        }
        let taker = Taker::of(source)?;
        let mapping = source.mapping.clone().unwrap_or_default();
        let names = mapping.names().map(|(_, name)| name).collect();
        let wanted = Wanted { names, all: source.kind.takes_all_columns() };
        let start = if taker.remembers() { Position::default() } else { from };
        let records: Box<dyn Records> = Box::new(ParquetRecords::open(file, path, wanted, start)?);
        Self { records, taker, reading, has_failed: false }.after(start, from, &source.path)
    }

    /// Reads from `start` on what is behind `from`, for what it leaves in memory.
    fn after(mut self, start: Position, from: Position, path: &Path) -> Result<Self, IngestError> {
        let mut at = start.rows;
        while at < from.rows {
            match self.taker.next(&mut *self.records, &self.reading)? {
                Some(row) => at = row.next.rows,
                None => return Err(IngestError::PastEnd { path: path.to_owned(), byte: from.byte }),
            }
        }
        Ok(self)
    }
}

impl Iterator for Rows {
    type Item = Result<Row, IngestError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let row = self.taker.next(&mut *self.records, &self.reading).transpose();
        self.has_failed = matches!(row, Some(Err(_)));
        row
    }
}
