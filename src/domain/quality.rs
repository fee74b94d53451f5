//! What can be wrong with a fact that could be read: the rules by name, and what was found of a fact.

use super::{Event, Fact, Order, Review, Told};
use serde::{Deserialize, Serialize};

/// A rule of cleaning. What each means, and what is done by default, is the table in `clean`.
///
/// The order is kept: a rule's place is its bit in a store's column, so a new rule goes to the end and none is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    FutureTime,
    AncientTime,
    NegativeAmount,
    RatingOutOfScale,
    OutlyingAmount,
    AbsurdQuantity,
    RepeatedText,
    RepeatedOrder,
    NoWords,
    BrokenText,
    TextFragment,
    NoCurrency,
    NoRate,
    NoItem,
    NoLines,
    UntoldPurchase,
}

impl Rule {
    pub const ALL: [Self; 16] = [
        Self::FutureTime,
        Self::AncientTime,
        Self::NegativeAmount,
        Self::RatingOutOfScale,
        Self::OutlyingAmount,
        Self::AbsurdQuantity,
        Self::RepeatedText,
        Self::RepeatedOrder,
        Self::NoWords,
        Self::BrokenText,
        Self::TextFragment,
        Self::NoCurrency,
        Self::NoRate,
        Self::NoItem,
        Self::NoLines,
        Self::UntoldPurchase,
    ];

    /// The name that programs and settings know it by; it never changes.
    pub fn code(self) -> &'static str {
        match self {
            Self::FutureTime => "future_time",
            Self::AncientTime => "ancient_time",
            Self::NegativeAmount => "negative_amount",
            Self::RatingOutOfScale => "rating_out_of_scale",
            Self::OutlyingAmount => "outlying_amount",
            Self::AbsurdQuantity => "absurd_quantity",
            Self::RepeatedText => "repeated_text",
            Self::RepeatedOrder => "repeated_order",
            Self::NoWords => "no_words",
            Self::BrokenText => "broken_text",
            Self::TextFragment => "text_fragment",
            Self::NoCurrency => "no_currency",
            Self::NoRate => "no_rate",
            Self::NoItem => "no_item",
            Self::NoLines => "no_lines",
            Self::UntoldPurchase => "untold_purchase",
        }
    }

    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.code() == code)
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(u32);

impl Flags {
    pub fn of(rules: &[Rule]) -> Self {
        Self(rules.iter().fold(0, |bits, rule| bits | rule.bit()))
    }

    pub fn add(&mut self, rule: Rule) {
        self.0 |= rule.bit();
    }

    pub fn has(self, rule: Rule) -> bool {
        self.0 & rule.bit() != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn rules(self) -> impl Iterator<Item = Rule> {
        Rule::ALL.into_iter().filter(move |rule| self.has(*rule))
    }

    /// The set as it lies in a store's column: a bit a rule.
    pub fn bits(self) -> i64 {
        i64::from(self.0)
    }

    /// Bits that no rule of this program has are left out: a newer program may have set them.
    pub fn of_bits(bits: i64) -> Self {
        let known = Self::of(&Rule::ALL).0;
        Self(u32::try_from(bits & i64::from(known)).unwrap_or_default())
    }
}

/// Kinds of facts that are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgedKind {
    Review,
    Event,
    Order,
    Refund,
}

impl JudgedKind {
    pub const ALL: [Self; 4] = [Self::Review, Self::Event, Self::Order, Self::Refund];

    pub fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Event => "event",
            Self::Order => "order",
            Self::Refund => "refund",
        }
    }
}

impl JudgedKind {
    /// Of a fact, and of what it tells beside, where these are judged.
    pub fn of(fact: &Fact) -> (Option<Self>, Option<Self>) {
        match fact {
            Fact::Review(_) => (Some(Self::Review), None),
            Fact::Order(_) => (Some(Self::Order), None),
            Fact::Refund(_) => (Some(Self::Refund), None),
            Fact::Event(Event { told, .. }) => (Some(Self::Event), told.as_ref().map(Self::of_told)),
            Fact::Identify(_) | Fact::Alias(_) | Fact::Group(_) | Fact::Item(_) | Fact::Consent(_) => (None, None),
        }
    }

    fn of_told(told: &Told) -> Self {
        match told {
            Told::Order(_) => Self::Order,
            Told::Refund(_) => Self::Refund,
            Told::Review(_) => Self::Review,
        }
    }
}

/// What was found of one fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// All rules that it breaks, the mended ones too.
    pub flags: Flags,
    /// Those among them after which it was mended.
    pub mended: Flags,
}

impl Mark {
    /// The rules, and what was done.
    pub fn outcomes(self) -> impl Iterator<Item = (Rule, Outcome)> {
        let outcome = move |rule| if self.mended.has(rule) { Outcome::Mended } else { Outcome::Flagged };
        self.flags.rules().map(move |rule| (rule, outcome(rule)))
    }
}

/// What was found of a fact, and of the order, refund or review that it tells as an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    pub own: Mark,
    pub told: Mark,
}

/// What was done with a fact that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Kept as it came, with a flag.
    Flagged,
    /// Kept with the wrong part put right, with a flag.
    Mended,
    /// Left out.
    Rejected,
}

/// A fact of which a customer may have told before, under another id.
#[derive(Debug, Clone, Copy)]
pub enum Twin<'a> {
    /// Posted again with the same words.
    Review(&'a Review),
    /// Placed again, line by line the same, within so many seconds before or after.
    Order(&'a Order, i64),
}

/// What was found of the facts of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// One for each fact, in their order; empty where nothing was found of any.
    pub marks: Vec<Marks>,
    /// Facts that were left out of the call, by kind and rule.
    pub rejected: Vec<(JudgedKind, Rule)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_rule_has_a_code_and_a_bit_of_its_own() {
        for (place, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(Rule::of_code(rule.code()), Some(rule));
            assert_eq!(rule as usize, place);
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.code());
        }
    }

    proptest! {
        #[test]
        fn flags_come_back_from_their_bits(places in prop::collection::vec(0..Rule::ALL.len(), 0..8), unknown: u16) {
            let rules: Vec<Rule> = places.into_iter().map(|place| Rule::ALL[place]).collect();
            let flags = Flags::of(&rules);
            prop_assert_eq!(Flags::of_bits(flags.bits() | i64::from(unknown) << 40), flags);
            for rule in Rule::ALL {
                prop_assert_eq!(flags.has(rule), rules.contains(&rule));
            }
            prop_assert_eq!(flags.rules().count(), Rule::ALL.iter().filter(|rule| rules.contains(rule)).count());
        }
    }
}
