//! Errors as existing clients read them. Every error stays the problem document it is everywhere else; on these routes it also
//! carries the members that OpenAI's or text-embeddings-inference's clients look for, and has the status they act on.

use crate::api::problem::{ApiError, Code, Problem};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Whose clients a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Own,
    OpenAi,
    /// text-embeddings-inference
    Tei,
}

/// A problem document with the member that OpenAI's clients read.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenAiProblem {
    #[serde(flatten)]
    problem: Problem,
    error: OpenAiError,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OpenAiError {
    /// The problem's `detail`.
    message: String,
    /// `invalid_request_error`, `authentication_error`, `permission_error`, `rate_limit_error` or `server_error`.
    #[schema(value_type = String)]
    r#type: &'static str,
    /// The field of the body that is wrong.
    param: Option<String>,
    /// The problem's `code`; for an unknown model, `model_not_found`.
    #[schema(value_type = String)]
    code: &'static str,
}

/// A problem document with the members that text-embeddings-inference's clients read.
#[derive(Debug, Serialize, ToSchema)]
pub struct TeiProblem {
    #[serde(flatten)]
    problem: Problem,
    /// The problem's `detail`.
    error: String,
    /// `Validation`, `Overloaded`, `Backend` or `Unhealthy`.
    #[schema(value_type = String)]
    error_type: &'static str,
}

impl Dialect {
    /// By the route's pattern.
    pub fn of(route: &str) -> Self {
        match route {
            "/v1/embeddings" | "/v1/models" | "/v1/models/{model}" => Self::OpenAi,
            "/embed" | "/embed_all" | "/tokenize" | "/info" => Self::Tei,
            _ => Self::Own,
        }
    }

    /// The table's status, but for what these clients know under another one.
    pub fn status(self, code: Code) -> StatusCode {
        match (self, code) {
            (Self::OpenAi, Code::InvalidField | Code::UnknownField | Code::TextTooLong | Code::BatchTooLarge) => {
                StatusCode::BAD_REQUEST
            }
            (Self::OpenAi, Code::UnknownModel) => StatusCode::NOT_FOUND,
            (Self::Tei, Code::UnknownModel | Code::BadModel | Code::ModelFailed) => StatusCode::FAILED_DEPENDENCY,
            _ => code.status(),
        }
    }

    /// The body of an error.
    pub fn body(self, error: &ApiError, request_id: &str) -> Vec<u8> {
        let status = self.status(error.code).as_u16();
        let problem = Problem { status, ..error.problem(Some(request_id.to_owned())) };
        let written = match self {
            Self::Own => serde_json::to_vec(&problem),
            Self::OpenAi => serde_json::to_vec(&OpenAiProblem { error: openai(error), problem }),
            Self::Tei => {
                let error_type = tei_type(error.code);
                serde_json::to_vec(&TeiProblem { error: problem.detail.clone(), error_type, problem })
            }
        };
        written.unwrap_or_default()
    }
}

fn openai(error: &ApiError) -> OpenAiError {
    let field = error.errors.first().and_then(|field| field.pointer.strip_prefix('/'));
    OpenAiError {
        message: error.detail.clone(),
        r#type: match error.code {
            Code::Unauthenticated => "authentication_error",
            Code::Forbidden => "permission_error",
            Code::Busy => "rate_limit_error",
            code if code.status().is_server_error() => "server_error",
            _ => "invalid_request_error",
        },
        param: field.and_then(|field| field.split('/').next()).map(str::to_owned),
        code: if error.code == Code::UnknownModel { "model_not_found" } else { error.code.word() },
    }
}

fn tei_type(code: Code) -> &'static str {
    match code {
        Code::Busy | Code::DeadlinePassed => "Overloaded",
        Code::StoreUnavailable | Code::StoreFull => "Unhealthy",
        Code::UnknownModel | Code::BadModel | Code::ModelFailed | Code::Internal => "Backend",
        _ => "Validation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::problem::TABLE;
    use serde_json::Value;

    #[test]
    fn every_error_is_a_problem_in_every_dialect_and_its_status_stays_an_error_of_its_kind() {
        for (code, word, status, _) in TABLE {
            for dialect in [Dialect::Own, Dialect::OpenAi, Dialect::Tei] {
                let error = ApiError::field(*code, "/input/3", "the detail");
                let body: Value = serde_json::from_slice(&dialect.body(&error, "r1")).unwrap();
                let said = dialect.status(*code);
                assert_eq!(body["code"], *word);
                assert_eq!(
                    (body["status"].as_u64(), body["request_id"].as_str()),
                    (Some(said.as_u16().into()), Some("r1"))
                );
                assert!(said.is_client_error() == status.is_client_error() || dialect == Dialect::Tei, "{word}");
            }
        }
    }

    #[test]
    fn each_dialect_has_the_members_its_clients_read() {
        let error = ApiError::field(Code::InvalidField, "/input/3", "the detail");
        let openai: Value = serde_json::from_slice(&Dialect::OpenAi.body(&error, "r1")).unwrap();
        let expected = serde_json::json!({
            "message": "the detail", "type": "invalid_request_error", "param": "input", "code": "invalid_field"
        });
        assert_eq!(openai["error"], expected);
        let tei: Value = serde_json::from_slice(&Dialect::Tei.body(&error, "r1")).unwrap();
        assert_eq!((tei["error"].as_str(), tei["error_type"].as_str()), (Some("the detail"), Some("Validation")));
        let own: Value = serde_json::from_slice(&Dialect::Own.body(&error, "r1")).unwrap();
        assert_eq!(own["error"], Value::Null);
    }
}
