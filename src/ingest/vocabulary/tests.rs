//! What events are understood to mean, and that nonsense in them harms nothing.

use super::*;
use crate::domain::{CustomerId, EventId, EventKind, Money, Timestamp, Told, Who};
use proptest::prelude::*;
use serde_json::{Value, json};

fn event(name: &str, properties: Value) -> Event {
    let Value::Object(properties) = properties else { panic!("properties are an object") };
    Event {
        id: EventId::parse("m1").unwrap(),
        who: Who::known(CustomerId::parse("c").unwrap()),
        kind: EventKind::Track,
        name: name.into(),
        time: Timestamp::UNIX_EPOCH,
        properties,
        activity: None,
        told: None,
    }
}

fn understood(name: &str, properties: Value) -> Event {
    Vocabulary::standard().understand(event(name, properties))
}

fn minor(money: Option<Money>) -> Option<i64> {
    money.map(|money| money.minor)
}

#[test]
fn an_order_is_read_with_its_lines() {
    let properties = json!({
        "order_id": 1001, "total": "27.50", "currency": "eur", "discount": 2.5,
        "products": [
            {"product_id": "p1", "price": 10, "quantity": 2, "category": "tea"},
            {"sku": "p2", "price": "10.00"},
            {"name": "no id"}, "nonsense"
        ],
    });
    let event = understood("order_completed", properties);
    let Some(Told::Order(order)) = &event.told else { panic!("{event:?}") };
    assert_eq!((order.id.as_str(), order.total.minor, order.discount_minor), ("1001", 2750, 250));
    assert_eq!(order.total.currency.unwrap().as_str(), "EUR");
    let lines: Vec<_> =
        order.lines.iter().map(|line| (line.item.as_str(), line.quantity, line.price_minor, &line.category)).collect();
    assert_eq!(lines, [("p1", 2, Some(1000), &Some("tea".into())), ("p2", 1, Some(1000), &None)]);
    assert_eq!(event.activity.unwrap().kind, ActivityKind::Order);
}

#[test]
fn an_order_without_a_total_costs_what_its_lines_cost_and_without_an_id_has_the_calls() {
    let event = understood("Order Completed", json!({"products": [{"product_id": "p", "price": 1.1, "quantity": 3}]}));
    let Some(Told::Order(order)) = event.told else { panic!("no order") };
    assert_eq!((order.id.as_str(), order.total.minor), ("m1", 330));
    // A price that is missing makes the sum unknown.
    assert_eq!(understood("Order Completed", json!({"products": [{"product_id": "p"}]})).told, None);
}

#[test]
fn a_refund_is_of_the_amount_given_or_of_all() {
    let part = understood("Order Refunded", json!({"order_id": "o", "total": 5, "refund_id": "r"}));
    let Some(Told::Refund(refund)) = part.told else { panic!("no refund") };
    assert_eq!((refund.id.as_str(), minor(refund.amount)), ("r", Some(500)));
    for (name, properties) in
        [("Order Refunded", json!({"order_id": "o"})), ("Order Cancelled", json!({"order_id": "o", "total": 9}))]
    {
        let Some(Told::Refund(refund)) = understood(name, properties).told else { panic!("no refund") };
        assert_eq!((refund.id.as_str(), refund.amount), ("m1", None), "{name}");
    }
    assert_eq!(understood("Order Refunded", json!({"order_id": "o", "total": "a lot"})).told, None);
    assert_eq!(understood("Order Refunded", json!({"total": 5})).told, None, "of which order?");
}

#[test]
fn a_reviews_words_are_kept_with_the_review_alone() {
    let properties = json!({"product_id": "p", "review_id": "r", "review_body": "很好用", "rating": "4"});
    let event = understood("Product Reviewed", properties);
    let Some(Told::Review(review)) = &event.told else { panic!("{event:?}") };
    assert_eq!((review.id.as_str(), review.text.as_str(), review.rating), ("r", "很好用", Some(4.0)));
    assert_eq!(review.item.as_deref(), Some("p"));
    assert!(!event.properties.contains_key("review_body"));
    // A rating alone is an activity; there is no review without words.
    let event = understood("Product Reviewed", json!({"product_id": "p", "rating": 2}));
    assert_eq!((event.told, event.activity.unwrap().value), (None, Some(2.0)));
}

