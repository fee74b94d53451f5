//! The files of an import while it lasts: the upload as it came and, when that is compressed, what it unpacks to beside it.

use super::{JobContext, JobFailure};
use crate::domain::Progress;
use crate::ingest::{self, IngestError, UnpackLimits};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an import's upload is called in messages and on the disk.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    /// As the caller calls it.
    file_name: String,
    path: PathBuf,
}

impl Upload {
    pub(super) fn new(folder: &Path, upload: &str, file_name: &str) -> Self {
        Self { file_name: file_name.to_owned(), path: folder.join(upload) }
    }

    fn unpacked(&self) -> PathBuf {
        self.path.with_added_extension("plain")
    }

    /// The failure of the job, with the file called as the caller calls it.
    pub(super) fn failure(&self, error: &IngestError) -> JobFailure {
        let code = if error.is_ours() { "store_unavailable" } else { "bad_file" };
        let detail = error.to_string();
        let detail = detail.replace(&*self.unpacked().to_string_lossy(), &self.file_name);
        let detail = detail.replace(&*self.path.to_string_lossy(), &self.file_name);
        JobFailure::Failed { code: code.into(), detail }
    }

    /// The file to read: the upload itself, or what it unpacks to, which is made once and found again after an interruption.
    pub(super) async fn plain(&self, context: &Arc<JobContext>, limits: UnpackLimits) -> Result<PathBuf, JobFailure> {
        let (upload, context) = (self.clone(), Arc::clone(context));
        let unpacking = tokio::task::spawn_blocking(move || upload.unpack_once(&context, &limits));
        unpacking.await.map_err(|why| JobFailure::Failed { code: "internal".into(), detail: why.to_string() })?
    }

    fn unpack_once(&self, context: &JobContext, limits: &UnpackLimits) -> Result<PathBuf, JobFailure> {
        let packing = ingest::packing(&self.path).map_err(|error| self.failure(&error))?;
        if packing.is_none() {
            return Ok(self.path.clone());
        }
        let plain = self.unpacked();
        if plain.exists() {
            return Ok(plain);
        }
        let total = std::fs::metadata(&self.path).ok().map(|metadata| metadata.len());
        let mut go_on = |done| {
            context.report(Progress { phase: "unpacking".into(), done, total });
            context.check().is_ok()
        };
        match ingest::unpack(&self.path, &plain, limits, &mut go_on) {
            Ok(_) => Ok(plain),
            Err(IngestError::Stopped { .. }) => Err(context.check().err().unwrap_or(JobFailure::Interrupted)),
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// Done with for good; what is gone already is no trouble.
    pub(super) async fn remove(&self) {
        for path in [self.path.clone(), self.unpacked()] {
            if let Err(error) = tokio::fs::remove_file(&path).await
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "an upload that is done with could not be removed");
            }
        }
    }
}
