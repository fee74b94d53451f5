//! Which texts of a request have to be computed: each different one that the cache lacks, once.

use super::super::cache::{CachedVector, Epoch, Key, Space, VectorCache};
use super::super::{Embeddings, ModelInfo, TokenIds};
use std::collections::HashMap;
use std::sync::Arc;

/// What tokenising told of a text.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    n_tokens: usize,
    truncated: bool,
}

pub fn tell(tokens: &[TokenIds]) -> Vec<Told> {
    tokens.iter().map(|text| Told { n_tokens: text.ids.len(), truncated: text.truncated }).collect()
}

/// A request's texts, by what is known of them.
pub struct Plan {
    /// For every text, which of the different ones it is.
    text_is: Vec<usize>,
    keys: Vec<Key>,
    vectors: Vec<Option<Arc<CachedVector>>>,
    looked_up: Epoch,
}

impl Plan {
    /// Also gives the texts that are missing, in the order [`Plan::fill`] wants their vectors.
    pub fn new(cache: &VectorCache, space: &Space, texts: Vec<String>) -> (Self, Vec<String>) {
        let (mut seen, mut keys, mut different) = (HashMap::new(), Vec::new(), Vec::new());
        let all: Vec<Key> = space.keys(texts.iter().map(String::as_str)).collect();
        let n_texts = texts.len();
        let mut text_is = Vec::with_capacity(n_texts);
        for (key, text) in all.into_iter().zip(texts) {
            let which = *seen.entry(key).or_insert(keys.len());
            if which == keys.len() {
                keys.push(key);
                different.push(text);
            }
            text_is.push(which);
        }
        let (vectors, looked_up) = cache.get(&keys);
        let missing = different.into_iter().zip(&vectors).filter(|(_, known)| known.is_none());
        let missing: Vec<String> = missing.map(|(text, _)| text).collect();
        metrics::counter!("clientele_embed_cache_hits_total").increment((n_texts - missing.len()) as u64);
        metrics::counter!("clientele_embed_cache_misses_total").increment(missing.len() as u64);
        (Self { text_is, keys, vectors, looked_up }, missing)
    }

    /// Takes the missing vectors in, and keeps them for others.
    pub fn fill<'a>(&mut self, cache: &VectorCache, space: &Space, computed: impl Iterator<Item = (&'a [f32], Told)>) {
        let missing = self.keys.iter().zip(&mut self.vectors).filter(|(_, known)| known.is_none());
        let mut fresh = Vec::new();
        for ((key, vector), (row, Told { n_tokens, truncated })) in missing.zip(computed) {
            let computed = Arc::new(CachedVector { row: row.to_vec(), n_tokens, truncated });
            fresh.push((*key, Arc::clone(&computed)));
            *vector = Some(computed);
        }
        cache.put(space, fresh, self.looked_up);
    }

    /// The request's answer, once nothing is missing.
    pub fn embeddings(&self, info: &ModelInfo) -> Embeddings {
        let mut all = Embeddings { dimension: info.dimension, ..Embeddings::default() };
        all.values.reserve_exact(self.text_is.len() * info.dimension);
        for vector in self.text_is.iter().filter_map(|&which| self.vectors[which].as_deref()) {
            all.values.extend_from_slice(&vector.row);
            all.n_tokens += vector.n_tokens;
            all.n_truncated += usize::from(vector.truncated);
        }
        info.finish(&mut all.values);
        all
    }
}
