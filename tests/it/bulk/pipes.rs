//! Arrow streams and text on standard input and output.

use super::*;
use std::io::{Read, Write};
use std::process::Child;

fn start(dir: &TempDir, arguments: &[&str]) -> Child {
    command(dir, arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn each_batch_is_answered_before_the_next_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start(&dir, &["--in", "-", "--out", "-"]);
    let texts = texts(70);
    let batch = batch_of(&texts);
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(input, &batch.schema()).unwrap();
    writer.flush().unwrap();
    let mut reader = StreamReader::try_new(output, None).unwrap();
    let mut answers = Vec::new();
    // Batches of any length, one without rows among them, each read back while the stream is still open.
    for (start, length) in [(0, 1), (1, 40), (41, 0), (41, 29)] {
        writer.write(&batch.slice(start, length)).unwrap();
        writer.flush().unwrap();
        let answer = reader.next().unwrap().unwrap();
        assert_eq!(answer.num_rows(), length);
        answers.push(answer);
    }
    drop(writer.into_inner().unwrap());
    assert!(reader.next().is_none());
    assert!(child.wait().unwrap().success());
    assert_near(&vectors_of(&answers), &expected(&texts));
    assert_eq!(strings_of(&answers, "text"), texts);
}

#[test]
fn a_reader_that_leaves_ends_the_run_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start(&dir, &["--in", "-", "--out", "-"]);
    let batch = batch_of(&texts(500));
    let mut input = child.stdin.take().unwrap();
    input.write_all(&stream_of(&[batch])[..]).unwrap();
    // Standard input stays open: the program must not wait for its end.
    drop(child.stdout.take());
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{told}");
    assert!(!told.contains("clientele: "), "{told}");
    drop(input);
}

#[test]
fn text_formats_go_through_pipes_too_and_results_stay_out_of_the_data() {
    let dir = tempfile::tempdir().unwrap();
    let texts = texts(50);
    let arguments = ["--in", "-", "--format", "csv", "--out", "-", "--out-format", "ndjson"];
    let mut child = start(&dir, &arguments);
    child.stdin.take().unwrap().write_all(&csv_of(&texts)).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let rows: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_near(&rows.iter().map(|row| vector_of(&row["embedding"])).collect::<Vec<_>>(), &expected(&texts));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("50 rows: 5 without a text") && !told.contains('\u{1b}'), "{told}");

    let mut child = start(&dir, &["--in", "-", "--format", "ndjson", "--out", "out.parquet"]);
    child.stdin.take().unwrap().write_all(ndjson_of(&texts).as_bytes()).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert_near(&vectors_of(&parquet_batches(&dir, "out.parquet")), &expected(&texts));
}
