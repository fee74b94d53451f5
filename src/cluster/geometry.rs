//! Points, cosines, and the loop everything else spends its time in: each point against each centroid.

use super::metric::squared_distance;
use super::{ClusterError, Clustering, Metric, Scorer};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Parallel loops run over this many chunks, whatever the number of threads, and add their sums up in order.
pub(super) const CHUNKS: usize = 64;

/// A view of points: `[n, dimension]`, row by row, and what makes them alike. Where that is the cosine, each row is of unit length or
/// zero.
#[derive(Debug, Clone, Copy)]
pub struct Points<'a> {
    values: &'a [f32],
    dimension: usize,
    largest: f32,
    metric: Metric,
    scorer: Option<&'a dyn Scorer>,
}

impl<'a> Points<'a> {
    /// Points that are alike by their cosine.
    ///
    /// # Errors
    /// The values are no whole number of rows, or one is not finite.
    pub fn new(values: &'a [f32], dimension: usize) -> Result<Self, ClusterError> {
        if dimension == 0 || !values.len().is_multiple_of(dimension) {
            return Err(ClusterError::Shape { n_values: values.len(), dimension });
        }
        let largest = largest(values);
        if largest.is_finite() {
            return Ok(Self { values, dimension, largest, metric: Metric::Cosine, scorer: None });
        }
        let at = values.iter().position(|value| !value.is_finite()).unwrap_or(0);
        Err(ClusterError::NotFinite { row: at / dimension })
    }

    /// The same points, alike by their distance.
    #[must_use]
    pub fn euclidean(self) -> Self {
        Self { metric: Metric::Euclidean, ..self }
    }

    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Other points of the same kind.
    ///
    /// # Errors
    /// As of [`Points::new`].
    pub(super) fn like<'b>(&self, values: &'b [f32]) -> Result<Points<'b>, ClusterError>
    where
        'a: 'b,
    {
        Ok(Points { metric: self.metric, scorer: self.scorer, ..Points::new(values, self.dimension)? })
    }

    /// The same points, of which much work may be done there. It changes no result.
    #[must_use]
    pub fn on(self, scorer: Option<&'a dyn Scorer>) -> Self {
        Self { scorer, ..self }
    }

    pub(super) fn scorer(&self) -> Option<&'a dyn Scorer> {
        self.scorer
    }

    /// The largest |value|.
    pub(super) fn largest(&self) -> f32 {
        self.largest
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

/// The largest |value|: no number where one of them is none. Without the sign, numbers are in the order of their bits.
fn largest(values: &[f32]) -> f32 {
    let largest_of = |values: &[f32]| values.iter().fold(0u32, |most, value| most.max(value.abs().to_bits()));
    f32::from_bits(values.par_chunks(1 << 18).map(largest_of).reduce(|| 0, u32::max))
}

/// Dot products of one vector with each row of `rows`, `[k, dimension]`; cosines where both sides have unit length.
pub fn cosines(vector: &[f32], rows: &[f32]) -> Vec<f32> {
    Arch::new().dispatch(Cosines { vector, rows })
}

struct Cosines<'a> {
    vector: &'a [f32],
    rows: &'a [f32],
}

impl WithSimd for Cosines<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f32> {
        let d = self.vector.len().max(1);
        let mut cosines = Vec::with_capacity(self.rows.len() / d);
        for row in self.rows.chunks_exact(d) {
            cosines.push(dot(self.vector, row));
        }
        cosines
    }
}

/// Numbers added up side by side: two of the widest vectors, so that one addition need not wait for the other.
const SUMS: usize = 32;

/// Many sums side by side, so that the compiler makes vector instructions of them.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; SUMS];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<SUMS>(), b.as_chunks::<SUMS>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..SUMS {
            sums[lane] += a[lane] * b[lane];
        }
    }
    add_up(sums) + product_of_rests(a_rest, b_rest)
}

/// Four dot products of one vector at once, each as [`dot`] gives it: the vector is read once for the four.
#[inline(always)]
pub(super) fn dot4(vector: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
    let mut sums = [[0f32; SUMS]; 4];
    let (vector, rest) = vector.as_chunks::<SUMS>();
    for (at, v) in vector.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let row = &row[at * SUMS..][..SUMS];
            for lane in 0..SUMS {
                sums[lane] += v[lane] * row[lane];
            }
        }
    }
    let mut out = [0f32; 4];
    for i in 0..4 {
        out[i] = add_up(sums[i]) + product_of_rests(rest, &rows[i][vector.len() * SUMS..]);
    }
    out
}

