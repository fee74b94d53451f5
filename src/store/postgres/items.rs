//! The catalogue: one row an item, the latest word of it.

use super::columns::{Json, Moment, Text, Word, Words, get, limit};
use super::plan::Catalogue;
use super::statements::{execute, row, rows};
use crate::domain::{Currency, Item, ItemId, WorkspaceId};
use crate::store::Result;
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

/// What [`item`] reads, in its order.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT item_id, kind, name, category, description, price_minor, currency, attributes, time FROM item ",
            $rest
        )
    };
}

pub(super) async fn read_standing(
    db: &Transaction<'_>,
    workspace: i64,
    ids: &[&str],
    catalogue: &mut Catalogue<'_>,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    for row in &rows(db, select!("WHERE workspace_id = $1 AND item_id = ANY ($2)"), &[&workspace, &ids]).await? {
        catalogue.stands(item(row)?);
    }
    Ok(())
}

pub(super) async fn write(db: &Transaction<'_>, workspace: i64, items: &[&Item]) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let words = |what: fn(&Item) -> Option<&str>| -> Vec<_> {
        items.iter().map(|item| what(item).map(|text| Words(text.to_owned().into()))).collect()
    };
    let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
    let kinds: Vec<Word<_>> = items.iter().map(|item| Word(item.kind)).collect();
    let names = words(|item| item.name.as_deref());
    let categories = words(|item| item.category.as_deref());
    let descriptions = words(|item| item.description.as_deref());
    let prices: Vec<_> = items.iter().map(|item| item.price_minor).collect();
    let currencies: Vec<_> = items.iter().map(|item| item.currency.as_ref().map(Currency::as_str)).collect();
    let attributes: Vec<Json<_>> = items.iter().map(|item| Json(&item.attributes)).collect();
    let times: Vec<Moment> = items.iter().map(|item| Moment(item.time)).collect();
    let upsert = "INSERT INTO item (workspace_id, item_id, kind, name, category, description, price_minor, currency,
             attributes, time)
         SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
             $9::text[], $10::bigint[])
         ON CONFLICT (workspace_id, item_id) DO UPDATE SET
             kind = excluded.kind, name = excluded.name, category = excluded.category,
             description = excluded.description, price_minor = excluded.price_minor, currency = excluded.currency,
             attributes = excluded.attributes, time = excluded.time";
    execute(
        db,
        upsert,
        &[&workspace, &ids, &kinds, &names, &categories, &descriptions, &prices, &currencies, &attributes, &times],
    )
    .await?;
    Ok(())
}

pub(super) async fn find(db: &impl GenericClient, workspace: &WorkspaceId, id: &ItemId) -> Result<Option<Item>> {
    let select = select!("WHERE workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND item_id = $2");
    row(db, select, &[&workspace.as_str(), &id.as_str()]).await?.as_ref().map(item).transpose()
}

pub(super) async fn page(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    after: Option<&ItemId>,
    n_items: usize,
) -> Result<Vec<Item>> {
    // No id is empty.
    let after = after.map_or("", ItemId::as_str);
    let select = select!(
        "WHERE workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND item_id > $2 ORDER BY item_id LIMIT $3"
    );
    rows(db, select, &[&workspace.as_str(), &after, &limit(n_items)]).await?.iter().map(item).collect()
}

fn item(row: &Row) -> Result<Item> {
    let (Text(id), Word(kind), Json(attributes), Moment(time)) =
        (get(row, 0)?, get(row, 1)?, get(row, 7)?, get(row, 8)?);
    let words =
        |column| Ok::<_, crate::store::StoreError>(get::<Option<Words<'static>>>(row, column)?.map(Words::owned));
    Ok(Item {
        id,
        kind,
        name: words(2)?,
        category: words(3)?,
        description: words(4)?,
        price_minor: get(row, 5)?,
        currency: get::<Option<Text<Currency>>>(row, 6)?.map(|Text(currency)| currency),
        attributes,
        time,
    })
}
