//! The rows of a file, one after the other: framing, then the shape of the file, then the fact.

use super::csv::{self, Layout};
use super::frame::{Found, Framer, Input, Shape};
use super::review::{Field, Problem, RawReview};
use super::{Format, IngestError, Kind, Mapping, Position, Row, RowError, Source, hint, segment_spec};
use crate::domain::{Fact, Timestamp};
use ::csv::ByteRecord;
use serde_json::Value;
use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

/// The rows of a file from some position on.
///
/// An item is an `Err` only when the file can be read no further; the iterator ends after it.
pub struct Rows {
    framer: Framer,
    reader: Reader,
    path: PathBuf,
    now: Timestamp,
    n_rows: u64,
    one_line_rows_until: u64,
    total_bytes: u64,
    has_failed: bool,
}

/// How a record becomes a fact.
enum Reader {
    Csv { layout: Layout, mapping: Mapping, cells: ByteRecord },
    Json { mapping: Mapping },
    Calls,
}

impl Rows {
    /// Length of the file in bytes when it was opened: what [`Position::byte`] grows to.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    pub(super) fn over(
        input: Box<dyn Input>,
        source: &Source,
        from: Position,
        now: Timestamp,
    ) -> Result<Self, IngestError> {
        let path = &source.path;
        let read_error = |why| IngestError::Read { path: path.clone(), line: 1, why };
        let mut framer = Framer::new(input);
        let total_bytes = framer.total_bytes().map_err(read_error)?;
        check_start(&mut framer, source).map_err(read_error)??;
        let reader = Reader::of(&mut framer, source).map_err(read_error)??;
        if from.byte == 0 {
            framer.skip_blank_lines(reader.shape()).map_err(read_error)?;
            if framer.peek(1).map_err(read_error)?.is_empty() {
                return Err(IngestError::Empty { path: path.clone(), what: "has a header and no rows" });
            }
        } else if from.byte > total_bytes {
            return Err(IngestError::PastEnd { path: path.clone(), byte: from.byte });
        } else {
            framer.seek(from.byte, from.line).map_err(read_error)?;
        }
        let one_line_rows_until = from.one_line_rows_until;
        let path = path.clone();
        Ok(Self { framer, reader, path, now, n_rows: from.rows, one_line_rows_until, total_bytes, has_failed: false })
    }

    fn here(&self) -> Position {
        let byte = self.framer.byte();
        let until = self.one_line_rows_until;
        let one_line_rows_until = if byte < until { until } else { 0 };
        Position { rows: self.n_rows, line: self.framer.line(), byte, one_line_rows_until }
    }

    fn shape(&self) -> Shape {
        match self.reader.shape() {
            Shape::Csv { delimiter } if self.framer.byte() < self.one_line_rows_until => Shape::CsvLines { delimiter },
            shape => shape,
        }
    }

    fn read_row(&mut self) -> io::Result<Option<Row>> {
        self.framer.skip_blank_lines(self.shape())?;
        let (shape, line) = (self.shape(), self.framer.line());
        let fact = match self.framer.find(shape)? {
            Found::End => return Ok(None),
            Found::Record { content_bytes, total_bytes } => {
                let fact = self.reader.fact(self.framer.bytes(content_bytes), line, self.now);
                self.framer.consume(total_bytes, shape);
                fact
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
        Ok(Some(Row { line, next: self.here(), fact }))
    }
}

impl Iterator for Rows {
    type Item = Result<Row, IngestError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        self.read_row().transpose().map(|row| {
            row.map_err(|why| {
                self.has_failed = true;
                IngestError::Read { path: self.path.clone(), line: self.framer.line(), why }
            })
        })
    }
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

impl Reader {
    fn of(framer: &mut Framer, source: &Source) -> io::Result<Result<Self, IngestError>> {
        let mapping = match (source.kind, source.format, &source.mapping) {
            (Kind::Events, Format::Ndjson, _) => return Ok(Ok(Self::Calls)),
            (Kind::Events, Format::Csv, _) => return Ok(Err(IngestError::EventsAsCsv)),
            (Kind::Reviews, _, None) => return Ok(Err(IngestError::NoMapping)),
            (Kind::Reviews, _, Some(mapping)) => mapping.clone(),
        };
        if source.format == Format::Ndjson {
            return Ok(Ok(Self::Json { mapping }));
        }
        let layout = csv::read_header(framer, &mapping)?;
        Ok(layout.map(|layout| Self::Csv { layout, mapping, cells: ByteRecord::new() }))
    }

    fn shape(&self) -> Shape {
        match self {
            Self::Csv { layout, .. } => Shape::Csv { delimiter: layout.delimiter },
            Self::Json { .. } | Self::Calls => Shape::Lines,
        }
    }

    fn fact(&mut self, record: &[u8], line: u64, now: Timestamp) -> Result<Fact, RowError> {
        match self {
            Self::Csv { layout, mapping, cells } => {
                if !csv::split(record, layout.delimiter, cells) {
                    return Err(endless(line, false, false));
                }
                review_of_cells(cells, layout, mapping, line, now)
            }
            Self::Json { mapping } => review_of_object(&json(record, line)?, mapping, line, now),
            Self::Calls => segment_spec::parse_call(&json(record, line)?, now).map_err(|errors| {
                let n_more = errors.len().saturating_sub(1);
                let first = errors.into_iter().next().map(|error| (error.pointer, error.code, error.message));
                let (pointer, code, message) = first.unwrap_or_default();
                let column = Some(pointer).filter(|pointer| !pointer.is_empty());
                RowError { line, column, code, message: and_more(message, n_more) }
            }),
        }
    }
}

fn review_of_cells(
    cells: &ByteRecord,
    layout: &Layout,
    mapping: &Mapping,
    line: u64,
    now: Timestamp,
) -> Result<Fact, RowError> {
    if cells.len() != layout.n_columns {
        let message = format!("the row has {} cells and the header {}", cells.len(), layout.n_columns);
        return Err(RowError { line, column: None, code: "ragged_row", message });
    }
    let cell = |field: Field, column: Option<usize>| {
        let Some(bytes) = column.and_then(|column| cells.get(column)) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(bytes).map_err(|_| {
            let column = mapping.name(field).map(str::to_owned);
            RowError { line, column, code: "bad_utf8", message: "is not UTF-8; save the file as UTF-8".to_owned() }
        })?;
        Ok(Some(Cow::Borrowed(text)))
    };
    let raw = RawReview {
        id: cell(Field::Id, layout.id)?.map(trimmed),
        customer: cell(Field::Customer, Some(layout.customer))?.map(trimmed),
        text: cell(Field::Text, Some(layout.text))?,
        item: cell(Field::Item, layout.item)?.map(trimmed),
        rating: cell(Field::Rating, layout.rating)?.map(trimmed),
        time: cell(Field::Time, layout.time)?.map(trimmed),
    };
    let parsed = raw.parse(now).map_err(|problems| row_error(&problems, mapping, line))?;
    Ok(Fact::Review(parsed))
}

fn review_of_object(value: &Value, mapping: &Mapping, line: u64, now: Timestamp) -> Result<Fact, RowError> {
    let Some(object) = value.as_object() else {
        let message = "the line is JSON but not an object".to_owned();
        return Err(RowError { line, column: None, code: "not_an_object", message });
    };
    let take = |field: Field| match mapping.name(field).and_then(|name| lookup(value, name)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Cow::Borrowed(text.as_str()))),
        Some(Value::Number(number)) if takes_number(field) && (is_decimal(field) || !number.is_f64()) => {
            Ok(Some(Cow::Owned(number.to_string())))
        }
        Some(_) => {
            let column = mapping.name(field).map(str::to_owned);
            Err(RowError { line, column, code: "wrong_type", message: wrong_type(field).to_owned() })
        }
    };
    let raw = RawReview {
        id: take(Field::Id)?.map(trimmed),
        customer: take(Field::Customer)?.map(trimmed),
        text: take(Field::Text)?,
        item: take(Field::Item)?.map(trimmed),
        rating: take(Field::Rating)?.map(trimmed),
        time: take(Field::Time)?.map(trimmed),
    };
    let parsed = raw.parse(now).map_err(|problems| {
        let mut error = row_error(&problems, mapping, line);
        let absent =
            error.column.as_deref().filter(|name| error.code == "missing_field" && lookup(value, name).is_none());
        if let Some(guess) = absent.and_then(|name| hint::nearest(name, object.keys().map(String::as_str))) {
            error.message.push_str(&format!("; the object has {guess:?}"));
        }
        error
    })?;
    Ok(Fact::Review(parsed))
}

