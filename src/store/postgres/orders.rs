//! Orders and refunds read back: ordered by `seq`, or a customer's by time.

use super::columns::{Json, Moment, Text, Words, get, limit};
use super::customers::rows_of_one;
use super::statements::rows;
use crate::domain::{Currency, CustomerId, Flags, Money, Order, Refund, WorkspaceId};
use crate::store::{Result, StoreError, StoredOrder, StoredRefund};
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

/// What [`stored_order`] reads, in its order.
macro_rules! select_orders {
    ($($rest:expr),+) => {
        concat!(
            "SELECT seq, order_id, root.external_id, time, total_minor, currency, discount_minor, lines, flags
             FROM purchase JOIN customer own ON own.id = customer_id
             JOIN customer root ON root.id = coalesce(own.root_id, own.id) ",
            $($rest),+
        )
    };
}

/// What [`stored_refund`] reads, in its order.
macro_rules! select_refunds {
    ($($rest:expr),+) => {
        concat!(
            "SELECT seq, refund_id, order_id, root.external_id, time, amount_minor, currency, flags
             FROM refund JOIN customer own ON own.id = customer_id
             JOIN customer root ON root.id = coalesce(own.root_id, own.id) ",
            $($rest),+
        )
    };
}

pub(super) async fn page(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    after: i64,
    n_orders: usize,
) -> Result<Vec<StoredOrder>> {
    let select = select_orders!(
        "WHERE purchase.workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND seq > $2 ORDER BY seq LIMIT $3"
    );
    let page = rows(db, select, &[&workspace.as_str(), &after, &limit(n_orders)]).await?;
    page.iter().map(stored_order).collect()
}

pub(super) async fn latest_totals(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    n_orders: usize,
) -> Result<Vec<Money>> {
    let select = "SELECT total_minor, currency FROM purchase
         WHERE workspace_id = (SELECT id FROM workspace WHERE slug = $1) ORDER BY seq DESC LIMIT $2";
    let totals = rows(db, select, &[&workspace.as_str(), &limit(n_orders)]).await?;
    let totals = totals.iter().map(|row| money(row, 0)).collect::<Result<Vec<_>>>()?;
    Ok(totals.into_iter().flatten().collect())
}

pub(super) async fn of_customer(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    customer: &CustomerId,
    n_orders: usize,
) -> Result<Vec<StoredOrder>> {
    let select = select_orders!("WHERE customer_id = ANY (", rows_of_one!(), ") ORDER BY time DESC, seq DESC LIMIT $3");
    let page = rows(db, select, &[&workspace.as_str(), &customer.as_str(), &limit(n_orders)]).await?;
    page.iter().map(stored_order).collect()
}

pub(super) async fn refunds(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    after: i64,
    n_refunds: usize,
) -> Result<Vec<StoredRefund>> {
    let select = select_refunds!(
        "WHERE refund.workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND seq > $2 ORDER BY seq LIMIT $3"
    );
    let page = rows(db, select, &[&workspace.as_str(), &after, &limit(n_refunds)]).await?;
    page.iter().map(stored_refund).collect()
}

pub(super) async fn refunds_of_customer(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    customer: &CustomerId,
    n_refunds: usize,
) -> Result<Vec<StoredRefund>> {
    let select =
        select_refunds!("WHERE customer_id = ANY (", rows_of_one!(), ") ORDER BY time DESC, seq DESC LIMIT $3");
    let page = rows(db, select, &[&workspace.as_str(), &customer.as_str(), &limit(n_refunds)]).await?;
    page.iter().map(stored_refund).collect()
}

fn stored_order(row: &Row) -> Result<StoredOrder> {
    let (Text(id), Text(customer), Moment(time)) = (get(row, 1)?, get(row, 2)?, get(row, 3)?);
    let total = money(row, 4)?.ok_or_else(|| StoreError::Corrupt("an order has no total".into()))?;
    let Json(lines) = get(row, 7)?;
    Ok(StoredOrder {
        seq: get(row, 0)?,
        order: Order { id, customer, time, total, discount_minor: get(row, 6)?, lines },
        flags: Flags::of_bits(get(row, 8)?),
    })
}

fn stored_refund(row: &Row) -> Result<StoredRefund> {
    let (Text(order), Text(customer), Moment(time)) = (get(row, 2)?, get(row, 3)?, get(row, 4)?);
    let id = get::<Words<'static>>(row, 1)?.owned();
    let refund = Refund { id, order, customer, time, amount: money(row, 5)? };
    Ok(StoredRefund { seq: get(row, 0)?, refund, flags: Flags::of_bits(get(row, 7)?) })
}

/// An amount from a column of minor units and the column of currencies after it.
pub(super) fn money(row: &Row, column: usize) -> Result<Option<Money>> {
    let minor: Option<i64> = get(row, column)?;
    let currency = get::<Option<Text<Currency>>>(row, column + 1)?.map(|Text(currency)| currency);
    Ok(minor.map(|minor| Money { minor, currency }))
}
