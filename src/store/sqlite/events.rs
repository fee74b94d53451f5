//! Events: taken once for ever, ordered by `seq`, with what the vocabulary made of them beside their properties.

use super::columns::{Json, Moment, Text, Word, limit};
use super::orders::currency;
use super::workspaces;
use crate::domain::{Activity, Currency, CustomerId, Event, Flags, Money, Timestamp, Who, WorkspaceId};
use crate::store::{Result, StoredEvent};
use rusqlite::{Connection, Row, params};

const COLUMNS: &str =
    "SELECT event.id, root.external_id, event_id, own.external_id, own.known, kind, name, time, properties,
         activity, item_id, amount_minor, currency, value, flags
     FROM event JOIN customer own ON own.id = event.customer_id
     JOIN customer root ON root.id = coalesce(own.root_id, own.id)";

pub(super) fn is_there(db: &Connection, workspace: i64, event: &Event) -> Result<bool> {
    let mut statement = db.prepare_cached("SELECT 1 FROM event WHERE workspace_id = ?1 AND event_id = ?2")?;
    Ok(statement.exists(params![workspace, event.id.as_str()])?)
}

pub(super) fn insert(db: &Connection, workspace: i64, customer: i64, (event, flags): (&Event, Flags)) -> Result<()> {
    let activity = event.activity.as_ref();
    let amount = activity.and_then(|activity| activity.amount);
    db.prepare_cached(
        "INSERT INTO event (workspace_id, event_id, customer_id, kind, name, time, properties, activity, item_id,
             amount_minor, currency, value, flags)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        workspace,
        event.id.as_str(),
        customer,
        Word(event.kind),
        event.name,
        Moment(event.time),
        Json(&event.properties),
        activity.map(|activity| Word(activity.kind)),
        activity.and_then(|activity| activity.item.as_ref()).map(|item| item.as_str()),
        amount.map(|amount| amount.minor),
        amount.as_ref().and_then(|amount| amount.currency.as_ref()).map(Currency::as_str),
        activity.and_then(|activity| activity.value),
        flags.bits(),
    ])?;
    Ok(())
}

pub(super) fn page(db: &Connection, workspace: &WorkspaceId, after: i64, n_events: usize) -> Result<Vec<StoredEvent>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(&format!(
        "{COLUMNS} WHERE event.workspace_id = ?1 AND event.id > ?2 ORDER BY event.id LIMIT ?3"
    ))?;
    let page = statement.query_map([workspace, after, limit(n_events)], stored)?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn of_customer(
    db: &Connection,
    workspace: &WorkspaceId,
    customer: &CustomerId,
    before: Option<(Timestamp, i64)>,
    n_events: usize,
) -> Result<Vec<StoredEvent>> {
    let Some(root) = super::customers::root(db, workspace, customer)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(&format!(
        "{COLUMNS} WHERE event.customer_id IN (SELECT id FROM customer WHERE id = ?1 OR root_id = ?1)
             AND (time, event.id) < (?2, ?3)
         ORDER BY time DESC, event.id DESC LIMIT ?4"
    ))?;
    let (time, seq) = before.map_or((i64::MAX, i64::MAX), |(time, seq)| (time.as_microsecond(), seq));
    let page = statement.query_map([root, time, seq, limit(n_events)], stored)?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    let (Text(customer), Text(id), Text(who)) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let (Word(kind), Moment(time), Json(properties)) = (row.get(5)?, row.get(7)?, row.get(8)?);
    let is_known: bool = row.get(4)?;
    let event = Event {
        id,
        who: Who { id: who, is_anonymous: !is_known, also: None },
        kind,
        name: row.get(6)?,
        time,
        properties,
        activity: activity(row)?,
        told: None,
    };
    Ok(StoredEvent { seq: row.get(0)?, customer, event, flags: Flags::of_bits(row.get(14)?) })
}

fn activity(row: &Row<'_>) -> rusqlite::Result<Option<Activity>> {
    let Some(Word(kind)) = row.get(9)? else { return Ok(None) };
    let item = row.get::<_, Option<Text<_>>>(10)?.map(|Text(item)| item);
    let minor: Option<i64> = row.get(11)?;
    let currency = currency(row, 12)?;
    Ok(Some(Activity { kind, item, amount: minor.map(|minor| Money { minor, currency }), value: row.get(13)? }))
}
