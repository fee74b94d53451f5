//! The laws of histories and of behaviour, on random facts, and figures reckoned by hand.

use super::*;
use crate::domain::{
    Activity, ActivityKind, Event, EventId, EventKind, Fact, Identify, ItemKind, Order, OrderId, OrderLine, Refund,
    Review, ReviewId, ReviewText, Timestamp, Who,
};
use proptest::prelude::*;
use serde_json::{Map, json};

const START_S: i64 = 1_700_000_000;

fn customer() -> CustomerId {
    CustomerId::parse("c").unwrap()
}

/// Hours after the start of the tests' calendar.
fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(START_S + hours * 3600).unwrap()
}

fn euros(minor: i64) -> Money {
    Money { minor, currency: Some(Currency::parse("EUR").unwrap()) }
}

fn order(id: usize, hours: i64, minor: i64, lines: &[(u8, u32)]) -> Fact {
    let line = |(item, quantity): &(u8, u32)| OrderLine {
        item: ItemId::parse(&format!("i{item}")).unwrap(),
        quantity: *quantity,
        price_minor: None,
        category: (item % 3 > 0).then(|| format!("k{}", item % 3)),
    };
    Fact::Order(Order {
        id: OrderId::parse(&format!("o{id}")).unwrap(),
        customer: customer(),
        time: at(hours),
        total: euros(minor),
        discount_minor: minor / 10,
        lines: lines.iter().map(line).collect(),
    })
}

fn refund(id: usize, order: usize, hours: i64, minor: Option<i64>) -> Fact {
    Fact::Refund(Refund {
        id: format!("r{id}"),
        order: OrderId::parse(&format!("o{order}")).unwrap(),
        customer: customer(),
        time: at(hours),
        amount: minor.map(euros),
    })
}

fn review(id: usize, hours: i64, rating: Option<f64>) -> Fact {
    Fact::Review(Review {
        id: ReviewId::parse(&format!("v{id}")).unwrap(),
        customer: customer(),
        text: ReviewText::parse("fine").unwrap(),
        item: None,
        rating,
        time: at(hours),
        tongue: None,
    })
}

fn event(id: usize, hours: i64, kind: Option<ActivityKind>, item: u8, value: f64) -> Fact {
    let calls = [EventKind::Track, EventKind::Page, EventKind::Screen];
    Fact::Event(Event {
        id: EventId::parse(&format!("e{id}")).unwrap(),
        who: Who::known(customer()),
        kind: if kind.is_some() { EventKind::Track } else { calls[usize::from(item) % 3] },
        name: "Something".into(),
        time: at(hours),
        properties: Map::new(),
        activity: kind.map(|kind| Activity {
            kind,
            item: Some(ItemId::parse(&format!("i{item}")).unwrap()),
            amount: None,
            value: Some(value),
        }),
        told: None,
    })
}

fn traits(hours: i64, key: u8, value: u8) -> Fact {
    let value = if value == 0 { json!(null) } else { json!(value) };
    Fact::Identify(Identify {
        who: Who::known(customer()),
        traits: Map::from_iter([(format!("t{key}"), value)]),
        message: None,
        time: at(hours),
    })
}

/// Any fact, without its id.
#[derive(Debug, Clone)]
struct Draft(u8, i64, i64, u8, f64);

fn draft() -> impl Strategy<Value = Draft> {
    (0..12u8, 0..6_000i64, 0..100_000i64, 0..6u8, -10.0..10.0f64).prop_map(|(a, b, c, d, e)| Draft(a, b, c, d, e))
}

/// The n-th fact has the n-th id, so no two share one.
fn facts(drafts: &[Draft]) -> Vec<Fact> {
    let make = |(n, Draft(kind, hours, minor, small, value)): (usize, &Draft)| match kind {
        0..=2 => {
            order(n, *hours, *minor, &[(*small, 1 + u32::from(*small)), (small + 1, 1)][..usize::from(*small) % 3])
        }
        3 => refund(n, n.saturating_sub(usize::from(*small)), *hours, (*small > 2).then_some(*minor)),
        4 => review(n, *hours, (*small > 0).then_some(*value)),
        5 => traits(*hours, *small, (*minor % 4) as u8),
        6 => event(n, *hours, None, *small, 0.0),
        7 => event(n, *hours, Some(ActivityKind::View), *small, *value),
        8 => event(n, *hours, Some(ActivityKind::Add), *small, *value),
        9 => event(n, *hours, Some(ActivityKind::Start), *small, *value),
        10 => event(n, *hours, Some(ActivityKind::Complete), *small, *value),
        _ => event(n, *hours, Some(ActivityKind::Grade), *small, *value),
    };
    drafts.iter().enumerate().map(make).collect()
}

