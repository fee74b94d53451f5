//! Outputs: each window into bytes of its own, so that a file can be cut off after any window and gone on with.

mod columnar;
mod csv;
mod json;

use super::kept::Kept;
use super::{BulkError, Format, Settings};
use arrow_schema::SchemaRef;
use std::fs::File;

/// Vectors of a window's rows.
pub struct Vectors {
    pub dimension: usize,
    /// `[n_rows, dimension]`; zeros where there is no text.
    pub values: Vec<f32>,
    /// Whether the row has a text.
    pub present: Vec<bool>,
}

impl Vectors {
    pub fn get(&self, row: usize) -> Option<&[f32]> {
        let start = row * self.dimension;
        self.present.get(row).is_some_and(|there| *there).then(|| &self.values[start..start + self.dimension])
    }
}

pub enum Sink {
    Csv(csv::CsvSink),
    Ndjson(json::JsonSink),
    ArrowStream(columnar::ArrowSink),
    /// Written as a stream, and made into a file at the end.
    ArrowFile(columnar::ArrowSink),
    /// Written as a Parquet file a window, and put together at the end.
    Parquet(Box<columnar::ParquetSink>),
}

impl Sink {
    /// # Errors
    /// A column cannot be written in that format.
    pub fn new(settings: &Settings, kept: &SchemaRef, dimension: usize) -> Result<Self, BulkError> {
        let column = columnar::VectorColumn::new(settings, dimension);
        Ok(match settings.output_format {
            Format::Csv => Self::Csv(csv::CsvSink::new(settings, kept)?),
            Format::Ndjson => Self::Ndjson(json::JsonSink::new(settings, kept)?),
            Format::ArrowStream => Self::ArrowStream(columnar::ArrowSink::new(kept, column)?),
            Format::Arrow => Self::ArrowFile(columnar::ArrowSink::new(kept, column)?),
            Format::Parquet => Self::Parquet(Box::new(columnar::ParquetSink::new(kept, column)?)),
        })
    }

    /// What comes before the first window.
    pub fn head(&self) -> Result<Vec<u8>, BulkError> {
        match self {
            Self::Csv(sink) => sink.head(),
            Self::Ndjson(_) => Ok(Vec::new()),
            Self::ArrowStream(sink) | Self::ArrowFile(sink) => Ok(sink.head().to_vec()),
            Self::Parquet(sink) => sink.head(),
        }
    }

    pub fn window(&self, kept: &Kept, vectors: &Vectors) -> Result<Vec<u8>, BulkError> {
        match self {
            Self::Csv(sink) => sink.window(kept, vectors),
            Self::Ndjson(sink) => sink.window(kept, vectors),
            Self::ArrowStream(sink) | Self::ArrowFile(sink) => sink.window(kept, vectors),
            Self::Parquet(sink) => sink.window(kept, vectors),
        }
    }

    /// What comes after the last window.
    pub fn tail(&self) -> &'static [u8] {
        match self {
            Self::ArrowStream(_) => columnar::END_OF_STREAM,
            _ => &[],
        }
    }

    /// Puts the pieces together; each ends where `ends` says, the first is the head. False where they are whole as they lie.
    pub fn assemble(
        &self,
        pieces: &File,
        ends: &[u64],
        whole: impl FnOnce() -> Result<File, BulkError>,
    ) -> Result<bool, BulkError> {
        match self {
            Self::Csv(_) | Self::Ndjson(_) | Self::ArrowStream(_) => return Ok(false),
            Self::ArrowFile(sink) => sink.assemble(pieces, &whole()?)?,
            Self::Parquet(_) => columnar::assemble_parquet(pieces, ends, &whole()?)?,
        }
        Ok(true)
    }
}
