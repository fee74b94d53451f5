//! What is written down is true: every route is in the OpenAPI document, every error code in its page, README's commands exist.

use crate::support::Service;
use serde_json::Value;
use std::path::Path;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[tokio::test]
async fn every_route_is_in_the_openapi_document_and_every_operation_says_how_it_fails() {
    let service = Service::new().await;
    let document = service.get("/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    let mut operations: Vec<String> = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            operations.push(format!("{} {path}", method.to_uppercase()));
            let open = path.starts_with("/health") || path == "/metrics";
            assert_eq!(operation["security"].is_array(), !open, "{method} {path} says whether it needs a key");
            assert!(open || operation["responses"]["default"].is_object(), "{method} {path} says how it fails");
            assert!(operation["summary"].as_str().is_some_and(|s| s.len() > 10), "{method} {path} says what it does");
        }
    }
    operations.sort();
    insta::assert_snapshot!(operations.join("\n"));
    // The document is browsable without the network.
    let docs = service.get("/docs/").await;
    assert_eq!(docs.status, 200);
    assert!(docs.text().contains("swagger"));
}

#[test]
fn every_error_code_is_explained() {
    let page = read("docs/errors.md");
    for (_, word, status, _) in clientele::api::TABLE {
        assert!(
            page.contains(&format!("| `{word}` | {} |", status.as_u16())),
            "docs/errors.md lacks {word} with {status}"
        );
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    for (word, _) in clientele::ingest::CODES {
        assert!(page.contains(&format!("\n| `{word}` | ")), "docs/errors.md lacks {word}");
    }
    let known = clientele::api::TABLE.len() + clientele::ingest::CODES.len();
    assert_eq!(rows, known, "docs/errors.md explains a code that is not there");
}

#[test]
fn every_metric_of_the_models_is_explained() {
    let page = read("docs/metrics.md");
    let mut n_found = 0;
    for file in ["queue/figures.rs", "queue/plan.rs", "cache.rs", "registry/mod.rs"] {
        let file = format!("src/embed/{file}");
        for name in read(&file).split('"').filter(|word| word.starts_with("clientele_")) {
            assert!(page.contains(&format!("`{name}`")), "docs/metrics.md lacks {name} of {file}");
            n_found += 1;
        }
    }
    assert!(n_found >= 16, "the metrics have moved: {n_found}");
}

#[test]
fn the_commands_the_readme_shows_are_understood() {
    let readme = read("README.md");
    let makefile = read("Makefile");
    let mut checked = 0;
    for line in readme.lines().map(str::trim) {
        if let Some(target) = line.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next()) {
            assert!(makefile.contains(&format!("\n{target}:")), "the Makefile has no {target}");
            checked += 1;
        }
        let Some(command) = line.strip_prefix("clientele ") else { continue };
        let command = command.split(['#', '>', '|']).next().unwrap_or_default();
        let mut words: Vec<&str> = command.split_whitespace().collect();
        words.insert(0, "clientele");
        let parsed = <clientele::cli::Cli as clap::Parser>::try_parse_from(&words);
        assert!(parsed.is_ok(), "{line}\n{}", parsed.err().map(|e| e.to_string()).unwrap_or_default());
        checked += 1;
    }
    assert!(checked >= 6, "the README shows its commands at the start of lines");
}

#[tokio::test]
async fn metrics_count_what_was_done_without_naming_anybody() {
    let service = Service::new().await;
    service.with_customers(9).await;
    service.get("/v1/customers/c0001/segments").await;
    let metrics = service.get("/metrics").await.text();
    assert!(metrics.contains("clientele_http_request_seconds"), "{metrics}");
    assert!(metrics.contains("clientele_facts_accepted_total"));
    assert!(metrics.contains("route=\"/v1/customers/{customer_id}/segments\""));
    assert!(!metrics.contains("c0001"));
}

#[tokio::test]
async fn health_tells_alive_from_ready() {
    let service = Service::new().await;
    assert_eq!(service.get("/health/live").await.status, 200);
    let ready: Value = service.get("/health/ready").await.json();
    assert_eq!(ready["ready"], true);
}
