//! Several processes on one PostgreSQL store: what one publishes, all answer from.

use crate::support::{Schema, Service};
use axum::http::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn what_one_process_publishes_the_others_answer_from() {
    let Some(schema) = Schema::make().await else {
        println!("skipped: what_one_process_publishes_the_others_answer_from: there is no PostgreSQL");
        return;
    };
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
