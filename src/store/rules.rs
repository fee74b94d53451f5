//! Rules of the contract that do not depend on how a store lies on its disk: pure, and so written once for all of them.

use super::{Changed, Removed, Result, StoreError};
use crate::domain::{
    CustomerId, Fact, FactKind, Findings, Item, Job, JobState, JudgedKind, Mark, Marks, Outcome, Rule, Timestamp,
    WorkspaceId,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The id that each of some ids counts for. `ids`: a store's own key of an id, and the id; `edges`: who points at whom, by keys
/// among them.
///
/// What hangs together is one customer, named by the id that points at no other: the least among several such, and where all
/// point on.
pub(super) fn roots<K: Copy + Ord>(ids: &BTreeMap<K, &str>, edges: &[(K, K)]) -> BTreeMap<K, K> {
    let mut group: BTreeMap<K, K> = ids.keys().map(|key| (*key, *key)).collect();
    for (from, to) in edges {
        let (from, to) = (group[from], group[to]);
        if from != to {
            group.values_mut().filter(|name| **name == from).for_each(|name| *name = to);
        }
    }
    let pointing: BTreeSet<K> = edges.iter().filter(|(from, to)| from != to).map(|(from, _)| *from).collect();
    let rank = |key: &K| (pointing.contains(key), ids[key]);
    let mut best: BTreeMap<K, K> = BTreeMap::new();
    for (key, name) in &group {
        let standing = best.entry(*name).or_insert(*key);
        if rank(key) < rank(standing) {
            *standing = *key;
        }
    }
    group.into_iter().map(|(key, name)| (key, best[&name])).collect()
}

/// How often each rule was broken by facts of each kind, and what was done.
#[derive(Debug, Default)]
pub(super) struct Tally(pub BTreeMap<(JudgedKind, Rule, Outcome), i64>);

impl Tally {
    /// Begins with what was left out before.
    pub fn of(findings: &Findings) -> Self {
        let mut tally = Self::default();
        for (kind, rule) in &findings.rejected {
            *tally.0.entry((*kind, *rule, Outcome::Rejected)).or_default() += 1;
        }
        tally
    }

    /// A fact was kept.
    pub fn add(&mut self, kind: JudgedKind, mark: Mark) {
        for (rule, outcome) in mark.outcomes() {
            *self.0.entry((kind, rule, outcome)).or_default() += 1;
        }
    }
}

/// What was found of the fact at a place.
pub(super) fn marks_of(findings: &Findings, place: usize) -> Marks {
    findings.marks.get(place).copied().unwrap_or_default()
}

/// Days since 1970 in UTC.
pub(super) fn day_of(moment: Timestamp) -> i64 {
    moment.as_second().div_euclid(24 * 60 * 60)
}

/// The ids that must not have been erased for the fact to be kept.
pub(super) fn ids_told_of(fact: &Fact) -> impl Iterator<Item = &CustomerId> {
    let ids = match fact {
        Fact::Alias(alias) => [Some(&alias.previous), Some(&alias.id)],
        other => [other.customer(), None],
    };
    ids.into_iter().flatten()
}

/// An id on the list of the erased: only this hash is kept, since the id itself is personal.
pub fn erased_id(workspace: &WorkspaceId, id: &CustomerId) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(workspace.as_str());
    hash.update([0]);
    hash.update(id.as_str());
    hash.finalize().into()
}

