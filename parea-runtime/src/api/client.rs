//! A connection to a server, and how a call is made over it.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Method, Request, Response, header};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use tokio::runtime::Handle;

use super::{
    builder::{ApiClientBuilder, connector},
    error::{ApiError, chain},
    retry::{self, Again},
};
use crate::clock;

/// Most bytes of an error's body that are kept.
const LONGEST_ERROR: usize = 64 * 1024;

/// A connection to a Parea server, cheap to clone. It has every operation of the API.
///
/// Failed calls are tried again where that is safe: see [`ApiClientBuilder::retries`]. For code that is not async there
/// is [`blocking`](Self::blocking).
///
/// ```no_run
/// use parea::{ApiClient, types::{FilterBase, QueryParamsPagination, TimeRange}};
///
/// # async fn example() -> Result<(), parea::ApiError> {
/// let api = ApiClient::from_env()?;
/// let bad = FilterBase::score("accuracy").less_than(0.5);
/// let page = api.trace_logs(&QueryParamsPagination::new("support-bot").since(TimeRange::Day).matching(bad)).await?;
/// for tree in page.results {
///     println!("{} {:?}", tree.log.trace_id, tree.log.output);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ApiClient {
    pub(super) http: reqwest::Client,
    pub(super) connection: Arc<Connection>,
}

/// What all clones of a client share.
pub(super) struct Connection {
    /// Without a slash at the end.
    pub(super) base: String,
    /// The same without a password.
    pub(super) shown: String,
    pub(super) key: Option<header::HeaderValue>,
    pub(super) timeout: Duration,
    pub(super) retries: u32,
    /// Most bytes of an answer, if that is bounded.
    pub(super) longest_answer: Option<usize>,
    /// The environment says to write no logs.
    pub(super) logs_off: bool,
    pub(super) loopback: bool,
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("ApiClient").field("base", &self.connection.shown).finish_non_exhaustive()
    }
}

impl ApiClient {
    /// A client for the server at `base_url`, such as `http://127.0.0.1:7273/api/parea/v1`; without a path that one
    /// is added. No connection is made yet.
    ///
    /// A server on the loopback interface is reached directly, whatever proxy the environment names.
    pub fn new(base_url: &str, api_key: Option<&str>) -> Result<Self, ApiError> {
        let builder = Self::builder(base_url);
        match api_key {
            Some(key) => builder.api_key(key),
            None => builder,
        }
        .build()
    }

    /// [`new`](Self::new) with more to say.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let api = parea::ApiClient::builder("http://127.0.0.1:7273").timeout(Duration::from_secs(10)).retries(5).build()?;
    /// assert_eq!(api.base_url(), "http://127.0.0.1:7273/api/parea/v1");
    /// # Ok::<(), parea::ApiError>(())
    /// ```
    pub fn builder(base_url: &str) -> ApiClientBuilder {
        ApiClientBuilder::new(base_url)
    }

    /// The client that the environment describes: `PAREA_BASE_URL`, or `parea serve` on its default address when that and
    /// `PAREA_API_KEY` are not set. A key alone is [`ApiError::MissingBaseUrl`]: it never picks a remote server.
    ///
    /// With `TURN_OFF_PAREA_LOGGING` (`true`, `t`, `yes` or `1`) this client writes no logs: [`log`](Self::log),
    /// [`log_all`](Self::log_all), [`log_langchain`](Self::log_langchain), [`update_log`](Self::update_log) and
    /// [`update_all`](Self::update_all) succeed and send nothing.
    pub fn from_env() -> Result<Self, ApiError> {
        ApiClientBuilder::from_env()?.build()
    }

    /// The API's address, without a slash at the end and without what stands before an `@`.
    pub fn base_url(&self) -> &str {
        &self.connection.shown
    }

    /// A client with connections of its own, for another runtime.
    pub(super) fn reconnected(&self) -> Result<Self, ApiError> {
        let http = connector(&self.connection.base, self.connection.loopback)?;
        Ok(Self { http, connection: Arc::clone(&self.connection) })
    }

    pub(super) async fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, ApiError> {
        let request = self.request(Method::GET, path, "", &[], Vec::new())?;
        read(&self.repeat(request, Again::Harmless).await?)
    }

