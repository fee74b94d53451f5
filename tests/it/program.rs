//! The program as people and scripts use it: commands, exit codes, one clear line for what is wrong.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A small random model of our own: its vectors mean nothing, but they are real vectors of real words.
fn tiny_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny/bert")
}

fn clientele(dir: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clientele"));
    command.current_dir(dir.path()).stdin(Stdio::null());
    for name in ["CLIENTELE_DATA_DIR", "CLIENTELE_URL", "CLIENTELE_KEY", "CLIENTELE_MODELS_DIR", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

fn run(dir: &TempDir, arguments: &[&str]) -> Output {
    clientele(dir).args(arguments).output().unwrap()
}

fn succeeded(dir: &TempDir, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The last line on standard error of a command that must end with exit code 2.
fn refused(dir: &TempDir, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr.lines().filter(|line| line.starts_with("clientele: ")).collect::<Vec<_>>().join("\n")
}

fn write_reviews(dir: &TempDir, name: &str, n: usize) {
    let mut csv = String::from("user,body,stars\n");
    for i in 0..n {
        let words = ["coffee grinder espresso", "hiking boots trail", "garden seeds soil"][i % 3];
        csv.push_str(&format!("u{i:03},\"{words}, number {i}\",{}\n", 1 + i % 5));
    }
    std::fs::write(dir.path().join(name), csv).unwrap();
}

const IMPORT: &[&str] =
    &["import", "--kind", "reviews", "--customer", "user", "--text", "body", "--rating", "stars", "reviews.csv"];

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [arguments, more].concat()
}

#[test]
fn a_dry_run_without_a_kind_tells_the_command_that_imports_the_file() {
    let dir = tempfile::tempdir().unwrap();
    write_reviews(&dir, "my reviews.csv", 30);
    let told = succeeded(&dir, &["import", "--dry-run", "my reviews.csv", "--data-dir", "data"]);
    assert!(!told.contains('\u{1b}'), "no colours where nobody looks: {told}");
    let command = told.lines().last().unwrap().trim();
    assert_eq!(
        command,
        "clientele import --kind reviews --customer user --text body --rating stars 'my reviews.csv' --data-dir data"
    );
    let arguments = command.strip_prefix("clientele ").unwrap().replace("'my reviews.csv' ", "");
    let arguments: Vec<&str> = arguments.split(' ').chain(["my reviews.csv"]).collect();
    let report: Value = serde_json::from_str(&succeeded(&dir, &arguments)).unwrap();
    assert_eq!(report["accepted"], 30);
}

#[test]
fn reviews_go_in_and_segments_come_out_on_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    write_reviews(&dir, "reviews.csv", 30);
    let tiny = tiny_model();
    let data = ["--data-dir", "data"];
    let dry: Value =
        serde_json::from_str(&succeeded(&dir, &with(&with(IMPORT, &data), &["--dry-run", "--json"]))).unwrap();
    assert_eq!((dry["accepted"].as_u64(), dry["dry_run"].as_bool()), (Some(30), Some(true)));
    let report: Value = serde_json::from_str(&succeeded(&dir, &with(IMPORT, &data))).unwrap();
    assert_eq!(report["accepted"], 30);
    let fit = ["fit", "--name", "needs", "--k", "3", "--seed", "1", "--model", tiny.to_str().unwrap()];
    let fitted: Value = serde_json::from_str(&succeeded(&dir, &with(&fit, &data))).unwrap();
    assert_eq!((fitted["k"].as_u64(), fitted["n_customers"].as_u64()), (Some(3), Some(30)));
    let csv = succeeded(&dir, &with(&["export", "--segmentation", "needs", "--format", "csv"], &data));
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("customer,segment_id,segment,confidence"));
    assert_eq!(lines.clone().count(), 30);
    assert!(lines.next().unwrap().starts_with("u000,s"));
    let ndjson = succeeded(&dir, &with(&["export", "--segmentation", "needs", "--format", "ndjson"], &data));
    let row: Value = serde_json::from_str(ndjson.lines().next().unwrap()).unwrap();
    assert_eq!(row["customer"], "u000");
    let found: Value = serde_json::from_str(&succeeded(&dir, &with(&["lookup", "u000"], &data))).unwrap();
    assert_eq!(found["data"][0]["segment_id"], row["segment_id"]);

    // The same file again is known again; the same command into a file gives the same bytes.
    let again = run(&dir, &with(IMPORT, &data));
    assert!(String::from_utf8_lossy(&again.stderr).contains("imported before"));
    succeeded(&dir, &with(&["export", "--segmentation", "needs", "--out", "out.csv"], &data));
    assert_eq!(std::fs::read_to_string(dir.path().join("out.csv")).unwrap(), csv);
}

