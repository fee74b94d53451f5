//! A row of a file whatever the file's format: fields by name, as text or as JSON.

use super::{RowError, hint};
use ::csv::ByteRecord;
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// A row that could be read, not yet judged.
pub(super) struct Record {
    /// Line that it starts on, or in a Parquet file its number; counted from 1.
    pub line: u64,
    pub body: Body,
}

pub(super) enum Body {
    Cells {
        header: Arc<Header>,
        cells: ByteRecord,
    },
    /// A JSON object.
    Object(Map<String, Value>),
}

/// The columns of a CSV file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Header {
    pub names: Vec<String>,
    /// What the cells of each column are where they are kept as JSON; text alone where nobody looked.
    pub types: Vec<CellType>,
}

/// What the cells of a CSV column are, by its first rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellType {
    Text,
    /// Numbers as JSON writes them: a leading zero or more digits than a number holds make a text of the column.
    Number,
    /// `true` and `false` in any case.
    Boolean,
}

/// Digits that any number keeps as a double.
const DOUBLE_DIGITS: usize = 15;

impl CellType {
    fn value(self, text: &str) -> Value {
        let word = text.trim();
        match self {
            Self::Number if is_number(word) => serde_json::from_str(word).unwrap_or_else(|_| Value::from(text)),
            Self::Boolean if word.eq_ignore_ascii_case("true") => Value::Bool(true),
            Self::Boolean if word.eq_ignore_ascii_case("false") => Value::Bool(false),
            _ => Value::from(text),
        }
    }
}

/// A number as JSON writes it, of digits that a double keeps: `01234` and a card's number are texts.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let leads_well = whole == "0" || !whole.starts_with('0');
    all_digits(whole) && all_digits(fraction) && leads_well && whole.len() + fraction.len() <= DOUBLE_DIGITS
}

/// Finds out what the cells of a column are: one type for all of them, so that a column of codes with leading zeros is text
/// throughout. A cell below that is not of its column's type stays text.
#[derive(Debug, Clone)]
pub(super) struct TypeGuess {
    n_given: u64,
    all_numbers: bool,
    all_booleans: bool,
}

impl Default for TypeGuess {
    fn default() -> Self {
        Self { n_given: 0, all_numbers: true, all_booleans: true }
    }
}

impl TypeGuess {
    pub(super) fn see(&mut self, cell: &[u8]) {
        let word = str::from_utf8(cell).unwrap_or("?").trim();
        if word.is_empty() {
            return;
        }
        self.n_given += 1;
        self.all_numbers &= is_number(word);
        self.all_booleans &= word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false");
    }

    pub(super) fn cell_type(&self) -> CellType {
        match self.n_given {
            0 => CellType::Text,
            _ if self.all_numbers => CellType::Number,
            _ if self.all_booleans => CellType::Boolean,
            _ => CellType::Text,
        }
    }
}

/// What a field takes from JSON beside text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    /// An id, which a fraction is none of.
    WholeNumbers,
    Numbers,
}

impl Takes {
    fn wrong_type(self) -> &'static str {
        match self {
            Self::Text => "is not a string",
            Self::Numbers => "is neither a number nor a string",
            Self::WholeNumbers => "is neither a string nor a whole number; write long numbers in quotes",
        }
    }

    fn takes(self, number: &Number) -> bool {
        match self {
            Self::Text => false,
            Self::WholeNumbers => !number.is_f64(),
            Self::Numbers => true,
        }
    }
}

impl Record {
    /// All of it as JSON, for a row whose file has no text for it.
    pub(super) fn spelled(&self) -> String {
        match &self.body {
            Body::Object(object) => serde_json::to_string(object).unwrap_or_default(),
            Body::Cells { .. } => String::new(),
        }
    }

    pub(super) fn error(&self, column: Option<&str>, code: &'static str, message: impl Into<String>) -> RowError {
        RowError { line: self.line, column: column.map(str::to_owned), code, message: message.into() }
    }

