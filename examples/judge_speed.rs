//! What judging costs: a million events through the way in, with every rule and with none, into a fresh SQLite store each.
//!
//!     cargo run --release --example judge_speed [EVENTS]

use anyhow::Result;
use clientele::clean::CleaningSettings;
use clientele::domain::{Fact, Timestamp, WorkspaceId};
use clientele::ingest::Vocabulary;
use clientele::ingest::segment_spec::{self, Arrival, CallKind};
use clientele::intake::Intake;
use clientele::store::{SqliteStore, Store};
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

/// Events of a call of the API.
const BATCH: usize = 500;
/// Of ten events one is an order, the others are views.
const ORDERS_IN: usize = 10;

fn event(i: usize, vocabulary: &Vocabulary) -> Result<Fact> {
    let now: Timestamp = "2026-03-01T00:00:00Z".parse()?;
    let time = Timestamp::from_second(now.as_second() - (i as i64 * 37) % 10_000_000)?;
    let (item, cents) = (format!("item-{}", i % 997), 500 + (i * 7_919) % 20_000);
    let (name, properties) = if i.is_multiple_of(ORDERS_IN) {
        let line = json!({"product_id": item, "price": cents as f64 / 100.0, "quantity": 1});
        let order =
            json!({"order_id": format!("o{i}"), "total": cents as f64 / 100.0, "currency": "EUR", "products": [line]});
        ("Order Completed", order)
    } else {
        (
            "Product Viewed",
            json!({"product_id": item, "category": "tea", "url": "https://shop.example/tea", "position": i % 40}),
        )
    };
    let call = json!({"messageId": format!("m{i}"), "userId": format!("c{}", i % 50_000), "event": name, "timestamp": time.to_string(), "properties": properties});
    let arrival = Arrival { kind: Some(CallKind::Track), ..Arrival::plain(vocabulary, now) };
    segment_spec::parse_call(&call, arrival).map_err(|errors| anyhow::anyhow!("{errors:?}"))
}

/// Seconds for all events.
async fn run(n_events: usize, settings: &CleaningSettings) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path())?);
    let (workspace, now) = (WorkspaceId::parse("bench")?, Timestamp::now());
    store.create_workspace(&workspace, now).await?;
    let intake = Intake::open(Arc::clone(&store)).await?;
    intake.set_cleaning(&workspace, settings).await?;
    let vocabulary = Vocabulary::standard();
    let mut seconds = 0.0;
    for first in (0..n_events).step_by(BATCH) {
        let facts = (first..n_events.min(first + BATCH)).map(|i| Ok(event(i, &vocabulary)?.into()));
        let facts = facts.collect::<Result<Vec<_>>>()?;
        let began = Instant::now();
        intake.append(&workspace, facts, None, now).await?;
        seconds += began.elapsed().as_secs_f64();
    }
    Ok(seconds)
}

#[tokio::main]
async fn main() -> Result<()> {
    let n_events = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 1..=3 {
        without.push(run(n_events, &CleaningSettings::off()).await?);
        with.push(run(n_events, &CleaningSettings::default()).await?);
        println!("round {round}: {:.2} s with no rule, {:.2} s with all", without[round - 1], with[round - 1]);
    }
    [&mut with, &mut without].into_iter().for_each(|seconds| seconds.sort_by(f64::total_cmp));
    let (with, without) = (with[1], without[1]);
    println!(
        "medians of {n_events} events, a tenth of them orders: {:.0} events/s with no rule, {:.0} with all: {:+.1} % time",
        n_events as f64 / without,
        n_events as f64 / with,
        (with / without - 1.0) * 100.0
    );
    Ok(())
}
