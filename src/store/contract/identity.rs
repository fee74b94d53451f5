//! Who is who: whatever the order of calls, the same ids count for the same customers.

use super::samples::*;
use super::{Place, for_all};
use crate::domain::{Alias, CustomerId, Event, EventId, Fact, Group, GroupId, Identify, MergeReason, Who, WorkspaceId};
use crate::store::{Appended, Store};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn both(known: &str, anonymous: &str) -> Who {
    Who { also: Some(customer_id(anonymous)), ..Who::known(customer_id(known)) }
}

fn alias(previous: &str, id: &str, time: i64) -> Fact {
    Fact::Alias(Alias { previous: customer_id(previous), id: customer_id(id), message: None, time: at(time) })
}

fn seen(id: &str, who: Who, time: i64) -> Fact {
    Fact::Event(Event { who, time: at(time), ..event(id, "unused", "seen") })
}

async fn append(store: &dyn Store, workspace: &WorkspaceId, fact: Fact) -> Appended {
    store.append(workspace, &[fact], None, at(1)).await.unwrap()[0]
}

async fn customer_of(store: &dyn Store, workspace: &WorkspaceId, id: &str) -> String {
    store.customer(workspace, &customer_id(id)).await.unwrap().unwrap().id.to_string()
}

/// Calls about few ids, each with an id of its own.
fn any_calls() -> impl Strategy<Value = Vec<Fact>> {
    let known = || prop::sample::select(vec!["u1", "u2", "u3"]);
    let anonymous = || prop::sample::select(vec!["a1", "a2", "a3", "u1"]);
    let call = prop_oneof![
        4 => (known(), anonymous(), 0..4_i64).prop_map(|(known, also, time)| (both(known, also), None, time)),
        1 => (known(), 0..4_i64).prop_map(|(id, time)| (Who::known(customer_id(id)), None, time)),
        2 => (anonymous(), 0..4_i64).prop_map(|(id, time)| (Who::anonymous(customer_id(id)), None, time)),
        2 => (prop_oneof![known(), anonymous()], known(), 0..4_i64)
            .prop_map(|(previous, id, time)| (Who::known(customer_id(id)), Some(previous), time)),
    ];
    proptest::collection::vec(call, 1..9).prop_map(|calls| {
        let fact = |(i, (who, previous, time)): (usize, (Who, Option<&str>, i64))| match previous {
            Some(previous) => alias(previous, who.id.as_str(), time),
            None if i % 3 == 0 => {
                Fact::Identify(Identify { who, ..identify("unused", json!({"n": i, "same": time}), time) })
            }
            None => seen(&format!("e{i}"), who, time),
        };
        calls.into_iter().enumerate().map(fact).collect()
    })
}

/// The contract's sentence in another way: whom each id counts for.
fn expected(facts: &[Fact]) -> BTreeMap<CustomerId, CustomerId> {
    let mut ids = BTreeSet::new();
    let mut claims: BTreeMap<CustomerId, (crate::domain::Timestamp, CustomerId)> = BTreeMap::new();
    let mut edges = BTreeSet::new();
    for fact in facts {
        let (who, time) = match fact {
            Fact::Event(event) => (&event.who, event.time),
            Fact::Identify(identify) => (&identify.who, identify.time),
            Fact::Alias(alias) => {
                ids.extend([alias.previous.clone(), alias.id.clone()]);
                edges.insert((alias.previous.clone(), alias.id.clone()));
                continue;
            }
            other => panic!("{other:?} is not among the calls"),
        };
        ids.insert(who.id.clone());
        let Some(also) = &who.also else { continue };
        ids.insert(also.clone());
        if *also != who.id {
            let claim = (time, who.id.clone());
            let standing = claims.entry(also.clone()).or_insert_with(|| claim.clone());
            *standing = standing.clone().min(claim);
        }
    }
    edges.extend(claims.into_iter().map(|(anonymous, (_, known))| (anonymous, known)));
    let reached = |from: &CustomerId| {
        let mut reached = BTreeSet::from([from.clone()]);
        loop {
            let before = reached.len();
            for (a, b) in &edges {
                if reached.contains(a) || reached.contains(b) {
                    reached.extend([a.clone(), b.clone()]);
                }
            }
            if reached.len() == before {
                return reached;
            }
        }
    };
    let points_on = |id: &CustomerId| edges.iter().any(|(from, to)| from == id && to != id);
    let root = |id: &CustomerId| reached(id).into_iter().min_by_key(|id| (points_on(id), id.clone())).unwrap();
    ids.iter().map(|id| (id.clone(), root(id))).collect()
}

