//! Parquet: rows as JSON objects, row group by row group. The only file of this module that names Arrow and Parquet.
//!
//! Facts are made of rows, not of columns, so a batch is turned into rows as soon as it is read and the kinds of files need not
//! know of Arrow. Numbers and booleans keep their type; a decimal of more digits than a double holds, a date, a time and a
//! moment are text; lists, maps and structs are arrays and objects.

use super::csv::{check, check_all};
use super::record::{Body, Record};
use super::records::{Given, Records};
use super::{IngestError, Position, RowError};
use crate::domain::Timestamp;
use arrow_array::cast::AsArray;
use arrow_array::types as arrow;
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use serde_json::{Map, Number, Value};
use std::collections::VecDeque;
use std::fmt::Display;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What a batch of rows should take in memory, by the sizes that the file tells of itself.
const BATCH_BYTES: u64 = 8 << 20;
const MAX_BATCH_ROWS: u64 = 4_096;
/// Digits that any decimal number keeps as a double.
const DOUBLE_DIGITS: usize = 15;

type Values = Result<Map<String, Value>, BadCell>;

/// A cell of bytes that are no text, by its column.
struct BadCell(String);

/// The columns that are read.
pub(super) struct Wanted<'a> {
    /// These have to be there.
    pub names: Vec<&'a str>,
    /// And all others are read too.
    pub all: bool,
}

pub(super) struct ParquetRecords {
    reader: ParquetRecordBatchReader,
    path: PathBuf,
    held: VecDeque<Values>,
    n_rows: u64,
    n_rows_in_all: u64,
    total_bytes: u64,
}

impl ParquetRecords {
    /// Reads the columns that are `wanted`, from a row on.
    pub(super) fn open(file: File, path: &Path, wanted: Wanted<'_>, from: Position) -> Result<Self, IngestError> {
        let bad = |why: String| IngestError::BadParquet { path: path.to_owned(), row: 0, why };
        let unreadable = |why| IngestError::Open { path: path.to_owned(), why };
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
        }
        if metadata.len() == 0 {
            return Err(IngestError::Empty { path: path.to_owned(), what: "is empty" });
        }
        let load = || ArrowReaderMetadata::load(&file, ArrowReaderOptions::default());
        let head = guarded(load).map_err(bad)?;
        let n_rows_in_all: u64 = row_groups(&head).iter().sum();
        if n_rows_in_all == 0 {
            return Err(IngestError::Empty { path: path.to_owned(), what: "has columns and no rows" });
        }
        if from.rows > n_rows_in_all {
            return Err(IngestError::PastEnd { path: path.to_owned(), byte: from.byte });
        }
        let roots = roots(&head, &wanted)?;
        let reader = guarded(|| reader_from(file, head, roots, from.rows)).map_err(bad)?;
        let (path, n_rows, total_bytes) = (path.to_owned(), from.rows, metadata.len());
        Ok(Self { reader, path, held: VecDeque::new(), n_rows, n_rows_in_all, total_bytes })
    }

    /// Turns the next batch into rows. Gives whether there was any.
    fn fill(&mut self) -> Result<bool, IngestError> {
        let bad = |why: String| IngestError::BadParquet { path: self.path.clone(), row: self.n_rows, why };
        let batch = guarded(|| self.reader.next().transpose()).map_err(bad)?;
        let Some(batch) = batch else { return Ok(false) };
        self.held = (0..batch.num_rows()).map(|row| object(&batch, row)).collect();
        Ok(true)
    }

    fn here(&self) -> Position {
        let byte = u128::from(self.total_bytes) * u128::from(self.n_rows) / u128::from(self.n_rows_in_all.max(1));
        let byte = u64::try_from(byte).unwrap_or(self.total_bytes);
        Position { rows: self.n_rows, line: self.n_rows + 1, byte, one_line_rows_until: 0 }
    }
}

impl Records for ParquetRecords {
    fn next(&mut self) -> Result<Option<Given>, IngestError> {
        let values = loop {
            match self.held.pop_front() {
                Some(values) => break values,
                None if self.fill()? => {}
                None => return Ok(None),
            }
        };
        self.n_rows += 1;
        let line = self.n_rows;
        let record = values.map(|object| Record { line, body: Body::Object(object) }).map_err(|bad| {
            let message = "holds bytes that are not UTF-8".to_owned();
            RowError { line, column: Some(bad.0), code: "bad_utf8", message }
        });
        Ok(Some(Given { line, next: self.here(), record, raw: Vec::new(), raw_is_cut: false }))
    }

