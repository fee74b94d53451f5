//! Orders, refunds, items, and the events that tell of them.

use super::samples::*;
use super::{Place, for_all};
use crate::domain::*;
use crate::store::{Appended, Counts, Store};
use proptest::prelude::*;
use serde_json::json;

fn order(id: &str, customer: &str, minor: i64, time: i64) -> Order {
    let line = OrderLine {
        item: ItemId::parse("kettle").unwrap(),
        quantity: 2,
        price_minor: Some(minor / 2),
        category: Some("厨房".into()),
    };
    Order {
        id: OrderId::parse(id).unwrap(),
        customer: customer_id(customer),
        time: at(time),
        total: Money { minor, currency: Some(Currency::parse("EUR").unwrap()) },
        discount_minor: 5,
        lines: vec![line],
    }
}

fn refund(id: &str, order: &str, customer: &str) -> Refund {
    let order = OrderId::parse(order).unwrap();
    Refund { id: id.into(), order, customer: customer_id(customer), time: at(3), amount: None }
}

fn item(id: &str, name: &str, time: i64) -> Item {
    Item {
        id: ItemId::parse(id).unwrap(),
        kind: ItemKind::Course,
        name: Some(name.into()),
        category: None,
        description: Some("words".into()),
        price_minor: Some(990),
        currency: Some(Currency::parse("CNY").unwrap()),
        attributes: serde_json::Map::from_iter([("level".into(), json!(2.5))]),
        time: at(time),
    }
}

async fn append(store: &dyn Store, workspace: &WorkspaceId, fact: Fact) -> Appended {
    store.append(workspace, &[fact], None, at(1)).await.unwrap()[0]
}

pub(crate) async fn an_order_comes_back_as_it_was_told(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let bare = Order { lines: vec![], total: Money { minor: 0, currency: None }, ..order("o2", "ann", 0, 7) };
    let told = [order("o1", "ann", 1000, 9), bare];
    for order in &told {
        assert_eq!(append(&*store, &a, Fact::Order(order.clone())).await, Appended::Accepted);
    }
    let orders: Vec<_> = store.orders(&a, 0, 9).await.unwrap().into_iter().map(|stored| stored.order).collect();
    assert_eq!(orders, told);
    let newest_first = store.customer_orders(&a, &customer_id("ann"), 1).await.unwrap();
    assert_eq!(newest_first[0].order, told[0]);
    let ann = store.customer(&a, &customer_id("ann")).await.unwrap().unwrap();
    assert_eq!((ann.n_orders, ann.is_known), (2, true));
    assert_eq!(store.counts(&a).await.unwrap(), Counts { customers: 1, orders: 2, ..Counts::default() });
}

pub(crate) async fn the_later_word_on_an_order_stands_whatever_the_order_of_arrival(place: &dyn Place) {
    let store = place.open().await;
    // At one moment two words on one order are the same customer's: whose it is then is not told from the content.
    let words = proptest::collection::vec((0..2_u8, 0..3_i64, 0..4_i64), 1..6)
        .prop_flat_map(|words| (Just(words.clone()), Just(words).prop_shuffle()));
    for_all(48, words, |run, (one, other)| {
        let store = &*store;
        async move {
            let mut ends = Vec::new();
            for (name, words) in [("one", &one), ("other", &other)] {
                let workspace = workspace(store, &format!("{name}{run}")).await;
                for (id, minor, time) in words {
                    let order = order(&format!("o{id}"), &format!("c{time}"), *minor, *time);
                    append(store, &workspace, Fact::Order(order)).await;
                }
                let mut orders: Vec<_> =
                    store.orders(&workspace, 0, 99).await.unwrap().into_iter().map(|stored| stored.order).collect();
                orders.sort_by(|a, b| a.id.cmp(&b.id));
                let counts: Vec<_> = store.customers(&workspace, None, 9).await.unwrap();
                let counts: Vec<_> = counts.into_iter().map(|customer| (customer.id, customer.n_orders)).collect();
                let latest = |id: u8| words.iter().filter(|word| word.0 == id).map(|word| (word.2, word.1)).max();
                let first = |id: u8| words.iter().filter(|word| word.0 == id).map(|word| word.2).min();
                for (order, id) in orders.iter().zip((0..2).filter(|id| latest(*id).is_some())) {
                    let (time, minor) = latest(id).unwrap();
                    assert_eq!((order.total.minor, order.customer.as_str()), (minor, &*format!("c{time}")));
                    assert_eq!(order.time, at(first(id).unwrap()));
                }
                assert_eq!(store.counts(&workspace).await.unwrap().orders, orders.len() as u64);
                ends.push((orders, counts));
            }
            assert_eq!(ends[0], ends[1]);
        }
    });
}

pub(crate) async fn the_same_order_again_is_a_duplicate_and_an_updated_one_replaces(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    append(&*store, &a, Fact::Order(order("o", "ann", 1000, 5))).await;
    let seq = store.orders(&a, 0, 9).await.unwrap()[0].seq;
    assert_eq!(append(&*store, &a, Fact::Order(order("o", "ann", 1000, 8))).await, Appended::Duplicate);
    assert_eq!(append(&*store, &a, Fact::Order(order("o", "ann", 900, 4))).await, Appended::Duplicate, "old news");
    assert_eq!(append(&*store, &a, Fact::Order(order("o", "ann", 1200, 9))).await, Appended::Replaced);
    let orders = store.orders(&a, 0, 9).await.unwrap();
    assert_eq!(orders.len(), 1);
    assert!(orders[0].seq > seq, "a pager that has passed it sees it again");
    assert_eq!((orders[0].order.total.minor, orders[0].order.time), (1200, at(4)));
    assert_eq!(store.customer(&a, &customer_id("ann")).await.unwrap().unwrap().n_orders, 1);
}

