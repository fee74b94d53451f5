//! Texts into vectors: the trait, the models that implement it, where their files come from, and the thread that owns them.

mod bert;
mod catalogue;
mod device;
#[cfg(test)]
mod fixture;
mod folder;
mod queue;
mod registry;
mod sources;

pub use bert::{BertEmbedder, LoadSettings, load};
pub use catalogue::{Catalogue, CatalogueError, CatalogueFile, CatalogueModel, DEFAULT_MODEL, Source, catalogue};
pub use device::DeviceChoice;
pub use queue::{EmbedQueue, Lane};
pub use registry::{ModelSettings, Models};
pub use sources::{
    FileCheck, FileState, LoggedProgress, ModelListing, Presence, PullProgress, Resolved, SilentProgress,
    SourceSettings, list, models_dir, pull, resolve, resolve_with, verify,
};

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How token vectors become one text vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The mean over all tokens, the special ones included, padding excluded.
    Mean,
    /// The first token's vector.
    Cls,
}

/// What a loaded model is and does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelInfo {
    /// A catalogue id, or a folder's name.
    pub id: String,
    /// Names the weights for good: vectors under the same fingerprint may be compared.
    pub fingerprint: String,
    /// Length of a vector.
    pub dimension: usize,
    /// Tokens a text is cut to, the special ones included.
    pub max_tokens: usize,
    pub pooling: Pooling,
    /// Whether vectors have unit length.
    pub normalised: bool,
    /// Put before every text.
    pub prefix: String,
    /// `cpu`, `cuda:0`, …
    pub device: String,
    /// `f32` for now.
    pub precision: String,
}

/// Vectors of some texts, in the texts' order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Embeddings {
    pub dimension: usize,
    /// `[n_texts, dimension]`, row by row.
    pub values: Vec<f32>,
    /// Tokens that went through the model, the special ones included.
    pub n_tokens: usize,
    /// Texts that were longer than the model takes and were cut.
    pub n_truncated: usize,
}

impl Embeddings {
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimension.max(1))
    }
}

/// What can go wrong with a model, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// No such catalogue entry and no such folder.
    #[error("there is no model {id:?}; the catalogue has {known}, or give a folder that holds config.json")]
    Unknown { id: String, known: String },
    /// A file of the model is not there.
    #[error("the model folder {} lacks {file}; {mend}", folder.display())]
    MissingFile { folder: PathBuf, file: String, mend: String },
    /// A file of the model is not what it should be.
    #[error("{}: {why}", file.display())]
    BadFile { file: PathBuf, why: String },
    /// No source gave the files.
    #[error("the model {id:?} could not be fetched:\n{tried}\n{mend}")]
    Fetch { id: String, tried: String, mend: String },
    /// The device asked for is not to be had.
    #[error("{0}")]
    Device(String),
    /// The model's queue is full: come back later.
    #[error("the embedding queue is full")]
    Busy,
    /// The forward pass itself failed.
    #[error("the model failed: {0}")]
    Forward(String),
}

/// A model that turns texts into vectors. Synchronous and batch-shaped: it is called on its own thread only.
///
/// - A text's vector does not depend on the other texts of the call (to 1e-5 a component) nor on their order.
/// - Every text has a vector: the empty one and the blank one too (that of the special tokens).
/// - A text longer than `max_tokens` is cut and counted, never refused.
/// - The same texts give the same bits on the same machine and build.
pub trait Embedder: Send + Sync {
    fn info(&self) -> &ModelInfo;

    /// # Errors
    /// [`EmbedError::Forward`] alone: the device failed, or ran out of memory.
    fn embed(&self, texts: &[&str]) -> Result<Embeddings, EmbedError>;
}