#[test]
fn learning_is_the_same_kind_of_facts_over_courses() {
    let event = understood("Course Enrolled", json!({"course_id": "k1"}));
    let Some(Told::Order(order)) = event.told else { panic!("no order") };
    assert_eq!((order.total.minor, order.lines[0].item.as_str()), (0, "k1"));
    let activity = understood("Lesson Completed", json!({"course_id": "k1", "lesson_id": "l2"})).activity.unwrap();
    assert_eq!((activity.kind, activity.item.unwrap().as_str()), (ActivityKind::Complete, "k1"));
    let activity = understood("assessment graded", json!({"course_id": "k1", "score": 87.5})).activity.unwrap();
    assert_eq!((activity.kind, activity.value), (ActivityKind::Grade, Some(87.5)));
}

#[test]
fn an_operators_file_comes_first() {
    let text = r#"
        [[event]]
        names = ["buy", "Order Completed"]
        means = "order"
        fields = { amount = "money.paid", item = ["thing", "other.thing"], text = [] }
    "#;
    let vocabulary = Vocabulary::with_text(text).unwrap();
    let properties = json!({"money": {"paid": 3}, "total": 99, "other": {"thing": "p9"}});
    for name in ["BUY", "Order Completed"] {
        let Some(Told::Order(order)) = vocabulary.understand(event(name, properties.clone())).told else { panic!() };
        assert_eq!((order.total.minor, order.lines[0].item.as_str()), (300, "p9"));
    }
    assert!(vocabulary.understand(event("Product Viewed", json!({}))).activity.is_some(), "the standard stays");
}

#[test]
fn words_at_a_path_are_taken_out_where_they_are() {
    let text = "[[event]]\nnames = [\"said\"]\nmeans = \"review\"\nfields = { text = \"form.answer.words\" }";
    let vocabulary = Vocabulary::with_text(text).unwrap();
    let event = vocabulary.understand(event("said", json!({"form": {"answer": {"words": "fine", "n": 1}}})));
    assert!(matches!(event.told, Some(Told::Review(_))));
    assert_eq!(Value::Object(event.properties), json!({"form": {"answer": {"n": 1}}}));
}

#[test]
fn a_file_that_is_not_right_is_told_where() {
    for (text, expected) in [
        ("[[event]]\nnames = [\"x\"]\nmeans = \"buying\"", "buying"),
        ("[[event]]\nname = [\"x\"]\nmeans = \"order\"", "name"),
        ("[[event]]\nnames = [\"x\"]\nmeans = \"order\"\nfields = { sum = \"y\" }", "sum"),
        ("[[event]]\nnames = [\" \"]\nmeans = \"order\"", "no names"),
        ("event = 3", "event"),
        ("[[", "line 1"),
    ] {
        let error = Vocabulary::with_text(text).unwrap_err();
        assert!(error.contains(expected), "{text} said {error}");
    }
}

proptest! {
    #[test]
    fn nonsense_makes_no_order_and_no_harm(
        name in prop::sample::select(vec!["Order Completed", "Order Refunded", "Product Reviewed", "Course Enrolled", "Assessment Graded"]),
        field in prop::sample::select(vec!["order_id", "total", "products", "currency", "discount", "rating", "review_body", "product_id"]),
        value in prop_oneof![
            Just(json!(null)), Just(json!([])), Just(json!({})), Just(json!("")), Just(json!(-1)), Just(json!(1e300)),
            Just(json!([{"product_id": "p", "quantity": 1e300, "price": 1e12}])), "\\PC{0,8}".prop_map(Value::from),
        ],
    ) {
        let mut properties = json!({"order_id": "o", "total": 5, "product_id": "p", "review_body": "fine"});
        properties[field] = value;
        let event = understood(name, properties);
        prop_assert!(event.activity.is_some());
        if let Some(Told::Order(order)) = &event.told {
            prop_assert!(order.total.minor >= 0 && order.discount_minor >= 0);
            prop_assert!(order.lines.iter().all(|line| line.quantity >= 1 && line.price_minor.is_none_or(|minor| minor >= 0)));
        }
    }
}
