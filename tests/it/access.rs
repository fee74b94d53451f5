//! Who may do what: every key in its workspace and its scopes, nothing without a key but on loopback.

use crate::support::{Answer, Service};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use clientele::domain::{Key, KeyId, Scopes, Timestamp, WorkspaceId};
use serde_json::{Value, json};
use uuid::Uuid;

async fn key(service: &Service, workspace: &str, scopes: &str) -> String {
    let workspace = WorkspaceId::parse(workspace).unwrap();
    service.app.state.store.create_workspace(&workspace, Timestamp::now()).await.unwrap();
    let secret = clientele::api::new_secret().unwrap();
    let key = Key {
        id: KeyId(Uuid::now_v7()),
        workspace,
        label: "test".into(),
        scopes: Scopes::parse(scopes).unwrap(),
        created_at: Timestamp::now(),
        revoked_at: None,
    };
    service.app.state.store.add_key(&key, &clientele::api::secret_hash(&secret)).await.unwrap();
    secret
}

async fn with_key(service: &Service, method: Method, path: &str, secret: &str, body: Option<Value>) -> Answer {
    let mut request =
        Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {secret}"));
    let body = body.map_or_else(Body::empty, |value| {
        request.headers_mut().unwrap().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        Body::from(value.to_string())
    });
    service.send(request.body(body).unwrap()).await
}

/// Every object that a workspace can hold, behind every route that shows or changes one.
const OBJECT_ROUTES: &[(&str, &str)] = &[
    ("GET", "/v1/customers/c0001"),
    ("GET", "/v1/customers/c0001/segments"),
    ("GET", "/v1/segmentations/needs"),
    ("GET", "/v1/segmentations/needs/segments"),
    ("GET", "/v1/segmentations/needs/segments/s1"),
    ("GET", "/v1/segmentations/needs/members"),
    ("GET", "/v1/segmentations/needs/members?format=csv"),
    ("GET", "/v1/segmentations/needs/versions"),
    ("GET", "/v1/segmentations/needs/versions/1"),
    ("POST", "/v1/segmentations/needs/assign"),
    ("GET", "/v1/jobs/JOB"),
    ("DELETE", "/v1/jobs/JOB"),
    ("DELETE", "/v1/keys/KEY"),
];

#[tokio::test]
async fn nothing_of_one_workspace_is_seen_or_touched_from_another() {
    let service = Service::new().await;
    service.with_customers(30).await;
    let job = service.fit("needs", json!({ "k": 3 })).await;
    let made = service.post("/v1/keys", json!({ "label": "mine", "scopes": ["read"] })).await.json();
    let other = key(&service, "other", "read,write,manage,admin").await;
    for (method, path) in OBJECT_ROUTES {
        let path = path.replace("JOB", job["id"].as_str().unwrap()).replace("KEY", made["id"].as_str().unwrap());
        let body = path.ends_with("/assign").then(|| json!({ "text": "coffee" }));
        let own = service.call(method.parse().unwrap(), &path, body.clone()).await;
        let foreign = with_key(&service, method.parse().unwrap(), &path, &other, body).await;
        assert!(own.status.is_success(), "{method} {path}: {}", own.text());
        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{method} {path}: {}", foreign.text());
    }
    for path in ["/v1/customers", "/v1/segmentations", "/v1/jobs"] {
        let list = with_key(&service, Method::GET, path, &other, None).await.json();
        assert_eq!(list["data"], json!([]), "{path}");
    }
    let batch = json!({ "customer_ids": ["c0001"] });
    let found = with_key(&service, Method::POST, "/v1/customers/segments:batch", &other, Some(batch)).await.json();
    assert_eq!(found["data"], json!([]));
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say_and_nothing_else() {
    let service = Service::new().await;
    let calls: [(&str, Method, &str, Option<Value>); 5] = [
        ("write", Method::POST, "/v1/reviews", Some(json!({ "customer_id": "c", "text": "fine" }))),
        ("read", Method::GET, "/v1/workspace", None),
        ("manage", Method::PUT, "/v1/segmentations/needs", Some(json!({ "k": 4 }))),
        ("manage", Method::POST, "/v1/segmentations/needs/fit", Some(json!({}))),
        ("admin", Method::GET, "/v1/keys", None),
    ];
    for scope in ["write", "read", "manage", "admin"] {
        let secret = key(&service, "default", scope).await;
        for (needed, method, path, body) in &calls {
            let answer = with_key(&service, method.clone(), path, &secret, body.clone()).await;
            if *needed == scope {
                assert!(answer.status.is_success(), "{scope} {path}: {}", answer.text());
            } else {
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (StatusCode::FORBIDDEN, "forbidden"),
                    "{scope} {path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn who_has_no_key_a_wrong_key_or_a_revoked_key_is_turned_away_before_the_body_is_read() {
    let service = Service::new().await;
    let secret = key(&service, "default", "read,admin").await;
    let refused = |answer: Answer| {
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "unauthenticated"));
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
    };
    let request = Request::get("/v1/workspace").header(header::HOST, "localhost").body(Body::empty()).unwrap();
    refused(service.send(request).await);
    refused(with_key(&service, Method::GET, "/v1/workspace", "ck_wrong", None).await);
    // A body that never ends is never read.
    let endless = Body::from_stream(futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1024])));
    let request = Request::post("/v1/reviews").header(header::AUTHORIZATION, "Bearer ck_wrong").body(endless).unwrap();
    refused(service.send(request).await);

    assert_eq!(with_key(&service, Method::GET, "/v1/workspace", &secret, None).await.status, StatusCode::OK);
    let keys = with_key(&service, Method::GET, "/v1/keys", &secret, None).await.json();
    let path = format!("/v1/keys/{}", keys["data"][0]["id"].as_str().unwrap());
    assert_eq!(with_key(&service, Method::DELETE, &path, &secret, None).await.status, StatusCode::NO_CONTENT);
    refused(with_key(&service, Method::GET, "/v1/workspace", &secret, None).await);
}

#[tokio::test]
async fn without_keys_only_a_caller_who_names_this_machine_gets_in() {
    let service = Service::new().await;
    for (host, expected) in
        [("localhost:7700", 200), ("127.0.0.1:7700", 200), ("[::1]:7700", 200), ("evil.example", 401)]
    {
        let request = Request::get("/v1/workspace").header(header::HOST, host).body(Body::empty()).unwrap();
        assert_eq!(service.send(request).await.status.as_u16(), expected, "{host}");
    }
    // From the first key on, a key is needed here too.
    service.post("/v1/keys", json!({ "label": "first", "scopes": ["read"] })).await;
    let request = Request::get("/v1/workspace").header(header::HOST, "localhost").body(Body::empty()).unwrap();
    assert_eq!(service.send(request).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_nowhere() {
    let service = Service::new().await;
    let made = service.post("/v1/keys", json!({ "label": "once", "scopes": ["read"] })).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert!(!service.get("/v1/keys").await.text().contains(&secret));
    for entry in std::fs::read_dir(service.dir.path()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{:?}", entry.path());
    }
}
