//! An entry of the catalogue a row: told as the API takes it, so that both mean the same.

use super::super::amount;
use super::super::item_json::parse_item;
use super::super::occurrence::content_id;
use super::super::record::{Record, Takes};
use super::super::{Mapping, Reading, RowError};
use super::calls::{field, used};
use super::{and_more, column_of};
use crate::domain::Fact;
use serde_json::{Map, Value};

/// What has no role is an attribute, and so is a price that is no amount (`on request`, a range): catalogues are full of them.
pub(super) fn item(record: &Record, mapping: &Mapping, reading: &Reading) -> Result<Fact, RowError> {
    let text = |name: &Option<String>, takes| field(record, name.as_ref(), takes);
    let name = text(&mapping.name, Takes::Numbers)?;
    let category = text(&mapping.category, Takes::Numbers)?;
    let given = text(&mapping.price, Takes::Numbers)?;
    let price = given.as_deref().and_then(amount::plain);
    let currency = text(&mapping.currency, Takes::Text)?;
    let currency = amount::currency(currency.as_deref(), mapping.currency_code.as_deref())
        .map_err(|why| record.error(mapping.currency.as_deref(), "invalid_currency", why))?;
    let roles = [
        &mapping.id,
        &mapping.name,
        &mapping.category,
        &mapping.description,
        &mapping.price,
        &mapping.currency,
        &mapping.time,
    ];
    let mut attributes = record.rest(&used(&roles))?;
    if let (Some(column), Some(given), None) = (&mapping.price, &given, &price) {
        attributes.insert(column.clone(), Value::from(given.as_str()));
    }
    let id = match &mapping.id {
        Some(_) => text(&mapping.id, Takes::WholeNumbers)?,
        // The same name in the same category is the same item, whatever it costs today.
        None => name.as_ref().map(|name| content_id("i_", &[name, category.as_deref().unwrap_or_default()])),
    };
    let parts = [
        ("item_id", id),
        ("name", name),
        ("category", category),
        ("description", text(&mapping.description, Takes::Text)?),
        ("price", price),
        ("currency", currency),
        ("time", text(&mapping.time, Takes::Numbers)?),
    ];
    let mut object: Map<String, Value> =
        parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), Value::from(part?)))).collect();
    object.insert("attributes".into(), Value::Object(attributes));
    parse_item(&Value::Object(object), reading.now).map(Fact::Item).map_err(|errors| {
        let n_more = errors.len().saturating_sub(1);
        let first = errors.into_iter().next().map(|error| (error.pointer, error.code, error.message));
        let (pointer, code, message) = first.unwrap_or_default();
        let role = pointer.trim_start_matches('/');
        let role = if role != "item_id" {
            role
        } else if mapping.id.is_some() {
            "id"
        } else {
            "name"
        };
        record.error(column_of(mapping, role), code, and_more(message, n_more))
    })
}
