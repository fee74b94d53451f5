//! A workspace's cleaning: the action of each rule and the bounds that the rules go by.

use super::rules::{Action, RULES, about};
use crate::domain::{Rule, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Bounds. Each has a default that is quiet on ordinary shops.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// How much later than its arrival a fact may say it happened, in seconds: a day, for local times without a zone.
    pub future_s: i64,
    /// Whatever happened before is not taken for real: 1990.
    pub earliest: Timestamp,
    /// The ends of the ratings' scale: 0 and 10.
    pub rating_min: f64,
    pub rating_max: f64,
    /// From how many robust standard deviations of the logarithms on an amount lies far outside: 6.
    pub amount_deviations: f64,
    /// Below so many amounts in a currency none is judged: 200.
    pub amount_sample: usize,
    /// The most pieces of a line: 10,000.
    pub quantity_max: u32,
    /// Shorter texts may be posted again, in bytes of UTF-8: 24, which is four English words or eight Chinese characters.
    pub repeated_text_bytes: usize,
    /// Within how many seconds the same order again is a repeated one: ten minutes.
    pub repeated_order_s: i64,
}

/// 1990-01-01T00:00:00Z.
const EARLIEST_S: i64 = 631_152_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            future_s: 24 * 60 * 60,
            earliest: Timestamp::constant(EARLIEST_S, 0),
            rating_min: 0.0,
            rating_max: 10.0,
            amount_deviations: 6.0,
            amount_sample: 200,
            quantity_max: 10_000,
            repeated_text_bytes: 24,
            repeated_order_s: 600,
        }
    }
}

/// What is done with what is wrong. As JSON `{"actions": {RULE: ACTION}, "limits": {NAME: VALUE}}`; what is left out has its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct CleaningSettings {
    actions: [Action; Rule::ALL.len()],
    pub limits: Limits,
}

/// A setting that is none: where it stands, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` {why}")]
pub struct SettingsError {
    /// The path to it, with dots.
    pub key: String,
    pub why: String,
}

impl Default for CleaningSettings {
    fn default() -> Self {
        Self { actions: RULES.map(|about| about.default), limits: Limits::default() }
    }
}

impl CleaningSettings {
    pub fn action(&self, rule: Rule) -> Action {
        self.actions[rule as usize]
    }

    /// The same with another action for a rule; one that the rule does not have becomes `Flag`.
    pub fn with(mut self, rule: Rule, action: Action) -> Self {
        self.actions[rule as usize] = if about(rule).allows(action) { action } else { Action::Flag };
        self
    }

    /// The same with no rule looked at.
    pub fn off() -> Self {
        Self { actions: [Action::Off; Rule::ALL.len()], limits: Limits::default() }
    }
}

impl TryFrom<Map<String, Value>> for CleaningSettings {
    type Error = SettingsError;

    fn try_from(map: Map<String, Value>) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        for (key, value) in &map {
            match key.as_str() {
                "actions" => each(key, value, |path, name, value| settings.set_action(path, name, value))?,
                "limits" => each(key, value, |path, name, value| set_limit(&mut settings.limits, path, name, value))?,
                other => return Err(error(other, "is not known; there are `actions` and `limits`")),
            }
        }
        if settings.limits.rating_min >= settings.limits.rating_max {
            return Err(error("limits.rating_max", "has to be above `limits.rating_min`"));
        }
        Ok(settings)
    }
}

impl CleaningSettings {
    fn set_action(&mut self, path: &str, name: &str, value: &Value) -> Result<(), SettingsError> {
        let rule = Rule::of_code(name).ok_or_else(|| {
            let codes = Rule::ALL.map(Rule::code).join(", ");
            error(path, format!("is not a rule; the rules are {codes}"))
        })?;
        let action = Action::ALL.into_iter().find(|action| value.as_str() == Some(action.name()));
        let action = action.ok_or_else(|| error(path, format!("takes off, flag, mend or reject, not {value}")))?;
        if !about(rule).allows(action) {
            return Err(error(path, "takes off, flag or reject: what is wrong there cannot be mended"));
        }
        self.actions[rule as usize] = action;
        Ok(())
    }
}

