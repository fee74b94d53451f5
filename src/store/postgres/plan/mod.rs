//! What an append comes to, worked out in memory from what stands: one fact after the other, as the contract says, and then only
//! what is new is written. Nothing here speaks to the database, so the order of facts within a call costs no round trips.

mod catalogue;
mod consents;
mod named;
mod people;
mod purchases;
mod reviews;
mod traits;

pub(super) use catalogue::Catalogue;
pub(super) use consents::Consents;
pub(super) use named::Named;
pub(super) use people::{Beside, People, Person, Standing as StandingPerson};
pub(super) use purchases::{Purchases, StandingOrder};
pub(super) use reviews::{Reviews, StandingReview};
pub(super) use traits::Traits;

use crate::domain::{
    Alias, Consent, ConsentSettings, CustomerId, Event, EventId, Fact, FactKind, Flags, Group, Identify, JudgedKind,
    Mark, Marks, Order, Purpose, Refund, Retention, Review, Timestamp, Told, Who,
};
use crate::store::Appended;
use crate::store::rules::{self, Tally};
use std::collections::{HashMap, HashSet};

/// What stands, and what comes to it.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub people: People,
    /// Those among the named ids that were erased.
    pub erased: HashSet<String>,
    pub reviews: Reviews<'a>,
    pub purchases: Purchases<'a>,
    pub catalogue: Catalogue<'a>,
    pub accounts: HashMap<String, Account>,
    pub consent: ConsentSettings,
    /// Whether somebody was told to allow something else than before.
    pub is_consent_new: bool,
    pub retention: Retention,
    /// Those among the named facts that were removed for their age.
    pub removed: HashSet<(FactKind, String)>,
    /// When the call came.
    pub now: Timestamp,
    /// Ids of events and messages that were seen before this call.
    pub known_events: HashSet<String>,
    pub known_messages: HashSet<String>,
    pub events: Vec<(usize, &'a Event, Flags)>,
    pub messages: Vec<&'a str>,
    /// Which rules the kept facts broke.
    pub found: Tally,
}

/// An account that the facts name.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Nothing for one that is new.
    pub row: Option<i64>,
    pub traits: Traits,
    /// Its members among the customers of the call, and whether each is new.
    pub members: HashMap<usize, bool>,
}

impl<'a> Plan<'a> {
    pub fn append(&mut self, fact: &'a Fact, marks: Marks) -> Appended {
        if rules::ids_told_of(fact).any(|id| self.is_erased(id)) {
            return Appended::Suppressed;
        }
        match fact {
            Fact::Review(review) => self.review(review, marks.own, true),
            Fact::Identify(identify) => self.identify(identify),
            Fact::Event(event) => self.event(event, marks),
            Fact::Alias(alias) => self.alias(alias),
            Fact::Group(group) => self.group(group),
            Fact::Order(order) => self.order(order, marks.own, true),
            Fact::Refund(refund) => self.refund(refund, marks.own, true),
            Fact::Item(item) => self.catalogue.append(item),
            Fact::Consent(consent) => self.consent(consent),
        }
    }

    fn review(&mut self, review: &'a Review, mark: Mark, is_known: bool) -> Appended {
        if self.is_expired(FactKind::Reviews, review.id.as_str(), review.time) && !self.reviews.has(&review.id) {
            return Appended::Expired;
        }
        let customer = self.people.named(&review.customer, is_known);
        let appended = self.reviews.append(customer, (review, mark.flags), &mut self.people);
        self.count(JudgedKind::Review, mark, appended)
    }

    fn order(&mut self, order: &'a Order, mark: Mark, is_known: bool) -> Appended {
        if self.is_expired(FactKind::Orders, order.id.as_str(), order.time) && !self.purchases.has(&order.id) {
            return Appended::Expired;
        }
        let customer = self.people.named(&order.customer, is_known);
        let appended = self.purchases.order(customer, (order, mark.flags), &mut self.people);
        self.count(JudgedKind::Order, mark, appended)
    }

    fn refund(&mut self, refund: &'a Refund, mark: Mark, is_known: bool) -> Appended {
        let is_there = self.purchases.known_refunds.contains(&refund.id);
        if self.is_expired(FactKind::Refunds, &refund.id, refund.time) && !is_there {
            return Appended::Expired;
        }
        let customer = self.people.named(&refund.customer, is_known);
        let appended = self.purchases.refund(customer, (refund, mark.flags));
        self.count(JudgedKind::Refund, mark, appended)
    }

