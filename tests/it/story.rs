//! The main job from end to end over the real router: reviews in, segments out, on every kind of store.

use crate::support::{Service, review};
use axum::http::{Method, StatusCode, header};
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// Each story is played on the embedded store and on PostgreSQL.
macro_rules! stories {
    ($($story:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Service::new().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $story() {
                match crate::support::Schema::make().await {
                    Some(schema) => super::$story(super::Service::on(&schema).await).await,
                    None => println!("skipped: {}: there is no PostgreSQL; `tools/postgres run` starts one", stringify!($story)),
                }
            })*
        }
    };
}

stories! {
    reviews_become_named_segments_that_can_be_looked_up_listed_exported_and_asked,
    the_same_facts_and_seed_give_the_same_segments_and_ids_stay_across_versions,
    k_is_chosen_when_it_is_not_given_and_what_was_tried_is_kept,
    a_review_sent_twice_is_one_and_an_edited_one_replaces_the_older,
    segment_calls_make_customers_with_traits_and_events,
    a_look_up_that_has_not_changed_costs_no_body,
    many_customers_are_looked_up_in_one_call,
}

async fn reviews_become_named_segments_that_can_be_looked_up_listed_exported_and_asked(service: Service) {
    service.with_customers(90).await;
    let job = service.fit("needs", json!({ "k": 3 })).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["result"]["n_customers"], 90);

    // The three kinds are three segments of thirty, each with a name of its own.
    let segments = service.get("/v1/segmentations/needs/segments").await.json();
    let segments = segments["data"].as_array().unwrap();
    assert_eq!(segments.iter().map(|s| s["size"].as_u64().unwrap()).collect::<Vec<_>>(), [30, 30, 30]);
    let names: HashSet<_> = segments.iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for segment in segments {
        assert_eq!(segment["typical_reviews"].as_array().unwrap().len(), 3);
        assert!(!segment["keywords"].as_array().unwrap().is_empty());
    }

    // Customers of one kind are in one segment, and their neighbours in another.
    let mut segment_of_kind: HashMap<usize, String> = HashMap::new();
    for i in 0..90 {
        let found = service.get(&format!("/v1/customers/c{i:04}/segments")).await.json();
        let place = &found["data"][0];
        assert_eq!((place["segmentation"].as_str(), place["version"].as_u64()), (Some("needs"), Some(1)));
        let confidence = place["confidence"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&confidence));
        assert!(place["runner_up"]["confidence"].as_f64().unwrap() <= confidence);
        let segment = place["segment_id"].as_str().unwrap().to_owned();
        assert_eq!(segment_of_kind.entry(i % 3).or_insert(segment.clone()), &segment);
    }
    assert_eq!(segment_of_kind.values().collect::<HashSet<_>>().len(), 3);

    // A text that is not stored lands where its like are.
    let asked =
        service.post("/v1/segmentations/needs/assign", json!({ "text": "soil and compost for tomato seeds" })).await;
    assert_eq!(asked.json()["data"][0]["segment_id"].as_str(), Some(segment_of_kind[&2].as_str()));

    // Paging through the members gives what the whole download gives.
    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = service.get(&format!("/v1/segmentations/needs/members?limit=7{cursor}")).await.json();
        for member in page["data"].as_array().unwrap() {
            paged.push((
                member["customer_id"].as_str().unwrap().to_owned(),
                member["segment_id"].as_str().unwrap().to_owned(),
            ));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let csv = service.get("/v1/segmentations/needs/members?format=csv").await;
    assert_eq!(csv.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let mut reader = csv::Reader::from_reader(&csv.bytes[..]);
    assert_eq!(reader.headers().unwrap(), vec!["customer", "segment_id", "segment", "confidence"]);
    let rows: Vec<_> = reader.records().map(|r| r.unwrap()).map(|r| (r[0].to_owned(), r[1].to_owned())).collect();
    assert_eq!(paged, rows);
    let ndjson = service.get("/v1/segmentations/needs/members?format=ndjson&segment=s1").await.text();
    assert_eq!(ndjson.lines().count(), 30);
}

async fn the_same_facts_and_seed_give_the_same_segments_and_ids_stay_across_versions(service: Service) {
    service.with_customers(60).await;
    service.fit("needs", json!({ "k": 3, "seed": 5 })).await;
    let first = service.get("/v1/segmentations/needs/members?format=ndjson").await.text();
    let since = service.get("/v1/customers/c0000/segments").await.json()["data"][0]["since"].clone();
    let again = service.fit("needs", json!({ "seed": 5 })).await;
    assert_eq!(again["result"]["version"], 2);
    assert_eq!(again["result"]["n_embedded"], 0, "vectors are kept");
    assert_eq!(service.get("/v1/segmentations/needs/members?format=ndjson").await.text(), first);
    let now = service.get("/v1/customers/c0000/segments").await.json()["data"][0].clone();
    assert_eq!(
        (now["since"].clone(), now["version"].as_u64()),
        (since, Some(2)),
        "who stays has been there since then"
    );

    // Another seed may number the clusters otherwise; the groups are the same, and so are their ids.
    service.fit("needs", json!({ "seed": 6 })).await;
    assert_eq!(ids(&service.get("/v1/segmentations/needs/members?format=ndjson").await.text()), ids(&first));
    let versions = service.get("/v1/segmentations/needs/versions").await.json();
    let states: Vec<_> =
        versions["data"].as_array().unwrap().iter().map(|v| v["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["live", "retired", "retired"]);
}

fn ids(ndjson: &str) -> Vec<(String, String)> {
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    ndjson
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|row| (text(&row, "customer"), text(&row, "segment_id")))
        .collect()
}

async fn k_is_chosen_when_it_is_not_given_and_what_was_tried_is_kept(service: Service) {
    service.with_customers(120).await;
    let job = service.fit("needs", json!({})).await;
    assert_eq!(job["result"]["k"], 3, "{job}");
    let version = service.get("/v1/segmentations/needs/versions/1").await.json();
    assert!(version["quality"]["candidates"].as_array().unwrap().len() > 3);
    for figure in ["silhouette", "davies_bouldin", "calinski_harabasz", "largest_share", "stability", "inertia"] {
        assert!(version["quality"][figure].as_f64().unwrap().is_finite(), "{figure}");
    }
}

async fn a_review_sent_twice_is_one_and_an_edited_one_replaces_the_older(service: Service) {
    assert_eq!(service.post("/v1/reviews", review(1)).await.status, StatusCode::CREATED);
    let again = service.post("/v1/reviews", review(1)).await;
    assert_eq!((again.status, again.json()["duplicate"].as_u64()), (StatusCode::OK, Some(1)));
    let mut edited = review(1);
    edited["text"] = "entirely new words".into();
    assert_eq!(service.post("/v1/reviews", edited).await.json()["accepted"], 1);
    let customer = service.get("/v1/customers/c0001").await.json();
    assert_eq!(customer["n_reviews"], 1);
    assert_eq!(customer["reviews"][0]["text"], "entirely new words");
}

async fn segment_calls_make_customers_with_traits_and_events(service: Service) {
    let calls = json!({ "batch": [
        { "type": "identify", "messageId": "m1", "userId": "ann", "traits": { "country": "NZ" }, "timestamp": "2026-01-02T03:04:05Z" },
        { "type": "track", "messageId": "m2", "userId": "ann", "event": "Order Completed", "properties": { "total": 12.5 } },
        { "type": "track", "messageId": "m2", "userId": "ann", "event": "Order Completed", "properties": { "total": 12.5 } },
        { "type": "track", "userId": "ann" },
    ] });
    let taken = service.post("/v1/batch", calls).await.json();
    assert_eq!((taken["accepted"].as_u64(), taken["duplicate"].as_u64()), (Some(2), Some(1)), "{taken}");
    assert_eq!(taken["rejected"][0]["index"], 3);
    let ann = service.get("/v1/customers/ann").await.json();
    assert_eq!((ann["traits"]["country"].as_str(), ann["n_events"].as_u64()), (Some("NZ"), Some(1)));
    // Known, but in no segment: an empty list, not an error.
    assert_eq!(service.get("/v1/customers/ann/segments").await.json()["data"], json!([]));
}

async fn a_look_up_that_has_not_changed_costs_no_body(service: Service) {
    service.with_customers(30).await;
    service.fit("needs", json!({ "k": 3 })).await;
    let first = service.get("/v1/customers/c0001/segments").await;
    let tag = first.headers[header::ETAG].clone();
    let request = axum::http::Request::builder()
        .method(Method::GET)
        .uri("/v1/customers/c0001/segments")
        .header(header::IF_NONE_MATCH, &tag)
        .extension(clientele::api::LocalOperator(service.workspace.clone()))
        .body(axum::body::Body::empty())
        .unwrap();
    let second = service.send(request).await;
    assert_eq!((second.status, second.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
}

async fn many_customers_are_looked_up_in_one_call(service: Service) {
    service.with_customers(30).await;
    service.fit("needs", json!({ "k": 3 })).await;
    let ask = json!({ "customer_ids": ["c0001", "nobody", "c0002"] });
    let found = service.post("/v1/customers/segments:batch", ask).await.json();
    assert_eq!(found["not_found"], json!(["nobody"]));
    let ids: Vec<_> = found["data"].as_array().unwrap().iter().map(|c| c["customer_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["c0001", "c0002"]);
}
