//! CSV in: cells pass through as they are, an empty text cell is a missing text.

use super::super::format::column;
use super::super::input::{Gauge, Input};
use super::super::kept::{Kept, text_schema};
use super::super::{BulkError, Extent, Settings};
use super::{Complaints, MAX_WINDOW_BYTES, Mark, Opened, Source, Window};
use ::csv::{ByteRecord, Position, Reader, ReaderBuilder, StringRecord};
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

pub(super) fn open(settings: &Settings) -> Result<Opened, BulkError> {
    let input = Input::open(&settings.input)?;
    let (gauge, total_bytes) = (input.gauge(), input.total_bytes());
    let quotes = QuoteWatch::new(input, settings.delimiter);
    let quoting = Arc::clone(&quotes.quoting);
    let mut reader = ReaderBuilder::new().flexible(true).delimiter(settings.delimiter).from_reader(quotes);
    gauge.row_ended();
    let place = &settings.input;
    let unreadable = |error: ::csv::Error| BulkError::wrong(format!("{place} cannot be read as CSV in UTF-8: {error}"));
    let header = reader.headers().map_err(unreadable)?.clone();
    let names: Vec<&str> = header.iter().collect();
    if names.is_empty() {
        return Err(BulkError::wrong(format!("{place} is empty; CSV begins with a header of column names")));
    }
    let text = column(&settings.text, "--text", &names, place)?;
    let kept = settings.keep.places(&names, place)?;
    let schema = text_schema(kept.iter().map(|at| names[*at]));
    let source = CsvSource {
        n_columns: names.len(),
        reader,
        gauge,
        quoting,
        text,
        kept,
        batch_rows: settings.batch_rows,
        complaints: Complaints::new(settings),
        mark: Mark::default(),
        record: ByteRecord::new(),
    };
    let extent = total_bytes.map_or(Extent::Unknown, Extent::Bytes);
    Ok(Opened { source: Box::new(source), schema, extent })
}

struct CsvSource {
    reader: Reader<QuoteWatch>,
    gauge: Gauge,
    quoting: Arc<Quoting>,
    n_columns: usize,
    text: usize,
    kept: Vec<usize>,
    batch_rows: usize,
    complaints: Complaints,
    mark: Mark,
    record: ByteRecord,
}

impl Source for CsvSource {
    fn next(&mut self) -> Result<Option<Window>, BulkError> {
        let start = self.mark;
        let mut rows = Vec::new();
        let mut window =
            Window { kept: Kept::Cells(Vec::new()), texts: Vec::new(), complaints: Vec::new(), end: self.mark };
        while rows.len() < self.batch_rows && window.end.byte - start.byte < MAX_WINDOW_BYTES {
            let Some(line) = self.read()? else { break };
            match self.row() {
                Ok((cells, text)) => {
                    rows.push(cells);
                    window.texts.push(text);
                    window.end.rows += 1;
                }
                Err(why) => self.complaints.about(line, &why, &mut window)?,
            }
            window.end.byte = self.reader.position().byte();
            window.end.line = self.reader.position().line();
        }
        let is_over = window.end == start;
        self.mark = window.end;
        window.kept = Kept::Cells(rows);
        Ok((!is_over).then_some(window))
    }

    fn seek(&mut self, mark: &Mark) -> Result<(), BulkError> {
        let mut position = Position::new();
        position.set_byte(mark.byte).set_line(mark.line).set_record(mark.rows + mark.skipped);
        let sought = self.reader.seek(position);
        sought.map_err(|error| BulkError::wrong(format!("{}: {error}", self.complaints.place)))?;
        self.gauge.row_ended();
        self.mark = *mark;
        Ok(())
    }
}

