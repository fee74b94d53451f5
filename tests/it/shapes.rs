//! The shapes of answers as snapshots: a change of a field's name or kind is seen in review. Values that differ from run to run
//! are redacted to their kind.

use crate::support::Service;
use axum::http::Method;
use serde_json::{Map, Value, json};

/// A value's shape: every leaf becomes the name of its kind, a list its first entry.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let shaped: Map<_, _> = map.iter().map(|(key, value)| (key.clone(), shape(value))).collect();
            Value::Object(shaped)
        }
        Value::Array(list) => Value::Array(list.first().map(shape).into_iter().collect()),
        Value::String(_) => "string".into(),
        Value::Number(n) if n.is_f64() => "float".into(),
        Value::Number(_) => "integer".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Null => Value::Null,
    }
}

#[tokio::test]
async fn answers_keep_their_shapes() {
    let service = Service::new().await;
    service.with_customers(40).await;
    service.fit("needs", json!({})).await;
    let calls: Vec<(Method, &str, Option<Value>)> = vec![
        (Method::GET, "/v1/workspace", None),
        (Method::GET, "/v1/customers?limit=1", None),
        (Method::GET, "/v1/customers/c0001", None),
        (Method::GET, "/v1/customers/c0001/segments", None),
        (Method::POST, "/v1/customers/segments:batch", Some(json!({ "customer_ids": ["c0001", "x"] }))),
        (Method::GET, "/v1/segmentations", None),
        (Method::GET, "/v1/segmentations/needs", None),
        (Method::GET, "/v1/segmentations/needs/segments", None),
        (Method::GET, "/v1/segmentations/needs/segments/s1", None),
        (Method::GET, "/v1/segmentations/needs/versions", None),
        (Method::GET, "/v1/segmentations/needs/versions/1", None),
        (Method::GET, "/v1/segmentations/needs/members?limit=1", None),
        (Method::POST, "/v1/segmentations/needs/assign", Some(json!({ "texts": ["coffee", "boots"] }))),
        (Method::GET, "/v1/jobs", None),
        (Method::GET, "/v1/models/loaded", None),
        (Method::GET, "/v1/models", None),
        (Method::GET, "/v1/models/all-MiniLM-L6-v2", None),
        (Method::POST, "/v1/embeddings", Some(json!({ "model": "all-MiniLM-L6-v2", "input": "coffee" }))),
        (Method::POST, "/v1/embeddings", Some(json!({ "model": "all-MiniLM-L6-v2", "input": [""] }))),
        (Method::POST, "/embed", Some(json!({ "inputs": "coffee" }))),
        (Method::POST, "/embed", Some(json!({ "inputs": 1 }))),
        (Method::POST, "/embed_all", Some(json!({ "inputs": "coffee" }))),
        (Method::POST, "/tokenize", Some(json!({ "inputs": "coffee" }))),
        (Method::GET, "/info", None),
        (Method::POST, "/v1/keys", Some(json!({ "label": "a", "scopes": ["read"] }))),
        (Method::GET, "/v1/keys", None),
        (Method::POST, "/v1/reviews", Some(json!({ "customer_id": "a" }))),
        (Method::GET, "/health/ready", None),
    ];
    let mut shapes = Map::new();
    for (method, path, body) in calls {
        let answer = service.call(method.clone(), path, body).await;
        shapes.insert(format!("{method} {path} → {}", answer.status.as_u16()), shape(&answer.json()));
    }
    insta::assert_json_snapshot!(shapes);
}
