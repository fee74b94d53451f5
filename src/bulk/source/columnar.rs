//! Parquet and Arrow in: columns pass through as they are, but for dictionaries, which are unpacked.

use super::super::format::column;
use super::super::input::{Gauge, Input, open_file};
use super::super::kept::Kept;
use super::super::{BulkError, Extent, Place, Settings};
use super::{Mark, Opened, Source, Window};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

/// The first bytes of a file in Arrow's file format.
const ARROW_FILE_MAGIC: &[u8] = b"ARROW1";

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Where the columns are, and what the kept ones become.
struct Picking {
    place: Place,
    text: usize,
    kept: Vec<usize>,
    schema: SchemaRef,
}

impl Picking {
    fn new(settings: &Settings, schema: &Schema) -> Result<Self, BulkError> {
        let place = settings.input.clone();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let text = column(&settings.text, "--text", &names, &place)?;
        let kept = settings.keep.places(&names, &place)?;
        let kind = unpacked(schema.field(text).data_type());
        if !matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null) {
            return Err(BulkError::wrong(format!("the column {:?} of {place} holds {kind}, not text", settings.text)));
        }
        let fields: Vec<Arc<Field>> = kept.iter().map(|at| plain(&schema.fields()[*at])).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        Ok(Self { place, text, kept, schema })
    }

    /// The same for batches that hold only the columns that are needed, and the places of those.
    fn narrowed(mut self) -> (Self, Vec<usize>) {
        let mut needed = self.kept.clone();
        needed.push(self.text);
        needed.sort_unstable();
        needed.dedup();
        let narrow = |at: usize| needed.partition_point(|there| *there < at);
        self.text = narrow(self.text);
        self.kept.iter_mut().for_each(|at| *at = narrow(*at));
        (self, needed)
    }

    fn window(&self, batch: &RecordBatch, end: Mark) -> Result<Window, BulkError> {
        let wrong = |error: ArrowError| BulkError::wrong(format!("{}: {error}", self.place));
        let texts = texts(&*unpack(batch.column(self.text)).map_err(wrong)?)
            .ok_or_else(|| BulkError::wrong(format!("{}: a batch differs from the schema", self.place)))?;
        let columns = self.kept.iter().map(|at| unpack(batch.column(*at))).collect::<Result<Vec<_>, _>>();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let kept = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns.map_err(wrong)?, &options);
        Ok(Window { kept: Kept::Batch(kept.map_err(wrong)?), texts, complaints: Vec::new(), end })
    }

    fn unreadable(&self, row: u64, error: impl Display) -> BulkError {
        BulkError::wrong(format!("{} cannot be read on after row {row}: {error}", self.place))
    }
}

/// The type of a dictionary's values, or the type itself.
fn unpacked(kind: &DataType) -> &DataType {
    match kind {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

fn plain(field: &Arc<Field>) -> Arc<Field> {
    match field.data_type() {
        DataType::Dictionary(_, values) => Arc::new(field.as_ref().clone().with_data_type((**values).clone())),
        _ => Arc::clone(field),
    }
}

fn unpack(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Dictionary(_, values) => arrow_cast::cast(column, values),
        _ => Ok(Arc::clone(column)),
    }
}

fn texts(column: &dyn Array) -> Option<Vec<Option<String>>> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    match column.data_type() {
        DataType::Utf8 => column.as_string_opt::<i32>().map(|texts| texts.iter().map(owned).collect()),
        DataType::LargeUtf8 => column.as_string_opt::<i64>().map(|texts| texts.iter().map(owned).collect()),
        DataType::Utf8View => column.as_string_view_opt().map(|texts| texts.iter().map(owned).collect()),
        DataType::Null => Some(vec![None; column.len()]),
        _ => None,
    }
}

pub(super) fn open_parquet(settings: &Settings) -> Result<Opened, BulkError> {
    let file = open_file(&settings.input)?;
    let wrong =
        |error: &dyn Display| BulkError::wrong(format!("{} cannot be read as Parquet: {error}", settings.input));
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default()).map_err(|error| wrong(&error))?;
    let (picking, roots) = Picking::new(settings, metadata.schema())?.narrowed();
    let n_rows = metadata.metadata().file_metadata().num_rows();
    let schema = Arc::clone(&picking.schema);
    let batch_rows = settings.batch_rows;
    let mut source = ParquetSource { file, metadata, picking, roots, batch_rows, mark: Mark::default(), batches: None };
    source.start()?;
    Ok(Opened { source: Box::new(source), schema, extent: Extent::Rows(u64::try_from(n_rows).unwrap_or(0)) })
}

struct ParquetSource {
    file: File,
    metadata: ArrowReaderMetadata,
    picking: Picking,
    /// The columns that are read at all.
    roots: Vec<usize>,
    batch_rows: usize,
    mark: Mark,
    batches: Option<Batches>,
}

