//! Phone numbers: mainland Chinese mobiles and landlines, E.164, and the written forms of other countries.
//!
//! How sure a number is follows from its form: a `+` or the brackets of an area code leave little doubt, ten bare digits need a word
//! beside them. Numbers that belong to no person (toll-free ones, hotlines of three digits) are left alone.

use super::numbers::Reading;
use super::{Findings, push};
use crate::redact::Kind;
use crate::redact::context::Context;
use crate::redact::view::View;
use std::ops::Range;

const GAPS: [&str; 10] = [" ", "-", ".", ") ", ")", ")-", " (", "(", "-(", ") -"];
const MAX_DIGITS: usize = 15;
const WORDS: Context = Context {
    raise: &[
        "phone",
        "telephone",
        "tel",
        "mobile",
        "cell",
        "call",
        "called",
        "call us",
        "ring",
        "dial",
        "text me",
        "whatsapp",
        "sms",
        "fax",
        "reach",
        "contact",
        "电话",
        "手机",
        "座机",
        "联系",
        "拨打",
        "致电",
        "来电",
        "微信",
        "打给",
        "短信",
        "分机",
    ],
    lower: &[
        "order",
        "tracking",
        "invoice",
        "isbn",
        "sku",
        "part",
        "model",
        "barcode",
        "serial",
        "ref",
        "ticket",
        "code",
        "订单",
        "单号",
        "运单",
        "编号",
        "条码",
        "型号",
        "书号",
        "序列号",
        "券码",
        "积分",
        "货号",
    ],
};

/// Certainties before the context: above 0.95 a form that no context makes doubtful.
const SURE: f32 = 1.0;
const CLEAR: f32 = 0.96;
const LIKELY: f32 = 0.85;
const POSSIBLE: f32 = 0.6;
const DOUBTFUL: f32 = 0.35;

pub fn find(view: &View, findings: &mut Findings) {
    for first in 0..view.groups().len() {
        let mut reading = Reading::start(view, first);
        let plus = view.before(reading.range().start) == Some('+');
        let mut best = form(&reading, plus).map(|base| (base, range_of(view, &reading, plus)));
        while reading.extend(&GAPS, MAX_DIGITS) {
            if let Some(base) = form(&reading, plus) {
                best = Some((base, range_of(view, &reading, plus)));
            }
        }
        if let Some((base, range)) = best
            && view.starts_token(range.start)
            && view.ends_token(range.end)
        {
            let base = if goes_on_before(view, range.start) { base - 0.25 } else { base };
            let certainty = WORDS.weigh(view, &range, base);
            push(findings, Kind::Phone, range, certainty);
        }
    }
}

/// The digits with the plus and the bracket that belong to them.
fn range_of(view: &View, reading: &Reading, plus: bool) -> Range<usize> {
    let mut range = reading.range();
    range.start -= usize::from(plus);
    let has_bracket = (1..reading.lengths.len()).any(|group| reading.gap(group).starts_with(')'));
    range.start -= usize::from(has_bracket && view.before(range.start) == Some('('));
    range
}

/// Whether the number continues another: "order 5 212-555-0142" is less sure, a long code in groups is none.
fn goes_on_before(view: &View, start: usize) -> bool {
    matches!(&view.bytes()[..start], [.., digit, b' ' | b'-' | b'/'] if digit.is_ascii_digit())
}

/// How sure a number of this form is a phone's; none if it is not one.
fn form(reading: &Reading, plus: bool) -> Option<f32> {
    let digits = reading.digits.as_str();
    if plus {
        return international(digits);
    }
    if let Some(mobile) = digits.strip_prefix("0086").or_else(|| digits.strip_prefix("86"))
        && is_mobile(mobile)
    {
        return Some(LIKELY);
    }
    if is_mobile(digits) && reading.lengths[0] >= 3 && reading.lengths.len() <= 4 {
        return Some(if reading.lengths.len() > 1 { CLEAR } else { LIKELY });
    }
    if digits.starts_with('0') { trunk(reading) } else { north_american(reading) }
}

fn is_mobile(digits: &str) -> bool {
    digits.len() == 11 && matches!(digits.as_bytes(), [b'1', b'3'..=b'9', ..])
}

/// E.164: a country's code and at most 15 digits; more than 13 are written by nobody.
fn international(digits: &str) -> Option<f32> {
    let valid = match digits.as_bytes() {
        [b'8', b'6', rest @ ..] => {
            is_mobile(&digits[2..]) || ((9..=12).contains(&rest.len()) && !matches!(rest, [b'1', b'3'..=b'9', ..]))
        }
        [b'1', area, ..] => digits.len() == 11 && (b'2'..=b'9').contains(area),
        [b'2'..=b'9', ..] => (8..=13).contains(&digits.len()),
        _ => false,
    };
    valid.then_some(SURE)
}

