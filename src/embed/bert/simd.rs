//! Elementwise mathematics on vectors of `f32`, whatever their width: pulp picks the widest the processor has at run time.

use super::config::Activation;
use pulp::Simd;

/// erf(z) / z as a ratio of two polynomials in z², lowest power first, for |z| up to [`ERF_EDGE`]: a minimax fit of the
/// relative error (1.4e-8 before rounding), made by `tests/reference/fit_erf.py`. In `f32` erf is off by at most 4e-7.
const ERF_P: [f32; 6] =
    [std::f32::consts::FRAC_2_SQRT_PI, 0.187_552_54, 0.052_443_497, 0.003_661_441_6, 2.858_140_8e-4, 2.116_75e-6];
const ERF_Q: [f32; 6] = [1.0, 0.499_547, 0.112_994_82, 0.014_759_88, 0.001_143_23, 3.882_61e-5];
/// From here on erf rounds to 1.
const ERF_EDGE: f32 = 3.84;

/// Taylor's series of e^r; its remainder is below 1e-8 for |r| up to half of ln 2.
const EXP: [f32; 8] = [1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0];
/// ln 2 in two parts, the first with so few bits that a small whole number times it is exact (Cody and Waite, 1980).
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// 1.5 · 2²³: added to a small number, it leaves the nearest whole number in the lowest bits.
const ROUNDING: f32 = 12_582_912.0;

/// The value of a polynomial, lowest power first, by Horner's rule.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: &[f32; N]) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[N - 1]);
    for &coefficient in coefficients[..N - 1].iter().rev() {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(coefficient));
    }
    sum
}

#[inline(always)]
fn clamp<S: Simd>(simd: S, x: S::f32s, low: f32, high: f32) -> S::f32s {
    simd.min_f32s(simd.max_f32s(x, simd.splat_f32s(low)), simd.splat_f32s(high))
}

/// e^x, for x cut to -86..88.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = clamp(simd, x, -86.0, 88.0);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), simd.splat_f32s(ROUNDING));
    let n = simd.sub_f32s(shifted, simd.splat_f32s(ROUNDING));
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN2_HIGH), x);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN2_LOW), r);
    let mantissa = simd.transmute_u32s_f32s(polynomial(simd, r, &EXP));
    // Adding n to the exponent's bits multiplies by 2^n.
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(mantissa, exponent))
}

#[inline(always)]
fn erf<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let z = clamp(simd, x, -ERF_EDGE, ERF_EDGE);
    let squared = simd.mul_f32s(z, z);
    let ratio = simd.div_f32s(polynomial(simd, squared, &ERF_P), polynomial(simd, squared, &ERF_Q));
    clamp(simd, simd.mul_f32s(z, ratio), -1.0, 1.0)
}

#[inline(always)]
pub fn activate<S: Simd>(simd: S, activation: Activation, x: S::f32s) -> S::f32s {
    match activation {
        Activation::Gelu => {
            let half = simd.mul_f32s(x, simd.splat_f32s(0.5));
            let erf = erf(simd, simd.mul_f32s(x, simd.splat_f32s(std::f32::consts::FRAC_1_SQRT_2)));
            simd.mul_add_e_f32s(half, erf, half)
        }
        Activation::GeluTanh => {
            // (1 + tanh u) / 2 is 1 / (1 + e^-2u), with u = sqrt(2 / pi) (x + 0.044715 x³).
            const MINUS_2_SQRT_2_OVER_PI: f32 = -1.595_769;
            let squared = simd.mul_f32s(x, x);
            let u = simd.mul_add_e_f32s(squared, simd.splat_f32s(0.044_715), simd.splat_f32s(1.0));
            let minus_2u = simd.mul_f32s(simd.mul_f32s(u, x), simd.splat_f32s(MINUS_2_SQRT_2_OVER_PI));
            simd.div_f32s(x, simd.add_f32s(exp(simd, minus_2u), simd.splat_f32s(1.0)))
        }
        Activation::Relu => simd.max_f32s(x, simd.splat_f32s(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, WithSimd};

    struct Map<F>(Vec<f32>, F);

    /// One of the functions above, as a value.
    trait Function {
        fn call<S: Simd>(&self, simd: S, x: S::f32s) -> S::f32s;
    }

    struct Exp;
    impl Function for Exp {
        fn call<S: Simd>(&self, simd: S, x: S::f32s) -> S::f32s {
            exp(simd, x)
        }
    }

    struct Erf;
    impl Function for Erf {
        fn call<S: Simd>(&self, simd: S, x: S::f32s) -> S::f32s {
            erf(simd, x)
        }
    }

    impl<F: Function> WithSimd for Map<F> {
        type Output = Vec<f32>;

        fn with_simd<S: Simd>(mut self, simd: S) -> Vec<f32> {
            let (vectors, tail) = S::as_mut_simd_f32s(&mut self.0);
            vectors.iter_mut().for_each(|x| *x = self.1.call(simd, *x));
            let last = self.1.call(simd, simd.partial_load_f32s(tail));
            simd.partial_store_f32s(tail, last);
            self.0
        }
    }

    /// erf by its Taylor series in f64, summed until it no longer changes; good for the |x| up to 5 tried here.
    fn exact_erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    fn grid(low: f32, high: f32) -> Vec<f32> {
        (0..=100_000).map(|i| low + (high - low) * i as f32 / 100_000.0).collect()
    }

    #[test]
    fn exp_is_right_to_two_parts_in_ten_million() {
        let x = grid(-85.0, 85.0);
        for (x, found) in x.iter().zip(Arch::new().dispatch(Map(x.clone(), Exp))) {
            let exact = f64::from(*x).exp();
            assert!((f64::from(found) / exact - 1.0).abs() < 2e-7, "exp({x}) is {exact}, not {found}");
        }
    }

    #[test]
    fn erf_is_right_to_four_parts_in_ten_million() {
        let x = grid(-5.0, 5.0);
        for (x, found) in x.iter().zip(Arch::new().dispatch(Map(x.clone(), Erf))) {
            let exact = exact_erf(f64::from(*x));
            assert!((f64::from(found) - exact).abs() < 4e-7, "erf({x}) is {exact}, not {found}");
        }
    }
}
