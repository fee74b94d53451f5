//! Any encoder of the BERT family, from a folder to vectors that equal those of sentence-transformers.

#[cfg(test)]
mod bad_folders;
mod batches;
mod buckets;
mod config;
mod device_encoder;
#[cfg(test)]
mod device_tests;
mod encoder;
mod plan;
mod processor;
#[cfg(test)]
mod tests;
mod tokens;
mod weights;

use super::folder::ModelFolder;
use super::{EmbedError, Embedder, ModelInfo, Output, Pooling, Precision, PrecisionChoice, SharedTokens, TokenIds};
use crate::device::{DeviceChoice, name_of};
use candle_core::Device;
use config::BertConfig;
use device_encoder::{DeviceEncoder, Limits};
use encoder::Encoder;
use plan::{Plan, device_precision};
use processor::Processor;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use tokens::{TextTokenizer, TokenSettings};
use weights::{Shard, Weights};

/// How to load a folder. What is None is read from the folder's files.
#[derive(Debug, Clone, Default)]
pub struct LoadSettings {
    pub device: DeviceChoice,
    pub precision: PrecisionChoice,
    /// Else the folder's name.
    pub id: Option<String>,
    /// Else the id and the first digits of a SHA-256 over all that decides the vectors.
    pub fingerprint: Option<String>,
    pub pooling: Option<Pooling>,
    pub prefix: Option<String>,
    /// Cut to what the model's table of positions has room for.
    pub max_tokens: Option<usize>,
    pub normalise: Option<bool>,
}

/// A loaded encoder with its tokeniser.
pub struct BertEmbedder {
    info: ModelInfo,
    tokenizer: Arc<TextTokenizer>,
    engine: Box<dyn Engine>,
}

/// The model without its tokeniser: our own kernels on the processor, candle's on a GPU.
trait Engine: Send + Sync {
    /// Rows of the table of words.
    fn n_words(&self) -> usize;

    /// Bytes of the weights as they are kept.
    fn n_bytes(&self) -> usize;

    /// As [`Embedder::forward`]; the tokens have been checked.
    fn forward(&self, texts: &[&TokenIds], output: Output) -> Result<Vec<f32>, EmbedError>;
}

/// Which engine, and how it is to compute.
enum Place {
    Processor(Plan),
    Device { device: Device, precision: Precision, limits: Limits },
}

/// Loads a folder in the layout of sentence-transformers or of transformers.
///
/// # Errors
/// [`EmbedError::MissingFile`] and [`EmbedError::BadFile`] for the folder, [`EmbedError::Device`] for the device.
pub fn load(folder: &Path, settings: &LoadSettings) -> Result<BertEmbedder, EmbedError> {
    load_with(folder, settings, &Place::choose(settings)?)
}

fn load_with(folder: &Path, settings: &LoadSettings, place: &Place) -> Result<BertEmbedder, EmbedError> {
    let files = ModelFolder::read(folder)?;
    let config = BertConfig::read(&files.config)?;
    let asked = settings.max_tokens.or(files.max_tokens).unwrap_or(usize::MAX);
    let mut info = ModelInfo {
        id: settings.id.clone().unwrap_or_else(|| folder_name(folder)),
        fingerprint: String::new(),
        dimension: config.hidden_size,
        max_tokens: asked.min(config.position_limit()),
        pooling: settings.pooling.unwrap_or(files.pooling),
        normalised: settings.normalise.unwrap_or(files.normalise),
        prefix: settings.prefix.clone().unwrap_or_else(|| files.prefix.clone()),
        prompts: files.prompts.clone(),
        matryoshka_dimensions: files.matryoshka_dimensions.clone(),
        tokens: None,
        device: place.name(),
        precision: place.precision(),
        weight_bytes: 0,
        vocabulary_size: 0,
    };
    let shards = files.weights.iter().map(|file| Shard::read(file)).collect::<Result<Vec<_>, _>>()?;
    info.fingerprint = match &settings.fingerprint {
        Some(fingerprint) => fingerprint.clone(),
        None => fingerprint(&info, &files, &shards)?,
    };
    info.fingerprint += &place.suffix();
    let engine = place.load(config, &Weights::open(&shards)?, info.pooling)?;
    info.weight_bytes = engine.n_bytes();
    info.vocabulary_size = engine.n_words();
    drop(shards);
    let token_settings = TokenSettings {
        prefix: &info.prefix,
        max_tokens: info.max_tokens,
        lower_case: files.lower_case,
        n_words: engine.n_words(),
    };
    let tokenizer = Arc::new(TextTokenizer::read(&files.tokenizer, token_settings)?);
    info.tokens = Some(SharedTokens::new(tokenizer.clone()));
    Ok(BertEmbedder { info, tokenizer, engine })
}

