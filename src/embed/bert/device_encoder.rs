//! The encoder on a GPU, in candle's operations: token ids of packed texts in, a vector a text or a token out.
//!
//! Tokens stand packed in `[n_tokens, hidden]`, as on the processor; attention alone pads ([`buckets`]). In half precision the
//! weights and the large matrix products are `f16` or bf16. The residual stream, the normalisations and all of attention are
//! `f32`: a score rounded to a half is off by more than its softmax forgives, and the usual mask, the least number of the type,
//! becomes an infinity in `f16` and NaN when it is multiplied with 0. Attention in `f32` also saves two passes over the scores,
//! the largest thing there is; its products run on the tensor cores all the same, as TF32 (`device/mod.rs` turns that on).
//!
//! Nothing here asks which device it is on, so the tests run it on candle's processor.

use super::buckets::{self, Bucket};
use super::config::BertConfig;
use super::encoder::position_ids;
use super::weights::{Embeddings, LayerWeights, Linear, Scaling, Weights};
use super::{Engine, batches};
use crate::embed::{EmbedError, Output, Pooling, Precision, TokenIds};
use crate::kernels::Activation;
use candle_core::{DType, Device, Module, Result, Tensor};
use std::sync::{Mutex, PoisonError};

/// Bounds of what a batch takes of the device's memory.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Tokens of a batch, or one text that is longer.
    pub n_tokens: usize,
    /// Scores of attention at a time, or those of one query in all heads.
    pub n_scores: usize,
}

impl Default for Limits {
    /// A model of 768 columns takes less than a gigabyte besides its weights; larger batches are no faster.
    fn default() -> Self {
        Self { n_tokens: 16 * 1024, n_scores: 32 * 1024 * 1024 }
    }
}

pub struct DeviceEncoder {
    config: BertConfig,
    pooling: Pooling,
    device: Device,
    /// What the large products are computed in.
    dtype: DType,
    limits: Limits,
    /// `[n_words, hidden]`
    words: Tensor,
    /// `[n_positions, hidden]`
    positions: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
    /// Held while a batch is on the device, so that there is one at a time.
    turn: Mutex<()>,
}

struct Layer {
    qkv: Dense,
    output: Dense,
    output_norm: Norm,
    up: Dense,
    down: Dense,
    down_norm: Norm,
}

/// Weights as files have them, `[n_outputs, n_inputs]`: rows of numbers that are multiplied lie together, as cuBLAS likes them.
struct Dense {
    weight: Tensor,
    bias: Tensor,
}

struct Norm {
    scale: Tensor,
    shift: Tensor,
    epsilon: f32,
}

/// A bucket with its indices on the device, made once a batch for all layers.
struct Group<'a> {
    bucket: Bucket<'a>,
    /// Only where texts are padded.
    padding: Option<Padding>,
}

struct Padding {
    /// `[n_rows]`: the token of each row.
    rows: Tensor,
    /// `[n_texts, 1, 1, length]`: what is added to scores.
    mask: Tensor,
}

impl DeviceEncoder {
    pub fn load(
        config: BertConfig,
        weights: &Weights<'_>,
        pooling: Pooling,
        (device, precision): (&Device, Precision),
        limits: Limits,
    ) -> std::result::Result<Self, EmbedError> {
        let place = |error: candle_core::Error| {
            EmbedError::Device(format!("the weights could not be placed on the device: {error}"))
        };
        let loader = Loader { config: &config, device, dtype: dtype(precision) };
        let Embeddings { words, positions, norm } = weights.embeddings(&config)?;
        let words = loader.rows(words, loader.dtype).map_err(place)?;
        let positions = loader.rows(positions, DType::F32).map_err(place)?;
        let norm = loader.norm(norm).map_err(place)?;
        let layer = |number| loader.layer(weights.layer(&config, number)?).map_err(place);
        let layers = (0..config.n_layers).map(layer).collect::<std::result::Result<_, _>>()?;
        // candle gives every thread a queue of its own on the device, and the model is used on other threads than this one: the
        // weights must have arrived. A batch ends by fetching its result, so nothing of it is under way after its turn.
        device.synchronize().map_err(place)?;
        let (device, dtype) = (device.clone(), loader.dtype);
        Ok(Self { pooling, device, dtype, limits, words, positions, norm, layers, config, turn: Mutex::default() })
    }

