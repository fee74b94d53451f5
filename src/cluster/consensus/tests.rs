//! What a consensus promises, and what NumPy and SciPy make of the same runs.

use super::super::planted::{on_threads, planted};
use super::*;
use crate::measure;
use proptest::prelude::*;

fn fit(values: &[f32], d: usize, params: ConsensusParams) -> ConsensusClustering {
    let points = Points::new(values, d).unwrap();
    params.check(&points).unwrap().fit(&points, &()).unwrap()
}

fn ari(one: &[usize], other: &[u32]) -> f64 {
    let other: Vec<usize> = other.iter().map(|&label| label as usize).collect();
    measure::compare(one, &other).ari
}

/// Four runs of made-up labels over 14 points: run r puts point i into group (its third, moved by r where i is a multiple of r + 3).
fn runs() -> Vec<Vec<u32>> {
    let label = |r: u32, i: u32| (i / 5 + if i.is_multiple_of(r + 3) { r + 1 } else { 0 }) % 3;
    (0..4).map(|r| (0..14).map(|i| label(r, i)).collect()).collect()
}

/// Recorded from NumPy 2.4 and SciPy 1.17.1 by `tests/reference/clusterings.py`: the matrix of co-association as it is defined,
/// `linkage(method="average")` of one minus it.
#[test]
fn heights_labels_and_memberships_equal_those_recorded_from_scipy() {
    let cells: Vec<u32> = (0..14).collect();
    let found = agree(&runs(), &cells, 3).unwrap();
    let heights: Vec<f64> = found.hierarchy.merges().iter().map(|merge| merge.height).collect();
    for (found, expected) in heights.iter().zip(HEIGHTS) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
    assert_eq!(found.labels, LABELS);
    for (found, expected) in found.memberships.iter().zip(MEMBERSHIPS) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }
}

const HEIGHTS: [f64; 13] = [
    0.0,
    0.0,
    0.0,
    0.0,
    0.25,
    0.25,
    0.25,
    0.333_333_333_333,
    0.458_333_333_333,
    0.562_5,
    0.65,
    0.833_333_333_333,
    0.877_777_777_777,
];
const LABELS: [u32; 14] = [0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 1, 2];
const MEMBERSHIPS: [f64; 42] = [
    0.55,
    0.300_000_000_000,
    0.15,
    0.112_5,
    0.887_5,
    0.0,
    0.112_5,
    0.887_5,
    0.0,
    0.312_5,
    0.687_5,
    0.0,
    0.1,
    0.75,
    0.15,
    0.9,
    0.1,
    0.0,
    0.612_5,
    0.05,
    0.337_5,
    0.9,
    0.1,
    0.0,
    0.762_5,
    0.237_5,
    0.0,
    0.8,
    0.05,
    0.15,
    0.212_500_000_000,
    0.112_5,
    0.675,
    0.212_500_000_000,
    0.112_5,
    0.675,
    0.2,
    0.612_5,
    0.187_5,
    0.212_500_000_000,
    0.112_5,
    0.675,
];

#[test]
fn planted_groups_are_found_alone_and_through_cells() {
    let truth = planted(&[500, 400, 300, 200], 24, 0.8, 3);
    for n_cells in [1_500, 100] {
        let found = fit(&truth.values, 24, Consensus::params(4).n_cells(n_cells));
        assert!(ari(&truth.labels, &found.clustering.labels) > 0.98, "{n_cells} cells");
        let confidence = found.confidence();
        assert!(confidence.iter().sum::<f64>() / confidence.len() as f64 > 0.95);
    }
}

#[test]
fn who_lies_between_groups_is_less_sure() {
    let mut data = planted(&[60, 60], 16, 0.4, 2);
    let (one, other) = (data.values[..16].to_vec(), data.values[60 * 16..][..16].to_vec());
    let between: Vec<f64> = one.iter().zip(&other).map(|(a, b)| f64::from(a + b)).collect();
    data.values.extend(super::super::planted::unit(&between));
    let found = fit(&data.values, 16, Consensus::params(2).finest(6));
    let confidence = found.confidence();
    let others = confidence[..120].iter().sum::<f64>() / 120.0;
    assert!(confidence[120] < others, "{} beside {others}", confidence[120]);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let data = planted(&[300, 200], 20, 2.0, 4).values;
    let run = || fit(&data, 20, Consensus::params(3).n_cells(80).n_runs(6));
    assert_eq!(on_threads(1, run), on_threads(3, run));
}

