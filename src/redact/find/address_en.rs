//! Postal addresses in English, best effort: a house number, a name, a word for a street, and what follows of flat, town and code.

use super::{Findings, push};
use crate::redact::Kind;
use crate::redact::context::Context;
use crate::redact::view::View;
use std::ops::Range;

const STREETS: [&str; 23] = [
    "street",
    "st",
    "road",
    "rd",
    "avenue",
    "ave",
    "lane",
    "ln",
    "boulevard",
    "blvd",
    "square",
    "terrace",
    "crescent",
    "highway",
    "hwy",
    "parkway",
    "pkwy",
    "gardens",
    "grove",
    "mews",
    "trail",
    "alley",
    "quay",
];
/// Street words that are common words too: they need a town or a word beside them.
const AMBIGUOUS: [&str; 12] =
    ["drive", "dr", "way", "place", "court", "ct", "close", "walk", "row", "circle", "green", "hill"];
/// Street words that are believed in small letters, where a word like "live at" leads to them.
const PLAIN: [&str; 5] = ["street", "road", "avenue", "lane", "boulevard"];
/// Words of hardware and of distances, after which a "drive" or a "way" is none to live in.
const NO_NAMES: [&str; 14] = [
    "hard",
    "state",
    "solid-state",
    "flash",
    "disk",
    "disc",
    "remote",
    "test",
    "mile",
    "minute",
    "hour",
    "of",
    "the",
    "is",
];
const UNITS: [&str; 10] = ["apt", "apartment", "flat", "unit", "suite", "ste", "floor", "fl", "room", "building"];
/// Capitalised words that start a new thought after a comma rather than name a town.
const NO_TOWNS: [&str; 16] = [
    "thanks", "thank", "please", "the", "i", "it", "my", "we", "but", "and", "not", "no", "he", "she", "they", "order",
];
const MAX_NAME_WORDS: usize = 4;
const MAX_TAIL_SEGMENTS: usize = 4;
const WINDOW: usize = 160;
const WORDS: Context = Context {
    raise: &[
        "address",
        "live",
        "lives",
        "living",
        "ship",
        "deliver",
        "delivered",
        "deliver it",
        "send",
        "sent",
        "moved",
        "at",
        "to",
        "地址",
        "住",
        "寄",
    ],
    lower: &[],
};

pub fn find(view: &View, findings: &mut Findings) {
    for group in view.groups().iter().filter(|group| group.len() <= 6) {
        if !view.starts_token(group.start) || view.before(group.start) == Some('/') {
            continue;
        }
        if let Some(start) = post_box(view, group.start) {
            push(findings, Kind::PostalAddress, start..group.end, 0.85);
        } else if let Some((length, base)) = street(view.window_after(group.end, WINDOW)) {
            let range = with_unit_before(view, group.start)..group.end + length;
            let certainty = WORDS.weigh(view, &range, base);
            push(findings, Kind::PostalAddress, range, certainty);
        }
    }
}

fn post_box(view: &View, at: usize) -> Option<usize> {
    let before = view.window_before(at, 12).to_ascii_lowercase();
    let form = ["p.o. box ", "po box ", "p o box "].into_iter().find(|form| before.ends_with(form))?;
    Some(at - form.len())
}

/// "Flat 2, 27 Elm Grove": the unit before the house belongs to the address.
fn with_unit_before(view: &View, at: usize) -> usize {
    let before = view.window_before(at, 20);
    let Some(rest) = before.strip_suffix(", ") else { return at };
    let mut words = rest.rsplitn(3, ' ');
    let (number, unit) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_unit =
        UNITS.contains(&unit.to_ascii_lowercase().as_str()) && number.bytes().any(|byte| byte.is_ascii_digit());
    if is_unit { at - 2 - number.len() - 1 - unit.len() } else { at }
}

