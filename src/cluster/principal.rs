//! Fewer dimensions: the directions in which points differ most, found without a matrix of all dimensions by all dimensions.

use super::geometry::Points;
use super::{ClusterError, Watch, step};
use pulp::{Arch, Simd, WithSimd};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Directions carried along beyond those asked for: the last of all converge slowly.
const BESIDE: usize = 10;
/// Passes over the points at most, and the gain in explained variance below which there is no other.
const PASSES: usize = 30;
const GAIN: f64 = 1e-7;
/// Turns of Jacobi's method over all pairs: it converges quadratically.
const SWEEPS: usize = 30;
/// The random stream of the first directions, beyond those of k-means, refits and neighbours.
const STREAM: u64 = 1 << 41;

/// An affine map to few dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct PrincipalAxes {
    pub dimension: usize,
    /// `[dimension]`
    pub mean: Vec<f64>,
    /// `[n_axes, dimension]`: unit vectors at right angles, the largest |number| of each positive; zero where points differ in fewer directions.
    pub axes: Vec<f64>,
    /// Of the points along each axis (divided by n - 1), largest first.
    pub variances: Vec<f64>,
}

/// The principal axes of points by randomised subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4), until another pass over the
/// points explains no more.
///
/// # Errors
/// There are more axes than dimensions or points, or none; [`ClusterError::Cancelled`].
pub fn principal_axes(
    points: &Points<'_>,
    n_axes: usize,
    seed: u64,
    watch: &dyn Watch,
) -> Result<PrincipalAxes, ClusterError> {
    let (n, d) = (points.len(), points.dimension());
    if n_axes == 0 || n_axes > d.min(n) {
        return Err(ClusterError::Setting {
            setting: "number of axes",
            takes: "1 or more, and no more than dimensions or points",
        });
    }
    let mean = mean(points);
    let mut axes = first_axes((n_axes + BESIDE).min(d).min(n), d, seed);
    let mut before = 0.0;
    let mut variances = Vec::new();
    for pass in 0..PASSES {
        step(watch, pass, PASSES)?;
        let images = covariance_times(points, &mean, &axes);
        variances = rotate(&mut axes, &images, d);
        let explained: f64 = variances[..n_axes].iter().sum();
        if explained - before <= GAIN * explained {
            break;
        }
        before = explained;
        axes = images;
        orthonormalise(&mut axes, d);
    }
    step(watch, PASSES, PASSES)?;
    axes.truncate(n_axes * d);
    variances.truncate(n_axes);
    axes.chunks_exact_mut(d).for_each(turn_positive);
    Ok(PrincipalAxes { dimension: d, mean, axes, variances })
}

impl PrincipalAxes {
    pub fn n_axes(&self) -> usize {
        self.variances.len()
    }

    /// Where points lie along the axes: `[n, n_axes]`.
    ///
    /// # Errors
    /// [`ClusterError::Dimension`]: points of another dimension.
    pub fn project(&self, points: &Points<'_>) -> Result<Vec<f32>, ClusterError> {
        ClusterError::check_dimension(points.dimension(), self.dimension)?;
        let (r, rows) = (self.n_axes(), points.chunk_rows());
        let mut projected = vec![0f32; points.len() * r];
        let chunks = projected.par_chunks_mut(rows * r).zip(points.values().par_chunks(rows * self.dimension));
        chunks.for_each(|(projected, values)| {
            Arch::new().dispatch(Project { values, mean: &self.mean, axes: &self.axes, projected });
        });
        Ok(projected)
    }
}

fn mean(points: &Points<'_>) -> Vec<f64> {
    let d = points.dimension();
    let sum = |values: &[f32]| {
        let mut sum = vec![0f64; d];
        for row in values.chunks_exact(d) {
            sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        sum
    };
    let parts: Vec<Vec<f64>> = points.values().par_chunks(points.chunk_rows() * d).map(sum).collect();
    add_up(parts, d).into_iter().map(|sum| sum / points.len() as f64).collect()
}

/// In the parts' order, so that the number of threads changes nothing.
fn add_up(parts: Vec<Vec<f64>>, n: usize) -> Vec<f64> {
    let mut sums = vec![0f64; n];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    sums
}

fn first_axes(r: usize, d: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    // Any continuous distribution reaches every direction.
    let mut axes: Vec<f64> = (0..r * d).map(|_| rng.random_range(-1.0..1.0)).collect();
    orthonormalise(&mut axes, d);
    axes
}

/// The covariance of the points times each axis: `[r, dimension]`.
fn covariance_times(points: &Points<'_>, mean: &[f64], axes: &[f64]) -> Vec<f64> {
    let chunks = points.values().par_chunks(points.chunk_rows() * points.dimension());
    let parts = chunks.map(|values| Arch::new().dispatch(Images { values, mean, axes })).collect();
    let n = (points.len() as f64 - 1.0).max(1.0);
    add_up(parts, axes.len()).into_iter().map(|sum| sum / n).collect()
}

/// Of some points. (A closure would not be compiled for the vectors' instructions.)
struct Images<'a> {
    values: &'a [f32],
    mean: &'a [f64],
    axes: &'a [f64],
}

