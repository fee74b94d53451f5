//! Texts into batches of like lengths, and what came of the batches back into the texts' order.

use crate::embed::{Output, TokenIds};
use std::cmp::Reverse;

/// Texts of like length together, the longest first: each batch within the budget of tokens, or one text that is longer than it.
pub fn by_length(texts: &[&TokenIds], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&text| Reverse(texts[text].ids.len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut n_tokens = 0;
    for text in order {
        let length = texts[text].ids.len();
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

/// The rows of all batches in the texts' order; `parts` are the batches' own rows, text by text.
pub fn in_order(
    texts: &[&TokenIds],
    batches: &[Vec<usize>],
    parts: &[Vec<f32>],
    output: Output,
    dimension: usize,
) -> Vec<f32> {
    let mut rows: Vec<&[f32]> = vec![&[]; texts.len()];
    for (batch, part) in batches.iter().zip(parts) {
        let mut rest = part.as_slice();
        for &text in batch {
            let n_rows = if output == Output::Tokens { texts[text].ids.len() } else { 1 };
            (rows[text], rest) = rest.split_at(n_rows * dimension);
        }
    }
    rows.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(lengths: &[usize]) -> Vec<TokenIds> {
        lengths.iter().map(|&length| TokenIds { ids: vec![0; length], truncated: false }).collect()
    }

    proptest! {
        #[test]
        fn every_text_is_in_one_batch_and_its_rows_come_back_to_its_place(
            lengths in prop::collection::vec(1usize..60, 0..40), budget in 1usize..200
        ) {
            let texts = texts(&lengths);
            let texts: Vec<&TokenIds> = texts.iter().collect();
            let batches = by_length(&texts, budget);
            for batch in &batches {
                prop_assert!(batch.iter().map(|&text| lengths[text]).sum::<usize>() <= budget || batch.len() == 1);
            }
            // Each row tells whose it is.
            let rows = |n_rows: fn(usize) -> usize| -> Vec<Vec<f32>> {
                let row = |&text: &usize| vec![text as f32; 2 * n_rows(lengths[text])];
                batches.iter().map(|batch| batch.iter().flat_map(row).collect()).collect()
            };
            let pooled: Vec<f32> = (0..lengths.len()).flat_map(|text| [text as f32; 2]).collect();
            prop_assert_eq!(in_order(&texts, &batches, &rows(|_| 1), Output::Pooled, 2), pooled);
            let tokens: Vec<f32> = (0..lengths.len()).flat_map(|text| vec![text as f32; 2 * lengths[text]]).collect();
            prop_assert_eq!(in_order(&texts, &batches, &rows(|length| length), Output::Tokens, 2), tokens);
        }
    }
}
