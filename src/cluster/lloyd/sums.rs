//! Sums of points that are exact: whole numbers, so that neither the order of additions nor taking points away again leaves a trace.
//!
//! A number is rounded once, to a multiple of 2^-s, with s so large that n of the largest number still fit in 63 bits: for a million
//! numbers below 1 that is 2^-42. From there on all arithmetic is that of integers, and so the same for any number of threads and
//! for any history of labels.

/// How numbers become whole ones: 1.5 · 2^(52 - s), a double whose last bit is worth 2^-s. What is added to it is rounded to that, and
/// stands as a whole number in the lowest bits of the sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fixed {
    rounding: f64,
}

impl Fixed {
    /// For sums of up to `n` numbers of which none is larger than `largest`.
    pub fn new(largest: f32, n: usize) -> Self {
        let bits_of_value = if largest > 0.0 { f64::from(largest).log2().floor() as i32 + 1 } else { 0 };
        let bits_of_count = (usize::BITS - n.leading_zeros()) as i32;
        // A whole number has 51 bits at most: beyond them are the two that make 1.5.
        let bits = (62 - bits_of_count).min(51) - bits_of_value;
        Self { rounding: 1.5 * f64::from(52 - bits.clamp(-900, 900)).exp2() }
    }

    /// The number as a whole one, and [`Self::bias`] above it: sums of several take that away once.
    #[inline(always)]
    pub fn biased(self, value: f32) -> i64 {
        (f64::from(value) + self.rounding).to_bits().cast_signed()
    }

    pub fn bias(self) -> i64 {
        self.rounding.to_bits().cast_signed()
    }

    /// Adds a row to a sum.
    pub fn add(self, sum: &mut [i64], row: &[f32]) {
        sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum = sum.wrapping_add(self.biased(value) - self.bias()));
    }

    /// Takes a row that was added away again.
    pub fn take(self, sum: &mut [i64], row: &[f32]) {
        sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum = sum.wrapping_sub(self.biased(value) - self.bias()));
    }

    /// What a sum stands for.
    pub fn value(self, sum: i64) -> f64 {
        // 2^-s: the double's power of two, 2^(52 - s), times 2^-52.
        sum as f64 * (self.rounding / 1.5 * f64::EPSILON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_are_near_the_true_ones_and_know_no_order(
            rows in prop::collection::vec(prop::array::uniform4(-3f32..3f32), 1..80),
            size in prop::sample::select(vec![1e-20f32, 1e-3, 1.0, 1e3, 1e18]),
            by in 0usize..80,
        ) {
            let values: Vec<f32> = rows.iter().flatten().map(|v| v * size).collect();
            let fixed = Fixed::new(values.iter().fold(0.0, |most, v| v.abs().max(most)), rows.len());
            let sum = |rows: &[f32]| {
                let mut sum = [0i64; 4];
                rows.chunks_exact(4).for_each(|row| fixed.add(&mut sum, row));
                sum
            };
            let whole = sum(&values);
            for (column, &sum) in whole.iter().enumerate() {
                let exact: f64 = values.iter().skip(column).step_by(4).map(|&v| f64::from(v)).sum();
                prop_assert!((fixed.value(sum) - exact).abs() <= 1e-12 * f64::from(3.0 * size) * rows.len() as f64);
            }
            let mut turned = values.clone();
            turned.rotate_left(by % rows.len() * 4);
            prop_assert_eq!(sum(&turned), whole);
            let mut less = whole;
            fixed.take(&mut less, &values[..4]);
            prop_assert_eq!(less, sum(&values[4..]));
        }
    }

    #[test]
    fn a_million_of_the_largest_number_do_not_overflow() {
        let fixed = Fixed::new(1.0, 1 << 20);
        let mut sum = [0i64];
        (0..1 << 20).for_each(|_| fixed.add(&mut sum, &[-1.0]));
        assert_eq!(fixed.value(sum[0]), -f64::from(1 << 20));
    }
}
