//! Orders and refunds of a call. An order that is told of again with other content is replaced by the later word; its first moment
//! stays.

use super::People;
use crate::domain::{Currency, Flags, Order, OrderId, Refund};
use crate::store::Appended;
use std::collections::{HashMap, HashSet};

/// An order as it stands.
#[derive(Debug)]
pub(in super::super) struct StandingOrder {
    /// Its stored row; nothing for one that only this call told of.
    pub seq: Option<i64>,
    pub customer: usize,
    /// When it was placed, and when what stands of it was said.
    pub time: i64,
    pub said_at: i64,
    pub total_minor: i64,
    pub currency: Option<Currency>,
    pub discount_minor: i64,
    /// As JSON.
    pub lines: String,
    /// Of one that this call writes.
    pub flags: Flags,
}

impl StandingOrder {
    fn told(customer: usize, order: &Order, flags: Flags) -> Self {
        Self {
            seq: None,
            customer,
            time: order.time.as_microsecond(),
            said_at: order.time.as_microsecond(),
            total_minor: order.total.minor,
            currency: order.total.currency,
            discount_minor: order.discount_minor,
            // Lines are texts and whole numbers: they can always be written.
            lines: serde_json::to_string(&order.lines).unwrap_or_default(),
            flags,
        }
    }

    /// But for whose it is. Times are no content.
    fn has_content_of(&self, told: &Self) -> bool {
        (self.total_minor, self.currency, self.discount_minor, &self.lines)
            == (told.total_minor, told.currency, told.discount_minor, &told.lines)
    }

    fn gives_way_to(&self, told: &Self) -> bool {
        (self.said_at, self.total_minor, &self.lines) < (told.said_at, told.total_minor, &told.lines)
    }
}

#[derive(Debug)]
struct State {
    order: StandingOrder,
    /// Its turn among the orders that this call writes; nothing for one whose content stays as it is stored.
    turn: Option<usize>,
    /// Whether a moment of the stored row is another now.
    is_moved: bool,
}

#[derive(Debug, Default)]
pub(in super::super) struct Purchases<'a> {
    orders: HashMap<String, State>,
    n_written: usize,
    pub known_refunds: HashSet<String>,
    pub refunds: Vec<(usize, &'a Refund, Flags)>,
}

impl<'a> Purchases<'a> {
    pub fn stands(&mut self, id: String, order: StandingOrder) {
        self.orders.insert(id, State { order, turn: None, is_moved: false });
    }

    pub fn has(&self, id: &OrderId) -> bool {
        self.orders.contains_key(id.as_str())
    }

    pub fn order(&mut self, customer: usize, (order, flags): (&Order, Flags), people: &mut People) -> Appended {
        let mut told = StandingOrder::told(customer, order, flags);
        let Some(state) = self.orders.get_mut(order.id.as_str()) else {
            people.gains(customer).n_orders += 1;
            self.write(order, told);
            return Appended::Accepted;
        };
        let standing = &mut state.order;
        let time = standing.time.min(told.time);
        let is_same = people.are_one(standing.customer, customer) && standing.has_content_of(&told);
        if is_same || !standing.gives_way_to(&told) {
            let said_at = if is_same { standing.said_at.max(told.said_at) } else { standing.said_at };
            state.is_moved |= (time, said_at) != (standing.time, standing.said_at);
            (standing.time, standing.said_at) = (time, said_at);
            return Appended::Duplicate;
        }
        people.gains(standing.customer).n_orders -= 1;
        people.gains(customer).n_orders += 1;
        (told.time, told.seq) = (time, standing.seq);
        self.write(order, told);
        Appended::Replaced
    }

    fn write(&mut self, order: &Order, told: StandingOrder) {
        let state = State { order: told, turn: Some(self.n_written), is_moved: false };
        self.orders.insert(order.id.as_str().to_owned(), state);
        self.n_written += 1;
    }

    pub fn refund(&mut self, customer: usize, (refund, flags): (&'a Refund, Flags)) -> Appended {
        if !self.known_refunds.insert(refund.id.clone()) {
            return Appended::Duplicate;
        }
        self.refunds.push((customer, refund, flags));
        Appended::Accepted
    }

    /// The orders to be written, in the order they came, each with its id.
    pub fn written(&self) -> Vec<(&str, &StandingOrder)> {
        let written = self.orders.iter().filter_map(|(id, state)| Some((state.turn?, (id.as_str(), &state.order))));
        let mut written: Vec<_> = written.collect();
        written.sort_unstable_by_key(|(turn, _)| *turn);
        written.into_iter().map(|(_, order)| order).collect()
    }

    /// The stored ones that go.
    pub fn replaced(&self) -> Vec<i64> {
        let replaced = self.orders.values().filter(|state| state.turn.is_some());
        replaced.filter_map(|state| state.order.seq).collect()
    }

    /// The stored ones that stay, with other moments.
    pub fn moved(&self) -> impl Iterator<Item = &StandingOrder> {
        self.orders.values().filter(|state| state.turn.is_none() && state.is_moved).map(|state| &state.order)
    }
}
