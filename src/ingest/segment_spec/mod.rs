//! Calls of Segment's tracking spec (<https://segment.com/docs/connections/spec/>): what a shop's clients send already.
//!
//! `identify`, `track`, `page`, `screen`, `group` and `alias` are read. Fields beyond those used (`integrations`, …) are let
//! pass, as clients send them with every call; a used field of the wrong type is an error.

mod context;
mod fields;
#[cfg(test)]
mod tests;

use super::vocabulary::Vocabulary;
use super::{FieldError, time};
use crate::domain::{
    Alias, ConsentSource, Event, EventId, EventKind, Fact, Group, Identify, Preferences, Telling, Timestamp,
};
use fields::{compact_bytes, error, event_name, keep, message_id, object, page_name, string, who};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The largest call, in bytes of compact JSON.
pub const MAX_CALL_BYTES: usize = 32 * 1024;
/// The largest batch, in bytes of its body, unpacked.
pub const MAX_BATCH_BYTES: usize = 500 * 1024;
/// The most calls in a batch.
pub const MAX_BATCH_CALLS: usize = 2_500;

/// Where a call says when it happened; the first that does is believed.
const TIMES: [&str; 2] = ["timestamp", "originalTimestamp"];

/// A call's type, as its route and its `type` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    Identify,
    Track,
    Page,
    Screen,
    Group,
    Alias,
}

impl CallKind {
    pub const ALL: [(&str, Self); 6] = [
        ("identify", Self::Identify),
        ("track", Self::Track),
        ("page", Self::Page),
        ("screen", Self::Screen),
        ("group", Self::Group),
        ("alias", Self::Alias),
    ];

    fn of(call: &Map<String, Value>) -> Result<Self, FieldError> {
        const KINDS: &str = "identify, track, page, screen, group or alias";
        match call.get("type") {
            None | Some(Value::Null) => Err(error("/type", "missing_field", &format!("is missing; it is {KINDS}"))),
            Some(Value::String(kind)) => Self::ALL
                .into_iter()
                .find_map(|(name, known)| (name == kind).then_some(known))
                .ok_or_else(|| error("/type", "unsupported_call", &format!("is no call of the spec; it is {KINDS}"))),
            Some(_) => Err(error("/type", "wrong_type", "is not a string")),
        }
    }
}

/// How calls arrive, and what is said once for all that arrive together.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    pub vocabulary: &'a Vocabulary,
    pub received_at: Timestamp,
    /// The route's type; nothing where each call names its own.
    pub kind: Option<CallKind>,
    /// The batch's `sentAt`, for calls that have none of their own.
    pub sent_at: Option<Timestamp>,
    /// The batch's `context`: what a call's own does not say.
    pub context: Option<&'a Map<String, Value>>,
    /// Whether the sender's clock is set right by `sentAt`. History that is imported keeps its times.
    pub corrects_clock: bool,
    /// What a call may have: [`MAX_CALL_BYTES`], a row of a file more.
    pub max_bytes: usize,
}

impl<'a> Arrival<'a> {
    /// A call by itself, its times as they stand.
    pub fn plain(vocabulary: &'a Vocabulary, received_at: Timestamp) -> Self {
        Self {
            vocabulary,
            received_at,
            kind: None,
            sent_at: None,
            context: None,
            corrects_clock: false,
            max_bytes: MAX_CALL_BYTES,
        }
    }
}

/// Reads one call.
///
/// # Errors
/// All that is wrong with it.
pub fn parse_call(call: &Value, arrival: Arrival<'_>) -> Result<Fact, Vec<FieldError>> {
    let object = call.as_object().ok_or_else(|| vec![error("", "not_an_object", "a call is a JSON object")])?;
    let n_bytes = compact_bytes(call);
    if n_bytes > arrival.max_bytes {
        let message = format!("has {n_bytes} bytes, and at most {} are taken; send less with it", arrival.max_bytes);
        return Err(vec![error("", "too_large", &message)]);
    }
    let kind = match arrival.kind {
        Some(kind) => kind,
        None => CallKind::of(object).map_err(|error| vec![error])?,
    };
    let mut errors = Vec::new();
    let fact = Call { call: object, arrival, errors: &mut errors }.read(kind);
    match fact {
        Some(fact) if errors.is_empty() => Ok(fact),
        _ => Err(errors),
    }
}

/// Reads one call with what it says of consent (`context.consent.categoryPreferences`).
///
/// # Errors
/// All that is wrong with it.
pub fn parse_telling(call: &Value, arrival: Arrival<'_>) -> Result<Telling, Vec<FieldError>> {
    let fact = parse_call(call, arrival)?;
    let own = call.get("context").and_then(Value::as_object);
    let by_category = context::preferences(own, arrival.context).map_err(|error| vec![error])?;
    let (who, time) = match &fact {
        Fact::Identify(identify) => (&identify.who, identify.time),
        Fact::Group(group) => (&group.who, group.time),
        Fact::Event(event) => (&event.who, event.time),
        // An alias names two ids and says nothing of either.
        _ => return Ok(fact.into()),
    };
    if by_category.is_empty() {
        return Ok(fact.into());
    }
    let source = ConsentSource::parse("segment").expect("a word is a source");
    let preferences = Preferences { who: who.clone(), by_category, by_purpose: BTreeMap::new(), source, time };
    Ok(Telling { fact, preferences: Some(preferences) })
}

