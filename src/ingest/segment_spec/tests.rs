//! What is read of calls, what is refused, and how clocks are set right.

use super::fields::compact_bytes;
use super::*;
use proptest::prelude::*;
use serde_json::json;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn read(call: &Value) -> Result<Fact, Vec<FieldError>> {
    parse_call(call, Arrival::plain(&Vocabulary::standard(), NOW))
}

#[test]
fn identify_and_track_are_read_with_whatever_else_clients_send() {
    let call = json!({
        "type": "identify", "userId": "c1", "traits": {"country": "NZ"}, "timestamp": "2026-01-31T09:30:00.000Z",
        "context": {"library": {"name": "analytics.js"}}, "integrations": {"All": true},
    });
    let Fact::Identify(identify) = read(&call).unwrap() else { panic!("an identify is an identify") };
    assert_eq!((identify.who.id.as_str(), &identify.traits["country"]), ("c1", &json!("NZ")));

    let call = json!({"type": "track", "userId": 17, "event": "Order Completed", "messageId": "m1", "properties": {"total": 9.5}});
    let Fact::Event(event) = read(&call).unwrap() else { panic!("a track is an event") };
    assert_eq!((event.who.id.as_str(), event.name.as_str(), event.id.as_str()), ("17", "Order Completed", "m1"));
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
        (track("messageId", json!(5)), "/messageId", "wrong_type", "an id is a string"),
        (track("messageId", json!("m".repeat(101))), "/messageId", "invalid_id", "at most 100 characters"),
        (track("timestamp", json!("yesterday")), "/timestamp", "invalid_time", "which day is that?"),
        (track("timestamp", json!(1_769_851_800)), "/timestamp", "wrong_type", "the spec has text here"),
        (track("properties", json!({"x": "y".repeat(32 * 1024)})), "", "too_large", "a call has a limit"),
        (json!({"type": "identify", "userId": "c", "traits": "x"}), "/traits", "wrong_type", "traits are an object"),
        (json!({"type": "identify"}), "/userId", "missing_field", "somebody is meant"),
        (
            json!({"type": "track", "event": "e", "anonymousId": true}),
            "/anonymousId",
            "wrong_type",
            "an id is a string",
        ),
        (json!({"type": "alias", "userId": "c"}), "/previousId", "missing_field", "an alias ties two ids"),
        (json!({"type": "alias", "previousId": "c"}), "/userId", "missing_field", "an alias ties two ids"),
        (json!({"type": "group", "userId": "c"}), "/groupId", "missing_field", "a group has an id"),
        (json!({"type": "group", "userId": "c", "groupId": "g", "traits": 1}), "/traits", "wrong_type", "an object"),
        (json!({"type": "page", "userId": "c", "name": 3}), "/name", "wrong_type", "a name is a string"),
        (track("sentAt", json!("now")), "/sentAt", "invalid_time", "when is now?"),
        (track("context", json!("mobile")), "/context", "wrong_type", "the context is an object"),
        (json!({"type": "identify", "userId": "c", "messageId": 1}), "/messageId", "wrong_type", "an id is a string"),
    ] {
        let errors = read(&call).unwrap_err();
        assert_eq!(errors.len(), 1, "{why}: {errors:?}");
        assert_eq!((errors[0].pointer.as_str(), errors[0].code), (pointer, code), "{why}");
    }
}

#[test]
fn a_message_id_of_100_characters_of_any_script_is_taken_if_its_bytes_fit() {
    let call = json!({"type": "track", "userId": "c", "event": "e", "messageId": "é".repeat(100)});
    assert!(read(&call).is_ok());
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused(text in "[\\[\\]{}\",:0-9a-zI ]{0,60}") {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let _ = read(&value);
        }
    }

    #[test]
    fn a_call_is_measured_as_it_would_be_written(text in ".{0,40}", number in any::<f64>()) {
        let value = json!({"a": text, "b": [number, null, {"c": "é\n"}]});
        prop_assert_eq!(compact_bytes(&value), value.to_string().len());
    }
}

fn event(call: &Value, arrival: Arrival<'_>) -> Event {
    match parse_call(call, arrival) {
        Ok(Fact::Event(event)) => event,
        other => panic!("{call} became {other:?}"),
    }
}

