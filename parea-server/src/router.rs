//! Which path leads where.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::{self, Next},
    response::Response,
};

use crate::{
    api::{self, Operation},
    auth::{self, Access},
    body, health, limits, openapi, pages, site,
    state::AppState,
};

/// Everything that the server answers.
pub(crate) fn router(state: AppState) -> Router {
    let api = api::router().layer(middleware::from_fn_with_state(state.clone(), auth::api));
    let pages = pages::router().merge(health::shut()).layer(middleware::from_fn_with_state(state.clone(), auth::page));
    api.merge(pages)
        .merge(openapi::router())
        .merge(pages::open())
        .merge(health::open())
        .fallback(pages::unknown)
        .method_not_allowed_fallback(api::method)
        .layer(middleware::from_fn_with_state(state.clone(), limits::bounded))
        .layer(middleware::from_fn_with_state(state.clone(), site::own))
        .layer(middleware::from_fn(body::read_out))
        .layer(middleware::from_fn_with_state(state.clone(), note))
        .with_state(state)
}

/// Counts the request, and notes it if the server was asked to: never what it carries.
async fn note(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    // A caller's id for the request goes through, so that its own records can be matched.
    let id = request.headers().get(&ID).filter(|id| id.len() <= 128).cloned().unwrap_or_else(fresh);
    request.headers_mut().insert(ID, id.clone());
    let path = state.config.verbose.then(|| request.uri().path().to_owned());
    let mut response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    let operation = response.extensions().get::<&'static Operation>().map_or("other", |operation| operation.name);
    state.metrics.request(operation, status, took);
    if let Some(path) = path {
        let access = response.extensions().get::<Access>();
        let key = access.and_then(|access| access.key.as_deref()).unwrap_or_default();
        let project = access.and_then(|access| access.project.as_ref()).map_or("", |own| own.name.as_str());
        let (ms, id) = (took.as_secs_f64() * 1e3, id.to_str().unwrap_or_default());
        tracing::info!(%method, path, status, ms, operation, key, project, id, "request");
    }
    response.headers_mut().insert(ID, id);
    response
}

/// The header that names a request.
const ID: HeaderName = HeaderName::from_static("x-request-id");

/// An id that no other request of this process has.
fn fresh() -> HeaderValue {
    static BEGUN: LazyLock<u64> =
        LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let id = format!("{:x}-{:x}", *BEGUN, COUNT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("-"))
}
