//! candle's own BertModel as a rival in `make bench-embed`: what one has by calling candle-transformers as its example does.
//!
//! `stock_candle MODEL_FOLDER INPUTS_FOLDER [BATCH]`
//!
//! f32, batches of one size sorted by token count, each padded to its longest text, mean pooling. It is built with this
//! project's dependencies, hence with gemm's AVX-512 kernels, which candle alone would not have.

mod worker;

use anyhow::{Context, anyhow};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use clientele::embed::{Embeddings, normalise};
use std::path::Path;
use tokenizers::{Tokenizer, TruncationParams};
use worker::Hello;

/// What the model was trained to read; ours and the other rivals cut there too.
const MAX_TOKENS: usize = 256;

struct Stock {
    model: BertModel,
    tokenizer: Tokenizer,
    batch: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, inputs, batch @ ..] = &arguments[..] else {
        anyhow::bail!("usage: stock_candle MODEL_FOLDER INPUTS_FOLDER [BATCH]");
    };
    let batch = batch.first().map_or(Ok(32), |batch| batch.parse()).context("BATCH is not a number")?;
    let stock = Stock::load(Path::new(folder), batch)?;
    let setting = format!("batch {batch}, gemm with AVX-512");
    worker::serve(&Hello { setting }, Path::new(inputs), &|texts| stock.embed(texts))
}

impl Stock {
    fn load(folder: &Path, batch: usize) -> anyhow::Result<Self> {
        let config: Config = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
        let weights = std::fs::read(folder.join("model.safetensors"))?;
        let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
        let model = BertModel::load(weights, &config)?;
        let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).map_err(|error| anyhow!(error))?;
        let cut = TruncationParams { max_length: MAX_TOKENS, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(cut)).map_err(|error| anyhow!(error))?.with_padding(None);
        Ok(Self { model, tokenizer, batch: batch.max(1) })
    }

    fn embed(&self, texts: &[&str]) -> anyhow::Result<Embeddings> {
        let encoded = self.tokenizer.encode_batch_fast(texts.to_vec(), true).map_err(|error| anyhow!(error))?;
        let ids: Vec<&[u32]> = encoded.iter().map(|text| text.get_ids()).collect();
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|&text| ids[text].len());
        let mut rows: Vec<Vec<f32>> = vec![Vec::new(); ids.len()];
        for batch in order.chunks(self.batch) {
            let batch_ids: Vec<&[u32]> = batch.iter().map(|&text| ids[text]).collect();
            for (&text, row) in batch.iter().zip(self.forward(&batch_ids)?) {
                rows[text] = row;
            }
        }
        let dimension = rows.first().map_or(0, Vec::len);
        let n_tokens = ids.iter().map(|text| text.len()).sum();
        Ok(Embeddings { dimension, values: rows.concat(), n_tokens, n_truncated: 0 })
    }

    /// One padded batch into vectors of unit length.
    fn forward(&self, ids: &[&[u32]]) -> anyhow::Result<Vec<Vec<f32>>> {
        let longest = ids.iter().map(|text| text.len()).max().unwrap_or(0);
        let padded = |text: &&[u32]| [text, vec![0; longest - text.len()].as_slice()].concat();
        let mask = |text: &&[u32]| [vec![1f32; text.len()], vec![0f32; longest - text.len()]].concat();
        let tensor_ids: Vec<u32> = ids.iter().flat_map(padded).collect();
        let mask: Vec<f32> = ids.iter().flat_map(mask).collect();
        let tensor_ids = Tensor::from_vec(tensor_ids, (ids.len(), longest), &Device::Cpu)?;
        let mask = Tensor::from_vec(mask, (ids.len(), longest), &Device::Cpu)?;
        let tokens = self.model.forward(&tensor_ids, &tensor_ids.zeros_like()?, Some(&mask))?;
        let weights = mask.unsqueeze(2)?;
        let sums = tokens.broadcast_mul(&weights)?.sum(1)?;
        let mut rows = sums.broadcast_div(&weights.sum(1)?)?.to_vec2::<f32>()?;
        rows.iter_mut().for_each(|row| normalise(row));
        Ok(rows)
    }
}
