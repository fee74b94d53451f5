//! Facts: what was said and what happened. They are the truth of the service; all else is derived from them.

use super::{
    Activity, Alias, Consent, CustomerId, EventId, GroupId, Invalid, Item, Order, Refund, ReviewId, Timestamp, Tongue,
    Who,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The longest review, in bytes of UTF-8. 100,000 Chinese characters fit.
pub const MAX_REVIEW_BYTES: usize = 512 * 1024;

/// A review's words: not blank, at most 512 KiB, kept exactly as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewText(Box<str>);

impl ReviewText {
    /// # Errors
    /// The text is blank or longer than 512 KiB.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.trim().is_empty() {
            return Err(Invalid::new("text", "is empty"));
        }
        if text.len() > MAX_REVIEW_BYTES {
            return Err(Invalid::new(
                "text",
                format!("has {} bytes; at most {MAX_REVIEW_BYTES} are allowed", text.len()),
            ));
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A number that texts of the same words have in common, whatever their case and their white space: the first 64 bits of
    /// SHA-256.
    pub fn fingerprint(&self) -> i64 {
        let mut hash = Sha256::new();
        for word in self.0.split_whitespace() {
            hash.update(word.to_lowercase());
            hash.update([0]);
        }
        let digest: [u8; 32] = hash.finalize().into();
        i64::from_le_bytes(digest[..8].try_into().unwrap_or_default())
    }
}

/// A text by a customer, about an item perhaps, with a rating perhaps.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    pub id: ReviewId,
    pub customer: CustomerId,
    pub text: ReviewText,
    pub item: Option<String>,
    /// In the shop's own scale; finite.
    pub rating: Option<f64>,
    /// When it was written; when it arrived if the shop does not say.
    pub time: Timestamp,
    /// What it is written in: said by the shop, else found in the words on the way into the store. No content: a review that
    /// is sent again keeps the first.
    pub tongue: Option<Tongue>,
}

/// Traits a customer is known by now (`identify` in the Segment spec): merged over the ones known before, key by key.
#[derive(Debug, Clone, PartialEq)]
pub struct Identify {
    pub who: Who,
    pub traits: Map<String, Value>,
    /// The call's own id; a call that was seen before changes nothing.
    pub message: Option<EventId>,
    pub time: Timestamp,
}

/// A customer belongs to an account: a company, a school (`group` in the Segment spec). Traits are the account's.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub who: Who,
    pub group: GroupId,
    pub traits: Map<String, Value>,
    pub message: Option<EventId>,
    pub time: Timestamp,
}

/// Which call of the Segment spec an event came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    #[default]
    Track,
    Page,
    Screen,
}

/// Something that happened (`track`, `page`, `screen` in the Segment spec): an order, a view, a lesson.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: EventId,
    pub who: Who,
    pub kind: EventKind,
    pub name: String,
    pub time: Timestamp,
    pub properties: Map<String, Value>,
    /// What it means, where the vocabulary knows its name.
    pub activity: Option<Activity>,
    /// The fact it tells beside having happened; it is kept or refused together with the event.
    pub told: Option<Told>,
}

/// What an event tells beside having happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    Order(Order),
    Refund(Refund),
    Review(Review),
}

/// One thing to be remembered.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    Review(Review),
    Identify(Identify),
    Event(Event),
    Alias(Alias),
    Group(Group),
    Order(Order),
    Refund(Refund),
    Item(Item),
    Consent(Consent),
}

impl Fact {
    /// Whom it is about; an item is about nobody.
    pub fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Review(review) => Some(&review.customer),
            Self::Identify(identify) => Some(&identify.who.id),
            Self::Event(event) => Some(&event.who.id),
            Self::Alias(alias) => Some(&alias.id),
            Self::Group(group) => Some(&group.who.id),
            Self::Order(order) => Some(&order.customer),
            Self::Refund(refund) => Some(&refund.customer),
            Self::Consent(consent) => Some(&consent.who.id),
            Self::Item(_) => None,
        }
    }
}

/// A customer as the facts describe them. Someone exists from their first fact on.
#[derive(Debug, Clone, PartialEq)]
pub struct Customer {
    pub id: CustomerId,
    /// Whether a call ever named them by this or another id of the shop's own; else they are an anonymous visitor.
    pub is_known: bool,
    /// The other ids whose facts count for them, in byte order.
    pub aliases: Vec<CustomerId>,
    /// The accounts they belong to, in byte order.
    pub groups: Vec<GroupId>,
    pub traits: Map<String, Value>,
    /// When the service first heard of them.
    pub created_at: Timestamp,
    pub n_reviews: u64,
    pub n_events: u64,
    pub n_orders: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_same_words_have_one_fingerprint() {
        let of = |text: &str| ReviewText::parse(text).unwrap().fingerprint();
        assert_eq!(of("Good  kettle,\nfine lid. "), of("good kettle, fine lid."));
        assert_ne!(of("good kettle"), of("goodkettle"));
        assert_ne!(of("很好"), of("不好"));
    }
}
