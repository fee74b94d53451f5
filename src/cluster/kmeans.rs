//! k-means: several first centroids tried on a sample, the best of them iterated on all points.
//!
//! [`Metric`] says whether it is the spherical one (centroids are unit vectors, a point belongs to the one with the largest cosine)
//! or the Euclidean one.

use super::geometry::Points;
use super::lloyd::{lloyd, means};
use super::seeding::plus_plus;
use super::{ClusterError, Metric, Watch};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Above this many points, tries run on a sample and only the best go on with all.
const SAMPLE: usize = 20_000;
/// Lloyd iterations of a try: enough to tell good first centroids from bad ones.
const TRY_ITERATIONS: usize = 12;
/// How many tries go on until they settle.
const FINALISTS: usize = 2;
/// Lloyd iterations of finalists on all of many points, before the better one goes on alone.
const FINAL_ITERATIONS: usize = 5;

/// What to run, as asked for. [`KMeansParams::check`] gives the only type that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMeansParams {
    k: usize,
    seed: u64,
    n_init: usize,
    max_iter: usize,
    metric: Metric,
}

impl KMeansParams {
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// First centroids tried; the try with the smallest inertia wins. Default 10.
    #[must_use]
    pub fn n_init(self, n_init: usize) -> Self {
        Self { n_init: n_init.max(1), ..self }
    }

    /// Lloyd iterations at most. Default 300.
    #[must_use]
    pub fn max_iter(self, max_iter: usize) -> Self {
        Self { max_iter: max_iter.max(1), ..self }
    }

    /// Default [`Metric::Cosine`].
    #[must_use]
    pub fn metric(self, metric: Metric) -> Self {
        Self { metric, ..self }
    }

    /// # Errors
    /// k is 0, or larger than the number of (distinct) points.
    pub fn check(self, points: &Points<'_>) -> Result<KMeans, ClusterError> {
        let (k, n) = (self.k, points.len());
        if k < 1 {
            return Err(ClusterError::NoClusters { k });
        }
        if n < k {
            return Err(ClusterError::TooFewPoints { k, n });
        }
        let mut distinct = HashSet::with_capacity(k);
        for i in 0..n {
            distinct.insert(points.row(i).iter().map(|v| v.to_bits()).collect::<Vec<_>>());
            if distinct.len() >= k {
                return Ok(KMeans(self));
            }
        }
        Err(ClusterError::TooFewDistinct { k, n_distinct: distinct.len() })
    }
}

/// A k-means that can run on the points it was checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMeans(KMeansParams);

/// What k-means found. Clusters are numbered by size, largest first, ties by their first member.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering {
    pub k: usize,
    pub dimension: usize,
    /// `[k, dimension]`; of unit length where likeness is the cosine.
    pub centroids: Vec<f32>,
    /// Each point's cluster, 0 to k - 1; every cluster has a point.
    pub labels: Vec<u32>,
    /// How far the points are from their own centroids in all: Σ (1 - cosine), or Σ of squared distances.
    pub inertia: f64,
    pub n_iter: usize,
}

impl KMeans {
    pub fn params(k: usize) -> KMeansParams {
        KMeansParams { k, seed: 0, n_init: 10, max_iter: 300, metric: Metric::Cosine }
    }

    /// # Errors
    /// [`ClusterError::Cancelled`] alone.
    pub fn fit(&self, points: &Points<'_>, watch: &dyn Watch) -> Result<Clustering, ClusterError> {
        let found = fit_all(points, std::slice::from_ref(self), watch)?;
        found.into_iter().next().ok_or(ClusterError::NoClusters { k: self.0.k })
    }

    pub(super) fn k(&self) -> usize {
        self.0.k
    }

    pub(super) fn seed(&self) -> u64 {
        self.0.seed
    }

    pub(super) fn metric(&self) -> Metric {
        self.0.metric
    }

    pub(super) fn max_iter(&self) -> usize {
        self.0.max_iter
    }

    /// Rows that tries run on.
    fn n_tried_on(&self, points: &Points<'_>) -> usize {
        points.len().min(SAMPLE.max(50 * self.0.k))
    }

