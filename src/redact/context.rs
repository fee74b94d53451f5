//! What the words beside a number say about it: "电话" makes a phone number of it, "order" does not.
//!
//! The nearest word before it in the same clause decides; where there is none, a raising word soon after counts. Placeholders end
//! the view on either side, so a value that was redacted does not speak for its neighbours.

use super::view::View;
use std::ops::Range;

/// Words that raise or lower a recogniser's certainty, in lower case; ASCII words count as whole words only.
pub struct Context {
    pub raise: &'static [&'static str],
    pub lower: &'static [&'static str],
}

/// How much a word changes the certainty.
const RAISE: f32 = 0.3;
const LOWER: f32 = -0.45;
const BYTES_BEFORE: usize = 42;
const BYTES_AFTER: usize = 20;
const CLAUSE_ENDS: [char; 12] = ['，', '。', '；', '！', '？', '\n', ';', '!', '?', '[', ']', ','];

impl Context {
    /// The certainty after the words around `range` were heard, between 0 and 1.
    pub fn weigh(&self, view: &View, range: &Range<usize>, base: f32) -> f32 {
        (base + self.change(view, range)).clamp(0.0, 1.0)
    }

    fn change(&self, view: &View, range: &Range<usize>) -> f32 {
        let before = view.window_before(range.start, BYTES_BEFORE).to_ascii_lowercase();
        let clause = before.rsplit(CLAUSE_ENDS).next().unwrap_or_default();
        match (nearest(clause, self.raise), nearest(clause, self.lower)) {
            (Some(raise), lower) if lower.is_none_or(|lower| raise >= lower) => RAISE,
            (_, Some(_)) => LOWER,
            _ => {
                let after = view.window_after(range.end, BYTES_AFTER).to_ascii_lowercase();
                let clause = after.split(['。', '\n', '[', ']']).next().unwrap_or_default();
                if nearest(clause, self.raise).is_some() { RAISE } else { 0.0 }
            }
        }
    }
}

/// Where the last of the words ends in the text.
fn nearest(text: &str, words: &[&str]) -> Option<usize> {
    words.iter().filter_map(|word| last_whole(text, word)).max()
}

fn last_whole(text: &str, word: &str) -> Option<usize> {
    text.rmatch_indices(word)
        .map(|(at, _)| (at, at + word.len()))
        .find(|&(start, end)| is_whole(text, start, end))
        .map(|(_, end)| end)
}

/// Chinese words have no boundaries to look for; an ASCII word is not part of a longer one.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let joins = |a: u8, b: u8| a.is_ascii_alphabetic() && b.is_ascii_alphabetic();
    let joined_before = start > 0 && joins(bytes[start - 1], bytes[start]);
    let joined_after = end < bytes.len() && joins(bytes[end - 1], bytes[end]);
    !joined_before && !joined_after
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Context = Context { raise: &["phone", "电话"], lower: &["order", "订单"] };

    #[test]
    fn the_nearest_word_of_the_clause_decides() {
        for (text, expected) in [
            ("phone 123", 0.8),
            ("order 123", 0.05),
            ("order, 123", 0.5),
            ("my order's phone: 123", 0.8),
            ("电话在订单里 123", 0.05),
            ("reorder 123", 0.5),
            ("headphones 123", 0.5),
            ("123 is my phone", 0.8),
            ("[phone] 123", 0.5),
            ("订单，123", 0.5),
        ] {
            let start = text.find("123").unwrap();
            let found = WORDS.weigh(&View::new(text), &(start..start + 3), 0.5);
            assert!((found - expected).abs() < 1e-6, "{text}: {found}");
        }
    }
}