/// Everything of every customer but what depends on when the service heard of them.
async fn customers(store: &dyn Store, workspace: &WorkspaceId) -> Vec<(CustomerId, bool, Vec<CustomerId>, Value, u64)> {
    let customers = store.customers(workspace, None, 99).await.unwrap();
    customers.into_iter().map(|c| (c.id, c.is_known, c.aliases, Value::Object(c.traits), c.n_events)).collect()
}

pub(crate) async fn ids_count_for_the_customer_that_the_contract_says(place: &dyn Place) {
    let store = place.open().await;
    for_all(96, (any_calls(), 1..4_usize), |run, (facts, per_call)| {
        let store = &*store;
        async move {
            let workspace = workspace(store, &format!("w{run}")).await;
            for call in facts.chunks(per_call) {
                store.append(&workspace, call, None, at(1)).await.unwrap();
            }
            let expected = expected(&facts);
            for (id, root) in &expected {
                let customer = store.customer(&workspace, id).await.unwrap().unwrap();
                assert_eq!(&customer.id, root, "{id} after {facts:?}");
                let others = expected.iter().filter(|(other, whose)| *whose == root && *other != root);
                assert_eq!(customer.aliases, others.map(|(other, _)| other.clone()).collect::<Vec<_>>());
            }
            let roots: BTreeSet<_> = expected.values().cloned().collect();
            assert_eq!(store.counts(&workspace).await.unwrap().customers, roots.len() as u64);
            // The log, played from the beginning, ends in the same.
            let mut played: BTreeMap<_, _> = expected.keys().map(|id| (id.clone(), id.clone())).collect();
            for merge in store.merges(&workspace, 0, 999).await.unwrap() {
                played.insert(merge.id, merge.customer);
            }
            assert_eq!(played, expected);
        }
    });
}

pub(crate) async fn the_order_of_calls_does_not_matter(place: &dyn Place) {
    let store = place.open().await;
    let orders = any_calls().prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle(), 1..4_usize));
    for_all(96, orders, |run, (one, other, per_call)| {
        let store = &*store;
        async move {
            let mut ends = Vec::new();
            for (order, facts) in [("one", one), ("other", other)] {
                let workspace = workspace(store, &format!("{order}{run}")).await;
                for call in facts.chunks(per_call) {
                    store.append(&workspace, call, None, at(1)).await.unwrap();
                    // What was sent is sent again: nothing may change by it.
                    store.append(&workspace, call, None, at(1)).await.unwrap();
                }
                ends.push(customers(store, &workspace).await);
            }
            assert_eq!(ends[0], ends[1]);
        }
    });
}

pub(crate) async fn facts_under_all_ids_are_one_customers(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    append(&*store, &a, seen("e1", Who::anonymous(customer_id("anon")), 1)).await;
    append(&*store, &a, Fact::Review(review("r1", "ann", "words"))).await;
    append(&*store, &a, Fact::Identify(identify("anon", json!({"city": "Oslo", "plan": "free"}), 1))).await;
    let stranger = store.customer(&a, &customer_id("anon")).await.unwrap().unwrap();
    assert_eq!((stranger.n_events, stranger.n_reviews), (1, 0));
    append(&*store, &a, seen("e2", both("ann", "anon"), 2)).await;
    append(&*store, &a, Fact::Identify(identify("ann", json!({"plan": "pro"}), 2))).await;
    for id in ["ann", "anon"] {
        let customer = store.customer(&a, &customer_id(id)).await.unwrap().unwrap();
        assert_eq!((customer.id.as_str(), customer.is_known), ("ann", true));
        assert_eq!((customer.n_events, customer.n_reviews), (2, 1));
        assert_eq!(Value::Object(customer.traits), json!({"city": "Oslo", "plan": "pro"}));
        let events = store.customer_events(&a, &customer_id(id), None, 9).await.unwrap();
        let told: Vec<_> =
            events.iter().map(|stored| (stored.event.id.as_str(), stored.event.who.id.as_str())).collect();
        assert_eq!(told, [("e2", "ann"), ("e1", "anon")], "newest first, each under the id it was told under");
        assert_eq!(store.customer_reviews(&a, &customer_id(id), 9).await.unwrap().len(), 1);
    }
    assert_eq!(store.customers(&a, None, 9).await.unwrap().len(), 1);
    // The same review again under the other id is the same customer's.
    assert_eq!(append(&*store, &a, Fact::Review(review("r1", "anon", "words"))).await, Appended::Duplicate);
}

