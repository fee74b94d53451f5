//! Distances between all pairs, never kept: core distances, and the minimum spanning tree (Prim 1957; Campello et al. 2015, section 3.2).
//!
//! Points lie column by column, so that one point's distances to a block of others are sums along the vectors' lanes. Squares of distances
//! are compared, and are the same both ways: each is a sum of squared differences in the order of the dimensions.

use super::super::geometry::Points;
use super::super::{ClusterError, Watch, step};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Points whose distances are worked out together: their sums stay in the first cache.
const BLOCK: usize = 256;
/// Points taken up between two looks at the watcher.
const STRIDE: usize = 1_024;

/// Points column by column: `[dimension, n]`.
pub(super) struct Columns {
    n: usize,
    values: Vec<Vec<f32>>,
}

/// Each point's squared core distance.
pub(super) struct Reach {
    squared: Vec<f32>,
}

/// Of the spanning tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    pub one: usize,
    pub other: usize,
    /// The larger one of the distance and both core distances.
    pub distance: f64,
}

impl Columns {
    pub fn new(points: &Points<'_>, rows: &[usize]) -> Self {
        let column = |i: usize| rows.iter().map(|&row| points.row(row)[i]).collect();
        Self { n: rows.len(), values: (0..points.dimension()).map(column).collect() }
    }

    pub fn select(&self, rows: &[usize]) -> Self {
        let column = |column: &Vec<f32>| rows.iter().map(|&row| column[row]).collect();
        Self { n: rows.len(), values: self.values.iter().map(column).collect() }
    }

    fn row(&self, i: usize) -> Vec<f32> {
        self.values.iter().map(|column| column[i]).collect()
    }

    /// For each of these rows of `space` the nearest of the columns' points and how far it is, core distances counted.
    pub fn nearest(&self, space: &Points<'_>, rows: &[usize], core: &[f32], own_core: &[f32]) -> Vec<(usize, f64)> {
        let of = |&row: &usize| {
            let query = Nearest { columns: self, point: space.row(row), core: core[row], own_core };
            let (at, squared) = Arch::new().dispatch(query);
            (at, f64::from(squared).sqrt())
        };
        rows.par_iter().map(of).collect()
    }
}

/// Squared distances from a point to a block of points that starts at `first`.
#[inline(always)]
fn squared_distances(columns: &Columns, point: &[f32], first: usize, found: &mut [f32]) {
    found.fill(0.0);
    for (column, &value) in columns.values.iter().zip(point) {
        for (sum, other) in found.iter_mut().zip(&column[first..]) {
            let difference = other - value;
            *sum += difference * difference;
        }
    }
}

/// (A closure would not be compiled for the vectors' instructions.)
struct Nearest<'a> {
    columns: &'a Columns,
    point: &'a [f32],
    core: f32,
    own_core: &'a [f32],
}

impl WithSimd for Nearest<'_> {
    type Output = (usize, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (usize, f32) {
        let (mut best, mut bare, mut block) = ((0, f32::INFINITY), f32::INFINITY, [0f32; BLOCK]);
        for first in (0..self.columns.n).step_by(BLOCK) {
            let found = &mut block[..BLOCK.min(self.columns.n - first)];
            squared_distances(self.columns, self.point, first, found);
            for (at, (&distance, &core)) in found.iter().zip(&self.own_core[first..]).enumerate() {
                let reach = distance.max(core).max(self.core);
                // Often many are within the own core distance: of them the nearest.
                if reach < best.1 || reach == best.1 && distance < bare {
                    (best, bare) = ((first + at, reach), distance);
                }
            }
        }
        best
    }
}

impl Reach {
    /// Core distances: to the nearest `n_neighbours` points, oneself the first of them.
    pub fn new(columns: &Columns, n_neighbours: usize) -> Self {
        let core = |row| Arch::new().dispatch(Core { columns, row, n_neighbours });
        Self { squared: (0..columns.n).into_par_iter().map(core).collect() }
    }

    /// Squared.
    pub fn core(&self, i: usize) -> f32 {
        self.squared[i]
    }
}

struct Core<'a> {
    columns: &'a Columns,
    row: usize,
    n_neighbours: usize,
}

