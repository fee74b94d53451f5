//! The profile of a file before it is imported: of each column its type, what is missing, how many values differ, which are odd, with
//! the lines to look at; and for each kind of files which column could be what.
//!
//! One pass over the file with bounded memory: counts are exact, the rest has a stated error (`sketch`). The same file has the same
//! profile, and but for examples and [`Top`] the order of its rows changes nothing. It shows no ids, texts or personal data (`shown`).

mod cell;
mod column;
mod command;
mod language;
mod moment;
mod names;
mod problems;
mod propose;
mod report;
mod shown;
mod sketch;
mod suits;
#[cfg(test)]
mod tests;
mod typing;

pub use command::{command, quoted};
pub use moment::Form;
pub use propose::{Field, Proposal};
pub use report::{ColumnProfile, Count, Example, Missing, Numbers, Place, Problem, Profile, Repeated, Times, Top};
pub use typing::Type;

use super::frame::Input;
use super::occurrence::canonical;
use super::parquet::{ParquetRecords, Wanted};
use super::record::{Body, Record};
use super::records::{Given, Records, TextRecords};
use super::{Format, IngestError, Kind, Mapping, Position, Source};
use crate::domain::Timestamp;
use cell::Class;
use column::{Cell, Column, Looking, Spots};
use serde_json::{Map, Value};
use shown::Eyes;
use sketch::{DISTINCT_ERROR, Distinct, hash};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Columns that are looked at; what sketches take is bounded by it.
const MAX_COLUMNS: usize = 200;
/// Different rows that are counted exactly: 32 MiB or so.
const EXACT_ROWS: usize = 2_000_000;
/// Different values that are counted exactly, over all columns: 64 MiB or so.
const EXACT_VALUES: usize = 4_000_000;
/// How deep a field may lie in an NDJSON row.
const MAX_DEPTH: usize = 3;

/// Reads a file and learns what is in it.
pub struct Profiler {
    records: Box<dyn Records>,
    format: Format,
    now: Timestamp,
    eyes: Eyes,
    columns: Vec<Column>,
    /// The columns of NDJSON and Parquet by their names; those of a CSV have their place.
    places: HashMap<String, usize>,
    left_out: Distinct,
    exact_values: usize,
    n_rows: u64,
    n_readable: u64,
    rows: Distinct,
    repeated: Spots,
    unreadable: BTreeMap<&'static str, Spots>,
}

impl Profiler {
    /// Opens a file. A `mapping` that is known already tells the delimiter of a CSV; else the one that gives most columns is taken. What
    /// lies after `now` lies in the future.
    ///
    /// # Errors
    /// As [`super::open`].
    pub fn open(path: &Path, format: Format, mapping: &Mapping, now: Timestamp) -> Result<Self, IngestError> {
        let file = std::fs::File::open(path).map_err(|why| IngestError::Open { path: path.to_owned(), why })?;
        if format != Format::Parquet {
            return Self::over(Box::new(file), path, format, mapping, now);
        }
        let names = mapping.names().map(|(_, name)| name).collect();
        let wanted = Wanted { names, all: true };
        let records = ParquetRecords::open(file, path, wanted, Position::default())?;
        Ok(Self::new(Box::new(records), format, now))
    }

    fn over(
        input: Box<dyn Input>,
        path: &Path,
        format: Format,
        mapping: &Mapping,
        now: Timestamp,
    ) -> Result<Self, IngestError> {
        // Of this kind columns may come twice.
        let source = Source { path: path.to_owned(), kind: Kind::Reviews, format, mapping: None };
        let records = TextRecords::over(input, &source, mapping, Position::default())?;
        Ok(Self::new(Box::new(records), format, now))
    }

    fn new(records: Box<dyn Records>, format: Format, now: Timestamp) -> Self {
        Self {
            records,
            format,
            now,
            eyes: Eyes::new(),
            columns: Vec::new(),
            places: HashMap::new(),
            left_out: Distinct::new(1_000),
            exact_values: EXACT_VALUES / 40,
            n_rows: 0,
            n_readable: 0,
            rows: Distinct::new(EXACT_ROWS),
            repeated: Spots::default(),
            unreadable: BTreeMap::new(),
        }
    }

    /// What [`Position::byte`] grows to.
    pub fn total_bytes(&self) -> u64 {
        self.records.total_bytes()
    }

    /// Reads so many rows on. Gives how far it has come; nothing at the end.
    ///
    /// # Errors
    /// The file can be read no further.
    pub fn read(&mut self, n_rows: usize) -> Result<Option<Position>, IngestError> {
        let mut next = None;
        for _ in 0..n_rows {
            let Some(given) = self.records.next()? else { break };
            next = Some(given.next);
            self.see(&given);
        }
        Ok(next)
    }

