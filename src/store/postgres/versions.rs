//! Versions of segmentations: published whole, read with their segments.

use super::columns::{Floats, Json, Moment, Small, Text, Unsigned, Word, Words, get};
use super::segmentations::{self, inputs, inputs_column, k, k_column};
use super::statements::{execute, row, rows};
use super::{members, workspaces};
use crate::domain::{
    Definition, Joined, Membership, Portrait, Segment, SegmentId, SegmentationName, Version, VersionState, WorkspaceId,
};
use crate::store::{Result, StoreError};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

/// What [`version`] reads, in its order.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT version.id, name, number, state, version.created_at, version.model, version.k, version.seed,
                    model_fingerprint, dimension, centre, centroids, temperature, version.n_customers,
                    version.n_reviews, quality, version.inputs, version.algorithm, joined
             FROM workspace JOIN segmentation ON workspace_id = workspace.id
             JOIN version ON segmentation_id = segmentation.id
             WHERE slug = $1 AND name = $2 ",
            $rest
        )
    };
}

pub(super) async fn publish(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    version: &Version,
    memberships: &[Membership],
) -> Result<()> {
    let workspace = workspaces::share(db, workspace).await?;
    let segmentation = segmentations::lock(db, workspace, &version.segmentation).await?;
    require_readable(version)?;
    require_next(db, segmentation, version.number).await?;
    // A statement may take as long as the call: this one is the largest there is.
    db.batch_execute("SET LOCAL statement_timeout = 0").await?;
    let retire = "UPDATE version SET state = $2 WHERE segmentation_id = $1 AND state = $3";
    execute(db, retire, &[&segmentation, &Word(VersionState::Retired), &Word(VersionState::Live)]).await?;
    let row = insert(db, segmentation, version).await?;
    insert_segments(db, row, &version.segments).await?;
    members::insert(db, members::Place { workspace, version: row }, &version.segments, memberships).await?;
    let live = "UPDATE segmentation SET live_version = $2 WHERE id = $1";
    execute(db, live, &[&segmentation, &Small(version.number)]).await?;
    Ok(())
}

pub(super) async fn find(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    name: &SegmentationName,
    number: u32,
) -> Result<Option<Version>> {
    let found = row(db, select!("AND number = $3"), &[&workspace.as_str(), &name.as_str(), &Small(number)]).await?;
    match found {
        Some(row) => with_segments(db, &row).await.map(Some),
        None => Ok(None),
    }
}

pub(super) async fn all(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    name: &SegmentationName,
) -> Result<Vec<Version>> {
    let found = rows(db, select!("ORDER BY number DESC"), &[&workspace.as_str(), &name.as_str()]).await?;
    let mut versions = Vec::with_capacity(found.len());
    for row in &found {
        versions.push(with_segments(db, row).await?);
    }
    Ok(versions)
}

/// The version's row, unless there is none.
pub(super) async fn row_of(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    name: &SegmentationName,
    number: u32,
) -> Result<Option<i64>> {
    let found = row(
        db,
        "SELECT version.id FROM workspace JOIN segmentation ON workspace_id = workspace.id
         JOIN version ON segmentation_id = segmentation.id WHERE slug = $1 AND name = $2 AND number = $3",
        &[&workspace.as_str(), &name.as_str(), &Small(number)],
    )
    .await?;
    found.map(|row| get(&row, 0)).transpose()
}

/// JSON has no word for a number that is none: it would come back as something else or not at all.
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

async fn require_next(db: &Transaction<'_>, segmentation: i64, number: u32) -> Result<()> {
    let select = "SELECT max(number) FROM version WHERE segmentation_id = $1";
    let highest: Option<Small> = match row(db, select, &[&segmentation]).await? {
        Some(row) => get(&row, 0)?,
        None => None,
    };
    let highest = highest.map_or(0, |Small(number)| number);
    if highest.checked_add(1) == Some(number) {
        return Ok(());
    }
    Err(StoreError::Conflict(format!("version {number} cannot follow version {highest}; fit again")))
}

