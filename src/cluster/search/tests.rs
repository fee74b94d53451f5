//! What a search promises.

use super::super::planted::{on_threads, planted};
use super::*;
use proptest::prelude::*;
use std::cell::Cell;

fn settings(budget: f64) -> SearchSettings {
    SearchSettings { algorithms: vec![Algorithm::KMeans, Algorithm::Ward], k_min: 2, k_max: 8, budget, seed: 0 }
}

fn run(blocks: &[Block<'_>], settings: &SearchSettings) -> Search {
    let ticks = Cell::new(0.0);
    let clock = || {
        ticks.set(ticks.get() + 1.0);
        ticks.get()
    };
    search(blocks, settings, &clock, &()).unwrap()
}

fn block(values: &[f32], dimension: usize) -> Block<'_> {
    Block { values, dimension, weight: 1.0 }
}

#[test]
fn the_planted_number_is_found_and_every_trial_is_kept() {
    let truth = planted(&[700, 500, 400, 300], 16, 0.7, 2);
    let found = run(&[block(&truth.values, 16)], &settings(6.0));
    assert_eq!(found.best().k, 4, "{:#?}", found.trials[..3].to_vec());
    // 1,900 points: rungs of 633 and 1,900. Nine candidates, three of which go on; there are fourteen to choose from.
    assert_eq!(found.trials.len(), 9);
    let n_rungs: Vec<usize> = found.trials.iter().map(|trial| trial.rungs.len()).collect();
    assert_eq!(n_rungs, [2, 2, 2, 1, 1, 1, 1, 1, 1]);
    assert_eq!(found.best().rungs.iter().map(|rung| rung.n_points).collect::<Vec<_>>(), [633, 1_900]);
    assert!(
        found.trials.iter().flat_map(|trial| &trial.rungs).all(|rung| rung.seconds == 1.0),
        "a tick from start to end"
    );
    assert!(found.trials[..3].is_sorted_by(|a, b| a.last().unwrap().score >= b.last().unwrap().score));

    let json = serde_json::to_value(found.best()).unwrap();
    assert!(json["algorithm"].is_string() && json["rungs"][1]["davies_bouldin"].is_number(), "{json}");
    assert_eq!(&serde_json::from_value::<Trial>(json).unwrap(), found.best());
}

/// Four groups of 200: the first block tells the first two from the last two, the second block the even ones from the odd ones.
fn halves() -> [Vec<f32>; 2] {
    let (first, second) = (planted(&[400, 400], 24, 0.5, 3).values, planted(&[400, 400], 24, 0.5, 4).values);
    let parts = [0, 2, 1, 3].map(|part| &second[part * 200 * 24..][..200 * 24]);
    [first, parts.concat()]
}

#[test]
fn groups_that_only_show_jointly_are_found_with_both_blocks() {
    let [first, second] = halves();
    let found = run(&[block(&first, 24), block(&second, 24)], &SearchSettings { k_max: 6, ..settings(8.0) });
    let best = found.best();
    assert!(best.k == 4 && best.weights.iter().all(|&weight| weight > 0.05), "{best:?}");
    let given: Vec<&Trial> = found.trials.iter().filter(|trial| trial.weights == [0.5, 0.5]).collect();
    assert_eq!(given.len(), 2, "each method's first candidate has the weights that were given");
    assert!(
        given.iter().all(|trial| trial.rungs.len() < 2 || trial.last().unwrap().score <= best.last().unwrap().score)
    );
}

#[test]
fn one_block_and_a_large_budget_try_everything_once() {
    let truth = planted(&[60, 50, 40], 32, 0.5, 5);
    let found = run(&[block(&truth.values, 32)], &settings(1_000.0));
    assert_eq!(found.trials.len(), 2 * 7);
    assert_eq!(found.best().k, 3);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let truth = planted(&[200, 150], 8, 1.0, 6);
    let settings = SearchSettings { algorithms: Algorithm::ALL.to_vec(), ..settings(6.0) };
    let search = || run(&[block(&truth.values, 8)], &settings);
    assert_eq!(on_threads(1, search), on_threads(3, search));
}

