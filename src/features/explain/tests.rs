//! The laws of trees, rules and importance, on customers whose segments follow from their features.

use super::split::round_between;
use super::*;
use crate::domain::CustomerId;
use crate::features::{Behaviour, Feature};
use proptest::prelude::*;

fn features(d: usize) -> Vec<Feature> {
    Behaviour::default().features()[..d].to_vec()
}

fn set(rows: &[Vec<Option<f64>>]) -> FeatureSet {
    let customers = (0..rows.len()).map(|i| CustomerId::parse(&format!("c{i}")).unwrap()).collect();
    FeatureSet::new(features(rows[0].len()), customers, rows.to_vec())
}

/// Three features, of which the first two make three segments and the third is noise; some lack the second.
fn planted() -> (FeatureSet, Vec<u32>) {
    let row = |i: u32| {
        let (x, y) = (f64::from(i * 37 % 100), (!i.is_multiple_of(7)).then(|| f64::from(i * 53 % 90)));
        vec![Some(x), y, Some(f64::from(i * 29 % 83))]
    };
    let rows: Vec<_> = (0..600).map(row).collect();
    let segment = |row: &Vec<Option<f64>>| match (row[0], row[1]) {
        (Some(x), _) if x > 60.0 => 0,
        (_, Some(y)) if y <= 30.0 => 1,
        _ => 2,
    };
    let labels = rows.iter().map(segment).collect();
    (set(&rows), labels)
}

