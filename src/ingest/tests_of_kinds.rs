//! Customers, events and orders: laws, tables of bad rows, and real files to the last row.

use super::tests::{outcome, over, read, reading, resumed_anywhere_is_the_same, source};
use super::tests_of_parquet::{from_file, written_as_parquet};
use super::*;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::sync::Arc;

/// A mapping from `role=column` pairs.
fn mapping(pairs: &str) -> Mapping {
    let fields: Map<String, Value> = pairs
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .map(|(role, column)| (role.to_owned(), Value::from(column)))
        .collect();
    serde_json::from_value(Value::Object(fields)).unwrap()
}

fn facts(rows: &[Row]) -> Vec<&Fact> {
    rows.iter().map(|row| row.fact.as_ref().unwrap()).collect()
}

fn properties(row: &Row) -> Value {
    match &row.fact {
        Ok(Fact::Event(event)) => Value::Object(event.properties.clone()),
        Ok(Fact::Identify(identify)) => Value::Object(identify.traits.clone()),
        other => panic!("line {}: {other:?}", row.line),
    }
}

/// A name for what makes a fact another one.
fn id(row: &Row) -> String {
    match &row.fact {
        Ok(Fact::Event(event)) => event.id.to_string(),
        Ok(fact) => format!("{fact:?}"),
        Err(error) => error.to_string(),
    }
}

/// A row of what a shop keeps, few enough values that rows are equal now and then.
fn bought() -> impl Strategy<Value = (String, i64, i64)> {
    ("[ab]", 0_i64..3, 0_i64..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_rows_are_the_same_facts_in_every_format(rows in prop::collection::vec(bought(), 1..25), group_rows in 1_usize..9) {
        let mut csv = String::from("who,amount,n\n");
        let mut ndjson = String::new();
        for (who, cents, n) in &rows {
            let amount = *cents as f64 / 4.0;
            csv.push_str(&format!("{who},{amount:.2},{n}\n"));
            ndjson.push_str(&format!("{}\n", json!({"who": who, "amount": amount, "n": n})));
        }
        let columns: [(&str, ArrayRef); 3] = [
            ("who", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.0)))),
            ("amount", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.1 as f64 / 4.0)))),
            ("n", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)))),
        ];
        let parquet = written_as_parquet(&RecordBatch::try_from_iter(columns).unwrap(), group_rows);
        for (kind, map) in [
            (Kind::Orders, "customer=who total=amount"),
            (Kind::Orders, "customer=who item=n price=amount"),
            (Kind::Events, "customer=who event_name=Bought"),
            (Kind::Customers, "customer=who"),
            (Kind::Customers, ""),
        ] {
            let map = mapping(map);
            let from_csv = read(csv.as_bytes(), &source(kind, Format::Csv, map.clone()));
            prop_assert_eq!(from_csv.len(), rows.len());
            let from_ndjson = read(ndjson.as_bytes(), &source(kind, Format::Ndjson, map.clone()));
            prop_assert_eq!(&facts(&from_ndjson), &facts(&from_csv));
            let from_parquet = from_file(&parquet, &source(kind, Format::Parquet, map.clone()), Position::default()).unwrap();
            prop_assert_eq!(&facts(&from_parquet), &facts(&from_csv));
            if kind != Kind::Customers {
                prop_assert_eq!(from_csv.iter().map(id).collect::<HashSet<_>>().len(), rows.len(), "each an id of its own");
            }
            let at = rows.len() / 2;
            let rest = from_file(&parquet, &source(kind, Format::Parquet, map), from_parquet[at].next).unwrap();
            prop_assert_eq!(&rest[..], &from_parquet[at + 1..]);
        }
    }

    #[test]
    fn reading_goes_on_after_any_order(lines in prop::collection::vec(("[12]", "[ab]?", "[1-3]|x"), 1..20)) {
        let mut csv = String::from("order,who,sku,price\n");
        for (order, who, price) in &lines {
            csv.push_str(&format!("{order},{who},s,{price}\n"));
        }
        let by_line = source(Kind::Orders, Format::Csv, mapping("id=order customer=who item=sku price=price"));
        let rows = read(csv.as_bytes(), &by_line);
        prop_assert_eq!(rows.iter().map(|row| row.n_rows).sum::<u64>(), lines.len() as u64);
        for (i, row) in rows.iter().enumerate() {
            let rest: Vec<Row> = over(csv.as_bytes(), &by_line, row.next).unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(&rest[..], &rows[i + 1..]);
        }
        let without = source(Kind::Events, Format::Csv, mapping("customer=who event=order"));
        resumed_anywhere_is_the_same(csv.as_bytes(), &without)?;
    }
}