    /// The field as text; an empty or absent one, and a `null`, is none.
    ///
    /// # Errors
    /// It is not UTF-8, or of another type than the field takes.
    pub(super) fn text(&self, name: &str, takes: Takes) -> Result<Option<Cow<'_, str>>, RowError> {
        match &self.body {
            Body::Cells { header, cells } => {
                let place = header.names.iter().position(|there| there == name);
                let Some(bytes) = place.and_then(|place| cells.get(place)) else { return Ok(None) };
                let text = str::from_utf8(bytes)
                    .map_err(|_| self.error(Some(name), "bad_utf8", "is not UTF-8; save the file as UTF-8"))?;
                Ok(Some(Cow::Borrowed(text)).filter(|text| !text.is_empty()))
            }
            Body::Object(object) => match lookup(object, name) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) => Ok(Some(Cow::Borrowed(text.as_str())).filter(|text| !text.is_empty())),
                Some(Value::Number(number)) if takes.takes(number) => Ok(Some(Cow::Owned(number.to_string()))),
                Some(_) => Err(self.error(Some(name), "wrong_type", takes.wrong_type())),
            },
        }
    }

    /// The same without white space around it.
    pub(super) fn trimmed(&self, name: &str, takes: Takes) -> Result<Option<Cow<'_, str>>, RowError> {
        let text = self.text(name, takes)?.map(|text| match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        });
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// All fields but those `used` as JSON; empty ones and `null` left out.
    ///
    /// # Errors
    /// A cell is not UTF-8.
    pub(super) fn rest(&self, used: &[&str]) -> Result<Map<String, Value>, RowError> {
        match &self.body {
            Body::Cells { header, .. } => {
                let mut rest = Map::new();
                for (at, name) in header.names.iter().enumerate() {
                    if name.is_empty() || used.contains(&name.as_str()) {
                        continue;
                    }
                    if let Some(text) = self.text(name, Takes::Text)? {
                        let cell_type = header.types.get(at).copied().unwrap_or(CellType::Text);
                        rest.insert(name.clone(), cell_type.value(&text));
                    }
                }
                Ok(rest)
            }
            Body::Object(object) => {
                let kept = object.iter().filter(|(name, value)| !used.contains(&name.as_str()) && !value.is_null());
                Ok(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
        }
    }

    /// A field as JSON; in a CSV the JSON that its cell holds.
    ///
    /// # Errors
    /// The cell holds none.
    pub(super) fn json(&self, name: &str) -> Result<Option<Value>, RowError> {
        match &self.body {
            Body::Object(object) => Ok(lookup(object, name).filter(|value| !value.is_null()).cloned()),
            Body::Cells { .. } => {
                let Some(text) = self.trimmed(name, Takes::Text)? else { return Ok(None) };
                serde_json::from_str(&text).map(Some).map_err(|_| self.error(Some(name), "bad_json", "is not JSON"))
            }
        }
    }

    /// A field of an object that may have been meant by a name that is not there.
    pub(super) fn guess(&self, name: &str) -> Option<&str> {
        match &self.body {
            Body::Cells { .. } => None,
            Body::Object(object) if lookup(object, name).is_some() => None,
            Body::Object(object) => hint::nearest(name, object.keys().map(String::as_str)),
        }
    }
}

/// The field of that very name, else the nested one that the dots lead to.
pub(super) fn lookup<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.get(name).or_else(|| {
        let mut parts = name.split('.');
        let first = object.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_column_is_of_one_type_and_codes_stay_text() {
        for (cells, cell, expected) in [
            (&["1", "2.5", ""][..], "3", json!(3)),
            (&["1", "2.50"], "2.50", json!(2.5)),
            (&["1", "02"], "1", json!("1")),
            (&["1", "2"], "n/a", json!("n/a")),
            (&["4111111111111111"], "4111111111111111", json!("4111111111111111")),
            (&["+1"], "+1", json!("+1")),
            (&["1e5"], "1e5", json!("1e5")),
            (&["true", "FALSE"], "True", json!(true)),
            (&["true", "1"], "true", json!("true")),
            (&["yes"], "yes", json!("yes")),
            (&["", " "], "7", json!("7")),
        ] {
            let mut guess = TypeGuess::default();
            cells.iter().for_each(|cell| guess.see(cell.as_bytes()));
            assert_eq!(guess.cell_type().value(cell), expected, "{cells:?}");
        }
    }
}
