//! What changed that other processes keep in memory, numbered in the order of commits.

use super::columns::{Text, Unsigned, get};
use super::leases::now;
use super::statements::{execute, row, rows};
use crate::store::{Change, Changed, Result, StoreError};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

const KEPT_FOR_MICROSECONDS: i64 = 8 * 24 * 60 * 60 * 1_000_000;
/// Changes in one answer.
const PAGE: i64 = 1_000;

/// At the end of the transaction of the change: the counter is locked from here to the commit.
pub(super) async fn log(db: &Transaction<'_>, workspace: i64, what: Changed) -> Result<()> {
    let (word, id_sha256) = what.as_columns();
    let insert = concat!(
        "WITH next AS (UPDATE change_counter SET number = number + 1 RETURNING number)
         INSERT INTO change (number, workspace_id, what, id_sha256, time) SELECT number, $1, $2, $3, ",
        now!(),
        " FROM next"
    );
    execute(db, insert, &[&workspace, &word, &id_sha256.as_deref()]).await?;
    let forget = concat!("DELETE FROM change WHERE time < ", now!(), " - $1");
    execute(db, forget, &[&KEPT_FOR_MICROSECONDS]).await?;
    Ok(())
}

pub(super) async fn last(db: &impl GenericClient) -> Result<u64> {
    let last = row(db, "SELECT number FROM change_counter", &[]).await?;
    last.map_or(Ok(0), |row| get::<Unsigned>(&row, 0).map(|Unsigned(number)| number))
}

pub(super) async fn after(db: &impl GenericClient, number: u64) -> Result<Vec<Change>> {
    let after = i64::try_from(number).unwrap_or(i64::MAX);
    let select = "SELECT number, slug, what, id_sha256 FROM change JOIN workspace ON workspace.id = workspace_id
         WHERE number > $1 ORDER BY number LIMIT $2";
    rows(db, select, &[&after, &PAGE]).await?.iter().map(change).collect()
}

fn change(row: &Row) -> Result<Change> {
    let (Unsigned(number), Text(workspace)) = (get(row, 0)?, get(row, 1)?);
    let what = Changed::of_columns(get(row, 2)?, get(row, 3)?)
        .ok_or_else(|| StoreError::Corrupt("a change is not one this program writes".into()))?;
    Ok(Change { number, workspace, what })
}