/// The sum, by halves.
#[inline(always)]
fn add_up(mut sums: [f32; SUMS]) -> f32 {
    let mut half = SUMS / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}

/// Of the numbers beyond the last whole vector, the same way whatever their number.
#[inline(always)]
fn product_of_rests(a: &[f32], b: &[f32]) -> f32 {
    let mut sum = 0.0;
    for (a, b) in a.iter().zip(b) {
        sum += a * b;
    }
    sum
}

/// The centroid with the largest score for a vector, x·c and its offset, and that score; of equals the first.
#[inline(always)]
fn nearest(vector: &[f32], centroids: &[f32], offsets: &[f32]) -> (u32, f32) {
    let (d, k) = (vector.len(), offsets.len());
    let row = |i: usize| &centroids[i * d..][..d];
    let mut best = (0u32, f32::NEG_INFINITY);
    let mut i = 0;
    while i + 4 <= k {
        for (j, cosine) in dot4(vector, [row(i), row(i + 1), row(i + 2), row(i + 3)]).into_iter().enumerate() {
            let score = cosine + offsets[i + j];
            if score > best.1 {
                best = ((i + j) as u32, score);
            }
        }
        i += 4;
    }
    while i < k {
        let score = dot(vector, row(i)) + offsets[i];
        if score > best.1 {
            best = (i as u32, score);
        }
        i += 1;
    }
    best
}

/// Every point's nearest centroid and its score, which is the cosine to it where that is the metric.
pub(super) fn assign(points: &Points<'_>, centroids: &[f32], metric: Metric) -> (Vec<u32>, Vec<f32>) {
    let (d, rows) = (points.dimension(), points.chunk_rows());
    let offsets = &metric.offsets(centroids, d);
    let arch = Arch::new();
    let mut labels = vec![0u32; points.len()];
    let mut cosines = vec![0f32; points.len()];
    labels.par_chunks_mut(rows).zip(cosines.par_chunks_mut(rows)).zip(points.values().par_chunks(rows * d)).for_each(
        |((labels, cosines), values)| arch.dispatch(Assign { values, d, centroids, offsets, labels, cosines }),
    );
    (labels, cosines)
}

/// Assigns some points. (A closure would not be compiled for the vectors' instructions.)
struct Assign<'a> {
    values: &'a [f32],
    d: usize,
    centroids: &'a [f32],
    offsets: &'a [f32],
    labels: &'a mut [u32],
    cosines: &'a mut [f32],
}

impl WithSimd for Assign<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let points = self.values.chunks_exact(self.d).zip(self.labels).zip(self.cosines);
        for ((vector, label), cosine) in points {
            (*label, *cosine) = nearest(vector, self.centroids, self.offsets);
        }
    }
}

/// How close together the members of each cluster are: their mean cosine to its centroid; of points that are alike by their distance
/// 1 less their mean squared distance to it over that of all points to the middle of all.
pub fn cohesion(points: &Points<'_>, clustering: &Clustering) -> Vec<f64> {
    let d = points.dimension();
    let (mut sums, mut sizes) = (vec![0f64; clustering.k], vec![0usize; clustering.k]);
    for (i, &label) in clustering.labels.iter().enumerate() {
        let label = label as usize;
        let centroid = &clustering.centroids[label * d..][..d];
        sums[label] += match points.metric {
            Metric::Cosine => f64::from(dot(points.row(i), centroid)),
            Metric::Euclidean => squared_distance(points.row(i), centroid),
        };
        sizes[label] += 1;
    }
    let means = sums.iter().zip(sizes).map(|(sum, size)| sum / size.max(1) as f64);
    match points.metric {
        Metric::Cosine => means.collect(),
        Metric::Euclidean => {
            let whole = spread(points);
            means.map(|mean| if whole > 0.0 { 1.0 - mean / whole } else { 1.0 }).collect()
        }
    }
}

/// Mean squared distance of the points to their middle.
fn spread(points: &Points<'_>) -> f64 {
    let (d, n) = (points.dimension(), points.len().max(1) as f64);
    let mut middle = vec![0f64; d];
    for row in points.values().chunks_exact(d) {
        middle.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value) / n);
    }
    let middle: Vec<f32> = middle.into_iter().map(|value| value as f32).collect();
    points.values().chunks_exact(d).map(|row| squared_distance(row, &middle)).sum::<f64>() / n
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
            let (best, cosine) = nearest(vector, rows, &vec![0.0; k]);
            let top = plain.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!((plain[best as usize] - top).abs() < 1e-5 && (f64::from(cosine) - top).abs() < 1e-5);
        }
    }
}
