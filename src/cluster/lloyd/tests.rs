//! Rounding, stacking, and taking sums along change nothing: the iterations are those of plain arithmetic.

use super::super::geometry::dot;
use super::super::planted::planted;
use super::*;
use crate::cluster::{PlacedPoints, Scored, Scorer, UNSURE};
use crate::kernels::Lines;
use proptest::prelude::*;
use std::sync::atomic::Ordering::Relaxed;

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

/// A device that keeps ten bits of a number, as TF32 does, and is gone after so many stretches.
#[derive(Debug)]
struct Coarse {
    n_stretches: std::sync::atomic::AtomicUsize,
}

struct CoarsePoints<'a> {
    values: Vec<f32>,
    d: usize,
    of: &'a Coarse,
}

fn coarse(value: f32) -> f32 {
    f32::from_bits(value.to_bits() & !0x1fff)
}

impl Scorer for Coarse {
    fn worth(&self) -> usize {
        0
    }

    fn place<'a>(&'a self, values: &[f32], d: usize) -> Result<Box<dyn PlacedPoints + 'a>, ClusterError> {
        Ok(Box::new(CoarsePoints { values: values.to_vec(), d, of: self }))
    }
}

impl PlacedPoints for CoarsePoints<'_> {
    fn rounding(&self) -> f32 {
        1.0 / 1024.0
    }

    fn labels(&self, rows: std::ops::Range<usize>, fits: &[Scored]) -> Result<Vec<Vec<u32>>, ClusterError> {
        let left = &self.of.n_stretches;
        if left.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).is_err() {
            return Err(ClusterError::Scorer("it is gone".into()));
        }
        let label = |row: usize, fit: &Scored| {
            let x = &self.values[row * self.d..][..self.d];
            let score = |c: &[f32]| x.iter().zip(c).map(|(&x, &c)| coarse(x) * coarse(c)).sum::<f32>();
            let mut scores: Vec<(f32, usize)> =
                fit.centroids.chunks(self.d).zip(&fit.offsets).map(|(c, offset)| score(c) + offset).zip(0..).collect();
            scores.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let lead = scores.get(1).map_or(f32::INFINITY, |second| scores[0].0 - second.0);
            let reach = dot(x, x).sqrt() * 1.001 * fit.slopes[scores[0].1] + fit.base;
            if lead > reach { scores[0].1 as u32 } else { UNSURE }
        };
        Ok(fits.iter().map(|fit| rows.clone().map(|row| label(row, fit)).collect()).collect())
    }
}

#[test]
fn a_device_that_rounds_changes_nothing_and_one_that_fails_is_done_without() {
    // More points than a stretch has.
    let truth = planted(&[30_000, 25_000, 20_000], 4, 2.0, 8);
    for n_stretches in [usize::MAX, 3, 0] {
        for metric in [Metric::Euclidean, Metric::Cosine] {
            let scorer = Coarse { n_stretches: n_stretches.into() };
            let points = Points::new(&truth.values, 4).unwrap();
            let starts: Vec<Vec<f32>> = [2, 5].iter().map(|&k| first_rows(&points, k)).collect();
            let here = lloyd(&points, starts.clone(), metric, 4, &()).unwrap();
            let there = lloyd(&points.on(Some(&scorer)), starts, metric, 4, &()).unwrap();
            assert!(here == there, "{metric:?}, {n_stretches} stretches");
            assert_eq!(scorer.n_stretches.load(Relaxed) > 3, n_stretches == usize::MAX);
        }
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
                    screen.ready(at, &mut panel, false);
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
