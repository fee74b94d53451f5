//! What is wrong is told in a sentence that names it, with exit code 2, and leaves no output behind.

use super::*;

#[test]
fn wrong_calls_and_wrong_files_are_refused_with_the_mend() {
    let dir = tempfile::tempdir().unwrap();
    let texts = texts(20);
    let parquet = parquet_of(&texts);
    write(&dir, "good.csv", csv_of(&texts));
    write(&dir, "good.ndjson", ndjson_of(&texts));
    write(&dir, "good.parquet", &parquet);
    write(&dir, "cut.parquet", &parquet[..parquet.len() / 2]);
    write(&dir, "text.parquet", "not Parquet at all");
    write(&dir, "text.arrows", "not Arrow at all");
    write(&dir, "empty.csv", "");
    write(&dir, "empty.arrows", "");
    write(&dir, "file.unknown", "");
    write(&dir, "numbers.ndjson", "{\"text\":1}\n");
    write(&dir, "other.ndjson", "{\"text\":\"a\",\"id\":1}\n{\"text\":\"b\",\"extra\":1}\n");
    write(&dir, "taken.csv", "text,embedding\na,b\n");
    write(&dir, "twice.csv", "text,text\na,b\n");
    std::fs::create_dir(dir.path().join("folder.csv")).unwrap();
    let table: &[(&[&str], &str)] = &[
        (&["--in", "none.csv"], "none.csv cannot be read"),
        (&["--in", "folder.csv"], "is a folder"),
        (&["--in", "file.unknown"], "--format"),
        (&["--in", "good.csv", "--format", "xml"], "parquet, ndjson, csv"),
        (&["--in", "good.csv", "--text", "body"], "no column \"body\"; it has id, text, note"),
        (&["--in", "good.ndjson", "--text", "body"], "no column \"body\"; it has id, text"),
        (&["--in", "good.parquet", "--text", "body"], "no column \"body\"; it has id, text"),
        (&["--in", "good.parquet", "--text", "id"], "holds Int64, not text"),
        (&["--in", "good.csv", "--keep", "id,nothing"], "no column \"nothing\""),
        (&["--in", "good.ndjson", "--keep", "nothing"], "no column \"nothing\""),
        (&["--in", "good.csv", "--vector-column", "note"], "--vector-column"),
        (&["--in", "taken.csv"], "--vector-column"),
        (&["--in", "twice.csv"], "more than once"),
        (&["--in", "good.csv", "--delimiter", "::"], "--delimiter"),
        (&["--in", "good.csv", "--batch-rows", "0"], "--batch-rows"),
        (&["--in", "good.csv", "--on-error", "ignore"], "fail, skip"),
        (&["--in", "good.csv", "--vector-type", "array"], "fixed, list"),
        (&["--in", "good.csv", "--device", "tpu"], "--device"),
        (&["--in", "cut.parquet"], "cut.parquet cannot be read as Parquet"),
        (&["--in", "text.parquet"], "cannot be read as Parquet"),
        (&["--in", "text.arrows"], "cannot be read as Arrow"),
        (&["--in", "empty.arrows"], "is empty"),
        (&["--in", "empty.csv"], "is empty"),
        (&["--in", "numbers.ndjson"], "line 1: \"text\" is 1, not a string"),
        (&["--in", "other.ndjson"], "line 2: the first row has no field \"extra\""),
        (&["--in", "-", "--format", "parquet"], "a pipe cannot bring Parquet"),
    ];
    for (arguments, expected) in table {
        let told = refused(&dir, &[arguments, &["--out", "out.parquet"][..]].concat());
        let lines: Vec<&str> = told.lines().collect();
        assert!(told.contains(expected) && lines.len() == 1, "{arguments:?}: {told}");
        assert!(!exists(&dir, "out.parquet"), "{arguments:?}");
    }
    assert!(
        refused(&dir, &["--in", "good.csv", "--out", "-", "--out-format", "parquet"]).contains("a pipe does not take")
    );
    assert!(refused(&dir, &["--in", "good.csv", "--out", "nowhere/out.csv"]).contains("nowhere/out.csv"));
    assert!(refused(&dir, &["--in", "good.csv", "--out", "good.csv", "--overwrite"]).contains("is the input"));
}