    fn see(&mut self, given: &Given) {
        self.n_rows += 1;
        let record = match &given.record {
            Ok(record) => record,
            Err(error) => return self.unreadable.entry(error.code).or_default().add(given.line, ""),
        };
        self.n_readable += 1;
        if self.rows.see(row_hash(given, record)) == Some(true) {
            self.repeated.add(given.line, "");
        }
        match &record.body {
            Body::Cells { header, cells } => {
                if self.columns.is_empty() {
                    self.start(&header.names);
                }
                let looking = Looking { eyes: &self.eyes, now: self.now, line: given.line };
                for (column, cell) in self.columns.iter_mut().zip(cells) {
                    column.see(Cell::Bytes(cell), &looking);
                }
            }
            Body::Object(object) => self.see_object("", object, given.line, 1),
        }
    }

    fn start(&mut self, names: &[String]) {
        self.exact_values = (EXACT_VALUES / names.len().max(1)).clamp(4_096, 1_000_000);
        self.columns =
            names.iter().take(MAX_COLUMNS).map(|name| Column::new(name.clone(), self.exact_values)).collect();
        for name in names.iter().skip(MAX_COLUMNS) {
            self.left_out.see(hash(name.as_bytes()));
        }
    }

    fn see_object(&mut self, above: &str, object: &Map<String, Value>, line: u64, depth: usize) {
        for (key, value) in object {
            let name = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
            match value {
                Value::Object(inner) if depth < MAX_DEPTH && !inner.is_empty() => {
                    self.see_object(&name, inner, line, depth + 1);
                }
                _ => self.see_field(name, value, line),
            }
        }
    }

    fn see_field(&mut self, name: String, value: &Value, line: u64) {
        let place = match self.places.get(&name) {
            Some(place) => *place,
            None if self.columns.len() < MAX_COLUMNS => {
                self.columns.push(Column::new(name.clone(), self.exact_values));
                self.places.insert(name, self.columns.len() - 1);
                self.columns.len() - 1
            }
            None => {
                self.left_out.see(hash(name.as_bytes()));
                return;
            }
        };
        let looking = Looking { eyes: &self.eyes, now: self.now, line };
        self.columns[place].see(Cell::Json(value), &looking);
    }

    /// What was learned.
    pub fn finish(self) -> Profile {
        let columns: Vec<ColumnProfile> =
            self.columns.iter().map(|column| report::told(column, self.n_readable, &self.eyes)).collect();
        let count = |name: &str| columns.iter().filter(|column| column.name == name).count();
        let nameable = columns.iter().filter(|column| !column.name.is_empty() && count(&column.name) == 1).collect();
        let proposals = propose::all(&propose::Columns { all: nameable, format: self.format });
        let notes = self.notes(&columns);
        Profile {
            rows: self.n_rows,
            columns_left_out: self.left_out.estimate(),
            duplicate_rows: self.duplicate_rows(),
            unreadable_rows: self
                .unreadable
                .iter()
                .map(|(code, spots)| (*code, Place { n: spots.n, lines: report::lines(spots) }))
                .collect(),
            notes,
            proposals,
            columns,
        }
    }

    fn duplicate_rows(&self) -> Repeated {
        let lines = report::lines(&self.repeated);
        if self.rows.is_exact() {
            return Repeated { n: self.repeated.n, is_exact: true, lines };
        }
        // What the estimate's own error could be is none.
        let n = self.n_readable.saturating_sub(self.rows.estimate());
        let is_sure = n as f64 > 3.0 * DISTINCT_ERROR * self.n_readable as f64;
        Repeated { n: if is_sure { n.max(self.repeated.n) } else { self.repeated.n }, is_exact: false, lines }
    }

    fn notes(&self, columns: &[ColumnProfile]) -> Vec<String> {
        let mut notes = Vec::new();
        let n_unnamed = columns.iter().filter(|column| column.name.is_empty()).count();
        if n_unnamed > 0 {
            notes.push(format!("{n_unnamed} columns have no name in the header and cannot be mapped"));
        }
        for (at, column) in columns.iter().enumerate() {
            let before = columns[..at].iter().filter(|other| other.name == column.name).count();
            if before == 1 && !column.name.is_empty() {
                notes.push(format!("the column {:?} is there more than once; rename one to map it", column.name));
            }
        }
        let is_value = |column: &&ColumnProfile| {
            let name = column.name.trim();
            !name.is_empty() && !matches!(cell::judge(name).class, Class::Text | Class::Boolean)
        };
        if self.format == Format::Csv && columns.iter().any(|column| is_value(&column)) {
            notes.push("the header holds numbers, times or addresses: does the file begin with a row of names?".into());
        }
        notes
    }
}

/// Of what the row says.
fn row_hash(given: &Given, record: &Record) -> u64 {
    match &record.body {
        Body::Object(object) if given.raw.is_empty() => hash(canonical(object).as_bytes()),
        _ => hash(&given.raw),
    }
}