#[test]
fn what_makes_no_consensus_is_refused_with_its_reason() {
    let points = Points::new(&[1.0, 0.0, 0.5, 0.0, 0.0, 1.0], 2).unwrap();
    let refused = |params: ConsensusParams| params.check(&points).unwrap_err();
    assert_eq!(refused(Consensus::params(0)), ClusterError::NoClusters { k: 0 });
    assert_eq!(refused(Consensus::params(4)), ClusterError::TooFewPoints { k: 4, n: 3 });
    let two = Consensus::params(2);
    for params in [two.n_runs(0), two.n_cells(1), two.n_cells(2_001), two.finest(1)] {
        assert!(matches!(refused(params), ClusterError::Setting { .. }), "{params:?}");
    }
    assert!(matches!(agree(&[], &[0, 1], 1), Err(ClusterError::Setting { .. })));
    assert!(matches!(agree(&[vec![0, 1, 0]], &[0, 1], 1), Err(ClusterError::Setting { .. })));
    assert!(
        matches!(agree(&[vec![0, 1]], &[0, 2], 1), Err(ClusterError::Setting { setting: "sizes", .. })),
        "cell 1 is empty"
    );
    assert_eq!(agree(&[vec![0, 1]], &[0, 1], 3), Err(ClusterError::TooFewPoints { k: 3, n: 2 }));
    let many: Vec<u32> = (0..2_001).collect();
    assert_eq!(
        agree(std::slice::from_ref(&many), &many, 1),
        Err(ClusterError::TooManyLeaves { n: 2_001, most: 2_000 })
    );
}

proptest! {
    #[test]
    fn runs_that_agree_are_the_consensus_whatever_they_call_their_groups(
        labels in prop::collection::vec(0u32..4, 4..50), n_runs in 1usize..5,
    ) {
        let (names, n) = (labels.iter().collect::<std::collections::BTreeSet<_>>().len(), labels.len() as u32);
        let runs: Vec<Vec<u32>> = (0..n_runs).map(|r| labels.iter().map(|&label| (label + r as u32) % 4).collect()).collect();
        let found = agree(&runs, &(0..n).collect::<Vec<_>>(), names).unwrap();
        let truth: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
        prop_assert!((ari(&truth, &found.labels) - 1.0).abs() < 1e-9);
        for (row, &label) in found.memberships.chunks(names).zip(&found.labels) {
            prop_assert!((row[label as usize] - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn memberships_are_shares_and_the_order_of_runs_does_not_matter(
        rows in prop::collection::vec(prop::array::uniform4(0u32..3), 3..40), k in 1usize..4, coarse in 1u32..4,
    ) {
        let runs: Vec<Vec<u32>> = (0..4).map(|r| rows.iter().map(|row| row[r]).collect()).collect();
        let cells: Vec<u32> = (0..rows.len() as u32).map(|i| i / coarse).collect();
        let Ok(found) = agree(&runs, &cells, k) else { return Ok(()) };
        for row in found.memberships.chunks(k) {
            prop_assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        prop_assert!(found.hierarchy.merges().iter().all(|merge| (0.0..=1.0).contains(&merge.height)));
        let mut turned = runs.clone();
        turned.reverse();
        let other = agree(&turned, &cells, k).unwrap();
        for (a, b) in found.hierarchy.merges().iter().zip(other.hierarchy.merges()) {
            prop_assert!((a.height - b.height).abs() < 1e-12);
        }
    }

    #[test]
    fn cells_are_apart_as_their_points_are_on_average(rows in prop::collection::vec(prop::array::uniform4(0u32..3), 3..30)) {
        let runs: Vec<Vec<u32>> = (0..4).map(|r| rows.iter().map(|row| row[r]).collect()).collect();
        let cells: Vec<u32> = (0..rows.len() as u32).map(|i| i % 3).collect();
        let members = |cell: usize| (cell..rows.len()).step_by(3).collect::<Vec<usize>>();
        let apart = |i: usize, j: usize| runs.iter().filter(|run| run[i] != run[j]).count() as f64 / 4.0;
        let sizes: Vec<f64> = (0..3).map(|cell| members(cell).len() as f64).collect();
        let found = Shares::new(&runs, &cells, &sizes).apart();
        for (found, (a, b)) in found.into_iter().zip([(0, 1), (0, 2), (1, 2)]) {
            let (a, b) = (members(a), members(b));
            let sum: f64 = a.iter().flat_map(|&i| b.iter().map(move |&j| (i, j))).map(|(i, j)| apart(i, j)).sum();
            prop_assert!((found - sum / (a.len() * b.len()) as f64).abs() < 1e-8);
        }
    }
}
