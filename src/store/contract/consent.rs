//! What customers allow: the latest word stands whatever the order of arrival, under whichever id it was told.

use super::samples::*;
use super::{Place, for_all, reopened};
use crate::domain::*;
use crate::store::{Appended, Changed, IdChoices, Store};
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn told(id: &str, choices: &[(Purpose, bool)], time: i64) -> Consent {
    Consent {
        who: Who::known(customer_id(id)),
        choices: choices.iter().copied().collect(),
        source: ConsentSource::parse("api").unwrap(),
        time: at(time),
    }
}

/// A word told by an anonymous visitor.
fn told_by_anonymous(id: &str, choices: &[(Purpose, bool)], time: i64) -> Consent {
    Consent { who: Who::anonymous(customer_id(id)), ..told(id, choices, time) }
}

fn seen(id: &str, customer: &str) -> Fact {
    Fact::Event(event(id, customer, "seen"))
}

async fn one_by_one(store: &dyn Store, workspace: &WorkspaceId, facts: &[Fact]) -> Vec<Appended> {
    let mut appended = Vec::new();
    for fact in facts {
        appended.extend(store.append(workspace, std::slice::from_ref(fact), None, at(90)).await.unwrap());
    }
    appended
}

/// Words under few ids, and what ties the ids.
fn any_told() -> impl Strategy<Value = Vec<Fact>> {
    let id = (0..3_u8).prop_map(|i| format!("c{i}"));
    let purpose = prop_oneof![Just(Purpose::Analytics), Just(Purpose::Marketing), Just(Purpose::Profiling)];
    let consent =
        (id.clone(), purpose, any::<bool>(), 0..4_i64, "[ab]").prop_map(|(id, purpose, granted, time, source)| {
            let source = ConsentSource::parse(&source).unwrap();
            Fact::Consent(Consent { source, ..told(&id, &[(purpose, granted)], time) })
        });
    let alias = (id.clone(), id).prop_map(|(previous, id)| {
        Fact::Alias(Alias { previous: customer_id(&previous), id: customer_id(&id), message: None, time: at(0) })
    });
    proptest::collection::vec(prop_oneof![5 => consent, 1 => alias], 0..12)
}

/// What the contract says of a customer, reckoned from all that was told.
fn model(facts: &[Fact], ids: &BTreeSet<&str>) -> Choices {
    let mut choices = Choices::new();
    for fact in facts {
        let Fact::Consent(consent) = fact else { continue };
        if !ids.contains(consent.who.id.as_str()) {
            continue;
        }
        for (purpose, is_granted) in &consent.choices {
            let told = Choice { is_granted: *is_granted, time: consent.time, source: consent.source.clone() };
            if choices.get(purpose).is_none_or(|standing| told.outweighs(standing)) {
                choices.insert(*purpose, told);
            }
        }
    }
    choices
}

pub(crate) async fn the_latest_word_stands_whatever_the_order_of_arrival(place: &dyn Place) {
    let store = place.open().await;
    let shuffled = any_told().prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle()));
    for_all(24, shuffled, |run, (facts, shuffled)| {
        let store = store.clone();
        async move {
            let (a, b) = (workspace(&*store, &format!("a{run}")).await, workspace(&*store, &format!("b{run}")).await);
            one_by_one(&*store, &a, &facts).await;
            store.append(&b, &shuffled, None, at(90)).await.unwrap();
            for id in ["c0", "c1", "c2"].map(customer_id) {
                let found = store.consent(&a, &id).await.unwrap();
                assert_eq!(found.choices, store.consent(&b, &id).await.unwrap().choices, "{id}");
                let customer = store.customer(&a, &id).await.unwrap();
                let ids = customer
                    .iter()
                    .flat_map(|one| one.aliases.iter().chain([&one.id]))
                    .map(CustomerId::as_str)
                    .collect();
                assert_eq!(found.choices, model(&facts, &ids), "{id}");
                // Told once more, nothing is new.
                let told: Vec<_> = facts.iter().filter(|fact| matches!(fact, Fact::Consent(_))).cloned().collect();
                let again = store.append(&b, &told, None, at(91)).await.unwrap();
                assert_eq!(again, vec![Appended::Duplicate; told.len()]);
                let log = store.consent(&b, &id).await.unwrap().log;
                assert!(log.is_sorted_by_key(|entry| entry.seq));
                for (purpose, choice) in &found.choices {
                    let logged = |entry: &ConsentEntry| {
                        entry.purpose == *purpose && entry.choice.is_granted == choice.is_granted
                    };
                    assert!(log.iter().any(logged), "what stands was logged: {log:?}");
                }
            }
        }
    });
}

