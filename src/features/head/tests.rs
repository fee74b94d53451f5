use super::*;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[derive(serde::Deserialize)]
struct Recorded {
    cases: Vec<Case>,
}

/// What tests/reference/head.py recorded from scikit-learn.
#[derive(serde::Deserialize)]
struct Case {
    n_labels: usize,
    dimension: usize,
    penalty: f64,
    vectors: Vec<f32>,
    labels: Vec<usize>,
    weights: Vec<f64>,
    intercepts: Vec<f64>,
    accuracy: f64,
    precision: f64,
    recall: f64,
    f1: f64,
    log_loss: f64,
}

fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()), "{found} is not {expected}");
    }
}

#[test]
fn coefficients_and_measures_equal_those_recorded_from_scikit_learn() {
    let recorded: Recorded = serde_json::from_str(include_str!("../../../tests/reference/head.json")).unwrap();
    assert_eq!(recorded.cases.len(), 3);
    for case in recorded.cases {
        let (dimension, n_labels) = (case.dimension, case.n_labels);
        let examples = Examples { dimension, vectors: &case.vectors, labels: &case.labels, n_labels };
        let head = Head::fit(&examples, case.penalty).unwrap();
        near(&head.weights, &case.weights, 1e-5);
        near(&head.intercepts, &case.intercepts, 1e-5);
        let probabilities: Vec<Vec<f64>> =
            case.vectors.chunks_exact(dimension).map(|row| head.probabilities(row)).collect();
        let found = report(&case.labels, &probabilities);
        let figures = [found.accuracy, found.precision, found.recall, found.f1, found.log_loss];
        near(&figures, &[case.accuracy, case.precision, case.recall, case.f1, case.log_loss], 1e-6);
    }
}

/// Unit vectors around a direction a label; `noise` is the length of what is added to it. Labels take turns.
fn texts(n: usize, n_labels: usize, noise: f64, seed: u64) -> (Vec<f32>, Vec<usize>) {
    const DIMENSION: usize = 8;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let vector = |rng: &mut ChaCha8Rng| -> Vec<f64> { (0..DIMENSION).map(|_| rng.random_range(-1.0..1.0)).collect() };
    let directions: Vec<Vec<f64>> = (0..n_labels).map(|_| vector(&mut rng)).collect();
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for i in 0..n {
        let label = i % n_labels;
        let row: Vec<f64> = directions[label].iter().zip(vector(&mut rng)).map(|(d, v)| d + noise * v).collect();
        let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        values.extend(row.iter().map(|v| (v / length) as f32));
        labels.push(label);
    }
    (values, labels)
}

fn examples<'a>(vectors: &'a [f32], labels: &'a [usize], n_labels: usize) -> Examples<'a> {
    Examples { dimension: 8, vectors, labels, n_labels }
}

#[test]
fn a_head_learns_what_can_be_learnt_and_says_so_beforehand() {
    let (vectors, labels) = texts(400, 4, 0.7, 1);
    let trained = train(&examples(&vectors[..300 * 8], &labels[..300], 4), TrainSettings { seed: 3 }).unwrap();
    let unseen: Vec<Vec<f64>> = vectors[300 * 8..].chunks_exact(8).map(|row| trained.head.probabilities(row)).collect();
    let found = report(&labels[300..], &unseen);
    assert!(found.accuracy > 0.8, "{found:?}");
    assert!(
        (found.accuracy - trained.cross_validated.accuracy).abs() < 0.08,
        "{found:?} {:?}",
        trained.cross_validated
    );
    assert!(found.calibration_error < 0.12, "{found:?}");
}

#[test]
fn labels_that_mean_nothing_are_not_believed() {
    let (vectors, mut labels) = texts(300, 2, 0.5, 2);
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    labels.iter_mut().for_each(|label| *label = rng.random_range(0..2));
    let trained = train(&examples(&vectors, &labels, 2), TrainSettings { seed: 0 }).unwrap();
    // The strongest penalties win, and nobody is sure.
    assert!(trained.inverse_penalty <= 1.0, "{:?}", trained.trials);
    let surest = vectors.chunks_exact(8).map(|row| trained.head.predict(row).1).fold(0.0, f64::max);
    assert!(surest < 0.75, "{surest}");
}

#[test]
fn any_number_of_threads_gives_the_same_head() {
    let (vectors, labels) = texts(120, 3, 1.0, 4);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train(&examples(&vectors, &labels, 3), TrainSettings { seed: 5 }).unwrap())
    };
    let one = with(1);
    assert_eq!(one, with(3));
    let written = serde_json::to_string(&one.head).unwrap();
    assert_eq!(serde_json::from_str::<Head>(&written).unwrap(), one.head);
}

