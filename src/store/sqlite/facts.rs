//! Appending facts: what is new, what replaces, what was there already, and the counts that go with it.

use super::columns::{Json, Moment};
use super::{customers, jobs, reviews, workspaces};
use crate::domain::{CustomerId, Event, Fact, Identify, Review, Timestamp, WorkspaceId};
use crate::store::{Appended, Checkpoint, Result};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, HashMap};

pub(super) fn append(
    db: &Connection,
    workspace: &WorkspaceId,
    facts: &[Fact],
    checkpoint: Option<&Checkpoint>,
    now: Timestamp,
) -> Result<Vec<Appended>> {
    let workspace = workspaces::require(db, workspace)?;
    if let Some(checkpoint) = checkpoint {
        jobs::checkpoint(db, workspace, checkpoint)?;
    }
    let mut appending = Appending { db, workspace, now, rows: HashMap::new(), gains: BTreeMap::new(), n_new: 0 };
    let appended = facts.iter().map(|fact| appending.fact(fact)).collect::<Result<_>>()?;
    appending.count()?;
    Ok(appended)
}

/// One call's work: counts are summed up here and written once a customer, not once a fact.
struct Appending<'a> {
    db: &'a Connection,
    workspace: i64,
    now: Timestamp,
    /// The rows of the customers met so far.
    rows: HashMap<CustomerId, i64>,
    /// What each customer's row gains.
    gains: BTreeMap<i64, Gain>,
    n_new: i64,
}

#[derive(Default)]
struct Gain {
    n_reviews: i64,
    n_events: i64,
}

impl Appending<'_> {
    fn fact(&mut self, fact: &Fact) -> Result<Appended> {
        match fact {
            Fact::Review(review) => self.review(review),
            Fact::Identify(identify) => self.identify(identify),
            Fact::Event(event) => self.event(event),
        }
    }

    fn review(&mut self, review: &Review) -> Result<Appended> {
        let customer = self.customer(&review.customer)?;
        let standing = reviews::find(self.db, self.workspace, review)?;
        let appended = match &standing {
            Some(standing) if standing.is_same => return Ok(Appended::Duplicate),
            Some(_) => Appended::Replaced,
            None => Appended::Accepted,
        };
        if let Some(standing) = standing {
            reviews::delete(self.db, self.workspace, standing.seq)?;
            self.gains.entry(standing.customer).or_default().n_reviews -= 1;
        }
        reviews::insert(self.db, self.workspace, customer, review)?;
        self.gains.entry(customer).or_default().n_reviews += 1;
        Ok(appended)
    }

    fn identify(&mut self, identify: &Identify) -> Result<Appended> {
        let n_known = self.n_new;
        let customer = self.customer(&identify.customer)?;
        let changed = customers::merge_traits(self.db, customer, identify)?;
        Ok(if changed || self.n_new > n_known { Appended::Accepted } else { Appended::Duplicate })
    }

    fn event(&mut self, event: &Event) -> Result<Appended> {
        let is_there = self
            .db
            .prepare_cached("SELECT 1 FROM event WHERE workspace_id = ?1 AND event_id = ?2")?
            .exists(params![self.workspace, event.id.as_str()])?;
        if is_there {
            // Before the customer is made: a repeated event changes nothing, whomever it names.
            return Ok(Appended::Duplicate);
        }
        let customer = self.customer(&event.customer)?;
        self.db
            .prepare_cached(
                "INSERT INTO event (workspace_id, event_id, customer_id, name, time, properties)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                self.workspace,
                event.id.as_str(),
                customer,
                event.name,
                Moment(event.time),
                Json(&event.properties)
            ])?;
        self.gains.entry(customer).or_default().n_events += 1;
        Ok(Appended::Accepted)
    }

    /// The customer's row; the first fact that names someone makes it.
    fn customer(&mut self, id: &CustomerId) -> Result<i64> {
        if let Some(row) = self.rows.get(id) {
            return Ok(*row);
        }
        let row = match customers::row(self.db, self.workspace, id)? {
            Some(row) => row,
            None => {
                self.db
                    .prepare_cached("INSERT INTO customer (workspace_id, external_id, created_at) VALUES (?1, ?2, ?3)")?
                    .execute(params![self.workspace, id.as_str(), Moment(self.now)])?;
                self.n_new += 1;
                self.db.last_insert_rowid()
            }
        };
        self.rows.insert(id.clone(), row);
        Ok(row)
    }

    fn count(&self) -> Result<()> {
        let mut total = Gain::default();
        let mut statement = self
            .db
            .prepare_cached("UPDATE customer SET n_reviews = n_reviews + ?2, n_events = n_events + ?3 WHERE id = ?1")?;
        for (row, gain) in &self.gains {
            statement.execute([*row, gain.n_reviews, gain.n_events])?;
            total.n_reviews += gain.n_reviews;
            total.n_events += gain.n_events;
        }
        self.db
            .prepare_cached(
                "UPDATE workspace SET n_customers = n_customers + ?2, n_reviews = n_reviews + ?3, n_events = n_events + ?4
                 WHERE id = ?1",
            )?
            .execute([self.workspace, self.n_new, total.n_reviews, total.n_events])?;
        Ok(())
    }
}
