//! Every error the API can answer with: one exhaustive table from code to status, and the body of RFC 9457.

use crate::domain::Invalid;
use crate::embed::EmbedError;
use crate::ingest::{FieldError, IngestError};
use crate::segment::SegmentError;
use crate::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong, in a word that programs can rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    BadJson,
    BadUtf8,
    UnknownField,
    InvalidField,
    BadCursor,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    BodyTooLarge,
    UnsupportedMediaType,
    TooFewCustomers,
    TextTooLong,
    BatchTooLarge,
    UnknownModel,
    BadModel,
    ModelFailed,
    BadFile,
    NoLiveVersion,
    RequestTimeout,
    Busy,
    DeadlinePassed,
    StoreUnavailable,
    StoreFull,
    Internal,
}

/// The table: code, its word, status, title. `docs` and the tests walk it.
pub const TABLE: &[(Code, &str, StatusCode, &str)] = &[
    (Code::BadRequest, "bad_request", StatusCode::BAD_REQUEST, "The request cannot be understood"),
    (Code::BadJson, "bad_json", StatusCode::BAD_REQUEST, "The body is not the JSON this route takes"),
    (Code::BadUtf8, "bad_utf8", StatusCode::BAD_REQUEST, "The body is not UTF-8"),
    (Code::UnknownField, "unknown_field", StatusCode::UNPROCESSABLE_ENTITY, "A field is not known here"),
    (Code::InvalidField, "invalid_field", StatusCode::UNPROCESSABLE_ENTITY, "A field's value is not allowed"),
    (Code::BadCursor, "bad_cursor", StatusCode::BAD_REQUEST, "The cursor is not from this list"),
    (Code::Unauthenticated, "unauthenticated", StatusCode::UNAUTHORIZED, "A valid key is needed"),
    (Code::Forbidden, "forbidden", StatusCode::FORBIDDEN, "The key does not allow this"),
    (Code::NotFound, "not_found", StatusCode::NOT_FOUND, "There is no such thing"),
    (
        Code::MethodNotAllowed,
        "method_not_allowed",
        StatusCode::METHOD_NOT_ALLOWED,
        "The route does not take this method",
    ),
    (Code::Conflict, "conflict", StatusCode::CONFLICT, "The request contradicts what is there"),
    (Code::BodyTooLarge, "body_too_large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
    (
        Code::UnsupportedMediaType,
        "unsupported_media_type",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The body's type is not taken here",
    ),
    (Code::TooFewCustomers, "too_few_customers", StatusCode::UNPROCESSABLE_ENTITY, "There are too few customers"),
    (Code::TextTooLong, "text_too_long", StatusCode::PAYLOAD_TOO_LARGE, "A text has more tokens than the model takes"),
    (Code::BatchTooLarge, "batch_too_large", StatusCode::PAYLOAD_TOO_LARGE, "There are too many inputs for one call"),
    (Code::UnknownModel, "unknown_model", StatusCode::UNPROCESSABLE_ENTITY, "There is no such model"),
    (Code::BadModel, "bad_model", StatusCode::UNPROCESSABLE_ENTITY, "The model cannot be used"),
    (Code::ModelFailed, "model_failed", StatusCode::INTERNAL_SERVER_ERROR, "The model failed"),
    (Code::BadFile, "bad_file", StatusCode::UNPROCESSABLE_ENTITY, "The file cannot be read as asked"),
    (Code::NoLiveVersion, "no_live_version", StatusCode::CONFLICT, "The segmentation has not been fitted yet"),
    (Code::RequestTimeout, "request_timeout", StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time"),
    (Code::Busy, "busy", StatusCode::TOO_MANY_REQUESTS, "The service has too much to do"),
    (
        Code::DeadlinePassed,
        "deadline_passed",
        StatusCode::GATEWAY_TIMEOUT,
        "The answer was not there by the request's deadline",
    ),
    (Code::StoreUnavailable, "store_unavailable", StatusCode::SERVICE_UNAVAILABLE, "The store does not answer"),
    (Code::StoreFull, "store_full", StatusCode::INSUFFICIENT_STORAGE, "The store has no room"),
    (Code::Internal, "internal", StatusCode::INTERNAL_SERVER_ERROR, "Something broke"),
];

impl Code {
    fn row(self) -> &'static (Code, &'static str, StatusCode, &'static str) {
        TABLE.iter().find(|row| row.0 == self).unwrap_or(&TABLE[TABLE.len() - 1])
    }

    pub fn word(self) -> &'static str {
        self.row().1
    }

    pub fn status(self) -> StatusCode {
        self.row().2
    }

    pub fn title(self) -> &'static str {
        self.row().3
    }
}

/// One thing wrong at one place of the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemField {
    /// JSON pointer (RFC 6901) into the body, or the name of a query parameter.
    pub pointer: String,
    pub code: String,
    pub detail: String,
}

