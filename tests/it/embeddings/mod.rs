//! The embedding routes of other services' clients, over the real router: shapes, lengths, prompts, real
//! tokenisers. The clients themselves are run in `tests/clients`.

mod bad_calls;

use crate::support::{MAX_TOKENS, MODEL, Service};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clientele::api::Limits;
use clientele::embed::{LoadSettings, load};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn length(row: &[f32]) -> f32 {
    row.iter().map(|x| x * x).sum::<f32>().sqrt()
}

/// The vectors of a call as OpenAI has it, in the order of their indices.
async fn openai(service: &Service, ask: Value) -> Vec<Vec<f32>> {
    let answer = service.post("/v1/embeddings", ask).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    let data = body["data"].as_array().unwrap();
    assert!(data.iter().enumerate().all(|(i, one)| one["index"] == i && one["object"] == "embedding"), "{body}");
    data.iter().map(|one| numbers(&one["embedding"])).collect()
}

/// The vectors of a call as text-embeddings-inference has it.
async fn embed(service: &Service, path: &str, ask: Value) -> Vec<Vec<f32>> {
    let answer = service.post(path, ask).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().unwrap().iter().map(numbers).collect()
}

/// A text's own token ids.
async fn ids(service: &Service, path: &str, text: &str) -> Vec<u64> {
    let answer = service.post(path, json!({ "inputs": text, "add_special_tokens": false })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()[0].as_array().unwrap().iter().map(|token| token["id"].as_u64().unwrap()).collect()
}

fn words(n: usize) -> String {
    (0..n).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ")
}

/// Nearly the same: one text alone and in a batch may differ in the last bits.
fn assert_near(a: &[f32], b: &[f32], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{what}");
}

#[tokio::test]
async fn every_shape_of_input_and_both_encodings_give_the_same_vectors() {
    let service = Service::new().await;
    let (a, b) = ("coffee grinder", "garden soil");
    let (a_ids, b_ids) = (ids(&service, "/tokenize", a).await, ids(&service, "/tokenize", b).await);
    let both = openai(&service, json!({ "model": MODEL, "input": [a, b] })).await;
    let table = [
        (json!(a), vec![&both[0]]),
        (json!(a_ids), vec![&both[0]]),
        (json!([a_ids, b_ids]), vec![&both[0], &both[1]]),
        (json!([b, a_ids]), vec![&both[1], &both[0]]),
    ];
    for (input, expected) in table {
        let found = openai(&service, json!({ "model": MODEL, "input": input, "encoding_format": "float" })).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{input}");
        assert_eq!(embed(&service, "/embed", json!({ "inputs": input })).await, found, "{input}");
    }
    assert!(both.iter().all(|row| (length(row) - 1.0).abs() < 1e-5));

    let ask = json!({ "model": MODEL, "input": [a, b], "encoding_format": "base64", "user": "u", "more": [1] });
    let body = service.post("/v1/embeddings", ask).await.json();
    for (row, one) in both.iter().zip(body["data"].as_array().unwrap()) {
        let bytes = STANDARD.decode(one["embedding"].as_str().unwrap()).unwrap();
        let decoded: Vec<f32> =
            bytes.chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect();
        assert_eq!(&decoded, row);
    }
    assert_eq!(body["model"], MODEL);
    // Two words and the special token of each.
    assert_eq!(body["usage"], json!({ "prompt_tokens": 6, "total_tokens": 6 }));
}

#[tokio::test]
async fn a_text_that_is_too_long_is_refused_or_cut_as_asked() {
    let service = Service::new().await;
    let (fits, long) = (words(MAX_TOKENS - 1), words(MAX_TOKENS));
    let ask = |input: Value| json!({ "model": MODEL, "input": input });
    let cut = openai(&service, ask(json!(fits))).await;
    let refused = service.post("/v1/embeddings", ask(json!(["fits", long]))).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "text_too_long"), "{}", refused.text());
    let detail = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("/input/1 has 50 tokens") && detail.contains("takes 50") && detail.contains("truncate"),
        "{detail}"
    );
    let allowed = openai(&service, json!({ "model": MODEL, "input": long, "truncate": true })).await;
    assert_eq!(allowed, cut);

    // There, cutting is the default.
    assert_eq!(embed(&service, "/embed", json!({ "inputs": long })).await, cut);
    assert_eq!(embed(&service, "/embed", json!({ "inputs": long, "truncate": true })).await, cut);
    let refused = service.post("/embed", json!({ "inputs": long, "truncate": false })).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (413, "text_too_long"), "{}", refused.text());
    let (_, last) = long.split_once(' ').unwrap();
    let left = embed(&service, "/embed", json!({ "inputs": last })).await;
    for direction in ["left", "Left"] {
        let ask = json!({ "inputs": long, "truncation_direction": direction });
        assert_eq!(embed(&service, "/embed", ask).await, left, "{direction}");
    }
    let long_ids = ids(&service, "/tokenize", &long).await;
    assert_eq!(long_ids.len(), MAX_TOKENS, "what is tokenised is not cut");
    assert_eq!(embed(&service, "/embed", json!({ "inputs": [long_ids] })).await, cut);
}

