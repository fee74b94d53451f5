//! Attention of packed texts: no mask and no padding, one text after the other, one head at a time.
//!
//! Queries come divided by sqrt(head size) · ln 2 (the weights are made so), so that the softmax is in powers of two. A few queries
//! at a time go through scores, softmax and the mix of values, so the scores never leave the nearest cache.

#![expect(unsafe_code, reason = "threads write heads of their own into shared rows")]

use super::mathematics::{exp2, short_exp2};
use super::rows::pack_bf16;
use super::{Block, Isa, Kernel, LANES, Lines, Shared, Team, Word};
use pulp::{Simd, WithSimd};
use std::cell::RefCell;

/// Queries worked on together: two tiles of the product.
const QUERIES_AT_ONCE: usize = 12;
/// What stands for a key that is not there: its power of two is 0.
const NOWHERE: f32 = -1e30;

/// How heads lie in the rows of queries, keys and values: all queries' heads, then all keys', then all values', each padded to
/// whole groups of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadShape {
    pub n_heads: usize,
    pub head_size: usize,
    /// F32 or Bf16.
    pub kind: Word,
}

impl HeadShape {
    /// Numbers from one head to the next.
    pub fn columns(self) -> usize {
        self.head_size.next_multiple_of(LANES * self.kind.parts())
    }

    /// Words from one head to the next.
    fn words(self) -> usize {
        self.columns() / self.kind.parts()
    }

    /// For every number of all heads, the column of the unpadded matrix `[n_heads * head_size]`.
    pub fn places(self) -> impl Iterator<Item = Option<usize>> {
        (0..self.n_heads * self.columns()).map(move |place| {
            let (head, column) = (place / self.columns(), place % self.columns());
            (column < self.head_size).then(|| head * self.head_size + column)
        })
    }
}

/// One call's inputs: `[n_tokens, stride]` words, the texts one after the other.
pub struct Attention<'a> {
    pub isa: Isa,
    /// Of the heads' kind of words.
    pub kernel: Kernel,
    pub shape: HeadShape,
    pub words: &'a [u32],
    pub stride: usize,
    /// Tokens of each text.
    pub lengths: &'a [usize],
}

#[derive(Default)]
struct Scratch {
    /// `[head words, padded length]`
    keys: Lines<u32>,
    /// `[padded length / parts, head columns]`
    values: Lines<u32>,
    /// `[QUERIES_AT_ONCE, padded length]`
    scores: Lines<f32>,
    /// `[QUERIES_AT_ONCE, padded length / parts]`
    shares: Lines<u32>,
    /// `[QUERIES_AT_ONCE, head columns]`
    mixed: Lines<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Attention<'_> {
    /// Writes `[n_tokens, to_stride]`: each head's mix of values in the head's columns.
    ///
    /// # Safety
    /// Nobody else touches `to` now.
    pub unsafe fn run(&self, team: Team<'_>, to: Shared<'_, f32>, to_stride: usize) {
        let mut texts = Vec::with_capacity(self.lengths.len());
        let mut first_row = 0;
        for &length in self.lengths {
            texts.push((first_row, length));
            first_row += length;
        }
        team.each(texts.len() * self.shape.n_heads, |item| {
            let (first_row, length) = texts[item / self.shape.n_heads];
            let head = item % self.shape.n_heads;
            SCRATCH.with_borrow_mut(|scratch| {
                // SAFETY: the head's columns of this text's rows are this item's alone, by the caller's promise.
                unsafe { self.head(scratch, head, first_row, length, to, to_stride) }
            });
        });
    }

    /// # Safety
    /// Nobody else touches the head's columns of these rows of `to` now.
    unsafe fn head(
        &self,
        scratch: &mut Scratch,
        head: usize,
        first_row: usize,
        length: usize,
        to: Shared<'_, f32>,
        to_stride: usize,
    ) {
        let (shape, words, columns) = (self.shape, self.shape.words(), self.shape.columns());
        let padded = length.next_multiple_of(LANES * shape.kind.parts());
        let part = |part: usize| &self.words[first_row * self.stride + (part * shape.n_heads + head) * words..];
        let (queries, keys, values) = (part(0), part(1), part(2));
        scratch.resize(shape, padded);
        transpose(keys, self.stride, length, words, &mut scratch.keys, padded);
        let (values, value_stride, depth) = if shape.kind == Word::Bf16 {
            self.isa.run(PairKeys { from: values, stride: self.stride, length, words, to: &mut scratch.values });
            (&scratch.values[..], columns, padded / 2)
        } else {
            (values, self.stride, length)
        };
        let share_stride = padded / shape.kind.parts();
        for first in (0..length).step_by(QUERIES_AT_ONCE) {
            let n_queries = (length - first).min(QUERIES_AT_ONCE);
            self.kernel.multiply(Block {
                rows: &queries[first * self.stride..],
                row_stride: self.stride,
                n_rows: n_queries,
                depth: words,
                columns: &scratch.keys,
                column_stride: padded,
                n_columns: length.next_multiple_of(LANES),
                zero_points: &[],
                column_sums: &[],
                sums: &mut scratch.scores,
                sum_stride: padded,
            });
            let inverses = self.isa.run(Softmax {
                scores: &mut scratch.scores[..n_queries * padded],
                padded,
                length,
                shares: &mut scratch.shares,
                kind: shape.kind,
            });
            self.kernel.multiply(Block {
                rows: &scratch.shares,
                row_stride: share_stride,
                n_rows: n_queries,
                depth,
                columns: values,
                column_stride: value_stride,
                n_columns: columns,
                zero_points: &[],
                column_sums: &[],
                sums: &mut scratch.mixed,
                sum_stride: columns,
            });
            let first_row = first_row + first;
            let mixed = &scratch.mixed[..n_queries * columns];
            let store = Store { mixed, columns, inverses, to, to_stride, first_row, first_column: head * columns };
            self.isa.run(store);
        }
    }
}