#[test]
fn a_tree_finds_the_planted_questions() {
    let (set, labels) = planted();
    let data = Labelled::new(&set, &labels, 3).unwrap();
    let tree = Tree::fit(&data, TreeParams { max_depth: 4, min_leaf: 5 });
    let (accuracy, each) = tree.fidelity(&data).unwrap();
    assert_eq!(accuracy, 1.0);
    assert!(each.iter().all(|fidelity| fidelity.f1() == 1.0));
    assert_eq!((tree.depth(), tree.importance[2]), (2, 0.0));
    assert!((tree.importance.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let splits: Vec<Split> = tree.nodes.iter().filter_map(|node| Some(node.split?.0)).collect();
    assert!(splits.contains(&Split { feature: 0, threshold: 60.0 }), "{splits:?}");
}

/// scikit-learn 1.9, DecisionTreeClassifier(max_depth=2, random_state=2), has the same questions and importances; its first threshold
/// is the middle, 2.5, where ours is the shortest number that tells the same customers apart. (With other seeds it asks for feature 1
/// first, which takes away as much; ours takes the first feature.)
#[test]
fn the_first_question_takes_the_most_impurity_away() {
    let rows =
        [[1.4, 0.2], [1.3, 0.2], [1.5, 0.4], [4.7, 1.4], [4.5, 1.5], [4.9, 1.5], [6.0, 2.5], [5.1, 1.9], [3.5, 2.1]];
    let rows: Vec<_> = rows.iter().map(|row| row.map(Some).to_vec()).collect();
    let (set, labels) = (set(&rows), [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    let data = Labelled::new(&set, &labels, 3).unwrap();
    let tree = Tree::fit(&data, TreeParams { max_depth: 2, min_leaf: 1 });
    let splits: Vec<Split> = tree.nodes.iter().filter_map(|node| Some(node.split?.0)).collect();
    assert_eq!(splits, [Split { feature: 0, threshold: 2.0 }, Split { feature: 1, threshold: 1.7 }]);
    assert!(tree.importance.iter().all(|part| (part - 0.5).abs() < 1e-12), "{:?}", tree.importance);
}

#[test]
fn each_segment_has_a_short_rule_that_can_be_read() {
    let (set, labels) = planted();
    let data = Labelled::new(&set, &labels, 4).unwrap();
    let rules = segment_rules(&data, RuleParams { max_questions: 3, min_leaf: 5 }).unwrap();
    let texts: Vec<String> = rules.iter().map(|rule| rule.text_en(&set.features)).collect();
    assert_eq!(
        texts,
        [
            "Days as a customer > 60",
            "Days as a customer ≤ 60 and Days since the last order ≤ 30",
            "Days as a customer ≤ 60 and Days since the last order > 30 or unknown",
            "everybody"
        ]
    );
    assert_eq!(rules[1].text_zh(&set.features), "成为客户天数 ≤ 60 且 距上次下单天数 ≤ 30");
    assert!(rules[..3].iter().all(|rule| rule.fidelity.f1() == 1.0));
    assert_eq!((rules[3].n_matched, rules[3].fidelity.precision), (600, 0.0));
    for (i, label) in labels.iter().enumerate() {
        let met: Vec<u32> =
            rules[..3].iter().filter(|rule| rule.matches(&set.row(i))).map(|rule| rule.segment).collect();
        assert_eq!(met, [*label], "{i}");
    }
}

#[test]
fn what_matters_is_what_is_missed_when_it_is_shuffled() {
    let (set, labels) = planted();
    let data = Labelled::new(&set, &labels, 3).unwrap();
    let tree = Tree::fit(&data, TreeParams { max_depth: 4, min_leaf: 5 });
    let groups = [vec![0], vec![1], vec![2], vec![0, 1, 2]];
    let settings = Permutation { n_repeats: 5, seed: 1 };
    let found = permutation_importance(&data, &|row| tree.predict(row), &groups, settings).unwrap();
    assert_eq!((found.accuracy, found.overall[2]), (1.0, 0.0));
    assert!(found.overall[0] > 0.2 && found.overall[1] > 0.1, "{found:?}");
    // Together they lose more than each alone; the second feature says nothing of the first segment.
    assert!(found.overall[3] > found.overall[0] && found.overall[3] > found.overall[1]);
    assert_eq!(found.per_segment[0][1], 0.0);
    assert!(found.per_segment[1][1] > 0.3);
    let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let alone = threads.install(|| permutation_importance(&data, &|row| tree.predict(row), &groups, settings));
    assert_eq!(alone, Ok(found));
}

#[test]
fn what_cannot_be_explained_is_refused() {
    let (set, mut labels) = planted();
    assert_eq!(Labelled::new(&set, &[], 3).unwrap_err(), ExplainError::Nobody);
    let n_values = set.values().len();
    assert_eq!(Labelled::new(&set, &labels[1..], 3).unwrap_err(), ExplainError::Shape { n: 599, width: 3, n_values });
    labels[7] = 5;
    assert_eq!(Labelled::new(&set, &labels, 3).unwrap_err(), ExplainError::Label { row: 7, label: 5, n_segments: 3 });
    let data = Labelled::new(&set, &labels, 6).unwrap();
    let error = permutation_importance(&data, &|_| 0, &[vec![3]], Permutation { n_repeats: 1, seed: 0 }).unwrap_err();
    assert_eq!(error, ExplainError::Column { column: 3, width: 3 });
    let tree = Tree::fit(&data, TreeParams { max_depth: 1, min_leaf: 1 });
    let narrow = set.select(&[0]);
    assert!(tree.fidelity(&Labelled::new(&narrow, &labels, 6).unwrap()).is_err());
}

fn any_customers() -> impl Strategy<Value = (Vec<Vec<Option<f64>>>, Vec<u32>)> {
    let row = prop::collection::vec(prop::option::weighted(0.85, (-5..6i32).prop_map(f64::from)), 4);
    prop::collection::vec((row, 0..3u32), 1..60).prop_map(|rows| rows.into_iter().unzip())
}

proptest! {
    #[test]
    fn trees_keep_to_their_bounds_and_to_no_order((rows, labels) in any_customers(), by in 0..60usize, min_leaf in 1..6usize) {
        let whole = set(&rows);
        let data = Labelled::new(&whole, &labels, 3).unwrap();
        let params = TreeParams { max_depth: 3, min_leaf };
        let tree = Tree::fit(&data, params);
        prop_assert!(tree.depth() <= 3);
        for (i, node) in tree.nodes.iter().enumerate() {
            prop_assert!(i == 0 || node.counts.iter().sum::<u64>() >= min_leaf as u64);
            if let Some((_, yes, no)) = node.split {
                let sum: Vec<u64> = (0..3).map(|c| tree.nodes[yes].counts[c] + tree.nodes[no].counts[c]).collect();
                prop_assert_eq!(&sum, &node.counts);
            }
        }
        // It is never worse than putting everybody into the largest segment.
        let most = *data.counts(&(0..rows.len()).collect::<Vec<_>>()).iter().max().unwrap() as f64 / rows.len() as f64;
        prop_assert!(tree.fidelity(&data).unwrap().0 >= most - 1e-12);
        let (mut turned, mut turned_labels) = (rows.clone(), labels.clone());
        turned.rotate_left(by % rows.len());
        turned_labels.rotate_left(by % rows.len());
        let turned = set(&turned);
        prop_assert_eq!(Tree::fit(&Labelled::new(&turned, &turned_labels, 3).unwrap(), params), tree);
    }

    #[test]
    fn a_rule_does_what_it_says((rows, labels) in any_customers()) {
        let set = set(&rows);
        let data = Labelled::new(&set, &labels, 3).unwrap();
        for rule in segment_rules(&data, RuleParams { max_questions: 3, min_leaf: 1 }).unwrap() {
            let matched: Vec<usize> = (0..rows.len()).filter(|row| rule.matches(&rows[*row])).collect();
            let hit = matched.iter().filter(|row| labels[**row] == rule.segment).count() as u64;
            let there = labels.iter().filter(|label| **label == rule.segment).count() as u64;
            prop_assert_eq!(rule.n_matched, matched.len() as u64);
            prop_assert_eq!(rule.fidelity, Fidelity::of(hit, rule.n_matched, there));
            prop_assert!(rule.conditions.len() <= 3);
            prop_assert!(!rule.text_en(&set.features).is_empty());
        }
    }

    #[test]
    fn a_threshold_tells_its_neighbours_apart(a in any::<f64>(), b in any::<f64>()) {
        prop_assume!(a.is_finite() && b.is_finite() && a != b);
        let (low, high) = (a.min(b), a.max(b));
        let threshold = round_between(low, high);
        prop_assert!(low <= threshold && threshold < high, "{low} {threshold} {high}");
    }

    #[test]
    fn a_threshold_between_whole_numbers_is_short(a in -1000..1000i32, gap in 1..50i32) {
        let threshold = round_between(f64::from(a), f64::from(a + gap));
        prop_assert!(format!("{threshold}").len() <= 7, "{threshold}");
    }
}
