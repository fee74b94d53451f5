//! Elementwise mathematics on vectors of `f32`, whatever their width. The coefficients are made by `tests/reference/fit_curves.py`.

use pulp::Simd;

/// The feed-forward layer's non-linearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x Φ(x) with the exact error function.
    Gelu,
    /// The approximation of GELU by tanh (Hendrycks and Gimpel, 2016, section 2).
    GeluTanh,
    Relu,
}

/// A function of one vector, chosen before a loop rather than in it.
pub(super) trait Map: Copy {
    fn map<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s;
}

#[derive(Clone, Copy)]
pub(super) struct Identity;

/// x Φ(x), to 3e-7 |x|.
#[derive(Clone, Copy)]
pub(super) struct Gelu;

/// x Φ(x), to 2.5e-4 |x|: below what bf16 keeps, and far below a step of the bytes.
#[derive(Clone, Copy)]
pub(super) struct ShortGelu;

#[derive(Clone, Copy)]
pub(super) struct GeluTanh;

#[derive(Clone, Copy)]
pub(super) struct Relu;

/// (Φ(x) - 1/2) / x as a polynomial in t = 2 x² / EDGE² - 1, lowest power first. In t, which stays between -1 and 1, the powers do
/// not cancel; at the edge the polynomial is exactly 1 / (2 EDGE), so that Φ is 0 and 1 from there on.
struct Cdf<const N: usize> {
    edge: f32,
    coefficients: [f32; N],
}

const CDF: Cdf<16> = Cdf {
    edge: 5.6,
    coefficients: [
        0.126_259_6,
        -0.063_051_33,
        0.046_980_444,
        -0.038_343_63,
        0.031_978_715,
        -0.026_337_443,
        0.020_876_296,
        -0.015_604_49,
        0.011_212_044,
        -0.007_984_403,
        0.004_932_455,
        -0.002_173_454_7,
        0.001_143_980_4,
        -0.001_170_733,
        7.301_179e-4,
        -1.624_547_7e-4,
    ],
};

/// -Φ(-t) as a polynomial in t, lowest power first, up to TAIL_EDGE, where it is 0. x Φ(x) is max(x, 0) - |x| Φ(-|x|): fewer
/// steps than by way of x². The largest error is the least there is, by weighted least squares at Chebyshev's nodes.
const TAIL: [f32; 7] =
    [-0.499_771_86, 0.392_013_4, 0.034_214_225, -0.128_856_8, 0.051_630_605, -0.008_495_666, 5.154_839e-4];
const TAIL_EDGE: f32 = 3.6;

/// 2^f for |f| up to 1/2, lowest power first; off by 2e-9 of the value.
const EXP2: [f32; 7] =
    [1.0, std::f32::consts::LN_2, 0.240_226_46, 0.055_503_286, 0.009_618_489, 0.001_339_993_1, 1.534_581_1e-4];
const SHORT_EXP2: [f32; 5] = [0.999_999_3, 0.693_121_8, 0.240_247_44, 0.055_917_86, 0.009_570_1];
/// 1.5 · 2²³: added to a small number, it leaves the nearest whole number in the lowest bits.
pub(super) const ROUNDING: f32 = 12_582_912.0;

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

/// The normal distribution's Φ.
#[inline(always)]
fn normal_cdf<S: Simd, const N: usize>(simd: S, x: S::f32s, cdf: &Cdf<N>) -> S::f32s {
    let x = clamp(simd, x, -cdf.edge, cdf.edge);
    let squared = simd.mul_f32s(x, x);
    let t = simd.mul_add_e_f32s(squared, simd.splat_f32s(2.0 / (cdf.edge * cdf.edge)), simd.splat_f32s(-1.0));
    simd.mul_add_e_f32s(x, polynomial(simd, t, &cdf.coefficients), simd.splat_f32s(0.5))
}

/// 2^x, for x cut to -126..127.
#[inline(always)]
pub(super) fn exp2<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    power(simd, x, &EXP2)
}

/// The same to 3e-6 of the value: below what bf16 keeps.
#[inline(always)]
pub(super) fn short_exp2<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    power(simd, x, &SHORT_EXP2)
}

#[inline(always)]
fn power<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: &[f32; N]) -> S::f32s {
    let x = clamp(simd, x, -126.0, 127.0);
    let shifted = simd.add_f32s(x, simd.splat_f32s(ROUNDING));
    let fraction = simd.sub_f32s(x, simd.sub_f32s(shifted, simd.splat_f32s(ROUNDING)));
    let mantissa = simd.transmute_u32s_f32s(polynomial(simd, fraction, coefficients));
    // Adding n to the exponent's bits multiplies by 2^n.
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(mantissa, exponent))
}

impl Map for Identity {
    #[inline(always)]
    fn map<S: Simd>(self, _: S, x: S::f32s) -> S::f32s {
        x
    }
}

