//! A review as the API takes it: a strict object, every mistake named by its JSON pointer.

use super::review::{Field, Problem, RawReview};
use super::{FieldError, hint};
use crate::domain::{Review, Timestamp};
use serde_json::{Map, Value};
use std::borrow::Cow;

const FIELDS: [(&str, Field); 7] = [
    ("review_id", Field::Id),
    ("customer_id", Field::Customer),
    ("text", Field::Text),
    ("item_id", Field::Item),
    ("rating", Field::Rating),
    ("time", Field::Time),
    ("language", Field::Language),
];

/// Reads `{review_id?, customer_id, text, item_id?, rating?, time?, language?}`; `null` is as good as absent.
///
/// Without `review_id` the id is derived from the content ([`super::content_id`]); without `time` it is `now`.
///
/// # Errors
/// All that is wrong: unknown fields, wrong types, missing and invalid values.
pub fn parse_review(value: &Value, now: Timestamp) -> Result<Review, Vec<FieldError>> {
    let object = value.as_object().ok_or_else(|| vec![not_an_object()])?;
    let mut errors = unknown_fields(object);
    let mut raw = RawReview::default();
    for (name, field) in FIELDS {
        match taken(field, object.get(name).unwrap_or(&Value::Null)) {
            Ok(text) => *slot(&mut raw, field) = text,
            Err(message) => {
                errors.push(FieldError {
                    pointer: format!("/{name}"),
                    code: "wrong_type",
                    message: message.to_owned(),
                });
            }
        }
    }
    let parsed = raw.parse(now).map_err(|problems| problems.into_iter().map(field_error).collect::<Vec<_>>());
    match parsed {
        Ok(review) if errors.is_empty() => Ok(review),
        Ok(_) => Err(errors),
        Err(more) => {
            let fresh = more.into_iter().filter(|error| !errors.iter().any(|other| other.pointer == error.pointer));
            let fresh: Vec<_> = fresh.collect();
            errors.extend(fresh);
            Err(errors)
        }
    }
}

fn not_an_object() -> FieldError {
    FieldError { pointer: String::new(), code: "not_an_object", message: "a review is a JSON object".to_owned() }
}

fn unknown_fields(object: &Map<String, Value>) -> Vec<FieldError> {
    let names = FIELDS.map(|(name, _)| name);
    let unknown = object.keys().filter(|key| !names.contains(&key.as_str()));
    unknown
        .map(|key| {
            let guess = hint::nearest(key, names).map(|name| format!("; is it {name:?}?")).unwrap_or_default();
            FieldError {
                pointer: format!("/{}", key.replace('~', "~0").replace('/', "~1")),
                code: "unknown_field",
                message: format!("is no field of a review{guess}"),
            }
        })
        .collect()
}

/// The value as text if the field takes its type.
fn taken(field: Field, value: &Value) -> Result<Option<Cow<'_, str>>, &'static str> {
    match (field, value) {
        (_, Value::Null) => Ok(None),
        (Field::Rating, Value::Number(number)) | (Field::Time, Value::Number(number)) => {
            Ok(Some(number.to_string().into()))
        }
        (Field::Rating, _) => Err("is not a number"),
        (_, Value::String(text)) => Ok(Some(text.into())),
        (Field::Time, _) => Err("is neither a string nor a number"),
        _ => Err("is not a string"),
    }
}

fn slot<'r, 'a>(raw: &'r mut RawReview<'a>, field: Field) -> &'r mut Option<Cow<'a, str>> {
    match field {
        Field::Id => &mut raw.id,
        Field::Customer => &mut raw.customer,
        Field::Text => &mut raw.text,
        Field::Item => &mut raw.item,
        Field::Rating => &mut raw.rating,
        Field::Time => &mut raw.time,
        Field::Language => &mut raw.language,
    }
}

