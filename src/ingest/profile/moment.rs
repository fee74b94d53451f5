//! In which form a column writes its times, the forms that an import does not take included: those are named, so that they can be
//! converted before.

use super::super::time;
use crate::domain::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde::Serialize;

/// A way of writing a moment or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Form {
    #[serde(rename = "2026-01-31T09:30:00Z")]
    Utc,
    #[serde(rename = "2026-01-31T09:30:00+08:00")]
    WithOffset,
    #[serde(rename = "2026-01-31 09:30:00")]
    Civil,
    #[serde(rename = "2026-01-31")]
    Day,
    #[serde(rename = "unix seconds")]
    UnixSeconds,
    #[serde(rename = "unix milliseconds")]
    UnixMilliseconds,
    #[serde(rename = "20260131")]
    CompactDay,
    #[serde(rename = "2026/1/31")]
    YearFirst,
    #[serde(rename = "2026年1月31日")]
    Chinese,
    #[serde(rename = "31/1/2026")]
    DayFirst,
    #[serde(rename = "1/31/2026")]
    MonthFirst,
    /// Either of the two before.
    #[serde(rename = "1/2/2026")]
    DayOrMonthFirst,
}

impl Form {
    /// Whether an import reads it.
    pub(super) fn is_taken(self) -> bool {
        matches!(
            self,
            Self::Utc | Self::WithOffset | Self::Civil | Self::Day | Self::UnixSeconds | Self::UnixMilliseconds
        )
    }

    /// What clock it is by, as far as it says.
    pub(super) fn zone(self) -> &'static str {
        match self {
            Self::Utc | Self::UnixSeconds | Self::UnixMilliseconds => "UTC",
            Self::WithOffset => "given with each",
            _ => "not given: taken as UTC",
        }
    }
}

/// The form of a text and the moment it means; with neither day nor month first told apart by the text itself, the first.
pub(super) fn read(text: &str) -> Option<(Form, Timestamp)> {
    if text.len() > 40 || text.len() < 8 || !text.as_bytes()[0].is_ascii_digit() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return of_digits(text);
    }
    if let Some(moment) = time::parse(text).filter(|_| text.contains('-')) {
        return Some((iso_form(text), moment));
    }
    let (form, date) = of_parts(text)?;
    Some((form, Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?))
}

fn iso_form(text: &str) -> Form {
    match text.get(10..) {
        None | Some("") => Form::Day,
        Some(rest) if rest.ends_with(['Z', 'z']) => Form::Utc,
        Some(rest) if rest.contains(['+', '-']) => Form::WithOffset,
        Some(_) => Form::Civil,
    }
}

/// Numbers that could be times; so could be many that are none, so a column has to say so by its name as well.
fn of_digits(text: &str) -> Option<(Form, Timestamp)> {
    if text.len() == 8 {
        let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i16>().ok();
        let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
        let date = date(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?)?;
        return Some((Form::CompactDay, Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?));
    }
    let form = if text.len() <= 11 { Form::UnixSeconds } else { Form::UnixMilliseconds };
    Some((form, time::parse(text)?))
}

fn date(year: i16, month: i8, day: i8) -> Option<Date> {
    (1900..=2200).contains(&year).then(|| Date::new(year, month, day).ok())?
}

/// Three numbers with the same separator, and perhaps a time of day behind them.
fn of_parts(text: &str) -> Option<(Form, Date)> {
    let mut numbers = [0_i16; 3];
    let mut separators = ['\0'; 3];
    let mut chars = text.chars().peekable();
    for (number, separator) in numbers.iter_mut().zip(&mut separators) {
        let mut n_digits = 0;
        while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)).filter(|_| n_digits < 4) {
            *number = *number * 10 + i16::try_from(digit).ok()?;
            n_digits += 1;
            chars.next();
        }
        *separator = chars.next().unwrap_or(' ');
        if n_digits == 0 {
            return None;
        }
    }
    if separators[2].is_ascii_digit() || separators[2].is_alphabetic() && !matches!(separators[2], '日' | 'T') {
        return None;
    }
    let [first, second, third] = numbers;
    let day = |year, month, day| date(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    match (separators[0], separators[1]) {
        ('年', '月') => Some((Form::Chinese, day(first, second, third)?)),
        (a @ ('/' | '.' | '-'), b) if a == b && first >= 1000 => Some((Form::YearFirst, day(first, second, third)?)),
        (a @ ('/' | '.' | '-'), b) if a == b => match (first, second) {
            (13.., ..13) => Some((Form::DayFirst, day(third, second, first)?)),
            (..13, 13..) => Some((Form::MonthFirst, day(third, first, second)?)),
            _ => Some((Form::DayOrMonthFirst, day(third, second, first)?)),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_are_told_apart() {
        for (text, expected) in [
            ("2026-01-31T09:30:00Z", Some(Form::Utc)),
            ("2026-01-31T09:30:00+08:00", Some(Form::WithOffset)),
            ("2026-01-31 09:30:00", Some(Form::Civil)),
            ("2026-01-31", Some(Form::Day)),
            ("20260131", Some(Form::CompactDay)),
            ("1769851800", Some(Form::UnixSeconds)),
            ("1769851800000", Some(Form::UnixMilliseconds)),
            ("2026/1/31 9:30", Some(Form::YearFirst)),
            ("2026-1-31", Some(Form::YearFirst)),
            ("2026年1月31日", Some(Form::Chinese)),
            ("31/01/2026", Some(Form::DayFirst)),
            ("31.1.2026", Some(Form::DayFirst)),
            ("01/31/2026 10:00", Some(Form::MonthFirst)),
            ("01/02/2026", Some(Form::DayOrMonthFirst)),
            ("20261331", None),
            ("2026/13/41", None),
            ("12345678", None),
            ("10.20.30.40", None),
            ("555-1234-99", None),
            ("12", None),
            ("yesterday", None),
        ] {
            assert_eq!(read(text).map(|(form, _)| form), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(text in "[0-9/.\\-年月日T: Zé]{0,24}") {
            let _ = read(&text);
        }

        #[test]
        fn what_is_said_to_be_taken_is_taken(text in "20[0-9]{2}[-/]?[01]?[0-9][-/]?[0-3]?[0-9]([T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9](Z|\\+08:00)?)?)?") {
            if let Some((form, moment)) = read(&text) && form.is_taken() {
                prop_assert_eq!(time::parse(&text), Some(moment));
            }
        }
    }
}
