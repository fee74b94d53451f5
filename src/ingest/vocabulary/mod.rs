//! What a shop's events mean: a table from names to kinds of doing, ours for the e-commerce and education names of the Segment
//! spec, and an operator's own before it.

mod reading;
#[cfg(test)]
mod tests;

use crate::domain::{ActivityKind, Event};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

/// The table.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    by_name: HashMap<String, Meaning>,
}

/// A vocabulary file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VocabularyError {
    #[error("the vocabulary {path} cannot be read: {why}")]
    Open { path: String, why: std::io::Error },
    #[error("the vocabulary {path} is not right: {why}")]
    Parse { path: String, why: String },
}

/// A file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    event: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    names: Vec<String>,
    means: ActivityKind,
    #[serde(default)]
    fields: Fields,
}

/// One event's meaning and where its parts are.
#[derive(Debug, Clone)]
struct Meaning {
    kind: ActivityKind,
    fields: Fields,
}

/// Where parts of an event are, if not under the usual names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    item: Option<Paths>,
    order: Option<Paths>,
    amount: Option<Paths>,
    currency: Option<Paths>,
    discount: Option<Paths>,
    lines: Option<Paths>,
    quantity: Option<Paths>,
    price: Option<Paths>,
    category: Option<Paths>,
    text: Option<Paths>,
    review: Option<Paths>,
    rating: Option<Paths>,
    value: Option<Paths>,
    refund: Option<Paths>,
}

/// One path or several, the first that leads to a value taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Paths {
    One(String),
    Several(Vec<String>),
}

impl Vocabulary {
    /// The names of the Segment spec's e-commerce events, of education, and the usual Chinese ones.
    pub fn standard() -> Self {
        let mut vocabulary = Self { by_name: HashMap::new() };
        let file = toml::from_str(include_str!("standard.toml")).expect("a test reads the file that is built in");
        vocabulary.add(file);
        vocabulary
    }

    /// The standard one with an operator's file before it.
    ///
    /// # Errors
    /// The file cannot be read, or is not a vocabulary: the message names the line and the key.
    pub fn with_file(path: &Path) -> Result<Self, VocabularyError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|why| VocabularyError::Open { path: shown.clone(), why })?;
        Self::with_text(&text).map_err(|why| VocabularyError::Parse { path: shown, why })
    }

    fn with_text(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|why| why.to_string())?;
        if let Some(entry) = file.event.iter().find(|entry| entry.names.iter().all(|name| key(name).is_empty())) {
            return Err(format!("an entry that means {:?} has no names", entry.means));
        }
        let mut vocabulary = Self::standard();
        vocabulary.add(file);
        Ok(vocabulary)
    }

    fn add(&mut self, file: File) {
        for entry in file.event {
            for name in &entry.names {
                self.by_name.insert(key(name), Meaning { kind: entry.means, fields: entry.fields.clone() });
            }
        }
    }

    /// The event with what it means, and the order, refund or review it tells of. An event whose name is not known, or whose
    /// parts make no sense, stays what it is: something that happened.
    pub fn understand(&self, event: Event) -> Event {
        match self.by_name.get(&key(&event.name)) {
            Some(meaning) => reading::understand(event, meaning),
            None => event,
        }
    }
}

/// A name without what differs between spellings.
fn key(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}
