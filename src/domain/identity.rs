//! Who a call speaks of: a customer under an id the shop knows, or a visitor under an anonymous one, and what ties the two.

use super::{CustomerId, EventId, Timestamp};

/// Whom a fact is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The id the fact is kept under: the known one where there is one.
    pub id: CustomerId,
    /// Whether `id` is an anonymous one: the shop did not say who it was.
    pub is_anonymous: bool,
    /// The anonymous id that was named beside a known one: it is the same person's.
    pub also: Option<CustomerId>,
}

impl Who {
    pub fn known(id: CustomerId) -> Self {
        Self { id, is_anonymous: false, also: None }
    }

    pub fn anonymous(id: CustomerId) -> Self {
        Self { id, is_anonymous: true, also: None }
    }
}

/// The shop says that two ids are one person (`alias` in the Segment spec).
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    pub previous: CustomerId,
    pub id: CustomerId,
    pub message: Option<EventId>,
    pub time: Timestamp,
}

/// Why an id came to stand for another customer than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeReason {
    /// A call named it beside a known id.
    Claim,
    /// The shop said so.
    Alias,
}

/// One line of the log of merges: from `time` on, what is known under `id` counts for `customer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    /// Orders the log.
    pub seq: i64,
    pub id: CustomerId,
    /// The customer it counts for now; `id` itself when it stands alone again.
    pub customer: CustomerId,
    pub reason: MergeReason,
    /// When the service did it.
    pub time: Timestamp,
}
