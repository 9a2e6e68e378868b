//! Bodies that an answer did not wait for: those of requests that were refused by their head, or while they came.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

/// How much of such a body is still read, and for how long. Closing the connection with bytes unread would reset it, and
/// the client would lose the answer that tells it why.
const MOST: usize = 256 << 20;
const TIME: Duration = Duration::from_secs(20);

/// Reads what an answer left of its request's body, beside the answer, and forgets it.
pub(crate) async fn read_out(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // A client that asks first has sent nothing yet, and sends nothing after an answer that comes at once.
    let is_asking = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let lent = Lent(Arc::new(Mutex::new(Some(body))));
    let mut response = next.run(Request::from_parts(parts, Body::new(Lent(Arc::clone(&lent.0))))).await;
    let Some(body) = lent.lock().take().filter(|body| !body.is_end_stream()) else { return response };
    if is_asking {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    } else {
        tokio::spawn(tokio::time::timeout(TIME, forget(body)));
    }
    response
}

async fn forget(mut body: Body) {
    let mut left = MOST;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else { break };
        left = rest;
    }
}

/// A body that can be taken back. Without one it has ended.
struct Lent(Arc<Mutex<Option<Body>>>);

impl Lent {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Body>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut *self.lock() {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.lock().as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}