fn shuffled() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>)> {
    prop::collection::vec(draft(), 0..40)
        .prop_map(|drafts| facts(&drafts))
        .prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle()))
}

fn behaviour() -> Behaviour {
    let currency = Some(Currency::parse("EUR").unwrap());
    Behaviour { currency, categories: vec!["k1".into(), "k2".into()], catalogue: Categories::default() }
}

fn cutoff(hours: i64) -> Cutoff {
    Cutoff { period_days: 40, utc_offset_minutes: 90, ..Cutoff::new(at(hours)) }
}

/// Equal to the bit.
fn bits(row: &[Option<f64>]) -> Vec<Option<u64>> {
    row.iter().map(|cell| cell.map(f64::to_bits)).collect()
}

fn time_of(fact: &Fact) -> Timestamp {
    match fact {
        Fact::Order(order) => order.time,
        Fact::Refund(refund) => refund.time,
        Fact::Review(review) => review.time,
        Fact::Identify(identify) => identify.time,
        Fact::Event(event) => event.time,
        _ => unreachable!("the tests make no other facts"),
    }
}

proptest! {
    #[test]
    fn nothing_of_the_future_leaks_into_the_past((facts, _) in shuffled(), hours in 0..6_500i64) {
        let (history, cutoff) = (History::of(&facts), cutoff(hours));
        let known: Vec<&Fact> = facts.iter().filter(|fact| time_of(fact) <= cutoff.at).collect();
        let known = History::of(known);
        prop_assert_eq!(&history.until(cutoff.at), &known);
        prop_assert_eq!(bits(&behaviour().row(&history, cutoff)), bits(&behaviour().row(&known, cutoff)));
        prop_assert_eq!(history.traits_at(cutoff.at), known.traits_at(cutoff.at));
        let suited = |history| Behaviour::suited([history], Categories::default(), cutoff, 2);
        prop_assert_eq!(suited(&history), suited(&known));
    }

    #[test]
    fn the_order_of_arrival_and_repetition_change_no_bit((facts, shuffled) in shuffled(), hours in 0..6_500i64) {
        let (one, mut other) = (History::of(&facts), History::of(&shuffled));
        prop_assert_eq!(&one, &other);
        facts.iter().for_each(|fact| other.add(fact));
        prop_assert_eq!(&one, &other);
        let cutoff = cutoff(hours);
        prop_assert_eq!(bits(&behaviour().row(&one, cutoff)), bits(&behaviour().row(&other, cutoff)));
    }

    #[test]
    fn merging_two_customers_is_the_history_of_both((facts, _) in shuffled(), part in any::<u64>()) {
        let is_left = |n: usize| part >> (n % 64) & 1 == 0;
        let side = |left| History::of(facts.iter().enumerate().filter(|(n, _)| is_left(*n) == left).map(|(_, f)| f));
        let (mut one, mut other) = (side(true), side(false));
        let right = other.clone();
        other.merge(&one);
        one.merge(&right);
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(&one, &History::of(&facts));
        let again = one.clone();
        one.merge(&again);
        prop_assert_eq!(one, again);
    }

    #[test]
    fn what_is_taken_out_was_never_there((facts, _) in shuffled()) {
        let mut history = History::of(&facts);
        for fact in facts.iter().rev() {
            let was_there = match fact {
                Fact::Order(order) => history.remove_order(&order.id),
                Fact::Refund(refund) => history.remove_refund(&refund.id),
                Fact::Review(review) => history.remove_review(&review.id),
                Fact::Event(event) => history.remove_event(&event.id),
                _ => true,
            };
            prop_assert!(was_there);
        }
        let traits: Vec<&Fact> = facts.iter().filter(|fact| matches!(fact, Fact::Identify(_))).collect();
        prop_assert_eq!(history, History::of(traits));
    }

    #[test]
    fn features_keep_to_their_kinds((facts, _) in shuffled(), hours in 0..6_500i64) {
        let behaviour = behaviour();
        let row = behaviour.row(&History::of(&facts), cutoff(hours));
        let features = behaviour.features();
        prop_assert_eq!(row.len(), features.len());
        for (feature, value) in features.iter().zip(row) {
            let Some(value) = value else {
                prop_assert!(feature.missing != NEVER_MISSING, "{} is missing", feature.id);
                continue;
            };
            let ok = match feature.kind {
                Kind::Count => value >= 0.0 && value.fract() == 0.0,
                Kind::Amount | Kind::Duration | Kind::Ratio => value >= 0.0 && value.is_finite(),
                Kind::Share => (0.0..=1.0).contains(&value),
                Kind::Circle => (-1.0 - 1e-12..=1.0 + 1e-12).contains(&value),
                Kind::Score | Kind::Change | Kind::Trait => value.is_finite(),
            };
            prop_assert!(ok, "{} is {value}", feature.id);
        }
    }
}