    fn total_bytes(&self) -> u64 {
        self.total_bytes
    }
}

/// Runs what reads the file. A damaged one makes the reader panic here and there; for us it is damage all the same.
fn guarded<T, E: Display>(read: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("it is damaged".to_owned()),
    }
}

/// Rows in each row group.
fn row_groups(head: &ArrowReaderMetadata) -> Vec<u64> {
    head.metadata().row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).collect()
}

/// The columns to read, by their place. A name with dots is a column of that name, or a field within the first part's.
fn roots(head: &ArrowReaderMetadata, wanted: &Wanted<'_>) -> Result<Vec<usize>, IngestError> {
    let names: Vec<String> = head.schema().fields().iter().map(|field| field.name().clone()).collect();
    let is_there = |name: &str| names.iter().any(|there| there == name);
    let mut roots = Vec::with_capacity(wanted.names.len());
    for name in &wanted.names {
        let root = name.split('.').next().filter(|root| !is_there(name) && is_there(root)).unwrap_or(name);
        check(&names, root)?;
        roots.extend(names.iter().position(|there| there == root));
    }
    if wanted.all {
        check_all(&names)?;
        return Ok((0..names.len()).collect());
    }
    Ok(roots)
}

fn reader_from(
    file: File,
    head: ArrowReaderMetadata,
    roots: Vec<usize>,
    n_skipped: u64,
) -> Result<ParquetRecordBatchReader, ParquetError> {
    let groups = row_groups(&head);
    let (mut first, mut rest) = (0, n_skipped);
    while groups.get(first).is_some_and(|n_rows| *n_rows <= rest) {
        rest -= groups[first];
        first += 1;
    }
    let batch_rows = batch_rows(&head);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, head);
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    builder
        .with_projection(mask)
        .with_row_groups((first..groups.len()).collect())
        .with_offset(usize::try_from(rest).unwrap_or(usize::MAX))
        .with_batch_size(batch_rows)
        .build()
}

fn batch_rows(head: &ArrowReaderMetadata) -> usize {
    let groups = head.metadata().row_groups();
    let bytes: u64 = groups.iter().map(|group| u64::try_from(group.total_byte_size()).unwrap_or(0)).sum();
    let row_bytes = (bytes / row_groups(head).iter().sum::<u64>().max(1)).max(1);
    usize::try_from((BATCH_BYTES / row_bytes).clamp(1, MAX_BATCH_ROWS)).unwrap_or(1)
}

fn object(batch: &RecordBatch, row: usize) -> Values {
    let schema = batch.schema_ref();
    let cells = schema.fields().iter().zip(batch.columns());
    cells
        .map(|(field, column)| match value(column.as_ref(), row) {
            Some(value) => Ok((field.name().clone(), value)),
            None => Err(BadCell(field.name().clone())),
        })
        .collect()
}

/// A cell as JSON; nothing where it holds bytes that are no text.
fn value(array: &dyn Array, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return Some(Value::Null);
    }
    Some(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Utf8 => Value::from(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Value::from(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Value::from(array.as_string_view().value(row)),
        // Old writers leave out that their bytes are text.
        DataType::Binary => text(array.as_binary::<i32>().value(row))?,
        DataType::LargeBinary => text(array.as_binary::<i64>().value(row))?,
        DataType::BinaryView => text(array.as_binary_view().value(row))?,
        DataType::FixedSizeBinary(_) => text(array.as_fixed_size_binary().value(row))?,
        DataType::List(_) => list(array.as_list::<i32>().value(row).as_ref())?,
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row).as_ref())?,
        DataType::FixedSizeList(..) => list(array.as_fixed_size_list().value(row).as_ref())?,
        DataType::Struct(_) => structure(array, row)?,
        DataType::Map(..) => map(array, row)?,
        DataType::Timestamp(unit, zone) => moment(array, row, *unit, zone.is_some()),
        _ => number(array, row).unwrap_or_else(|| written(array, row)),
    })
}

fn text(bytes: &[u8]) -> Option<Value> {
    str::from_utf8(bytes).ok().map(Value::from)
}

fn list(values: &dyn Array) -> Option<Value> {
    (0..values.len()).map(|at| value(values, at)).collect::<Option<Vec<_>>>().map(Value::Array)
}

