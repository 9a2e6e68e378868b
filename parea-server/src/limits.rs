//! How much is worked on at once, and for how long.

use axum::{
    body::HttpBody as _,
    extract::{Request, State},
    http::{HeaderMap, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use crate::{config::Config, error::ApiError, state::AppState};

/// Lets a request pass when it is its turn, and gives it up when its answer does not begin in time.
///
/// A request that waits has cost nothing but its head: the body is read when its turn has come.
pub(crate) async fn bounded(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let config = &state.config;
    // The connection's buffer bounds the head roughly.
    if head(request.uri(), request.headers()) > config.head_limit {
        return ApiError::LargeHead(config.head_limit).into_response();
    }
    let end = Instant::now() + config.request_time;
    let Ok(Ok(_turn)) = timeout_at(end, state.turns.acquire()).await else {
        return ApiError::Busy("--requests").into_response();
    };
    let share = share(&request, config).min(room(config));
    let Ok(Ok(_room)) = timeout_at(end, state.room.acquire_many(share)).await else {
        return ApiError::Busy("--body-memory").into_response();
    };
    match timeout_at(end, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::Slow(config.request_time).into_response(),
    }
}

/// KiB that the bodies of all requests may have.
pub(crate) fn room(config: &Config) -> u32 {
    u32::try_from((config.body_memory / 1024).min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX)
}

/// KiB that a request's body may come to: what it announces, and the limits where it does not, or is compressed.
fn share(request: &Request, config: &Config) -> u32 {
    let announced = request.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    let raw = announced.map_or(config.body_limit, |bytes| bytes.min(config.body_limit));
    let is_plain = raw == 0 || !request.headers().contains_key(header::CONTENT_ENCODING);
    let bytes = if is_plain { raw } else { raw.saturating_add(config.plain_limit) };
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

/// Bytes of a request's head, near enough.
fn head(uri: &Uri, headers: &HeaderMap) -> usize {
    let line = uri.path_and_query().map_or(0, |line| line.as_str().len());
    line + headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>()
}