    pub(super) async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        again: Again,
    ) -> Result<A, ApiError> {
        read(&self.write(Method::POST, path, body, again).await?)
    }

    /// Sends a body and returns that of a successful answer.
    pub(super) async fn write(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        again: Again,
    ) -> Result<Vec<u8>, ApiError> {
        let body = serde_json::to_vec(body).map_err(|error| ApiError::Request(error.to_string()))?;
        let request = self.request(method, path, "application/json", &[], body)?;
        self.repeat(request, again).await
    }

    /// Sends a body once and returns that of a successful answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        headers: &[(&str, String)],
        body: Vec<u8>,
    ) -> Result<Vec<u8>, ApiError> {
        self.attempt(self.request(method, path, content_type, headers, body)?).await
    }

    /// Tries until an answer is there that is final.
    pub(super) async fn repeat(&self, request: Request, again: Again) -> Result<Vec<u8>, ApiError> {
        self.repeat_with(request, again, |attempt| self.attempt(attempt)).await
    }

    /// [`repeat`](Self::repeat) with another way to make an attempt.
    pub(super) async fn repeat_with<A, F>(
        &self,
        request: Request,
        again: Again,
        attempt: impl Fn(Request) -> F,
    ) -> Result<A, ApiError>
    where
        F: Future<Output = Result<A, ApiError>>,
    {
        let mut failures = 0;
        loop {
            // The body is shared, not copied; a request whose body cannot be shared is none of ours.
            let Some(next) = request.try_clone() else { return attempt(request).await };
            let error = match attempt(next).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if failures == self.connection.retries {
                return Err(error);
            }
            let Some(pause) = again.pause(&error, failures) else { return Err(error) };
            tokio::time::sleep(pause).await;
            failures += 1;
        }
    }

    async fn attempt(&self, mut request: Request) -> Result<Vec<u8>, ApiError> {
        *request.timeout_mut() = Some(self.connection.timeout);
        let mut answer = self.answer(request).await?;
        let Some(longest) = self.connection.longest_answer else {
            let body = answer.bytes().await.map_err(|error| ApiError::connection(&error))?;
            return Ok(body.into());
        };
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| ApiError::connection(&error))? {
            if body.len() + chunk.len() > longest {
                return Err(ApiError::Answer(format!("it is longer than {longest} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The answer, its body still to come, if it is a success.
    pub(super) async fn answer(&self, request: Request) -> Result<Response, ApiError> {
        let mut answer = self.http.execute(request).await.map_err(|error| ApiError::connection(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let header =
            |name| answer.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let retry_after =
            header(header::RETRY_AFTER).and_then(|value| retry::retry_after(&value, clock::wall_micros()));
        if let Some(target) = header(header::LOCATION).filter(|_| status.is_redirection()) {
            let detail = format!("moved to {target}; give that address as the base URL");
            return Err(ApiError::Status { status: status.as_u16(), detail, body: String::new(), retry_after });
        }
        let mut body = Vec::new();
        // If it breaks off, the status says what happened all the same.
        while body.len() < LONGEST_ERROR
            && let Ok(Some(chunk)) = answer.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(LONGEST_ERROR);
        let key = self.connection.key.as_ref().map(header::HeaderValue::as_bytes);
        Err(ApiError::refusal(status, &body, key, retry_after))
    }

    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        headers: &[(&str, String)],
        body: Vec<u8>,
    ) -> Result<Request, ApiError> {
        within_tokio()?;
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.connection.base))
            .header("x-sdk-language", "rust")
            .header("x-sdk-version", env!("CARGO_PKG_VERSION"));
        if let Some(key) = &self.connection.key {
            request = request.header("x-api-key", key);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type).body(body);
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.build().map_err(|error| ApiError::Request(chain(&error)))
    }
}

/// Outside of Tokio the first timer would panic.
pub(super) fn within_tokio() -> Result<(), ApiError> {
    match Handle::try_current() {
        Ok(_) => Ok(()),
        Err(_) => Err(ApiError::Request("it needs a Tokio runtime; elsewhere use `.blocking()`".to_owned())),
    }
}

/// The answer that the API promises.
pub(super) fn read<A: DeserializeOwned>(body: &[u8]) -> Result<A, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::unlike(&error, body))
}

/// An answer of which the API promises no more than that it is JSON: a page that asks for a login is none.
pub(super) fn done(body: &[u8]) -> Result<(), ApiError> {
    if body.is_empty() { Ok(()) } else { read::<IgnoredAny>(body).map(drop) }
}

/// `text` as one segment of a path; `name` says what it is.
pub(super) fn segment(name: &str, text: &str) -> Result<String, ApiError> {
    use fmt::Write as _;
    if matches!(text, "" | "." | "..") {
        return Err(ApiError::Request(format!("{name} is `{text}`, which names nothing")));
    }
    Ok(text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    }))
}
