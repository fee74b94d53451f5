//! Calls of Segment's tracking spec (<https://segment.com/docs/connections/spec/>): what a shop's clients send already.
//!
//! `identify` and `track` are read. Fields beyond those used (`context`, `integrations`, …) are let pass, as clients send
//! them with every call; a used field of the wrong type is an error.

use super::{FieldError, time};
use crate::domain::{CustomerId, Event, EventId, Fact, Identify, Timestamp};
use serde_json::{Map, Value};
use std::io;

/// The largest call, in bytes of compact JSON.
pub const MAX_CALL_BYTES: usize = 32 * 1024;
/// The longest `messageId`, in characters.
pub const MAX_MESSAGE_ID_CHARS: usize = 100;
/// The longest event name, in bytes.
const MAX_EVENT_NAME_BYTES: usize = 256;

/// Reads one call. `received_at` is the time of a call that gives no `timestamp`.
///
/// # Errors
/// All that is wrong with it. A call of another type is `unsupported_call`.
pub fn parse_call(call: &Value, received_at: Timestamp) -> Result<Fact, Vec<FieldError>> {
    let object = call.as_object().ok_or_else(|| vec![error("", "not_an_object", "a call is a JSON object")])?;
    if compact_bytes(call) > MAX_CALL_BYTES {
        return Err(vec![error("", "too_large", "the call is over 32 KB; send less with it")]);
    }
    match object.get("type") {
        None | Some(Value::Null) => Err(vec![error("/type", "missing_field", "is missing; it is identify or track")]),
        Some(Value::String(kind)) if kind == "identify" => identify(object, received_at),
        Some(Value::String(kind)) if kind == "track" => track(object, received_at),
        Some(Value::String(_)) => {
            Err(vec![error("/type", "unsupported_call", "is a call that is not supported yet; identify and track are")])
        }
        Some(_) => Err(vec![error("/type", "wrong_type", "is not a string")]),
    }
}

fn identify(call: &Map<String, Value>, received_at: Timestamp) -> Result<Fact, Vec<FieldError>> {
    let mut errors = Vec::new();
    let customer = keep(&mut errors, user_id(call));
    let traits = keep(&mut errors, object(call, "traits"));
    let time = keep(&mut errors, timestamp(call, received_at));
    keep(&mut errors, message_id(call));
    match (customer, traits, time) {
        (Some(customer), Some(traits), Some(time)) if errors.is_empty() => {
            Ok(Fact::Identify(Identify { customer, traits, time }))
        }
        _ => Err(errors),
    }
}

fn track(call: &Map<String, Value>, received_at: Timestamp) -> Result<Fact, Vec<FieldError>> {
    let mut errors = Vec::new();
    let customer = keep(&mut errors, user_id(call));
    let name = keep(&mut errors, event_name(call));
    let properties = keep(&mut errors, object(call, "properties"));
    let time = keep(&mut errors, timestamp(call, received_at));
    let id = message_id(call).and_then(|id| {
        id.ok_or_else(|| {
            error("/messageId", "missing_field", "is missing; a track call is told from its repetition by it")
        })
    });
    match (keep(&mut errors, id), customer, name, properties, time) {
        (Some(id), Some(customer), Some(name), Some(properties), Some(time)) => {
            Ok(Fact::Event(Event { id, customer, name, time, properties }))
        }
        _ => Err(errors),
    }
}

/// A string, or a whole number as some clients send it.
fn user_id(call: &Map<String, Value>) -> Result<CustomerId, FieldError> {
    let text = match call.get("userId") {
        None | Some(Value::Null) => {
            let why = match call.get("anonymousId") {
                Some(Value::String(_)) => "is missing; calls with an anonymousId alone are not supported yet",
                _ => "is missing",
            };
            return Err(error("/userId", "missing_field", why));
        }
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        Some(_) => return Err(error("/userId", "wrong_type", "is neither a string nor a whole number")),
    };
    if text.is_empty() {
        return Err(error("/userId", "missing_field", "is empty"));
    }
    CustomerId::parse(&text).map_err(|why| error("/userId", "invalid_id", &why.why))
}

fn event_name(call: &Map<String, Value>) -> Result<String, FieldError> {
    let name = string(call, "event")?.filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| error("/event", "missing_field", "is missing or empty"))?;
    if name.len() > MAX_EVENT_NAME_BYTES {
        return Err(error("/event", "invalid_name", "has more than 256 bytes"));
    }
    if name.chars().any(char::is_control) {
        return Err(error("/event", "invalid_name", "holds a control character"));
    }
    Ok(name.to_owned())
}

fn message_id(call: &Map<String, Value>) -> Result<Option<EventId>, FieldError> {
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

fn timestamp(call: &Map<String, Value>, received_at: Timestamp) -> Result<Timestamp, FieldError> {
    match string(call, "timestamp")? {
        None | Some("") => Ok(received_at),
        Some(text) => time::parse(text).ok_or_else(|| error("/timestamp", "invalid_time", time::TAKEN)),
    }
}

fn string<'a>(call: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, FieldError> {
    match call.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(error(&format!("/{name}"), "wrong_type", "is not a string")),
    }
}

