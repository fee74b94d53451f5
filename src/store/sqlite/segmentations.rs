//! The definitions of segmentations.

use super::columns::{Json, Moment, Text, Unsigned, Word};
use super::workspaces;
use crate::domain::{Definition, Inputs, KChoice, Segmentation, SegmentationName, WorkspaceId};
use crate::store::{Result, StoreError};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

pub(super) fn put(db: &Connection, workspace: &WorkspaceId, segmentation: &Segmentation) -> Result<Segmentation> {
    let workspace_row = workspaces::require(db, workspace)?;
    let definition = &segmentation.definition;
    db.prepare_cached(
        "INSERT INTO segmentation (workspace_id, name, model, k, seed, created_at, inputs, algorithm)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (workspace_id, name) DO UPDATE SET model = excluded.model, k = excluded.k, seed = excluded.seed,
             inputs = excluded.inputs, algorithm = excluded.algorithm",
    )?
    .execute(params![
        workspace_row,
        segmentation.name.as_str(),
        definition.model,
        K(definition.k),
        Unsigned(definition.seed),
        Moment(segmentation.created_at),
        inputs_column(&definition.inputs),
        Word(definition.algorithm),
    ])?;
    find(db, workspace, &segmentation.name)?.ok_or(StoreError::Missing("segmentation"))
}

pub(super) fn find(db: &Connection, workspace: &WorkspaceId, name: &SegmentationName) -> Result<Option<Segmentation>> {
    let mut statement = db.prepare_cached(
        "SELECT name, model, k, seed, s.created_at, live_version, inputs, algorithm
         FROM segmentation s JOIN workspace ON workspace.id = workspace_id WHERE slug = ?1 AND name = ?2",
    )?;
    Ok(statement.query_row([workspace.as_str(), name.as_str()], segmentation).optional()?)
}

pub(super) fn all(db: &Connection, workspace: &WorkspaceId) -> Result<Vec<Segmentation>> {
    let mut statement = db.prepare_cached(
        "SELECT name, model, k, seed, s.created_at, live_version, inputs, algorithm
         FROM segmentation s JOIN workspace ON workspace.id = workspace_id WHERE slug = ?1 ORDER BY name",
    )?;
    Ok(statement.query_map([workspace.as_str()], segmentation)?.collect::<rusqlite::Result<_>>()?)
}

/// The segmentation's row, unless there is none.
pub(super) fn row(db: &Connection, workspace: &WorkspaceId, name: &SegmentationName) -> Result<Option<i64>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(None) };
    let mut statement = db.prepare_cached("SELECT id FROM segmentation WHERE workspace_id = ?1 AND name = ?2")?;
    Ok(statement.query_row(params![workspace, name.as_str()], |row| row.get(0)).optional()?)
}

fn segmentation(row: &Row<'_>) -> rusqlite::Result<Segmentation> {
    let (Text(name), K(k), Unsigned(seed), Moment(created_at)) = (row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?);
    let (inputs, Word(algorithm)) = (inputs(row.get(6)?), row.get(7)?);
    let definition = Definition { model: row.get(1)?, k, seed, inputs, algorithm };
    Ok(Segmentation { name, definition, created_at, live_version: row.get(5)? })
}

/// What customers are grouped by; nothing where it is what they say alone.
pub(super) fn inputs_column(inputs: &Inputs) -> Option<Json<&Inputs>> {
    (*inputs != Inputs::text_alone()).then_some(Json(inputs))
}

pub(super) fn inputs(column: Option<Json<Inputs>>) -> Inputs {
    column.map_or_else(Inputs::text_alone, |Json(inputs)| inputs)
}

/// A number of segments; nothing where the fit chooses.
pub(super) struct K(pub KChoice);

impl ToSql for K {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let number = match self.0 {
            KChoice::Auto => None,
            KChoice::Fixed(k) => {
                Some(i64::try_from(k).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?)
            }
        };
        Ok(number.map_or(ToSqlOutput::Owned(rusqlite::types::Value::Null), Into::into))
    }
}

impl FromSql for K {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number: Option<i64> = FromSql::column_result(value)?;
        let choice = number.map_or(Ok(KChoice::Auto), |k| {
            usize::try_from(k).map(KChoice::Fixed).map_err(|_| FromSqlError::OutOfRange(k))
        });
        choice.map(Self)
    }
}
