//! Keeps other web sites away from a server that asks for no key.
//!
//! Any page that a browser on this machine shows can send requests to loopback, and with a name that it makes point
//! here (DNS rebinding) read the answers too. Such requests name a foreign site in `Origin` or `Host`; and what a page
//! can send without asking first is never of type JSON.

use std::net::IpAddr;

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
        if let Some((name, site)) = foreign(request.headers()) {
            return ApiError::Forbidden(format!(
                "`{name}: {site}` is not this machine; start the server with a key to serve other names and sites"
            ))
            .into_response();
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

/// The header that names a foreign site, and what it says.
fn foreign(headers: &HeaderMap) -> Option<(HeaderName, String)> {
    let said = |name: &HeaderName| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let named = |text: &str| text.parse::<Uri>().ok()?.host().map(str::to_ascii_lowercase);
    let host = said(&header::HOST);
    let own = host.as_deref().and_then(named);
    if let Some(text) = &host
        // An address cannot be made to point elsewhere.
        && !own.as_deref().is_some_and(|host| is_this_machine(host) || address(host).is_some())
    {
        return Some((header::HOST, text.chars().take(128).collect()));
    }
    let text = said(&header::ORIGIN)?;
    // A site may well be at a bare address, so this has to be the one that was asked.
    let is_own = named(&text).is_some_and(|origin| is_this_machine(&origin) || Some(&origin) == own.as_ref());
    (!is_own).then(|| (header::ORIGIN, text.chars().take(128).collect()))
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Names and addresses that mean the machine itself.
fn is_this_machine(host: &str) -> bool {
    address(host).is_some_and(|address| address.is_loopback())
        || host == "localhost"
        || host.ends_with(".localhost")
        // The host's loopback as seen from inside a container.
        || host == "host.docker.internal"
}
