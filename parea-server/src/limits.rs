//! How much is worked on at once, and for how long.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::HttpBody as _,
    extract::{Request, State},
    http::{HeaderMap, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task_local,
    time::{Instant, timeout, timeout_at},
};

use crate::{config::Config, error::ApiError, state::AppState};

/// How long a request keeps its place while its client sends nothing. A body that is there takes no pause.
const PATIENCE: Duration = Duration::from_millis(100);

/// How much of a body may be there already when it gives up its place.
const LITTLE: usize = 64 << 10;

/// The place of a request among those that are worked on, and its room; nothing while it waits for its client.
struct Place {
    state: AppState,
    share: u32,
    held: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Place {
    /// Waits for both. The error is the setting that bounds what there was too much of.
    async fn take(&mut self, end: Instant) -> Result<(), &'static str> {
        let turn = timeout_at(end, Arc::clone(&self.state.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err("--requests") };
        let room = timeout_at(end, Arc::clone(&self.state.room).acquire_many_owned(self.share)).await;
        let Ok(Ok(room)) = room else { return Err("--body-memory") };
        self.held = Some((turn, room));
        Ok(())
    }
}

task_local! {
    /// That of the request at work.
    static PLACE: Mutex<Place>;
}

/// Waits for what a client sends next, of which so much is there already. While little is, a client that takes its time
/// does so in nobody's way: others have the place meanwhile.
pub(crate) async fn patiently<F: Future>(size: usize, next: F) -> F::Output {
    let mut next = std::pin::pin!(next);
    if size > LITTLE {
        return next.await;
    }
    if let Ok(come) = timeout(PATIENCE, &mut next).await {
        return come;
    }
    let lend = |place: &Mutex<Place>| place.lock().unwrap_or_else(PoisonError::into_inner).held.take();
    let was_held = PLACE.try_with(lend).is_ok_and(|held| held.is_some());
    let come = next.await;
    if was_held {
        retake().await;
    }
    come
}

/// Waits for a place again. The request's own time bounds it.
async fn retake() {
    let Ok((state, share)) = PLACE.try_with(|place| {
        let place = place.lock().unwrap_or_else(PoisonError::into_inner);
        (place.state.clone(), place.share)
    }) else {
        return;
    };
    let mut fresh = Place { state, share, held: None };
    let far = Instant::now() + fresh.state.config.request_time;
    // Without one the time is up, and the answer is given up with it.
    if fresh.take(far).await.is_ok() {
        let _ = PLACE.try_with(|place| place.lock().unwrap_or_else(PoisonError::into_inner).held = fresh.held.take());
    }
}

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
    let share = share(&request, config).min(room(config));
    let mut place = Place { state: state.clone(), share, held: None };
    if let Err(setting) = place.take(end).await {
        return ApiError::Busy(setting).into_response();
    }
    match timeout_at(end, PLACE.scope(Mutex::new(place), next.run(request))).await {
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
