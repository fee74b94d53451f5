//! The program killed with SIGKILL at moments that follow from a seed: the next run goes on, and its output is that of a run
//! that nobody killed, byte for byte.

use super::*;
use proptest::prelude::*;
use std::process::Child;

const N: usize = 6_000;
const SEED: u64 = 20_261_124;

/// A small generator (splitmix64, Steele et al. 2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn write_input(dir: &TempDir, from: &str) {
    let texts = texts(N);
    let content = match from {
        "csv" => csv_of(&texts),
        "ndjson" => ndjson_of(&texts).into_bytes(),
        "parquet" => parquet_of(&texts),
        _ => stream_of(&[batch_of(&texts)]),
    };
    write(dir, &format!("in.{from}"), content);
}

/// Lines of a progress file: the identity, the head, then a line a window.
fn n_lines(dir: &TempDir, output: &str) -> usize {
    let path = dir.path().join(format!("{output}.progress"));
    std::fs::read(path).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
}

/// Starts the command and kills it once so many windows more are done. False when it was quicker.
fn kill_after(dir: &TempDir, arguments: &[&str], output: &str, n_windows: usize) -> bool {
    let mut child: Child = command(dir, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let before = n_lines(dir, output);
    while n_lines(dir, output) < before + n_windows {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    !exists(dir, output)
}

#[test]
fn a_killed_run_is_gone_on_with_and_gives_the_same_bytes() {
    println!("seed {SEED}");
    let mut state = SEED;
    for (from, to) in
        [("csv", "ndjson"), ("ndjson", "csv"), ("csv", "parquet"), ("parquet", "parquet"), ("arrows", "arrow")]
    {
        let dir = tempfile::tempdir().unwrap();
        write_input(&dir, from);
        let (input, output, whole) = (format!("in.{from}"), format!("out.{to}"), format!("whole.{to}"));
        let arguments = ["--in", &input, "--out", &output, "--batch-rows", "100"];
        for _ in 0..2 {
            let n_windows = 2 + (random(&mut state) % 15) as usize;
            assert!(
                kill_after(&dir, &arguments, &output, n_windows),
                "{from} to {to} was done before it could be killed"
            );
        }
        // What a kill in the middle of a write leaves behind.
        let partial = dir.path().join(format!("{output}.partial"));
        let mut torn = std::fs::read(&partial).unwrap();
        torn.extend_from_slice(b"half a row");
        std::fs::write(&partial, torn).unwrap();
        let journal = dir.path().join(format!("{output}.progress"));
        let mut torn = std::fs::read(&journal).unwrap();
        torn.extend_from_slice(b"{\"n_bytes\":12");
        std::fs::write(&journal, torn).unwrap();

        let (report, told) = succeeded(&dir, &arguments);
        assert!(report["resumed_rows"].as_u64().unwrap() >= 200, "{report}");
        assert!(told.contains("done by an earlier run"), "{told}");
        let (uninterrupted, _) = succeeded(&dir, &["--in", &input, "--out", &whole, "--batch-rows", "100"]);
        assert!(read(&dir, &output) == read(&dir, &whole), "{from} to {to} differs after a kill");
        for count in ["rows", "tokens", "without_text", "truncated", "skipped"] {
            assert_eq!(report[count], uninterrupted[count], "{count}");
        }
        assert!(!exists(&dir, &format!("{output}.partial")) && !exists(&dir, &format!("{output}.progress")));
    }
}

#[test]
fn a_changed_input_or_setting_starts_anew_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    write_input(&dir, "csv");
    let arguments = ["--in", "in.csv", "--out", "out.csv", "--batch-rows", "100"];
    let others = ["--in", "in.csv", "--out", "out.csv", "--batch-rows", "50"];
    let restart = [&arguments[..], &["--restart"]].concat();
    for (change, arguments, reason) in [
        ("1,changed,\n", &arguments[..], "the input has changed"),
        ("", &others[..], "the settings are others"),
        ("", &restart[..], "--restart"),
    ] {
        assert!(kill_after(&dir, &["--in", "in.csv", "--out", "out.csv", "--batch-rows", "100"], "out.csv", 4));
        let content = [read(&dir, "in.csv"), change.as_bytes().to_vec()].concat();
        if !change.is_empty() {
            write(&dir, "in.csv", content);
        }
        let (report, told) = succeeded(&dir, arguments);
        assert!(told.contains(reason) && told.contains("starting anew"), "{told}");
        assert_eq!(report["resumed_rows"], 0);
        std::fs::remove_file(dir.path().join("out.csv")).unwrap();
    }
}

#[test]
fn two_runs_at_once_do_not_write_one_output() {
    let dir = tempfile::tempdir().unwrap();
    write_input(&dir, "csv");
    let arguments = ["--in", "in.csv", "--out", "out.csv", "--batch-rows", "50"];
    let mut first = command(&dir, &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while n_lines(&dir, "out.csv") < 2 {
        assert!(first.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    // The first one holds its lock while it stands still.
    let signal =
        |name: &str| Command::new("sh").args(["-c", &format!("kill -{name} {}", first.id())]).status().unwrap();
    assert!(signal("STOP").success());
    assert!(refused(&dir, &arguments).contains("another run"));
    assert!(signal("CONT").success());
    assert!(first.wait().unwrap().success());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]
    #[test]
    fn the_same_input_gives_the_same_bytes(n_rows in 1usize..300, batch_rows in 1usize..200) {
        let dir = tempfile::tempdir().unwrap();
        write(&dir, "in.parquet", parquet_of(&texts(n_rows)));
        let batch_rows = batch_rows.to_string();
        for name in ["a", "b"] {
            let output = format!("{name}.parquet");
            succeeded(&dir, &["--in", "in.parquet", "--out", &output, "--batch-rows", &batch_rows]);
        }
        prop_assert!(read(&dir, "a.parquet") == read(&dir, "b.parquet"));
    }
}
