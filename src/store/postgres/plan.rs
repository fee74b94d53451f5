//! What an append comes to, worked out in memory from what stands: one fact after the other, as the contract says, and then only
//! what is new is written. Nothing here speaks to the database, so the order of facts within a call costs no round trips.

use crate::domain::{CustomerId, Event, Fact, Identify, Review};
use crate::store::Appended;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// A customer that the facts, or the reviews they replace, are about.
#[derive(Debug, Default)]
pub(super) struct PlannedCustomer {
    pub id: String,
    /// Nothing for one who is new.
    pub row: Option<i64>,
    pub more_reviews: i64,
    pub more_events: i64,
    pub traits: HashMap<String, PlannedTrait>,
}

#[derive(Debug)]
pub(super) struct PlannedTrait {
    /// Its JSON; nothing where it was removed.
    pub value: Option<String>,
    pub time: i64,
    pub is_new: bool,
}

/// What stands under a review's id.
#[derive(Debug)]
pub(super) struct StandingReview {
    pub seq: i64,
    pub customer: usize,
    pub text: String,
    pub item: Option<String>,
    pub rating: Option<f64>,
}

#[derive(Debug)]
enum ReviewState<'a> {
    Standing(StandingReview),
    /// Written in this call, and what it replaces.
    New {
        customer: usize,
        review: &'a Review,
        order: usize,
        replaces: Option<i64>,
    },
}

impl ReviewState<'_> {
    fn customer(&self) -> usize {
        match self {
            Self::Standing(standing) => standing.customer,
            Self::New { customer, .. } => *customer,
        }
    }

    /// Whether it has the content of `review`, by `customer`. The time is no content.
    fn is(&self, customer: usize, review: &Review) -> bool {
        let (text, item, rating) = match self {
            Self::Standing(standing) => (standing.text.as_str(), &standing.item, standing.rating),
            Self::New { review, .. } => (review.text.as_str(), &review.item, review.rating),
        };
        self.customer() == customer && text == review.text.as_str() && *item == review.item && rating == review.rating
    }

    /// The stored row that goes when this one is replaced.
    fn stored(&self) -> Option<i64> {
        match self {
            Self::Standing(standing) => Some(standing.seq),
            Self::New { replaces, .. } => *replaces,
        }
    }
}

/// What stands, and what comes to it.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub customers: Vec<PlannedCustomer>,
    by_id: HashMap<String, usize>,
    reviews: HashMap<String, ReviewState<'a>>,
    n_reviews: usize,
    known_events: HashSet<String>,
    pub events: Vec<(usize, &'a Event)>,
}

impl<'a> Plan<'a> {
    /// A customer that is there.
    pub fn stands(&mut self, id: &str, row: i64) -> usize {
        let at = self.customer(id);
        self.customers[at].row = Some(row);
        at
    }

    /// The place of a customer; one who is not known is new.
    fn customer(&mut self, id: &str) -> usize {
        if let Some(at) = self.by_id.get(id) {
            return *at;
        }
        let at = self.customers.len();
        self.customers.push(PlannedCustomer { id: id.to_owned(), ..PlannedCustomer::default() });
        self.by_id.insert(id.to_owned(), at);
        at
    }

    pub fn trait_stands(&mut self, customer: usize, name: String, value: Option<String>, time: i64) {
        self.customers[customer].traits.insert(name, PlannedTrait { value, time, is_new: false });
    }

    pub fn review_stands(&mut self, id: String, standing: StandingReview) {
        self.reviews.insert(id, ReviewState::Standing(standing));
    }

    pub fn event_stands(&mut self, id: String) {
        self.known_events.insert(id);
    }

    pub fn append(&mut self, fact: &'a Fact) -> Appended {
        match fact {
            Fact::Review(review) => self.review(review),
            Fact::Identify(identify) => self.identify(identify),
            Fact::Event(event) => self.event(event),
        }
    }