async fn insert(db: &Transaction<'_>, segmentation: i64, version: &Version) -> Result<i64> {
    let made = row(
        db,
        "INSERT INTO version (segmentation_id, number, state, created_at, model, k, seed, model_fingerprint, dimension,
             centre, centroids, temperature, n_customers, n_reviews, quality, inputs, algorithm, joined)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) RETURNING id",
        &[
            &segmentation,
            &Small(version.number),
            &Word(VersionState::Live),
            &Moment(version.created_at),
            &Words::of(&version.definition.model),
            &k_column(version.definition.k)?,
            &Unsigned(version.definition.seed),
            &Words::of(&version.model_fingerprint),
            &Unsigned(version.dimension as u64),
            &Floats::bytes(&version.centre),
            &Floats::bytes(&version.centroids),
            &version.temperature,
            &Unsigned(version.n_customers),
            &Unsigned(version.n_reviews),
            &Json(&version.quality),
            &inputs_column(&version.definition.inputs),
            &Word(version.definition.algorithm),
            &version.joined.as_ref().map(Json),
        ],
    )
    .await?;
    get(&made.ok_or(StoreError::Missing("version"))?, 0)
}

async fn insert_segments(db: &Transaction<'_>, version: i64, segments: &[Segment]) -> Result<()> {
    for (position, segment) in segments.iter().enumerate() {
        execute(
            db,
            "INSERT INTO segment (version_id, position, id, name, keywords, typical_reviews, size, share, cohesion,
                 stability, portrait)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            &[
                &version,
                &Unsigned(position as u64),
                &Small(segment.id.0),
                &Words::of(&segment.name),
                &Json(&segment.keywords),
                &Json(&segment.typical_reviews),
                &Unsigned(segment.size),
                &segment.share,
                &segment.cohesion,
                &segment.stability,
                &segment.portrait.as_ref().map(Json),
            ],
        )
        .await?;
    }
    Ok(())
}

async fn with_segments(db: &Transaction<'_>, row: &Row) -> Result<Version> {
    let select = "SELECT id, name, keywords, typical_reviews, size, share, cohesion, stability, portrait FROM segment
         WHERE version_id = $1 ORDER BY position";
    let segments = rows(db, select, &[&get::<i64>(row, 0)?]).await?;
    version(row, segments.iter().map(segment).collect::<Result<_>>()?)
}

fn version(row: &Row, segments: Vec<Segment>) -> Result<Version> {
    let (Text(segmentation), Small(number), Word(state)) = (get(row, 1)?, get(row, 2)?, get(row, 3)?);
    let (Moment(created_at), Unsigned(seed), Small(dimension)) = (get(row, 4)?, get(row, 7)?, get(row, 9)?);
    let (Floats(centre), Floats(centroids), Json(quality)) = (get(row, 10)?, get(row, 11)?, get(row, 15)?);
    let (Unsigned(n_customers), Unsigned(n_reviews)) = (get(row, 13)?, get(row, 14)?);
    let (inputs, Word(algorithm)) = (inputs(get(row, 16)?), get(row, 17)?);
    let model = get::<Words<'static>>(row, 5)?.owned();
    Ok(Version {
        segmentation,
        number,
        state,
        created_at,
        definition: Definition { model, k: k(get(row, 6)?)?, seed, inputs, algorithm },
        model_fingerprint: get::<Words<'static>>(row, 8)?.owned(),
        dimension: dimension as usize,
        centre,
        centroids,
        temperature: get(row, 12)?,
        n_customers,
        n_reviews,
        quality,
        segments,
        joined: get::<Option<Json<Joined>>>(row, 18)?.map(|Json(joined)| joined),
    })
}

fn segment(row: &Row) -> Result<Segment> {
    let (Small(id), Unsigned(size)) = (get(row, 0)?, get(row, 4)?);
    let (Json(keywords), Json(typical_reviews)) = (get(row, 2)?, get(row, 3)?);
    Ok(Segment {
        id: SegmentId(id),
        name: get::<Words<'static>>(row, 1)?.owned(),
        keywords,
        typical_reviews,
        size,
        share: get(row, 5)?,
        cohesion: get(row, 6)?,
        stability: get(row, 7)?,
        portrait: get::<Option<Json<Portrait>>>(row, 8)?.map(|Json(portrait)| portrait),
    })
}
