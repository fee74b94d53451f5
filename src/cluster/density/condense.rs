//! From the spanning tree to groups: as the distance shrinks the tree falls apart; groups are those parts that last longest.
//!
//! The terms are those of Campello et al. 2015: λ = 1 / distance is density; a part that loses fewer than `min_size` points goes on, one
//! that splits into several of at least that size ends (section 4.1); a group's stability is the sum over its points of how much denser it
//! becomes before they leave it (equation 3); of a part and the parts below it those with the larger sum of stabilities are
//! the groups (excess of mass, section 4.3). The whole is never a group.

use super::super::hierarchy::{Hierarchy, Joined, Merge};
use super::spanning::Edge;

/// A distance of nothing is taken for this share of the largest one, so that equal points have a density.
const NEAREST: f64 = 1e-9;

/// The groups, and how every point belongs to one.
pub(super) struct Groups {
    n_groups: usize,
    /// Of each point: its group and the density at which it leaves it; None for noise.
    members: Vec<Option<(u32, f64)>>,
    /// Of each group: the density at which its last points leave.
    densest: Vec<f64>,
}

impl Groups {
    pub fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// The group of a point and how sure that is, 0 to 1; None for noise.
    pub fn membership(&self, point: usize) -> Option<(u32, f64)> {
        self.members[point].map(|(group, density)| (group, self.share(group, density)))
    }

    /// The group of a member, for somebody who is so far from it.
    pub fn beside(&self, member: usize, distance: f64) -> (u32, f64) {
        let group = self.members[member].map_or(0, |(group, _)| group);
        (group, if distance > 0.0 { self.share(group, 1.0 / distance) } else { 1.0 })
    }

    fn share(&self, group: u32, density: f64) -> f64 {
        let densest = self.densest[group as usize];
        if densest > 0.0 { (density / densest).min(1.0) } else { 1.0 }
    }
}

/// A part of the tree from where it splits off to where it splits.
struct Part {
    parent: Option<usize>,
    birth: f64,
    /// Σ over its points of the density at which they leave, less that at its birth.
    stability: f64,
    densest: f64,
}

/// The groups of `n` points.
pub(super) fn condense(n: usize, edges: Vec<Edge>, min_size: usize) -> Groups {
    let joined = edges.into_iter().map(|edge| Joined { one: edge.one, other: edge.other, height: edge.distance });
    let tree = Hierarchy::of(n, &vec![1.0; n], joined.collect());
    let (parts, left) = parts(&tree, min_size as f64);
    let chosen = choose(&parts);
    let mut numbers = vec![None; parts.len()];
    let mut densest = Vec::new();
    // A part has a larger number than its parent: from the top down, everything below a chosen one is of its group.
    for (i, part) in parts.iter().enumerate() {
        numbers[i] = part.parent.and_then(|parent| numbers[parent]);
        if chosen[i] {
            numbers[i] = Some(densest.len() as u32);
            densest.push(part.densest);
        }
    }
    let members = left.into_iter().map(|(part, density)| numbers[part].map(|group| (group, density))).collect();
    Groups { n_groups: densest.len(), members, densest }
}

/// All parts, parents first, and for every point the part it leaves last and the density at which it does.
fn parts(tree: &Hierarchy, min_size: f64) -> (Vec<Part>, Vec<(usize, f64)>) {
    let (n, merges) = (tree.n_leaves(), tree.merges());
    let largest = merges.last().map_or(0.0, |merge| merge.height);
    let mut parts = vec![Part { parent: None, birth: 0.0, stability: 0.0, densest: 0.0 }];
    let mut left = vec![(0, 0.0); n];
    let size = |node: usize| if node < n { 1.0 } else { merges[node - n].size };
    let mut open = vec![(2 * n - 2, 0usize)];
    while let Some((node, part)) = open.pop() {
        let Some(height) = node.checked_sub(n).map(|i| merges[i].height) else { continue };
        let density = 1.0 / height.max(NEAREST * largest).max(f64::MIN_POSITIVE);
        let sides = sides(node, n, merges);
        let splits = sides.iter().filter(|&&side| size(side) >= min_size).count() > 1;
        for side in sides {
            if size(side) < min_size {
                parts[part].lose(size(side), density);
                leaves(side, n, merges, |leaf| left[leaf] = (part, density));
            } else if splits {
                parts[part].lose(size(side), density);
                parts.push(Part { parent: Some(part), birth: density, stability: 0.0, densest: 0.0 });
                open.push((side, parts.len() - 1));
            } else {
                open.push((side, part));
            }
        }
    }
    (parts, left)
}

/// What a node falls apart into. Merges of the same height are one: which of them came first says nothing but how rows were ordered.
fn sides(node: usize, n: usize, merges: &[Merge]) -> Vec<usize> {
    let height = merges[node - n].height;
    let (mut open, mut sides) = (vec![node], Vec::new());
    while let Some(node) = open.pop() {
        match node.checked_sub(n) {
            Some(i) if merges[i].height == height => open.extend([merges[i].right, merges[i].left]),
            _ => sides.push(node),
        }
    }
    sides
}

impl Part {
    fn lose(&mut self, size: f64, density: f64) {
        self.stability += size * (density - self.birth);
        self.densest = self.densest.max(density);
    }
}

/// Visits all leaves below a node.
fn leaves(node: usize, n: usize, merges: &[Merge], mut visit: impl FnMut(usize)) {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match node.checked_sub(n) {
            None => visit(node),
            Some(i) => open.extend([merges[i].left, merges[i].right]),
        }
    }
}

/// Excess of mass: from the bottom up, a part is taken where it is at least as stable as all that was taken below it.
fn choose(parts: &[Part]) -> Vec<bool> {
    let mut chosen = vec![false; parts.len()];
    let mut below = vec![0f64; parts.len()];
    for i in (1..parts.len()).rev() {
        chosen[i] = parts[i].stability >= below[i];
        if let Some(parent) = parts[i].parent {
            below[parent] += parts[i].stability.max(below[i]);
        }
    }
    // What lies below a chosen one is part of it.
    let mut covered = vec![false; parts.len()];
    for i in 1..parts.len() {
        covered[i] = parts[i].parent.is_some_and(|parent| covered[parent] || chosen[parent]);
        chosen[i] &= !covered[i];
    }
    chosen
}
