//! Jobs: their states move forward only, and a checkpoint moves with the facts it covers.

use super::columns::{Json, Moment, Text, Unsigned, Word, Words, get, limit};
use super::statements::{execute, row, rows};
use super::workspaces;
use crate::domain::{Job, JobId, JobLease, JobNeeds, Progress, WorkspaceId};
use crate::store::{Checkpoint, Result, StoreError, rules};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

/// What [`job`] reads, in its order.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT job.id, kind, state, request, phase, done, total, checkpoint, result, error_code, error_message,
                    idempotency_key, job.created_at, finished_at, slug, place, subject, token, cancel_asked, ",
            super::leases::is_held!("job"),
            " FROM job JOIN workspace ON workspace.id = workspace_id ",
            $rest
        )
    };
}

/// What a job that may still change is in.
macro_rules! unfinished {
    () => {
        "state IN ('queued', 'running')"
    };
}

pub(super) async fn create(db: &Transaction<'_>, workspace: &WorkspaceId, job: &Job) -> Result<Job> {
    let workspace_row = workspaces::require(db, workspace).await?;
    // Where another transaction makes the same job, this waits for its end and then finds it.
    if insert(db, workspace_row, job).await? == 0 {
        if let Some(standing) = by_idempotency_key(db, workspace, job).await? {
            return Ok(standing);
        }
        let standing = find(db, workspace, job.id).await?.ok_or(StoreError::Missing("job"))?;
        // The same work handed over again after an answer that got lost.
        let same = standing.kind == job.kind && standing.request == job.request;
        return if same { Ok(standing) } else { Err(StoreError::Conflict("another job has this id".into())) };
    }
    find(db, workspace, job.id).await?.ok_or(StoreError::Missing("job"))
}

/// Adds a job that nobody can have asked for before.
pub(super) async fn add(db: &Transaction<'_>, workspace: &WorkspaceId, job: &Job) -> Result<Job> {
    if find(db, workspace, job.id).await?.is_some() {
        return Err(StoreError::Conflict("another job has this id".into()));
    }
    create(db, workspace, job).await
}

pub(super) async fn find(db: &impl GenericClient, workspace: &WorkspaceId, id: JobId) -> Result<Option<Job>> {
    let found = row(db, select!("WHERE slug = $1 AND job.id = $2"), &[&workspace.as_str(), &id.0]).await?;
    found.as_ref().map(job).transpose()
}

pub(super) async fn page(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    before: Option<JobId>,
    n_jobs: usize,
) -> Result<Vec<Job>> {
    let before = before.map(|id| id.0);
    let page = rows(
        db,
        select!("WHERE slug = $1 AND ($2::uuid IS NULL OR job.id < $2) ORDER BY job.id DESC LIMIT $3"),
        &[&workspace.as_str(), &before, &limit(n_jobs)],
    )
    .await?;
    page.iter().map(job).collect()
}

pub(super) async fn unfinished(db: &impl GenericClient) -> Result<Vec<(WorkspaceId, Job)>> {
    let select = select!("WHERE state IN ('queued', 'running') AND slug NOT LIKE '~%' ORDER BY job.created_at, job.id");
    let jobs = rows(db, select, &[]).await?;
    let with_workspace = |row: &Row| {
        let Text(workspace) = get(row, 14)?;
        Ok((workspace, job(row)?))
    };
    jobs.iter().map(with_workspace).collect()
}

pub(super) async fn update(db: &Transaction<'_>, workspace: &WorkspaceId, job: &Job) -> Result<()> {
    let workspace = workspaces::require(db, workspace).await?;
    let (code, message) = job.error.as_ref().map(|(code, message)| (code, message)).unzip();
    let updated = execute(
        db,
        concat!(
            "UPDATE job SET state = $3, phase = $4, done = $5, total = $6, checkpoint = $7, result = $8, error_code = $9,
                 error_message = $10, finished_at = $11, holder = CASE WHEN $13 THEN NULL ELSE holder END
             WHERE workspace_id = $1 AND id = $2 AND token = $12 AND ",
            unfinished!()
        ),
        &[
            &workspace,
            &job.id.0,
            &Word(job.state),
            &Words::of(&job.progress.phase),
            &Unsigned(job.progress.done),
            &job.progress.total.map(Unsigned),
            &job.checkpoint.as_ref().map(Json),
            &job.result.as_ref().map(Json),
            &code,
            &message.map(|message| Words::of(message)),
            &job.finished_at.map(Moment),
            &Unsigned(job.lease.token),
            &job.state.is_final(),
        ],
    ).await?;
    if updated == 0 { Err(unchanged(db, workspace, job.id).await?) } else { Ok(()) }
}

