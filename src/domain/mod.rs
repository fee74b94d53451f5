//! The words of the product as values: pure, no I/O, no async, no clock.
//!
//! Everything here was checked when it was made: an id or a text that exists is a valid one, so code behind the edge never
//! checks again.

mod activity;
mod consent;
mod fact;
mod id;
mod identity;
mod inputs;
mod job;
mod key;
mod money;
mod order;
mod quality;
mod retention;
mod segmentation;
mod tongue;

pub use activity::{Activity, ActivityKind};
pub use consent::{
    Choice, Choices, Consent, ConsentEntry, ConsentSettings, CustomerConsent, Preferences, Purpose, Telling, Unknown,
};
pub use fact::{Customer, Event, EventKind, Fact, Group, Identify, MAX_REVIEW_BYTES, Review, ReviewText, Told};
pub use id::{
    ConsentSource, CustomerId, EventId, GroupId, Invalid, ItemId, JobId, KeyId, OrderId, ReviewId, SegmentId,
    SegmentationName, WorkspaceId,
};
pub use identity::{Alias, Merge, MergeReason, Who};
pub use inputs::{Algorithm, BlockChoice, BlockKind, BlockWeights, Inputs, MAX_WEIGHT, Picked};
pub use job::{Job, JobKind, JobLease, JobNeeds, JobState, Progress};
pub use key::{Key, Scope, Scopes};
pub use money::{Currency, Money};
pub use order::{Item, ItemKind, Order, OrderLine, Refund};
pub use quality::{Findings, Flags, JudgedKind, Mark, Marks, Outcome, Rule, Twin};
pub use retention::{FactKind, Retention};
pub use segmentation::{
    Candidate, Definition, Difference, Intervals, Joined, JoinedBlock, KChoice, Keyword, LeftOut, Membership,
    MoveReason, Portrait, Quality, Segment, SegmentRule, Segmentation, TypicalReview, UNSTABLE_BELOW, Version,
    VersionState, WeightTrial,
};
pub use tongue::{Language, Tongue};

/// Moments are UTC with microseconds at most; everything that stores them keeps at least milliseconds.
pub use jiff::Timestamp;

/// A tenant: every row and every query carries its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub created_at: Timestamp,
}