const NEVER_MISSING: &str = "is never missing";

fn table(facts: &[Fact], hours: i64) -> FeatureSet {
    let history = History::of(facts);
    behaviour().table(&[(customer(), &history)], Cutoff { period_days: 10, ..Cutoff::new(at(hours)) })
}

#[track_caller]
fn assert_features(set: &FeatureSet, expected: &[(&str, Option<f64>)]) {
    for (id, expected) in expected {
        assert!(set.position(id).is_some(), "there is no feature {id}");
        match (set.value(0, id), expected) {
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-12, "{id}: {found}, not {expected}"),
            (found, expected) => assert_eq!(found, *expected, "{id}"),
        }
    }
}

#[test]
fn purchases_are_as_reckoned_by_hand() {
    let facts = [
        order(1, 0, 1000, &[(1, 2), (2, 1)]),
        order(2, 48, 3000, &[(1, 1)]),
        order(3, 18 * 24, 2000, &[]),
        refund(1, 2, 60, Some(500)),
        refund(2, 1, 61, None),
    ];
    let set = table(&facts, 20 * 24);
    assert_features(
        &set,
        &[
            ("recency", Some(2.0)),
            ("frequency", Some(3.0)),
            ("tenure", Some(20.0)),
            ("monetary", Some(45.0)),
            ("average_order", Some(20.0)),
            ("gap_mean", Some(9.0)),
            ("gap_spread", Some(7.0)),
            ("basket_size", Some(2.0)),
            ("basket_breadth", Some(1.5)),
            ("category_share:k1", Some(0.75)),
            ("category_share:k2", Some(0.25)),
            ("discount_rate", Some(600.0 / 6600.0)),
            ("return_rate", Some(2.0 / 3.0)),
            ("refund_share", Some(0.25)),
            ("order_trend", Some(0.0)),
            // (2000 - 2500 kept of the one order of the period before) / 4500
            ("spend_trend", Some(-500.0 / 4500.0)),
            ("rating_mean", None),
            ("lesson_pace", None),
        ],
    );
}

#[test]
fn visits_opinions_and_lessons_are_as_reckoned_by_hand() {
    let facts = [
        event(1, 0, Some(ActivityKind::View), 1, 0.0),
        event(2, 1, Some(ActivityKind::View), 2, 0.0),
        event(3, 2, Some(ActivityKind::Add), 1, 0.0),
        order(1, 3, 1000, &[(1, 1)]),
        review(1, 30, Some(5.0)),
        review(2, 12 * 24, Some(2.0)),
        event(4, 24, Some(ActivityKind::Enrol), 7, 0.0),
        event(5, 48, Some(ActivityKind::Start), 8, 0.0),
        event(6, 72, Some(ActivityKind::Complete), 8, 0.0),
        event(7, 96, Some(ActivityKind::Grade), 8, 60.0),
        event(8, 13 * 24, Some(ActivityKind::Grade), 8, 80.0),
        event(9, 4, None, 1, 0.0),
        event(10, 5, None, 2, 0.0),
        event(11, 6, None, 2, 0.0),
    ];
    let mut history = History::of(&facts);
    history.set_sentiment(ReviewId::parse("v1").unwrap(), 0.5);
    history.set_sentiment(ReviewId::parse("v9").unwrap(), -1.0);
    history.set_sentiment(ReviewId::parse("v2").unwrap(), f64::NAN);
    let set = behaviour().table(&[(customer(), &history)], Cutoff { period_days: 10, ..Cutoff::new(at(15 * 24)) });
    assert_features(
        &set,
        &[
            ("activity", Some(14.0)),
            ("views", Some(2.0)),
            ("view_to_buy", Some(0.5)),
            ("cart_to_buy", Some(1.0)),
            ("app_share", Some(2.0 / 3.0)),
            ("reviews", Some(2.0)),
            ("rating_mean", Some(3.5)),
            ("rating_spread", Some(1.5)),
            ("rating_trend", Some(-3.0)),
            ("sentiment", Some(0.5)),
            ("lessons", Some(1.0)),
            ("lesson_pace", Some(0.5)),
            ("lesson_trend", Some(-1.0)),
            ("completion_rate", Some(0.5)),
            ("score_mean", Some(70.0)),
            ("score_trend", Some(20.0)),
            ("learning_recency", Some(2.0)),
            ("learning_gap_mean", Some(3.0)),
            ("learning_gap_longest", Some(9.0)),
        ],
    );
}