#[test]
fn pages_screens_groups_and_aliases_are_read() {
    let fact = read(&json!({"type": "page", "anonymousId": "a1", "category": "Docs", "messageId": "m"})).unwrap();
    let Fact::Event(page) = fact else { panic!("a page is an event") };
    assert_eq!((page.kind, page.name.as_str(), page.who.is_anonymous), (EventKind::Page, "Docs", true));
    let fact = read(&json!({"type": "screen", "userId": "u", "anonymousId": "a1", "messageId": "m"})).unwrap();
    let Fact::Event(screen) = fact else { panic!("a screen is an event") };
    assert_eq!((screen.kind, screen.name.as_str()), (EventKind::Screen, "Screen"));
    assert_eq!(screen.who.also.as_ref().map(|id| id.as_str()), Some("a1"));
    let fact = read(&json!({"type": "group", "userId": "u", "groupId": 7, "traits": {"plan": "pro"}})).unwrap();
    let Fact::Group(group) = fact else { panic!("a group is a group") };
    assert_eq!((group.group.as_str(), &group.traits["plan"]), ("7", &json!("pro")));
    let fact = read(&json!({"type": "alias", "previousId": "a1", "userId": "u"})).unwrap();
    let Fact::Alias(alias) = fact else { panic!("an alias is an alias") };
    assert_eq!((alias.previous.as_str(), alias.id.as_str()), ("a1", "u"));
}

#[test]
fn a_call_without_an_id_of_its_own_has_the_same_one_when_it_is_read_again() {
    let vocabulary = Vocabulary::standard();
    let at = |seconds| Arrival::plain(&vocabulary, Timestamp::from_second(seconds).unwrap());
    let call = json!({"type": "track", "userId": "c", "event": "e", "timestamp": "2026-01-31"});
    assert_eq!(event(&call, at(1)).id, event(&call, at(2)).id);
    let other = json!({"type": "track", "userId": "c", "event": "f", "timestamp": "2026-01-31"});
    assert_ne!(event(&call, at(1)).id, event(&other, at(1)).id);
    // Without a time, two like calls are two events.
    let timeless = json!({"type": "track", "userId": "c", "event": "e"});
    assert_eq!(event(&timeless, at(1)).id, event(&timeless, at(1)).id);
    assert_ne!(event(&timeless, at(1)).id, event(&timeless, at(2)).id);
}

#[test]
fn what_a_batch_says_holds_for_calls_that_do_not_say_it() {
    let vocabulary = Vocabulary::standard();
    let Value::Object(context) = json!({"locale": "zh-CN", "ip": "192.0.2.1", "campaign": {"source": "mail"}, "device": {"type": "ios", "id": "x"}})
    else {
        panic!()
    };
    let arrival = Arrival { context: Some(&context), ..Arrival::plain(&vocabulary, NOW) };
    let call = json!({"type": "track", "userId": "c", "event": "e", "context": {"locale": "en", "userAgent": "x"}});
    let kept = &event(&call, arrival).properties[context::PROPERTY];
    assert_eq!(*kept, json!({"locale": "en", "campaign": {"source": "mail"}, "device": {"type": "ios"}}));
    let bare = json!({"type": "track", "userId": "c", "event": "e"});
    assert!(!event(&bare, Arrival::plain(&vocabulary, NOW)).properties.contains_key(context::PROPERTY));
}

#[test]
fn a_call_without_a_timestamp_happened_at_its_original_timestamp() {
    let vocabulary = Vocabulary::standard();
    let moment = |seconds| Timestamp::from_second(seconds).unwrap();
    let call = |name: &str| json!({"type": "track", "userId": "c", "event": "e", name: moment(100).to_string(), "sentAt": moment(130).to_string()});
    let arrival = Arrival { corrects_clock: true, ..Arrival::plain(&vocabulary, moment(1_130)) };
    for name in TIMES {
        assert_eq!(event(&call(name), arrival).time, moment(1_100), "{name}");
    }
    let mut both = call("originalTimestamp");
    both["timestamp"] = json!(moment(90).to_string());
    assert_eq!(event(&both, arrival).time, moment(1_090));
    let later = Arrival { received_at: moment(2_000), ..arrival };
    assert_eq!(event(&call("originalTimestamp"), arrival).id, event(&call("originalTimestamp"), later).id);
    let errors = read(&json!({"type": "track", "userId": "c", "event": "e", "originalTimestamp": "then"})).unwrap_err();
    assert_eq!((errors[0].pointer.as_str(), errors[0].code), ("/originalTimestamp", "invalid_time"));
}

proptest! {
    #[test]
    fn a_clock_that_is_off_is_set_right(said in 0..2_000_000_000_i64, late in 0..90_000_i64, off in -900_000..900_000_i64) {
        let vocabulary = Vocabulary::standard();
        let moment = |seconds| Timestamp::from_second(seconds).unwrap();
        // By the service's clock it happened at `said` and was sent `late` seconds later; the sender's clock is off.
        let call = json!({
            "type": "track", "userId": "c", "event": "e", "messageId": "m",
            "timestamp": moment(said + off).to_string(), "sentAt": moment(said + late + off).to_string(),
        });
        let arrival = Arrival { corrects_clock: true, ..Arrival::plain(&vocabulary, moment(said + late)) };
        prop_assert_eq!(event(&call, arrival).time, moment(said));
        let history = Arrival { corrects_clock: false, ..arrival };
        prop_assert_eq!(event(&call, history).time, moment(said + off));
    }
}
