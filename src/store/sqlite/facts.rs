//! Appending facts: what is new, what replaces, what was there already, and the counts that go with it.

use super::columns::Moment;
use super::erasure::Suppressed;
use super::{
    accounts, changes, consent, customers, events, identity, items, jobs, orders, quality, retention, reviews,
    workspaces,
};
use crate::domain::{
    Alias, Consent, CustomerId, Event, EventId, Fact, FactKind, Group, Identify, JudgedKind, Mark, Marks, Order,
    Refund, Review, Timestamp, Told, Who, WorkspaceId,
};
use crate::store::rules::{self, Tally};
use crate::store::{Appended, Changed, Checkpoint, Judged, Result};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, HashMap};

pub(super) fn append(
    db: &Connection,
    workspace: &WorkspaceId,
    judged: Judged<'_>,
    checkpoint: Option<&Checkpoint>,
    now: Timestamp,
) -> Result<Vec<Appended>> {
    let row = workspaces::require(db, workspace)?;
    if let Some(checkpoint) = checkpoint {
        jobs::checkpoint(db, row, checkpoint)?;
    }
    let mut appending = Appending {
        db,
        slug: workspace,
        workspace: row,
        suppressed: Suppressed::of(db, row)?,
        consents: consent::Rules::of(db, row, workspace)?,
        is_consent_new: false,
        retention: retention::Rules::of(db, row, workspace, now)?,
        now,
        ids: HashMap::new(),
        gains: BTreeMap::new(),
        n_new: 0,
        merged: 0,
        n_new_items: 0,
        found: Tally::of(judged.findings),
    };
    let facts = judged.facts.iter().enumerate();
    let appended = facts.map(|(place, fact)| appending.fact(fact, rules::marks_of(judged.findings, place)));
    let appended = appended.collect::<Result<_>>()?;
    appending.count()?;
    if appending.is_consent_new {
        changes::log(db, row, Changed::Consent)?;
    }
    let import = checkpoint.map(|checkpoint| checkpoint.job);
    quality::count(db, row, (rules::day_of(now), import), &appending.found)?;
    Ok(appended)
}

/// One call's work: counts are summed up here and written once a customer, not once a fact.
struct Appending<'a> {
    db: &'a Connection,
    slug: &'a WorkspaceId,
    workspace: i64,
    suppressed: Suppressed,
    consents: consent::Rules,
    /// Whether somebody allows something else than before.
    is_consent_new: bool,
    retention: retention::Rules,
    now: Timestamp,
    /// The ids met so far.
    ids: HashMap<CustomerId, Id>,
    /// What each id's row gains.
    gains: BTreeMap<i64, Gain>,
    /// Ids made.
    n_new: i64,
    /// What merging added to the number of customers; below 0 as a rule.
    merged: i64,
    n_new_items: i64,
    /// Which rules the kept facts broke.
    found: Tally,
}

#[derive(Clone, Copy)]
struct Id {
    row: i64,
    is_known: bool,
}

#[derive(Default)]
struct Gain {
    n_reviews: i64,
    n_events: i64,
    n_orders: i64,
}