fn field_error(problem: Problem) -> FieldError {
    let name = FIELDS.iter().find(|(_, field)| *field == problem.field).map_or("", |(name, _)| name);
    FieldError { pointer: format!("/{name}"), code: problem.code, message: problem.message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_full_review_is_read() {
        let value = json!({"review_id": "r1", "customer_id": "c1", "text": "Good.", "item_id": "i1", "rating": 4.5, "time": "2026-01-31"});
        let review = parse_review(&value, NOW).unwrap();
        assert_eq!((review.id.as_str(), review.customer.as_str(), review.text.as_str()), ("r1", "c1", "Good."));
        assert_eq!((review.item.as_deref(), review.rating), (Some("i1"), Some(4.5)));
        assert_eq!(review.time.to_string(), "2026-01-31T00:00:00Z");
    }

    #[test]
    fn without_an_id_the_same_content_has_the_same_one() {
        let value = json!({"customer_id": "c1", "text": "Good.", "time": null});
        let (first, second) = (parse_review(&value, NOW).unwrap(), parse_review(&value, Timestamp::MAX).unwrap());
        assert_eq!(first.id, second.id);
        assert_eq!(first.id, super::super::content_id("c1", "", "", "Good."));
    }

    #[test]
    fn bad_reviews_are_refused_by_name() {
        for (value, pointer, code, why) in [
            (json!([]), "", "not_an_object", "an array is no review"),
            (json!({"text": "t"}), "/customer_id", "missing_field", "a review has a customer"),
            (json!({"customer_id": "c"}), "/text", "missing_field", "a review has a text"),
            (json!({"customer_id": "c", "text": "\n"}), "/text", "missing_field", "a blank text is none"),
            (
                json!({"customer_id": "c", "text": "a\u{0}b"}),
                "/text",
                "invalid_text",
                "NUL cannot be stored everywhere",
            ),
            (
                json!({"customer_id": "c", "text": "x".repeat(512 * 1024 + 1)}),
                "/text",
                "invalid_text",
                "a text has a limit",
            ),
            (json!({"customer_id": 7, "text": "t"}), "/customer_id", "wrong_type", "the API's ids are strings"),
            (
                json!({"customer_id": " c", "text": "t"}),
                "/customer_id",
                "invalid_id",
                "ids keep no spaces at their ends",
            ),
            (json!({"customer_id": "c", "text": ["t"]}), "/text", "wrong_type", "a text is a string"),
            (json!({"customer_id": "c", "text": "t", "rating": "5"}), "/rating", "wrong_type", "a rating is a number"),
            (
                json!({"customer_id": "c", "text": "t", "time": true}),
                "/time",
                "wrong_type",
                "a time is text or a number",
            ),
            (
                json!({"customer_id": "c", "text": "t", "time": "1/2/26"}),
                "/time",
                "invalid_time",
                "which is the month?",
            ),
            (
                json!({"customer_id": "c", "text": "t", "item_id": {}}),
                "/item_id",
                "wrong_type",
                "an item is named by a string",
            ),
            (
                json!({"customer_id": "c", "text": "t", "review_id": "a\tb"}),
                "/review_id",
                "invalid_id",
                "no control characters",
            ),
            (
                json!({"customer_id": "c", "text": "t", "a/b~": 1}),
                "/a~1b~0",
                "unknown_field",
                "a slip must not lose data",
            ),
        ] {
            let errors = parse_review(&value, NOW).unwrap_err();
            assert_eq!(errors.len(), 1, "{why}: {errors:?}");
            assert_eq!((errors[0].pointer.as_str(), errors[0].code), (pointer, code), "{why}");
        }
    }

    #[test]
    fn every_mistake_is_told_and_an_unknown_field_gets_a_guess() {
        let errors = parse_review(&json!({"customer": "c", "text": 1, "rating": "x"}), NOW).unwrap_err();
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "/customer: is no field of a review; is it \"customer_id\"?",
                "/text: is not a string",
                "/rating: is not a number",
                "/customer_id: is missing or empty",
            ]
        );
    }

    proptest! {
        #[test]
        fn any_json_is_read_or_refused(text in "[\\[\\]{}\",:0-9a-z_ ]{0,60}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = parse_review(&value, NOW);
            }
        }
    }
}