/// Moves a job's checkpoint within the transaction of the work it covers.
pub(super) async fn checkpoint(db: &Transaction<'_>, workspace: i64, moved: &Checkpoint) -> Result<()> {
    let updated = execute(
        db,
        concat!(
            "UPDATE job SET phase = $3, done = $4, total = $5, checkpoint = $6
             WHERE workspace_id = $1 AND id = $2 AND token = $7 AND ",
            unfinished!()
        ),
        &[
            &workspace,
            &moved.job.0,
            &Words::of(&moved.progress.phase),
            &Unsigned(moved.progress.done),
            &moved.progress.total.map(Unsigned),
            &Json(&moved.checkpoint),
            &Unsigned(moved.token),
        ],
    )
    .await?;
    if updated == 0 { Err(unchanged(db, workspace, moved.job).await?) } else { Ok(()) }
}

/// Why a job did not change.
pub(super) async fn unchanged(db: &Transaction<'_>, workspace: i64, id: JobId) -> Result<StoreError> {
    let found = row(db, "SELECT state FROM job WHERE workspace_id = $1 AND id = $2", &[&workspace, &id.0]).await?;
    let Some(found) = found else { return Ok(StoreError::Missing("job")) };
    let Word(state) = get(&found, 0)?;
    Ok(rules::job_is_not_yours(state))
}

/// Who has the newest token of a job that has not ended.
macro_rules! is_newest {
    ($lock:literal) => {
        concat!("SELECT 1 FROM job WHERE workspace_id = $1 AND id = $2 AND token = $3 AND ", unfinished!(), $lock)
    };
}

/// Says early that work would be refused in the end.
pub(super) async fn require_token(db: &Transaction<'_>, workspace: i64, id: JobId, token: u64) -> Result<()> {
    match row(db, is_newest!(""), &[&workspace, &id.0, &Unsigned(token)]).await? {
        Some(_) => Ok(()),
        None => Err(unchanged(db, workspace, id).await?),
    }
}

/// The fence of work that does not change the job's own row: nobody claims the job from here to the commit.
pub(super) async fn fence(db: &Transaction<'_>, workspace: i64, id: JobId, token: u64) -> Result<()> {
    match row(db, is_newest!(" FOR SHARE"), &[&workspace, &id.0, &Unsigned(token)]).await? {
        Some(_) => Ok(()),
        None => Err(unchanged(db, workspace, id).await?),
    }
}

async fn by_idempotency_key(db: &Transaction<'_>, workspace: &WorkspaceId, asked: &Job) -> Result<Option<Job>> {
    let Some(key) = &asked.idempotency_key else { return Ok(None) };
    let select = select!("WHERE slug = $1 AND idempotency_key = $2");
    let found = row(db, select, &[&workspace.as_str(), &Words::of(key)]).await?;
    found.as_ref().map(job).transpose()
}

async fn insert(db: &Transaction<'_>, workspace: i64, job: &Job) -> Result<u64> {
    let (code, message) = job.error.as_ref().map(|(code, message)| (code, message)).unzip();
    execute(
        db,
        "INSERT INTO job (workspace_id, id, kind, state, request, phase, done, total, checkpoint, result, error_code,
             error_message, idempotency_key, created_at, finished_at, place, subject)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING",
        &[
            &workspace,
            &job.id.0,
            &Word(job.kind),
            &Word(job.state),
            &Json(&job.request),
            &Words::of(&job.progress.phase),
            &Unsigned(job.progress.done),
            &job.progress.total.map(Unsigned),
            &job.checkpoint.as_ref().map(Json),
            &job.result.as_ref().map(Json),
            &code,
            &message.map(|message| Words::of(message)),
            &job.idempotency_key.as_deref().map(Words::of),
            &Moment(job.created_at),
            &job.finished_at.map(Moment),
            &job.needs.place,
            &job.needs.subject,
        ],
    )
    .await
}

fn job(row: &Row) -> Result<Job> {
    let (Word(kind), Word(state), Json(request)) = (get(row, 1)?, get(row, 2)?, get(row, 3)?);
    let (Unsigned(done), total) = (get(row, 5)?, get::<Option<Unsigned>>(row, 6)?);
    let (checkpoint, result) = (get::<Option<Json<_>>>(row, 7)?, get::<Option<Json<_>>>(row, 8)?);
    let error = get::<Option<String>>(row, 9)?.zip(words(row, 10)?);
    let (Moment(created_at), finished_at) = (get(row, 12)?, get::<Option<Moment>>(row, 13)?);
    let phase = get::<Words<'static>>(row, 4)?.owned();
    Ok(Job {
        id: JobId(get(row, 0)?),
        kind,
        state,
        request,
        progress: Progress { phase, done, total: total.map(|Unsigned(n)| n) },
        checkpoint: checkpoint.map(|Json(value)| value),
        result: result.map(|Json(value)| value),
        error,
        idempotency_key: words(row, 11)?,
        created_at,
        finished_at: finished_at.map(|Moment(time)| time),
        needs: JobNeeds { place: get(row, 15)?, subject: get(row, 16)? },
        lease: JobLease { token: get::<Unsigned>(row, 17)?.0, cancel_asked: get(row, 18)?, is_held: get(row, 19)? },
    })
}

fn words(row: &Row, column: usize) -> Result<Option<String>> {
    Ok(get::<Option<Words<'static>>>(row, column)?.map(Words::owned))
}