impl Scratch {
    fn resize(&mut self, shape: HeadShape, padded: usize) {
        self.keys.resize(shape.words() * padded);
        self.values.resize(padded / shape.kind.parts() * shape.columns());
        self.scores.resize(QUERIES_AT_ONCE * padded);
        self.shares.resize(QUERIES_AT_ONCE * padded / shape.kind.parts());
        self.mixed.resize(QUERIES_AT_ONCE * shape.columns());
    }
}

/// `[length, words]`, `stride` apart, into `[words, padded]`; what is past the length is set to 0.
fn transpose(from: &[u32], stride: usize, length: usize, words: usize, to: &mut [u32], padded: usize) {
    for (key, from) in from.chunks(stride).take(length).enumerate() {
        for (to, &word) in to.chunks_exact_mut(padded).zip(&from[..words]) {
            to[key] = word;
        }
    }
    to.chunks_exact_mut(padded).take(words).for_each(|to| to[length..].fill(0));
}

/// Values `[length, words]` of bf16, two columns a word, into `[padded / 2, columns]`, two keys a word: word w of a group has the
/// keys w and w + 16, as the shares have them. What is past the length is set to 0.
struct PairKeys<'a> {
    from: &'a [u32],
    stride: usize,
    length: usize,
    words: usize,
    to: &'a mut [u32],
}

impl WithSimd for PairKeys<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let zeros = [0u32; LANES];
        let row = |key: usize, group: usize| {
            let words =
                if key < self.length { &self.from[key * self.stride + group * LANES..][..LANES] } else { &zeros };
            S::as_simd_u32s(words).0
        };
        let (sixteen, upper) = (simd.splat_u32s(16), simd.splat_u32s(0xffff_0000));
        for (pair, to) in self.to.chunks_exact_mut(2 * self.words).enumerate() {
            let first = pair / LANES * 2 * LANES + pair % LANES;
            for (group, to) in to.chunks_exact_mut(2 * LANES).enumerate() {
                let (a, b) = (row(first, group), row(first + LANES, group));
                let (to, _) = S::as_mut_simd_u32s(to);
                let (low, high) = to.split_at_mut(a.len());
                for i in 0..a.len() {
                    let kept = simd.wrapping_dyn_shr_u32s(simd.wrapping_dyn_shl_u32s(a[i], sixteen), sixteen);
                    low[i] = simd.or_u32s(kept, simd.wrapping_dyn_shl_u32s(b[i], sixteen));
                    high[i] = simd.or_u32s(simd.wrapping_dyn_shr_u32s(a[i], sixteen), simd.and_u32s(b[i], upper));
                }
            }
        }
    }
}

/// Powers of two of the scores less the row's highest, as words; gives one over each row's sum.
struct Softmax<'a> {
    /// `[n_rows, padded]`
    scores: &'a mut [f32],
    padded: usize,
    length: usize,
    shares: &'a mut [u32],
    kind: Word,
}

impl WithSimd for Softmax<'_> {
    type Output = [f32; QUERIES_AT_ONCE];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f32; QUERIES_AT_ONCE] {
        let mut inverses = [0f32; QUERIES_AT_ONCE];
        let share_stride = self.padded / self.kind.parts();
        let rows = self.scores.chunks_exact_mut(self.padded).zip(self.shares.chunks_exact_mut(share_stride));
        for ((scores, shares), inverse) in rows.zip(&mut inverses) {
            scores[self.length..].fill(NOWHERE);
            let (vectors, _) = S::as_mut_simd_f32s(scores);
            let highest = vectors.iter().fold(simd.splat_f32s(NOWHERE), |highest, &x| simd.max_f32s(highest, x));
            let highest = simd.splat_f32s(simd.reduce_max_f32s(highest));
            let mut sum = simd.splat_f32s(0.0);
            let exact = self.kind == Word::F32;
            for x in vectors.iter_mut() {
                let below = simd.sub_f32s(*x, highest);
                *x = if exact { exp2(simd, below) } else { short_exp2(simd, below) };
                sum = simd.add_f32s(sum, *x);
            }
            *inverse = 1.0 / simd.reduce_sum_f32s(sum);
            if self.kind == Word::Bf16 {
                pack_bf16(simd, scores, shares);
            } else {
                shares.iter_mut().zip(&*scores).for_each(|(share, score)| *share = score.to_bits());
            }
        }
        inverses
    }
}

/// Divides the mixes by their rows' sums, into the head's columns of the result.
struct Store<'a> {
    /// `[n_queries, columns]`
    mixed: &'a [f32],
    columns: usize,
    inverses: [f32; QUERIES_AT_ONCE],
    to: Shared<'a, f32>,
    to_stride: usize,
    first_row: usize,
    first_column: usize,
}

impl WithSimd for Store<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (query, (mixed, &inverse)) in self.mixed.chunks_exact(self.columns).zip(&self.inverses).enumerate() {
            let start = (self.first_row + query) * self.to_stride + self.first_column;
            // SAFETY: by the promise of `Attention::head`, which alone makes use of this.
            let to = unsafe { self.to.part(start..start + self.columns) };
            let inverse = simd.splat_f32s(inverse);
            for (to, &mixed) in S::as_mut_simd_f32s(to).0.iter_mut().zip(S::as_simd_f32s(mixed).0) {
                *to = simd.mul_f32s(mixed, inverse);
            }
        }
    }
}