/// An `application/problem+json` body (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `/docs/errors#CODE`: where the code is explained.
    pub r#type: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    pub code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
}

/// An error on its way out of a handler.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub code: Code,
    pub detail: String,
    pub errors: Vec<ProblemField>,
    /// Seconds, for what is worth another try.
    pub retry_after_s: Option<u32>,
}

pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after_s = match code {
            Code::Busy | Code::StoreUnavailable => Some(1),
            // Somebody has to make room.
            Code::StoreFull => Some(10),
            _ => None,
        };
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after_s }
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("{what} does not exist in this workspace"))
    }

    /// One field of the body, or one query parameter, is wrong.
    pub fn field(code: Code, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let field = ProblemField { pointer: pointer.into(), code: code.word().into(), detail: detail.clone() };
        Self { errors: vec![field], ..Self::new(code, detail) }
    }

    pub fn problem(&self, request_id: Option<String>) -> Problem {
        Problem {
            r#type: format!("/docs/errors#{}", self.code.word()),
            title: self.code.title().into(),
            status: self.code.status().as_u16(),
            detail: self.detail.clone(),
            code: self.code.word().into(),
            request_id,
            errors: self.errors.clone(),
        }
    }
}

/// The body is written by the `finish` layer, which knows the request's id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthenticated {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(what) => Self::not_found(&format!("the {what}")),
            StoreError::Conflict(why) => Self::new(Code::Conflict, why),
            StoreError::Unavailable(_) => {
                Self::new(Code::StoreUnavailable, "the store does not answer; nothing was written")
            }
            StoreError::Full(_) => Self::new(Code::StoreFull, "the store has no room; nothing was written"),
            StoreError::Open { .. } | StoreError::InUse { .. } | StoreError::TooNew { .. } | StoreError::Corrupt(_) => {
                tracing::error!(%error, "the store failed");
                Self::new(Code::Internal, "the store failed; the service's log says how")
            }
        }
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Self::field(Code::InvalidField, format!("/{}", invalid.field), invalid.to_string())
    }
}

impl From<EmbedError> for ApiError {
    fn from(error: EmbedError) -> Self {
        match error {
            EmbedError::Unknown { .. } => Self::new(Code::UnknownModel, error.to_string()),
            EmbedError::Busy { retry_after } => {
                // Whole seconds, rounded up: a client that comes back then finds room.
                let seconds = retry_after.as_secs_f64().ceil().clamp(1.0, 3_600.0) as u32;
                Self { retry_after_s: Some(seconds), ..Self::new(Code::Busy, error.to_string()) }
            }
            EmbedError::BadTokens { .. } => Self::new(Code::InvalidField, error.to_string()),
            EmbedError::DeadlinePassed => Self::new(
                Code::DeadlinePassed,
                "the model had no answer by the deadline; allow more time, or try when less is waiting",
            ),
            EmbedError::Forward(_) => {
                tracing::error!(%error, "the model failed");
                Self::new(Code::ModelFailed, "the model failed; the service's log says how")
            }
            _ => Self::new(Code::BadModel, error.to_string()),
        }
    }
}

impl From<SegmentError> for ApiError {
    fn from(error: SegmentError) -> Self {
        match error {
            SegmentError::Store(error) => error.into(),
            SegmentError::Embed(error) => error.into(),
            SegmentError::Invalid(invalid) => invalid.into(),
            SegmentError::TooFewCustomers { .. } => Self::new(Code::TooFewCustomers, error.to_string()),
            SegmentError::NoLiveVersion(_) => Self::new(Code::NoLiveVersion, error.to_string()),
            SegmentError::Cluster(_) => Self::new(Code::InvalidField, error.to_string()),
            SegmentError::Cancelled => Self::new(Code::Conflict, error.to_string()),
            SegmentError::Broken(_) => {
                tracing::error!(%error, "a segmentation failed");
                Self::new(Code::Internal, "the fit broke; the service's log says how")
            }
        }
    }
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        Self::new(Code::BadFile, error.to_string())
    }
}

impl From<Vec<FieldError>> for ApiError {
    fn from(errors: Vec<FieldError>) -> Self {
        let unknown_only = errors.iter().all(|e| e.code == Code::UnknownField.word());
        let code = if unknown_only { Code::UnknownField } else { Code::InvalidField };
        let detail =
            errors.first().map_or_else(|| "the body is not valid".into(), |e| format!("{} {}", e.pointer, e.message));
        let errors = errors
            .into_iter()
            .map(|e| ProblemField { pointer: e.pointer, code: e.code.into(), detail: e.message })
            .collect();
        Self { errors, ..Self::new(code, detail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_row_and_one_word() {
        let mut words: Vec<_> = TABLE.iter().map(|row| row.1).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), TABLE.len());
        // The last variant is `Internal`; the table lists each variant once, in order.
        assert_eq!(TABLE.len(), Code::Internal as usize + 1);
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.0 as usize, i, "{} stands in its place", row.1);
        }
    }
}