impl WithSimd for Core<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        let point = self.columns.row(self.row);
        let (mut nearest, mut block) = (vec![f32::INFINITY; self.n_neighbours], [0f32; BLOCK]);
        for first in (0..self.columns.n).step_by(BLOCK) {
            let found = &mut block[..BLOCK.min(self.columns.n - first)];
            squared_distances(self.columns, &point, first, found);
            for &distance in found.iter() {
                if distance < nearest[self.n_neighbours - 1] {
                    let at = nearest.partition_point(|&nearer| nearer <= distance);
                    nearest.insert(at, distance);
                    nearest.pop();
                }
            }
        }
        nearest[self.n_neighbours - 1]
    }
}

/// n - 1 edges that hold all points together, with the smallest sum of distances.
///
/// # Errors
/// [`ClusterError::Cancelled`] alone.
pub(super) fn spanning_tree(columns: &Columns, reach: &Reach, watch: &dyn Watch) -> Result<Vec<Edge>, ClusterError> {
    let n = columns.n;
    let mut outside = Outside::new(columns, reach);
    let mut edges = Vec::with_capacity(n - 1);
    let mut current = outside.take(0);
    while edges.len() < n - 1 {
        if edges.len() % STRIDE == 0 {
            step(watch, edges.len(), n)?;
        }
        let nearest = Arch::new().dispatch(Grow { outside: &mut outside, current: &current });
        let (from, distance) = (outside.from[nearest] as usize, outside.nearest[nearest]);
        current = outside.take(nearest);
        edges.push(Edge { one: from, other: current.id, distance: f64::from(distance).sqrt() });
    }
    step(watch, n, n)?;
    Ok(edges)
}

/// Points that are not in the tree yet, closed up as they leave.
struct Outside {
    columns: Columns,
    core: Vec<f32>,
    ids: Vec<u32>,
    /// Squared distance to the tree, and whom to there.
    nearest: Vec<f32>,
    from: Vec<u32>,
}

/// The point that came into the tree last.
struct Taken {
    id: usize,
    point: Vec<f32>,
    core: f32,
}

impl Outside {
    fn new(columns: &Columns, reach: &Reach) -> Self {
        let n = columns.n;
        Self {
            columns: Columns { n, values: columns.values.clone() },
            core: reach.squared.clone(),
            ids: (0..n as u32).collect(),
            nearest: vec![f32::INFINITY; n],
            from: vec![0; n],
        }
    }

    fn take(&mut self, at: usize) -> Taken {
        let point = self.columns.values.iter_mut().map(|column| column.swap_remove(at)).collect();
        self.columns.n -= 1;
        self.nearest.swap_remove(at);
        self.from.swap_remove(at);
        Taken { id: self.ids.swap_remove(at) as usize, point, core: self.core.swap_remove(at) }
    }
}

/// Brings the distances to the tree up to date with its last point, and finds the nearest point, of equals that with the lowest number.
struct Grow<'a> {
    outside: &'a mut Outside,
    current: &'a Taken,
}

impl WithSimd for Grow<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let Outside { columns, core, ids, nearest, from } = self.outside;
        let (id, mut block) = (self.current.id as u32, [0f32; BLOCK]);
        let (mut best, mut best_at) = (f32::INFINITY, 0);
        for first in (0..columns.n).step_by(BLOCK) {
            let found = &mut block[..BLOCK.min(columns.n - first)];
            squared_distances(columns, &self.current.point, first, found);
            let n_found = found.len();
            let (nearest, from) = (&mut nearest[first..][..n_found], &mut from[first..][..n_found]);
            let core = &core[first..][..n_found];
            let mut least = f32::INFINITY;
            for i in 0..n_found {
                let distance = found[i].max(core[i]).max(self.current.core);
                let nearer = distance < nearest[i];
                nearest[i] = if nearer { distance } else { nearest[i] };
                from[i] = if nearer { id } else { from[i] };
                least = least.min(nearest[i]);
            }
            if least <= best {
                for (i, &distance) in nearest.iter().enumerate() {
                    let at = first + i;
                    if distance < best || distance == best && ids[at] < ids[best_at] {
                        (best, best_at) = (distance, at);
                    }
                }
            }
        }
        best_at
    }
}
