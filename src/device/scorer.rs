//! Points scored against centroids on a GPU, in candle's operations.
//!
//! Nothing here asks which device it is on, so the tests run it on candle's processor.

use super::{DeviceChoice, DeviceError, name_of};
use crate::cluster::{ClusterError, PlacedPoints, Scored, Scorer, UNSURE};
use candle_core::{D, DType, Device, Result, Tensor};
use std::ops::Range;

/// What TF32 rounds a number to: ten bits after the first, the rest cut off.
const TF32: f32 = 1.0 / 1024.0;
/// Multiplications of an iteration that take longer here than the points to the device.
const WORTH: usize = 1 << 33;
/// Labels below this fit into a byte.
const BYTE: usize = 255;
/// Scores at a time: a gigabyte in `f32`, and a few of that size beside it.
const SCORES: usize = 1 << 28;

/// Scores points on a device.
#[derive(Debug, Clone)]
pub struct DeviceScorer {
    device: Device,
    worth: usize,
}

struct Placed<'a> {
    device: &'a Device,
    /// `[n, dimension]`
    points: Tensor,
    /// `[n, 1]`: ‖x‖, a little more rather than less.
    lengths: Tensor,
}

impl DeviceScorer {
    /// The GPU that was chosen, or None where that is the processor, which needs no help.
    ///
    /// # Errors
    /// [`DeviceError`] where a GPU was asked for by name and there is none.
    pub fn open(choice: DeviceChoice) -> std::result::Result<Option<Self>, DeviceError> {
        let device = choice.open()?;
        Ok((!device.is_cpu()).then_some(Self { device, worth: WORTH }))
    }

    /// Of however little work, on any device, candle's processor too.
    #[cfg(test)]
    fn on(device: Device) -> Self {
        Self { device, worth: 0 }
    }

    fn take_up(&self, values: &[f32], dimension: usize) -> Result<Placed<'_>> {
        let points = Tensor::from_slice(values, (values.len() / dimension, dimension), &self.device)?;
        let lengths = points.sqr()?.sum_keepdim(1)?.sqrt()?.affine(1.001, 0.0)?;
        // candle gives every thread a queue of its own on the device: the points must have arrived.
        self.device.synchronize()?;
        Ok(Placed { device: &self.device, points, lengths })
    }
}

impl Scorer for DeviceScorer {
    fn worth(&self) -> usize {
        self.worth
    }

    fn place<'a>(
        &'a self,
        values: &[f32],
        dimension: usize,
    ) -> std::result::Result<Box<dyn PlacedPoints + 'a>, ClusterError> {
        let placed = self.take_up(values, dimension).map_err(|error| failed(&self.device, &error))?;
        Ok(Box::new(placed))
    }
}

impl PlacedPoints for Placed<'_> {
    fn rounding(&self) -> f32 {
        if self.device.is_cpu() { 0.0 } else { TF32 }
    }

    fn labels(&self, rows: Range<usize>, fits: &[Scored]) -> std::result::Result<Vec<Vec<u32>>, ClusterError> {
        self.label(rows, fits).map_err(|error| failed(self.device, &error))
    }
}

impl Placed<'_> {
    fn label(&self, rows: Range<usize>, fits: &[Scored]) -> Result<Vec<Vec<u32>>> {
        let d = self.points.dims()[1];
        let centroids: Vec<f32> = fits.iter().flat_map(|fit| &fit.centroids).copied().collect();
        let n_centroids = centroids.len() / d;
        let centroids = Tensor::from_vec(centroids, (n_centroids, d), self.device)?.t()?;
        let tables = fits.iter().map(|fit| Table::new(fit, self.device)).collect::<Result<Vec<_>>>()?;
        let mut labels: Vec<Vec<u32>> = fits.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        let at_once = (SCORES / n_centroids.max(1)).max(1);
        for first in rows.clone().step_by(at_once) {
            let n = at_once.min(rows.end - first);
            let scores = self.points.narrow(0, first, n)?.matmul(&centroids)?;
            let lengths = self.lengths.narrow(0, first, n)?;
            // All are asked for before the first is fetched, so that the device is never waited for twice.
            let mut at = 0;
            let mut asked = Vec::with_capacity(fits.len());
            for table in &tables {
                asked.push(table.labels(&scores.narrow(1, at, table.k)?, &lengths)?);
                at += table.k;
            }
            for ((labels, asked), table) in labels.iter_mut().zip(asked).zip(&tables) {
                table.fetch(&asked, labels)?;
            }
        }
        Ok(labels)
    }
}

/// One fit's numbers on the device.
struct Table {
    k: usize,
    /// `[1, k]`
    offsets: Tensor,
    /// `[k]`
    slopes: Tensor,
    base: f64,
}

