//! What a hierarchy promises, and what SciPy makes of the same points.

use super::super::planted::{blobs, on_threads, planted};
use super::*;
use proptest::prelude::*;

fn ward_of(values: &[f32], d: usize) -> Hierarchy {
    let points = Points::new(values, d).unwrap();
    ward(&points, &vec![1.0; points.len()]).unwrap()
}

fn close(found: impl Iterator<Item = f64>, expected: &[f64]) {
    let found: Vec<f64> = found.collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
}

/// Recorded from SciPy 1.17.1 by `tests/reference/clusterings.py`: `linkage(method="ward")`, `linkage(method="average")`, `fcluster`.
#[test]
fn heights_and_merges_equal_those_recorded_from_scipy() {
    let points = blobs(&[6, 5, 3], 2, 0.9, 11).values;
    let found = ward_of(&points, 2);
    close(found.merges().iter().map(|merge| merge.height), &WARD_HEIGHTS);
    let merged: Vec<usize> = found.merges().iter().flat_map(|merge| [merge.left, merge.right]).collect();
    assert_eq!(merged, WARD_MERGED);
    assert_eq!(found.cut(4).unwrap(), WARD_CUT);
    let average = link(distances(&Points::new(&points, 2).unwrap()), &[1.0; 14], Linkage::Average).unwrap();
    close(average.merges().iter().map(|merge| merge.height), &AVERAGE_HEIGHTS);
}

const WARD_HEIGHTS: [f64; 13] = [
    0.176_396_858_219,
    0.220_463_436_696,
    0.479_100_016_484,
    0.532_698_967_720,
    0.566_892_489_199,
    0.712_221_869_005,
    0.958_345_737_649,
    0.967_859_324_894,
    1.004_103_563_430,
    1.969_768_540_354,
    2.367_491_893_158,
    5.741_973_948_769,
    8.677_925_116_285,
];
const WARD_MERGED: [usize; 26] =
    [1, 2, 0, 3, 6, 7, 11, 13, 5, 15, 10, 16, 14, 18, 9, 19, 4, 20, 8, 21, 12, 17, 22, 23, 24, 25];
const WARD_CUT: [u32; 14] = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 2];
const AVERAGE_HEIGHTS: [f64; 13] = [
    0.176_396_858_219,
    0.220_463_436_696,
    0.479_100_016_484,
    0.497_420_038_204,
    0.532_698_967_720,
    0.656_414_019_779,
    0.661_637_347_480,
    0.831_605_241_254,
    0.837_166_524_700,
    1.583_935_756_391,
    2.051_311_972_689,
    2.578_858_031_866,
    4.186_761_596_795,
];

#[test]
fn planted_groups_of_groups_are_found_by_cutting_twice() {
    let truth = planted(&[40, 30, 20, 10], 24, 0.4, 3);
    let found = ward_of(&truth.values, 24);
    let labels: Vec<u32> = truth.labels.iter().map(|&label| label as u32).collect();
    assert_eq!(found.cut(4).unwrap(), labels);
    // Between the last merge within a group and the first between two there is a wide gap.
    let heights: Vec<f64> = found.merges().iter().map(|merge| merge.height).collect();
    let (within, between) = (heights[95], heights[96]);
    assert!(between > 2.0 * within, "{within} {between}");
    assert_eq!(found.cut_at(f64::midpoint(within, between)), labels);
}

#[test]
fn the_ends_of_a_hierarchy_and_what_is_none() {
    let found = ward_of(&[1.0, 1.0, 4.0], 1);
    assert_eq!((found.cut(1).unwrap(), found.cut(3).unwrap()), (vec![0, 0, 0], vec![0, 1, 2]));
    assert_eq!(
        (found.cut_at(-1.0), found.cut_at(0.0), found.cut_at(9.0)),
        (vec![0, 1, 2], vec![0, 0, 1], vec![0, 0, 0])
    );
    assert_eq!(found.cut(0), Err(ClusterError::NoClusters { k: 0 }));
    assert_eq!(found.cut(4), Err(ClusterError::TooFewPoints { k: 4, n: 3 }));
    assert_eq!(ward_of(&[3.0], 1).merges(), []);
    assert_eq!(link(Vec::new(), &[], Linkage::Ward), Err(ClusterError::TooFewPoints { k: 1, n: 0 }));
    for (distances, sizes) in
        [(vec![1.0], [1.0, 0.0]), (vec![1.0], [1.0, f64::NAN]), (vec![], [1.0; 2]), (vec![-1.0], [1.0; 2])]
    {
        assert!(matches!(link(distances, &sizes, Linkage::Average), Err(ClusterError::Setting { .. })));
    }
    let many = vec![0f32; LEAVES_MAX + 1];
    let refused = ward(&Points::new(&many, 1).unwrap(), &vec![1.0; many.len()]);
    assert_eq!(refused, Err(ClusterError::TooManyLeaves { n: 8_193, most: 8_192 }));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let data = planted(&[50, 40], 20, 2.0, 4).values;
    assert_eq!(on_threads(1, || ward_of(&data, 20)), on_threads(3, || ward_of(&data, 20)));
}