/// National forms that start with a zero: Chinese landlines, and those of most of Europe.
fn trunk(reading: &Reading) -> Option<f32> {
    let area = &reading.digits.as_bytes()[..reading.digits.len().min(4)];
    let long_area = matches!(area, [b'0', b'3'..=b'9', ..]);
    match (&reading.lengths[..], reading.digits.len()) {
        ([3, 7 | 8], _) if !long_area => Some(CLEAR),
        ([4, 7 | 8], _) if long_area => Some(CLEAR),
        ([3, 4, 4], _) if !long_area => Some(LIKELY),
        ([4, 4, 4] | [4, 3, 4] | [4, 4, 3], _) if long_area => Some(LIKELY),
        ([_], 11) if area[1] == b'7' || long_area || area[1] <= b'2' => Some(DOUBTFUL + 0.1),
        ([_], 12) if long_area => Some(DOUBTFUL),
        ([first, _, ..], 10 | 11) if *first >= 2 && area[1] != b'0' => Some(POSSIBLE),
        ([first, _, ..], 11..) if *first >= 4 && area.starts_with(b"00") => Some(POSSIBLE),
        _ => None,
    }
}

/// (212) 555-0142, 212-555-0142, 1-212-555-0142, 2125550142; seven digits where a word says that they are one.
fn north_american(reading: &Reading) -> Option<f32> {
    let digits = reading.digits.as_str();
    let (national, lengths) = match &reading.lengths[..] {
        [1, rest @ ..] if digits.starts_with('1') => (&digits[1..], rest),
        all => (digits, all),
    };
    let toll_free =
        ["400", "800", "888", "877", "866", "855", "844", "833"].iter().any(|area| national.starts_with(area));
    let valid = |part: &[u8]| matches!(part, [b'2'..=b'9', ..]);
    let bytes = national.as_bytes();
    match lengths {
        [3, 3, 4] if valid(bytes) && valid(&bytes[3..]) && !toll_free => {
            let spaced = reading.gap(reading.lengths.len() - 2) == " ";
            Some(if spaced { POSSIBLE } else { CLEAR })
        }
        [10] if valid(bytes) && valid(&bytes[3..]) && !toll_free => Some(DOUBTFUL),
        [3, 4] if valid(bytes) && reading.gap(1) == "-" => Some(DOUBTFUL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn chinese_numbers_are_found_in_every_spelling() {
        check(
            super::find,
            &[
                ("手机号是13800138000，", &["13800138000"]),
                ("１３９００００４４２１", &["１３９００００４４２１"]),
                ("+86 138 0013 8000", &["+86 138 0013 8000"]),
                ("(+86)138-0013-8000", &["(+86)138-0013-8000"]),
                ("8613800138000、0086 13800138000", &["8613800138000", "0086 13800138000"]),
                ("座机010-65550188转3", &["010-65550188"]),
                ("(0571) 88880123", &["(0571) 88880123"]),
                ("电话01065550188", &["01065550188"]),
                ("+86 10 6555 0188", &["+86 10 6555 0188"]),
                ("订单号13800138000，12800138000，138001380001", &[]),
                ("快递单号SF1020304050607，型号13800138000", &[]),
                ("客服10086，热线400-820-0000", &[]),
            ],
        );
    }

    #[test]
    fn numbers_of_other_countries_are_found_in_the_forms_they_are_written() {
        check(
            super::find,
            &[
                ("call +44 20 7946 0123, please", &["+44 20 7946 0123"]),
                ("+442079460123 or +49 (0)30 5550 0123", &["+442079460123", "+49 (0)30 5550 0123"]),
                ("my order: (415) 555-0117.", &["(415) 555-0117"]),
                ("212-555-0142 303.555.0139 1-206-555-0173", &["212-555-0142", "303.555.0139", "1-206-555-0173"]),
                ("call 2125550142", &["2125550142"]),
                ("07700 900461, 020 7946 0991", &["07700 900461", "020 7946 0991"]),
                ("06 12 34 56 78", &["06 12 34 56 78"]),
                ("phone us: 555-0148", &["555-0148"]),
                ("2125550142 555-0148", &[]),
                ("part 555-0123-B, 2024-05-11, 100-240, 0-306-40615-2", &[]),
                ("1Z999AA10123456784 3840x2160 1,299.00 1716000000", &[]),
                ("800-555-0199 and +12", &[]),
            ],
        );
    }
}
