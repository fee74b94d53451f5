//! What happens around every handler: a request id, a log line, a metric, panics caught, errors given their body.

use super::embeddings::dialect::Dialect;
use super::problem::{ApiError, Code};
use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// The name that clients of other services look for.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A caller's request id is echoed when it is short and printable, else replaced.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match given {
        Some(id) if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) => id.to_owned(),
        _ => Uuid::now_v7().to_string(),
    }
}

/// Puts the layers around a router, the first to see a request last.
pub fn wrap(router: Router) -> Router {
    router
        .layer(middleware::map_response(finish_unmatched))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(observe))
}

async fn observe(request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let started = Instant::now();
    let method = request.method().clone();
    // The pattern, never the path: paths hold customers' ids.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let response = finish(response, &id, Dialect::of(&route));
    let status = response.status().as_u16();
    let seconds = started.elapsed().as_secs_f64();
    let labels =
        [("method", method.to_string()), ("route", route.clone()), ("status", response.status().as_str().to_owned())];
    metrics::histogram!("clientele_http_request_seconds", &labels).record(seconds);
    tracing::debug!(%method, route, status, duration_ms = seconds * 1e3, request_id = id, "answered");
    response
}

/// Gives an [`ApiError`] its problem+json body, as the route's clients read it, and every response its request id.
fn finish(mut response: Response, id: &str, dialect: Dialect) -> Response {
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        *response.status_mut() = dialect.status(error.code);
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        *response.body_mut() = Body::from(dialect.body(&error, id));
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        if dialect != Dialect::Own {
            response.headers_mut().insert(X_REQUEST_ID, value.clone());
        }
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Errors that axum itself made (a bad path parameter, say) have no code yet: they get the one of their status.
async fn finish_unmatched(response: Response) -> Response {
    let status = response.status();
    let ours = response.extensions().get::<ApiError>().is_some();
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let code = match status.as_u16() {
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        413 => Code::BodyTooLarge,
        415 => Code::UnsupportedMediaType,
        400..=499 => Code::BadRequest,
        _ => return response,
    };
    ApiError::new(code, code.title()).into_response()
}

pub async fn no_such_route(uri: Uri) -> ApiError {
    ApiError::new(Code::NotFound, format!("there is no route {}; /docs lists them", uri.path()))
}

pub async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    ApiError::new(Code::MethodNotAllowed, format!("{} does not take {method}", uri.path()))
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked; the panic's own message stands above");
    ApiError::new(Code::Internal, "the service hit a defect; nothing else was harmed").into_response()
}
