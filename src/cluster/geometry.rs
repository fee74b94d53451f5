//! Points, cosines, and the loop everything else spends its time in: each point against each centroid.

use super::{ClusterError, Clustering};
use pulp::Arch;
use rayon::prelude::*;

/// Parallel loops run over this many chunks, whatever the number of threads, and add their sums up in order.
pub(super) const CHUNKS: usize = 64;

/// A view of points: `[n, dimension]`, row by row, each row of unit length or zero.
#[derive(Debug, Clone, Copy)]
pub struct Points<'a> {
    values: &'a [f32],
    dimension: usize,
}

impl<'a> Points<'a> {
    /// # Errors
    /// The values are no whole number of rows, or one is not finite.
    pub fn new(values: &'a [f32], dimension: usize) -> Result<Self, ClusterError> {
        if dimension == 0 || !values.len().is_multiple_of(dimension) {
            return Err(ClusterError::Shape { n_values: values.len(), dimension });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(ClusterError::NotFinite { row: at / dimension }),
            None => Ok(Self { values, dimension }),
        }
    }

    pub fn len(&self) -> usize {
        self.values.len() / self.dimension
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub fn dimension(&self) -> usize {
        self.dimension
    }

    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.values[i * self.dimension..][..self.dimension]
    }

    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// Copies of some rows, in the order asked for.
    pub fn select(&self, rows: &[usize]) -> Vec<f32> {
        rows.iter().flat_map(|&i| self.row(i)).copied().collect()
    }

    /// Rows in a chunk of a parallel loop.
    pub(super) fn chunk_rows(&self) -> usize {
        self.len().div_ceil(CHUNKS).max(1)
    }
}

/// Dot products of one vector with each row of `rows`, `[k, dimension]`; cosines where both sides have unit length.
pub fn cosines(vector: &[f32], rows: &[f32]) -> Vec<f32> {
    Arch::new().dispatch(
        #[inline(always)]
        || rows.chunks_exact(vector.len().max(1)).map(|row| dot(vector, row)).collect(),
    )
}

/// Sixteen sums side by side, so that the compiler makes vector instructions of them.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    let (a16, b16) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a16.remainder().iter().zip(b16.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a16.zip(b16) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Four dot products of one vector at once: it is read once for the four.
#[inline(always)]
pub(super) fn dot4(vector: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
    let mut sums = [[0f32; 16]; 4];
    let whole = vector.len() / 16 * 16;
    for at in (0..whole).step_by(16) {
        let v = &vector[at..at + 16];
        for (sums, row) in sums.iter_mut().zip(rows) {
            let row = &row[at..at + 16];
            for lane in 0..16 {
                sums[lane] += v[lane] * row[lane];
            }
        }
    }
    let mut out = [0f32; 4];
    for i in 0..4 {
        let rest: f32 = vector[whole..].iter().zip(&rows[i][whole..]).map(|(a, b)| a * b).sum();
        out[i] = sums[i].iter().sum::<f32>() + rest;
    }
    out
}

/// The nearest centroid of a vector and the cosine to it; of equals the first.
#[inline(always)]
fn nearest(vector: &[f32], centroids: &[f32], k: usize) -> (u32, f32) {
    let d = vector.len();
    let row = |i: usize| &centroids[i * d..][..d];
    let mut best = (0u32, f32::NEG_INFINITY);
    let mut i = 0;
    while i + 4 <= k {
        for (j, cosine) in dot4(vector, [row(i), row(i + 1), row(i + 2), row(i + 3)]).into_iter().enumerate() {
            if cosine > best.1 {
                best = ((i + j) as u32, cosine);
            }
        }
        i += 4;
    }
    while i < k {
        let cosine = dot(vector, row(i));
        if cosine > best.1 {
            best = (i as u32, cosine);
        }
        i += 1;
    }
    best
}

/// Every point's nearest centroid and the cosine to it.
pub(super) fn assign(points: &Points<'_>, centroids: &[f32]) -> (Vec<u32>, Vec<f32>) {
    let (d, k, rows) = (points.dimension(), centroids.len() / points.dimension(), points.chunk_rows());
    let arch = Arch::new();
    let mut labels = vec![0u32; points.len()];
    let mut cosines = vec![0f32; points.len()];
    labels.par_chunks_mut(rows).zip(cosines.par_chunks_mut(rows)).zip(points.values().par_chunks(rows * d)).for_each(
        |((labels, cosines), values)| {
            arch.dispatch(
                #[inline(always)]
                || {
                    for ((label, cosine), vector) in labels.iter_mut().zip(cosines).zip(values.chunks_exact(d)) {
                        (*label, *cosine) = nearest(vector, centroids, k);
                    }
                },
            );
        },
    );
    (labels, cosines)
}

/// Mean cosine between the members of each cluster and its centroid; `values` are the points.
pub fn cohesion(points: &Points<'_>, clustering: &Clustering) -> Vec<f64> {
    let d = points.dimension();
    let (mut sums, mut sizes) = (vec![0f64; clustering.k], vec![0usize; clustering.k]);
    for (i, &label) in clustering.labels.iter().enumerate() {
        let label = label as usize;
        sums[label] += f64::from(dot(points.row(i), &clustering.centroids[label * d..][..d]));
        sizes[label] += 1;
    }
    sums.iter().zip(sizes).map(|(sum, size)| sum / size.max(1) as f64).collect()
}

/// Scales to unit length in place; (nearly) zero rows become zero.
pub(super) fn normalise(row: &mut [f64]) {
    let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
    let scale = if norm > 1e-12 { 1.0 / norm } else { 0.0 };
    row.iter_mut().for_each(|v| *v *= scale);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bad_shapes_and_values_are_refused() {
        assert_eq!(Points::new(&[1.0; 5], 2).unwrap_err(), ClusterError::Shape { n_values: 5, dimension: 2 });
        assert!(Points::new(&[], 0).is_err());
        assert_eq!(Points::new(&[1.0, 0.0, f32::NAN, 0.0], 2).unwrap_err(), ClusterError::NotFinite { row: 1 });
    }

    proptest! {
        #[test]
        fn blocked_dot_products_equal_plain_ones(
            d in 1usize..70, k in 1usize..11, seed in prop::collection::vec(-1f32..1f32, 70 * 12),
        ) {
            let (vector, rows) = (&seed[..d], &seed[70..70 + k * d]);
            let plain: Vec<f64> = rows.chunks(d)
                .map(|row| row.iter().zip(vector).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()).collect();
            for (a, b) in cosines(vector, rows).iter().zip(&plain) {
                prop_assert!((f64::from(*a) - b).abs() < 1e-5);
            }
            let (best, cosine) = nearest(vector, rows, k);
            let top = plain.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!((plain[best as usize] - top).abs() < 1e-5 && (f64::from(cosine) - top).abs() < 1e-5);
        }
    }
}
