//! One thread's way through the panels: who gets another label, and what that changes in the clusters' sums.

use super::super::geometry::Points;
use super::NONE;
use super::panel::{LANES, Panel};
use super::screen::{Candidates, Screen};
use super::sums::Fixed;
use super::there::Stretch;
use crate::kernels::Lines;
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// What points that moved change in one fit.
#[derive(Default)]
pub(super) struct Change {
    /// `[k, dimension]`
    pub sums: Vec<i64>,
    pub sizes: Vec<i64>,
    pub n_moved: usize,
}

/// A thread's buffers, and what it has found.
#[derive(Default)]
pub(super) struct Worker {
    scores: Lines<f32>,
    /// `[panel of a block][active fit][64]`
    labels: Vec<[u32; LANES]>,
    /// One active fit each.
    changes: Vec<Change>,
    /// (cluster, row) of points that came, and of points that went.
    came: Vec<(u32, u32)>,
    went: Vec<(u32, u32)>,
}

/// What all workers of a pass share.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub screen: &'a Screen<'a>,
    pub candidates: &'a Candidates,
    pub fixed: Fixed,
    /// Which of all fits the candidates are.
    pub active: &'a [usize],
    /// Labels that were found on a device.
    pub there: Option<&'a Stretch>,
}

impl Worker {
    /// Nothing has moved yet.
    pub fn begin(mut self, pass: Pass<'_>) -> Self {
        let (d, fits) = (pass.screen.points.dimension(), &pass.candidates.fits);
        self.changes.resize_with(fits.len(), Change::default);
        self.changes.iter_mut().zip(fits).for_each(|(change, fit)| change.clear(fit.k, d));
        self
    }

    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Assigns the points of a block of panels, the first of which is number `first`. Labels come first and sums after, fit by fit, so
    /// that one fit's sums stay in the nearest caches while all points that moved in it are added.
    pub fn assign(&mut self, pass: Pass<'_>, first: usize, panels: &mut [Panel]) {
        self.labels.clear();
        for (at, panel) in panels.iter().enumerate() {
            let fits = pass.candidates.fits.iter();
            if let Some(stretch) = pass.there {
                let rows = pass.screen.rows(first + at);
                let found = |(nth, fit)| pass.screen.settle(first + at, fit, stretch.labels(nth, &rows));
                self.labels.extend(fits.enumerate().map(found));
                continue;
            }
            pass.screen.score(panel, pass.candidates, &mut self.scores);
            self.labels.extend(fits.map(|fit| pass.screen.labels(first + at, panel, fit, &self.scores)));
        }
        for (nth, &i) in pass.active.iter().enumerate() {
            for (at, panel) in panels.iter_mut().enumerate() {
                let new = &self.labels[at * pass.active.len() + nth];
                let old = &mut panel.labels[i * LANES..][..LANES];
                relabel(pass.screen.rows(first + at), new, old, &mut self.came, &mut self.went);
            }
            self.add_up(pass, nth);
        }
    }

    /// Brings one fit's sums up to date with those who came and went.
    fn add_up(&mut self, pass: Pass<'_>, nth: usize) {
        let (points, fixed, change) = (pass.screen.points, pass.fixed, &mut self.changes[nth]);
        change.n_moved += self.came.len();
        for (moved, sign) in [(&mut self.came, 1), (&mut self.went, -1)] {
            moved.sort_unstable();
            for of_one in moved.chunk_by(|a, b| a.0 == b.0) {
                let cluster = of_one[0].0 as usize;
                change.sizes[cluster] += sign * of_one.len() as i64;
                let sums = &mut change.sums[cluster * points.dimension()..][..points.dimension()];
                pass.screen.arch.dispatch(AddUp { points, fixed, rows: of_one, sign, sums });
            }
            moved.clear();
        }
    }
}

/// Writes a panel's new labels and who came and went.
fn relabel(
    rows: Range<usize>,
    new: &[u32; LANES],
    old: &mut [u32],
    came: &mut Vec<(u32, u32)>,
    went: &mut Vec<(u32, u32)>,
) {
    for ((row, label), &new) in rows.zip(old).zip(new) {
        if new != *label {
            came.push((new, row as u32));
            if *label != NONE {
                went.push((*label, row as u32));
            }
            *label = new;
        }
    }
}

impl Change {
    fn clear(&mut self, k: usize, dimension: usize) {
        self.sums.clear();
        self.sums.resize(k * dimension, 0);
        self.sizes.clear();
        self.sizes.resize(k, 0);
        self.n_moved = 0;
    }
}

/// Adds rows to a sum, or takes them away. (A closure would not be compiled for the vectors' instructions.)
struct AddUp<'a> {
    points: Points<'a>,
    fixed: Fixed,
    rows: &'a [(u32, u32)],
    sign: i64,
    sums: &'a mut [i64],
}

/// Numbers of a sum that stay in registers while the rows go by.
const COLUMNS: usize = 64;

impl WithSimd for AddUp<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (columns, rest) = self.sums.as_chunks_mut::<COLUMNS>();
        let bias = self.fixed.bias().wrapping_mul(self.rows.len() as i64);
        let done = columns.len() * COLUMNS;
        for (at, sums) in columns.iter_mut().enumerate() {
            let mut moved = [0i64; COLUMNS];
            for &(_, row) in self.rows {
                let values = &self.points.row(row as usize)[at * COLUMNS..][..COLUMNS];
                for i in 0..COLUMNS {
                    moved[i] = moved[i].wrapping_add(self.fixed.biased(values[i]));
                }
            }
            for i in 0..COLUMNS {
                sums[i] = sums[i].wrapping_add(self.sign * moved[i].wrapping_sub(bias));
            }
        }
        for (i, sum) in rest.iter_mut().enumerate() {
            let mut moved = 0i64;
            for &(_, row) in self.rows {
                moved = moved.wrapping_add(self.fixed.biased(self.points.row(row as usize)[done + i]));
            }
            *sum = sum.wrapping_add(self.sign * moved.wrapping_sub(bias));
        }
    }
}
