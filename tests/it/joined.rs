//! Words, behaviour and traits in one space, over the real router.

use crate::support::Service;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

/// Customer i buys eighteen times until today, or twice a year ago, whatever they write about.
fn calls(i: usize) -> Vec<Value> {
    let id = format!("c{i:04}");
    let buys_often = (i / 3).is_multiple_of(2);
    let n_orders = if buys_often { 18 } else { 2 };
    let mut calls: Vec<Value> = (0..n_orders)
        .map(|n| {
            let (month, day) = if buys_often { (1 + n % 10, 1 + (i + n) % 28) } else { (1, 1 + (i + n) % 28) };
            let (total, time) =
                (if buys_often { 90 + i % 7 } else { 12 + i % 3 }, format!("2026-{month:02}-{day:02}T10:00:00Z"));
            json!({"type": "track", "userId": id, "messageId": format!("m{i}-{n}"), "event": "Order Completed",
                "timestamp": time, "properties": {"order_id": format!("o{i}-{n}"), "total": total, "currency": "EUR"}})
        })
        .collect();
    calls.push(
        json!({"type": "identify", "userId": id, "messageId": format!("i{i}"), "timestamp": "2026-01-01T00:00:00Z",
        "traits": {"plan": (["free", "pro"][i % 2]), "email": format!("{i}@example.com")}}),
    );
    calls
}

