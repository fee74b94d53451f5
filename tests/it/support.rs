//! What the tests stand on: a service in a folder of its own, with a small model made of words.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use clientele::api::{Limits, LocalOperator};
use clientele::app::{App, AppSettings};
use clientele::domain::WorkspaceId;
use clientele::embed::{
    Cut, EmbedError, Embedder, ModelInfo, ModelSettings, Models, Output, Pooling, Precision, SharedTokens, Token,
    TokenIds, Tokens,
};
use clientele::ingest::Vocabulary;
use clientele::jobs::JobSettings;
use clientele::store::{PostgresStore, SqliteStore, Store, StorePlace};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tower::ServiceExt;

/// The name the word model goes by: the default, so that a fit that names no model finds it.
pub const MODEL: &str = clientele::embed::DEFAULT_MODEL;

/// A word that reviews of [`Service::with_a_topic`] share.
pub const TOPIC: &str = "zebra";

/// A text's vector counts its words by hash: texts that share words are near each other.
pub struct WordModel(ModelInfo);

impl WordModel {
    pub fn new() -> Self {
        Self(ModelInfo {
            id: "words".into(),
            fingerprint: "words@1".into(),
            dimension: 48,
            max_tokens: MAX_TOKENS,
            pooling: Pooling::Mean,
            normalised: true,
            prefix: String::new(),
            prompts: [("shout".to_owned(), "loud ".to_owned())].into(),
            matryoshka_dimensions: Vec::new(),
            tokens: Some(SharedTokens::new(Arc::new(Words))),
            device: "cpu".into(),
            precision: Precision::F32,
            weight_bytes: 0,
            vocabulary_size: START as usize + 1,
        })
    }
}

/// Tokens a text of the word model is cut to, the special one included.
pub const MAX_TOKENS: usize = 50;

/// Tokens of words are below it, and it is the special token that stands before every text and counts for nothing.
const START: u32 = 960_000;

/// A token is the hash of a word (FNV-1a).
struct Words;

fn hash(word: &str) -> u32 {
    let bytes = word.to_lowercase().into_bytes();
    bytes.iter().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193)) % START
}

impl Tokens for Words {
    fn own_ids(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<Vec<u32>>, EmbedError> {
        let spelled = self.spell(texts, prefix, false)?;
        Ok(spelled.into_iter().map(|text| text.iter().map(|token| token.id).collect()).collect())
    }

    fn wrap(&self, own: &[u32], cut: Cut) -> TokenIds {
        let n_kept = own.len().min(MAX_TOKENS - 1);
        let kept = if cut == Cut::End { &own[..n_kept] } else { &own[own.len() - n_kept..] };
        TokenIds { ids: [&[START], kept].concat(), truncated: n_kept < own.len() }
    }

    fn spell(&self, texts: &[&str], prefix: Option<&str>, special: bool) -> Result<Vec<Vec<Token>>, EmbedError> {
        let start = Token { id: START, text: "[START]".into(), special: true, span: None };
        let spell = |text: &&str| {
            let whole = format!("{}{text}", prefix.unwrap_or_default());
            let word = |word: &str| {
                let at = whole.find(word).map(|byte| whole[..byte].chars().count()).unwrap_or_default();
                let span = Some((at, at + word.chars().count()));
                Token { id: hash(word), text: word.to_owned(), special: false, span }
            };
            special.then(|| start.clone()).into_iter().chain(whole.split_whitespace().map(word)).collect()
        };
        Ok(texts.iter().map(spell).collect())
    }
}

impl Embedder for WordModel {
    fn info(&self) -> &ModelInfo {
        &self.0
    }

    fn tokenize(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<TokenIds>, EmbedError> {
        Ok(Words.own_ids(texts, prefix)?.iter().map(|own| Words.wrap(own, Cut::End)).collect())
    }

    fn forward(&self, texts: &[&TokenIds], output: Output) -> Result<Vec<f32>, EmbedError> {
        let dimension = self.0.dimension;
        let mut values = Vec::new();
        for text in texts {
            let mut row = vec![0.01f32; dimension];
            for id in &text.ids {
                row[*id as usize % dimension] += if *id == START { 0.0 } else { 1.0 };
                if output == Output::Tokens {
                    values.extend_from_slice(&row);
                }
            }
            if output == Output::Pooled {
                values.extend_from_slice(&row);
            }
        }
        Ok(values)
    }
}

/// A service over a store in a folder of its own.
pub struct Service {
    pub app: App,
    pub dir: TempDir,
    pub workspace: WorkspaceId,
}

/// A PostgreSQL store of a test's own: a schema that is dropped at the end.
pub struct Schema {
    server: String,
    name: String,
}

impl Schema {
    /// Nothing where there is no server to make it on; in CI there has to be one.
    pub async fn make() -> Option<Self> {
        let server = std::env::var("CLIENTELE_TEST_POSTGRES").ok().filter(|address| !address.is_empty());
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(server.is_some() || !is_ci, "CI tests PostgreSQL too: run the tests with tools/postgres run");
        let schema = Self { server: server?, name: format!("it_{}", uuid::Uuid::now_v7().simple()) };
        execute(&schema.server, &format!("CREATE SCHEMA {}", schema.name)).await;
        Some(schema)
    }

