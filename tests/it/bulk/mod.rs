//! `clientele embed` as a process, with a real forward pass of a tiny random model: every format against the embedder itself,
//! files and pipes, kills and what is wrong.

mod files;
mod kill;
mod pipes;
mod refusals;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_ipc::reader::{FileReader, StreamReader};
use clientele::device::DeviceChoice;
use clientele::embed::{BertEmbedder, Embedder, LoadSettings, load};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::fs::File;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

fn tiny_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny/bert")
}

/// The model the program runs, in this process.
fn model() -> BertEmbedder {
    let settings = LoadSettings { device: DeviceChoice::Cpu, ..LoadSettings::default() };
    load(&tiny_model(), &settings).unwrap()
}

/// `clientele embed` in a folder, with the tiny model.
fn command(dir: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clientele"));
    command.current_dir(dir.path()).stdin(Stdio::null()).arg("embed").args(arguments);
    for name in ["CLIENTELE_PRECISION", "CLIENTELE_MODELS_DIR", "CLIENTELE_OFFLINE", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("CLIENTELE_DEVICE", "cpu").arg("--model").arg(tiny_model());
    command
}

fn run(dir: &TempDir, arguments: &[&str]) -> Output {
    command(dir, arguments).output().unwrap()
}

/// The report of a run that succeeds, and what it says on standard error.
fn succeeded(dir: &TempDir, arguments: &[&str]) -> (Value, String) {
    let output = run(dir, arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {told}");
    (serde_json::from_slice(&output.stdout).unwrap(), told)
}

/// What a run says that must end with exit code 2.
fn refused(dir: &TempDir, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
    assert!(!told.contains("panicked"), "{told}");
    told
}

fn write(dir: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    std::fs::write(dir.path().join(name), content).unwrap();
}

fn read(dir: &TempDir, name: &str) -> Vec<u8> {
    std::fs::read(dir.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn exists(dir: &TempDir, name: &str) -> bool {
    dir.path().join(name).exists()
}

/// Texts with what the formats have to carry: quotes, newlines, separators, Chinese, an emoji, blanks.
const TEXTS: &[&str] = &[
    "the espresso machine makes a lovely crema",
    "she said \"never again\", and left",
    "first line\nsecond line, with a comma",
    "物流很快，包装完好，五星好评！",
    "tab\there; semicolon",
    " ",
    "☕ great",
    "a much longer text about hiking boots that kept my feet dry on the mountain all week long",
];

/// Three texts in ten rows are missing or one of the above, the others differ from row to row.
fn text(row: usize) -> Option<String> {
    match row % 10 {
        3 => None,
        n if n < TEXTS.len() => Some(format!("{} {row}", TEXTS[n])),
        _ => Some(format!("words of row {row}")),
    }
}

fn texts(n_rows: usize) -> Vec<Option<String>> {
    (0..n_rows).map(text).collect()
}

/// What the embedder itself makes of the texts.
fn expected(texts: &[Option<String>]) -> Vec<Option<Vec<f32>>> {
    let model = model();
    let there: Vec<&str> = texts.iter().flatten().map(String::as_str).collect();
    let vectors = model.embed(&there).unwrap();
    let mut vectors = vectors.rows().map(<[f32]>::to_vec);
    texts.iter().map(|text| text.as_ref().and_then(|_| vectors.next())).collect()
}

/// Equal to the last bits: sums may run in another order in another batch.
fn assert_near(found: &[Option<Vec<f32>>], expected: &[Option<Vec<f32>>]) {
    assert_eq!(found.len(), expected.len());
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        match (found, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) => {
                assert_eq!(found.len(), expected.len());
                let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
                assert!(worst < 1e-5, "row {row} is off by {worst}");
            }
            _ => panic!("row {row}: a vector is there on one side only"),
        }
    }
}

fn csv_of(texts: &[Option<String>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["id", "text", "note"]).unwrap();
    for (row, text) in texts.iter().enumerate() {
        let note = format!("n,{row}");
        writer.write_record([row.to_string().as_str(), text.as_deref().unwrap_or_default(), &note]).unwrap();
    }
    writer.into_inner().unwrap()
}

fn ndjson_of(texts: &[Option<String>]) -> String {
    let line =
        |(row, text): (usize, &Option<String>)| format!("{{\"id\": {row}, \"text\": {}}}\n", serde_json::json!(text));
    texts.iter().enumerate().map(line).collect()
}

fn batch_of(texts: &[Option<String>]) -> RecordBatch {
    let ids = arrow_array::Int64Array::from_iter_values(0..texts.len() as i64);
    let texts = StringArray::from_iter(texts.iter().map(Option::as_deref));
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(ids) as ArrayRef, false),
        ("text", Arc::new(texts) as ArrayRef, true),
    ])
    .unwrap()
}

fn parquet_of(texts: &[Option<String>]) -> Vec<u8> {
    let batch = batch_of(texts);
    // Row groups that are no multiple of any window.
    let properties =
        parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(37)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn stream_of(batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.into_inner().unwrap()
}

fn parquet_batches(dir: &TempDir, name: &str) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(dir.path().join(name)).unwrap()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

fn stream_batches(bytes: Vec<u8>) -> Vec<RecordBatch> {
    StreamReader::try_new(Cursor::new(bytes), None).unwrap().map(Result::unwrap).collect()
}

fn file_batches(bytes: Vec<u8>) -> Vec<RecordBatch> {
    FileReader::try_new(Cursor::new(bytes), None).unwrap().map(Result::unwrap).collect()
}

/// The vectors of a column, of fixed size or not.
fn vectors_of(batches: &[RecordBatch]) -> Vec<Option<Vec<f32>>> {
    let mut vectors = Vec::new();
    for batch in batches {
        let column = batch.column_by_name("embedding").unwrap();
        for row in 0..column.len() {
            let list = match column.as_fixed_size_list_opt() {
                Some(lists) => lists.value(row),
                None => column.as_list::<i32>().value(row),
            };
            let values = list.as_primitive::<Float32Type>().values().to_vec();
            vectors.push((!column.is_null(row)).then_some(values));
        }
    }
    vectors
}

fn strings_of(batches: &[RecordBatch], name: &str) -> Vec<Option<String>> {
    let columns = batches.iter().map(|batch| batch.column_by_name(name).unwrap().as_string::<i32>());
    columns.flat_map(|column| column.iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()).collect()
}

fn vector_of(value: &Value) -> Option<Vec<f32>> {
    let numbers = value.as_array()?.iter().map(|number| number.as_f64().unwrap() as f32);
    Some(numbers.collect())
}
