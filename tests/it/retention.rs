//! Retention over the real router and the real files: what has been kept for long enough is removed, and is in no file any more.

use crate::support::{Service, TOPIC, files_with};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;

/// Words that occur nowhere else.
const CANARY: &str = "wombat-canary-4417";

/// The files in which the canary is found.
fn found_in(dir: &Path) -> Vec<String> {
    files_with(CANARY, dir)
}

async fn run(service: &Service, ask: Value) -> Value {
    let accepted = service.post("/v1/retention:run", ask).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text());
    let job = service.finished(&accepted).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    job["result"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_were_kept_for_long_enough_are_in_no_file_any_more() {
    let service = Service::new().await;
    service.with_customers(40).await;
    service.with_a_topic().await;
    let old = json!({"batch": [
        {"type": "track", "userId": "ann", "event": CANARY, "messageId": "m1", "timestamp": "2020-01-01T00:00:00Z",
            "properties": {"note": CANARY}},
        {"type": "track", "userId": "ann", "event": "Order Completed", "messageId": "m2", "timestamp": "2020-01-01T00:00:00Z",
            "properties": {"order_id": CANARY, "total": 5}},
        {"type": "track", "userId": "ann", "event": "seen", "messageId": "m3"},
    ]});
    assert_eq!(service.post("/v1/batch", old.clone()).await.json()["accepted"], 3);
    for i in 0..3 {
        let text = format!("{TOPIC} {TOPIC} {TOPIC} {CANARY} {i}");
        let ask =
            json!({"review_id": format!("r-{i}"), "customer_id": "ann", "text": text, "time": "2020-01-01T00:00:00Z"});
        assert_eq!(service.post("/v1/reviews", ask).await.status, StatusCode::CREATED);
    }
    service.fit("needs", json!({ "k": 4, "blocks": {"text": 1} })).await;
    assert!(!found_in(service.dir.path()).is_empty(), "the canary was planted");
    let quotes = async || service.get("/v1/segmentations/needs/segments").await.text();
    assert!(quotes().await.contains(CANARY), "they are quoted");
    let days = json!({"events": 400, "reviews": 400, "orders": 400});
    let counted = run(&service, json!({"dry_run": true, "retention": days})).await;
    assert_eq!(counted["removed"], json!({"events": 2, "reviews": 3, "orders": 1}), "{counted}");
    assert_eq!(service.get("/v1/customers/ann").await.json()["n_reviews"], 3, "nothing is removed by a dry run");
    let put = service.call(Method::PUT, "/v1/retention", Some(days)).await.json();
    assert_eq!(put, json!({"events": 400, "reviews": 400, "orders": 400, "refunds": null}));
    let removed = run(&service, json!({})).await;
    assert_eq!((&removed["removed"], &removed["dry_run"]), (&counted["removed"], &json!(false)));
    assert_eq!(found_in(service.dir.path()), [""; 0]);
    assert!(!quotes().await.contains(CANARY));
    let ann = service.get("/v1/customers/ann").await.json();
    assert_eq!((&ann["n_events"], &ann["n_reviews"], &ann["n_orders"]), (&json!(1), &json!(0), &json!(0)));
    // Sent again, nothing of it is new; nor when nothing is said of its age any more.
    assert_eq!(service.post("/v1/batch", old.clone()).await.json()["expired"], 2);
    assert_eq!(service.call(Method::PUT, "/v1/retention", Some(json!({}))).await.status, StatusCode::OK);
    let again = service.post("/v1/batch", old).await.json();
    assert_eq!((&again["expired"], &again["duplicate"], &again["accepted"]), (&json!(2), &json!(1), &json!(0)));
}

#[tokio::test]
async fn what_is_wrong_with_a_retention_is_said() {
    let service = Service::new().await;
    assert_eq!(
        service.get("/v1/retention").await.json(),
        json!({"events": null, "reviews": null, "orders": null, "refunds": null})
    );
    for (body, pointer) in [
        (json!({"events": 0}), "/events"),
        (json!({"reviews": "400 days"}), "/reviews"),
        (json!({"orders": 40_000}), "/orders"),
        (json!({"traits": 5}), "/traits"),
    ] {
        let answer = service.call(Method::PUT, "/v1/retention", Some(body.clone())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text());
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    let answer = service.post("/v1/retention:run", json!({"retention": {"events": 5}})).await;
    assert_eq!(answer.json()["errors"][0]["pointer"], "/retention");
}
