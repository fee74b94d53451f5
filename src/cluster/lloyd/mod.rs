//! Lloyd's iterations (Lloyd 1982) of several fits at once: the points are read once an iteration for all of them.
//!
//! [`screen`] finds each point's label with rounded numbers and makes sure that it is the exact one; [`sums`] keeps each cluster's sum
//! exactly, so only points that moved are added and taken away. Neither changes a result: labels and centroids are those of
//! plain iterations in `f32`, for any number of threads and any instructions.

mod moves;
mod panel;
mod screen;
mod sums;
#[cfg(test)]
mod tests;
mod there;

use super::geometry::Points;
use super::{ClusterError, Clustering, Metric, PlacedPoints, Watch, step};
use crate::kernels::Isa;
use moves::{Change, Pass, Worker};
use panel::{LANES, Panel};
use rayon::prelude::*;
use screen::{Candidates, Screen};
use std::sync::{Mutex, PoisonError};
use sums::Fixed;
use there::Stretches;

/// The label of padding, and of points before the first assignment.
const NONE: u32 = u32::MAX;
/// Parts a thread's share of the panels is split into, so that threads end together.
const PARTS: usize = 4;

/// Panels of a block: the more, the fewer times a fit's sums are fetched; together they stay in the second cache or the third.
const BLOCK: usize = 4;

/// Runs each fit from its centroids, `[k, dimension]`, until no label changes or `max_iter` is over.
///
/// # Errors
/// [`ClusterError::Cancelled`] alone.
pub(super) fn lloyd(
    points: &Points<'_>,
    starts: Vec<Vec<f32>>,
    metric: Metric,
    max_iter: usize,
    watch: &dyn Watch,
) -> Result<Vec<Clustering>, ClusterError> {
    lloyd_on(Isa::best(), points, starts, metric, max_iter, watch)
}

/// Each cluster's centroid, `[k, dimension]`.
pub(super) fn means(points: &Points<'_>, labels: &[u32], k: usize, metric: Metric) -> Vec<f32> {
    let (d, fixed) = (points.dimension(), Fixed::new(points.largest(), points.len()));
    let (mut sums, mut sizes, mut centroids) = (vec![0i64; k * d], vec![0i64; k], vec![0f32; k * d]);
    for (row, &label) in points.values().chunks_exact(d).zip(labels) {
        fixed.add(&mut sums[label as usize * d..][..d], row);
        sizes[label as usize] += 1;
    }
    centre(fixed, metric, &sums, &sizes, &mut centroids);
    centroids
}

/// Writes the centroids of clusters with these sums.
fn centre(fixed: Fixed, metric: Metric, sums: &[i64], sizes: &[i64], centroids: &mut [f32]) {
    let d = centroids.len() / sizes.len();
    for ((sums, &size), centroid) in sums.chunks_exact(d).zip(sizes).zip(centroids.chunks_exact_mut(d)) {
        metric.centre(sums.iter().map(|&sum| fixed.value(sum)).collect(), size as f64, centroid);
    }
}

fn lloyd_on(
    isa: Isa,
    points: &Points<'_>,
    starts: Vec<Vec<f32>>,
    metric: Metric,
    max_iter: usize,
    watch: &dyn Watch,
) -> Result<Vec<Clustering>, ClusterError> {
    let there = there::place(points, starts.iter().map(Vec::len).sum::<usize>() / points.dimension());
    iterate(Run::new(isa, *points, starts, metric, there), max_iter, watch)
}

fn iterate(mut run: Run<'_>, max_iter: usize, watch: &dyn Watch) -> Result<Vec<Clustering>, ClusterError> {
    run.pass();
    for iteration in 0..max_iter {
        step(watch, iteration, max_iter)?;
        if run.fits.iter().all(|fit| fit.settled) {
            break;
        }
        for i in (0..run.fits.len()).filter(|&i| !run.fits[i].settled).collect::<Vec<_>>() {
            run.fill_empty(i);
            run.move_centroids(i);
            run.fits[i].n_iter += 1;
        }
        run.pass();
    }
    step(watch, max_iter, max_iter)?;
    Ok(run.finish())
}

