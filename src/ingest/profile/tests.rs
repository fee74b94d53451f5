//! What holds of every profile, and tables of columns, problems and proposals.

use super::super::{Kind, Position, Reading, Source, Vocabulary};
use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::io::Cursor;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::constant(1_790_000_000, 0);

fn profile(bytes: &[u8], format: Format) -> Result<Profile, IngestError> {
    let input = Box::new(Cursor::new(bytes.to_vec()));
    let mut profiler = Profiler::over(input, Path::new("given"), format, &Mapping::default(), NOW)?;
    while profiler.read(7)?.is_some() {}
    Ok(profiler.finish())
}

fn csv(text: &str) -> Profile {
    profile(text.as_bytes(), Format::Csv).unwrap()
}

fn column<'a>(profile: &'a Profile, name: &str) -> &'a ColumnProfile {
    profile.columns.iter().find(|column| column.name == name).unwrap()
}

/// A file of one column, with each cell in quotes.
fn one_column(name: &str, cells: impl IntoIterator<Item = String>) -> Profile {
    let cells: String = cells.into_iter().map(|cell| format!("\"{cell}\",x\n")).collect();
    csv(&format!("{name},other\n{cells}"))
}

/// Without the lines, which the order of the rows decides.
fn without_places(mut value: Value) -> Value {
    match &mut value {
        Value::Object(object) => {
            object.retain(|name, _| !matches!(name.as_str(), "lines" | "examples"));
            object.values_mut().for_each(|inner| *inner = without_places(inner.take()));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| *inner = without_places(inner.take())),
        _ => {}
    }
    value
}

/// Cells of all sorts.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,4}",
        "-?[0-9]{1,3}\\.[0-9]{2}",
        "(NA|-|无|null|)",
        "2026-0[1-9]-[0-2][1-9]",
        "\\$[0-9]{1,3}",
        "[a-c]{1,2}",
        "(好|不好|很好)",
        "[a-z]{3}@[a-z]{3}\\.com",
        " [a-z ]{1,30} ",
    ]
}

