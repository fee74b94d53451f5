//! An item as the API takes it: a strict object, every mistake named by its JSON pointer.

use super::{FieldError, hint, time};
use crate::domain::{Currency, Item, ItemId, ItemKind, Money, Timestamp};
use serde_json::{Map, Value};

const FIELDS: [&str; 9] =
    ["item_id", "kind", "name", "category", "description", "price", "currency", "attributes", "time"];
/// The longest name or category, in bytes; a description may have thirty-two times that.
const MAX_NAME_BYTES: usize = 1024;

/// Reads `{item_id, kind?, name?, category?, description?, price?, currency?, attributes?, time?}`; `null` is as good as
/// absent. Without `time` it is `now`.
///
/// # Errors
/// All that is wrong: unknown fields, wrong types, missing and invalid values.
pub fn parse_item(value: &Value, now: Timestamp) -> Result<Item, Vec<FieldError>> {
    let Some(object) = value.as_object() else {
        return Err(vec![error("", "not_an_object", "an item is a JSON object".into())]);
    };
    let mut fields = Fields { object, errors: unknown_fields(object) };
    let id = fields.read("item_id", item_id);
    let kind = fields.read("kind", kind);
    let name = fields.read("name", |value| text(value, MAX_NAME_BYTES));
    let category = fields.read("category", |value| text(value, MAX_NAME_BYTES));
    let description = fields.read("description", |value| text(value, 32 * MAX_NAME_BYTES));
    let currency = fields.read("currency", currency).flatten();
    let price = fields.read("price", |value| price(value, currency));
    let attributes = fields.read("attributes", attributes);
    let time = fields.read("time", moment);
    match (id, fields.errors) {
        (Some(id), errors) if errors.is_empty() => Ok(Item {
            id,
            kind: kind.flatten().unwrap_or_default(),
            name: name.flatten(),
            category: category.flatten(),
            description: description.flatten(),
            price_minor: price.flatten(),
            currency,
            attributes: attributes.flatten().unwrap_or_default(),
            time: time.flatten().unwrap_or(now),
        }),
        (_, errors) => Err(errors),
    }
}

type Wrong = (&'static str, String);

struct Fields<'a> {
    object: &'a Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields<'_> {
    fn read<T>(&mut self, name: &str, read: impl FnOnce(Option<&Value>) -> Result<T, Wrong>) -> Option<T> {
        let value = self.object.get(name).filter(|value| !value.is_null());
        read(value).map_err(|(code, message)| self.errors.push(error(&format!("/{name}"), code, message))).ok()
    }
}

fn item_id(value: Option<&Value>) -> Result<ItemId, Wrong> {
    let text = match value {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        None | Some(Value::String(_)) => return Err(("missing_field", "is missing or empty".into())),
        Some(_) => return Err(("wrong_type", "is neither a string nor a whole number".into())),
    };
    ItemId::parse(&text).map_err(|invalid| ("invalid_id", invalid.why))
}

fn kind(value: Option<&Value>) -> Result<Option<ItemKind>, Wrong> {
    let Some(value) = value else { return Ok(None) };
    serde_json::from_value(value.clone())
        .map(Some)
        .map_err(|_| ("wrong_type", "is neither \"product\" nor \"course\"".into()))
}

fn text(value: Option<&Value>, max_bytes: usize) -> Result<Option<String>, Wrong> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= max_bytes => {
            Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
        }
        Some(Value::String(text)) => {
            Err(("too_large", format!("has {} bytes; at most {max_bytes} are taken", text.len())))
        }
        Some(_) => Err(("wrong_type", "is not a string".into())),
    }
}

fn currency(value: Option<&Value>) -> Result<Option<Currency>, Wrong> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => {
            Currency::parse(text).map(Some).map_err(|invalid| ("invalid_currency", invalid.why))
        }
        Some(_) => Err(("wrong_type", "is not a string".into())),
    }
}

