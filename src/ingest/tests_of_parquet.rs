//! Parquet as a file of rows: the same facts as in any other format, and damage.

use super::tests::{csv_reviews, mapping, read, reading, source};
use super::*;
use proptest::prelude::*;
use std::sync::Arc;

/// Reviews as Parquet, in row groups of `group_rows`.
fn parquet_of(rows: &[(String, String, i32)], group_rows: usize) -> Vec<u8> {
    use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray};
    let customers: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.0)));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.1)));
    let ratings: ArrayRef = Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.2)));
    let nothing: ArrayRef = Arc::new(StringArray::new_null(rows.len()));
    let columns = [("customer", customers), ("text", texts), ("rating", ratings)];
    let more = [("item", Arc::clone(&nothing)), ("time", nothing)];
    written_as_parquet(&RecordBatch::try_from_iter(columns.into_iter().chain(more)).unwrap(), group_rows)
}

pub(super) fn written_as_parquet(batch: &arrow_array::RecordBatch, group_rows: usize) -> Vec<u8> {
    use ::parquet::arrow::ArrowWriter;
    use ::parquet::file::properties::WriterProperties;
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// Rows of a real file, as Parquet needs one.
pub(super) fn from_file(bytes: &[u8], source: &Source, from: Position) -> Result<Vec<Row>, IngestError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    open(&Source { path: file.path().to_owned(), ..source.clone() }, from, reading())?.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_rows_are_the_same_facts_in_every_format_and_resumed_anywhere(
        rows in prop::collection::vec(("[a-z0-9]{1,6}", "\\PC{0,12}[a-z评\n\"]{0,3}x", any::<i32>()), 1..20),
        group_rows in 1_usize..8,
        at in any::<prop::sample::Index>(),
    ) {
        let mut csv = ::csv::Writer::from_writer(Vec::new());
        csv.write_record(["customer", "text", "item", "rating", "time"]).unwrap();
        let mut ndjson = String::new();
        for (customer, text, rating) in &rows {
            csv.write_record([customer, text, "", &rating.to_string(), ""]).unwrap();
            let line = serde_json::json!({"customer": customer, "text": text, "rating": rating, "item": null});
            ndjson.push_str(&format!("{line}\n"));
        }
        let parquet_source = source(Kind::Reviews, Format::Parquet, mapping());
        let parquet = parquet_of(&rows, group_rows);
        let from_parquet = from_file(&parquet, &parquet_source, Position::default()).unwrap();
        let facts = |rows: Vec<Row>| rows.into_iter().map(|row| row.fact).collect::<Vec<_>>();
        let expected = facts(read(&csv.into_inner().unwrap(), &csv_reviews()));
        prop_assert_eq!(expected.len(), rows.len());
        prop_assert_eq!(&facts(read(ndjson.as_bytes(), &source(Kind::Reviews, Format::Ndjson, mapping()))), &expected);
        prop_assert_eq!(&facts(from_parquet.clone()), &expected);
        let at = at.index(from_parquet.len());
        prop_assert_eq!(from_parquet[at].line, at as u64 + 1);
        let rest = from_file(&parquet, &parquet_source, from_parquet[at].next).unwrap();
        prop_assert_eq!(&rest[..], &from_parquet[at + 1..]);
    }

    #[test]
    fn a_damaged_parquet_file_is_read_or_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>()) {
        let rows: Vec<_> = (0..50).map(|i| (format!("c{i}"), "words ".repeat(i % 7 + 1), 3)).collect();
        let mut bytes = parquet_of(&rows, 20);
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        if let Err(error) = from_file(&bytes, &source(Kind::Reviews, Format::Parquet, mapping()), Position::default()) {
            let codes = ["damaged_file", "empty_file", "missing_column", "repeated_column"];
            prop_assert!(codes.contains(&error.code()), "{}", error);
        }
    }
}

#[test]
fn typed_columns_of_parquet_are_read_as_what_they_are() {
    use arrow_array::{ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Int64Array, RecordBatch};
    use arrow_array::{StringArray, TimestampMicrosecondArray, TimestampMillisecondArray};
    let decimal = Decimal128Array::from(vec![450]).with_precision_and_scale(10, 2).unwrap();
    let zoned = TimestampMillisecondArray::from(vec![1_769_851_800_000]).with_timezone("Europe/Berlin");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("text", Arc::new(StringArray::from(vec!["Good"]))),
        ("whole", Arc::new(Int64Array::from(vec![42]))),
        ("decimal", Arc::new(decimal)),
        ("float", Arc::new(Float32Array::from(vec![0.1]))),
        ("truth", Arc::new(BooleanArray::from(vec![true]))),
        ("date", Arc::new(Date32Array::from(vec![20_484]))),
        ("zoned", Arc::new(zoned)),
        ("plain", Arc::new(TimestampMicrosecondArray::from(vec![1_769_851_800_000_000]))),
    ];
    let bytes = written_as_parquet(&RecordBatch::try_from_iter(columns).unwrap(), 10);
    let name = |name: &str| Some(name.to_owned());
    let read = |customer: &str, rating: &str, time: &str| {
        let mapping = Mapping {
            customer: name(customer),
            text: name("text"),
            rating: name(rating),
            time: name(time),
            ..Mapping::default()
        };
        let rows = from_file(&bytes, &source(Kind::Reviews, Format::Parquet, mapping), Position::default()).unwrap();
        rows[0].fact.clone().map(|fact| match fact {
            Fact::Review(review) => (review.customer.to_string(), review.rating, review.time.to_string()),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(read("whole", "decimal", "zoned"), Ok(("42".into(), Some(4.5), "2026-01-31T09:30:00Z".into())));
    assert_eq!(read("date", "float", "plain"), Ok(("2026-01-31".into(), Some(0.1), "2026-01-31T09:30:00Z".into())));
    assert_eq!(read("text", "whole", "date").unwrap().2, "2026-01-31T00:00:00Z");
    assert_eq!(read("truth", "whole", "date").unwrap_err().code, "wrong_type");
    assert_eq!(read("float", "whole", "date").unwrap_err().column.as_deref(), Some("float"));
}

#[test]
fn bad_parquet_files_are_refused_by_name() {
    let rows = [("c".to_owned(), "t".to_owned(), 1)];
    let good = parquet_of(&rows, 10);
    let reviews = source(Kind::Reviews, Format::Parquet, mapping());
    let unmapped = source(Kind::Reviews, Format::Parquet, Mapping { text: Some("words".into()), ..mapping() });
    for (bytes, source, code, why) in [
        (&b""[..], &reviews, "empty_file", "nothing at all"),
        (b"customer,text\nc,t\n", &reviews, "damaged_file", "a CSV"),
        (&good[..good.len() - 9], &reviews, "damaged_file", "cut short"),
        (&good, &unmapped, "missing_column", "no column words"),
        (&parquet_of(&[], 10), &reviews, "empty_file", "columns alone"),
    ] {
        assert_eq!(from_file(bytes, source, Position::default()).unwrap_err().code(), code, "{why}");
    }
    let past = Position { rows: 2, line: 3, byte: 9, one_line_rows_until: 0 };
    assert_eq!(from_file(&good, &reviews, past).unwrap_err().code(), "file_changed");
}
