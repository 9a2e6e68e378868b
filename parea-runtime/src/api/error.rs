//! Why a call failed, and whether it may succeed later.

use std::{error::Error, fmt, time::Duration};

use parea_types::{ErrorBody, HttpValidationError, ValidationError};
use reqwest::StatusCode;

use crate::redact::REDACTED;

/// Least bytes of a key that is looked for in what a server says.
const SHORTEST_KEY: usize = 8;

/// Why a call failed.
#[derive(Clone)]
#[non_exhaustive]
pub enum ApiError {
    /// The URL cannot be used; the text says why.
    Url(String),
    /// A key is set and no URL: where to call is not said.
    MissingBaseUrl,
    /// The key has letters that no HTTP header can carry.
    Key,
    /// The request cannot be made of what was given; the text says why. Nothing was sent.
    Request(String),
    /// No connection came about, so that nothing was sent.
    Unreachable(String),
    /// The connection broke, or took too long, before the whole answer was there. The server may have done what was
    /// asked.
    Broken(String),
    /// An answer that is no success.
    Status {
        /// The HTTP status code.
        status: u16,
        /// The answer's `detail` in one line, or the begin of its body.
        detail: String,
        /// The answer's body, at most its first 64 KB.
        body: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// A success whose body is not what the API promises.
    Answer(String),
    /// The model's answer ended in an error, which the gateway put into the stream.
    Stream(String),
}

impl ApiError {
    /// Whether the same call may succeed later: connection faults, 408, 429, 500, 502, 503 and 504.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Broken(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// The HTTP status code, if there was an answer that is no success.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// What the server found wrong with the request, field by field; empty unless this is a 422 with a list.
    pub fn validation_errors(&self) -> Vec<ValidationError> {
        match self {
            Self::Status { status: 422, body, .. } => validation_errors(body),
            _ => Vec::new(),
        }
    }

    /// An answer that is no success.
    pub(super) fn refusal(status: StatusCode, body: &[u8], key: Option<&[u8]>, retry_after: Option<Duration>) -> Self {
        let mut body = String::from_utf8_lossy(body).into_owned();
        // Some servers say which key they refuse.
        if let Some(key) = key.and_then(|key| str::from_utf8(key).ok()).filter(|key| key.len() >= SHORTEST_KEY) {
            body = body.replace(key, REDACTED);
        }
        Self::Status { status: status.as_u16(), detail: detail(status, &body), body, retry_after }
    }

    /// A success that cannot be read.
    pub(super) fn unlike(error: &serde_json::Error, body: &[u8]) -> Self {
        const LONGEST: usize = 120;
        if body.is_empty() {
            return Self::Answer("it is empty".to_owned());
        }
        let begin = String::from_utf8_lossy(&body[..body.len().min(LONGEST)]);
        let mark = if body.len() > LONGEST { "…" } else { "" };
        Self::Answer(format!("{error}, in `{}{mark}`", line(&begin)))
    }

    /// A fault of the connection.
    pub(super) fn connection(error: &reqwest::Error) -> Self {
        if error.is_connect() { Self::Unreachable(chain(error)) } else { Self::Broken(chain(error)) }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(f, "invalid base URL: {why}"),
            Self::MissingBaseUrl => {
                f.write_str("PAREA_API_KEY is set but PAREA_BASE_URL is not: say which server to call")
            }
            Self::Key => f.write_str("the key has letters that no HTTP header carries"),
            Self::Request(why) => write!(f, "the request cannot be made: {why}"),
            Self::Unreachable(why) => write!(f, "the server cannot be reached: {why}"),
            Self::Broken(why) => write!(f, "no whole answer came from the server: {why}"),
            Self::Status { status, detail, .. } => write!(f, "the server answered {status}: {detail}"),
            Self::Answer(why) => write!(f, "the server's answer is not what the API promises: {why}"),
            Self::Stream(why) => write!(f, "the model's answer broke off: {why}"),
        }
    }
}

/// The text of `Display`: a `main` or a test that returns the error prints this.
impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ApiError {}

/// The `detail` of an error's body in one line, or as much of the body as fits there.
fn detail(status: StatusCode, body: &str) -> String {
    const LONGEST: usize = 300;
    let text = match serde_json::from_str::<ErrorBody>(body) {
        Ok(error) => error.to_string(),
        Err(_) if body.is_empty() => status.canonical_reason().unwrap_or("(no body)").to_owned(),
        Err(_) => body.to_owned(),
    };
    line(&text).chars().take(LONGEST).collect()
}

/// A foreign text on one line, and without what would steer a terminal.
fn line(text: &str) -> String {
    text.replace(|letter: char| letter.is_control() && !letter.is_whitespace(), "")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn validation_errors(body: &str) -> Vec<ValidationError> {
    serde_json::from_str::<HttpValidationError>(body).map(|faults| faults.detail).unwrap_or_default()
}

/// An error with its sources on one line: reqwest hides the reason in them.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
