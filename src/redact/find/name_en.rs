//! Names of persons in English, best effort: after words that announce one ("my name is", "Mr.", "signed,"), never by a dictionary
//! alone, so that a product or a brand is not taken for a person.

use super::name_words::{is_brand_after_title, is_given, is_no_name};
use super::{Findings, push};
use crate::redact::Kind;
use crate::redact::view::{View, is_han};
use std::ops::Range;

/// Where a name stands after its trigger.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// In the sentence: "my name is …".
    Sentence,
    /// After a title, whose full stop may be missing.
    Title,
    /// At the end of a line, as a letter is signed.
    Signature,
    /// Only before "here" or "speaking", or for a name that is known.
    Introduction,
}

const TRIGGERS: [(&str, Place, f32); 42] = [
    ("my name is", Place::Sentence, 0.9),
    ("my name's", Place::Sentence, 0.9),
    ("name is", Place::Sentence, 0.55),
    ("named", Place::Introduction, 0.4),
    ("call me", Place::Sentence, 0.65),
    ("ask for", Place::Introduction, 0.45),
    ("asked for", Place::Introduction, 0.4),
    ("speak to", Place::Introduction, 0.45),
    ("spoke to", Place::Introduction, 0.45),
    ("spoke with", Place::Introduction, 0.45),
    ("this is", Place::Introduction, 0.45),
    ("it is", Place::Introduction, 0.4),
    ("it's", Place::Introduction, 0.4),
    ("i am", Place::Introduction, 0.4),
    ("i'm", Place::Introduction, 0.4),
    ("name:", Place::Sentence, 0.85),
    ("contact:", Place::Sentence, 0.75),
    ("recipient:", Place::Sentence, 0.85),
    ("customer:", Place::Sentence, 0.7),
    ("attn:", Place::Sentence, 0.8),
    ("attn", Place::Sentence, 0.7),
    ("attention:", Place::Sentence, 0.75),
    ("care of", Place::Sentence, 0.65),
    ("dear", Place::Introduction, 0.45),
    ("signed", Place::Signature, 0.8),
    ("sincerely", Place::Signature, 0.75),
    ("faithfully", Place::Signature, 0.75),
    ("regards", Place::Signature, 0.75),
    ("wishes", Place::Signature, 0.7),
    ("yours", Place::Signature, 0.7),
    ("cheers", Place::Signature, 0.6),
    ("thanks", Place::Signature, 0.45),
    ("thank you", Place::Signature, 0.45),
    ("best", Place::Signature, 0.45),
    ("mr", Place::Title, 0.8),
    ("mrs", Place::Title, 0.85),
    ("ms", Place::Title, 0.8),
    ("mister", Place::Title, 0.7),
    ("miss", Place::Title, 0.5),
    ("dr", Place::Title, 0.7),
    ("prof", Place::Title, 0.75),
    ("professor", Place::Title, 0.7),
];
const LONGEST_TRIGGER: usize = 12;
const MAX_WORDS: usize = 3;
const WINDOW: usize = 72;
/// What a known given name and a second word add.
const GIVEN: f32 = 0.2;
const TWO_WORDS: f32 = 0.1;
/// How sure "Dr." and "Mrs." alone are, and how much less so before a possessive.
const LABELS: [f32; 2] = [0.7, 0.85];
const LABEL: f32 = 0.3;
const PARTICLES: [&str; 9] = ["de", "van", "von", "der", "den", "bin", "al", "la", "di"];

pub fn find(view: &View, findings: &mut Findings) {
    let bytes = view.bytes();
    for at in 0..bytes.len() {
        let starts_word = at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'\'');
        if starts_word && bytes[at].is_ascii_alphabetic() {
            after_trigger(view, at, findings);
        }
    }
    sign_off(view, findings);
}

fn after_trigger(view: &View, at: usize, findings: &mut Findings) {
    let word = view.window_after(at, LONGEST_TRIGGER).to_ascii_lowercase();
    for (trigger, place, base) in TRIGGERS.iter().filter(|(trigger, ..)| word.starts_with(*trigger)) {
        let end = at + trigger.len();
        // "not to miss", "1 ms": a title other than these is not written small.
        if *place == Place::Title && !["mr", "mrs", "dr"].contains(trigger) && view.bytes()[at].is_ascii_lowercase() {
            continue;
        }
        if let Some(skip) = gap(view.window_after(end, 8), *place) {
            consider(view, end + skip, *place, *base, findings);
        }
    }
}

/// "- Theo" or "— Theo" on the last line.
fn sign_off(view: &View, findings: &mut Findings) {
    let text = view.text().trim_end();
    let line = view.window_before(text.len(), WINDOW).rsplit('\n').next().unwrap_or_default();
    let dash =
        ["- ", "— ", "-- ", "~ "].into_iter().filter_map(|dash| line.rfind(dash).map(|at| at + dash.len())).max();
    if let Some(dash) = dash {
        consider(view, text.len() - line.len() + dash, Place::Signature, 0.45, findings);
    }
}

/// The length of what stands between a trigger and its name; none where something else does.
fn gap(rest: &str, place: Place) -> Option<usize> {
    let marks = match place {
        Place::Title => ".",
        Place::Signature => ",.:!",
        _ => ":",
    };
    let first = rest.starts_with(|c: char| marks.contains(c));
    let skip = usize::from(first);
    let blank = rest[skip..]
        .chars()
        .take_while(|c| *c == ' ' || *c == '"' || (*c == '\n' && place == Place::Signature))
        .count();
    let separated = blank > 0 || (first && place != Place::Signature) || rest.is_empty();
    (separated && rest[skip..].is_char_boundary(blank)).then_some(skip + blank)
}

