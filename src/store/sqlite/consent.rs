//! What customers allow: the word that stands for each id and purpose, and what follows for the customer that ids count for.

use super::columns::{Moment, Text, Word};
use super::{customers, identity, settings, workspaces};
use crate::domain::{
    Choice, Choices, Consent, ConsentEntry, ConsentSettings, CustomerConsent, CustomerId, Purpose, Timestamp, Who,
    WorkspaceId,
};
use crate::store::{ConsentStore, IdChoices, Result, SqliteStore, StoreError};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::{BTreeMap, HashSet};

#[async_trait]
impl ConsentStore for SqliteStore {
    async fn consent(&self, workspace: &WorkspaceId, id: &CustomerId) -> Result<CustomerConsent> {
        let (workspace, id) = (workspace.clone(), id.clone());
        self.read(move |db| of_customer(db, &workspace, &id)).await
    }

    async fn choices(&self, workspace: &WorkspaceId, ids: &[CustomerId]) -> Result<Vec<IdChoices>> {
        let (workspace, ids) = (workspace.clone(), ids.to_vec());
        self.read(move |db| of_ids(db, &workspace, &ids)).await
    }

    async fn all_choices(&self, workspace: &WorkspaceId) -> Result<Vec<IdChoices>> {
        let workspace = workspace.clone();
        self.read(move |db| of_everybody(db, &workspace)).await
    }
}

/// What an append has to know of a workspace's consent.
pub(super) struct Rules {
    settings: ConsentSettings,
    /// Whether anybody told anything. In most workspaces nobody did, and no event is asked after.
    pub any_told: bool,
}

impl Rules {
    pub fn of(db: &Connection, row: i64, workspace: &WorkspaceId) -> Result<Self> {
        let settings = match settings::find(db, workspace, ConsentSettings::NAME)? {
            None => ConsentSettings::default(),
            Some(value) => serde_json::from_value(value).map_err(|why| StoreError::Corrupt(why.to_string()))?,
        };
        let any_told = db.prepare_cached("SELECT 1 FROM consent_log WHERE workspace_id = ?1 LIMIT 1")?.exists([row])?;
        Ok(Self { settings, any_told })
    }

    /// Whether events of somebody may be kept.
    pub fn allow_events(&self, db: &Connection, workspace: i64, who: &Who) -> Result<bool> {
        let told = if self.any_told { analytics(db, workspace, who)? } else { None };
        Ok(self.settings.allows(Purpose::Analytics, told))
    }
}

/// What stands for the customer, with the words of an anonymous id that nobody has claimed yet: the event's own claim ties it.
fn analytics(db: &Connection, workspace: i64, who: &Who) -> Result<Option<bool>> {
    let root = match customers::row(db, workspace, &who.id)? {
        Some(row) => Some(identity::root(db, row)?),
        None => None,
    };
    let mut statement = db.prepare_cached(
        "SELECT is_granted FROM consent
         WHERE purpose = 'analytics' AND customer_id IN (
             SELECT id FROM customer WHERE id = ?1 OR root_id = ?1
             UNION ALL
             SELECT id FROM customer WHERE workspace_id = ?2 AND external_id = ?3 AND owner_id IS NULL AND root_id IS NULL
         )
         ORDER BY time DESC, is_granted, source DESC LIMIT 1",
    )?;
    let also = who.also.as_ref().map(CustomerId::as_str);
    Ok(statement.query_row(params![root, workspace, also], |row| row.get(0)).optional()?)
}

/// Keeps what is new of a word; whether anything is.
pub(super) fn append(
    db: &Connection,
    workspace: i64,
    customer: i64,
    consent: &Consent,
    now: Timestamp,
) -> Result<bool> {
    let mut is_new = false;
    for (purpose, is_granted) in &consent.choices {
        let told = Choice { is_granted: *is_granted, time: consent.time, source: consent.source.clone() };
        let standing = standing(db, customer, *purpose)?;
        if standing.as_ref().is_some_and(|standing| !told.outweighs(standing)) {
            continue;
        }
        is_new = true;
        db.prepare_cached(
            "INSERT INTO consent (customer_id, purpose, is_granted, time, source) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (customer_id, purpose)
             DO UPDATE SET is_granted = excluded.is_granted, time = excluded.time, source = excluded.source",
        )?
        .execute(params![
            customer,
            Word(purpose),
            told.is_granted,
            Moment(told.time),
            told.source.as_str()
        ])?;
        if standing.is_none_or(|standing| standing.is_granted != told.is_granted) {
            log(db, (workspace, customer), *purpose, &told, now)?;
        }
    }
    Ok(is_new)
}

