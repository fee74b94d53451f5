//! A text as the recognisers see it: full-width forms folded to ASCII, digits grouped, placeholders known, work counted.
//!
//! Recognisers work on the folded text alone; [`View::original`] leads a range back to the bytes that were written.

use super::Kind;
use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

/// Hex digits in a placeholder that carries a hash.
pub const HASH_DIGITS: usize = 10;

pub struct View<'a> {
    text: Cow<'a, str>,
    /// For each byte of the folded text, and its end, the byte it stands for; none where nothing was folded.
    origins: Option<Vec<usize>>,
    groups: Vec<Range<usize>>,
    placeholders: Vec<Range<usize>>,
    work: Cell<usize>,
}

impl<'a> View<'a> {
    pub fn new(text: &'a str) -> Self {
        let (text, origins) = folded(text);
        let (groups, placeholders) = (digit_groups(&text), placeholders(&text));
        let work = Cell::new(text.len());
        Self { text, origins, groups, placeholders, work }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The longest runs of ASCII digits, in order.
    pub fn groups(&self) -> &[Range<usize>] {
        &self.groups
    }

    /// What an earlier redaction left: nothing in it is found again.
    pub fn placeholders(&self) -> &[Range<usize>] {
        &self.placeholders
    }

    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        match &self.origins {
            Some(origins) => origins[range.start]..origins[range.end],
            None => range,
        }
    }

    /// Counts characters that a recogniser looked at, so that a test can hold the total linear in the text.
    pub fn step(&self, n_chars: usize) {
        self.work.set(self.work.get() + n_chars);
    }

    #[cfg(test)]
    pub fn work(&self) -> usize {
        self.work.get()
    }

    pub fn before(&self, at: usize) -> Option<char> {
        self.text[..at].chars().next_back()
    }

    pub fn after(&self, at: usize) -> Option<char> {
        self.text[at..].chars().next()
    }

    /// Up to `n` bytes that end at `at`.
    pub fn window_before(&self, at: usize, n: usize) -> &str {
        let mut start = at.saturating_sub(n);
        while !self.text.is_char_boundary(start) {
            start += 1;
        }
        self.step(at - start);
        &self.text[start..at]
    }

    /// Up to `n` bytes from `at`.
    pub fn window_after(&self, at: usize, n: usize) -> &str {
        let mut end = (at + n).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        self.step(end - at);
        &self.text[at..end]
    }

    /// Whether a number or code may start here: no letter or digit before it, and it is not what follows a decimal point.
    pub fn starts_token(&self, at: usize) -> bool {
        let bytes = &self.bytes()[..at];
        match bytes {
            [.., digit, b'.' | b','] => !digit.is_ascii_digit(),
            [.., last] => !last.is_ascii_alphanumeric() && *last != b'_',
            [] => true,
        }
    }

    /// Whether a number or code may end here: no letter or digit follows, no decimals, no `-B` of a part's name.
    pub fn ends_token(&self, at: usize) -> bool {
        match &self.bytes()[at..] {
            [b'.' | b',', digit, ..] => !digit.is_ascii_digit(),
            [b'-', letter, ..] => !letter.is_ascii_alphabetic(),
            [first, ..] => !first.is_ascii_alphanumeric() && *first != b'_',
            [] => true,
        }
    }
}

/// The ASCII form of a character that people type for it: full-width digits, letters and the signs of addresses and numbers,
/// typographic spaces and dashes. Full-width commas and stops stay: they end what stands before them.
fn ascii_form(c: char) -> Option<char> {
    match c {
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' => char::from_u32(c as u32 - 0xFEE0),
        '＠' | '．' | '－' | '＋' | '：' | '／' | '（' | '）' | '＿' | '＃' | '＝' | '＆' | '％' => {
            char::from_u32(c as u32 - 0xFEE0)
        }
        '\u{3000}' | '\u{a0}' | '\u{2009}' | '\u{202f}' => Some(' '),
        '\u{2010}'..='\u{2013}' | '\u{2212}' => Some('-'),
        _ => None,
    }
}

fn folded(text: &str) -> (Cow<'_, str>, Option<Vec<usize>>) {
    if text.is_ascii() || !text.chars().any(|c| ascii_form(c).is_some()) {
        return (Cow::Borrowed(text), None);
    }
    let mut folded = String::with_capacity(text.len());
    let mut origins = Vec::with_capacity(text.len() + 1);
    for (at, c) in text.char_indices() {
        let c = ascii_form(c).unwrap_or(c);
        folded.push(c);
        origins.resize(folded.len(), at);
    }
    origins.push(text.len());
    (Cow::Owned(folded), Some(origins))
}

fn digit_groups(text: &str) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        debug_assert!(byte.is_ascii_digit());
        match groups.last_mut() {
            Some(group) if group.end == at => group.end = at + 1,
            _ => groups.push(at..at + 1),
        }
    }
    groups
}

fn placeholders(text: &str) -> Vec<Range<usize>> {
    text.match_indices('[').filter_map(|(at, _)| placeholder_len(&text[at..]).map(|n| at..at + n)).collect()
}

/// The length of the placeholder that the text starts with: `[phone]` or `[phone:0123456789]`.
fn placeholder_len(text: &str) -> Option<usize> {
    let kind = Kind::ALL
        .iter()
        .find(|kind| text[1..].strip_prefix(kind.name()).is_some_and(|rest| rest.starts_with([']', ':'])))?;
    let rest = &text.as_bytes()[1 + kind.name().len()..];
    match rest {
        [b']', ..] => Some(text.len() - rest.len() + 1),
        [b':', hash @ ..] => {
            let is_hash = hash.len() > HASH_DIGITS
                && hash[..HASH_DIGITS].iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
                && hash[HASH_DIGITS] == b']';
            is_hash.then_some(text.len() - rest.len() + HASH_DIGITS + 2)
        }
        _ => None,
    }
}

/// Whether a character is written Chinese.
pub fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_forms_fold_and_lead_back_to_their_bytes() {
        let view = View::new("号１３８，ａ＠ｂ");
        assert_eq!(view.text(), "号138，a@b");
        assert_eq!(view.original(3..6), 3..12);
        assert_eq!(view.original(0..view.text().len()), 0.."号１３８，ａ＠ｂ".len());
    }

    #[test]
    fn only_what_redaction_writes_is_a_placeholder() {
        let text = "[phone] [email:0123456789] [email:012345678] [phones] [id:012345678g] [[ip]";
        let found: Vec<&str> = placeholders(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["[phone]", "[email:0123456789]", "[ip]"]);
    }

    #[test]
    fn a_token_ends_where_no_letter_digit_or_decimal_goes_on() {
        for (text, at, starts, ends) in [
            ("a 12 b", 2, true, false),
            ("a12", 1, false, false),
            ("1.12", 2, false, false),
            ("12-B", 2, false, false),
            ("12。", 2, false, true),
        ] {
            let view = View::new(text);
            assert_eq!((view.starts_token(at), view.ends_token(at)), (starts, ends), "{text} at {at}");
        }
    }
}
