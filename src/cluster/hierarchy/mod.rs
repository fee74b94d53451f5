//! A hierarchy over segments, or over anything with sizes and distances: who is joined with whom, at which height, cut anywhere.
//!
//! Merges are found by chains of nearest neighbours (Murtagh 1983; Müllner 2011, figure 3) in O(n²) steps and numbers: whoever is
//! at the end of the chain and its predecessor are each other's nearest, so they are merged, whatever comes later. That holds for
//! linkages which no merge brings nearer to a third; both of those here are such.

#[cfg(test)]
mod tests;

use super::ClusterError;
use super::geometry::Points;
use super::metric::squared_distance;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Leaves at most: their distances take 4 n² bytes.
const LEAVES_MAX: usize = 8_192;

/// How far apart clusters of several leaves are, from their parts (Lance & Williams 1967).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linkage {
    /// By how much a merge raises the squared distances to the centroids (Ward 1963): √(2 a b / (a + b)) ‖centroid - centroid‖ for
    /// clusters of weight a and b. Leaves are given with the distances of their centroids.
    Ward,
    /// The mean distance over all pairs (Sokal & Michener 1958).
    Average,
}

/// Two clusters become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    /// A leaf below n, or n + i for what merge i made; `left` is below `right`.
    pub left: usize,
    pub right: usize,
    pub height: f64,
    /// Sum of the sizes of the leaves below.
    pub size: f64,
}

/// All merges of n leaves, lowest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Hierarchy {
    n_leaves: usize,
    merges: Vec<Merge>,
}

/// Ward's hierarchy over clusters of these centroids, `[k, dimension]`, and sizes: segments become groups of segments, or the cells of
/// a fine clustering become segments with sub-segments. With sizes of 1 it is Ward's hierarchy of points.
///
/// # Errors
/// Sizes that are not one positive number a centroid; no centroid, or more than 8,192.
pub fn ward(centroids: &Points<'_>, sizes: &[f64]) -> Result<Hierarchy, ClusterError> {
    check_number(centroids.len())?;
    link(distances(centroids), sizes, Linkage::Ward)
}

/// The hierarchy over leaves with these sizes and distances. Distances are those of the pairs (0, 1), (0, 2), …, (1, 2), …: n (n - 1) / 2
/// of them. Of equal distances the first pair's is taken.
///
/// # Errors
/// Sizes that are not positive; distances that are not one number of at least 0 a pair; no leaf, or more than 8,192.
pub fn link(distances: Vec<f64>, sizes: &[f64], linkage: Linkage) -> Result<Hierarchy, ClusterError> {
    let n = sizes.len();
    check_number(n)?;
    if !sizes.iter().all(|&size| size.is_finite() && size > 0.0) {
        return Err(ClusterError::Setting { setting: "sizes", takes: "a positive number for each leaf" });
    }
    let known = distances.iter().all(|&distance| distance.is_finite() && distance >= 0.0);
    if distances.len() != n * (n - 1) / 2 || !known {
        return Err(ClusterError::Setting {
            setting: "distances",
            takes: "a number of at least 0 for each pair of leaves",
        });
    }
    let mut chain = Chain { between: Pairs { n, values: distances }, sizes: sizes.to_vec(), linkage };
    chain.prepare();
    Ok(Hierarchy::of(n, sizes, chain.merge_all()))
}

fn check_number(n: usize) -> Result<(), ClusterError> {
    match n {
        0 => Err(ClusterError::TooFewPoints { k: 1, n }),
        n if n > LEAVES_MAX => Err(ClusterError::TooManyLeaves { n, most: LEAVES_MAX }),
        _ => Ok(()),
    }
}

impl Hierarchy {
    pub fn n_leaves(&self) -> usize {
        self.n_leaves
    }

    /// n - 1 merges; heights never fall.
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// Each leaf's group when k groups are left, numbered by their first leaves.
    ///
    /// # Errors
    /// k is 0 or larger than the number of leaves.
    pub fn cut(&self, k: usize) -> Result<Vec<u32>, ClusterError> {
        match k {
            0 => Err(ClusterError::NoClusters { k }),
            k if k > self.n_leaves => Err(ClusterError::TooFewPoints { k, n: self.n_leaves }),
            _ => Ok(self.groups_after(self.n_leaves - k)),
        }
    }

    /// Each leaf's group after all merges of at most this height, numbered by their first leaves.
    pub fn cut_at(&self, height: f64) -> Vec<u32> {
        self.groups_after(self.merges.partition_point(|merge| merge.height <= height))
    }

    fn groups_after(&self, n_merges: usize) -> Vec<u32> {
        let n = self.n_leaves;
        let mut parent: Vec<usize> = (0..n + n_merges).collect();
        for (i, merge) in self.merges[..n_merges].iter().enumerate() {
            (parent[merge.left], parent[merge.right]) = (n + i, n + i);
        }
        // A parent has a larger number than its children: from the top down, each one's parent is a root already.
        (0..parent.len()).rev().for_each(|i| parent[i] = parent[parent[i]]);
        let mut numbers = vec![None; parent.len()];
        let mut next = 0;
        let mut number = |root: usize| {
            *numbers[root].get_or_insert_with(|| {
                next += 1;
                next - 1
            })
        };
        parent[..n].iter().map(|&root| number(root)).collect()
    }

