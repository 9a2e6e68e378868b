//! Who may ask.

mod access;
mod keys;

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};

pub(crate) use access::Access;
use access::Own;
pub(crate) use keys::{Grant, Keys};
pub use keys::{KeyRecord, KeyRing, KeyScope};

use crate::{error::ApiError, state::AppState};

/// How long a project's uuid is gone by: it may be erased and made anew.
const KNOWN: Duration = Duration::from_secs(1);

/// The projects of keys as they were last looked up: name to uuid.
#[derive(Debug, Default)]
pub(crate) struct Projects(RwLock<HashMap<String, (String, Instant)>>);

impl Projects {
    fn known(&self, name: &str) -> Option<String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(name).filter(|(_, at)| at.elapsed() < KNOWN).map(|(uuid, _)| uuid.clone())
    }

    fn note(&self, name: &str, uuid: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned(), (uuid.to_owned(), Instant::now()));
    }
}

/// What a key allows, with its project as the store knows it. A project that is not there is made, so that its uuid can
/// be told from then on.
async fn access(state: &AppState, grant: Grant) -> Result<Access, ApiError> {
    let Grant { id, scope, project } = grant;
    let Some(name) = project else { return Ok(Access { key: id, scope, project: None }) };
    let uuid = if let Some(uuid) = state.projects.known(&name) {
        uuid
    } else {
        let uuid = state.catalog.project(&name).await?.0.uuid;
        state.projects.note(&name, &uuid);
        uuid
    };
    Ok(Access { key: id, scope, project: Some(Own { uuid, name }) })
}

/// What the bearer of these credentials may do; `None` where a key is demanded and there is none, or no good one.
async fn admitted(state: &AppState, given: Option<&[u8]>) -> Result<Option<Access>, ApiError> {
    if !state.keys.are_demanded() {
        return Ok(Some(Access::all()));
    }
    match given.and_then(|given| state.keys.grant(given)) {
        None => Ok(None),
        Some(grant) => access(state, grant).await.map(Some),
    }
}

/// Lets an API request pass if it carries a key in `x-api-key` or, when that is absent, in `x-user-id`.
pub(crate) async fn api(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let first = headers.get("x-api-key");
    let given = first.or_else(|| headers.get("x-user-id"));
    let is_first = first.is_some();
    match admitted(&state, given.map(HeaderValue::as_bytes)).await {
        Ok(Some(access)) => {
            request.extensions_mut().insert(access.clone());
            let mut response = next.run(request).await;
            response.extensions_mut().insert(access);
            response
        }
        Ok(None) if given.is_some() => ApiError::Unauthorized(if is_first {
            "the key in `x-api-key` is none of this server's keys"
        } else {
            "the key in `x-user-id` is none of this server's keys"
        })
        .into_response(),
        Ok(None) => {
            ApiError::Unauthorized("this server demands a key: send it in the header `x-api-key`").into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// Lets a browser pass that carries a key as the password of basic authentication, under any name, and asks the
/// others for it. Programs may send it as for the API, or as a bearer's token.
pub(crate) async fn page(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    match admitted(&state, password(request.headers()).as_deref()).await {
        Ok(Some(access)) => {
            request.extensions_mut().insert(access);
            next.run(request).await
        }
        Ok(None) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"parea: the password is an API key\"")];
            (challenge, ApiError::Unauthorized("the password is one of this server's API keys")).into_response()
        }
        Err(error) => error.into_response(),
    }
}

fn password(headers: &HeaderMap) -> Option<Vec<u8>> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes().to_vec());
    }
    let (scheme, credentials) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.trim().as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let colon = decoded.iter().position(|&byte| byte == b':')?;
    decoded.get(colon + 1..).map(<[u8]>::to_vec)
}
