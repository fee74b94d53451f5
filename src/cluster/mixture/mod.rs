//! Soft membership: a mixture of Gaussians, each with a variance a dimension (McLachlan & Peel 2000, sections 3.2 and 3.3), fitted by
//! expectation-maximisation (Dempster, Laird & Rubin 1977) from where k-means ends.
//!
//! Densities are kept as logarithms throughout: in hundreds of dimensions they leave what a double can hold. An iteration reads the
//! points once, as the sums that the next parameters are made of are taken along while memberships are worked out.

#[cfg(test)]
mod tests;

use super::geometry::Points;
use super::kmeans::Stage;
use super::{ClusterError, KMeans, Metric, Watch, step};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Added to a component's size, so that one without points divides nothing by zero.
const TINY: f64 = 10.0 * f64::EPSILON;

/// What to run, as asked for. [`MixtureParams::check`] gives the only type that runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixtureParams {
    k: usize,
    seed: u64,
    max_iter: usize,
    tolerance: f64,
    variance_floor: f64,
}

impl MixtureParams {
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Iterations at most. Default 100.
    #[must_use]
    pub fn max_iter(self, max_iter: usize) -> Self {
        Self { max_iter: max_iter.max(1), ..self }
    }

    /// The fit is over when an iteration adds less than this to the mean log-likelihood of a point. Default 0.001.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// Added to every variance, in the square of the points' unit, so that no component shrinks to a point. Default 0.000001.
    #[must_use]
    pub fn variance_floor(self, variance_floor: f64) -> Self {
        Self { variance_floor, ..self }
    }

    /// # Errors
    /// k is 0 or larger than the number of distinct points; the tolerance or the floor is no positive number.
    pub fn check(self, points: &Points<'_>) -> Result<GaussianMixture, ClusterError> {
        for (setting, value) in [("tolerance", self.tolerance), ("variance floor", self.variance_floor)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(ClusterError::Setting { setting, takes: "a positive number" });
            }
        }
        let start = KMeans::params(self.k).seed(self.seed).metric(Metric::Euclidean).check(points)?;
        Ok(GaussianMixture { params: self, start })
    }
}

/// A mixture that can be fitted to the points it was checked with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaussianMixture {
    params: MixtureParams,
    start: KMeans,
}

/// The components that were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    pub k: usize,
    pub dimension: usize,
    /// Each component's share of the points; they sum to 1.
    pub weights: Vec<f64>,
    /// `[k, dimension]`
    pub means: Vec<f64>,
    /// `[k, dimension]`, each at least the floor.
    pub variances: Vec<f64>,
}

/// A mixture and whom it fits how well.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftClustering {
    pub mixture: Mixture,
    /// `[n, k]`: how probably each point belongs to each component; a row sums to 1.
    pub responsibilities: Vec<f64>,
    /// Mean over the points, in nats.
    pub log_likelihood: f64,
    pub n_iter: usize,
    /// Whether it settled before its iterations were over.
    pub settled: bool,
}

impl GaussianMixture {
    pub fn params(k: usize) -> MixtureParams {
        MixtureParams { k, seed: 0, max_iter: 100, tolerance: 1e-3, variance_floor: 1e-6 }
    }

    /// Starts from a k-means of its own. Components have the order of its clusters, largest first.
    ///
    /// # Errors
    /// [`ClusterError::Cancelled`] alone.
    pub fn fit(&self, points: &Points<'_>, watch: &dyn Watch) -> Result<SoftClustering, ClusterError> {
        let start = self.start.fit(points, &Stage { watch, nth: 0, of: 2 })?;
        self.fit_from(points, &start.labels, &Stage { watch, nth: 1, of: 2 })
    }

    /// Starts from these labels, one a point, each below k.
    ///
    /// # Errors
    /// [`ClusterError::Labels`]: labels of other points, or of more clusters than there are components; [`ClusterError::Cancelled`].
    pub fn fit_from(
        &self,
        points: &Points<'_>,
        labels: &[u32],
        watch: &dyn Watch,
    ) -> Result<SoftClustering, ClusterError> {
        let MixtureParams { k, max_iter, tolerance, variance_floor, .. } = self.params;
        ClusterError::check_labels(labels, points.len(), k)?;
        let mut mixture = Moments::of_labels(points, labels, k).mixture(points.dimension(), variance_floor);
        let (mut before, mut n_iter, mut settled) = (f64::NEG_INFINITY, 0, false);
        while n_iter < max_iter && !settled {
            step(watch, n_iter, max_iter)?;
            let moments = mixture.expect(points, None);
            let now = moments.log_likelihood / points.len() as f64;
            mixture = moments.mixture(points.dimension(), variance_floor);
            settled = (now - before).abs() < tolerance;
            (before, n_iter) = (now, n_iter + 1);
        }
        step(watch, max_iter, max_iter)?;
        let mut responsibilities = vec![0.0; points.len() * k];
        let log_likelihood = mixture.expect(points, Some(&mut responsibilities)).log_likelihood / points.len() as f64;
        Ok(SoftClustering { mixture, responsibilities, log_likelihood, n_iter, settled })
    }
}

