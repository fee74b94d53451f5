//! Rows told as calls of the Segment spec: events, customers, and calls as they are.

use super::super::occurrence::{Occurrences, canonical};
use super::super::record::{Record, Takes};
use super::super::segment_spec::{Arrival, parse_call};
use super::super::{Mapping, Reading, RowError};
use super::and_more;
use crate::domain::Fact;
use serde_json::{Map, Value, json};

/// What a row may say, as the call it is told as. No client has to send it in one piece, so it may be more than the API takes.
const MAX_ROW_BYTES: usize = 1024 * 1024;

/// Reads a call that a record was made into, or is. Its mistakes are told by the column that the part came from.
pub(super) fn told(
    call: &Value,
    record: &Record,
    mapping: Option<&Mapping>,
    reading: &Reading,
) -> Result<Fact, RowError> {
    let arrival = Arrival { max_bytes: MAX_ROW_BYTES, ..Arrival::plain(&reading.vocabulary, reading.now) };
    parse_call(call, arrival).map_err(|errors| {
        let n_more = errors.len().saturating_sub(1);
        let first = errors.into_iter().next().map(|error| (error.pointer, error.code, error.message));
        let (pointer, code, message) = first.unwrap_or_default();
        let column = match mapping {
            None => Some(pointer.as_str()).filter(|pointer| !pointer.is_empty()),
            Some(mapping) => column(mapping, &pointer),
        };
        record.error(column, code, and_more(message, n_more))
    })
}

fn column<'a>(mapping: &'a Mapping, pointer: &str) -> Option<&'a str> {
    match pointer {
        "/userId" => mapping.customer.as_deref(),
        "/event" => mapping.event.as_deref(),
        "/timestamp" => mapping.time.as_deref(),
        "/messageId" => mapping.id.as_deref(),
        _ => None,
    }
}

/// A mapped field without white space around it.
pub(super) fn field(record: &Record, name: Option<&String>, takes: Takes) -> Result<Option<String>, RowError> {
    let Some(name) = name else { return Ok(None) };
    Ok(record.trimmed(name, takes)?.map(std::borrow::Cow::into_owned))
}

/// The columns that have a role of their own.
pub(super) fn used<'a>(names: &[&'a Option<String>]) -> Vec<&'a str> {
    names.iter().filter_map(|name| name.as_deref()).collect()
}

fn too_many(record: &Record) -> RowError {
    record.error(
        None,
        "too_many",
        "is beyond the 14 million rows that are told apart without an id; map one, or split the file",
    )
}

/// A row as a `track` call. What has no role is a property.
pub(super) fn event(
    record: &Record,
    mapping: &Mapping,
    occurrences: &mut Occurrences,
    reading: &Reading,
) -> Result<Fact, RowError> {
    let customer = field(record, mapping.customer.as_ref(), Takes::WholeNumbers)?;
    let name = field(record, mapping.event.as_ref(), Takes::Numbers)?.or_else(|| mapping.event_name.clone());
    let time = field(record, mapping.time.as_ref(), Takes::Numbers)?;
    let properties = record.rest(&used(&[&mapping.customer, &mapping.event, &mapping.time, &mapping.id]))?;
    let id = match field(record, mapping.id.as_ref(), Takes::WholeNumbers)? {
        Some(id) => Some(id),
        // Where there is a column of ids, an empty cell is a mistake.
        None if mapping.id.is_some() => None,
        None => {
            let parts = [&customer, &name, &time].map(|part| part.as_deref().unwrap_or_default());
            let content = canonical(&properties);
            let id = occurrences.id("e_", &[parts[0], parts[1], parts[2], &content]);
            Some(id.ok_or_else(|| too_many(record))?)
        }
    };
    let call = json!({"type": "track", "userId": customer, "event": name, "timestamp": time, "messageId": id,
        "properties": properties});
    told(&call, record, Some(mapping), reading)
}

/// A row as an `identify` call. What has no role is a trait.
pub(super) fn customer(
    record: &Record,
    mapping: &Mapping,
    occurrences: &mut Occurrences,
    reading: &Reading,
) -> Result<Fact, RowError> {
    let time = field(record, mapping.time.as_ref(), Takes::Numbers)?;
    let traits: Map<String, Value> = record.rest(&used(&[&mapping.customer, &mapping.time]))?;
    let id = match &mapping.customer {
        Some(_) => field(record, mapping.customer.as_ref(), Takes::WholeNumbers)?,
        None => {
            let id = occurrences.id("c_", &[time.as_deref().unwrap_or_default(), &canonical(&traits)]);
            Some(id.ok_or_else(|| too_many(record))?)
        }
    };
    let call = json!({"type": "identify", "userId": id, "timestamp": time, "traits": traits});
    told(&call, record, Some(mapping), reading)
}
