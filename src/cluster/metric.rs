//! What makes points alike: the angle between them, or the distance.

use super::geometry::{Points, cosines, dot, normalise};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Which points are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Metric {
    /// The cosine, of points of unit length or zero (spherical k-means, Dhillon & Modha 2001). Centroids are unit vectors; inertia is
    /// Σ (1 - cosine to the own centroid).
    #[default]
    Cosine,
    /// The distance (k-means, Lloyd 1982). Centroids are means; inertia is Σ ‖x - c‖².
    Euclidean,
}

impl Metric {
    /// How alike a point is to each of these centroids, `[k, dimension]`: cosines, or `-‖x - c‖²/2`. What [`place`](super::place) takes.
    pub fn similarities(self, point: &[f32], centroids: &[f32]) -> Vec<f32> {
        match self {
            Self::Cosine => cosines(point, centroids),
            Self::Euclidean => {
                let rows = centroids.chunks_exact(point.len().max(1));
                rows.map(|centroid| (squared_distance(point, centroid) / -2.0) as f32).collect()
            }
        }
    }

    /// What is added to x·c so that the largest sum is the nearest centroid: nothing, or -‖c‖²/2, as ‖x - c‖² = ‖x‖² - 2 (x·c - ‖c‖²/2).
    pub(super) fn offsets(self, centroids: &[f32], d: usize) -> Vec<f32> {
        let half = |row: &[f32]| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() / -2.0;
        centroids.chunks_exact(d).map(|row| if self == Self::Cosine { 0.0 } else { half(row) as f32 }).collect()
    }

    /// What a point adds to the inertia: 1 - cosine, or ‖x - c‖²; never below zero.
    #[inline(always)]
    pub(super) fn distance(self, point: &[f32], centroid: &[f32]) -> f64 {
        match self {
            Self::Cosine => (1.0 - f64::from(dot(point, centroid))).max(0.0),
            Self::Euclidean => squared_distance(point, centroid),
        }
    }

    /// Writes the centroid of a cluster whose points add up to `sums`.
    pub(super) fn centre(self, mut sums: Vec<f64>, size: f64, centroid: &mut [f32]) {
        match self {
            Self::Cosine => normalise(&mut sums),
            Self::Euclidean => sums.iter_mut().for_each(|sum| *sum /= if size > 0.0 { size } else { 1.0 }),
        }
        centroid.iter_mut().zip(sums).for_each(|(value, sum)| *value = sum as f32);
    }

    /// How far points are from their centroids in all; chunks are added in order.
    pub(super) fn inertia(self, points: &Points<'_>, labels: &[u32], centroids: &[f32]) -> f64 {
        let (d, rows, arch) = (points.dimension(), points.chunk_rows(), Arch::new());
        let chunks = points.values().par_chunks(rows * d).zip(labels.par_chunks(rows));
        let part = |(values, labels)| arch.dispatch(Inertia { metric: self, d, values, labels, centroids });
        chunks.map(part).collect::<Vec<f64>>().iter().sum()
    }
}

/// Of some points. (A closure would not be compiled for the vectors' instructions.)
struct Inertia<'a> {
    metric: Metric,
    d: usize,
    values: &'a [f32],
    labels: &'a [u32],
    centroids: &'a [f32],
}

impl WithSimd for Inertia<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let mut sum = 0.0;
        for (row, &label) in self.values.chunks_exact(self.d).zip(self.labels) {
            sum += self.metric.distance(row, &self.centroids[label as usize * self.d..][..self.d]);
        }
        sum
    }
}

/// ‖a - b‖², eight sums side by side.
#[inline(always)]
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0f64; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            let difference = f64::from(a[lane] - b[lane]);
            sums[lane] += difference * difference;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| f64::from(a - b) * f64::from(a - b)).sum();
    sums.iter().sum::<f64>() + rest
}
