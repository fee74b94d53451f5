//! Gauss's hypergeometric function as BG/NBD needs it.

/// More terms than the slowest series that is met: at z = 1 - 1e-4 a few hundred thousand.
const MAX_TERMS: usize = 2_000_000;

/// `2F1(a, b; c; z)` for 0 ≤ z < 1 and c no whole number below 1: the series (Abramowitz & Stegun 15.1.1), summed until a term and
/// all that can follow it no longer count.
pub(super) fn gauss_2f1(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let (mut term, mut sum) = (1.0f64, 1.0f64);
    for n in 0..MAX_TERMS {
        let n = n as f64;
        let ratio = (a + n) * (b + n) / ((c + n) * (1.0 + n)) * z;
        term *= ratio;
        sum += term;
        // Ratios tend to z, so what is left is a geometric series at most, once they are near it.
        let rest = term.abs() * z.max(ratio.abs()) / (1.0 - z.max(ratio.abs())).max(1e-300);
        if ratio.abs() < 1.0 && rest <= f64::EPSILON * sum.abs() {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures of scipy.special.hyp2f1 (1.17) and closed forms.
    #[test]
    fn the_series_has_known_values() {
        for (a, b, c, z, expected) in [
            (1.0, 1.0, 2.0, 0.5, 2.0 * 2f64.ln()),
            (0.5, 1.0, 1.5, 0.25, 3f64.ln()),
            (2.0, 3.0, 3.0, 0.9, 100.0),
            (-0.3, 0.0, 0.7, 0.99, 1.0),
            (0.5, -0.2, 2.2, 0.9999, 0.938_870_865_787_068),
            (1.9, -0.2, 3.2, 0.999, 0.803_474_744_573_918_9),
            (-1.3, 0.4, 12.2, 0.97, 0.959_320_811_294_120_2),
        ] {
            let found = gauss_2f1(a, b, c, z);
            assert!(
                (found - expected).abs() <= 1e-9 * expected.abs(),
                "2F1({a}, {b}; {c}; {z}) = {found}, not {expected}"
            );
        }
    }
}
