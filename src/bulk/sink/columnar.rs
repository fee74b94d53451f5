//! Parquet and Arrow out: the kept columns, then the vectors as lists of `Float32`, null where there is no text.

use super::super::kept::{Kept, broken};
use super::super::{BulkError, Settings, VectorType};
use super::Vectors;
use arrow_array::builder::{Float32Builder, ListBuilder};
use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The marker that ends an Arrow stream.
pub const END_OF_STREAM: &[u8] = &[0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];

/// The name of a list's values, as Arrow has it.
const ITEM: &str = "item";

/// How vectors are held in columns.
pub struct VectorColumn {
    name: String,
    dimension: usize,
    list: VectorType,
    item: FieldRef,
}

impl VectorColumn {
    pub fn new(settings: &Settings, dimension: usize) -> Self {
        let item = Arc::new(Field::new(ITEM, DataType::Float32, true));
        Self { name: settings.vector_column.clone(), dimension, list: settings.vector_type, item }
    }

    fn width(&self) -> i32 {
        i32::try_from(self.dimension).unwrap_or(i32::MAX)
    }

    /// The kept columns' schema with the vectors' column at its end.
    fn beside(&self, kept: &SchemaRef) -> SchemaRef {
        let kind = match self.list {
            VectorType::Fixed => DataType::FixedSizeList(Arc::clone(&self.item), self.width()),
            VectorType::List => DataType::List(Arc::clone(&self.item)),
        };
        let mut fields: Vec<FieldRef> = kept.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(&self.name, kind, true)));
        Arc::new(Schema::new_with_metadata(fields, kept.metadata().clone()))
    }

    fn array(&self, vectors: &Vectors) -> Result<ArrayRef, ArrowError> {
        let item = Arc::clone(&self.item);
        if self.list == VectorType::Fixed {
            let validity = Some(vectors.present.clone().into());
            let values = Arc::new(Float32Array::from(vectors.values.clone()));
            return Ok(Arc::new(FixedSizeListArray::try_new(item, self.width(), values, validity)?));
        }
        let mut lists = ListBuilder::new(Float32Builder::new()).with_field(item);
        for row in 0..vectors.present.len() {
            let vector = vectors.get(row);
            lists.values().append_slice(vector.unwrap_or_default());
            lists.append(vector.is_some());
        }
        Ok(Arc::new(lists.finish()))
    }

    fn batch(&self, kept: &Kept, vectors: &Vectors, schemas: &Schemas) -> Result<RecordBatch, BulkError> {
        let mut columns = kept.columns(&schemas.kept);
        columns.push(self.array(vectors).map_err(broken)?);
        RecordBatch::try_new(Arc::clone(&schemas.whole), columns).map_err(broken)
    }
}

/// Of the kept columns, and with the vectors' one.
struct Schemas {
    kept: SchemaRef,
    whole: SchemaRef,
}

impl Schemas {
    fn new(kept: &SchemaRef, column: &VectorColumn) -> Self {
        Self { kept: Arc::clone(kept), whole: column.beside(kept) }
    }
}

pub struct ArrowSink {
    column: VectorColumn,
    schemas: Schemas,
    head: Vec<u8>,
}

impl ArrowSink {
    pub fn new(kept: &SchemaRef, column: VectorColumn) -> Result<Self, BulkError> {
        let schemas = Schemas::new(kept, &column);
        let head = StreamWriter::try_new(Vec::new(), &schemas.whole).map_err(broken)?.get_ref().clone();
        Ok(Self { column, schemas, head })
    }

    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The messages of one batch. A writer a batch: what a message holds depends on no batch before it.
    pub fn window(&self, kept: &Kept, vectors: &Vectors) -> Result<Vec<u8>, BulkError> {
        let batch = self.column.batch(kept, vectors, &self.schemas)?;
        let mut writer = StreamWriter::try_new(Vec::new(), &self.schemas.whole).map_err(broken)?;
        writer.write(&batch).map_err(broken)?;
        Ok(writer.get_ref()[self.head.len()..].to_vec())
    }

    /// The stream of the pieces as a file.
    pub fn assemble(&self, pieces: &File, whole: &File) -> Result<(), BulkError> {
        let mut pieces = BufReader::new(pieces);
        pieces.seek(SeekFrom::Start(0)).map_err(BulkError::io("the partial output cannot be read"))?;
        let reader = StreamReader::try_new(pieces, None).map_err(broken)?;
        let mut writer = FileWriter::try_new(BufWriter::new(whole), &self.schemas.whole).map_err(broken)?;
        for batch in reader {
            writer.write(&batch.map_err(broken)?).map_err(broken)?;
        }
        writer.finish().map_err(broken)?;
        writer.flush().map_err(broken)
    }
}

