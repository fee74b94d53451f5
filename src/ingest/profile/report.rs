//! The profile as it is told: the shapes, and how a column's sketch becomes one.

use super::cell::Class;
use super::column::{Column, Spots};
use super::moment::Form;
use super::problems;
use super::propose::Proposal;
use super::shown::Eyes;
use super::sketch::{DISTINCT_ERROR, QUANTILE_ERROR};
use super::typing::{self, Type};
use crate::domain::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a file holds, as far as it can be told without knowing what it means. Holds no ids, texts or personal data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// All of them, the unreadable ones too.
    pub rows: u64,
    pub columns: Vec<ColumnProfile>,
    /// Columns beyond the limit, which nobody looked at.
    pub columns_left_out: u64,
    pub duplicate_rows: Repeated,
    /// Rows that could not be taken apart, by what is wrong with them.
    pub unreadable_rows: BTreeMap<&'static str, Place>,
    /// What is odd about the file as a whole.
    pub notes: Vec<String>,
    /// For every kind of files, the likeliest first.
    pub proposals: Vec<Proposal>,
}

/// Rows that stand in the file more than once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Repeated {
    /// Without the first of each.
    pub n: u64,
    pub is_exact: bool,
    pub lines: Vec<u64>,
}

/// How many and the first lines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    pub n: u64,
    pub lines: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnProfile {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Type,
    /// Its values are told by their shape alone, as they are ids, texts or about a person.
    pub is_private: bool,
    /// Cells that hold something.
    pub filled: u64,
    pub missing: Missing,
    pub distinct: Count,
    /// The most frequent values that come three times or more.
    pub top: Vec<Top>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
    /// Of its texts, ISO 639-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<&'static str>,
    /// Of its amounts: a code, or a sign that several currencies share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<&'static str>,
    /// Characters in a cell: the least, the middle and the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lengths: Option<[f64; 3]>,
    pub problems: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Missing {
    pub n: u64,
    pub share: f64,
    /// By what stands in their place; `absent` are rows without the field.
    pub by: BTreeMap<&'static str, u64>,
    pub lines: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Count {
    pub n: u64,
    /// Else it has a standard error of `relative_error`.
    pub is_exact: bool,
    pub relative_error: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Top {
    pub value: String,
    pub n: u64,
    /// `n` may be too low by what is between.
    pub at_most: u64,
}

/// `min` and `max` are exact, the others within `relative_error` of the value that stands there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Numbers {
    pub min: f64,
    pub p05: f64,
    pub p25: f64,
    pub median: f64,
    pub p75: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
    pub relative_error: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Times {
    pub form: Form,
    /// Whether an import reads this form.
    pub is_taken: bool,
    pub zone: &'static str,
    pub first: Timestamp,
    pub last: Timestamp,
    /// More than one form in the column.
    pub forms: BTreeMap<Form, u64>,
}

/// Something to look at before the import.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    pub code: &'static str,
    pub n: u64,
    /// Of the column's filled cells.
    pub share: f64,
    pub message: String,
    pub examples: Vec<Example>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    pub line: u64,
    /// The value, or its shape.
    pub value: String,
}

/// Values that come less often are shown by their shape: they could be somebody's alone.
pub(super) const SHOWN_FROM: u64 = 3;
const N_TOP: usize = 8;

pub(super) fn lines(spots: &Spots) -> Vec<u64> {
    spots.first.iter().map(|(line, _)| *line).collect()
}

pub(super) fn share(n: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { (n as f64 / of as f64 * 1e4).round() / 1e4 }
}

/// Tells a column of a file of so many readable rows.
pub(super) fn told(column: &Column, n_rows: u64, eyes: &Eyes) -> ColumnProfile {
    let kind = typing::type_of(column);
    let is_private = typing::is_private(column, kind);
    let is_wordy = matches!(kind, Type::FreeText | Type::Text | Type::Category);
    ColumnProfile {
        name: column.name.clone(),
        kind,
        is_private,
        filled: column.n_filled(),
        missing: missing(column, n_rows),
        distinct: distinct(column),
        top: if is_private { Vec::new() } else { top(column, eyes) },
        numbers: Some(column).filter(|_| !is_private && kind.is_number()).and_then(numbers),
        times: times(column, kind),
        language: Some(column).filter(|_| is_wordy).and_then(|column| column.language.guess()),
        currency: column.currencies.iter().max_by_key(|(_, n)| **n).map(|(currency, _)| *currency),
        lengths: column
            .lengths
            .range()
            .zip(column.lengths.at(0.5))
            .map(|((min, max), median)| [min, median.round(), max]),
        problems: problems::of(column, kind, is_private, eyes),
    }
}

fn missing(column: &Column, n_rows: u64) -> Missing {
    let absent = n_rows.saturating_sub(column.n_cells);
    let mut by: BTreeMap<_, _> = column.missing.iter().map(|(sort, spots)| (*sort, spots.n)).collect();
    if absent > 0 {
        by.insert("absent", absent);
    }
    let n = by.values().sum();
    let mut lines: Vec<u64> = column.missing.values().flat_map(lines).collect();
    lines.sort_unstable();
    lines.truncate(3);
    Missing { n, share: share(n, n_rows), by, lines }
}

fn distinct(column: &Column) -> Count {
    let is_exact = column.distinct.is_exact();
    Count { n: column.distinct.estimate(), is_exact, relative_error: if is_exact { 0.0 } else { DISTINCT_ERROR } }
}

fn top(column: &Column, eyes: &Eyes) -> Vec<Top> {
    let missed = column.frequent.missed();
    let often = column.frequent.top(N_TOP).into_iter().filter(|(_, n)| *n >= SHOWN_FROM);
    often.map(|(value, n)| Top { value: eyes.shown(value, false), n, at_most: n + missed }).collect()
}

fn numbers(column: &Column) -> Option<Numbers> {
    let (min, max) = column.numbers.range()?;
    let is_whole = column.of_class(Class::Integer).n == column.numbers.n();
    let told = |value: f64| match value {
        // A whole number that is within 1 % of it is this one.
        value if is_whole && value.abs() < 50.0 => value.round(),
        value => format!("{value:.4e}").parse().unwrap_or(value),
    };
    let at = |share| column.numbers.at(share).map(told);
    Some(Numbers {
        min,
        p05: at(0.05)?,
        p25: at(0.25)?,
        median: at(0.5)?,
        p75: at(0.75)?,
        p95: at(0.95)?,
        p99: at(0.99)?,
        max,
        relative_error: QUANTILE_ERROR,
    })
}

fn times(column: &Column, kind: Type) -> Option<Times> {
    let (first, last) = column.moments.filter(|_| kind == Type::Time)?;
    let form = form(column)?;
    let forms = if column.forms.len() > 1 { column.forms.clone() } else { BTreeMap::new() };
    Some(Times { form, is_taken: form.is_taken(), zone: form.zone(), first, last, forms })
}

/// The commonest form. Days that could be months are what the unmistakable ones beside them are.
fn form(column: &Column) -> Option<Form> {
    let commonest = column.forms.iter().max_by_key(|(_, n)| **n).map(|(form, _)| *form)?;
    let mut sure = [Form::DayFirst, Form::MonthFirst].into_iter().filter(|form| column.forms.contains_key(form));
    Some(if commonest == Form::DayOrMonthFirst { sure.next_back().unwrap_or(commonest) } else { commonest })
}

/// An example of a column's value, shown only where it is a number, a time or comes often enough.
pub(super) fn examples(spots: &Spots, column: &Column, is_private: bool, eyes: &Eyes) -> Vec<Example> {
    let is_plain = |value: &str| {
        let judged = super::cell::judge(value.trim());
        judged.number.is_some() || judged.moment.is_some() || judged.class == Class::Boolean
    };
    let is_common =
        |value: &str| column.frequent.top(64).iter().any(|(other, n)| *other == value.trim() && *n >= SHOWN_FROM);
    let shown = |value: &String| {
        let is_open = !value.trim().is_empty() && (is_plain(value) || is_common(value));
        eyes.shown(value, is_private || !is_open)
    };
    spots.first.iter().map(|(line, value)| Example { line: *line, value: shown(value) }).collect()
}
