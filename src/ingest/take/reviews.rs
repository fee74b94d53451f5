//! A review a row.

use super::super::record::{Record, Takes};
use super::super::review::{Field, Problem, RawReview};
use super::super::{Mapping, RowError};
use super::and_more;
use crate::domain::{Fact, Timestamp};

pub(super) fn review(record: &Record, mapping: &Mapping, now: Timestamp) -> Result<Fact, RowError> {
    let trimmed = |field: Field, takes| match name(mapping, field) {
        Some(name) => record.trimmed(name, takes),
        None => Ok(None),
    };
    let raw = RawReview {
        id: trimmed(Field::Id, Takes::WholeNumbers)?,
        customer: trimmed(Field::Customer, Takes::WholeNumbers)?,
        text: mapping.text.as_deref().map(|name| record.text(name, Takes::Text)).transpose()?.flatten(),
        item: trimmed(Field::Item, Takes::WholeNumbers)?,
        rating: trimmed(Field::Rating, Takes::Numbers)?,
        time: trimmed(Field::Time, Takes::Numbers)?,
        language: trimmed(Field::Language, Takes::Text)?,
    };
    raw.parse(now).map(Fact::Review).map_err(|problems| row_error(&problems, mapping, record))
}

fn row_error(problems: &[Problem], mapping: &Mapping, record: &Record) -> RowError {
    let n_more = problems.len().saturating_sub(1);
    let problem = problems.first().cloned().unwrap_or_else(|| Problem::missing(Field::Text));
    let column = name(mapping, problem.field);
    let mut message = and_more(problem.message, n_more);
    let absent = column.filter(|_| problem.code == "missing_field");
    if let Some(guess) = absent.and_then(|name| record.guess(name)) {
        message.push_str(&format!("; the object has {guess:?}"));
    }
    record.error(column, problem.code, message)
}

fn name(mapping: &Mapping, field: Field) -> Option<&str> {
    let name = match field {
        Field::Id => &mapping.id,
        Field::Customer => &mapping.customer,
        Field::Text => &mapping.text,
        Field::Item => &mapping.item,
        Field::Rating => &mapping.rating,
        Field::Time => &mapping.time,
        Field::Language => &mapping.language,
    };
    name.as_deref()
}