impl Table {
    fn new(fit: &Scored, device: &Device) -> Result<Self> {
        let k = fit.offsets.len();
        let offsets = Tensor::from_slice(&fit.offsets, (1, k), device)?;
        let slopes = Tensor::from_slice(&fit.slopes, k, device)?;
        Ok(Self { k, offsets, slopes, base: f64::from(fit.base) })
    }

    /// The first of the largest of each row of scores, `[n, k]`, or k where its lead over the second is within the rounding.
    fn labels(&self, scores: &Tensor, lengths: &Tensor) -> Result<Tensor> {
        let scores = scores.broadcast_add(&self.offsets)?;
        let best = scores.argmax_keepdim(D::Minus1)?;
        let most = scores.gather(&best, D::Minus1)?;
        let gone = Tensor::full(f32::NEG_INFINITY, best.dims(), scores.device())?;
        let second = scores.scatter_add(&best, &gone, D::Minus1)?.max_keepdim(D::Minus1)?;
        let reach = self.slopes.index_select(&best.flatten_all()?, 0)?.reshape(lengths.dims())?.mul(lengths)?;
        // `gt`: where a score is no number, nothing is certain.
        let sure = most.sub(&second)?.gt(&reach.affine(1.0, self.base)?)?;
        let none = Tensor::full(self.k as u32, best.dims(), scores.device())?;
        let labels = sure.where_cond(&best, &none)?.flatten_all()?;
        if self.k < BYTE { labels.to_dtype(DType::U8) } else { Ok(labels) }
    }

    fn fetch(&self, asked: &Tensor, labels: &mut Vec<u32>) -> Result<()> {
        let named = |label: u32| if label as usize == self.k { UNSURE } else { label };
        match asked.dtype() {
            DType::U8 => labels.extend(asked.to_vec1::<u8>()?.into_iter().map(|label| named(label.into()))),
            _ => labels.extend(asked.to_vec1::<u32>()?.into_iter().map(named)),
        }
        Ok(())
    }
}

fn failed(device: &Device, error: &candle_core::Error) -> ClusterError {
    tracing::warn!(%error, device = name_of(device), "points cannot be scored on the device; the processor goes on");
    ClusterError::Scorer(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::planted::planted;
    use crate::cluster::{Clustering, Metric, Points, refine};

    /// `CLIENTELE_TEST_DEVICE=cuda:0` has these tests run on a GPU, in a build for one.
    fn scorer() -> DeviceScorer {
        DeviceScorer::on(crate::device::for_tests(true))
    }

    fn from_first_rows(points: &Points<'_>, ks: &[usize], metric: Metric) -> Vec<Clustering> {
        let rows = |k: usize| points.select(&(0..k).map(|i| i * (points.len() / k)).collect::<Vec<_>>());
        refine(points, ks.iter().map(|&k| rows(k)).collect(), metric, 20, &()).unwrap()
    }

    #[test]
    fn clusters_are_those_of_the_processor_to_the_bit() {
        let scorer = scorer();
        // Nearly no structure, and clusters far from the origin: rounding would change labels.
        for (noise, shift, size) in
            [(0.6, 0.0, 1.0f32), (6.0, 0.0, 1.0), (4.0, 3.0, 1.0), (4.0, 0.0, 1e-6), (4.0, 100.0, 30.0)]
        {
            let truth = planted(&[450, 320, 190, 77], 33, noise, 5);
            let values: Vec<f32> = truth.values.iter().map(|v| (v + shift) * size).collect();
            let points = Points::new(&values, 33).unwrap();
            for (metric, ks) in [(Metric::Euclidean, &[1, 2, 6, 17, 300][..]), (Metric::Cosine, &[2, 5, 17][..])] {
                let found = from_first_rows(&points.on(Some(&scorer)), ks, metric);
                assert_eq!(found, from_first_rows(&points, ks, metric), "{metric:?}, noise {noise}, shift {shift}");
            }
        }
    }

    #[test]
    fn most_labels_are_certain_and_equals_are_left_open() {
        let truth = planted(&[900, 600], 64, 1.0, 3);
        let scorer = scorer();
        let placed = scorer.place(&truth.values, 64).unwrap();
        let row = |i: usize| truth.values[i * 64..][..64].to_vec();
        let scored = |centroids: Vec<f32>| {
            let k = centroids.len() / 64;
            Scored { centroids, offsets: vec![0.0; k], slopes: vec![1e-3; k], base: 1e-6 }
        };
        let labels =
            placed.labels(0..1500, &[scored([row(0), row(1000)].concat()), scored([row(0), row(0)].concat())]).unwrap();
        assert!(labels[0].iter().filter(|&&label| label == UNSURE).count() < 15);
        assert!(
            labels[0].iter().zip(&truth.labels).filter(|(label, truth)| **label as usize == **truth).count() > 1400
        );
        assert!(labels[1].iter().all(|&label| label == UNSURE));
    }
}
