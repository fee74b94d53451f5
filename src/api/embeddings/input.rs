//! The four shapes an input comes in: a text, texts, token ids, lists of token ids. Read by hand, because an error has to name
//! the one place that is wrong.

use crate::api::problem::{ApiError, ApiResult, Code};
use serde_json::Value;

/// One thing to embed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Text(String),
    /// Ids of the model's own vocabulary, without its special tokens.
    Ids(Vec<u32>),
}

impl Input {
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Ids(_) => None,
        }
    }
}

/// All inputs of a call, and where in the body they stand.
#[derive(Debug, PartialEq, Eq)]
pub struct Inputs {
    pub entries: Vec<Input>,
    /// The body's field.
    field: &'static str,
    /// Whether the field is a list of inputs, and not one input itself.
    listed: bool,
}

impl Inputs {
    /// The JSON pointer of one of them.
    pub fn pointer(&self, index: usize) -> String {
        if self.listed { format!("/{}/{index}", self.field) } else { format!("/{}", self.field) }
    }
}

/// Reads the body's `field`: at least one input and at most `max_inputs`, none of them empty.
///
/// # Errors
/// It has another shape, is empty or too long; the error points at the entry.
pub fn parse(value: Value, field: &'static str, max_inputs: usize) -> ApiResult<Inputs> {
    let pointer = format!("/{field}");
    let single = |input| Inputs { entries: vec![input], field, listed: false };
    let entries = match value {
        Value::Array(entries) if entries.first().is_some_and(Value::is_number) => {
            return Ok(single(Input::Ids(ids(entries, &pointer)?)));
        }
        Value::Array(entries) => entries,
        text @ Value::String(_) => return Ok(single(one(text, pointer)?)),
        _ => {
            return Err(wrong(
                pointer,
                "is neither a text, nor a list of texts, of token ids or of lists of token ids",
            ));
        }
    };
    if entries.is_empty() {
        return Err(wrong(pointer, &format!("is an empty list; give 1 to {max_inputs} inputs")));
    }
    if entries.len() > max_inputs {
        let n = entries.len();
        let detail = format!("{pointer} has {n} inputs; one call takes {max_inputs}, so send it in parts");
        return Err(ApiError::field(Code::BatchTooLarge, pointer, detail));
    }
    let entries = entries.into_iter().enumerate().map(|(index, entry)| one(entry, format!("{pointer}/{index}")));
    Ok(Inputs { entries: entries.collect::<ApiResult<_>>()?, field, listed: true })
}

/// As [`parse`], texts alone.
///
/// # Errors
/// As there, and for token ids.
pub fn parse_texts(value: Value, field: &'static str, max_inputs: usize) -> ApiResult<Vec<String>> {
    let inputs = parse(value, field, max_inputs)?;
    let pointers: Vec<String> = (0..inputs.entries.len()).map(|index| inputs.pointer(index)).collect();
    let text = |(input, pointer)| match input {
        Input::Text(text) => Ok(text),
        Input::Ids(_) => Err(wrong(pointer, "is not a text; only texts are tokenised")),
    };
    inputs.entries.into_iter().zip(pointers).map(text).collect()
}

fn one(entry: Value, pointer: String) -> ApiResult<Input> {
    match entry {
        Value::String(text) if text.is_empty() => Err(wrong(pointer, "is an empty text; leave it out")),
        Value::String(text) => Ok(Input::Text(text)),
        Value::Array(entries) => Ok(Input::Ids(ids(entries, &pointer)?)),
        _ => Err(wrong(pointer, "is neither a text nor a list of token ids")),
    }
}

fn ids(entries: Vec<Value>, pointer: &str) -> ApiResult<Vec<u32>> {
    if entries.is_empty() {
        return Err(wrong(pointer.to_owned(), "is an empty list of token ids; leave it out"));
    }
    let id = |(index, entry): (usize, Value)| {
        let id = entry.as_u64().and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| wrong(format!("{pointer}/{index}"), "is not a token id, a whole number from 0 on"))
    };
    entries.into_iter().enumerate().map(id).collect()
}

fn wrong(pointer: String, what: &str) -> ApiError {
    let detail = format!("{pointer} {what}");
    ApiError::field(Code::InvalidField, pointer, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_four_shapes_are_read() {
        let text = |text: &str| Input::Text(text.into());
        for (value, expected) in [
            (json!("a"), vec![text("a")]),
            (json!(["a", " "]), vec![text("a"), text(" ")]),
            (json!([1, 2]), vec![Input::Ids(vec![1, 2])]),
            (json!([[1], [2, 3]]), vec![Input::Ids(vec![1]), Input::Ids(vec![2, 3])]),
            (json!(["a", [7]]), vec![text("a"), Input::Ids(vec![7])]),
        ] {
            assert_eq!(parse(value.clone(), "input", 3).unwrap().entries, expected, "{value}");
        }
    }

    #[test]
    fn every_other_shape_is_refused_where_it_is_wrong() {
        for (value, pointer) in [
            (json!(null), "/input"),
            (json!(7), "/input"),
            (json!({"text": "a"}), "/input"),
            (json!([]), "/input"),
            (json!(""), "/input"),
            (json!(["a", ""]), "/input/1"),
            (json!(["a", 1]), "/input/1"),
            (json!(["a", null]), "/input/1"),
            (json!(["a", ["b"]]), "/input/1/0"),
            (json!([[]]), "/input/0"),
            (json!([1, "a"]), "/input/1"),
            (json!([1, -1]), "/input/1"),
            (json!([1.5]), "/input/0"),
            (json!([4_294_967_296u64]), "/input/0"),
            (json!([[1], [2, [3]]]), "/input/1/1"),
        ] {
            let error = parse(value.clone(), "input", 3).unwrap_err();
            assert_eq!((error.code, error.errors[0].pointer.as_str()), (Code::InvalidField, pointer), "{value}");
        }
        let many = parse(json!(["a", "b", "c", "d"]), "input", 3).unwrap_err();
        assert_eq!(many.code, Code::BatchTooLarge);
        for (value, pointer) in [(json!(["a", [1]]), "/inputs/1"), (json!([1]), "/inputs")] {
            assert_eq!(parse_texts(value, "inputs", 3).unwrap_err().errors[0].pointer, pointer);
        }
    }
}
