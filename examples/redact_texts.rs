//! Finds personal data in texts, for `make bench-redaction`: NDJSON of `{"text": …}` on standard input; for each line the findings
//! on standard output, offsets in characters; the time that finding took, without reading and writing, on standard error.
//!
//! `cargo run --release --example redact_texts -- [ROUNDS] < texts.ndjson`

use anyhow::Context;
use clientele::redact::{Finding, Policy, Redactor};
use serde_json::{Value, json};
use std::io::Read;
use std::time::Instant;

fn main() -> anyhow::Result<()> {
    let n_rounds: usize =
        std::env::args().nth(1).map_or(Ok(1), |rounds| rounds.parse()).context("ROUNDS is a number")?;
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let lines = input.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let texts: Vec<&str> = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    let redactor = Redactor::new(Policy::default(), b"a key for measuring");
    for text in &texts {
        let found: Vec<Value> = redactor.findings(text).iter().map(|finding| as_json(text, finding)).collect();
        println!("{}", Value::from(found));
    }
    let started = Instant::now();
    let mut n_findings = 0;
    for _ in 0..n_rounds {
        n_findings += texts.iter().map(|text| redactor.findings(text).len()).sum::<usize>();
    }
    let seconds = started.elapsed().as_secs_f64() / n_rounds as f64;
    eprintln!("{}", json!({"texts": texts.len(), "findings": n_findings / n_rounds, "seconds": seconds}));
    Ok(())
}

fn as_json(text: &str, finding: &Finding) -> Value {
    let characters = |bytes: usize| text[..bytes].chars().count();
    let (start, end) = (characters(finding.range.start), characters(finding.range.end));
    json!({"kind": finding.kind.name(), "start": start, "end": end, "certainty": finding.certainty})
}
