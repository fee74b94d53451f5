//! Writes planted customers as files: calls, reviews, and the truth aside.

use super::life::{Life, Order};
use super::{PlantedSettings, deal};
use crate::demo::catalogue::{DEPARTMENTS, Item};
use crate::demo::dice::Dice;
use crate::domain::Timestamp;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlantedFiles {
    /// Segment-spec calls, customer by customer, each customer's by time.
    pub events: PathBuf,
    /// Columns `review_id,customer_id,item_id,rating,time,text`.
    pub reviews: PathBuf,
    /// Columns `customer_id,segment_before,segment`: in the first half of the year and in the second. Never to be imported.
    pub truth: PathBuf,
}

impl PlantedFiles {
    /// What the files in a folder are called.
    pub fn in_dir(dir: &Path) -> Self {
        Self { events: dir.join("events.ndjson"), reviews: dir.join("reviews.csv"), truth: dir.join("truth.csv") }
    }
}

/// Writes the customers into `dir`, which is made if it is not there. A customer does not depend on how many others there are.
///
/// # Errors
/// The folder or a file cannot be written.
pub fn write_planted(settings: PlantedSettings, dir: &Path) -> io::Result<PlantedFiles> {
    std::fs::create_dir_all(dir)?;
    let files = PlantedFiles::in_dir(dir);
    let mut events = BufWriter::new(File::create(&files.events)?);
    let mut reviews = csv::Writer::from_path(&files.reviews)?;
    let mut truth = csv::Writer::from_path(&files.truth)?;
    reviews.write_record(["review_id", "customer_id", "item_id", "rating", "time", "text"])?;
    truth.write_record(["customer_id", "segment_before", "segment"])?;
    let groups = settings.kind.groups();
    for number in 1..=settings.n_customers as u64 {
        let mut dice = Dice::new(settings.seed, number);
        let (dealt, segments) = deal(&groups, &mut dice);
        let life = Life::grow(&dealt, &mut dice);
        let customer = format!("p{number:05}");
        write_calls(&customer, &life.orders, &mut events)?;
        for (i, review) in life.reviews.iter().enumerate() {
            let (id, rating, time) =
                (format!("{customer}-r{}", i + 1), review.rating.to_string(), review.time.to_string());
            reviews.write_record([&id, &customer, review.item.sku, &rating, &time, &review.text])?;
        }
        truth.write_record([&customer, &segments.before, &segments.now])?;
    }
    events.flush()?;
    reviews.flush()?;
    truth.flush()?;
    Ok(files)
}

fn write_calls(customer: &str, orders: &[Order], out: &mut impl Write) -> io::Result<()> {
    let mut calls: Vec<(Timestamp, &str, Value)> = Vec::new();
    for (i, order) in orders.iter().enumerate() {
        calls.extend(order_calls(&format!("o-{customer}-{}", i + 1), order));
    }
    calls.sort_by_key(|(time, ..)| *time);
    for (i, (time, event, properties)) in calls.into_iter().enumerate() {
        let call = json!({
            "type": "track",
            "messageId": format!("{customer}-m{}", i + 1),
            "userId": customer,
            "event": event,
            "timestamp": time.to_string(),
            "properties": properties,
        });
        serde_json::to_writer(&mut *out, &call)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn order_calls(order_id: &str, order: &Order) -> Vec<(Timestamp, &'static str, Value)> {
    let mut calls = Vec::new();
    for (i, (department, item)) in order.viewed.iter().enumerate() {
        let minutes = jiff::SignedDuration::from_mins(30 - i64::try_from(i).unwrap_or(0));
        calls.push((order.time - minutes, "Product Viewed", product(*department, item)));
    }
    let line = |(department, item, quantity): &(usize, &Item, u32)| {
        let mut line = product(*department, item);
        line["quantity"] = json!(quantity);
        line
    };
    let lines: Vec<Value> = order.lines.iter().map(line).collect();
    let cents: u32 = order.lines.iter().map(|(_, item, quantity)| item.cents * quantity).sum();
    let (total, discount) = (euros(cents - order.discount_cents), euros(order.discount_cents));
    let properties =
        json!({"order_id": order_id, "total": total, "discount": discount, "currency": "EUR", "products": lines});
    calls.push((order.time, "Order Completed", properties));
    if let Some(time) = order.refunded {
        calls.push((time, "Order Refunded", json!({"order_id": order_id, "total": total, "currency": "EUR"})));
    }
    calls
}

fn product(department: usize, item: &Item) -> Value {
    let category = DEPARTMENTS[department].name;
    json!({"product_id": item.sku, "name": item.name, "category": category, "price": euros(item.cents), "currency": "EUR"})
}

/// The spec's decimal number.
fn euros(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}
