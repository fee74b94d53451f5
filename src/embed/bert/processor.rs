//! The model on the processor: sub-batches that keep every thread busy, and pooling.

use super::encoder::Encoder;
use super::{Engine, batches};
use crate::embed::{EmbedError, Output, Pooling, TokenIds};
use crate::kernels::{Crew, Team};
use rayon::prelude::*;

/// Tokens of a sub-batch: enough for the matrix products to be at their best, few enough for what lies between two of them to
/// stay in a core's own caches.
const TOKENS_PER_BATCH: usize = 192;
/// So few tokens are shared by all threads: each would wait for the weights alone, and somebody waits for the answer.
const TOKENS_FOR_A_TEAM: usize = 96;

pub struct Processor {
    pub encoder: Encoder,
    pub dimension: usize,
    pub pooling: Pooling,
}

impl Engine for Processor {
    fn n_words(&self) -> usize {
        self.encoder.n_words()
    }

    fn n_bytes(&self) -> usize {
        self.encoder.n_bytes()
    }

    fn forward(&self, texts: &[&TokenIds], output: Output) -> Result<Vec<f32>, EmbedError> {
        let batches = batches_by_length(texts, rayon::current_num_threads());
        let parts: Vec<Vec<f32>> = match &batches[..] {
            [only] => vec![Crew::gather(|crew| self.forward_batch(texts, only, output, Team::Together(crew)))],
            _ => batches.par_iter().map(|batch| self.forward_batch(texts, batch, output, Team::Alone)).collect(),
        };
        Ok(batches::in_order(texts, &batches, &parts, output, self.dimension))
    }
}

impl Processor {
    /// What is asked for of these texts, one after the other.
    fn forward_batch(&self, texts: &[&TokenIds], batch: &[usize], output: Output, team: Team<'_>) -> Vec<f32> {
        let texts: Vec<&TokenIds> = batch.iter().map(|&text| texts[text]).collect();
        let mut vectors = Vec::new();
        let (dimension, width) = (self.dimension, self.encoder.width());
        self.encoder.forward(&texts, team, |rows| match output {
            Output::Tokens => rows.chunks_exact(width).for_each(|row| vectors.extend_from_slice(&row[..dimension])),
            Output::Pooled => vectors.extend(pool(rows, width, dimension, self.pooling)),
        });
        vectors
    }
}

/// One text's token vectors into its vector; of each row of `width` numbers the first `dimension` count.
fn pool(rows: &[f32], width: usize, dimension: usize, pooling: Pooling) -> Vec<f32> {
    match pooling {
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

/// Batches that keep `n_threads` threads busy to the end.
fn batches_by_length(tokens: &[&TokenIds], n_threads: usize) -> Vec<Vec<usize>> {
    let n_tokens: usize = tokens.iter().map(|text| text.ids.len()).sum();
    if n_tokens <= TOKENS_FOR_A_TEAM && !tokens.is_empty() {
        return vec![(0..tokens.len()).collect()];
    }
    let n_batches = n_tokens.div_ceil(TOKENS_PER_BATCH).next_multiple_of(n_threads.max(1));
    batches::by_length(tokens, n_tokens.div_ceil(n_batches.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn batches_hold_every_text_once_and_keep_to_the_budget(
            lengths in prop::collection::vec(1usize..600, 0..80), n_threads in 1usize..9
        ) {
            let tokens: Vec<TokenIds> =
                lengths.iter().map(|&length| TokenIds { ids: vec![0; length], truncated: false }).collect();
            let batches = batches_by_length(&tokens.iter().collect::<Vec<_>>(), n_threads);
            let mut seen: Vec<usize> = batches.iter().flatten().copied().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in &batches {
                let n_tokens = batch.iter().map(|&text| lengths[text]).sum::<usize>();
                prop_assert!(n_tokens <= TOKENS_PER_BATCH || batch.len() == 1);
            }
        }
    }

    #[test]
    fn pooling_is_the_mean_of_all_rows_or_the_first() {
        // Rows come padded to the width of the kernels' buffers.
        let rows = [3f32, 6.0, 0.0, 1.0, 2.0, 0.0, 2.0, 1.0, 0.0];
        assert_eq!(pool(&rows, 3, 2, Pooling::Mean), [2.0, 3.0]);
        assert_eq!(pool(&rows, 3, 2, Pooling::Cls), [3.0, 6.0]);
    }
}
