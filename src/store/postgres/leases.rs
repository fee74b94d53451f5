//! Leases of jobs. The clock is the server's alone; a row that a claim or a write of its holder has locked is passed over by other
//! claims (`SKIP LOCKED`), and an index keeps two jobs with one subject from having holders, whatever two claims saw.

use super::columns::{Unsigned, Word, Words, get};
use super::statements::{execute, row};
use super::{jobs, segmentations, vectors, versions, workspaces};
use crate::domain::{Job, JobId, JobState, Progress, Timestamp, WorkspaceId};
use crate::store::{Claim, Lease, Publication, Result, StoreError};
use deadpool_postgres::Transaction;
use std::time::Duration;
use uuid::Uuid;

/// This moment by the server's clock.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}
pub(super) use now;

/// Whether somebody holds a job.
macro_rules! is_held {
    ($job:literal) => {
        concat!(
            "(",
            $job,
            ".holder IS NOT NULL AND ",
            $job,
            ".lease_at <= ",
            super::leases::now!(),
            " AND ",
            super::leases::now!(),
            " < ",
            $job,
            ".lease_until)"
        )
    };
}
pub(super) use is_held;

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

pub(super) async fn claim(db: &Transaction<'_>, claim: &Claim<'_>) -> Result<Option<(WorkspaceId, Job)>> {
    let kinds: Vec<Word<_>> = claim.kinds.iter().map(|kind| Word(*kind)).collect();
    let found = row(
        db,
        concat!(
            "SELECT job.workspace_id, slug, job.id, subject FROM job JOIN workspace ON workspace.id = workspace_id
             WHERE slug NOT LIKE '~%' AND state IN ('queued', 'running') AND kind = ANY ($1)
               AND (place IS NULL OR place = $2) AND NOT ",
            is_held!("job"),
            " AND NOT EXISTS (
                 SELECT 1 FROM job other WHERE other.workspace_id = job.workspace_id AND other.subject = job.subject AND ",
            is_held!("other"),
            ") ORDER BY job.created_at, job.id LIMIT 1 FOR NO KEY UPDATE OF job SKIP LOCKED"
        ),
        &[&kinds, &claim.place],
    )
    .await?;
    let Some(found) = found else { return Ok(None) };
    let (workspace, id, subject): (i64, Uuid, Option<String>) = (get(&found, 0)?, get(&found, 2)?, get(&found, 3)?);
    if let Some(subject) = subject {
        free_subject(db, workspace, &subject).await?;
    }
    execute(
        db,
        concat!(
            "UPDATE job SET state = $3, holder = $4, token = token + 1, lease_at = moment.now, lease_until = moment.now + $5
             FROM (SELECT ",
            now!(),
            " AS now) moment WHERE workspace_id = $1 AND id = $2"
        ),
        &[&workspace, &id, &Word(JobState::Running), &claim.holder, &microseconds(claim.lasts)],
    )
    .await?;
    let slug = WorkspaceId::parse(get(&found, 1)?).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let job = jobs::find(db, &slug, JobId(id)).await?.ok_or(StoreError::Missing("job"))?;
    Ok(Some((slug, job)))
}

/// Takes a subject's job from a holder who let its time run out. One whose time is not over stands in the index's way.
async fn free_subject(db: &Transaction<'_>, workspace: i64, subject: &str) -> Result<()> {
    let free = concat!(
        "UPDATE job SET holder = NULL, token = token + 1
         WHERE workspace_id = $1 AND subject = $2 AND holder IS NOT NULL AND NOT ",
        is_held!("job")
    );
    execute(db, free, &[&workspace, &subject]).await?;
    Ok(())
}

pub(super) async fn renew(db: &Transaction<'_>, lease: &Lease, progress: &Progress, lasts: Duration) -> Result<bool> {
    let workspace = workspaces::require(db, &lease.workspace).await?;
    let renewed = row(
        db,
        concat!(
            "UPDATE job SET lease_at = moment.now, lease_until = moment.now + $4, phase = $5, done = $6, total = $7
             FROM (SELECT ",
            now!(),
            " AS now) moment
             WHERE workspace_id = $1 AND id = $2 AND token = $3 AND holder IS NOT NULL RETURNING cancel_asked"
        ),
        &[
            &workspace,
            &lease.job.0,
            &Unsigned(lease.token),
            &microseconds(lasts),
            &Words::of(&progress.phase),
            &Unsigned(progress.done),
            &progress.total.map(Unsigned),
        ],
    )
    .await?;
    match renewed {
        Some(row) => get(&row, 0),
        None => Err(jobs::unchanged(db, workspace, lease.job).await?),
    }
}

pub(super) async fn release(db: &Transaction<'_>, lease: &Lease) -> Result<()> {
    let workspace = workspaces::require(db, &lease.workspace).await?;
    let release = "UPDATE job SET holder = NULL, token = token + 1
         WHERE workspace_id = $1 AND id = $2 AND token = $3 AND state IN ('queued', 'running')";
    match execute(db, release, &[&workspace, &lease.job.0, &Unsigned(lease.token)]).await? {
        0 => Err(jobs::unchanged(db, workspace, lease.job).await?),
        _ => Ok(()),
    }
}

pub(super) async fn cancel(db: &Transaction<'_>, workspace: &WorkspaceId, id: JobId, now: Timestamp) -> Result<Job> {
    let row_id = workspaces::require(db, workspace).await?;
    // Nobody claims or ends it until this transaction ends.
    let lock = "SELECT 1 FROM job WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE";
    row(db, lock, &[&row_id, &id.0]).await?.ok_or(StoreError::Missing("job"))?;
    let job = jobs::find(db, workspace, id).await?.ok_or(StoreError::Missing("job"))?;
    if job.state.is_final() {
        return Ok(job);
    }
    if job.lease.is_held {
        let ask = "UPDATE job SET cancel_asked = true WHERE workspace_id = $1 AND id = $2";
        execute(db, ask, &[&row_id, &id.0]).await?;
    } else {
        jobs::update(db, workspace, &Job { state: JobState::Cancelled, finished_at: Some(now), ..job }).await?;
    }
    jobs::find(db, workspace, id).await?.ok_or(StoreError::Missing("job"))
}

pub(super) async fn put_vectors(
    db: &Transaction<'_>,
    lease: &Lease,
    model: &str,
    new: &[(i64, Vec<f32>)],
) -> Result<()> {
    vectors::put(db, &lease.workspace, model, new).await?;
    // At the end: the holder's heartbeat that comes meanwhile waits no longer than the commit takes.
    let workspace = workspaces::require(db, &lease.workspace).await?;
    jobs::fence(db, workspace, lease.job, lease.token).await
}

pub(super) async fn publish(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    publication: &Publication<'_>,
) -> Result<()> {
    let row = workspaces::require(db, workspace).await?;
    let checkpoint = publication.checkpoint;
    jobs::require_token(db, row, checkpoint.job, checkpoint.token).await?;
    segmentations::put(db, workspace, publication.segmentation).await?;
    versions::publish(db, workspace, publication.version, publication.members).await?;
    // The fence, at the end: a publish takes minutes, and its row must be free for the holder's heartbeats meanwhile.
    jobs::checkpoint(db, row, checkpoint).await
}
