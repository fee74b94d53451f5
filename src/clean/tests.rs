//! Each rule on facts that break it and facts that do not, and what holds for any fact.

use super::*;
use crate::domain::*;
use proptest::prelude::*;
use serde_json::json;

const NOW_S: i64 = 1_767_225_600;

fn at(seconds_from_now: i64) -> Timestamp {
    Timestamp::from_second(NOW_S + seconds_from_now).unwrap()
}

fn ann() -> CustomerId {
    CustomerId::parse("ann").unwrap()
}

fn review(text: &str) -> Review {
    Review {
        id: ReviewId::parse("r").unwrap(),
        customer: ann(),
        text: ReviewText::parse(text).unwrap(),
        item: Some("kettle".into()),
        rating: Some(4.0),
        time: at(-10),
        tongue: None,
    }
}

fn money(minor: i64) -> Money {
    Money { minor, currency: Currency::parse("EUR").ok() }
}

fn order(id: &str, minor: i64) -> Order {
    let line = OrderLine { item: ItemId::parse("kettle").unwrap(), quantity: 1, price_minor: Some(5), category: None };
    Order {
        id: OrderId::parse(id).unwrap(),
        customer: ann(),
        time: at(-10),
        total: money(minor),
        discount_minor: 0,
        lines: vec![line],
    }
}

fn refund(minor: i64) -> Refund {
    Refund {
        id: "f".into(),
        order: OrderId::parse("o").unwrap(),
        customer: ann(),
        time: at(-10),
        amount: Some(money(minor)),
    }
}

fn event(kind: ActivityKind, properties: serde_json::Value, told: Option<Told>) -> Event {
    Event {
        id: EventId::parse("e").unwrap(),
        who: Who::known(ann()),
        kind: EventKind::Track,
        name: "Done".into(),
        time: at(-10),
        properties: properties.as_object().unwrap().clone(),
        activity: Some(Activity { kind, item: None, amount: None, value: None }),
        told,
    }
}

/// Every rule with one action where it has it, else with the other.
fn every(action: Action, other: Action) -> CleaningSettings {
    RULES.iter().fold(CleaningSettings::default(), |settings, about| {
        settings.with(about.rule, if about.allows(action) { action } else { other })
    })
}

fn judge(settings: CleaningSettings) -> Judge {
    let rates = [(Currency::parse("USD").unwrap(), at(-1_000), Rate::parse("0.9").unwrap())];
    Judge { settings, currencies: Some(Currencies::new(Currency::parse("EUR").unwrap(), rates)) }
}

fn verdict(judge: &Judge, fact: &mut Fact, is_repeated: bool) -> Verdict {
    let mut amounts: Amounts = (0..300).map(|i| money(1_000 + i)).collect();
    judge.judge(fact, &mut Circumstances { now: at(0), is_repeated, amounts: &mut amounts })
}

fn found(fact: Fact, is_repeated: bool) -> Vec<Rule> {
    let marks = verdict(&judge(every(Action::Flag, Action::Flag)), &mut fact.clone(), is_repeated).marks;
    marks.own.flags.rules().chain(marks.told.flags.rules()).collect()
}

