//! Attention of packed texts: no mask and no padding, one text after the other, one head at a time.
//!
//! Queries come divided by sqrt(head size) · ln 2 (the weights are made so), so that the softmax is in powers of two. A few queries
//! at a time go through scores, softmax and the mix of values, so the scores never leave the nearest caches. They stand as columns
//! there, a query a lane: the softmax's highest and sum are made without looking across a vector.

#![expect(unsafe_code, reason = "threads write heads of their own into shared rows")]

use super::mathematics::{exp2, short_exp2};
use super::rows::bf16_words;
use super::{Block, Isa, Kernel, LANES, Lines, Shared, Team, Word};
use pulp::{Simd, WithSimd};
use std::cell::RefCell;

/// Queries worked on together: two of the widest vectors.
const QUERIES_AT_ONCE: usize = 2 * LANES;

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
    queries: Lines<u32>,
    /// `[groups of keys, head columns]`, where the keys of a word stand together.
    values: Lines<u32>,
    /// `[length, QUERIES_AT_ONCE]`
    scores: Lines<f32>,
    /// `[groups of keys, QUERIES_AT_ONCE]`
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
            heads.extend((0..self.shape.n_heads).map(|head| Head { head, first_row, length }));
            first_row += length;
        }
        team.each(heads.len(), |item| {
            SCRATCH.with_borrow_mut(|scratch| {
                scratch.resize(self.shape, heads[item].length);
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

    /// Queries and values as columns of the two products.
    fn lay_out(&self, scratch: &mut Scratch, head: Head) {
        let words = self.shape.words();
        transpose(self.part(0, head, 0), self.stride, words, head, &mut scratch.queries);
        if self.shape.kind == Word::Bf16 {
            let (from, length) = (self.part(2, head, 0), head.length);
            self.isa.run(PairKeys { from, stride: self.stride, length, words, to: &mut scratch.values });
        }
    }

    /// How much of each value goes to each query, before the division by the sums; gives one over those.
    fn share(&self, scratch: &mut Scratch, head: Head, first: usize, n_queries: usize) -> [f32; QUERIES_AT_ONCE] {
        self.kernel.multiply(Block {
            rows: self.part(1, head, 0),
            row_stride: self.stride,
            row_step: 1,
            n_rows: head.length,
            depth: self.shape.words(),
            columns: &scratch.queries[first..],
            column_stride: head.padded(),
            n_columns: n_queries.next_multiple_of(LANES),
            zero_points: &[],
            column_sums: &[],
            sums: &mut scratch.scores,
            sum_stride: QUERIES_AT_ONCE,
        });
        let (scores, shares) = (&mut scratch.scores[..], &mut scratch.shares[..]);
        self.isa.run(Softmax { scores, n_queries, shares, kind: self.shape.kind })
    }

    fn mix(&self, scratch: &mut Scratch, head: Head, n_queries: usize) {
        let columns = self.shape.columns();
        let (values, column_stride) = match self.shape.kind {
            Word::Bf16 => (&scratch.values[..], columns),
            _ => (self.part(2, head, 0), self.stride),
        };
        self.kernel.multiply(Block {
            rows: &scratch.shares,
            row_stride: 1,
            row_step: QUERIES_AT_ONCE,
            n_rows: n_queries,
            depth: head.length.div_ceil(self.shape.kind.parts()),
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
}

impl Head {
    /// Its queries up to whole vectors.
    fn padded(self) -> usize {
        self.length.next_multiple_of(LANES)
    }
}

impl Scratch {
    fn resize(&mut self, shape: HeadShape, length: usize) {
        let groups = length.div_ceil(shape.kind.parts());
        self.queries.resize(shape.words() * length.next_multiple_of(LANES));
        self.values.resize(groups * shape.columns());
        self.scores.resize(length * QUERIES_AT_ONCE);
        self.shares.resize(groups * QUERIES_AT_ONCE);
        self.mixed.resize(QUERIES_AT_ONCE * shape.columns());
    }
}

/// `[length, words]`, `stride` apart, into `[words, padded length]`. What is past the length stays as it was: it is a query whose
/// mix nobody reads.
fn transpose(from: &[u32], stride: usize, words: usize, head: Head, to: &mut [u32]) {
    let padded = head.padded();
    for (row, from) in from.chunks(stride).take(head.length).enumerate() {
        for (to, &word) in to.chunks_exact_mut(padded).zip(&from[..words]) {
            to[row] = word;
        }
    }
}

/// Values `[length, words]` of bf16, two columns a word, into `[groups, columns]`, two neighbouring keys a word, as the shares
/// have them. A key past the length is 0.
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
            for (group, to) in to.chunks_exact_mut(2 * LANES).enumerate() {
                let (a, b) = (row(2 * pair, group), row(2 * pair + 1, group));
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

/// Powers of two of the scores less each query's highest, as words; gives one over each query's sum.
struct Softmax<'a> {
    /// `[length, QUERIES_AT_ONCE]`
    scores: &'a mut [f32],
    n_queries: usize,
    /// `[groups of keys, QUERIES_AT_ONCE]`
    shares: &'a mut [u32],
    kind: Word,
}

impl WithSimd for Softmax<'_> {
    type Output = [f32; QUERIES_AT_ONCE];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f32; QUERIES_AT_ONCE] {
        let mut inverses = [1f32; QUERIES_AT_ONCE];
        let (vectors, _) = S::as_mut_simd_f32s(&mut inverses);
        let (scores, _) = S::as_simd_f32s(self.scores);
        let (shares, _) = S::as_mut_simd_u32s(self.shares);
        let stride = QUERIES_AT_ONCE / S::F32_LANES;
        for (i, inverse) in vectors.iter_mut().enumerate().take(self.n_queries.div_ceil(S::F32_LANES)) {
            let scores = &scores[i..];
            let highest = scores.iter().step_by(stride).fold(scores[0], |highest, &x| simd.max_f32s(highest, x));
            let sum = if self.kind == Word::Bf16 {
                paired_powers(simd, scores, highest, &mut shares[i..], stride)
            } else {
                powers(simd, scores, highest, &mut shares[i..], stride)
            };
            *inverse = simd.div_f32s(simd.splat_f32s(1.0), sum);
        }
        inverses
    }
}

/// The powers of one vector of queries, a word a key; gives their sum.
#[inline(always)]
fn powers<S: Simd>(simd: S, scores: &[S::f32s], highest: S::f32s, shares: &mut [S::u32s], stride: usize) -> S::f32s {
    let mut sum = simd.splat_f32s(0.0);
    for (score, share) in scores.iter().step_by(stride).zip(shares.iter_mut().step_by(stride)) {
        let power = exp2(simd, simd.sub_f32s(*score, highest));
        sum = simd.add_f32s(sum, power);
        *share = simd.transmute_u32s_f32s(power);
    }
    sum
}

/// The same in bf16, a word for two keys.
#[inline(always)]
fn paired_powers<S: Simd>(
    simd: S,
    scores: &[S::f32s],
    highest: S::f32s,
    shares: &mut [S::u32s],
    stride: usize,
) -> S::f32s {
    let mut sum = simd.splat_f32s(0.0);
    for (scores, share) in scores.chunks(2 * stride).zip(shares.iter_mut().step_by(stride)) {
        let first = short_exp2(simd, simd.sub_f32s(scores[0], highest));
        let second = match scores.get(stride) {
            Some(&score) => short_exp2(simd, simd.sub_f32s(score, highest)),
            None => simd.splat_f32s(0.0),
        };
        sum = simd.add_f32s(sum, simd.add_f32s(first, second));
        *share = bf16_words(simd, first, second);
    }
    sum
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