impl Place {
    fn choose(settings: &LoadSettings) -> Result<Self, EmbedError> {
        match settings.device.open()? {
            Device::Cpu => Ok(Self::Processor(Plan::choose(settings.precision)?)),
            device => {
                let precision = device_precision(settings.precision)?;
                Ok(Self::Device { device, precision, limits: Limits::default() })
            }
        }
    }

    /// `cpu`, `cuda:0`, …
    fn name(&self) -> String {
        match self {
            Self::Processor(_) => name_of(&Device::Cpu),
            Self::Device { device, .. } => name_of(device),
        }
    }

    fn precision(&self) -> Precision {
        match self {
            Self::Processor(plan) => plan.precision,
            Self::Device { precision, .. } => *precision,
        }
    }

    /// What the fingerprint says of vectors that are near the exact ones, but not the same. A GPU multiplies `f32` as TF32.
    fn suffix(&self) -> String {
        match self {
            Self::Processor(plan) if plan.is_exact() => String::new(),
            Self::Device { precision: Precision::F32, .. } => "+tf32".into(),
            _ => format!("+{}", self.precision()),
        }
    }

    fn load(&self, config: BertConfig, weights: &Weights<'_>, pooling: Pooling) -> Result<Box<dyn Engine>, EmbedError> {
        match self {
            Self::Processor(plan) => {
                let dimension = config.hidden_size;
                Ok(Box::new(Processor { encoder: Encoder::load(config, weights, *plan)?, dimension, pooling }))
            }
            Self::Device { device, precision, limits } => {
                Ok(Box::new(DeviceEncoder::load(config, weights, pooling, (device, *precision), *limits)?))
            }
        }
    }
}

fn folder_name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    whole.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned())
}

/// Two folders have the same fingerprint only if they give the same vectors.
fn fingerprint(info: &ModelInfo, files: &ModelFolder, shards: &[Shard]) -> Result<String, EmbedError> {
    let mut hash = Sha256::new();
    for shard in shards {
        hash.update(&shard.bytes);
    }
    for file in [&files.tokenizer, &files.config] {
        hash.update(Shard::read(file)?.bytes);
    }
    let ModelInfo { pooling, normalised, prefix, max_tokens, .. } = info;
    hash.update(format!("{pooling:?} {normalised} {prefix:?} {max_tokens} {}", files.lower_case));
    let digits: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}@{digits}", info.id))
}

impl Embedder for BertEmbedder {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenize(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<TokenIds>, EmbedError> {
        self.tokenizer.encode(texts, prefix)
    }

    fn forward(&self, texts: &[&TokenIds], output: Output) -> Result<Vec<f32>, EmbedError> {
        self.check(texts)?;
        self.engine.forward(texts, output)
    }
}

impl BertEmbedder {
    fn check(&self, texts: &[&TokenIds]) -> Result<(), EmbedError> {
        let max_tokens = self.info.max_tokens;
        let n_words = self.engine.n_words();
        for text in texts {
            if text.ids.is_empty() || text.ids.len() > max_tokens {
                let n = text.ids.len();
                return Err(EmbedError::Forward(format!("a text of {n} tokens; 1 to {max_tokens} are taken")));
            }
            if let Some(id) = text.ids.iter().find(|&&id| id as usize >= n_words) {
                return Err(EmbedError::Forward(format!("no token has the id {id}; the model knows {n_words}")));
            }
        }
        Ok(())
    }
}