/// A fit on its way.
struct State {
    k: usize,
    /// `[k, dimension]`
    centroids: Vec<f32>,
    /// `[k, dimension]`
    sums: Vec<i64>,
    sizes: Vec<i64>,
    n_iter: usize,
    settled: bool,
}

struct Run<'a> {
    screen: Screen<'a>,
    fixed: Fixed,
    metric: Metric,
    fits: Vec<State>,
    panels: Vec<Panel>,
    /// The points on a device, while that does its work.
    there: Option<Box<dyn PlacedPoints + 'a>>,
    /// Workers of the last pass, for their buffers.
    spare: Mutex<Vec<Worker>>,
}

impl<'a> Run<'a> {
    fn new(
        isa: Isa,
        points: Points<'a>,
        starts: Vec<Vec<f32>>,
        metric: Metric,
        there: Option<Box<dyn PlacedPoints + 'a>>,
    ) -> Self {
        let screen = Screen::new(points, isa);
        let fixed = Fixed::new(points.largest(), points.len());
        let fits: Vec<State> = starts
            .into_iter()
            .map(|centroids| {
                let k = centroids.len() / points.dimension();
                let (sums, sizes) = (vec![0; centroids.len()], vec![0; k]);
                State { k, centroids, sums, sizes, n_iter: 0, settled: false }
            })
            .collect();
        let panels = (0..screen.n_panels()).map(|_| Panel::default()).collect();
        Self { screen, fixed, metric, fits, panels, there, spare: Mutex::default() }
    }

    /// Assigns every point in each fit that has not settled, and brings the fit's sums up to date.
    fn pass(&mut self) {
        let active: Vec<usize> = (0..self.fits.len()).filter(|&i| !self.fits[i].settled).collect();
        let centroids = active.iter().map(|&i| self.fits[i].centroids.clone());
        let candidates = self.screen.candidates(centroids.map(|rows| {
            let offsets = self.metric.offsets(&rows, self.screen.points.dimension());
            (rows, offsets)
        }));
        match self.there.take() {
            None => self.assign(&active, &candidates, &mut Stretches::none()),
            Some(there) => {
                let scored = self.screen.scored(&candidates, there.rounding());
                let goes_on = there::ahead(&*there, self.screen.points.len(), &scored, |stretches| {
                    self.assign(&active, &candidates, stretches);
                    !stretches.ended()
                });
                self.there = goes_on.then_some(there);
            }
        }
    }

    /// Assigns every point, stretch by stretch where labels come from a device.
    fn assign(&mut self, active: &[usize], candidates: &Candidates, stretches: &mut Stretches) {
        let mut panels = std::mem::take(&mut self.panels);
        let at_once = if stretches.ended() { panels.len() } else { there::STRETCH };
        active.iter().for_each(|&i| self.fits[i].settled = true);
        for (nth, panels) in panels.chunks_mut(at_once.max(1)).enumerate() {
            let there = stretches.next();
            let pass = Pass { screen: &self.screen, candidates, fixed: self.fixed, active, there: there.as_ref() };
            let workers = self.work(pass, nth * at_once, panels);
            for worker in &workers {
                active.iter().zip(worker.changes()).for_each(|(&i, change)| self.fits[i].apply(change));
            }
            *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = workers;
        }
        self.panels = panels;
    }

    /// Has workers assign the points of panels, the first of which is number `first`.
    fn work(&self, pass: Pass<'_>, first: usize, panels: &mut [Panel]) -> Vec<Worker> {
        let (n_fits, spare) = (self.fits.len(), &self.spare);
        let worker = || spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default().begin(pass);
        let (n_panels, n_parts) = (panels.len(), rayon::current_num_threads() * PARTS);
        let block = (n_panels / n_parts).clamp(1, BLOCK);
        let blocks = panels.par_chunks_mut(block).enumerate().with_min_len(n_panels / block / n_parts + 1);
        let workers = blocks.fold(worker, |mut worker, (at, panels)| {
            let first = first + at * block;
            for (at, panel) in panels.iter_mut().enumerate() {
                panel.labels.resize(n_fits * LANES, NONE);
                pass.screen.ready(first + at, panel, pass.there.is_some());
            }
            worker.assign(pass, first, panels);
            worker
        });
        workers.collect()
    }

