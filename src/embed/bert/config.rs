//! `config.json`: which of the family's shapes the folder holds, checked before any weight is read.

use crate::embed::EmbedError;
use crate::kernels::Activation;
use serde::Deserialize;
use std::path::Path;

/// The members of the family differ in the names of their weights and in how positions are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Bert,
    /// RoBERTa, XLM-RoBERTa and CamemBERT: positions start after the padding token's id.
    Roberta,
    /// BERT without token types, under other names.
    DistilBert,
}

/// The shape of the encoder, as checked.
#[derive(Debug, Clone, PartialEq)]
pub struct BertConfig {
    pub family: Family,
    pub hidden_size: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    pub intermediate_size: usize,
    pub activation: Activation,
    pub layer_norm_eps: f32,
    pub pad_token_id: u32,
    /// Rows of the table of positions.
    pub n_positions: usize,
}

/// The file as typed: DistilBERT has names of its own for the same things.
#[derive(Deserialize)]
struct RawConfig {
    model_type: Option<String>,
    hidden_size: Option<usize>,
    dim: Option<usize>,
    num_hidden_layers: Option<usize>,
    n_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    n_heads: Option<usize>,
    intermediate_size: Option<usize>,
    hidden_dim: Option<usize>,
    hidden_act: Option<String>,
    activation: Option<String>,
    layer_norm_eps: Option<f64>,
    pad_token_id: Option<u32>,
    max_position_embeddings: Option<usize>,
    position_embedding_type: Option<String>,
    is_decoder: Option<bool>,
}

impl BertConfig {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`EmbedError::BadFile`] naming the field and what is supported.
    pub fn read(file: &Path) -> Result<Self, EmbedError> {
        let bad = |why: String| EmbedError::BadFile { file: file.to_path_buf(), why };
        let text = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
        let raw: RawConfig =
            serde_json::from_slice(&text).map_err(|error| bad(format!("not a model's config: {error}")))?;
        raw.check().map_err(bad)
    }

    /// The most tokens the table of positions has room for, the special ones included.
    pub fn position_limit(&self) -> usize {
        match self.family {
            Family::Roberta => self.n_positions.saturating_sub(self.pad_token_id as usize + 1),
            Family::Bert | Family::DistilBert => self.n_positions,
        }
    }
}

impl RawConfig {
    fn check(self) -> Result<BertConfig, String> {
        let family = family(self.model_type.as_deref())?;
        if self.is_decoder == Some(true) {
            return Err("is_decoder is true, and a decoder gives no text vectors; take an encoder".into());
        }
        if let Some(kind) = self.position_embedding_type.filter(|kind| kind != "absolute") {
            return Err(format!("position_embedding_type {kind:?} is not supported, only \"absolute\" is"));
        }
        let config = BertConfig {
            family,
            hidden_size: positive("hidden_size", self.hidden_size.or(self.dim))?,
            n_layers: positive("num_hidden_layers", self.num_hidden_layers.or(self.n_layers))?,
            n_heads: positive("num_attention_heads", self.num_attention_heads.or(self.n_heads))?,
            intermediate_size: positive("intermediate_size", self.intermediate_size.or(self.hidden_dim))?,
            activation: activation(self.hidden_act.or(self.activation).as_deref())?,
            layer_norm_eps: self.layer_norm_eps.unwrap_or(1e-12) as f32,
            pad_token_id: self.pad_token_id.unwrap_or(u32::from(family == Family::Roberta)),
            n_positions: positive("max_position_embeddings", self.max_position_embeddings)?,
        };
        if !config.hidden_size.is_multiple_of(config.n_heads) {
            let (hidden, heads) = (config.hidden_size, config.n_heads);
            return Err(format!("hidden_size {hidden} cannot be shared among num_attention_heads {heads}"));
        }
        Ok(config)
    }
}

fn family(model_type: Option<&str>) -> Result<Family, String> {
    match model_type {
        Some("bert") => Ok(Family::Bert),
        Some("roberta" | "xlm-roberta" | "camembert") => Ok(Family::Roberta),
        Some("distilbert") => Ok(Family::DistilBert),
        Some(other) => Err(format!(
            "model_type {other:?} is not supported; bert, roberta, xlm-roberta, camembert and distilbert are"
        )),
        None => Err("model_type is missing; write the model's family there, such as \"bert\"".into()),
    }
}

fn activation(name: Option<&str>) -> Result<Activation, String> {
    match name {
        None | Some("gelu" | "gelu_python") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => Ok(Activation::GeluTanh),
        Some("relu") => Ok(Activation::Relu),
        Some(other) => {
            Err(format!("hidden_act {other:?} is not supported; gelu, gelu_new, gelu_pytorch_tanh and relu are"))
        }
    }
}

fn positive(name: &str, value: Option<usize>) -> Result<usize, String> {
    match value {
        Some(0) => Err(format!("{name} is 0")),
        Some(value) => Ok(value),
        None => Err(format!("{name} is missing")),
    }
}
