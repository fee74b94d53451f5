//! How sure the figures of a clustering's quality are: what they would be of other points of the same kind.

use super::geometry::Points;
use super::{Clustering, InternalQuality, quality};
use crate::measure::{BootstrapSettings, percentile_interval};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Points drawn for one resample, at most. Of more there are, intervals are those of a sample of this size: wider than need be.
const SAMPLE: usize = 2_000;
/// The random stream of resamples, beyond the others'.
const STREAM: u64 = 1 << 42;

/// 95 % intervals, low and high.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityIntervals {
    pub silhouette: [f64; 2],
    pub davies_bouldin: [f64; 2],
    pub calinski_harabasz: [f64; 2],
    pub largest_share: [f64; 2],
}

/// Bootstrap intervals of the figures of [`quality()`], the clusters staying as they are. Caliński and Harabasz' grows with the number of
/// points; its interval is taken to the number there are.
pub fn quality_intervals(
    points: &Points<'_>,
    clustering: &Clustering,
    settings: BootstrapSettings,
) -> Option<QualityIntervals> {
    let figures: Vec<InternalQuality> = (0..settings.n_resamples)
        .into_par_iter()
        .map(|nth| resampled(points, clustering, settings.seed, nth))
        .collect();
    let interval = |figure: fn(&InternalQuality) -> f64| percentile_interval(figures.iter().map(figure).collect());
    let grown = points.len() as f64 / points.len().clamp(1, SAMPLE) as f64;
    Some(QualityIntervals {
        silhouette: interval(|figures| figures.silhouette)?,
        davies_bouldin: interval(|figures| figures.davies_bouldin)?,
        calinski_harabasz: interval(|figures| figures.calinski_harabasz)?.map(|end| end * grown),
        largest_share: interval(|figures| figures.largest_share)?,
    })
}

fn resampled(points: &Points<'_>, clustering: &Clustering, seed: u64, nth: usize) -> InternalQuality {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM + nth as u64);
    let n = points.len();
    let rows: Vec<usize> = (0..n.min(SAMPLE)).map(|_| rng.random_range(0..n)).collect();
    let values = points.select(&rows);
    let labels = rows.iter().map(|&row| clustering.labels[row]).collect();
    match points.like(&values) {
        Ok(drawn) => quality(&drawn, &Clustering { labels, ..clustering.clone() }),
        // They are some of the points that were taken before.
        Err(_) => quality(points, clustering),
    }
}

#[cfg(test)]
mod tests {
    use super::super::planted::planted;
    use super::super::{KMeans, Points};
    use super::*;

    #[test]
    fn figures_lie_in_their_intervals_and_more_points_make_them_narrower() {
        let measured = |n: usize| {
            let truth = planted(&[3 * n, 2 * n, n], 16, 1.0, 4);
            let points = Points::new(&truth.values, 16).unwrap();
            let found = KMeans::params(3).check(&points).unwrap().fit(&points, &()).unwrap();
            let settings = BootstrapSettings { n_resamples: 60, seed: 2 };
            (quality(&points, &found), quality_intervals(&points, &found, settings).unwrap())
        };
        let (figures, few) = measured(20);
        let (_, many) = measured(150);
        for (figure, [low, high]) in [
            (figures.silhouette, few.silhouette),
            (figures.davies_bouldin, few.davies_bouldin),
            (figures.calinski_harabasz, few.calinski_harabasz),
            (figures.largest_share, few.largest_share),
        ] {
            assert!(low <= figure && figure <= high && low < high, "{figure} is not in {low} to {high}");
        }
        let width = |[low, high]: [f64; 2]| high - low;
        assert!(width(many.silhouette) < width(few.silhouette) && width(many.largest_share) < width(few.largest_share));
    }
}
