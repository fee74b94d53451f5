//! The Segment tracking API over the real router: every call, its limits, and what becomes of people and orders.

use crate::support::{Answer, Service};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use clientele::api::LocalOperator;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;

async fn packed(service: &Service, body: &[u8], encoding: &str) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/v1/batch")
        .header(header::CONTENT_ENCODING, encoding)
        .header(header::CONTENT_TYPE, "text/plain")
        .extension(LocalOperator(service.workspace.clone()))
        .body(Body::from(body.to_vec()))
        .unwrap();
    service.send(request).await
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn each_call_has_its_route() {
    let service = Service::new().await;
    for (path, call) in [
        ("identify", json!({"userId": "ann", "traits": {"country": "NZ"}, "messageId": "m1"})),
        (
            "track",
            json!({"userId": "ann", "event": "Product Viewed", "properties": {"product_id": "p1"}, "messageId": "m2"}),
        ),
        ("page", json!({"anonymousId": "anon", "name": "Home", "messageId": "m3"})),
        ("screen", json!({"userId": "ann", "name": "Cart", "messageId": "m4"})),
        ("group", json!({"userId": "ann", "groupId": "acme", "traits": {"plan": "pro"}, "messageId": "m5"})),
        ("alias", json!({"previousId": "anon", "userId": "ann", "messageId": "m6"})),
    ] {
        let path = format!("/v1/{path}");
        for (accepted, duplicate) in [(1, 0), (0, 1)] {
            let answer = service.post(&path, call.clone()).await;
            let expected = json!({"success": true, "accepted": accepted, "duplicate": duplicate, "suppressed": 0, "declined": 0, "expired": 0, "rejected": []});
            assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected), "{path}");
        }
    }
    let ann = service.get("/v1/customers/anon").await.json();
    assert_eq!(
        (&ann["customer_id"], &ann["aliases"], &ann["groups"]),
        (&json!("ann"), &json!(["anon"]), &json!(["acme"]))
    );
    assert_eq!((&ann["is_known"], &ann["n_events"]), (&json!(true), &json!(3)));
    let first = service.get("/v1/customers/ann/events?limit=2").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = service.get(&format!("/v1/customers/ann/events?limit=2&cursor={cursor}")).await.json();
    let events = [first["data"].as_array().unwrap().as_slice(), rest["data"].as_array().unwrap()].concat();
    let names: Vec<_> = events.iter().map(|event| event["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Cart", "Home", "Product Viewed"]);
    assert_eq!(events[2]["activity"], json!({"kind": "view", "item_id": "p1", "amount": null, "value": null}));
    let merges = service.get("/v1/merges").await.json();
    assert_eq!((&merges["data"][0]["id"], &merges["data"][0]["reason"]), (&json!("anon"), &json!("alias")));
}

#[tokio::test]
async fn orders_reviews_and_refunds_are_understood() {
    let service = Service::new().await;
    let track = |id: &str, event: &str, properties: Value| json!({"type": "track", "messageId": id, "userId": "ann", "event": event, "properties": properties});
    let products = json!([{"product_id": "p1", "price": 9.9, "quantity": 2, "category": "tea"}]);
    let calls = json!({"batch": [
        track("m1", "Order Completed", json!({"order_id": "o1", "total": 19.8, "currency": "EUR", "products": products})),
        track("m2", "Order Completed", json!({"order_id": "o1", "total": 19.8, "currency": "EUR", "products": products})),
        track("m3", "Product Reviewed", json!({"product_id": "p1", "review_id": "r1", "review_body": "quiet kettle", "rating": 5})),
        track("m4", "Order Refunded", json!({"order_id": "o1", "total": 5, "currency": "EUR"})),
    ]});
    assert_eq!(service.post("/v1/batch", calls).await.json()["accepted"], 4);
    let orders = service.get("/v1/customers/ann/orders").await.json();
    assert_eq!(orders["data"].as_array().unwrap().len(), 1, "told twice, it is one order");
    assert_eq!(orders["data"][0]["total"], json!({"minor": 1980, "currency": "EUR"}));
    let ann = service.get("/v1/customers/ann").await.json();
    assert_eq!(ann["reviews"][0]["text"], "quiet kettle");
    let events = service.get("/v1/customers/ann/events").await.text();
    assert!(!events.contains("quiet kettle"), "the words are kept once, with the review");
    let workspace = service.get("/v1/workspace").await.json();
    assert_eq!((&workspace["orders"], &workspace["events"], &workspace["reviews"]), (&json!(1), &json!(4), &json!(1)));
}