#[test]
fn each_rule_finds_what_breaks_it_and_nothing_else() {
    let in_ages = |time| Fact::Review(Review { time, ..review("a fine kettle") });
    let rated = |rating| Fact::Review(Review { rating: Some(rating), ..review("a fine kettle") });
    let of_lines = |quantity, price_minor| {
        let line = OrderLine { quantity, price_minor, ..order("o", 1_000).lines[0].clone() };
        Fact::Order(Order { lines: vec![line], ..order("o", 1_000) })
    };
    let in_currency = |code: &str, time| {
        Fact::Order(Order { total: Money { minor: 5, currency: Currency::parse(code).ok() }, time, ..order("o", 5) })
    };
    let told = |told| Fact::Event(event(ActivityKind::Order, json!({}), Some(told)));
    let says = |properties| Fact::Event(event(ActivityKind::Order, properties, None));
    for (fact, expected) in [
        (Fact::Review(review("a fine kettle")), &[][..]),
        (in_ages(at(86_400)), &[]),
        (in_ages(at(86_401)), &[Rule::FutureTime]),
        (in_ages(Timestamp::UNIX_EPOCH), &[Rule::AncientTime]),
        (in_ages("1990-01-01T00:00:00Z".parse().unwrap()), &[]),
        (rated(0.0), &[]),
        (rated(10.5), &[Rule::RatingOutOfScale]),
        (Fact::Review(review("12 !!")), &[Rule::NoWords]),
        (Fact::Review(review("a kett\u{fffd}e")), &[Rule::BrokenText]),
        (Fact::Review(review("，但是服务不错")), &[Rule::TextFragment]),
        (Fact::Review(Review { item: None, ..review("a fine kettle") }), &[Rule::NoItem]),
        (Fact::Order(order("o", 1_000)), &[]),
        (Fact::Order(order("o", 1)), &[Rule::OutlyingAmount]),
        (Fact::Order(order("o", 100_000_000)), &[Rule::OutlyingAmount]),
        (Fact::Order(order("o", 0)), &[]),
        (of_lines(10_000, Some(5)), &[]),
        (of_lines(10_001, Some(5)), &[Rule::AbsurdQuantity]),
        (of_lines(1, Some(-5)), &[Rule::NegativeAmount]),
        (Fact::Order(Order { discount_minor: -1, ..order("o", 1_000) }), &[Rule::NegativeAmount]),
        (Fact::Order(Order { lines: vec![], ..order("o", 1_000) }), &[Rule::NoLines]),
        (in_currency("USD", at(-10)), &[]),
        (in_currency("USD", at(-2_000)), &[Rule::NoRate]),
        (in_currency("JPY", at(-10)), &[Rule::NoRate]),
        (in_currency("", at(-10)), &[Rule::NoCurrency]),
        (Fact::Refund(refund(1_000)), &[]),
        (Fact::Refund(refund(-1_000)), &[Rule::NegativeAmount]),
        (told(Told::Order(order("o", 1_000))), &[]),
        (told(Told::Order(Order { discount_minor: -1, ..order("o", 1_000) })), &[Rule::NegativeAmount]),
        (told(Told::Refund(refund(1_000))), &[]),
        (says(json!({"total": -5})), &[Rule::NegativeAmount]),
        (says(json!({"revenue": "-5.00"})), &[Rule::NegativeAmount]),
        (says(json!({"colour": "red"})), &[Rule::UntoldPurchase]),
        (Fact::Event(event(ActivityKind::View, json!({"total": -5}), None)), &[]),
    ] {
        assert_eq!(found(fact.clone(), false), expected, "{fact:?}");
    }
    assert_eq!(found(Fact::Review(review("a fine kettle")), true), [Rule::RepeatedText]);
    assert_eq!(found(Fact::Order(order("o", 1_000)), true), [Rule::RepeatedOrder]);
}

#[test]
fn mending_puts_right_what_it_says() {
    let judge = judge(every(Action::Mend, Action::Flag));
    let mut fact =
        Fact::Review(Review { rating: Some(50.0), time: at(99 * 86_400), ..review("a \u{7}kett\u{fffd}le") });
    let verdict_of_review = verdict(&judge, &mut fact, false);
    let Fact::Review(mended) = &fact else { panic!("a review stays one") };
    assert_eq!((mended.rating, mended.time, mended.text.as_str()), (Some(10.0), at(0), "a kettle"));
    assert_eq!(verdict_of_review.marks.own.mended, verdict_of_review.marks.own.flags);
    let mut fact = Fact::Refund(refund(-1_000));
    verdict(&judge, &mut fact, false);
    assert_eq!(fact, Fact::Refund(refund(1_000)));
    let line = OrderLine { price_minor: Some(-5), ..order("o", 1_000).lines[0].clone() };
    let mut fact = Fact::Order(Order { discount_minor: -7, lines: vec![line], ..order("o", 1_000) });
    verdict(&judge, &mut fact, false);
    let Fact::Order(mended) = &fact else { panic!("an order stays one") };
    assert_eq!((mended.discount_minor, mended.lines[0].price_minor), (7, None));
}

#[test]
fn a_reviews_language_is_the_shops_word_else_what_its_words_are_in() {
    let judge = Judge { settings: CleaningSettings::off(), currencies: None };
    let mut found = Fact::Review(review("这个水壶很好用"));
    let mut said = Fact::Review(Review { tongue: Some(Tongue::given(Language::other())), ..review("这个水壶") });
    for (fact, expected) in [(&mut found, "zh"), (&mut said, "other")] {
        verdict(&judge, fact, false);
        let Fact::Review(review) = fact else { panic!("a review stays one") };
        assert_eq!(review.tongue.as_ref().unwrap().language.as_str(), expected);
    }
}

#[test]
fn the_first_of_equals_is_no_repetition_and_neither_is_the_same_again() {
    let (first, again) = (review("a fine kettle of steel"), review("A fine kettle  of steel"));
    let other_id = Review { id: ReviewId::parse("r2").unwrap(), ..again.clone() };
    let other_customer = Review { customer: CustomerId::parse("bob").unwrap(), ..other_id.clone() };
    let twins = [&first, &again, &other_id, &other_customer].map(|review| (0, Twin::Review(review)));
    assert_eq!(repeated_among(&twins), [false, false, true, false]);
    let (one, other, dearer) = (order("o1", 500), order("o2", 500), order("o3", 501));
    let later = Order { time: at(600), ..order("o4", 500) };
    let twins = [&one, &one, &other, &dearer, &later].map(|order| (0, Twin::Order(order, 600)));
    assert_eq!(repeated_among(&twins), [false, false, true, false, false]);
}

