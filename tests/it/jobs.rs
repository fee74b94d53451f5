//! Imports as jobs: rows that are wrong are told, the same key is the same job, an interrupted import goes on.

use crate::support::{Service, open};
use axum::body::Body;
use axum::http::{Method, Request};
use clientele::api::{Limits, LocalOperator};
use clientele::domain::{JobKind, JobState, Timestamp, WorkspaceId};
use clientele::jobs::{JobAsk, JobContext, JobFailure, JobSettings, Jobs, Work};
use clientele::store::{SqliteStore, Store};
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const REVIEWS: &str = "/v1/imports?kind=reviews&format=csv&customer=user&text=body";

#[tokio::test]
async fn an_import_keeps_the_good_rows_and_tells_the_line_of_each_bad_one() {
    let service = Service::new().await;
    let csv = b"\xef\xbb\xbfuser,body\nann,\"good,\nreally\"\n,no one\nbob,\ncy,fine\nbad,\xff\xfe\n".to_vec();
    let job = service.finished(&service.raw(Method::POST, REVIEWS, csv).await).await;
    let report = &job["result"];
    assert_eq!(
        (report["rows"].as_u64(), report["accepted"].as_u64(), report["rejected"].as_u64()),
        (Some(5), Some(2), Some(3)),
        "{job}"
    );
    let lines: Vec<_> = report["errors"].as_array().unwrap().iter().map(|e| e["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [4, 5, 7]);
    assert_eq!(service.get("/v1/customers/ann").await.json()["reviews"][0]["text"], "good,\nreally");
}

/// In the moment after the end is on record.
async fn uploads_are_cleared_away(dir: &Path) {
    while std::fs::read_dir(dir.join("uploads")).unwrap().count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn files_that_cannot_be_imported_fail_with_a_sentence() {
    let service = Service::new().await;
    let table: [(&str, &[u8], &str); 3] = [
        ("empty", b"", "empty"),
        ("a missing column", b"user,words\na,b\n", "body"),
        ("a header alone", b"user,body\n", "no rows"),
    ];
    for (what, bytes, word) in table {
        let job = service.finished(&service.raw(Method::POST, REVIEWS, bytes.to_vec()).await).await;
        assert_eq!(job["state"], "failed", "{what}: {job}");
        let detail = job["error"]["detail"].as_str().unwrap();
        assert!(detail.contains(word), "{what}: {detail}");
    }
    uploads_are_cleared_away(service.dir.path()).await;
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_compressed_file_is_imported_like_the_file_in_it() {
    let service = Service::new().await;
    let csv = b"user,body\nann,good\n,no one\nbob,fine\n";
    for packed in [gzipped(csv), zstd::encode_all(&csv[..], 3).unwrap()] {
        let report = service.finished(&service.raw(Method::POST, REVIEWS, packed).await).await["result"].clone();
        assert_eq!((report["rows"].as_u64(), report["rejected"].as_u64()), (Some(3), Some(1)), "{report}");
        assert_eq!(report["errors"][0]["line"], 3);
    }
    assert_eq!(service.get("/v1/workspace").await.json()["reviews"], 2);
    uploads_are_cleared_away(service.dir.path()).await;
}

#[tokio::test]
async fn a_damaged_compressed_file_is_refused_whole_and_called_by_its_name() {
    let service = Service::new().await;
    let csv = "user,body\n".to_owned() + &"ann,good words\n".repeat(5_000);
    let packed = gzipped(csv.as_bytes());
    let path = format!("{REVIEWS}&file_name=reviews.csv.gz");
    for (what, bytes, word) in [
        ("cut short", &packed[..packed.len() / 2], "breaks off at byte"),
        ("not gzip at all", &b"\x1f\x8bwords and more words"[..], "damaged"),
        ("packed twice", &gzipped(&packed)[..], "more than once"),
    ] {
        let job = service.finished(&service.raw(Method::POST, &path, bytes.to_vec()).await).await;
        assert_eq!(
            (job["state"].as_str(), job["error"]["code"].as_str()),
            (Some("failed"), Some("bad_file")),
            "{what}"
        );
        let detail = job["error"]["detail"].as_str().unwrap();
        assert!(detail.starts_with("reviews.csv.gz ") && detail.contains(word), "{what}: {detail}");
    }
    assert_eq!(service.get("/v1/workspace").await.json()["reviews"], 0, "nothing of a damaged file is imported");
    uploads_are_cleared_away(service.dir.path()).await;
}

#[tokio::test]
async fn rejected_rows_can_be_fetched_as_they_stand_in_the_file() {
    let service = Service::new().await;
    let csv = "user,body\nann,good\n,\"no one,\nwith words\"\nbob,\n";
    let job = service.finished(&service.raw(Method::POST, &format!("{REVIEWS}&dry_run=true"), csv).await).await;
    let path = format!("/v1/imports/{}/rejects", job["id"].as_str().unwrap());
    let answer = service.get(&path).await;
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let rows: Vec<serde_json::Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&rows[0]["line"], &rows[0]["column"], &rows[0]["raw"]),
        (&json!(3), &json!("user"), &json!(",\"no one,\nwith words\""))
    );
    assert_eq!((rows.len(), &rows[1]["code"], &rows[1]["raw"]), (2, &json!("missing_field"), &json!("bob,")));
    let fine = service.finished(&service.raw(Method::POST, REVIEWS, "user,body\nann,good\n").await).await;
    for id in [fine["id"].as_str().unwrap(), "0198c0de-0000-7000-8000-000000000000"] {
        assert_eq!(service.get(&format!("/v1/imports/{id}/rejects")).await.code(), "not_found");
    }
}

#[tokio::test]
async fn orders_are_counted_by_rows_and_by_orders() {
    let service = Service::new().await;
    let csv = "order,who,sku,price\n1,ann,a,2\n1,ann,b,3\n2,bob,a,2\n3,,a,2\n3,,b,2\n";
    let path = "/v1/imports?kind=orders&format=csv&id=order&customer=who&item=sku&price=price";
    let report = service.finished(&service.raw(Method::POST, path, csv).await).await["result"].clone();
    let counts: Vec<_> =
        ["rows", "accepted", "grouped", "rejected"].iter().map(|name| report[name].as_u64().unwrap()).collect();
    assert_eq!(counts, [5, 2, 1, 2], "{report}");
    let again = service.finished(&service.raw(Method::POST, path, csv).await).await["result"].clone();
    assert_eq!((again["accepted"].as_u64(), again["duplicate"].as_u64()), (Some(0), Some(2)), "{again}");
}

#[tokio::test]
async fn a_megabyte_cell_is_a_bad_row_and_its_neighbours_are_kept() {
    let service = Service::new().await;
    let csv = format!("user,body\na,first\nb,{}\nc,last\n", "x".repeat(1 << 20));
    let report = service.finished(&service.raw(Method::POST, REVIEWS, csv).await).await["result"].clone();
    assert_eq!((report["accepted"].as_u64(), report["rejected"].as_u64()), (Some(2), Some(1)), "{report}");
    assert_eq!(report["errors"][0]["line"], 3);
}

#[tokio::test]
async fn a_dry_run_counts_and_writes_nothing() {
    let service = Service::new().await;
    let csv = "user,body\na,first\n,second\n";
    let job = service.finished(&service.raw(Method::POST, &format!("{REVIEWS}&dry_run=true"), csv).await).await;
    assert_eq!((job["result"]["accepted"].as_u64(), job["result"]["rejected"].as_u64()), (Some(1), Some(1)), "{job}");
    assert_eq!(service.get("/v1/workspace").await.json()["reviews"], 0);
}

#[tokio::test]
async fn a_dry_run_profiles_the_file_and_proposes_what_nobody_said() {
    let service = Service::new().await;
    let rows = (0..40).map(|i| format!("u{},It is the one number {i} of these,{}\n", i % 9, i % 5 + 1));
    let csv = format!("user_id,comment,stars\n{},no one said this,2\n", rows.collect::<String>());
    let dry = "/v1/imports?format=csv&dry_run=true&file_name=r.csv";
    let result = service.finished(&service.raw(Method::POST, dry, csv.clone()).await).await["result"].clone();
    assert_eq!(
        (&result["rows"], &result["accepted"], &result["rejected"]),
        (&json!(41), &json!(40), &json!(1)),
        "{result}"
    );
    assert_eq!(result["rejected_by_code"], json!({"missing_field": 1}));
    assert_eq!(
        result["read_as"],
        json!({"kind": "reviews", "mapping": {"customer": "user_id", "text": "comment", "rating": "stars"}, "is_proposed": true,
            "command": "clientele import --kind reviews --customer user_id --text comment --rating stars r.csv"})
    );
    assert_eq!(result["profile"]["columns"][0]["missing"]["lines"], json!([42]));
    let said = format!("{dry}&kind=events&event_name=Commented");
    let result = service.finished(&service.raw(Method::POST, &said, csv.clone()).await).await["result"].clone();
    assert_eq!(
        (&result["read_as"]["kind"], &result["read_as"]["mapping"]),
        (&json!("events"), &json!({"customer": "user_id", "event_name": "Commented"})),
        "what was said stands, the rest is proposed"
    );
    assert_eq!(service.get("/v1/workspace").await.json()["reviews"], 0);
    let wet = service.raw(Method::POST, "/v1/imports?format=csv", csv).await;
    assert_eq!((wet.code(), wet.json()["errors"][0]["pointer"].as_str()), ("invalid_field".into(), Some("kind")));
}

#[tokio::test]
async fn an_import_that_is_cancelled_before_it_begins_leaves_no_upload() {
    let service = Service::new().await;
    let long = format!("user,body\n{}", (0..20_000).map(|i| format!("u{i},words of {i}\n")).collect::<String>());
    let first = service.raw(Method::POST, REVIEWS, long).await;
    let second = service.raw(Method::POST, REVIEWS, "user,body\nann,good\n").await.json()["id"].clone();
    let second = second.as_str().unwrap();
    let cancelled = service.call(Method::DELETE, &format!("/v1/jobs/{second}"), None).await;
    assert_eq!(cancelled.json()["id"], second);
    service.finished(&first).await;
    // What customers said does not lie there until the next start.
    uploads_are_cleared_away(service.dir.path()).await;
    assert!(service.get("/v1/workspace").await.json()["reviews"].as_u64() >= Some(20_000));
}

#[tokio::test]
async fn the_same_idempotency_key_gives_the_same_job() {
    let service = Service::new().await;
    let ask = || {
        Request::post(REVIEWS)
            .header("idempotency-key", "once")
            .extension(LocalOperator(service.workspace.clone()))
            .body(Body::from("user,body\na,first\n"))
            .unwrap()
    };
    let first = service.send(ask()).await;
    let job = service.finished(&first).await;
    let second = service.send(ask()).await.json();
    assert_eq!(second["id"], job["id"]);
    assert_eq!(service.get("/v1/jobs").await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_import_interrupted_by_a_stop_goes_on_after_the_next_start_and_loses_nothing() {
    let service = Service::new().await;
    let n = 30_000;
    let mut csv = String::from("user,body\n");
    for i in 0..n {
        writeln!(csv, "u{i},\"words of {i}\"").unwrap();
    }
    // Compressed: what it unpacks to is there still when the import goes on.
    let accepted = service.raw(Method::POST, REVIEWS, gzipped(csv.as_bytes())).await;
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    // Leave as soon as the first batch is in.
    while service.get("/v1/workspace").await.json()["reviews"] == 0 {
        tokio::task::yield_now().await;
    }
    let Service { app, dir, workspace } = service;
    app.close(Duration::from_secs(30)).await;
    let app = open(dir.path(), Limits::default(), false).await;
    let service = Service { app, dir, workspace };
    let before = service.get("/v1/workspace").await.json()["reviews"].as_u64().unwrap();
    assert!(before < n, "the import was over before it could be interrupted");
    assert_eq!(service.get(&format!("/v1/jobs/{id}")).await.json()["state"], "running");
    service.app.state.jobs.resume().await.unwrap();
    loop {
        let job = service.get(&format!("/v1/jobs/{id}")).await.json();
        if job["finished_at"].is_string() {
            assert_eq!((job["state"].as_str(), job["result"]["rows"].as_u64()), (Some("succeeded"), Some(n)), "{job}");
            assert_eq!(job["result"]["accepted"].as_u64(), Some(n), "no row was imported twice: {job}");
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(service.get("/v1/workspace").await.json()["reviews"], n);
}

#[tokio::test]
async fn a_cancelled_fit_publishes_nothing() {
    let service = Service::new().await;
    service.with_customers(300).await;
    let accepted = service.post("/v1/segmentations/needs/fit", json!({})).await.json();
    let path = format!("/v1/jobs/{}", accepted["id"].as_str().unwrap());
    service.call(Method::DELETE, &path, None).await;
    let ended = loop {
        let job = service.get(&path).await.json();
        if job["finished_at"].is_string() {
            break job;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(ended["state"], "cancelled", "{ended}");
    assert_eq!(service.get("/v1/segmentations/needs/segments").await.status, 404);
}

/// Runs until it is cancelled, and says when it has begun.
struct Endless(tokio::sync::Notify);

#[async_trait::async_trait]
impl Work for Endless {
    async fn run(&self, context: Arc<JobContext>) -> Result<serde_json::Value, JobFailure> {
        self.0.notify_one();
        loop {
            context.check()?;
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_job_at_work_can_be_cancelled_and_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir.path()).unwrap());
    let workspace = WorkspaceId::parse("default").unwrap();
    store.create_workspace(&workspace, Timestamp::now()).await.unwrap();
    let work = Arc::new(Endless(tokio::sync::Notify::new()));
    let jobs = Jobs::start(
        Arc::clone(&store),
        vec![(JobKind::Fit, Arc::clone(&work) as Arc<dyn Work>)],
        JobSettings::default(),
    );
    let job = jobs.submit(&workspace, JobAsk::new(JobKind::Fit, json!({}))).await.unwrap();
    work.0.notified().await;
    assert_eq!(jobs.get(&workspace, job.id).await.unwrap().unwrap().state, JobState::Running);
    jobs.cancel(&workspace, job.id).await.unwrap();
    let ended = loop {
        let job = jobs.get(&workspace, job.id).await.unwrap().unwrap();
        if job.finished_at.is_some() {
            break job;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(ended.state, JobState::Cancelled);
}
