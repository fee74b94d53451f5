//! What dense groups promise, and what scikit-learn finds in the same points.

use super::super::planted::{blobs, on_threads, planted};
use super::*;
use crate::measure;
use proptest::prelude::*;

fn fit(values: &[f32], d: usize, params: DensityParams) -> DenseClustering {
    let points = Points::new(values, d).unwrap();
    params.check(&points).unwrap().fit(&points, &()).unwrap()
}

fn whole(labels: &[u32]) -> Vec<usize> {
    labels.iter().map(|&label| label as usize).collect()
}

/// Recorded from scikit-learn 1.9.1 by `tests/reference/clusterings.py`: `HDBSCAN(min_cluster_size, min_samples)` and its
/// `probabilities_`.
#[test]
fn groups_noise_and_probabilities_equal_those_recorded_from_scikit_learn() {
    let cases = [(&[30, 25, 20][..], 2, 11, (5, 2)), (&[40, 30, 20, 10], 3, 15, (5, 2)), (&[50, 40], 2, 25, (5, 5))];
    for ((sizes, d, seed, (min_size, min_neighbours)), recorded) in cases.into_iter().zip(LABELS) {
        let data = blobs(sizes, d, 1.0, seed);
        let found = fit(&data.values, d, Density::params(min_size).min_neighbours(min_neighbours).n_axes(None));
        let expected: Vec<usize> = recorded.bytes().map(usize::from).collect();
        let dense = found.clustering.labels.iter().zip(&found.is_dense);
        let labels: Vec<usize> = dense.map(|(&label, &dense)| if dense { label as usize + 1 } else { 0 }).collect();
        assert_eq!(measure::compare(&expected, &labels).ari, 1.0, "{sizes:?}");
        assert!(labels.iter().zip(recorded.chars()).all(|(&label, recorded)| (label == 0) == (recorded == '.')));
        for (i, &sure) in SURE.iter().enumerate().filter(|&(i, _)| min_neighbours == 2 && d == 2 && labels[i] > 0) {
            assert!((found.confidence[i] - sure).abs() < 1e-4, "point {i}: {} is not {sure}", found.confidence[i]);
        }
    }
}

/// One character a point: its group, or a dot for noise.
const LABELS: [&str; 3] = [
    "33334333.334...444334342.44.332222222222.2.22.2222.222.0.100000.10.10001001",
    "0000000000000000000000000000000000000000.445.4445.4444524444454.45442.143.1.311.3...3.313.02.0.20..2",
    ".2.0..2.20..1..2..2.2..2..2..201....0.21..2......2...02..0.22.22.2.2.2.02.222211.02.0..2.0",
];
/// Of the first case.
const SURE: [f64; 75] = [
    1.0, 0.6448, 0.6448, 1.0, 1.0, 0.7193, 0.7193, 1.0, 0.0, 0.5293, 0.6966, 0.9415, 0.0, 0.0, 0.0, 0.9415, 1.0, 1.0,
    1.0, 0.7193, 1.0, 0.7859, 1.0, 0.6535, 0.0, 0.9415, 1.0, 0.0, 0.7859, 1.0, 0.7157, 1.0, 0.8216, 1.0, 1.0, 1.0, 1.0,
    0.7157, 1.0, 1.0, 0.0, 0.7157, 0.0, 0.7157, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0,
    0.5242, 0.4220, 0.6583, 1.0, 0.5786, 0.0, 1.0, 0.6583, 0.0, 1.0, 0.6583, 0.5786, 1.0, 1.0, 1.0, 1.0, 1.0,
];

/// Two arcs around each other, which no centroids tell apart.
fn moons(n: usize) -> (Vec<f32>, Vec<usize>) {
    let mut values = Vec::new();
    for i in 0..n {
        let angle = std::f32::consts::PI * i as f32 / n as f32;
        values.extend([angle.cos(), angle.sin()]);
        values.extend([1.0 - angle.cos(), 0.5 - angle.sin()]);
    }
    (values, (0..2 * n).map(|i| i % 2).collect())
}

#[test]
fn groups_that_are_not_round_are_found() {
    let (values, truth) = moons(200);
    let found = fit(&values, 2, Density::params(20));
    assert_eq!(measure::compare(&truth, &whole(&found.clustering.labels)).ari, 1.0);
}

#[test]
fn planted_groups_are_found_along_few_axes_and_everybody_is_in_one() {
    let truth = planted(&[300, 200, 150], 64, 0.8, 3);
    let noise = planted(&[1; 20], 64, 0.0, 9);
    let values = [truth.values, noise.values].concat();
    let found = fit(&values, 64, Density::params(30).n_axes(Some(8)));
    assert_eq!(found.clustering.k, 3);
    assert!(measure::compare(&truth.labels, &whole(&found.clustering.labels[..650])).ari > 0.98);
    let n_dense = found.is_dense[650..].iter().filter(|&&dense| dense).count();
    assert!(n_dense < 5, "{n_dense} of 20 scattered points");
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let (groups, scattered) = (mean(&found.confidence[..650]), mean(&found.confidence[650..]));
    assert!(groups > 1.5 * scattered && scattered > 0.0, "{groups} beside {scattered}");
}

#[test]
fn a_sample_makes_the_groups_and_the_rest_joins_them() {
    let truth = planted(&[900, 700, 400], 16, 0.5, 6);
    let found = fit(&truth.values, 16, Density::params(80).sample(500).min_neighbours(5));
    assert!(measure::compare(&truth.labels, &whole(&found.clustering.labels)).ari > 0.98);
    assert!(found.is_dense.iter().filter(|&&dense| dense).count() <= 500);
    assert!(found.confidence.iter().all(|c| (0.0..=1.0).contains(c)));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let data = planted(&[200, 150], 32, 0.8, 4).values;
    let run = || fit(&data, 32, Density::params(20).sample(200));
    assert_eq!(on_threads(1, run), on_threads(3, run));
}

