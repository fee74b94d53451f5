//! One cell, judged by itself: missing or not, and of which type.

use super::super::amount;
use super::moment::{self, Form};
use crate::domain::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// What a cell holds, by its spelling alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Integer,
    Decimal,
    Money,
    Boolean,
    Time,
    Email,
    Phone,
    List,
    Object,
    Text,
}

impl Class {
    pub(super) const ALL: [Self; 10] = [
        Self::Integer,
        Self::Decimal,
        Self::Money,
        Self::Boolean,
        Self::Time,
        Self::Email,
        Self::Phone,
        Self::List,
        Self::Object,
        Self::Text,
    ];

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal | Self::Money)
    }
}

/// A cell that holds something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    pub class: Class,
    pub number: Option<f64>,
    /// Of a number too, where it could be one.
    pub moment: Option<(Form, Timestamp)>,
}

/// The sorts of missing, by what stands in the cell.
const MISSING: [(&str, &[&str]); 5] = [
    ("empty", &[""]),
    ("null", &["null", "none", "nil", "\\n", "undefined"]),
    ("NA", &["na", "n/a", "#n/a", "nan", "n.a."]),
    ("-", &["-", "--", "—", "——", "/", "?"]),
    ("无", &["无", "空", "未知", "不详", "暂无", "没有"]),
];

/// Which sort of missing the text is.
pub(super) fn missing(text: &str) -> Option<&'static str> {
    // The longest has nine bytes.
    if text.len() > 9 {
        return None;
    }
    let text = text.to_ascii_lowercase();
    MISSING.iter().find(|(_, words)| words.contains(&text.as_str())).map(|(name, _)| *name)
}

/// A cell of a JSON file as text; the class of what is none.
pub(super) fn spelled(value: &Value) -> (Cow<'_, str>, Option<Class>) {
    match value {
        Value::Null => (Cow::Borrowed("null"), None),
        Value::String(text) => (Cow::Borrowed(text), None),
        Value::Bool(true) => (Cow::Borrowed("true"), Some(Class::Boolean)),
        Value::Bool(false) => (Cow::Borrowed("false"), Some(Class::Boolean)),
        Value::Number(number) => (Cow::Owned(number.to_string()), None),
        Value::Array(_) => (Cow::Owned(value.to_string()), Some(Class::List)),
        Value::Object(_) => (Cow::Owned(value.to_string()), Some(Class::Object)),
    }
}

/// Judges a text without space around it that is not missing.
pub(super) fn judge(text: &str) -> Judged {
    let (class, number) = match number(text) {
        Some((class, number)) => (class, Some(number)),
        None => (other_class(text), None),
    };
    let may_be_time = matches!(class, Class::Integer | Class::Text | Class::Phone);
    let moment = if may_be_time { moment::read(text) } else { None };
    let class = if moment.is_some() && number.is_none() { Class::Time } else { class };
    Judged { class, number, moment }
}

fn number(text: &str) -> Option<(Class, f64)> {
    let first = text.chars().next()?;
    let starts_well = first.is_ascii_digit() || "-.+".contains(first) || !first.is_ascii();
    if text.len() > 40 || !(starts_well || "$".contains(first)) {
        return None;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a whole number of 64 bits has are a code.
        return if digits.len() <= 18 { Some((Class::Integer, text.parse().ok()?)) } else { None };
    }
    let plain = amount::plain(text)?;
    let number: f64 = plain.parse().ok().filter(|number: &f64| number.is_finite())?;
    let is_bare = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    Some((if is_bare { Class::Decimal } else { Class::Money }, number))
}

fn other_class(text: &str) -> Class {
    match text.as_bytes()[0] {
        b'[' if serde_json::from_str::<Value>(text).is_ok() => return Class::List,
        b'{' if serde_json::from_str::<Value>(text).is_ok() => return Class::Object,
        _ => {}
    }
    if is_boolean(text) {
        Class::Boolean
    } else if is_email(text) {
        Class::Email
    } else if is_phone(text) {
        Class::Phone
    } else {
        Class::Text
    }
}

fn is_boolean(text: &str) -> bool {
    let words = ["true", "false", "yes", "no", "y", "n", "t", "f", "是", "否"];
    text.len() <= 5 && words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else { return false };
    let is_plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '@' || c == ',');
    text.len() <= 254 && is_plain(name) && is_plain(host) && host.contains('.') && !host.ends_with('.')
}

/// Seven to fifteen digits in groups or behind a plus, and nothing else.
fn is_phone(text: &str) -> bool {
    let n_digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-() ".contains(&byte));
    text.len() <= 24
        && (7..=15).contains(&n_digits)
        && is_plain
        && (text.starts_with(['+', '(', '0', '1']) || text.contains('-'))
}

/// The currency's sign at either end of an amount, as one knows it: a code, or the sign where several share it.
pub(super) fn currency(text: &str) -> Option<&'static str> {
    const SIGNS: [(&str, &str); 9] = [
        ("$", "$"),
        ("€", "EUR"),
        ("£", "GBP"),
        ("¥", "¥"),
        ("￥", "¥"),
        ("元", "CNY"),
        ("₹", "INR"),
        ("₩", "KRW"),
        ("₽", "RUB"),
    ];
    SIGNS.iter().find(|(sign, _)| text.starts_with(sign) || text.ends_with(sign)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cells_are_of_the_type_that_a_reader_sees() {
        for (text, class) in [
            ("12", Class::Integer),
            ("-7", Class::Integer),
            ("00012", Class::Integer),
            ("1234567890123456789012", Class::Text),
            ("1.5", Class::Decimal),
            ("1e3", Class::Decimal),
            ("$1,299.00", Class::Money),
            ("12 元", Class::Money),
            ("¥12", Class::Money),
            ("1,234", Class::Money),
            ("12,50", Class::Text),
            ("Yes", Class::Boolean),
            ("否", Class::Boolean),
            ("2026-01-31", Class::Time),
            ("31/01/2026", Class::Time),
            ("20260131", Class::Integer),
            ("ann@example.com", Class::Email),
            ("see me @ noon", Class::Text),
            ("+49 30 1234567", Class::Phone),
            ("555-123-4567", Class::Phone),
            ("[1,2]", Class::List),
            ("{\"a\":1}", Class::Object),
            ("[sic", Class::Text),
            ("good", Class::Text),
        ] {
            assert_eq!(judge(text).class, class, "{text:?}");
        }
    }

    #[test]
    fn what_is_missing_is_told_by_sort() {
        for (text, sort) in [
            ("", Some("empty")),
            ("NULL", Some("null")),
            ("n/a", Some("NA")),
            ("NaN", Some("NA")),
            ("-", Some("-")),
            ("无", Some("无")),
            ("暂无", Some("无")),
            ("0", None),
            ("no", None),
        ] {
            assert_eq!(missing(text), sort, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in "\\PC{1,60}") {
            let text = text.trim();
            if !text.is_empty() {
                let judged = judge(text);
                prop_assert_eq!(judged.class.is_number(), judged.number.is_some());
            }
        }
    }
}
