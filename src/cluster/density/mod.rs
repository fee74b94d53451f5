//! Groups of any shape: where points are dense (HDBSCAN; Campello, Moulavi, Zimek & Sander 2015), and everybody else beside the group
//! that is nearest.
//!
//! A point's core distance is that to its m-th nearest point; two points are as far apart as the largest of their distance and both
//! core distances. A minimum spanning tree over these distances holds all groups of every density; [`mod@condense`] keeps those that
//! last. In hundreds of dimensions everything is equally far away, so points are reduced to their principal axes first. The tree takes n²
//! steps: of many points a sample makes it, and the rest join it.

mod condense;
mod spanning;
#[cfg(test)]
mod tests;

use super::geometry::Points;
use super::kmeans::{Stage, of_labels};
use super::{ClusterError, Clustering, Metric, Watch, principal_axes, step};
use condense::condense;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use spanning::{Columns, Reach, spanning_tree};

/// Points that the tree is made of, at most.
const SAMPLE: usize = 20_000;
/// The random stream of the sample, beyond those of k-means, refits, neighbours, axes and runs.
const STREAM: u64 = 1 << 43;

/// What to run, as asked for. [`DensityParams::check`] gives the only type that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DensityParams {
    min_size: usize,
    min_neighbours: Option<usize>,
    n_axes: Option<usize>,
    sample: usize,
    seed: u64,
}

impl DensityParams {
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// A point's core distance is that to its nearest so many, itself being the first: the more, the smoother. Default the smallest size
    /// of a group, 50 at most.
    #[must_use]
    pub fn min_neighbours(self, min_neighbours: usize) -> Self {
        Self { min_neighbours: Some(min_neighbours), ..self }
    }

    /// Principal axes that distances are measured along; None for all dimensions as they are. Default 20 (all, if there are no more).
    #[must_use]
    pub fn n_axes(self, n_axes: Option<usize>) -> Self {
        Self { n_axes, ..self }
    }

    /// Points that groups are sought among, drawn evenly where there are more. Default 20,000.
    #[must_use]
    pub fn sample(self, sample: usize) -> Self {
        Self { sample, ..self }
    }

    /// # Errors
    /// The smallest size is below 2 or above the number of points; there are no neighbours, or more of them than points; the sample is
    /// smaller than both.
    pub fn check(self, points: &Points<'_>) -> Result<Density, ClusterError> {
        let n = points.len();
        let refused = |setting, takes| Err(ClusterError::Setting { setting, takes });
        if self.min_size < 2 || self.min_size > n {
            return refused("smallest size of a group", "2 or more, and no more than there are points");
        }
        let n_sampled = self.sample.min(n);
        if self.n_neighbours() == 0 || self.n_neighbours() > n_sampled {
            return refused("number of neighbours", "1 or more, and no more than there are points in the sample");
        }
        if n_sampled < 2 {
            return refused("sample", "2 points or more");
        }
        if self.n_axes == Some(0) {
            return refused("number of axes", "1 or more");
        }
        Ok(Density(self))
    }

    fn n_neighbours(&self) -> usize {
        self.min_neighbours.unwrap_or(self.min_size.min(50))
    }
}

/// A search for dense groups that can run on the points it was checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Density(DensityParams);

/// Dense groups, and everybody in one of them.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseClustering {
    pub clustering: Clustering,
    /// Whether a point is part of its group; the others (noise, and who was not in the sample) were placed beside the nearest part.
    pub is_dense: Vec<bool>,
    /// 0 to 1: how dense the group is at the point, beside where it is densest. Who is placed beside a group is as sure as
    /// the distance to it says.
    pub confidence: Vec<f64>,
}

impl Density {
    /// Groups of at least `min_size` points.
    pub fn params(min_size: usize) -> DensityParams {
        DensityParams { min_size, min_neighbours: None, n_axes: Some(20), sample: SAMPLE, seed: 0 }
    }

