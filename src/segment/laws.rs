//! What a fit promises where more than texts counts.

use super::build::build;
use super::people::Person;
use super::planted::{Nobody, Planted, definition, id, planted, weights};
use super::sides::Known;
use super::space::Space;
use crate::domain::{BlockChoice, BlockKind, Definition, KChoice, Membership, SegmentationName, Version};
use crate::measure;
use serde_json::{Map, json};
use std::collections::HashSet;

fn fitted_on(planted: &Planted, definition: &Definition) -> (Version, Vec<Membership>) {
    let holds_out = definition.inputs.blocks == BlockChoice::Auto;
    let material = planted.material(Some(planted.people(holds_out)));
    build(&material, &SegmentationName::parse("needs").unwrap(), definition, &Nobody).unwrap()
}

fn ari(planted: &Planted, members: &[Membership]) -> f64 {
    let found: Vec<usize> = members.iter().map(|member| member.segment.0 as usize).collect();
    measure::compare(&planted.labels, &found).ari
}

#[test]
fn what_is_visible_only_jointly_is_found_jointly_and_by_neither_alone() {
    for seed in 0..2 {
        let planted = planted(240, seed);
        let (version, members) = fitted_on(&planted, &definition(BlockChoice::All));
        let jointly = ari(&planted, &members);
        assert!(jointly >= 0.9, "{jointly}, k {} {:#?}", version.quality.k, version.quality.candidates);
        for alone in [weights(1.0, 0.0, 0.0), weights(0.0, 1.0, 0.0)] {
            for k in [KChoice::Auto, KChoice::Fixed(4)] {
                let (_, members) = fitted_on(&planted, &Definition { k, ..definition(alone) });
                assert_eq!(members.len(), 240);
                let found = ari(&planted, &members);
                assert!(found < 0.6, "{alone:?} {k:?}: {found}");
            }
        }
    }
}

#[test]
fn weights_are_sought_and_every_trial_is_kept() {
    let planted = planted(240, 5);
    let (version, members) = fitted_on(&planted, &definition(BlockChoice::Auto));
    let joined = version.joined.unwrap();
    assert_eq!(joined.trials.len(), 7, "{:#?}", joined.trials);
    assert_eq!(joined.weights, joined.trials[0].weights);
    let best = &joined.trials[0];
    assert!(joined.trials.iter().all(|trial| (trial.rounds, trial.score) <= (best.rounds, best.score)));
    // Each side tells of its own next period; only both together tell of both.
    assert!(best.predicts_behaviour.unwrap() > 0.5 && best.predicts_text.unwrap() > 0.1, "{best:#?}");
    assert!(joined.weights.text > 0.0 && joined.weights.behaviour > 0.0, "{:#?}", joined.trials);
    assert!(ari(&planted, &members) >= 0.9);
}

#[test]
fn neither_the_order_of_facts_nor_the_number_of_threads_changes_anything() {
    let planted = planted(120, 3).with_traits();
    let asked = definition(weights(1.0, 1.0, 0.5));
    let one = fitted_on(&planted, &asked);
    let mut turned = planted.clone();
    turned.persons.reverse();
    turned.reviews.rotate_left(77);
    turned.texts.rotate_left(77);
    let other = fitted_on(&turned, &asked);
    assert_eq!(one.0.centroids, other.0.centroids);
    assert_eq!(one.0.segments, other.0.segments);
    assert_eq!(one, other);
    for threads in [1, 3, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| fitted_on(&planted, &asked)), one, "{threads} threads");
    }
}

#[test]
fn a_block_without_weight_is_a_block_that_is_not_there() {
    let (bare, with) = (planted(120, 4), planted(120, 4).with_traits());
    let asked = definition(weights(1.0, 2.0, 0.0));
    let (one, members) = fitted_on(&bare, &asked);
    let (other, others) = fitted_on(&with, &asked);
    assert_eq!(members, others);
    assert_eq!((one.centroids, one.segments, one.temperature), (other.centroids, other.segments, other.temperature));
    // And what is asked for but not there has no weight.
    let (third, thirds) = fitted_on(&bare, &definition(weights(1.0, 2.0, 7.0)));
    assert_eq!((third.joined.unwrap().weights.traits, thirds), (0.0, members));
}

