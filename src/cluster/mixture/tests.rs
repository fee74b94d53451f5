//! What a mixture promises, and what scikit-learn makes of the same start.

use super::super::planted::{blobs, on_threads, planted};
use super::*;
use crate::measure;
use proptest::prelude::*;

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{found} is not {expected}");
    }
}

/// Recorded from scikit-learn 1.9.1 by `tests/reference/clusterings.py`: `GaussianMixture(covariance_type="diag")` from the weights, means
/// and variances of the same labels.
#[test]
fn parameters_and_memberships_equal_those_recorded_from_scikit_learn() {
    let data = blobs(&[30, 25, 20], 3, 1.2, 7);
    let points = Points::new(&data.values, 3).unwrap();
    let labels: Vec<u32> = (0..75).map(|i| i % 5 % 3).collect();
    let found = GaussianMixture::params(3).check(&points).unwrap().fit_from(&points, &labels, &()).unwrap();
    close(&found.mixture.weights, &WEIGHTS);
    close(&found.mixture.means, &MEANS);
    close(&found.mixture.variances, &VARIANCES);
    let rows: Vec<f64> = [0, 30, 55, 74].iter().flat_map(|&i| &found.responsibilities[i * 3..][..3]).copied().collect();
    close(&rows, &ROWS);
    close(&[found.log_likelihood, found.bic(), found.n_iter as f64], &FIT);
    assert!(found.settled);
}

const WEIGHTS: [f64; 3] = [0.371_598_046_297, 0.287_174_163_030, 0.341_227_790_671];
const MEANS: [f64; 9] = [
    -0.037_805_319_535,
    2.366_057_701_682,
    0.484_862_644_728,
    1.787_861_692_097,
    3.257_363_089_717,
    3.488_200_679_739,
    1.020_764_405_807,
    2.684_013_496_024,
    1.089_656_784_800,
];
const VARIANCES: [f64; 9] = [
    0.353_732_238_673,
    0.562_371_007_624,
    0.341_208_646_591,
    0.426_504_706_822,
    0.530_243_803_256,
    0.425_453_130_034,
    0.186_785_362_928,
    0.419_837_236_848,
    0.280_697_073_563,
];
const ROWS: [f64; 12] = [
    0.986_664_713_617,
    0.000_000_147_463,
    0.013_335_138_919,
    0.017_830_536_379,
    0.005_200_372_749,
    0.976_969_090_871,
    0.000_000_000_001,
    0.999_999_999_544,
    0.000_000_000_454,
    0.000_000_030_116,
    0.999_979_342_949,
    0.000_020_626_934,
];
const FIT: [f64; 3] = [-3.644_852_314_788, 633.077_609_489_039, 17.0];

#[test]
fn planted_groups_of_unlike_widths_are_found_and_one_component_is_mean_and_variance() {
    let truth = planted(&[200, 120, 60], 24, 0.8, 1);
    let points = Points::new(&truth.values, 24).unwrap();
    let found = GaussianMixture::params(3).check(&points).unwrap().fit(&points, &()).unwrap();
    let labels: Vec<usize> = found.labels().iter().map(|&label| label as usize).collect();
    assert!(measure::compare(&truth.labels, &labels).ari > 0.97);

    let one = GaussianMixture::params(1).check(&points).unwrap().fit(&points, &()).unwrap();
    let column: Vec<f64> = truth.values.iter().step_by(24).map(|&v| f64::from(v)).collect();
    let mean = column.iter().sum::<f64>() / 380.0;
    let variance = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 380.0;
    assert!((one.mixture.means[0] - mean).abs() < 1e-9 && (one.mixture.variances[0] - variance - 1e-6).abs() < 1e-9);
    assert!(one.responsibilities.iter().all(|&r| r == 1.0));
}

#[test]
fn the_criterion_prefers_the_planted_number() {
    let truth = blobs(&[60, 50, 40], 4, 0.7, 5);
    let points = Points::new(&truth.values, 4).unwrap();
    let bic = |k: usize| GaussianMixture::params(k).check(&points).unwrap().fit(&points, &()).unwrap().bic();
    let all: Vec<f64> = (1..6).map(bic).collect();
    let best = (0..5).min_by(|&a, &b| all[a].total_cmp(&all[b])).unwrap();
    assert_eq!(best + 1, 3, "{all:?}");
}

