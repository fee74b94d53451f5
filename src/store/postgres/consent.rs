//! What customers allow: the word that stands for each id and purpose, and what follows for the customer that ids count for.

use super::columns::{Json, Moment, Text, Word, get};
use super::plan::Plan;
use super::statements::{execute, row, rows};
use super::writing::Place;
use super::{changes, customers::rows_of_one};
use crate::domain::{Choice, ConsentEntry, ConsentSettings, CustomerConsent, CustomerId, Purpose, WorkspaceId};
use crate::store::{Changed, IdChoices, Result, StoreError};
use deadpool_postgres::{GenericClient, Transaction};
use serde_json::Value;
use std::collections::BTreeMap;
use tokio_postgres::Row;

/// Of all ids that count for the customers of the asked ones.
const STANDING: &str = "WITH asked AS (
         SELECT DISTINCT coalesce(root_id, id) AS root FROM customer WHERE workspace_id = $1 AND external_id = ANY ($2)
     )
     SELECT own.external_id, purpose, is_granted, consent.time, source
     FROM asked JOIN customer own ON own.id = asked.root OR own.root_id = asked.root
     JOIN consent ON customer_id = own.id";

/// What stands under the ids that facts name.
pub(super) async fn read_standing(
    db: &Transaction<'_>,
    workspace: i64,
    named: &[&str],
    plan: &mut Plan<'_>,
) -> Result<()> {
    let setting = "SELECT value FROM setting WHERE workspace_id = $1 AND name = $2";
    if let Some(setting) = row(db, setting, &[&workspace, &ConsentSettings::NAME]).await? {
        let Json(value) = get::<Json<Value>>(&setting, 0)?;
        plan.consent = serde_json::from_value(value).map_err(|why| StoreError::Corrupt(why.to_string()))?;
    }
    if named.is_empty() {
        return Ok(());
    }
    for row in &rows(db, STANDING, &[&workspace, &named]).await? {
        let Some(at) = plan.people.find(get(row, 0)?) else { continue };
        let Word(purpose) = get(row, 1)?;
        plan.people.consents(at).stands(purpose, choice(row, 2)?);
    }
    Ok(())
}

pub(super) async fn write(place: Place<'_>, plan: &Plan<'_>, customers: &[i64]) -> Result<()> {
    let people = || plan.people.all().iter().zip(customers);
    let standing = people().flat_map(|(one, row)| one.consents.written().map(move |told| (*row, told)));
    let upsert = "INSERT INTO consent (customer_id, purpose, is_granted, time, source)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::boolean[], $4::bigint[], $5::text[])
         ON CONFLICT (customer_id, purpose)
         DO UPDATE SET is_granted = excluded.is_granted, time = excluded.time, source = excluded.source";
    let told = Columns::of(standing);
    if !told.owners.is_empty() {
        let Columns { owners, purposes, granted, times, sources } = &told;
        execute(place.db, upsert, &[owners, purposes, granted, times, sources]).await?;
    }
    let log = people()
        .flat_map(|(one, row)| one.consents.new_in_log.iter().map(move |(purpose, choice)| (*row, (*purpose, choice))));
    let told = Columns::of(log);
    if !told.owners.is_empty() {
        let insert = "INSERT INTO consent_log (workspace_id, told_at, customer_id, purpose, is_granted, time, source)
             SELECT $1, $2, owner, new.purpose, granted, new.time, new.source
             FROM unnest($3::bigint[], $4::text[], $5::boolean[], $6::bigint[], $7::text[])
                 WITH ORDINALITY AS new (owner, purpose, granted, time, source, position) ORDER BY position";
        let Columns { owners, purposes, granted, times, sources } = &told;
        let now = Moment(place.now);
        execute(place.db, insert, &[&place.workspace, &now, owners, purposes, granted, times, sources]).await?;
    }
    if plan.is_consent_new || plan.people.ties_consents() {
        changes::log(place.db, place.workspace, Changed::Consent).await?;
    }
    Ok(())
}

