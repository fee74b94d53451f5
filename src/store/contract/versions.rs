//! Versions: published whole or not at all, and read back as they were.

use super::samples::*;
use super::{Place, for_all, reopened};
use crate::domain::{CustomerId, Fact, Membership, SegmentId, Version, VersionState, WorkspaceId};
use crate::store::{MembersQuery, Store, StoreError};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

/// A workspace with a segmentation and these customers.
async fn prepared(store: &dyn Store, id: &str, customers: &[&str]) -> WorkspaceId {
    let workspace = workspace(store, id).await;
    store.put_segmentation(&workspace, &segmentation("needs")).await.unwrap();
    let facts: Vec<_> = customers.iter().map(|id| Fact::Identify(identify(id, json!({}), 1))).collect();
    store.append(&workspace, &facts, None, at(1)).await.unwrap();
    workspace
}

async fn members(store: &dyn Store, workspace: &WorkspaceId, number: u32) -> Vec<Membership> {
    let all = MembersQuery { segment: None, after: None, limit: 1000 };
    store.members(workspace, &name("needs"), number, all).await.unwrap()
}

pub(crate) async fn a_version_comes_back_as_it_was_published(place: &dyn Place) {
    let store = place.open().await;
    let a = prepared(&*store, "a", &["c1", "c2"]).await;
    let bits = proptest::collection::vec(any::<u32>(), 4..5);
    let numbers = (bits, proptest::num::f64::NORMAL, proptest::num::f64::SUBNORMAL, 0.0..1.0_f64);
    for_all(32, numbers, |run, (bits, wide, tiny, share)| {
        let (store, a) = (&*store, &a);
        async move {
            let memberships = [Membership { confidence: share, ..membership("c1", 1) }, membership("c2", 2)];
            let mut published = version("needs", run);
            published.centroids = bits.iter().map(|bits| f32::from_bits(*bits)).collect();
            published.temperature = tiny;
            published.quality.inertia = wide;
            published.segments[0].share = share;
            published.segments[0].keywords[0].score = wide;
            store.publish(a, &published, &memberships).await.unwrap();
            let mut read = store.version(a, &name("needs"), run).await.unwrap().unwrap();
            let as_bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(as_bits(&read.centroids), bits);
            assert_eq!(as_bits(&read.centre), as_bits(&published.centre));
            // Compared by their bits already: a number that is none differs from itself.
            read.centroids = vec![0.0; 4];
            published.centroids.clone_from(&read.centroids);
            assert_eq!(read, Version { state: VersionState::Live, ..published });
            assert_eq!(members(store, a, run).await, memberships);
        }
    });
}

pub(crate) async fn publishing_moves_the_live_version_in_one_step(place: &dyn Place) {
    let store = place.open().await;
    let a = prepared(&*store, "a", &["c1"]).await;
    store.put_segmentation(&a, &segmentation("other")).await.unwrap();
    store.publish(&a, &version("other", 1), &[]).await.unwrap();
    for number in 1..=3 {
        let claims = Version { state: VersionState::Retired, ..version("needs", number) };
        store.publish(&a, &claims, &[membership("c1", 1)]).await.unwrap();
        assert_eq!(store.segmentation(&a, &name("needs")).await.unwrap().unwrap().live_version, Some(number));
        let states: Vec<_> =
            store.versions(&a, &name("needs")).await.unwrap().into_iter().map(|v| (v.number, v.state)).collect();
        let state = |n| if n == number { VersionState::Live } else { VersionState::Retired };
        assert_eq!(states, (1..=number).rev().map(|n| (n, state(n))).collect::<Vec<_>>());
    }
    let store = reopened(place, store).await;
    assert_eq!(members(&*store, &a, 1).await, [membership("c1", 1)], "a retired version keeps its members");
    let versions = store.versions(&a, &name("needs")).await.unwrap();
    assert!(versions.iter().all(|version| version.segments.len() == 2));
    let untouched = store.version(&a, &name("other"), 1).await.unwrap().unwrap();
    assert_eq!(untouched.state, VersionState::Live);
    assert_eq!(store.version(&a, &name("needs"), 4).await.unwrap(), None);
    assert_eq!(store.versions(&a, &name("unknown")).await.unwrap(), []);
}

pub(crate) async fn publications_grow_with_every_publish(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.publications().await.unwrap(), 0);
    let (a, b) = (prepared(&*store, "a", &["c1"]).await, prepared(&*store, "b", &[]).await);
    store.put_segmentation(&a, &segmentation("other")).await.unwrap();
    let mut seen = store.publications().await.unwrap();
    for (workspace, of, number) in [(&a, "needs", 1), (&b, "needs", 1), (&a, "other", 1), (&a, "needs", 2)] {
        store.publish(workspace, &version(of, number), &[]).await.unwrap();
        let now = store.publications().await.unwrap();
        assert!(now > seen, "{of} {number}: {seen} became {now}");
        seen = now;
        // What publishes nothing leaves it.
        store.publish(workspace, &version(of, number), &[]).await.unwrap_err();
        store.put_segmentation(workspace, &segmentation(of)).await.unwrap();
        assert_eq!(store.publications().await.unwrap(), seen);
    }
    let store = reopened(place, store).await;
    assert_eq!(store.publications().await.unwrap(), seen);
}

