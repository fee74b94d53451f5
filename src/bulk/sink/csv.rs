//! CSV out: the kept cells, then the vector as a JSON array in one cell, empty where there is no text.

use super::super::kept::{Kept, broken};
use super::super::{BulkError, Settings};
use super::Vectors;
use super::json::{check_flat, formatters, shown};
use ::csv::{Writer, WriterBuilder};
use arrow_array::Array;
use arrow_schema::SchemaRef;

pub struct CsvSink {
    names: Vec<String>,
    vector_column: String,
    delimiter: u8,
}

impl CsvSink {
    pub fn new(settings: &Settings, kept: &SchemaRef) -> Result<Self, BulkError> {
        check_flat(kept, "CSV")?;
        let names = kept.fields().iter().map(|field| field.name().clone()).collect();
        Ok(Self { names, vector_column: settings.vector_column.clone(), delimiter: settings.delimiter })
    }

    fn writer(&self) -> Writer<Vec<u8>> {
        WriterBuilder::new().delimiter(self.delimiter).from_writer(Vec::new())
    }

    pub fn head(&self) -> Result<Vec<u8>, BulkError> {
        let mut writer = self.writer();
        writer.write_record(self.names.iter().chain([&self.vector_column])).map_err(unwritten)?;
        writer.into_inner().map_err(|error| unwritten(error.into_error().into()))
    }

    pub fn window(&self, kept: &Kept, vectors: &Vectors) -> Result<Vec<u8>, BulkError> {
        let mut writer = self.writer();
        match kept {
            Kept::Cells(rows) => {
                for (at, row) in rows.iter().enumerate() {
                    row.iter().try_for_each(|cell| writer.write_field(cell)).map_err(unwritten)?;
                    end_row(&mut writer, vectors.get(at))?;
                }
            }
            Kept::Objects(rows) => {
                for (at, row) in rows.iter().enumerate() {
                    let mut cells = self.names.iter().map(|name| row.cell(name).into_text().unwrap_or_default());
                    cells.try_for_each(|cell| writer.write_field(cell.as_bytes())).map_err(unwritten)?;
                    end_row(&mut writer, vectors.get(at))?;
                }
            }
            Kept::Batch(batch) => {
                let columns = shown(batch)?;
                let columns = formatters(&columns)?;
                for at in 0..batch.num_rows() {
                    for (array, formatter) in &columns {
                        let cell = if array.is_null(at) {
                            String::new()
                        } else {
                            formatter.value(at).try_to_string().map_err(broken)?
                        };
                        writer.write_field(cell).map_err(unwritten)?;
                    }
                    end_row(&mut writer, vectors.get(at))?;
                }
            }
        }
        writer.into_inner().map_err(|error| unwritten(error.into_error().into()))
    }
}

fn end_row(writer: &mut Writer<Vec<u8>>, vector: Option<&[f32]>) -> Result<(), BulkError> {
    let mut cell = Vec::new();
    if let Some(vector) = vector {
        super::json::write_vector(vector, &mut cell)?;
    }
    writer.write_field(cell).map_err(unwritten)?;
    writer.write_record(None::<&[u8]>).map_err(unwritten)
}

fn unwritten(error: ::csv::Error) -> BulkError {
    BulkError::Internal(format!("CSV: {error}"))
}
