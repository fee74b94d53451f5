//! Erasure and portability over the real router and the real files: after an erasure nothing of the customer is in any file that
//! the service keeps.

use crate::support::{Service, TOPIC, files_with, open};
use axum::http::{Method, StatusCode};
use clientele::api::Limits;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Words that occur nowhere else.
const CANARY: &str = "quokka-canary-7319";

/// The files in which the canary is found.
fn found_in(dir: &Path) -> Vec<String> {
    files_with(CANARY, dir)
}

/// A customer who left the canary in a fact of every kind, and is quoted as typical of a segment.
async fn leave_traces(service: &Service) {
    service.with_customers(60).await;
    service.with_a_topic().await;
    let batch: Vec<Value> = [
        json!({"type": "identify", "userId": CANARY, "traits": {"colour": CANARY}}),
        json!({"type": "track", "userId": CANARY, "anonymousId": format!("anon-{CANARY}"), "event": "seen", "properties": {"note": CANARY}}),
        json!({"type": "track", "userId": CANARY, "event": "Order Completed", "properties": {"order_id": CANARY, "total": 5,
            "products": [{"product_id": CANARY, "price": 5}]}}),
        json!({"type": "track", "userId": CANARY, "event": "Order Refunded", "properties": {"order_id": CANARY}}),
        json!({"type": "page", "anonymousId": format!("anon-{CANARY}"), "name": CANARY}),
        json!({"type": "alias", "previousId": format!("old-{CANARY}"), "userId": CANARY}),
    ]
    .into();
    assert_eq!(service.post("/v1/batch", json!({ "batch": batch })).await.json()["accepted"], 6);
    let consent = json!({"purposes": {"marketing": "withdrawn"}, "source": CANARY});
    let told = service.call(Method::PUT, &format!("/v1/customers/old-{CANARY}/consent"), Some(consent)).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.text());
    for i in 0..5 {
        let ask =
            json!({"customer_id": CANARY, "text": format!("{TOPIC} {TOPIC} {TOPIC} {CANARY} {i}"), "item_id": CANARY});
        assert_eq!(service.post("/v1/reviews", ask).await.status, StatusCode::CREATED);
    }
    let rows = format!("customer,text\n{CANARY},\n{CANARY},  \n");
    let path = "/v1/imports?kind=reviews&format=csv&customer=customer&text=text";
    let accepted = service.raw(Method::POST, path, rows).await;
    assert_eq!(service.finished(&accepted).await["result"]["rejected"], 2);
    let job = service.fit("needs", json!({ "k": 4, "blocks": {"text": 1} })).await;
    assert_eq!(job["state"], "succeeded", "{job}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_erasure_no_file_holds_anything_of_the_customer() {
    let service = Service::new().await;
    leave_traces(&service).await;
    assert!(!found_in(service.dir.path()).is_empty(), "the canary was planted");
    assert!(
        !service.get(&format!("/v1/customers/{CANARY}/segments")).await.json()["data"].as_array().unwrap().is_empty()
    );
    let accepted = service.call(Method::DELETE, &format!("/v1/customers/anon-{CANARY}"), None).await;
    let proof = service.finished(&accepted).await;
    assert_eq!(proof["state"], "succeeded", "{proof}");
    let removed = &proof["result"]["removed"];
    assert_eq!(
        (&removed["ids"], &removed["events"], &removed["reviews"]),
        (&json!(3), &json!(4), &json!(5)),
        "{removed}"
    );
    assert_eq!((&removed["orders"], &removed["refunds"], &removed["memberships"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(removed["consents"], 1);
    assert!(removed["typical_reviews"].as_u64().unwrap() > 0, "they were quoted: {removed}");
    assert_eq!(found_in(service.dir.path()), [""; 0], "while the service runs");
    for path in ["", "/segments", "/events", "/export", "/consent"] {
        let answer = service.get(&format!("/v1/customers/{CANARY}{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.text());
    }
    for path in
        ["/v1/segmentations/needs/segments", "/v1/segmentations/needs/members?limit=1000", "/v1/merges", "/v1/jobs"]
    {
        assert!(!service.get(path).await.text().contains(CANARY), "{path}");
    }
    // The others go on as they were, after a restart too.
    let Service { app, dir, workspace } = service;
    app.close(Duration::from_secs(10)).await;
    let service = Service { app: open(dir.path(), Limits::default(), true).await, dir, workspace };
    assert_eq!(found_in(service.dir.path()), [""; 0], "after a restart");
    assert_eq!(service.get("/v1/customers/c0001/segments").await.json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(service.get("/v1/workspace").await.json()["customers"], 71);
}

#[tokio::test]
async fn the_erased_do_not_come_back_by_a_late_batch() {
    let service = Service::new().await;
    let call = |id: &str| json!({"batch": [{"type": "track", "userId": "ann", "event": "seen", "messageId": id}]});
    service.post("/v1/batch", call("m1")).await;
    let accepted = service.call(Method::DELETE, "/v1/customers/ann", None).await;
    service.finished(&accepted).await;
    let late = service.post("/v1/batch", call("m2")).await.json();
    assert_eq!((&late["accepted"], &late["suppressed"], &late["success"]), (&json!(0), &json!(1), &json!(true)));
    assert_eq!(service.get("/v1/customers/ann").await.status, StatusCode::NOT_FOUND);
    let again = service.call(Method::DELETE, "/v1/customers/ann", None).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    for lifted in [true, false] {
        let answer = service.call(Method::DELETE, "/v1/suppressions/ann", None).await.json();
        assert_eq!(answer, json!({"customer_id": "ann", "lifted": lifted}));
    }
    assert_eq!(service.post("/v1/batch", call("m3")).await.json()["accepted"], 1);
}

#[tokio::test]
async fn an_export_holds_everything_that_was_told() {
    let service = Service::new().await;
    leave_traces(&service).await;
    let export = service.get(&format!("/v1/customers/old-{CANARY}/export")).await;
    assert!(export.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let export = export.json();
    assert_eq!(export["customer"]["customer_id"], CANARY);
    assert_eq!(export["customer"]["traits"]["colour"], CANARY);
    let lengths =
        ["events", "reviews", "orders", "refunds", "segments"].map(|part| export[part].as_array().unwrap().len());
    assert_eq!(lengths, [4, 5, 1, 1, 1]);
    assert_eq!(export["consent"]["purposes"]["marketing"]["source"], CANARY);
    assert_eq!(service.get("/v1/customers/nobody/export").await.code(), "not_found");
}

#[tokio::test]
async fn personal_data_is_treated_before_it_is_kept() {
    let service = Service::new().await;
    let calls = json!({"batch": [
        {"type": "identify", "userId": "ann", "traits": {"email": "ann@example.com", "plan": "pro", "note": "call 13800138000"}},
        {"type": "track", "userId": "ann", "event": "Form Sent", "messageId": "m1", "properties": {"q": "write to ann@example.com"}},
        {"type": "track", "userId": "ann", "event": "Product Reviewed", "messageId": "m2",
            "properties": {"review_id": "r2", "review_body": "好用，电话13800138000", "rating": 5}},
    ]});
    assert_eq!(service.post("/v1/batch", calls).await.json()["accepted"], 3);
    let ask = json!({"review_id": "r1", "customer_id": "ann", "text": "Reach me at ann@example.com, it broke."});
    service.post("/v1/reviews", ask.clone()).await;
    let export = service.get("/v1/customers/ann/export").await.json();
    let traits = &export["customer"]["traits"];
    assert_eq!((&traits["plan"], &traits["note"]), (&json!("pro"), &json!("call [phone]")));
    assert!(traits["email"].as_str().unwrap().starts_with("[email:"), "equal addresses stay joinable: {traits}");
    assert_eq!(
        export["events"][1]["properties"]["q"].as_str().or(export["events"][0]["properties"]["q"].as_str()),
        Some("write to [email]")
    );
    let texts: Vec<_> =
        export["reviews"].as_array().unwrap().iter().map(|review| review["text"].as_str().unwrap()).collect();
    assert!(texts.contains(&"Reach me at [email], it broke.") && texts.contains(&"好用，电话[phone]"), "{texts:?}");
    for secret in ["ann@example.com", "13800138000"] {
        assert_eq!(files_with(secret, service.dir.path()), [""; 0]);
    }
    assert_eq!(service.post("/v1/reviews", ask).await.status, StatusCode::OK, "sent again, it is the same review");
}

#[tokio::test]
async fn a_workspace_says_what_is_done_with_personal_data() {
    let service = Service::new().await;
    assert_eq!(service.get("/v1/redaction").await.json()["email"], "mask");
    let policy = service.call(Method::PUT, "/v1/redaction", Some(json!({"email": "keep", "phone": "drop"}))).await;
    assert_eq!(policy.status, StatusCode::OK, "{}", policy.text());
    let ask = json!({"review_id": "r", "customer_id": "ann", "text": "ann@example.com or 13800138000 please"});
    service.post("/v1/reviews", ask).await;
    assert_eq!(service.get("/v1/customers/ann").await.json()["reviews"][0]["text"], "ann@example.com or please");
    for (body, pointer) in [
        (json!({"email": "burn"}), "/email"),
        (json!({"colour": "mask"}), "/colour"),
        (json!({"traits": {"email": 5}}), "/traits/email"),
        (json!({"min_certainty": {"name": 2}}), "/min_certainty/name"),
    ] {
        let answer = service.call(Method::PUT, "/v1/redaction", Some(body.clone())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text());
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    assert_eq!(service.get("/v1/redaction").await.json()["phone"], "drop", "a wrong policy changes nothing");
}