impl ParquetSource {
    /// Starts to read at the mark.
    fn start(&mut self) -> Result<(), BulkError> {
        let unreadable = |error: &dyn Display| self.picking.unreadable(self.mark.rows, error);
        let file = self.file.try_clone().map_err(|error| unreadable(&error))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let skip = usize::try_from(self.mark.rows).map_err(|error| unreadable(&error))?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), self.roots.iter().copied());
        let reader = builder.with_projection(mask).with_offset(skip).with_batch_size(self.batch_rows).build();
        self.batches = Some(Box::new(reader.map_err(|error| unreadable(&error))?));
        Ok(())
    }
}

impl Source for ParquetSource {
    fn next(&mut self) -> Result<Option<Window>, BulkError> {
        let Some(batch) = self.batches.as_mut().and_then(Iterator::next) else { return Ok(None) };
        let batch = batch.map_err(|error| self.picking.unreadable(self.mark.rows, error))?;
        self.mark.rows += batch.num_rows() as u64;
        self.picking.window(&batch, self.mark).map(Some)
    }

    fn seek(&mut self, mark: &Mark) -> Result<(), BulkError> {
        self.mark = *mark;
        self.start()
    }
}

pub(super) fn open_arrow(settings: &Settings) -> Result<Opened, BulkError> {
    let (reader, schema, gauge, extent) = arrow_batches(settings)?;
    let picking = Picking::new(settings, &schema)?;
    let schema = Arc::clone(&picking.schema);
    // On a pipe a batch goes out as it came in: whoever writes one and waits for its answer gets it.
    let max_rows = if settings.input == Place::Pipe { usize::MAX } else { settings.batch_rows };
    let source = ArrowSource { batches: reader, picking, gauge, max_rows, rest: None, mark: Mark::default() };
    Ok(Opened { source: Box::new(source), schema, extent })
}

/// The batches of a stream or of a file, which are told apart by their first bytes.
fn arrow_batches(settings: &Settings) -> Result<(Batches, SchemaRef, Gauge, Extent), BulkError> {
    let place = &settings.input;
    let wrong = |error: &dyn Display| BulkError::wrong(format!("{place} cannot be read as Arrow: {error}"));
    let input = Input::open(place)?;
    let (gauge, extent) = (input.gauge(), input.total_bytes().map_or(Extent::Unknown, Extent::Bytes));
    let mut input = BufReader::with_capacity(1 << 16, input);
    let start = input.fill_buf().map_err(|error| wrong(&error))?;
    if start.is_empty() {
        return Err(wrong(&"it is empty; an Arrow stream begins with its schema"));
    }
    if start.starts_with(ARROW_FILE_MAGIC) {
        if *place == Place::Pipe {
            return Err(wrong(&"the file format needs a file; send the stream format, or name a file with --in"));
        }
        let reader = FileReader::try_new(input, None).map_err(|error| wrong(&error))?;
        let schema = reader.schema();
        return Ok((Box::new(reader), schema, gauge, extent));
    }
    let reader = StreamReader::try_new(input, None).map_err(|error| wrong(&error))?;
    let schema = reader.schema();
    Ok((Box::new(reader), schema, gauge, extent))
}

struct ArrowSource {
    batches: Batches,
    picking: Picking,
    gauge: Gauge,
    max_rows: usize,
    /// What is left of a batch that was longer than a window.
    rest: Option<RecordBatch>,
    mark: Mark,
}

impl ArrowSource {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BulkError> {
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.batches.next() {
                Some(batch) => batch.map_err(|error| self.picking.unreadable(self.mark.rows, error))?,
                None => return Ok(None),
            },
        };
        let n_rows = batch.num_rows();
        if n_rows <= self.max_rows {
            return Ok(Some(batch));
        }
        self.rest = Some(batch.slice(self.max_rows, n_rows - self.max_rows));
        Ok(Some(batch.slice(0, self.max_rows)))
    }
}

impl Source for ArrowSource {
    fn next(&mut self) -> Result<Option<Window>, BulkError> {
        let Some(batch) = self.next_batch()? else { return Ok(None) };
        self.mark.rows += batch.num_rows() as u64;
        self.mark.byte = self.gauge.read();
        self.picking.window(&batch, self.mark).map(Some)
    }

    /// Reads up to the mark: batches have no index in a stream, and reading them is quick beside embedding them.
    fn seek(&mut self, mark: &Mark) -> Result<(), BulkError> {
        while self.mark.rows < mark.rows {
            let Some(batch) = self.next_batch()? else { break };
            self.mark.rows += batch.num_rows() as u64;
        }
        if self.mark.rows != mark.rows {
            return Err(self.picking.unreadable(self.mark.rows, "the input is not the one that was begun; --restart"));
        }
        Ok(())
    }
}