proptest! {
    // A profile of a file is much work in a build without optimisation.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_bytes_make_it_panic_and_the_same_bytes_have_the_same_profile(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"\",\n\r;{}:[]019.-ae\xc3".to_vec())], 0..400),
    ) {
        for format in [Format::Csv, Format::Ndjson] {
            let told = |result: Result<Profile, IngestError>| {
                result.map(|profile| serde_json::to_string(&profile).unwrap()).map_err(|error| error.to_string())
            };
            prop_assert_eq!(told(profile(&bytes, format)), told(profile(&bytes, format)));
        }
    }

    #[test]
    fn any_fields_of_any_lines_are_counted(lines in prop::collection::vec("\\{(\"[ab.]{1,2}\":(1|null|\"x\"|\\{\"c\":2\\}|\\[1\\])){0,1}\\}", 1..20)) {
        let profile = profile(lines.join("\n").as_bytes(), Format::Ndjson).unwrap();
        prop_assert_eq!(profile.rows, lines.len() as u64);
        for column in &profile.columns {
            prop_assert_eq!(column.filled + column.missing.n, profile.rows);
        }
    }

    #[test]
    fn counts_are_exact(rows in prop::collection::vec((cell(), cell()), 1..60)) {
        let text: String = rows.iter().map(|(a, b)| format!("\"{a}\",\"{b}\"\n")).collect();
        let profile = csv(&format!("first,second\n{text}"));
        let mut seen = std::collections::BTreeSet::new();
        let repeated = rows.iter().filter(|row| !seen.insert(*row)).count() as u64;
        prop_assert_eq!((profile.rows, profile.duplicate_rows.n), (rows.len() as u64, repeated));
        let cells: Vec<&str> = rows.iter().map(|(a, _)| a.trim()).collect();
        let filled: Vec<&str> = cells.iter().copied().filter(|cell| cell::missing(cell).is_none()).collect();
        let first = column(&profile, "first");
        prop_assert_eq!((first.filled, first.missing.n), (filled.len() as u64, (cells.len() - filled.len()) as u64));
        prop_assert_eq!(first.distinct.n, filled.iter().collect::<std::collections::BTreeSet<_>>().len() as u64);
        for top in &first.top {
            prop_assert_eq!(top.n, top.at_most);
        }
    }

    #[test]
    fn the_order_of_the_rows_changes_only_which_are_the_examples(
        rows in prop::collection::vec((cell(), cell()), 1..60).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        let told = |rows: &[(String, String)]| {
            let text: String = rows.iter().map(|(a, b)| format!("\"{a}\",\"{b}\"\n")).collect();
            without_places(serde_json::to_value(csv(&format!("first,second\n{text}"))).unwrap())
        };
        prop_assert_eq!(told(&rows.0), told(&rows.1));
    }

    #[test]
    fn nothing_of_a_customer_is_in_a_profile(ids in prop::collection::vec("[q-z]{4}[0-9]{4}", 30), words in prop::collection::vec("[q-z]{5,9}", 30)) {
        let rows: String = ids.iter().zip(&words).flat_map(|(id, word)| {
            let row = format!("{id},{id}@example.org,{word} wrote {word} and {word} again,{word},5\n");
            [row.clone(), row]
        }).collect();
        let profile = csv(&format!("user_id,contact,body,name,stars\n{rows}"));
        let told = serde_json::to_string(&profile).unwrap();
        for canary in ids.iter().chain(&words) {
            prop_assert!(!told.contains(canary.as_str()), "{} is in {}", canary, told);
        }
    }

    #[test]
    fn what_is_proposed_opens(
        names in prop::collection::vec("(user_id|text|评论|id|amount|price|sku|date|event|title|a b|x)", 1..6),
        rows in prop::collection::vec(prop::collection::vec(cell(), 6), 1..30),
    ) {
        let body: String = rows.iter().map(|row| row[..names.len()].iter().map(|cell| format!("\"{cell}\"")).collect::<Vec<_>>().join(",") + "\n").collect();
        let text = format!("{}\n{body}", names.join(","));
        let Ok(profile) = profile(text.as_bytes(), Format::Csv) else { return Ok(()) };
        for proposal in profile.proposals.into_iter().filter(|proposal| proposal.is_complete) {
            let is_whole = proposal.kind.takes_all_columns();
            let source = Source { path: "given".into(), kind: proposal.kind, format: Format::Csv, mapping: Some(proposal.mapping) };
            let reading = Reading { now: NOW, vocabulary: Arc::new(Vocabulary::standard()), keeps_raw: false };
            let opened = super::super::Rows::over(Box::new(Cursor::new(text.clone().into_bytes())), &source, Position::default(), reading);
            let repeats = names.iter().enumerate().any(|(at, name)| names[..at].contains(name));
            prop_assert!(opened.is_ok() || is_whole && repeats);
        }
    }
}

#[test]
fn columns_are_of_the_type_that_their_cells_say() {
    let numbered = |what: fn(u32) -> String| (0..60).map(what).collect::<Vec<_>>();
    for (name, cells, expected) in [
        ("n", numbered(|i| (i % 9 + 2).to_string()), Type::Integer),
        ("n", numbered(|i| format!("{}.5", i % 9)), Type::Decimal),
        ("flag", numbered(|i| (i % 2).to_string()), Type::Boolean),
        ("flag", numbered(|i| ["yes", "No"][i as usize % 2].into()), Type::Boolean),
        ("lines", numbered(|i| ["yes", "no", "no line"][i as usize % 3].into()), Type::Category),
        ("day", numbered(|i| format!("2026-01-{:02}", i % 28 + 1)), Type::Time),
        ("day", numbered(|i| format!("{:02}/01/2026", i % 28 + 1)), Type::Time),
        ("created_at", numbered(|i| (1_700_000_000 + i).to_string()), Type::Time),
        ("x", numbered(|i| (1_700_000_000 + i).to_string()), Type::Id),
        ("date", numbered(|i| format!("202601{:02}", i % 28 + 1)), Type::Time),
        ("金额", numbered(|i| (i * 7).to_string()), Type::Money),
        ("x", numbered(|i| format!("¥{}", i % 7)), Type::Money),
        ("code", numbered(|i| format!("00{}", i % 7)), Type::Id),
        ("sku", numbered(|i| format!("A-{i}")), Type::Id),
        ("who", numbered(|i| format!("a{i}@example.com")), Type::Email),
        ("call", numbered(|i| format!("+49 30 {}", 1_000_000 + i)), Type::Phone),
        ("city", numbered(|i| ["Paris", "Rome"][i as usize % 2].into()), Type::Category),
        (
            "who",
            numbered(|i| format!("Ann {}ee{}", char::from(b'A' + (i % 26) as u8), ["", "r", "son"][i as usize / 26])),
            Type::Text,
        ),
        ("body", numbered(|i| format!("This is the review with the number {i}")), Type::FreeText),
        ("内容", numbered(|i| format!("这家酒店很好，下次再来{i}")), Type::FreeText),
        ("tags", numbered(|i| format!("[{i}]")), Type::List),
        ("any", numbered(|i| if i % 2 == 0 { i.to_string() } else { "two words".into() }), Type::Mixed),
        ("none", numbered(|_| "NA".into()), Type::Empty),
    ] {
        let profile = one_column(name, cells.clone());
        assert_eq!(profile.columns[0].kind, expected, "{name}: {:?}", &cells[..3]);
    }
}

