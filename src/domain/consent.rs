//! What a customer allows their data to be used for, purpose by purpose, as they told it.

use super::{ConsentSource, CustomerId, Fact, Timestamp, Who};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What data is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Keeping what they do: events. Without it events are not kept.
    Analytics,
    /// Being spoken to: without it they are in no audience.
    Marketing,
    /// Being described and divided: without it they are in no segment.
    Profiling,
}

impl Purpose {
    pub const ALL: [Self; 3] = [Self::Analytics, Self::Marketing, Self::Profiling];

    pub fn name(self) -> &'static str {
        match self {
            Self::Analytics => "analytics",
            Self::Marketing => "marketing",
            Self::Profiling => "profiling",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// What somebody said at a moment about one purpose or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    pub who: Who,
    /// Whether each purpose was granted; withdrawn otherwise.
    pub choices: BTreeMap<Purpose, bool>,
    /// Where they said it.
    pub source: ConsentSource,
    pub time: Timestamp,
}

/// What a call or a row says of consent beside its fact, in the words of whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    pub who: Who,
    /// By category, as Segment's consent spec has it; the workspace's settings say which purposes a category is about.
    pub by_category: Vec<(String, bool)>,
    pub by_purpose: BTreeMap<Purpose, bool>,
    pub source: ConsentSource,
    pub time: Timestamp,
}

/// A fact, and what was said of consent beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    pub fact: Fact,
    pub preferences: Option<Preferences>,
}

impl From<Fact> for Telling {
    fn from(fact: Fact) -> Self {
        Self { fact, preferences: None }
    }
}

/// What stands for a purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub is_granted: bool,
    pub time: Timestamp,
    pub source: ConsentSource,
}

impl Choice {
    /// Whether this one stands where both were told: the later, and at the same moment the stricter. (Of two that are alike even in
    /// that, the one with the greater source, so that the order of arrival never matters.)
    pub fn outweighs(&self, other: &Self) -> bool {
        self.weight() > other.weight()
    }

    fn weight(&self) -> (i64, bool, &str) {
        (self.time.as_microsecond(), !self.is_granted, self.source.as_str())
    }
}

/// What stands, by purpose; nothing for a purpose of which nothing was told.
pub type Choices = BTreeMap<Purpose, Choice>;

/// One line of the log of consent: a word that changed a choice of the id it was told under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentEntry {
    /// Orders the log.
    pub seq: i64,
    /// The id it was told under.
    pub id: CustomerId,
    pub purpose: Purpose,
    pub choice: Choice,
    /// When the service heard of it.
    pub told_at: Timestamp,
}

/// What a customer said about consent, under all ids that count for them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerConsent {
    pub choices: Choices,
    /// By `seq`.
    pub log: Vec<ConsentEntry>,
}

/// What holds where nothing was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    #[default]
    Granted,
    Withheld,
}

/// How a workspace reads consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsentSettings {
    /// What holds for a purpose of which a customer said nothing; `Granted` for one that is left out.
    pub unknown: BTreeMap<Purpose, Unknown>,
    /// Which purposes a category of Segment's `context.consent.categoryPreferences` is about; capitals do not matter.
    pub categories: BTreeMap<String, Vec<Purpose>>,
}

impl Default for ConsentSettings {
    fn default() -> Self {
        let categories = [
            ("analytics", Purpose::Analytics),
            ("advertising", Purpose::Marketing),
            ("marketing", Purpose::Marketing),
            ("personalization", Purpose::Profiling),
            ("profiling", Purpose::Profiling),
        ];
        let categories = categories.into_iter().map(|(category, purpose)| (category.to_owned(), vec![purpose]));
        Self { unknown: BTreeMap::new(), categories: categories.collect() }
    }
}

impl ConsentSettings {
    /// Under this name it stands among a workspace's settings.
    pub const NAME: &str = "consent";

    /// Whether data may be used for the purpose, where this was told of it.
    pub fn allows(&self, purpose: Purpose, told: Option<bool>) -> bool {
        told.unwrap_or_else(|| self.unknown.get(&purpose).copied().unwrap_or_default() == Unknown::Granted)
    }

    /// What preferences by category say about purposes. A purpose that any of its categories refuses is refused.
    pub fn choices<'a>(&self, preferences: impl IntoIterator<Item = (&'a str, bool)>) -> BTreeMap<Purpose, bool> {
        let mut choices = BTreeMap::new();
        for (category, is_granted) in preferences {
            let known = self.categories.iter().find(|(name, _)| name.eq_ignore_ascii_case(category));
            for purpose in known.into_iter().flat_map(|(_, purposes)| purposes) {
                let choice = choices.entry(*purpose).or_insert(true);
                *choice &= is_granted;
            }
        }
        choices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_mean_purposes_and_a_refusal_is_stronger() {
        let mut settings = ConsentSettings::default();
        let choices = settings.choices([("Advertising", true), ("Marketing", false), ("Functional", true)]);
        assert_eq!(choices, BTreeMap::from([(Purpose::Marketing, false)]));
        settings.categories = BTreeMap::from([("All".into(), Purpose::ALL.to_vec())]);
        assert_eq!(settings.choices([("all", true)]), Purpose::ALL.map(|purpose| (purpose, true)).into());
    }

    #[test]
    fn what_was_not_told_follows_the_settings() {
        let settings: ConsentSettings = serde_json::from_str(r#"{"unknown": {"profiling": "withheld"}}"#).unwrap();
        assert!(!settings.allows(Purpose::Profiling, None) && settings.allows(Purpose::Profiling, Some(true)));
        assert!(settings.allows(Purpose::Marketing, None) && !settings.allows(Purpose::Marketing, Some(false)));
        assert_eq!(settings.categories, ConsentSettings::default().categories);
    }
}
