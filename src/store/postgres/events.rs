//! Events read back: ordered by `seq`, or a customer's by time.

use super::columns::{Json, Moment, Text, Word, Words, get, limit};
use super::customers::rows_of_one;
use super::orders::money;
use super::statements::rows;
use crate::domain::{Activity, CustomerId, Event, Flags, ItemId, Timestamp, Who, WorkspaceId};
use crate::store::{Result, StoredEvent};
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

/// What [`stored_event`] reads, in its order.
macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "SELECT event.id, root.external_id, event_id, own.external_id, own.known, kind, name, time, properties,
                    activity, item_id, value, amount_minor, currency, flags
             FROM event JOIN customer own ON own.id = customer_id
             JOIN customer root ON root.id = coalesce(own.root_id, own.id) ",
            $($rest),+
        )
    };
}

pub(super) async fn page(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    after: i64,
    n_events: usize,
) -> Result<Vec<StoredEvent>> {
    let select = select!(
        "WHERE event.workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND event.id > $2
         ORDER BY event.id LIMIT $3"
    );
    let page = rows(db, select, &[&workspace.as_str(), &after, &limit(n_events)]).await?;
    page.iter().map(stored_event).collect()
}

pub(super) async fn of_customer(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    customer: &CustomerId,
    before: Option<(Timestamp, i64)>,
    n_events: usize,
) -> Result<Vec<StoredEvent>> {
    let select = select!(
        "WHERE customer_id = ANY (",
        rows_of_one!(),
        ") AND (time, event.id) < ($3, $4) ORDER BY time DESC, event.id DESC LIMIT $5"
    );
    let (time, seq) = before.map_or((i64::MAX, i64::MAX), |(time, seq)| (time.as_microsecond(), seq));
    let page = rows(db, select, &[&workspace.as_str(), &customer.as_str(), &time, &seq, &limit(n_events)]).await?;
    page.iter().map(stored_event).collect()
}

fn stored_event(row: &Row) -> Result<StoredEvent> {
    let (Text(customer), Text(id), Text(who)) = (get(row, 1)?, get(row, 2)?, get(row, 3)?);
    let (Word(kind), Moment(time), Json(properties)) = (get(row, 5)?, get(row, 7)?, get(row, 8)?);
    let is_known: bool = get(row, 4)?;
    let event = Event {
        id,
        who: Who { id: who, is_anonymous: !is_known, also: None },
        kind,
        name: get::<Words<'static>>(row, 6)?.owned(),
        time,
        properties,
        activity: activity(row)?,
        told: None,
    };
    Ok(StoredEvent { seq: get(row, 0)?, customer, event, flags: Flags::of_bits(get(row, 14)?) })
}

fn activity(row: &Row) -> Result<Option<Activity>> {
    let Some(Word(kind)) = get(row, 9)? else { return Ok(None) };
    let item = get::<Option<Text<ItemId>>>(row, 10)?.map(|Text(item)| item);
    Ok(Some(Activity { kind, item, amount: money(row, 12)?, value: get(row, 11)? }))
}
