//! Laws of planted customers: the same bytes from the same seed, the shares that were planted, topics that do not depend on habits, and
//! every line readable by the importer.

use super::*;
use crate::demo::planted::life::{Life, MIDDLE, N_DAYS};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};

fn read(settings: PlantedSettings) -> [String; 3] {
    let dir = tempfile::tempdir().unwrap();
    let files = write_planted(settings, dir.path()).unwrap();
    [files.events, files.reviews, files.truth].map(|path| std::fs::read_to_string(path).unwrap())
}

fn kind() -> impl Strategy<Value = PlantedKind> {
    prop::sample::select(PlantedKind::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_fewer_customers_their_beginning(kind in kind(), seed in 0u64..1000) {
        let settings = PlantedSettings { kind, n_customers: 12, seed };
        let (all, again) = (read(settings), read(settings));
        prop_assert_eq!(&all, &again);
        let few = read(PlantedSettings { n_customers: 5, ..settings });
        let others = read(PlantedSettings { seed: seed + 1, ..settings });
        for ((all, few), others) in all.iter().zip(&few).zip(&others).take(2) {
            prop_assert!(all.starts_with(few.as_str()));
            prop_assert_ne!(all, others);
        }
    }

    #[test]
    fn a_life_is_in_order_and_keeps_to_its_habit_and_topic(kind in kind(), number in 0u64..5000) {
        let mut dice = Dice::new(3, number);
        let (dealt, truth) = deal(&kind.groups(), &mut dice);
        let life = Life::grow(&dealt, &mut dice);
        prop_assert!(!life.orders.is_empty() && !life.reviews.is_empty() && !truth.now.is_empty());
        prop_assert!(life.orders.is_sorted_by_key(|order| order.time));
        prop_assert!(life.reviews.is_sorted_by_key(|review| review.time));
        let day = |time: crate::domain::Timestamp| (time.as_second() - 1_735_689_600) / 86_400;
        for order in &life.orders {
            let habit = dealt.habits[usize::from(day(order.time) >= i64::from(MIDDLE))];
            prop_assert!((habit.lines.0..=habit.lines.1).contains(&(order.lines.len() as u32)));
            prop_assert!(day(order.time) < i64::from(habit.until_day.min(N_DAYS)));
            prop_assert!(!dealt.is_late || day(order.time) >= i64::from(MIDDLE));
            prop_assert!(order.refunded.is_none_or(|refunded| refunded > order.time));
        }
        if let Some(topic) = dealt.topic {
            let shelf = &crate::demo::catalogue::DEPARTMENTS[topic].items;
            for review in &life.reviews {
                prop_assert!(shelf.iter().any(|item| item.sku == review.item.sku));
            }
        }
    }
}

fn shares(kind: PlantedKind) -> BTreeMap<String, f64> {
    let n = 4000;
    let mut counts = BTreeMap::new();
    for number in 0..n {
        let (_, truth) = deal(&kind.groups(), &mut Dice::new(1, number));
        *counts.entry(truth.now).or_insert(0.0) += 1.0 / n as f64;
    }
    counts
}

#[test]
fn every_segment_has_its_share() {
    for (kind, n_segments) in
        [(PlantedKind::Joint, 9), (PlantedKind::Text, 5), (PlantedKind::Behaviour, 4), (PlantedKind::Drift, 6)]
    {
        let shares = shares(kind);
        assert_eq!(shares.len(), n_segments, "{shares:?}");
        let turned = if kind == PlantedKind::Drift { 0.08 } else { 0.03 };
        assert!(shares.values().all(|share| (share - 1.0 / n_segments as f64).abs() < turned), "{shares:?}");
    }
    assert!((shares(PlantedKind::Noise)["none"] - 0.2).abs() < 0.02);
    let shares = shares(PlantedKind::Imbalance);
    let (most, least) = (shares.values().copied().fold(0.0, f64::max), shares.values().copied().fold(1.0, f64::min));
    assert!((most - 0.30).abs() < 0.03 && (least - 0.02).abs() < 0.01, "{shares:?}");
}

#[test]
fn topics_and_habits_are_independent() {
    // Of each topic as many have each habit.
    let shares = shares(PlantedKind::Joint);
    let mut habits: HashMap<&str, Vec<f64>> = HashMap::new();
    for (name, share) in &shares {
        habits.entry(name.split('/').nth(1).unwrap()).or_default().push(*share);
    }
    assert_eq!(habits.len(), 3);
    for of_topics in habits.values() {
        assert!(of_topics.len() == 3 && of_topics.iter().all(|share| (share - 1.0 / 9.0).abs() < 0.02));
    }
}

#[test]
fn who_drifts_is_elsewhere_than_before_and_who_is_late_was_nowhere() {
    let (mut n_turned, mut n_late, n) = (0, 0, 3000);
    for number in 0..n {
        let (dealt, truth) = deal(&PlantedKind::Drift.groups(), &mut Dice::new(2, number));
        n_late += u32::from(truth.before.is_empty());
        n_turned += u32::from(!truth.before.is_empty() && truth.before != truth.now);
        assert_eq!(truth.before.is_empty(), dealt.is_late);
        assert_eq!(dealt.habits[0] != dealt.habits[1], !truth.before.is_empty() && truth.before != truth.now);
    }
    let share = |n_found: u32| f64::from(n_found) / n as f64;
    assert!((share(n_late) - 1.0 / 6.0).abs() < 0.03 && (share(n_turned) - 1.0 / 18.0).abs() < 0.02);
}
