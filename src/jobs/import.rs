//! The import of an uploaded file as a job: parse, append in batches, move the checkpoint with each batch.
//!
//! The checkpoint is written in the same transaction as the facts it covers, so after a crash the job goes on with the first
//! row that is not in the store, and rows are neither lost nor told twice.

use super::dry_run::{self, Looked};
use super::rejects::{Rejects, Spelled};
use super::uploads::Upload;
use super::{JobContext, JobFailure, Work};
use crate::clean::about;
use crate::domain::{Job, JudgedKind, Outcome, Progress, Rule, Telling, Timestamp};
use crate::ingest::{
    self, Format, IngestError, Kind, Mapping, Position, RawRow, Reading, RowError, Rows, Source, UnpackLimits,
    Vocabulary,
};
use crate::intake::{Intake, Ready, Taken};
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
    /// Which rules of cleaning the rows broke, and what was done; of a dry run: what would be.
    #[serde(default)]
    pub quality: Vec<FoundRule>,
    pub dry_run: bool,
    /// Of a dry run: what is in the file, and as what its rows were checked.
    #[serde(flatten, skip_deserializing)]
    pub looked: Option<Looked>,
}

/// How many facts of a kind broke a rule, and what was done with them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundRule {
    pub kind: JudgedKind,
    pub rule: Rule,
    pub outcome: Outcome,
    pub n: u64,
}

/// A row that was left out: where it is and why, without its content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// Counted from 1.
    pub line: u64,
    pub column: Option<String>,
    /// One of [`ingest::CODES`], or the rule's.
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
        let rejects = self.intake.rejects_by_rule(&context.workspace).await?;
        let vocabulary = Arc::clone(&self.vocabulary);
        let reading = Reading { now: context.job().created_at, vocabulary, keeps_raw: rejects };
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
                return self.counted(context, so_far.report).await;
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

    /// The report with what the store counted: it is right whatever befell the process.
    async fn counted(&self, context: &Arc<JobContext>, mut report: ImportReport) -> Result<ImportReport, JobFailure> {
        if !report.dry_run {
            report.quality.clear();
            for count in self.intake.found(&context.workspace, Some(context.job().id)).await? {
                found(&mut report.quality, count.kind, (count.rule, count.outcome), count.n);
            }
        }
        Ok(report)
    }

    /// Appends a batch with its checkpoint and counts what became of it.
    async fn take(
        &self,
        context: &Arc<JobContext>,
        request: &ImportRequest,
        mut batch: Batch,
        progress: Progress,
        so_far: &mut ImportCheckpoint,
    ) -> Result<(), JobFailure> {
        let now = Timestamp::now();
        let facts = std::mem::take(&mut batch.facts);
        let ready = self.intake.prepare(&context.workspace, facts, now).await?;
        batch.leave_out(&ready);
        self.keep_rejects(context, std::mem::take(&mut batch.rejects), so_far).await?;
        let report = &mut so_far.report;
        batch.count(report);
        context.report(progress.clone());
        if request.dry_run {
            report.accepted += ready.n_kept();
            for (kind, rule, outcome) in ready.found() {
                found(&mut report.quality, kind, (rule, outcome), 1);
            }
            return Ok(());
        }
        // What this very transaction does is known only afterwards, so the checkpoint counts all of it as accepted: should the
        // process die right after it, the report calls duplicates of this one batch accepted. The facts themselves are right.
        let mut after = report.clone();
        after.accepted += ready.n_kept();
        let value = serde_json::to_value(ImportCheckpoint {
            position: batch.next,
            report: after,
            rejects_bytes: so_far.rejects_bytes,
        })
        .map_err(|e| failed("internal", e))?;
        let checkpoint = context.checkpoint(progress, value);
        for taken in self.intake.keep(&context.workspace, &ready, Some(&checkpoint), now).await? {
            match taken {
                Taken::Appended(Appended::Accepted) => report.accepted += 1,
                Taken::Appended(Appended::Replaced) => report.replaced += 1,
                Taken::Appended(Appended::Duplicate) => report.duplicate += 1,
                Taken::Appended(Appended::Suppressed) => report.suppressed += 1,
                Taken::Appended(Appended::Declined) => report.declined += 1,
                Taken::Appended(Appended::Expired) => report.expired += 1,
                // Counted with the rows that are no facts.
                Taken::Rejected(_) => {}
            }
        }
        Ok(())
    }
}

/// Adds to a list without repetitions.
fn found(quality: &mut Vec<FoundRule>, kind: JudgedKind, (rule, outcome): (Rule, Outcome), n: u64) {
    let same = |one: &&mut FoundRule| (one.kind, one.rule, one.outcome) == (kind, rule, outcome);
    match quality.iter_mut().find(same) {
        Some(standing) => standing.n += n,
        None => quality.push(FoundRule { kind, rule, outcome, n }),
    }
}

struct Batch {
    rows: u64,
    grouped: u64,
    facts: Vec<Telling>,
    /// Where each fact stands, and the rows it is made of.
    lines: Vec<(u64, u64)>,
    /// Each fact's rows as they stand in the file, where they were asked for.
    raw: Vec<Vec<RawRow>>,
    /// With the rows that are lost with each.
    errors: Vec<(RowError, u64)>,
    rejects: Spelled,
    next: Position,
}

impl Batch {
    /// Makes rejected rows of the facts that were left out for breaking a rule.
    fn leave_out(&mut self, ready: &Ready) {
        for (place, _, rule) in &ready.rejected {
            let (line, n_rows) = self.lines[*place];
            let message = format!("{}; the workspace leaves such facts out", about(*rule).meaning);
            let error = RowError { line, column: None, code: rule.code(), message };
            self.rejects.add(&error, self.raw.get(*place).map_or(&[], Vec::as_slice));
            self.grouped -= n_rows - 1;
            self.errors.push((error, n_rows));
        }
    }

    fn count(&mut self, report: &mut ImportReport) {
        report.rows += self.rows;
        report.grouped += self.grouped;
        for (error, n_rows) in self.errors.drain(..) {
            report.rejected += n_rows;
            *report.rejected_by_code.entry(error.code.to_string()).or_default() += n_rows;
            if report.errors.len() < DESCRIBED {
                report.errors.push(error.into());
            }
        }
    }
}

/// Ends a batch early, as rows may be long.
const BATCH_BYTES: u64 = 32 << 20;

fn next_batch(mut rows: Rows) -> Result<(Batch, Rows), IngestError> {
    let mut batch = Batch {
        rows: 0,
        grouped: 0,
        facts: Vec::with_capacity(BATCH),
        lines: Vec::with_capacity(BATCH),
        raw: Vec::new(),
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
                batch.lines.push((row.line, row.n_rows));
                batch.raw.push(row.raw);
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