impl WithSimd for Images<'_> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f64> {
        let d = self.mean.len();
        let (mut images, mut row) = (vec![0f64; self.axes.len()], vec![0f64; d]);
        for values in self.values.chunks_exact(d) {
            centre(values, self.mean, &mut row);
            for (axis, image) in self.axes.chunks_exact(d).zip(images.chunks_exact_mut(d)) {
                let along = dot(axis, &row);
                for i in 0..d {
                    image[i] += along * row[i];
                }
            }
        }
        images
    }
}

struct Project<'a> {
    values: &'a [f32],
    mean: &'a [f64],
    axes: &'a [f64],
    projected: &'a mut [f32],
}

impl WithSimd for Project<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let d = self.mean.len();
        let mut row = vec![0f64; d];
        let projected = self.projected.chunks_exact_mut(self.axes.len() / d);
        for (values, projected) in self.values.chunks_exact(d).zip(projected) {
            centre(values, self.mean, &mut row);
            for (axis, to) in self.axes.chunks_exact(d).zip(projected) {
                *to = dot(axis, &row) as f32;
            }
        }
    }
}

#[inline(always)]
fn centre(values: &[f32], mean: &[f64], row: &mut [f64]) {
    for ((to, &value), mean) in row.iter_mut().zip(values).zip(mean) {
        *to = f64::from(value) - mean;
    }
}

/// Sixteen sums side by side.
#[inline(always)]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0f64; 16];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut rest = 0.0;
    for (a, b) in a_rest.iter().zip(b_rest) {
        rest += a * b;
    }
    sums.iter().sum::<f64>() + rest
}

/// Makes rows unit vectors at right angles (Gram & Schmidt, each twice, as once leaves what rounding made). A row that the ones before it
/// make up becomes zero.
fn orthonormalise(rows: &mut [f64], d: usize) {
    for i in 0..rows.len() / d {
        let (done, row) = rows.split_at_mut(i * d);
        let row = &mut row[..d];
        let length = dot(row, row).sqrt();
        for _ in 0..2 {
            for other in done.chunks_exact(d) {
                let along = dot(row, other);
                row.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
            }
        }
        let left = dot(row, row).sqrt();
        let scale = if left > 1e-12 * length { 1.0 / left } else { 0.0 };
        row.iter_mut().for_each(|value| *value *= scale);
    }
}

/// Turns orthonormal axes within what they span so that they are its principal ones, and gives the variances (Rayleigh & Ritz).
fn rotate(axes: &mut [f64], images: &[f64], d: usize) -> Vec<f64> {
    let r = axes.len() / d;
    let row = |rows: &[f64], i: usize| rows[i * d..][..d].to_vec();
    let mut within: Vec<f64> = (0..r * r).map(|at| dot(&row(axes, at / r), &row(images, at % r))).collect();
    let turns = eigenvectors(&mut within, r);
    let mut order: Vec<usize> = (0..r).collect();
    order.sort_by(|&a, &b| within[b * r + b].total_cmp(&within[a * r + a]));
    let turned: Vec<f64> = order
        .iter()
        .flat_map(|&i| {
            let mut sum = vec![0f64; d];
            for j in 0..r {
                let share = turns[j * r + i];
                sum.iter_mut().zip(&axes[j * d..][..d]).for_each(|(sum, value)| *sum += share * value);
            }
            sum
        })
        .collect();
    axes.copy_from_slice(&turned);
    order.iter().map(|&i| within[i * r + i].max(0.0)).collect()
}

