//! Who may ask.

use std::{fmt, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq;

use crate::{error::ApiError, state::AppState};

/// A secret that requests must carry. Its text is never shown.
#[derive(Clone)]
pub(crate) struct Key(Arc<[u8]>);

impl Key {
    pub(crate) fn new(key: &str) -> Self {
        Self(key.as_bytes().into())
    }

    /// Takes the same time wherever the two begin to differ, so that a key cannot be guessed byte by byte.
    fn is(&self, given: &[u8]) -> bool {
        self.0.ct_eq(given).into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Lets an API request pass if it carries the key in `x-api-key` or, when that is absent, in `x-user-id`.
pub(crate) async fn api(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Some(key) = &state.key else { return next.run(request).await };
    let headers = request.headers();
    match headers.get("x-api-key").or_else(|| headers.get("x-user-id")) {
        Some(given) if key.is(given.as_bytes()) => next.run(request).await,
        Some(_) => ApiError::Unauthorized("the key in `x-api-key` is not this server's key").into_response(),
        None => ApiError::Unauthorized("this server demands a key: send it in the header `x-api-key`").into_response(),
    }
}

/// Lets a browser pass that carries the key as the password of basic authentication, under any name, and asks the
/// others for it.
pub(crate) async fn page(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match &state.key {
        Some(key) if !password(request.headers()).is_some_and(|given| key.is(&given)) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"parea: the password is the API key\"")];
            (challenge, ApiError::Unauthorized("the password is this server's API key")).into_response()
        }
        _ => next.run(request).await,
    }
}

fn password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, credentials) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let colon = decoded.iter().position(|&byte| byte == b':')?;
    decoded.get(colon + 1..).map(<[u8]>::to_vec)
}
