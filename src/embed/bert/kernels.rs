//! The three steps between the matrix products, each in one pass over memory on the processor.
//!
//! Every step has a second form made of candle's own operations ([`composed`]), which other devices run and against
//! which the fast form is tested.

use super::attention;
use super::config::Activation;
use super::simd;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Numbers one thread takes at a time: enough to be worth the hand-over, few enough to stay in its cache.
const NUMBERS_PER_JOB: usize = 32 * 1024;

/// A layer normalisation together with the bias that is added before it.
pub struct Norm {
    /// `[3, hidden]`: bias, scale, shift.
    pub packed: Tensor,
    pub epsilon: f32,
}

/// `activation(x + bias)`, in x's own memory; x is `[n_tokens, n_columns]`.
pub fn bias_activation(x: Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::bias_activation(&x, bias, activation);
    }
    x.inplace_op2(bias, &BiasActivation(activation))?;
    Ok(x)
}

/// `norm(x + bias + residual)`, in x's own memory; x and residual are `[n_tokens, hidden]`.
pub fn residual_norm(x: Tensor, residual: &Tensor, norm: &Norm) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::residual_norm(&x, residual, norm);
    }
    x.inplace_op3(residual, &norm.packed, &ResidualNorm { epsilon: norm.epsilon })?;
    Ok(x)
}

/// Attention of every text to itself. `qkv` is `[n_tokens, 3 hidden]`: queries, keys and values still without their
/// bias; `lengths` are the texts' tokens, one text after the other.
pub fn attention(qkv: &Tensor, bias: &Tensor, lengths: &[usize], n_heads: usize) -> Result<Tensor> {
    if !qkv.device().is_cpu() {
        return composed::attention(qkv, bias, lengths, n_heads);
    }
    qkv.apply_op2_no_bwd(bias, &attention::Attention { lengths, n_heads })
}

struct BiasActivation(Activation);

impl InplaceOp2 for BiasActivation {
    fn name(&self) -> &'static str {
        "bias-activation"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, x_layout: &Layout, bias: &CpuStorage, bias_layout: &Layout) -> Result<()> {
        let (x, bias) = (floats_mut(x, x_layout)?, floats(bias, bias_layout)?);
        let n_rows = (NUMBERS_PER_JOB / bias.len().max(1)).max(1);
        x.par_chunks_mut(n_rows * bias.len()).for_each(|rows| {
            Arch::new().dispatch(ActivateRows { rows, bias, activation: self.0 });
        });
        Ok(())
    }
}

struct ActivateRows<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
    activation: Activation,
}

impl WithSimd for ActivateRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (bias, bias_tail) = S::as_simd_f32s(self.bias);
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            let (row, tail) = S::as_mut_simd_f32s(row);
            for (x, &bias) in row.iter_mut().zip(bias) {
                *x = simd::activate(simd, self.activation, simd.add_f32s(*x, bias));
            }
            let x = simd.add_f32s(simd.partial_load_f32s(tail), simd.partial_load_f32s(bias_tail));
            simd.partial_store_f32s(tail, simd::activate(simd, self.activation, x));
        }
    }
}

struct ResidualNorm {
    epsilon: f32,
}

impl InplaceOp3 for ResidualNorm {
    fn name(&self) -> &'static str {
        "residual-norm"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        x_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
        packed: &CpuStorage,
        packed_layout: &Layout,
    ) -> Result<()> {
        let (x, residual) = (floats_mut(x, x_layout)?, floats(residual, residual_layout)?);
        let packed = floats(packed, packed_layout)?;
        let hidden = packed.len() / 3;
        let n_numbers = (NUMBERS_PER_JOB / hidden.max(1)).max(1) * hidden;
        x.par_chunks_mut(n_numbers).zip(residual.par_chunks(n_numbers)).for_each(|(rows, residual)| {
            Arch::new().dispatch(NormRows { rows, residual, packed, epsilon: self.epsilon });
        });
        Ok(())
    }
}

