//! Rows told as calls of the Segment spec: events, customers, and calls as they are.

use super::super::occurrence::{Occurrences, canonical};
use super::super::record::{Record, Takes};
use super::super::segment_spec::{Arrival, parse_telling};
use super::super::{Mapping, Reading, RowError};
use super::and_more;
use crate::domain::{ConsentSource, Fact, Preferences, Purpose, Telling};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a row may say, as the call it is told as. No client has to send it in one piece, so it may be more than the API takes.
const MAX_ROW_BYTES: usize = 1024 * 1024;

/// Reads a call that a record was made into, or is. Its mistakes are told by the column that the part came from.
pub(super) fn told(
    call: &Value,
    record: &Record,
    mapping: Option<&Mapping>,
    reading: &Reading,
) -> Result<Telling, RowError> {
    let arrival = Arrival { max_bytes: MAX_ROW_BYTES, ..Arrival::plain(&reading.vocabulary, reading.now) };
    parse_telling(call, arrival).map_err(|errors| {
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
) -> Result<Telling, RowError> {
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
) -> Result<Telling, RowError> {
    let time = field(record, mapping.time.as_ref(), Takes::Numbers)?;
    let used = used(&[
        &mapping.customer,
        &mapping.time,
        &mapping.consent_analytics,
        &mapping.consent_marketing,
        &mapping.consent_profiling,
    ]);
    let traits: Map<String, Value> = record.rest(&used)?;
    let by_purpose = consents(record, mapping)?;
    let id = match &mapping.customer {
        Some(_) => field(record, mapping.customer.as_ref(), Takes::WholeNumbers)?,
        None => {
            let id = occurrences.id("c_", &[time.as_deref().unwrap_or_default(), &canonical(&traits)]);
            Some(id.ok_or_else(|| too_many(record))?)
        }
    };
    let call = json!({"type": "identify", "userId": id, "timestamp": time, "traits": traits});
    let mut telling = told(&call, record, Some(mapping), reading)?;
    if let Fact::Identify(identify) = &telling.fact
        && !by_purpose.is_empty()
    {
        let source = ConsentSource::parse("import").expect("a word is a source");
        let (who, time) = (identify.who.clone(), identify.time);
        telling.preferences = Some(Preferences { who, by_category: Vec::new(), by_purpose, source, time });
    }
    Ok(telling)
}

const GRANTED: [&str; 5] = ["true", "yes", "y", "1", "granted"];
const WITHDRAWN: [&str; 6] = ["false", "no", "n", "0", "withdrawn", "withheld"];

/// What the columns of consent say; an empty cell says nothing.
fn consents(record: &Record, mapping: &Mapping) -> Result<BTreeMap<Purpose, bool>, RowError> {
    let columns = [
        (Purpose::Analytics, &mapping.consent_analytics),
        (Purpose::Marketing, &mapping.consent_marketing),
        (Purpose::Profiling, &mapping.consent_profiling),
    ];
    let mut said = BTreeMap::new();
    for (purpose, column) in columns {
        let Some(column) = column else { continue };
        let word = match record.json(column) {
            Ok(Some(Value::Bool(is_granted))) => is_granted.to_string(),
            _ => record.trimmed(column, Takes::Numbers)?.unwrap_or_default().to_ascii_lowercase(),
        };
        let is = |words: &[&str]| words.contains(&word.as_str());
        match word.as_str() {
            "" => {}
            _ if is(&GRANTED) => drop(said.insert(purpose, true)),
            _ if is(&WITHDRAWN) => drop(said.insert(purpose, false)),
            _ => {
                let why = "is neither a yes nor a no; write true or false, or leave the cell empty";
                return Err(record.error(Some(column), "invalid_consent", why));
            }
        }
    }
    Ok(said)
}
