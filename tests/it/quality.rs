//! What is wrong with facts is found on the way in, counted once, shown, and dealt with as the workspace says.

use crate::support::Service;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

async fn put(service: &Service, path: &str, body: Value) -> crate::support::Answer {
    service.call(Method::PUT, path, Some(body)).await
}

/// The report's entry of a rule.
async fn rule(service: &Service, code: &str) -> Value {
    let report = service.get("/v1/quality").await.json();
    report["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == code).unwrap().clone()
}

fn order(id: &str, total: f64, time: &str) -> Value {
    let properties = json!({"order_id": id, "total": total, "currency": "USD", "products": [{"product_id": "kettle", "price": total}]});
    json!({"type": "track", "messageId": format!("m-{id}"), "userId": "ann", "event": "Order Completed", "timestamp": time, "properties": properties})
}

#[tokio::test]
async fn what_is_wrong_is_kept_with_a_flag_and_counted_once() {
    let service = Service::new().await;
    let batch = json!({"batch": [
        {"type": "track", "messageId": "m1", "userId": "ann", "event": "Seen", "timestamp": "2970-01-01T00:00:00Z"},
        order("o1", 20.0, "2026-03-01T10:00:00Z"),
        order("o2", 20.0, "2026-03-01T10:00:30Z"),
        order("o3", 20.0, "2026-03-01T11:00:00Z"),
    ]});
    for expected in [4, 0] {
        assert_eq!(service.post("/v1/import", batch.clone()).await.json()["accepted"], expected);
    }
    let future = rule(&service, "future_time").await;
    assert_eq!((&future["flagged"], &future["by_kind"]["event"]["flagged"]), (&json!(1), &json!(1)), "{future}");
    assert_eq!(future["examples"]["event"], json!(["m1"]));
    let repeated = rule(&service, "repeated_order").await;
    assert_eq!((&repeated["flagged"], &repeated["examples"]["order"]), (&json!(1), &json!(["o2"])));
    let events = service.get("/v1/customers/ann/events").await.json();
    assert_eq!(
        events["data"].as_array().unwrap().iter().filter(|event| event["flags"] == json!(["future_time"])).count(),
        1
    );
    let report = service.get("/v1/quality").await.json();
    assert_eq!(report["days"].as_array().unwrap().len(), 1);
    assert!(report["imports"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_workspace_says_what_is_done() {
    let service = Service::new().await;
    let rules = json!({"actions": {"no_words": "reject", "rating_out_of_scale": "mend", "repeated_text": "reject"}, "limits": {"rating_min": 1, "rating_max": 5}});
    assert_eq!(put(&service, "/v1/quality/rules", rules).await.status, StatusCode::OK);
    assert_eq!(service.get("/v1/quality/rules").await.json()["actions"]["no_words"], "reject");
    let refused = service.post("/v1/reviews", json!({"customer_id": "ann", "text": "!!! 12"})).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_field"));
    assert_eq!(refused.json()["errors"][0]["code"], "no_words");
    let words = "a kettle that does what it should";
    let reviews = json!({"reviews": [
        {"review_id": "r1", "customer_id": "ann", "text": words, "rating": 50},
        {"review_id": "r2", "customer_id": "ann", "text": words.to_uppercase()},
        {"review_id": "r3", "customer_id": "bob", "text": words},
        {"review_id": "r4", "customer_id": "bob", "text": "…"},
    ]});
    let taken = service.post("/v1/reviews:batch", reviews).await.json();
    assert_eq!(taken["accepted"], 2);
    let rejected: Vec<_> =
        taken["rejected"].as_array().unwrap().iter().map(|item| (&item["index"], &item["errors"][0]["code"])).collect();
    assert_eq!(rejected, [(&json!(1), &json!("repeated_text")), (&json!(3), &json!("no_words"))]);
    let again = json!({"review_id": "r9", "customer_id": "ann", "text": format!("{words} ")});
    assert_eq!(service.post("/v1/reviews", again).await.json()["errors"][0]["code"], "repeated_text");
    let ann = service.get("/v1/customers/ann").await.json();
    assert_eq!(
        (&ann["reviews"][0]["rating"], &ann["reviews"][0]["flags"]),
        (&json!(5.0), &json!(["rating_out_of_scale"]))
    );
    assert_eq!(rule(&service, "rating_out_of_scale").await["mended"], 1);
    assert_eq!(rule(&service, "repeated_text").await["rejected"], 2);
    let wrong = put(&service, "/v1/quality/rules", json!({"actions": {"no_words": "mend"}})).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.json()["errors"][0]["pointer"], "/actions/no_words");
}

#[tokio::test]
async fn an_import_tells_what_was_found_and_keeps_what_was_left_out_to_be_mended() {
    let service = Service::new().await;
    put(&service, "/v1/quality/rules", json!({"actions": {"ancient_time": "reject"}})).await;
    let rows = "id,who,body,at\nr1,ann,a fine kettle,2026-01-01\nr2,ann,a fine pot,1970-01-01\nr3,bob,?!,2026-01-02\n";
    let path = "/v1/imports?kind=reviews&format=csv&customer=who&text=body&id=id&time=at";
    let dry = service.finished(&service.raw(Method::POST, &format!("{path}&dry_run=true"), rows).await).await;
    let job = service.finished(&service.raw(Method::POST, path, rows).await).await;
    let found = json!([
        {"kind": "review", "rule": "ancient_time", "outcome": "rejected", "n": 1},
        {"kind": "review", "rule": "no_words", "outcome": "flagged", "n": 1},
    ]);
    for result in [&dry["result"], &job["result"]] {
        assert_eq!(
            (&result["rows"], &result["accepted"], &result["rejected"]),
            (&json!(3), &json!(2), &json!(1)),
            "{result}"
        );
        assert_eq!(result["rejected_by_code"], json!({"ancient_time": 1}));
        assert_eq!(result["errors"][0]["line"], 3);
        let mut quality = result["quality"].as_array().unwrap().clone();
        quality.sort_by_key(|one| one["rule"].to_string());
        assert_eq!(Value::Array(quality), found);
    }
    let id = job["id"].as_str().unwrap();
    let rejects = service.get(&format!("/v1/imports/{id}/rejects")).await.text();
    let row: Value = serde_json::from_str(rejects.trim()).unwrap();
    assert_eq!((&row["code"], &row["raw"]), (&json!("ancient_time"), &json!("r2,ann,a fine pot,1970-01-01")));
    let report = service.get("/v1/quality").await.json();
    assert_eq!(report["imports"][0]["job_id"], id);
    assert_eq!(report["imports"][0]["rules"]["ancient_time"]["rejected"], 1);
}

#[tokio::test]
async fn reviews_have_a_language_and_are_found_by_it() {
    let service = Service::new().await;
    let reviews = json!({"reviews": [
        {"review_id": "r1", "customer_id": "ann", "text": "这个水壶很好用"},
        {"review_id": "r2", "customer_id": "ann", "text": "the lid does not close and it leaks"},
        {"review_id": "r3", "customer_id": "bob", "text": "ok", "language": "nl-BE"},
        {"review_id": "r4", "customer_id": "bob", "text": "很好"},
    ]});
    assert_eq!(service.post("/v1/reviews:batch", reviews).await.json()["accepted"], 4);
    for (language, expected) in [("zh", &["r1", "r4"][..]), ("en", &["r2"]), ("nl", &["r3"]), ("fr", &[])] {
        let page = service.get(&format!("/v1/reviews?language={language}")).await.json();
        let ids: Vec<_> =
            page["data"].as_array().unwrap().iter().map(|review| review["review_id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{language}");
    }
    let page = service.get("/v1/reviews?limit=3").await.json();
    assert_eq!((&page["data"][2]["language"], &page["data"][2]["language_confidence"]), (&json!("nl"), &json!(1.0)));
    let next =
        service.get(&format!("/v1/reviews?limit=3&cursor={}", page["next_cursor"].as_str().unwrap())).await.json();
    assert_eq!(next["data"][0]["review_id"], "r4");
    assert_eq!(service.get("/v1/reviews?language=klingon").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn amounts_are_shown_in_the_base_currency_whenever_the_table_came() {
    let service = Service::new().await;
    assert_eq!(service.get("/v1/currencies").await.code(), "not_found");
    service.post("/v1/import", json!({"batch": [order("o1", 20.0, "2026-03-01T10:00:00Z")]})).await;
    let table = json!({"base": "CNY", "rates": [{"currency": "USD", "from": "2026-01-01", "rate": "7.11"}]});
    assert_eq!(put(&service, "/v1/currencies", table).await.status, StatusCode::OK);
    let orders = service.get("/v1/customers/ann/orders").await.json();
    let order_shown = &orders["data"][0];
    assert_eq!(order_shown["total"], json!({"minor": 2000, "currency": "USD"}));
    assert_eq!(order_shown["total_in_base"], json!({"minor": 14220, "currency": "CNY"}));
    service.post("/v1/import", json!({"batch": [order("o0", 20.0, "2025-12-01T10:00:00Z")]})).await;
    assert_eq!(rule(&service, "no_rate").await["examples"]["order"], json!(["o0"]));
    let wrong = put(
        &service,
        "/v1/currencies",
        json!({"base": "CNY", "rates": [{"currency": "CNY", "from": "2026-01-01", "rate": 1}]}),
    )
    .await;
    assert_eq!(wrong.json()["errors"][0]["pointer"], "/rates/0/currency");
}

#[tokio::test]
async fn a_dry_run_changes_nothing_of_what_is_usual() {
    let service = Service::new().await;
    let calls: Vec<Value> =
        (0..250).map(|i| order(&format!("o{i}"), 20.0 + f64::from(i % 7), "2026-03-01T10:00:00Z")).collect();
    assert_eq!(service.post("/v1/import", json!({ "batch": calls })).await.json()["accepted"], 250);
    let rows = (0..2_100).fold(String::from("order,who,sku,price,currency\n"), |rows, i| {
        rows + &format!("d{i},bob,pot,9000{}.00,USD\n", i % 10)
    });
    let path =
        "/v1/imports?kind=orders&format=csv&id=order&customer=who&item=sku&price=price&currency=currency&dry_run=true";
    let job = service.finished(&service.raw(Method::POST, path, rows).await).await;
    assert_eq!(job["result"]["accepted"], 2_100, "{job}");
    let dear = json!({"batch": [order("dear", 90_000.0, "2026-03-02T10:00:00Z")]});
    assert_eq!(service.post("/v1/import", dear).await.json()["accepted"], 1);
    let outlying = rule(&service, "outlying_amount").await;
    assert_eq!(outlying["examples"]["order"], json!(["dear"]), "{outlying}");
}