#[test]
fn where_texts_alone_count_or_are_there_the_fit_is_the_one_of_texts_to_the_bit() {
    let planted = planted(120, 6).with_traits();
    let name = SegmentationName::parse("needs").unwrap();
    let asked = definition(weights(1.0, 0.0, 0.0));
    let bare = build(&planted.material(None), &name, &asked, &Nobody).unwrap();
    assert_eq!(fitted_on(&planted, &asked), bare);
    // Reviews are no behaviour by themselves.
    let mut writers = planted.clone();
    for (_, person) in &mut writers.persons {
        *person = Person { history: person.history.clone(), traits: Map::new() };
        let orders: Vec<_> = (0..40).map(|n| format!("-{n}")).collect();
        let ids: Vec<_> = (0..120).flat_map(|i| orders.iter().map(move |n| format!("o{i}{n}"))).collect();
        ids.iter().for_each(|id| {
            person.history.remove_order(&crate::domain::OrderId::parse(id).unwrap());
        });
    }
    let (mut version, members) = fitted_on(&writers, &definition(BlockChoice::All));
    assert_eq!(version.definition.inputs.blocks, BlockChoice::All);
    version.definition = bare.0.definition.clone();
    assert_eq!((version, members), bare);
}

#[test]
fn everybody_is_placed_and_of_whom_less_is_known_less_surely() {
    let mut planted = planted(160, 7);
    // Twenty wrote nothing, and one is known by a name alone.
    let silent: HashSet<_> = (0..20).map(id).collect();
    let keep: Vec<bool> = planted.reviews.iter().map(|review| !silent.contains(&review.customer)).collect();
    let mut kept = keep.iter();
    planted.reviews.retain(|_| *kept.next().unwrap());
    let mut kept = keep.iter();
    planted.texts.retain(|_| *kept.next().unwrap());
    let named = Person { traits: Map::from_iter([("name".into(), json!("Mei"))]), ..Person::default() };
    planted.persons.push((id(9_999), named));
    let (version, members) =
        fitted_on(&planted, &Definition { k: KChoice::Fixed(4), ..definition(weights(1.0, 1.0, 0.0)) });
    assert_eq!((members.len(), version.n_customers), (160, 160), "of whom nothing that counts is known has no place");
    let mean = |of: &dyn Fn(usize) -> bool| {
        let of: Vec<f64> = (0..160).filter(|i| of(*i)).map(|i| members[i].confidence).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    let (silent, others) = (mean(&|i| i < 20), mean(&|i| i >= 20));
    assert!(silent < 0.75 && others > silent + 0.15, "{silent} {others}");
    let blocks = version.joined.unwrap().blocks;
    assert_eq!(
        blocks.iter().map(|block| (block.block, block.n_customers)).collect::<Vec<_>>(),
        [(BlockKind::Text, 140), (BlockKind::Behaviour, 160)]
    );
}

#[test]
fn the_space_that_is_kept_places_customers_where_they_are() {
    let planted = planted(160, 8).with_traits();
    let people = planted.people(false);
    let (version, members) = fitted_on(&planted, &definition(weights(1.0, 1.0, 0.2)));
    let joined = version.joined.clone().unwrap();
    let text = serde_json::to_string(&joined.space).unwrap();
    let space: Space = serde_json::from_str(&text).unwrap();
    let profiles = super::profile::text_profiles(&planted.reviews, super::planted::DIMENSION);
    let place = |i: usize, known: Known<'_>| {
        let (point, share, missing) = space.place(known).unwrap();
        let alike = crate::cluster::Metric::Euclidean.similarities(&point, &version.centroids);
        let placed = crate::cluster::place(&alike, version.temperature);
        (version.segments[placed.best].id == members[i].segment, share, missing)
    };
    let row = |i: usize| people.table.row(i);
    let text_of = |i: usize| &profiles.values[i * super::planted::DIMENSION..][..super::planted::DIMENSION];
    let whole = |i: usize| {
        let (row, traits) = (row(i), &people.traits[i]);
        place(i, Known { text: Some(text_of(i)), behaviour: Some(&row), traits: Some(traits) })
    };
    let n_same = (0..160).filter(|i| whole(*i) == (true, 1.0, vec![])).count();
    assert!(n_same >= 155, "{n_same} of 160");
    let (_, share, missing) = place(0, Known { text: Some(text_of(0)), ..Known::default() });
    assert!((share - 1.0 / 2.2).abs() < 1e-9);
    assert_eq!(missing, [BlockKind::Behaviour, BlockKind::Traits]);
}

