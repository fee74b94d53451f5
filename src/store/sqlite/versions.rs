//! Versions of segmentations: published whole, read with their segments.

use super::columns::{Floats, Json, Moment, Text, Unsigned, Word};
use super::segmentations::{self, K, inputs, inputs_column};
use super::{members, workspaces};
use crate::domain::{
    Definition, Joined, Membership, Portrait, Segment, SegmentId, SegmentationName, Version, VersionState, WorkspaceId,
};
use crate::store::{Result, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What [`version`] reads, in its order.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT version.id, name, number, state, version.created_at, version.model, version.k, version.seed,
                    model_fingerprint, dimension, centre, centroids, temperature, n_customers, n_reviews, quality,
                    version.inputs, version.algorithm, joined
             FROM version JOIN segmentation ON segmentation.id = segmentation_id ",
            $rest
        )
    };
}

pub(super) fn publish(
    db: &Connection,
    workspace: &WorkspaceId,
    version: &Version,
    memberships: &[Membership],
) -> Result<()> {
    let workspace_row = workspaces::require(db, workspace)?;
    let segmentation =
        segmentations::row(db, workspace, &version.segmentation)?.ok_or(StoreError::Missing("segmentation"))?;
    require_readable(version)?;
    require_next(db, segmentation, version.number)?;
    db.prepare_cached("UPDATE version SET state = ?2 WHERE segmentation_id = ?1 AND state = ?3")?.execute(params![
        segmentation,
        Word(VersionState::Retired),
        Word(VersionState::Live)
    ])?;
    let row = insert(db, segmentation, version)?;
    insert_segments(db, row, &version.segments)?;
    members::insert(db, members::Place { workspace: workspace_row, version: row }, &version.segments, memberships)?;
    db.prepare_cached("UPDATE segmentation SET live_version = ?2 WHERE id = ?1")?
        .execute(params![segmentation, version.number])?;
    Ok(())
}

pub(super) fn find(
    db: &Connection,
    workspace: &WorkspaceId,
    name: &SegmentationName,
    number: u32,
) -> Result<Option<Version>> {
    let Some(segmentation) = segmentations::row(db, workspace, name)? else { return Ok(None) };
    let mut statement = db.prepare_cached(select!("WHERE segmentation_id = ?1 AND number = ?2"))?;
    let found = statement.query_row(params![segmentation, number], version).optional()?;
    found.map(|found| with_segments(db, found)).transpose()
}

pub(super) fn all(db: &Connection, workspace: &WorkspaceId, name: &SegmentationName) -> Result<Vec<Version>> {
    let Some(segmentation) = segmentations::row(db, workspace, name)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(select!("WHERE segmentation_id = ?1 ORDER BY number DESC"))?;
    let versions = statement.query_map([segmentation], version)?;
    versions.map(|found| with_segments(db, found?)).collect()
}

/// The version's row, unless there is none.
pub(super) fn row(
    db: &Connection,
    workspace: &WorkspaceId,
    name: &SegmentationName,
    number: u32,
) -> Result<Option<i64>> {
    let Some(segmentation) = segmentations::row(db, workspace, name)? else { return Ok(None) };
    let mut statement = db.prepare_cached("SELECT id FROM version WHERE segmentation_id = ?1 AND number = ?2")?;
    Ok(statement.query_row(params![segmentation, number], |row| row.get(0)).optional()?)
}

/// JSON and SQL have no word for a number that is none: it would come back as something else or not at all.
fn require_readable(version: &Version) -> Result<()> {
    let readable = version.temperature.is_finite()
        && reads_back(&version.quality)
        && reads_back(&version.joined)
        && version.segments.iter().all(|segment| {
            reads_back(segment) && [segment.share, segment.cohesion, segment.stability].iter().all(|x| x.is_finite())
        });
    if readable {
        return Ok(());
    }
    Err(StoreError::Conflict("the version holds a number that is not finite; it was not published".into()))
}

fn reads_back<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq>(value: &T) -> bool {
    let read = serde_json::to_string(value).and_then(|text| serde_json::from_str::<T>(&text));
    read.is_ok_and(|read| read == *value)
}

