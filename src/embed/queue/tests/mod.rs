//! The queue's laws: those of the schedule without a thread, those of the thread with a model that waits for a word.

mod laws;
mod threads;

use super::*;
use crate::embed::{Pooling, Precision};

pub const DIMENSION: usize = 2;

pub fn info() -> ModelInfo {
    ModelInfo {
        id: "fake".into(),
        fingerprint: "fake".into(),
        dimension: DIMENSION,
        max_tokens: 64,
        pooling: Pooling::Mean,
        normalised: true,
        prefix: String::new(),
        prompts: Default::default(),
        matryoshka_dimensions: Vec::new(),
        tokens: None,
        device: "cpu".into(),
        precision: Precision::F32,
        weight_bytes: 0,
        vocabulary_size: 256,
    }
}

/// One byte, one token.
pub fn tokens(text: &str) -> TokenIds {
    let max_tokens = info().max_tokens;
    TokenIds { ids: text.bytes().take(max_tokens).map(u32::from).collect(), truncated: text.len() > max_tokens }
}

/// A vector that tells the text: a hash and the length, or every token with its place.
pub fn vectors(texts: &[&TokenIds], output: Output) -> Vec<f32> {
    let pooled = |ids: &[u32]| {
        let hash = ids.iter().fold(7u32, |hash, id| hash.wrapping_mul(31).wrapping_add(*id) % 65_521);
        vec![hash as f32, ids.len() as f32]
    };
    let every = |ids: &[u32]| ids.iter().enumerate().flat_map(|(at, id)| [*id as f32, at as f32]).collect();
    texts.iter().flat_map(|text| if output == Output::Pooled { pooled(&text.ids) } else { every(&text.ids) }).collect()
}
