//! Facts: what was said and what happened. They are the truth of the service; all else is derived from them.

use super::{CustomerId, EventId, Invalid, ReviewId, Timestamp};
use serde_json::{Map, Value};

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
}

/// Traits a customer is known by now (`identify` in the Segment spec): merged over the ones known before, key by key.
#[derive(Debug, Clone, PartialEq)]
pub struct Identify {
    pub customer: CustomerId,
    pub traits: Map<String, Value>,
    pub time: Timestamp,
}

/// Something that happened (`track` in the Segment spec): an order, a view, a lesson.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: EventId,
    pub customer: CustomerId,
    pub name: String,
    pub time: Timestamp,
    pub properties: Map<String, Value>,
}

/// One thing to be remembered.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    Review(Review),
    Identify(Identify),
    Event(Event),
}

impl Fact {
    pub fn customer(&self) -> &CustomerId {
        match self {
            Self::Review(review) => &review.customer,
            Self::Identify(identify) => &identify.customer,
            Self::Event(event) => &event.customer,
        }
    }
}

/// A customer as the facts describe them. Someone exists from their first fact on.
#[derive(Debug, Clone, PartialEq)]
pub struct Customer {
    pub id: CustomerId,
    pub traits: Map<String, Value>,
    /// When the service first heard of them.
    pub created_at: Timestamp,
    pub n_reviews: u64,
    pub n_events: u64,
}
