//! Jobs: their states move forward only, and a checkpoint moves with the facts it covers.

use super::columns::{Id, Json, Moment, Text, Unsigned, Word, limit};
use super::{leases, workspaces};
use crate::domain::{Job, JobId, JobLease, JobNeeds, JobState, Progress, WorkspaceId};
use crate::store::{Checkpoint, Result, StoreError, rules};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What [`job`] reads, in its order.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT job.id, kind, state, request, phase, done, total, checkpoint, result, error_code, error_message,
                    idempotency_key, job.created_at, finished_at, slug, place, subject, token, holder, lease_until,
                    cancel_asked
             FROM job JOIN workspace ON workspace.id = workspace_id ",
            $rest
        )
    };
}

pub(super) fn create(db: &Connection, workspace: &WorkspaceId, job: &Job) -> Result<Job> {
    let workspace_row = workspaces::require(db, workspace)?;
    if let Some(key) = &job.idempotency_key
        && let Some(standing) = by_idempotency_key(db, workspace_row, key)?
    {
        return Ok(standing);
    }
    if let Some(standing) = find(db, workspace, job.id)? {
        // The same work handed over again after an answer that got lost.
        let same = standing.kind == job.kind && standing.request == job.request;
        return if same { Ok(standing) } else { Err(StoreError::Conflict("another job has this id".into())) };
    }
    insert(db, workspace_row, job)?;
    find(db, workspace, job.id)?.ok_or(StoreError::Missing("job"))
}

/// Adds a job that nobody can have asked for before.
pub(super) fn add(db: &Connection, workspace: &WorkspaceId, job: &Job) -> Result<Job> {
    if find(db, workspace, job.id)?.is_some() {
        return Err(StoreError::Conflict("another job has this id".into()));
    }
    create(db, workspace, job)
}

pub(super) fn find(db: &Connection, workspace: &WorkspaceId, id: JobId) -> Result<Option<Job>> {
    let mut statement = db.prepare_cached(select!("WHERE slug = ?1 AND job.id = ?2"))?;
    Ok(statement.query_row(params![workspace.as_str(), Id(id.0)], job).optional()?)
}