fn structure(array: &dyn Array, row: usize) -> Option<Value> {
    let parts = array.as_struct();
    let named = parts.fields().iter().zip(parts.columns());
    named
        .map(|(field, part)| Some((field.name().clone(), value(part.as_ref(), row)?)))
        .collect::<Option<Map<_, _>>>()
        .map(Value::Object)
}

/// An object of the keys as they are written.
fn map(array: &dyn Array, row: usize) -> Option<Value> {
    let entries = array.as_map().value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    let entry = |at: usize| {
        let key = match value(keys.as_ref(), at)? {
            Value::String(key) => key,
            other => other.to_string(),
        };
        Some((key, value(values.as_ref(), at)?))
    };
    (0..entries.len()).map(entry).collect::<Option<Map<_, _>>>().map(Value::Object)
}

/// RFC 3339; without the zone where the column has none.
fn moment(array: &dyn Array, row: usize, unit: TimeUnit, has_zone: bool) -> Value {
    let moment = match unit {
        TimeUnit::Second => Timestamp::from_second(array.as_primitive::<arrow::TimestampSecondType>().value(row)),
        TimeUnit::Millisecond => {
            Timestamp::from_millisecond(array.as_primitive::<arrow::TimestampMillisecondType>().value(row))
        }
        TimeUnit::Microsecond => {
            Timestamp::from_microsecond(array.as_primitive::<arrow::TimestampMicrosecondType>().value(row))
        }
        TimeUnit::Nanosecond => {
            let nanoseconds = array.as_primitive::<arrow::TimestampNanosecondType>().value(row);
            Timestamp::from_nanosecond(i128::from(nanoseconds))
        }
    };
    // What lies outside of all calendars is a text that no time is read from.
    let text = moment.map_or_else(|_| "out of range".to_owned(), |moment| moment.to_string());
    Value::from(if has_zone { text } else { text.trim_end_matches('Z').to_owned() })
}

fn number(array: &dyn Array, row: usize) -> Option<Value> {
    macro_rules! whole {
        ($kind:ty) => {
            Value::from(array.as_primitive::<$kind>().value(row))
        };
    }
    Some(match array.data_type() {
        DataType::Int8 => whole!(arrow::Int8Type),
        DataType::Int16 => whole!(arrow::Int16Type),
        DataType::Int32 => whole!(arrow::Int32Type),
        DataType::Int64 => whole!(arrow::Int64Type),
        DataType::UInt8 => whole!(arrow::UInt8Type),
        DataType::UInt16 => whole!(arrow::UInt16Type),
        DataType::UInt32 => whole!(arrow::UInt32Type),
        DataType::UInt64 => whole!(arrow::UInt64Type),
        // By its shortest decimal form, so that 0.1 stays 0.1.
        DataType::Float16 => decimal(&array.as_primitive::<arrow::Float16Type>().value(row).to_string()),
        DataType::Float32 => decimal(&array.as_primitive::<arrow::Float32Type>().value(row).to_string()),
        DataType::Float64 => Value::from(array.as_primitive::<arrow::Float64Type>().value(row)),
        DataType::Decimal32(..) => decimal(&array.as_primitive::<arrow::Decimal32Type>().value_as_string(row)),
        DataType::Decimal64(..) => decimal(&array.as_primitive::<arrow::Decimal64Type>().value_as_string(row)),
        DataType::Decimal128(..) => decimal(&array.as_primitive::<arrow::Decimal128Type>().value_as_string(row)),
        DataType::Decimal256(..) => decimal(&array.as_primitive::<arrow::Decimal256Type>().value_as_string(row)),
        _ => return None,
    })
}

/// A number where a double keeps all its digits, else its text; nothing for what is no number.
fn decimal(text: &str) -> Value {
    let n_digits = text.bytes().filter(u8::is_ascii_digit).count();
    match text.parse::<f64>().ok().filter(|number| number.is_finite()) {
        None => Value::Null,
        Some(_) if n_digits > DOUBLE_DIGITS && text.contains('.') => Value::from(text),
        Some(number) => match text.parse::<i64>() {
            Ok(whole) => Value::from(whole),
            Err(_) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        },
    }
}

/// Dates, times and what is rare, as Arrow writes them.
fn written(array: &dyn Array, row: usize) -> Value {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options);
    formatter.and_then(|formatter| formatter.value(row).try_to_string()).map_or(Value::Null, Value::from)
}