    fn review(&mut self, review: &'a Review) -> Appended {
        let customer = self.customer(review.customer.as_str());
        let standing = self.reviews.get(review.id.as_str());
        if standing.is_some_and(|standing| standing.is(customer, review)) {
            return Appended::Duplicate;
        }
        let (replaced, replaces) = (standing.map(ReviewState::customer), standing.and_then(ReviewState::stored));
        if let Some(replaced) = replaced {
            self.customers[replaced].more_reviews -= 1;
        }
        self.customers[customer].more_reviews += 1;
        let state = ReviewState::New { customer, review, order: self.n_reviews, replaces };
        self.n_reviews += 1;
        self.reviews.insert(review.id.as_str().to_owned(), state);
        if replaced.is_some() { Appended::Replaced } else { Appended::Accepted }
    }

    fn event(&mut self, event: &'a Event) -> Appended {
        if !self.known_events.insert(event.id.as_str().to_owned()) {
            // Before the customer is made: a repeated event changes nothing, whomever it names.
            return Appended::Duplicate;
        }
        let customer = self.customer(event.customer.as_str());
        self.customers[customer].more_events += 1;
        self.events.push((customer, event));
        Appended::Accepted
    }

    fn identify(&mut self, identify: &Identify) -> Appended {
        let n_known = self.customers.len();
        let at = self.customer(identify.customer.as_str());
        let mut changed = self.customers.len() > n_known;
        for (name, value) in &identify.traits {
            changed |= self.customers[at].merge(name, value, identify.time.as_microsecond());
        }
        if changed { Appended::Accepted } else { Appended::Duplicate }
    }

    /// The reviews to be written, in the order they came, each with its customer.
    pub fn new_reviews(&self) -> Vec<(usize, &'a Review)> {
        let new = self.reviews.values().filter_map(|state| match state {
            ReviewState::New { customer, review, order, .. } => Some((*order, (*customer, *review))),
            ReviewState::Standing(_) => None,
        });
        let mut new: Vec<_> = new.collect();
        new.sort_unstable_by_key(|(order, _)| *order);
        new.into_iter().map(|(_, review)| review).collect()
    }

    /// The stored reviews that go.
    pub fn replaced(&self) -> Vec<i64> {
        let replaced = self.reviews.values().filter_map(|state| match state {
            ReviewState::New { replaces, .. } => *replaces,
            ReviewState::Standing(_) => None,
        });
        replaced.collect()
    }
}

impl PlannedCustomer {
    /// Merges one key; whether it changed. The later time wins. At the same time a removal wins over a value, and of two values the
    /// one that is greater as text: whatever the order in which they arrive, the same stays.
    fn merge(&mut self, name: &str, value: &Value, time: i64) -> bool {
        let value = (!value.is_null()).then(|| {
            let mut value = value.clone();
            value.sort_all_objects();
            value.to_string()
        });
        if let Some(standing) = self.traits.get(name) {
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
        self.traits.insert(name.to_owned(), PlannedTrait { value, time, is_new: true });
        true
    }
}

/// The ids that facts name, for looking up what stands.
#[derive(Debug, Default)]
pub(super) struct Named<'a> {
    pub customers: Vec<&'a str>,
    pub reviews: Vec<&'a str>,
    pub events: Vec<&'a str>,
    /// Customer and trait, side by side.
    pub traits: (Vec<&'a str>, Vec<&'a str>),
}

impl<'a> Named<'a> {
    pub fn by(facts: &'a [Fact]) -> Self {
        let mut named = Self::default();
        let customers: HashSet<&CustomerId> = facts.iter().map(Fact::customer).collect();
        named.customers = customers.into_iter().map(CustomerId::as_str).collect();
        for fact in facts {
            match fact {
                Fact::Review(review) => named.reviews.push(review.id.as_str()),
                Fact::Event(event) => named.events.push(event.id.as_str()),
                Fact::Identify(identify) => {
                    for name in identify.traits.keys() {
                        named.traits.0.push(identify.customer.as_str());
                        named.traits.1.push(name);
                    }
                }
            }
        }
        named
    }
}