pub struct ParquetSink {
    column: VectorColumn,
    schemas: Schemas,
    properties: WriterProperties,
}

impl ParquetSink {
    pub fn new(kept: &SchemaRef, column: VectorColumn) -> Result<Self, BulkError> {
        let schemas = Schemas::new(kept, &column);
        // Digits of vectors repeat nowhere: a dictionary, statistics and compression would cost time and win nothing.
        let vectors = ColumnPath::from(vec![column.name.clone(), "list".into(), ITEM.into()]);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_column_compression(vectors.clone(), Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled(vectors.clone(), false)
            .set_column_statistics_enabled(vectors, EnabledStatistics::None)
            .build();
        Ok(Self { column, schemas, properties })
    }

    /// A Parquet file without rows.
    pub fn head(&self) -> Result<Vec<u8>, BulkError> {
        self.file(None)
    }

    /// A Parquet file with the window's rows.
    pub fn window(&self, kept: &Kept, vectors: &Vectors) -> Result<Vec<u8>, BulkError> {
        self.file(Some(&self.column.batch(kept, vectors, &self.schemas)?))
    }

    fn file(&self, batch: Option<&RecordBatch>) -> Result<Vec<u8>, BulkError> {
        let schema = Arc::clone(&self.schemas.whole);
        let unwritten =
            |error: ParquetError| BulkError::wrong(format!("these columns cannot be written to Parquet: {error}"));
        let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(self.properties.clone())).map_err(unwritten)?;
        batch.map_or(Ok(()), |batch| writer.write(batch)).map_err(unwritten)?;
        writer.into_inner().map_err(unwritten)
    }
}

/// One Parquet file of all pieces' row groups, in order; their column chunks are copied as they are.
pub fn assemble_parquet(pieces: &File, ends: &[u64], whole: &File) -> Result<(), BulkError> {
    let parquet = |error: ParquetError| BulkError::Internal(format!("Parquet: {error}"));
    let mut starts = vec![0];
    starts.extend_from_slice(ends);
    let mut pieces = starts.windows(2).map(|piece| read_piece(pieces, piece[0], piece[1]));
    let (_, head) = pieces.next().ok_or_else(|| BulkError::Internal("no head was written".into()))??;
    let head = head.file_metadata();
    let properties = WriterProperties::builder().set_key_value_metadata(head.key_value_metadata().cloned()).build();
    let schema = head.schema_descr().root_schema_ptr();
    let mut writer = SerializedFileWriter::new(BufWriter::new(whole), schema, Arc::new(properties)).map_err(parquet)?;
    for piece in pieces {
        let (bytes, metadata) = piece?;
        append(&mut writer, &bytes, &metadata).map_err(parquet)?;
    }
    let mut buffered = writer.into_inner().map_err(parquet)?;
    buffered.flush().map_err(BulkError::io("the output cannot be written"))
}

fn read_piece(pieces: &File, start: u64, end: u64) -> Result<(Bytes, ParquetMetaData), BulkError> {
    let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
    pieces.read_exact_at(&mut bytes, start).map_err(BulkError::io("the partial output cannot be read"))?;
    let bytes = Bytes::from(bytes);
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
    let metadata = reader.parse_and_finish(&bytes);
    let metadata = metadata.map_err(|error| BulkError::Internal(format!("the partial output is damaged: {error}")))?;
    Ok((bytes, metadata))
}

fn append(
    writer: &mut SerializedFileWriter<BufWriter<&File>>,
    piece: &Bytes,
    metadata: &ParquetMetaData,
) -> Result<(), ParquetError> {
    let index = metadata.page_index();
    for (at, group) in metadata.row_groups().iter().enumerate() {
        let mut appended = writer.next_row_group()?;
        for (column_at, column) in group.columns().iter().enumerate() {
            let close = ColumnCloseResult {
                bytes_written: u64::try_from(column.compressed_size()).unwrap_or(0),
                rows_written: u64::try_from(group.num_rows()).unwrap_or(0),
                metadata: column.clone(),
                bloom_filter: None,
                column_index: index.and_then(|index| index.column_index(at, column_at)).cloned(),
                offset_index: index.and_then(|index| index.offset_index(at, column_at)).cloned(),
            };
            appended.append_column(piece, close)?;
        }
        appended.close()?;
    }
    Ok(())
}
