//! The choices of a bulk run, read from what was typed.

use super::BulkError;
use arrow_schema::Schema;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where bytes come from or go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Standard input or output: `-`.
    Pipe,
    File(PathBuf),
}

impl Place {
    pub fn parse(text: &Path) -> Self {
        if text.as_os_str() == "-" { Self::Pipe } else { Self::File(text.to_path_buf()) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipe => f.write_str("the pipe"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// How rows are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Parquet,
    Ndjson,
    Csv,
    /// Arrow's file format, also called Feather 2.
    Arrow,
    ArrowStream,
}

const FORMATS: &[(&str, Format)] = &[
    ("parquet", Format::Parquet),
    ("ndjson", Format::Ndjson),
    ("csv", Format::Csv),
    ("arrow", Format::Arrow),
    ("arrow-stream", Format::ArrowStream),
];

const ENDINGS: &[(&str, Format)] = &[
    ("parquet", Format::Parquet),
    ("pq", Format::Parquet),
    ("ndjson", Format::Ndjson),
    ("jsonl", Format::Ndjson),
    ("csv", Format::Csv),
    ("arrow", Format::Arrow),
    ("feather", Format::Arrow),
    ("arrows", Format::ArrowStream),
];

impl Format {
    pub fn name(self) -> &'static str {
        FORMATS.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }

    /// # Errors
    /// It is none; the sentence lists them.
    pub fn parse(text: &str) -> Result<Self, BulkError> {
        let found = FORMATS.iter().find(|(name, _)| *name == text).map(|(_, format)| *format);
        let names: Vec<&str> = FORMATS.iter().map(|(name, _)| *name).collect();
        found.ok_or_else(|| BulkError::wrong(format!("{text:?} is not one of {}", names.join(", "))))
    }

    /// The format that a file's name says; an Arrow stream on a pipe.
    ///
    /// # Errors
    /// The name says none.
    pub fn of_place(place: &Place) -> Result<Self, BulkError> {
        let Place::File(path) = place else { return Ok(Self::ArrowStream) };
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let found = ENDINGS.iter().find(|(there, _)| *there == ending).map(|(_, format)| *format);
        found.ok_or_else(|| {
            let endings: Vec<String> = ENDINGS.iter().map(|(ending, _)| format!(".{ending}")).collect();
            BulkError::wrong(format!(
                "{} has none of the endings {}; say what it is",
                path.display(),
                endings.join(" ")
            ))
        })
    }

    /// Whether it can be read and written from front to back.
    pub fn streams(self) -> bool {
        matches!(self, Self::Ndjson | Self::Csv | Self::ArrowStream)
    }
}

/// Which columns of the input are in the output beside the vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    All,
    None,
    Columns(Vec<String>),
}

impl Keep {
    pub fn parse(text: &str) -> Self {
        match text {
            "all" => Self::All,
            "none" => Self::None,
            columns => Self::Columns(columns.split(',').map(|name| name.trim().to_owned()).collect()),
        }
    }

    /// The kept ones of these columns, by their places, in the order asked for.
    ///
    /// # Errors
    /// One is not there.
    pub(super) fn places(&self, columns: &[&str], place: &Place) -> Result<Vec<usize>, BulkError> {
        match self {
            Self::All => Ok((0..columns.len()).collect()),
            Self::None => Ok(Vec::new()),
            Self::Columns(wanted) => wanted.iter().map(|name| column(name, "--keep", columns, place)).collect(),
        }
    }
}

/// The place of a column among those there are.
pub(super) fn column(wanted: &str, flag: &str, columns: &[&str], place: &Place) -> Result<usize, BulkError> {
    let mut places = columns.iter().enumerate().filter(|(_, name)| **name == wanted).map(|(place, _)| place);
    match (places.next(), places.next()) {
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => Err(BulkError::wrong(format!("{place} has the column {wanted:?} more than once"))),
        (None, _) => Err(missing(wanted, flag, columns, place)),
    }
}

pub(super) fn missing(wanted: &str, flag: &str, columns: &[&str], place: &Place) -> BulkError {
    let there = columns.join(", ");
    BulkError::wrong(format!("{place} has no column {wanted:?}; it has {there}; name the right one with {flag}"))
}

/// # Errors
/// A kept column has the vector's name, or two have one name.
pub(super) fn check_vector_column(vector: &str, kept: &Schema) -> Result<(), BulkError> {
    let names: Vec<&str> = kept.fields().iter().map(|field| field.name().as_str()).collect();
    if names.contains(&vector) {
        return Err(BulkError::wrong(taken(vector)));
    }
    match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        Some((_, name)) => {
            Err(BulkError::wrong(format!("the column {name:?} would be written twice; choose columns with --keep")))
        }
        None => Ok(()),
    }
}

pub(super) fn taken(vector: &str) -> String {
    format!(
        "the input has a column {vector:?} already; name the new one with --vector-column, or leave the old one out with --keep"
    )
}

/// What to do with a wrong row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    Fail,
    Skip,
}

/// The column type of vectors in Parquet and Arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorType {
    /// `FixedSizeList<Float32, dimension>`.
    Fixed,
    /// `List<Float32>`: for readers that know no lists of fixed size.
    List,
}

impl OnError {
    /// # Errors
    /// It is neither `fail` nor `skip`.
    pub fn parse(text: &str) -> Result<Self, BulkError> {
        match text {
            "fail" => Ok(Self::Fail),
            "skip" => Ok(Self::Skip),
            _ => Err(BulkError::wrong(format!("{text:?} is not one of fail, skip"))),
        }
    }
}

impl VectorType {
    /// # Errors
    /// It is neither `fixed` nor `list`.
    pub fn parse(text: &str) -> Result<Self, BulkError> {
        match text {
            "fixed" => Ok(Self::Fixed),
            "list" => Ok(Self::List),
            _ => Err(BulkError::wrong(format!("{text:?} is not one of fixed, list"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_name_and_by_ending_and_others_are_refused_with_the_list() {
        for (name, format) in FORMATS {
            assert_eq!(Format::parse(name).unwrap(), *format);
            assert_eq!(format.name(), *name);
        }
        for (path, format) in
            [("a.parquet", Format::Parquet), ("b.x.JSONL", Format::Ndjson), ("c.arrows", Format::ArrowStream)]
        {
            assert_eq!(Format::of_place(&Place::parse(Path::new(path))).unwrap(), format);
        }
        assert_eq!(Format::of_place(&Place::parse(Path::new("-"))).unwrap(), Format::ArrowStream);
        for path in ["a", "a.txt", "parquet", "a.csv.gz"] {
            let error = Format::of_place(&Place::parse(Path::new(path))).unwrap_err().to_string();
            assert!(error.contains(".ndjson"), "{error}");
        }
        assert!(Format::parse("xlsx").unwrap_err().to_string().contains("parquet, ndjson, csv"));
    }

    #[test]
    fn kept_columns_come_in_the_order_asked_for_and_missing_ones_are_told_with_those_there() {
        let place = Place::Pipe;
        let there = ["a", "b", "c"];
        assert_eq!(Keep::parse("all").places(&there, &place).unwrap(), [0, 1, 2]);
        assert_eq!(Keep::parse("none").places(&there, &place).unwrap(), [0usize; 0]);
        assert_eq!(Keep::parse("c, a").places(&there, &place).unwrap(), [2, 0]);
        let error = Keep::parse("d").places(&there, &place).unwrap_err().to_string();
        assert!(error.contains("a, b, c") && error.contains("--keep"), "{error}");
    }
}
