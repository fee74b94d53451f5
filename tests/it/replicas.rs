//! Several processes on one PostgreSQL store: what one publishes or erases, all answer from; a job is done once, whoever dies.

use crate::support::{Schema, Service};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The test's schema, or the test is skipped by name.
macro_rules! schema_or_skip {
    ($name:literal) => {
        match Schema::make().await {
            Some(schema) => schema,
            None => {
                println!("skipped: {}: there is no PostgreSQL", $name);
                return;
            }
        }
    };
}

#[tokio::test]
async fn what_one_process_publishes_the_others_answer_from() {
    let schema = schema_or_skip!("what_one_process_publishes_the_others_answer_from");
    let one = Service::on(&schema).await;
    let other = Service::on(&schema).await;
    one.with_customers(30).await;
    assert_eq!(other.get("/v1/customers/c0001/segments").await.json()["data"], json!([]));
    for version in 1..=2 {
        one.fit("needs", json!({ "k": 3 })).await;
        let expected = place(&one.get("/v1/customers/c0001/segments").await.json());
        assert_eq!(expected.0, version);
        loop {
            let found = other.get("/v1/customers/c0001/segments").await;
            assert_eq!(found.status, StatusCode::OK);
            if place(&found.json()) == expected {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The version, the segment and the confidence of a customer's one segmentation.
fn place(found: &Value) -> (Value, Value, Value) {
    let place = &found["data"][0];
    (place["version"].clone(), place["segment_id"].clone(), place["confidence"].clone())
}

#[tokio::test]
async fn what_one_process_erases_and_changes_the_others_forget() {
    let schema = schema_or_skip!("what_one_process_erases_and_changes_the_others_forget");
    let one = Service::on(&schema).await;
    let other = Service::on(&schema).await;
    other.with_customers(30).await;
    other.fit("needs", json!({ "k": 3 })).await;
    let path = "/v1/imports?kind=reviews&format=csv&customer=user&text=body";
    let imported = other.raw(Method::POST, path, "user,body\nc0001,\nc0002,\n").await;
    let job = other.finished(&imported).await["id"].as_str().unwrap().to_owned();
    let rejects = format!("/v1/imports/{job}/rejects");
    assert!(other.get(&rejects).await.text().contains("c0001"));
    let named = |answer: String| answer.contains("c0001");

    let accepted = one.call(Method::DELETE, "/v1/customers/c0001", None).await;
    one.finished(&accepted).await;
    let live = || other.app.state.snapshots.live(&other.workspace, &"needs".to_owned().try_into().unwrap()).unwrap();
    let gone = "c0001".to_owned().try_into().unwrap();
    while live().placed(&gone).is_some()
        || live().version.segments.iter().flat_map(|s| &s.typical_reviews).any(|review| review.customer_id == gone)
        || named(other.get(&rejects).await.text())
    {
        tokio::task::yield_now().await;
    }
    assert!(live().placed(&"c0002".to_owned().try_into().unwrap()).is_some());
    assert!(other.get(&rejects).await.text().contains("c0002"), "the others' rows stay");
}

/// Seconds that tests give a lease, and a heartbeat.
const LEASE: &str = "1";
const HEARTBEAT: &str = "0.25";

/// The real program on a store.
struct Process {
    child: Child,
    url: String,
    agent: ureq::Agent,
}

impl Process {
    fn start(store: &str, data_dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_clientele"))
            .args(["serve", "--listen", "127.0.0.1:0", "--offline", "--job-lease", LEASE, "--job-heartbeat", HEARTBEAT])
            .arg("--data-dir")
            .arg(data_dir)
            .env("CLIENTELE_STORE", store)
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("the service says where it listens").unwrap();
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split([';', ' ']).next().unwrap().to_owned();
            }
        };
        // The log is read on, so that the pipe never fills.
        std::thread::spawn(move || lines.for_each(drop));
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(Duration::from_secs(60))).build().into();
        Self { child, url, agent }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn get(&self, path: &str) -> Value {
        self.agent.get(format!("{}{path}", self.url)).call().unwrap().body_mut().read_json().unwrap()
    }

    /// Posts and gives the accepted job's path.
    fn submit(&self, path: &str, body: &[u8]) -> String {
        let request = self.agent.post(format!("{}{path}", self.url)).header("content-type", "application/json");
        let job: Value = request.send(body).unwrap().body_mut().read_json().unwrap();
        format!("/v1/jobs/{}", job["id"].as_str().unwrap_or_else(|| panic!("{job}")))
    }

    /// Looks at a job until it is as wanted.
    fn wait_for(&self, job: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let found = self.get(job);
            if wanted(&found) {
                return found;
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const IMPORT: &str = "/v1/imports?kind=reviews&format=csv&customer=user&text=body";

fn csv(n_rows: u64) -> Vec<u8> {
    let words = ["coffee grinder espresso", "hiking boots trail", "garden seeds soil"];
    let mut csv = String::from("user,body\n");
    (0..n_rows).for_each(|i| writeln!(csv, "u{i:05},{} number {i}", words[i as usize % 3]).unwrap());
    csv.into_bytes()
}

fn has_ended(job: &Value) -> bool {
    job["finished_at"].is_string()
}

/// At work, with something written down.
fn is_under_way(job: &Value) -> bool {
    assert!(!has_ended(job), "over before it could be interrupted: {job}");
    job["state"] == "running" && job["progress"]["done"].as_u64() > Some(0)
}

fn folders() -> (TempDir, TempDir) {
    (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_was_at_another_finishes_once() {
    let schema = schema_or_skip!("what_a_killed_process_was_at_another_finishes_once");
    let (address, (folder, _)) = (schema.address(), folders());
    let one = Process::start(&address, folder.path());
    let first = one.submit(IMPORT, &csv(600));
    one.wait_for(&first, has_ended);
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny/bert");
    let fit = json!({ "model": model, "k": 3 }).to_string();
    let fit = one.submit("/v1/segmentations/needs/fit", fit.as_bytes());
    let n_rows = 20_000;
    // Not of reviews: the fit that goes on would have to embed them too.
    let import = one.submit("/v1/imports?kind=events&format=csv&customer=user&event_name=seen", &csv(n_rows));
    one.wait_for(&import, is_under_way);
    assert_eq!(one.get(&fit)["state"], "running", "{}", one.get(&fit));
    one.kill();

    let other = Process::start(&address, folder.path());
    let imported = other.wait_for(&import, has_ended);
    assert_eq!((&imported["state"], &imported["result"]["rows"]), (&json!("succeeded"), &json!(n_rows)), "{imported}");
    let fitted = other.wait_for(&fit, has_ended);
    assert_eq!((&fitted["state"], &fitted["result"]["version"]), (&json!("succeeded"), &json!(1)), "{fitted}");
    let counts = other.get("/v1/workspace");
    assert_eq!((&counts["customers"], &counts["events"]), (&json!(n_rows), &json!(n_rows)));
    let versions = other.get("/v1/segmentations/needs/versions");
    assert_eq!(versions["data"].as_array().unwrap().len(), 1, "{versions}");
    let again = Process::start(&address, folder.path());
    for path in ["/v1/customers/u00000/segments", "/v1/segmentations/needs/segments", &import, &fit] {
        assert_eq!(again.get(path), other.get(path), "{path}");
    }
    while std::fs::read_dir(folder.path().join("uploads")).unwrap().count() > 0 {
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_waits_for_a_process_that_has_its_file_and_says_so() {
    let schema = schema_or_skip!("an_import_waits_for_a_process_that_has_its_file_and_says_so");
    let (address, (folder, elsewhere)) = (schema.address(), folders());
    let other = Process::start(&address, elsewhere.path());
    let one = Process::start(&address, folder.path());
    let n_rows = 20_000;
    let import = one.submit(IMPORT, &csv(n_rows));
    // Seen from everywhere.
    other.wait_for(&import, is_under_way);
    one.kill();
    let waits =
        |job: &Value| job["progress"]["phase"].as_str().unwrap().contains("waiting for a process that has its file");
    assert_eq!(other.wait_for(&import, waits)["finished_at"], Value::Null);
    let again = Process::start(&address, folder.path());
    let imported = other.wait_for(&import, has_ended);
    assert_eq!((&imported["state"], &imported["result"]["rows"]), (&json!("succeeded"), &json!(n_rows)), "{imported}");
    assert_eq!(again.get("/v1/workspace")["reviews"], n_rows);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_cancelled_from_any_process() {
    let schema = schema_or_skip!("a_job_is_cancelled_from_any_process");
    let (address, (folder, elsewhere)) = (schema.address(), folders());
    let (one, other) = (Process::start(&address, folder.path()), Process::start(&address, elsewhere.path()));
    let n_rows = 60_000;
    let import = one.submit(IMPORT, &csv(n_rows));
    other.wait_for(&import, is_under_way);
    other.agent.delete(format!("{}{import}", other.url)).call().unwrap();
    let ended = one.wait_for(&import, has_ended);
    assert_eq!(ended["state"], "cancelled", "{ended}");
    assert_eq!(other.get(&import)["state"], "cancelled");
    assert!(other.get("/v1/workspace")["reviews"].as_u64().unwrap() < n_rows);
}

/// A server of its own, that a test may stop and start.
struct Server(TempDir);

impl Server {
    fn start() -> (Self, String) {
        let folder = tempfile::tempdir().unwrap();
        // The server is another user where the tests are root.
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let server = Self(folder);
        let address = server.tool("start", &[]);
        (server, address)
    }

    fn tool(&self, what: &str, more: &[&str]) -> String {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/postgres");
        let output = Command::new(tool).arg(what).arg(self.0.path().join("server")).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// As a crash leaves it.
    fn crash(&self) {
        self.tool("stop", &["immediate"]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
    }
}

/// Sends review after review; notes who was acknowledged, and counts the refusals, which have to be polite.
fn send(process: &Process, name: &str, acknowledged: &Mutex<Vec<String>>, n_refused: &AtomicU64, over: &AtomicBool) {
    for i in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let customer = format!("{name}-{i}");
        let body = json!({ "customer_id": customer, "text": format!("words of {customer}") });
        let answer = process.agent.post(format!("{}/v1/reviews", process.url)).send_json(body).unwrap();
        if answer.status() == 201 {
            acknowledged.lock().unwrap().push(customer);
        } else {
            assert_eq!(answer.status(), 503);
            assert!(answer.headers().contains_key("retry-after"));
            n_refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_started_again_under_load_costs_nothing_but_time() {
    if Schema::make().await.is_none() {
        println!("skipped: a_database_that_is_started_again_under_load_costs_nothing_but_time: there is no PostgreSQL");
        return;
    }
    let (server, address) = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&address, folder.path());
    let n_rows = 20_000;
    let import = process.submit(IMPORT, &csv(n_rows));
    let (acknowledged, n_refused, over) = (Mutex::new(Vec::new()), AtomicU64::new(0), AtomicBool::new(false));
    let n_acknowledged = || acknowledged.lock().unwrap().len();
    std::thread::scope(|scope| {
        for name in ["a", "b"] {
            let (process, acknowledged, n_refused, over) = (&process, &acknowledged, &n_refused, &over);
            scope.spawn(move || send(process, name, acknowledged, n_refused, over));
        }
        process.wait_for(&import, is_under_way);
        server.crash();
        let asked_at = Instant::now();
        let away = process.agent.get(format!("{}/v1/workspace", process.url)).call().unwrap();
        assert_eq!(away.status(), 503);
        assert!(away.headers().contains_key("retry-after"));
        assert!(asked_at.elapsed() < Duration::from_secs(30), "an answer took {:?}", asked_at.elapsed());
        while n_refused.load(Ordering::Relaxed) < 4 {
            std::thread::yield_now();
        }
        assert_eq!(server.tool("start", &[]), address);
        let before = n_acknowledged();
        while n_acknowledged() < before + 20 {
            std::thread::yield_now();
        }
        over.store(true, Ordering::Relaxed);
    });
    let imported = process.wait_for(&import, has_ended);
    assert_eq!((&imported["state"], &imported["result"]["rows"]), (&json!("succeeded"), &json!(n_rows)), "{imported}");
    for customer in acknowledged.lock().unwrap().iter() {
        let found = process.get(&format!("/v1/customers/{customer}"));
        assert_eq!(found["reviews"][0]["text"], format!("words of {customer}"), "acknowledged and lost: {customer}");
    }
    // Sent again or cut off, nothing is there twice: a review is one customer's here.
    let counts = process.get("/v1/workspace");
    assert_eq!(counts["customers"], counts["reviews"]);
}
