//! Reading what customers do and are out of the store, page by page, for a fit or for one of them.

use super::people::Person;
use super::{SegmentError, fit};
use crate::domain::{Customer, CustomerId, Item, Review, Timestamp, WorkspaceId};
use crate::features::{Categories, History};
use crate::store::{Store, StoredReview};
use fit::{Reporter, step};
use std::collections::HashMap;

/// Rows read from the store at a time.
const PAGE: usize = 2_048;
/// Facts of each kind that one customer is placed by, the newest.
const NEWEST: usize = 10_000;

/// The facts of all customers of a workspace, without their words.
pub struct Facts {
    pub persons: HashMap<CustomerId, Person>,
    pub catalogue: Categories,
    /// The newest of them; nothing where there are none.
    pub newest: Option<Timestamp>,
}

/// One customer's facts.
pub struct OnesFacts {
    pub customer: Customer,
    pub person: Person,
    pub reviews: Vec<StoredReview>,
    /// Of the items of their orders.
    pub catalogue: Categories,
    pub newest: Option<Timestamp>,
}

impl Facts {
    /// Reads all but reviews, which a fit reads for their words and hands over one by one.
    ///
    /// # Errors
    /// The store's own, and cancellation.
    pub async fn read(
        store: &dyn Store,
        workspace: &WorkspaceId,
        reporter: &dyn Reporter,
    ) -> Result<Self, SegmentError> {
        let mut facts = Self { persons: HashMap::new(), catalogue: Categories::default(), newest: None };
        facts.read_customers(store, workspace, reporter).await?;
        facts.read_orders(store, workspace, reporter).await?;
        facts.read_events(store, workspace, reporter).await?;
        facts.catalogue = Categories::of(&read_items(store, workspace).await?);
        Ok(facts)
    }

    pub fn add_review(&mut self, review: &Review) {
        self.see(review.time);
        self.history(&review.customer).add_review(review);
    }

    async fn read_customers(
        &mut self,
        store: &dyn Store,
        workspace: &WorkspaceId,
        reporter: &dyn Reporter,
    ) -> Result<(), SegmentError> {
        let mut after: Option<CustomerId> = None;
        loop {
            step(reporter, "reading customers", self.persons.len() as u64, None)?;
            let page = store.customers(workspace, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id.clone());
            for customer in page {
                self.persons.insert(customer.id, Person { history: History::default(), traits: customer.traits });
            }
        }
    }

    async fn read_orders(
        &mut self,
        store: &dyn Store,
        workspace: &WorkspaceId,
        reporter: &dyn Reporter,
    ) -> Result<(), SegmentError> {
        let (mut n, mut after) = (0, 0);
        loop {
            step(reporter, "reading orders", n, None)?;
            let page = store.orders(workspace, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            (n, after) = (n + page.len() as u64, last.seq);
            for stored in &page {
                self.see(stored.order.time);
                self.history(&stored.order.customer).add_order(&stored.order);
            }
        }
        let mut after = 0;
        loop {
            let page = store.refunds(workspace, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            for stored in &page {
                self.see(stored.refund.time);
                self.history(&stored.refund.customer).add_refund(&stored.refund);
            }
        }
    }

    async fn read_events(
        &mut self,
        store: &dyn Store,
        workspace: &WorkspaceId,
        reporter: &dyn Reporter,
    ) -> Result<(), SegmentError> {
        let (mut n, mut after) = (0, 0);
        loop {
            step(reporter, "reading events", n, None)?;
            let page = store.events(workspace, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            (n, after) = (n + page.len() as u64, last.seq);
            for stored in &page {
                self.see(stored.event.time);
                self.history(&stored.customer).add_event(&stored.event);
            }
        }
    }

    /// Of a customer who was not there when customers were read: they come with the next fit.
    fn history(&mut self, customer: &CustomerId) -> &mut History {
        &mut self.persons.entry(customer.clone()).or_default().history
    }

    fn see(&mut self, time: Timestamp) {
        self.newest = self.newest.max(Some(time));
    }
}

async fn read_items(store: &dyn Store, workspace: &WorkspaceId) -> Result<Vec<Item>, SegmentError> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = store.items(workspace, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(items) };
        after = Some(last.id.clone());
        items.extend(page.into_iter().filter(|item| item.category.is_some()));
    }
}

impl OnesFacts {
    /// Nothing where there is no such customer.
    ///
    /// # Errors
    /// The store's own.
    pub async fn read(
        store: &dyn Store,
        workspace: &WorkspaceId,
        id: &CustomerId,
    ) -> Result<Option<Self>, SegmentError> {
        let Some(customer) = store.customer(workspace, id).await? else { return Ok(None) };
        let id = customer.id.clone();
        let mut person = Person { history: History::default(), traits: customer.traits.clone() };
        let (mut newest, mut items) = (None, Vec::new());
        for stored in store.customer_orders(workspace, &id, NEWEST).await? {
            newest = newest.max(Some(stored.order.time));
            items
                .extend(stored.order.lines.iter().filter(|line| line.category.is_none()).map(|line| line.item.clone()));
            person.history.add_order(&stored.order);
        }
        for stored in store.customer_refunds(workspace, &id, NEWEST).await? {
            newest = newest.max(Some(stored.refund.time));
            person.history.add_refund(&stored.refund);
        }
        for stored in store.customer_events(workspace, &id, None, NEWEST).await? {
            newest = newest.max(Some(stored.event.time));
            person.history.add_event(&stored.event);
        }
        let reviews = store.customer_reviews(workspace, &id, NEWEST).await?;
        for stored in &reviews {
            newest = newest.max(Some(stored.review.time));
            person.history.add_review(&stored.review);
        }
        items.sort_unstable();
        items.dedup();
        let mut known = Vec::with_capacity(items.len());
        for item in &items {
            known.extend(store.item(workspace, item).await?);
        }
        Ok(Some(Self { customer, person, reviews, catalogue: Categories::of(&known), newest }))
    }
}