#[test]
fn the_number_of_threads_changes_nothing_and_far_points_have_memberships_too() {
    let truth = planted(&[500, 400, 300], 40, 2.0, 2);
    let points = Points::new(&truth.values, 40).unwrap();
    let fit = || GaussianMixture::params(4).max_iter(8).check(&points).unwrap().fit(&points, &()).unwrap();
    let one = on_threads(1, fit);
    assert_eq!(on_threads(3, fit), one);

    let far = vec![1e15f32; 40];
    let rows = one.mixture.responsibilities(&Points::new(&far, 40).unwrap()).unwrap();
    assert!((rows.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{rows:?}");
}

#[test]
fn what_cannot_be_fitted_is_refused_with_its_reason() {
    let points = Points::new(&[1.0, 0.0, 0.5, 0.0, 0.0, 1.0], 2).unwrap();
    let refused = |params: MixtureParams| params.check(&points).unwrap_err();
    assert_eq!(refused(GaussianMixture::params(0)), ClusterError::NoClusters { k: 0 });
    assert_eq!(refused(GaussianMixture::params(4)), ClusterError::TooFewPoints { k: 4, n: 3 });
    for params in [GaussianMixture::params(2).variance_floor(0.0), GaussianMixture::params(2).tolerance(f64::NAN)] {
        assert!(matches!(refused(params), ClusterError::Setting { takes: "a positive number", .. }));
    }
    let checked = GaussianMixture::params(2).check(&points).unwrap();
    for labels in [&[0, 1][..], &[0, 1, 2]] {
        let refused = checked.fit_from(&points, labels, &()).unwrap_err();
        assert_eq!(refused, ClusterError::Labels { n_labels: labels.len(), n: 3, k: 2 });
    }
    let found = checked.fit(&points, &()).unwrap();
    let other = Points::new(&[1.0, 2.0, 3.0], 3).unwrap();
    assert_eq!(found.mixture.responsibilities(&other), Err(ClusterError::Dimension { found: 3, expected: 2 }));
}

proptest! {
    #[test]
    fn likelihood_never_falls_and_memberships_are_shares(
        rows in prop::collection::vec(prop::array::uniform3(-3i8..4), 8..60), k in 1usize..4,
    ) {
        let values: Vec<f32> = rows.iter().flatten().map(|&v| f32::from(v)).collect();
        let points = Points::new(&values, 3).unwrap();
        let labels: Vec<u32> = (0..rows.len()).map(|i| (i % k) as u32).collect();
        // The floor is added after the step that is the most likely one, so that steps near it may fall by what it takes away.
        let params = GaussianMixture::params(k).variance_floor(1e-9).tolerance(1e-300);
        let Ok(_) = params.check(&points) else { return Ok(()) };
        let mut before = f64::NEG_INFINITY;
        for n_iter in 1..7 {
            let found = params.max_iter(n_iter).check(&points).unwrap().fit_from(&points, &labels, &()).unwrap();
            prop_assert!(found.log_likelihood >= before - 1e-6, "{} after {}", found.log_likelihood, before);
            before = found.log_likelihood;
            for row in found.responsibilities.chunks(k) {
                prop_assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12 && row.iter().all(|r| (0.0..=1.0).contains(r)));
            }
            prop_assert!((found.mixture.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(found.mixture.variances.iter().all(|&v| v >= 1e-9));
        }
    }

    #[test]
    fn the_order_of_points_changes_nothing_but_rounding(by in 1usize..70) {
        let data = blobs(&[30, 25, 20], 3, 1.0, 9);
        let labels: Vec<u32> = data.labels.iter().map(|&label| label as u32).collect();
        let fit = |values: &[f32], labels: &[u32]| {
            let points = Points::new(values, 3).unwrap();
            GaussianMixture::params(3).check(&points).unwrap().fit_from(&points, labels, &()).unwrap()
        };
        let one = fit(&data.values, &labels);
        let (mut values, mut turned) = (data.values.clone(), labels.clone());
        values.rotate_left(by * 3);
        turned.rotate_left(by);
        let other = fit(&values, &turned);
        for (a, b) in one.mixture.means.iter().zip(&other.mixture.means) {
            prop_assert!((a - b).abs() < 1e-6);
        }
    }
}
