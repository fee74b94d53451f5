//! What the embedding routes do with calls that are wrong, not allowed, or nonsense: an answer in the client's own dialect, never
//! a fault of the service.

use super::embed;
use crate::support::{Answer, MODEL, Service, WordModel};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use clientele::embed::{EmbedError, Embedder, ModelInfo, Output, TokenIds};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is wrong, path, body, status, code, what the message says.
type Row = (&'static str, &'static str, &'static str, u16, &'static str, &'static str);

const TABLE: &[Row] = &[
    ("no body", "/v1/embeddings", "", 400, "bad_json", "empty"),
    ("half a body", "/v1/embeddings", "{\"model\":", 400, "bad_json", "JSON"),
    ("a list", "/v1/embeddings", "[]", 400, "invalid_field", "model"),
    ("no input", "/v1/embeddings", r#"{"model":"M"}"#, 400, "invalid_field", "input"),
    ("no model", "/v1/embeddings", r#"{"input":"a"}"#, 400, "invalid_field", "model"),
    ("a model of the wrong type", "/v1/embeddings", r#"{"model":1,"input":"a"}"#, 400, "invalid_field", "string"),
    ("an unknown model", "/v1/embeddings", r#"{"model":"gpt","input":"a"}"#, 404, "unknown_model", "/v1/models"),
    ("a folder as model", "/v1/embeddings", r#"{"model":"/etc","input":"a"}"#, 404, "unknown_model", "/etc"),
    ("an empty text", "/v1/embeddings", r#"{"model":"M","input":""}"#, 400, "invalid_field", "/input is an empty text"),
    (
        "an empty text in a list",
        "/v1/embeddings",
        r#"{"model":"M","input":["a",""]}"#,
        400,
        "invalid_field",
        "/input/1",
    ),
    ("an empty list", "/v1/embeddings", r#"{"model":"M","input":[]}"#, 400, "invalid_field", "empty list"),
    ("no ids", "/v1/embeddings", r#"{"model":"M","input":[[]]}"#, 400, "invalid_field", "/input/0"),
    (
        "an id too high",
        "/v1/embeddings",
        r#"{"model":"M","input":[[1],[2,960001]]}"#,
        400,
        "invalid_field",
        "/input/1/1",
    ),
    (
        "an id alone too high",
        "/v1/embeddings",
        r#"{"model":"M","input":[2,960001]}"#,
        400,
        "invalid_field",
        "/input/1 is",
    ),
    ("an id that is none", "/v1/embeddings", r#"{"model":"M","input":[1,-1]}"#, 400, "invalid_field", "/input/1"),
    (
        "an unknown encoding",
        "/v1/embeddings",
        r#"{"model":"M","input":"a","encoding_format":"hex"}"#,
        400,
        "invalid_field",
        "base64",
    ),
    (
        "a shorter vector",
        "/v1/embeddings",
        r#"{"model":"M","input":"a","dimensions":8}"#,
        400,
        "invalid_field",
        "48 dimensions, not 8",
    ),
    (
        "a vector of nothing",
        "/v1/embeddings",
        r#"{"model":"M","input":"a","dimensions":0}"#,
        400,
        "invalid_field",
        "not 0",
    ),
    (
        "dimensions below zero",
        "/v1/embeddings",
        r#"{"model":"M","input":"a","dimensions":-1}"#,
        400,
        "invalid_field",
        "usize",
    ),
    ("a user that is none", "/v1/embeddings", r#"{"model":"M","input":"a","user":1}"#, 400, "invalid_field", "string"),
    (
        "an unknown prompt",
        "/v1/embeddings",
        r#"{"model":"M","input":"a","prompt_name":"q"}"#,
        400,
        "invalid_field",
        "it has shout",
    ),
    (
        "a prompt before ids",
        "/v1/embeddings",
        r#"{"model":"M","input":[1],"prompt_name":"shout"}"#,
        400,
        "invalid_field",
        "before texts",
    ),
    ("no inputs", "/embed", "{}", 422, "invalid_field", "inputs"),
    ("inputs of the wrong type", "/embed", r#"{"inputs":{}}"#, 422, "invalid_field", "/inputs"),
    ("an empty text", "/embed", r#"{"inputs":["a",""]}"#, 422, "invalid_field", "/inputs/1"),
    ("a direction that is none", "/embed", r#"{"inputs":"a","truncation_direction":"up"}"#, 422, "invalid_field", "up"),
    ("an unknown prompt", "/embed", r#"{"inputs":"a","prompt_name":"q"}"#, 422, "invalid_field", "it has shout"),
    ("a shorter vector", "/embed", r#"{"inputs":"a","dimensions":8}"#, 422, "invalid_field", "48"),
    ("an unknown model", "/embed?model=gpt", r#"{"inputs":"a"}"#, 424, "unknown_model", "gpt"),
    ("a model that is not here", "/embed?model=multilingual-e5-small", r#"{"inputs":"a"}"#, 424, "bad_model", "pull"),
    ("half a body", "/embed_all", "{", 400, "bad_json", "JSON"),
    ("too many texts", "/embed_all", "MANY", 413, "batch_too_large", "takes 32"),
    ("ids to tokenise", "/tokenize", r#"{"inputs":[1]}"#, 422, "invalid_field", "/inputs is not a text"),
    ("too much to tokenise", "/tokenize", "LONG", 413, "batch_too_large", "bytes"),
];

/// Both dialects' members say what the problem says.
fn assert_speaks_the_clients_dialect(answer: &Answer, path: &str, what: &str) {
    let body = answer.json();
    let detail = body["detail"].as_str().unwrap();
    assert_eq!(body["status"], answer.status.as_u16(), "{what}");
    if path.starts_with("/v1/") {
        assert_eq!(body["error"]["message"], detail, "{what}");
        assert!(body["error"]["type"].is_string() && body["error"]["code"].is_string(), "{what}: {body}");
    } else {
        assert_eq!(body["error"], detail, "{what}");
        assert!(body["error_type"].is_string(), "{what}: {body}");
    }
    assert_eq!(answer.headers["x-request-id"], answer.headers["request-id"], "{what}");
}

#[tokio::test]
async fn every_bad_call_is_refused_in_the_clients_own_words() {
    let service = Service::new().await;
    for (what, path, body, status, code, says) in TABLE {
        let body = match *body {
            "MANY" => json!({ "inputs": vec!["a"; 33] }).to_string(),
            "LONG" => json!({ "inputs": vec!["a ".repeat(100_000); 6] }).to_string(),
            body => body.replace("\"M\"", &format!("{MODEL:?}")),
        };
        let answer = service.raw(Method::POST, path, body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (*status, *code), "{what}: {}", answer.text());
        assert!(answer.json()["detail"].as_str().unwrap().contains(says), "{what}: {}", answer.text());
        assert_speaks_the_clients_dialect(&answer, path, what);
    }
    for (method, path, status) in
        [("DELETE", "/v1/embeddings", 405), ("GET", "/embed", 405), ("GET", "/v1/models/x", 404)]
    {
        let answer = service.raw(method.parse().unwrap(), path, "").await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert_speaks_the_clients_dialect(&answer, path, path);
    }
}

#[tokio::test]
async fn a_key_that_may_read_is_enough_and_others_are_turned_away_before_the_body_is_read() {
    let service = Service::new().await;
    let secret = |scope: &str| json!({ "label": scope, "scopes": [scope] });
    let reader = service.post("/v1/keys", secret("read")).await.json()["secret"].as_str().unwrap().to_owned();
    let writer = service.post("/v1/keys", secret("write")).await.json()["secret"].as_str().unwrap().to_owned();
    for (path, body) in [
        ("/v1/embeddings", json!({ "model": MODEL, "input": "a" })),
        ("/embed", json!({ "inputs": "a" })),
        ("/embed_all", json!({ "inputs": "a" })),
        ("/tokenize", json!({ "inputs": "a" })),
    ] {
        let with = |key: &str| Request::post(path).header(header::AUTHORIZATION, format!("Bearer {key}"));
        let allowed = service.send(with(&reader).body(Body::from(body.to_string())).unwrap()).await;
        assert_eq!(allowed.status, 200, "{path}: {}", allowed.text());
        for (key, status, code) in [(writer.as_str(), 403, "forbidden"), ("ck_wrong", 401, "unauthenticated")] {
            let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1024]));
            let answer = service.send(with(key).body(Body::from_stream(endless)).unwrap()).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{path}");
            assert_speaks_the_clients_dialect(&answer, path, path);
        }
    }
}

/// The word model, but for a forward pass that fails or panics.
struct Broken {
    words: WordModel,
    panics: bool,
}

impl Embedder for Broken {
    fn info(&self) -> &ModelInfo {
        self.words.info()
    }

    fn tokenize(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<TokenIds>, EmbedError> {
        self.words.tokenize(texts, prefix)
    }

    fn forward(&self, _: &[&TokenIds], _: Output) -> Result<Vec<f32>, EmbedError> {
        assert!(!self.panics, "on purpose");
        Err(EmbedError::Forward("on purpose".into()))
    }
}

#[tokio::test]
async fn a_model_that_fails_is_told_as_such_and_its_cause_is_not() {
    let service = Service::new().await;
    for panics in [false, true] {
        let broken = Broken { words: WordModel::new(), panics };
        service.app.state.models.insert("broken", Arc::new(broken)).await.unwrap();
        for (path, ask, status, kind) in [
            ("/v1/embeddings", json!({ "model": "broken", "input": "a" }), 500, "server_error"),
            ("/embed?model=broken", json!({ "inputs": "a" }), 424, "Backend"),
            ("/embed_all?model=broken", json!({ "inputs": "a" }), 424, "Backend"),
        ] {
            let answer = service.post(path, ask).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, "model_failed"), "{path}");
            assert_speaks_the_clients_dialect(&answer, path, path);
            let body = answer.json();
            let said = if path.starts_with("/v1/") { &body["error"]["type"] } else { &body["error_type"] };
            assert_eq!(said, kind, "{path}");
            assert!(!answer.text().contains("on purpose"), "{path}");
        }
    }
}

/// Any JSON, not deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0u64..970_000).prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        prop::sample::select(vec![MODEL, "shout", "float", "base64", "left", "multilingual-e5-small"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// An object whose members these routes know, each with a likely value or with anything.
fn likely_ask() -> impl Strategy<Value = Value> {
    let input = prop_oneof![
        ".{0,60}".prop_map(Value::from),
        prop::collection::vec(".{0,60}", 0..40).prop_map(Value::from),
        prop::collection::vec(0u32..960_001, 0..60).prop_map(Value::from),
        prop::collection::vec(prop::collection::vec(0u32..960_001, 0..60), 0..4).prop_map(Value::from),
        any_json(),
    ];
    let flag = prop_oneof![any::<bool>().prop_map(Value::from), any_json()];
    let names = vec![
        "truncate",
        "normalize",
        "add_special_tokens",
        "prompt_name",
        "dimensions",
        "encoding_format",
        "truncation_direction",
        "user",
        "parameters",
    ];
    let members = prop::collection::btree_map(prop::sample::select(names), flag, 0..4);
    (input, members, prop_oneof![4 => Just(json!(MODEL)), 1 => any_json()]).prop_map(|(input, members, model)| {
        let mut ask = json!({ "input": input.clone(), "inputs": input, "model": model });
        for (name, value) in members {
            ask[name] = value;
        }
        ask
    })
}

const ROUTES: [&str; 4] = ["/v1/embeddings", "/embed", "/embed_all", "/tokenize"];

/// An answer there is, it is JSON, and it is never the service's fault.
async fn answers_well(service: &Service, path: &str, body: Vec<u8>) -> Result<StatusCode, TestCaseError> {
    let shown = String::from_utf8_lossy(&body).into_owned();
    let answer = service.raw(Method::POST, path, body).await;
    let parsed: Result<Value, _> = serde_json::from_slice(&answer.bytes);
    prop_assert!(parsed.is_ok(), "{path} {shown}: {}", String::from_utf8_lossy(&answer.bytes));
    prop_assert!(!answer.status.is_server_error(), "{path} {shown}: {}", answer.text());
    if !answer.status.is_success() {
        assert_speaks_the_clients_dialect(&answer, path, &shown);
    }
    Ok(answer.status)
}

#[test]
fn whatever_json_a_client_sends_it_gets_a_well_formed_answer() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(Service::new());
    let statuses = RefCell::new(BTreeMap::<u16, usize>::new());
    // Nothing is kept of a failure: it is printed, shrunk.
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let body = prop_oneof![
        6 => likely_ask().prop_map(|ask| ask.to_string().into_bytes()),
        2 => any_json().prop_map(|ask| ask.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..80),
    ];
    let run = runner.run(&(prop::sample::select(ROUTES.to_vec()), body), |(path, body)| {
        let status = runtime.block_on(answers_well(&service, path, body))?;
        *statuses.borrow_mut().entry(status.as_u16()).or_default() += 1;
        Ok(())
    });
    run.unwrap();
    println!("answers by status: {:?}", statuses.borrow());
    assert!(
        [200, 400, 422].iter().all(|status| statuses.borrow().contains_key(status)),
        "calls of every kind were made"
    );
    // It works as before.
    assert_eq!(runtime.block_on(embed(&service, "/embed", json!({ "inputs": "coffee" }))).len(), 1);
}

#[tokio::test]
async fn deep_and_odd_bodies_do_no_harm() {
    let service = Service::new().await;
    let deep = format!("{{\"model\":{MODEL:?},\"inputs\":1,\"input\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies = [
        deep,
        "[".repeat(1_000_000),
        json!({ "input": vec!["a"; 100_000], "inputs": vec!["a"; 100_000], "model": MODEL }).to_string(),
        json!({ "input": "x".repeat(3_000_000), "inputs": "x".repeat(3_000_000), "model": MODEL }).to_string(),
        json!({ "input": [0.1, 1e300], "inputs": [0.1, 1e300], "model": MODEL }).to_string(),
        json!({ "input": "\u{0}\u{feff}\u{202e}", "inputs": "\u{0}", "model": MODEL }).to_string(),
        json!({ "input": "a", "inputs": "a", "model": "m".repeat(100_000) }).to_string(),
        format!("{{\"model\":{MODEL:?},\"input\":\"a\",\"inputs\":\"a\",\"dimensions\":1e999}}"),
    ];
    for body in bodies {
        for path in ROUTES {
            answers_well(&service, path, body.clone().into_bytes()).await.unwrap();
        }
    }
}