/// Reads the `sentAt` of a batch.
///
/// # Errors
/// It is no moment.
pub fn sent_at(batch: &Map<String, Value>) -> Result<Option<Timestamp>, FieldError> {
    moment(batch, "sentAt")
}

/// A call while it is read. What is wrong is gathered, so that all of it is told at once.
struct Call<'a> {
    call: &'a Map<String, Value>,
    arrival: Arrival<'a>,
    errors: &'a mut Vec<FieldError>,
}

impl Call<'_> {
    fn read(mut self, kind: CallKind) -> Option<Fact> {
        match kind {
            CallKind::Identify => self.identify(),
            CallKind::Group => self.group(),
            CallKind::Alias => self.alias(),
            CallKind::Track => self.event(EventKind::Track, event_name),
            CallKind::Page => self.event(EventKind::Page, |call| page_name(call, "Page")),
            CallKind::Screen => self.event(EventKind::Screen, |call| page_name(call, "Screen")),
        }
    }

    fn take<T>(&mut self, read: impl FnOnce(&Map<String, Value>) -> Result<T, FieldError>) -> Option<T> {
        let parsed = read(self.call);
        keep(self.errors, parsed)
    }

    fn identify(&mut self) -> Option<Fact> {
        let (who, traits) = (self.take(who), self.take(|call| object(call, "traits")));
        let (message, time) = (self.take(message_id), self.time());
        Some(Fact::Identify(Identify { who: who?, traits: traits?, message: message?, time: time? }))
    }

    fn group(&mut self) -> Option<Fact> {
        let (who, group) = (self.take(who), self.take(fields::group_id));
        let traits = self.take(|call| object(call, "traits"));
        let (message, time) = (self.take(message_id), self.time());
        Some(Fact::Group(Group { who: who?, group: group?, traits: traits?, message: message?, time: time? }))
    }

    fn alias(&mut self) -> Option<Fact> {
        let previous = self.take(|call| fields::required_customer(call, "previousId"));
        let id = self.take(|call| fields::required_customer(call, "userId"));
        let (message, time) = (self.take(message_id), self.time());
        Some(Fact::Alias(Alias { previous: previous?, id: id?, message: message?, time: time? }))
    }

    fn event(
        &mut self,
        kind: EventKind,
        name: impl FnOnce(&Map<String, Value>) -> Result<String, FieldError>,
    ) -> Option<Fact> {
        let (who, name) = (self.take(who), self.take(name));
        let properties = self.take(|call| object(call, "properties"));
        let context = self.take(|call| object(call, "context"));
        let (message, time) = (self.take(message_id), self.time());
        let (who, name, mut properties, time) = (who?, name?, properties?, time?);
        let id = message?.unwrap_or_else(|| self.derived_id());
        if let Some(context) = context::kept(&context?, self.arrival.context) {
            properties.insert(context::PROPERTY.to_owned(), context);
        }
        let event = Event { id, who, kind, name, time, properties, activity: None, told: None };
        Some(Fact::Event(self.arrival.vocabulary.understand(event)))
    }

    /// `timestamp` by the service's clock: the sender's may be off by what `sentAt` shows (the spec's rule:
    /// timestamp = receivedAt − (sentAt − timestamp as sent)). RudderStack's clients say it as `originalTimestamp`.
    fn time(&mut self) -> Option<Timestamp> {
        let arrival = self.arrival;
        let said = self.take(|call| TIMES.iter().find_map(|name| moment(call, name).transpose()).transpose())?;
        let sent_at = self.take(|call| moment(call, "sentAt"))?.or(arrival.sent_at);
        let Some(said) = said else { return Some(arrival.received_at) };
        let Some(sent_at) = sent_at.filter(|_| arrival.corrects_clock) else { return Some(said) };
        let behind = arrival.received_at.as_microsecond() - sent_at.as_microsecond();
        Timestamp::from_microsecond(said.as_microsecond() + behind).ok().or(Some(said))
    }

    /// The id of a call that has none: the same call read at the same moment, or with its own time, has the same.
    fn derived_id(&self) -> EventId {
        let mut hash = Sha256::new();
        let mut call = Value::Object(self.call.clone());
        call.sort_all_objects();
        hash.update(call.to_string());
        if !TIMES.iter().any(|name| self.call.contains_key(*name)) {
            hash.update(self.arrival.received_at.as_microsecond().to_le_bytes());
        }
        let digest: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        EventId::parse(&format!("derived-{digest}")).expect("letters and digits are an id")
    }
}

fn moment(call: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, FieldError> {
    match string(call, name)? {
        None | Some("") => Ok(None),
        Some(text) => {
            time::parse(text).map(Some).ok_or_else(|| error(&format!("/{name}"), "invalid_time", time::TAKEN))
        }
    }
}
