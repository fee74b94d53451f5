//! Personal data in texts, found and treated before a text is stored: "privacy from the first byte".
//!
//! Pure: a text goes in, a text comes out. `find` holds one recogniser a kind, each with the words that make it surer or less sure;
//! [`Policy`] says what is done with each kind; [`Redactor`] does it. What it guarantees, as property tests hold it:
//!
//! - redacting what was redacted changes nothing more;
//! - a text without findings comes back borrowed, bit for bit;
//! - findings never overlap and lie on character boundaries of the text as it was written;
//! - the work is linear in the text's length, whatever is in it.

mod context;
mod fields;
mod find;
mod hash;
mod json;
mod policy;
mod treat;
mod view;

#[cfg(test)]
mod laws;

pub use policy::{Policy, PolicyError, Treatment};
pub use treat::{Redacted, Redactor};

use std::ops::Range;

/// A kind of personal data. The order breaks ties between findings that are as long and as certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Email,
    Phone,
    NationalId,
    BankCard,
    Iban,
    IpAddress,
    Url,
    PostalAddress,
    PersonName,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::Email,
        Self::Phone,
        Self::NationalId,
        Self::BankCard,
        Self::Iban,
        Self::IpAddress,
        Self::Url,
        Self::PostalAddress,
        Self::PersonName,
    ];

    /// The kind's name in policies and placeholders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::NationalId => "id",
            Self::BankCard => "card",
            Self::Iban => "iban",
            Self::IpAddress => "ip",
            Self::Url => "url",
            Self::PostalAddress => "address",
            Self::PersonName => "name",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Personal data in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Bytes of the text as it was written, on character boundaries.
    pub range: Range<usize>,
    pub kind: Kind,
    /// From 0 to 1; a policy's `min_certainty` decides what counts.
    pub certainty: f32,
}

/// How many findings of each kind were treated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([usize; Kind::ALL.len()]);

impl Counts {
    pub fn of(&self, kind: Kind) -> usize {
        self.0[kind as usize]
    }

    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    pub fn add(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += other;
        }
    }
}