    /// Gives each empty cluster the point that is farthest from its own centroid, of clusters that have more than one.
    fn fill_empty(&mut self, i: usize) -> bool {
        let empty: Vec<usize> = (0..self.fits[i].k).filter(|&j| self.fits[i].sizes[j] == 0).collect();
        if empty.is_empty() {
            return false;
        }
        let mut farthest: Vec<(f64, usize)> =
            (0..self.screen.points.len()).into_par_iter().map(|row| (self.distance(i, row), row)).collect();
        farthest.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut next = farthest.into_iter().map(|(_, row)| row);
        for cluster in empty {
            let alone = |row: &usize| self.fits[i].sizes[self.label(i, *row) as usize] <= 1;
            if let Some(row) = next.by_ref().find(|row| !alone(row)) {
                self.give(i, row, cluster);
            }
        }
        true
    }

    fn give(&mut self, i: usize, row: usize, cluster: usize) {
        let (d, x) = (self.screen.points.dimension(), self.screen.points.row(row));
        let (old, fit) = (self.label(i, row) as usize, &mut self.fits[i]);
        self.fixed.take(&mut fit.sums[old * d..][..d], x);
        self.fixed.add(&mut fit.sums[cluster * d..][..d], x);
        fit.sizes[old] -= 1;
        fit.sizes[cluster] += 1;
        self.panels[row / LANES].labels[i * LANES + row % LANES] = cluster as u32;
    }

    fn label(&self, i: usize, row: usize) -> u32 {
        self.panels[row / LANES].labels[i * LANES + row % LANES]
    }

    /// From a point to its own centroid.
    fn distance(&self, i: usize, row: usize) -> f64 {
        let (d, label) = (self.screen.points.dimension(), self.label(i, row) as usize);
        self.metric.distance(self.screen.points.row(row), &self.fits[i].centroids[label * d..][..d])
    }

    /// Puts each centroid where its cluster's points are.
    fn move_centroids(&mut self, i: usize) {
        let State { sums, sizes, centroids, .. } = &mut self.fits[i];
        centre(self.fixed, self.metric, sums, sizes, centroids);
    }

    /// The last assignment may have emptied a cluster: its points are taken back in, so that every cluster has one.
    fn finish(mut self) -> Vec<Clustering> {
        for i in 0..self.fits.len() {
            if self.fill_empty(i) {
                self.move_centroids(i);
            }
        }
        (0..self.fits.len()).map(|i| self.clustering(i)).collect()
    }

    fn clustering(&self, i: usize) -> Clustering {
        let (points, fit) = (self.screen.points, &self.fits[i]);
        let labels = (0..points.len()).map(|row| self.label(i, row)).collect();
        let inertia = match (self.metric, fit.products(self.fixed)) {
            (Metric::Cosine, (along, _)) => points.len() as f64 - along,
            (Metric::Euclidean, (along, squares)) => {
                self.panels.iter().map(|panel| panel.squares).sum::<f64>() - 2.0 * along + squares
            }
        };
        Clustering {
            k: fit.k,
            dimension: points.dimension(),
            centroids: fit.centroids.clone(),
            labels,
            inertia: inertia.max(0.0),
            n_iter: fit.n_iter,
        }
    }
}

impl State {
    /// Σ x·c and Σ ‖c‖² over all points and their centroids, from the clusters' sums.
    fn products(&self, fixed: Fixed) -> (f64, f64) {
        let d = self.centroids.len() / self.k;
        let (mut along, mut squares) = (0.0, 0.0);
        let clusters = self.centroids.chunks_exact(d).zip(self.sums.chunks_exact(d)).zip(&self.sizes);
        for ((centroid, sums), &size) in clusters {
            let centroid = || centroid.iter().map(|&c| f64::from(c));
            along += centroid().zip(sums).map(|(c, &sum)| c * fixed.value(sum)).sum::<f64>();
            squares += size as f64 * centroid().map(|c| c * c).sum::<f64>();
        }
        (along, squares)
    }

    fn apply(&mut self, change: &Change) {
        self.sums.iter_mut().zip(&change.sums).for_each(|(sum, change)| *sum = sum.wrapping_add(*change));
        self.sizes.iter_mut().zip(&change.sizes).for_each(|(size, change)| *size += change);
        self.settled &= change.n_moved == 0;
    }
}
