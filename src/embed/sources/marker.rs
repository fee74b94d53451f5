//! A note beside a model's files that they were checked in full, so that starting does not hash hundreds of megabytes each
//! time. It holds for files of the same size and modification time only: a file that is written to, or copied over, is
//! checked again. It saves time and is never needed.

use crate::embed::catalogue::CatalogueModel;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

const NAME: &str = ".checked.json";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Marker {
    files: Vec<Checked>,
}

/// One file as it was when it was checked.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Checked {
    path: String,
    size: u64,
    modified_ns: u128,
    /// What it was checked against.
    sha256: Option<String>,
}

impl Marker {
    /// What a marker must say for the files as they are now; None where one is not there.
    fn of(folder: &Path, model: &CatalogueModel) -> Option<Self> {
        let files = model.files.iter().map(|file| {
            let metadata = fs::metadata(folder.join(file.path.as_str())).ok()?;
            Some(Checked {
                path: file.path.to_string(),
                size: metadata.len(),
                modified_ns: metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos(),
                sha256: file.sha256.as_ref().map(ToString::to_string),
            })
        });
        files.collect::<Option<Vec<_>>>().map(|files| Self { files })
    }
}

/// Whether these very files were checked before.
pub(super) fn holds(folder: &Path, model: &CatalogueModel) -> bool {
    let written = fs::read(folder.join(NAME)).ok().and_then(|bytes| serde_json::from_slice::<Marker>(&bytes).ok());
    written.is_some() && written == Marker::of(folder, model)
}

/// Notes that the files were checked. A folder that cannot be written to is checked again next time.
pub(super) fn write(folder: &Path, model: &CatalogueModel) {
    let Some(marker) = Marker::of(folder, model) else { return };
    let written = serde_json::to_vec(&marker).map_err(Into::into).and_then(|bytes| {
        let fresh = folder.join(format!("{NAME}.{}", std::process::id()));
        fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, folder.join(NAME)))
    });
    if let Err(error) = written {
        tracing::debug!("the check of {} could not be noted: {error}", folder.display());
    }
}