#[test]
fn lines_that_follow_each_other_are_one_order() {
    let csv = b"order,who,at,sku,n,each,off\n1,ann,2026-01-31,a,2,$1.50,0.5\n1,,,b,,3,\n2,bob,2026-02-01,a,1,1.5,\n";
    let map = mapping("id=order customer=who time=at item=sku quantity=n price=each discount=off currency_code=USD");
    let rows = read(csv, &source(Kind::Orders, Format::Csv, map));
    assert_eq!(rows.iter().map(|row| (row.line, row.n_rows)).collect::<Vec<_>>(), [(2, 2), (4, 1)]);
    let expected = json!({"order_id": "1", "currency": "USD", "discount": "0.5",
        "products": [{"product_id": "a", "quantity": 2, "price": "1.5"}, {"product_id": "b", "price": "3"}]});
    assert_eq!(properties(&rows[0]), expected);
    assert_eq!(properties(&rows[1])["order_id"], "2");
}

#[test]
fn lines_may_come_as_json_within_the_order() {
    let map = mapping("id=order customer=who total=sum lines=lines");
    let line = json!({"order": 7, "who": "ann", "sum": 4.5, "lines": [{"item": "a", "quantity": 3, "price": 1.5}]});
    let rows = read(line.to_string().as_bytes(), &source(Kind::Orders, Format::Ndjson, map.clone()));
    let csv = "order,who,sum,lines\n7,ann,4.50,\"[{\"\"item\"\":\"\"a\"\",\"\"quantity\"\":3,\"\"price\"\":1.5}]\"\n";
    assert_eq!(facts(&read(csv.as_bytes(), &source(Kind::Orders, Format::Csv, map))), facts(&rows));
    assert_eq!(properties(&rows[0])["products"], json!([{"product_id": "a", "quantity": 3, "price": 1.5}]));
}

#[test]
fn bad_orders_are_told_and_lost_whole() {
    let map = mapping("id=order customer=who time=at total=sum currency=money item=sku quantity=n price=each");
    for (line, column, code, why) in [
        ("1,,2026-01-31,5,EUR,a,1,5", Some("who"), "missing_field", "nobody bought it"),
        ("1,ann,31.1.2026,5,EUR,a,1,5", Some("at"), "invalid_time", "which is the month?"),
        ("1,ann,,five,EUR,a,1,5", Some("sum"), "invalid_amount", "a total in words"),
        ("1,ann,,-5,EUR,a,1,5", Some("sum"), "invalid_amount", "a refund is no order"),
        ("1,ann,,5,$,a,1,5", Some("money"), "invalid_currency", "whose dollar?"),
        ("1,ann,,5,EUR,a,1.5,5", Some("n"), "invalid_amount", "half a piece"),
        ("1,ann,,5,EUR,a,0,5", Some("n"), "invalid_amount", "nothing bought"),
        ("1,ann,,5,EUR,a,1,cheap", Some("each"), "invalid_amount", "a price in words"),
        ("1,ann,,,EUR,a,1,", Some("sum"), "missing_field", "no total and no price"),
        ("1,ann,,5,EUR,a,1,5\n1,bob,,,,b,1,5", Some("who"), "conflicting_line", "two customers"),
        ("1,ann,,5,EUR,a,1,5\n1,ann,,6,,b,1,5", Some("sum"), "conflicting_line", "two totals"),
        ("1,ann,,5,EUR,a,1,5\n1,ann,,,USD,b,1,5", Some("money"), "conflicting_line", "two currencies"),
    ] {
        let csv = format!("order,who,at,sum,money,sku,n,each\n{line}\n2,ann,,5,EUR,a,1,5\n");
        let rows = read(csv.as_bytes(), &source(Kind::Orders, Format::Csv, map.clone()));
        assert_eq!(outcome(&rows).len(), 2, "{why}");
        let error = rows[0].fact.clone().unwrap_err();
        assert_eq!((error.column.as_deref(), error.code), (column, code), "{why}: {error}");
        assert_eq!(rows[0].n_rows, line.lines().count() as u64, "{why}");
        assert!(rows[1].fact.is_ok(), "{why}");
    }
}

#[test]
fn a_catalogue_is_read_with_prices_that_are_none_as_attributes() {
    let csv = b"sku,title,kind,cost,colour\na,Lamp,Light,\"$1,299.50\",red\nb,Bulb,Light,on request,\n,Dim,Light,1,\n";
    let map = mapping("id=sku name=title category=kind price=cost currency_code=USD");
    let rows = read(csv, &source(Kind::Items, Format::Csv, map));
    let item = |row: &Row| match &row.fact {
        Ok(Fact::Item(item)) => item.clone(),
        other => panic!("{other:?}"),
    };
    let (lamp, bulb) = (item(&rows[0]), item(&rows[1]));
    assert_eq!((lamp.id.as_str(), lamp.name.as_deref(), lamp.price_minor), ("a", Some("Lamp"), Some(129_950)));
    assert_eq!(
        (lamp.currency.map(|c| c.as_str().to_owned()), lamp.category.as_deref()),
        (Some("USD".into()), Some("Light"))
    );
    assert_eq!(Value::Object(lamp.attributes), json!({"colour": "red"}));
    assert_eq!((bulb.price_minor, Value::Object(bulb.attributes)), (None, json!({"cost": "on request"})));
    let error = rows[2].fact.clone().unwrap_err();
    assert_eq!((error.column.as_deref(), error.code), (Some("sku"), "missing_field"));
    let unnamed = source(Kind::Items, Format::Csv, mapping("name=title category=kind"));
    let rows = read(b"title,kind\nLamp,Light\nLamp,Light\nLamp,Other\n", &unnamed);
    assert_eq!(item(&rows[0]).id, item(&rows[1]).id);
    assert_ne!(item(&rows[0]).id, item(&rows[2]).id);
    assert_eq!(mapping("price=a").check(Kind::Items, Format::Csv).unwrap_err().code(), "missing_mapping");
}

