//! Orders, refunds and the catalogue they name: what is bought, given back and offered. A course a learner takes is an item too.

use super::{Currency, CustomerId, ItemId, Money, OrderId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A purchase with its lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub id: OrderId,
    pub customer: CustomerId,
    /// When it was placed: the earliest moment that a fact about it gave.
    pub time: Timestamp,
    /// What was paid; never negative.
    pub total: Money,
    /// What was taken off the price, in minor units of the total's currency; zero where nothing is known.
    pub discount_minor: i64,
    pub lines: Vec<OrderLine>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderLine {
    pub item: ItemId,
    /// At least 1.
    pub quantity: u32,
    /// Price of one, in minor units of the order's currency.
    pub price_minor: Option<i64>,
    /// As the shop calls it; the catalogue's category stands in where it is missing.
    pub category: Option<String>,
}

/// Money given back.
#[derive(Debug, Clone, PartialEq)]
pub struct Refund {
    /// Unique in the workspace: the shop's own id, or that of the message that told of it.
    pub id: String,
    pub order: OrderId,
    pub customer: CustomerId,
    pub time: Timestamp,
    /// How much; nothing where the whole order was given back. Below zero where the shop said so and nobody mended it.
    pub amount: Option<Money>,
}

/// What is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    #[default]
    Product,
    Course,
}

/// An entry of the catalogue. A later one (by `time`) replaces an earlier one whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: ItemId,
    pub kind: ItemKind,
    pub name: Option<String>,
    pub category: Option<String>,
    pub description: Option<String>,
    pub price_minor: Option<i64>,
    pub currency: Option<Currency>,
    /// Whatever else the shop keeps of it.
    pub attributes: Map<String, Value>,
    pub time: Timestamp,
}
