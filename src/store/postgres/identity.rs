//! The log of merges: each change of which customer an id counts for. What makes the changes is in `plan`.

use super::columns::{Moment, Text, Word, get, limit};
use super::statements::rows;
use crate::domain::{Merge, WorkspaceId};
use crate::store::Result;
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

pub(super) async fn merges(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    after: i64,
    n_merges: usize,
) -> Result<Vec<Merge>> {
    let select = "SELECT seq, own.external_id, root.external_id, reason, time
         FROM merge_log JOIN customer own ON own.id = customer_id JOIN customer root ON root.id = merge_log.root_id
         WHERE merge_log.workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND seq > $2 ORDER BY seq LIMIT $3";
    let page = rows(db, select, &[&workspace.as_str(), &after, &limit(n_merges)]).await?;
    page.iter().map(merge).collect()
}

fn merge(row: &Row) -> Result<Merge> {
    let (Text(id), Text(customer), Word(reason), Moment(time)) =
        (get(row, 1)?, get(row, 2)?, get(row, 3)?, get(row, 4)?);
    Ok(Merge { seq: get(row, 0)?, id, customer, reason, time })
}
