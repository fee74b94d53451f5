//! A window's rows on their way through: as columns where the input has columns, as text where it has text.

use super::BulkError;
use super::object::Object;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use csv::StringRecord;
use std::sync::Arc;

/// The kept columns of some rows.
pub enum Kept {
    /// From Parquet and Arrow.
    Batch(RecordBatch),
    /// From CSV: the kept cells of each row.
    Cells(Vec<StringRecord>),
    /// From NDJSON: each row whole; which fields are kept is the schema's matter.
    Objects(Vec<Object>),
}

impl Kept {
    /// As columns; what was text stays text.
    pub fn columns(&self, schema: &SchemaRef) -> Vec<ArrayRef> {
        let names = schema.fields().iter().map(|field| field.name());
        match self {
            Self::Batch(batch) => batch.columns().to_vec(),
            Self::Cells(rows) => {
                let column = |at: usize| StringArray::from_iter(rows.iter().map(|row| row.get(at)));
                names.enumerate().map(|(at, _)| Arc::new(column(at)) as ArrayRef).collect()
            }
            Self::Objects(rows) => {
                let column = |name: &str| StringArray::from_iter(rows.iter().map(|row| row.cell(name).into_text()));
                names.map(|name| Arc::new(column(name)) as ArrayRef).collect()
            }
        }
    }
}

/// The schema of columns that hold text.
pub fn text_schema<'a>(names: impl IntoIterator<Item = &'a str>) -> SchemaRef {
    Arc::new(Schema::new(names.into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect::<Vec<_>>()))
}

/// What the arrow crates report while they write is nobody's input.
pub fn broken(error: ArrowError) -> BulkError {
    BulkError::Internal(format!("Arrow: {error}"))
}
