//! The fields of a call, each read with an error that points at it.

use crate::domain::{CustomerId, EventId, GroupId, Who};
use crate::ingest::FieldError;
use serde_json::{Map, Value};
use std::io;

/// The longest `messageId`, in characters.
pub const MAX_MESSAGE_ID_CHARS: usize = 100;
/// The longest event name, in bytes.
const MAX_EVENT_NAME_BYTES: usize = 256;

/// Whom the call is about: `userId`, `anonymousId`, or both.
pub(super) fn who(call: &Map<String, Value>) -> Result<Who, FieldError> {
    match (customer(call, "userId")?, customer(call, "anonymousId")?) {
        (Some(id), also) => Ok(Who { also: also.filter(|also| *also != id), id, is_anonymous: false }),
        (None, Some(id)) => Ok(Who::anonymous(id)),
        (None, None) => Err(error("/userId", "missing_field", "is missing; a call names a userId or an anonymousId")),
    }
}

/// An id under this name, which has to be there.
pub(super) fn required_customer(call: &Map<String, Value>, name: &str) -> Result<CustomerId, FieldError> {
    customer(call, name)?.ok_or_else(|| error(&format!("/{name}"), "missing_field", "is missing or empty"))
}

pub(super) fn group_id(call: &Map<String, Value>) -> Result<GroupId, FieldError> {
    let text = id_text(call, "groupId")?.ok_or_else(|| error("/groupId", "missing_field", "is missing or empty"))?;
    GroupId::parse(&text).map_err(|why| error("/groupId", "invalid_id", &why.why))
}

fn customer(call: &Map<String, Value>, name: &str) -> Result<Option<CustomerId>, FieldError> {
    let Some(text) = id_text(call, name)? else { return Ok(None) };
    CustomerId::parse(&text).map(Some).map_err(|why| error(&format!("/{name}"), "invalid_id", &why.why))
}

/// A string, or a whole number as some clients send it; nothing for one that is absent or empty, as those clients send too.
fn id_text(call: &Map<String, Value>, name: &str) -> Result<Option<String>, FieldError> {
    match call.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(Value::Number(number)) if !number.is_f64() => Ok(Some(number.to_string())),
        Some(_) => Err(error(&format!("/{name}"), "wrong_type", "is neither a string nor a whole number")),
    }
}

pub(super) fn event_name(call: &Map<String, Value>) -> Result<String, FieldError> {
    let name = string(call, "event")?.filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| error("/event", "missing_field", "is missing or empty"))?;
    checked_name("/event", name)
}

/// The name of a page or screen: its own, else its category's, else the call's.
pub(super) fn page_name(call: &Map<String, Value>, otherwise: &str) -> Result<String, FieldError> {
    for field in ["name", "category"] {
        if let Some(name) = string(call, field)?.filter(|name| !name.trim().is_empty()) {
            return checked_name(&format!("/{field}"), name);
        }
    }
    Ok(otherwise.to_owned())
}

fn checked_name(pointer: &str, name: &str) -> Result<String, FieldError> {
    if name.len() > MAX_EVENT_NAME_BYTES {
        return Err(error(pointer, "invalid_name", "has more than 256 bytes"));
    }
    if name.chars().any(char::is_control) {
        return Err(error(pointer, "invalid_name", "holds a control character"));
    }
    Ok(name.to_owned())
}

pub(super) fn message_id(call: &Map<String, Value>) -> Result<Option<EventId>, FieldError> {
    let Some(text) = string(call, "messageId")?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let n_chars = text.chars().count();
    if n_chars > MAX_MESSAGE_ID_CHARS {
        let why = format!("has {n_chars} characters; at most {MAX_MESSAGE_ID_CHARS} are allowed");
        return Err(error("/messageId", "invalid_id", &why));
    }
    EventId::parse(text).map(Some).map_err(|why| error("/messageId", "invalid_id", &why.why))
}

pub(super) fn string<'a>(call: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, FieldError> {
    match call.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(error(&format!("/{name}"), "wrong_type", "is not a string")),
    }
}

pub(super) fn object(call: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, FieldError> {
    match call.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(_) => Err(error(&format!("/{name}"), "wrong_type", "is not an object")),
    }
}

pub(super) fn error(pointer: &str, code: &'static str, message: &str) -> FieldError {
    FieldError { pointer: pointer.to_owned(), code, message: message.to_owned() }
}

pub(super) fn keep<T>(errors: &mut Vec<FieldError>, parsed: Result<T, FieldError>) -> Option<T> {
    parsed.map_err(|error| errors.push(error)).ok()
}

/// Length of the value as compact JSON, without writing it anywhere.
pub(super) fn compact_bytes(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("a JSON value always serialises, and counting never fails");
    count.0
}
