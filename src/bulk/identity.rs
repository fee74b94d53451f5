//! What decides an output: the input, the settings, the model, the program. A killed run is gone on with only by a run of which
//! all of this is the same.

use super::{BulkError, Keep, OnError, Place, Settings, VectorType};
use crate::embed::ModelInfo;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Bytes at the input's start, and at its end, that are compared beside its size and time.
const SAMPLE_BYTES: u64 = 64 << 10;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub input: InputIdentity,
    settings: Vec<String>,
    model: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputIdentity {
    n_bytes: u64,
    modified_ns: u128,
    /// SHA-256 of its first and last bytes.
    sample: String,
}

impl Identity {
    /// What differs, in words; nothing when all is the same.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        if self.input != other.input {
            return Some("the input has changed");
        }
        if self.settings != other.settings {
            return Some("the settings are others");
        }
        (self.model != other.model).then_some("the model or the program is another")
    }
}

/// Nothing for a pipe, which cannot be read twice.
///
/// # Errors
/// The input cannot be read.
pub fn of(settings: &Settings, model: &ModelInfo) -> Result<Option<Identity>, BulkError> {
    let Place::File(path) = &settings.input else { return Ok(None) };
    let input = input(path).map_err(BulkError::io(format!("{} cannot be read", path.display())))?;
    Ok(Some(Identity { input, settings: of_settings(settings), model: of_model(model) }))
}

fn input(path: &Path) -> std::io::Result<InputIdentity> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let (mut hash, mut bytes) = (Sha256::new(), Vec::new());
    (&mut file).take(SAMPLE_BYTES).read_to_end(&mut bytes)?;
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(SAMPLE_BYTES)))?;
    file.take(SAMPLE_BYTES).read_to_end(&mut bytes)?;
    hash.update(&bytes);
    let sample = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(InputIdentity { n_bytes: metadata.len(), modified_ns: modified.map_or(0, |time| time.as_nanos()), sample })
}

fn of_settings(settings: &Settings) -> Vec<String> {
    let keep = match &settings.keep {
        Keep::All => vec!["all".to_owned()],
        Keep::None => vec!["none".to_owned()],
        Keep::Columns(names) => std::iter::once("columns".to_owned()).chain(names.iter().cloned()).collect(),
    };
    let fixed = [
        settings.input_format.name().to_owned(),
        settings.output_format.name().to_owned(),
        settings.text.clone(),
        settings.vector_column.clone(),
        if settings.vector_type == VectorType::List { "list" } else { "fixed" }.to_owned(),
        format!("prefix {:?}", settings.prefix),
        settings.batch_rows.to_string(),
        if settings.on_error == OnError::Skip { "skip" } else { "fail" }.to_owned(),
        settings.delimiter.to_string(),
    ];
    fixed.into_iter().chain(keep).collect()
}

fn of_model(model: &ModelInfo) -> Vec<String> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    vec![model.fingerprint.clone(), model.precision.name().to_owned(), model.device.clone(), version]
}