/// Jacobi's method (1846): a symmetric matrix, `[r, r]`, becomes diagonal; column i of what is returned belongs to number i there.
fn eigenvectors(matrix: &mut [f64], r: usize) -> Vec<f64> {
    let mut vectors: Vec<f64> = (0..r * r).map(|at| if at % (r + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let whole: f64 = matrix.iter().map(|v| v * v).sum();
    for _ in 0..SWEEPS {
        let beside: f64 = (0..r * r).filter(|at| at % (r + 1) != 0).map(|at| matrix[at] * matrix[at]).sum();
        if beside <= 1e-30 * whole {
            break;
        }
        for p in 0..r {
            for q in p + 1..r {
                turn_pair(matrix, &mut vectors, r, (p, q));
            }
        }
    }
    vectors
}

/// Makes the numbers at (p, q) and (q, p) zero.
fn turn_pair(matrix: &mut [f64], vectors: &mut [f64], r: usize, (p, q): (usize, usize)) {
    let off = f64::midpoint(matrix[p * r + q], matrix[q * r + p]);
    if off == 0.0 {
        return;
    }
    let theta = (matrix[q * r + q] - matrix[p * r + p]) / (2.0 * off);
    let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    for k in 0..r {
        let (a, b) = (matrix[k * r + p], matrix[k * r + q]);
        (matrix[k * r + p], matrix[k * r + q]) = (cosine * a - sine * b, sine * a + cosine * b);
    }
    for k in 0..r {
        let (a, b) = (matrix[p * r + k], matrix[q * r + k]);
        (matrix[p * r + k], matrix[q * r + k]) = (cosine * a - sine * b, sine * a + cosine * b);
        let (a, b) = (vectors[k * r + p], vectors[k * r + q]);
        (vectors[k * r + p], vectors[k * r + q]) = (cosine * a - sine * b, sine * a + cosine * b);
    }
}

/// An axis and its opposite are the same: the one with the positive largest number is taken.
fn turn_positive(axis: &mut [f64]) {
    let largest = axis.iter().fold(0f64, |most, &value| if value.abs() > most.abs() { value } else { most });
    if largest < 0.0 {
        axis.iter_mut().for_each(|value| *value = -*value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::planted::{blobs, on_threads, planted};
    use super::*;
    use proptest::prelude::*;

    fn axes_of(values: &[f32], d: usize, n_axes: usize) -> PrincipalAxes {
        principal_axes(&Points::new(values, d).unwrap(), n_axes, 0, &()).unwrap()
    }

    /// Recorded from scikit-learn 1.9.1 by `tests/reference/clusterings.py`: `PCA(2, svd_solver="full")`, signs as said above.
    #[test]
    fn axes_and_variances_equal_those_recorded_from_scikit_learn() {
        let data = blobs(&[30, 25, 20], 5, 1.2, 7);
        let found = axes_of(&data.values, 5, 2);
        for (found, expected) in found.variances.iter().chain(&found.axes).zip(VARIANCES.iter().chain(&AXES)) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
        let projected = found.project(&Points::new(&data.values, 5).unwrap()).unwrap();
        for (found, expected) in projected[148..].iter().zip(LAST_ROW) {
            assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} is not {expected}");
        }
    }

    const VARIANCES: [f64; 2] = [4.391_091_435_013, 2.410_256_205_988];
    const AXES: [f64; 10] = [
        -0.495_873_522_093,
        -0.154_356_643_996,
        -0.241_166_252_338,
        -0.553_467_221_786,
        0.604_811_003_274,
        -0.417_090_979_438,
        -0.324_183_128_687,
        0.823_391_385_939,
        0.191_642_060_078,
        0.078_995_951_253,
    ];
    const LAST_ROW: [f64; 2] = [-1.005_822_244_604, -2.863_050_568_373];

    #[test]
    fn threads_change_nothing_and_what_makes_no_axes_is_refused() {
        let data = planted(&[200, 150, 100], 48, 1.0, 2);
        let one = on_threads(1, || axes_of(&data.values, 48, 6));
        assert_eq!(on_threads(3, || axes_of(&data.values, 48, 6)), one);
        let points = Points::new(&data.values[..3 * 48], 48).unwrap();
        for n_axes in [0, 4, 49] {
            assert!(matches!(principal_axes(&points, n_axes, 0, &()), Err(ClusterError::Setting { .. })), "{n_axes}");
        }
        let other = Points::new(&[1.0], 1).unwrap();
        assert_eq!(one.project(&other), Err(ClusterError::Dimension { found: 1, expected: 48 }));
        // Equal points differ in no direction.
        assert!(axes_of(&[2.0; 12], 3, 2).variances.iter().all(|&v| v == 0.0));
    }

    proptest! {
        #[test]
        fn axes_are_at_right_angles_and_all_of_them_keep_all_distances(seed in 0u64..40) {
            let data = planted(&[14, 12], 6, 1.5, seed);
            let points = Points::new(&data.values, 6).unwrap();
            let found = axes_of(&data.values, 6, 6);
            for i in 0..6 {
                for j in 0..6 {
                    let product = dot(&found.axes[i * 6..][..6], &found.axes[j * 6..][..6]);
                    prop_assert!((product - f64::from(u8::from(i == j))).abs() < 1e-9);
                }
            }
            prop_assert!(found.variances.is_sorted_by(|a, b| a >= b));
            let projected = found.project(&points).unwrap();
            let apart = |rows: &[f32], i: usize, j: usize| -> f64 {
                (0..6).map(|c| (f64::from(rows[i * 6 + c]) - f64::from(rows[j * 6 + c])).powi(2)).sum::<f64>().sqrt()
            };
            for i in 0..points.len() {
                prop_assert!((apart(points.values(), 0, i) - apart(&projected, 0, i)).abs() < 1e-5);
            }
            // Along the axes the points vary as much as it says.
            let column: Vec<f64> = projected.iter().step_by(6).map(|&v| f64::from(v)).collect();
            let variance = column.iter().map(|v| v * v).sum::<f64>() / (points.len() - 1) as f64;
            prop_assert!((variance - found.variances[0]).abs() < 1e-5);
        }
    }
}
