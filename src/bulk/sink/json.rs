//! NDJSON out: the kept fields, then the vector as an array of numbers, null where there is no text.

use super::super::kept::{Kept, broken};
use super::super::{BulkError, Settings};
use super::Vectors;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, SchemaRef};
use serde::Serialize;
use std::sync::{Arc, LazyLock};

pub struct JsonSink {
    names: Vec<String>,
    vector_column: String,
}

impl JsonSink {
    pub fn new(settings: &Settings, kept: &SchemaRef) -> Result<Self, BulkError> {
        check_flat(kept, "NDJSON")?;
        let names = kept.fields().iter().map(|field| field.name().clone()).collect();
        Ok(Self { names, vector_column: settings.vector_column.clone() })
    }

    pub fn window(&self, kept: &Kept, vectors: &Vectors) -> Result<Vec<u8>, BulkError> {
        let mut out = Vec::new();
        match kept {
            Kept::Cells(rows) => {
                for (at, row) in rows.iter().enumerate() {
                    let mut object = Writing::start(&mut out);
                    for (name, cell) in self.names.iter().zip(row) {
                        object.field(name, |out| write(cell, out))?;
                    }
                    self.end_row(object, vectors.get(at))?;
                }
            }
            Kept::Objects(rows) => {
                for (at, row) in rows.iter().enumerate() {
                    let mut object = Writing::start(&mut out);
                    for (name, value) in &row.0 {
                        object.field(name, |out| {
                            out.extend_from_slice(value.get().as_bytes());
                            Ok(())
                        })?;
                    }
                    self.end_row(object, vectors.get(at))?;
                }
            }
            Kept::Batch(batch) => self.write_batch(batch, vectors, &mut out)?,
        }
        Ok(out)
    }

    fn write_batch(&self, batch: &RecordBatch, vectors: &Vectors, out: &mut Vec<u8>) -> Result<(), BulkError> {
        let columns = shown(batch)?;
        let columns = formatters(&columns)?;
        for at in 0..batch.num_rows() {
            let mut object = Writing::start(out);
            for (name, (array, formatter)) in self.names.iter().zip(&columns) {
                object.field(name, |out| write_value(array, formatter, at, out))?;
            }
            self.end_row(object, vectors.get(at))?;
        }
        Ok(())
    }

    fn end_row(&self, mut object: Writing<'_>, vector: Option<&[f32]>) -> Result<(), BulkError> {
        object.field(&self.vector_column, |out| match vector {
            Some(vector) => write_vector(vector, out),
            None => write(&(), out),
        })?;
        object.0.extend_from_slice(b"}\n");
        Ok(())
    }
}

/// An object that is being written.
struct Writing<'a>(&'a mut Vec<u8>, bool);

impl<'a> Writing<'a> {
    fn start(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self(out, false)
    }

    fn field(
        &mut self,
        name: &str,
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), BulkError>,
    ) -> Result<(), BulkError> {
        if std::mem::replace(&mut self.1, true) {
            self.0.push(b',');
        }
        write(name, self.0)?;
        self.0.push(b':');
        value(self.0)
    }
}

fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), BulkError> {
    serde_json::to_writer(out, value).map_err(|error| BulkError::Internal(format!("JSON: {error}")))
}

/// The shortest digits that read back as the same `f32`.
pub fn write_vector(vector: &[f32], out: &mut Vec<u8>) -> Result<(), BulkError> {
    write(vector, out)
}

/// Numbers and booleans as JSON has them, NaN and infinities as null, anything else (dates, times, bytes) as a string.
fn write_value(
    array: &ArrayRef,
    formatter: &ArrayFormatter<'_>,
    at: usize,
    out: &mut Vec<u8>,
) -> Result<(), BulkError> {
    if array.is_null(at) {
        return write(&(), out);
    }
    let text = formatter.value(at).try_to_string().map_err(broken)?;
    let is_number = array.data_type().is_numeric();
    if is_number && !text.ends_with(|last: char| last.is_ascii_digit()) {
        return write(&(), out);
    }
    if is_number || *array.data_type() == DataType::Boolean {
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    write(&text, out)
}

/// The columns as text formats show them: a time in a named zone is shown in UTC, because the zones' tables are not in this
/// program; the instant is the same.
pub fn shown(batch: &RecordBatch) -> Result<Vec<ArrayRef>, BulkError> {
    let show = |column: &ArrayRef| match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            arrow_cast::cast(column, &DataType::Timestamp(*unit, Some("+00:00".into()))).map_err(broken)
        }
        _ => Ok(Arc::clone(column)),
    };
    batch.columns().iter().map(show).collect()
}

/// Each column with what turns its values into text.
pub fn formatters(columns: &[ArrayRef]) -> Result<Vec<(&ArrayRef, ArrayFormatter<'_>)>, BulkError> {
    static OPTIONS: LazyLock<FormatOptions<'static>> = LazyLock::new(FormatOptions::default);
    let columns = columns.iter();
    columns.map(|array| Ok((array, ArrayFormatter::try_new(array, &OPTIONS).map_err(broken)?))).collect()
}

/// # Errors
/// A column holds lists, maps or structures, which text formats do not take here.
pub fn check_flat(schema: &SchemaRef, format: &str) -> Result<(), BulkError> {
    match schema.fields().iter().find(|field| field.data_type().is_nested()) {
        Some(field) => Err(BulkError::wrong(format!(
            "the column {:?} holds {}, which is not written to {format}; leave it out with --keep, or write Parquet or Arrow",
            field.name(),
            field.data_type()
        ))),
        None => Ok(()),
    }
}
