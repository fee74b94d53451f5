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
        let mut heads = Vec::with_capacity(self.lengths.len() * self.shape.n_heads);
        let mut first_row = 0;
        for &length in self.lengths {
            let padded = length.next_multiple_of(LANES * self.shape.kind.parts());
            heads.extend((0..self.shape.n_heads).map(|head| Head { head, first_row, length, padded }));
            first_row += length;
        }
        team.each(heads.len(), |item| {
            SCRATCH.with_borrow_mut(|scratch| {
                scratch.resize(self.shape, heads[item].padded);
                // SAFETY: the head's columns of this text's rows are this item's alone, by the caller's promise.
                unsafe { self.attend(scratch, heads[item], to, to_stride) }
            });
        });
    }

    /// # Safety
    /// Nobody else touches the head's columns of these rows of `to` now.
    unsafe fn attend(&self, scratch: &mut Scratch, head: Head, to: Shared<'_, f32>, to_stride: usize) {
        let columns = self.shape.columns();
        self.lay_out(scratch, head);
        for first in (0..head.length).step_by(QUERIES_AT_ONCE) {
            let n_queries = (head.length - first).min(QUERIES_AT_ONCE);
            let inverses = self.share(scratch, head, first, n_queries);
            self.mix(scratch, head, n_queries);
            self.isa.run(Store {
                mixed: &scratch.mixed[..n_queries * columns],
                columns,
                inverses,
                to,
                to_stride,
                first_row: head.first_row + first,
                first_column: head.head * columns,
            });
        }
    }

    /// The head's queries (0), keys (1) or values (2) of this text, from its row `row` on.
    fn part(&self, part: usize, head: Head, row: usize) -> &[u32] {
        let column = (part * self.shape.n_heads + head.head) * self.shape.words();
        &self.words[(head.first_row + row) * self.stride + column..]
    }

    /// Keys and values as columns of the two products.
    fn lay_out(&self, scratch: &mut Scratch, head: Head) {
        let words = self.shape.words();
        transpose(self.part(1, head, 0), self.stride, words, head, &mut scratch.keys);
        if self.shape.kind == Word::Bf16 {
            let (from, length) = (self.part(2, head, 0), head.length);
            self.isa.run(PairKeys { from, stride: self.stride, length, words, to: &mut scratch.values });
        }
    }

    /// How much of each value goes to each query, before the division by the sums; gives one over those.
    fn share(&self, scratch: &mut Scratch, head: Head, first: usize, n_queries: usize) -> [f32; QUERIES_AT_ONCE] {
        self.kernel.multiply(Block {
            rows: self.part(0, head, first),
            row_stride: self.stride,
            n_rows: n_queries,
            depth: self.shape.words(),
            columns: &scratch.keys,
            column_stride: head.padded,
            n_columns: head.length.next_multiple_of(LANES),
            zero_points: &[],
            column_sums: &[],
            sums: &mut scratch.scores,
            sum_stride: head.padded,
        });
        self.isa.run(Softmax {
            scores: &mut scratch.scores[..n_queries * head.padded],
            padded: head.padded,
            length: head.length,
            shares: &mut scratch.shares,
            kind: self.shape.kind,
        })
    }

    fn mix(&self, scratch: &mut Scratch, head: Head, n_queries: usize) {
        let columns = self.shape.columns();
        let (values, column_stride, depth) = match self.shape.kind {
            Word::Bf16 => (&scratch.values[..], columns, head.padded / 2),
            _ => (self.part(2, head, 0), self.stride, head.length),
        };
        self.kernel.multiply(Block {
            rows: &scratch.shares,
            row_stride: head.padded / self.shape.kind.parts(),
            n_rows: n_queries,
            depth,
            columns: values,
            column_stride,
            n_columns: columns,
            zero_points: &[],
            column_sums: &[],
            sums: &mut scratch.mixed,
            sum_stride: columns,
        });
    }
}

/// One head of one text.
#[derive(Clone, Copy)]
struct Head {
    head: usize,
    /// The text's first token.
    first_row: usize,
    length: usize,
    /// The length up to whole groups of words.
    padded: usize,
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
fn transpose(from: &[u32], stride: usize, words: usize, head: Head, to: &mut [u32]) {
    for (key, from) in from.chunks(stride).take(head.length).enumerate() {
        for (to, &word) in to.chunks_exact_mut(head.padded).zip(&from[..words]) {
            to[key] = word;
        }
    }
    to.chunks_exact_mut(head.padded).take(words).for_each(|to| to[head.length..].fill(0));
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
            // SAFETY: by the promise of `Attention::attend`, which alone makes use of this.
            let to = unsafe { self.to.part(start..start + self.columns) };
            let inverse = simd.splat_f32s(inverse);
            for (to, &mixed) in S::as_mut_simd_f32s(to).0.iter_mut().zip(S::as_simd_f32s(mixed).0) {
                *to = simd.mul_f32s(mixed, inverse);
            }
        }
    }
}
