//! The encoder: token ids of packed texts in, one vector a token out.
//!
//! The texts of a batch stand one after the other in `[n_tokens, hidden]`. There is no padding, so nothing is computed in
//! vain and no mask is needed.

use super::config::{BertConfig, Family};
use super::kernels::{self, Norm};
use super::weights::Weights;
use crate::embed::{EmbedError, TokenIds};
use candle_core::{Device, Result, Tensor};

pub struct Encoder {
    config: BertConfig,
    /// `[n_words, hidden]`
    words: Tensor,
    /// `[n_positions, hidden]`, the vector of token type 0 added: a single text has no other type.
    positions: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
}

/// Weights are `[n_inputs, n_outputs]`: transposed once, when they are loaded.
struct Layer {
    qkv: Tensor,
    qkv_bias: Tensor,
    output: Tensor,
    output_norm: Norm,
    up: Tensor,
    up_bias: Tensor,
    down: Tensor,
    down_norm: Norm,
}

impl Encoder {
    pub fn load(config: BertConfig, weights: &Weights<'_>, device: &Device) -> std::result::Result<Self, EmbedError> {
        let loader = Loader { config: &config, weights, device };
        let (words, positions, norm) = loader.embeddings()?;
        let layers = (0..config.n_layers).map(|number| loader.layer(number)).collect::<std::result::Result<_, _>>()?;
        Ok(Self { words, positions, norm, layers, config })
    }

    pub fn n_words(&self) -> usize {
        self.words.dims()[0]
    }

    pub fn device(&self) -> &Device {
        self.words.device()
    }

    /// `[n_tokens, hidden]`, the texts one after the other.
    pub fn forward(&self, texts: &[&TokenIds]) -> Result<Tensor> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
        let ids: Vec<u32> = texts.iter().flat_map(|text| text.ids.iter().copied()).collect();
        let positions: Vec<u32> = texts.iter().flat_map(|text| self.position_ids(&text.ids)).collect();
        let n_tokens = ids.len();
        let words = self.words.index_select(&Tensor::from_vec(ids, n_tokens, self.device())?, 0)?;
        let positions = self.positions.index_select(&Tensor::from_vec(positions, n_tokens, self.device())?, 0)?;
        let mut hidden = kernels::residual_norm(words, &positions, &self.norm)?;
        for layer in &self.layers {
            hidden = self.forward_layer(layer, &hidden, &lengths)?;
        }
        Ok(hidden)
    }

    fn forward_layer(&self, layer: &Layer, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let qkv = x.matmul(&layer.qkv)?;
        let attended = kernels::attention(&qkv, &layer.qkv_bias, lengths, self.config.n_heads)?;
        let x = kernels::residual_norm(attended.matmul(&layer.output)?, x, &layer.output_norm)?;
        let up = kernels::bias_activation(x.matmul(&layer.up)?, &layer.up_bias, self.config.activation)?;
        kernels::residual_norm(up.matmul(&layer.down)?, &x, &layer.down_norm)
    }

    /// BERT counts from 0. RoBERTa counts from the padding token's id plus 1, and gives a padding token that stands in the
    /// text itself the padding's own position.
    fn position_ids(&self, ids: &[u32]) -> Vec<u32> {
        if self.config.family != Family::Roberta {
            return (0u32..).take(ids.len()).collect();
        }
        let padding = self.config.pad_token_id;
        let mut last = padding;
        let next = |&id: &u32| {
            if id == padding {
                return padding;
            }
            last += 1;
            last
        };
        ids.iter().map(next).collect()
    }
}

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

struct Loader<'a> {
    config: &'a BertConfig,
    weights: &'a Weights<'a>,
    device: &'a Device,
}

type Loaded<T> = std::result::Result<T, EmbedError>;

impl Loader<'_> {
    /// The words, the positions with the token type in them, and the normalisation of their sum.
    fn embeddings(&self) -> Loaded<(Tensor, Tensor, Norm)> {
        let hidden = self.config.hidden_size;
        let words = self.weights.get_table("embeddings.word_embeddings.weight", hidden)?;
        let positions =
            self.weights.get("embeddings.position_embeddings.weight", &[self.config.n_positions, hidden])?;
        let positions = match self.config.family {
            Family::DistilBert => positions,
            Family::Bert | Family::Roberta => {
                let types = self.weights.get_table("embeddings.token_type_embeddings.weight", hidden)?;
                types.get(0).and_then(|first| positions.broadcast_add(&first)).map_err(device_error)?
            }
        };
        let no_bias = Tensor::zeros(hidden, candle_core::DType::F32, &Device::Cpu).map_err(device_error)?;
        Ok((self.place(words)?, self.place(positions)?, self.norm("embeddings.LayerNorm", &no_bias)?))
    }

    fn layer(&self, number: usize) -> Loaded<Layer> {
        let names = match self.config.family {
            Family::DistilBert => &DISTILBERT_NAMES,
            Family::Bert | Family::Roberta => &BERT_NAMES,
        };
        let (hidden, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let name = |part: &str| format!("{}.{number}.{part}", names.layer);
        let (query, query_bias) = self.linear(&name(names.query), hidden, hidden)?;
        let (key, key_bias) = self.linear(&name(names.key), hidden, hidden)?;
        let (value, value_bias) = self.linear(&name(names.value), hidden, hidden)?;
        let (output, output_bias) = self.linear(&name(names.output), hidden, hidden)?;
        let (up, up_bias) = self.linear(&name(names.up), hidden, inner)?;
        let (down, down_bias) = self.linear(&name(names.down), inner, hidden)?;
        let qkv = Tensor::cat(&[query, key, value], 1).map_err(device_error)?;
        let qkv_bias = Tensor::cat(&[query_bias, key_bias, value_bias], 0).map_err(device_error)?;
        Ok(Layer {
            qkv: self.place(qkv)?,
            qkv_bias: self.place(qkv_bias)?,
            output: self.place(output)?,
            output_norm: self.norm(&name(names.output_norm), &output_bias)?,
            up: self.place(up)?,
            up_bias: self.place(up_bias)?,
            down: self.place(down)?,
            down_norm: self.norm(&name(names.down_norm), &down_bias)?,
        })
    }

    /// The transposed weights `[n_inputs, n_outputs]` and the bias.
    fn linear(&self, name: &str, n_inputs: usize, n_outputs: usize) -> Loaded<(Tensor, Tensor)> {
        let weight = self.weights.get(&format!("{name}.weight"), &[n_outputs, n_inputs])?;
        let bias = self.weights.get(&format!("{name}.bias"), &[n_outputs])?;
        Ok((weight.t().map_err(device_error)?, bias))
    }

    fn norm(&self, name: &str, bias: &Tensor) -> Loaded<Norm> {
        let (scale, shift) = self.weights.get_norm(name, self.config.hidden_size)?;
        let packed = Tensor::stack(&[bias, &scale, &shift], 0).map_err(device_error)?;
        Ok(Norm { packed: self.place(packed)?, epsilon: self.config.layer_norm_eps })
    }

    fn place(&self, tensor: Tensor) -> Loaded<Tensor> {
        tensor.contiguous().and_then(|tensor| tensor.to_device(self.device)).map_err(device_error)
    }
}

fn device_error(error: candle_core::Error) -> EmbedError {
    EmbedError::Device(format!("the weights could not be placed on the device: {error}"))
}