struct NormRows<'a> {
    rows: &'a mut [f32],
    residual: &'a [f32],
    packed: &'a [f32],
    epsilon: f32,
}

impl WithSimd for NormRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let hidden = self.packed.len() / 3;
        for (row, residual) in self.rows.chunks_exact_mut(hidden).zip(self.residual.chunks_exact(hidden)) {
            norm_row(simd, row, residual, self.packed, self.epsilon);
        }
    }
}

/// Three passes over one row, which stays in the first-level cache: the sum, the squared distance from the mean, the result.
#[inline(always)]
fn norm_row<S: Simd>(simd: S, row: &mut [f32], residual: &[f32], packed: &[f32], epsilon: f32) {
    let hidden = row.len();
    let (bias, rest) = packed.split_at(hidden);
    let (scale, shift) = rest.split_at(hidden);
    let (row, tail) = S::as_mut_simd_f32s(row);
    let (residual, residual_tail) = S::as_simd_f32s(residual);
    let (bias, bias_tail) = S::as_simd_f32s(bias);
    let (scale, scale_tail) = S::as_simd_f32s(scale);
    let (shift, shift_tail) = S::as_simd_f32s(shift);

    let mut sums = simd.splat_f32s(0.0);
    for ((x, &residual), &bias) in row.iter_mut().zip(residual).zip(bias) {
        *x = simd.add_f32s(simd.add_f32s(*x, bias), residual);
        sums = simd.add_f32s(sums, *x);
    }
    let mut sum = simd.reduce_sum_f32s(sums);
    for ((x, residual), bias) in tail.iter_mut().zip(residual_tail).zip(bias_tail) {
        *x = *x + bias + residual;
        sum += *x;
    }

    let mean = sum / hidden as f32;
    let means = simd.splat_f32s(mean);
    let mut squares = simd.splat_f32s(0.0);
    for &x in row.iter() {
        let distance = simd.sub_f32s(x, means);
        squares = simd.mul_add_e_f32s(distance, distance, squares);
    }
    let mut square = simd.reduce_sum_f32s(squares);
    square += tail.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>();

    let inverse = 1.0 / (square / hidden as f32 + epsilon).sqrt();
    let inverses = simd.splat_f32s(inverse);
    for ((x, &scale), &shift) in row.iter_mut().zip(scale).zip(shift) {
        *x = simd.mul_add_e_f32s(simd.mul_f32s(simd.sub_f32s(*x, means), inverses), scale, shift);
    }
    for ((x, scale), shift) in tail.iter_mut().zip(scale_tail).zip(shift_tail) {
        *x = (*x - mean) * inverse * scale + shift;
    }
}

/// The numbers of a contiguous tensor.
pub(super) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(numbers), Some((start, end))) => Ok(&numbers[start..end]),
        _ => candle_core::bail!("a contiguous f32 tensor was expected"),
    }
}

fn floats_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(numbers), Some((start, end))) => Ok(&mut numbers[start..end]),
        _ => candle_core::bail!("a contiguous f32 tensor was expected"),
    }
}

/// The same three steps in candle's operations, for any device.
pub(super) mod composed {
    use super::{Activation, Norm};
    use candle_core::{D, Result, Tensor};

    pub fn bias_activation(x: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
        let x = x.broadcast_add(bias)?;
        match activation {
            Activation::Gelu => x.gelu_erf(),
            Activation::GeluTanh => x.gelu(),
            Activation::Relu => x.relu(),
        }
    }

    pub fn residual_norm(x: &Tensor, residual: &Tensor, norm: &Norm) -> Result<Tensor> {
        let (bias, scale, shift) = (norm.packed.get(0)?, norm.packed.get(1)?, norm.packed.get(2)?);
        let x = x.broadcast_add(&bias)?.add(residual)?;
        let x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
        let deviation = variance.affine(1.0, f64::from(norm.epsilon))?.sqrt()?;
        x.broadcast_div(&deviation)?.broadcast_mul(&scale)?.broadcast_add(&shift)
    }

