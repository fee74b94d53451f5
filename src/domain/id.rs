//! Identifiers, parsed once at the edge. Each `parse` says what it takes; the inner text is private, so a value proves the check.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// A value from outside that does not have the form its field asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {why}")]
pub struct Invalid {
    /// The field's name as the caller wrote it, for example `customer_id`.
    pub field: &'static str,
    /// What is wrong and what would be right, as the rest of a sentence that starts with the field's name.
    pub why: String,
}

impl Invalid {
    pub fn new(field: &'static str, why: impl Into<String>) -> Self {
        Self { field, why: why.into() }
    }
}

/// The longest identifier from outside, in bytes of UTF-8.
const MAX_ID_BYTES: usize = 256;

/// Takes 1 to 256 bytes without control characters and without spaces at either end.
fn outside_id(field: &'static str, text: &str) -> Result<Box<str>, Invalid> {
    if text.trim().is_empty() {
        return Err(Invalid::new(field, "is empty"));
    }
    if text.len() > MAX_ID_BYTES {
        return Err(Invalid::new(field, format!("has {} bytes; at most {MAX_ID_BYTES} are allowed", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::new(field, "holds a control character"));
    }
    if text.trim() != text {
        return Err(Invalid::new(field, "starts or ends with a space"));
    }
    Ok(text.into())
}

/// Takes 1 to 63 of `a-z 0-9 - _`, the first a letter or a digit: safe in a path, a file name and a metric's label.
fn slug(field: &'static str, text: &str) -> Result<Box<str>, Invalid> {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if text.len() <= 63 && starts_well && text.chars().all(ok) {
        return Ok(text.into());
    }
    Err(Invalid::new(field, "takes 1 to 63 of a-z, 0-9, '-' and '_', and starts with a letter or a digit"))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $field:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// # Errors
            /// The text has not the form this identifier takes.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                $check($field, text).map(Self)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        /// So that a map keyed by the id can be asked with a borrowed text.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// A tenant's id: a slug such as `default` or `shop-eu`.
    WorkspaceId, "workspace", slug
);
text_id!(
    /// A customer's id as the shop knows it: 1 to 256 bytes, any script, no control characters.
    CustomerId, "customer_id", outside_id
);
text_id!(
    /// A review's id, unique in its workspace; same form as a customer's.
    ReviewId, "review_id", outside_id
);
text_id!(
    /// An event's id (`messageId` in the Segment spec), unique in its workspace for ever.
    EventId, "messageId", outside_id
);
text_id!(
    /// An order's id, unique in its workspace; same form as a customer's.
    OrderId, "order_id", outside_id
);
text_id!(
    /// An item's id in the shop's catalogue; same form as a customer's.
    ItemId, "item_id", outside_id
);
text_id!(
    /// An account's id (`groupId` in the Segment spec); same form as a customer's.
    GroupId, "groupId", outside_id
);
text_id!(
    /// Where a customer said what they allow: `api`, `segment`, `import`, or the caller's own word, such as `preference-centre`.
    ConsentSource, "source", outside_id
);
text_id!(
    /// A segmentation's name: a slug such as `needs` or `by-topic`.
    SegmentationName, "segmentation", slug
);

/// A segment's id, unique in its segmentation and kept across versions while it is the same group. Written `s1`, `s2`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SegmentId(pub u32);

impl SegmentId {
    /// # Errors
    /// The text is not `s` and a number.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        text.strip_prefix('s')
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| Invalid::new("segment_id", "is written as 's' and a number, for example s3"))
    }
}

impl TryFrom<String> for SegmentId {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<SegmentId> for String {
    fn from(id: SegmentId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// # Errors
            /// The text is not a UUID.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                Uuid::try_parse(text).map(Self).map_err(|_| Invalid::new($field, "is not a UUID"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// A job's id (UUID version 7, so jobs sort by the moment they were asked for).
    JobId, "job_id"
);
uuid_id!(
    /// A key's id: what may be shown and logged; the secret itself never is.
    KeyId, "key_id"
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_refuse_what_would_hurt_later() {
        for bad in ["", "   ", " a", "a ", "a\nb", "a\0b", &"x".repeat(257)] {
            assert!(CustomerId::parse(bad).is_err(), "{bad:?} should be refused");
        }
        for bad in ["", "-a", "A", "a b", "a/b", "é", &"x".repeat(64)] {
            assert!(WorkspaceId::parse(bad).is_err(), "{bad:?} should be refused");
        }
        for bad in ["", "s", "3", "s-1", "s+1", "S1", "s99999999999"] {
            assert!(SegmentId::parse(bad).is_err(), "{bad:?} should be refused");
        }
    }

    #[test]
    fn an_error_names_the_field() {
        assert_eq!(CustomerId::parse("").unwrap_err().to_string(), "`customer_id` is empty");
    }

    proptest! {
        #[test]
        fn a_parsed_id_reads_back_as_it_was_written(text in "\\PC{1,40}") {
            if let Ok(id) = CustomerId::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
            }
        }

        #[test]
        fn segment_ids_round_trip(n in any::<u32>()) {
            prop_assert_eq!(SegmentId::parse(&SegmentId(n).to_string()), Ok(SegmentId(n)));
        }
    }
}