pub(crate) async fn a_refund_is_taken_once(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let part = Refund { amount: Some(Money { minor: 5, currency: None }), ..refund("r2", "o", "ann") };
    for told in [refund("r1", "o", "ann"), part.clone()] {
        assert_eq!(append(&*store, &a, Fact::Refund(told)).await, Appended::Accepted);
    }
    assert_eq!(append(&*store, &a, Fact::Refund(refund("r2", "other", "bob"))).await, Appended::Duplicate);
    let refunds: Vec<_> = store.refunds(&a, 0, 9).await.unwrap().into_iter().map(|stored| stored.refund).collect();
    assert_eq!(refunds, [refund("r1", "o", "ann"), part]);
}

pub(crate) async fn an_item_is_what_was_said_of_it_last(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    assert_eq!(append(&*store, &a, Fact::Item(item("k", "Rust", 5))).await, Appended::Accepted);
    assert_eq!(append(&*store, &a, Fact::Item(item("k", "Rust", 6))).await, Appended::Duplicate);
    assert_eq!(append(&*store, &a, Fact::Item(item("k", "Go", 4))).await, Appended::Duplicate, "old news");
    assert_eq!(append(&*store, &a, Fact::Item(item("k", "Zig", 7))).await, Appended::Replaced);
    let bare = Item { name: None, description: None, price_minor: None, currency: None, ..item("b", "x", 1) };
    append(&*store, &a, Fact::Item(bare.clone())).await;
    assert_eq!(store.item(&a, &ItemId::parse("k").unwrap()).await.unwrap(), Some(item("k", "Zig", 7)));
    assert_eq!(store.items(&a, None, 9).await.unwrap(), [bare.clone(), item("k", "Zig", 7)]);
    assert_eq!(store.items(&a, Some(&bare.id), 9).await.unwrap(), [item("k", "Zig", 7)]);
    assert_eq!(store.counts(&a).await.unwrap().items, 2);
}

pub(crate) async fn what_an_event_tells_is_kept_with_it_or_not_at_all(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let activity = Activity {
        kind: ActivityKind::Order,
        item: Some(ItemId::parse("kettle").unwrap()),
        amount: Some(Money { minor: 1000, currency: None }),
        value: Some(0.1 + 0.2),
    };
    let telling = |id: &str, told: Told| Event {
        told: Some(told),
        activity: Some(activity.clone()),
        kind: EventKind::Screen,
        ..event(id, "ann", "told")
    };
    let told = [
        Fact::Event(telling("e1", Told::Order(order("o", "ann", 1000, 5)))),
        Fact::Event(telling("e2", Told::Refund(refund("r", "o", "ann")))),
        Fact::Event(telling("e3", Told::Review(review("v", "ann", "words")))),
    ];
    assert_eq!(store.append(&a, &told, None, at(1)).await.unwrap(), [Appended::Accepted; 3]);
    let counts = Counts { customers: 1, reviews: 1, events: 3, orders: 1, items: 0 };
    assert_eq!(store.counts(&a).await.unwrap(), counts);
    assert_eq!(store.refunds(&a, 0, 9).await.unwrap().len(), 1);
    // An event that was taken tells nothing new, whatever it says now.
    let again = Fact::Event(telling("e1", Told::Order(order("o9", "bob", 1, 5))));
    assert_eq!(append(&*store, &a, again).await, Appended::Duplicate);
    assert_eq!(store.counts(&a).await.unwrap(), counts);
    let events = store.events(&a, 0, 9).await.unwrap();
    let expected = Event { told: None, ..telling("e1", Told::Refund(refund("r", "o", "ann"))) };
    assert_eq!((&events[0].event, events[0].customer.as_str()), (&expected, "ann"));
    assert_eq!(store.events(&a, events[1].seq, 9).await.unwrap(), events[2..]);
}

pub(crate) async fn pages_of_a_customers_events_have_no_gaps(place: &dyn Place) {
    let store = place.open().await;
    for_all(24, (proptest::collection::vec(0..3_i64, 1..12), 1..5_usize), |run, (times, limit)| {
        let store = &*store;
        async move {
            let workspace = workspace(store, &format!("w{run}")).await;
            let event = |(i, time): (usize, &i64)| Event { time: at(*time), ..event(&format!("e{i}"), "ann", "seen") };
            let facts: Vec<_> = times.iter().enumerate().map(event).map(Fact::Event).collect();
            store.append(&workspace, &facts, None, at(1)).await.unwrap();
            let ann = customer_id("ann");
            let mut seen: Vec<crate::store::StoredEvent> = Vec::new();
            loop {
                let before = seen.last().map(|last| (last.event.time, last.seq));
                let page = store.customer_events(&workspace, &ann, before, limit).await.unwrap();
                if page.is_empty() {
                    break;
                }
                seen.extend(page);
            }
            assert_eq!(seen.len(), times.len());
            let keys: Vec<_> = seen.iter().map(|stored| (stored.event.time, stored.seq)).collect();
            assert!(keys.is_sorted_by(|a, b| a > b), "{keys:?}");
        }
    });
}
