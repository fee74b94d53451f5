//! The records of a text file, one after the other: CSV and NDJSON, framed with bounded memory.

use super::csv;
use super::frame::{Found, Framer, Input, Shape};
use super::record::{Body, Header, Record, TypeGuess};
use super::{Format, IngestError, Mapping, Position, RawRow, RowError, Source};
use ::csv::ByteRecord;
use serde_json::Value;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A record with where it stands, read well or not.
pub(super) struct Given {
    pub line: u64,
    /// Where reading goes on after it.
    pub next: Position,
    pub record: Result<Record, RowError>,
    /// As it stands in the file; empty where the record itself says as much.
    pub raw: Vec<u8>,
    pub raw_is_cut: bool,
}

/// What is kept of a row that is left out, in bytes.
const MAX_RAW_BYTES: usize = 256 * 1024;

impl Given {
    /// The row as it stands in the file.
    pub(super) fn raw_row(&self) -> RawRow {
        let spelled = self.record.as_ref().ok().filter(|_| self.raw.is_empty()).map(Record::spelled);
        let text = spelled.unwrap_or_else(|| String::from_utf8_lossy(&self.raw).into_owned());
        RawRow { line: self.line, text, is_cut: self.raw_is_cut }
    }
}

/// The records of a file of any format.
pub(super) trait Records: Send {
    /// The next record; nothing at the end.
    ///
    /// # Errors
    /// The file can be read no further.
    fn next(&mut self) -> Result<Option<Given>, IngestError>;

    /// What [`Position::byte`] grows to.
    fn total_bytes(&self) -> u64;
}

/// CSV or NDJSON.
pub(super) struct TextRecords {
    framer: Framer,
    syntax: Syntax,
    path: PathBuf,
    n_rows: u64,
    one_line_rows_until: u64,
    total_bytes: u64,
}

enum Syntax {
    Csv { delimiter: u8, header: Arc<Header> },
    Json,
}

impl Syntax {
    fn shape(&self) -> Shape {
        match self {
            Self::Csv { delimiter, .. } => Shape::Csv { delimiter: *delimiter },
            Self::Json => Shape::Lines,
        }
    }

    fn read(&self, bytes: &[u8], line: u64) -> Result<Record, RowError> {
        let body = match self {
            Self::Csv { delimiter, header } => cells(bytes, *delimiter, header, line)?,
            Self::Json => object(bytes, line)?,
        };
        Ok(Record { line, body })
    }
}

impl TextRecords {
    pub(super) fn over(
        input: Box<dyn Input>,
        source: &Source,
        mapping: &Mapping,
        from: Position,
    ) -> Result<Self, IngestError> {
        let path = source.path.clone();
        let read_error = |why| IngestError::Read { path: path.clone(), line: 1, why };
        let mut framer = Framer::new(input);
        let total_bytes = framer.total_bytes().map_err(read_error)?;
        check_start(&mut framer, source).map_err(read_error)??;
        let syntax = match source.format {
            Format::Csv => {
                let (delimiter, mut header) = csv::read_header(&mut framer, mapping).map_err(read_error)??;
                if source.kind.takes_all_columns() {
                    csv::check_all(&header.names)?;
                    look_at_types(&mut framer, delimiter, &mut header).map_err(read_error)?;
                }
                Syntax::Csv { delimiter, header: Arc::new(header) }
            }
            _ => Syntax::Json,
        };
        if from.byte == 0 {
            framer.skip_blank_lines(syntax.shape()).map_err(read_error)?;
            if framer.peek(1).map_err(read_error)?.is_empty() {
                return Err(IngestError::Empty { path, what: "has a header and no rows" });
            }
        } else if from.byte > total_bytes {
            return Err(IngestError::PastEnd { path, byte: from.byte });
        } else {
            framer.seek(from.byte, from.line).map_err(read_error)?;
        }
        let one_line_rows_until = from.one_line_rows_until;
        Ok(Self { framer, syntax, path, n_rows: from.rows, one_line_rows_until, total_bytes })
    }

    fn here(&self) -> Position {
        let byte = self.framer.byte();
        let until = self.one_line_rows_until;
        let one_line_rows_until = if byte < until { until } else { 0 };
        Position { rows: self.n_rows, line: self.framer.line(), byte, one_line_rows_until }
    }

    fn shape(&self) -> Shape {
        match self.syntax.shape() {
            Shape::Csv { delimiter } if self.framer.byte() < self.one_line_rows_until => Shape::CsvLines { delimiter },
            shape => shape,
        }
    }

    fn read(&mut self) -> io::Result<Option<Given>> {
        self.framer.skip_blank_lines(self.shape())?;
        let (shape, line) = (self.shape(), self.framer.line());
        let found = self.framer.find(shape)?;
        let (raw, raw_is_cut) = self.raw(found);
        let record = match found {
            Found::End => return Ok(None),
            Found::Record { content_bytes, total_bytes } => {
                let record = self.syntax.read(self.framer.bytes(content_bytes), line);
                self.framer.consume(total_bytes, shape);
                record
            }
            Found::Endless { first_line_bytes, scanned_bytes, too_large } => {
                let end = self.framer.byte() + scanned_bytes as u64;
                match first_line_bytes {
                    Some(n_bytes) => {
                        self.framer.consume(n_bytes, shape);
                        self.one_line_rows_until = end;
                    }
                    None => self.framer.skip_line(shape)?,
                }
                Err(endless(line, first_line_bytes.is_some(), too_large))
            }
        };
        self.n_rows += 1;
        Ok(Some(Given { line, next: self.here(), record, raw, raw_is_cut }))
    }