    /// Counts what was found of a fact, unless nothing of it was kept.
    fn count(&mut self, kind: JudgedKind, mark: Mark, appended: Appended) -> Appended {
        if matches!(appended, Appended::Accepted | Appended::Replaced) {
            self.found.add(kind, mark);
        }
        appended
    }

    fn event(&mut self, event: &'a Event, marks: Marks) -> Appended {
        if self.known_events.contains(event.id.as_str()) {
            // Before the customer is made: a repeated event changes nothing, whomever it names.
            return Appended::Duplicate;
        }
        if self.is_expired(FactKind::Events, event.id.as_str(), event.time) {
            return Appended::Expired;
        }
        if !self.consent.allows(Purpose::Analytics, self.people.told_of(Purpose::Analytics, &event.who)) {
            return Appended::Declined;
        }
        self.known_events.insert(event.id.as_str().to_owned());
        let customer = self.who(&event.who, event.time);
        self.people.gains(customer).n_events += 1;
        self.events.push((customer, event, marks.own.flags));
        self.found.add(JudgedKind::Event, marks.own);
        match &event.told {
            None => {}
            // Whether the customer is known was told by the event itself.
            Some(Told::Order(order)) => drop(self.order(order, marks.told, false)),
            Some(Told::Refund(refund)) => drop(self.refund(refund, marks.told, false)),
            Some(Told::Review(review)) => drop(self.review(review, marks.told, false)),
        }
        Appended::Accepted
    }

    fn consent(&mut self, told: &'a Consent) -> Appended {
        let before = self.people.n_customers_more();
        let customer = self.who(&told.who, told.time);
        let is_new = self.people.consents(customer).tell(told);
        self.is_consent_new |= is_new;
        accepted_if(is_new || before != self.people.n_customers_more())
    }

    fn identify(&mut self, identify: &'a Identify) -> Appended {
        if self.is_repeated(identify.message.as_ref()) {
            return Appended::Duplicate;
        }
        let before = self.people.n_customers_more();
        let customer = self.who(&identify.who, identify.time);
        let traits = self.people.traits(customer);
        let changed = traits.merge(&identify.traits, identify.time);
        accepted_if(changed || before != self.people.n_customers_more())
    }

    fn alias(&mut self, alias: &'a Alias) -> Appended {
        if self.is_repeated(alias.message.as_ref()) {
            return Appended::Duplicate;
        }
        let (from, to) = (self.people.named(&alias.previous, false), self.people.named(&alias.id, true));
        accepted_if(self.people.alias(from, to, alias.time.as_microsecond()))
    }

    fn group(&mut self, group: &'a Group) -> Appended {
        if self.is_repeated(group.message.as_ref()) {
            return Appended::Duplicate;
        }
        let customer = self.who(&group.who, group.time);
        let is_new = !self.accounts.contains_key(group.group.as_str());
        let account = self.accounts.entry(group.group.as_str().to_owned()).or_default();
        let has_joined = !account.members.contains_key(&customer);
        account.members.entry(customer).or_insert(true);
        let changed = account.traits.merge(&group.traits, group.time);
        accepted_if(is_new || has_joined || changed)
    }

    /// The id a fact is kept under, tied to the anonymous one that was named beside it.
    fn who(&mut self, who: &Who, time: Timestamp) -> usize {
        let customer = self.people.named(&who.id, !who.is_anonymous);
        if let Some(anonymous) = &who.also
            && !self.is_erased(anonymous)
        {
            let anonymous = self.people.named(anonymous, false);
            self.people.claim(anonymous, customer, time.as_microsecond());
        }
        customer
    }

    /// Whether a fact that is not there is too old to be kept.
    fn is_expired(&self, kind: FactKind, id: &str, time: Timestamp) -> bool {
        self.retention.is_expired(kind, time, self.now)
            || !self.removed.is_empty() && self.removed.contains(&(kind, id.to_owned()))
    }

    fn is_erased(&self, id: &CustomerId) -> bool {
        self.erased.contains(id.as_str())
    }

    /// Whether a call with this id was seen before; it is from now on.
    fn is_repeated(&mut self, message: Option<&'a EventId>) -> bool {
        let Some(message) = message.map(EventId::as_str) else { return false };
        let is_new = self.known_messages.insert(message.to_owned());
        if is_new {
            self.messages.push(message);
        }
        !is_new
    }
}

fn accepted_if(changed: bool) -> Appended {
    if changed { Appended::Accepted } else { Appended::Duplicate }
}