fn consider(view: &View, at: usize, place: Place, base: f32, findings: &mut Findings) {
    let text = view.window_after(at, WINDOW);
    let known_lowercase = base >= 0.9 && is_given(text.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default());
    let words = if known_lowercase { first_word(text).into_iter().collect() } else { name_words(text) };
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
    let first_name = &text[first.clone()];
    if is_no_name(first_name) || (place == Place::Title && is_brand_after_title(first_name)) {
        return;
    }
    let rest = &text[last.end..];
    if place == Place::Signature && !ends_line(rest) {
        return;
    }
    let possessive = rest.starts_with("'s") || rest.starts_with("’s");
    if possessive && place == Place::Introduction {
        return;
    }
    // "Dr. John's", "Mrs. Leeper's": on a shop's pages these are labels more often than people.
    let mut certainty = if possessive && LABELS.contains(&base) { base - LABEL } else { base };
    if is_given(first_name) || introduces_itself(place, rest) {
        certainty += GIVEN;
    }
    if words.len() > 1 && place != Place::Introduction {
        certainty += TWO_WORDS;
    }
    push(findings, Kind::PersonName, at + first.start..at + last.end, certainty.min(1.0));
}

fn ends_line(rest: &str) -> bool {
    let rest = rest.trim_start_matches(['.', '!', ',', ' ']);
    rest.is_empty() || rest.starts_with('\n')
}

fn introduces_itself(place: Place, rest: &str) -> bool {
    place == Place::Introduction
        && [" here", " speaking", " writing", " again"].iter().any(|word| rest.starts_with(word))
}

fn first_word(text: &str) -> Option<Range<usize>> {
    let end = text.find(|c: char| !c.is_alphabetic() && c != '-').unwrap_or(text.len());
    (end > 1).then_some(0..end)
}

/// Up to three capitalised words in a row, particles between them, initials before the last.
fn name_words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let (mut at, mut n_names) = (0, 0);
    while n_names < MAX_WORDS {
        let rest = &text[at..];
        let length = rest.find(|c: char| !is_name_letter(c)).unwrap_or(rest.len());
        let word = without_possessive(&rest[..length]);
        let initial = word.chars().count() == 1 && rest[length..].starts_with('.');
        let name = is_capitalised(word) && !(n_names > 0 && is_no_name(word)) && (word.chars().count() > 1 || initial);
        let particle = n_names > 0 && PARTICLES.contains(&word);
        if !(name || particle) {
            break;
        }
        words.push(at..at + word.len());
        n_names += usize::from(name);
        at += length + usize::from(initial);
        if word.len() < length || !text[at..].starts_with(' ') {
            break;
        }
        at += 1;
    }
    while words.last().is_some_and(|word| PARTICLES.contains(&&text[word.clone()])) {
        words.pop();
    }
    words
}

fn is_name_letter(c: char) -> bool {
    (c.is_alphabetic() && !is_han(c)) || "'’-".contains(c)
}

fn without_possessive(word: &str) -> &str {
    let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word);
    word.trim_end_matches(['\'', '’', '-'])
}

/// "Moss", "O'Neil", "Anne-Marie"; not "USB" and not "iPhone".
fn is_capitalised(word: &str) -> bool {
    let mut letters = word.chars().filter(|c| c.is_alphabetic());
    let first = letters.next().is_some_and(char::is_uppercase);
    let rest: Vec<char> = letters.collect();
    first && (rest.is_empty() || rest.iter().any(|c| c.is_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn names_are_found_where_words_announce_them() {
        check(
            super::find,
            &[
                ("My name is Harriet Moss and I", &["Harriet Moss"]),
                ("my name is john.", &["john"]),
                ("Spoke with Mr. Aldridge's colleague, Dr Okonkwo.", &["Aldridge", "Okonkwo"]),
                ("Ask for Priya at the desk. Call me Ed, please", &["Priya", "Ed"]),
                ("Contact: Sofia Lindqvist, tel", &["Sofia Lindqvist"]),
                ("Name: Anna van der Berg\nIssue", &["Anna van der Berg"]),
                ("It broke.\nKind regards,\nDaniel J. Prewitt", &["Daniel J. Prewitt"]),
                ("Signed, Zoë Ånström.", &["Zoë Ånström"]),
                ("Fine.\n- Theo", &["Theo"]),
                ("Hi, this is Marcus Feld, no news. Rosalind speaking", &["Marcus Feld"]),
                ("客服说 ask for Priya", &["Priya"]),
            ],
        );
    }

    #[test]
    fn brands_and_common_words_are_no_names() {
        check(
            super::find,
            &[
                ("Dr. Martens, Dr Pepper, Mr. Coffee, Mr Clean, Mrs. Meyer's", &[]),
                ("Call me old fashioned. Call me Back. Ask for a refund. Ask for Support", &[]),
                (
                    "one not to miss. Note that, 1 ms Response, ask for Beignets, it's Margaret's Hope, Dr. John's drops",
                    &[],
                ),
                ("My name is on the order. This is Great. Thanks, Amazon, for it", &[]),
                ("Regards from a happy customer! This is Sparta Pro", &[]),
                ("I'm Happy with it; it's USB. Thanks Samsung", &[]),
                ("Dear Customer Support, miss you", &[]),
            ],
        );
    }
}
