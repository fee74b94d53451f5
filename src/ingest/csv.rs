//! CSV rows: the delimiter told from the header, columns by name, cells out of a framed record.

use super::frame::{Found, Framer, Place, Shape};
use super::hint;
use super::record::Header as Columns;
use super::{IngestError, Mapping};
use ::csv::ByteRecord;
use std::io;

const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// The header as read with one delimiter.
struct Header {
    delimiter: u8,
    total_bytes: usize,
    names: Vec<String>,
}

/// Reads the header and steps over it. Gives the delimiter and the columns.
///
/// The delimiter is the one with which most mapped columns are found, then the one that gives most columns.
pub(super) fn read_header(framer: &mut Framer, mapping: &Mapping) -> io::Result<Result<(u8, Columns), IngestError>> {
    let wanted: Vec<&str> = mapping.names().map(|(_, name)| name).collect();
    let mut best: Option<((usize, usize), Header)> = None;
    for delimiter in DELIMITERS {
        let Found::Record { content_bytes, total_bytes } = framer.find(Shape::Csv { delimiter })? else {
            continue;
        };
        let names = names_of(framer.bytes(content_bytes), delimiter);
        let n_found = wanted.iter().filter(|name| names.iter().any(|there| there == *name)).count();
        let score = (n_found, names.len());
        if best.as_ref().is_none_or(|(other, _)| score > *other) {
            best = Some((score, Header { delimiter, total_bytes, names }));
        }
    }
    let Some((_, header)) = best else {
        return Ok(Err(IngestError::BadHeader));
    };
    framer.consume(header.total_bytes, Shape::Csv { delimiter: header.delimiter });
    for column in wanted {
        if let Err(error) = check(&header.names, column) {
            return Ok(Err(error));
        }
    }
    Ok(Ok((header.delimiter, Columns { names: header.names, types: Vec::new() })))
}

fn names_of(record: &[u8], delimiter: u8) -> Vec<String> {
    let mut cells = ByteRecord::new();
    split(record, delimiter, &mut cells);
    cells.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect()
}

/// A column has to be there, and once.
pub(super) fn check(names: &[String], wanted: &str) -> Result<(), IngestError> {
    match names.iter().filter(|name| *name == wanted).count() {
        1 => Ok(()),
        0 => Err(IngestError::MissingColumn {
            column: wanted.to_owned(),
            there: names.to_vec(),
            hint: hint::nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned),
        }),
        _ => Err(IngestError::RepeatedColumn { column: wanted.to_owned() }),
    }
}

/// Where all columns are taken, none may come twice.
pub(super) fn check_all(names: &[String]) -> Result<(), IngestError> {
    names.iter().filter(|name| !name.is_empty()).try_for_each(|name| check(names, name))
}

/// Splits a framed record into its cells, without their quotes. Gives whether the last quote was closed.
///
/// What follows a closing quote directly belongs to the cell still, as most readers have it.
pub(super) fn split(record: &[u8], delimiter: u8, cells: &mut ByteRecord) -> bool {
    cells.clear();
    let mut cell = Vec::new();
    let mut place = Place::CellStart;
    for &byte in record {
        if byte == delimiter && place != Place::Quoted {
            cells.push_field(&cell);
            cell.clear();
            place = Place::CellStart;
            continue;
        }
        let next = place.after(byte);
        let is_syntax = byte == b'"' && (place == Place::CellStart || next == Place::QuoteInQuoted);
        if !is_syntax {
            cell.push(byte);
        }
        place = next;
    }
    cells.push_field(&cell);
    place != Place::Quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn header(text: &str, mapping: &Mapping) -> Result<(u8, Columns), IngestError> {
        read_header(&mut Framer::new(Box::new(Cursor::new(text.as_bytes().to_vec()))), mapping).unwrap()
    }

    fn mapping(customer: &str, text: &str) -> Mapping {
        Mapping { customer: Some(customer.to_owned()), text: Some(text.to_owned()), ..Mapping::default() }
    }

    #[test]
    fn the_delimiter_is_the_one_that_finds_the_columns() {
        let mapping = mapping("who", "words");
        for (text, delimiter) in [
            ("who,words\n", b','),
            ("who;words", b';'),
            ("who\twords\r\n", b'\t'),
            ("\"who\";\"words\";\"a,b,c,d\"\n", b';'),
            ("x;y;z;w,who,words\n", b','),
        ] {
            assert_eq!(header(text, &mapping).unwrap().0, delimiter, "{text:?}");
        }
    }

    #[test]
    fn a_missing_column_is_named_with_those_there_and_a_guess() {
        let error = header("Customer,words\n", &mapping("customer", "words")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no column \"customer\" (is it \"Customer\"?); the header has Customer, words"
        );
        let error = header("a,words,words\n", &mapping("a", "words")).unwrap_err();
        assert_eq!(error.code(), "repeated_column");
        assert_eq!(header("\"a,words\n", &mapping("a", "words")).unwrap_err().code(), "bad_header");
    }

    fn cell() -> impl Strategy<Value = String> {
        "[a\",;\n\r é]{0,8}"
    }

    proptest! {
        #[test]
        fn rows_are_cut_as_the_csv_crate_cuts_them(text in "[ab\",\n\r]{0,60}") {
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let expected: Vec<Vec<Vec<u8>>> =
                reader.byte_records().map(|row| row.unwrap().iter().map(<[u8]>::to_vec).collect()).collect();
            let shape = Shape::Csv { delimiter: b',' };
            let mut framer = Framer::new(Box::new(Cursor::new(text.into_bytes())));
            let (mut rows, mut cells) = (Vec::new(), ByteRecord::new());
            loop {
                let (content_bytes, total_bytes) = match framer.find(shape).unwrap() {
                    Found::End => break,
                    Found::Record { content_bytes, total_bytes } => (content_bytes, total_bytes),
                    Found::Endless { scanned_bytes, .. } => (scanned_bytes, scanned_bytes),
                };
                if content_bytes > 0 {
                    split(framer.bytes(content_bytes), b',', &mut cells);
                    rows.push(cells.iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
                }
                framer.consume(total_bytes, shape);
            }
            prop_assert_eq!(rows, expected);
        }

        #[test]
        fn written_cells_read_back(written in prop::collection::vec(cell(), 2..5)) {
            let mut writer = ::csv::Writer::from_writer(Vec::new());
            writer.write_record(&written).unwrap();
            let bytes = writer.into_inner().unwrap();
            let mut cells = ByteRecord::new();
            prop_assert!(split(bytes.strip_suffix(b"\n").unwrap(), b',', &mut cells));
            prop_assert_eq!(cells.iter().collect::<Vec<_>>(), written.iter().map(|c| c.as_bytes()).collect::<Vec<_>>());
        }
    }
}
