//! Texts into vectors: the trait, the models that implement it, where their files come from, and the thread that owns them.

mod bert;
mod cache;
mod catalogue;
#[cfg(test)]
mod fixture;
mod folder;
mod precision;
mod queue;
mod registry;
mod sources;
mod tokens;

pub use bert::{BertEmbedder, LoadSettings, load};
pub use cache::VectorCache;
pub use catalogue::{Catalogue, CatalogueError, CatalogueFile, CatalogueModel, DEFAULT_MODEL, Source, catalogue};
pub use precision::{Precision, PrecisionChoice};
pub use queue::{Ask, EmbedQueue, Lane, QueueSettings};
pub use registry::{ModelSettings, Models};
pub use sources::{
    FileCheck, FileState, LoggedProgress, ModelListing, Presence, PullProgress, Resolved, SilentProgress,
    SourceSettings, list, models_dir, pull, resolve, resolve_with, verify,
};
pub use tokens::{Cut, SharedTokens, Token, Tokens};

use crate::device::DeviceError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

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
    /// Prefixes by name, which a caller may ask for instead of that one.
    pub prompts: BTreeMap<String, String>,
    /// Lengths that a vector may be cut to because the model was trained for it; mostly none.
    pub matryoshka_dimensions: Vec<usize>,
    /// Its tokeniser, where it lets others use it.
    #[serde(skip)]
    pub tokens: Option<SharedTokens>,
    /// `cpu`, `cuda:0`, …
    pub device: String,
    /// What its matrix products are computed in.
    pub precision: Precision,
    /// Bytes its weights take in memory.
    pub weight_bytes: usize,
    /// Token ids are below this.
    pub vocabulary_size: usize,
}

impl ModelInfo {
    /// Gives every row of pooled vectors unit length, if this model's vectors have that; see [`normalise`].
    pub fn finish(&self, rows: &mut [f32]) {
        if self.normalised {
            rows.chunks_exact_mut(self.dimension.max(1)).for_each(normalise);
        }
    }
}

/// Gives a vector unit length; zeros stay zeros.
pub fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    let length = length.max(1e-12) as f32;
    vector.iter_mut().for_each(|x| *x /= length);
}

/// One text's tokens, the special ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIds {
    pub ids: Vec<u32>,
    /// Whether the text was longer than the model takes.
    pub truncated: bool,
}

/// What a forward pass gives of each text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// One vector a text, pooled, not normalised: `[n_texts, dimension]`.
    Pooled,
    /// One vector a token, the texts one after the other: `[n_tokens, dimension]`.
    Tokens,
}

/// Vectors of some texts, in the texts' order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Embeddings {
    pub dimension: usize,
    /// `[n_texts, dimension]`, row by row.
    pub values: Vec<f32>,
    /// Tokens of the texts, the special ones included, whether they went through the model now or before.
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
    /// The model's queue is full, or no model can make room for another: come back when what waits now is done.
    #[error("the models have too much to do; try again in {} s", retry_after.as_secs())]
    Busy { retry_after: Duration },
    /// Tokens that the model cannot take; `text` counts from 0.
    #[error("text {text} {why}")]
    BadTokens { text: usize, why: String },
    /// The moment after which the caller has no use for the answer came before the answer.
    #[error("the deadline passed before the model had an answer")]
    DeadlinePassed,
    /// The forward pass itself failed.
    #[error("the model failed: {0}")]
    Forward(String),
}

impl From<DeviceError> for EmbedError {
    fn from(DeviceError(why): DeviceError) -> Self {
        Self::Device(why)
    }
}

/// A model that turns texts into vectors. Synchronous and batch-shaped: `forward` is called on the model's own thread only,
/// `tokenize` anywhere.
///
/// - A text's vector does not depend on the other texts of the call (to 1e-5 a component) nor on their order.
/// - Every text has a vector: the empty one and the blank one too (that of the special tokens).
/// - A text longer than `max_tokens` is cut and counted, never refused.
/// - The same texts give the same bits on the same machine and build.
pub trait Embedder: Send + Sync {
    fn info(&self) -> &ModelInfo;

    /// Tokens of every text, in the texts' order, the special ones included, cut to `max_tokens`. `prefix` goes before every
    /// text; None is the model's own.
    ///
    /// # Errors
    /// [`EmbedError::Forward`] alone: the tokeniser failed.
    fn tokenize(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<TokenIds>, EmbedError>;

    /// What the model makes of these tokens, in the texts' order; each id must be one of the model's, each text at least one
    /// token and at most `max_tokens`.
    ///
    /// # Errors
    /// [`EmbedError::Forward`] alone: a text breaks those rules, the device failed, or memory ran out.
    fn forward(&self, texts: &[&TokenIds], output: Output) -> Result<Vec<f32>, EmbedError>;

    /// Both steps with the model's own prefix; vectors have unit length if `info` says so.
    ///
    /// # Errors
    /// As the two steps.
    fn embed(&self, texts: &[&str]) -> Result<Embeddings, EmbedError> {
        let tokens = self.tokenize(texts, None)?;
        let mut values = self.forward(&tokens.iter().collect::<Vec<_>>(), Output::Pooled)?;
        self.info().finish(&mut values);
        Ok(Embeddings {
            dimension: self.info().dimension,
            values,
            n_tokens: tokens.iter().map(|text| text.ids.len()).sum(),
            n_truncated: tokens.iter().filter(|text| text.truncated).count(),
        })
    }
}