impl SoftClustering {
    /// Each point's most probable component, of equals the first.
    pub fn labels(&self) -> Vec<u32> {
        let best = |row: &[f64]| (0..row.len()).fold(0, |best, j| if row[j] > row[best] { j } else { best }) as u32;
        self.responsibilities.chunks_exact(self.mixture.k).map(best).collect()
    }

    /// Bayesian information criterion (Schwarz 1978): -2 log-likelihood + parameters · ln n. Of fits to the same points, the lower the
    /// better.
    pub fn bic(&self) -> f64 {
        let n = (self.responsibilities.len() / self.mixture.k) as f64;
        self.mixture.n_parameters() as f64 * n.ln() - 2.0 * n * self.log_likelihood
    }
}

impl Mixture {
    /// Free parameters: means and variances, and the weights but one, as they sum to 1.
    pub fn n_parameters(&self) -> usize {
        2 * self.k * self.dimension + self.k - 1
    }

    /// How probably each of these points belongs to each component: `[n, k]`.
    ///
    /// # Errors
    /// [`ClusterError::Dimension`]: points of another dimension.
    pub fn responsibilities(&self, points: &Points<'_>) -> Result<Vec<f64>, ClusterError> {
        ClusterError::check_dimension(points.dimension(), self.dimension)?;
        let mut responsibilities = vec![0.0; points.len() * self.k];
        self.expect(points, Some(&mut responsibilities));
        Ok(responsibilities)
    }

    /// Memberships of all points (written where there is room for them), and the sums that the next parameters are made of.
    fn expect(&self, points: &Points<'_>, room: Option<&mut [f64]>) -> Moments {
        let (d, rows, arch) = (self.dimension, points.chunk_rows(), Arch::new());
        let densities = Densities::new(self);
        let values = points.values().par_chunks(rows * d);
        let of = |values, room| arch.dispatch(Expectation { densities: &densities, values, room });
        let parts: Vec<Moments> = match room {
            None => values.map(|values| of(values, None)).collect(),
            Some(room) => {
                values.zip(room.par_chunks_mut(rows * self.k)).map(|(values, room)| of(values, Some(room))).collect()
            }
        };
        Moments::sum(parts, self.k, d)
    }
}

/// Sums over points, each weighted by its membership.
struct Moments {
    log_likelihood: f64,
    /// `[k]`
    sizes: Vec<f64>,
    /// `[k, dimension]`: Σ r x and Σ r x².
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn zero(k: usize, d: usize) -> Self {
        Self { log_likelihood: 0.0, sizes: vec![0.0; k], sums: vec![0.0; k * d], squares: vec![0.0; k * d] }
    }

    /// Everybody belongs to one component wholly.
    fn of_labels(points: &Points<'_>, labels: &[u32], k: usize) -> Self {
        let d = points.dimension();
        let mut moments = Self::zero(k, d);
        for (row, &label) in points.values().chunks_exact(d).zip(labels) {
            let row: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
            moments.add(label as usize, 1.0, &row);
        }
        moments
    }

    #[inline(always)]
    fn add(&mut self, component: usize, weight: f64, row: &[f64]) {
        let d = row.len();
        self.sizes[component] += weight;
        let sums = &mut self.sums[component * d..][..d];
        let squares = &mut self.squares[component * d..][..d];
        for i in 0..d {
            sums[i] += weight * row[i];
            squares[i] += weight * row[i] * row[i];
        }
    }

    /// In the parts' order, so that the number of threads changes nothing.
    fn sum(parts: Vec<Self>, k: usize, d: usize) -> Self {
        let mut all = Self::zero(k, d);
        for part in parts {
            all.log_likelihood += part.log_likelihood;
            all.sizes.iter_mut().zip(part.sizes).for_each(|(sum, value)| *sum += value);
            all.sums.iter_mut().zip(part.sums).for_each(|(sum, value)| *sum += value);
            all.squares.iter_mut().zip(part.squares).for_each(|(sum, value)| *sum += value);
        }
        all
    }

