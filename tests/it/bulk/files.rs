//! Each format in and out, against the embedder itself.

use super::*;

const N: usize = 120;

/// Every input of the same rows, with its name.
fn write_inputs(dir: &TempDir) {
    let texts = texts(N);
    write(dir, "in.csv", csv_of(&texts));
    write(dir, "in.ndjson", ndjson_of(&texts));
    write(dir, "in.parquet", parquet_of(&texts));
    let batch = batch_of(&texts);
    write(dir, "in.arrows", stream_of(&[batch.slice(0, 50), batch.slice(50, 1), batch.slice(51, N - 51)]));
    let mut writer = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    write(dir, "in.arrow", writer.into_inner().unwrap());
}

/// Vectors and texts of an output, whatever its format.
fn read_output(dir: &TempDir, name: &str) -> (Vec<Option<Vec<f32>>>, Vec<Option<String>>) {
    let of_batches = |batches: Vec<RecordBatch>| (vectors_of(&batches), strings_of(&batches, "text"));
    match name.rsplit('.').next().unwrap() {
        "parquet" => of_batches(parquet_batches(dir, name)),
        "arrows" => of_batches(stream_batches(read(dir, name))),
        "arrow" => of_batches(file_batches(read(dir, name))),
        "ndjson" => {
            let text = String::from_utf8(read(dir, name)).unwrap();
            let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let texts = rows.iter().map(|row| row["text"].as_str().map(str::to_owned)).collect();
            (rows.iter().map(|row| vector_of(&row["embedding"])).collect(), texts)
        }
        _ => {
            let bytes = read(dir, name);
            let mut reader = csv::Reader::from_reader(bytes.as_slice());
            let headers = reader.headers().unwrap().clone();
            let place = |name: &str| headers.iter().position(|there| there == name).unwrap();
            let (text, vector) = (place("text"), place("embedding"));
            let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            let filled = |cell: &str| (!cell.is_empty()).then(|| cell.to_owned());
            let vectors = rows.iter().map(|row| vector_of(&serde_json::from_str(&row[vector]).unwrap_or_default()));
            (vectors.collect(), rows.iter().map(|row| filled(&row[text])).collect())
        }
    }
}

#[test]
fn every_format_goes_into_every_other_with_the_embedders_own_vectors() {
    let dir = tempfile::tempdir().unwrap();
    write_inputs(&dir);
    let (texts, mut reports) = (texts(N), Vec::new());
    let expected = expected(&texts);
    for from in ["csv", "ndjson", "parquet", "arrows", "arrow"] {
        for to in ["csv", "ndjson", "parquet", "arrows", "arrow"] {
            let (input, output) = (format!("in.{from}"), format!("out-{from}.{to}"));
            let (report, _) = succeeded(&dir, &["--in", &input, "--out", &output, "--batch-rows", "32"]);
            let (vectors, there) = read_output(&dir, &output);
            assert_near(&vectors, &expected);
            // An empty cell is a missing text to the model, and passes through as what it is.
            let empty = (from == "csv" && to != "csv").then(String::new);
            let passed: Vec<_> = texts.iter().map(|text| text.clone().or(empty.clone())).collect();
            assert_eq!(there, passed, "{from} to {to}");
            reports.push(report);
        }
    }
    for report in &reports {
        assert_eq!((report["rows"].as_u64(), report["without_text"].as_u64()), (Some(120), Some(12)));
        assert_eq!(report["tokens"], reports[0]["tokens"]);
    }
    let rest: Vec<_> = std::fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(rest.len(), 5 + 25, "nothing is left beside the outputs: {rest:?}");
}

#[test]
fn what_text_formats_hold_passes_through_as_it_is_spelled() {
    let dir = tempfile::tempdir().unwrap();
    write(
        &dir,
        "in.ndjson",
        "{\"b\":1.50e3,\"text\":\"x\",\"a\":[1,  {\"z\": null}]}\n\n{\"text\":null,\"c\":\"\\u4f60\"}\r\n{\"q\":0}",
    );
    succeeded(&dir, &["--in", "in.ndjson", "--out", "out.ndjson"]);
    let out = String::from_utf8(read(&dir, "out.ndjson")).unwrap();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("{\"b\":1.50e3,\"text\":\"x\",\"a\":[1,  {\"z\": null}],\"embedding\":["), "{out}");
    assert_eq!(lines[1..], ["{\"text\":null,\"c\":\"\\u4f60\",\"embedding\":null}", "{\"q\":0,\"embedding\":null}"]);

    write(&dir, "in.csv", "\u{feff}id,text,note\r\n007,\"a \"\"b\"\"\nc\", spaced \n1e5,,\"x,y\"\n");
    succeeded(&dir, &["--in", "in.csv", "--out", "out.csv", "--vector-column", "v"]);
    let out = String::from_utf8(read(&dir, "out.csv")).unwrap();
    assert!(out.starts_with("id,text,note,v\n007,\"a \"\"b\"\"\nc\", spaced ,\"["), "{out}");
    assert!(out.ends_with("\n1e5,,\"x,y\",\n"), "{out}");
}

