//! The way of a few customers from facts to numbers, as a program would go it; the table is kept to be read.

use clientele::domain::{
    Activity, ActivityKind, Currency, CustomerId, Event, EventId, EventKind, Fact, ItemId, Money, Order, OrderId,
    OrderLine, Review, ReviewId, ReviewText, Timestamp, Who,
};
use clientele::features::explain::{Labelled, RuleParams, segment_rules};
use clientele::features::lifetime::{BgNbd, GammaGamma, Horizon, RepeatPurchases, lifetime_value};
use clientele::features::{
    Behaviour, BlockInput, Blocks, Categories, Cutoff, FeatureSet, History, Rfm, Selection, TableScaler, rfm_scores,
};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn customer() -> CustomerId {
    CustomerId::parse("mei").unwrap()
}

fn order(id: &str, at: &str, minor: i64, lines: &[(&str, &str, u32)]) -> Fact {
    let line = |(item, category, quantity): &(&str, &str, u32)| OrderLine {
        item: ItemId::parse(item).unwrap(),
        quantity: *quantity,
        price_minor: None,
        category: Some((*category).to_owned()),
    };
    Fact::Order(Order {
        id: OrderId::parse(id).unwrap(),
        customer: customer(),
        time: time(at),
        total: Money { minor, currency: Some(Currency::parse("CNY").unwrap()) },
        discount_minor: minor / 9,
        lines: lines.iter().map(line).collect(),
    })
}

fn event(id: &str, at: &str, kind: ActivityKind, item: &str, value: Option<f64>) -> Fact {
    Fact::Event(Event {
        id: EventId::parse(id).unwrap(),
        who: Who::known(customer()),
        kind: EventKind::Track,
        name: format!("{kind:?}"),
        time: time(at),
        properties: serde_json::Map::new(),
        activity: Some(Activity { kind, item: Some(ItemId::parse(item).unwrap()), amount: None, value }),
        told: None,
    })
}

fn review(id: &str, at: &str, rating: f64) -> Fact {
    Fact::Review(Review {
        id: ReviewId::parse(id).unwrap(),
        customer: customer(),
        text: ReviewText::parse("很好用").unwrap(),
        item: None,
        rating: Some(rating),
        time: time(at),
        tongue: None,
    })
}

/// Somebody who buys tea and books in the evening and takes a course.
fn facts() -> Vec<Fact> {
    vec![
        event("e1", "2026-05-01T12:10:00Z", ActivityKind::View, "oolong", None),
        event("e2", "2026-05-01T12:12:00Z", ActivityKind::View, "kettle", None),
        event("e3", "2026-05-01T12:13:00Z", ActivityKind::Add, "oolong", None),
        order("o1", "2026-05-01T12:20:00Z", 9_900, &[("oolong", "tea", 2)]),
        review("v1", "2026-05-20T13:00:00Z", 5.0),
        order("o2", "2026-08-15T11:00:00Z", 4_500, &[("oolong", "tea", 1)]),
        event("e4", "2026-09-01T01:00:00Z", ActivityKind::Start, "brewing-1", None),
        event("e5", "2026-09-02T01:00:00Z", ActivityKind::Complete, "brewing-1", None),
        event("e6", "2026-09-09T01:00:00Z", ActivityKind::Start, "brewing-2", None),
        event("e7", "2026-09-10T01:00:00Z", ActivityKind::Grade, "brewing-1", Some(87.5)),
        order("o3", "2026-10-03T12:30:00Z", 18_000, &[("oolong", "tea", 1), ("tea-classic", "books", 1)]),
        review("v2", "2026-10-20T13:30:00Z", 4.0),
        // After the cut-off: not to be seen.
        order("o4", "2026-12-24T12:30:00Z", 99_000, &[("kettle", "kitchen", 1)]),
    ]
}

fn cutoff() -> Cutoff {
    Cutoff { utc_offset_minutes: 8 * 60, ..Cutoff::new(time("2026-11-01T00:00:00Z")) }
}

