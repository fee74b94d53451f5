//! Rounding, stacking, and taking sums along change nothing: the iterations are those of plain arithmetic.

use super::super::geometry::dot;
use super::super::planted::planted;
use super::*;
use crate::kernels::Lines;
use proptest::prelude::*;

/// Lloyd's iterations as a textbook has them: every score in `f32`, every sum from nothing.
fn plain(points: &Points<'_>, start: &[f32], metric: Metric, max_iter: usize) -> (Vec<u32>, Vec<f32>, usize) {
    let d = points.dimension();
    let k = start.len() / d;
    let assign = |centroids: &[f32]| -> Vec<u32> {
        let offsets = metric.offsets(centroids, d);
        let label = |row: usize| {
            let mut best = (0, f32::NEG_INFINITY);
            for (j, offset) in offsets.iter().enumerate() {
                let score = dot(points.row(row), &centroids[j * d..][..d]) + offset;
                if score > best.1 {
                    best = (j as u32, score);
                }
            }
            best.0
        };
        (0..points.len()).map(label).collect()
    };
    let mut centroids = start.to_vec();
    let mut labels = assign(&centroids);
    for n_iter in 1..=max_iter {
        assert!((0..k as u32).all(|j| labels.contains(&j)), "the case has no empty clusters");
        centroids = means(points, &labels, k, metric);
        let next = assign(&centroids);
        let settled = next == labels;
        labels = next;
        if settled {
            return (labels, centroids, n_iter);
        }
    }
    (labels, centroids, max_iter)
}

fn first_rows(points: &Points<'_>, k: usize) -> Vec<f32> {
    let apart = points.len() / k;
    points.select(&(0..k).map(|i| i * apart).collect::<Vec<_>>())
}

fn compare(values: &[f32], d: usize, ks: &[usize], metric: Metric, max_iter: usize) {
    let points = Points::new(values, d).unwrap();
    let starts: Vec<Vec<f32>> = ks.iter().map(|&k| first_rows(&points, k)).collect();
    for isa in Isa::supported() {
        let found = lloyd_on(isa, &points, starts.clone(), metric, max_iter, &()).unwrap();
        for (found, start) in found.iter().zip(&starts) {
            let (labels, centroids, n_iter) = plain(&points, start, metric, max_iter);
            let k = found.k;
            assert!(found.labels == labels, "{isa}, {metric:?}, k = {k}: labels differ");
            assert!(found.centroids == centroids, "{isa}, {metric:?}, k = {k}: centroids differ");
            assert_eq!(found.n_iter, n_iter, "{isa}, {metric:?}, k = {k}");
        }
    }
}

#[test]
fn labels_and_centroids_are_those_of_plain_iterations_on_every_instruction_set() {
    // Nearly no structure: most points lie between clusters, where rounding would change the most labels.
    for noise in [0.6, 6.0] {
        let truth = planted(&[150, 120, 90, 77], 48, noise, 5);
        compare(&truth.values, 48, &[1, 2, 5, 8, 17], Metric::Cosine, 30);
        compare(&truth.values, 48, &[3, 4, 9], Metric::Euclidean, 30);
    }
}

#[test]
fn clusters_close_together_and_far_from_the_origin_are_told_apart_as_well() {
    let truth = planted(&[200, 150], 33, 4.0, 6);
    for (shift, size) in [(3.0f32, 1.0f32), (0.0, 1e-6), (0.0, 1e6), (100.0, 30.0)] {
        let values: Vec<f32> = truth.values.iter().map(|v| (v + shift) * size).collect();
        compare(&values, 33, &[2, 6], Metric::Euclidean, 12);
    }
}

#[test]
fn equal_points_and_equal_centroids_go_to_the_first() {
    let values: Vec<f32> = (0..200).flat_map(|i| if i % 2 == 0 { [1.0, 0.0] } else { [0.6, 0.8] }).collect();
    let points = Points::new(&values, 2).unwrap();
    let found = lloyd(&points, vec![vec![1.0, 0.0, 1.0, 0.0, 0.6, 0.8]], Metric::Cosine, 0, &()).unwrap();
    // The second of the equal centroids has no point of its own, and takes the farthest there is back in.
    assert_eq!((0..3).map(|j| found[0].labels.contains(&j)).collect::<Vec<_>>(), [true, true, true]);
    assert_eq!(found[0].labels.iter().filter(|&&label| label == 1).count(), 1);
}

proptest! {
    #[test]
    fn any_numbers_have_the_labels_of_plain_arithmetic(
        values in prop::collection::vec(-2f32..2f32, 3 * 70..3 * 200), k in 1usize..6, coarse in any::<bool>(),
    ) {
        let n = values.len() / 3;
        // Coarse numbers lie at equal distances often.
        let values: Vec<f32> = values[..n * 3].iter().map(|v| if coarse { (v * 4.0).round() / 4.0 } else { *v }).collect();
        let points = Points::new(&values, 3).unwrap();
        let start = first_rows(&points, k);
        for metric in [Metric::Cosine, Metric::Euclidean] {
            let offsets = metric.offsets(&start, 3);
            for isa in Isa::supported() {
                let screen = Screen::new(points, isa);
                let candidates = screen.candidates([(start.clone(), offsets.clone())]);
                let mut scores = Lines::default();
                for at in 0..screen.n_panels() {
                    let mut panel = Panel::default();
                    screen.pack(at, &mut panel);
                    screen.score(&panel, &candidates, &mut scores);
                    let labels = screen.labels(at, &panel, &candidates.fits[0], &scores);
                    for (lane, row) in screen.rows(at).enumerate() {
                        let exact: Vec<f32> = start.chunks(3).zip(&offsets)
                            .map(|(c, offset)| dot(points.row(row), c) + offset).collect();
                        let best = exact.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                        prop_assert_eq!(labels[lane] as usize, exact.iter().position(|&s| s == best).unwrap(), "{} {:?}", isa, metric);
                    }
                }
            }
        }
    }

    #[test]
    fn inertia_is_what_the_points_are_away(seed in 0u64..20) {
        let truth = planted(&[40, 30], 8, 1.0, seed);
        let points = Points::new(&truth.values, 8).unwrap();
        let found = &lloyd(&points, vec![first_rows(&points, 3)], Metric::Euclidean, 20, &()).unwrap()[0];
        let by_hand: f64 = (0..points.len()).map(|row| {
            let centroid = &found.centroids[found.labels[row] as usize * 8..][..8];
            points.row(row).iter().zip(centroid).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>()
        }).sum();
        prop_assert!((found.inertia - by_hand).abs() < 1e-9 * by_hand.max(1.0));
    }
}
