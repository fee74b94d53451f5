//! The ids that facts name, and whom each counts for: claims and aliases, reckoned in memory.
//!
//! With an id that is named, all ids are read that count for the same customer, and every tie between ids is within such a group;
//! so whatever a call ties or takes apart lies here whole.

use super::{Consents, Traits};
use crate::domain::{CustomerId, MergeReason, Purpose, Who};
use crate::store::rules;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An id that facts name, or that counts for the same customer as one that they name.
#[derive(Debug)]
pub(in super::super) struct Person {
    pub id: String,
    /// Nothing for one who is new.
    pub row: Option<i64>,
    /// Whether the shop itself calls them so.
    pub is_known: bool,
    /// The place of the id that this one counts for.
    pub root: usize,
    /// When it was claimed, and by whom.
    pub owner: Option<(i64, usize)>,
    /// Whether its ties or `is_known` are not those that stand.
    pub is_changed: bool,
    pub gain: Gain,
    pub traits: Traits,
    pub consents: Consents,
    /// Those who count for this one, itself among them.
    members: Vec<usize>,
}

/// What an id's row gains.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Gain {
    pub n_reviews: i64,
    pub n_events: i64,
    pub n_orders: i64,
}

/// An id as it stands.
#[derive(Debug)]
pub(in super::super) struct Standing {
    pub row: i64,
    pub id: String,
    pub is_known: bool,
    pub root: Option<i64>,
    pub owner: Option<i64>,
    pub owned_at: Option<i64>,
}

/// The id that something stands under which a fact may replace.
#[derive(Debug)]
pub(in super::super) struct Beside {
    pub row: i64,
    pub id: String,
}

#[derive(Debug, Default)]
pub(in super::super) struct People {
    all: Vec<Person>,
    by_id: HashMap<String, usize>,
    aliases: HashMap<usize, BTreeSet<usize>>,
    pub new_aliases: Vec<(usize, usize, i64)>,
    /// Who counts for whom from now on, in order.
    pub merges: Vec<(usize, usize, MergeReason)>,
    n_new: i64,
    merged: i64,
}

impl People {
    /// Puts in whole groups of ids.
    pub fn stand(&mut self, standing: Vec<Standing>) {
        let mut places = HashMap::new();
        for one in &standing {
            places.insert(one.row, self.push(&one.id, Some(one.row), one.is_known));
        }
        for one in standing {
            let at = places[&one.row];
            let place = |row: Option<i64>| row.and_then(|row| places.get(&row).copied());
            self.all[at].owner = one.owned_at.zip(place(one.owner));
            if let Some(root) = place(one.root) {
                self.all[at].root = root;
                self.all[at].members.clear();
                self.all[root].members.push(at);
            }
        }
    }

    /// An id that no fact of the call names. Where its group is not here, none of the group is named: then it counts for nobody who
    /// is, and that it stands alone here is as good.
    pub fn beside(&mut self, beside: &Beside) -> usize {
        match self.find(&beside.id) {
            Some(at) => at,
            None => self.push(&beside.id, Some(beside.row), true),
        }
    }

    pub fn alias_stands(&mut self, from: &str, to: &str) {
        if let (Some(from), Some(to)) = (self.find(from), self.find(to)) {
            self.aliases.entry(from).or_default().insert(to);
        }
    }

    pub fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    fn push(&mut self, id: &str, row: Option<i64>, is_known: bool) -> usize {
        let at = self.all.len();
        self.all.push(Person {
            id: id.to_owned(),
            row,
            is_known,
            root: at,
            owner: None,
            is_changed: false,
            gain: Gain::default(),
            traits: Traits::default(),
            consents: Consents::default(),
            members: vec![at],
        });
        self.by_id.insert(id.to_owned(), at);
        at
    }

    /// The place of an id; the first fact that names an id makes it.
    pub fn named(&mut self, id: &CustomerId, is_known: bool) -> usize {
        let Some(at) = self.find(id.as_str()) else {
            self.n_new += 1;
            return self.push(id.as_str(), None, is_known);
        };
        let person = &mut self.all[at];
        person.is_changed |= is_known && !person.is_known;
        person.is_known |= is_known;
        at
    }