    /// First centroids of each try.
    fn starts(&self, points: &Points<'_>) -> Vec<Vec<f32>> {
        let start = |i: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(self.0.seed);
            rng.set_stream(1 + i as u64);
            plus_plus(points, self.0.k, self.0.metric, &mut rng)
        };
        (0..self.0.n_init).into_par_iter().map(start).collect()
    }
}

/// Fits several at once, each to the same result as by itself: the points are read once an iteration for all that share a seed, a metric
/// and a number of iterations, whatever their k.
///
/// # Errors
/// [`ClusterError::Cancelled`] alone.
pub fn fit_all(points: &Points<'_>, asked: &[KMeans], watch: &dyn Watch) -> Result<Vec<Clustering>, ClusterError> {
    let together = |one: &KMeans| (one.0.seed, one.0.metric, one.0.max_iter, one.n_tried_on(points));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, one) in asked.iter().enumerate() {
        match groups.iter_mut().find(|group| together(&asked[group[0]]) == together(one)) {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    let mut found: Vec<Option<Clustering>> = vec![None; asked.len()];
    let of = groups.len();
    for (nth, group) in groups.into_iter().enumerate() {
        let members: Vec<KMeans> = group.iter().map(|&i| asked[i]).collect();
        let watch = Stage { watch, nth, of };
        for (i, clustering) in group.into_iter().zip(fit_group(points, &members, &watch)?) {
            found[i] = Some(clustering);
        }
    }
    Ok(found.into_iter().flatten().collect())
}

/// A part of the work, so that progress over all parts never falls back.
pub(super) struct Stage<'a> {
    pub watch: &'a dyn Watch,
    pub nth: usize,
    pub of: usize,
}

impl Watch for Stage<'_> {
    fn progress(&self, done: usize, total: usize) -> ControlFlow<()> {
        const STEPS: usize = 100;
        self.watch.progress(self.nth * STEPS + done * STEPS / total.max(1), self.of * STEPS)
    }
}

/// Those that share a seed, a metric, a number of iterations and the rows of their tries.
fn fit_group(points: &Points<'_>, group: &[KMeans], watch: &dyn Watch) -> Result<Vec<Clustering>, ClusterError> {
    let KMeansParams { seed, metric, max_iter, .. } = group[0].0;
    let n_tried_on = group[0].n_tried_on(points);
    let sample = (n_tried_on < points.len()).then(|| {
        let mut rows = index::sample(&mut ChaCha8Rng::seed_from_u64(seed), points.len(), n_tried_on).into_vec();
        rows.sort_unstable();
        points.select(&rows)
    });
    let tried_on = match &sample {
        Some(values) => Points::new(values, points.dimension())?.on(points.scorer()),
        None => *points,
    };
    let starts: Vec<Vec<f32>> = group.iter().flat_map(|one| one.starts(&tried_on)).collect();
    let stage = |nth: usize| Stage { watch, nth, of: 3 };
    let tries = lloyd(&tried_on, starts, metric, max_iter.min(TRY_ITERATIONS), &stage(0))?;
    let mut finalists = share_out(tries, group, |one| one.0.n_init, FINALISTS);
    if n_tried_on == points.len() || max_iter <= FINAL_ITERATIONS {
        let best = iterate(points, finalists, max_iter, &stage(2), metric)?;
        return Ok(best.into_iter().flatten().map(canonical).collect());
    }
    // On all of many points a few iterations tell which finalist is worth the rest.
    finalists = iterate(points, finalists, FINAL_ITERATIONS, &stage(1), metric)?;
    let best = iterate(points, finalists, max_iter - FINAL_ITERATIONS, &stage(2), metric)?;
    let whole = |one: Clustering| Clustering { n_iter: one.n_iter + FINAL_ITERATIONS, ..canonical(one) };
    Ok(best.into_iter().flatten().map(whole).collect())
}

/// Goes on with each one's finalists, all together, and keeps each one's best.
fn iterate(
    points: &Points<'_>,
    finalists: Vec<Vec<Clustering>>,
    max_iter: usize,
    watch: &dyn Watch,
    metric: Metric,
) -> Result<Vec<Vec<Clustering>>, ClusterError> {
    let counts: Vec<usize> = finalists.iter().map(Vec::len).collect();
    let starts = finalists.into_iter().flatten().map(|tried| tried.centroids).collect();
    let found = lloyd(points, starts, metric, max_iter, watch)?;
    Ok(share_out(found, &counts, |&count| count, 1))
}

