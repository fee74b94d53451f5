//! Any encoder of the BERT family, from a folder to vectors that equal those of sentence-transformers.

#[cfg(test)]
mod bad_folders;
mod config;
mod encoder;
mod plan;
#[cfg(test)]
mod tests;
mod tokens;
mod weights;

use super::device::{DeviceChoice, name_of};
use super::folder::ModelFolder;
use super::kernels::{Crew, Team};
use super::{EmbedError, Embedder, ModelInfo, Output, Pooling, PrecisionChoice, SharedTokens, TokenIds};
use config::BertConfig;
use encoder::Encoder;
use plan::Plan;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use tokens::{TextTokenizer, TokenSettings};
use weights::{Shard, Weights};

/// Tokens of a sub-batch: enough for the matrix products to be at their best, few enough for what lies between two of them to
/// stay in a core's own caches.
const TOKENS_PER_BATCH: usize = 192;
/// So few tokens are shared by all threads: each would wait for the weights alone, and somebody waits for the answer.
const TOKENS_FOR_A_TEAM: usize = 96;

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
    encoder: Encoder,
}

/// Loads a folder in the layout of sentence-transformers or of transformers.
///
/// # Errors
/// [`EmbedError::MissingFile`] and [`EmbedError::BadFile`] for the folder, [`EmbedError::Device`] for the device.
pub fn load(folder: &Path, settings: &LoadSettings) -> Result<BertEmbedder, EmbedError> {
    load_with(folder, settings, Plan::choose(settings.precision)?)
}

fn load_with(folder: &Path, settings: &LoadSettings, plan: Plan) -> Result<BertEmbedder, EmbedError> {
    let device = settings.device.open()?;
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
        device: name_of(&device),
        precision: plan.precision,
        weight_bytes: 0,
        vocabulary_size: 0,
    };
    let shards = files.weights.iter().map(|file| Shard::read(file)).collect::<Result<Vec<_>, _>>()?;
    info.fingerprint = match &settings.fingerprint {
        Some(fingerprint) => fingerprint.clone(),
        None => fingerprint(&info, &files, &shards)?,
    };
    // Vectors of another precision are near, but they are not the same.
    if !plan.is_exact() {
        info.fingerprint += &format!("+{}", plan.precision);
    }
    let encoder = Encoder::load(config, &Weights::open(&shards)?, plan)?;
    info.weight_bytes = encoder.n_bytes();
    info.vocabulary_size = encoder.n_words();
    drop(shards);
    let token_settings = TokenSettings {
        prefix: &info.prefix,
        max_tokens: info.max_tokens,
        lower_case: files.lower_case,
        n_words: encoder.n_words(),
    };
    let tokenizer = Arc::new(TextTokenizer::read(&files.tokenizer, token_settings)?);
    info.tokens = Some(SharedTokens::new(tokenizer.clone()));
    Ok(BertEmbedder { info, tokenizer, encoder })
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
        let batches = batches_by_length(texts, rayon::current_num_threads());
        let parts: Vec<Vec<f32>> = match &batches[..] {
            [only] => vec![Crew::gather(|crew| self.forward_batch(texts, only, output, Team::Together(crew)))],
            _ => batches.par_iter().map(|batch| self.forward_batch(texts, batch, output, Team::Alone)).collect(),
        };
        let dimension = self.info.dimension;
        let mut rows: Vec<&[f32]> = vec![&[]; texts.len()];
        for (batch, part) in batches.iter().zip(&parts) {
            let mut rest = part.as_slice();
            for &text in batch {
                let n_rows = if output == Output::Tokens { texts[text].ids.len() } else { 1 };
                (rows[text], rest) = rest.split_at(n_rows * dimension);
            }
        }
        Ok(rows.concat())
    }
}

impl BertEmbedder {
    fn check(&self, texts: &[&TokenIds]) -> Result<(), EmbedError> {
        let max_tokens = self.info.max_tokens;
        let n_words = self.encoder.n_words();
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

    /// What is asked for of these texts, one after the other.
    fn forward_batch(&self, texts: &[&TokenIds], batch: &[usize], output: Output, team: Team<'_>) -> Vec<f32> {
        let texts: Vec<&TokenIds> = batch.iter().map(|&text| texts[text]).collect();
        let mut vectors = Vec::new();
        let (dimension, width) = (self.info.dimension, self.encoder.width());
        self.encoder.forward(&texts, team, |rows| match output {
            Output::Tokens => rows.chunks_exact(width).for_each(|row| vectors.extend_from_slice(&row[..dimension])),
            Output::Pooled => vectors.extend(self.pool(rows)),
        });
        vectors
    }

    /// One text's token vectors into its vector.
    fn pool(&self, rows: &[f32]) -> Vec<f32> {
        let (dimension, width) = (self.info.dimension, self.encoder.width());
        match self.info.pooling {
            Pooling::Cls => rows[..dimension].to_vec(),
            Pooling::Mean => {
                let mut sum = vec![0f32; dimension];
                for row in rows.chunks_exact(width) {
                    sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
                }
                let n_rows = (rows.len() / width) as f32;
                sum.iter_mut().for_each(|sum| *sum /= n_rows);
                sum
            }
        }
    }
}

/// Texts of like length together, in batches that keep `n_threads` threads busy to the end: each within the token budget, or
/// one text that is longer than it.
fn batches_by_length(tokens: &[&TokenIds], n_threads: usize) -> Vec<Vec<usize>> {
    let n_tokens: usize = tokens.iter().map(|text| text.ids.len()).sum();
    if n_tokens <= TOKENS_FOR_A_TEAM && !tokens.is_empty() {
        return vec![(0..tokens.len()).collect()];
    }
    let n_batches = n_tokens.div_ceil(TOKENS_PER_BATCH).next_multiple_of(n_threads.max(1));
    let budget = n_tokens.div_ceil(n_batches.max(1));
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by_key(|&text| std::cmp::Reverse(tokens[text].ids.len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut n_tokens = 0;
    for text in order {
        let length = tokens[text].ids.len();
        match batches.last_mut() {
            Some(batch) if n_tokens + length <= budget => {
                batch.push(text);
                n_tokens += length;
            }
            _ => {
                batches.push(vec![text]);
                n_tokens = length;
            }
        }
    }
    batches
}
