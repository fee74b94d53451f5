//! How surely a point belongs to its segment: a softmax over its likeness to all centroids ([`Metric::similarities`]), its temperature
//! fitted so that the mean confidence is what refits show.

#[cfg(doc)]
use super::Metric;
use super::Points;

/// The range a temperature is sought in: colder, and everybody would be certain; hotter, and nobody anything.
const COLDEST: f64 = 0.005;
const HOTTEST: f64 = 10.0;
/// Points looked at.
const SAMPLE: usize = 5_000;
/// Halvings of the range of the logarithm.
const HALVINGS: usize = 50;

/// Where a point belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// Index of the centroid with the largest cosine, the first of equals.
    pub best: usize,
    /// 0 to 1; all confidences of a point sum to 1.
    pub confidence: f64,
    /// The second largest and its confidence; None where there is one centroid only.
    pub runner_up: Option<(usize, f64)>,
}

impl Placed {
    /// The same of a point of which only a part is known, 0 to 1: as much nearer to a guess among `k`.
    #[must_use]
    pub fn known_in_part(self, known: f64, k: usize) -> Self {
        let drawn = |confidence: f64| known * confidence + (1.0 - known) / k.max(1) as f64;
        Self {
            confidence: drawn(self.confidence),
            runner_up: self.runner_up.map(|(index, confidence)| (index, drawn(confidence))),
            ..self
        }
    }
}

/// Places a point with the centroid of the largest cosine.
///
/// # Panics
/// There is no centroid: a defect of the caller.
pub fn place(cosines: &[f32], temperature: f64) -> Placed {
    place_in(largest(cosines, None).expect("a version has at least one segment"), cosines, temperature)
}

/// How surely a point belongs where a clustering put it (which is elsewhere than [`place`] for a point between two centroids,
/// or one that was given to a cluster that would be empty).
pub fn place_in(best: usize, cosines: &[f32], temperature: f64) -> Placed {
    let weight = |i: usize| (f64::from(cosines[i] - cosines[best]) / temperature).exp();
    let total: f64 = (0..cosines.len()).map(weight).sum();
    let runner_up = largest(cosines, Some(best)).map(|i| (i, weight(i) / total));
    Placed { best, confidence: 1.0 / total, runner_up }
}

fn largest(cosines: &[f32], but: Option<usize>) -> Option<usize> {
    let mut best: Option<usize> = None;
    for i in (0..cosines.len()).filter(|&i| Some(i) != but) {
        if best.is_none_or(|best| cosines[i] > cosines[best]) {
            best = Some(i);
        }
    }
    best
}

/// The temperature at which the points' mean confidence is `target` (temperature scaling, Guo et al. 2017, section 4.2, with
/// the agreement of refits in the place of labels), as near as the range allows.
pub fn temperature(points: &Points<'_>, centroids: &[f32], target: f64) -> f64 {
    let every = points.len().div_ceil(SAMPLE).max(1);
    let similarities = |i: usize| points.metric().similarities(points.row(i), centroids);
    let all: Vec<Vec<f32>> = (0..points.len()).step_by(every).map(similarities).filter(|c| !c.is_empty()).collect();
    let mean_confidence =
        |t: f64| all.iter().map(|cosines| place(cosines, t).confidence).sum::<f64>() / all.len().max(1) as f64;
    let (mut low, mut high) = (COLDEST.ln(), HOTTEST.ln());
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if mean_confidence(middle.exp()) > target { low = middle } else { high = middle }
    }
    f64::midpoint(low, high).exp()
}

#[cfg(test)]
mod tests {
    use super::super::planted::planted;
    use super::super::{KMeans, Points, cosines};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_mean_confidence_is_the_target() {
        let truth = planted(&[60, 50, 40], 16, 1.5, 5);
        let points = Points::new(&truth.values, 16).unwrap();
        let found = KMeans::params(3).check(&points).unwrap().fit(&points, &()).unwrap();
        for target in [0.5, 0.75, 0.9] {
            let t = temperature(&points, &found.centroids, target);
            let sum: f64 =
                (0..points.len()).map(|i| place(&cosines(points.row(i), &found.centroids), t).confidence).sum();
            assert!((sum / points.len() as f64 - target).abs() < 1e-6, "{target}");
        }
    }

    #[test]
    fn one_centroid_is_certain_and_equal_ones_share() {
        assert_eq!(place(&[0.3], 0.1), Placed { best: 0, confidence: 1.0, runner_up: None });
        assert_eq!(place(&[0.3, 0.3], 0.1), Placed { best: 0, confidence: 0.5, runner_up: Some((1, 0.5)) });
    }

    proptest! {
        #[test]
        fn confidences_are_shares_and_the_best_is_the_nearest(
            cosines in prop::collection::vec(-1f32..1.0, 1..20), t in 0.005f64..10.0,
        ) {
            let placed = place(&cosines, t);
            prop_assert!(cosines.iter().all(|&c| c <= cosines[placed.best]));
            prop_assert!(placed.confidence >= 1.0 / cosines.len() as f64 - 1e-9 && placed.confidence <= 1.0);
            if let Some((index, confidence)) = placed.runner_up {
                prop_assert!(index != placed.best && confidence <= placed.confidence);
                prop_assert!(placed.confidence + confidence <= 1.0 + 1e-9);
            }
        }
    }
}
