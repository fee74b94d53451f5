//! One partition out of many: who is together in most runs of k-means belongs together (evidence accumulation, Fred & Jain 2005).
//!
//! How often each two customers are together would be n² numbers. Instead customers are put into cells first, a thousand small ones, and
//! the numbers are those of cells: the share of runs in which a customer of one and a customer of the other are together, on
//! average. Average linkage joins the cells.

#[cfg(test)]
mod tests;

use super::geometry::Points;
use super::hierarchy::{Hierarchy, Linkage, link};
use super::kmeans::{Stage, of_labels};
use super::lloyd::lloyd;
use super::principal::dot;
use super::seeding::plus_plus;
use super::{ClusterError, Clustering, KMeans, Metric, Watch};
use pulp::{Arch, Simd, WithSimd};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Lloyd iterations of the cells: they need be small, not good.
const CELL_ITERATIONS: usize = 4;
/// Cells at most: there is a number for each pair.
const CELLS_MAX: usize = 2_000;
/// Shares of runs are told apart down to one in so many.
const GRID: f64 = (1u64 << 32) as f64;
/// The random streams of runs and of cells lie beyond those of k-means, refits, neighbours and axes.
const STREAM: u64 = 1 << 42;

/// What to run, as asked for. [`ConsensusParams::check`] gives the only type that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsensusParams {
    k: usize,
    finest: Option<usize>,
    n_runs: usize,
    n_cells: usize,
    max_iter: usize,
    seed: u64,
}

impl ConsensusParams {
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Runs of k-means that are heard. Default 20.
    #[must_use]
    pub fn n_runs(self, n_runs: usize) -> Self {
        Self { n_runs, ..self }
    }

    /// Runs have from k to so many clusters each: finer ones find groups that are not round. Default 2 k.
    #[must_use]
    pub fn finest(self, finest: usize) -> Self {
        Self { finest: Some(finest), ..self }
    }

    /// Cells that points are put into where there are more points, 2,000 at most. Default 1,000.
    #[must_use]
    pub fn n_cells(self, n_cells: usize) -> Self {
        Self { n_cells, ..self }
    }

    /// # Errors
    /// k is 0 or larger than the number of distinct points or of cells; the runs are none, or the finest has fewer than k clusters;
    /// there are more than 2,000 cells.
    pub fn check(self, points: &Points<'_>) -> Result<Consensus, ClusterError> {
        let refused = |setting, takes| Err(ClusterError::Setting { setting, takes });
        KMeans::params(self.k).check(points)?;
        if self.n_runs == 0 {
            return refused("number of runs", "1 or more");
        }
        if !(self.k..=CELLS_MAX).contains(&self.n_cells) {
            return refused("number of cells", "k or more, and no more than 2000");
        }
        if self.finest.is_some_and(|finest| finest < self.k) {
            return refused("finest run", "k clusters or more");
        }
        let asked = self.finest.unwrap_or(2 * self.k).min(points.len());
        let finest = match KMeans::params(asked).check(points) {
            Err(ClusterError::TooFewDistinct { n_distinct, .. }) => n_distinct,
            _ => asked,
        };
        Ok(Consensus(Self { finest: Some(finest), ..self }))
    }
}

/// A consensus that can be found on the points it was checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consensus(ConsensusParams);

/// What runs agree on.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreed {
    /// Each point's cluster, below k.
    pub labels: Vec<u32>,
    /// `[n, k]`: of those who are with a point in a run, the share that is in each cluster, on average over runs. A row sums to 1; its
    /// number at the point's own cluster is how sure the runs are of it.
    pub memberships: Vec<f64>,
    /// Over cells; the height of a merge is the share of runs in which two of its sides are apart.
    pub hierarchy: Hierarchy,
}

/// A consensus as a clustering of the points, and the runs' agreement on each of them.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsensusClustering {
    pub clustering: Clustering,
    /// `[n, k]`, see [`Agreed::memberships`].
    pub memberships: Vec<f64>,
}

impl ConsensusClustering {
    /// How sure the runs are of each point's own cluster, 0 to 1.
    pub fn confidence(&self) -> Vec<f64> {
        let rows = self.memberships.chunks_exact(self.clustering.k);
        rows.zip(&self.clustering.labels).map(|(row, &label)| row[label as usize]).collect()
    }
}

impl Consensus {
    pub fn params(k: usize) -> ConsensusParams {
        ConsensusParams { k, finest: None, n_runs: 20, n_cells: 1_000, max_iter: 30, seed: 0 }
    }

    /// # Errors
    /// [`ClusterError::Cancelled`] alone.
    pub fn fit(&self, points: &Points<'_>, watch: &dyn Watch) -> Result<ConsensusClustering, ClusterError> {
        let stage = |nth| Stage { watch, nth, of: 2 };
        let runs = self.runs(points, &stage(0))?;
        let cells = self.cells(points, &stage(1))?;
        let found = agree(&runs, &cells, self.0.k)?;
        let (clustering, order) = of_labels(points, found.labels, self.0.k, Metric::Cosine);
        let reordered = |row: &[f64]| order.iter().map(|&old| row[old]).collect::<Vec<f64>>();
        let memberships = found.memberships.chunks_exact(self.0.k).flat_map(reordered).collect();
        Ok(ConsensusClustering { clustering, memberships })
    }

    /// Labels of all runs, which read the points together.
    fn runs(&self, points: &Points<'_>, watch: &dyn Watch) -> Result<Vec<Vec<u32>>, ClusterError> {
        let ConsensusParams { k, finest, n_runs, max_iter, .. } = self.0;
        let wider = finest.unwrap_or(k) - k + 1;
        let start = |run: usize| plus_plus(points, k + run * wider / n_runs, Metric::Cosine, &mut self.rng(1 + run));
        let starts = (0..n_runs).into_par_iter().map(start).collect();
        let found = lloyd(points, starts, Metric::Cosine, max_iter, watch)?;
        Ok(found.into_iter().map(|run| run.labels).collect())
    }