async fn shop(n: usize) -> Service {
    let service = Service::new().await;
    service.with_customers(n).await;
    for i in 0..n {
        let answer = service.post("/v1/batch", json!({"batch": calls(i)})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
    service
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[tokio::test]
async fn a_new_segmentation_joins_all_there_is_and_places_customers_by_it() {
    let service = shop(90).await;
    // Somebody who bought and never wrote.
    let silent = json!({"type": "track", "userId": "silent", "messageId": "s1", "event": "Order Completed",
        "timestamp": "2026-10-05T10:00:00Z", "properties": {"order_id": "s1", "total": 95, "currency": "EUR"}});
    service.post("/v1/batch", json!({"batch": [silent]})).await;
    let job = service.fit("needs", json!({"k": 6})).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["result"]["weights"], json!({"text": 1.0, "behaviour": 1.0, "traits": 1.0}));
    let version = service.get("/v1/segmentations/needs/versions/1").await.json();
    assert_eq!((&version["n_customers"], &version["definition"]["blocks"]), (&json!(91), &json!("all")));
    let blocks = list(&version["joined"]["blocks"]);
    assert_eq!(blocks.iter().map(|block| block["n_customers"].as_u64().unwrap()).collect::<Vec<_>>(), [90, 91, 90]);
    assert_eq!(blocks[2]["columns"], json!(["plan"]), "an address is no trait to group by");
    assert!(list(&blocks[1]["columns"]).contains(&json!("recency")), "{blocks:?}");
    assert!(version["joined"].get("space").is_none());

    let segments = service.get("/v1/segmentations/needs/segments").await.json();
    for segment in list(&segments["data"]) {
        let portrait = &segment["portrait"];
        assert!(portrait["sentence_en"].as_str().unwrap().contains("customers"), "{segment}");
        assert!(list(&portrait["differences"]).iter().all(|one| one["low"].as_f64() <= one["high"].as_f64()));
    }
    let silent = service.get("/v1/customers/silent/segments").await.json();
    let known = service.get("/v1/customers/c0000/segments").await.json();
    let confidence = |answer: &Value| answer["data"][0]["confidence"].as_f64().unwrap();
    assert!(confidence(&silent) < confidence(&known), "{silent} {known}");

    for id in ["c0000", "c0004", "c0013"] {
        let placed = service.post("/v1/segmentations/needs/assign", json!({"customer": id})).await.json();
        let placed = &placed["data"][0];
        let stored = service.get(&format!("/v1/customers/{id}/segments")).await.json();
        assert_eq!(placed["segment_id"], stored["data"][0]["segment_id"], "{id}");
        assert_eq!((&placed["known"], &placed["missing"]), (&json!(1.0), &json!([])));
    }
    let text = service.post("/v1/segmentations/needs/assign", json!({"text": "espresso grinder coffee"})).await.json();
    let text = &text["data"][0];
    assert_eq!((&text["known"], &text["missing"]), (&json!(0.3333), &json!(["behaviour", "traits"])));
    assert!(text["confidence"].as_f64().unwrap() < 0.56, "{text}");
    let nobody = service.post("/v1/segmentations/needs/assign", json!({"customer": "nobody"})).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    let both = service.post("/v1/segmentations/needs/assign", json!({"customer": "c0000", "text": "x"})).await;
    assert_eq!(both.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn behaviour_alone_needs_no_model_and_no_words() {
    let service = shop(60).await;
    let ask = json!({"blocks": {"behaviour": 1}, "features": {"only": ["recency", "frequency", "monetary"]}, "k": 2});
    let defined = service.call(Method::PUT, "/v1/segmentations/value", Some(ask)).await.json();
    assert_eq!(defined["definition"]["blocks"], json!({"text": 0.0, "behaviour": 1.0, "traits": 0.0}));
    assert_eq!(defined["definition"]["algorithm"], "kmeans");
    let job = service.fit("value", json!({})).await;
    assert_eq!((&job["state"], &job["result"]["model"]), (&json!("succeeded"), &json!("")), "{job}");
    let segments = service.get("/v1/segmentations/value/segments").await.json();
    let mut names: Vec<&str> =
        list(&segments["data"]).iter().map(|segment| segment["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names[0], "Frequent big spenders", "{segments}");
    assert!(names[1].starts_with("Lapsed"), "{names:?}");
    let rule = &segments["data"][0]["portrait"]["rule"];
    assert_eq!((&rule["precision"], &rule["recall"]), (&json!(1.0), &json!(1.0)), "{rule}");
    let text = service.post("/v1/segmentations/value/assign", json!({"text": "coffee"})).await;
    assert_eq!(text.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", text.text());
    let placed = service.post("/v1/segmentations/value/assign", json!({"customer": "c0000"})).await.json();
    let stored = service.get("/v1/customers/c0000/segments").await.json();
    assert_eq!(placed["data"][0]["segment_id"], stored["data"][0]["segment_id"]);
    // A fact that comes later moves the customer's own clock: who buys again is no longer lapsed.
    let again: Vec<Value> = (0..18)
        .map(|n| json!({"type": "track", "userId": "c0003", "messageId": format!("n{n}"), "event": "Order Completed",
            "timestamp": "2026-10-20T10:00:00Z", "properties": {"order_id": format!("n{n}"), "total": 95, "currency": "EUR"}}))
        .collect();
    service.post("/v1/batch", json!({"batch": again})).await;
    let now = service.post("/v1/segmentations/value/assign", json!({"customer": "c0003"})).await.json();
    assert_eq!(now["data"][0]["segment_id"], placed["data"][0]["segment_id"]);
}

#[tokio::test]
async fn the_moment_asked_for_bounds_every_kind_of_fact() {
    let service = shop(45).await;
    let job = service.fit("then", json!({"as_of": "2026-02-01T00:00:00Z", "k": 2})).await;
    // Reviews came today: nothing was written then.
    assert_eq!(job["result"]["weights"]["text"], json!(0.0), "{job}");
    let version = service.get("/v1/segmentations/then/versions/1").await.json();
    assert_eq!((&version["joined"]["as_of"], &version["n_reviews"]), (&json!("2026-02-01T00:00:00Z"), &json!(0)));
    let segments = service.get("/v1/segmentations/then/segments").await.json();
    for segment in list(&segments["data"]) {
        for one in list(&segment["portrait"]["differences"]) {
            let orders = one["feature"] == "frequency";
            assert!(!orders || one["segment"].as_f64().unwrap() <= 4.0, "orders of later months count: {one}");
        }
    }
}
