//! The first half of a dry run: the profile of the file, and as what its rows are to be checked.

use super::import::ImportRequest;
use super::uploads::Upload;
use super::{JobContext, JobFailure};
use crate::domain::Progress;
use crate::ingest::profile::{self, Profile, Profiler};
use crate::ingest::{Format, IngestError, Kind, Mapping, Source};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows between two looks at whether the job was stopped.
const BATCH: usize = 1_000;

/// What was learned of the file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Looked {
    pub profile: Profile,
    /// As what the rows were checked; nothing where the file fits no kind.
    pub read_as: Option<ReadAs>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadAs {
    pub kind: Kind,
    pub mapping: Mapping,
    /// Not what the caller said, or not all of it.
    pub is_proposed: bool,
    /// What imports the file so.
    pub command: String,
}

/// Why there is no profile.
pub(super) enum Unread {
    File(IngestError),
    Job(JobFailure),
}

impl Unread {
    pub(super) fn told(self, upload: &Upload) -> JobFailure {
        match self {
            Self::File(error) => upload.failure(&error),
            Self::Job(failure) => failure,
        }
    }
}

/// Profiles the file and decides what it is checked as: what the caller said as far as it goes, the rest as proposed.
pub(super) async fn look(context: &Arc<JobContext>, request: &ImportRequest, path: &Path) -> Result<Looked, Unread> {
    let (context, request, path) = (Arc::clone(context), request.clone(), path.to_owned());
    let looking = tokio::task::spawn_blocking(move || {
        let profile = profile(&context, &request, &path)?;
        let read_as = read_as(&profile, &request);
        Ok(Looked { profile, read_as })
    });
    let broken = |why: tokio::task::JoinError| JobFailure::Failed { code: "internal".into(), detail: why.to_string() };
    looking.await.map_err(|why| Unread::Job(broken(why)))?
}

fn profile(context: &JobContext, request: &ImportRequest, path: &Path) -> Result<Profile, Unread> {
    let mapping = request.mapping.clone().unwrap_or_default();
    let mut profiler =
        Profiler::open(path, request.format, &mapping, context.job().created_at).map_err(Unread::File)?;
    let total = Some(profiler.total_bytes());
    while let Some(position) = profiler.read(BATCH).map_err(Unread::File)? {
        context.check().map_err(Unread::Job)?;
        context.report(Progress { phase: "profiling".into(), done: position.byte, total });
    }
    Ok(profiler.finish())
}

fn read_as(profile: &Profile, request: &ImportRequest) -> Option<ReadAs> {
    let given = request.mapping.clone().unwrap_or_default();
    // No columns at all are as good as none said: of customers, and of events in NDJSON, they would do.
    let said = request.kind.filter(|kind| given.check(*kind, request.format).is_ok());
    if let Some(kind) = said.filter(|_| given != Mapping::default()) {
        return Some(told(kind, given, false, request));
    }
    let wanted = |kind: Kind| request.kind.is_none_or(|said| said == kind);
    let proposed = profile.proposals.iter().filter(|proposal| wanted(proposal.kind)).find_map(|proposal| {
        let mapping = overlaid(&proposal.mapping, &given);
        let is_complete = mapping.check(proposal.kind, request.format).is_ok();
        is_complete.then(|| told(proposal.kind, mapping, true, request))
    });
    proposed.or_else(|| Some(told(said?, given, false, request)))
}

fn told(kind: Kind, mapping: Mapping, is_proposed: bool, request: &ImportRequest) -> ReadAs {
    let command = profile::command(kind, &mapping, request.format, &request.file_name);
    ReadAs { kind, mapping, is_proposed, command }
}

/// What was proposed, but for what the caller said.
fn overlaid(proposed: &Mapping, given: &Mapping) -> Mapping {
    let fields = |mapping: &Mapping| match serde_json::to_value(mapping) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let mut all = fields(proposed);
    let said = fields(given);
    // A column that the caller gave a role has no other.
    all.retain(|_, column| !said.values().any(|other| other == column));
    all.extend(said);
    serde_json::from_value(serde_json::Value::Object(all)).unwrap_or_else(|_| given.clone())
}

impl Looked {
    /// The file as its rows are checked.
    pub(super) fn source(&self, path: PathBuf, format: Format) -> Option<Source> {
        let read_as = self.read_as.as_ref()?;
        let mapping = Some(read_as.mapping.clone()).filter(|mapping| *mapping != Mapping::default());
        Some(Source { path, kind: read_as.kind, format, mapping })
    }
}
