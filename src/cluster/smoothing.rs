//! Points drawn a little towards their neighbours, before they are clustered.
//!
//! A segment is made of topics, and one short review is an unsure sign of its topic. Its nearest neighbours are about the same
//! topic; the mean of them all is a surer sign, and lies where the others of the segment are. This is one step of a graph
//! convolution with fixed weights on the graph of nearest neighbours (Zhang et al. 2019, "Attributed Graph Clustering via
//! Adaptive Graph Convolution", equation 5). It finds labels of real reviews better; it does nothing for groups that are one
//! round cloud each.

use super::geometry::{Points, dot4, normalise};
use super::{ClusterError, Watch, step};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Neighbours of a point, in a set that is large enough.
const NEIGHBOURS: usize = 10;
/// A set has at least this many points for each neighbour: in a small one, ten neighbours reach into other groups.
const POINTS_A_NEIGHBOUR: usize = 30;
/// Neighbours are sought among so many points, drawn evenly, so that the work grows with the number of points, not its square.
const REFERENCES: usize = 8_192;
/// Rows that one thread compares with a block of references at a time.
const BLOCK: usize = 64;
/// Rows between two looks at the watcher.
const STRIDE: usize = 32 * BLOCK;
/// The random stream of the references, beyond those of k-means and of refits.
const STREAM: u64 = 1 << 40;

/// Each point plus the mean of its nearest neighbours, scaled to unit length: `[n, dimension]`. A zero point stays zero.
///
/// # Errors
/// [`ClusterError::Cancelled`] alone.
pub fn smooth(points: &Points<'_>, seed: u64, watch: &dyn Watch) -> Result<Vec<f32>, ClusterError> {
    let (n, d) = (points.len(), points.dimension());
    let n_neighbours = (n / POINTS_A_NEIGHBOUR).min(NEIGHBOURS);
    let mut smoothed = points.values().to_vec();
    if n_neighbours == 0 {
        return Ok(smoothed);
    }
    let references = References::draw(points, seed);
    for (i, rows) in smoothed.chunks_mut(STRIDE * d).enumerate() {
        step(watch, i * STRIDE, n)?;
        rows.par_chunks_mut(BLOCK * d).enumerate().for_each(|(j, rows)| {
            let first = i * STRIDE + j * BLOCK;
            let nearest = pulp::Arch::new().dispatch(Search { points, references: &references, first, n_neighbours });
            for (row, nearest) in rows.chunks_exact_mut(d).zip(nearest) {
                draw_towards(row, &nearest, &references.values);
            }
        });
    }
    step(watch, n, n)?;
    Ok(smoothed)
}

/// Adds the mean of the neighbours and scales to unit length.
fn draw_towards(row: &mut [f32], nearest: &[Neighbour], references: &[f32]) {
    let d = row.len();
    if row.iter().all(|&value| value == 0.0) {
        return;
    }
    let mut sum: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
    for neighbour in nearest {
        let values = &references[neighbour.reference * d..][..d];
        sum.iter_mut().zip(values).for_each(|(sum, &value)| *sum += f64::from(value) / nearest.len() as f64);
    }
    normalise(&mut sum);
    row.iter_mut().zip(sum).for_each(|(value, sum)| *value = sum as f32);
}

/// The points among which neighbours are sought.
struct References {
    /// Which points they are, ascending.
    rows: Vec<usize>,
    /// `[n_references, dimension]`
    values: Vec<f32>,
}

impl References {
    fn draw(points: &Points<'_>, seed: u64) -> Self {
        let mut rows: Vec<usize> = (0..points.len()).collect();
        if points.len() > REFERENCES {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(STREAM);
            rows = index::sample(&mut rng, points.len(), REFERENCES).into_vec();
            rows.sort_unstable();
        }
        let values = points.select(&rows);
        Self { rows, values }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Neighbour {
    /// Index among the references.
    reference: usize,
    cosine: f32,
}

/// The search of one block of rows, from `first` on.
struct Search<'a> {
    points: &'a Points<'a>,
    references: &'a References,
    first: usize,
    n_neighbours: usize,
}

impl pulp::NullaryFnOnce for Search<'_> {
    type Output = Vec<Vec<Neighbour>>;

