//! Mainland Chinese resident ids (GB 11643): six digits of a place, a birth date, a sequence, a check character of ISO 7064 MOD 11-2.

use super::numbers::Reading;
use super::{Findings, push};
use crate::redact::Kind;
use crate::redact::context::Context;
use crate::redact::view::View;
use std::ops::Range;

/// The first two digits of the place: provinces, regions and cities.
const PLACES: [std::ops::RangeInclusive<u8>; 8] =
    [11..=15, 21..=23, 31..=37, 41..=46, 50..=54, 61..=65, 71..=71, 81..=83];
const BODY_DIGITS: usize = 17;
const WORDS: Context = Context {
    raise: &["id", "identity", "identity card", "id card", "resident id", "身份证", "证件", "实名", "身份"],
    // A checksum, a place and a date together are no accident, whatever stands before them.
    lower: &[],
};

pub fn find(view: &View, findings: &mut Findings) {
    for first in 0..view.groups().len() {
        let mut reading = Reading::start(view, first);
        while reading.digits.len() < BODY_DIGITS && reading.extend(&[" ", "-"], BODY_DIGITS + 1) {}
        if reading.lengths.len() <= 3
            && let Some(range) = valid(view, &reading)
        {
            let certainty = WORDS.weigh(view, &range, 0.95);
            push(findings, Kind::NationalId, range, certainty);
        }
    }
}

fn valid(view: &View, reading: &Reading) -> Option<Range<usize>> {
    let mut range = reading.range();
    let mut id: Vec<u8> = reading.digits.bytes().collect();
    if id.len() == BODY_DIGITS && matches!(view.after(range.end), Some('X' | 'x')) {
        range.end += 1;
        id.push(b'X');
    }
    let bounded = view.starts_token(range.start) && view.ends_token(range.end);
    (bounded && id.len() == BODY_DIGITS + 1 && is_place(&id) && is_date(&id[6..14]) && check(&id) == id[17])
        .then_some(range)
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
}

fn is_place(id: &[u8]) -> bool {
    let place = (id[0] - b'0') * 10 + (id[1] - b'0');
    PLACES.iter().any(|places| places.contains(&place))
}

fn is_date(digits: &[u8]) -> bool {
    let (year, month, day) = (number(&digits[..4]), number(&digits[4..6]), number(&digits[6..8]));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1900..2100).contains(&year) && (1..=days).contains(&day)
}

/// ISO 7064 MOD 11-2: each place weighs twice the one after it.
fn check(id: &[u8]) -> u8 {
    let sum = id[..BODY_DIGITS].iter().fold(0, |sum, digit| (sum + u32::from(digit - b'0')) * 2 % 11);
    b"10X98765432"[(sum % 11) as usize]
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn ids_are_found_by_their_checksum_place_and_date() {
        check(
            super::find,
            &[
                ("身份证510107197811034557。", &["510107197811034557"]),
                ("id 34010219880718254x", &["34010219880718254x"]),
                ("３７０２０３１９６５０４２０７８１６", &["３７０２０３１９６５０４２０７８１６"]),
                ("id: 510107 19781103 4557", &["510107 19781103 4557"]),
                ("５１０１０７１９７８１１０３４５５７号", &["５１０１０７１９７８１１０３４５５７"]),
                ("510107197811034558", &[]),
                ("910107197811034557 a510107197811034557 5101071978110345570", &[]),
                ("运单510107197811034557", &["510107197811034557"]),
                ("order 510107197813034550", &[]),
            ],
        );
    }

    #[test]
    fn the_calendar_is_kept() {
        for (date, valid) in
            [("20240229", true), ("20230229", false), ("19000229", false), ("19991301", false), ("20000431", false)]
        {
            assert_eq!(super::is_date(date.as_bytes()), valid, "{date}");
        }
    }
}
