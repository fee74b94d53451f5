//! What a workspace wants done with each kind of personal data, as JSON that names the key that is wrong.

use super::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What happens to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Treatment {
    /// It stays as it is.
    Keep,
    /// A placeholder stands for it: `[email]`.
    Mask,
    /// It goes, and the space it leaves with it.
    Drop,
    /// A placeholder with ten hex digits of a keyed hash, so that equal values stay joinable: `[email:3f9a0c51d2]`.
    Hash,
}

/// A workspace's policy. As JSON every key may be left out: `{"email": "mask", …, "min_certainty": {"name": 0.6},
/// "traits": {"email": "hash", …}}`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Policy {
    texts: [Treatment; Kind::ALL.len()],
    min_certainty: [f32; Kind::ALL.len()],
    traits: [Treatment; Kind::ALL.len()],
}

/// A policy that does not have the form of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` {why}")]
pub struct PolicyError {
    /// The key as the caller wrote it, with the one above it: `traits.email`.
    pub key: String,
    pub why: String,
}

const MIN_CERTAINTY: &str = "min_certainty";
const TRAITS: &str = "traits";

/// What is certain by its form or checksum needs no more than this; names and addresses, which are guessed, a little more.
const STRUCTURED: f32 = 0.5;
const GUESSED: f32 = 0.6;

impl Default for Policy {
    /// Texts: everything is masked. Traits whose name says what they are: e-mail and phone are hashed, the rest dropped.
    fn default() -> Self {
        let threshold =
            |kind| if matches!(kind, Kind::PostalAddress | Kind::PersonName) { GUESSED } else { STRUCTURED };
        let of_trait = |kind| if matches!(kind, Kind::Email | Kind::Phone) { Treatment::Hash } else { Treatment::Drop };
        Self {
            texts: [Treatment::Mask; Kind::ALL.len()],
            min_certainty: Kind::ALL.map(threshold),
            traits: Kind::ALL.map(of_trait),
        }
    }
}

impl Policy {
    /// The default, but with one treatment for every kind in texts.
    pub fn all(treatment: Treatment) -> Self {
        Self { texts: [treatment; Kind::ALL.len()], ..Self::default() }
    }

    /// What is done with a kind where it is found in a text.
    pub fn in_texts(&self, kind: Kind) -> Treatment {
        self.texts[kind as usize]
    }

    /// What is done with a trait whose name says that it is of a kind.
    pub fn of_trait(&self, kind: Kind) -> Treatment {
        self.traits[kind as usize]
    }

    /// The least certainty with which a finding counts.
    pub fn min_certainty(&self, kind: Kind) -> f32 {
        self.min_certainty[kind as usize]
    }
}

impl TryFrom<Map<String, Value>> for Policy {
    type Error = PolicyError;

    fn try_from(map: Map<String, Value>) -> Result<Self, PolicyError> {
        let mut policy = Self::default();
        for (key, value) in &map {
            match key.as_str() {
                MIN_CERTAINTY => each_kind(key, value, |kind, path, value| {
                    policy.min_certainty[kind as usize] = certainty(path, value)?;
                    Ok(())
                })?,
                TRAITS => each_kind(key, value, |kind, path, value| {
                    policy.traits[kind as usize] = treatment(path, value)?;
                    Ok(())
                })?,
                _ => policy.texts[kind(key, key)? as usize] = treatment(key, value)?,
            }
        }
        Ok(policy)
    }
}

impl From<Policy> for Map<String, Value> {
    fn from(policy: Policy) -> Self {
        let of = |values: &[Treatment]| -> Self {
            let named = Kind::ALL.iter().zip(values);
            named.map(|(kind, treatment)| (kind.name().to_owned(), Value::from(treatment.name()))).collect()
        };
        let certainties = Kind::ALL.iter().zip(policy.min_certainty);
        let mut map = of(&policy.texts);
        map.insert(
            MIN_CERTAINTY.to_owned(),
            certainties.map(|(kind, least)| (kind.name().to_owned(), shortest(least))).collect::<Self>().into(),
        );
        map.insert(TRAITS.to_owned(), of(&policy.traits).into());
        map
    }
}

