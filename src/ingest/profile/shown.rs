//! What a profile shows of a value. A profile is kept with its job, where an erasure does not look, so it holds nothing that could
//! be about somebody: of ids, texts and personal data only the shape is shown.

use crate::redact::{Policy, Redactor};

/// The longest value that is shown, in characters.
const LONGEST: usize = 40;

/// Finds personal data by the rules that redaction goes by later.
pub(super) struct Eyes(Redactor);

impl Eyes {
    pub(super) fn new() -> Self {
        Self(Redactor::new(Policy::default(), b""))
    }

    /// The kind of personal data in a text that is as good as certain. Only what has an `@` or seven digits is looked at: names
    /// and addresses are guesses that a column's name tells better.
    pub(super) fn personal(&self, text: &str) -> Option<&'static str> {
        let n_digits = text.bytes().filter(u8::is_ascii_digit).count();
        if n_digits < 7 && !text.contains(['@', '＠']) {
            return None;
        }
        let structured = |name: &&str| matches!(*name, "email" | "phone" | "id" | "card" | "iban");
        self.0.findings(first_chars(text, 4_096)).iter().map(|finding| finding.kind.name()).find(structured)
    }

    /// A value of a column, or its shape where the column is private or the value looks personal.
    pub(super) fn shown(&self, text: &str, is_private: bool) -> String {
        let is_long = text.chars().nth(LONGEST).is_some();
        if is_private || is_long || self.personal(text).is_some() {
            return shape(text);
        }
        text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    }
}

/// Up to so many bytes, on a character's boundary.
pub(super) fn first_chars(text: &str, n_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(n_bytes)]
}

/// Letters as `a`, digits as `9`, other characters of words as `文`: `c-01234` is `a-99999`. Of a long text its length.
fn shape(text: &str) -> String {
    let n_chars = text.chars().count();
    if n_chars > 24 {
        return format!("text of {n_chars} characters");
    }
    let shape = |c: char| match c {
        c if c.is_numeric() => '9',
        c if c.is_ascii_uppercase() => 'A',
        c if c.is_ascii_lowercase() => 'a',
        c if c.is_alphanumeric() => '文',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn personal_values_are_shown_by_their_shape() {
        let eyes = Eyes::new();
        for (text, is_private, expected) in [
            ("books", false, "books"),
            ("c-01234", true, "a-99999"),
            ("王小明", true, "文文文"),
            ("ann@example.com", false, "aaa@aaaaaaa.aaa"),
            ("13812345678", false, "99999999999"),
            ("a\u{1b}[31m", false, "a\u{fffd}[31m"),
            ("a text that is longer than forty characters is one", false, "text of 50 characters"),
        ] {
            assert_eq!(eyes.shown(text, is_private), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_shape_holds_no_digit_but_nine_and_no_letter_but_a(text in "\\PC{0,24}") {
            let shape = Eyes::new().shown(&text, true);
            prop_assert!(shape.chars().all(|c| !c.is_alphanumeric() || "9aA文".contains(c)), "{}", shape);
        }
    }
}
