//! Attention of packed texts on the processor: no mask and no padding, one text after the other, one head at a time.

use super::kernels::floats;
use super::simd;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Queries worked on together, so that a key once loaded serves several of them.
const N_QUERIES: usize = 4;
/// Scratch rows are padded to a multiple of this: two of the widest vectors.
const TILE: usize = 32;

/// `[n_tokens, 3 hidden]` and its bias into `[n_tokens, hidden]`.
pub struct Attention<'a> {
    pub lengths: &'a [usize],
    pub n_heads: usize,
}

impl CustomOp2 for Attention<'_> {
    fn name(&self) -> &'static str {
        "packed-attention"
    }

    fn cpu_fwd(
        &self,
        qkv: &CpuStorage,
        qkv_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (qkv, bias) = (floats(qkv, qkv_layout)?, floats(bias, bias_layout)?);
        let hidden = bias.len() / 3;
        let n_tokens: usize = self.lengths.iter().sum();
        if qkv.len() != n_tokens * bias.len() {
            candle_core::bail!("{} numbers are not {n_tokens} rows of {}", qkv.len(), bias.len());
        }
        let mut output = vec![0f32; n_tokens * hidden];
        let mut texts = Vec::with_capacity(self.lengths.len());
        let (mut qkv_rest, mut output_rest) = (qkv, output.as_mut_slice());
        for &length in self.lengths {
            let (rows, rest) = qkv_rest.split_at(length * bias.len());
            let (output_rows, output_after) = output_rest.split_at_mut(length * hidden);
            texts.push(TextAttention { qkv: rows, bias, output: output_rows, n_heads: self.n_heads });
            (qkv_rest, output_rest) = (rest, output_after);
        }
        texts.into_par_iter().for_each(|text| Arch::new().dispatch(text));
        Ok((CpuStorage::F32(output), (n_tokens, hidden).into()))
    }
}

/// One text.
struct TextAttention<'a> {
    qkv: &'a [f32],
    bias: &'a [f32],
    output: &'a mut [f32],
    n_heads: usize,
}

/// One head of one text, laid out for the two products.
struct Head {
    length: usize,
    /// Padded to [`TILE`].
    padded_length: usize,
    head_size: usize,
    /// Padded to [`TILE`].
    padded_size: usize,
    /// `[length, head_size]`, divided by the square root of head_size.
    queries: Vec<f32>,
    /// `[head_size, padded_length]`
    keys: Vec<f32>,
    /// `[length, padded_size]`
    values: Vec<f32>,
    /// `[N_QUERIES, padded_length]`
    shares: Vec<f32>,
    /// `[N_QUERIES, padded_size]`
    mixed: Vec<f32>,
}

impl WithSimd for TextAttention<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let hidden = self.bias.len() / 3;
        let length = self.output.len() / hidden.max(1);
        let mut head = Head::new(length, hidden / self.n_heads);
        for first_column in (0..hidden).step_by(head.head_size) {
            head.load(self.qkv, self.bias, first_column);
            let mut first = 0;
            while first + N_QUERIES <= length {
                head.attend::<S, N_QUERIES>(simd, first);
                head.store(self.output, hidden, first_column, first..first + N_QUERIES);
                first += N_QUERIES;
            }
            for query in first..length {
                head.attend::<S, 1>(simd, query);
                head.store(self.output, hidden, first_column, query..query + 1);
            }
        }
    }
}

impl Head {
    fn new(length: usize, head_size: usize) -> Self {
        let (padded_length, padded_size) = (length.next_multiple_of(TILE), head_size.next_multiple_of(TILE));
        Self {
            length,
            padded_length,
            head_size,
            padded_size,
            queries: vec![0.0; length * head_size],
            keys: vec![0.0; head_size * padded_length],
            values: vec![0.0; length * padded_size],
            shares: vec![0.0; N_QUERIES * padded_length],
            mixed: vec![0.0; N_QUERIES * padded_size],
        }
    }

