//! How a client is made: address, key, patience.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Url, header};

use super::{
    client::{ApiClient, Connection},
    error::{ApiError, chain},
};
use crate::settings::{LOCAL_SERVER, Secret, Settings, without_secrets};

/// The path under which every Parea server answers.
const BASE_PATH: &str = "/api/parea/v1";

/// Settings of an [`ApiClient`]. See [`ApiClient::builder`].
#[derive(Clone)]
#[must_use = "nothing is made before `.build()`"]
pub struct ApiClientBuilder {
    base_url: String,
    api_key: Option<Secret>,
    timeout: Duration,
    retries: u32,
    longest_answer: Option<usize>,
    logs_off: bool,
}

impl fmt::Debug for ApiClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("ApiClientBuilder")
            .field("base_url", &without_secrets(&self.base_url))
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

impl ApiClientBuilder {
    pub(super) fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            api_key: None,
            timeout: Duration::from_secs(180),
            retries: 2,
            longest_answer: None,
            logs_off: false,
        }
    }

    pub(super) fn from_env() -> Result<Self, ApiError> {
        let settings = Settings::from_env();
        let base_url = match (&settings.base_url, &settings.api_key) {
            (Some(url), _) => url.as_str(),
            (None, Some(_)) => return Err(ApiError::MissingBaseUrl),
            (None, None) => LOCAL_SERVER,
        };
        Ok(Self { api_key: settings.api_key.clone(), logs_off: settings.off, ..Self::new(base_url) })
    }

    /// The key that is sent as `x-api-key`. A local server needs none.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(Secret(key.into()));
        self
    }

    /// Most time that one attempt may take until its whole answer is there; for a streamed completion, until the next
    /// piece of it. 180 s unless set, as in the other SDKs.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a failed call is tried again, with pauses in between; 2 unless set, 0 for never.
    ///
    /// Tried again are connection faults, 408, 429, 500, 502, 503 and 504, and no other answer. Calls that would have
    /// their effect twice (creating an experiment, a dataset or rows, feedback, completions) are tried again only where
    /// the server cannot have acted: when no connection came about, and on 408, 429 and 503. A `Retry-After` up to a
    /// minute is waited for.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Most bytes that an answer may have; what is longer is [`ApiError::Answer`]. Unbounded unless set, for a page of
    /// logs may be large.
    pub fn longest_answer(mut self, bytes: usize) -> Self {
        self.longest_answer = Some(bytes);
        self
    }

    /// Makes the client. No connection is made yet.
    pub fn build(self) -> Result<ApiClient, ApiError> {
        let (base, key) = self.checked()?;
        let loopback = is_loopback(&base);
        let base: String = base.as_str().trim_end_matches('/').into();
        let http = connector(&base, loopback)?;
        let shown = without_secrets(&base);
        let Self { timeout, retries, longest_answer, logs_off, .. } = self;
        let connection = Connection { base, shown, key, timeout, retries, longest_answer, logs_off, loopback };
        Ok(ApiClient { http, connection: Arc::new(connection) })
    }

    /// Whether the settings make sense. Making a client costs more: the certificates of the system are read for it.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        self.checked().map(drop)
    }

    fn checked(&self) -> Result<(Url, Option<header::HeaderValue>), ApiError> {
        let base_url = &self.base_url;
        let shown = without_secrets(base_url);
        // `localhost:7273` would be a URL of the scheme `localhost`.
        if !base_url.contains("://") {
            return Err(ApiError::Url(format!("`{shown}` does not begin with http:// or https://")));
        }
        let mut base = Url::parse(base_url.trim()).map_err(|error| ApiError::Url(format!("`{shown}`: {error}")))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(ApiError::Url(format!("`{shown}` is neither http nor https")));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(ApiError::Url(format!("`{shown}` has a query or a fragment; paths are added to its end")));
        }
        let key = match self.api_key.as_ref().map(|Secret(key)| header::HeaderValue::from_str(key.trim())) {
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
        Ok((base, key))
    }
}

/// What makes the connections. Each runtime needs its own: connections die with the runtime that made them.
pub(super) fn connector(base: &str, loopback: bool) -> Result<reqwest::Client, ApiError> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(base.starts_with("https:"))?)
        .tcp_nodelay(true)
        // A redirect would turn a post into a get, and carry the key to whoever it names.
        .redirect(reqwest::redirect::Policy::none())
        // Whether to repeat a call is decided here, by what it does.
        .retry(reqwest::retry::never())
        .connect_timeout(Duration::from_secs(5));
    if loopback {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| ApiError::Url(chain(&error)))
}

/// Certificates are checked as the operating system does; the cryptography is ring, chosen here so that nothing is
/// installed for the whole process. A system may have none, as containers do; then nobody is trusted, which is a fault
/// only where it is `needed`.
fn tls(needed: bool) -> Result<rustls::ClientConfig, ApiError> {
    use rustls_platform_verifier::BuilderVerifierExt as _;
    let fault = |error: rustls::Error| ApiError::Unreachable(format!("TLS cannot be set up: {error}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(fault)?;
    let config = match builder.clone().with_platform_verifier() {
        Err(_) if !needed => builder.with_root_certificates(rustls::RootCertStore::empty()),
        config => config.map_err(fault)?,
    };
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