pub(crate) async fn a_version_out_of_turn_is_a_conflict_and_changes_nothing(place: &dyn Place) {
    let store = place.open().await;
    let a = prepared(&*store, "a", &["c1"]).await;
    for (published, refused) in [(1, [0, 2, u32::MAX]), (2, [0, 1, 3])] {
        for number in refused.into_iter().filter(|number| *number != published) {
            let before = everything(&*store, &a).await;
            let outcome = store.publish(&a, &version("needs", number), &[membership("c1", 1)]).await;
            assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{number} gave {outcome:?}");
            assert_eq!(everything(&*store, &a).await, before);
        }
        store.publish(&a, &version("needs", published), &[membership("c1", 1)]).await.unwrap();
    }
}

pub(crate) async fn publishing_what_refers_to_nothing_is_missing_and_changes_nothing(place: &dyn Place) {
    let store = place.open().await;
    let a = prepared(&*store, "a", &["c1", "c2"]).await;
    prepared(&*store, "b", &["only-in-b"]).await;
    store.publish(&a, &version("needs", 1), &[membership("c1", 1)]).await.unwrap();
    let before = everything(&*store, &a).await;
    let stranger = Membership { runner_up: Some(SegmentId(9)), ..membership("c2", 1) };
    let cases = [
        ("customer", "needs", vec![membership("c1", 1), membership("nobody", 1)]),
        ("customer", "needs", vec![membership("only-in-b", 1)]),
        ("segment", "needs", vec![membership("c1", 1), membership("c2", 9)]),
        ("segment", "needs", vec![membership("c1", 1), stranger]),
        ("segmentation", "unknown", vec![]),
    ];
    for (lacks, of, memberships) in cases {
        let outcome = store.publish(&a, &version(of, 2), &memberships).await;
        assert!(matches!(outcome, Err(StoreError::Missing(what)) if what == lacks), "{lacks}: {outcome:?}");
        assert_eq!(everything(&*store, &a).await, before, "{lacks}");
    }
    let twice = store.publish(&a, &version("needs", 2), &[membership("c1", 1), membership("c1", 2)]).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
    let mut endless = version("needs", 2);
    endless.quality.davies_bouldin = f64::INFINITY;
    let endless = store.publish(&a, &endless, &[]).await;
    assert!(matches!(endless, Err(StoreError::Conflict(_))), "{endless:?}");
    assert_eq!(everything(&*store, &a).await, before);
    store.publish(&a, &version("needs", 2), &[membership("c2", 1)]).await.unwrap();
}

pub(crate) async fn members_come_in_byte_order_in_pages(place: &dyn Place) {
    let store = place.open().await;
    // 0: a customer who is no member.
    let customers = proptest::collection::btree_map("[a-cé語]{1,3}", 0..3_u32, 0..20);
    for_all(32, (customers, "[a-cé語]{1,3}", 1..5_usize), |run, (customers, start, limit)| {
        let store = &*store;
        async move {
            let ids: Vec<_> = customers.keys().map(String::as_str).collect();
            let workspace = prepared(store, &format!("w{run}"), &ids).await;
            let of: BTreeMap<_, _> = customers.iter().filter(|(_, segment)| **segment > 0).collect();
            let memberships: Vec<_> = of.iter().rev().map(|(id, segment)| membership(id, **segment)).collect();
            store.publish(&workspace, &version("needs", 1), &memberships).await.unwrap();
            for segment in [None, Some(1), Some(2), Some(3)] {
                // From the beginning, and from an id that may be a member's, another customer's or nobody's.
                for start in [None, Some(customer_id(&start))] {
                    let is_asked = |id: &str, of: u32| {
                        segment.is_none_or(|segment| segment == of)
                            && start.as_ref().is_none_or(|start| id > start.as_str())
                    };
                    let expected: Vec<_> =
                        of.iter().filter(|(id, of)| is_asked(id, ***of)).map(|(id, of)| membership(id, **of)).collect();
                    let mut seen: Vec<Membership> = Vec::new();
                    loop {
                        let after: Option<CustomerId> = seen.last().map(|last| last.customer.clone()).or(start.clone());
                        let query = MembersQuery { segment: segment.map(SegmentId), after: after.as_ref(), limit };
                        let page = store.members(&workspace, &name("needs"), 1, query).await.unwrap();
                        assert_eq!(page.len(), limit.min(expected.len() - seen.len()), "{query:?}");
                        if page.is_empty() {
                            break;
                        }
                        seen.extend(page);
                    }
                    assert_eq!(seen, expected);
                }
            }
            assert_eq!(members(store, &workspace, 2).await, []);
        }
    });
}
