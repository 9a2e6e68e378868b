//! The HTTP client of the tests.

/// A client for loopback.
pub(crate) fn client() -> reqwest::Client {
    // In a build of the whole workspace reqwest has TLS, as the runtime wants it: without a provider of its own. The
    // second to install one is told so, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
