//! `clientele embed`: texts of a file or a pipe into vectors, in bulk. It needs no store and no service.

use super::{CliError, CliResult, ModelArgs};
use crate::bulk::{Bulk, BulkError, Extent, Format, Keep, OnError, Place, Report, Settings, VectorType, Watch};
use crate::embed::{self, DEFAULT_MODEL, Embedder};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Turn the texts of a file into vectors: Parquet, NDJSON, CSV, or Arrow on a pipe.
///
/// Every row goes out as it came in, with its vector in a column more. Memory is bounded whatever the file's size. Killed, the
/// same command goes on where it was; the same input and settings give the same bytes. A null or missing text (in CSV an
/// empty cell) has a null vector.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele embed --in reviews.parquet --out vectors.parquet --text body
  clientele embed --in reviews.csv --out vectors.ndjson --keep id,stars --model multilingual-e5-small --prefix 'query: '
  zcat reviews.ndjson.gz | clientele embed --in - --format ndjson --out vectors.parquet

As a worker on a pipe, Arrow streams go in and out; each batch is answered before the next is asked for. Spark's mapInArrow:

  def vectors(batches):
      worker = subprocess.Popen(['clientele', 'embed', '--in', '-', '--out', '-', '--vector-type', 'list', '--offline'],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
      writer = reader = None
      for batch in batches:
          writer = writer or pyarrow.ipc.new_stream(worker.stdin, batch.schema)
          writer.write_batch(batch); worker.stdin.flush()
          reader = reader or pyarrow.ipc.open_stream(worker.stdout)
          yield reader.read_next_batch()
      if writer: writer.close()
      worker.stdin.close(); worker.wait()
  frame.mapInArrow(vectors, 'id long, text string, embedding array<float>')

Text formats into columns: what CSV and NDJSON hold becomes text columns in Parquet and Arrow. OUT.partial and OUT.progress
lie beside OUT while it is made.")]
pub struct EmbedArgs {
    /// The file to read, or - for standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// The file to write, or - for standard output
    #[arg(long = "out", value_name = "FILE")]
    output: PathBuf,
    /// parquet, ndjson, csv, arrow (the file format) or arrow-stream [default: by the file's name; arrow-stream for -]
    #[arg(long)]
    format: Option<String>,
    /// The same for the output
    #[arg(long)]
    out_format: Option<String>,
    /// The column or field that holds the words
    #[arg(long, value_name = "COLUMN", default_value = "text")]
    text: String,
    /// Columns that go out beside the vector: all, none, or names with commas between
    #[arg(long, value_name = "COLUMNS", default_value = "all")]
    keep: String,
    /// What to call the vectors' column
    #[arg(long, value_name = "NAME", default_value = "embedding")]
    vector_column: String,
    /// In Parquet and Arrow: fixed (a list of fixed size) or list (for Spark, which knows no other)
    #[arg(long, value_name = "TYPE", default_value = "fixed")]
    vector_type: String,
    /// A model of the catalogue, or a folder that holds one
    #[arg(long, default_value = DEFAULT_MODEL)]
    model: String,
    /// Put before every text [default: the model's own]
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// Rows that are read, embedded and written as one: a row group, a record batch, and what a kill may cost
    #[arg(long, value_name = "N", default_value_t = 8192)]
    batch_rows: usize,
    /// What to do with a wrong row of CSV or NDJSON: fail, or skip (it is counted)
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    on_error: String,
    /// Between the cells of a CSV row; tab for a tab
    #[arg(long, value_name = "CHARACTER", default_value = ",")]
    delimiter: String,
    /// Replace the output if it is there
    #[arg(long)]
    overwrite: bool,
    /// Begin at the start, even where an earlier run was killed
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    models: ModelArgs,
}

pub fn run(args: &EmbedArgs) -> CliResult {
    let model_settings = args.models.settings()?;
    let settings = args.settings()?;
    let has_pipe = settings.output == Place::Pipe;
    let bulk = Bulk::open(settings).map_err(told)?;
    super::models::ensure(&args.model, &args.models)?;
    let mendable = |error: embed::EmbedError| CliError::user(error.to_string());
    let resolved = embed::resolve(&args.model, &model_settings.models_dir, model_settings.offline).map_err(mendable)?;
    let load_settings = resolved.load_settings(model_settings.device, model_settings.precision);
    let model: Arc<dyn Embedder> = Arc::new(embed::load(&resolved.folder, &load_settings).map_err(mendable)?);
    let bar = Arc::new(Bar::new());
    let report = bulk.run(model, Arc::clone(&bar) as Arc<dyn Watch>).inspect_err(|_| bar.end()).map_err(told)?;
    print_summary(&report, &bar);
    if !has_pipe {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}

impl EmbedArgs {
    fn settings(&self) -> CliResult<Settings> {
        let (input, output) = (Place::parse(&self.input), Place::parse(&self.output));
        let of = |flag: &str, typed: &Option<String>, place: &Place| match typed {
            Some(name) => Format::parse(name).map_err(|error| CliError::user(format!("{flag}: {error}"))),
            None => Format::of_place(place).map_err(|error| CliError::user(format!("{error} with {flag}"))),
        };
        let named = |flag: &'static str| move |error: BulkError| CliError::user(format!("{flag}: {error}"));
        Ok(Settings {
            input_format: of("--format", &self.format, &input)?,
            output_format: of("--out-format", &self.out_format, &output)?,
            input,
            output,
            text: self.text.clone(),
            keep: Keep::parse(&self.keep),
            vector_column: self.vector_column.clone(),
            vector_type: VectorType::parse(&self.vector_type).map_err(named("--vector-type"))?,
            prefix: self.prefix.clone(),
            batch_rows: self.batch_rows,
            on_error: OnError::parse(&self.on_error).map_err(named("--on-error"))?,
            delimiter: self.delimiter()?,
            overwrite: self.overwrite,
            restart: self.restart,
        })
    }

    fn delimiter(&self) -> CliResult<u8> {
        match self.delimiter.as_bytes() {
            b"tab" | b"\\t" => Ok(b'\t'),
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(*byte),
            _ => Err(CliError::user(format!("--delimiter {:?} is not one ASCII character, or tab", self.delimiter))),
        }
    }
}

fn told(error: BulkError) -> CliError {
    match error {
        BulkError::Wrong(message) => CliError::User(message),
        other => CliError::Broken(other.into()),
    }
}

fn print_summary(report: &Report, bar: &Bar) {
    let counts = &report.counts;
    eprintln!(
        "{} rows: {} without a text, {} wrong and left out, {} cut at the model's limit; {} tokens",
        counts.rows, counts.without_text, counts.skipped, counts.truncated, counts.tokens
    );
    if report.resumed_rows > 0 {
        eprintln!("{} of them were done by an earlier run", report.resumed_rows);
    }
    eprintln!(
        "model {} on {} in {}, {} numbers a text; {}",
        report.model,
        report.device,
        report.precision,
        report.dimension,
        bar.rates()
    );
}

/// The bar on standard error, where that is a terminal.
struct Bar {
    bar: ProgressBar,
    started: Instant,
    n_texts: AtomicU64,
    n_tokens: AtomicU64,
}

impl Bar {
    fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        Self { bar, started: Instant::now(), n_texts: AtomicU64::new(0), n_tokens: AtomicU64::new(0) }
    }

    fn rates(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-3);
        let rate = |n: &AtomicU64| n.load(Relaxed) as f64 / seconds;
        format!("{:.0} texts/s, {:.0} tokens/s", rate(&self.n_texts), rate(&self.n_tokens))
    }
}

impl Watch for Bar {
    fn begin(&self, extent: Extent, position: u64) {
        let template = match extent {
            Extent::Unknown => "{spinner} {elapsed}  {msg}",
            Extent::Rows(_) => "{wide_bar} {percent:>3}%  {pos}/{len} rows  {msg}  ETA {eta}",
            Extent::Bytes(_) => "{wide_bar} {percent:>3}%  {bytes}/{total_bytes}  {msg}  ETA {eta}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        if let Extent::Rows(length) | Extent::Bytes(length) = extent {
            self.bar.set_length(length);
        }
        self.bar.set_position(position);
        self.bar.reset_eta();
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn advance(&self, n_texts: u64, n_tokens: u64, position: u64) {
        self.n_texts.fetch_add(n_texts, Relaxed);
        self.n_tokens.fetch_add(n_tokens, Relaxed);
        self.bar.set_position(position);
        self.bar.set_message(self.rates());
    }

    fn note(&self, message: &str) {
        self.bar.suspend(|| eprintln!("{message}"));
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
