//! Every answer that is not 200, in one place.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use parea_store::StoreError;
use parea_types::{ErrorBody, HttpValidationError, Location, ValidationError};

use crate::{body::fault, operator};

/// Why a request is refused or failed.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// 422: the body or the path does not fit.
    Invalid(Vec<ValidationError>),
    /// 401.
    Unauthorized(&'static str),
    /// 403.
    Forbidden(String),
    /// 404: no such path.
    UnknownPath(String),
    /// 405: the path is known, the method is not; the router adds `Allow`.
    Method(String),
    /// 408: the body did not come in time.
    SlowBody,
    /// 413: the body is larger than this many bytes.
    TooLarge(usize),
    /// 413: the body is larger than this many bytes once it is decompressed.
    TooLargePlain(usize),
    /// 413: the body holds more than this many logs.
    TooMany(usize),
    /// 415: a `Content-Encoding` that is not known.
    Encoding(String),
    /// 415: the body does not say that it is JSON.
    NotJson,
    /// 400: the body broke off or does not decompress.
    BrokenBody(String),
    /// 431: the head is larger than this many bytes.
    LargeHead(usize),
    /// 503: too many requests are worked on, or too large ones; by which setting.
    Busy(&'static str),
    /// 503: the answer did not begin in this time.
    Slow(Duration),
    /// 501: what is asked for is part of the API but not of this server yet.
    NotOffered(String),
    /// What the store refuses: 400, 404 or 422. Else 500, 503 or 507: the request is fine, the store is not.
    Store(StoreError),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Vec<ValidationError>> for ApiError {
    fn from(detail: Vec<ValidationError>) -> Self {
        Self::Invalid(detail)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::Store(StoreError::Invalid(msg)) => {
                let loc = vec!["body".into(), "field_name_to_value_map".into()];
                return Self::Invalid(vec![fault(loc, "value_error", msg)]).into_response();
            }
            Self::Store(StoreError::Columns { case, reason }) => {
                let row = case.into_iter().flat_map(|case| ["test_cases".into(), case.into()]);
                let loc = [Location::from("body")].into_iter().chain(row).chain(["inputs".into()]).collect();
                return Self::Invalid(vec![fault(loc, "value_error", reason)]).into_response();
            }
            Self::Invalid(detail) => {
                return (StatusCode::UNPROCESSABLE_ENTITY, Json(HttpValidationError { detail })).into_response();
            }
            Self::Unauthorized(detail) => (StatusCode::UNAUTHORIZED, detail.to_owned()),
            Self::Forbidden(detail) => (StatusCode::FORBIDDEN, detail),
            Self::Store(StoreError::Unknown(detail)) => (StatusCode::NOT_FOUND, detail),
            Self::UnknownPath(path) => (StatusCode::NOT_FOUND, format!("there is nothing at {path}")),
            Self::Method(method) => {
                (StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not offered here; see the header Allow"))
            }
            Self::SlowBody => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time".to_owned()),
            Self::TooLarge(limit) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the body is larger than {limit} bytes; send fewer or smaller logs at once, or raise the limit with \
                     `parea serve --body-limit`"
                ),
            ),
            Self::TooLargePlain(limit) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the body is larger than {limit} bytes once it is decompressed; send fewer or smaller logs at once, \
                     or raise the limit with `parea serve --plain-limit`"
                ),
            ),
            Self::LargeHead(limit) => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                format!("the head is larger than {limit} bytes; the limit is `parea serve --head-limit`"),
            ),
            Self::Busy(flag) => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("too many requests are under way; try again, or raise the limit with `parea serve {flag}`"),
            ),
            Self::Slow(limit) => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!(
                    "the answer did not begin within {} s; ask for less, or raise the limit with `parea serve \
                     --request-time`",
                    limit.as_secs_f64()
                ),
            ),
            Self::TooMany(most) => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("the body holds more than {most} logs; send fewer at once"))
            }
            Self::Encoding(encoding) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("the content encoding `{encoding}` is not known; send identity, gzip, deflate or zstd"),
            ),
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "a server without a key takes only bodies that say they are JSON: send the header `content-type: \
                 application/json`"
                    .to_owned(),
            ),
            Self::BrokenBody(detail) | Self::Store(StoreError::Taken(detail)) => (StatusCode::BAD_REQUEST, detail),
            Self::NotOffered(detail) => (StatusCode::NOT_IMPLEMENTED, detail),
            Self::Store(error) => {
                operator::tell(format_args!("parea: {error}"));
                match error {
                    StoreError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down".to_owned()),
                    full @ StoreError::Full(_) => (StatusCode::INSUFFICIENT_STORAGE, full.to_string()),
                    disk @ StoreError::Disk(_) => (StatusCode::SERVICE_UNAVAILABLE, disk.to_string()),
                    other => (StatusCode::INTERNAL_SERVER_ERROR, other.to_string()),
                }
            }
        };
        let mut response = (status, Json(ErrorBody { detail: detail.into() })).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate, zstd, identity"));
            }
            // What is left of the body is not read as a next request.
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