    /// Small groups of points that lie together; each point by itself where there are few.
    fn cells(&self, points: &Points<'_>, watch: &dyn Watch) -> Result<Vec<u32>, ClusterError> {
        let (n, n_cells) = (points.len(), self.0.n_cells);
        if n <= n_cells {
            return Ok((0..n as u32).collect());
        }
        let mut rows = index::sample(&mut self.rng(0), n, n_cells).into_vec();
        rows.sort_unstable();
        let found = lloyd(points, vec![points.select(&rows)], Metric::Cosine, CELL_ITERATIONS, watch)?;
        Ok(found.into_iter().flat_map(|found| found.labels).collect())
    }

    fn rng(&self, stream: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.0.seed);
        rng.set_stream(STREAM + stream as u64);
        rng
    }
}

/// What runs agree on, as k clusters made of whole cells. `runs` are labels, one list a run; `cells[i]` is point i's cell, and every cell
/// up to the largest has a point.
///
/// # Errors
/// There is no run; lists of unlike lengths; a cell without a point; more than 2,000 cells, or fewer than k.
pub fn agree(runs: &[Vec<u32>], cells: &[u32], k: usize) -> Result<Agreed, ClusterError> {
    let n_cells = cells.iter().max().map_or(0, |&most| most as usize + 1);
    if runs.is_empty() || runs.iter().any(|labels| labels.len() != cells.len()) {
        return Err(ClusterError::Setting { setting: "runs", takes: "one or more lists of a label for each point" });
    }
    if n_cells > CELLS_MAX {
        return Err(ClusterError::TooManyLeaves { n: n_cells, most: CELLS_MAX });
    }
    let mut sizes = vec![0f64; n_cells];
    cells.iter().for_each(|&cell| sizes[cell as usize] += 1.0);
    let shares = Shares::new(runs, cells, &sizes);
    let hierarchy = link(shares.apart(), &sizes, Linkage::Average)?;
    let of_cell = hierarchy.cut(k)?;
    let labels: Vec<u32> = cells.iter().map(|&cell| of_cell[cell as usize]).collect();
    let memberships = memberships(runs, &labels, k);
    Ok(Agreed { labels, memberships, hierarchy })
}

/// For each cell the share of its points in each cluster of each run.
struct Shares {
    n_runs: usize,
    /// Clusters of all runs.
    width: usize,
    /// `[n_cells, width]`
    values: Vec<f64>,
}

impl Shares {
    fn new(runs: &[Vec<u32>], cells: &[u32], sizes: &[f64]) -> Self {
        let widths = runs.iter().map(|labels| labels.iter().max().map_or(0, |&most| most as usize + 1));
        let firsts: Vec<usize> = std::iter::once(0)
            .chain(widths.scan(0, |sum, width| {
                *sum += width;
                Some(*sum)
            }))
            .collect();
        let width = firsts[runs.len()];
        let mut counts = vec![0u32; sizes.len() * width];
        for (labels, first) in runs.iter().zip(firsts) {
            for (&label, &cell) in labels.iter().zip(cells) {
                counts[cell as usize * width + first + label as usize] += 1;
            }
        }
        let share = |(at, &count): (usize, &u32)| f64::from(count) / sizes[at / width];
        let values = counts.iter().enumerate().map(share).collect();
        Self { n_runs: runs.len(), width, values }
    }

    /// For each pair of cells the share of runs in which their points are apart.
    fn apart(&self) -> Vec<f64> {
        let n = self.values.len() / self.width.max(1);
        let row = |row| Arch::new().dispatch(Apart { shares: self, row });
        (0..n).into_par_iter().map(row).collect::<Vec<Vec<f64>>>().concat()
    }
}

/// One cell and all later ones. (A closure would not be compiled for the vectors' instructions.)
struct Apart<'a> {
    shares: &'a Shares,
    row: usize,
}

impl WithSimd for Apart<'_> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f64> {
        let Shares { n_runs, width, ref values } = *self.shares;
        let own = &values[self.row * width..][..width];
        let mut apart = Vec::new();
        for other in values[(self.row + 1) * width..].chunks_exact(width) {
            let together = dot(own, other) / n_runs as f64;
            // Equals stay equal whatever the order of the runs: the last bits are where the order shows.
            apart.push(((1.0 - together) * GRID).round().max(0.0) / GRID);
        }
        apart
    }
}

/// `[n, k]`: of those who are with a point in a run, the share in each cluster, on average over runs.
fn memberships(runs: &[Vec<u32>], labels: &[u32], k: usize) -> Vec<f64> {
    let mut memberships = vec![0f64; labels.len() * k];
    for run in runs {
        let width = run.iter().max().map_or(0, |&most| most as usize + 1);
        let (mut counts, mut sizes) = (vec![0f64; width * k], vec![0f64; width]);
        for (&group, &label) in run.iter().zip(labels) {
            counts[group as usize * k + label as usize] += 1.0;
            sizes[group as usize] += 1.0;
        }
        counts.iter_mut().enumerate().for_each(|(at, count)| *count /= sizes[at / k].max(1.0) * runs.len() as f64);
        for (row, &group) in memberships.chunks_exact_mut(k).zip(run) {
            row.iter_mut().zip(&counts[group as usize * k..]).for_each(|(sum, share)| *sum += share);
        }
    }
    memberships
}
