//! The ids that facts name, for looking up what stands.

use crate::domain::{CustomerId, Event, EventId, Fact, Order, Refund, Review, Told, Who};
use std::collections::HashSet;

#[derive(Debug, Default)]
pub(in super::super) struct Named<'a> {
    customers: HashSet<&'a CustomerId>,
    pub reviews: Vec<&'a str>,
    pub events: Vec<&'a str>,
    pub messages: Vec<&'a str>,
    pub orders: Vec<&'a str>,
    pub refunds: Vec<&'a str>,
    pub items: Vec<&'a str>,
    pub groups: Vec<&'a str>,
    /// Customer and trait, side by side.
    pub traits: (Vec<&'a str>, Vec<&'a str>),
    /// Whether ids may be tied.
    pub ties: bool,
}

impl<'a> Named<'a> {
    pub fn by(facts: &'a [Fact]) -> Self {
        let mut named = Self::default();
        facts.iter().for_each(|fact| named.fact(fact));
        named
    }

    pub fn customers(&self) -> impl Iterator<Item = &'a CustomerId> {
        self.customers.iter().copied()
    }

    fn fact(&mut self, fact: &'a Fact) {
        match fact {
            Fact::Review(review) => self.review(review),
            Fact::Event(event) => self.event(event),
            Fact::Identify(identify) => {
                self.who(&identify.who);
                self.message(identify.message.as_ref());
                for name in identify.traits.keys() {
                    self.traits.0.push(identify.who.id.as_str());
                    self.traits.1.push(name);
                }
            }
            Fact::Alias(alias) => {
                self.customers.extend([&alias.previous, &alias.id]);
                self.message(alias.message.as_ref());
                self.ties = true;
            }
            Fact::Group(group) => {
                self.who(&group.who);
                self.message(group.message.as_ref());
                self.groups.push(group.group.as_str());
            }
            Fact::Order(order) => self.order(order),
            Fact::Refund(refund) => self.refund(refund),
            Fact::Item(item) => self.items.push(item.id.as_str()),
            Fact::Consent(consent) => self.who(&consent.who),
        }
    }

    fn event(&mut self, event: &'a Event) {
        self.who(&event.who);
        self.events.push(event.id.as_str());
        match &event.told {
            None => {}
            Some(Told::Order(order)) => self.order(order),
            Some(Told::Refund(refund)) => self.refund(refund),
            Some(Told::Review(review)) => self.review(review),
        }
    }

    fn review(&mut self, review: &'a Review) {
        self.customers.insert(&review.customer);
        self.reviews.push(review.id.as_str());
    }

    fn order(&mut self, order: &'a Order) {
        self.customers.insert(&order.customer);
        self.orders.push(order.id.as_str());
    }

    fn refund(&mut self, refund: &'a Refund) {
        self.customers.insert(&refund.customer);
        self.refunds.push(&refund.id);
    }

    fn who(&mut self, who: &'a Who) {
        self.customers.insert(&who.id);
        self.customers.extend(&who.also);
        self.ties |= who.also.is_some();
    }

    fn message(&mut self, message: Option<&'a EventId>) {
        self.messages.extend(message.map(EventId::as_str));
    }
}