fn object(call: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, FieldError> {
    match call.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(_) => Err(error(&format!("/{name}"), "wrong_type", "is not an object")),
    }
}

fn error(pointer: &str, code: &'static str, message: &str) -> FieldError {
    FieldError { pointer: pointer.to_owned(), code, message: message.to_owned() }
}

fn keep<T>(errors: &mut Vec<FieldError>, parsed: Result<T, FieldError>) -> Option<T> {
    parsed.map_err(|error| errors.push(error)).ok()
}

/// Length of the value as compact JSON, without writing it anywhere.
fn compact_bytes(value: &Value) -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn identify_and_track_are_read_with_whatever_else_clients_send() {
        let call = json!({
            "type": "identify", "userId": "c1", "traits": {"country": "NZ"}, "timestamp": "2026-01-31T09:30:00.000Z",
            "context": {"library": {"name": "analytics.js"}}, "integrations": {"All": true},
        });
        let Fact::Identify(identify) = parse_call(&call, NOW).unwrap() else { panic!("an identify is an identify") };
        assert_eq!((identify.customer.as_str(), &identify.traits["country"]), ("c1", &json!("NZ")));

        let call = json!({"type": "track", "userId": 17, "event": "Order Completed", "messageId": "m1", "properties": {"total": 9.5}});
        let Fact::Event(event) = parse_call(&call, NOW).unwrap() else { panic!("a track is an event") };
        assert_eq!((event.customer.as_str(), event.name.as_str(), event.id.as_str()), ("17", "Order Completed", "m1"));
        assert_eq!((event.time, &event.properties["total"]), (NOW, &json!(9.5)));
    }

    #[test]
    fn bad_calls_are_refused_by_name() {
        let track = |name: &str, value: Value| {
            let mut call = json!({"type": "track", "userId": "c", "event": "e", "messageId": "m"});
            call[name] = value;
            call
        };
        for (call, pointer, code, why) in [
            (json!("track"), "", "not_an_object", "a call is an object"),
            (json!({}), "/type", "missing_field", "without a type nothing is known"),
            (track("type", json!(1)), "/type", "wrong_type", "a type is a string"),
            (track("type", json!("group")), "/type", "unsupported_call", "groups come later"),
            (track("type", json!("purchase")), "/type", "unsupported_call", "the spec has no such call"),
            (track("userId", json!(null)), "/userId", "missing_field", "somebody did it"),
            (track("userId", json!(1.5)), "/userId", "wrong_type", "half a number is no id"),
            (track("userId", json!("")), "/userId", "missing_field", "an empty id is none"),
            (track("userId", json!("a\nb")), "/userId", "invalid_id", "ids hold no line ends"),
            (track("event", json!(null)), "/event", "missing_field", "something happened"),
            (track("event", json!(" ")), "/event", "missing_field", "a blank name is none"),
            (track("event", json!(["e"])), "/event", "wrong_type", "a name is a string"),
            (track("event", json!("e".repeat(257))), "/event", "invalid_name", "names have a limit"),
            (track("event", json!("a\u{0}")), "/event", "invalid_name", "names hold no control characters"),
            (track("properties", json!([])), "/properties", "wrong_type", "properties are an object"),
            (track("messageId", json!(null)), "/messageId", "missing_field", "repetitions must be told"),
            (track("messageId", json!(5)), "/messageId", "wrong_type", "an id is a string"),
            (track("messageId", json!("m".repeat(101))), "/messageId", "invalid_id", "at most 100 characters"),
            (track("timestamp", json!("yesterday")), "/timestamp", "invalid_time", "which day is that?"),
            (track("timestamp", json!(1_769_851_800)), "/timestamp", "wrong_type", "the spec has text here"),
            (track("properties", json!({"x": "y".repeat(32 * 1024)})), "", "too_large", "a call has a limit"),
            (
                json!({"type": "identify", "userId": "c", "traits": "x"}),
                "/traits",
                "wrong_type",
                "traits are an object",
            ),
            (json!({"type": "identify", "anonymousId": "a"}), "/userId", "missing_field", "anonymous calls come later"),
            (
                json!({"type": "identify", "userId": "c", "messageId": 1}),
                "/messageId",
                "wrong_type",
                "an id is a string",
            ),
        ] {
            let errors = parse_call(&call, NOW).unwrap_err();
            assert_eq!(errors.len(), 1, "{why}: {errors:?}");
            assert_eq!((errors[0].pointer.as_str(), errors[0].code), (pointer, code), "{why}");
        }
    }

    #[test]
    fn a_message_id_of_100_characters_of_any_script_is_taken_if_its_bytes_fit() {
        let call = json!({"type": "track", "userId": "c", "event": "e", "messageId": "é".repeat(100)});
        assert!(parse_call(&call, NOW).is_ok());
    }

    proptest! {
        #[test]
        fn any_json_is_read_or_refused(text in "[\\[\\]{}\",:0-9a-zI ]{0,60}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = parse_call(&value, NOW);
            }
        }

        #[test]
        fn a_call_is_measured_as_it_would_be_written(text in ".{0,40}", number in any::<f64>()) {
            let value = json!({"a": text, "b": [number, null, {"c": "é\n"}]});
            prop_assert_eq!(compact_bytes(&value), value.to_string().len());
        }
    }
}
