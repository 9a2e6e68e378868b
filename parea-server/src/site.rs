//! Keeps other web sites away from a server that asks for no key.
//!
//! Any page that a browser on this machine shows can send requests to loopback, and with a name that it makes point
//! here (DNS rebinding) read the answers too. Such requests name a foreign site in `Origin` or `Host`; and what a page
//! can send without asking first is never of type JSON.

use axum::{
    body::HttpBody as _,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Method, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{error::ApiError, state::AppState};

/// Lets a request pass that is not for or from a foreign site.
pub(crate) async fn own(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !state.keys.are_demanded() {
        for name in [header::HOST, header::ORIGIN] {
            if let Some(site) = foreign(request.headers(), &name) {
                return ApiError::Forbidden(format!(
                    "`{name}: {site}` is not this machine; start the server with a key to serve other names and sites"
                ))
                .into_response();
            }
        }
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if !is_read && !request.body().is_end_stream() && !is_json(request.headers()) {
            return ApiError::NotJson.into_response();
        }
    }
    next.run(request).await
}

/// Whether the body says that it is JSON, or lines of it. A page would need leave to send that.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(
        kind.as_str(),
        "application/json"
            | "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
    ) || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// The value of that header if it names a foreign site.
fn foreign(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    let local = text.parse::<Uri>().ok().is_some_and(|uri| uri.host().is_some_and(is_local));
    (!local).then(|| text.chars().take(128).collect())
}

/// Addresses cannot be made to point elsewhere, and of the names only those that mean the machine itself.
fn is_local(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address.parse::<std::net::IpAddr>().is_ok()
        || host == "localhost"
        || host.ends_with(".localhost")
        // The host's loopback as seen from inside a container.
        || host == "host.docker.internal"
}