    /// `anonymous` was named beside `known`.
    pub fn claim(&mut self, anonymous: usize, known: usize, time: i64) {
        let before = self.all[anonymous].owner;
        let claim = (time, self.all[known].id.as_str());
        let is_earliest = before.is_none_or(|(time, owner)| claim < (time, self.all[owner].id.as_str()));
        if anonymous == known || !is_earliest {
            return;
        }
        self.all[anonymous].owner = Some((time, known));
        self.all[anonymous].is_changed = true;
        if before.is_none_or(|(_, owner)| owner != known) {
            self.regroup(anonymous, known, MergeReason::Claim);
        }
    }

    /// The shop said that these are one person; whether that is new.
    pub fn alias(&mut self, from: usize, to: usize, time: i64) -> bool {
        if from == to || !self.aliases.entry(from).or_default().insert(to) {
            return false;
        }
        self.new_aliases.push((from, to, time));
        self.regroup(from, to, MergeReason::Alias);
        true
    }

    fn regroup(&mut self, one: usize, other: usize, reason: MergeReason) {
        let groups = BTreeSet::from([self.all[one].root, self.all[other].root]);
        let members = groups.iter().flat_map(|root| &self.all[*root].members);
        let ids: BTreeMap<usize, &str> = members.map(|at| (*at, self.all[*at].id.as_str())).collect();
        let roots = rules::roots(&ids, &self.edges(ids.keys()));
        for root in groups {
            self.all[root].members.clear();
        }
        for (at, root) in roots {
            self.all[root].members.push(at);
            let before = std::mem::replace(&mut self.all[at].root, root);
            if before != root {
                self.all[at].is_changed = true;
                self.merged += i64::from(root == at) - i64::from(before == at);
                self.merges.push((at, root, reason));
            }
        }
    }

    fn edges<'a>(&self, ids: impl Iterator<Item = &'a usize>) -> Vec<(usize, usize)> {
        let mut edges = Vec::new();
        for at in ids {
            edges.extend(self.all[*at].owner.map(|(_, owner)| (*at, owner)));
            edges.extend(self.aliases.get(at).into_iter().flatten().map(|to| (*at, *to)));
        }
        edges
    }

    pub fn are_one(&self, one: usize, other: usize) -> bool {
        self.all[one].root == self.all[other].root
    }

    pub fn gains(&mut self, at: usize) -> &mut Gain {
        &mut self.all[at].gain
    }

    pub fn traits(&mut self, at: usize) -> &mut Traits {
        &mut self.all[at].traits
    }

    pub fn consents(&mut self, at: usize) -> &mut Consents {
        &mut self.all[at].consents
    }

    /// What was told of a purpose under all ids of a customer, and under an anonymous one that nobody has claimed yet: the fact's own
    /// claim ties it.
    pub fn told_of(&self, purpose: Purpose, who: &Who) -> Option<bool> {
        let group = self.find(who.id.as_str()).map(|at| &self.all[self.all[at].root].members);
        let also = who.also.as_ref().and_then(|also| self.find(also.as_str()));
        let also = also.filter(|at| self.all[*at].owner.is_none() && self.all[*at].root == *at);
        let told = group.into_iter().flatten().copied().chain(also);
        let told = told.filter_map(|at| self.all[at].consents.of(purpose));
        told.reduce(|one, other| if other.outweighs(one) { other } else { one }).map(|choice| choice.is_granted)
    }

    /// Whether ids were tied of which something was told.
    pub fn ties_consents(&self) -> bool {
        let told = |at: &usize| !self.all[*at].consents.is_empty();
        self.merges.iter().any(|(at, root, _)| told(at) || self.all[*root].members.iter().any(told))
    }

    /// By their places.
    pub fn all(&self) -> &[Person] {
        &self.all
    }

    /// How many customers there are more than before, as a sum of ids that were made and of groups that were merged.
    pub fn n_customers_more(&self) -> (i64, i64) {
        (self.n_new, self.merged)
    }
}

impl Person {
    /// Whether the row that stands, or the one that is made of the id alone, lacks something.
    pub fn is_to_be_tied(&self, at: usize) -> bool {
        match self.row {
            Some(_) => self.is_changed,
            None => self.root != at || self.owner.is_some(),
        }
    }
}
