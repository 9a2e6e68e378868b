//! Keeps other web sites away from a server that asks for no key.
//!
//! Any page that a browser on this machine shows can send requests to loopback, and with a name that it makes point
//! here (DNS rebinding) read the answers too. Such requests name a foreign site in `Origin` or `Host`.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{error::ApiError, state::AppState};

/// Lets a request pass that is not for or from a foreign site.
pub(crate) async fn own(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if state.key.is_none() {
        for name in [header::HOST, header::ORIGIN] {
            if let Some(site) = foreign(request.headers(), &name) {
                return ApiError::Forbidden(format!(
                    "`{name}: {site}` is not this machine; start the server with a key to serve other names and sites"
                ))
                .into_response();
            }
        }
    }
    next.run(request).await
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