#[test]
fn a_candidate_that_fails_is_kept_with_its_reason_and_one_cloud_of_equals_fails_whole() {
    // Four points that differ, each many times: no k above four can be had.
    let few: Vec<f32> = (0..400).flat_map(|i| [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]][i % 4]).collect();
    let found = run(&[block(&few, 2)], &settings(100.0));
    let failed: Vec<&Trial> = found.trials.iter().filter(|trial| trial.failed.is_some()).collect();
    assert!(
        !failed.is_empty()
            && failed.iter().all(|trial| trial.k > 4 && trial.failed.as_ref().unwrap().contains("smaller k"))
    );
    assert!(found.best().k <= 4 && found.best().failed.is_none());
    let equal = vec![1f32; 100];
    let refused = search(&[block(&equal, 1)], &settings(3.0), &|| 0.0, &());
    assert!(matches!(refused, Err(ClusterError::TooFewDistinct { n_distinct: 1, .. })), "{refused:?}");
}

#[test]
fn what_cannot_be_searched_is_refused_with_its_reason() {
    let truth = planted(&[20, 20], 4, 0.5, 7).values;
    let usual = settings(3.0);
    let refused = |blocks: &[Block<'_>], settings: &SearchSettings| {
        search(blocks, settings, &|| 0.0, &()).unwrap_err().to_string()
    };
    let one = [block(&truth, 4)];
    assert!(refused(&[], &usual).contains("blocks"));
    assert!(refused(&[block(&truth, 4), block(&truth, 8)], &usual).contains("same number of rows"));
    assert!(refused(&[Block { weight: 0.0, ..one[0] }], &usual).contains("weight"));
    assert!(refused(&one, &SearchSettings { algorithms: Vec::new(), ..usual.clone() }).contains("methods"));
    assert!(refused(&one, &SearchSettings { k_min: 1, ..usual.clone() }).contains("range of k"));
    assert!(refused(&one, &SearchSettings { k_max: 1, ..usual.clone() }).contains("range of k"));
    assert!(refused(&one, &SearchSettings { budget: f64::NAN, ..usual.clone() }).contains("budget"));
    assert!(refused(&[block(&truth[..8], 4)], &usual).contains("only 2 points"));
}

proptest! {
    #[test]
    fn the_budget_is_kept_and_rungs_grow(n in 4usize..200_000, budget in 0.1f64..200.0) {
        let sizes = rungs(n);
        prop_assert_eq!(sizes[sizes.len() - 1], n.min(LAST));
        prop_assert!(sizes.is_sorted() && (sizes.len() == 1 || sizes[0] >= FIRST));
        let n_first = n_candidates(&settings(budget), sizes.len());
        let work: usize = sizes.iter().enumerate().map(|(rung, size)| n_going_on(n_first, rung) * size).sum();
        // Each rung rounds its candidates up to a whole one.
        let rounding = sizes.iter().sum::<usize>() as f64 / sizes[sizes.len() - 1] as f64;
        let work = work as f64 / sizes[sizes.len() - 1] as f64;
        prop_assert!(work <= budget + rounding || n_first == 2, "{work} of {budget}");
    }

    #[test]
    fn candidates_differ_and_their_weights_are_shares(seed in 0u64..200, wanted in 2usize..60, n_blocks in 1usize..4) {
        let given = shares(&vec![1.0; n_blocks]);
        let all = candidates(&SearchSettings { seed, ..settings(1.0) }, &given, wanted);
        prop_assert!(all.len() == wanted || n_blocks == 1 && all.len() == 14);
        for (i, one) in all.iter().enumerate() {
            prop_assert!((one.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12 && one.weights.iter().all(|&w| w >= 0.0));
            prop_assert!((2..=8).contains(&one.k) && one.number == i);
            prop_assert!(all[..i].iter().all(|other| (other.algorithm, other.k, &other.weights) != (one.algorithm, one.k, &one.weights)));
        }
    }
}