/// The field of that very name, else the nested one that the dots lead to.
fn lookup<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).or_else(|| name.split('.').try_fold(value, |value, part| value.get(part)))
}

fn takes_number(field: Field) -> bool {
    field != Field::Text
}

fn is_decimal(field: Field) -> bool {
    matches!(field, Field::Rating | Field::Time)
}

fn wrong_type(field: Field) -> &'static str {
    match field {
        Field::Text => "is not a string",
        Field::Rating | Field::Time => "is neither a number nor a string",
        Field::Id | Field::Customer | Field::Item => {
            "is neither a string nor a whole number; write long numbers in quotes"
        }
    }
}

fn json(record: &[u8], line: u64) -> Result<Value, RowError> {
    let error = |code, message: String| RowError { line, column: None, code, message };
    let text = std::str::from_utf8(record)
        .map_err(|why| error("bad_utf8", format!("byte {} of the line is not UTF-8", why.valid_up_to() + 1)))?;
    serde_json::from_str(text)
        .map_err(|why| error("bad_json", format!("column {} of the line is not JSON", why.column())))
}

fn row_error(problems: &[Problem], mapping: &Mapping, line: u64) -> RowError {
    let n_more = problems.len().saturating_sub(1);
    let problem = problems.first().cloned().unwrap_or_else(|| Problem::missing(Field::Text));
    let column = mapping.name(problem.field).map(str::to_owned);
    RowError { line, column, code: problem.code, message: and_more(problem.message, n_more) }
}

fn and_more(message: String, n_more: usize) -> String {
    if n_more == 0 { message } else { format!("{message} (and {n_more} more in this row)") }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

impl Mapping {
    fn name(&self, field: Field) -> Option<&str> {
        match field {
            Field::Id => self.id.as_deref(),
            Field::Customer => Some(&self.customer),
            Field::Text => Some(&self.text),
            Field::Item => self.item.as_deref(),
            Field::Rating => self.rating.as_deref(),
            Field::Time => self.time.as_deref(),
        }
    }
}