#[test]
fn segments_have_names_differences_and_rules_that_say_what_they_are() {
    let planted = planted(240, 9);
    let (version, _) = fitted_on(&planted, &definition(weights(0.0, 1.0, 0.0)));
    let names: Vec<&str> = version.segments.iter().map(|segment| segment.name.as_str()).collect();
    assert!(names.contains(&"Frequent big spenders"), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("Lapsed")), "{names:?}");
    assert_eq!((version.model_fingerprint.as_str(), version.n_reviews), ("", 0));
    for segment in &version.segments {
        let portrait = segment.portrait.as_ref().unwrap();
        assert!(!portrait.differences.is_empty() && segment.keywords.is_empty());
        assert!(portrait.differences.iter().all(|one| one.low <= one.effect && one.effect <= one.high));
        let rule = portrait.rule.as_ref().unwrap();
        assert!(rule.precision > 0.8 && rule.recall > 0.8, "{rule:?}");
    }
    let (version, _) = fitted_on(&planted, &definition(BlockChoice::All));
    let names: HashSet<&str> = version.segments.iter().map(|segment| segment.name.as_str()).collect();
    assert_eq!(names.len(), version.segments.len());
    assert!(names.iter().any(|name| name.contains(": frequent big spenders")), "{names:?}");
    assert!(version.segments.iter().all(|segment| !segment.keywords.is_empty() && segment.typical_reviews.len() == 3));
}

#[test]
fn weightings_that_tell_nobody_apart_are_lost_and_the_others_go_on() {
    let mut planted = planted(120, 4);
    // Everybody has the same traits: by them alone there is one customer.
    for (_, person) in &mut planted.persons {
        person.traits = Map::from_iter([("country".to_owned(), json!("DE")), ("vip".to_owned(), json!(true))]);
    }
    for k in [KChoice::Auto, KChoice::Fixed(4)] {
        let (version, _) = fitted_on(&planted, &Definition { k, ..definition(BlockChoice::Auto) });
        let trials = version.joined.unwrap().trials;
        assert!(trials[0].score > 0.0 && trials[0].k > 1, "{trials:#?}");
    }
}

#[test]
fn the_size_of_weights_changes_nothing() {
    let planted = planted(120, 5);
    let (version, members) = fitted_on(&planted, &definition(weights(1.0, 0.5, 0.0)));
    for size in [1_000.0, 1.0 / 1_024.0] {
        let (other, others) = fitted_on(&planted, &definition(weights(size, 0.5 * size, 0.0)));
        assert_eq!(version.quality.k, other.quality.k);
        for (one, other) in members.iter().zip(&others) {
            assert_eq!(one.segment, other.segment);
            assert!((one.confidence - other.confidence).abs() < 1e-6, "{size}: {one:?} {other:?}");
        }
    }
}

#[test]
fn who_is_known_by_traits_alone_takes_no_behaviour_from_the_others() {
    let mut planted = planted(120, 6);
    for i in 0..3_000 {
        let traits = Map::from_iter([("source".to_owned(), json!(["fair", "web"][i % 2]))]);
        planted.persons.push((id(10_000 + i), Person { traits, ..Person::default() }));
    }
    let (version, members) =
        fitted_on(&planted, &Definition { k: KChoice::Fixed(2), ..definition(weights(0.0, 1.0, 0.0)) });
    assert_eq!((version.n_customers, members.len()), (120, 120));
}