pub(crate) async fn an_earlier_claim_takes_an_id_back(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    append(&*store, &a, seen("e1", both("bob", "shared"), 5)).await;
    assert_eq!(customer_of(&*store, &a, "shared").await, "bob");
    append(&*store, &a, seen("e2", both("ann", "shared"), 3)).await;
    assert_eq!(customer_of(&*store, &a, "shared").await, "ann");
    assert_eq!(store.customer(&a, &customer_id("bob")).await.unwrap().unwrap().aliases, []);
    let log = store.merges(&a, 0, 9).await.unwrap();
    let log: Vec<_> = log.iter().map(|merge| (merge.id.as_str(), merge.customer.as_str(), merge.reason)).collect();
    assert_eq!(log, [("shared", "bob", MergeReason::Claim), ("shared", "ann", MergeReason::Claim)]);
    append(&*store, &a, alias("bob", "ann", 9)).await;
    assert_eq!(customer_of(&*store, &a, "bob").await, "ann");
    assert_eq!(append(&*store, &a, alias("bob", "ann", 9)).await, Appended::Duplicate);
    let counts = store.counts(&a).await.unwrap();
    assert_eq!((counts.customers, counts.events), (1, 2));
}

pub(crate) async fn a_call_with_a_message_id_seen_before_changes_nothing(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let message = |id: &str| Some(EventId::parse(id).unwrap());
    let first = [
        Fact::Identify(Identify { message: message("m1"), ..identify("c", json!({"plan": "free"}), 1) }),
        Fact::Alias(Alias { previous: customer_id("old"), id: customer_id("c"), message: message("m2"), time: at(1) }),
        Fact::Group(group("c", "g", json!({"size": 5}), message("m3"))),
    ];
    assert_eq!(store.append(&a, &first, None, at(1)).await.unwrap(), [Appended::Accepted; 3]);
    let before = everything(&*store, &a).await;
    let again = [
        Fact::Identify(Identify { message: message("m1"), ..identify("new", json!({"plan": "pro"}), 9) }),
        Fact::Alias(Alias { previous: customer_id("x"), id: customer_id("y"), message: message("m2"), time: at(1) }),
        Fact::Group(group("z", "h", json!({"size": 6}), message("m3"))),
    ];
    assert_eq!(store.append(&a, &again, None, at(2)).await.unwrap(), [Appended::Duplicate; 3]);
    assert_eq!(everything(&*store, &a).await, before);
}

fn group(customer: &str, id: &str, traits: Value, message: Option<EventId>) -> Group {
    let Value::Object(traits) = traits else { panic!("traits are an object") };
    Group { who: Who::known(customer_id(customer)), group: GroupId::parse(id).unwrap(), traits, message, time: at(1) }
}

pub(crate) async fn accounts_have_members_and_traits(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    append(&*store, &a, Fact::Group(group("ann", "acme", json!({"size": 5}), None))).await;
    append(&*store, &a, Fact::Group(group("anon", "beta", json!({}), None))).await;
    let later = Group { time: at(5), ..group("bob", "acme", json!({"size": 9, "city": "Oslo"}), None) };
    assert_eq!(append(&*store, &a, Fact::Group(later.clone())).await, Appended::Accepted);
    assert_eq!(append(&*store, &a, Fact::Group(later)).await, Appended::Duplicate);
    append(&*store, &a, alias("anon", "ann", 1)).await;
    let groups = store.customer(&a, &customer_id("ann")).await.unwrap().unwrap().groups;
    assert_eq!(groups.iter().map(GroupId::as_str).collect::<Vec<_>>(), ["acme", "beta"]);
    let accounts = store.accounts(&a, None, 9).await.unwrap();
    let traits: Vec<_> = accounts.iter().map(|account| Value::Object(account.traits.clone())).collect();
    assert_eq!(traits, [json!({"size": 9, "city": "Oslo"}), Value::Object(Map::new())]);
    let rest = store.accounts(&a, Some(&accounts[0].id), 9).await.unwrap();
    assert_eq!(rest, accounts[1..]);
}
