//! What an event means: the few kinds of doing that features and rules reckon with, whatever a shop calls its events.

use super::{ItemId, Money};
use serde::{Deserialize, Serialize};

/// A kind of doing. The vocabulary (`ingest`) says which events are which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// An order was placed or changed.
    Order,
    /// Money was given back.
    Refund,
    /// An order was called off: all of it is given back.
    Cancel,
    /// An item was looked at.
    View,
    /// An item was put into the cart.
    Add,
    /// An item was taken out of the cart.
    Remove,
    /// Paying was begun.
    Checkout,
    /// A search was made.
    Search,
    /// A text was written about an item.
    Review,
    /// An item was put on a list for later, or shared.
    Wish,
    /// A learner took up a course.
    Enrol,
    /// A part of a course was begun.
    Start,
    /// A part of a course was finished.
    Complete,
    /// Work was marked.
    Grade,
}

/// What one event says in those terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    pub kind: ActivityKind,
    pub item: Option<ItemId>,
    pub amount: Option<Money>,
    /// A score (as the shop scales it), a quantity; finite.
    pub value: Option<f64>,
}
