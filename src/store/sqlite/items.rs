//! The catalogue: one row an item, the latest word of it.

use super::columns::{Json, Moment, Text, Word, limit};
use super::orders::currency;
use super::workspaces;
use crate::domain::{Currency, Item, ItemId, WorkspaceId};
use crate::store::{Appended, Result, rules};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str =
    "SELECT item_id, kind, name, category, description, price_minor, currency, attributes, time FROM item";

pub(super) fn append(db: &Connection, workspace: i64, item: &Item) -> Result<Appended> {
    let standing = db
        .prepare_cached(&format!("{COLUMNS} WHERE workspace_id = ?1 AND item_id = ?2"))?
        .query_row(params![workspace, item.id.as_str()], read)
        .optional()?;
    let Some(standing) = standing else {
        put(db, workspace, item)?;
        return Ok(Appended::Accepted);
    };
    if !rules::is_later_item(&standing, item) {
        return Ok(Appended::Duplicate);
    }
    put(db, workspace, item)?;
    Ok(if rules::is_same_item(&standing, item) { Appended::Duplicate } else { Appended::Replaced })
}

fn put(db: &Connection, workspace: i64, item: &Item) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO item (workspace_id, item_id, kind, name, category, description, price_minor, currency, attributes, time)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (workspace_id, item_id) DO UPDATE SET
             kind = excluded.kind, name = excluded.name, category = excluded.category,
             description = excluded.description, price_minor = excluded.price_minor, currency = excluded.currency,
             attributes = excluded.attributes, time = excluded.time",
    )?
    .execute(params![
        workspace,
        item.id.as_str(),
        Word(item.kind),
        item.name,
        item.category,
        item.description,
        item.price_minor,
        item.currency.as_ref().map(Currency::as_str),
        Json(&item.attributes),
        Moment(item.time),
    ])?;
    Ok(())
}

pub(super) fn find(db: &Connection, workspace: &WorkspaceId, id: &ItemId) -> Result<Option<Item>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(None) };
    let mut statement = db.prepare_cached(&format!("{COLUMNS} WHERE workspace_id = ?1 AND item_id = ?2"))?;
    Ok(statement.query_row(params![workspace, id.as_str()], read).optional()?)
}

pub(super) fn page(
    db: &Connection,
    workspace: &WorkspaceId,
    after: Option<&ItemId>,
    n_items: usize,
) -> Result<Vec<Item>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let mut statement =
        db.prepare_cached(&format!("{COLUMNS} WHERE workspace_id = ?1 AND item_id > ?2 ORDER BY item_id LIMIT ?3"))?;
    let page = statement.query_map(params![workspace, after.map_or("", ItemId::as_str), limit(n_items)], read)?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Item> {
    let (Text(id), Word(kind), Json(attributes), Moment(time)) = (row.get(0)?, row.get(1)?, row.get(7)?, row.get(8)?);
    let (name, category, description) = (row.get(2)?, row.get(3)?, row.get(4)?);
    Ok(Item {
        id,
        kind,
        name,
        category,
        description,
        price_minor: row.get(5)?,
        currency: currency(row, 6)?,
        attributes,
        time,
    })
}
