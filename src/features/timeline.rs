//! Things that happened, in the order of time, each once by its id.

use crate::domain::Timestamp;
use std::collections::BTreeMap;

/// Entries in the order of (time, id). What it holds does not depend on the order of arrival, so neither does any sum over it, to
/// the bit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timeline<K, V> {
    entries: BTreeMap<(Timestamp, K), V>,
    time_of: BTreeMap<K, Timestamp>,
}

impl<K, V> Default for Timeline<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), time_of: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Timeline<K, V> {
    /// Puts an entry in the place of the one with its id, if there is one. O(log n).
    pub fn put(&mut self, time: Timestamp, id: K, value: V) {
        self.remove(&id);
        self.time_of.insert(id.clone(), time);
        self.entries.insert((time, id), value);
    }

    /// Whether it was there. O(log n).
    pub fn remove(&mut self, id: &K) -> bool {
        let Some(time) = self.time_of.remove(id) else { return false };
        self.entries.remove(&(time, id.clone())).is_some()
    }

    /// Everything up to a moment, that moment included, oldest first.
    pub fn until(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, &K, &V)> {
        let seen = self.entries.iter().take_while(move |((time, _), _)| *time <= at);
        seen.map(|((time, id), value)| (*time, id, value))
    }

    pub fn first_time(&self) -> Option<Timestamp> {
        self.entries.first_key_value().map(|((time, _), _)| *time)
    }

    /// Takes over the entries of another; of two with one id the later stands, of two at one moment the other's.
    pub fn merge(&mut self, other: &Self) {
        for ((time, id), value) in &other.entries {
            if self.time_of.get(id).is_none_or(|standing| standing <= time) {
                self.put(*time, id.clone(), value.clone());
            }
        }
    }

    pub fn restricted(&self, at: Timestamp) -> Self {
        let mut seen = Self::default();
        for (time, id, value) in self.until(at) {
            seen.put(time, id.clone(), value.clone());
        }
        seen
    }
}