    /// What is asked for of a batch whose texts stand in the order of their lengths, the longest first.
    fn forward_batch(&self, texts: &[&TokenIds], output: Output) -> Result<Vec<f32>> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
        let groups =
            buckets::split(&lengths).into_iter().map(|bucket| self.group(bucket)).collect::<Result<Vec<_>>>()?;
        let places = match groups.iter().any(|group| group.padding.is_some()) {
            true => Some(self.indices(buckets::places(&buckets::split(&lengths)))?),
            false => None,
        };
        let mut x = self.embed(texts)?;
        for layer in &self.layers {
            let mixed = self.attend(&layer.qkv.forward(&x.to_dtype(self.dtype)?)?, &groups, places.as_ref())?;
            x = layer.output_norm.after(&layer.output.forward(&mixed)?, &x)?;
            let inner = self.activate(&layer.up.forward(&x.to_dtype(self.dtype)?)?)?;
            x = layer.down_norm.after(&layer.down.forward(&inner)?, &x)?;
        }
        match output {
            Output::Tokens => x,
            Output::Pooled => self.pool(&x, &groups)?,
        }
        .flatten_all()?
        .to_vec1()
    }

    fn group<'a>(&self, bucket: Bucket<'a>) -> Result<Group<'a>> {
        if !bucket.is_padded() {
            return Ok(Group { bucket, padding: None });
        }
        let shape = (bucket.lengths.len(), 1, 1, bucket.length());
        let mask = Tensor::from_vec(bucket.mask(), shape, &self.device)?;
        let padding = Padding { rows: self.indices(bucket.rows())?, mask };
        Ok(Group { bucket, padding: Some(padding) })
    }

    fn indices(&self, indices: Vec<u32>) -> Result<Tensor> {
        let n = indices.len();
        Tensor::from_vec(indices, n, &self.device)
    }

    /// The sum of word, position and type, normalised: `[n_tokens, hidden]`.
    fn embed(&self, texts: &[&TokenIds]) -> Result<Tensor> {
        let ids = texts.iter().flat_map(|text| text.ids.iter().copied()).collect();
        let positions = texts.iter().flat_map(|text| position_ids(&self.config, &text.ids)).collect();
        let words = self.words.index_select(&self.indices(ids)?, 0)?;
        self.norm.after(&words, &self.positions.index_select(&self.indices(positions)?, 0)?)
    }

    fn activate(&self, x: &Tensor) -> Result<Tensor> {
        match self.config.activation {
            Activation::Gelu => x.gelu_erf(),
            Activation::GeluTanh => x.gelu(),
            Activation::Relu => x.relu(),
        }
    }

    /// Attention of every text to itself: `[n_tokens, 3 · hidden]` in, `[n_tokens, hidden]` out. `places` are the tokens' rows in
    /// the padded groups.
    fn attend(&self, qkv: &Tensor, groups: &[Group<'_>], places: Option<&Tensor>) -> Result<Tensor> {
        let parts = groups.iter().map(|group| self.attend_group(qkv, group)).collect::<Result<Vec<_>>>()?;
        let rows = Tensor::cat(&parts, 0)?;
        places.map_or_else(|| Ok(rows.clone()), |places| rows.index_select(places, 0))
    }

    fn attend_group(&self, qkv: &Tensor, group: &Group<'_>) -> Result<Tensor> {
        let (n_texts, length) = (group.bucket.lengths.len(), group.bucket.length());
        let (hidden, n_heads) = (self.config.hidden_size, self.config.n_heads);
        let split = (n_texts, length, 3, n_heads, hidden / n_heads);
        let split = group.rows_of(qkv)?.reshape(split)?.permute((2, 0, 3, 1, 4))?.contiguous()?.to_dtype(DType::F32)?;
        let texts_at_once = (self.limits.n_scores / (n_heads * length * length)).clamp(1, n_texts);
        let mut parts = Vec::new();
        for first in (0..n_texts).step_by(texts_at_once) {
            let n = texts_at_once.min(n_texts - first);
            let mask = group.padding.as_ref().map(|padding| padding.mask.narrow(0, first, n)).transpose()?;
            parts.push(self.mix(&split.narrow(1, first, n)?, mask.as_ref())?);
        }
        Tensor::cat(&parts, 0)?.reshape((n_texts * length, hidden))?.to_dtype(self.dtype)
    }

    /// `[3, n_texts, n_heads, length, head_size]` into `[n_texts, length, n_heads, head_size]`. Queries are scaled already.
    fn mix(&self, qkv: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (queries, keys, values) = (qkv.get(0)?, qkv.get(1)?.contiguous()?, qkv.get(2)?.contiguous()?);
        let (n_texts, n_heads, length, _) = queries.dims4()?;
        let queries_at_once = (self.limits.n_scores / (n_texts * n_heads * length)).clamp(1, length);
        let mut parts = Vec::new();
        for first in (0..length).step_by(queries_at_once) {
            let queries = queries.narrow(2, first, queries_at_once.min(length - first))?.contiguous()?;
            let scores = queries.matmul(&keys.t()?)?;
            let scores = mask.map_or_else(|| Ok(scores.clone()), |mask| scores.broadcast_add(mask))?;
            parts.push(candle_nn::ops::softmax_last_dim(&scores)?.matmul(&values)?);
        }
        Tensor::cat(&parts, 2)?.transpose(1, 2)?.contiguous()
    }

    /// One vector a text, `[n_texts, hidden]`, so that no more than that leaves the device.
    fn pool(&self, x: &Tensor, groups: &[Group<'_>]) -> Result<Tensor> {
        if self.pooling == Pooling::Cls {
            let lengths = groups.iter().flat_map(|group| group.bucket.lengths);
            let first = |next: &mut u32, &length: &usize| Some(std::mem::replace(next, *next + length as u32));
            return x.index_select(&self.indices(lengths.scan(0, first).collect())?, 0);
        }
        let means = groups.iter().map(|group| {
            let (n_texts, length) = (group.bucket.lengths.len(), group.bucket.length());
            let shares = Tensor::from_vec(group.bucket.shares(), (n_texts, length, 1), &self.device)?;
            group.rows_of(x)?.reshape((n_texts, length, ()))?.broadcast_mul(&shares)?.sum(1)
        });
        Tensor::cat(&means.collect::<Result<Vec<_>>>()?, 0)
    }
}

impl Group<'_> {
    /// The group's rows of a tensor that has one a token.
    fn rows_of(&self, x: &Tensor) -> Result<Tensor> {
        match &self.padding {
            Some(padding) => x.index_select(&padding.rows, 0),
            None => x.narrow(0, self.bucket.tokens.start, self.bucket.tokens.len()),
        }
    }
}