fn price(value: Option<&Value>, currency: Option<Currency>) -> Result<Option<i64>, Wrong> {
    let text = match value {
        None => return Ok(None),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(_) => return Err(("wrong_type", "is not a number".into())),
    };
    let money = Money::parse(&text, currency).map_err(|invalid| ("invalid_amount", invalid.why))?;
    if money.minor < 0 {
        return Err(("invalid_amount", "is negative".into()));
    }
    Ok(Some(money.minor))
}

fn attributes(value: Option<&Value>) -> Result<Option<Map<String, Value>>, Wrong> {
    match value {
        None => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map.clone())),
        Some(_) => Err(("wrong_type", "is not an object".into())),
    }
}

fn moment(value: Option<&Value>) -> Result<Option<Timestamp>, Wrong> {
    let text = match value {
        None => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(("wrong_type", "is neither a string nor a number".into())),
    };
    time::parse(&text).map(Some).ok_or_else(|| ("invalid_time", time::TAKEN.into()))
}

fn unknown_fields(object: &Map<String, Value>) -> Vec<FieldError> {
    let unknown = object.keys().filter(|key| !FIELDS.contains(&key.as_str()));
    unknown
        .map(|key| {
            let guess = hint::nearest(key, FIELDS).map(|name| format!("; is it {name:?}?")).unwrap_or_default();
            let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
            error(&pointer, "unknown_field", format!("is no field of an item{guess}; put it into attributes"))
        })
        .collect()
}

fn error(pointer: &str, code: &'static str, message: String) -> FieldError {
    FieldError { pointer: pointer.to_owned(), code, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_full_item_is_read_and_the_least_is_an_id() {
        let value = json!({
            "item_id": "k1", "kind": "course", "name": " Rust ", "category": "code", "price": "19.90", "currency": "eur",
            "attributes": {"level": 2}, "time": "2026-01-31",
        });
        let item = parse_item(&value, NOW).unwrap();
        assert_eq!((item.id.as_str(), item.kind, item.name.as_deref()), ("k1", ItemKind::Course, Some("Rust")));
        assert_eq!((item.price_minor, &item.attributes["level"]), (Some(1990), &json!(2)));
        let least = parse_item(&json!({"item_id": 5, "name": null}), NOW).unwrap();
        assert_eq!((least.id.as_str(), least.kind, least.time), ("5", ItemKind::Product, NOW));
    }

    #[test]
    fn bad_items_are_refused_by_name() {
        for (value, pointer, code) in [
            (json!([]), "", "not_an_object"),
            (json!({}), "/item_id", "missing_field"),
            (json!({"item_id": ""}), "/item_id", "missing_field"),
            (json!({"item_id": {}}), "/item_id", "wrong_type"),
            (json!({"item_id": "a\n"}), "/item_id", "invalid_id"),
            (json!({"item_id": "a", "kind": "service"}), "/kind", "wrong_type"),
            (json!({"item_id": "a", "name": 1}), "/name", "wrong_type"),
            (json!({"item_id": "a", "name": "x".repeat(1025)}), "/name", "too_large"),
            (json!({"item_id": "a", "price": -1}), "/price", "invalid_amount"),
            (json!({"item_id": "a", "price": "cheap"}), "/price", "invalid_amount"),
            (json!({"item_id": "a", "price": true}), "/price", "wrong_type"),
            (json!({"item_id": "a", "currency": "euro"}), "/currency", "invalid_currency"),
            (json!({"item_id": "a", "currency": 1}), "/currency", "wrong_type"),
            (json!({"item_id": "a", "attributes": []}), "/attributes", "wrong_type"),
            (json!({"item_id": "a", "time": "soon"}), "/time", "invalid_time"),
            (json!({"item_id": "a", "colour": "red"}), "/colour", "unknown_field"),
        ] {
            let errors = parse_item(&value, NOW).unwrap_err();
            assert_eq!(errors.len(), 1, "{value}: {errors:?}");
            assert_eq!((errors[0].pointer.as_str(), errors[0].code), (pointer, code), "{value}");
        }
    }
}
