//! A review from loose text fields: the one place where files and the API agree on what a review is.

use super::time;
use crate::domain::{CustomerId, Invalid, Language, Review, ReviewId, ReviewText, Timestamp, Tongue};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The fields of a review as they were written. An empty text is an absent one.
#[derive(Debug, Clone, Default)]
pub(super) struct RawReview<'a> {
    pub id: Option<Cow<'a, str>>,
    pub customer: Option<Cow<'a, str>>,
    pub text: Option<Cow<'a, str>>,
    pub item: Option<Cow<'a, str>>,
    pub rating: Option<Cow<'a, str>>,
    pub time: Option<Cow<'a, str>>,
    pub language: Option<Cow<'a, str>>,
}

/// A field of a review, whatever it is called outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Id,
    Customer,
    Text,
    Item,
    Rating,
    Time,
    Language,
}

/// What is wrong with a field. The message is the rest of a sentence that starts with the field's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub field: Field,
    pub code: &'static str,
    pub message: String,
}

impl Problem {
    pub(super) fn missing(field: Field) -> Self {
        Self { field, code: "missing_field", message: "is missing or empty".to_owned() }
    }

    fn invalid(field: Field, code: &'static str, message: impl Into<String>) -> Self {
        Self { field, code, message: message.into() }
    }
}

impl RawReview<'_> {
    /// Checks every field; `now` is the time of a review that gives none.
    ///
    /// # Errors
    /// All that is wrong, in the fields' order.
    pub(super) fn parse(&self, now: Timestamp) -> Result<Review, Vec<Problem>> {
        let mut problems = Vec::new();
        let customer = keep(&mut problems, self.parse_customer());
        let text = keep(&mut problems, self.parse_text());
        let item = keep(&mut problems, parse_item(given(&self.item)));
        let rating = keep(&mut problems, parse_rating(given(&self.rating)));
        let time = keep(&mut problems, parse_time(given(&self.time), now));
        let tongue = keep(&mut problems, parse_tongue(given(&self.language)));
        let id = keep(&mut problems, self.parse_id());
        match (id, customer, text, item, rating, time, tongue) {
            (Some(id), Some(customer), Some(text), Some(item), Some(rating), Some(time), Some(tongue)) => {
                Ok(Review { id, customer, text, item, rating, time, tongue })
            }
            _ => {
                problems.sort_by_key(|problem| problem.field);
                Err(problems)
            }
        }
    }

    fn parse_customer(&self) -> Result<CustomerId, Problem> {
        let text = given(&self.customer).ok_or_else(|| Problem::missing(Field::Customer))?;
        CustomerId::parse(text).map_err(|why| invalid_id(Field::Customer, why))
    }

    fn parse_text(&self) -> Result<ReviewText, Problem> {
        let text = given(&self.text).filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| Problem::missing(Field::Text))?;
        if text.contains('\0') {
            return Err(Problem::invalid(Field::Text, "invalid_text", "holds a NUL character; remove it"));
        }
        ReviewText::parse(text).map_err(|why| Problem::invalid(Field::Text, "invalid_text", why.why))
    }

    fn parse_id(&self) -> Result<ReviewId, Problem> {
        match given(&self.id) {
            Some(text) => ReviewId::parse(text).map_err(|why| invalid_id(Field::Id, why)),
            None => {
                let part = |field| given(field).unwrap_or_default();
                Ok(content_id(part(&self.customer), part(&self.item), part(&self.time), part(&self.text)))
            }
        }
    }
}

/// The id of a review that has none of its own: `r_` and the SHA-256 of customer, item, time as written, and text, each
/// after its length.
///
/// So the same row imported twice is one review, and two rows that are equal in these four fields are one review as well.
pub fn content_id(customer: &str, item: &str, time_as_written: &str, text: &str) -> ReviewId {
    let mut hasher = Sha256::new();
    for part in [customer, item, time_as_written, text] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    ReviewId::parse(&format!("r_{hex}")).expect("66 letters, digits and an underscore are a valid id")
}