#[test]
fn somebody_of_whom_nothing_is_known_has_counts_of_zero_and_no_more() {
    let set = table(&[], 0);
    for (column, feature) in set.features.iter().enumerate() {
        let expected = (feature.missing == NEVER_MISSING).then_some(0.0);
        assert_eq!(set.cell(0, column), expected, "{}", feature.id);
    }
}

#[test]
fn a_replaced_order_leaves_nothing_behind() {
    let mut history = History::of(&[order(1, 0, 1000, &[(1, 1)])]);
    history.add(&order(1, 24, 5000, &[(2, 2)]));
    assert_eq!(history, History::of(&[order(1, 24, 5000, &[(2, 2)])]));
}

#[test]
fn money_of_another_currency_is_no_money_here() {
    let behaviour = Behaviour { currency: Some(Currency::parse("JPY").unwrap()), ..Behaviour::default() };
    let history = History::of(&[order(1, 0, 1000, &[])]);
    let set = behaviour.table(&[(customer(), &history)], Cutoff::new(at(1)));
    assert_features(&set, &[("frequency", Some(1.0)), ("monetary", Some(0.0)), ("average_order", None)]);
}

#[test]
fn amounts_in_a_base_are_those_of_orders_that_were_placed_in_it() {
    let yen = Currency::parse("JPY").unwrap();
    // One euro is 160 yen; there is no rate before the first hour.
    let in_yen = |money: &Money, time: Timestamp| {
        let minor = if money.currency == Some(yen) { money.minor } else { money.minor * 160 / 100 };
        (time >= at(1)).then_some(Money { minor, currency: Some(yen) })
    };
    let facts = [order(1, 1, 1000, &[]), order(2, 2, 500, &[]), refund(1, 1, 3, Some(500)), order(3, 0, 9900, &[])];
    let mut history = History::default();
    facts.iter().for_each(|fact| history.add_in_base(fact, in_yen));
    let behaviour = Behaviour { currency: Some(yen), ..Behaviour::default() };
    let set = behaviour.table(&[(customer(), &history)], Cutoff::new(at(9)));
    // 1,600 yen less 800 given back, and 800; the order without a rate is an order, and no money.
    assert_features(&set, &[("frequency", Some(3.0)), ("monetary", Some(1600.0)), ("average_order", Some(1200.0))]);
    let mut same = History::default();
    facts.iter().for_each(|fact| same.add_in_base(fact, |money, _| Some(*money)));
    assert_eq!(same, History::of(&facts));
}

#[test]
fn every_feature_is_named_once_in_both_languages() {
    let features = behaviour().features();
    let ids: BTreeSet<&str> = features.iter().map(|feature| &*feature.id).collect();
    let names: BTreeSet<&str> = features.iter().flat_map(|feature| [&*feature.name_en, &*feature.name_zh]).collect();
    assert_eq!((ids.len(), names.len()), (features.len(), 2 * features.len()));
    assert!(features.iter().all(|feature| feature.definition.len() > 10 && !feature.missing.is_empty()));
}

#[test]
fn the_catalogue_says_the_category_where_the_line_does_not() {
    let item = Item {
        id: ItemId::parse("i3").unwrap(),
        kind: ItemKind::Product,
        name: None,
        category: Some("k1".into()),
        description: None,
        price_minor: None,
        currency: None,
        attributes: Map::new(),
        time: at(0),
    };
    let (catalogue, history) = (Categories::of([&item]), History::of(&[order(1, 0, 100, &[(3, 1), (2, 3)])]));
    let suited = Behaviour::suited([&history], catalogue, Cutoff::new(at(1)), 9);
    assert_eq!(suited.categories, ["k2", "k1"]);
    let set = suited.table(&[(customer(), &history)], Cutoff::new(at(1)));
    assert_features(&set, &[("category_share:k1", Some(0.25))]);
}
