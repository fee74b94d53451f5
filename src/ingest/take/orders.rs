//! Orders: one a row, or one line a row where rows that follow each other have the same order's id.

use super::super::amount;
use super::super::occurrence::{Occurrences, content_id};
use super::super::record::{Record, Takes};
use super::super::records::{Given, Records};
use super::super::{IngestError, Mapping, Position, Reading, Row, RowError};
use super::calls::{field, told};
use crate::domain::Fact;
use serde_json::{Map, Value, json};

/// The most lines of an order.
const MAX_LINES: usize = 1_000;

pub(in crate::ingest) struct Orders {
    mapping: Mapping,
    occurrences: Occurrences,
    /// The first row of the next order, read to see that the one before has ended.
    held: Option<Given>,
}

/// An order while its lines come in.
struct Group {
    line: u64,
    n_rows: u64,
    next: Position,
    given: Vec<Given>,
    error: Option<RowError>,
}

impl Group {
    fn add(&mut self, given: Given) {
        self.n_rows += 1;
        self.next = given.next;
        match &given.record {
            Ok(_) if self.given.len() < MAX_LINES => {}
            Ok(record) => {
                let error = record.error(None, "too_large", format!("is beyond the {MAX_LINES} lines of an order"));
                self.error.get_or_insert(error);
            }
            Err(error) => drop(self.error.get_or_insert(error.clone())),
        }
        if self.given.len() < MAX_LINES {
            self.given.push(given);
        }
    }
}

impl Orders {
    pub(super) fn new(mapping: Mapping) -> Self {
        Self { mapping, occurrences: Occurrences::default(), held: None }
    }

    pub(super) fn next(&mut self, records: &mut dyn Records, reading: &Reading) -> Result<Option<Row>, IngestError> {
        let first = match self.held.take() {
            Some(held) => held,
            None => match records.next()? {
                Some(given) => given,
                None => return Ok(None),
            },
        };
        let id = self.id(&first);
        let mut group = Group { line: first.line, n_rows: 0, next: first.next, given: Vec::new(), error: None };
        group.add(first);
        while id.is_some() {
            let Some(given) = records.next()? else { break };
            if self.id(&given) != id {
                self.held = Some(given);
                break;
            }
            group.add(given);
        }
        let Group { line, n_rows, next, given, error } = group;
        let lines: Vec<&Record> = given.iter().filter_map(|given| given.record.as_ref().ok()).collect();
        let fact = error.map_or_else(|| self.order(&lines, reading), Err);
        let raw =
            if fact.is_ok() && !reading.keeps_raw { Vec::new() } else { given.iter().map(Given::raw_row).collect() };
        Ok(Some(Row { line, n_rows, next, fact, preferences: None, raw }))
    }

    fn id(&self, given: &Given) -> Option<String> {
        let record = given.record.as_ref().ok()?;
        field(record, self.mapping.id.as_ref(), Takes::WholeNumbers).ok().flatten()
    }

    fn order(&mut self, lines: &[&Record], reading: &Reading) -> Result<Fact, RowError> {
        let Some(first) = lines.first() else {
            return Err(RowError { line: 0, column: None, code: "bad_json", message: "has no lines".to_owned() });
        };
        let mapping = &self.mapping;
        let head = Head::of(first, mapping)?;
        lines[1..].iter().try_for_each(|line| head.agrees(line, mapping))?;
        let mut products = Vec::with_capacity(lines.len());
        for line in lines {
            products.extend(products_of(line, mapping)?);
        }
        if head.total.is_none() && products.iter().any(|product| product.get("price").is_none()) {
            let message = "has neither a total nor a price for each line";
            return Err(first.error(mapping.total.as_deref().or(mapping.price.as_deref()), "missing_field", message));
        }
        let id = match field(first, mapping.id.as_ref(), Takes::WholeNumbers)? {
            Some(id) => id,
            None => {
                let text = |part: &Option<String>| part.clone().unwrap_or_default();
                let total = head.total.clone().unwrap_or_else(|| Value::from(products.clone()).to_string());
                let parts = [text(&head.customer), text(&head.time), total];
                let id = self.occurrences.id("o_", &[&parts[0], &parts[1], &parts[2]]);
                id.ok_or_else(|| {
                    let message =
                        "is beyond the 14 million orders that are told apart without an id; map one, or split the file";
                    first.error(None, "too_many", message)
                })?
            }
        };
        told(&head.call(&id, products), first, Some(mapping), reading).map(|telling| telling.fact)
    }
}

/// What an order says once.
#[derive(PartialEq, Eq)]
struct Head {
    customer: Option<String>,
    time: Option<String>,
    total: Option<String>,
    currency: Option<String>,
    discount: Option<String>,
}

