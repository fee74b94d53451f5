//! Consent over the real router: what is withdrawn is not used from that moment, here and in other processes.

use crate::support::{Schema, Service};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

impl Service {
    async fn consents(&self, customer: &str, purposes: Value) -> Value {
        let ask = json!({ "purposes": purposes });
        let answer = self.call(Method::PUT, &format!("/v1/customers/{customer}/consent"), Some(ask)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()
    }

    async fn segments_of(&self, customer: &str) -> Value {
        self.get(&format!("/v1/customers/{customer}/segments")).await.json()
    }

    async fn members(&self, format: &str) -> String {
        self.get(&format!("/v1/segmentations/needs/members?limit=1000&format={format}")).await.text()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_withdraws_profiling_is_in_no_segment_from_that_moment() {
    let service = Service::new().await;
    service.with_customers(40).await;
    service.fit("needs", json!({ "k": 3 })).await;
    assert_eq!(service.segments_of("c0001").await["data"].as_array().unwrap().len(), 1);
    service.consents("c0001", json!({"profiling": "withdrawn"})).await;
    let found = service.segments_of("c0001").await;
    assert_eq!(found, json!({"customer_id": "c0001", "data": [], "reason": "profiling consent withdrawn"}));
    let batch = json!({"customer_ids": ["c0001", "c0002"]});
    let batch = service.post("/v1/customers/segments:batch", batch).await.json();
    assert_eq!((&batch["data"][0], &batch["not_found"]), (&found, &json!([])));
    for format in ["json", "csv", "ndjson"] {
        let members = service.members(format).await;
        assert!(!members.contains("c0001") && members.contains("c0002"), "{format}");
    }
    let export = service.get("/v1/customers/c0001/export").await.json();
    assert_eq!(export["segments"].as_array().unwrap().len(), 1, "what is kept of their places they get: {export}");
    // Nor is anything quoted of who withdrew.
    let segments = service.get("/v1/segmentations/needs/segments").await.json();
    let quoted = segments["data"][0]["typical_reviews"][0]["customer_id"].as_str().unwrap().to_owned();
    service.consents(&quoted, json!({"profiling": "withdrawn"})).await;
    assert!(!service.get("/v1/segmentations/needs/segments").await.text().contains(&quoted));
    service.consents(&quoted, json!({"profiling": "granted"})).await;
    // The next version is made without them; what is kept of them they still get.
    let job = service.fit("needs", json!({ "k": 3 })).await;
    assert_eq!(job["result"]["n_customers"], 39, "{job}");
    let export = service.get("/v1/customers/c0001/export").await.json();
    assert!(!export["reviews"].as_array().unwrap().is_empty());
    assert_eq!(export["consent"]["purposes"]["profiling"]["state"], "withdrawn");
    assert_eq!(export["consent"]["log"][0]["source"], "api");
    service.consents("c0001", json!({"profiling": "granted"})).await;
    assert_eq!(
        service.segments_of("c0001").await,
        json!({"customer_id": "c0001", "data": []}),
        "not before the next fit"
    );
    let job = service.fit("needs", json!({ "k": 3 })).await;
    assert_eq!(job["result"]["n_customers"], 40, "{job}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_withdraws_marketing_is_in_no_audience_and_still_in_a_segment() {
    let service = Service::new().await;
    service.with_customers(40).await;
    service.fit("needs", json!({ "k": 3 })).await;
    service.consents("c0001", json!({"marketing": "withdrawn"})).await;
    for format in ["json", "csv", "ndjson"] {
        assert!(!service.members(format).await.contains("c0001"), "{format}");
    }
    assert_eq!(service.segments_of("c0001").await["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn segments_calls_say_what_is_allowed_by_the_operators_categories() {
    let service = Service::new().await;
    let settings = json!({"categories": {"C0002": ["analytics"], "C0004": ["marketing", "profiling"]}});
    assert_eq!(service.call(Method::PUT, "/v1/consent", Some(settings)).await.status, StatusCode::OK);
    let context =
        |c2: bool, c4: bool| json!({"consent": {"categoryPreferences": {"C0002": c2, "c0004": c4, "C0001": true}}});
    let batch = json!({"batch": [
        {"type": "track", "userId": "ann", "event": "seen", "messageId": "m1", "timestamp": "2026-01-01T00:00:00Z",
            "context": context(true, false)},
        {"type": "track", "userId": "ann", "event": "seen", "messageId": "m2", "timestamp": "2026-01-02T00:00:00Z",
            "context": context(false, false)},
        {"type": "identify", "userId": "ann", "messageId": "m3", "timestamp": "2026-01-01T12:00:00Z", "traits": {"plan": "pro"},
            "context": context(true, true)},
        {"type": "track", "userId": "bob", "event": "seen", "messageId": "m4"},
    ], "context": {"consent": {"categoryPreferences": {"C0004": false}}}});
    let taken = service.post("/v1/batch", batch).await.json();
    assert_eq!((&taken["accepted"], &taken["declined"]), (&json!(3), &json!(1)), "{taken}");
    let ann = service.get("/v1/customers/ann/consent").await.json();
    let states = ["analytics", "marketing", "profiling"].map(|purpose| ann["purposes"][purpose]["state"].clone());
    assert_eq!(states, ["withdrawn", "withdrawn", "withdrawn"], "the latest stands: {ann}");
    assert_eq!(ann["purposes"]["analytics"]["source"], "segment");
    let bob = service.get("/v1/customers/bob/consent").await.json();
    assert_eq!(
        (&bob["purposes"]["marketing"]["state"], &bob["purposes"]["analytics"]["state"]),
        (&json!("withdrawn"), &json!("unknown"))
    );
    assert_eq!(service.get("/v1/customers/ann").await.json()["n_events"], 1);
    let wrong =
        json!({"userId": "ann", "event": "x", "context": {"consent": {"categoryPreferences": {"C0002": "yes"}}}});
    let answer = service.post("/v1/track", wrong).await;
    assert_eq!(answer.json()["errors"][0]["pointer"], "/context/consent/categoryPreferences", "{}", answer.text());
}

#[tokio::test]
async fn files_of_customers_have_columns_of_consent() {
    let service = Service::new().await;
    let path = "/v1/imports?kind=customers&format=csv&customer=id&consent_marketing=news&consent_profiling=profile";
    let rows = "id,plan,news,profile\nann,pro,yes,false\nbob,free,,granted\neve,free,perhaps,\n";
    let accepted = service.raw(Method::POST, path, rows).await;
    let result = service.finished(&accepted).await["result"].clone();
    assert_eq!((&result["accepted"], &result["rejected"]), (&json!(2), &json!(1)), "{result}");
    assert_eq!(result["errors"][0]["code"], "invalid_consent");
    let state = async |id: &str| {
        let purposes = service.get(&format!("/v1/customers/{id}/consent")).await.json()["purposes"].clone();
        ["analytics", "marketing", "profiling"].map(|purpose| purposes[purpose]["state"].as_str().unwrap().to_owned())
    };
    assert_eq!(state("ann").await, ["unknown", "granted", "withdrawn"]);
    assert_eq!(state("bob").await, ["unknown", "unknown", "granted"]);
    assert_eq!(service.get("/v1/customers/ann").await.json()["traits"], json!({"plan": "pro"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_may_take_silence_for_a_no() {
    let service = Service::new().await;
    service.with_customers(40).await;
    service.fit("needs", json!({ "k": 3 })).await;
    let settings = json!({"unknown": {"profiling": "withheld", "analytics": "withheld"}});
    let put = service.call(Method::PUT, "/v1/consent", Some(settings)).await.json();
    assert_eq!(put["unknown"], json!({"analytics": "withheld", "marketing": "granted", "profiling": "withheld"}));
    assert_eq!(service.segments_of("c0001").await["reason"], "profiling consent not given");
    assert_eq!(service.get("/v1/customers/nobody/segments").await.status, StatusCode::NOT_FOUND);
    let event = json!({"userId": "c0001", "event": "seen"});
    assert_eq!(service.post("/v1/track", event.clone()).await.json()["declined"], 1);
    service.consents("c0001", json!({"profiling": "granted", "analytics": "granted"})).await;
    assert_eq!(service.segments_of("c0001").await["data"].as_array().unwrap().len(), 1);
    assert_eq!(service.post("/v1/track", event).await.json()["accepted"], 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_consent_is_said() {
    let service = Service::new().await;
    for (body, pointer) in [
        (json!({"purposes": {}}), "/purposes"),
        (json!({"purposes": {"sales": "granted"}}), "/purposes/sales"),
        (json!({"purposes": {"marketing": "maybe"}}), "/purposes/marketing"),
        (json!({"purposes": {"marketing": "granted"}, "source": " "}), "/source"),
        (json!({"purposes": {"marketing": "granted"}, "time": "2999-01-01T00:00:00Z"}), "/time"),
    ] {
        let answer = service.call(Method::PUT, "/v1/customers/ann/consent", Some(body.clone())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text());
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    for (body, pointer) in [
        (json!({"unknown": {"marketing": "perhaps"}}), "/unknown"),
        (json!({"categories": {"Ads": ["sales"]}}), "/categories"),
        (json!({"colour": 1}), "/colour"),
    ] {
        let answer = service.call(Method::PUT, "/v1/consent", Some(body.clone())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text());
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    assert_eq!(service.get("/v1/customers/ann/consent").await.status, StatusCode::NOT_FOUND);
    service.consents("ann", json!({"marketing": "granted"})).await;
    let accepted = service.call(Method::DELETE, "/v1/customers/ann", None).await;
    service.finished(&accepted).await;
    let ask = json!({"purposes": {"marketing": "granted"}});
    let answer = service.call(Method::PUT, "/v1/customers/ann/consent", Some(ask)).await;
    assert_eq!(answer.code(), "conflict");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withdrawn_in_one_process_is_withdrawn_in_the_others() {
    let Some(schema) = Schema::make().await else {
        println!("skipped: what_is_withdrawn_in_one_process_is_withdrawn_in_the_others: there is no PostgreSQL");
        return;
    };
    let one = Service::on(&schema).await;
    let other = Service::on(&schema).await;
    other.with_customers(40).await;
    other.fit("needs", json!({ "k": 3 })).await;
    assert_eq!(other.segments_of("c0001").await["data"].as_array().unwrap().len(), 1);
    one.consents("c0001", json!({"profiling": "withdrawn"})).await;
    while other.segments_of("c0001").await["reason"] != "profiling consent withdrawn" {
        tokio::task::yield_now().await;
    }
    assert_eq!(other.segments_of("c0002").await["data"].as_array().unwrap().len(), 1);
}
