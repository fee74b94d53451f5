//! A small decision tree: CART (Breiman, Friedman, Olshen & Stone 1984) with Gini impurity, cut short by depth and leaf size.

use super::split::best_split;
use super::{ExplainError, Labelled};
use serde::{Deserialize, Serialize};

/// How large a tree may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeParams {
    /// Questions from the root to a leaf, at most.
    pub max_depth: usize,
    /// Customers in a leaf, at least.
    pub min_leaf: usize,
}

impl TreeParams {
    /// Deep enough to tell `n_segments` apart and short enough to be read; leaves of half a percent of the customers.
    pub fn for_segments(n_segments: usize, n_customers: usize) -> Self {
        let needed = n_segments.max(2).next_power_of_two().ilog2() as usize;
        Self { max_depth: (needed + 2).min(8), min_leaf: (n_customers / 200).max(5) }
    }
}

/// A question: is the feature known and at most the threshold?
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Column.
    pub feature: usize,
    pub threshold: f64,
}

impl Split {
    pub(super) fn holds(&self, row: &[f64]) -> bool {
        row[self.feature] <= self.threshold
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// `[n_segments]`: who came here.
    pub counts: Vec<u64>,
    /// The question, and the nodes after a yes and after a no; nothing in a leaf.
    pub split: Option<(Split, usize, usize)>,
}

impl Node {
    /// The segment most customers here are in; of equals the first.
    fn majority(&self) -> u32 {
        let most = self.counts.iter().max().copied().unwrap_or_default();
        self.counts.iter().position(|count| *count == most).unwrap_or_default() as u32
    }
}

/// A fitted tree. Node 0 is the root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    pub nodes: Vec<Node>,
    /// `[d]`: each feature's part of the impurity that the tree takes away; they sum to 1, or are all 0 in a tree of one node.
    pub importance: Vec<f64>,
}

/// How well a stand-in hits one segment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fidelity {
    /// Of those it puts there, the share who are there; 1 where it puts nobody there.
    pub precision: f64,
    /// Of those who are there, the share it puts there; 1 where nobody is there.
    pub recall: f64,
}

impl Fidelity {
    pub(super) fn of(n_hit: u64, n_put: u64, n_there: u64) -> Self {
        let share = |whole: u64| if whole == 0 { 1.0 } else { n_hit as f64 / whole as f64 };
        Self { precision: share(n_put), recall: share(n_there) }
    }

    /// The harmonic mean of the two (van Rijsbergen 1979).
    pub fn f1(&self) -> f64 {
        let sum = self.precision + self.recall;
        if sum > 0.0 { 2.0 * self.precision * self.recall / sum } else { 0.0 }
    }
}

impl Tree {
    /// Grows a tree. The same customers give the same tree, whatever their order and the number of threads.
    pub fn fit(data: &Labelled<'_>, params: TreeParams) -> Self {
        let mut grower = Grower { data, params, nodes: Vec::new(), importance: vec![0.0; data.width] };
        grower.grow((0..data.len()).collect(), 0);
        let Grower { nodes, mut importance, .. } = grower;
        let sum: f64 = importance.iter().sum();
        if sum > 0.0 {
            importance.iter_mut().for_each(|part| *part /= sum);
        }
        Self { nodes, importance }
    }

    /// The segment of a row `[d]`, infinite where missing.
    pub fn predict(&self, row: &[f64]) -> u32 {
        let mut node = &self.nodes[0];
        while let Some((split, yes, no)) = &node.split {
            node = &self.nodes[if split.holds(row) { *yes } else { *no }];
        }
        node.majority()
    }

    pub fn depth(&self) -> usize {
        fn below(tree: &Tree, node: usize) -> usize {
            tree.nodes[node].split.map_or(0, |(_, yes, no)| 1 + below(tree, yes).max(below(tree, no)))
        }
        below(self, 0)
    }

    /// The share of customers it puts where they are, and how well it hits each segment.
    ///
    /// # Errors
    /// The customers have other features than those it was fitted on.
    pub fn fidelity(&self, data: &Labelled<'_>) -> Result<(f64, Vec<Fidelity>), ExplainError> {
        if data.width != self.importance.len() {
            return Err(ExplainError::Shape {
                n: data.len(),
                width: self.importance.len(),
                n_values: data.values.len(),
            });
        }
        let mut counts = vec![[0u64; 3]; data.n_segments.max(self.nodes[0].counts.len())];
        let mut n_right = 0;
        for (i, label) in data.labels.iter().enumerate() {
            let put = self.predict(data.row(i));
            let hit = u64::from(put == *label);
            n_right += hit;
            counts[put as usize][0] += hit;
            counts[put as usize][1] += 1;
            counts[*label as usize][2] += 1;
        }
        let each = counts.into_iter().map(|[hit, put, there]| Fidelity::of(hit, put, there)).collect();
        Ok((n_right as f64 / data.len() as f64, each))
    }

    /// The questions and answers that lead to a node, from the root on.
    pub(super) fn path(&self, node: usize) -> Vec<(Split, bool)> {
        let mut path = Vec::new();
        let mut at = node;
        while let Some((parent, split, answer)) = self.parent(at) {
            path.push((split, answer));
            at = parent;
        }
        path.reverse();
        path
    }

    fn parent(&self, node: usize) -> Option<(usize, Split, bool)> {
        let splits = self.nodes.iter().enumerate().filter_map(|(i, node)| Some((i, node.split?)));
        let mut leading = splits.filter(|(_, (_, yes, no))| *yes == node || *no == node);
        leading.next().map(|(i, (split, yes, _))| (i, split, yes == node))
    }
}

struct Grower<'a> {
    data: &'a Labelled<'a>,
    params: TreeParams,
    nodes: Vec<Node>,
    importance: Vec<f64>,
}

impl Grower<'_> {
    /// Adds a node for these rows and all below it; where it is.
    fn grow(&mut self, rows: Vec<usize>, depth: usize) -> usize {
        let counts = self.data.counts(&rows);
        let impurity = impurity(&counts);
        let at = self.nodes.len();
        self.nodes.push(Node { counts, split: None });
        if depth == self.params.max_depth || impurity == 0.0 {
            return at;
        }
        if let Some(split) = best_split(self.data, &rows, self.params.min_leaf) {
            let (yes, no): (Vec<usize>, Vec<usize>) =
                rows.into_iter().partition(|row| split.holds(self.data.row(*row)));
            let (yes, no) = (self.grow(yes, depth + 1), self.grow(no, depth + 1));
            let left = [yes, no].map(|child| self::impurity(&self.nodes[child].counts));
            self.importance[split.feature] += impurity - left[0] - left[1];
            self.nodes[at].split = Some((split, yes, no));
        }
        at
    }
}

/// Gini's, times the number of customers: `n - Σ n_c² / n`.
fn impurity(counts: &[u64]) -> f64 {
    let n: u64 = counts.iter().sum();
    n as f64 - counts.iter().map(|count| count * count).sum::<u64>() as f64 / n.max(1) as f64
}
