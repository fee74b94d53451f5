//! Orders and refunds. An order that is told of again with other content is replaced by the later word; its first moment stays.

use super::columns::{Json, Moment, Text, limit};
use super::{identity, workspaces};
use crate::domain::{Currency, CustomerId, Flags, Money, Order, Refund, WorkspaceId};
use crate::store::{Appended, Result, StoredOrder, StoredRefund};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str =
    "SELECT seq, order_id, root.external_id, time, total_minor, currency, discount_minor, lines, flags
     FROM purchase JOIN customer own ON own.id = purchase.customer_id
     JOIN customer root ON root.id = coalesce(own.root_id, own.id)";

const REFUNDS: &str = "SELECT seq, refund_id, order_id, root.external_id, time, amount_minor, currency, flags
     FROM refund JOIN customer own ON own.id = refund.customer_id
     JOIN customer root ON root.id = coalesce(own.root_id, own.id)";

/// What became of an order, and the row it was counted at before if it moved or was replaced.
pub(super) struct Kept {
    pub appended: Appended,
    pub taken_from: Option<i64>,
}

pub(super) fn append(db: &Connection, workspace: i64, customer: i64, (order, flags): (&Order, Flags)) -> Result<Kept> {
    let Some(standing) = find(db, workspace, customer, order)? else {
        insert(db, (workspace, customer), (order, flags), order.time.as_microsecond())?;
        return Ok(Kept { appended: Appended::Accepted, taken_from: None });
    };
    let time = standing.time.min(order.time.as_microsecond());
    if standing.is_same || !standing.gives_way {
        db.prepare_cached("UPDATE purchase SET time = ?2, said_at = max(said_at, ?3) WHERE seq = ?1")?.execute(
            params![standing.seq, time, if standing.is_same { order.time.as_microsecond() } else { i64::MIN }],
        )?;
        return Ok(Kept { appended: Appended::Duplicate, taken_from: None });
    }
    db.prepare_cached("DELETE FROM purchase WHERE seq = ?1")?.execute([standing.seq])?;
    insert(db, (workspace, customer), (order, flags), time)?;
    Ok(Kept { appended: Appended::Replaced, taken_from: Some(standing.customer) })
}

struct Standing {
    seq: i64,
    customer: i64,
    time: i64,
    is_same: bool,
    /// Whether the order it was looked up for is the later word.
    gives_way: bool,
}

fn find(db: &Connection, workspace: i64, customer: i64, order: &Order) -> Result<Option<Standing>> {
    let root = identity::root(db, customer)?;
    let mut statement = db.prepare_cached(
        "SELECT seq, customer_id, time,
                coalesce(root_id, customer.id) = ?3 AND total_minor = ?4 AND currency IS ?5 AND discount_minor = ?6 AND lines = ?7,
                (said_at, total_minor, lines) < (?8, ?4, ?7)
         FROM purchase JOIN customer ON customer.id = customer_id
         WHERE purchase.workspace_id = ?1 AND order_id = ?2",
    )?;
    let standing = statement.query_row(
        params![
            workspace,
            order.id.as_str(),
            root,
            order.total.minor,
            order.total.currency.as_ref().map(Currency::as_str),
            order.discount_minor,
            Json(&order.lines),
            Moment(order.time),
        ],
        |row| {
            let (is_same, gives_way) = (row.get(3)?, row.get(4)?);
            Ok(Standing { seq: row.get(0)?, customer: row.get(1)?, time: row.get(2)?, is_same, gives_way })
        },
    );
    Ok(standing.optional()?)
}

fn insert(
    db: &Connection,
    (workspace, customer): (i64, i64),
    (order, flags): (&Order, Flags),
    placed_at: i64,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO purchase (workspace_id, order_id, customer_id, time, said_at, total_minor, currency, discount_minor, lines,
             flags)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        workspace,
        order.id.as_str(),
        customer,
        placed_at,
        Moment(order.time),
        order.total.minor,
        order.total.currency.as_ref().map(Currency::as_str),
        order.discount_minor,
        Json(&order.lines),
        flags.bits(),
    ])?;
    Ok(())
}

