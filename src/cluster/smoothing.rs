//! Points drawn towards their neighbours, before they are clustered.
//!
//! A segment is made of topics, and one short review is an unsure sign of its topic. Its nearest neighbours are about the same
//! topic; the mean of them all is a surer sign, and lies where the others of the segment are. This is a graph convolution with fixed
//! weights on the graph of nearest neighbours (Zhang et al. 2019, "Attributed Graph Clustering via Adaptive Graph Convolution",
//! equation 5), a few steps of it: neighbours of neighbours are heard too, each the more the more alike it is. It finds labels of real
//! reviews better; it does nothing for groups that are one round cloud each. Of points that are alike by their distance all neighbours
//! weigh the same; after the steps groups that differ in one of several blocks stand apart as clearly as those that differ in all.

use super::geometry::{Points, dot4, normalise};
use super::{ClusterError, Metric, Watch, step};
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
/// Steps towards the neighbours: labels of reviews are found the better the more there are, those of many small groups the worse
/// (docs/evaluation.md).
const STEPS: usize = 8;
/// The same where likeness is the distance and neighbours weigh the same: more steps melt groups that differ in one block of several.
const STEPS_BY_DISTANCE: usize = 1;
/// A neighbour weighs as much as this power of its cosine: where a group has fewer members than there are neighbours, those beyond it
/// count little.
const POWER: i32 = 4;
/// A neighbour that is less alike weighs as much as one that is so much: the weights of a point's neighbours are never all zero.
const LEAST_COSINE: f32 = 1e-3;
/// Rows that one thread compares with a block of references at a time.
const BLOCK: usize = 64;
/// Rows between two looks at the watcher.
const STRIDE: usize = 32 * BLOCK;
/// The random stream of the references, beyond those of k-means and of refits.
const STREAM: u64 = 1 << 40;

/// Each point after some steps, each half the way to the weighted mean of its nearest neighbours, scaled to unit length:
/// `[n, dimension]`. Who its neighbours are, and their weights, is settled beforehand. A zero point stays zero. Where likeness is the
/// distance, weights are equal and lengths are what they become.
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
    let mut references = References::draw(points, seed);
    let neighbours = find_neighbours(points, &references, n_neighbours, watch)?;
    for _ in 0..steps(points.metric()) {
        let rows = smoothed.par_chunks_exact_mut(d).zip(neighbours.par_chunks_exact(n_neighbours));
        rows.for_each(|(row, nearest)| draw_towards(row, nearest, &references.values, points.metric()));
        // Everybody has made the step: from here on neighbours are where it took them.
        references.move_to(&smoothed, d);
    }
    if points.metric() == Metric::Euclidean {
        return Ok(smoothed);
    }
    smoothed.par_chunks_exact_mut(d).for_each(|row| {
        let mut whole: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
        normalise(&mut whole);
        row.iter_mut().zip(whole).for_each(|(value, whole)| *value = whole as f32);
    });
    Ok(smoothed)
}

/// A neighbour and its share of the mean; the shares of a point's neighbours are 1 in all.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Weighted {
    /// Index among the references.
    reference: u32,
    weight: f32,
}

/// `[n, n_neighbours]`
fn find_neighbours(
    points: &Points<'_>,
    references: &References,
    n_neighbours: usize,
    watch: &dyn Watch,
) -> Result<Vec<Weighted>, ClusterError> {
    let n = points.len();
    let mut found = vec![Weighted { reference: 0, weight: 0.0 }; n * n_neighbours];
    for (i, rows) in found.chunks_mut(STRIDE * n_neighbours).enumerate() {
        step(watch, i * STRIDE, n)?;
        rows.par_chunks_mut(BLOCK * n_neighbours).enumerate().for_each(|(j, rows)| {
            let first = i * STRIDE + j * BLOCK;
            let nearest = pulp::Arch::new().dispatch(Search { points, references, first, n_neighbours });
            for (row, nearest) in rows.chunks_exact_mut(n_neighbours).zip(nearest) {
                weigh(row, &nearest, points.metric());
            }
        });
    }
    step(watch, n, n)?;
    Ok(found)
}

fn steps(metric: Metric) -> usize {
    match metric {
        Metric::Cosine => STEPS,
        Metric::Euclidean => STEPS_BY_DISTANCE,
    }
}

fn weigh(row: &mut [Weighted], nearest: &[Neighbour], metric: Metric) {
    let weight = |neighbour: &Neighbour| match metric {
        Metric::Cosine => neighbour.likeness.max(LEAST_COSINE).powi(POWER),
        Metric::Euclidean => 1.0,
    };
    let total: f32 = nearest.iter().map(weight).sum();
    for (weighted, neighbour) in row.iter_mut().zip(nearest) {
        *weighted = Weighted { reference: neighbour.reference as u32, weight: weight(neighbour) / total };
    }
}