    /// Takes the head's columns out of the packed rows, adding the bias; the padding stays 0.
    #[inline(always)]
    fn load(&mut self, qkv: &[f32], bias: &[f32], first_column: usize) {
        let hidden = bias.len() / 3;
        let size = self.head_size;
        let part = |row: usize, which: usize| {
            let start = which * hidden + first_column;
            let numbers = &qkv[row * bias.len() + start..][..size];
            numbers.iter().zip(&bias[start..][..size]).map(|(x, bias)| x + bias)
        };
        let scale = 1.0 / (size as f32).sqrt();
        for row in 0..self.length {
            for (to, query) in self.queries[row * size..][..size].iter_mut().zip(part(row, 0)) {
                *to = query * scale;
            }
            for (column, key) in part(row, 1).enumerate() {
                self.keys[column * self.padded_length + row] = key;
            }
            for (to, value) in self.values[row * self.padded_size..][..size].iter_mut().zip(part(row, 2)) {
                *to = value;
            }
        }
    }

    /// Scores, softmax and the mix of values for N queries from `first` on.
    #[inline(always)]
    fn attend<S: Simd, const N: usize>(&mut self, simd: S, first: usize) {
        self.score::<S, N>(simd, first);
        for row in 0..N {
            let shares = &mut self.shares[row * self.padded_length..][..self.padded_length];
            shares[self.length..].fill(f32::MIN);
            softmax(simd, shares);
        }
        self.mix::<S, N>(simd);
    }

    #[inline(always)]
    fn score<S: Simd, const N: usize>(&mut self, simd: S, first: usize) {
        let queries: [&[f32]; N] =
            std::array::from_fn(|row| &self.queries[(first + row) * self.head_size..][..self.head_size]);
        let step = 2 * S::F32_LANES;
        for start in (0..self.padded_length).step_by(step) {
            let mut sums = [[simd.splat_f32s(0.0); 2]; N];
            for (column, keys) in self.keys.chunks_exact(self.padded_length).enumerate() {
                let (keys, _) = S::as_simd_f32s(&keys[start..][..step]);
                for row in 0..N {
                    let query = simd.splat_f32s(queries[row][column]);
                    sums[row][0] = simd.mul_add_e_f32s(query, keys[0], sums[row][0]);
                    sums[row][1] = simd.mul_add_e_f32s(query, keys[1], sums[row][1]);
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                let (shares, _) = S::as_mut_simd_f32s(&mut self.shares[row * self.padded_length + start..][..step]);
                shares.copy_from_slice(sums);
            }
        }
    }

    #[inline(always)]
    fn mix<S: Simd, const N: usize>(&mut self, simd: S) {
        let shares: [&[f32]; N] = std::array::from_fn(|row| &self.shares[row * self.padded_length..][..self.length]);
        let step = 2 * S::F32_LANES;
        for start in (0..self.padded_size).step_by(step) {
            let mut sums = [[simd.splat_f32s(0.0); 2]; N];
            for (key, values) in self.values.chunks_exact(self.padded_size).enumerate() {
                let (values, _) = S::as_simd_f32s(&values[start..][..step]);
                for row in 0..N {
                    let share = simd.splat_f32s(shares[row][key]);
                    sums[row][0] = simd.mul_add_e_f32s(share, values[0], sums[row][0]);
                    sums[row][1] = simd.mul_add_e_f32s(share, values[1], sums[row][1]);
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                let (mixed, _) = S::as_mut_simd_f32s(&mut self.mixed[row * self.padded_size + start..][..step]);
                mixed.copy_from_slice(sums);
            }
        }
    }

    /// Writes the mixed values of these queries into the head's columns.
    #[inline(always)]
    fn store(&self, output: &mut [f32], hidden: usize, first_column: usize, queries: std::ops::Range<usize>) {
        for (row, query) in queries.enumerate() {
            output[query * hidden + first_column..][..self.head_size]
                .copy_from_slice(&self.mixed[row * self.padded_size..][..self.head_size]);
        }
    }
}

/// Softmax of a row whose length is a multiple of the vector's.
#[inline(always)]
fn softmax<S: Simd>(simd: S, row: &mut [f32]) {
    let (row, _) = S::as_mut_simd_f32s(row);
    let highest = row.iter().fold(simd.splat_f32s(f32::MIN), |highest, &x| simd.max_f32s(highest, x));
    let highest = simd.splat_f32s(simd.reduce_max_f32s(highest));
    let mut sums = simd.splat_f32s(0.0);
    for x in row.iter_mut() {
        *x = simd::exp(simd, simd.sub_f32s(*x, highest));
        sums = simd.add_f32s(sums, *x);
    }
    let inverse = simd.splat_f32s(1.0 / simd.reduce_sum_f32s(sums));
    for x in row.iter_mut() {
        *x = simd.mul_f32s(*x, inverse);
    }
}