#[test]
fn columns_without_a_role_are_traits_of_their_type() {
    let csv = b"account,plan,seats,since,active,zip\n7,pro,12,2026-01-31,true,01234\n8,,3,2026-02-01,false,98765\n";
    let rows = read(csv, &source(Kind::Customers, Format::Csv, mapping("customer=account")));
    let expected = json!({"plan": "pro", "seats": 12, "since": "2026-01-31", "active": true, "zip": "01234"});
    assert_eq!(properties(&rows[0]), expected);
    assert_eq!(properties(&rows[1]), json!({"seats": 3, "since": "2026-02-01", "active": false, "zip": "98765"}));
}

#[test]
fn mappings_that_lack_something_are_refused() {
    for (kind, format, map, code, why) in [
        (Kind::Reviews, Format::Csv, "customer=a", "missing_mapping", "no text"),
        (Kind::Events, Format::Csv, "", "missing_mapping", "CSV holds no calls"),
        (Kind::Events, Format::Parquet, "customer=a", "missing_mapping", "no event"),
        (Kind::Events, Format::Ndjson, "event=a", "missing_mapping", "nobody"),
        (Kind::Orders, Format::Csv, "total=a", "missing_mapping", "nobody"),
        (Kind::Orders, Format::Csv, "customer=a", "missing_mapping", "no amount"),
        (Kind::Orders, Format::Csv, "customer=a price=b", "missing_mapping", "a price of nothing"),
        (Kind::Orders, Format::Csv, "customer=a total=b currency_code=Euro", "invalid_mapping", "no currency"),
    ] {
        assert_eq!(mapping(map).check(kind, format).unwrap_err().code(), code, "{why}");
    }
    let twice = source(Kind::Customers, Format::Csv, mapping("customer=a"));
    assert_eq!(over(b"a,b,b\n1,2,3\n", &twice, Position::default()).err().map(|e| e.code()), Some("repeated_column"));
}

#[test]
fn real_files_are_read_to_the_last_row() {
    for (file, kind, map, n_rows, n_ids) in [
        (
            "tx_cdnow/transactions.csv",
            Kind::Orders,
            "customer=customer_id time=date total=dollar_value",
            69_659,
            69_659,
        ),
        (
            "click_ecom_synthetic/events.csv.gz",
            Kind::Events,
            "customer=user_id event=event time=timestamp",
            31_106,
            31_106,
        ),
        ("edu_insteval/ratings.csv.gz", Kind::Events, "customer=student event_name=Rated", 73_421, 73_421),
        ("en_electronics_catalog/items.csv", Kind::Items, "name=Title price=Price currency_code=USD", 643, 0),
        ("cust_telco_churn/customers.csv", Kind::Customers, "", 7_043, 7_043),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(file);
        if !path.exists() {
            println!("skipped: {} is missing", path.display());
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        unpack(&path, &plain, &UnpackLimits { keep_free_bytes: 0, ..UnpackLimits::default() }, &mut |_| true).unwrap();
        let given = Source { path: plain, kind, format: Format::Csv, mapping: Some(mapping(map)) };
        let rows: Vec<Row> = open(&given, Position::default(), reading()).unwrap().map(Result::unwrap).collect();
        let bad = rows.iter().filter_map(|row| row.fact.as_ref().err()).next();
        assert_eq!((rows.len(), bad), (n_rows, None), "{file}");
        let n_different = rows.iter().map(id).collect::<HashSet<_>>().len();
        assert!(n_ids == 0 || n_different == n_ids, "{file}: {n_different}");
        let middle = n_rows / 2;
        let rest: Vec<Row> = open(&given, rows[middle].next, reading()).unwrap().map(Result::unwrap).collect();
        assert_eq!(rest[..], rows[middle + 1..], "{file}");
    }
}

#[test]
fn a_row_may_say_a_mebibyte_and_no_more() {
    let source = source(Kind::Customers, Format::Csv, mapping("customer=who"));
    let text = |n: usize| format!("who,note\na,{}\nb,short\n", "x".repeat(n));
    assert_eq!(outcome(&read(text(1_000_000).as_bytes(), &source)), [(2, ""), (3, "")]);
    let rows = read(text(1_100_000).as_bytes(), &source);
    assert_eq!(outcome(&rows), [(2, "too_large"), (3, "")]);
    assert!(rows[0].fact.as_ref().unwrap_err().message.contains("at most 1048576"));
}
