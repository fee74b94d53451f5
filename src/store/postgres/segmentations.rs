//! The definitions of segmentations.

use super::columns::{Json, Moment, Small, Text, Unsigned, Word, Words, get};
use super::statements::{execute, row, rows};
use super::workspaces;
use crate::domain::{Definition, Inputs, KChoice, Segmentation, SegmentationName, WorkspaceId};
use crate::store::{Result, StoreError};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

/// What [`segmentation`] reads, in its order.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT name, model, k, seed, s.created_at, live_version, inputs, algorithm
             FROM segmentation s JOIN workspace ON workspace.id = workspace_id WHERE slug = $1 ",
            $rest
        )
    };
}

pub(super) async fn put(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    segmentation: &Segmentation,
) -> Result<Segmentation> {
    let workspace_row = workspaces::require(db, workspace).await?;
    let definition = &segmentation.definition;
    execute(
        db,
        "INSERT INTO segmentation (workspace_id, name, model, k, seed, created_at, inputs, algorithm)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (workspace_id, name) DO UPDATE SET model = excluded.model, k = excluded.k, seed = excluded.seed,
             inputs = excluded.inputs, algorithm = excluded.algorithm",
        &[
            &workspace_row,
            &segmentation.name.as_str(),
            &Words::of(&definition.model),
            &k_column(definition.k)?,
            &Unsigned(definition.seed),
            &Moment(segmentation.created_at),
            &inputs_column(&definition.inputs),
            &Word(definition.algorithm),
        ],
    )
    .await?;
    find(db, workspace, &segmentation.name).await?.ok_or(StoreError::Missing("segmentation"))
}

pub(super) async fn find(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    name: &SegmentationName,
) -> Result<Option<Segmentation>> {
    let found = row(db, select!("AND name = $2"), &[&workspace.as_str(), &name.as_str()]).await?;
    found.as_ref().map(segmentation).transpose()
}

pub(super) async fn all(db: &impl GenericClient, workspace: &WorkspaceId) -> Result<Vec<Segmentation>> {
    rows(db, select!("ORDER BY name"), &[&workspace.as_str()]).await?.iter().map(segmentation).collect()
}

/// Versions are numbered one by one, so the live numbers' sum grows with each: a few rows, and no counter that writers would share.
pub(super) async fn n_published(db: &impl GenericClient) -> Result<u64> {
    let select = "SELECT coalesce(sum(live_version), 0)::bigint FROM segmentation
         JOIN workspace ON workspace.id = workspace_id WHERE slug NOT LIKE '~%'";
    let sum = row(db, select, &[]).await?;
    let Unsigned(n) = sum.map_or(Ok(Unsigned(0)), |row| get(&row, 0))?;
    Ok(n)
}

/// The segmentation's row, for publishing in it: nobody else does until this transaction ends.
pub(super) async fn lock(db: &Transaction<'_>, workspace: i64, name: &SegmentationName) -> Result<i64> {
    let select = "SELECT id FROM segmentation WHERE workspace_id = $1 AND name = $2 FOR NO KEY UPDATE";
    let found = row(db, select, &[&workspace, &name.as_str()]).await?;
    get(&found.ok_or(StoreError::Missing("segmentation"))?, 0)
}

fn segmentation(row: &Row) -> Result<Segmentation> {
    let (Text(name), Unsigned(seed), Moment(created_at)) = (get(row, 0)?, get(row, 3)?, get(row, 4)?);
    let (inputs, Word(algorithm)) = (inputs(get(row, 6)?), get(row, 7)?);
    let model = get::<Words<'static>>(row, 1)?.owned();
    let definition = Definition { model, k: k(get(row, 2)?)?, seed, inputs, algorithm };
    let live_version = get::<Option<Small>>(row, 5)?.map(|Small(number)| number);
    Ok(Segmentation { name, definition, created_at, live_version })
}

/// What customers are grouped by; nothing where it is what they say alone.
pub(super) fn inputs_column(inputs: &Inputs) -> Option<Json<&Inputs>> {
    (*inputs != Inputs::text_alone()).then_some(Json(inputs))
}

pub(super) fn inputs(column: Option<Json<Inputs>>) -> Inputs {
    column.map_or_else(Inputs::text_alone, |Json(inputs)| inputs)
}

/// A number of segments; nothing where the fit chooses.
pub(super) fn k_column(k: KChoice) -> Result<Option<i64>> {
    let too_large = |_| StoreError::Conflict("k is too large a number".into());
    match k {
        KChoice::Auto => Ok(None),
        KChoice::Fixed(k) => i64::try_from(k).map(Some).map_err(too_large),
    }
}

pub(super) fn k(column: Option<i64>) -> Result<KChoice> {
    let Some(k) = column else { return Ok(KChoice::Auto) };
    let k = usize::try_from(k).map_err(|_| StoreError::Corrupt("a number of segments is none".into()))?;
    Ok(KChoice::Fixed(k))
}