    /// The bytes of what was found, up to a limit, and whether there are more.
    fn raw(&self, found: Found) -> (Vec<u8>, bool) {
        let n_bytes = match found {
            Found::End => 0,
            Found::Record { content_bytes, .. } => content_bytes,
            Found::Endless { first_line_bytes, scanned_bytes, .. } => first_line_bytes.unwrap_or(scanned_bytes),
        };
        let kept = n_bytes.min(MAX_RAW_BYTES);
        (self.framer.bytes(kept).to_vec(), kept < n_bytes)
    }
}

impl Records for TextRecords {
    fn next(&mut self) -> Result<Option<Given>, IngestError> {
        self.read().map_err(|why| IngestError::Read { path: self.path.clone(), line: self.framer.line(), why })
    }

    fn total_bytes(&self) -> u64 {
        self.total_bytes
    }
}

/// Rows whose cells say what their columns are.
const TYPED_BY_ROWS: usize = 1_000;

/// Looks at the first rows and goes back.
fn look_at_types(framer: &mut Framer, delimiter: u8, header: &mut Header) -> io::Result<()> {
    let (byte, line) = (framer.byte(), framer.line());
    let shape = Shape::Csv { delimiter };
    let mut guesses = vec![TypeGuess::default(); header.names.len()];
    let mut cells = ByteRecord::new();
    for _ in 0..TYPED_BY_ROWS {
        let Found::Record { content_bytes, total_bytes } = framer.find(shape)? else { break };
        csv::split(framer.bytes(content_bytes), delimiter, &mut cells);
        if cells.len() == guesses.len() {
            guesses.iter_mut().zip(&cells).for_each(|(guess, cell)| guess.see(cell));
        }
        framer.consume(total_bytes, shape);
    }
    header.types = guesses.iter().map(TypeGuess::cell_type).collect();
    framer.seek(byte, line)
}

/// Steps over a byte order mark and refuses what is no text in UTF-8, or nothing at all.
fn check_start(framer: &mut Framer, source: &Source) -> io::Result<Result<(), IngestError>> {
    let wrong = |what| Ok(Err(IngestError::WrongShape { path: source.path.clone(), what }));
    match framer.peek(4)? {
        [0xEF, 0xBB, 0xBF, ..] => framer.consume(3, Shape::Lines),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => return wrong("is UTF-16; save it as UTF-8"),
        [b'P', b'K', 3, 4] => return wrong("is a zip archive or a workbook; export it as CSV in UTF-8"),
        [0x1F, 0x8B, ..] | [0x28, 0xB5, 0x2F, 0xFD] => return wrong("is compressed more than once; unpack it first"),
        b"PAR1" => return wrong("is a Parquet file; say so with the format"),
        _ => {}
    }
    if framer.peek(262)?.ends_with(b"ustar") {
        return wrong("is a tar archive; send the file in it");
    }
    framer.skip_blank_lines(Shape::Lines)?;
    match (framer.peek(1)?, source.format) {
        ([], _) => Ok(Err(IngestError::Empty { path: source.path.clone(), what: "is empty" })),
        ([b'['], Format::Ndjson) => wrong("is one JSON array; write one object a line instead"),
        _ => Ok(Ok(())),
    }
}

fn endless(line: u64, spans_lines: bool, too_large: bool) -> RowError {
    let (code, message) = match (too_large, spans_lines) {
        (true, true) => (
            "too_large",
            "the row is over 4 MiB, as a quote in it does not close before; the lines after it are read one by one",
        ),
        (true, false) => ("too_large", "the row is over 4 MiB"),
        (false, _) => {
            ("unclosed_quote", "a quote opens in this row and never closes; the lines after it are read one by one")
        }
    };
    RowError { line, column: None, code, message: message.to_owned() }
}

fn cells(bytes: &[u8], delimiter: u8, header: &Arc<Header>, line: u64) -> Result<Body, RowError> {
    let mut cells = ByteRecord::new();
    if !csv::split(bytes, delimiter, &mut cells) {
        return Err(endless(line, false, false));
    }
    if cells.len() != header.names.len() {
        let message = format!("the row has {} cells and the header {}", cells.len(), header.names.len());
        return Err(RowError { line, column: None, code: "ragged_row", message });
    }
    Ok(Body::Cells { header: Arc::clone(header), cells })
}

fn object(bytes: &[u8], line: u64) -> Result<Body, RowError> {
    let error = |code, message: String| RowError { line, column: None, code, message };
    let text = str::from_utf8(bytes)
        .map_err(|why| error("bad_utf8", format!("byte {} of the line is not UTF-8", why.valid_up_to() + 1)))?;
    let value = serde_json::from_str(text)
        .map_err(|why| error("bad_json", format!("column {} of the line is not JSON", why.column())))?;
    match value {
        Value::Object(object) => Ok(Body::Object(object)),
        _ => Err(error("not_an_object", "the line is JSON but not an object".to_owned())),
    }
}
