//! Layer normalisation (Ba, Kiros and Hinton, 2016, equation 4), and the sum of embeddings before the first one.

#![expect(unsafe_code, reason = "threads write rows of their own into shared rows")]

use super::rows::SharedRows;
use super::{Isa, Lines, Shared};
use pulp::{Simd, WithSimd};

/// The parameters of one normalisation, padded with zeros to the rows' width.
pub struct Norm {
    pub scale: Lines<f32>,
    pub shift: Lines<f32>,
    pub epsilon: f32,
    /// Numbers of a row without the padding.
    pub n_columns: usize,
}

/// Normalises rows in place and packs them into words.
///
/// # Safety
/// Nobody else touches these rows, of `x` and of `words`, now.
pub unsafe fn norm_rows(
    isa: Isa,
    x: Shared<'_, f32>,
    rows: std::ops::Range<usize>,
    norm: &Norm,
    words: SharedRows<'_>,
) {
    isa.run(NormRows { x, rows, norm, words });
}

struct NormRows<'a> {
    x: Shared<'a, f32>,
    rows: std::ops::Range<usize>,
    norm: &'a Norm,
    words: SharedRows<'a>,
}

impl WithSimd for NormRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.norm.scale.len();
        for row in self.rows.clone() {
            // SAFETY: by the promise of `norm_rows`, which alone makes use of this.
            unsafe {
                let numbers = self.x.part(row * width..(row + 1) * width);
                norm_row(simd, numbers, self.norm);
                self.words.pack(simd, row, numbers);
            }
        }
    }
}

/// Sums that are made at the same time: an addition takes longer than the next one waits.
const SUMS: usize = 4;

/// Three passes over one row, which stays in the first-level cache: the sum, the squared distance from the mean, the result.
#[inline(always)]
fn norm_row<S: Simd>(simd: S, row: &mut [f32], norm: &Norm) {
    let n_columns = norm.n_columns as f32;
    let (numbers, tail) = S::as_simd_f32s(&row[..norm.n_columns]);
    let mean = (sum(simd, numbers) + tail.iter().sum::<f32>()) / n_columns;
    let means = simd.splat_f32s(mean);
    let squares = squares(simd, numbers, means) + tail.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>();
    let (row, _) = S::as_mut_simd_f32s(row);
    let (scale, _) = S::as_simd_f32s(&norm.scale);
    let (shift, _) = S::as_simd_f32s(&norm.shift);
    let inverse = simd.splat_f32s(1.0 / (squares / n_columns + norm.epsilon).sqrt());
    for ((x, &scale), &shift) in row.iter_mut().zip(scale).zip(shift) {
        *x = simd.mul_add_e_f32s(simd.mul_f32s(simd.sub_f32s(*x, means), inverse), scale, shift);
    }
}

#[inline(always)]
fn sum<S: Simd>(simd: S, numbers: &[S::f32s]) -> f32 {
    let mut sums = [simd.splat_f32s(0.0); SUMS];
    let (groups, rest) = numbers.as_chunks::<SUMS>();
    for group in groups {
        for i in 0..SUMS {
            sums[i] = simd.add_f32s(sums[i], group[i]);
        }
    }
    for &x in rest {
        sums[0] = simd.add_f32s(sums[0], x);
    }
    total(simd, sums)
}

/// The sum of the squared distances from the mean.
#[inline(always)]
fn squares<S: Simd>(simd: S, numbers: &[S::f32s], means: S::f32s) -> f32 {
    let mut sums = [simd.splat_f32s(0.0); SUMS];
    let (groups, rest) = numbers.as_chunks::<SUMS>();
    for group in groups {
        for i in 0..SUMS {
            let distance = simd.sub_f32s(group[i], means);
            sums[i] = simd.mul_add_e_f32s(distance, distance, sums[i]);
        }
    }
    for &x in rest {
        let distance = simd.sub_f32s(x, means);
        sums[0] = simd.mul_add_e_f32s(distance, distance, sums[0]);
    }
    total(simd, sums)
}

#[inline(always)]
fn total<S: Simd>(simd: S, sums: [S::f32s; SUMS]) -> f32 {
    let [a, b, c, d] = sums;
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
}

/// `to = a + b`, all of the same length.
pub fn add_rows(isa: Isa, a: &[f32], b: &[f32], to: &mut [f32]) {
    struct Add<'a>(&'a [f32], &'a [f32], &'a mut [f32]);
    impl WithSimd for Add<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            self.2.iter_mut().zip(self.0).zip(self.1).for_each(|((to, a), b)| *to = a + b);
        }
    }
    isa.run(Add(a, b, to));
}