    /// For each row its nearest references but itself, nearest first, of equals the first.
    #[inline(always)]
    fn call(self) -> Self::Output {
        let d = self.points.dimension();
        let end = (self.first + BLOCK).min(self.points.len());
        let mut nearest: Vec<Vec<Neighbour>> = vec![Vec::with_capacity(self.n_neighbours + 1); end - self.first];
        for (i, block) in self.references.values.chunks(BLOCK * d).enumerate() {
            for row in self.first..end {
                let found = &mut nearest[row - self.first];
                for (j, four) in block.chunks(4 * d).enumerate() {
                    let at = i * BLOCK + 4 * j;
                    // The last four may be fewer: the first of them stands in for those that are not there.
                    let part = |k: usize| four.get(k * d..(k + 1) * d).unwrap_or(&four[..d]);
                    let cosines = dot4(self.points.row(row), [part(0), part(1), part(2), part(3)]);
                    for (k, &cosine) in cosines.iter().enumerate().take(four.len() / d) {
                        if self.references.rows[at + k] != row {
                            insert(found, Neighbour { reference: at + k, cosine }, self.n_neighbours);
                        }
                    }
                }
            }
        }
        nearest
    }
}

/// Keeps the `most` nearest in order.
#[inline(always)]
fn insert(found: &mut Vec<Neighbour>, new: Neighbour, most: usize) {
    if found.len() == most && found.last().is_some_and(|last| last.cosine >= new.cosine) {
        return;
    }
    let at = found.partition_point(|neighbour| neighbour.cosine >= new.cosine);
    found.insert(at, new);
    found.truncate(most);
}

#[cfg(test)]
mod tests {
    use super::super::planted::{planted, scattered, unit};
    use super::super::{KMeans, Points};
    use super::*;
    use crate::measure;

    fn smoothed(values: &[f32], d: usize) -> Vec<f32> {
        smooth(&Points::new(values, d).unwrap(), 0, &()).unwrap()
    }

    #[test]
    fn every_point_moves_to_the_mean_of_itself_and_its_nearest_others() {
        let truth = planted(&[40, 30], 13, 1.0, 1);
        let points = Points::new(&truth.values, 13).unwrap();
        let found = smoothed(&truth.values, 13);
        // 70 points: two neighbours each.
        for i in 0..70 {
            let mut others: Vec<usize> = (0..70).filter(|&j| j != i).collect();
            let cosine = |j: usize| points.row(i).iter().zip(points.row(j)).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            others.sort_by(|&a, &b| cosine(b).total_cmp(&cosine(a)));
            let mut expected: Vec<f64> = (0..13)
                .map(|c| {
                    f64::from(points.row(i)[c])
                        + f64::midpoint(f64::from(points.row(others[0])[c]), f64::from(points.row(others[1])[c]))
                })
                .collect();
            normalise(&mut expected);
            for (a, b) in found[i * 13..][..13].iter().zip(&expected) {
                assert!((f64::from(*a) - b).abs() < 1e-6, "row {i}");
            }
        }
    }

    /// Three groups of 20 topics of 20 points in 32 dimensions, the topics farther from each other than points from their topic.
    fn topics(seed: u64) -> (Vec<f32>, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for group in 0..3 {
            let direction = scattered(&[0.0; 32], 1.0, &mut rng);
            for _ in 0..20 {
                let topic = scattered(&direction, 1.5, &mut rng);
                for _ in 0..20 {
                    values.extend(unit(&scattered(&topic, 1.0, &mut rng)));
                    labels.push(group);
                }
            }
        }
        (values, labels)
    }

    #[test]
    fn groups_made_of_topics_are_found_better() {
        let ari = |values: &[f32], truth: &[usize]| {
            let points = Points::new(values, 32).unwrap();
            let found = KMeans::params(3).check(&points).unwrap().fit(&points, &()).unwrap();
            let labels: Vec<usize> = found.labels.iter().map(|&label| label as usize).collect();
            measure::compare(truth, &labels).ari
        };
        let (mut plain, mut smooth) = (0.0, 0.0);
        for seed in 0..6 {
            let (values, labels) = topics(seed);
            plain += ari(&values, &labels) / 6.0;
            smooth += ari(&smoothed(&values, 32), &labels) / 6.0;
        }
        assert!(smooth > plain + 0.04, "plain {plain}, smoothed {smooth}");
    }

    #[test]
    fn few_points_and_zero_points_stay_where_they_are() {
        let few = planted(&[10, 10], 8, 0.5, 3);
        assert_eq!(smoothed(&few.values, 8), few.values);
        let mut many = planted(&[40, 40], 8, 0.5, 4).values;
        many[..8].fill(0.0);
        assert_eq!(smoothed(&many, 8)[..8], [0.0; 8]);
    }

    #[test]
    fn a_large_set_seeks_among_references_and_threads_change_nothing() {
        let truth = planted(&[5_000, 4_001], 8, 0.5, 5);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| smoothed(&truth.values, 8))
        };
        let one = with(1);
        assert_eq!(one, with(3));
        for row in one.chunks_exact(8) {
            assert!((row.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}