impl Map for Gelu {
    #[inline(always)]
    fn map<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        simd.mul_f32s(x, normal_cdf(simd, x, &CDF))
    }
}

impl Map for ShortGelu {
    #[inline(always)]
    fn map<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let distance = simd.min_f32s(simd.abs_f32s(x), simd.splat_f32s(TAIL_EDGE));
        let positive = simd.max_f32s(x, simd.splat_f32s(0.0));
        simd.mul_add_e_f32s(distance, polynomial(simd, distance, &TAIL), positive)
    }
}

impl Map for GeluTanh {
    #[inline(always)]
    fn map<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        // (1 + tanh u) / 2 is 1 / (1 + e^-2u), with u = sqrt(2 / pi) (x + 0.044715 x³); 2 sqrt(2 / pi) / ln 2 is 2.302208.
        const MINUS_2_SQRT_2_OVER_PI_LN_2: f32 = -2.302_208_2;
        let squared = simd.mul_f32s(x, x);
        let u = simd.mul_add_e_f32s(squared, simd.splat_f32s(0.044_715), simd.splat_f32s(1.0));
        let power = simd.mul_f32s(simd.mul_f32s(u, x), simd.splat_f32s(MINUS_2_SQRT_2_OVER_PI_LN_2));
        simd.div_f32s(x, simd.add_f32s(exp2(simd, power), simd.splat_f32s(1.0)))
    }
}

impl Map for Relu {
    #[inline(always)]
    fn map<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        simd.max_f32s(x, simd.splat_f32s(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Isa;
    use super::*;
    use pulp::WithSimd;

    struct Apply<M>(Vec<f32>, M);

    impl<M: Map> WithSimd for Apply<M> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(mut self, simd: S) -> Vec<f32> {
            let (vectors, tail) = S::as_mut_simd_f32s(&mut self.0);
            vectors.iter_mut().for_each(|x| *x = self.1.map(simd, *x));
            let last = self.1.map(simd, simd.partial_load_f32s(tail));
            simd.partial_store_f32s(tail, last);
            self.0
        }
    }

    #[derive(Clone, Copy)]
    struct ShortExp2;

    impl Map for ShortExp2 {
        #[inline(always)]
        fn map<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
            short_exp2(simd, x)
        }
    }

    #[derive(Clone, Copy)]
    struct Exp2;

    impl Map for Exp2 {
        #[inline(always)]
        fn map<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
            exp2(simd, x)
        }
    }

    /// erf by its Taylor series in f64, summed until it no longer changes; good for the |x| up to 5 tried here.
    fn exact_erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..300 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    fn exact_gelu(x: f64) -> f64 {
        x * (0.5 + 0.5 * exact_erf((x * std::f64::consts::FRAC_1_SQRT_2).clamp(-5.0, 5.0)))
    }

    fn grid(low: f32, high: f32) -> Vec<f32> {
        (0..=40_000).map(|i| low + (high - low) * i as f32 / 40_000.0).collect()
    }

    fn check<M: Map>(map: M, x: &[f32], exact: impl Fn(f64) -> f64, bound: impl Fn(f64) -> f64) {
        for isa in Isa::supported() {
            for (x, found) in x.iter().zip(isa.run(Apply(x.to_vec(), map))) {
                let (x, found) = (f64::from(*x), f64::from(found));
                assert!((found - exact(x)).abs() <= bound(x), "{isa}: f({x}) is {}, not {found}", exact(x));
            }
        }
    }

    #[test]
    fn powers_of_two_are_right_to_two_parts_in_ten_million() {
        check(Exp2, &grid(-120.0, 120.0), f64::exp2, |x| 2e-7 * x.exp2());
        check(ShortExp2, &grid(-120.0, 120.0), f64::exp2, |x| 3e-6 * x.exp2());
    }

    #[test]
    fn gelu_is_right_to_three_ten_millionths_of_x() {
        check(Gelu, &grid(-8.0, 8.0), exact_gelu, |x| 3e-7 * x.abs() + 1e-12);
    }

    #[test]
    fn short_gelu_is_right_to_a_four_thousandth_of_x() {
        check(ShortGelu, &grid(-8.0, 8.0), exact_gelu, |x| 2.5e-4 * x.abs() + 1e-12);
    }

    #[test]
    fn the_other_activations_are_what_their_names_say() {
        let tanh = |x: f64| {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            0.5 * x * (1.0 + u.tanh())
        };
        check(GeluTanh, &grid(-8.0, 8.0), tanh, |x| 2e-6 * x.abs() + 1e-12);
        check(Relu, &grid(-8.0, 8.0), |x| x.max(0.0), |_| 0.0);
        check(Identity, &grid(-8.0, 8.0), |x| x, |_| 0.0);
    }
}
