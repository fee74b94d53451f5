//! The table of bad inputs over HTTP: each a named error, nothing lost, and the service goes on.

use crate::support::{Service, review};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use clientele::api::{Limits, LocalOperator};
use serde_json::{Value, json};

/// What is wrong, method, path, body, status, code.
type Row = (&'static str, &'static str, &'static str, &'static [u8], u16, &'static str);

const TABLE: &[Row] = &[
    ("an empty body", "POST", "/v1/reviews", b"", 400, "bad_json"),
    ("half a JSON", "POST", "/v1/reviews", b"{\"customer_id\": \"a\"", 400, "bad_json"),
    ("bad UTF-8", "POST", "/v1/reviews", b"{\"customer_id\": \"\xff\"}", 400, "bad_utf8"),
    ("a list where an object belongs", "POST", "/v1/reviews", b"[]", 422, "invalid_field"),
    (
        "an unknown field",
        "POST",
        "/v1/reviews",
        b"{\"customer_id\":\"a\",\"text\":\"b\",\"stars\":5}",
        422,
        "unknown_field",
    ),
    ("no text", "POST", "/v1/reviews", b"{\"customer_id\":\"a\"}", 422, "invalid_field"),
    ("a blank text", "POST", "/v1/reviews", b"{\"customer_id\":\"a\",\"text\":\"  \"}", 422, "invalid_field"),
    ("an empty customer", "POST", "/v1/reviews", b"{\"customer_id\":\"\",\"text\":\"b\"}", 422, "invalid_field"),
    (
        "a rating that is no number",
        "POST",
        "/v1/reviews",
        b"{\"customer_id\":\"a\",\"text\":\"b\",\"rating\":\"x\"}",
        422,
        "invalid_field",
    ),
    (
        "a time that is none",
        "POST",
        "/v1/reviews",
        b"{\"customer_id\":\"a\",\"text\":\"b\",\"time\":\"soon\"}",
        422,
        "invalid_field",
    ),
    ("an empty batch", "POST", "/v1/reviews:batch", b"{\"reviews\":[]}", 422, "invalid_field"),
    ("an unknown field in a batch", "POST", "/v1/reviews:batch", b"{\"reviews\":[],\"x\":1}", 422, "unknown_field"),
    ("a customer nobody knows", "GET", "/v1/customers/nobody", b"", 404, "not_found"),
    ("a customer nobody knows, looked up", "GET", "/v1/customers/nobody/segments", b"", 404, "not_found"),
    ("a control character in an id", "GET", "/v1/customers/a%00b", b"", 422, "invalid_field"),
    ("a path that is not UTF-8", "GET", "/v1/customers/%ff", b"", 400, "bad_request"),
    ("a cursor from nowhere", "GET", "/v1/customers?cursor=abc", b"", 400, "bad_cursor"),
    ("a limit too high", "GET", "/v1/customers?limit=5000", b"", 422, "invalid_field"),
    ("a limit that is no number", "GET", "/v1/customers?limit=many", b"", 422, "invalid_field"),
    ("an unknown query parameter", "GET", "/v1/customers?colour=red", b"", 422, "invalid_field"),
    ("a segmentation nobody made", "GET", "/v1/segmentations/none", b"", 404, "not_found"),
    ("its segments", "GET", "/v1/segmentations/none/segments", b"", 404, "not_found"),
    ("a name that is none", "PUT", "/v1/segmentations/Big%20Name", b"{}", 422, "invalid_field"),
    ("k too small", "PUT", "/v1/segmentations/x", b"{\"k\":1}", 422, "invalid_field"),
    ("k that is a word", "PUT", "/v1/segmentations/x", b"{\"k\":\"some\"}", 422, "invalid_field"),
    ("k that is a fraction", "PUT", "/v1/segmentations/x", b"{\"k\":2.5}", 422, "invalid_field"),
    ("blocks that are a word", "PUT", "/v1/segmentations/x", b"{\"blocks\":\"some\"}", 422, "invalid_field"),
    ("blocks that are a number", "PUT", "/v1/segmentations/x", b"{\"blocks\":1}", 422, "invalid_field"),
    ("a block nobody knows", "PUT", "/v1/segmentations/x", b"{\"blocks\":{\"words\":1}}", 422, "invalid_field"),
    ("a negative weight", "PUT", "/v1/segmentations/x", b"{\"blocks\":{\"text\":-1}}", 422, "invalid_field"),
    ("a weight too large", "PUT", "/v1/segmentations/x", b"{\"blocks\":{\"text\":1e9}}", 422, "invalid_field"),
    ("weights that are all zero", "PUT", "/v1/segmentations/x", b"{\"blocks\":{\"text\":0}}", 422, "invalid_field"),
    ("a weight that is a word", "PUT", "/v1/segmentations/x", b"{\"blocks\":{\"text\":\"1\"}}", 422, "invalid_field"),
    (
        "a feature nobody knows",
        "PUT",
        "/v1/segmentations/x",
        b"{\"features\":{\"only\":[\"luck\"]}}",
        422,
        "invalid_field",
    ),
    ("an empty trait", "PUT", "/v1/segmentations/x", b"{\"traits\":{\"without\":[\"\"]}}", 422, "invalid_field"),
    ("a list of another name", "PUT", "/v1/segmentations/x", b"{\"traits\":{\"except\":[]}}", 422, "unknown_field"),
    ("a moment that is none", "PUT", "/v1/segmentations/x", b"{\"as_of\":\"soon\"}", 422, "invalid_field"),
    ("an algorithm nobody has", "PUT", "/v1/segmentations/x", b"{\"algorithm\":\"magic\"}", 422, "invalid_field"),
    ("a negative seed", "PUT", "/v1/segmentations/x", b"{\"seed\":-1}", 422, "invalid_field"),
    ("an unknown setting", "PUT", "/v1/segmentations/x", b"{\"clusters\":4}", 422, "unknown_field"),
    ("a job's id that is none", "GET", "/v1/jobs/7", b"", 422, "invalid_field"),
    ("a job nobody asked for", "GET", "/v1/jobs/01890000-0000-7000-8000-000000000000", b"", 404, "not_found"),
    (
        "a job to cancel that nobody asked for",
        "DELETE",
        "/v1/jobs/01890000-0000-7000-8000-000000000000",
        b"",
        404,
        "not_found",
    ),
    ("scopes that are none", "POST", "/v1/keys", b"{\"label\":\"a\",\"scopes\":[\"root\"]}", 422, "invalid_field"),
    ("no scopes", "POST", "/v1/keys", b"{\"label\":\"a\",\"scopes\":[]}", 422, "invalid_field"),
    ("a blank label", "POST", "/v1/keys", b"{\"label\":\" \",\"scopes\":[\"read\"]}", 422, "invalid_field"),
    ("an import of nothing known", "POST", "/v1/imports?kind=poems&format=csv", b"a\n", 422, "invalid_field"),
    ("an import without its columns", "POST", "/v1/imports?kind=reviews&format=csv", b"a\n", 422, "invalid_field"),
    ("an import in an unknown format", "POST", "/v1/imports?kind=events&format=xml", b"a\n", 422, "invalid_field"),
    ("a route that is not there", "GET", "/v1/nothing", b"", 404, "not_found"),
    ("a method that is not taken", "DELETE", "/v1/workspace", b"", 405, "method_not_allowed"),
    ("no ids to look up", "POST", "/v1/customers/segments:batch", b"{\"customer_ids\":[]}", 422, "invalid_field"),
];

#[tokio::test]
async fn every_bad_input_gets_its_own_answer_and_nothing_is_lost() {
    let service = Service::new().await;
    service.with_customers(9).await;
    for (what, method, path, body, status, code) in TABLE {
        let answer = service.raw(method.parse().unwrap(), path, body.to_vec()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (*status, *code), "{what}: {}", answer.text());
        let problem = answer.json();
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{what}: {problem}");
        assert_eq!(problem["request_id"].as_str(), Some(answer.headers["request-id"].to_str().unwrap()), "{what}");
    }
    let counts = service.get("/v1/workspace").await.json();
    assert_eq!((counts["customers"].as_u64(), counts["reviews"].as_u64()), (Some(9), Some(9)));
}

#[tokio::test]
async fn a_batch_keeps_what_is_right_and_points_at_what_is_wrong() {
    let service = Service::new().await;
    let reviews = json!({ "reviews": [review(1), { "customer_id": "c", "text": "", "mood": 1 }, review(2), 7] });
    let taken = service.post("/v1/reviews:batch", reviews).await.json();
    assert_eq!(taken["accepted"], 2);
    let rejected = taken["rejected"].as_array().unwrap();
    assert_eq!(rejected.iter().map(|r| r["index"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 3]);
    let codes: Vec<_> = rejected[0]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["pointer"].as_str().unwrap(), e["code"].as_str().unwrap()))
        .collect();
    assert!(codes.contains(&("/text", "missing_field")) && codes.contains(&("/mood", "unknown_field")), "{codes:?}");
    assert_eq!(service.get("/v1/workspace").await.json()["reviews"], 2);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_it_says_its_length_or_not() {
    let service = Service::with_limits(Limits { json_bytes: 1_000, upload_bytes: 1_000, batch_items: 10 }).await;
    let big = vec![b' '; 2_000];
    for path in ["/v1/reviews", "/v1/imports?kind=events&format=ndjson"] {
        let told = service.raw(Method::POST, path, big.clone()).await;
        assert_eq!((told.status, told.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"), "{path}");
        let chunks = futures_util::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 100])));
        let untold = service.raw(Method::POST, path, Body::from_stream(chunks)).await;
        assert_eq!(
            (untold.status, untold.code().as_str()),
            (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            "{path}"
        );
    }
    assert_eq!(std::fs::read_dir(service.dir.path().join("uploads")).unwrap().count(), 0, "no upload is left behind");
    let reviews: Vec<Value> = (0..11).map(review).collect();
    let many = service.post("/v1/reviews:batch", json!({ "reviews": reviews[..2] })).await;
    assert_eq!(many.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_is_not_json_by_its_own_word_is_refused() {
    let service = Service::new().await;
    let request = Request::post("/v1/reviews").header(header::CONTENT_TYPE, "text/csv");
    let request = request.extension(LocalOperator(service.workspace.clone())).body(Body::from("a,b")).unwrap();
    let answer = service.send(request).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"));
}

#[tokio::test]
async fn a_cursor_from_another_list_is_refused() {
    let service = Service::new().await;
    service.with_customers(30).await;
    service.fit("needs", json!({ "k": 3 })).await;
    let page = service.get("/v1/customers?limit=5").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    for path in ["/v1/segmentations/needs/members", "/v1/segmentations/needs/members?segment=s1", "/v1/jobs"] {
        let joint = if path.contains('?') { '&' } else { '?' };
        let answer = service.get(&format!("{path}{joint}cursor={cursor}")).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "bad_cursor"), "{path}");
    }
}

#[tokio::test]
async fn fits_that_cannot_be_say_why_and_publish_nothing() {
    let service = Service::new().await;
    service.with_customers(2).await;
    let two = service.fit("needs", json!({})).await;
    assert_eq!(
        (two["state"].as_str(), two["error"]["code"].as_str()),
        (Some("failed"), Some("too_few_customers")),
        "{two}"
    );
    service.with_customers(20).await;
    let many = service.fit("needs", json!({ "k": 40 })).await;
    assert_eq!(many["error"]["code"], "too_few_customers", "{many}");
    assert!(many["error"]["detail"].as_str().unwrap().contains("20 customers"), "{many}");
    let unknown = service.fit("needs", json!({ "model": "no-such-model" })).await;
    assert_eq!(unknown["error"]["code"], "unknown_model", "{unknown}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), "{\"model_type\":\"bert\"}").unwrap();
    let lacking = service.fit("needs", json!({ "model": folder.path() })).await;
    assert_eq!(lacking["error"]["code"], "bad_model", "{lacking}");
    let answer = service.get("/v1/segmentations/needs/segments").await;
    assert!([404, 409].contains(&answer.status.as_u16()), "{}", answer.text());
}