#[tokio::test]
async fn a_batch_may_be_packed_and_is_bounded_either_way() {
    let service = Service::new().await;
    let body = json!({"batch": [{"type": "track", "userId": "ann", "event": "e", "messageId": "m"}]}).to_string();
    assert_eq!(packed(&service, body.as_bytes(), "identity").await.json()["accepted"], 1);
    assert_eq!(packed(&service, &gzip(body.as_bytes()), "gzip").await.json()["duplicate"], 1);
    let large = json!({"batch": [{"x": "y".repeat(500 * 1024)}]}).to_string();
    let bomb = gzip(&vec![b' '; 200 << 20]);
    for (body, encoding, status, code) in [
        (body.as_bytes(), "br", 415, "unsupported_media_type"),
        (body.as_bytes(), "gzip", 400, "bad_request"),
        (&gzip(body.as_bytes())[..20], "gzip", 400, "bad_request"),
        (large.as_bytes(), "identity", 413, "body_too_large"),
        (&gzip(large.as_bytes()), "gzip", 413, "body_too_large"),
        (&bomb, "gzip", 413, "body_too_large"),
    ] {
        let answer = packed(&service, body, encoding).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{encoding}");
    }
    let calls = vec![json!({"type": "track", "userId": "a", "event": "e"}); 2_501];
    let answer = service.post("/v1/batch", json!({ "batch": calls })).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_field"));
}

#[tokio::test]
async fn bad_calls_and_items_are_refused_by_name() {
    let service = Service::new().await;
    for (path, body, pointer) in [
        ("/v1/track", json!({"event": "e"}), "/userId"),
        ("/v1/track", json!({"userId": "a"}), "/event"),
        ("/v1/alias", json!({"userId": "a"}), "/previousId"),
        ("/v1/group", json!({"userId": "a"}), "/groupId"),
        ("/v1/identify", json!({"userId": "a", "traits": []}), "/traits"),
        ("/v1/page", json!({"userId": "a", "timestamp": "soon"}), "/timestamp"),
        ("/v1/batch", json!({"batch": {}}), "/batch"),
        ("/v1/batch", json!({"batch": []}), "/batch"),
        ("/v1/batch", json!([]), ""),
        ("/v1/import", json!({"batch": [{}], "sentAt": "later"}), "/sentAt"),
        ("/v1/items", json!({"name": "x"}), "/item_id"),
        ("/v1/items:batch", json!({"items": []}), "/items"),
    ] {
        let answer = service.post(path, body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}: {}", answer.text());
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{path} {body}");
    }
    assert_eq!(service.get("/v1/workspace").await.json()["customers"], 0, "nothing was kept");
}

#[tokio::test]
async fn history_keeps_its_times_and_a_live_clock_is_set_right() {
    let service = Service::new().await;
    let call = |id: &str| {
        json!({"batch": [{"type": "track", "userId": "ann", "event": "e", "messageId": id, "timestamp": "2020-01-01T00:00:00Z"}],
            "sentAt": "2020-01-01T00:00:05Z"})
    };
    service.post("/v1/import", call("m1")).await;
    service.post("/v1/batch", call("m2")).await;
    let events = service.get("/v1/customers/ann/events").await.json();
    assert_eq!(events["data"][1]["time"], "2020-01-01T00:00:00Z");
    // The sender's clock is years behind: by ours, it happened five seconds before it was sent, which was now.
    let time: jiff::Timestamp = events["data"][0]["time"].as_str().unwrap().parse().unwrap();
    let ago = jiff::Timestamp::now().as_second() - time.as_second();
    assert!((5..120).contains(&ago), "{ago} seconds ago");
}

#[tokio::test]
async fn the_catalogue_is_kept_and_listed() {
    let service = Service::new().await;
    let item = json!({"item_id": "k1", "kind": "course", "name": "Rust", "price": 19.9, "currency": "EUR", "time": "2026-01-01"});
    assert_eq!(service.post("/v1/items", item.clone()).await.status, StatusCode::CREATED);
    assert_eq!(service.post("/v1/items", item).await.status, StatusCode::OK);
    let items = json!({"items": [{"item_id": "k0"}, {"item_id": "k2", "price": -1}]});
    let taken = service.post("/v1/items:batch", items).await.json();
    assert_eq!((&taken["accepted"], &taken["rejected"][0]["index"]), (&json!(1), &json!(1)));
    let page = service.get("/v1/items?limit=1").await.json();
    assert_eq!((&page["data"][0]["item_id"], &page["has_more"]), (&json!("k0"), &json!(true)));
    let found = service.get("/v1/items/k1").await.json();
    assert_eq!((&found["kind"], &found["price"]), (&json!("course"), &json!({"minor": 1990, "currency": "EUR"})));
    assert_eq!(service.get("/v1/items/none").await.code(), "not_found");
}