#[test]
fn columns_keep_their_types_and_may_be_chosen() {
    let dir = tempfile::tempdir().unwrap();
    write_inputs(&dir);
    succeeded(&dir, &["--in", "in.parquet", "--out", "all.arrows"]);
    let all = stream_batches(read(&dir, "all.arrows"));
    assert_eq!(all[0].schema().field(0), batch_of(&texts(1)).schema().field(0));
    assert!(matches!(all[0].schema().field(2).data_type(), arrow_schema::DataType::FixedSizeList(..)));
    succeeded(&dir, &["--in", "in.parquet", "--out", "none.arrows", "--keep", "none", "--vector-type", "list"]);
    let none = stream_batches(read(&dir, "none.arrows"));
    assert_eq!(none[0].num_columns(), 1);
    assert!(matches!(none[0].column(0).data_type(), arrow_schema::DataType::List(_)));
    assert_near(&vectors_of(&none), &vectors_of(&all));
    succeeded(&dir, &["--in", "in.csv", "--out", "some.csv", "--keep", "note,id"]);
    assert!(read(&dir, "some.csv").starts_with(b"note,id,embedding\n\"n,0\",0,\"["));
    succeeded(&dir, &["--in", "in.ndjson", "--out", "some.ndjson", "--keep", "text,id"]);
    assert!(
        read(&dir, "some.ndjson")
            .starts_with(b"{\"text\":\"the espresso machine makes a lovely crema 0\",\"id\":0,\"emb")
    );
}

#[test]
fn dictionaries_are_unpacked_and_a_prefix_goes_before_every_text() {
    let dir = tempfile::tempdir().unwrap();
    let words: arrow_array::DictionaryArray<arrow_array::types::Int32Type> =
        [Some("coffee"), None, Some("boots"), Some("coffee")].into_iter().collect();
    let batch = RecordBatch::try_from_iter([("text", Arc::new(words) as ArrayRef)]).unwrap();
    write(&dir, "in.arrows", stream_of(&[batch]));
    for to in ["parquet", "arrow", "arrows", "csv"] {
        let output = format!("out.{to}");
        succeeded(&dir, &["--in", "in.arrows", "--out", &output, "--prefix", "query: "]);
        let (vectors, there) = read_output(&dir, &output);
        let prefixed = |text: &Option<String>| text.as_ref().map(|text| format!("query: {text}"));
        assert_near(&vectors, &expected(&there.iter().map(prefixed).collect::<Vec<_>>()));
        assert_eq!(there[3].as_deref(), Some("coffee"));
    }
}

#[test]
fn times_numbers_and_nulls_of_columns_are_written_as_text_formats_have_them() {
    let dir = tempfile::tempdir().unwrap();
    let when = arrow_array::TimestampMicrosecondArray::from(vec![Some(1_500_000), None]).with_timezone("Asia/Shanghai");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("text", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("when", Arc::new(when)),
        ("price", Arc::new(arrow_array::Float64Array::from(vec![0.1, f64::NAN]))),
        ("sold", Arc::new(arrow_array::BooleanArray::from(vec![Some(true), None]))),
    ];
    write(
        &dir,
        "in.arrows",
        stream_of(&[RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, column)| (name, column, true)),
        )
        .unwrap()]),
    );
    succeeded(&dir, &["--in", "in.arrows", "--out", "out.ndjson"]);
    let out = String::from_utf8(read(&dir, "out.ndjson")).unwrap();
    let lines: Vec<&str> = out.lines().collect();
    let first = "{\"text\":\"a\",\"when\":\"1970-01-01T00:00:01.500Z\",\"price\":0.1,\"sold\":true,\"embedding\":[";
    assert!(lines[0].starts_with(first), "{out}");
    assert!(
        lines[1].starts_with("{\"text\":\"b\",\"when\":null,\"price\":null,\"sold\":null,\"embedding\":["),
        "{out}"
    );
    succeeded(&dir, &["--in", "in.arrows", "--out", "out.csv"]);
    let out = String::from_utf8(read(&dir, "out.csv")).unwrap();
    assert!(out.contains("\na,1970-01-01T00:00:01.500Z,0.1,true,\"[") && out.contains("\nb,,NaN,,\"["), "{out}");
}

#[test]
fn inputs_without_rows_make_outputs_without_rows() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "in.csv", "id,text\n");
    write(&dir, "in.ndjson", "\n\n");
    write(&dir, "in.parquet", parquet_of(&[]));
    for from in ["csv", "ndjson", "parquet"] {
        for to in ["csv", "ndjson", "parquet", "arrows", "arrow"] {
            let (input, output) = (format!("in.{from}"), format!("out-{from}.{to}"));
            let (report, _) = succeeded(&dir, &["--in", &input, "--out", &output]);
            assert_eq!(report["rows"], 0, "{from} to {to}");
        }
    }
    assert!(parquet_batches(&dir, "out-csv.parquet").is_empty());
    assert_eq!(read(&dir, "out-csv.csv"), b"id,text,embedding\n");
    assert!(read(&dir, "out-parquet.ndjson").is_empty());
}