/// Words, side by side.
#[derive(Default)]
struct Columns<'a> {
    owners: Vec<i64>,
    purposes: Vec<Word<Purpose>>,
    granted: Vec<bool>,
    times: Vec<Moment>,
    sources: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(told: impl Iterator<Item = (i64, (Purpose, &'a Choice))>) -> Self {
        let mut columns = Self::default();
        for (owner, (purpose, choice)) in told {
            columns.owners.push(owner);
            columns.purposes.push(Word(purpose));
            columns.granted.push(choice.is_granted);
            columns.times.push(Moment(choice.time));
            columns.sources.push(choice.source.as_str());
        }
        columns
    }
}

/// Is_granted, time and source, from a column on.
fn choice(row: &Row, at: usize) -> Result<Choice> {
    let (Moment(time), Text(source)) = (get(row, at + 1)?, get(row, at + 2)?);
    Ok(Choice { is_granted: get(row, at)?, time, source })
}

/// In a snapshot, so that the log and what stands are of one moment.
pub(super) async fn of_customer(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    id: &CustomerId,
) -> Result<CustomerConsent> {
    let select = concat!(
        "SELECT seq, external_id, purpose, told_at, is_granted, time, source
         FROM consent_log JOIN customer ON customer.id = customer_id WHERE customer_id = ANY (",
        rows_of_one!(),
        ") ORDER BY seq"
    );
    let log = rows(db, select, &[&workspace.as_str(), &id.as_str()]).await?;
    let entry = |row: &Row| {
        let (Text(id), Word(purpose), Moment(told_at)) = (get(row, 1)?, get(row, 2)?, get(row, 3)?);
        Ok(ConsentEntry { seq: get(row, 0)?, id, purpose, choice: choice(row, 4)?, told_at })
    };
    // The greatest word comes last and so stays.
    let select = concat!(
        "SELECT purpose, is_granted, time, source FROM consent WHERE customer_id = ANY (",
        rows_of_one!(),
        ") ORDER BY time, is_granted DESC, source"
    );
    let standing = rows(db, select, &[&workspace.as_str(), &id.as_str()]).await?;
    let stands = |row: &Row| {
        let Word(purpose) = get(row, 0)?;
        Ok((purpose, choice(row, 1)?))
    };
    Ok(CustomerConsent {
        choices: standing.iter().map(stands).collect::<Result<_>>()?,
        log: log.iter().map(entry).collect::<Result<_>>()?,
    })
}

/// What holds for customers, by their rows, which the asking statement gives as `asked (root)`.
macro_rules! choices {
    ($asked:literal) => {
        concat!(
            "WITH asked AS (",
            $asked,
            "), member AS (
                 SELECT array_agg(own.id) AS ids, array_agg(own.external_id ORDER BY own.external_id) AS names
                 FROM asked JOIN customer own ON own.id = root OR own.root_id = root GROUP BY root
             )
             SELECT names, granted, withdrawn FROM member CROSS JOIN LATERAL (
                 SELECT array_agg(purpose) FILTER (WHERE is_granted) AS granted,
                        array_agg(purpose) FILTER (WHERE NOT is_granted) AS withdrawn
                 FROM (
                     SELECT DISTINCT ON (purpose) purpose, is_granted FROM consent WHERE customer_id = ANY (ids)
                     ORDER BY purpose, time DESC, is_granted, source DESC
                 ) AS latest
             ) AS told"
        )
    };
}

pub(super) async fn of_ids(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    ids: &[CustomerId],
) -> Result<Vec<IdChoices>> {
    let ids: Vec<&str> = ids.iter().map(CustomerId::as_str).collect();
    let select = choices!(
        "SELECT DISTINCT coalesce(root_id, customer.id) AS root FROM customer JOIN workspace ON workspace.id = workspace_id
         WHERE slug = $1 AND external_id = ANY ($2)"
    );
    rows(db, select, &[&workspace.as_str(), &ids]).await?.iter().map(id_choices).collect()
}

pub(super) async fn of_everybody(db: &impl GenericClient, workspace: &WorkspaceId) -> Result<Vec<IdChoices>> {
    let select = choices!(
        "SELECT DISTINCT coalesce(root_id, customer.id) AS root
         FROM consent JOIN customer ON customer.id = customer_id JOIN workspace ON workspace.id = workspace_id
         WHERE slug = $1"
    );
    rows(db, select, &[&workspace.as_str()]).await?.iter().map(id_choices).collect()
}

fn id_choices(row: &Row) -> Result<IdChoices> {
    let ids = get::<Vec<String>>(row, 0)?.into_iter().map(CustomerId::try_from);
    let ids = ids.collect::<Result<_, _>>().map_err(|why| StoreError::Corrupt(why.to_string()))?;
    let mut choices = BTreeMap::new();
    for (column, is_granted) in [(1, true), (2, false)] {
        for Word(purpose) in get::<Option<Vec<Word<Purpose>>>>(row, column)?.into_iter().flatten() {
            choices.insert(purpose, is_granted);
        }
    }
    Ok(IdChoices { ids, choices })
}
