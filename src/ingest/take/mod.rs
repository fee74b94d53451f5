//! Records into facts: what the columns of a row are in each kind of file.
//!
//! Customers, events and orders are told as the calls of the Segment spec that a shop's clients would have sent, so a history that
//! is imported and one that was sent mean the same.

mod calls;
mod items;
mod orders;
mod reviews;

use super::occurrence::Occurrences;
use super::record::{Body, Record};
use super::records::Records;
use super::{Format, IngestError, Kind, Mapping, Reading, Row, RowError, Source, amount};
use crate::domain::Telling;
use orders::Orders;
use serde_json::Value;

/// What makes facts of a file's records.
pub(super) enum Taker {
    Reviews(Mapping),
    /// Each record is a call of the Segment spec as it is.
    Calls,
    Events(Mapping, Occurrences),
    Customers(Mapping, Occurrences),
    Orders(Box<Orders>),
    Items(Mapping),
}

impl Taker {
    pub(super) fn of(source: &Source) -> Result<Self, IngestError> {
        let mapping = source.mapping.clone().unwrap_or_default();
        mapping.check(source.kind, source.format)?;
        Ok(match source.kind {
            Kind::Reviews => Self::Reviews(mapping),
            Kind::Events if mapping == Mapping::default() => Self::Calls,
            Kind::Events => Self::Events(mapping, Occurrences::default()),
            Kind::Customers => Self::Customers(mapping, Occurrences::default()),
            Kind::Orders => Self::Orders(Box::new(Orders::new(mapping))),
            Kind::Items => Self::Items(mapping),
        })
    }

    /// Whether a row's id may depend on the rows before it: then reading goes on by reading those again.
    pub(super) fn remembers(&self) -> bool {
        match self {
            Self::Reviews(_) | Self::Calls | Self::Items(_) => false,
            Self::Events(mapping, _) => mapping.id.is_none(),
            Self::Customers(mapping, _) => mapping.customer.is_none(),
            Self::Orders(_) => true,
        }
    }

    /// The next row.
    pub(super) fn next(&mut self, records: &mut dyn Records, reading: &Reading) -> Result<Option<Row>, IngestError> {
        if let Self::Orders(orders) = self {
            return orders.next(records, reading);
        }
        let Some(given) = records.next()? else { return Ok(None) };
        let told = match &given.record {
            Ok(record) => self.telling(record, reading),
            Err(error) => Err(error.clone()),
        };
        let (fact, preferences) = match told {
            Ok(Telling { fact, preferences }) => (Ok(fact), preferences),
            Err(error) => (Err(error), None),
        };
        let raw = if fact.is_ok() && !reading.keeps_raw { Vec::new() } else { vec![given.raw_row()] };
        Ok(Some(Row { line: given.line, n_rows: 1, next: given.next, fact, preferences, raw }))
    }

    fn telling(&mut self, record: &Record, reading: &Reading) -> Result<Telling, RowError> {
        match self {
            Self::Reviews(mapping) => reviews::review(record, mapping, reading.now).map(Into::into),
            Self::Events(mapping, occurrences) => calls::event(record, mapping, occurrences, reading),
            Self::Customers(mapping, occurrences) => calls::customer(record, mapping, occurrences, reading),
            Self::Items(mapping) => items::item(record, mapping, reading).map(Into::into),
            Self::Calls | Self::Orders(_) => match &record.body {
                Body::Object(object) => calls::told(&Value::Object(object.clone()), record, None, reading),
                Body::Cells { .. } => Err(record.error(None, "not_an_object", "a call is a JSON object")),
            },
        }
    }
}

/// See [`Mapping::check`].
pub(super) fn check(mapping: &Mapping, kind: Kind, format: Format) -> Result<(), IngestError> {
    let needs = |is_there: bool, what| {
        if is_there { Ok(()) } else { Err(IngestError::NoMapping { kind: kind.name(), what }) }
    };
    let has = |name: &Option<String>| name.is_some();
    if let Some(code) = mapping.currency_code.as_deref()
        && !matches!(amount::currency(Some(code), None), Ok(Some(_)))
    {
        return Err(IngestError::BadMapping(format!("currency_code {code:?} is not three letters, such as EUR")));
    }
    match kind {
        Kind::Reviews => {
            needs(has(&mapping.customer) && has(&mapping.text), "which columns hold the `customer` and the `text`")
        }
        Kind::Events if format == Format::Ndjson && *mapping == Mapping::default() => Ok(()),
        Kind::Events => needs(
            has(&mapping.customer) && (has(&mapping.event) || has(&mapping.event_name)),
            "which columns hold the `customer` and the `event`, or one `event_name` for all; without any, NDJSON holds one \
             Segment-spec call a line",
        ),
        // Without an id of their own they are told apart by their content.
        Kind::Customers => Ok(()),
        Kind::Items => needs(has(&mapping.id) || has(&mapping.name), "which column holds the `id`, or the `name`"),
        Kind::Orders => {
            needs(has(&mapping.customer), "which column holds the `customer`")?;
            let priced = has(&mapping.lines) || has(&mapping.price) && has(&mapping.item);
            needs(has(&mapping.total) || priced, "which column holds the `total`, or the `price` and the `item`")
        }
    }
}

/// The column that has a role.
fn column_of<'a>(mapping: &'a Mapping, role: &str) -> Option<&'a str> {
    mapping.names().find(|(name, _)| *name == role).map(|(_, column)| column)
}

fn and_more(message: String, n_more: usize) -> String {
    if n_more == 0 { message } else { format!("{message} (and {n_more} more in this row)") }
}