/// The length of what follows the house number, and how sure it is an address.
fn street(text: &str) -> Option<(usize, f32)> {
    let mut at = house_suffix(text);
    let mut capitalised = true;
    for n_words in 0..=MAX_NAME_WORDS {
        let word = next_word(text, at)?;
        let name = text[word.clone()].trim_end_matches('.').to_ascii_lowercase();
        let (sure, ambiguous) = (STREETS.contains(&name.as_str()), AMBIGUOUS.contains(&name.as_str()));
        at = word.end;
        // "The 5 Star Way to clean": a way to do something is no street.
        let ambiguous = ambiguous && !text[at..].starts_with(" to ");
        if n_words > 0 && (sure || ambiguous) {
            let plain = n_words <= 2 && PLAIN.contains(&name.as_str());
            let base = if !capitalised {
                if plain { 0.35 } else { 0.0 }
            } else if sure {
                0.65
            } else {
                0.5
            };
            let end = tail(text, at);
            let with_town = if end > at { 0.15 } else { 0.0 };
            return Some((end, base + with_town));
        }
        if NO_NAMES.contains(&name.as_str()) {
            return None;
        }
        capitalised &= text[word].starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    }
    None
}

/// "12B", "12-14": what belongs to the number itself.
fn house_suffix(text: &str) -> usize {
    match text.as_bytes() {
        [letter, b' ', ..] if letter.is_ascii_alphabetic() => 1,
        [b'-', rest @ ..] => 1 + rest.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    }
}

/// The word after exactly one space; a full stop belongs to it only as an abbreviation's.
fn next_word(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?.strip_prefix(' ')?;
    let length = rest.find(|c: char| !c.is_alphanumeric() && c != '\'' && c != '-').unwrap_or(rest.len());
    (length > 0).then(|| at + 1..at + 1 + length)
}

/// Where the flat, the town and the code end that follow the street's name.
fn tail(text: &str, street_end: usize) -> usize {
    let mut end = street_end;
    for _ in 0..MAX_TAIL_SEGMENTS {
        let rest = &text[end..];
        let skip = ["., ", ", ", " ", ",\n"].into_iter().find(|gap| rest.starts_with(gap)).map_or(0, str::len);
        let comma = rest[..skip].contains(',');
        let segment =
            rest[skip..].split([',', '.', ';', '!', '?', '\n', '(', ')', '[', '，', '。']).next().unwrap_or_default();
        let taken = town_words(segment, comma);
        if skip == 0 || taken == 0 {
            break;
        }
        end += skip + taken;
    }
    end
}

/// The length of the words at the segment's start that a town, a code or a flat is made of.
fn town_words(segment: &str, after_comma: bool) -> usize {
    let (mut end, mut unit) = (0, false);
    for (index, word) in segment.split(' ').enumerate() {
        let lower = word.trim_start_matches('#').to_ascii_lowercase();
        let is_unit = UNITS.contains(&lower.as_str());
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        let capital = word.starts_with(char::is_uppercase) && !NO_TOWNS.contains(&lower.as_str());
        let fits =
            is_unit || (has_digit && (unit || word.len() >= 3 || word.starts_with('#'))) || (capital && after_comma);
        if word.is_empty() || !fits || index > 4 {
            break;
        }
        unit = is_unit;
        end += word.len() + usize::from(index > 0);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn addresses_are_found_with_their_flat_town_and_code() {
        check(
            super::find,
            &[
                ("12 Baker Lane, Norwich and not to work", &["12 Baker Lane, Norwich"]),
                (
                    "I live at 48 Elm Grove, Apt 3B, Portland, OR 97205; no",
                    &["48 Elm Grove, Apt 3B, Portland, OR 97205"],
                ),
                ("to 221B Old Mill St. please", &["221B Old Mill St"]),
                ("9 Orchard Close, Bath BA1 5XY, no lift", &["9 Orchard Close, Bath BA1 5XY"]),
                ("Flat 2, 27 Elm Grove", &["Flat 2, 27 Elm Grove"]),
                ("PO Box 4471, thanks", &["PO Box 4471"]),
                ("at 7 harbour road", &["7 harbour road"]),
                ("地址：35 Station Road, Cork。", &["35 Station Road, Cork"]),
                ("12 Baker Lane, Thanks for it", &["12 Baker Lane"]),
                ("The 5 Star Way to clean, 24 hour street food", &[]),
                ("M.2 Solid State Drive, ship in 120 gb remote drive, 50 mile drive, 3/4 of RD", &[]),
                ("12 inch pan, 40 miles a day, 2 Day Delivery", &[]),
                ("买了3 Street Fighter贴纸", &[]),
            ],
        );
    }
}
