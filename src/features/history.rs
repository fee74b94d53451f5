//! A customer's facts, kept so that they can be described as of any moment.
//!
//! Why the facts in order and no running totals: periods and trends move with the cut-off, and floating-point sums depend on the
//! order they are added in. Here one fact costs O(log n), in any order of arrival, and a description reads the customer's own
//! facts once, in the order of time.

use super::timeline::Timeline;
use crate::domain::{
    ActivityKind, Event, EventId, EventKind, Fact, Identify, ItemId, Money, Order, OrderId, Refund, Review, ReviewId,
    Timestamp, Told,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// An order as features see it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Purchase {
    pub total: Money,
    pub discount_minor: i64,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub item: ItemId,
    pub quantity: u32,
    pub category: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Return {
    pub order: OrderId,
    /// Nothing where the whole order was given back.
    pub amount: Option<Money>,
}

/// A review without its words, which are the text block's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Opinion {
    pub rating: Option<f64>,
}

/// An event as features see it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Doing {
    pub call: EventKind,
    pub kind: Option<ActivityKind>,
    pub item: Option<ItemId>,
    pub value: Option<f64>,
}

/// What one customer did and said.
///
/// - An id stands once: a fact with an id that is there replaces the one before it, as the store's answer `Replaced` does.
/// - Otherwise the order of arrival changes nothing, and the same fact twice is the same fact.
/// - [`History::merge`] of two customers is the history of both their facts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    pub(super) orders: Timeline<OrderId, Purchase>,
    pub(super) refunds: Timeline<String, Return>,
    pub(super) reviews: Timeline<ReviewId, Opinion>,
    pub(super) doings: Timeline<EventId, Doing>,
    /// By review: how glad it sounds, -1 to 1, as some model says.
    pub(super) sentiments: BTreeMap<ReviewId, f64>,
    /// Key → moment → value; `null` took the trait away.
    traits: BTreeMap<String, BTreeMap<Timestamp, Value>>,
}

impl History {
    pub fn of<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Self {
        let mut history = Self::default();
        facts.into_iter().for_each(|fact| history.add(fact));
        history
    }

    /// Takes a fact of this customer in, O(log n). Items, aliases, groups and consent say nothing of a customer's behaviour and are passed
    /// over; who a fact is about has been settled before.
    pub fn add(&mut self, fact: &Fact) {
        match fact {
            Fact::Order(order) => self.add_order(order),
            Fact::Refund(refund) => self.add_refund(refund),
            Fact::Review(review) => self.add_review(review),
            Fact::Event(event) => self.add_event(event),
            Fact::Identify(identify) => self.add_traits(identify),
            Fact::Alias(_) | Fact::Group(_) | Fact::Item(_) | Fact::Consent(_) => {}
        }
    }

    /// [`History::add`] with money in one currency: `in_base` gives an amount's worth at a moment, or nothing where it is not
    /// known. What has none keeps its own currency, and so counts as an order but not as money.
    pub fn add_in_base(&mut self, fact: &Fact, in_base: impl Fn(&Money, Timestamp) -> Option<Money>) {
        match fact {
            Fact::Order(order) => self.add_order(&order_in_base(order, &in_base)),
            Fact::Refund(refund) => self.add_refund(&refund_in_base(refund, &in_base)),
            Fact::Event(event) => {
                let told = match &event.told {
                    Some(Told::Order(order)) => Some(Told::Order(order_in_base(order, &in_base))),
                    Some(Told::Refund(refund)) => Some(Told::Refund(refund_in_base(refund, &in_base))),
                    other => other.clone(),
                };
                self.add_event(&Event { told, ..event.clone() });
            }
            other => self.add(other),
        }
    }

    pub fn add_order(&mut self, order: &Order) {
        let line = |line: &crate::domain::OrderLine| Line {
            item: line.item.clone(),
            quantity: line.quantity,
            category: line.category.clone(),
        };
        let lines = order.lines.iter().map(line).collect();
        let purchase = Purchase { total: order.total, discount_minor: order.discount_minor, lines };
        self.orders.put(order.time, order.id.clone(), purchase);
    }

    pub fn add_refund(&mut self, refund: &Refund) {
        let given = Return { order: refund.order.clone(), amount: refund.amount };
        self.refunds.put(refund.time, refund.id.clone(), given);
    }

    pub fn add_review(&mut self, review: &Review) {
        self.reviews.put(review.time, review.id.clone(), Opinion { rating: review.rating });
    }

    /// With what the event tells beside having happened.
    pub fn add_event(&mut self, event: &Event) {
        let activity = event.activity.as_ref();
        let doing = Doing {
            call: event.kind,
            kind: activity.map(|activity| activity.kind),
            item: activity.and_then(|activity| activity.item.clone()),
            value: activity.and_then(|activity| activity.value),
        };
        self.doings.put(event.time, event.id.clone(), doing);
        match &event.told {
            Some(Told::Order(order)) => self.add_order(order),
            Some(Told::Refund(refund)) => self.add_refund(refund),
            Some(Told::Review(review)) => self.add_review(review),
            None => {}
        }
    }