/// What stays of a fact that was removed for its age: the first half of a hash of its id. At ten million facts that two ids meet is
/// less likely than one in 10^24.
pub(super) fn tombstone(workspace: &WorkspaceId, kind: FactKind, id: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in [workspace.as_str(), kind.name(), id] {
        hash.update(part);
        hash.update([0]);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

/// Where an erasure's job keeps, in its request, how much was removed ([`Removed`]).
pub const REMOVED: &str = "removed";
/// And the hashes ([`erased_id`], in hex) of the ids under which it was.
pub const ERASED_IDS: &str = "erased_ids";

/// The job of an erasure, with what was erased. The ids themselves are gone: what is kept of them are hashes.
pub(super) fn proving(workspace: &WorkspaceId, job: &Job, ids: &[CustomerId], removed: Removed) -> Result<Job> {
    let mut job = job.clone();
    let request = job.request.as_object_mut();
    let request = request.ok_or_else(|| StoreError::Conflict("the request of an erasure's job is no object".into()))?;
    let removed = serde_json::to_value(removed).map_err(|why| StoreError::Corrupt(why.to_string()))?;
    let hex = |hash: [u8; 32]| hash.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let ids: Vec<String> = ids.iter().map(|id| hex(erased_id(workspace, id))).collect();
    request.insert(REMOVED.into(), removed);
    request.insert(ERASED_IDS.into(), ids.into());
    Ok(job)
}

/// Why a holder's write is refused: the job is in this state.
pub(super) fn job_is_not_yours(state: JobState) -> StoreError {
    StoreError::Conflict(if state.is_final() {
        "the job has ended; it does not change any more".into()
    } else {
        "the job has changed hands; what was done in the name of the earlier holder is not taken".into()
    })
}

impl Changed {
    /// How a change lies in columns: its word, and the hash of the id it is about.
    pub(super) fn as_columns(&self) -> (&'static str, Option<Vec<u8>>) {
        match self {
            Self::Erased(id_sha256) => ("erased", Some(id_sha256.to_vec())),
            Self::Settings => ("settings", None),
            Self::Keys => ("keys", None),
            Self::Consent => ("consent", None),
            Self::Expired => ("expired", None),
        }
    }

    pub(super) fn of_columns(word: &str, id_sha256: Option<Vec<u8>>) -> Option<Self> {
        match (word, id_sha256) {
            ("erased", Some(hash)) => hash.try_into().ok().map(Self::Erased),
            ("settings", None) => Some(Self::Settings),
            ("keys", None) => Some(Self::Keys),
            ("consent", None) => Some(Self::Consent),
            ("expired", None) => Some(Self::Expired),
            _ => None,
        }
    }
}

/// Whether `new` says what `standing` says. The time is no content.
pub(super) fn is_same_item(standing: &Item, new: &Item) -> bool {
    Item { time: new.time, ..standing.clone() } == *new
}

/// Whether `new` is the later word on an item. At the same moment the greater content stays, whatever the order of arrival.
pub(super) fn is_later_item(standing: &Item, new: &Item) -> bool {
    (standing.time, content(standing)) < (new.time, content(new))
}

fn content(item: &Item) -> String {
    let Item { kind, name, category, description, price_minor, currency, attributes, .. } = item;
    let attributes = serde_json::to_string(attributes).unwrap_or_default();
    format!("{kind:?}{name:?}{category:?}{description:?}{price_minor:?}{currency:?}{attributes}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of few ids, any edges.
    fn any_edges() -> impl Strategy<Value = Vec<(usize, usize)>> {
        proptest::collection::vec((0..6_usize, 0..6_usize), 0..9)
    }

    proptest! {
        #[test]
        fn ids_that_hang_together_count_for_one_of_them_whatever_the_order_of_edges(
            (edges, shuffled) in any_edges().prop_flat_map(|edges| (Just(edges.clone()), Just(edges).prop_shuffle()))
        ) {
            let ids: BTreeMap<usize, &str> = (0..6).zip(["f", "b", "d", "a", "e", "c"]).collect();
            let found = roots(&ids, &edges);
            prop_assert_eq!(&found, &roots(&ids, &shuffled));
            for (from, to) in &edges {
                prop_assert_eq!(found[from], found[to]);
            }
            for (id, root) in &found {
                prop_assert_eq!(found[root], *root, "{} counts for an id that counts for another", id);
                let points_on = |id: &usize| edges.iter().any(|(from, to)| from == id && to != id);
                let alone = found.iter().filter(|(_, other)| *other == root).any(|(id, _)| !points_on(id));
                prop_assert!(!alone || !points_on(root), "a name that points on, though another does not");
            }
        }
    }
}
