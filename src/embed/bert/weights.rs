//! Safetensors files into the parts of an encoder, by name and with their shapes checked. Everything is `f32` here, as the files
//! have it: `[n_outputs, n_inputs]`, row by row.

use super::config::{BertConfig, Family};
use crate::embed::EmbedError;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::path::{Path, PathBuf};

/// One weights file in memory. Read whole rather than mapped: a file that changes under a map is undefined behaviour.
pub struct Shard {
    pub file: PathBuf,
    pub bytes: Vec<u8>,
}

impl Shard {
    pub fn read(file: &Path) -> Result<Self, EmbedError> {
        let bytes = std::fs::read(file)
            .map_err(|error| EmbedError::BadFile { file: file.to_path_buf(), why: error.to_string() })?;
        Ok(Self { file: file.to_path_buf(), bytes })
    }
}

/// A linear layer: `[n_outputs, n_inputs]` and `[n_outputs]`.
pub struct Linear {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// A layer normalisation's parameters: `[hidden]` each.
pub struct Scaling {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

/// What comes before the layers.
pub struct Embeddings {
    /// `[n_words, hidden]`
    pub words: Vec<f32>,
    /// `[n_positions, hidden]`, the vector of token type 0 added: a single text has no other type.
    pub positions: Vec<f32>,
    pub norm: Scaling,
}

/// One layer.
pub struct LayerWeights {
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub output: Linear,
    pub output_norm: Scaling,
    pub up: Linear,
    pub down: Linear,
    pub down_norm: Scaling,
}

/// The tensors of all the shards, under the names they have without the family's prefix.
pub struct Weights<'a> {
    shards: Vec<(&'a Path, SafeTensors<'a>)>,
    /// `""`, `bert.`, `roberta.`, …: what the exporter put before every name.
    prefix: String,
}

/// Every family has this table, so what stands before its name is the prefix of all the others.
const WORDS: &str = "embeddings.word_embeddings.weight";

/// Where each family keeps a layer's parts.
struct LayerNames {
    layer: &'static str,
    query: &'static str,
    key: &'static str,
    value: &'static str,
    output: &'static str,
    output_norm: &'static str,
    up: &'static str,
    down: &'static str,
    down_norm: &'static str,
}

const BERT_NAMES: LayerNames = LayerNames {
    layer: "encoder.layer",
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    output: "attention.output.dense",
    output_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    down_norm: "output.LayerNorm",
};

const DISTILBERT_NAMES: LayerNames = LayerNames {
    layer: "transformer.layer",
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    output: "attention.out_lin",
    output_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    down_norm: "output_layer_norm",
};

impl<'a> Weights<'a> {
    pub fn open(shards: &'a [Shard]) -> Result<Self, EmbedError> {
        let mut parsed = Vec::with_capacity(shards.len());
        for shard in shards {
            let tensors = SafeTensors::deserialize(&shard.bytes).map_err(|error| EmbedError::BadFile {
                file: shard.file.clone(),
                why: format!("not a whole safetensors file ({error}); fetch it again"),
            })?;
            parsed.push((shard.file.as_path(), tensors));
        }
        let names = parsed.iter().flat_map(|(_, tensors)| tensors.names());
        let prefix = names.filter_map(|name| name.strip_suffix(WORDS)).min_by_key(|prefix| prefix.len());
        let prefix = prefix.unwrap_or_default().to_owned();
        Ok(Self { shards: parsed, prefix })
    }

    pub fn embeddings(&self, config: &BertConfig) -> Result<Embeddings, EmbedError> {
        let hidden = config.hidden_size;
        let words = self.get_table(WORDS, hidden)?;
        let mut positions = self.get("embeddings.position_embeddings.weight", &[config.n_positions, hidden])?;
        if config.family != Family::DistilBert {
            let types = self.get_table("embeddings.token_type_embeddings.weight", hidden)?;
            for row in positions.chunks_exact_mut(hidden) {
                row.iter_mut().zip(&types).for_each(|(position, first)| *position += first);
            }
        }
        Ok(Embeddings { words, positions, norm: self.norm("embeddings.LayerNorm", hidden)? })
    }

