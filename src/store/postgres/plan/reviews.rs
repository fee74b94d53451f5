//! Reviews of a call: which are new, and which stored ones they replace.

use super::People;
use crate::domain::{Flags, Review, ReviewId};
use crate::store::Appended;
use std::collections::HashMap;

/// What stands under a review's id.
#[derive(Debug)]
pub(in super::super) struct StandingReview {
    pub seq: i64,
    pub customer: usize,
    pub text: String,
    pub item: Option<String>,
    pub rating: Option<f64>,
}

#[derive(Debug)]
enum State<'a> {
    Standing(StandingReview),
    /// Written in this call, and what it replaces.
    New {
        customer: usize,
        review: &'a Review,
        flags: Flags,
        order: usize,
        replaces: Option<i64>,
    },
}

impl State<'_> {
    fn customer(&self) -> usize {
        match self {
            Self::Standing(standing) => standing.customer,
            Self::New { customer, .. } => *customer,
        }
    }

    /// Whether it has the content of `review`, but for whose it is. The time is no content.
    fn is(&self, review: &Review) -> bool {
        let (text, item, rating) = match self {
            Self::Standing(standing) => (standing.text.as_str(), &standing.item, standing.rating),
            Self::New { review, .. } => (review.text.as_str(), &review.item, review.rating),
        };
        text == review.text.as_str() && *item == review.item && rating == review.rating
    }

    /// The stored row that goes when this one is replaced.
    fn stored(&self) -> Option<i64> {
        match self {
            Self::Standing(standing) => Some(standing.seq),
            Self::New { replaces, .. } => *replaces,
        }
    }
}

#[derive(Debug, Default)]
pub(in super::super) struct Reviews<'a> {
    by_id: HashMap<String, State<'a>>,
    n_written: usize,
}

impl<'a> Reviews<'a> {
    pub fn stands(&mut self, id: String, standing: StandingReview) {
        self.by_id.insert(id, State::Standing(standing));
    }

    pub fn has(&self, id: &ReviewId) -> bool {
        self.by_id.contains_key(id.as_str())
    }

    pub fn append(&mut self, customer: usize, (review, flags): (&'a Review, Flags), people: &mut People) -> Appended {
        let standing = self.by_id.get(review.id.as_str());
        if standing.is_some_and(|standing| people.are_one(standing.customer(), customer) && standing.is(review)) {
            return Appended::Duplicate;
        }
        let (replaced, replaces) = (standing.map(State::customer), standing.and_then(State::stored));
        if let Some(replaced) = replaced {
            people.gains(replaced).n_reviews -= 1;
        }
        people.gains(customer).n_reviews += 1;
        let state = State::New { customer, review, flags, order: self.n_written, replaces };
        self.n_written += 1;
        self.by_id.insert(review.id.as_str().to_owned(), state);
        if replaced.is_some() { Appended::Replaced } else { Appended::Accepted }
    }

    /// Those to be written, in the order they came, each with its customer and its flags.
    pub fn written(&self) -> Vec<(usize, &'a Review, Flags)> {
        let new = self.by_id.values().filter_map(|state| match state {
            State::New { customer, review, flags, order, .. } => Some((*order, (*customer, *review, *flags))),
            State::Standing(_) => None,
        });
        let mut new: Vec<_> = new.collect();
        new.sort_unstable_by_key(|(order, _)| *order);
        new.into_iter().map(|(_, review)| review).collect()
    }

    /// The stored ones that go.
    pub fn replaced(&self) -> Vec<i64> {
        let replaced = self.by_id.values().filter_map(|state| match state {
            State::New { replaces, .. } => *replaces,
            State::Standing(_) => None,
        });
        replaced.collect()
    }
}