impl Module for Dense {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)
    }
}

impl Norm {
    /// The sum of what a product gave and the residual, normalised: all in `f32`.
    fn after(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let sum = x.to_dtype(DType::F32)?.add(residual)?;
        candle_nn::ops::layer_norm(&sum, &self.scale, &self.shift, self.epsilon)
    }
}

impl Engine for DeviceEncoder {
    fn n_words(&self) -> usize {
        self.words.dims()[0]
    }

    fn n_bytes(&self) -> usize {
        let denses = self.layers.iter().flat_map(|layer| [&layer.qkv, &layer.output, &layer.up, &layer.down]);
        let weights = denses.map(|dense| &dense.weight).chain([&self.words, &self.positions]);
        weights.map(|weight| weight.elem_count() * weight.dtype().size_in_bytes()).sum()
    }

    fn forward(&self, texts: &[&TokenIds], output: Output) -> std::result::Result<Vec<f32>, EmbedError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = batches::by_length(texts, self.limits.n_tokens);
        let parts = batches.iter().map(|batch| {
            let texts: Vec<&TokenIds> = batch.iter().map(|&text| texts[text]).collect();
            self.forward_batch(&texts, output).map_err(|error| EmbedError::Forward(format!("on the device: {error}")))
        });
        let parts = parts.collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(batches::in_order(texts, &batches, &parts, output, self.config.hidden_size))
    }
}

/// int8 is refused before a model is loaded.
fn dtype(precision: Precision) -> DType {
    match precision {
        Precision::F16 => DType::F16,
        Precision::Bf16 => DType::BF16,
        Precision::F32 | Precision::Int8 => DType::F32,
    }
}

/// Puts weights on the device, in the type of the products.
struct Loader<'a> {
    config: &'a BertConfig,
    device: &'a Device,
    dtype: DType,
}

impl Loader<'_> {
    fn layer(&self, weights: LayerWeights) -> Result<Layer> {
        let LayerWeights { query, key, value, output, output_norm, up, down, down_norm } = weights;
        Ok(Layer {
            qkv: self.dense(self.joined([query, key, value]))?,
            output: self.dense(output)?,
            output_norm: self.norm(output_norm)?,
            up: self.dense(up)?,
            down: self.dense(down)?,
            down_norm: self.norm(down_norm)?,
        })
    }

    /// Queries, keys and values as one layer. Queries are scaled here, in `f32` still, so that scores need not be.
    fn joined(&self, [mut query, key, value]: [Linear; 3]) -> Linear {
        let scale = 1.0 / ((self.config.hidden_size / self.config.n_heads) as f32).sqrt();
        query.weight.iter_mut().chain(&mut query.bias).for_each(|x| *x *= scale);
        Linear {
            weight: [query.weight, key.weight, value.weight].concat(),
            bias: [query.bias, key.bias, value.bias].concat(),
        }
    }

    fn dense(&self, linear: Linear) -> Result<Dense> {
        let n_outputs = linear.bias.len();
        let weight = Tensor::from_vec(linear.weight, (n_outputs, ()), &Device::Cpu)?;
        let bias = Tensor::from_vec(linear.bias, n_outputs, &Device::Cpu)?;
        Ok(Dense { weight: self.place(&weight, self.dtype)?, bias: self.place(&bias, self.dtype)? })
    }

    fn norm(&self, Scaling { scale, shift }: Scaling) -> Result<Norm> {
        let place = |numbers: Vec<f32>| self.place(&Tensor::new(numbers, &Device::Cpu)?, DType::F32);
        Ok(Norm { scale: place(scale)?, shift: place(shift)?, epsilon: self.config.layer_norm_eps })
    }

    /// A table of `hidden` columns.
    fn rows(&self, numbers: Vec<f32>, dtype: DType) -> Result<Tensor> {
        self.place(&Tensor::from_vec(numbers, ((), self.config.hidden_size), &Device::Cpu)?, dtype)
    }

    fn place(&self, tensor: &Tensor, dtype: DType) -> Result<Tensor> {
        tensor.to_dtype(dtype)?.to_device(self.device)
    }
}