pub(super) fn page(db: &Connection, workspace: &WorkspaceId, before: Option<JobId>, n_jobs: usize) -> Result<Vec<Job>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    // No UUID has seventeen bytes: above them all.
    let before = before.map_or(vec![u8::MAX; 17], |id| id.0.as_bytes().to_vec());
    let mut statement =
        db.prepare_cached(select!("WHERE workspace_id = ?1 AND job.id < ?2 ORDER BY job.id DESC LIMIT ?3"))?;
    let jobs = statement.query_map(params![workspace, before, limit(n_jobs)], job)?;
    Ok(jobs.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn unfinished(db: &Connection) -> Result<Vec<(WorkspaceId, Job)>> {
    let mut statement = db.prepare_cached(select!(
        "WHERE state IN ('queued', 'running') AND slug NOT LIKE '~%' ORDER BY job.created_at, job.id"
    ))?;
    let jobs = statement.query_map([], |row| {
        let Text(workspace) = row.get(14)?;
        Ok((workspace, job(row)?))
    })?;
    Ok(jobs.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn update(db: &Connection, workspace: &WorkspaceId, job: &Job) -> Result<()> {
    let workspace = workspaces::require(db, workspace)?;
    require_token(db, workspace, job.id, job.lease.token)?;
    let (code, message) = job.error.as_ref().map(|(code, message)| (code, message)).unzip();
    db.prepare_cached(
        "UPDATE job SET state = ?3, phase = ?4, done = ?5, total = ?6, checkpoint = ?7, result = ?8, error_code = ?9,
             error_message = ?10, finished_at = ?11, holder = CASE WHEN ?12 THEN NULL ELSE holder END
         WHERE workspace_id = ?1 AND id = ?2",
    )?
    .execute(params![
        workspace,
        Id(job.id.0),
        Word(job.state),
        job.progress.phase,
        Unsigned(job.progress.done),
        job.progress.total.map(Unsigned),
        job.checkpoint.as_ref().map(Json),
        job.result.as_ref().map(Json),
        code,
        message,
        job.finished_at.map(Moment),
        job.state.is_final(),
    ])?;
    Ok(())
}

/// Moves a job's checkpoint within the transaction of the work it covers.
pub(super) fn checkpoint(db: &Connection, workspace: i64, moved: &Checkpoint) -> Result<()> {
    require_token(db, workspace, moved.job, moved.token)?;
    db.prepare_cached(
        "UPDATE job SET phase = ?3, done = ?4, total = ?5, checkpoint = ?6 WHERE workspace_id = ?1 AND id = ?2",
    )?
    .execute(params![
        workspace,
        Id(moved.job.0),
        moved.progress.phase,
        Unsigned(moved.progress.done),
        moved.progress.total.map(Unsigned),
        Json(&moved.checkpoint),
    ])?;
    Ok(())
}

/// The fence: only who has the newest token of a job that has not ended goes on.
pub(super) fn require_token(db: &Connection, workspace: i64, id: JobId, token: u64) -> Result<()> {
    let found = db
        .prepare_cached("SELECT state, token FROM job WHERE workspace_id = ?1 AND id = ?2")?
        .query_row(params![workspace, Id(id.0)], |row| {
            let (Word(state), Unsigned(newest)) = (row.get::<_, Word<JobState>>(0)?, row.get(1)?);
            Ok((state, newest))
        })
        .optional()?;
    match found {
        None => Err(StoreError::Missing("job")),
        Some((state, newest)) if state.is_final() || newest != token => Err(rules::job_is_not_yours(state)),
        Some(_) => Ok(()),
    }
}

fn by_idempotency_key(db: &Connection, workspace: i64, key: &str) -> Result<Option<Job>> {
    let mut statement = db.prepare_cached(select!("WHERE workspace_id = ?1 AND idempotency_key = ?2"))?;
    Ok(statement.query_row(params![workspace, key], job).optional()?)
}

fn insert(db: &Connection, workspace: i64, job: &Job) -> Result<()> {
    let (code, message) = job.error.as_ref().map(|(code, message)| (code, message)).unzip();
    db.prepare_cached(
        "INSERT INTO job (workspace_id, id, kind, state, request, phase, done, total, checkpoint, result, error_code,
             error_message, idempotency_key, created_at, finished_at, place, subject)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        workspace,
        Id(job.id.0),
        Word(job.kind),
        Word(job.state),
        Json(&job.request),
        job.progress.phase,
        Unsigned(job.progress.done),
        job.progress.total.map(Unsigned),
        job.checkpoint.as_ref().map(Json),
        job.result.as_ref().map(Json),
        code,
        message,
        job.idempotency_key,
        Moment(job.created_at),
        job.finished_at.map(Moment),
        job.needs.place.map(Id),
        job.needs.subject,
    ])?;
    Ok(())
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let (Id(id), Word(kind), Word(state), Json(request)) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let (Unsigned(done), total) = (row.get(5)?, row.get::<_, Option<Unsigned>>(6)?);
    let [checkpoint, result] = [row.get(7)?, row.get(8)?].map(|json: Option<Json<_>>| json.map(|Json(value)| value));
    let error: (Option<String>, Option<String>) = (row.get(9)?, row.get(10)?);
    let (Moment(created_at), finished_at) = (row.get(12)?, row.get::<_, Option<Moment>>(13)?);
    let (place, holder) = (row.get::<_, Option<Id>>(15)?, row.get::<_, Option<Id>>(18)?);
    let (Unsigned(token), until) = (row.get(17)?, row.get::<_, Option<i64>>(19)?);
    let is_held = holder.is_some() && until.is_some_and(|until| leases::now() < until);
    Ok(Job {
        id: JobId(id),
        kind,
        state,
        request,
        progress: Progress { phase: row.get(4)?, done, total: total.map(|Unsigned(n)| n) },
        checkpoint,
        result,
        error: error.0.zip(error.1),
        idempotency_key: row.get(11)?,
        created_at,
        finished_at: finished_at.map(|Moment(time)| time),
        needs: JobNeeds { place: place.map(|Id(place)| place), subject: row.get(16)? },
        lease: JobLease { token, is_held, cancel_asked: row.get(20)? },
    })
}