    /// The most likely parameters under these memberships.
    fn mixture(self, dimension: usize, variance_floor: f64) -> Mixture {
        let k = self.sizes.len();
        let sizes: Vec<f64> = self.sizes.iter().map(|size| size + TINY).collect();
        let n: f64 = sizes.iter().sum();
        let of = |i: usize, sums: &[f64]| sums[i] / sizes[i / dimension];
        let means: Vec<f64> = (0..self.sums.len()).map(|i| of(i, &self.sums)).collect();
        let variance = |i: usize| (of(i, &self.squares) - means[i] * means[i]).max(0.0) + variance_floor;
        let variances = (0..self.squares.len()).map(variance).collect();
        Mixture { k, dimension, weights: sizes.iter().map(|size| size / n).collect(), means, variances }
    }
}

/// A mixture as its log-densities need it.
struct Densities<'a> {
    mixture: &'a Mixture,
    /// `[k]`: ln weight - ½ (d ln 2π + Σ ln variance)
    constants: Vec<f64>,
    /// `[k, dimension]`: 1 / variance
    precisions: Vec<f64>,
}

impl<'a> Densities<'a> {
    fn new(mixture: &'a Mixture) -> Self {
        let d = mixture.dimension as f64;
        let of_component = |(weight, variances): (&f64, &[f64])| {
            weight.ln() - 0.5 * (d * std::f64::consts::TAU.ln() + variances.iter().map(|v| v.ln()).sum::<f64>())
        };
        let constants = mixture.weights.iter().zip(mixture.variances.chunks_exact(mixture.dimension)).map(of_component);
        let constants = constants.collect();
        Self { mixture, constants, precisions: mixture.variances.iter().map(|v| 1.0 / v).collect() }
    }

    /// ln (weight · density) of one component.
    #[inline(always)]
    fn log_density(&self, component: usize, row: &[f64]) -> f64 {
        let d = row.len();
        let means = &self.mixture.means[component * d..][..d];
        self.constants[component] - 0.5 * weighted_distance(row, means, &self.precisions[component * d..][..d])
    }
}

/// Σ (x - μ)² p, eight sums side by side.
#[inline(always)]
fn weighted_distance(row: &[f64], means: &[f64], precisions: &[f64]) -> f64 {
    let mut sums = [0f64; 8];
    let ((row, row_rest), (means, means_rest)) = (row.as_chunks::<8>(), means.as_chunks::<8>());
    let (precisions, precisions_rest) = precisions.as_chunks::<8>();
    for ((x, m), p) in row.iter().zip(means).zip(precisions) {
        for lane in 0..8 {
            let difference = x[lane] - m[lane];
            sums[lane] += difference * difference * p[lane];
        }
    }
    let mut rest = 0.0;
    for ((x, m), p) in row_rest.iter().zip(means_rest).zip(precisions_rest) {
        rest += (x - m) * (x - m) * p;
    }
    sums.iter().sum::<f64>() + rest
}

/// Of some points. (A closure would not be compiled for the vectors' instructions.)
struct Expectation<'a> {
    densities: &'a Densities<'a>,
    values: &'a [f32],
    room: Option<&'a mut [f64]>,
}

impl WithSimd for Expectation<'_> {
    type Output = Moments;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> Moments {
        let Mixture { k, dimension: d, .. } = *self.densities.mixture;
        let mut moments = Moments::zero(k, d);
        let (mut row, mut members) = (vec![0f64; d], vec![0f64; k]);
        for (at, values) in self.values.chunks_exact(d).enumerate() {
            row.iter_mut().zip(values).for_each(|(to, &value)| *to = f64::from(value));
            let mut largest = f64::NEG_INFINITY;
            for (component, member) in members.iter_mut().enumerate() {
                *member = self.densities.log_density(component, &row);
                largest = largest.max(*member);
            }
            members.iter_mut().for_each(|member| *member = (*member - largest).exp());
            let total: f64 = members.iter().sum();
            moments.log_likelihood += largest + total.ln();
            for (component, member) in members.iter_mut().enumerate() {
                *member /= total;
                // Far from a component a membership is nothing at all, in many dimensions nearly always.
                if *member > 0.0 {
                    moments.add(component, *member, &row);
                }
            }
            if let Some(room) = &mut self.room {
                room[at * k..][..k].copy_from_slice(&members);
            }
        }
        moments
    }
}
