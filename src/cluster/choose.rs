//! Choosing k: for every candidate the silhouette and the stability of a sample, and a guard against one giant segment.

use super::stability::refit_labels;
use super::{ClusterError, Clustering, KMeans, Points, Watch, fit_all_starts, quality, step};
use crate::domain::Candidate;
use crate::measure;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// Points the candidates are compared on, at most.
const SAMPLE: usize = 4_000;
/// Refits a candidate's stability is the mean of.
const REFITS: usize = 5;
/// First centroids tried for a candidate.
const TRIES: usize = 4;
/// A segment with more of all customers than this tells them nothing.
const LARGEST_SHARE: f64 = 0.8;
/// More segments than this are for people who ask for them.
const K_MAX: usize = 20;

/// Which k are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChooseK {
    k_max: usize,
    seed: u64,
}

/// The k that was chosen, its clustering of all points, and what every candidate looked like.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    pub clustering: Clustering,
    pub candidates: Vec<Candidate>,
}

impl ChooseK {
    /// From 2 to √(n/2), 20 at most.
    pub fn for_customers(n: usize, seed: u64) -> Self {
        let k_max = ((n as f64 / 2.0).sqrt() as usize).clamp(2, K_MAX);
        Self { k_max, seed }
    }
}

/// Tries every k on a sample and fits the best one to all points.
///
/// A candidate's score is its silhouette times its stability, the latter as the mean adjusted Rand index between the fit and
/// refits on resampled points: unlike the share of points kept, that does not favour few clusters.
///
/// # Errors
/// There are fewer than two distinct points, or the watcher cancelled.
pub fn choose_k(points: &Points<'_>, settings: ChooseK, watch: &dyn Watch) -> Result<Chosen, ClusterError> {
    let sampled = sample(points, settings.seed);
    let sample = points.like(&sampled)?;
    let ks = possible(&sample, settings)?;
    // A step each: the fits of all k, the refits of all k, and the chosen one on all points.
    let n_steps = 2 + REFITS;
    step(watch, 0, n_steps)?;
    let fitted = fit_all_starts(&sample, &ks, &())?;
    let mut stabilities = vec![0.0; ks.len()];
    let numbers: Vec<usize> = fitted.iter().map(|fitted| fitted.k).collect();
    for refit in 0..REFITS {
        step(watch, 1 + refit, n_steps)?;
        let refits = refit_labels(&sample, &numbers, settings.seed, refit)?;
        for ((sum, fitted), labels) in stabilities.iter_mut().zip(&fitted).zip(&refits) {
            *sum += measure::compare(&whole(&fitted.labels), &whole(labels)).ari / REFITS as f64;
        }
    }
    step(watch, n_steps - 1, n_steps)?;
    let candidates: Vec<Candidate> =
        fitted.iter().zip(stabilities).map(|(fitted, stability)| candidate(&sample, fitted, stability)).collect();
    let k = best(&candidates);
    let kmeans = KMeans::params(k).seed(settings.seed).metric(points.metric()).check(points)?;
    let mut fitted = fit_all_starts(points, &[kmeans], &())?;
    let clustering = fitted.pop().ok_or(ClusterError::NoClusters { k })?;
    Ok(Chosen { clustering, candidates })
}

fn sample(points: &Points<'_>, seed: u64) -> Vec<f32> {
    if points.len() <= SAMPLE {
        return points.values().to_vec();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = index::sample(&mut rng, points.len(), SAMPLE).into_vec();
    rows.sort_unstable();
    points.select(&rows)
}

/// The k that the points allow: two at least, or the reason why not even that.
fn possible(points: &Points<'_>, settings: ChooseK) -> Result<Vec<KMeans>, ClusterError> {
    let mut ks = Vec::new();
    for k in 2..=settings.k_max {
        match KMeans::params(k).seed(settings.seed).n_init(TRIES).metric(points.metric()).check(points) {
            Err(ClusterError::TooFewDistinct { .. } | ClusterError::TooFewPoints { .. }) if k > 2 => break,
            checked => ks.push(checked?),
        }
    }
    Ok(ks)
}

fn whole(labels: &[u32]) -> Vec<usize> {
    labels.iter().map(|&label| label as usize).collect()
}

fn candidate(points: &Points<'_>, fitted: &Clustering, stability: f64) -> Candidate {
    let measured = quality(points, fitted);
    let giant = measured.largest_share > LARGEST_SHARE;
    let rejected =
        giant.then(|| format!("one segment would hold {:.0} % of the customers", 100.0 * measured.largest_share));
    let score = measured.silhouette * stability.max(0.0);
    Candidate {
        k: fitted.k,
        silhouette: measured.silhouette,
        stability,
        largest_share: measured.largest_share,
        score,
        rejected,
    }
}

/// The largest score, of equals the smallest k; rejected ones only where there is no other.
fn best(candidates: &[Candidate]) -> usize {
    let mut best: Option<&Candidate> = None;
    for candidate in candidates {
        let rank = |c: &Candidate| (c.rejected.is_none(), c.score);
        if best.is_none_or(|best| rank(candidate) > rank(best)) {
            best = Some(candidate);
        }
    }
    best.map_or(2, |candidate| candidate.k)
}

#[cfg(test)]
mod tests {
    use super::super::planted::planted;
    use super::*;

    fn chosen(sizes: &[usize], noise: f64, seed: u64) -> Chosen {
        let truth = planted(sizes, 32, noise, seed);
        let points = Points::new(&truth.values, 32).unwrap();
        choose_k(&points, ChooseK::for_customers(points.len(), 0), &()).unwrap()
    }

    #[test]
    fn the_planted_number_is_chosen() {
        for (sizes, seed) in [(&[70, 60, 50][..], 1), (&[60, 50, 40, 30, 20], 2), (&[40; 8], 3)] {
            let chosen = chosen(sizes, 0.7, seed);
            assert_eq!(chosen.clustering.k, sizes.len(), "{:#?}", chosen.candidates);
        }
    }

    #[test]
    fn a_giant_segment_is_out_of_the_question_while_there_is_a_choice() {
        // Two tight knots of few points beside a wide cloud: k = 2 has the best silhouette and tells nobody anything.
        let chosen = chosen(&[300, 12, 10], 1.2, 4);
        let guarded: Vec<_> = chosen.candidates.iter().filter(|c| c.rejected.is_some()).collect();
        assert!(guarded.iter().all(|c| c.largest_share > LARGEST_SHARE && c.k != chosen.clustering.k));
        assert!(best(&chosen.candidates) >= 2);
        let all_rejected: Vec<Candidate> =
            chosen.candidates.iter().map(|c| Candidate { rejected: Some("giant".into()), ..c.clone() }).collect();
        assert!(best(&all_rejected) >= 2);
    }

    #[test]
    fn two_distinct_points_make_two_segments_and_one_makes_none() {
        let values = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        let points = Points::new(&values, 2).unwrap();
        assert_eq!(choose_k(&points, ChooseK::for_customers(3, 0), &()).unwrap().clustering.k, 2);
        let points = Points::new(&values[..4], 2).unwrap();
        let refused = choose_k(&points, ChooseK::for_customers(2, 0), &());
        assert_eq!(refused, Err(ClusterError::TooFewDistinct { k: 2, n_distinct: 1 }));
    }

    #[test]
    fn a_large_set_is_compared_on_a_sample() {
        let chosen = chosen(&[4_000, 3_000, 2_000], 0.7, 5);
        assert_eq!((chosen.clustering.k, chosen.clustering.labels.len()), (3, 9_000));
    }
}
