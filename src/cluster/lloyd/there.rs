//! The points on a device, which finds the labels that are certain a stretch of points ahead of the processor.

use super::super::geometry::Points;
use super::super::scorer::{PlacedPoints, Scored};
use super::panel::LANES;
use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};

/// Panels of a stretch: labels of so many points are fetched at a time, while the processor is at those before.
pub(super) const STRETCH: usize = 1024;

/// Labels of consecutive points, some of them left open.
pub(super) struct Stretch {
    /// Of the first point.
    first: usize,
    /// `[fit][point]`
    labels: Vec<Vec<u32>>,
}

impl Stretch {
    /// Of some rows in the nth of the fits that were asked for.
    pub fn labels(&self, nth: usize, rows: &Range<usize>) -> &[u32] {
        &self.labels[nth][rows.start - self.first..rows.end - self.first]
    }
}

/// Takes the points to their device, where they have one and there is enough to do. What a device refuses is done here.
pub(super) fn place<'a>(points: &Points<'a>, n_centroids: usize) -> Option<Box<dyn PlacedPoints + 'a>> {
    let scorer = points.scorer()?;
    let n_products = points.values().len().saturating_mul(n_centroids);
    (n_products >= scorer.worth()).then(|| scorer.place(points.values(), points.dimension()).ok()).flatten()
}

/// Calls `work` with what gives the labels of one stretch after the other, found while the stretch before is worked on. It gives
/// None from the first stretch on that the device fails at.
pub(super) fn ahead<T>(
    there: &dyn PlacedPoints,
    n: usize,
    fits: &[Scored],
    work: impl FnOnce(&mut Stretches) -> T,
) -> T {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        scope.spawn(move || {
            for first in (0..n).step_by(STRETCH * LANES) {
                let rows = first..(first + STRETCH * LANES).min(n);
                let Ok(labels) = there.labels(rows, fits) else { return };
                if sender.send(Stretch { first, labels }).is_err() {
                    return;
                }
            }
        });
        work(&mut Stretches(Some(receiver)))
    })
}

/// Labels as they come.
pub(super) struct Stretches(Option<Receiver<Stretch>>);

impl Stretches {
    /// Of a pass that the processor does alone.
    pub fn none() -> Self {
        Self(None)
    }

    pub fn next(&mut self) -> Option<Stretch> {
        let next = self.0.as_ref()?.recv().ok();
        if next.is_none() {
            self.0 = None;
        }
        next
    }

    /// Whether the device has failed, or there is none.
    pub fn ended(&self) -> bool {
        self.0.is_none()
    }
}
