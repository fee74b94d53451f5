//! Redaction of JSON: the properties of an event as texts, the traits of a customer by their names first.

use super::fields;
use super::treat::masked;
use super::view::View;
use super::{Counts, Kind, Redactor, Treatment};
use serde_json::{Map, Value};

/// Integers of so many digits may be a phone, an id or a card; shorter ones are counts and prices.
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 11..=19;

impl Redactor {
    /// Treats every string in a value, and every integer of 11 to 19 digits that is a phone, an id or a card. Keys stay.
    pub fn json(&self, value: &mut Value) -> Counts {
        let mut counts = Counts::default();
        self.walk(value, &mut counts);
        counts
    }

    /// Treats the traits of a customer: a trait whose name says that it is personal as the policy's `traits` say, whatever is in
    /// it, every other one as [`Redactor::json`] does.
    pub fn traits(&self, traits: &mut Map<String, Value>) -> Counts {
        let mut counts = Counts::default();
        self.walk_traits(traits, false, &mut counts);
        counts
    }

    fn walk(&self, value: &mut Value, counts: &mut Counts) {
        match value {
            Value::String(_) => self.string(value, counts),
            Value::Number(_) => self.number(value, counts),
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item, counts)),
            Value::Object(members) => members.values_mut().for_each(|member| self.walk(member, counts)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn string(&self, value: &mut Value, counts: &mut Counts) {
        let Value::String(text) = value else { return };
        let redacted = self.text(text);
        if redacted.counts.total() > 0 {
            counts.merge(&redacted.counts);
            *text = redacted.text.into_owned();
        }
    }

    fn number(&self, value: &mut Value, counts: &mut Counts) {
        let digits = value.to_string();
        if !NUMBER_DIGITS.contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return;
        }
        let findings = self.findings(&digits);
        let [finding] = &findings[..] else { return };
        let is_number = matches!(finding.kind, Kind::Phone | Kind::NationalId | Kind::BankCard);
        if is_number && finding.range == (0..digits.len()) {
            counts.add(finding.kind);
            *value = self.whole(finding.kind, self.policy.in_texts(finding.kind), &digits).unwrap_or(Value::Null);
        }
    }

    fn walk_traits(&self, traits: &mut Map<String, Value>, nested: bool, counts: &mut Counts) {
        let keys: Vec<String> = traits.keys().cloned().collect();
        for key in keys {
            let Some(value) = traits.get_mut(&key) else { continue };
            match (fields::kind_of(&key, nested), value) {
                (Some(kind), value) => {
                    if !self.named(kind, value, counts) {
                        traits.remove(&key);
                    }
                }
                (None, Value::Object(members)) => self.walk_traits(members, true, counts),
                (None, value) => self.walk(value, counts),
            }
        }
    }

    /// Treats a trait that its name declares to be of a kind; false where it has to go.
    fn named(&self, kind: Kind, value: &mut Value, counts: &mut Counts) -> bool {
        let treatment = self.policy.of_trait(kind);
        match value {
            _ if treatment == Treatment::Keep => return true,
            Value::Null | Value::Bool(_) => return true,
            Value::String(text) if text.trim().is_empty() || is_placeholder(text) => return true,
            Value::Array(items) => {
                items.retain_mut(|item| self.named(kind, item, counts));
                return !items.is_empty();
            }
            _ => {}
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        counts.add(kind);
        match self.whole(kind, treatment, &text) {
            Some(treated) => *value = treated,
            None => return false,
        }
        true
    }

    /// What stands for a value that is personal from its first byte to its last; none where nothing does.
    fn whole(&self, kind: Kind, treatment: Treatment, text: &str) -> Option<Value> {
        match treatment {
            Treatment::Keep => Some(Value::from(text)),
            Treatment::Mask => Some(Value::from(masked(kind))),
            Treatment::Hash => Some(Value::from(self.hashed(kind, text))),
            Treatment::Drop => None,
        }
    }
}

fn is_placeholder(text: &str) -> bool {
    View::new(text).placeholders().first().is_some_and(|range| range.len() == text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Policy;
    use serde_json::json;

    fn redactor(policy: Value) -> Redactor {
        Redactor::new(serde_json::from_value(policy).unwrap(), b"a key")
    }

    #[test]
    fn strings_and_long_integers_are_treated_and_keys_are_not() {
        let mut value = json!({
            "a@example.com": {"note": ["write a@example.com", 13800138000_u64, 42, 1716000000000_u64, true, null]},
            "card": 4000787789328790_u64, "price": 12.5,
        });
        let counts = redactor(json!({})).json(&mut value);
        let expected = json!({
            "a@example.com": {"note": ["write [email]", "[phone]", 42, 1716000000000_u64, true, null]},
            "card": "[card]", "price": 12.5,
        });
        assert_eq!(value, expected);
        assert_eq!((counts.of(Kind::Email), counts.of(Kind::Phone), counts.of(Kind::BankCard)), (1, 1, 1));
    }

    #[test]
    fn traits_are_treated_by_their_names_and_the_rest_as_text() {
        let redactor = redactor(json!({}));
        let mut value = json!({
            "email": "a@example.com", "phones": "13800138000", "name": "Ann", "address": {"city": "Leeds"},
            "company": {"name": "Brightfold", "phone": "not said"}, "plan": "gold", "birthday": null, "ip": "",
            "bio": "reach me at b@example.com",
        });
        let traits = value.as_object_mut().unwrap();
        redactor.traits(traits);
        let hash = redactor.hashed(Kind::Email, "a@example.com");
        let expected = json!({
            "email": hash, "phones": "[phone]", "company": {"name": "Brightfold", "phone": redactor.hashed(Kind::Phone, "not said")},
            "plan": "gold", "birthday": null, "ip": "", "bio": "reach me at [email]",
        });
        assert_eq!(Value::from(traits.clone()), expected);
        let once = traits.clone();
        redactor.traits(traits);
        assert_eq!(*traits, once, "twice changes nothing");
    }

    #[test]
    fn the_policy_decides_over_traits() {
        for (treatment, expected) in [
            ("keep", json!({"email": ["a@example.com"]})),
            ("mask", json!({"email": ["[email]"]})),
            ("drop", json!({})),
        ] {
            let mut value = json!({"email": ["a@example.com"]});
            redactor(json!({"traits": {"email": treatment}})).traits(value.as_object_mut().unwrap());
            assert_eq!(value, expected, "{treatment}");
        }
        assert_eq!(Policy::default().of_trait(Kind::Email), Treatment::Hash);
    }
}
