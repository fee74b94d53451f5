//! Reads the few ways of writing a moment that exports use.

use crate::domain::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// What [`parse`] takes, as the rest of a sentence.
pub(super) const TAKEN: &str = "takes RFC 3339 (2026-01-31T09:30:00Z), 2026-01-31, 2026-01-31 09:30:00 (UTC), or Unix seconds or milliseconds of nine digits or more";

/// A smaller number would lie before March 1973 and is something else: a year, a day as 20260131, a 0 for "not known".
const FIRST_SECONDS: i64 = 100_000_000;
/// Numbers from here on are milliseconds: as seconds they would lie beyond the year 5138, as milliseconds they start in 1973.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;
const LAST_MILLISECONDS: i64 = 100_000_000_000_000;

/// Reads a moment, to the microsecond. Nothing if the text is in none of the forms of [`TAKEN`].
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return unix(text);
    }
    if !starts_with_date(text) {
        return None;
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Timestamp::from_microsecond(moment.as_microsecond()).ok();
    }
    let civil: DateTime = text.parse().ok()?;
    let moment = Offset::UTC.to_timestamp(civil).ok()?;
    Timestamp::from_microsecond(moment.as_microsecond()).ok()
}

/// `YYYY-MM-DD` in front: shorter forms of ISO 8601 leave open what is meant.
fn starts_with_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes[..10]
            .iter()
            .enumerate()
            .all(|(i, byte)| if i == 4 || i == 7 { *byte == b'-' } else { byte.is_ascii_digit() })
}

fn unix(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.contains('.') {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    match number {
        FIRST_SECONDS..FIRST_MILLISECONDS => {
            let micros: i64 = format!("{fraction:0<6.6}").parse().ok()?;
            Timestamp::from_microsecond(number * 1_000_000 + micros).ok()
        }
        FIRST_MILLISECONDS..LAST_MILLISECONDS => Timestamp::from_millisecond(number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_promised_form_is_read() {
        for (text, expected) in [
            ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00Z"),
            ("2026-01-31T09:30:00.123456789Z", "2026-01-31T09:30:00.123456Z"),
            ("2026-01-31T09:30:00+08:00", "2026-01-31T01:30:00Z"),
            ("2026-01-31 09:30:00Z", "2026-01-31T09:30:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31 09:30:00", "2026-01-31T09:30:00Z"),
            ("2026-01-31T09:30:00", "2026-01-31T09:30:00Z"),
            ("2026-01-31 09:30:00.5", "2026-01-31T09:30:00.5Z"),
            (" 1769851800 ", "2026-01-31T09:30:00Z"),
            ("1769851800.25", "2026-01-31T09:30:00.25Z"),
            ("1769851800000", "2026-01-31T09:30:00Z"),
        ] {
            assert_eq!(parse(text).map(|moment| moment.to_string()), Some(expected.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn what_could_mean_two_moments_is_refused() {
        for bad in [
            "",
            " ",
            "yesterday",
            "31/01/2026",
            "01-31-2026",
            "2026",
            "2026-01",
            "2026-13-01",
            "2026-02-30",
            "20260131",
            "0",
            "-1",
            "1.2.3",
            ".",
            "1769851800000000",
            "99999999999999999999",
            "2026-01-31T25:00:00Z",
            "nan",
            "1e9",
        ] {
            assert_eq!(parse(bad), None, "{bad:?} should be refused");
        }
    }

    proptest! {
        #[test]
        fn seconds_milliseconds_and_rfc_3339_agree(second in 200_000_000_i64..4_000_000_000) {
            let moment = Timestamp::from_second(second).unwrap();
            for text in [second.to_string(), (second * 1000).to_string(), moment.to_string()] {
                prop_assert_eq!(parse(&text), Some(moment));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