/// An item's id has the form of a review's.
fn parse_item(text: Option<&str>) -> Result<Option<String>, Problem> {
    let item = text.map(ReviewId::parse).transpose().map_err(|why| invalid_id(Field::Item, why))?;
    Ok(item.map(String::from))
}

fn parse_rating(text: Option<&str>) -> Result<Option<f64>, Problem> {
    let number = text.map(|text| text.trim().parse::<f64>().ok().filter(|number| number.is_finite()));
    match number {
        None => Ok(None),
        Some(Some(number)) => Ok(Some(number)),
        Some(None) => Err(Problem::invalid(Field::Rating, "invalid_rating", "is not a number such as 4 or 4.5")),
    }
}

fn parse_time(text: Option<&str>, now: Timestamp) -> Result<Timestamp, Problem> {
    match text {
        None => Ok(now),
        Some(text) => time::parse(text).ok_or_else(|| Problem::invalid(Field::Time, "invalid_time", time::TAKEN)),
    }
}

fn parse_tongue(text: Option<&str>) -> Result<Option<Tongue>, Problem> {
    let language = text.map(Language::parse).transpose();
    let language = language.map_err(|why| Problem::invalid(Field::Language, "invalid_language", why.why))?;
    Ok(language.map(Tongue::given))
}

fn invalid_id(field: Field, why: Invalid) -> Problem {
    Problem::invalid(field, "invalid_id", why.why)
}

fn given<'a>(field: &'a Option<Cow<'_, str>>) -> Option<&'a str> {
    field.as_deref().filter(|text| !text.is_empty())
}

fn keep<T>(problems: &mut Vec<Problem>, parsed: Result<T, Problem>) -> Option<T> {
    parsed.map_err(|problem| problems.push(problem)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw<'a>(customer: &'a str, text: &'a str) -> RawReview<'a> {
        RawReview { customer: Some(customer.into()), text: Some(text.into()), ..RawReview::default() }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let review = RawReview {
            id: Some("a\nb".into()),
            customer: None,
            text: Some("  ".into()),
            item: Some("x".repeat(300).into()),
            rating: Some("NaN".into()),
            time: Some("soon".into()),
            language: Some("Chinese".into()),
        };
        let problems = review.parse(Timestamp::UNIX_EPOCH).unwrap_err();
        let told: Vec<_> = problems.iter().map(|problem| (problem.field, problem.code)).collect();
        assert_eq!(
            told,
            [
                (Field::Id, "invalid_id"),
                (Field::Customer, "missing_field"),
                (Field::Text, "missing_field"),
                (Field::Item, "invalid_id"),
                (Field::Rating, "invalid_rating"),
                (Field::Time, "invalid_time"),
                (Field::Language, "invalid_language"),
            ]
        );
    }

    #[test]
    fn a_derived_id_stays_what_it_is_for_ever() {
        assert_eq!(
            content_id("c1", "", "2026-01-31", "Good.").as_str(),
            "r_ed51092da3dc905982d22cb66de01e151c979b0b49524f9ec2ff1160d2e30c7b"
        );
    }

    proptest! {
        #[test]
        fn the_derived_id_tells_fields_apart(parts in prop::array::uniform4("[ab]{0,3}"), other in prop::array::uniform4("[ab]{0,3}")) {
            let id = |p: &[String; 4]| content_id(&p[0], &p[1], &p[2], &p[3]);
            prop_assert_eq!(id(&parts) == id(&other), parts == other);
        }

        #[test]
        fn a_rating_that_parses_is_finite(text in "[-+0-9.eEinfNa]{1,12}") {
            let review = RawReview { rating: Some(text.into()), ..raw("c", "t") };
            if let Ok(review) = review.parse(Timestamp::UNIX_EPOCH) {
                prop_assert!(review.rating.is_none_or(f64::is_finite));
            }
        }
    }
}