/// Merges of the nearest two, found by looking at all pairs, with clusters' weights and centroids as they are.
fn by_hand(rows: &[(Vec<f64>, f64)]) -> Vec<f64> {
    let mut left = rows.to_vec();
    let mut heights = Vec::new();
    while left.len() > 1 {
        let pairs = (0..left.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let height = |&(a, b): &(usize, usize)| {
            let ((one, w), (other, v)) = (&left[a], &left[b]);
            let apart: f64 = one.iter().zip(other).map(|(x, y)| (x - y).powi(2)).sum();
            (2.0 * w * v / (w + v) * apart).sqrt()
        };
        let (a, b) = pairs.min_by(|one, other| height(one).total_cmp(&height(other))).unwrap();
        heights.push(height(&(a, b)));
        let (one, w) = left.remove(a);
        let (other, v) = left.remove(b);
        let middle = one.iter().zip(&other).map(|(x, y)| (w * x + v * y) / (w + v)).collect();
        left.push((middle, w + v));
    }
    heights
}

proptest! {
    #[test]
    fn heights_never_fall_sizes_add_up_and_cuts_are_nested(
        rows in prop::collection::vec((prop::array::uniform3(-3i8..4), 1u8..9), 1..40), average in any::<bool>(),
    ) {
        let values: Vec<f32> = rows.iter().flat_map(|(row, _)| row.map(f32::from)).collect();
        let sizes: Vec<f64> = rows.iter().map(|(_, size)| f64::from(*size)).collect();
        let linkage = if average { Linkage::Average } else { Linkage::Ward };
        let found = link(distances(&Points::new(&values, 3).unwrap()), &sizes, linkage).unwrap();
        let n = sizes.len();
        prop_assert_eq!(found.merges().len(), n - 1);
        prop_assert!(found.merges().is_sorted_by(|a, b| a.height <= b.height));
        let mut taken = vec![false; 2 * n - 1];
        for (i, merge) in found.merges().iter().enumerate() {
            prop_assert!(merge.left < merge.right && merge.right < n + i);
            for part in [merge.left, merge.right] {
                prop_assert!(!std::mem::replace(&mut taken[part], true), "{} is merged twice", part);
            }
        }
        if let Some(last) = found.merges().last() {
            prop_assert!((last.size - sizes.iter().sum::<f64>()).abs() < 1e-9);
        }
        for k in 1..=n {
            let cut = found.cut(k).unwrap();
            prop_assert_eq!(*cut.iter().max().unwrap() as usize + 1, k);
            if k > 1 {
                // Whoever is together stays together when fewer groups are left.
                let wider = found.cut(k - 1).unwrap();
                for i in 0..n {
                    let first = cut.iter().position(|&label| label == cut[i]).unwrap();
                    prop_assert_eq!(wider[first], wider[i]);
                }
            }
        }
    }

    #[test]
    fn weighted_heights_are_those_of_weighted_centroids(
        rows in prop::collection::vec((prop::array::uniform2(-1f32..1.0), 1u8..9), 2..16),
    ) {
        let values: Vec<f32> = rows.iter().flat_map(|(row, _)| *row).collect();
        let sizes: Vec<f64> = rows.iter().map(|(_, size)| f64::from(*size)).collect();
        let found = ward(&Points::new(&values, 2).unwrap(), &sizes).unwrap();
        let expected = by_hand(&rows.iter().map(|(row, size)| (row.map(f64::from).to_vec(), f64::from(*size))).collect::<Vec<_>>());
        for (merge, expected) in found.merges().iter().zip(expected) {
            prop_assert!((merge.height - expected).abs() < 1e-6, "{} is not {}", merge.height, expected);
        }
    }

    #[test]
    fn copies_of_a_point_weigh_as_much_as_a_size(
        rows in prop::collection::vec((prop::array::uniform2(-1f32..1.0), 1usize..4), 2..10),
    ) {
        let values: Vec<f32> = rows.iter().flat_map(|(row, _)| *row).collect();
        let copies: Vec<f32> = rows.iter().flat_map(|(row, size)| row.repeat(*size)).collect();
        let sizes: Vec<f64> = rows.iter().map(|(_, size)| *size as f64).collect();
        let weighted = ward(&Points::new(&values, 2).unwrap(), &sizes).unwrap();
        let unit = ward_of(&copies, 2);
        let skipped = unit.merges().len() - weighted.merges().len();
        for (a, b) in weighted.merges().iter().zip(&unit.merges()[skipped..]) {
            prop_assert!((a.height - b.height).abs() < 1e-5, "{} is not {}", a.height, b.height);
        }
    }
}
