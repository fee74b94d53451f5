//! The import of an uploaded file as a job: parse, append in batches, move the checkpoint with each batch.
//!
//! The checkpoint is written in the same transaction as the facts it covers, so after a crash the job goes on with the first
//! row that is not in the store, and rows are neither lost nor told twice.

use super::dry_run::{self, Looked};
use super::rejects::{Rejects, Spelled};
use super::uploads::Upload;
use super::{JobContext, JobFailure, Work};
use crate::domain::{Job, Progress, Telling};
use crate::ingest::{
    self, Format, IngestError, Kind, Mapping, Position, Reading, RowError, Rows, Source, UnpackLimits, Vocabulary,
};
use crate::intake::Intake;
use crate::store::Appended;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Rows in one transaction.
const BATCH: usize = 1_000;
/// Rejected rows that are described one by one; the others are counted by code.
const DESCRIBED: usize = 100;

/// What an import job is asked for, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportRequest {
    /// A dry run may leave it to be proposed.
    pub kind: Option<Kind>,
    pub format: Format,
    pub mapping: Option<Mapping>,
    /// Parse and count; write nothing.
    pub dry_run: bool,
    /// What the caller calls the file.
    pub file_name: String,
    pub bytes: u64,
    /// The upload's name in the uploads' folder.
    pub upload: String,
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ImportReport {
    /// Rows read, the rejected ones too: `accepted + replaced + duplicate + grouped + rejected`.
    pub rows: u64,
    /// Rows that are further lines of an order that was kept.
    #[serde(default)]
    pub grouped: u64,
    /// New facts.
    pub accepted: u64,
    /// Reviews whose words replaced older ones.
    pub replaced: u64,
    /// Facts that were there already.
    pub duplicate: u64,
    /// Facts about customers who were erased: not kept.
    #[serde(default)]
    pub suppressed: u64,
    /// Events of customers who do not allow analytics: not kept.
    #[serde(default)]
    pub declined: u64,
    /// Facts older than their kind is kept, and those that were removed for their age before.
    #[serde(default)]
    pub expired: u64,
    pub rejected: u64,
    pub rejected_by_code: BTreeMap<String, u64>,
    /// The first 100 rejected rows.
    pub errors: Vec<RejectedRow>,
    pub dry_run: bool,
    /// Of a dry run: what is in the file, and as what its rows were checked.
    #[serde(flatten, skip_deserializing)]
    pub looked: Option<Looked>,
}

/// A row that was left out: where it is and why, without its content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// Counted from 1.
    pub line: u64,
    pub column: Option<String>,
    /// One of [`ingest::CODES`].
    pub code: String,
    pub message: String,
}