/// Half the way to the mean of the neighbours.
fn draw_towards(row: &mut [f32], nearest: &[Weighted], references: &[f32], metric: Metric) {
    let d = row.len();
    if metric == Metric::Cosine && row.iter().all(|&value| value == 0.0) {
        return;
    }
    let mut sum: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
    for neighbour in nearest {
        let values = &references[neighbour.reference as usize * d..][..d];
        sum.iter_mut().zip(values).for_each(|(sum, &value)| *sum += f64::from(neighbour.weight) * f64::from(value));
    }
    row.iter_mut().zip(sum).for_each(|(value, sum)| *value = (sum / 2.0) as f32);
}

/// The points among which neighbours are sought.
struct References {
    /// Which points they are, ascending.
    rows: Vec<usize>,
    /// `[n_references, dimension]`
    values: Vec<f32>,
    /// `[n_references]`: what is added to a dot product so that the largest is the nearest.
    offsets: Vec<f32>,
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
        let offsets = points.metric().offsets(&values, points.dimension());
        Self { rows, values, offsets }
    }

    /// Where they are now, `points` being all points, `[n, dimension]`.
    fn move_to(&mut self, points: &[f32], d: usize) {
        self.values.par_chunks_exact_mut(d).zip(&self.rows).for_each(|(values, &row)| {
            values.copy_from_slice(&points[row * d..][..d]);
        });
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Neighbour {
    /// Index among the references.
    reference: usize,
    /// The cosine, or what grows as the distance falls.
    likeness: f32,
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
                            let likeness = cosine + self.references.offsets[at + k];
                            insert(found, Neighbour { reference: at + k, likeness }, self.n_neighbours);
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
    if found.len() == most && found.last().is_some_and(|last| last.likeness >= new.likeness) {
        return;
    }
    let at = found.partition_point(|neighbour| neighbour.likeness >= new.likeness);
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

    /// Step by step, from the definition.
    #[test]
    fn every_point_moves_half_the_way_to_its_neighbours_a_few_times() {
        const D: usize = 13;
        let truth = planted(&[40, 30], D, 1.0, 1);
        let points = Points::new(&truth.values, D).unwrap();
        let found = smoothed(&truth.values, D);
        let cosine =
            |i: usize, j: usize| points.row(i).iter().zip(points.row(j)).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        // 70 points: two neighbours each.
        let neighbours = |i: usize| {
            let mut others: Vec<usize> = (0..70).filter(|&j| j != i).collect();
            others.sort_by(|&a, &b| cosine(i, b).total_cmp(&cosine(i, a)));
            let weights = [0, 1].map(|j| cosine(i, others[j]).max(1e-3).powi(POWER));
            [0, 1].map(|j| (others[j], weights[j] / (weights[0] + weights[1])))
        };
        let mut expected: Vec<Vec<f64>> =
            (0..70).map(|i| points.row(i).iter().map(|v| f64::from(*v)).collect()).collect();
        for _ in 0..STEPS {
            let before = expected.clone();
            for (i, row) in expected.iter_mut().enumerate() {
                for (c, value) in row.iter_mut().enumerate() {
                    let mean: f64 = neighbours(i).iter().map(|&(j, weight)| weight * before[j][c]).sum();
                    *value = f64::midpoint(before[i][c], mean);
                }
            }
        }
        for (i, row) in expected.iter_mut().enumerate() {
            normalise(row);
            for (a, b) in found[i * D..][..D].iter().zip(row) {
                assert!((f64::from(*a) - *b).abs() < 1e-5, "row {i}");
            }
        }
    }

    #[test]
    fn by_distance_a_point_moves_half_the_way_to_the_mean_of_its_nearest_others_each_time() {
        let truth = planted(&[40, 30], 5, 1.0, 6);
        let values: Vec<f32> = truth.values.iter().enumerate().map(|(i, v)| v * (1.0 + (i / 5 % 3) as f32)).collect();
        let found = smooth(&Points::new(&values, 5).unwrap().euclidean(), 0, &()).unwrap();
        let row = |j: usize| &values[j * 5..][..5];
        let nearest = |i: usize| {
            let mut others: Vec<usize> = (0..70).filter(|&j| j != i).collect();
            let distance = |j: usize| row(i).iter().zip(row(j)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            [others[0], others[1]]
        };
        let nearest: Vec<[usize; 2]> = (0..70).map(nearest).collect();
        let mut expected: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
        for _ in 0..STEPS_BY_DISTANCE {
            let before = expected.clone();
            for (at, value) in expected.iter_mut().enumerate() {
                let [one, other] = nearest[at / 5].map(|j| before[j * 5 + at % 5]);
                *value = f64::midpoint(*value, f64::midpoint(one, other));
            }
        }
        for (a, b) in found.iter().zip(&expected) {
            assert!((f64::from(*a) - b).abs() < 1e-5);
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
