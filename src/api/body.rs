//! Bodies and query strings into checked values, with errors that point at the field.

use super::ApiState;
use super::problem::{ApiError, ApiResult, Code};
use crate::ingest::segment_spec::MAX_BATCH_BYTES;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::Read;
use std::time::Duration;

/// A whole small body has to be here by then.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// It is larger, too slow, or breaks off.
pub async fn read(body: Body, headers: &HeaderMap, limit: usize) -> ApiResult<Bytes> {
    let too_large =
        || ApiError::new(Code::BodyTooLarge, format!("the body may have at most {limit} bytes; send smaller batches"));
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let collect = async {
        let mut stream = body.into_data_stream();
        let mut all = Vec::with_capacity(announced.unwrap_or(0));
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| ApiError::new(Code::BadRequest, "the body broke off"))?;
            if all.len() + chunk.len() > limit {
                return Err(too_large());
            }
            all.extend_from_slice(&chunk);
        }
        Ok(Bytes::from(all))
    };
    tokio::time::timeout(BODY_TIMEOUT, collect)
        .await
        .unwrap_or_else(|_| Err(ApiError::new(Code::RequestTimeout, "the body did not arrive within 30 seconds")))
}

/// Parses JSON strictly; the error points at the field.
///
/// # Errors
/// It is not UTF-8, not JSON, or not of this shape.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::new(Code::BadJson, "the body is empty; this route takes a JSON object"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        ApiError::new(Code::BadUtf8, format!("the body is not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_syntax() || inner.is_eof() {
            return ApiError::new(Code::BadJson, format!("the body is not JSON: {inner}"));
        }
        let unknown = inner.to_string().starts_with("unknown field");
        let code = if unknown { Code::UnknownField } else { Code::InvalidField };
        ApiError::field(code, pointer, inner.to_string())
    })?;
    json.end().map_err(|error| ApiError::new(Code::BadJson, format!("the body goes on after its JSON: {error}")))?;
    Ok(value)
}

/// `a.b[2]` as RFC 6901 writes it: `/a/b/2`.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        let word = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&word);
    }
    pointer
}

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> ApiResult<Self> {
        let (parts, body) = request.into_parts();
        let kind =
            parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
        if !kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase().ends_with("json") {
            return Err(ApiError::new(Code::UnsupportedMediaType, "this route takes application/json"));
        }
        let bytes = read(body, &parts.headers, state.limits.json_bytes).await?;
        parse_json(&bytes).map(Self)
    }
}

/// The JSON of Segment calls: packed with gzip perhaps, under whatever `Content-Type` their clients send it (browsers avoid
/// `application/json`, which would cost them a request more).
pub struct CallBody(pub Value);

impl FromRequest<ApiState> for CallBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> ApiResult<Self> {
        let (parts, body) = request.into_parts();
        let limit = MAX_BATCH_BYTES.min(state.limits.json_bytes);
        let bytes = read(body, &parts.headers, limit).await?;
        let encoding = parts.headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        let bytes = match encoding.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "identity") => bytes,
            Some("gzip" | "x-gzip") => unpacked(&bytes, limit)?.into(),
            Some(_) => {
                let detail = "this route takes bodies as they are or packed with gzip";
                return Err(ApiError::new(Code::UnsupportedMediaType, detail));
            }
        };
        parse_json(&bytes).map(Self)
    }
}

/// Unpacks gzip to at most `limit` bytes: what would grow beyond it is never held.
fn unpacked(packed: &[u8], limit: usize) -> ApiResult<Vec<u8>> {
    let mut bytes = Vec::with_capacity(packed.len().saturating_mul(4).min(limit));
    let mut reader = flate2::read::MultiGzDecoder::new(packed).take(limit as u64 + 1);
    reader
        .read_to_end(&mut bytes)
        .map_err(|_| ApiError::new(Code::BadRequest, "the body is not the gzip that its Content-Encoding says"))?;
    if bytes.len() > limit {
        let detail = format!("the unpacked body may have at most {limit} bytes; send smaller batches");
        return Err(ApiError::new(Code::BodyTooLarge, detail));
    }
    Ok(bytes)
}

/// The query string.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri).map_err(|rejection| {
            ApiError::new(Code::InvalidField, format!("the query string is not right: {}", rejection.body_text()))
        })?;
        Ok(Self(query.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only parsed")]
        n: u32,
    }

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "only parsed")]
        list: Vec<Inner>,
    }

    #[test]
    fn bad_bodies_get_a_code_and_a_pointer() {
        let table: &[(&[u8], Code, &str)] = &[
            (b"", Code::BadJson, ""),
            (b"  \n", Code::BadJson, ""),
            (b"{", Code::BadJson, ""),
            (b"{\"list\":[]} x", Code::BadJson, ""),
            (b"\xff\xfe", Code::BadUtf8, ""),
            (b"{\"list\":[{\"n\":1},{\"n\":\"x\"}]}", Code::InvalidField, "/list/1/n"),
            (b"{\"list\":[{\"n\":-1}]}", Code::InvalidField, "/list/0/n"),
            (b"{\"list\":[{\"n\":1,\"m\":2}]}", Code::UnknownField, "/list/0/m"),
        ];
        for (body, code, pointer) in table {
            let error = parse_json::<Outer>(body).unwrap_err();
            assert_eq!(error.code, *code, "{body:?}");
            assert_eq!(error.errors.first().map_or("", |e| e.pointer.as_str()), *pointer, "{body:?}");
        }
    }
}