struct Server(Child, String);

impl Server {
    fn start(dir: &TempDir) -> Self {
        let mut child = clientele(dir)
            .args(["serve", "--listen", "127.0.0.1:0", "--offline", "--data-dir", "data"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = lines
            .find_map(|line| {
                line.ok()?
                    .split_once("listening on ")
                    .map(|(_, rest)| rest.split(';').next().unwrap_or(rest).to_owned())
            })
            .expect("the service says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        Self(child, url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_same_commands_work_on_a_running_service_with_a_key() {
    let dir = tempfile::tempdir().unwrap();
    write_reviews(&dir, "reviews.csv", 30);
    let secret = succeeded(
        &dir,
        &["keys", "create", "--label", "all", "--scopes", "admin,manage,read,write", "--data-dir", "data"],
    );
    let server = Server::start(&dir);
    let service = ["--url", server.1.as_str(), "--key", secret.trim()];
    succeeded(&dir, &with(IMPORT, &service));
    let tiny = tiny_model();
    succeeded(&dir, &with(&["fit", "--name", "needs", "--k", "3", "--model", tiny.to_str().unwrap()], &service));
    let csv = succeeded(&dir, &with(&["export", "--segmentation", "needs"], &service));
    assert_eq!(csv.lines().count(), 31);
    assert!(refused(&dir, &["lookup", "u000", "--url", &server.1]).contains("unauthenticated"));
    assert!(refused(&dir, &["lookup", "u000", "--data-dir", "data"]).contains("in use"));
    let keys = succeeded(&dir, &with(&["keys", "list"], &service));
    let id = keys.split_whitespace().next().unwrap().to_owned();
    succeeded(&dir, &with(&["keys", "revoke", &id], &service));
    assert!(refused(&dir, &with(&["keys", "list"], &service)).contains("revoked"));
}

#[test]
fn what_is_wrong_is_said_in_one_line_and_ends_with_exit_code_2() {
    let dir = tempfile::tempdir().unwrap();
    write_reviews(&dir, "reviews.csv", 2);
    let path = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    path("empty.csv", b"");
    path("latin.csv", b"user,body\n\xe9,caf\xe9\n");
    path("reviews.txt", b"user,body\n");
    std::fs::create_dir(dir.path().join("half")).unwrap();
    path("half/config.json", b"{\"model_type\": \"bert\"}");
    let data = ["--data-dir", "data"];
    succeeded(&dir, &with(IMPORT, &data));
    let table: &[(&[&str], &str)] = &[
        (&["import", "--kind", "reviews", "--customer", "user", "--text", "words", "reviews.csv"], "words"),
        (&["import", "--kind", "reviews", "--customer", "user", "--text", "body", "missing.csv"], "cannot be read"),
        (&["import", "--kind", "reviews", "--customer", "user", "--text", "body", "empty.csv"], "empty.csv is empty"),
        (
            &["import", "--kind", "reviews", "--customer", "user", "--text", "body", "latin.csv"],
            "every row was rejected",
        ),
        (&["import", "--kind", "reviews", "--customer", "user", "--text", "body", "reviews.txt"], "--format"),
        (&["import", "--kind", "reviews", "reviews.csv"], "--customer"),
        (&["import", "--kind", "poems", "reviews.csv"], "--kind"),
        (&["fit", "--name", "needs", "--model", "half"], "too_few_customers"),
        (&["fit", "--name", "Needs!"], "segmentation"),
        (&["fit", "--name", "needs", "--k", "1"], "2 to 1000"),
        (&["export", "--segmentation", "none"], "not_found"),
        (&["lookup", "nobody"], "not_found"),
    ];
    for (arguments, expected) in table {
        let line = refused(&dir, &with(arguments, &data));
        assert!(line.contains(expected) && line.lines().count() == 1, "{arguments:?}: {line}");
    }
    assert!(refused(&dir, &["lookup", "u000", "--data-dir", "nowhere"]).contains("no store"));
    assert!(refused(&dir, &["fit", "--name", "needs", "--data-dir", "nowhere"]).contains("no store"));
    assert!(!dir.path().join("nowhere").exists(), "a misspelt folder is not made");
    assert!(refused(&dir, &["serve", "--listen", "0.0.0.0:0", "--data-dir", "data"]).contains("keys"));
    assert!(refused(&dir, &["serve", "--listen", "somewhere", "--data-dir", "data"]).contains("--listen"));
    assert!(refused(&dir, &["lookup", "u000", "--url", "http://127.0.0.1:9"]).contains("does not answer"));
    write_reviews(&dir, "reviews.csv", 12);
    succeeded(&dir, &with(IMPORT, &data));
    assert!(refused(&dir, &with(&["fit", "--name", "needs", "--model", "half"], &data)).contains("bad_model"));
    let tiny = tiny_model();
    let many = refused(&dir, &with(&["fit", "--name", "needs", "--k", "20", "--model", tiny.to_str().unwrap()], &data));
    assert!(many.contains("12 customers"), "{many}");
}

#[test]
fn a_store_that_is_damaged_is_reported_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    let file = dir.path().join("data/clientele.db");
    std::fs::write(&file, b"this is not a database, but it may be dear to somebody").unwrap();
    let line = refused(&dir, &["lookup", "u000", "--data-dir", "data"]);
    assert!(line.contains("cannot be opened"), "{line}");
    assert_eq!(std::fs::read(&file).unwrap(), b"this is not a database, but it may be dear to somebody");
}

#[test]
fn an_import_that_was_killed_goes_on_when_the_command_is_given_again() {
    let dir = tempfile::tempdir().unwrap();
    write_reviews(&dir, "reviews.csv", 40_000);
    let data = ["--data-dir", "data"];
    let mut child =
        clientele(&dir).args(with(IMPORT, &data)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Kill it once something is in the store's log; if it was quicker than that, the second run finds it done.
    let wal = dir.path().join("data/clientele.db-wal");
    while child.try_wait().unwrap().is_none() && std::fs::metadata(&wal).map_or(0, |m| m.len()) < 2_000_000 {
        std::thread::yield_now();
    }
    let _ = child.kill();
    child.wait().unwrap();
    let report: Value = serde_json::from_str(&succeeded(&dir, &with(IMPORT, &data))).unwrap();
    assert_eq!((report["rows"].as_u64(), report["accepted"].as_u64()), (Some(40_000), Some(40_000)), "{report}");
}

/// Reviews on three matters, in words that a model has to understand: no word is shared by all reviews of one matter.
const MATTERS: [[&str; 6]; 3] = [
    [
        "The espresso machine makes a lovely crema every morning",
        "My grinder is too loud but the coffee tastes great",
        "These beans smell wonderful and brew a smooth cup",
        "The milk frother broke, no more cappuccino for me",
        "Pour-over kettle heats fast, perfect for filter brewing",
        "A rich dark roast, best latte I have had at home",
    ],
    [
        "These hiking boots kept my feet dry on the mountain",
        "The trail shoes grip well on wet rock",
        "My backpack is light and sits well on long walks",
        "The tent leaked in the first night of rain",
        "Trekking poles saved my knees on the descent",
        "Warm sleeping bag, used it at the camp site by the lake",
    ],
    [
        "The tomato seedlings sprouted within a week",
        "This soil drains badly and my roses suffer",
        "Sharp pruning shears, the hedge looks neat again",
        "The watering can drips on the flower beds",
        "Compost bin works, less waste and better vegetables",
        "The bulbs I planted in autumn never flowered",
    ],
];

#[test]
fn the_default_model_understands_what_reviews_are_about() {
    let models = std::env::var_os("CLIENTELE_MODELS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("models"), PathBuf::from);
    if !models.join("all-MiniLM-L6-v2/model.safetensors").exists() {
        println!("skipped: all-MiniLM-L6-v2 is missing; `make models` gets it");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut csv = String::from("user,body\n");
    let (mut truth, mut spend) = (String::from("user,matter\n"), String::from("user,spent\n"));
    for (matter, texts) in MATTERS.iter().enumerate() {
        for (i, text) in texts.iter().enumerate() {
            csv.push_str(&format!("u{matter}{i},\"{text}\"\n"));
            truth.push_str(&format!("u{matter}{i},{matter}\n"));
            spend.push_str(&format!("u{matter}{i},{}\n", 100 * matter + i));
        }
    }
    std::fs::write(dir.path().join("reviews.csv"), csv).unwrap();
    std::fs::write(dir.path().join("truth.csv"), truth).unwrap();
    std::fs::write(dir.path().join("spend.csv"), spend).unwrap();
    let target = ["--data-dir", "data", "--offline", "--models-dir", models.to_str().unwrap()];
    succeeded(
        &dir,
        &with(&["import", "--kind", "reviews", "--customer", "user", "--text", "body", "reviews.csv"], &target),
    );
    succeeded(&dir, &with(&["fit", "--name", "matters", "--k", "3"], &target));
    let evaluate =
        ["evaluate", "--segmentation", "matters", "--customer", "user", "--labels", "truth.csv", "--label", "matter"];
    let evaluate = with(&evaluate, &["--outcomes", "spend.csv", "--html", "report.html", "--outcome"]);
    let measured: Value = serde_json::from_str(&succeeded(&dir, &with(&evaluate, &with(&["spent"], &target)))).unwrap();
    assert!(measured["agreement"]["v_measure"].as_f64().unwrap() > 0.8, "{measured}");
    assert!(measured["prediction"]["r2"].as_f64().unwrap() > 0.5, "{measured}");
    assert!(measured["quality"]["intervals"]["silhouette"].is_array(), "{measured}");
    let segments = measured["segments"].as_array().unwrap();
    assert!(segments.len() == 3 && segments.iter().all(|segment| segment["unstable"].is_boolean()), "{measured}");
    assert!(std::fs::read_to_string(dir.path().join("report.html")).unwrap().contains("Stability of each segment"));
    assert!(refused(&dir, &with(&evaluate, &with(&["pent"], &target))).contains("has no column \"pent\""));
    let ask = ["lookup", "--segmentation", "matters", "--text", "the cappuccino was cold"];
    let asked: Value = serde_json::from_str(&succeeded(&dir, &with(&ask, &target))).unwrap();
    let coffee: Value = serde_json::from_str(&succeeded(&dir, &with(&["lookup", "u00"], &target))).unwrap();
    assert_eq!(asked["data"][0]["segment_id"], coffee["data"][0]["segment_id"], "{asked}");
}

#[test]
fn models_that_are_not_here_are_listed_and_never_taken_for_present() {
    let dir = tempfile::tempdir().unwrap();
    let here = ["--models-dir", "models"];
    let listed: Value = serde_json::from_str(&succeeded(&dir, &with(&["models", "list", "--json"], &here))).unwrap();
    let default = &listed[0];
    assert_eq!(
        (default["model"]["id"].as_str(), default["presence"].as_str()),
        (Some("all-MiniLM-L6-v2"), Some("absent"))
    );
    assert!(succeeded(&dir, &with(&["models", "list"], &here)).contains("multilingual-e5-small"));
    for (arguments, expected) in [
        (&["models", "path", "all-MiniLM-L6-v2"][..], "clientele models pull all-MiniLM-L6-v2"),
        (&["models", "path", "no-such-model"], "the catalogue has"),
        (&["models", "verify"], "clientele models pull"),
        (&["models", "pull", "no-such-model"], "the catalogue has"),
    ] {
        let line = refused(&dir, &with(arguments, &here));
        assert!(line.contains(expected), "{arguments:?}: {line}");
    }
    assert!(!dir.path().join("models").exists(), "asking makes nothing");
    // Half a model is told file by file, and not taken.
    std::fs::create_dir_all(dir.path().join("models/all-MiniLM-L6-v2")).unwrap();
    std::fs::write(dir.path().join("models/all-MiniLM-L6-v2/config.json"), b"{}").unwrap();
    assert!(succeeded(&dir, &with(&["models", "list"], &here)).contains("in part"));
    let verified = run(&dir, &with(&["models", "verify"], &here));
    assert_eq!(verified.status.code(), Some(2));
    let told = String::from_utf8(verified.stdout).unwrap();
    assert!(told.contains("config.json: WRONG") && told.contains("model.safetensors: missing"), "{told}");
}

#[test]
fn a_store_is_copied_looked_through_and_backed_up_while_the_service_runs_and_restored() {
    let dir = tempfile::tempdir().unwrap();
    write_reviews(&dir, "reviews.csv", 30);
    succeeded(&dir, &with(IMPORT, &["--data-dir", "data"]));
    let server = Server::start(&dir);
    let told = refused(&dir, &["store", "copy", "--from", "data", "--to", "other"]);
    assert!(told.contains("in use by another process"), "{told}");
    succeeded(&dir, &["store", "backup", "--to", "monday.db", "--data-dir", "data"]);
    let checks = succeeded(&dir, &["store", "verify", "data"]);
    assert!(checks.lines().count() > 15 && checks.lines().all(|line| line.starts_with("ok\t")), "{checks}");
    let told = refused(&dir, &["store", "restore", "monday.db", "--data-dir", "data", "--force"]);
    assert!(told.contains("in use by another process"), "{told}");
    drop(server);
    let told = refused(&dir, &["store", "backup", "--to", "monday.db", "--data-dir", "data"]);
    assert!(told.contains("--force"), "{told}");
    succeeded(&dir, &["store", "restore", "monday.db", "--data-dir", "other"]);
    let told = refused(&dir, &["store", "copy", "--from", "data", "--to", "other"]);
    assert!(told.contains("default with something in it"), "{told}");
    let copy = ["store", "copy", "--from", "other", "--to", "third"];
    let (would_be, copied) = (succeeded(&dir, &with(&copy, &["--dry-run"])), succeeded(&dir, &copy));
    let rows = |told: &str| -> Vec<String> {
        told.lines().map(|line| line.rsplit_once('\t').unwrap().0.to_owned()).filter(|line| !line.is_empty()).collect()
    };
    assert_eq!(rows(&would_be), rows(&copied));
    assert!(rows(&copied).contains(&"default\treview\t30".to_owned()), "{copied}");
    let lookup = |place| succeeded(&dir, &["store", "verify", place]);
    assert_eq!(lookup("third"), checks);
    let mut bytes = std::fs::read(dir.path().join("third/clientele.db")).unwrap();
    let page = bytes.len() / 2 / 8192 * 8192;
    bytes[page..page + 8192].fill(0x5a);
    std::fs::write(dir.path().join("third/clientele.db"), bytes).unwrap();
    let damaged = run(&dir, &["store", "verify", "third"]);
    assert!(matches!(damaged.status.code(), Some(1 | 2)), "{damaged:?}");
}
