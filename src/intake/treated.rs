//! A fact without what is personal in its texts. Ids stay as they are: they are what the shop looks its customers up by.

use crate::domain::{Event, Fact, Review, ReviewText, Told};
use crate::redact::{Counts, Redactor};
use serde_json::Value;
use std::borrow::Cow;

/// Stands for a text of which nothing is left.
const NOTHING_LEFT: &str = "[redacted]";

pub(super) fn treat(fact: &mut Fact, redactor: &Redactor) -> Counts {
    match fact {
        Fact::Review(review) => words(review, redactor),
        Fact::Identify(identify) => redactor.traits(&mut identify.traits),
        Fact::Group(group) => redactor.traits(&mut group.traits),
        Fact::Event(told) => event(told, redactor),
        // Ids, money and the shop's own catalogue.
        Fact::Alias(_) | Fact::Order(_) | Fact::Refund(_) | Fact::Item(_) | Fact::Consent(_) => Counts::default(),
    }
}

fn event(event: &mut Event, redactor: &Redactor) -> Counts {
    let mut properties = Value::Object(std::mem::take(&mut event.properties));
    let mut counts = redactor.json(&mut properties);
    if let Value::Object(properties) = properties {
        event.properties = properties;
    }
    if let Some(Told::Review(review)) = &mut event.told {
        counts.merge(&words(review, redactor));
    }
    counts
}

fn words(review: &mut Review, redactor: &Redactor) -> Counts {
    let redacted = redactor.text(review.text.as_str());
    let counts = redacted.counts;
    if let Cow::Owned(text) = redacted.text {
        // A placeholder may be longer than what it stands for: a text at the limit loses its end then.
        let text = if text.trim().is_empty() { NOTHING_LEFT.to_owned() } else { shortened(text) };
        if let Ok(text) = ReviewText::parse(&text) {
            review.text = text;
        }
    }
    counts
}

fn shortened(mut text: String) -> String {
    let end = text.floor_char_boundary(crate::domain::MAX_REVIEW_BYTES);
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CustomerId, MAX_REVIEW_BYTES, ReviewId, Timestamp};
    use crate::redact::{Policy, Treatment};

    fn review(text: &str) -> Fact {
        Fact::Review(Review {
            id: ReviewId::parse("r").unwrap(),
            customer: CustomerId::parse("c").unwrap(),
            text: ReviewText::parse(text).unwrap(),
            item: None,
            rating: None,
            time: Timestamp::UNIX_EPOCH,
            tongue: None,
        })
    }

    fn treated(text: &str, treatment: Treatment) -> String {
        let mut fact = review(text);
        treat(&mut fact, &Redactor::new(Policy::all(treatment), b"key"));
        let Fact::Review(review) = fact else { panic!("a review stays one") };
        review.text.as_str().to_owned()
    }

    #[test]
    fn a_text_of_which_nothing_is_left_says_so() {
        assert_eq!(treated("ann@example.com", Treatment::Drop), NOTHING_LEFT);
        assert_eq!(treated("ann@example.com", Treatment::Mask), "[email]");
        assert_eq!(treated("a fine kettle", Treatment::Drop), "a fine kettle");
    }

    #[test]
    fn a_text_at_the_limit_keeps_its_bound_and_loses_no_treatment() {
        let address = "a@b.co ";
        let long = address.repeat(MAX_REVIEW_BYTES / address.len());
        let hashed = treated(&long, Treatment::Hash);
        assert!(hashed.len() <= MAX_REVIEW_BYTES && !hashed.contains("a@b.co"), "{}", hashed.len());
    }
}
