//! What customers allow.

use crate::api::problem::{ApiError, ApiResult, Code};
use crate::domain::{self, ConsentSettings, CustomerConsent, CustomerId, Purpose, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// `PUT /v1/customers/{id}/consent`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentAsk {
    /// `analytics`, `marketing`, `profiling`: each `granted` or `withdrawn`; at least one.
    #[schema(value_type = Object)]
    pub purposes: BTreeMap<String, String>,
    /// Where it was said, such as `preference-centre`; default `api`.
    pub source: Option<String>,
    /// When it was said; left out, now.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub time: Option<Timestamp>,
}

impl ConsentAsk {
    /// # Errors
    /// There is none, or one that is not known.
    pub fn choices(&self) -> ApiResult<BTreeMap<Purpose, bool>> {
        const TAKEN: &str = "analytics, marketing and profiling are taken";
        if self.purposes.is_empty() {
            return Err(ApiError::field(Code::InvalidField, "/purposes", format!("/purposes is empty; {TAKEN}")));
        }
        let one = |(name, word): (&String, &String)| {
            let pointer = format!("/purposes/{name}");
            let purpose = Purpose::of_name(name).ok_or_else(|| {
                ApiError::field(Code::UnknownField, pointer.clone(), format!("{name} is no purpose; {TAKEN}"))
            })?;
            match word.as_str() {
                "granted" => Ok((purpose, true)),
                "withdrawn" => Ok((purpose, false)),
                _ => Err(ApiError::field(Code::InvalidField, pointer, format!("{name} is `granted` or `withdrawn`"))),
            }
        };
        self.purposes.iter().map(one).collect()
    }
}

/// What stands for one purpose.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChoiceBody {
    /// `granted`, `withdrawn`, or `unknown` where nothing was told.
    pub state: &'static str,
    /// Whether data may be used for it; where nothing was told, the workspace's settings say.
    pub is_allowed: bool,
    pub source: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub time: Option<Timestamp>,
}

/// A word that was told and changed what stood under its id.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentEntryBody {
    /// The id it was told under.
    pub customer_id: String,
    #[schema(value_type = String)]
    pub purpose: Purpose,
    pub state: &'static str,
    pub source: String,
    /// When they said it.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// When the service heard of it.
    #[schema(value_type = String, format = DateTime)]
    pub told_at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentBody {
    pub customer_id: String,
    /// By purpose.
    #[schema(value_type = BTreeMap<String, ChoiceBody>)]
    pub purposes: BTreeMap<Purpose, ChoiceBody>,
    /// In the order the service heard it.
    pub log: Vec<ConsentEntryBody>,
}

fn state(is_granted: bool) -> &'static str {
    if is_granted { "granted" } else { "withdrawn" }
}

impl ConsentBody {
    pub fn new(id: &CustomerId, consent: CustomerConsent, settings: &ConsentSettings) -> Self {
        let purpose = |purpose: Purpose| {
            let choice = consent.choices.get(&purpose);
            let told = choice.map(|choice| choice.is_granted);
            let body = ChoiceBody {
                state: told.map_or("unknown", state),
                is_allowed: settings.allows(purpose, told),
                source: choice.map(|choice| choice.source.to_string()),
                time: choice.map(|choice| choice.time),
            };
            (purpose, body)
        };
        Self {
            customer_id: id.to_string(),
            purposes: Purpose::ALL.into_iter().map(purpose).collect(),
            log: consent.log.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<domain::ConsentEntry> for ConsentEntryBody {
    fn from(entry: domain::ConsentEntry) -> Self {
        Self {
            customer_id: entry.id.to_string(),
            purpose: entry.purpose,
            state: state(entry.choice.is_granted),
            source: entry.choice.source.to_string(),
            time: entry.choice.time,
            told_at: entry.told_at,
        }
    }
}

/// `GET` and `PUT /v1/consent`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what ConsentSettings reads and writes")]
pub struct ConsentSettingsBody {
    /// By purpose, what holds where a customer said nothing: `granted` (the default) or `withheld`.
    #[schema(value_type = Object)]
    unknown: Option<Value>,
    /// By category of Segment's `context.consent.categoryPreferences`, the purposes it is about.
    #[schema(value_type = Object)]
    categories: Option<Value>,
}