#[tokio::test]
async fn a_prompt_goes_before_the_text() {
    let service = Service::new().await;
    let expected = embed(&service, "/embed", json!({ "inputs": "loud coffee" })).await;
    let found = embed(&service, "/embed", json!({ "inputs": ["coffee"], "prompt_name": "shout" })).await;
    assert_eq!(found, expected);
    let ask = json!({ "model": MODEL, "input": "coffee", "prompt_name": "shout" });
    assert_eq!(openai(&service, ask).await, expected);
    let tokens = service.post("/tokenize", json!({ "inputs": "coffee", "prompt_name": "shout" })).await.json();
    let texts: Vec<_> = tokens[0].as_array().unwrap().iter().map(|token| token["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["[START]", "loud", "coffee"]);
    assert_eq!(tokens[0][0]["start"], Value::Null);
    assert_eq!((&tokens[0][2]["start"], &tokens[0][2]["stop"]), (&json!(5), &json!(11)));
}

#[tokio::test]
async fn token_vectors_are_one_a_token_and_raw_vectors_keep_their_length() {
    let service = Service::new().await;
    let answer = service.post("/embed_all", json!({ "inputs": ["coffee beans", "tea"] })).await;
    let rows: Vec<usize> =
        answer.json().as_array().unwrap().iter().map(|text| text.as_array().unwrap().len()).collect();
    assert_eq!(rows, [3, 2], "the special token has a vector too");
    assert!(answer.json()[0].as_array().unwrap().iter().all(|row| numbers(row).len() == 48));
    let raw = embed(&service, "/embed", json!({ "inputs": "coffee beans", "normalize": false })).await;
    let unit = embed(&service, "/embed", json!({ "inputs": "coffee beans" })).await;
    assert!(length(&raw[0]) > 1.1);
    let scaled: Vec<f32> = raw[0].iter().map(|x| x / length(&raw[0])).collect();
    assert_near(&scaled, &unit[0], "the direction is the same");
}

#[tokio::test]
async fn a_batch_has_a_bound_and_large_ones_are_answered_whole() {
    let service = Service::with_limits(Limits { batch_items: 40, ..Limits::default() }).await;
    let texts = |n: usize| (0..n).map(|i| format!("word{i}")).collect::<Vec<_>>();
    let found = openai(&service, json!({ "model": MODEL, "input": texts(40) })).await;
    let alone = openai(&service, json!({ "model": MODEL, "input": "word39" })).await;
    assert_eq!((found.len(), &found[39]), (40, &alone[0]));
    let answer = service.post("/v1/embeddings", json!({ "model": MODEL, "input": texts(41) })).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "batch_too_large"));
    let answer = service.post("/embed", json!({ "inputs": texts(41) })).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (413, "batch_too_large"));
    assert_eq!(service.get("/info").await.json()["max_client_batch_size"], 40);
}