#[test]
fn descriptions_tell_labels_apart_before_there_are_any() {
    let (vectors, labels) = texts(200, 3, 0.5, 6);
    // Another text of each label describes it.
    let (descriptions, others) = (&vectors[..3 * 8], &vectors[3 * 8..]);
    let head = Head::from_descriptions(descriptions, others, 8).unwrap();
    let probabilities: Vec<Vec<f64>> = others.chunks_exact(8).map(|row| head.probabilities(row)).collect();
    let found = report(&labels[3..], &probabilities);
    assert!(found.accuracy > 0.8, "{found:?}");
    let two = Head::from_descriptions(&vectors[..2 * 8], others, 8).unwrap();
    assert_eq!(two.probabilities(&vectors[..8]).len(), 2);
    assert_eq!(two.predict(&vectors[..8]).0, 0);
}

#[test]
fn what_cannot_be_learnt_from_is_named() {
    let (mut vectors, mut labels) = texts(10, 2, 0.5, 7);
    let train = |vectors: &[f32], labels: &[usize], n_labels| {
        train(&examples(vectors, labels, n_labels), TrainSettings { seed: 0 }).unwrap_err()
    };
    assert_eq!(train(&vectors, &labels, 1), HeadError::OneLabel { n_labels: 1 });
    assert_eq!(train(&vectors, &labels, 3), HeadError::TooFewExamples { label: 2, found: 0, needed: 2 });
    assert!(matches!(train(&vectors[1..], &labels, 2), HeadError::Shape { .. }));
    labels[4] = 7;
    assert_eq!(train(&vectors, &labels, 2), HeadError::NoSuchLabel { row: 4, label: 7, n_labels: 2 });
    vectors[33] = f32::NAN;
    assert_eq!(train(&vectors, &labels, 2), HeadError::NotFinite { row: 4 });
    assert!(matches!(Head::from_descriptions(&vectors[..8], &vectors[..16], 8), Err(HeadError::OneLabel { .. })));
    assert!(matches!(Head::from_descriptions(&vectors[..16], &[], 8), Err(HeadError::Shape { .. })));
}

#[test]
fn ratings_in_the_middle_say_nothing() {
    let said = [0.5, 1.0, 2.0, 2.5, 3.0, 3.9, 4.0, 5.0, 9.0, f64::NAN].map(Sentiment::of_rating);
    let (no, yes) = (Some(Sentiment::Negative), Some(Sentiment::Positive));
    assert_eq!(said, [None, no, no, None, None, None, yes, yes, None, None]);
}

proptest! {
    #[test]
    fn probabilities_are_shares_and_the_order_of_examples_changes_nothing(
        n in 12usize..40, n_labels in 2usize..4, by in 0usize..40, seed in 0u64..1000,
    ) {
        let (vectors, labels) = texts(n, n_labels, 1.0, seed);
        let head = Head::fit(&examples(&vectors, &labels, n_labels), 1.0).unwrap();
        let by = by % n;
        let (mut turned, mut turned_labels) = (vectors.clone(), labels.clone());
        turned.rotate_left(by * 8);
        turned_labels.rotate_left(by);
        let other = Head::fit(&examples(&turned, &turned_labels, n_labels), 1.0).unwrap();
        for (a, b) in head.weights.iter().zip(&other.weights) {
            prop_assert!((a - b).abs() < 1e-6);
        }
        for row in vectors.chunks_exact(8) {
            let p = head.probabilities(row);
            prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12 && p.iter().all(|p| (0.0..=1.0).contains(p)));
            let (label, sure) = head.predict(row);
            prop_assert!(p.iter().all(|other| *other <= sure) && p[label] == sure);
        }
    }

    /// At the minimum no small step in any direction is better.
    #[test]
    fn nothing_near_the_solution_is_better(seed in 0u64..1000, direction in prop::collection::vec(-1.0..1.0f64, 9 * 3)) {
        let (vectors, labels) = texts(30, 3, 1.0, seed);
        let examples = examples(&vectors, &labels, 3);
        let head = Head::fit(&examples, 2.0).unwrap();
        let objective = |head: &Head| {
            let probabilities: Vec<Vec<f64>> = vectors.chunks_exact(8).map(|row| head.probabilities(row)).collect();
            let squares: f64 = head.weights.iter().map(|w| w * w).sum();
            report(&labels, &probabilities).log_loss * 30.0 + squares / 4.0
        };
        let least = objective(&head);
        for step in [1e-3, -1e-3] {
            let mut moved = head.clone();
            moved.weights.iter_mut().zip(&direction).for_each(|(w, d)| *w += step * d);
            moved.intercepts.iter_mut().zip(&direction[24..]).for_each(|(b, d)| *b += step * d);
            prop_assert!(objective(&moved) >= least - 1e-12);
        }
    }

    #[test]
    fn a_split_takes_of_every_label_its_share(labels in prop::collection::vec(0usize..4, 1..80), seed in 0u64..50) {
        let (train, test) = split(&labels, 0.2, seed);
        let mut all: Vec<usize> = train.iter().chain(&test).copied().collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        for label in 0..4 {
            let count = |rows: &[usize]| rows.iter().filter(|&&i| labels[i] == label).count();
            let n = count(&train) + count(&test);
            let expected = (n as f64 * 0.2).round() as usize;
            let least = usize::from(n > 1);
            prop_assert_eq!(count(&test), expected.max(least).min(n.saturating_sub(1)));
        }
    }
}