impl CsvSource {
    /// Reads a record and gives its line; nothing at the end.
    fn read(&mut self) -> Result<Option<u64>, BulkError> {
        let line = self.reader.position().line();
        let read = self.reader.read_byte_record(&mut self.record);
        self.gauge.row_ended();
        match read {
            Ok(there) => Ok(there.then_some(line)),
            Err(error) => {
                let why = match error.into_kind() {
                    ::csv::ErrorKind::Io(error) => error.to_string(),
                    other => format!("{other:?}"),
                };
                Err(BulkError::wrong(format!("{}, line {line}: {why}", self.complaints.place)))
            }
        }
    }

    fn row(&self) -> Result<(StringRecord, Option<String>), String> {
        if self.quoting.is_open_at(self.reader.position().byte()) {
            return Err("a quote is opened and never closed".into());
        }
        if self.record.len() != self.n_columns {
            return Err(format!("{} cells, where the header has {}", self.record.len(), self.n_columns));
        }
        let cell = |at: usize| std::str::from_utf8(&self.record[at]).map_err(|_| "not in UTF-8".to_owned());
        let text = cell(self.text)?;
        let cells = self.kept.iter().map(|at| cell(*at)).collect::<Result<StringRecord, _>>()?;
        Ok((cells, (!text.is_empty()).then(|| text.to_owned())))
    }
}

/// What is known of the bytes read so far.
#[derive(Default)]
struct Quoting {
    offset: AtomicU64,
    is_open: AtomicBool,
}

impl Quoting {
    /// Whether reading is at this byte and within quotes there. After a row that ended well it is not, whatever was read ahead.
    fn is_open_at(&self, byte: u64) -> bool {
        self.offset.load(Relaxed) == byte && self.is_open.load(Relaxed)
    }
}

/// Follows the quotes, because the parser above takes an unclosed one for a cell that ends with the file.
struct QuoteWatch {
    input: Input,
    delimiter: u8,
    at_cell_start: bool,
    after_quote: bool,
    quoting: Arc<Quoting>,
}

impl QuoteWatch {
    fn new(input: Input, delimiter: u8) -> Self {
        Self { input, delimiter, at_cell_start: true, after_quote: false, quoting: Arc::default() }
    }

    fn follow(&mut self, bytes: &[u8]) {
        let mut open = self.quoting.is_open.load(Relaxed);
        for &byte in bytes {
            if open {
                open = byte != b'"';
                self.after_quote = !open;
            } else if byte == b'"' && (self.at_cell_start || self.after_quote) {
                // The first quote of a cell, or the second of a doubled one.
                open = true;
                self.after_quote = false;
            } else {
                self.after_quote = false;
            }
            self.at_cell_start = !open && (byte == self.delimiter || byte == b'\n' || byte == b'\r');
        }
        self.quoting.is_open.store(open, Relaxed);
        self.quoting.offset.fetch_add(bytes.len() as u64, Relaxed);
    }
}

impl Read for QuoteWatch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buffer)?;
        self.follow(&buffer[..n]);
        Ok(n)
    }
}

impl Seek for QuoteWatch {
    /// Seeks to the start of a row.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.quoting.is_open.store(false, Relaxed);
        (self.at_cell_start, self.after_quote) = (true, false);
        let offset = self.input.seek(to)?;
        self.quoting.offset.store(offset, Relaxed);
        Ok(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Place;
    use super::*;
    use proptest::prelude::*;

    /// Whether the text ends within quotes: then a row more is no row of its own.
    fn ends_open(text: &str) -> bool {
        let longer = format!("{text}\nz");
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(longer.as_bytes());
        let last = reader.byte_records().map(Result::unwrap).last().unwrap();
        last.len() != 1 || &last[0] != b"z"
    }

    proptest! {
        #[test]
        fn an_open_quote_is_seen_as_the_parser_sees_it(text in "[ab\",\n]{1,40}") {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &text).unwrap();
            let input = Input::open(&Place::File(file.path().to_path_buf())).unwrap();
            let mut quotes = QuoteWatch::new(input, b',');
            io::copy(&mut quotes, &mut io::sink()).unwrap();
            prop_assert_eq!(quotes.quoting.is_open.load(Relaxed), ends_open(&text), "{:?}", text);
        }
    }
}
