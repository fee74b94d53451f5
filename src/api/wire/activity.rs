//! Events, orders, items and merges as the API shows them.

use super::{ConsentBody, CustomerBody, MembershipBody, ReviewBody, flag_names};
use crate::clean::Currencies;
use crate::domain::{self, ActivityKind, Money, Timestamp};
use crate::store::{StoredEvent, StoredOrder, StoredRefund};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Money in minor units, so that nothing is rounded on the way.
#[derive(Debug, Serialize, ToSchema)]
pub struct MoneyBody {
    pub minor: i64,
    /// Nothing where the shop said none: two decimals are meant then.
    #[schema(value_type = Option<String>)]
    pub currency: Option<domain::Currency>,
}

impl From<Money> for MoneyBody {
    fn from(money: Money) -> Self {
        Self { minor: money.minor, currency: money.currency }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EventBody {
    pub message_id: String,
    /// `track`, `page` or `screen`.
    #[schema(value_type = String)]
    pub kind: domain::EventKind,
    pub name: String,
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    #[schema(value_type = Object)]
    pub properties: Value,
    /// The id it was told under.
    pub told_under: String,
    /// What the vocabulary made of it.
    pub activity: Option<ActivityBody>,
    /// Rules of cleaning that it breaks.
    pub flags: Vec<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ActivityBody {
    #[schema(value_type = String)]
    pub kind: ActivityKind,
    pub item_id: Option<String>,
    pub amount: Option<MoneyBody>,
    /// A score, a rating or a quantity.
    pub value: Option<f64>,
}

impl From<StoredEvent> for EventBody {
    fn from(stored: StoredEvent) -> Self {
        let event = stored.event;
        Self {
            message_id: event.id.to_string(),
            kind: event.kind,
            name: event.name,
            time: event.time,
            properties: Value::Object(event.properties),
            told_under: event.who.id.to_string(),
            activity: event.activity.map(|activity| ActivityBody {
                kind: activity.kind,
                item_id: activity.item.map(String::from),
                amount: activity.amount.map(Into::into),
                value: activity.value,
            }),
            flags: flag_names(stored.flags),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OrderBody {
    pub order_id: String,
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    pub total: MoneyBody,
    /// The total in the base of the table of currencies, as of the order's time; nothing without a table or a rate.
    pub total_in_base: Option<MoneyBody>,
    pub discount_minor: i64,
    pub lines: Vec<OrderLineBody>,
    /// Rules of cleaning that it breaks.
    pub flags: Vec<&'static str>,
}

impl OrderBody {
    /// With the total in the base currency of the workspace's table.
    pub fn in_base(mut self, table: Option<&Currencies>) -> Self {
        let total = Money { minor: self.total.minor, currency: self.total.currency };
        self.total_in_base = table.and_then(|table| table.in_base(&total, self.time)).map(Into::into);
        self
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OrderLineBody {
    pub item_id: String,
    pub quantity: u32,
    /// Of one, in minor units.
    pub price_minor: Option<i64>,
    pub category: Option<String>,
}

impl From<StoredOrder> for OrderBody {
    fn from(stored: StoredOrder) -> Self {
        let order = stored.order;
        let line = |line: domain::OrderLine| OrderLineBody {
            item_id: line.item.to_string(),
            quantity: line.quantity,
            price_minor: line.price_minor,
            category: line.category,
        };
        Self {
            order_id: order.id.to_string(),
            time: order.time,
            total: order.total.into(),
            total_in_base: None,
            discount_minor: order.discount_minor,
            lines: order.lines.into_iter().map(line).collect(),
            flags: flag_names(stored.flags),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ItemBody {
    pub item_id: String,
    /// `product` or `course`.
    #[schema(value_type = String)]
    pub kind: domain::ItemKind,
    pub name: Option<String>,
    pub category: Option<String>,
    pub description: Option<String>,
    pub price: Option<MoneyBody>,
    #[schema(value_type = Object)]
    pub attributes: Value,
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
}

impl From<domain::Item> for ItemBody {
    fn from(item: domain::Item) -> Self {
        Self {
            item_id: item.id.to_string(),
            kind: item.kind,
            name: item.name,
            category: item.category,
            description: item.description,
            price: item.price_minor.map(|minor| MoneyBody { minor, currency: item.currency }),
            attributes: Value::Object(item.attributes),
            time: item.time,
        }
    }
}

/// From `time` on, what is known under `id` counts for `customer_id`.
#[derive(Debug, Serialize, ToSchema)]
pub struct MergeBody {
    pub id: String,
    pub customer_id: String,
    /// `claim` (a call named both) or `alias` (the shop said so).
    #[schema(value_type = String)]
    pub reason: domain::MergeReason,
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
}

impl From<domain::Merge> for MergeBody {
    fn from(merge: domain::Merge) -> Self {
        Self {
            id: merge.id.to_string(),
            customer_id: merge.customer.to_string(),
            reason: merge.reason,
            time: merge.time,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RefundBody {
    pub refund_id: String,
    pub order_id: String,
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Nothing where the whole order was given back.
    pub amount: Option<MoneyBody>,
    /// Rules of cleaning that it breaks.
    pub flags: Vec<&'static str>,
}

impl From<StoredRefund> for RefundBody {
    fn from(stored: StoredRefund) -> Self {
        let refund = stored.refund;
        Self {
            refund_id: refund.id,
            order_id: refund.order.to_string(),
            time: refund.time,
            amount: refund.amount.map(Into::into),
            flags: flag_names(stored.flags),
        }
    }
}

/// Everything that is kept of a customer. (Vectors are left out: they follow from the words.)
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportBody {
    #[schema(value_type = String, format = DateTime)]
    pub exported_at: Timestamp,
    pub customer: CustomerBody,
    /// What they allow.
    pub consent: ConsentBody,
    /// Where they are now.
    pub segments: Vec<MembershipBody>,
    /// Newest first, as are the others.
    pub events: Vec<EventBody>,
    pub reviews: Vec<ReviewBody>,
    pub orders: Vec<OrderBody>,
    pub refunds: Vec<RefundBody>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SuppressionBody {
    pub customer_id: String,
    /// Whether it was suppressed until now.
    pub lifted: bool,
}
