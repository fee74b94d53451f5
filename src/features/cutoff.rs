//! The moment as of which a customer is described, and the calendar around it.

use crate::domain::Timestamp;
use serde::{Deserialize, Serialize};

pub(super) const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// As of when. What happened at that very moment is still seen, what happened later is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cutoff {
    pub at: Timestamp,
    /// The length of the last period, and of the one before it that trends compare with; at least 1.
    pub period_days: u32,
    /// Minutes the shop's clock is ahead of UTC, for hours and weekdays.
    pub utc_offset_minutes: i32,
}

/// Where a moment lies among the periods that trends compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    Last,
    Before,
    Earlier,
}

impl Cutoff {
    /// With periods of 90 days, on the clock of UTC.
    pub fn new(at: Timestamp) -> Self {
        Self { at, period_days: 90, utc_offset_minutes: 0 }
    }

    pub(super) fn sees(&self, time: Timestamp) -> bool {
        time <= self.at
    }

    /// Days from a moment to the cut-off.
    pub(super) fn days_since(&self, time: Timestamp) -> f64 {
        days_between(time, self.at)
    }

    /// The last period is `(at - p, at]`, the one before `(at - 2p, at - p]`. `time` is one the cut-off sees.
    pub(super) fn period(&self, time: Timestamp) -> Period {
        let age = self.at.as_microsecond() - time.as_microsecond();
        let period = i64::from(self.period_days.max(1)) * MICROSECONDS_A_DAY;
        match age {
            age if age < period => Period::Last,
            age if age < 2 * period => Period::Before,
            _ => Period::Earlier,
        }
    }

    /// Hour of the day on the shop's clock, 0 to 23.
    pub(super) fn hour(&self, time: Timestamp) -> usize {
        (self.local_minutes(time).rem_euclid(24 * 60) / 60) as usize
    }

    /// Day of the week on the shop's calendar, Monday 0 to Sunday 6.
    pub(super) fn weekday(&self, time: Timestamp) -> usize {
        // 1970-01-01 was a Thursday.
        (self.local_day(time) + 3).rem_euclid(7) as usize
    }

    /// Number of the day on the shop's calendar, counted from 1970-01-01.
    pub(super) fn local_day(&self, time: Timestamp) -> i64 {
        self.local_minutes(time).div_euclid(24 * 60)
    }

    fn local_minutes(&self, time: Timestamp) -> i64 {
        time.as_microsecond().div_euclid(60_000_000) + i64::from(self.utc_offset_minutes)
    }
}

pub(super) fn days_between(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_microsecond() - from.as_microsecond()) as f64 / MICROSECONDS_A_DAY as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_and_weekdays_are_the_shops() {
        let utc = Cutoff::new(time("2026-11-24T20:00:00Z"));
        let shanghai = Cutoff { utc_offset_minutes: 480, ..utc };
        for (text, hour, weekday) in [
            ("2026-11-24T19:59:59Z", (19, 3), (1, 2)),
            ("1969-12-31T23:00:00Z", (23, 7), (2, 3)),
            ("2026-11-22T00:00:00Z", (0, 8), (6, 6)),
        ] {
            let time = time(text);
            assert_eq!((utc.hour(time), shanghai.hour(time)), hour, "{text}");
            assert_eq!((utc.weekday(time), shanghai.weekday(time)), weekday, "{text}");
        }
    }

    #[test]
    fn a_period_is_open_where_the_one_before_it_ends() {
        let cutoff = Cutoff { period_days: 10, ..Cutoff::new(time("2026-01-21T00:00:00Z")) };
        for (text, period) in [
            ("2026-01-21T00:00:00Z", Period::Last),
            ("2026-01-11T00:00:00.000001Z", Period::Last),
            ("2026-01-11T00:00:00Z", Period::Before),
            ("2026-01-01T00:00:00.000001Z", Period::Before),
            ("2026-01-01T00:00:00Z", Period::Earlier),
        ] {
            assert_eq!(cutoff.period(time(text)), period, "{text}");
        }
        assert!(cutoff.sees(cutoff.at) && !cutoff.sees(time("2026-01-21T00:00:00.000001Z")));
    }
}
