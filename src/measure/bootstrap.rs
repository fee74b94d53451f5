//! How sure a figure is: what it would be of other customers of the same kind (Efron 1979).

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Of a hundred resamples' figures the interval holds so many in its middle.
const PERCENT: f64 = 95.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootstrapSettings {
    pub n_resamples: usize,
    pub seed: u64,
}

/// The 95 % interval of a figure of `n` things, low and high: the middle of what it is for as many things drawn with replacement
/// (the percentile method; Efron & Tibshirani 1993, section 13.3). Figures that are not finite are passed over; nothing is left of
/// none.
pub fn bootstrap(n: usize, settings: BootstrapSettings, figure: impl Fn(&[usize]) -> f64) -> Option<[f64; 2]> {
    if n == 0 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut drawn = vec![0; n];
    let mut figures = Vec::with_capacity(settings.n_resamples);
    for _ in 0..settings.n_resamples {
        drawn.iter_mut().for_each(|row| *row = rng.random_range(0..n));
        figures.push(figure(&drawn));
    }
    percentile_interval(figures)
}

/// The middle 95 % of some figures.
pub fn percentile_interval(mut figures: Vec<f64>) -> Option<[f64; 2]> {
    figures.retain(|figure| figure.is_finite());
    figures.sort_unstable_by(f64::total_cmp);
    let tail = (100.0 - PERCENT) / 200.0;
    Some([quantile(&figures, tail)?, quantile(&figures, 1.0 - tail)?])
}

/// Of ascending values, between neighbours on the straight line (Hyndman & Fan 1996, type 7).
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[(at.ceil() as usize).min(last)]);
    Some(low + (high - low) * at.fract())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_mean_of_coins_is_as_sure_as_theory_says() {
        let coins: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
        let mean = |rows: &[usize]| rows.iter().map(|&i| coins[i]).sum::<f64>() / rows.len() as f64;
        let settings = BootstrapSettings { n_resamples: 2000, seed: 1 };
        let [low, high] = bootstrap(400, settings, mean).unwrap();
        // 0.5 ± 1.96 √(0.25 / 400)
        assert!((low - 0.451).abs() < 0.006 && (high - 0.549).abs() < 0.006, "{low} {high}");
    }

    #[test]
    fn quantiles_equal_those_recorded_from_numpy() {
        let values: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(percentile_interval(values), Some([1.2, 8.8]));
        assert_eq!(percentile_interval(vec![3.0, f64::NAN]), Some([3.0, 3.0]));
        assert_eq!(percentile_interval(vec![f64::INFINITY]), None);
        assert_eq!(bootstrap(0, BootstrapSettings { n_resamples: 9, seed: 0 }, |_| 1.0), None);
    }

    proptest! {
        #[test]
        fn an_interval_lies_within_what_there_is_and_repeats(values in prop::collection::vec(-9.0..9.0f64, 1..40), seed in 0u64..99) {
            let settings = BootstrapSettings { n_resamples: 50, seed };
            let mean = |rows: &[usize]| rows.iter().map(|&i| values[i]).sum::<f64>() / rows.len() as f64;
            let [low, high] = bootstrap(values.len(), settings, mean).unwrap();
            let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(l, m), &v| (l.min(v), m.max(v)));
            prop_assert!(low <= high && low >= least - 1e-9 && high <= most + 1e-9);
            prop_assert_eq!(bootstrap(values.len(), settings, mean), Some([low, high]));
        }
    }
}