pub(super) fn append_refund(
    db: &Connection,
    workspace: i64,
    customer: i64,
    (refund, flags): (&Refund, Flags),
) -> Result<Appended> {
    let added = db
        .prepare_cached(
            "INSERT INTO refund (workspace_id, refund_id, order_id, customer_id, time, amount_minor, currency, flags)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            workspace,
            refund.id,
            refund.order.as_str(),
            customer,
            Moment(refund.time),
            refund.amount.map(|amount| amount.minor),
            refund.amount.as_ref().and_then(|amount| amount.currency.as_ref()).map(Currency::as_str),
            flags.bits(),
        ])?;
    Ok(if added > 0 { Appended::Accepted } else { Appended::Duplicate })
}

pub(super) fn page(db: &Connection, workspace: &WorkspaceId, after: i64, n_orders: usize) -> Result<Vec<StoredOrder>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let mut statement =
        db.prepare_cached(&format!("{COLUMNS} WHERE purchase.workspace_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"))?;
    let page = statement.query_map([workspace, after, limit(n_orders)], stored)?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn latest_totals(db: &Connection, workspace: &WorkspaceId, n_orders: usize) -> Result<Vec<Money>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(
        "SELECT total_minor, currency FROM purchase WHERE workspace_id = ?1 ORDER BY seq DESC LIMIT ?2",
    )?;
    let totals = statement
        .query_map([workspace, limit(n_orders)], |row| Ok(Money { minor: row.get(0)?, currency: currency(row, 1)? }))?;
    Ok(totals.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn of_customer(
    db: &Connection,
    workspace: &WorkspaceId,
    customer: &CustomerId,
    n_orders: usize,
) -> Result<Vec<StoredOrder>> {
    let Some(root) = super::customers::root(db, workspace, customer)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(&format!(
        "{COLUMNS} WHERE purchase.customer_id IN (SELECT id FROM customer WHERE id = ?1 OR root_id = ?1)
         ORDER BY time DESC, seq DESC LIMIT ?2"
    ))?;
    let page = statement.query_map([root, limit(n_orders)], stored)?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn refunds(db: &Connection, workspace: &WorkspaceId, after: i64, n: usize) -> Result<Vec<StoredRefund>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let mut statement =
        db.prepare_cached(&format!("{REFUNDS} WHERE refund.workspace_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"))?;
    let page = statement.query_map([workspace, after, limit(n)], stored_refund)?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn refunds_of_customer(
    db: &Connection,
    workspace: &WorkspaceId,
    customer: &CustomerId,
    n: usize,
) -> Result<Vec<StoredRefund>> {
    let Some(root) = super::customers::root(db, workspace, customer)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(&format!(
        "{REFUNDS} WHERE refund.customer_id IN (SELECT id FROM customer WHERE id = ?1 OR root_id = ?1)
         ORDER BY time DESC, seq DESC LIMIT ?2"
    ))?;
    let page = statement.query_map([root, limit(n)], stored_refund)?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

fn stored_refund(row: &Row<'_>) -> rusqlite::Result<StoredRefund> {
    let (Text(order), Text(customer), Moment(time)) = (row.get(2)?, row.get(3)?, row.get(4)?);
    let minor: Option<i64> = row.get(5)?;
    let currency = currency(row, 6)?;
    let amount = minor.map(|minor| Money { minor, currency });
    let flags = Flags::of_bits(row.get(7)?);
    Ok(StoredRefund { seq: row.get(0)?, refund: Refund { id: row.get(1)?, order, customer, time, amount }, flags })
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredOrder> {
    let (Text(id), Text(customer), Moment(time)) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let total = Money { minor: row.get(4)?, currency: currency(row, 5)? };
    let Json(lines) = row.get(7)?;
    let order = Order { id, customer, time, total, discount_minor: row.get(6)?, lines };
    Ok(StoredOrder { seq: row.get(0)?, order, flags: Flags::of_bits(row.get(8)?) })
}

/// A column that may hold a currency.
pub(super) fn currency(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Currency>> {
    Ok(row.get::<_, Option<Text<Currency>>>(column)?.map(|Text(currency)| currency))
}
