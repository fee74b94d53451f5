//! Which texts of a batch go through attention together on a device.
//!
//! A GPU takes longer to be told of a step than to do a small one, so attention text by text, or length by length, would keep it
//! waiting. Neighbours in the order of their lengths are padded to the longest of them instead, in attention alone: all other
//! steps see packed tokens.

use std::ops::Range;

/// Lengths up to here go together: their attention is a step of any size to a GPU.
const SHORT: usize = 32;
/// What is added to the scores of padding: finite, so that no row turns into NaN, and so low that its share is exactly 0.
const UNSEEN: f32 = -1e9;

/// Texts that are padded to one length: `[n_texts, length]`.
#[derive(Debug, PartialEq, Eq)]
pub struct Bucket<'a> {
    /// Its texts' tokens, the longest first.
    pub lengths: &'a [usize],
    /// Its tokens among those of the batch.
    pub tokens: Range<usize>,
}

/// Splits texts that stand in the order of their lengths, the longest first. A bucket goes down to half of its longest text, so
/// 512 tokens and less make five buckets at most.
pub fn split(lengths: &[usize]) -> Vec<Bucket<'_>> {
    let mut buckets: Vec<Bucket<'_>> = Vec::new();
    let (mut first, mut first_token) = (0, 0);
    while let Some(&longest) = lengths.get(first) {
        let least = if longest <= SHORT { 1 } else { longest.div_ceil(2) };
        let n_texts = lengths[first..].iter().take_while(|&&length| length >= least).count();
        let lengths = &lengths[first..first + n_texts];
        let n_tokens = lengths.iter().sum::<usize>();
        buckets.push(Bucket { lengths, tokens: first_token..first_token + n_tokens });
        (first, first_token) = (first + n_texts, first_token + n_tokens);
    }
    buckets
}

impl Bucket<'_> {
    /// What its texts are padded to.
    pub fn length(&self) -> usize {
        self.lengths.first().copied().unwrap_or_default()
    }

    /// Rows of it with its padding.
    pub fn n_rows(&self) -> usize {
        self.lengths.len() * self.length()
    }

    pub fn is_padded(&self) -> bool {
        self.n_rows() > self.tokens.len()
    }

    /// The token of the batch that stands in each row; in padding it is the text's own first, a row of ordinary numbers.
    pub fn rows(&self) -> Vec<u32> {
        let mut first = self.tokens.start;
        let mut rows = Vec::with_capacity(self.n_rows());
        for &length in self.lengths {
            rows.extend((0..self.length()).map(|place| (first + if place < length { place } else { 0 }) as u32));
            first += length;
        }
        rows
    }

    /// What is added to the scores of each row as a key.
    pub fn mask(&self) -> Vec<f32> {
        self.each_row(|_| 0.0, UNSEEN)
    }

    /// What each row counts for in the mean of its text.
    pub fn shares(&self) -> Vec<f32> {
        self.each_row(|length| 1.0 / length as f32, 0.0)
    }

    fn each_row(&self, token: impl Fn(usize) -> f32, padding: f32) -> Vec<f32> {
        let text = |&length: &usize| (0..self.length()).map(move |place| (place < length, length));
        self.lengths.iter().flat_map(text).map(|(real, length)| if real { token(length) } else { padding }).collect()
    }
}

/// The row of each token of the batch where the buckets stand one after the other with their padding.
pub fn places(buckets: &[Bucket<'_>]) -> Vec<u32> {
    let mut places = Vec::new();
    let mut first = 0;
    for bucket in buckets {
        for &length in bucket.lengths {
            places.extend((first..first + length).map(|row| row as u32));
            first += bucket.length();
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_token_goes_into_one_row_and_comes_back(mut lengths in prop::collection::vec(1usize..513, 0..40)) {
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            let buckets = split(&lengths);
            prop_assert!(buckets.len() <= 5);
            let rows: Vec<u32> = buckets.iter().flat_map(Bucket::rows).collect();
            let back: Vec<u32> = places(&buckets).into_iter().map(|place| rows[place as usize]).collect();
            prop_assert_eq!(back, (0..lengths.iter().sum::<usize>() as u32).collect::<Vec<_>>());
            for bucket in &buckets {
                let (mask, shares) = (bucket.mask(), bucket.shares());
                prop_assert!(mask.len() == bucket.n_rows() && shares.len() == bucket.n_rows());
                prop_assert_eq!(mask.iter().filter(|&&x| x == 0.0).count(), bucket.tokens.len());
                prop_assert_eq!(bucket.is_padded(), mask.contains(&UNSEEN));
                for (text, &length) in shares.chunks_exact(bucket.length()).zip(bucket.lengths) {
                    prop_assert!((text.iter().sum::<f32>() - 1.0).abs() < 1e-4);
                    prop_assert_eq!(text.iter().filter(|&&x| x > 0.0).count(), length);
                    prop_assert!(length >= bucket.length() / 2 || bucket.length() <= SHORT);
                }
            }
        }
    }

    #[test]
    fn texts_of_one_length_are_not_padded_and_no_texts_are_no_bucket() {
        assert!(split(&[]).is_empty() && places(&[]).is_empty());
        let [bucket] = &split(&[9, 9, 9])[..] else { panic!("one bucket") };
        assert!(!bucket.is_padded() && bucket.tokens == (0..27));
    }
}
