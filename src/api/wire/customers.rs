//! Customers, their reviews, and where they are.

use super::{RunnerUp, flag_names, name_of, rounded, runner_up};
use crate::domain::{self, Timestamp};
use crate::segment::{LiveVersion, Placed};
use crate::store::StoredReview;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewBody {
    pub review_id: String,
    pub text: String,
    pub item_id: Option<String>,
    pub rating: Option<f64>,
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// `zh`, `en`, `other`, or what the shop said; nothing for reviews from before languages were looked for.
    pub language: Option<String>,
    /// 0 to 1; 1 where the shop said it.
    pub language_confidence: Option<f64>,
    /// Rules of cleaning that it breaks.
    pub flags: Vec<&'static str>,
}

impl From<StoredReview> for ReviewBody {
    fn from(stored: StoredReview) -> Self {
        let review = stored.review;
        Self {
            review_id: review.id.to_string(),
            text: review.text.as_str().to_owned(),
            item_id: review.item,
            rating: review.rating,
            time: review.time,
            language: review.tongue.as_ref().map(|tongue| tongue.language.as_str().to_owned()),
            language_confidence: review.tongue.map(|tongue| rounded(tongue.confidence)),
            flags: flag_names(stored.flags),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerBody {
    pub customer_id: String,
    /// Whether the shop ever named them; else they are an anonymous visitor.
    pub is_known: bool,
    /// Other ids whose facts count for them.
    pub aliases: Vec<String>,
    /// Accounts they belong to.
    pub groups: Vec<String>,
    #[schema(value_type = Object)]
    pub traits: Value,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    pub n_reviews: u64,
    pub n_events: u64,
    pub n_orders: u64,
    /// The newest 20; nothing in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviews: Option<Vec<ReviewBody>>,
}

impl From<domain::Customer> for CustomerBody {
    fn from(customer: domain::Customer) -> Self {
        Self {
            customer_id: customer.id.to_string(),
            is_known: customer.is_known,
            aliases: customer.aliases.into_iter().map(String::from).collect(),
            groups: customer.groups.into_iter().map(String::from).collect(),
            traits: Value::Object(customer.traits),
            created_at: customer.created_at,
            n_reviews: customer.n_reviews,
            n_events: customer.n_events,
            n_orders: customer.n_orders,
            reviews: None,
        }
    }
}

/// A customer's place in one segmentation.
#[derive(Debug, Serialize, ToSchema)]
pub struct MembershipBody {
    pub segmentation: String,
    /// The version that answers.
    pub version: u32,
    pub segment_id: String,
    /// The segment's name.
    pub segment: String,
    /// 0 to 1.
    pub confidence: f64,
    pub runner_up: Option<RunnerUp>,
    /// Since when the customer is in this segment, across versions.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Why the customer came to be in it: `joined` or `refit`.
    #[schema(value_type = String)]
    pub reason: domain::MoveReason,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerSegments {
    pub customer_id: String,
    pub data: Vec<MembershipBody>,
    /// Why there is nothing, where the customer does not allow it: `profiling consent withdrawn` or `profiling consent not given`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

impl MembershipBody {
    pub fn new(live: &LiveVersion, placed: Placed) -> Self {
        Self {
            segmentation: live.version.segmentation.to_string(),
            version: live.version.number,
            segment_id: placed.segment.to_string(),
            segment: name_of(live, placed.segment),
            confidence: rounded(f64::from(placed.confidence)),
            runner_up: placed.runner_up.map(|id| runner_up(live, id, f64::from(placed.runner_up_confidence))),
            since: placed.since,
            reason: placed.reason,
        }
    }
}

/// `POST /v1/customers/segments:batch`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomersAsk {
    /// 1 to 1,000 customers' ids.
    pub customer_ids: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CustomersSegments {
    pub data: Vec<CustomerSegments>,
    /// Ids that are in no live segmentation, and of which no consent was withdrawn.
    pub not_found: Vec<String>,
}
