//! Traits by key, each with its own time, so that the order in which they arrive does not matter.

use crate::domain::Timestamp;
use serde_json::{Map, Value};
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(in super::super) struct Traits(HashMap<String, PlannedTrait>);

#[derive(Debug)]
struct PlannedTrait {
    /// Its JSON; nothing where it was removed.
    value: Option<String>,
    time: i64,
    is_new: bool,
}

impl Traits {
    pub fn stands(&mut self, name: String, value: Option<String>, time: i64) {
        self.0.insert(name, PlannedTrait { value, time, is_new: false });
    }

    /// Whether any key changed.
    pub fn merge(&mut self, traits: &Map<String, Value>, time: Timestamp) -> bool {
        let mut changed = false;
        for (name, value) in traits {
            changed |= self.merge_one(name, value, time.as_microsecond());
        }
        changed
    }

    /// Merges one key; whether it changed. The later time wins. At the same time a removal wins over a value, and of two values the
    /// one that is greater as text: whatever the order in which they arrive, the same stays.
    fn merge_one(&mut self, name: &str, value: &Value, time: i64) -> bool {
        let value = (!value.is_null()).then(|| {
            let mut value = value.clone();
            value.sort_all_objects();
            value.to_string()
        });
        if let Some(standing) = self.0.get(name) {
            let wins = match (&value, &standing.value) {
                _ if time != standing.time => time > standing.time,
                (None, standing) => standing.is_some(),
                (Some(_), None) => false,
                (Some(value), Some(standing)) => value > standing,
            };
            if !wins {
                return false;
            }
        }
        self.0.insert(name.to_owned(), PlannedTrait { value, time, is_new: true });
        true
    }

    /// What is to be written: name, value and time.
    pub fn written(&self) -> impl Iterator<Item = (&str, Option<&str>, i64)> {
        let new = self.0.iter().filter(|(_, planned)| planned.is_new);
        new.map(|(name, planned)| (name.as_str(), planned.value.as_deref(), planned.time))
    }
}