#[test]
fn an_output_that_is_there_stays_unless_it_may_be_replaced() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "in.csv", csv_of(&texts(5)));
    write(&dir, "out.csv", "dear to somebody");
    assert!(refused(&dir, &["--in", "in.csv", "--out", "out.csv"]).contains("--overwrite"));
    assert_eq!(read(&dir, "out.csv"), b"dear to somebody");
    succeeded(&dir, &["--in", "in.csv", "--out", "out.csv", "--overwrite"]);
    assert!(read(&dir, "out.csv").starts_with(b"id,text,note,embedding\n"));
}

#[test]
fn wrong_rows_stop_the_run_by_their_line_or_are_left_out_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let invalid = b"id,text\n1,good\n2,\xff\xfe\n3,also good\n";
    write(&dir, "bytes.csv", invalid);
    write(&dir, "cells.csv", "id,text\n1,good\n2,\"two\nlines\",more\n3,also good\n");
    write(&dir, "quote.csv", "id,text\n1,good\n2,also good\n3,\"never closed\n4,lost\n");
    write(&dir, "rows.ndjson", "{\"text\":\"good\"}\n[1]\n{\"text\":\"also good\"}\n");
    write(&dir, "field.ndjson", "{\"text\":\"good\"}\n{\"text\":\"a\",\"embedding\":[]}\n{\"text\":\"also good\"}\n");
    for (input, line, reason) in [
        ("bytes.csv", 3, "UTF-8"),
        ("cells.csv", 3, "3 cells, where the header has 2"),
        ("quote.csv", 4, "never closed"),
        ("rows.ndjson", 2, "not a JSON object"),
        ("field.ndjson", 2, "already"),
    ] {
        let output = format!("{input}.out.ndjson");
        let arguments = ["--in", input, "--out", output.as_str(), "--batch-rows", "1"];
        let told = refused(&dir, &arguments);
        assert!(told.contains(&format!("line {line}: ")) && told.contains(reason), "{input}: {told}");
        assert!(told.contains("--on-error skip") && !exists(&dir, &output), "{told}");
        let (report, told) = succeeded(&dir, &[&arguments[..], &["--on-error", "skip"]].concat());
        assert_eq!((report["rows"].as_u64(), report["skipped"].as_u64()), (Some(2), Some(1)), "{input}: {told}");
        assert!(told.contains(&format!("line {line} is left out")) && told.contains("1 wrong"), "{told}");
        let out = String::from_utf8(read(&dir, &output)).unwrap();
        assert!(out.lines().count() == 2 && out.contains("\"also good\""), "{out}");
    }
}

#[test]
fn an_input_that_breaks_off_leaves_no_output() {
    let dir = tempfile::tempdir().unwrap();
    let batch = batch_of(&texts(60));
    let stream = stream_of(&[batch.slice(0, 30), batch.slice(30, 30)]);
    write(&dir, "cut.arrows", &stream[..stream.len() - 200]);
    let told = refused(&dir, &["--in", "cut.arrows", "--out", "out.arrows"]);
    assert!(told.contains("cut.arrows cannot be read on after row 30"), "{told}");
    assert!(!exists(&dir, "out.arrows"));
    // A page of a Parquet file that was overwritten: the footer is fine, the rows are not.
    let mut parquet = parquet_of(&texts(200));
    let middle = parquet.len() / 3;
    parquet[middle..middle + 400].fill(0xEE);
    write(&dir, "bad.parquet", parquet);
    let told = refused(&dir, &["--in", "bad.parquet", "--out", "out.parquet"]);
    assert!(told.contains("bad.parquet cannot be read"), "{told}");
    assert!(!exists(&dir, "out.parquet"));
}
