//! Writes the sample shop as files: calls for the events, a table for the reviews, and the truth aside.

use super::catalogue::{DEPARTMENTS, Item};
use super::customer::{Customer, Line, Order};
use super::personas::PERSONAS;
use crate::domain::Timestamp;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The invented shop's name.
pub const SHOP_NAME: &str = "Harbour & Hill";

/// What the sample shop is grown from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShopSettings {
    pub n_customers: usize,
    /// The same settings give the same bytes.
    pub seed: u64,
    /// Whether about 35 % of the customers write in Chinese.
    pub chinese: bool,
}

impl Default for ShopSettings {
    fn default() -> Self {
        Self { n_customers: 3000, seed: 1, chinese: false }
    }
}

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopFiles {
    /// Segment-spec calls, customer by customer, each customer's by time.
    pub events: PathBuf,
    /// Columns `review_id,customer_id,item_id,rating,time,text`.
    pub reviews: PathBuf,
    /// Columns `customer_id,persona`; never to be imported.
    pub truth: PathBuf,
}

impl ShopFiles {
    /// What the files in a folder are called.
    pub fn in_dir(dir: &Path) -> Self {
        Self { events: dir.join("events.ndjson"), reviews: dir.join("reviews.csv"), truth: dir.join("truth.csv") }
    }
}

/// Writes the shop into `dir`, which is made if it is not there. A file has its name only once it is whole.
///
/// `progress` hears how many customers are written and how many there are.
///
/// # Errors
/// The folder or a file cannot be written.
pub fn write_shop(settings: ShopSettings, dir: &Path, progress: &dyn Fn(u64, u64)) -> io::Result<ShopFiles> {
    std::fs::create_dir_all(dir)?;
    let files = ShopFiles::in_dir(dir);
    let mut events = BufWriter::new(File::create(part(&files.events))?);
    let mut reviews = csv::Writer::from_path(part(&files.reviews))?;
    let mut truth = csv::Writer::from_path(part(&files.truth))?;
    reviews.write_record(["review_id", "customer_id", "item_id", "rating", "time", "text"])?;
    truth.write_record(["customer_id", "persona"])?;
    let total = settings.n_customers as u64;
    for number in 1..=total {
        let customer = Customer::grow(number, settings.seed, settings.chinese);
        write_calls(&customer, &mut events)?;
        write_reviews(&customer, &mut reviews)?;
        truth.write_record([customer.id.as_str(), PERSONAS[customer.persona].name])?;
        progress(number, total);
    }
    events.flush()?;
    reviews.flush()?;
    truth.flush()?;
    for path in [&files.events, &files.reviews, &files.truth] {
        std::fs::rename(part(path), path)?;
    }
    Ok(files)
}

fn part(path: &Path) -> PathBuf {
    path.with_extension("part")
}

fn write_reviews(customer: &Customer, out: &mut csv::Writer<File>) -> io::Result<()> {
    for (i, review) in customer.reviews.iter().enumerate() {
        let id = format!("{}-r{}", customer.id, i + 1);
        let (rating, time) = (review.rating.to_string(), review.time.to_string());
        out.write_record([&id, &customer.id, review.item.sku, &rating, &time, &review.text])?;
    }
    Ok(())
}

fn write_calls(customer: &Customer, out: &mut impl Write) -> io::Result<()> {
    let mut calls: Vec<(Timestamp, Call)> = Vec::new();
    for (i, order) in customer.orders.iter().enumerate() {
        calls.extend(order_calls(&format!("o-{}-{}", customer.id, i + 1), order));
    }
    calls.sort_by_key(|(time, _)| *time);
    write_line(out, &identify(customer))?;
    for (i, (time, call)) in calls.into_iter().enumerate() {
        write_line(
            out,
            &json!({
                "type": "track",
                "messageId": format!("{}-m{}", customer.id, i + 1),
                "userId": customer.id,
                "event": call.event,
                "timestamp": time.to_string(),
                "properties": call.properties,
            }),
        )?;
    }
    Ok(())
}

fn write_line(out: &mut impl Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn identify(customer: &Customer) -> Value {
    json!({
        "type": "identify",
        "messageId": format!("{}-m0", customer.id),
        "userId": customer.id,
        "timestamp": customer.signed_up.to_string(),
        "traits": {
            "country": customer.country,
            "language": customer.language,
            "signup_channel": customer.channel,
            "birth_decade": customer.birth_decade,
            "newsletter": customer.newsletter,
        },
    })
}

/// A track call but for who and when.
struct Call {
    event: &'static str,
    properties: Value,
}

/// Everything around one order, in no order: looked at, put into the basket, bought, sent back.
fn order_calls(order_id: &str, order: &Order) -> Vec<(Timestamp, Call)> {
    let before = |minutes: usize| order.time - jiff::SignedDuration::from_mins(i64::try_from(minutes).unwrap_or(0));
    let mut calls = Vec::new();
    let bought = order.lines.iter().map(|line| (line.department, line.item));
    for (i, (department, item)) in order.viewed.iter().copied().chain(bought).enumerate() {
        let properties = with_currency(product(department, item));
        calls.push((before(30 - i.min(20)), Call { event: "Product Viewed", properties }));
    }
    for (i, line) in order.lines.iter().enumerate() {
        let properties = with_currency(product_line(line));
        calls.push((before(8 - i.min(6)), Call { event: "Product Added", properties }));
    }
    calls.push((order.time, Call { event: "Order Completed", properties: completed(order_id, order) }));
    if let Some(time) = order.refunded {
        let lines: Vec<Value> = order.lines.iter().take(1).map(product_line).collect();
        let total = amount(order.lines.iter().take(1).map(cents).sum());
        let properties = json!({"order_id": order_id, "total": total, "currency": "EUR", "products": lines});
        calls.push((time, Call { event: "Order Refunded", properties }));
    }
    calls
}

fn completed(order_id: &str, order: &Order) -> Value {
    let lines: Vec<Value> = order.lines.iter().map(product_line).collect();
    let total = amount(order.lines.iter().map(cents).sum());
    json!({"order_id": order_id, "affiliation": SHOP_NAME, "total": total, "currency": "EUR", "products": lines})
}

fn product(department: usize, item: &Item) -> Value {
    let category = DEPARTMENTS[department].name;
    json!({"product_id": item.sku, "name": item.name, "category": category, "price": amount(item.cents)})
}

fn product_line(line: &Line) -> Value {
    let mut value = product(line.department, line.item);
    value["quantity"] = json!(line.quantity);
    value
}

fn with_currency(mut value: Value) -> Value {
    value["currency"] = json!("EUR");
    value
}

fn cents(line: &Line) -> u32 {
    line.item.cents * line.quantity
}

/// Euros, as the spec's decimal number.
fn amount(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}
