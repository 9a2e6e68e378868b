//! From the bytes of a request to values, or to a list of all that is wrong with them.

mod compression;
mod depth;
mod elements;
#[cfg(test)]
mod fuzz;
mod integer;
mod parse;
mod surrogate;
mod unread;

use std::time::Duration;

use axum::{
    body::{Body, HttpBody},
    http::HeaderMap,
};
use bytes::Bytes;
use http_body_util::BodyExt;

pub(crate) use elements::{Element, MOST, elements};
pub(crate) use parse::{Checked, at, fault, missing, parse};
pub(crate) use unread::read_out;

use crate::{body::compression::Compression, error::ApiError, limits, state::AppState};

/// How long a body may pause.
const PAUSE: Duration = Duration::from_secs(30);

/// The most that is set aside for a body before it comes.
const AT_ONCE: usize = 1 << 20;

/// From here on a body is worth a thread of its own, so that parsing does not hold up other connections.
const LARGE: usize = 64 << 10;

/// The value that the body spells, or all that is wrong with it.
pub(crate) async fn read<T>(state: &AppState, headers: &HeaderMap, body: Body) -> Result<T, ApiError>
where
    T: Checked + Send + 'static,
{
    let bytes = receive(state, headers, body).await?;
    let depth = state.config.json_depth;
    apart(bytes.len(), move || Ok(parse(&bytes, &["body".into()], depth)?)).await
}

/// The whole body, decompressed, if it is not larger than the limit.
pub(crate) async fn receive(state: &AppState, headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let limit = state.config.body_limit;
    let compression = Compression::of(headers)?;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(ApiError::TooLarge(limit));
    }
    let raw = collect(body, announced, limit).await?;
    state.metrics.body(raw.len());
    match compression {
        None => Ok(raw.into()),
        Some(compression) => {
            let limit = state.config.plain_limit;
            apart(raw.len(), move || compression.undo(&raw, limit)).await.map(Bytes::from)
        }
    }
}

async fn collect(mut body: Body, announced: usize, limit: usize) -> Result<Vec<u8>, ApiError> {
    // What is only announced costs nothing yet.
    let mut raw = Vec::with_capacity(announced.min(AT_ONCE));
    loop {
        let frame = limits::patiently(raw.len(), tokio::time::timeout(PAUSE, body.frame())).await;
        let Ok(frame) = frame else { return Err(ApiError::SlowBody) };
        match frame {
            None => return Ok(raw),
            Some(Err(error)) => return Err(ApiError::BrokenBody(format!("the body broke off: {error}"))),
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                if raw.len() + data.len() > limit {
                    return Err(ApiError::TooLarge(limit));
                }
                raw.extend_from_slice(&data);
            }
        }
    }
}

/// Runs what takes time in proportion to `size`: at once when it is small, else on a thread for such work.
pub(crate) async fn apart<T, F>(size: usize, work: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, ApiError> + Send + 'static,
{
    if size < LARGE {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(ApiError::Store(parea_store::StoreError::Closed)),
    }
}