fn require_next(db: &Connection, segmentation: i64, number: u32) -> Result<()> {
    let highest: u32 = db
        .prepare_cached("SELECT coalesce(max(number), 0) FROM version WHERE segmentation_id = ?1")?
        .query_row([segmentation], |row| row.get(0))?;
    if highest.checked_add(1) == Some(number) {
        return Ok(());
    }
    Err(StoreError::Conflict(format!("version {number} cannot follow version {highest}; fit again")))
}

fn insert(db: &Connection, segmentation: i64, version: &Version) -> Result<i64> {
    db.prepare_cached(
        "INSERT INTO version (segmentation_id, number, state, created_at, model, k, seed, model_fingerprint, dimension,
             centre, centroids, temperature, n_customers, n_reviews, quality, inputs, algorithm, joined)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
    )?
    .execute(params![
        segmentation,
        version.number,
        Word(VersionState::Live),
        Moment(version.created_at),
        version.definition.model,
        K(version.definition.k),
        Unsigned(version.definition.seed),
        version.model_fingerprint,
        Unsigned(version.dimension as u64),
        Floats::bytes(&version.centre),
        Floats::bytes(&version.centroids),
        version.temperature,
        Unsigned(version.n_customers),
        Unsigned(version.n_reviews),
        Json(&version.quality),
        inputs_column(&version.definition.inputs),
        Word(version.definition.algorithm),
        version.joined.as_ref().map(Json),
    ])?;
    Ok(db.last_insert_rowid())
}

fn insert_segments(db: &Connection, version: i64, segments: &[Segment]) -> Result<()> {
    let mut statement = db.prepare_cached(
        "INSERT INTO segment (version_id, position, id, name, keywords, typical_reviews, size, share, cohesion, stability,
             portrait)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for (position, segment) in segments.iter().enumerate() {
        statement.execute(params![
            version,
            Unsigned(position as u64),
            segment.id.0,
            segment.name,
            Json(&segment.keywords),
            Json(&segment.typical_reviews),
            Unsigned(segment.size),
            segment.share,
            segment.cohesion,
            segment.stability,
            segment.portrait.as_ref().map(Json),
        ])?;
    }
    Ok(())
}

fn version(row: &Row<'_>) -> rusqlite::Result<(i64, Version)> {
    let (Text(segmentation), Word(state), Moment(created_at)) = (row.get(1)?, row.get(3)?, row.get(4)?);
    let (K(k), Unsigned(seed)) = (row.get(6)?, row.get(7)?);
    let (Floats(centre), Floats(centroids), Json(quality)) = (row.get(10)?, row.get(11)?, row.get(15)?);
    let (Unsigned(n_customers), Unsigned(n_reviews)) = (row.get(13)?, row.get(14)?);
    let (inputs, Word(algorithm)) = (inputs(row.get(16)?), row.get(17)?);
    let version = Version {
        segmentation,
        number: row.get(2)?,
        state,
        created_at,
        definition: Definition { model: row.get(5)?, k, seed, inputs, algorithm },
        model_fingerprint: row.get(8)?,
        dimension: row.get::<_, u32>(9)? as usize,
        centre,
        centroids,
        temperature: row.get(12)?,
        n_customers,
        n_reviews,
        quality,
        segments: Vec::new(),
        joined: row.get::<_, Option<Json<Joined>>>(18)?.map(|Json(joined)| joined),
    };
    Ok((row.get(0)?, version))
}

fn with_segments(db: &Connection, (row, version): (i64, Version)) -> Result<Version> {
    let mut statement = db.prepare_cached(
        "SELECT id, name, keywords, typical_reviews, size, share, cohesion, stability, portrait FROM segment
         WHERE version_id = ?1 ORDER BY position",
    )?;
    let segments = statement.query_map([row], |row| {
        let (Json(keywords), Json(typical_reviews), Unsigned(size)) = (row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(Segment {
            id: SegmentId(row.get(0)?),
            name: row.get(1)?,
            keywords,
            typical_reviews,
            size,
            share: row.get(5)?,
            cohesion: row.get(6)?,
            stability: row.get(7)?,
            portrait: row.get::<_, Option<Json<Portrait>>>(8)?.map(|Json(portrait)| portrait),
        })
    })?;
    Ok(Version { segments: segments.collect::<rusqlite::Result<_>>()?, ..version })
}
