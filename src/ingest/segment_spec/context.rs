//! What of a call's `context` is worth keeping: where a customer came from and on what. Addresses, agents and device ids are not.

use super::fields::error;
use crate::ingest::FieldError;
use serde_json::{Map, Value};

/// The property of an event that it is kept under.
pub const PROPERTY: &str = "$context";

/// Paths that are kept.
const KEPT: [&[&str]; 9] = [
    &["campaign"],
    &["channel"],
    &["locale"],
    &["timezone"],
    &["device", "type"],
    &["os", "name"],
    &["app", "name"],
    &["app", "version"],
    &["page", "path"],
];

/// The part of the call's context, filled up from the batch's, that is kept; nothing when there is none of it.
pub(super) fn kept(own: &Map<String, Value>, of_batch: Option<&Map<String, Value>>) -> Option<Value> {
    let mut kept = Map::new();
    for path in KEPT {
        let value = lookup(own, path).or_else(|| of_batch.and_then(|batch| lookup(batch, path)));
        if let Some(value) = value {
            insert(&mut kept, path, value.clone());
        }
    }
    (!kept.is_empty()).then_some(Value::Object(kept))
}

/// Where Segment's clients say what the user allows (<https://segment.com/docs/privacy/consent-management/consent-in-segment-connections/>):
/// categories of the operator's own, and whether each is allowed. What the call says stands before what the batch says.
pub fn preferences(
    own: Option<&Map<String, Value>>,
    of_batch: Option<&Map<String, Value>>,
) -> Result<Vec<(String, bool)>, FieldError> {
    const PATH: [&str; 2] = ["consent", "categoryPreferences"];
    const POINTER: &str = "/context/consent/categoryPreferences";
    let said = own.and_then(|own| lookup(own, &PATH)).or_else(|| of_batch.and_then(|batch| lookup(batch, &PATH)));
    let Some(said) = said else { return Ok(Vec::new()) };
    let said = said.as_object().ok_or_else(|| error(POINTER, "wrong_type", "is not an object of categories"))?;
    let one = |(category, allowed): (&String, &Value)| match allowed {
        Value::Bool(allowed) => Ok((category.clone(), *allowed)),
        _ => Err(error(POINTER, "wrong_type", "has a category that is neither true nor false")),
    };
    said.iter().map(one).collect()
}

fn lookup<'a>(context: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = context.get(*first)?;
    let found = rest.iter().try_fold(value, |value, name| value.get(name))?;
    (!found.is_null()).then_some(found)
}

fn insert(into: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [last] => drop(into.insert((*last).to_owned(), value)),
        [first, rest @ ..] => {
            let inner = into.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
