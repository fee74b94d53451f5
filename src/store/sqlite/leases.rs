//! Leases of jobs. One process has the store, so a lease is the matter of its workers alone: the clock is the process's monotonic
//! one, which nobody sets, and opening the store ends what an earlier process left, without waiting.

use super::columns::{Id, Unsigned, Word};
use super::{jobs, segmentations, vectors, versions, workspaces};
use crate::domain::{
    Job, JobId, JobKind, JobState, Membership, Progress, Segmentation, Timestamp, Version, WorkspaceId,
};
use crate::store::{Checkpoint, Claim, Lease, Publication, Result, StoreError};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Microseconds since the process looked first.
pub(super) fn now() -> i64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    microseconds(START.elapsed())
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Ends every lease: called once by whoever opens the store, and so is the only one who could hold any. A lease of an earlier process
/// would not end by itself: its end is told by a clock that began anew.
pub(super) fn end_all(db: &Connection) -> Result<()> {
    let is_any = db.prepare("SELECT 1 FROM job WHERE holder IS NOT NULL LIMIT 1")?.exists([])?;
    if is_any {
        db.execute("UPDATE job SET holder = NULL, token = token + 1 WHERE holder IS NOT NULL", [])?;
    }
    Ok(())
}

struct Found {
    workspace: i64,
    slug: String,
    id: Uuid,
    subject: Option<String>,
}

pub(super) fn claim(db: &Connection, claim: &Claim<'_>) -> Result<Option<(WorkspaceId, Job)>> {
    let now = now();
    let mut oldest: Option<(i64, Found)> = None;
    for kind in claim.kinds {
        if let Some((created_at, found)) = find(db, *kind, claim.place, now)?
            && oldest.as_ref().is_none_or(|(before, _)| created_at < *before)
        {
            oldest = Some((created_at, found));
        }
    }
    let Some((_, found)) = oldest else { return Ok(None) };
    if let Some(subject) = &found.subject {
        // Whoever held another job with the subject let its time run out.
        db.prepare_cached(
            "UPDATE job SET holder = NULL, token = token + 1 WHERE workspace_id = ?1 AND subject = ?2 AND holder IS NOT NULL",
        )?
        .execute(params![found.workspace, subject])?;
    }
    db.prepare_cached(
        "UPDATE job SET state = ?3, holder = ?4, token = token + 1, lease_until = ?5 WHERE workspace_id = ?1 AND id = ?2",
    )?
    .execute(params![
        found.workspace,
        Id(found.id),
        Word(JobState::Running),
        Id(claim.holder),
        now.saturating_add(microseconds(claim.lasts)),
    ])?;
    let workspace = WorkspaceId::parse(&found.slug).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let job = jobs::find(db, &workspace, JobId(found.id))?.ok_or(StoreError::Missing("job"))?;
    Ok(Some((workspace, job)))
}

/// The oldest job of a kind that may be claimed, and when it was accepted.
fn find(db: &Connection, kind: JobKind, place: Option<Uuid>, now: i64) -> Result<Option<(i64, Found)>> {
    let mut statement = db.prepare_cached(
        "SELECT workspace_id, slug, job.id, subject, job.created_at
         FROM job JOIN workspace ON workspace.id = workspace_id
         WHERE slug NOT LIKE '~%' AND state IN ('queued', 'running') AND kind = ?1 AND (place IS NULL OR place = ?2)
           AND (holder IS NULL OR lease_until <= ?3)
           AND NOT EXISTS (
               SELECT 1 FROM job other WHERE other.workspace_id = job.workspace_id AND other.subject = job.subject
                   AND other.holder IS NOT NULL AND other.lease_until > ?3
           )
         ORDER BY job.created_at, job.id LIMIT 1",
    )?;
    let found = statement.query_row(params![Word(kind), place.map(Id), now], |row| {
        let Id(id) = row.get(2)?;
        Ok((row.get(4)?, Found { workspace: row.get(0)?, slug: row.get(1)?, id, subject: row.get(3)? }))
    });
    Ok(found.optional()?)
}

pub(super) fn renew(db: &Connection, lease: &Lease, progress: &Progress, lasts: Duration) -> Result<bool> {
    let workspace = workspaces::require(db, &lease.workspace)?;
    jobs::require_token(db, workspace, lease.job, lease.token)?;
    let cancel_asked = db
        .prepare_cached(
            "UPDATE job SET lease_until = ?3, phase = ?4, done = ?5, total = ?6
             WHERE workspace_id = ?1 AND id = ?2 AND holder IS NOT NULL RETURNING cancel_asked",
        )?
        .query_row(
            params![
                workspace,
                Id(lease.job.0),
                now().saturating_add(microseconds(lasts)),
                progress.phase,
                Unsigned(progress.done),
                progress.total.map(Unsigned),
            ],
            |row| row.get(0),
        )
        .optional()?;
    cancel_asked.ok_or_else(|| StoreError::Conflict("nobody holds the job".into()))
}

pub(super) fn release(db: &Connection, lease: &Lease) -> Result<()> {
    let workspace = workspaces::require(db, &lease.workspace)?;
    jobs::require_token(db, workspace, lease.job, lease.token)?;
    db.prepare_cached("UPDATE job SET holder = NULL, token = token + 1 WHERE workspace_id = ?1 AND id = ?2")?
        .execute(params![workspace, Id(lease.job.0)])?;
    Ok(())
}

pub(super) fn cancel(db: &Connection, workspace: &WorkspaceId, id: JobId, now: Timestamp) -> Result<Job> {
    let row = workspaces::require(db, workspace)?;
    let job = jobs::find(db, workspace, id)?.ok_or(StoreError::Missing("job"))?;
    if job.state.is_final() {
        return Ok(job);
    }
    if job.lease.is_held {
        db.prepare_cached("UPDATE job SET cancel_asked = 1 WHERE workspace_id = ?1 AND id = ?2")?
            .execute(params![row, Id(id.0)])?;
    } else {
        jobs::update(db, workspace, &Job { state: JobState::Cancelled, finished_at: Some(now), ..job })?;
    }
    jobs::find(db, workspace, id)?.ok_or(StoreError::Missing("job"))
}

pub(super) fn put_vectors(db: &Connection, lease: &Lease, model: &str, new: &[(i64, Vec<f32>)]) -> Result<()> {
    let workspace = workspaces::require(db, &lease.workspace)?;
    jobs::require_token(db, workspace, lease.job, lease.token)?;
    vectors::put(db, &lease.workspace, model, new)
}

/// A publication that goes to the writing thread.
pub(super) struct OwnedPublication {
    segmentation: Segmentation,
    version: Version,
    members: Vec<Membership>,
    checkpoint: Checkpoint,
}

impl OwnedPublication {
    pub fn of(publication: &Publication<'_>) -> Self {
        Self {
            segmentation: publication.segmentation.clone(),
            version: publication.version.clone(),
            members: publication.members.to_vec(),
            checkpoint: publication.checkpoint.clone(),
        }
    }

    pub fn borrowed(&self) -> Publication<'_> {
        let Self { segmentation, version, members, checkpoint } = self;
        Publication { segmentation, version, members, checkpoint }
    }
}

pub(super) fn publish(db: &Connection, workspace: &WorkspaceId, publication: &Publication<'_>) -> Result<()> {
    let row = workspaces::require(db, workspace)?;
    jobs::checkpoint(db, row, publication.checkpoint)?;
    segmentations::put(db, workspace, publication.segmentation)?;
    versions::publish(db, workspace, publication.version, publication.members)
}
