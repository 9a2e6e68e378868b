//! How much is worked on at once, and for how long.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Uri},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::{Instant, timeout_at};

use crate::{error::ApiError, state::AppState};

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
    let Ok(Ok(_turn)) = timeout_at(end, state.turns.acquire()).await else { return ApiError::Busy.into_response() };
    match timeout_at(end, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::Slow(config.request_time).into_response(),
    }
}

/// Bytes of a request's head, near enough.
fn head(uri: &Uri, headers: &HeaderMap) -> usize {
    let line = uri.path_and_query().map_or(0, |line| line.as_str().len());
    line + headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>()
}