/// Gives each its tries back, of them the few with the smallest inertia, of equals the first.
fn share_out<T>(
    tries: Vec<Clustering>,
    group: &[T],
    n_tries: impl Fn(&T) -> usize,
    n_best: usize,
) -> Vec<Vec<Clustering>> {
    let mut tries = tries.into_iter();
    group
        .iter()
        .map(|one| {
            let mut own: Vec<Clustering> = tries.by_ref().take(n_tries(one)).collect();
            own.sort_by(|a, b| a.inertia.total_cmp(&b.inertia));
            own.truncate(n_best);
            own
        })
        .collect()
}

/// Lloyd's iterations from these centroids, `[k, dimension]` each: of a fit that is to go on from an older one, or of several at
/// once. Clusters keep the order of their centroids.
///
/// # Errors
/// [`ClusterError::Shape`]: centroids that are no whole number of rows, or more of them than points; [`ClusterError::Cancelled`].
pub fn refine(
    points: &Points<'_>,
    starts: Vec<Vec<f32>>,
    metric: Metric,
    max_iter: usize,
    watch: &dyn Watch,
) -> Result<Vec<Clustering>, ClusterError> {
    for start in &starts {
        let k = Points::new(start, points.dimension())?.len();
        if k == 0 {
            return Err(ClusterError::NoClusters { k });
        }
        if k > points.len() {
            return Err(ClusterError::TooFewPoints { k, n: points.len() });
        }
    }
    lloyd(points, starts, metric, max_iter, watch)
}

/// The same clusters of other points: their centroids and inertia there. Row i of both is the same customer.
pub fn recentre(points: &Points<'_>, clustering: &Clustering) -> Clustering {
    let metric = points.metric();
    let centroids = means(points, &clustering.labels, clustering.k, metric);
    let inertia = metric.inertia(points, &clustering.labels, &centroids);
    Clustering { dimension: points.dimension(), centroids, inertia, ..clustering.clone() }
}

/// Everybody with the nearest of these centroids; an empty cluster takes the farthest point in.
pub(super) fn from_nearest(
    points: &Points<'_>,
    centroids: Vec<f32>,
    metric: Metric,
) -> Result<Clustering, ClusterError> {
    let found = lloyd(points, vec![centroids], metric, 0, &())?;
    found.into_iter().next().ok_or(ClusterError::NoClusters { k: 0 })
}

/// These labels, each below `k` and each at least once, as a clustering with its centroids and inertia; and the old number of each cluster.
pub(super) fn of_labels(points: &Points<'_>, labels: Vec<u32>, k: usize, metric: Metric) -> (Clustering, Vec<usize>) {
    let order = by_size(&labels, k);
    let labels = renumbered(&labels, &order);
    let centroids = means(points, &labels, k, metric);
    let inertia = metric.inertia(points, &labels, &centroids);
    (Clustering { k, dimension: points.dimension(), centroids, labels, inertia, n_iter: 0 }, order)
}

/// Renumbers the clusters by size, largest first, ties by their first member.
pub(super) fn canonical(found: Clustering) -> Clustering {
    let (order, d) = (by_size(&found.labels, found.k), found.dimension);
    let centroids = order.iter().flat_map(|&old| &found.centroids[old * d..][..d]).copied().collect();
    Clustering { centroids, labels: renumbered(&found.labels, &order), ..found }
}

/// Clusters, largest first, ties by their first member.
fn by_size(labels: &[u32], k: usize) -> Vec<usize> {
    let (mut sizes, mut first) = (vec![0usize; k], vec![usize::MAX; k]);
    for (i, &label) in labels.iter().enumerate() {
        sizes[label as usize] += 1;
        first[label as usize] = first[label as usize].min(i);
    }
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|&a, &b| sizes[b].cmp(&sizes[a]).then(first[a].cmp(&first[b])));
    order
}

