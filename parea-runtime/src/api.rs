//! The typed client of the Parea v1 API. With `transport/http.rs` the only room that knows reqwest.

use std::{fmt, sync::Arc, time::Duration};

use parea_types::{ErrorBody, PaginatedTraceLogs, QueryParamsPagination, TraceLogTree};
use reqwest::{Method, StatusCode, Url, header};
use serde::{Serialize, de::DeserializeOwned};

/// The path under which every Parea server answers.
const BASE_PATH: &str = "/api/parea/v1";

/// A connection to a Parea server, cheap to clone.
///
/// It does not retry; [`ApiError::is_transient`] tells whether to try again.
#[derive(Clone)]
pub struct ApiClient {
    http: reqwest::Client,
    /// Without a slash at the end.
    base: Arc<str>,
    key: Option<header::HeaderValue>,
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("ApiClient").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Why a call failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ApiError {
    /// The URL cannot be used; the text says why.
    Url(String),
    /// The key has letters that no HTTP header can carry.
    Key,
    /// No answer: the connection failed, broke, or took too long.
    Unreachable(String),
    /// An answer that is no success.
    Status {
        /// The HTTP status code.
        status: u16,
        /// The answer's `detail`, or the begin of its body.
        detail: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// A success whose body is not what the API promises.
    Answer(String),
}

impl ApiError {
    /// Whether the same call may succeed later: connection faults, 408, 429, 500, 502, 503 and 504.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Url(_) | Self::Key | Self::Answer(_) => false,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(f, "invalid base URL: {why}"),
            Self::Key => f.write_str("the key has letters that no HTTP header carries"),
            Self::Unreachable(why) => write!(f, "the server cannot be reached: {why}"),
            Self::Status { status, detail, .. } => write!(f, "the server answered {status}: {detail}"),
            Self::Answer(why) => write!(f, "the server's answer is not what the API promises: {why}"),
        }
    }
}

impl std::error::Error for ApiError {}

impl ApiClient {
    /// A client for the server at `base_url`, such as `http://127.0.0.1:7273/api/parea/v1`; without a path that one
    /// is added. No connection is made yet.
    ///
    /// A server on the loopback interface is reached directly, whatever proxy the environment names.
    pub fn new(base_url: &str, api_key: Option<&str>) -> Result<Self, ApiError> {
        let mut base = Url::parse(base_url.trim()).map_err(|error| ApiError::Url(format!("`{base_url}`: {error}")))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(ApiError::Url(format!("`{base_url}` is neither http nor https")));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(ApiError::Url(format!("`{base_url}` has a query or a fragment; paths are added to its end")));
        }
        let key = match api_key.map(|key| header::HeaderValue::from_str(key.trim())) {
            Some(Ok(mut key)) => {
                key.set_sensitive(true);
                Some(key)
            }
            Some(Err(_)) => return Err(ApiError::Key),
            None => None,
        };
        if base.path().trim_matches('/').is_empty() {
            base.set_path(BASE_PATH);
        }
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls()?)
            .tcp_nodelay(true)
            // A redirect would turn a post into a get, and carry the key to whoever it names.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(30));
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| ApiError::Url(chain(&error)))?;
        let base = base.as_str().trim_end_matches('/').into();
        Ok(Self { http, base, key })
    }

    /// The API's address, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// The log of that id with all its descendants; `None` when the server has none.
    pub async fn trace_log(&self, trace_id: &str) -> Result<Option<TraceLogTree>, ApiError> {
        let path = format!("/trace_log/{}", percent_encode(trace_id));
        self.json(Method::GET, &path, None::<&()>).await
    }

    /// One page of the logs that the query asks for, newest first.
    pub async fn trace_logs(&self, query: &QueryParamsPagination) -> Result<PaginatedTraceLogs, ApiError> {
        self.json(Method::POST, "/get_trace_logs", Some(query)).await
    }

    /// Uuid of the project of that name, which is created when there is none.
    pub async fn project_uuid(&self, name: &str) -> Result<String, ApiError> {
        #[derive(serde::Deserialize)]
        struct Project {
            uuid: String,
        }
        let body = serde_json::json!({ "name": name });
        Ok(self.json::<Project>(Method::POST, "/project", Some(&body)).await?.uuid)
    }

    /// Whether a Parea server answers at this address.
    pub async fn health(&self) -> Result<(), ApiError> {
        self.json::<serde_json::Map<String, serde_json::Value>>(Method::GET, "/", None::<&()>).await.map(drop)
    }

    async fn json<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<A, ApiError> {
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(|error| ApiError::Answer(error.to_string()))?,
            None => Vec::new(),
        };
        let answer = self.send(method, path, "application/json", &[], body).await?;
        serde_json::from_slice(&answer).map_err(|error| ApiError::Answer(error.to_string()))
    }

    /// Sends a body and returns that of a successful answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        headers: &[(&str, String)],
        body: Vec<u8>,
    ) -> Result<Vec<u8>, ApiError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).header("x-sdk-language", "rust");
        request = request.header("x-sdk-version", env!("CARGO_PKG_VERSION"));
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type).body(body);
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send().await.map_err(|error| ApiError::Unreachable(chain(&error)))?;
        let status = answer.status();
        let retry_after = answer
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let moved_to = answer.headers().get(header::LOCATION).filter(|_| status.is_redirection());
        let moved_to = moved_to.map(|target| String::from_utf8_lossy(target.as_bytes()).into_owned());
        let body = answer.bytes().await.map_err(|error| ApiError::Unreachable(chain(&error)))?;
        if status.is_success() {
            return Ok(body.into());
        }
        if let Some(target) = moved_to {
            let detail = format!("moved to {target}; give that address as the base URL");
            return Err(ApiError::Status { status: status.as_u16(), detail, retry_after });
        }
        Err(ApiError::Status { status: status.as_u16(), detail: detail(status, &body), retry_after })
    }
}

/// The `detail` of an error's body, or as much of the body as fits a line.
fn detail(status: StatusCode, body: &[u8]) -> String {
    const LONGEST: usize = 300;
    let text = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { detail: serde_json::Value::String(text) }) => text,
        Ok(ErrorBody { detail }) => detail.to_string(),
        Err(_) if body.is_empty() => status.canonical_reason().unwrap_or("(no body)").to_owned(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    text.chars().take(LONGEST).collect()
}

/// Certificates are checked as the operating system does; the cryptography is ring, chosen here so that nothing is
/// installed for the whole process.
fn tls() -> Result<rustls::ClientConfig, ApiError> {
    use rustls_platform_verifier::BuilderVerifierExt as _;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(rustls::ConfigBuilder::with_platform_verifier)
        .map_err(|error| ApiError::Url(format!("TLS cannot be set up: {error}")))?;
    Ok(config.with_no_client_auth())
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

/// Everything but what a path segment may hold as it is.
fn percent_encode(segment: &str) -> String {
    use fmt::Write as _;
    segment.bytes().fold(String::with_capacity(segment.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// An error with its sources on one line: reqwest hides the reason in them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