/// 0.6 as `0.6`, not as the nearest f32 has it.
fn shortest(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

impl Treatment {
    const ALL: [Self; 4] = [Self::Keep, Self::Mask, Self::Drop, Self::Hash];

    fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Mask => "mask",
            Self::Drop => "drop",
            Self::Hash => "hash",
        }
    }
}

fn error(key: &str, why: impl Into<String>) -> PolicyError {
    PolicyError { key: key.to_owned(), why: why.into() }
}

fn each_kind(
    above: &str,
    value: &Value,
    mut set: impl FnMut(Kind, &str, &Value) -> Result<(), PolicyError>,
) -> Result<(), PolicyError> {
    let map = value.as_object().ok_or_else(|| error(above, "takes an object with a member for each kind"))?;
    map.iter().try_for_each(|(key, value)| {
        let path = format!("{above}.{key}");
        set(kind(&path, key)?, &path, value)
    })
}

fn kind(path: &str, name: &str) -> Result<Kind, PolicyError> {
    let kinds = || Kind::ALL.map(Kind::name).join(", ");
    Kind::named(name).ok_or_else(|| error(path, format!("is not a kind of personal data; the kinds are {}", kinds())))
}

fn treatment(path: &str, value: &Value) -> Result<Treatment, PolicyError> {
    let named = value.as_str().and_then(|name| Treatment::ALL.into_iter().find(|one| one.name() == name));
    named.ok_or_else(|| error(path, format!("takes keep, mask, drop or hash, not {value}")))
}

fn certainty(path: &str, value: &Value) -> Result<f32, PolicyError> {
    let within = value.as_f64().filter(|number| (0.0..=1.0).contains(number));
    within.map(|number| number as f32).ok_or_else(|| error(path, format!("takes a number from 0 to 1, not {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_says_only_what_differs_from_the_default() {
        let policy: Policy = serde_json::from_value(
            json!({"email": "hash", "min_certainty": {"name": 0.8}, "traits": {"phone": "keep"}}),
        )
        .unwrap();
        assert_eq!(policy.in_texts(Kind::Email), Treatment::Hash);
        assert_eq!(policy.in_texts(Kind::Phone), Treatment::Mask);
        assert_eq!(policy.min_certainty(Kind::PersonName), 0.8);
        assert_eq!(policy.of_trait(Kind::Phone), Treatment::Keep);
        assert_eq!(policy.of_trait(Kind::Email), Treatment::Hash);
        assert_eq!(policy.of_trait(Kind::PostalAddress), Treatment::Drop);
    }

    #[test]
    fn a_policy_survives_json() {
        for policy in [Policy::default(), Policy::all(Treatment::Drop)] {
            let json = serde_json::to_value(&policy).unwrap();
            assert_eq!(json["min_certainty"]["name"], json!(0.6));
            assert_eq!(serde_json::from_value::<Policy>(json).unwrap(), policy);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_mend() {
        for (json, expected) in [
            (json!({"emial": "mask"}), "`emial` is not a kind of personal data; the kinds are email, phone"),
            (json!({"email": "hide"}), "`email` takes keep, mask, drop or hash, not \"hide\""),
            (json!({"email": null}), "`email` takes keep, mask, drop or hash, not null"),
            (json!({"traits": {"emails": "drop"}}), "`traits.emails` is not a kind"),
            (json!({"traits": "drop"}), "`traits` takes an object"),
            (json!({"min_certainty": {"name": 1.5}}), "`min_certainty.name` takes a number from 0 to 1, not 1.5"),
            (json!({"min_certainty": {"name": "high"}}), "`min_certainty.name` takes a number from 0 to 1"),
        ] {
            let error = serde_json::from_value::<Policy>(json.clone()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{json}: {error}");
        }
    }
}