impl Head {
    fn of(record: &Record, mapping: &Mapping) -> Result<Self, RowError> {
        let currency_name = mapping.currency.as_ref();
        let given = field(record, currency_name, Takes::Text)?;
        let currency = amount::currency(given.as_deref(), mapping.currency_code.as_deref())
            .map_err(|why| record.error(currency_name.map(String::as_str), "invalid_currency", why))?;
        Ok(Self {
            customer: field(record, mapping.customer.as_ref(), Takes::WholeNumbers)?,
            time: field(record, mapping.time.as_ref(), Takes::Numbers)?,
            total: amount_of(record, mapping.total.as_ref())?,
            currency,
            discount: amount_of(record, mapping.discount.as_ref())?,
        })
    }

    /// A line leaves out what the order's first line says, or says the same. A time may differ: the first one counts.
    fn agrees(&self, record: &Record, mapping: &Mapping) -> Result<(), RowError> {
        let line = Self::of(record, mapping)?;
        let pairs = [
            (&line.customer, &self.customer, &mapping.customer),
            (&line.total, &self.total, &mapping.total),
            (&line.currency, &self.currency, &mapping.currency),
            (&line.discount, &self.discount, &mapping.discount),
        ];
        match pairs.into_iter().find(|(here, there, _)| here.is_some() && here != there) {
            None => Ok(()),
            Some((_, _, column)) => {
                let message = "says otherwise than the order's first line";
                Err(record.error(column.as_deref(), "conflicting_line", message))
            }
        }
    }

    fn call(self, id: &str, products: Vec<Value>) -> Value {
        let mut properties = Map::new();
        properties.insert("order_id".into(), Value::from(id));
        let parts = [("total", self.total), ("currency", self.currency), ("discount", self.discount)];
        properties.extend(parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), Value::from(part?)))));
        if !products.is_empty() {
            properties.insert("products".into(), Value::Array(products));
        }
        // The same order again is the same message; one that has changed since is told again.
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let content = Value::Object(properties.clone()).to_string();
        let message = content_id("o_", &[&text(&self.customer), &text(&self.time), &content]);
        json!({"type": "track", "event": "Order Completed", "userId": self.customer, "timestamp": self.time,
            "messageId": message, "properties": properties})
    }
}

/// An amount that is none or positive.
fn amount_of(record: &Record, name: Option<&String>) -> Result<Option<String>, RowError> {
    let Some(text) = field(record, name, Takes::Numbers)? else { return Ok(None) };
    let wrong = |message: &str| record.error(name.map(String::as_str), "invalid_amount", message);
    let plain = amount::plain(&text).ok_or_else(|| wrong("is not an amount such as 19.90"))?;
    if plain.starts_with('-') {
        return Err(wrong("is negative; money that was given back is no order"));
    }
    Ok(Some(plain))
}

/// The lines that a row is or lists; none where no item is named.
fn products_of(record: &Record, mapping: &Mapping) -> Result<Vec<Value>, RowError> {
    if let Some(name) = &mapping.lines {
        return listed(record, name);
    }
    let Some(item) = field(record, mapping.item.as_ref(), Takes::WholeNumbers)? else { return Ok(Vec::new()) };
    let mut product = Map::new();
    product.insert("product_id".into(), Value::from(item));
    if let Some(text) = field(record, mapping.quantity.as_ref(), Takes::Numbers)? {
        product.insert("quantity".into(), quantity(record, mapping.quantity.as_deref(), &text)?);
    }
    if let Some(price) = amount_of(record, mapping.price.as_ref())? {
        product.insert("price".into(), Value::from(price));
    }
    if let Some(category) = field(record, mapping.category.as_ref(), Takes::Numbers)? {
        product.insert("category".into(), Value::from(category));
    }
    Ok(vec![Value::Object(product)])
}

fn quantity(record: &Record, name: Option<&str>, text: &str) -> Result<Value, RowError> {
    let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.fract() == 0.0);
    match number.filter(|number| (1.0..=f64::from(u32::MAX)).contains(number)) {
        Some(number) => Ok(Value::from(number as u64)),
        None => Err(record.error(name, "invalid_amount", "is not a whole number from 1 on")),
    }
}

fn listed(record: &Record, name: &str) -> Result<Vec<Value>, RowError> {
    let wrong = |message: &str| record.error(Some(name), "wrong_type", message);
    match record.json(name)? {
        None => Ok(Vec::new()),
        Some(Value::Array(lines)) if lines.len() > MAX_LINES => {
            Err(record.error(Some(name), "too_large", format!("has more than the {MAX_LINES} lines of an order")))
        }
        Some(Value::Array(lines)) => lines
            .into_iter()
            .map(|line| match line {
                Value::Object(line) if line.contains_key("item") => Ok(renamed(line)),
                _ => Err(wrong("holds a line that is no object with an `item`")),
            })
            .collect(),
        Some(_) => Err(wrong("is not a list of lines")),
    }
}

/// `item` as the Segment spec calls it.
fn renamed(mut line: Map<String, Value>) -> Value {
    if let Some(item) = line.remove("item") {
        line.insert("product_id".into(), item);
    }
    line.retain(|_, value| !value.is_null());
    Value::Object(line)
}