#[test]
fn problems_are_told_with_their_lines() {
    let but = |usual: &str, odd: &str| {
        let mut cells = vec![usual.to_owned(); 40];
        (0..40).filter(|i| i % 2 == 1).for_each(|i| cells[i] = usual.replace('1', "2"));
        cells[30] = odd.to_owned();
        cells
    };
    for (name, cells, code, value) in [
        ("n", but("11.5", "many"), "mixed_types", "aaaa"),
        ("n", but("11.5", " 11.5"), "surrounding_spaces", "11.5"),
        ("day", but("2026-01-11", "2099-01-01"), "future_time", "2099-01-01"),
        ("day", but("2026/01/11", "2026/01/12"), "time_form_not_taken", "2026/01/11"),
        ("price", but("11.5", "-3"), "negative_amount", "-3"),
        ("评分", but("1", "50"), "rating_out_of_scale", "50"),
        ("text", but("a good one 1", "Ã© is what it was"), "garbled_text", "aaaa"),
        ("text", but("a good one 1", "write to ann@example.com"), "personal_data", "aaaaa aa aaa@aaaaaaa.aaa"),
        ("text", but("a good one 1", "bell\u{7}"), "control_characters", "aaaa\u{fffd}"),
        ("phone", but("1", "2"), "personal_data", ""),
        ("same", vec!["1".into(); 40], "constant", ""),
    ] {
        let profile = one_column(name, cells);
        let problem = profile.columns[0].problems.iter().find(|problem| problem.code == code);
        let problem = problem.unwrap_or_else(|| panic!("{name}: no {code} in {:?}", profile.columns[0].problems));
        let example = problem.examples.iter().find(|example| example.line == 32).or(problem.examples.first());
        if !value.is_empty() && code != "garbled_text" {
            assert_eq!(example.map(|example| example.value.trim()), Some(value), "{name}: {code}");
        }
        assert!(problem.n > 0 && !problem.message.is_empty());
    }
    let spread = one_column("n", (1..80).map(|i| (i % 13).to_string()).chain(["9000".into()]));
    let outliers = spread.columns[0].problems.iter().find(|problem| problem.code == "outliers").unwrap();
    assert_eq!((outliers.n, outliers.examples[0].line, outliers.examples[0].value.as_str()), (1, 81, "9000"));
    let ids = one_column("id", (0..60).map(|i| format!("k{}", if i == 50 { 3 } else { i })));
    assert_eq!(ids.columns[0].problems[0].code, "repeated_ids");
}

#[test]
fn broken_rows_and_cells_are_counted_and_the_rest_is_read() {
    let told = profile(b"a,b\n1,2\n1\n\xff,2\n1,2\n", Format::Csv).unwrap();
    assert_eq!((told.rows, told.duplicate_rows.lines), (4, vec![5]));
    assert_eq!(told.unreadable_rows["ragged_row"], Place { n: 1, lines: vec![3] });
    assert_eq!(told.columns[0].problems[0].code, "bad_utf8");
    let told = csv("1,ann@example.com\n2,bob@example.com\n");
    assert!(told.notes[0].contains("row of names"), "{:?}", told.notes);
    let told = csv("a,,a\n1,2,3\n");
    assert_eq!(told.notes.len(), 2, "{:?}", told.notes);
}

/// The columns in a row of a CSV, ten times with what differs.
fn exported(header: &str, row: fn(u32) -> String) -> Profile {
    csv(&format!("{header}\n{}", (0..60).map(|i| row(i) + "\n").collect::<String>()))
}