    /// Of two values of one trait told at one moment the greater one (as JSON) stands, whatever came first.
    pub fn add_traits(&mut self, identify: &Identify) {
        for (key, value) in &identify.traits {
            let told = self.traits.entry(key.clone()).or_default();
            put_greater(told, identify.time, value);
        }
    }

    /// How glad a review sounds, -1 to 1, from a model that is none of this module's business. It counts from the review's own
    /// time on, whether the review is there already or comes later. What is not finite is passed over.
    pub fn set_sentiment(&mut self, review: ReviewId, score: f64) {
        if score.is_finite() {
            self.sentiments.insert(review, score.clamp(-1.0, 1.0));
        }
    }

    /// Takes an order out, for one that went to another customer. O(log n).
    pub fn remove_order(&mut self, id: &OrderId) -> bool {
        self.orders.remove(id)
    }

    /// Takes a review out. O(log n).
    pub fn remove_review(&mut self, id: &ReviewId) -> bool {
        self.sentiments.remove(id);
        self.reviews.remove(id)
    }

    /// Takes an event out; what it told stays until it is removed itself. O(log n).
    pub fn remove_event(&mut self, id: &EventId) -> bool {
        self.doings.remove(id)
    }

    /// Takes a refund out. O(log n).
    pub fn remove_refund(&mut self, id: &str) -> bool {
        self.refunds.remove(&id.to_owned())
    }

    /// Takes over another customer's facts, for ids that turn out to be one person's. An id in both stands as it was told later.
    pub fn merge(&mut self, other: &Self) {
        self.orders.merge(&other.orders);
        self.refunds.merge(&other.refunds);
        self.reviews.merge(&other.reviews);
        self.doings.merge(&other.doings);
        for (review, score) in &other.sentiments {
            let ours = self.sentiments.entry(review.clone()).or_insert(*score);
            *ours = ours.max(*score);
        }
        for (key, told) in &other.traits {
            let ours = self.traits.entry(key.clone()).or_default();
            told.iter().for_each(|(time, value)| put_greater(ours, *time, value));
        }
    }

    /// What was there at a moment: nothing later is left. (A score of sentiment stays; it counts with its review only.)
    pub fn until(&self, at: Timestamp) -> Self {
        let told_until = |told: &BTreeMap<Timestamp, Value>| -> BTreeMap<Timestamp, Value> {
            told.range(..=at).map(|(time, value)| (*time, value.clone())).collect()
        };
        let traits = self.traits.iter().map(|(key, told)| (key.clone(), told_until(told)));
        Self {
            orders: self.orders.restricted(at),
            refunds: self.refunds.restricted(at),
            reviews: self.reviews.restricted(at),
            doings: self.doings.restricted(at),
            sentiments: self.sentiments.clone(),
            traits: traits.filter(|(_, told)| !told.is_empty()).collect(),
        }
    }

    /// The traits that stood at a moment: of each key the latest value told until then.
    pub fn traits_at(&self, at: Timestamp) -> Map<String, Value> {
        let latest = |told: &BTreeMap<Timestamp, Value>| Some(told.range(..=at).next_back()?.1.clone());
        let standing = self.traits.iter().filter_map(|(key, told)| Some((key.clone(), latest(told)?)));
        standing.filter(|(_, value)| !value.is_null()).collect()
    }

    /// When the customer was first heard of.
    pub fn first_time(&self) -> Option<Timestamp> {
        let told = self.traits.values().filter_map(|told| told.keys().next().copied());
        let happened =
            [self.orders.first_time(), self.refunds.first_time(), self.reviews.first_time(), self.doings.first_time()];
        happened.into_iter().flatten().chain(told).min()
    }
}

fn order_in_base(order: &Order, in_base: &impl Fn(&Money, Timestamp) -> Option<Money>) -> Order {
    let of = |minor| in_base(&Money { minor, currency: order.total.currency }, order.time);
    match (of(order.total.minor), of(order.discount_minor)) {
        (Some(total), Some(discount)) => Order { total, discount_minor: discount.minor, ..order.clone() },
        _ => order.clone(),
    }
}

fn refund_in_base(refund: &Refund, in_base: &impl Fn(&Money, Timestamp) -> Option<Money>) -> Refund {
    let amount = refund.amount.map(|amount| in_base(&amount, refund.time).unwrap_or(amount));
    Refund { amount, ..refund.clone() }
}

fn put_greater(told: &mut BTreeMap<Timestamp, Value>, time: Timestamp, value: &Value) {
    let standing = told.entry(time).or_insert_with(|| value.clone());
    let (new, old) = (value.to_string(), standing.to_string());
    if new > old {
        *standing = value.clone();
    }
}