impl Appending<'_> {
    fn fact(&mut self, fact: &Fact, marks: Marks) -> Result<Appended> {
        for id in rules::ids_told_of(fact) {
            if self.suppressed.has(self.db, self.workspace, self.slug, id)? {
                return Ok(Appended::Suppressed);
            }
        }
        match fact {
            Fact::Review(review) => self.review(review, marks.own, true),
            Fact::Identify(identify) => self.identify(identify),
            Fact::Event(event) => self.event(event, marks),
            Fact::Alias(alias) => self.alias(alias),
            Fact::Group(group) => self.group(group),
            Fact::Order(order) => self.order(order, marks.own, true),
            Fact::Refund(refund) => self.refund(refund, marks.own, true),
            Fact::Item(item) => {
                let appended = items::append(self.db, self.workspace, item)?;
                self.n_new_items += i64::from(appended == Appended::Accepted);
                Ok(appended)
            }
            Fact::Consent(consent) => self.consent(consent),
        }
    }

    fn consent(&mut self, told: &Consent) -> Result<Appended> {
        let before = (self.n_new, self.merged);
        let customer = self.who(&told.who, told.time)?;
        let is_new = consent::append(self.db, self.workspace, customer, told, self.now)?;
        self.is_consent_new |= is_new;
        self.consents.any_told |= is_new;
        Ok(if is_new || before != (self.n_new, self.merged) { Appended::Accepted } else { Appended::Duplicate })
    }

    fn review(&mut self, review: &Review, mark: Mark, is_known: bool) -> Result<Appended> {
        if self.is_expired((FactKind::Reviews, review.id.as_str(), review.time))? {
            return Ok(Appended::Expired);
        }
        let customer = self.customer(&review.customer, is_known)?;
        let standing = reviews::find(self.db, self.workspace, customer, review)?;
        let appended = match &standing {
            Some(standing) if standing.is_same => return Ok(Appended::Duplicate),
            Some(_) => Appended::Replaced,
            None => Appended::Accepted,
        };
        if let Some(standing) = standing {
            reviews::delete(self.db, self.workspace, standing.seq)?;
            self.gains.entry(standing.customer).or_default().n_reviews -= 1;
        }
        reviews::insert(self.db, self.workspace, customer, (review, mark.flags))?;
        self.found.add(JudgedKind::Review, mark);
        self.gains.entry(customer).or_default().n_reviews += 1;
        Ok(appended)
    }

    fn identify(&mut self, identify: &Identify) -> Result<Appended> {
        if identity::is_repeated(self.db, self.workspace, identify.message.as_ref().map(EventId::as_str))? {
            return Ok(Appended::Duplicate);
        }
        let before = (self.n_new, self.merged);
        let customer = self.who(&identify.who, identify.time)?;
        let of = customers::TraitsOf::Customer(customer);
        let changed = customers::merge_traits(self.db, of, &identify.traits, identify.time)?;
        Ok(if changed || before != (self.n_new, self.merged) { Appended::Accepted } else { Appended::Duplicate })
    }

    fn event(&mut self, event: &Event, marks: Marks) -> Result<Appended> {
        if events::is_there(self.db, self.workspace, event)? {
            // Before the customer is made: a repeated event changes nothing, whomever it names.
            return Ok(Appended::Duplicate);
        }
        if self.is_expired((FactKind::Events, event.id.as_str(), event.time))? {
            return Ok(Appended::Expired);
        }
        if !self.consents.allow_events(self.db, self.workspace, &event.who)? {
            return Ok(Appended::Declined);
        }
        let customer = self.who(&event.who, event.time)?;
        events::insert(self.db, self.workspace, customer, (event, marks.own.flags))?;
        self.found.add(JudgedKind::Event, marks.own);
        self.gains.entry(customer).or_default().n_events += 1;
        match &event.told {
            None => {}
            // Whether the customer is known was told by the event itself.
            Some(Told::Order(order)) => drop(self.order(order, marks.told, false)?),
            Some(Told::Refund(refund)) => drop(self.refund(refund, marks.told, false)?),
            Some(Told::Review(review)) => drop(self.review(review, marks.told, false)?),
        }
        Ok(Appended::Accepted)
    }

    fn alias(&mut self, alias: &Alias) -> Result<Appended> {
        if identity::is_repeated(self.db, self.workspace, alias.message.as_ref().map(EventId::as_str))? {
            return Ok(Appended::Duplicate);
        }
        let (from, to) = (self.customer(&alias.previous, false)?, self.customer(&alias.id, true)?);
        let (is_new, gained) = self.tying().alias(from, to, alias.time)?;
        self.merged += gained;
        Ok(if is_new { Appended::Accepted } else { Appended::Duplicate })
    }

    fn group(&mut self, group: &Group) -> Result<Appended> {
        if identity::is_repeated(self.db, self.workspace, group.message.as_ref().map(EventId::as_str))? {
            return Ok(Appended::Duplicate);
        }
        let customer = self.who(&group.who, group.time)?;
        let changed = accounts::append(self.db, self.workspace, customer, group)?;
        Ok(if changed { Appended::Accepted } else { Appended::Duplicate })
    }

    fn order(&mut self, order: &Order, mark: Mark, is_known: bool) -> Result<Appended> {
        if self.is_expired((FactKind::Orders, order.id.as_str(), order.time))? {
            return Ok(Appended::Expired);
        }
        let customer = self.customer(&order.customer, is_known)?;
        let kept = orders::append(self.db, self.workspace, customer, (order, mark.flags))?;
        if let Some(before) = kept.taken_from {
            self.gains.entry(before).or_default().n_orders -= 1;
        }
        if kept.appended != Appended::Duplicate {
            self.gains.entry(customer).or_default().n_orders += 1;
            self.found.add(JudgedKind::Order, mark);
        }
        Ok(kept.appended)
    }

    fn refund(&mut self, refund: &Refund, mark: Mark, is_known: bool) -> Result<Appended> {
        if self.is_expired((FactKind::Refunds, &refund.id, refund.time))? {
            return Ok(Appended::Expired);
        }
        let customer = self.customer(&refund.customer, is_known)?;
        let appended = orders::append_refund(self.db, self.workspace, customer, (refund, mark.flags))?;
        if appended == Appended::Accepted {
            self.found.add(JudgedKind::Refund, mark);
        }
        Ok(appended)
    }

    /// Whether a fact that is not there is too old to be kept.
    fn is_expired(&self, fact: (FactKind, &str, Timestamp)) -> Result<bool> {
        self.retention.refuse(self.db, (self.workspace, self.slug), fact)
    }

    /// The row of the id a fact is kept under, tied to the anonymous one that was named beside it.
    fn who(&mut self, who: &Who, time: Timestamp) -> Result<i64> {
        let row = self.customer(&who.id, !who.is_anonymous)?;
        if let Some(anonymous) = &who.also
            && !self.suppressed.has(self.db, self.workspace, self.slug, anonymous)?
        {
            let anonymous = self.customer(anonymous, false)?;
            self.merged += self.tying().claim(anonymous, row, time)?;
        }
        Ok(row)
    }

    /// Ties ids; what was told under one may hold for another from now on.
    fn tying(&mut self) -> identity::Tying<'_> {
        self.is_consent_new |= self.consents.any_told;
        identity::Tying { db: self.db, workspace: self.workspace, now: self.now }
    }

    /// The id's row; the first fact that names an id makes it. `is_known`: the shop itself calls them so.
    fn customer(&mut self, id: &CustomerId, is_known: bool) -> Result<i64> {
        let standing = match self.ids.get(id) {
            Some(standing) => Some(*standing),
            None => self
                .db
                .prepare_cached("SELECT id, known FROM customer WHERE workspace_id = ?1 AND external_id = ?2")?
                .query_row(params![self.workspace, id.as_str()], |row| {
                    Ok(Id { row: row.get(0)?, is_known: row.get(1)? })
                })
                .optional()?,
        };
        let row = match standing {
            Some(standing) if standing.is_known || !is_known => standing.row,
            Some(standing) => {
                self.db.prepare_cached("UPDATE customer SET known = 1 WHERE id = ?1")?.execute([standing.row])?;
                standing.row
            }
            None => self.make(id, is_known)?,
        };
        let is_known = is_known || standing.is_some_and(|standing| standing.is_known);
        self.ids.insert(id.clone(), Id { row, is_known });
        Ok(row)
    }

    fn make(&mut self, id: &CustomerId, is_known: bool) -> Result<i64> {
        self.db
            .prepare_cached(
                "INSERT INTO customer (workspace_id, external_id, created_at, known) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![self.workspace, id.as_str(), Moment(self.now), is_known])?;
        self.n_new += 1;
        Ok(self.db.last_insert_rowid())
    }

    fn count(&self) -> Result<()> {
        let mut total = Gain::default();
        let mut statement = self.db.prepare_cached(
            "UPDATE customer SET n_reviews = n_reviews + ?2, n_events = n_events + ?3, n_orders = n_orders + ?4
             WHERE id = ?1",
        )?;
        for (row, gain) in &self.gains {
            statement.execute([*row, gain.n_reviews, gain.n_events, gain.n_orders])?;
            total.n_reviews += gain.n_reviews;
            total.n_events += gain.n_events;
            total.n_orders += gain.n_orders;
        }
        self.db
            .prepare_cached(
                "UPDATE workspace SET n_customers = n_customers + ?2, n_reviews = n_reviews + ?3, n_events = n_events + ?4,
                     n_orders = n_orders + ?5, n_items = n_items + ?6
                 WHERE id = ?1",
            )?
            .execute([
                self.workspace,
                self.n_new + self.merged,
                total.n_reviews,
                total.n_events,
                total.n_orders,
                self.n_new_items,
            ])?;
        Ok(())
    }
}