#[test]
fn kinds_and_columns_are_proposed_by_name_and_content() {
    for (header, row, kind, mapping) in [
        (
            "用户ID,订单号,商品编号,评论内容,评分,评论时间",
            (|i| {
                format!(
                    "u{},o{i},s{},这个商品质量很好第{i}次购买,{},2026-01-{:02}",
                    i % 9,
                    i % 5,
                    i % 5 + 1,
                    i % 28 + 1
                )
            }) as fn(u32) -> String,
            Kind::Reviews,
            json!({"customer": "用户ID", "text": "评论内容", "item": "商品编号", "rating": "评分", "time": "评论时间"}),
        ),
        (
            "reviewer_id;asin;reviewText;overall",
            |i| format!("r{};b{};The grinder number {i} is quiet and was cheap;{}", i % 7, i % 5, i % 5 + 1),
            Kind::Reviews,
            json!({"customer": "reviewer_id", "text": "reviewText", "item": "asin", "rating": "overall"}),
        ),
        (
            "订单号,会员号,实付金额,下单时间",
            |i| format!("o{i},m{},{}.50,2026-01-{:02} 10:00:00", i % 9, i * 3, i % 28 + 1),
            Kind::Orders,
            json!({"customer": "会员号", "id": "订单号", "total": "实付金额", "time": "下单时间"}),
        ),
        (
            "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID",
            |i| {
                format!(
                    "5{:05},A{:04},{},2026-01-{:02},£{}.25,{}",
                    i / 3,
                    i % 40,
                    i % 6 + 1,
                    i % 28 + 1,
                    i % 9,
                    17_000 + i % 11
                )
            },
            Kind::Orders,
            json!({"customer": "CustomerID", "id": "InvoiceNo", "item": "StockCode", "price": "UnitPrice", "quantity": "Quantity",
                "time": "InvoiceDate", "currency_code": "GBP"}),
        ),
        (
            "user,action,ts",
            |i| format!("u{},{},{}", i % 9, ["view", "buy"][i as usize % 2], 1_700_000_000 + i * 60),
            Kind::Events,
            json!({"customer": "user", "event": "action", "time": "ts"}),
        ),
        (
            "商品ID,商品名称,类目,价格",
            |i| format!("s{i},好用的东西{i},{},¥{}", ["家居", "数码"][i as usize % 2], i + 5),
            Kind::Items,
            json!({"id": "商品ID", "name": "商品名称", "category": "类目", "price": "价格", "currency_code": "CNY"}),
        ),
        (
            "customer_id,email,city,registered",
            |i| format!("c{i},a{i}@example.com,{},2026-01-{:02}", ["Rome", "Paris"][i as usize % 2], i % 28 + 1),
            Kind::Customers,
            json!({"customer": "customer_id", "time": "registered"}),
        ),
    ] {
        let profile = exported(header, row);
        let best = &profile.proposals[0];
        assert_eq!((best.kind, serde_json::to_value(&best.mapping).unwrap()), (kind, mapping), "{header}: {best:#?}");
        assert!(best.is_complete && best.fields.iter().all(|field| field.sure > 0.0 && !field.why.is_empty()));
        assert_eq!(profile.proposals.len(), 5);
    }
}

#[test]
fn calls_of_the_segment_spec_need_no_columns() {
    let line = |i: u32| {
        json!({"type": "track", "userId": format!("u{i}"), "event": "Seen", "properties": {"n": i}}).to_string() + "\n"
    };
    let profile = profile((0..30).map(line).collect::<String>().as_bytes(), Format::Ndjson).unwrap();
    assert_eq!((profile.proposals[0].kind, &profile.proposals[0].mapping), (Kind::Events, &Mapping::default()));
    assert!(profile.columns.iter().any(|column| column.name == "properties.n"));
}

#[test]
fn times_that_no_import_reads_are_not_proposed() {
    let profile = exported("user,comment,date", |i| {
        format!("u{},It is the one number {i} of these,{:02}/01/2026", i % 9, i % 28 + 1)
    });
    let best = &profile.proposals[0];
    assert_eq!((best.kind, &best.mapping.time), (Kind::Reviews, &None));
    assert!(best.notes.iter().any(|note| note.contains("\"date\"") && note.contains("form")), "{:?}", best.notes);
    let times = column(&profile, "date").times.as_ref().unwrap();
    assert_eq!((times.form, times.is_taken), (Form::DayFirst, false));
}

#[test]
fn columns_beyond_the_limit_are_counted() {
    let header: Vec<String> = (0..250).map(|i| format!("c{i}")).collect();
    let profile = csv(&format!("{}\n{}\n", header.join(","), vec!["1"; 250].join(",")));
    assert_eq!((profile.columns.len(), profile.columns_left_out), (200, 50));
}