#[test]
fn only_what_may_be_a_repetition_is_looked_for() {
    let judge = judge(CleaningSettings::default());
    let midnight = Order { time: Timestamp::from_second(NOW_S).unwrap(), ..order("o", 500) };
    let facts = [
        Fact::Review(review("a fine kettle of shiny steel")),
        Fact::Review(review("good")),
        Fact::Order(order("o", 500)),
        Fact::Order(midnight),
        Fact::Order(order("o", 0)),
        Fact::Event(event(ActivityKind::Order, json!({}), Some(Told::Order(order("o", 500))))),
    ];
    let places: Vec<_> = judge.twins(&facts).into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, [0, 2, 5]);
    let off = Judge { settings: CleaningSettings::off(), currencies: None };
    assert!(off.twins(&facts).is_empty());
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let time = prop::sample::select(vec![-60_i64 * 31_536_000, -9_999, -10, 86_500, 1_000_000_000]).prop_map(at);
    let review = ("[a中，\\x07\u{fffd}1 ]{0,6}[a1]", prop::option::of(-3.0..14.0), time.clone())
        .prop_map(|(text, rating, time)| Fact::Review(Review { rating, time, ..review(&text) }));
    let amount = -2_000_000..2_000_000_i64;
    let order_of = (0..2_000_000_i64, -5..5_i64, prop::option::of(-5..5_i64), 1..20_000_u32, time.clone()).prop_map(
        |(minor, discount_minor, price_minor, quantity, time)| {
            let line = OrderLine { quantity, price_minor, ..order("o", 0).lines[0].clone() };
            Order { discount_minor, lines: vec![line], time, ..order("o", minor) }
        },
    );
    let refund = (amount, time).prop_map(|(minor, time)| Refund { time, ..refund(minor) });
    let told = prop_oneof![order_of.clone().prop_map(Told::Order), refund.clone().prop_map(Told::Refund)];
    let event =
        prop::option::of(told).prop_map(|told| Fact::Event(event(ActivityKind::Order, json!({"total": -1}), told)));
    prop_oneof![review, order_of.prop_map(Fact::Order), refund.prop_map(Fact::Refund), event]
}

fn without_tongue(mut fact: Fact) -> Fact {
    if let Fact::Review(review) = &mut fact {
        review.tongue = None;
    }
    fact
}

proptest! {
    #[test]
    fn a_flag_changes_nothing_else(fact in any_fact(), is_repeated: bool) {
        let mut judged = fact.clone();
        let verdict = verdict(&judge(every(Action::Flag, Action::Flag)), &mut judged, is_repeated);
        prop_assert_eq!(without_tongue(judged), fact);
        prop_assert!(verdict.rejected.is_none() && verdict.marks.own.mended.is_empty() && verdict.marks.told.mended.is_empty());
    }

    #[test]
    fn what_was_mended_breaks_the_rule_no_more(fact in any_fact()) {
        let judge = judge(every(Action::Mend, Action::Flag));
        let mut mended = fact;
        let first = verdict(&judge, &mut mended, false).marks;
        let again = verdict(&judge, &mut mended.clone(), false).marks;
        for (first, again) in [(first.own, again.own), (first.told, again.told)] {
            for rule in first.mended.rules() {
                prop_assert!(!again.flags.has(rule), "{} in {mended:?}", rule.code());
                prop_assert!(first.flags.has(rule));
            }
        }
    }

    #[test]
    fn what_a_flag_finds_a_rejection_leaves_out(fact in any_fact(), is_repeated: bool, place in 0..Rule::ALL.len()) {
        let rule = Rule::ALL[place];
        let flagged = verdict(&judge(CleaningSettings::off().with(rule, Action::Flag)), &mut fact.clone(), is_repeated);
        let rejecting = verdict(&judge(CleaningSettings::off().with(rule, Action::Reject)), &mut fact.clone(), is_repeated);
        let is_flagged = flagged.marks.own.flags.has(rule) || flagged.marks.told.flags.has(rule);
        prop_assert_eq!(rejecting.rejected.is_some(), is_flagged);
        prop_assert!(rejecting.rejected.is_none_or(|(_, why)| why == rule));
        prop_assert!(flagged.marks.own.flags.rules().all(|found| found == rule), "a rule that is off is not looked at");
    }
}