    /// # Errors
    /// [`ClusterError::NoDenseGroups`]: all is one cloud, or thinner than was asked for; [`ClusterError::Cancelled`].
    pub fn fit(&self, points: &Points<'_>, watch: &dyn Watch) -> Result<DenseClustering, ClusterError> {
        let (n, d) = (points.len(), points.dimension());
        let stage = |nth| Stage { watch, nth, of: 3 };
        let reduced = match self.0.n_axes {
            Some(n_axes) if n_axes < d.min(n) => Some(principal_axes(points, n_axes, self.0.seed, &stage(0))?),
            _ => None,
        };
        let projected = reduced.as_ref().map(|axes| axes.project(points)).transpose()?;
        let values = projected.as_deref().unwrap_or(points.values());
        let space = Points::new(values, reduced.as_ref().map_or(d, |axes| axes.n_axes()))?;

        let rows = self.sampled(n);
        let columns = Columns::new(&space, &rows);
        let reach = Reach::new(&columns, self.0.n_neighbours());
        let edges = spanning_tree(&columns, &reach, &stage(1))?;
        // In a sample a group has its share of its points.
        let min_size = (self.0.min_size * rows.len()).div_ceil(n).max(2);
        let groups = condense(rows.len(), edges, min_size);
        if groups.n_groups() == 0 {
            return Err(ClusterError::NoDenseGroups { min_size: self.0.min_size });
        }
        step(&stage(2), 0, 1)?;
        let placed = self.place(&space, &rows, &Found { columns: &columns, reach: &reach, groups: &groups });
        step(&stage(2), 1, 1)?;
        let labels = placed.iter().map(|place| place.label).collect();
        let (clustering, _) = of_labels(points, labels, groups.n_groups(), Metric::Cosine);
        Ok(DenseClustering {
            clustering,
            is_dense: placed.iter().map(|place| place.is_dense).collect(),
            confidence: placed.iter().map(|place| place.confidence).collect(),
        })
    }

    /// Rows that make the tree, ascending.
    fn sampled(&self, n: usize) -> Vec<usize> {
        if n <= self.0.sample {
            return (0..n).collect();
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.0.seed);
        rng.set_stream(STREAM);
        let mut rows = index::sample(&mut rng, n, self.0.sample).into_vec();
        rows.sort_unstable();
        rows
    }

    /// Everybody's group: the own one, or that of the point in a group that is nearest by the distance the tree is made of.
    fn place(&self, space: &Points<'_>, rows: &[usize], found: &Found<'_>) -> Vec<Place> {
        let nowhere = Place { label: 0, is_dense: false, confidence: 0.0 };
        let mut placed = vec![nowhere; space.len()];
        let mut core = vec![0f32; space.len()];
        for (at, &row) in rows.iter().enumerate() {
            core[row] = found.reach.core(at);
            if let Some((label, confidence)) = found.groups.membership(at) {
                placed[row] = Place { label, is_dense: true, confidence };
            }
        }
        let members: Vec<usize> = (0..rows.len()).filter(|&at| found.groups.membership(at).is_some()).collect();
        let dense = found.columns.select(&members);
        let dense_core: Vec<f32> = members.iter().map(|&at| found.reach.core(at)).collect();
        let outside: Vec<usize> = (0..space.len()).filter(|&row| !placed[row].is_dense).collect();
        let nearest = dense.nearest(space, &outside, &core, &dense_core);
        for (row, (at, distance)) in outside.into_iter().zip(nearest) {
            let (label, confidence) = found.groups.beside(members[at], distance);
            placed[row] = Place { label, is_dense: false, confidence };
        }
        placed
    }
}

/// What the tree says of the sample.
struct Found<'a> {
    columns: &'a Columns,
    reach: &'a Reach,
    groups: &'a condense::Groups,
}

#[derive(Clone, Copy)]
struct Place {
    label: u32,
    is_dense: bool,
    confidence: f64,
}