    /// Texts of equal length that stand together go through one product.
    pub fn attention(qkv: &Tensor, bias: &Tensor, lengths: &[usize], n_heads: usize) -> Result<Tensor> {
        let qkv = qkv.broadcast_add(bias)?;
        let mut first_row = 0;
        let mut parts = Vec::new();
        for group in lengths.chunk_by(|a, b| a == b) {
            let n_rows = group.len() * group[0];
            parts.push(equal_lengths(&qkv.narrow(0, first_row, n_rows)?, group.len(), n_heads)?);
            first_row += n_rows;
        }
        Tensor::cat(&parts, 0)
    }

    fn equal_lengths(qkv: &Tensor, n_texts: usize, n_heads: usize) -> Result<Tensor> {
        let (n_rows, columns) = qkv.dims2()?;
        let (length, hidden) = (n_rows / n_texts, columns / 3);
        let head_size = hidden / n_heads;
        // [3, n_texts, n_heads, length, head_size]
        let split = qkv.reshape((n_texts, length, 3, n_heads, head_size))?.permute((2, 0, 3, 1, 4))?.contiguous()?;
        let (queries, keys, values) = (split.get(0)?, split.get(1)?, split.get(2)?);
        let scores =
            queries.matmul(&keys.transpose(2, 3)?.contiguous()?)?.affine(1.0 / (head_size as f64).sqrt(), 0.0)?;
        let powers = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
        let shares = powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)?;
        shares.matmul(&values)?.transpose(1, 2)?.contiguous()?.reshape((n_rows, hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};

    /// Numbers between -1 and 1, so that rounding in the scores stays far below the bound that is tested.
    fn random(shape: &[usize], seed: u64) -> Tensor {
        let mut source = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| source.random_range(-1.0..1.0)).collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
    }

    fn assert_close(a: &Tensor, b: &Tensor) -> std::result::Result<(), TestCaseError> {
        prop_assert_eq!(a.dims(), b.dims());
        let (a, b) =
            (a.flatten_all().unwrap().to_vec1::<f32>().unwrap(), b.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        for (a, b) in a.into_iter().zip(b) {
            prop_assert!((a - b).abs() <= 1e-5, "{} is not {}", a, b);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_fast_activation_equals_the_composed_one(n_rows in 1usize..9, n_columns in 1usize..70, seed: u64) {
            let (x, bias) = (random(&[n_rows, n_columns], seed), random(&[n_columns], seed ^ 1));
            for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
                let expected = composed::bias_activation(&x, &bias, activation).unwrap();
                assert_close(&bias_activation(x.copy().unwrap(), &bias, activation).unwrap(), &expected)?;
            }
        }

        #[test]
        fn the_fast_normalisation_equals_the_composed_one(n_rows in 1usize..9, hidden in 4usize..70, seed: u64) {
            let (x, residual) = (random(&[n_rows, hidden], seed), random(&[n_rows, hidden], seed ^ 1));
            let norm = Norm { packed: random(&[3, hidden], seed ^ 2), epsilon: 1e-5 };
            let expected = composed::residual_norm(&x, &residual, &norm).unwrap();
            assert_close(&residual_norm(x, &residual, &norm).unwrap(), &expected)?;
        }

        #[test]
        fn the_fast_attention_equals_the_composed_one(
            lengths in prop::collection::vec(1usize..75, 1..6), n_heads in 1usize..4, head_size in 1usize..40, seed: u64
        ) {
            let hidden = n_heads * head_size;
            let n_tokens = lengths.iter().sum::<usize>();
            let (qkv, bias) = (random(&[n_tokens, 3 * hidden], seed), random(&[3 * hidden], seed ^ 1));
            let expected = composed::attention(&qkv, &bias, &lengths, n_heads).unwrap();
            assert_close(&attention(&qkv, &bias, &lengths, n_heads).unwrap(), &expected)?;
        }
    }
}