#[test]
fn equal_points_are_as_dense_as_can_be() {
    let mut values = vec![0f32; 20];
    values.extend([5f32; 20]);
    values.extend([2.0, 3.0]);
    let found = fit(&values, 2, Density::params(5));
    assert_eq!((found.clustering.k, found.clustering.labels[0] == found.clustering.labels[19]), (2, false));
    assert!(found.confidence[..20].iter().all(|&c| c == 1.0) && found.confidence[20] < 1e-6, "{:?}", found.confidence);
}

#[test]
fn what_has_no_dense_groups_is_refused_with_its_reason() {
    let points = blobs(&[20], 2, 1.0, 3).values;
    let points = Points::new(&points, 2).unwrap();
    let refused = |params: DensityParams| params.check(&points).unwrap_err();
    let five = Density::params(5);
    for params in [
        Density::params(1),
        Density::params(21),
        five.min_neighbours(0),
        five.min_neighbours(21),
        five.sample(3),
        five.n_axes(Some(0)),
    ] {
        assert!(matches!(refused(params), ClusterError::Setting { .. }), "{params:?}");
    }
    let none = Density::params(11).check(&points).unwrap().fit(&points, &());
    assert_eq!(none, Err(ClusterError::NoDenseGroups { min_size: 11 }), "20 points hold no two groups of 11");
}

/// Kruskal's tree over all pairs, by the definition.
fn by_hand(rows: &[[f32; 2]], n_neighbours: usize) -> Vec<f64> {
    let apart = |a: [f32; 2], b: [f32; 2]| {
        let differences = [f64::from(a[0]) - f64::from(b[0]), f64::from(a[1]) - f64::from(b[1])];
        differences.iter().map(|v| v * v).sum::<f64>().sqrt()
    };
    let core = |row: &[f32; 2]| {
        let mut all: Vec<f64> = rows.iter().map(|other| apart(*row, *other)).collect();
        all.sort_by(f64::total_cmp);
        all[n_neighbours - 1]
    };
    let cores: Vec<f64> = rows.iter().map(core).collect();
    let mut pairs: Vec<(f64, usize, usize)> = (0..rows.len())
        .flat_map(|a| (0..a).map(move |b| (a, b)))
        .map(|(a, b)| (apart(rows[a], rows[b]).max(cores[a]).max(cores[b]), a, b))
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut group: Vec<usize> = (0..rows.len()).collect();
    let mut kept = Vec::new();
    for (distance, a, b) in pairs {
        let (a, b) = (group[a], group[b]);
        if a != b {
            group.iter_mut().filter(|group| **group == a).for_each(|group| *group = b);
            kept.push(distance);
        }
    }
    kept
}

proptest! {
    #[test]
    fn the_tree_is_the_smallest_there_is(
        rows in prop::collection::vec(prop::array::uniform2(-1f32..1.0), 3..60), n_neighbours in 1usize..4,
    ) {
        let values: Vec<f32> = rows.iter().flatten().copied().collect();
        let points = Points::new(&values, 2).unwrap();
        let columns = Columns::new(&points, &(0..rows.len()).collect::<Vec<_>>());
        let edges = spanning_tree(&columns, &Reach::new(&columns, n_neighbours), &()).unwrap();
        let mut found: Vec<f64> = edges.iter().map(|edge| edge.distance).collect();
        found.sort_by(f64::total_cmp);
        for (found, expected) in found.iter().zip(by_hand(&rows, n_neighbours)) {
            prop_assert!((found - expected).abs() < 1e-5, "{} is not {}", found, expected);
        }
    }

    #[test]
    fn groups_are_large_enough_and_everybody_has_one(
        rows in prop::collection::vec(prop::array::uniform2(-4i8..5), 6..80), min_size in 2usize..6,
    ) {
        let values: Vec<f32> = rows.iter().flatten().map(|&v| f32::from(v)).collect();
        let points = Points::new(&values, 2).unwrap();
        let Ok(found) = Density::params(min_size).check(&points).unwrap().fit(&points, &()) else { return Ok(()) };
        for group in 0..found.clustering.k as u32 {
            let dense = (0..rows.len()).filter(|&i| found.is_dense[i] && found.clustering.labels[i] == group).count();
            prop_assert!(dense >= min_size, "group {} has {} of {}", group, dense, min_size);
        }
        prop_assert!(found.confidence.iter().all(|c| (0.0..=1.0).contains(c)));
        prop_assert!(found.clustering.labels.iter().all(|&label| (label as usize) < found.clustering.k));
    }

    #[test]
    fn the_order_and_the_unit_of_the_points_change_nothing(seed in 0u64..30, by in 1usize..69) {
        let data = planted(&[40, 30], 8, 0.5, seed);
        let try_fit = |values: &[f32]| {
            let points = Points::new(values, 8).unwrap();
            Density::params(10).n_axes(None).check(&points).unwrap().fit(&points, &())
        };
        let mut moved: Vec<f32> = data.values.iter().map(|v| 2.0 * v).collect();
        moved.rotate_left(by * 8);
        let (one, other) = match (try_fit(&data.values), try_fit(&moved)) {
            (Ok(one), Ok(other)) => (one, other),
            (one, other) => {
                prop_assert_eq!(one, other);
                return Ok(());
            }
        };
        let mut back = whole(&other.clustering.labels);
        back.rotate_right(by);
        prop_assert!((measure::compare(&whole(&one.clustering.labels), &back).ari - 1.0).abs() < 1e-9);
        let mut dense = other.is_dense.clone();
        dense.rotate_right(by);
        prop_assert_eq!(dense, one.is_dense);
    }
}
