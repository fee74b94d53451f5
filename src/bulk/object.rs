//! A row of NDJSON: its fields in their order, each value spelled as it was.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Fields by name, in the row's order.
#[derive(Debug, Clone)]
pub struct Object(pub Vec<(String, Box<RawValue>)>);

/// A value as the text formats see it.
pub enum Cell<'a> {
    /// Missing, or null.
    Nothing,
    /// A string, unquoted.
    Text(Cow<'a, str>),
    /// Anything else, as it is spelled.
    Other(&'a str),
}

impl Object {
    /// # Errors
    /// The line is not one JSON object, or a field is there twice.
    pub fn parse(line: &str) -> Result<Self, String> {
        let object: Self = serde_json::from_str(line).map_err(|error| format!("not a JSON object: {error}"))?;
        let mut names: Vec<&str> = object.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("the field {:?} is there twice", pair[0])),
            None => Ok(object),
        }
    }

    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(there, _)| there == name).map(|(_, value)| &**value)
    }

    pub fn cell(&self, name: &str) -> Cell<'_> {
        match self.get(name).map(RawValue::get) {
            None | Some("null") => Cell::Nothing,
            Some(raw) if raw.starts_with('"') => {
                Cell::Text(serde_json::from_str::<String>(raw).map_or(Cow::Borrowed(raw), Cow::Owned))
            }
            Some(raw) => Cell::Other(raw),
        }
    }
}

impl<'a> Cell<'a> {
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Nothing => None,
            Self::Text(text) => Some(text),
            Self::Other(raw) => Some(Cow::Borrowed(raw)),
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_spelling_and_fields_their_order() {
        let object = Object::parse(r#"{"b": 1.50e3, "a" : [1,  2], "c":"\u4f60\n", "d":null}"#).unwrap();
        let spelled: Vec<_> = object.0.iter().map(|(name, value)| (name.as_str(), value.get())).collect();
        assert_eq!(spelled, [("b", "1.50e3"), ("a", "[1,  2]"), ("c", r#""\u4f60\n""#), ("d", "null")]);
        assert_eq!(object.cell("c").into_text().unwrap(), "你\n");
        assert_eq!(object.cell("b").into_text().unwrap(), "1.50e3");
        assert!(object.cell("d").into_text().is_none() && object.cell("e").into_text().is_none());
    }

    #[test]
    fn what_is_no_object_is_refused_with_the_reason() {
        for (line, reason) in [
            ("[1]", "object"),
            ("{\"a\":1", "EOF"),
            ("{} {}", "trailing"),
            ("{\"a\":1,\"a\":2}", "twice"),
            ("NaN", "object"),
        ] {
            let error = Object::parse(line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
