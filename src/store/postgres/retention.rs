//! Removing facts for their age, and knowing them when they come again.

use super::columns::{Json, Moment, Unsigned, Words, get, limit};
use super::plan::{Named, Plan};
use super::statements::{execute, row, rows};
use super::{changes, erasure, jobs, vectors, workspaces};
use crate::domain::{FactKind, Retention, Timestamp, WorkspaceId};
use crate::store::{Changed, Checkpoint, Expired, Result, StoreError, rules};
use deadpool_postgres::{GenericClient, Transaction};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// What an append has to know: how long facts are kept, and which of the named ones were removed.
pub(super) async fn read_standing(
    db: &Transaction<'_>,
    (workspace, slug): (i64, &WorkspaceId),
    named: &Named<'_>,
    plan: &mut Plan<'_>,
) -> Result<()> {
    let setting = "SELECT value FROM setting WHERE workspace_id = $1 AND name = $2";
    if let Some(setting) = row(db, setting, &[&workspace, &Retention::NAME]).await? {
        let Json(value) = get::<Json<Value>>(&setting, 0)?;
        plan.retention = serde_json::from_value(value).map_err(|why| StoreError::Corrupt(why.to_string()))?;
    }
    let ids = [
        (FactKind::Events, &named.events),
        (FactKind::Reviews, &named.reviews),
        (FactKind::Orders, &named.orders),
        (FactKind::Refunds, &named.refunds),
    ];
    let by_hash: HashMap<[u8; 16], (FactKind, &str)> = ids
        .into_iter()
        .flat_map(|(kind, ids)| ids.iter().map(move |id| (rules::tombstone(slug, kind, id), (kind, *id))))
        .collect();
    if by_hash.is_empty() {
        return Ok(());
    }
    let hashes: Vec<&[u8]> = by_hash.keys().map(<[u8; 16]>::as_slice).collect();
    let select = "SELECT id_sha256 FROM tombstone WHERE workspace_id = $1 AND id_sha256 = ANY ($2)";
    for row in &rows(db, select, &[&workspace, &hashes]).await? {
        if let Some((kind, id)) = by_hash.get(get::<&[u8]>(row, 0)?) {
            plan.removed.insert((*kind, (*id).to_owned()));
        }
    }
    Ok(())
}

/// A statement about the facts of a kind: its table, and the columns of its numbers, ids and times.
macro_rules! about {
    ($kind:expr, $before:literal $(, $part:ident $after:literal)*) => {
        match $kind {
            FactKind::Events => about!(@ "event", "id", "event_id", "NULL"; $before $(, $part $after)*),
            FactKind::Reviews => about!(@ "review", "seq", "review_id", "text"; $before $(, $part $after)*),
            FactKind::Orders => about!(@ "purchase", "seq", "order_id", "NULL"; $before $(, $part $after)*),
            FactKind::Refunds => about!(@ "refund", "seq", "refund_id", "NULL"; $before $(, $part $after)*),
        }
    };
    (@ $table:literal, $seq:literal, $id:literal, $text:literal; $before:literal $(, $part:ident $after:literal)*) => {
        concat!($before $(, about!(% $part $table, $seq, $id, $text), $after)*)
    };
    (% table $table:literal, $seq:literal, $id:literal, $text:literal) => { $table };
    (% seq $table:literal, $seq:literal, $id:literal, $text:literal) => { $seq };
    (% id $table:literal, $seq:literal, $id:literal, $text:literal) => { $id };
    (% text $table:literal, $seq:literal, $id:literal, $text:literal) => { $text };
}

pub(super) async fn count(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    kind: FactKind,
    before: Timestamp,
) -> Result<u64> {
    let select = about!(
        kind,
        "SELECT count(*) FROM ",
        table " WHERE workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND time < $2"
    );
    let counted = row(db, select, &[&workspace.as_str(), &Moment(before)]).await?;
    counted.map_or(Ok(0), |row| get::<Unsigned>(&row, 0).map(|Unsigned(n)| n))
}

pub(super) async fn page(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    (kind, before): (FactKind, Timestamp),
    after: i64,
    n_facts: usize,
) -> Result<Vec<i64>> {
    let select = about!(
        kind,
        "SELECT ",
        seq " FROM ",
        table " WHERE workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND time < $2 AND ",
        seq " > $3 ORDER BY ",
        seq " LIMIT $4"
    );
    let page = rows(db, select, &[&workspace.as_str(), &Moment(before), &after, &limit(n_facts)]).await?;
    page.iter().map(|row| get(row, 0)).collect()
}

pub(super) async fn remove(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    kind: FactKind,
    seqs: &[i64],
    checkpoint: &Checkpoint,
) -> Result<Expired> {
    let row = workspaces::lock(db, workspace).await?;
    jobs::checkpoint(db, row, checkpoint).await?;
    let delete = about!(
        kind,
        "DELETE FROM ",
        table " WHERE workspace_id = $1 AND ",
        seq " = ANY ($2) RETURNING customer_id, ",
        id "::text, ",
        text "::text"
    );
    let gone = rows(db, delete, &[&row, &seqs]).await?;
    if gone.is_empty() {
        return Ok(Expired::default());
    }
    let (mut customers, mut ids, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for row in &gone {
        customers.push(get::<i64>(row, 0)?);
        // The ids of refunds may be any text, and are spelled as such.
        let id = if kind == FactKind::Refunds { get::<Words<'static>>(row, 1)?.owned() } else { get(row, 1)? };
        ids.push(id);
        texts.extend(get::<Option<Words<'static>>>(row, 2)?.map(Words::owned));
    }
    let hashes: Vec<Vec<u8>> = ids.iter().map(|id| rules::tombstone(workspace, kind, id).to_vec()).collect();
    let bury =
        "INSERT INTO tombstone (workspace_id, id_sha256) SELECT $1, * FROM unnest($2::bytea[]) ON CONFLICT DO NOTHING";
    execute(db, bury, &[&row, &hashes]).await?;
    count_off(db, row, kind, &customers).await?;
    if kind == FactKind::Reviews {
        vectors::delete(db, row, seqs).await?;
        let ids: HashSet<&str> = ids.iter().map(String::as_str).collect();
        erasure::remove_typical(db, row, |quoted| ids.contains(quoted.review_id.as_str())).await?;
    }
    changes::log(db, row, Changed::Expired).await?;
    Ok(Expired { n: gone.len() as u64, texts })
}

async fn count_off(db: &Transaction<'_>, workspace: i64, kind: FactKind, customers: &[i64]) -> Result<()> {
    macro_rules! less {
        ($counter:literal) => {
            (
                concat!(
                    "UPDATE customer SET ", $counter, " = ", $counter, " - counted.n
                     FROM (SELECT id, count(*) AS n FROM unnest($1::bigint[]) AS gone (id) GROUP BY id) AS counted
                     WHERE customer.id = counted.id"
                ),
                concat!("UPDATE workspace SET ", $counter, " = ", $counter, " - $2 WHERE id = $1"),
            )
        };
    }
    let (of_customers, of_workspace) = match kind {
        FactKind::Events => less!("n_events"),
        FactKind::Reviews => less!("n_reviews"),
        FactKind::Orders => less!("n_orders"),
        FactKind::Refunds => return Ok(()),
    };
    execute(db, of_customers, &[&customers]).await?;
    execute(db, of_workspace, &[&workspace, &Unsigned(customers.len() as u64)]).await?;
    Ok(())
}