impl From<RowError> for RejectedRow {
    fn from(error: RowError) -> Self {
        Self { line: error.line, column: error.column, code: error.code.to_owned(), message: error.message }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct ImportCheckpoint {
    position: Position,
    report: ImportReport,
    /// Length of the file of rejected rows that covers what is behind.
    #[serde(default)]
    rejects_bytes: u64,
}

pub struct ImportWork {
    pub intake: Arc<Intake>,
    pub uploads_dir: PathBuf,
    /// What a compressed file may unpack to.
    pub unpack_limits: UnpackLimits,
    pub rejects: Arc<Rejects>,
    pub vocabulary: Arc<Vocabulary>,
}

fn failed(code: &str, detail: impl ToString) -> JobFailure {
    JobFailure::Failed { code: code.into(), detail: detail.to_string() }
}

#[async_trait]
impl Work for ImportWork {
    async fn run(&self, context: Arc<JobContext>) -> Result<Value, JobFailure> {
        let request: ImportRequest =
            serde_json::from_value(context.job().request.clone()).map_err(|e| failed("internal", e))?;
        let upload = Upload::new(&self.uploads_dir, &request.upload, &request.file_name);
        let report = self.import(&context, &request, &upload).await?;
        serde_json::to_value(report).map_err(|e| failed("internal", e))
    }

    /// Not before the end is on record: whoever takes up a job that ended without a word finds its file.
    async fn clear_away(&self, ended: &Job) {
        if let Ok(request) = serde_json::from_value::<ImportRequest>(ended.request.clone()) {
            Upload::new(&self.uploads_dir, &request.upload, &request.file_name).remove().await;
        }
    }
}

impl ImportWork {
    async fn import(
        &self,
        context: &Arc<JobContext>,
        request: &ImportRequest,
        upload: &Upload,
    ) -> Result<ImportReport, JobFailure> {
        let from: Option<ImportCheckpoint> =
            context.job().checkpoint.clone().and_then(|value| serde_json::from_value(value).ok());
        let mut so_far = from.unwrap_or_default();
        let (position, report) = (so_far.position, &mut so_far.report);
        report.dry_run = request.dry_run;
        let path = upload.plain(context, self.unpack_limits).await?;
        let source = if request.dry_run {
            let looked = dry_run::look(context, request, &path).await.map_err(|error| error.told(upload))?;
            let source = looked.source(path, request.format);
            report.rows = looked.profile.rows;
            report.looked = Some(looked);
            // Without a kind there is nothing to check the rows by.
            let Some(source) = source else { return Ok(so_far.report) };
            report.rows = 0;
            source
        } else {
            let kind = request.kind.ok_or_else(|| failed("internal", "an import without a kind"))?;
            Source { path, kind, format: request.format, mapping: request.mapping.clone() }
        };
        let reading = Reading { now: context.job().created_at, vocabulary: Arc::clone(&self.vocabulary) };
        let bad_file = |error: IngestError| upload.failure(&error);
        let open = move || ingest::open(&source, position, reading);
        let opened = tokio::task::spawn_blocking(open).await.map_err(|e| failed("internal", e))?;
        let mut rows = opened.map_err(bad_file)?;
        let total_bytes = rows.total_bytes();
        loop {
            context.check()?;
            let read = tokio::task::spawn_blocking(move || next_batch(rows));
            let (batch, rest) = read.await.map_err(|e| failed("internal", e))?.map_err(bad_file)?;
            rows = rest;
            if batch.rows == 0 {
                return Ok(so_far.report);
            }
            let phase = if request.dry_run { "checking" } else { "importing" };
            let progress = Progress { phase: phase.into(), done: batch.next.byte, total: Some(total_bytes) };
            self.take(context, request, batch, progress, &mut so_far).await?;
        }
    }

    /// Writes the rejected rows down before the checkpoint that counts them.
    async fn keep_rejects(
        &self,
        context: &Arc<JobContext>,
        spelled: Spelled,
        so_far: &mut ImportCheckpoint,
    ) -> Result<(), JobFailure> {
        if spelled.is_empty() {
            return Ok(());
        }
        let (rejects, job, kept_bytes) = (Arc::clone(&self.rejects), context.job().id, so_far.rejects_bytes);
        let writing = tokio::task::spawn_blocking(move || rejects.append(job, kept_bytes, &spelled));
        let written = writing.await.map_err(|e| failed("internal", e))?;
        so_far.rejects_bytes = written.map_err(|error| {
            failed(
                "store_unavailable",
                format!("the rejected rows cannot be written down ({}); make room", error.kind()),
            )
        })?;
        Ok(())
    }

    /// Appends a batch with its checkpoint and counts what became of it.
    async fn take(
        &self,
        context: &Arc<JobContext>,
        request: &ImportRequest,
        batch: Batch,
        progress: Progress,
        so_far: &mut ImportCheckpoint,
    ) -> Result<(), JobFailure> {
        self.keep_rejects(context, batch.rejects, so_far).await?;
        let report = &mut so_far.report;
        report.rows += batch.rows;
        report.grouped += batch.grouped;
        for (error, n_rows) in batch.errors {
            report.rejected += n_rows;
            *report.rejected_by_code.entry(error.code.to_string()).or_default() += n_rows;
            if report.errors.len() < DESCRIBED {
                report.errors.push(error.into());
            }
        }
        context.report(progress.clone());
        if request.dry_run {
            report.accepted += batch.facts.len() as u64;
            return Ok(());
        }
        // What this very transaction does is known only afterwards, so the checkpoint counts all of it as accepted: should the
        // process die right after it, the report calls duplicates of this one batch accepted. The facts themselves are right.
        let mut after = report.clone();
        after.accepted += batch.facts.len() as u64;
        let value = serde_json::to_value(ImportCheckpoint {
            position: batch.next,
            report: after,
            rejects_bytes: so_far.rejects_bytes,
        })
        .map_err(|e| failed("internal", e))?;
        let checkpoint = context.checkpoint(progress, value);
        let now = crate::domain::Timestamp::now();
        for appended in self.intake.append(&context.workspace, batch.facts, Some(&checkpoint), now).await? {
            match appended {
                Appended::Accepted => report.accepted += 1,
                Appended::Replaced => report.replaced += 1,
                Appended::Duplicate => report.duplicate += 1,
                Appended::Suppressed => report.suppressed += 1,
                Appended::Declined => report.declined += 1,
                Appended::Expired => report.expired += 1,
            }
        }
        Ok(())
    }
}

struct Batch {
    rows: u64,
    grouped: u64,
    facts: Vec<Telling>,
    /// With the rows that are lost with each.
    errors: Vec<(RowError, u64)>,
    rejects: Spelled,
    next: Position,
}

/// Ends a batch early, as rows may be long.
const BATCH_BYTES: u64 = 32 << 20;

fn next_batch(mut rows: Rows) -> Result<(Batch, Rows), IngestError> {
    let mut batch = Batch {
        rows: 0,
        grouped: 0,
        facts: Vec::with_capacity(BATCH),
        errors: Vec::new(),
        rejects: Spelled::default(),
        next: Position::default(),
    };
    let mut began_at = None;
    for row in rows.by_ref().take(BATCH) {
        let row = row?;
        batch.rows += row.n_rows;
        batch.next = row.next;
        match row.fact {
            Ok(fact) => {
                batch.grouped += row.n_rows - 1;
                batch.facts.push(Telling { fact, preferences: row.preferences });
            }
            Err(error) => {
                batch.rejects.add(&error, &row.raw);
                batch.errors.push((error, row.n_rows));
            }
        }
        if row.next.byte - *began_at.get_or_insert(row.next.byte) > BATCH_BYTES {
            break;
        }
    }
    Ok((batch, rows))
}