/// Labels by rank in the order.
fn renumbered(labels: &[u32], order: &[usize]) -> Vec<u32> {
    let mut new = vec![0u32; order.len()];
    order.iter().enumerate().for_each(|(rank, &old)| new[old] = rank as u32);
    labels.iter().map(|&label| new[label as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::geometry::assign;
    use super::super::planted::planted;
    use super::*;
    use crate::measure;
    use proptest::prelude::*;

    fn fit(values: &[f32], d: usize, k: usize, seed: u64) -> Clustering {
        let points = Points::new(values, d).unwrap();
        KMeans::params(k).seed(seed).check(&points).unwrap().fit(&points, &()).unwrap()
    }

    fn labels(clustering: &Clustering) -> Vec<usize> {
        clustering.labels.iter().map(|&label| label as usize).collect()
    }

    #[test]
    fn planted_clusters_are_found_and_numbered_by_size() {
        let truth = planted(&[200, 120, 60, 30], 48, 0.8, 1);
        let found = fit(&truth.values, 48, 4, 0);
        assert!(measure::compare(&truth.labels, &labels(&found)).ari > 0.98);
        let sizes: Vec<usize> = (0..4).map(|c| found.labels.iter().filter(|&&l| l == c).count()).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let truth = planted(&[500, 400, 300], 32, 2.0, 2);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&truth.values, 32, 5, 3))
        };
        let one = with(1);
        for threads in [2, 3, 7] {
            assert_eq!(with(threads), one, "{threads} threads");
        }
    }

    #[test]
    fn a_large_set_is_tried_on_a_sample_and_finished_on_all() {
        let truth = planted(&[12_000, 9_000, 6_000], 24, 0.4, 3);
        let found = fit(&truth.values, 24, 3, 0);
        assert!(measure::compare(&truth.labels, &labels(&found)).ari > 0.98);
    }

    #[test]
    fn finalists_on_many_points_have_no_more_iterations_than_were_asked_for() {
        let truth = planted(&[12_000, 9_000, 6_000], 8, 3.0, 3);
        let points = Points::new(&truth.values, 8).unwrap();
        for max_iter in [1, 4, 5, 6, 9] {
            let kmeans = KMeans::params(7).max_iter(max_iter).n_init(3).check(&points).unwrap();
            let found = kmeans.fit(&points, &()).unwrap();
            assert_eq!(found.n_iter, max_iter, "nothing settles so soon in these points");
        }
    }

    #[test]
    fn what_cannot_be_clustered_is_refused_with_its_reason() {
        let points = Points::new(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0], 2).unwrap();
        assert_eq!(KMeans::params(0).check(&points), Err(ClusterError::NoClusters { k: 0 }));
        assert_eq!(KMeans::params(4).check(&points), Err(ClusterError::TooFewPoints { k: 4, n: 3 }));
        assert_eq!(KMeans::params(3).check(&points), Err(ClusterError::TooFewDistinct { k: 3, n_distinct: 2 }));
    }

    #[test]
    fn fits_made_together_are_those_made_alone() {
        let truth = planted(&[300, 200, 100], 20, 1.0, 9);
        let points = Points::new(&truth.values, 20).unwrap();
        let asked: Vec<KMeans> = [(2, 0), (3, 0), (5, 1), (7, 0), (3, 1)]
            .map(|(k, seed)| KMeans::params(k).seed(seed).n_init(k).check(&points).unwrap())
            .into();
        let alone: Vec<Clustering> = asked.iter().map(|one| one.fit(&points, &()).unwrap()).collect();
        assert_eq!(fit_all(&points, &asked, &()).unwrap(), alone);
    }

    #[test]
    fn first_centroids_that_do_not_fit_the_points_are_refused() {
        let points = Points::new(&[1.0, 0.0, 0.0, 1.0], 2).unwrap();
        let refused = |start: &[f32]| refine(&points, vec![start.to_vec()], Metric::Cosine, 9, &()).unwrap_err();
        assert_eq!(refused(&[1.0; 3]), ClusterError::Shape { n_values: 3, dimension: 2 });
        assert_eq!(refused(&[]), ClusterError::NoClusters { k: 0 });
        assert_eq!(refused(&[1.0; 6]), ClusterError::TooFewPoints { k: 3, n: 2 });
        assert_eq!(refused(&[f32::NAN, 1.0]), ClusterError::NotFinite { row: 0 });
    }

    #[test]
    fn a_watcher_can_cancel() {
        struct Stop;
        impl Watch for Stop {
            fn progress(&self, done: usize, _: usize) -> std::ops::ControlFlow<()> {
                if done > 1 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
            }
        }
        let truth = planted(&[30, 30], 8, 0.5, 4);
        let points = Points::new(&truth.values, 8).unwrap();
        let run = KMeans::params(2).check(&points).unwrap().fit(&points, &Stop);
        assert_eq!(run, Err(ClusterError::Cancelled));
    }

    #[test]
    fn progress_never_falls_back_and_comes_to_its_end() {
        #[derive(Default)]
        struct Seen(std::sync::Mutex<Vec<f64>>);
        impl Watch for Seen {
            fn progress(&self, done: usize, total: usize) -> ControlFlow<()> {
                self.0.lock().unwrap().push(done as f64 / total as f64);
                ControlFlow::Continue(())
            }
        }
        for sizes in [[300, 200], [14_000, 9_000]] {
            let truth = planted(&sizes, 8, 2.0, 8);
            let points = Points::new(&truth.values, 8).unwrap();
            let asked = [(3, 0), (2, 1)].map(|(k, seed)| KMeans::params(k).seed(seed).check(&points).unwrap());
            let seen = Seen::default();
            fit_all(&points, &asked, &seen).unwrap();
            let seen = seen.0.into_inner().unwrap();
            assert!(seen.is_sorted() && seen.last() == Some(&1.0), "{seen:?}");
        }
    }

    /// Unit rows in few dimensions, with duplicates and zero rows among them.
    fn rows() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(prop::array::uniform3(-3i8..4), 2..60).prop_map(|rows| {
            rows.iter()
                .flat_map(|row| {
                    let norm = row.iter().map(|&v| f32::from(v).powi(2)).sum::<f32>().sqrt().max(1e-9);
                    row.map(|v| f32::from(v) / norm)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn every_cluster_has_a_point_and_inertia_never_rises(values in rows(), k in 1usize..6, seed in 0u64..50) {
            let points = Points::new(&values, 3).unwrap();
            let Ok(checked) = KMeans::params(k).seed(seed).n_init(2).check(&points) else { return Ok(()) };
            let found = checked.fit(&points, &()).unwrap();
            for cluster in 0..k as u32 {
                prop_assert!(found.labels.contains(&cluster), "cluster {} of {} is empty", cluster, k);
            }
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let start = plus_plus(&points, k, Metric::Cosine, &mut rng);
            let after = |n: usize| refine(&points, vec![start.clone()], Metric::Cosine, n, &()).unwrap().remove(0);
            let inertia: Vec<f64> = [1, 2, 4, 50].iter().map(|&n| after(n).inertia).collect();
            for pair in inertia.windows(2) {
                prop_assert!(pair[1] <= pair[0] + 1e-4 * points.len() as f64, "{:?}", inertia);
            }
        }

        #[test]
        fn shuffling_the_points_keeps_separated_groups(seed in 0u64..30, by in 1usize..89) {
            let truth = planted(&[40, 30, 20], 24, 0.4, seed);
            let one = fit(&truth.values, 24, 3, 0);
            let mut values = truth.values.clone();
            values.rotate_left(by * 24);
            let other = fit(&values, 24, 3, 0);
            let mut back = labels(&other);
            back.rotate_right(by);
            prop_assert!((measure::compare(&labels(&one), &back).ari - 1.0).abs() < 1e-9);
        }

        #[test]
        fn a_centroid_is_in_its_own_cluster(seed in 0u64..30) {
            let truth = planted(&[40, 30, 20], 24, 1.0, seed);
            let found = fit(&truth.values, 24, 3, seed);
            let centroids = Points::new(&found.centroids, 24).unwrap();
            prop_assert_eq!(assign(&centroids, &found.centroids, Metric::Cosine).0, vec![0, 1, 2]);
        }
    }
}