pub(crate) async fn no_event_is_kept_of_whom_who_withdrew_analytics(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    let withdrawn = Fact::Consent(told("ann", &[(Purpose::Analytics, false)], 5));
    let facts = [seen("e1", "ann"), withdrawn.clone(), seen("e2", "ann"), seen("e1", "ann"), seen("e3", "bob")];
    use Appended::{Accepted, Declined, Duplicate};
    let expected = [Accepted, Accepted, Declined, Duplicate, Accepted];
    assert_eq!(store.append(&a, &facts, None, at(9)).await.unwrap(), expected);
    // Words, orders and traits are no events.
    let other = [
        Fact::Review(review("r", "ann", "words")),
        Fact::Identify(identify("ann", json!({"plan": "pro"}), 9)),
        Fact::Consent(told("ann", &[(Purpose::Marketing, true)], 9)),
    ];
    assert_eq!(store.append(&a, &other, None, at(9)).await.unwrap(), [Accepted; 3]);
    // Nobody comes to be by an event that is not kept; and it is taken when it comes after a grant.
    let granted = Fact::Consent(told("ann", &[(Purpose::Analytics, true)], 6));
    let facts = [seen("e4", "ann"), granted, seen("e2", "ann")];
    assert_eq!(store.append(&a, &facts, None, at(9)).await.unwrap(), [Declined, Accepted, Accepted]);
    assert_eq!(store.counts(&a).await.unwrap().events, 3);
    assert_eq!(store.append(&b, &[seen("e2", "ann")], None, at(9)).await.unwrap(), [Accepted], "in another workspace");
}

pub(crate) async fn where_nothing_was_told_the_settings_say(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let unknown = [(Purpose::Analytics, Unknown::Withheld)].into();
    let settings = ConsentSettings { unknown, ..ConsentSettings::default() };
    store.put_setting(&a, ConsentSettings::NAME, &serde_json::to_value(settings).unwrap()).await.unwrap();
    let granted = Fact::Consent(told("ann", &[(Purpose::Analytics, true)], 1));
    let facts = [seen("e1", "ann"), seen("e2", "bob"), granted, seen("e1", "ann")];
    use Appended::{Accepted, Declined};
    assert_eq!(store.append(&a, &facts, None, at(9)).await.unwrap(), [Declined, Declined, Accepted, Accepted]);
    assert_eq!(store.customer(&a, &customer_id("bob")).await.unwrap(), None);
}

pub(crate) async fn a_visitors_word_goes_with_them_and_the_stricter_stands_at_the_same_time(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let marketing = |granted| [(Purpose::Marketing, granted)];
    for (name, known, anonymous, expected) in [
        ("same", (true, 5), (false, 5), false),
        ("same too", (false, 5), (true, 5), false),
        ("later", (false, 5), (true, 6), true),
        ("earlier", (true, 6), (false, 5), true),
    ] {
        let (id, visitor) = (format!("known {name}"), format!("anonymous {name}"));
        let facts = [
            Fact::Consent(told(&id, &marketing(known.0), known.1)),
            Fact::Consent(told_by_anonymous(&visitor, &marketing(anonymous.0), anonymous.1)),
        ];
        store.append(&a, &facts, None, at(9)).await.unwrap();
        let who = Who { also: Some(customer_id(&visitor)), ..Who::known(customer_id(&id)) };
        let seen = Event { who, ..event(&format!("e {name}"), "unused", "seen") };
        assert_eq!(store.append(&a, &[Fact::Event(seen)], None, at(9)).await.unwrap(), [Appended::Accepted]);
        for asked in [&id, &visitor] {
            let found = store.consent(&a, &customer_id(asked)).await.unwrap();
            assert_eq!(found.choices[&Purpose::Marketing].is_granted, expected, "{name}");
            assert_eq!(found.log.len(), 2);
        }
    }
}

