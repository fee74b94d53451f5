//! The table of rules: what each means, which facts it is about, what is done unless the workspace says otherwise.

use crate::domain::{JudgedKind, Rule};
use serde::{Deserialize, Serialize};

/// What is done with a fact that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: the rule is not looked at.
    Off,
    /// It is kept as it came, and says so.
    Flag,
    /// What is wrong is put right, and it says so.
    Mend,
    /// It is left out and told as rejected: to the caller, or in the import's file of rejected rows.
    Reject,
}

impl Action {
    pub const ALL: [Self; 4] = [Self::Off, Self::Flag, Self::Mend, Self::Reject];

    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Flag => "flag",
            Self::Mend => "mend",
            Self::Reject => "reject",
        }
    }
}

/// A rule as people read it.
#[derive(Debug, Clone, Copy)]
pub struct About {
    pub rule: Rule,
    pub kinds: &'static [JudgedKind],
    /// What is wrong, as a sentence about the fact.
    pub meaning: &'static str,
    /// How `mend` puts it right; nothing where it cannot be.
    pub mend: Option<&'static str>,
    /// What an operator can do about many of them.
    pub advice: &'static str,
    pub default: Action,
}

const EVERY: &[JudgedKind] = &JudgedKind::ALL;
const MONEY: &[JudgedKind] = &[JudgedKind::Order, JudgedKind::Refund];

/// All rules, in the order of [`Rule::ALL`].
pub const RULES: [About; Rule::ALL.len()] = [
    About {
        rule: Rule::FutureTime,
        kinds: EVERY,
        meaning: "its time is later than its arrival by more than a clock may be wrong",
        mend: Some("the moment of its arrival becomes its time"),
        advice: "look for local times without a zone, or for clocks of devices; `mend` takes the time of arrival",
        default: Action::Flag,
    },
    About {
        rule: Rule::AncientTime,
        kinds: EVERY,
        meaning: "its time is before the earliest that is taken for real",
        mend: Some("the moment of its arrival becomes its time"),
        advice: "look for times that are 0 or in another unit; `limits.earliest` moves the bound",
        default: Action::Flag,
    },
    About {
        rule: Rule::NegativeAmount,
        kinds: &[JudgedKind::Event, JudgedKind::Order, JudgedKind::Refund],
        meaning: "an amount in it is below zero",
        mend: Some("a refund or a discount counts without its sign, a price below zero is not known"),
        advice: "send refunds as `Order Refunded` with an amount above zero, and no order with a total below it",
        default: Action::Mend,
    },
    About {
        rule: Rule::RatingOutOfScale,
        kinds: &[JudgedKind::Review],
        meaning: "its rating is not in the scale",
        mend: Some("the nearest end of the scale becomes its rating"),
        advice: "say the shop's scale with `limits.rating_min` and `limits.rating_max`",
        default: Action::Flag,
    },
    About {
        rule: Rule::OutlyingAmount,
        kinds: MONEY,
        meaning: "its amount is far from those of the workspace's other orders in its currency",
        mend: None,
        advice: "look for cents sent as whole units, test orders and missing currencies; `limits.amount_deviations` is how far is far",
        default: Action::Flag,
    },
    About {
        rule: Rule::AbsurdQuantity,
        kinds: &[JudgedKind::Order],
        meaning: "one of its lines has more pieces than anybody buys",
        mend: None,
        advice: "look for prices or item numbers in the place of quantities; a wholesaler raises `limits.quantity_max`",
        default: Action::Flag,
    },
    About {
        rule: Rule::RepeatedText,
        kinds: &[JudgedKind::Review],
        meaning: "its customer has posted the same words before under another id",
        mend: None,
        advice: "send reviews with ids of their own; `reject` keeps the first alone",
        default: Action::Flag,
    },
    About {
        rule: Rule::RepeatedOrder,
        kinds: &[JudgedKind::Order],
        meaning: "its customer has the same order, line by line, under another id within a short time",
        mend: None,
        advice: "look for a checkout that sends an order twice; `reject` keeps the first alone",
        default: Action::Flag,
    },
    About {
        rule: Rule::NoWords,
        kinds: &[JudgedKind::Review],
        meaning: "there is not one letter in its text",
        mend: None,
        advice: "such texts say nothing to a model; `reject` leaves them out",
        default: Action::Flag,
    },
    About {
        rule: Rule::BrokenText,
        kinds: &[JudgedKind::Review],
        meaning: "its text was read in a wrong encoding once, or holds control characters",
        mend: Some("control characters and replacement characters are taken out"),
        advice: "export the file again as UTF-8; what was lost cannot be brought back here",
        default: Action::Flag,
    },
    About {
        rule: Rule::TextFragment,
        kinds: &[JudgedKind::Review],
        meaning: "its text begins in the middle of a sentence, as the rest of a longer one",
        mend: None,
        advice: "look for a column that was cut at commas or line breaks",
        default: Action::Flag,
    },
    About {
        rule: Rule::NoCurrency,
        kinds: MONEY,
        meaning: "its amount has no currency",
        mend: None,
        advice: "send `currency`, or import with --currency-code",
        default: Action::Flag,
    },
    About {
        rule: Rule::NoRate,
        kinds: MONEY,
        meaning: "the table of currencies has no rate for its currency at its time",
        mend: None,
        advice: "add the rate to the table of currencies: PUT /v1/currencies",
        default: Action::Flag,
    },
    About {
        rule: Rule::NoItem,
        kinds: &[JudgedKind::Review],
        meaning: "it does not say which item it is about",
        mend: None,
        advice: "send `item_id`, or map the column with --item",
        default: Action::Off,
    },
    About {
        rule: Rule::NoLines,
        kinds: &[JudgedKind::Order],
        meaning: "it does not say what was bought",
        mend: None,
        advice: "send `products`, or map --item or --lines",
        default: Action::Off,
    },
    About {
        rule: Rule::UntoldPurchase,
        kinds: &[JudgedKind::Event],
        meaning: "it says that something was bought or given back, but not what: no amount that can be read",
        mend: None,
        advice: "send `total` or `products` with prices, and `order_id` with refunds; or name your fields in the vocabulary",
        default: Action::Off,
    },
];

/// What is known about a rule.
pub fn about(rule: Rule) -> &'static About {
    &RULES[rule as usize]
}

impl About {
    /// Whether the rule can be given this action.
    pub fn allows(&self, action: Action) -> bool {
        action != Action::Mend || self.mend.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_rules_order_and_its_defaults_are_allowed() {
        for (row, rule) in RULES.iter().zip(Rule::ALL) {
            assert_eq!(row.rule, rule);
            assert_eq!(about(rule).rule, rule);
            assert!(row.allows(row.default), "{}", rule.code());
            assert!(!row.kinds.is_empty());
        }
    }

    #[test]
    fn by_default_nothing_is_left_out() {
        assert!(RULES.iter().all(|row| row.default != Action::Reject));
    }
}
