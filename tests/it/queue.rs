//! The model's queue as callers see it: who waits for a batch, who does not, and what a full queue answers.

use crate::support::{MODEL, Service, WordModel};
use axum::http::{StatusCode, header};
use clientele::embed::{Ask, EmbedError, Embedder, Lane, ModelInfo, Output, TokenIds};
use serde_json::json;
use std::sync::{Arc, Mutex, mpsc};

/// The word model, which says when a batch begins and goes on when told to, or when nobody can tell it any more.
struct Held {
    words: WordModel,
    begun: mpsc::SyncSender<()>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl Embedder for Held {
    fn info(&self) -> &ModelInfo {
        self.words.info()
    }

    fn tokenize(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<TokenIds>, EmbedError> {
        self.words.tokenize(texts, prefix)
    }

    fn forward(&self, texts: &[&TokenIds], output: Output) -> Result<Vec<f32>, EmbedError> {
        let _ = self.begun.send(());
        let _ = self.go.lock().unwrap().recv();
        self.words.forward(texts, output)
    }
}

/// A fitted service whose model from now on waits at each batch.
async fn held() -> (Service, mpsc::Receiver<()>, mpsc::SyncSender<()>) {
    let service = Service::new().await;
    service.with_customers(30).await;
    assert_eq!(service.fit("needs", json!({ "k": 3 })).await["state"], "succeeded");
    let (begun_, begun) = mpsc::sync_channel(100);
    let (go, go_) = mpsc::sync_channel(0);
    let model = Held { words: WordModel::new(), begun: begun_, go: Mutex::new(go_) };
    service.app.state.models.insert(MODEL, Arc::new(model)).await.unwrap();
    (service, begun, go)
}

async fn heard(begun: mpsc::Receiver<()>) -> mpsc::Receiver<()> {
    tokio::task::spawn_blocking(move || begun.recv().map(|()| begun)).await.unwrap().unwrap()
}

#[tokio::test]
async fn health_and_look_ups_never_wait_behind_a_batch() {
    let (service, begun, go) = held().await;
    let assign = service.post("/v1/segmentations/needs/assign", json!({ "text": "a text nobody asked for yet" }));
    let meanwhile = async {
        let _begun = heard(begun).await;
        for path in ["/health/live", "/health/ready", "/v1/models/loaded", "/metrics", "/v1/customers/c0001/segments"] {
            assert_eq!(service.get(path).await.status, StatusCode::OK, "{path}");
        }
        let metrics = service.get("/metrics").await.text();
        for figure in ["clientele_embed_waiting_tokens{", "clientele_embed_cache_misses_total", "lane=\"interactive\""]
        {
            assert!(metrics.contains(figure), "{figure} is missing:\n{metrics}");
        }
        drop(go);
    };
    let (answer, ()) = tokio::join!(assign, meanwhile);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}

#[tokio::test]
async fn a_full_queue_answers_429_with_the_time_to_come_back_and_recovers() {
    let (service, begun, go) = held().await;
    let model = service.app.state.models.get(MODEL).await.unwrap();
    let ask = Ask { lane: Lane::Interactive, output: Output::Pooled, deadline: None };
    let one = || TokenIds { ids: vec![1], truncated: false };
    let assign = || service.post("/v1/segmentations/needs/assign", json!({ "text": "late" }));
    let meanwhile = async {
        let _begun = heard(begun).await;
        let (full, refused) = tokio::join!(biased; model.forward(ask, vec![one(); 20_000]), async {
            let refused = assign().await;
            drop(go);
            refused
        });
        assert_eq!(full.unwrap().len(), 20_000 * model.info().dimension);
        refused
    };
    let (first, refused) = tokio::join!(model.forward(ask, vec![one()]), meanwhile);
    first.unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "busy"));
    let seconds: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((2..=60).contains(&seconds), "20,000 tokens take more than a second: {seconds}");
    assert!(refused.json()["detail"].as_str().unwrap().contains(&format!("{seconds} s")));
    assert_eq!(assign().await.status, StatusCode::OK);
}