    pub fn address(&self) -> String {
        format!("{}?options=-csearch_path%3D{}", self.server, self.name)
    }
}

async fn execute(server: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

impl Drop for Schema {
    fn drop(&mut self) {
        let (server, sql) = (self.server.clone(), format!("DROP SCHEMA {} CASCADE", self.name));
        // A thread of its own: this one runs a runtime already, and a runtime cannot wait within another.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&server, &sql));
        });
        let _ = dropping.join();
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    /// The problem's code; panics when the answer is none.
    pub fn code(&self) -> String {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{}", self.text());
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

impl Service {
    pub async fn new() -> Self {
        Self::with_limits(Limits::default()).await
    }

    pub async fn with_limits(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let app = open(dir.path(), limits, true).await;
        Self { app, dir, workspace: WorkspaceId::parse("default").unwrap() }
    }

    /// A process of its own on a PostgreSQL store.
    pub async fn on(schema: &Schema) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = StorePlace::parse(Some(&schema.address()), dir.path()).unwrap();
        let StorePlace::Postgres(url) = &place else { panic!("not PostgreSQL") };
        let store = Arc::new(PostgresStore::open(url).await.unwrap());
        let app = open_on(store, place, dir.path(), Limits::default(), true).await;
        Self { app, dir, workspace: WorkspaceId::parse("default").unwrap() }
    }

    /// The operator's own call, as the command line makes it.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        let body = match body {
            Some(value) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(value.to_string())
            }
            None => Body::empty(),
        };
        let request = request.extension(LocalOperator(self.workspace.clone())).body(body).unwrap();
        self.send(request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// The operator's call with a body as it is.
    pub async fn raw(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path).extension(LocalOperator(self.workspace.clone()));
        self.send(request.body(body.into()).unwrap()).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// Follows a job to its end.
    pub async fn finished(&self, accepted: &Answer) -> Value {
        assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text());
        let location = accepted.headers[header::LOCATION].to_str().unwrap().to_owned();
        loop {
            let job = self.get(&location).await.json();
            if job["finished_at"].is_string() {
                return job;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Customers of three kinds: those who write about coffee, boots or seeds.
    /// Customers with a topic of their own, each with words of their own besides: whose words are of nothing but [`TOPIC`] is in the
    /// middle of their segment, and quoted.
    pub async fn with_a_topic(&self) {
        for i in 0..11 {
            let text = format!("{TOPIC} besides{i} again{i} other{i}");
            let answer = self.post("/v1/reviews", json!({"customer_id": format!("of-topic-{i}"), "text": text})).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        }
    }

    pub async fn with_customers(&self, n: usize) {
        let reviews: Vec<Value> = (0..n).map(review).collect();
        for batch in reviews.chunks(1_000) {
            let answer = self.post("/v1/reviews:batch", json!({ "reviews": batch })).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        }
    }

    pub async fn fit(&self, name: &str, ask: Value) -> Value {
        let accepted = self.post(&format!("/v1/segmentations/{name}/fit"), ask).await;
        self.finished(&accepted).await
    }
}

/// The i-th of the three kinds' reviews.
pub fn review(i: usize) -> Value {
    let texts = [
        ["espresso grinder coffee crema", "coffee beans espresso aroma", "grinder crema coffee beans"],
        ["hiking boots trail waterproof", "boots trail grip hiking", "waterproof trail boots mountain"],
        ["seeds garden tomato soil", "garden soil compost seeds", "tomato seeds garden compost"],
    ];
    let kind = i % 3;
    let text = format!("{} {}", texts[kind][(i / 3) % 3], texts[kind][(i / 9) % 3]);
    json!({ "review_id": format!("r{i}"), "customer_id": format!("c{i:04}"), "text": text, "rating": 3 + i % 3, "item_id": format!("i{kind}") })
}

/// Opens (or opens again) a service over a folder.
pub async fn open(dir: &Path, limits: Limits, resume_jobs: bool) -> App {
    let store = Arc::new(SqliteStore::open(dir).unwrap());
    open_on(store, StorePlace::Folder(dir.to_owned()), dir, limits, resume_jobs).await
}

async fn open_on(store: Arc<dyn Store>, place: StorePlace, dir: &Path, limits: Limits, resume_jobs: bool) -> App {
    let models =
        Models::new(ModelSettings { models_dir: dir.join("models"), offline: true, ..ModelSettings::default() });
    models.insert(MODEL, Arc::new(WordModel::new())).await.unwrap();
    let settings = AppSettings {
        store: place,
        data_dir: dir.to_owned(),
        models: ModelSettings::default(),
        loopback: true,
        workspace: WorkspaceId::parse("default").unwrap(),
        resume_jobs,
        jobs: JobSettings::default(),
        limits,
        vocabulary: Arc::new(Vocabulary::standard()),
    };
    App::with(settings, store, Arc::new(models)).await.unwrap()
}

/// The files of a folder and those below it in which a word is found.
pub fn files_with(word: &str, dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(word, &path));
        } else if std::fs::read(&path).unwrap().windows(word.len()).any(|window| window == word.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}