pub(crate) async fn a_claim_brings_the_visitors_word_before_its_own_event_is_judged(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let withdrawn = Fact::Consent(told_by_anonymous("visitor", &[(Purpose::Analytics, false)], 5));
    store.append(&a, &[withdrawn], None, at(9)).await.unwrap();
    let who = Who { also: Some(customer_id("visitor")), ..Who::known(customer_id("ann")) };
    let claim = Fact::Event(Event { who, ..event("e", "unused", "seen") });
    assert_eq!(store.append(&a, std::slice::from_ref(&claim), None, at(9)).await.unwrap(), [Appended::Declined]);
    let granted = Fact::Consent(told("ann", &[(Purpose::Analytics, true)], 6));
    let appended = store.append(&a, &[granted, claim], None, at(9)).await.unwrap();
    assert_eq!(appended, [Appended::Accepted; 2]);
}

pub(crate) async fn what_holds_is_told_of_whole_customers(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    let alias = Alias { previous: customer_id("ann-before"), id: customer_id("ann"), message: None, time: at(0) };
    let facts = [
        Fact::Alias(alias),
        Fact::Consent(told("ann-before", &[(Purpose::Marketing, false), (Purpose::Profiling, true)], 1)),
        Fact::Consent(told("ann", &[(Purpose::Profiling, false)], 2)),
        Fact::Consent(told("bob", &[(Purpose::Profiling, true)], 2)),
        seen("e", "eve"),
    ];
    store.append(&a, &facts, None, at(9)).await.unwrap();
    let store = reopened(place, store).await;
    let ann = IdChoices {
        ids: ["ann", "ann-before"].map(customer_id).into(),
        choices: BTreeMap::from([(Purpose::Marketing, false), (Purpose::Profiling, false)]),
    };
    let bob = IdChoices { ids: vec![customer_id("bob")], choices: BTreeMap::from([(Purpose::Profiling, true)]) };
    let eve = IdChoices { ids: vec![customer_id("eve")], choices: BTreeMap::new() };
    let sorted = |mut all: Vec<IdChoices>| {
        all.sort_by(|one, other| one.ids.cmp(&other.ids));
        all
    };
    assert_eq!(sorted(store.all_choices(&a).await.unwrap()), [ann.clone(), bob]);
    let asked = ["ann-before", "eve", "nobody"].map(customer_id);
    assert_eq!(sorted(store.choices(&a, &asked).await.unwrap()), [ann, eve]);
    assert_eq!(store.all_choices(&b).await.unwrap(), []);
    assert_eq!(store.consent(&b, &customer_id("ann")).await.unwrap(), CustomerConsent::default());
}

pub(crate) async fn processes_learn_that_somebody_allows_something_else(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let n_changes = async || store.changes(0).await.unwrap().iter().filter(|one| one.what == Changed::Consent).count();
    let withdrawn = Fact::Consent(told_by_anonymous("visitor", &[(Purpose::Profiling, false)], 5));
    store.append(&a, &[withdrawn.clone(), seen("e1", "bob")], None, at(9)).await.unwrap();
    assert_eq!(n_changes().await, 1);
    store.append(&a, &[withdrawn, seen("e2", "bob")], None, at(9)).await.unwrap();
    assert_eq!(n_changes().await, 1, "nothing was new");
    let who = Who { also: Some(customer_id("visitor")), ..Who::known(customer_id("ann")) };
    store
        .append(&a, &[Fact::Identify(Identify { who, ..identify("unused", json!({}), 1) })], None, at(9))
        .await
        .unwrap();
    assert_eq!(n_changes().await, 2, "what a visitor said holds for the customer they came to be");
}