fn standing(db: &Connection, customer: i64, purpose: Purpose) -> Result<Option<Choice>> {
    let mut statement =
        db.prepare_cached("SELECT is_granted, time, source FROM consent WHERE customer_id = ?1 AND purpose = ?2")?;
    Ok(statement.query_row(params![customer, Word(purpose)], |row| choice(row, 0)).optional()?)
}

fn log(
    db: &Connection,
    (workspace, customer): (i64, i64),
    purpose: Purpose,
    told: &Choice,
    now: Timestamp,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO consent_log (workspace_id, customer_id, purpose, is_granted, time, source, told_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        workspace,
        customer,
        Word(purpose),
        told.is_granted,
        Moment(told.time),
        told.source.as_str(),
        Moment(now)
    ])?;
    Ok(())
}

/// Is_granted, time and source, from a column on.
fn choice(row: &Row<'_>, at: usize) -> rusqlite::Result<Choice> {
    let (Moment(time), Text(source)) = (row.get(at + 1)?, row.get(at + 2)?);
    Ok(Choice { is_granted: row.get(at)?, time, source })
}

fn of_customer(db: &Connection, workspace: &WorkspaceId, id: &CustomerId) -> Result<CustomerConsent> {
    let Some(root) = customers::root(db, workspace, id)? else { return Ok(CustomerConsent::default()) };
    let mut statement = db.prepare_cached(
        "SELECT seq, external_id, purpose, told_at, is_granted, time, source
         FROM consent_log JOIN customer ON customer.id = customer_id
         WHERE customer_id IN (SELECT id FROM customer WHERE id = ?1 OR root_id = ?1) ORDER BY seq",
    )?;
    let log = statement.query_map([root], |row| {
        let (Text(id), Word(purpose), Moment(told_at)) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(ConsentEntry { seq: row.get(0)?, id, purpose, choice: choice(row, 4)?, told_at })
    })?;
    Ok(CustomerConsent { log: log.collect::<rusqlite::Result<_>>()?, choices: of_root(db, root)? })
}

/// What stands for a customer; the greatest word comes last and so stays.
fn of_root(db: &Connection, root: i64) -> Result<Choices> {
    let mut statement = db.prepare_cached(
        "SELECT purpose, is_granted, time, source FROM consent
         WHERE customer_id IN (SELECT id FROM customer WHERE id = ?1 OR root_id = ?1)
         ORDER BY time, is_granted DESC, source",
    )?;
    let choices = statement.query_map([root], |row| {
        let Word(purpose) = row.get(0)?;
        Ok((purpose, choice(row, 1)?))
    })?;
    Ok(choices.collect::<rusqlite::Result<_>>()?)
}

fn of_ids(db: &Connection, workspace: &WorkspaceId, ids: &[CustomerId]) -> Result<Vec<IdChoices>> {
    let mut roots = HashSet::new();
    for id in ids {
        roots.extend(customers::root(db, workspace, id)?);
    }
    roots.into_iter().map(|root| of_one(db, root)).collect()
}

fn of_everybody(db: &Connection, workspace: &WorkspaceId) -> Result<Vec<IdChoices>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT coalesce(root_id, customer.id) FROM consent_log JOIN customer ON customer.id = customer_id
         WHERE consent_log.workspace_id = ?1",
    )?;
    let roots: Vec<i64> = statement.query_map([workspace], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    roots.into_iter().map(|root| of_one(db, root)).collect()
}

fn of_one(db: &Connection, root: i64) -> Result<IdChoices> {
    let mut statement =
        db.prepare_cached("SELECT external_id FROM customer WHERE id = ?1 OR root_id = ?1 ORDER BY external_id")?;
    let ids = statement.query_map([root], |row| row.get(0).map(|Text(id)| id))?;
    let choices: BTreeMap<_, _> =
        of_root(db, root)?.into_iter().map(|(purpose, choice)| (purpose, choice.is_granted)).collect();
    Ok(IdChoices { ids: ids.collect::<rusqlite::Result<_>>()?, choices })
}