    /// Sorts merges by height and names what they merge.
    pub(super) fn of(n: usize, sizes: &[f64], mut found: Vec<Joined>) -> Self {
        found.sort_by(|a, b| a.height.total_cmp(&b.height));
        let mut roots: Vec<usize> = (0..n).collect();
        let mut names: Vec<usize> = (0..n).collect();
        let mut sizes = sizes.to_vec();
        let mut merges = Vec::with_capacity(found.len());
        for (i, Joined { one, other, height }) in found.into_iter().enumerate() {
            let (one, other) = (root(&mut roots, one), root(&mut roots, other));
            let (left, right) = (names[one].min(names[other]), names[one].max(names[other]));
            let size = sizes[one] + sizes[other];
            roots[one] = other;
            (names[other], sizes[other]) = (n + i, size);
            merges.push(Merge { left, right, height, size });
        }
        Self { n_leaves: n, merges }
    }
}

/// The root of a leaf's group; the way there is shortened.
fn root(roots: &mut [usize], mut leaf: usize) -> usize {
    while roots[leaf] != leaf {
        roots[leaf] = roots[roots[leaf]];
        leaf = roots[leaf];
    }
    leaf
}

/// The groups of two leaves were merged.
pub(super) struct Joined {
    pub one: usize,
    pub other: usize,
    pub height: f64,
}

/// A number for each pair.
struct Pairs {
    n: usize,
    values: Vec<f64>,
}

impl Pairs {
    fn at(&self, a: usize, b: usize) -> usize {
        let (a, b) = (a.min(b), a.max(b));
        // Row a begins after the rows above it, of n - 1, n - 2, … pairs.
        a * (2 * self.n - a - 1) / 2 + (b - a - 1)
    }

    fn get(&self, a: usize, b: usize) -> f64 {
        self.values[self.at(a, b)]
    }
}

/// The clusters that are left, each in the place of one of its leaves.
struct Chain {
    between: Pairs,
    /// 0 where a cluster was merged into another.
    sizes: Vec<f64>,
    linkage: Linkage,
}

impl Chain {
    /// Ward's is updated as a square.
    fn prepare(&mut self) {
        if self.linkage == Linkage::Ward {
            let n = self.between.n;
            let pairs = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b)));
            for ((a, b), value) in pairs.zip(&mut self.between.values) {
                *value *= *value * 2.0 * self.sizes[a] * self.sizes[b] / (self.sizes[a] + self.sizes[b]);
            }
        }
    }

    fn height(&self, distance: f64) -> f64 {
        if self.linkage == Linkage::Ward { distance.max(0.0).sqrt() } else { distance }
    }

    fn merge_all(mut self) -> Vec<Joined> {
        let n = self.between.n;
        let (mut merges, mut chain) = (Vec::with_capacity(n - 1), Vec::new());
        let mut first = 0;
        while merges.len() < n - 1 {
            if chain.is_empty() {
                while self.sizes[first] == 0.0 {
                    first += 1;
                }
                chain.push(first);
            }
            let (one, other) = self.follow(&mut chain);
            let (one, other) = (one.min(other), one.max(other));
            merges.push(Joined { one, other, height: self.height(self.between.get(one, other)) });
            self.merge(one, other);
        }
        merges
    }

    /// Goes from neighbour to nearest neighbour until two are each other's nearest, and takes them off the chain.
    fn follow(&self, chain: &mut Vec<usize>) -> (usize, usize) {
        loop {
            let last = chain[chain.len() - 1];
            let before = chain.len().checked_sub(2).map(|at| chain[at]);
            // The one before wins a tie: the chain would go round in circles otherwise.
            let mut nearest = before.map(|before| (self.between.get(last, before), before));
            for i in (0..self.sizes.len()).filter(|&i| i != last && self.sizes[i] > 0.0) {
                let distance = self.between.get(last, i);
                if nearest.is_none_or(|(least, _)| distance < least) {
                    nearest = Some((distance, i));
                }
            }
            match nearest {
                Some((_, next)) if Some(next) != before => chain.push(next),
                _ => {
                    chain.truncate(chain.len() - 2);
                    return (last, before.unwrap_or(last));
                }
            }
        }
    }

    /// `other` takes `one` in.
    fn merge(&mut self, one: usize, other: usize) {
        let (a, b, apart) = (self.sizes[one], self.sizes[other], self.between.get(one, other));
        for i in (0..self.sizes.len()).filter(|&i| i != one && i != other) {
            let c = self.sizes[i];
            if c == 0.0 {
                continue;
            }
            let (to_one, to_other, at) =
                (self.between.get(i, one), self.between.get(i, other), self.between.at(i, other));
            self.between.values[at] = match self.linkage {
                Linkage::Average => (a * to_one + b * to_other) / (a + b),
                Linkage::Ward => ((a + c) * to_one + (b + c) * to_other - c * apart) / (a + b + c),
            };
        }
        (self.sizes[one], self.sizes[other]) = (0.0, a + b);
    }
}

/// Between all pairs of points.
fn distances(points: &Points<'_>) -> Vec<f64> {
    let arch = Arch::new();
    let rows: Vec<Vec<f64>> =
        (0..points.len()).into_par_iter().map(|row| arch.dispatch(ToLater { points, row })).collect();
    rows.concat()
}

/// From a point to all later ones. (A closure would not be compiled for the vectors' instructions.)
struct ToLater<'a> {
    points: &'a Points<'a>,
    row: usize,
}

impl WithSimd for ToLater<'_> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f64> {
        let row = self.points.row(self.row);
        let mut found = Vec::with_capacity(self.points.len() - self.row - 1);
        for other in self.row + 1..self.points.len() {
            found.push(squared_distance(row, self.points.row(other)).sqrt());
        }
        found
    }
}
