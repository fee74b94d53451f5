//! How long facts are kept, by their kind.

use super::Timestamp;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// A kind of facts that have a time of their own. (Traits, accounts, the catalogue and consent stand until they are replaced.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    Events,
    Reviews,
    Orders,
    Refunds,
}

impl FactKind {
    pub const ALL: [Self; 4] = [Self::Events, Self::Reviews, Self::Orders, Self::Refunds];

    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Reviews => "reviews",
            Self::Orders => "orders",
            Self::Refunds => "refunds",
        }
    }
}

/// For how many days a workspace keeps facts after their time; nothing is for ever, and so it is where nobody said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    pub events: Option<u32>,
    pub reviews: Option<u32>,
    pub orders: Option<u32>,
    pub refunds: Option<u32>,
}

impl Retention {
    /// Under this name it stands among a workspace's settings.
    pub const NAME: &str = "retention";

    pub fn days(&self, kind: FactKind) -> Option<u32> {
        match kind {
            FactKind::Events => self.events,
            FactKind::Reviews => self.reviews,
            FactKind::Orders => self.orders,
            FactKind::Refunds => self.refunds,
        }
    }

    /// Facts of before this moment are not kept; nothing where they are kept for ever.
    pub fn cutoff(&self, kind: FactKind, now: Timestamp) -> Option<Timestamp> {
        let days = self.days(kind)?;
        now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).ok()
    }

    pub fn is_expired(&self, kind: FactKind, time: Timestamp, now: Timestamp) -> bool {
        self.cutoff(kind, now).is_some_and(|cutoff| time.as_microsecond() < cutoff.as_microsecond())
    }

    pub fn keeps_all(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_kept_for_their_days_and_not_a_moment_longer() {
        let retention = Retention { events: Some(2), ..Retention::default() };
        let now = Timestamp::from_second(1_000_000).unwrap();
        let ago = |seconds: i64| Timestamp::from_second(1_000_000 - seconds).unwrap();
        assert!(!retention.is_expired(FactKind::Events, ago(2 * 86_400), now));
        assert!(retention.is_expired(FactKind::Events, ago(2 * 86_400 + 1), now));
        assert!(!retention.is_expired(FactKind::Reviews, Timestamp::MIN, now));
        let long = Retention { events: Some(u32::MAX), ..Retention::default() };
        assert_eq!(long.cutoff(FactKind::Events, now), None, "before there were times");
    }
}