#[test]
fn a_customers_features_can_be_read() {
    let mut history = History::of(&facts());
    history.set_sentiment(ReviewId::parse("v1").unwrap(), 0.8);
    let behaviour = Behaviour::suited([&history], Categories::default(), cutoff(), 5);
    let table = behaviour.table(&[(customer(), &history)], cutoff());
    println!("{}", table.sheet(0));
    insta::assert_snapshot!(table.sheet(0));
}

/// From facts to points, rules and values, on made-up customers of two kinds: those who buy tea weekly and those who buy a book once
/// in a while.
#[test]
fn two_kinds_of_customers_are_told_apart_and_explained() {
    let (histories, kinds): (Vec<History>, Vec<u32>) = (0..60).map(|i| (shopper(i), (i % 2) as u32)).unzip();
    let ids = (0..60).map(|i| CustomerId::parse(&format!("c{i}")).unwrap());
    let customers: Vec<(CustomerId, &History)> = ids.zip(&histories).collect();
    let table = Behaviour::suited(&histories, Categories::default(), cutoff(), 5).table(&customers, cutoff());
    let chosen = table.select(&Selection::default().select(&table).kept);

    let scaled = TableScaler::fit(&chosen).apply(&chosen).unwrap();
    let width = scaled.n_features();
    let input =
        BlockInput { name: "behaviour", weight: 2.0, width, values: scaled.values(), missing: scaled.missing() };
    let points = Blocks::fit(&[input], 60).unwrap().place(&[input], 60).unwrap();
    let squared =
        |i: usize, j: usize| -> f64 { points.row(i).iter().zip(points.row(j)).map(|(a, b)| (a - b).powi(2)).sum() };
    let nearest =
        |i: usize| (0..60).filter(|j| *j != i).min_by(|a, b| squared(i, *a).total_cmp(&squared(i, *b))).unwrap();
    assert!((0..60).all(|i| nearest(i) % 2 == i % 2), "a customer is nearest to one of the other kind");

    let data = Labelled::new(&chosen, &kinds, 2).unwrap();
    let rules = segment_rules(&data, RuleParams::for_customers(60)).unwrap();
    assert!(rules.iter().all(|rule| rule.fidelity.f1() == 1.0 && rule.conditions.len() == 1), "{rules:?}");

    let scores = rfm_scores(&(0..60).map(|row| rfm(&table, row)).collect::<Vec<_>>());
    let mean =
        |kind: usize| scores.iter().skip(kind).step_by(2).map(|score| f64::from(score.frequency)).sum::<f64>() / 30.0;
    assert!(mean(0) > mean(1) + 1.0, "{scores:?}");

    let purchases: Vec<_> = histories.iter().map(|h| RepeatPurchases::of(h, cutoff(), None).unwrap()).collect();
    let (often, much) = (BgNbd::new(0.5, 4.0, 0.8, 2.5).unwrap(), GammaGamma::new(6.0, 4.0, 15.0).unwrap());
    let value = |i: usize| lifetime_value(&often, &much, &purchases[i], Horizon::default()).unwrap().unwrap();
    assert!(value(0) > value(1));
}

fn shopper(i: usize) -> History {
    let n_days = if i.is_multiple_of(2) { 7 } else { 61 };
    let start = time("2026-01-01T10:00:00Z").as_second() + (i as i64) * 60;
    let n_orders = (300 - i as i64) / n_days;
    let facts = (0..n_orders).map(|n| {
        let at = Timestamp::from_second(start + n * n_days * 86_400).unwrap().to_string();
        let line = if n_days == 7 { ("oolong", "tea", 1) } else { ("tea-classic", "books", 1) };
        order(&format!("o{i}-{n}"), &at, 2_000 + 10 * i as i64, &[line])
    });
    History::of(&facts.collect::<Vec<_>>())
}

fn rfm(table: &FeatureSet, row: usize) -> Rfm {
    let value = |id: &str| table.value(row, id).unwrap();
    Rfm { recency_days: value("recency"), frequency: value("frequency"), monetary: value("monetary") }
}