#[tokio::test]
async fn models_are_listed_as_openai_does_with_what_we_know_besides() {
    let service = Service::new().await;
    let list = service.get("/v1/models").await.json();
    assert_eq!(list["object"], "list");
    let default = &list["data"][0];
    assert_eq!((&default["id"], &default["object"]), (&json!(MODEL), &json!("model")));
    assert_eq!((&default["owned_by"], &default["created"]), (&json!("sentence-transformers"), &json!(0)));
    assert_eq!((&default["loaded"], &default["dimension"]), (&json!(true), &json!(48)));
    let e5 = &list["data"][1];
    assert_eq!((&e5["loaded"], &e5["prefix"], &e5["device"]), (&json!(false), &json!("query: "), &Value::Null));
    for name in [MODEL, "sentence-transformers%2Fall-MiniLM-L6-v2"] {
        assert_eq!(service.get(&format!("/v1/models/{name}")).await.json(), *default, "{name}");
    }
    let none = service.get("/v1/models/gpt").await;
    assert_eq!((none.status.as_u16(), none.json()["error"]["code"].as_str()), (404, Some("model_not_found")));
}

/// A model's own tokeniser with its special tokens, through every route.
async fn assert_routes_agree(service: &Service, model: &str, text: &str) {
    let path = |route: &str| format!("/{route}?model={model}");
    let whole = openai(service, json!({ "model": model, "input": text })).await;
    assert_near(&embed(service, &path("embed"), json!({ "inputs": [text] })).await[0], &whole[0], "as /embed");
    let prefix = service.get(&format!("/v1/models/{model}")).await.json()["prefix"].as_str().unwrap().to_owned();
    // A tokeniser puts the prefix's tokens first; ids that are given get the special tokens alone.
    let own = ids(service, &path("tokenize"), text).await;
    let by_ids = openai(service, json!({ "model": model, "input": [own] })).await;
    assert_near(&by_ids[0], &whole[0], &format!("by token ids, prefix {prefix:?}"));
    let marked = service.post(&path("tokenize"), json!({ "inputs": text })).await.json();
    let rows = service.post(&path("embed_all"), json!({ "inputs": text })).await.json();
    assert_eq!(rows[0].as_array().unwrap().len(), marked[0].as_array().unwrap().len());
    assert_eq!(marked[0].as_array().unwrap().iter().filter(|token| token["special"] == true).count(), 2);
    let usage = service.post("/v1/embeddings", json!({ "model": model, "input": text })).await.json()["usage"].clone();
    assert_eq!(usage["prompt_tokens"], marked[0].as_array().unwrap().len());
}

async fn with_folder(service: &Service, name: &str, folder: &Path) {
    let model = load(folder, &LoadSettings::default()).unwrap();
    service.app.state.models.insert(name, Arc::new(model)).await.unwrap();
}

#[tokio::test]
async fn real_tokenisers_agree_on_every_route() {
    let service = Service::new().await;
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny");
    for family in ["bert", "roberta", "xlm-roberta", "distilbert"] {
        with_folder(&service, family, &tiny.join(family)).await;
        assert_routes_agree(&service, family, "a b, c").await;
    }
    let default = embed(&service, "/embed?model=roberta", json!({ "inputs": "a b" })).await;
    let ask = |prompt: &str| json!({ "inputs": "a b", "prompt_name": prompt });
    let query = embed(&service, "/embed?model=roberta", ask("query")).await;
    let document = embed(&service, "/embed?model=roberta", ask("document")).await;
    assert_near(&query[0], &default[0], "the default prompt by its name");
    assert!(document[0].iter().zip(&default[0]).any(|(a, b)| (a - b).abs() > 1e-3), "another prompt, another vector");
}

#[tokio::test]
async fn the_default_model_serves_both_dialects() {
    let models = std::env::var_os("CLIENTELE_MODELS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("models"), PathBuf::from);
    if !models.join("all-MiniLM-L6-v2/model.safetensors").exists() {
        println!("skipped: all-MiniLM-L6-v2 is missing; `make models` gets it");
        return;
    }
    let service = Service::new().await;
    with_folder(&service, "minilm", &models.join("all-MiniLM-L6-v2")).await;
    assert_routes_agree(&service, "minilm", "Grüße, the crema is lovely ☕").await;
    let ask = json!({ "model": "minilm", "input": ["a cup of coffee", "an espresso", "hiking boots"] });
    let rows = openai(&service, ask).await;
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    assert!(cosine(&rows[0], &rows[1]) > cosine(&rows[0], &rows[2]) + 0.2);
    let long = service.post("/v1/embeddings", json!({ "model": "minilm", "input": "word ".repeat(300) })).await;
    assert!(long.json()["detail"].as_str().unwrap().contains("/input has 300 tokens"), "{}", long.text());
}