    pub fn layer(&self, config: &BertConfig, number: usize) -> Result<LayerWeights, EmbedError> {
        let names = match config.family {
            Family::DistilBert => &DISTILBERT_NAMES,
            Family::Bert | Family::Roberta => &BERT_NAMES,
        };
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let name = |part: &str| format!("{}.{number}.{part}", names.layer);
        Ok(LayerWeights {
            query: self.linear(&name(names.query), hidden, hidden)?,
            key: self.linear(&name(names.key), hidden, hidden)?,
            value: self.linear(&name(names.value), hidden, hidden)?,
            output: self.linear(&name(names.output), hidden, hidden)?,
            output_norm: self.norm(&name(names.output_norm), hidden)?,
            up: self.linear(&name(names.up), hidden, inner)?,
            down: self.linear(&name(names.down), inner, hidden)?,
            down_norm: self.norm(&name(names.down_norm), hidden)?,
        })
    }

    fn linear(&self, name: &str, n_inputs: usize, n_outputs: usize) -> Result<Linear, EmbedError> {
        let weight = self.get(&format!("{name}.weight"), &[n_outputs, n_inputs])?;
        let bias = self.get(&format!("{name}.bias"), &[n_outputs])?;
        Ok(Linear { weight, bias })
    }

    /// The scale and the shift of a layer normalisation, under their names of today or those of TensorFlow's exports.
    fn norm(&self, name: &str, size: usize) -> Result<Scaling, EmbedError> {
        let (mut scale, mut shift) = (format!("{name}.weight"), format!("{name}.bias"));
        if self.find(&scale).is_none() && self.find(&format!("{name}.gamma")).is_some() {
            (scale, shift) = (format!("{name}.gamma"), format!("{name}.beta"));
        }
        Ok(Scaling { scale: self.get(&scale, &[size])?, shift: self.get(&shift, &[size])? })
    }

    /// The tensor of that name, which must have that shape.
    fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EmbedError> {
        let (file, view) = self.find(name).ok_or_else(|| self.missing(name))?;
        if view.shape() != shape {
            let found = view.shape();
            return Err(bad(file, format!("{name} has the shape {found:?}, but config.json asks for {shape:?}")));
        }
        widen(&view).map_err(|why| bad(file, format!("{name}: {why}")))
    }

    /// As [`Weights::get`] for a table whose number of rows the file decides: `[n_rows, n_columns]`.
    fn get_table(&self, name: &str, n_columns: usize) -> Result<Vec<f32>, EmbedError> {
        let n_rows = self.find(name).and_then(|(_, view)| view.shape().first().copied()).unwrap_or_default();
        self.get(name, &[n_rows, n_columns])
    }

    fn find(&self, name: &str) -> Option<(&'a Path, TensorView<'_>)> {
        let full = format!("{}{name}", self.prefix);
        self.shards.iter().find_map(|(file, tensors)| Some((*file, tensors.tensor(&full).ok()?)))
    }

    fn missing(&self, name: &str) -> EmbedError {
        let file = self.shards.first().map_or_else(PathBuf::new, |(file, _)| file.to_path_buf());
        EmbedError::BadFile { file, why: format!("lacks the tensor {}{name}, which config.json asks for", self.prefix) }
    }
}

fn bad(file: &Path, why: String) -> EmbedError {
    EmbedError::BadFile { file: file.to_path_buf(), why }
}

fn widen(view: &TensorView<'_>) -> Result<Vec<f32>, String> {
    let data = view.data();
    let numbers = match view.dtype() {
        Dtype::F16 => data.as_chunks().0.iter().map(|&bytes| half::f16::from_le_bytes(bytes).to_f32()).collect(),
        Dtype::BF16 => data.as_chunks().0.iter().map(|&bytes| half::bf16::from_le_bytes(bytes).to_f32()).collect(),
        Dtype::F32 => data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect(),
        other => return Err(format!("{other:?} weights are not supported; f16, bf16 and f32 are")),
    };
    Ok(numbers)
}