fn set_limit(limits: &mut Limits, path: &str, name: &str, value: &Value) -> Result<(), SettingsError> {
    match name {
        "future_s" => limits.future_s = whole(path, value, 0, 10 * 366 * 24 * 60 * 60)?,
        "earliest" => limits.earliest = moment(path, value)?,
        "rating_min" => limits.rating_min = number(path, value, -1e9, 1e9)?,
        "rating_max" => limits.rating_max = number(path, value, -1e9, 1e9)?,
        "amount_deviations" => limits.amount_deviations = number(path, value, 1.0, 1e3)?,
        "amount_sample" => limits.amount_sample = whole(path, value, 20, 2_000)?,
        "quantity_max" => limits.quantity_max = whole(path, value, 1, i64::from(u32::MAX))?,
        "repeated_text_bytes" => limits.repeated_text_bytes = whole(path, value, 1, 1 << 20)?,
        "repeated_order_s" => limits.repeated_order_s = whole(path, value, 1, 30 * 24 * 60 * 60)?,
        _ => {
            let names = "future_s, earliest, rating_min, rating_max, amount_deviations, amount_sample, quantity_max, \
                         repeated_text_bytes, repeated_order_s";
            return Err(error(path, format!("is not a limit; the limits are {names}")));
        }
    }
    Ok(())
}

fn whole<T: TryFrom<i64>>(path: &str, value: &Value, least: i64, most: i64) -> Result<T, SettingsError> {
    let number = value.as_i64().filter(|number| (least..=most).contains(number));
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| error(path, format!("takes a whole number from {least} to {most}, not {value}")))
}

fn number(path: &str, value: &Value, least: f64, most: f64) -> Result<f64, SettingsError> {
    let number = value.as_f64().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| error(path, format!("takes a number from {least} to {most}, not {value}")))
}

/// A date, or a moment.
pub(super) fn moment(path: &str, value: &Value) -> Result<Timestamp, SettingsError> {
    let text = value.as_str().unwrap_or_default();
    let parsed = text.parse().ok().or_else(|| format!("{text}T00:00:00Z").parse().ok());
    parsed.ok_or_else(|| error(path, format!("takes a date such as \"1990-01-01\" or a time of RFC 3339, not {value}")))
}

fn each(
    above: &str,
    value: &Value,
    mut set: impl FnMut(&str, &str, &Value) -> Result<(), SettingsError>,
) -> Result<(), SettingsError> {
    let map = value.as_object().ok_or_else(|| error(above, "takes an object"))?;
    map.iter().try_for_each(|(name, value)| set(&format!("{above}.{name}"), name, value))
}

fn error(key: &str, why: impl Into<String>) -> SettingsError {
    SettingsError { key: key.to_owned(), why: why.into() }
}

impl From<CleaningSettings> for Map<String, Value> {
    fn from(settings: CleaningSettings) -> Self {
        let action = |rule: Rule| (rule.code().to_owned(), Value::from(settings.action(rule).name()));
        let actions = Rule::ALL.into_iter().map(action).collect::<Self>();
        let limits = serde_json::to_value(settings.limits).unwrap_or_default();
        Self::from_iter([("actions".to_owned(), Value::Object(actions)), ("limits".to_owned(), limits)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_survive_json_and_say_only_what_differs() {
        let given = json!({"actions": {"future_time": "mend", "repeated_text": "reject"}, "limits": {"rating_max": 5, "earliest": "2001-01-01"}});
        let settings: CleaningSettings = serde_json::from_value(given).unwrap();
        assert_eq!(settings.action(Rule::FutureTime), Action::Mend);
        assert_eq!(settings.action(Rule::RepeatedText), Action::Reject);
        assert_eq!(settings.action(Rule::AncientTime), Action::Flag);
        assert_eq!(settings.limits.earliest.to_string(), "2001-01-01T00:00:00Z");
        for settings in [settings, CleaningSettings::default(), CleaningSettings::off()] {
            let json = serde_json::to_value(&settings).unwrap();
            assert_eq!(serde_json::from_value::<CleaningSettings>(json).unwrap(), settings);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_mend() {
        for (json, expected) in [
            (json!({"action": {}}), "`action` is not known; there are"),
            (json!({"actions": []}), "`actions` takes an object"),
            (json!({"actions": {"futur": "flag"}}), "`actions.futur` is not a rule; the rules are future_time, "),
            (json!({"actions": {"future_time": "drop"}}), "`actions.future_time` takes off, flag, mend or reject, not"),
            (json!({"actions": {"no_words": "mend"}}), "`actions.no_words` takes off, flag or reject: "),
            (json!({"limits": {"x": 1}}), "`limits.x` is not a limit; the limits are"),
            (json!({"limits": {"quantity_max": 0}}), "`limits.quantity_max` takes a whole number from 1 to"),
            (json!({"limits": {"quantity_max": 1.5}}), "`limits.quantity_max` takes a whole number from 1 to"),
            (json!({"limits": {"earliest": "soon"}}), "`limits.earliest` takes a date such as"),
            (json!({"limits": {"rating_min": 5, "rating_max": 1}}), "`limits.rating_max` has to be above"),
            (json!({"limits": {"amount_deviations": "6"}}), "`limits.amount_deviations` takes a number from 1 to"),
        ] {
            let error = serde_json::from_value::<CleaningSettings>(json.clone()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{json}: {error}");
        }
    }
}
