//! Ids for rows that have none: what they say, and which of the rows that say the same they are.
//!
//! Two equal purchases of one day are two purchases, and the same file read twice is the same purchases: so the id holds how often
//! the file has said it so far.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Distinct rows without an id that a file may have: about 300 MB of memory.
pub(super) const MAX_DISTINCT: usize = 14_000_000;

/// How often each content was met.
#[derive(Debug, Default)]
pub(super) struct Occurrences(HashMap<u64, u32>);

impl Occurrences {
    /// An id of `prefix` and the SHA-256 of the parts, each after its length, and the number of this occurrence. Nothing when
    /// there are too many to remember.
    pub(super) fn id(&mut self, prefix: &str, parts: &[&str]) -> Option<String> {
        let content = digest(parts, 0);
        let key = u64::from_le_bytes(content[..8].try_into().ok()?);
        if self.0.len() >= MAX_DISTINCT && !self.0.contains_key(&key) {
            return None;
        }
        let n = self.0.entry(key).or_insert(0);
        *n += 1;
        Some(spelled(prefix, &digest(parts, *n)))
    }
}

/// An id of the content alone.
pub(super) fn content_id(prefix: &str, parts: &[&str]) -> String {
    spelled(prefix, &digest(parts, 0))
}

/// JSON in one spelling, whatever the order of its fields.
pub(super) fn canonical(object: &Map<String, Value>) -> String {
    let mut fields: Vec<_> = object.iter().collect();
    fields.sort_by_key(|(name, _)| name.as_str());
    fields.into_iter().map(|(name, value)| format!("{name:?}:{value};")).collect()
}

fn digest(parts: &[&str], n: u32) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(n.to_le_bytes());
    hasher.finalize().into()
}

fn spelled(prefix: &str, digest: &[u8; 32]) -> String {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn every_row_has_an_id_of_its_own_and_the_same_rows_have_the_same_ids(
            rows in prop::collection::vec(("[ab]{0,2}", "[ab]{0,2}"), 0..40),
        ) {
            let ids = || {
                let mut occurrences = Occurrences::default();
                rows.iter().map(|(a, b)| occurrences.id("o_", &[a, b]).unwrap()).collect::<Vec<_>>()
            };
            prop_assert_eq!(ids(), ids());
            prop_assert_eq!(ids().into_iter().collect::<HashSet<_>>().len(), rows.len());
        }
    }

    #[test]
    fn an_id_stays_what_it_is_for_ever() {
        let id = Occurrences::default().id("o_", &["c1", "2026-01-31", "9.90"]).unwrap();
        assert_eq!(id, Occurrences::default().id("o_", &["c1", "2026-01-31", "9.90"]).unwrap());
        assert_eq!(id.len(), 66);
        assert_ne!(id, content_id("o_", &["c1", "2026-01-31", "9.90"]));
    }
}
