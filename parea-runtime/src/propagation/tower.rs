//! Layers for tower: of a service that is called, and of a client that calls.

use std::{
    fmt,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use http::{HeaderMap, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::{OutgoingRequest, Propagator, Remote};
use crate::{
    carry::{InCurrentSpan as _, WithContext},
    context::Context,
};

/// Whether the caller may say into which trace the logs of its request go.
type Trust = Arc<dyn Fn(&HeaderMap) -> bool + Send + Sync>;

/// For services: each request runs in the trace of its caller, if the caller is trusted, else in none, so that the first
/// annotated function is the root of a trace of its own.
///
/// What goes on behind the answer is no longer part of the request: the body of a stream, an upgraded connection. Carry the
/// trace there with [`StreamInCurrentSpan`](crate::StreamInCurrentSpan) or [`InCurrentSpan`](crate::InCurrentSpan).
///
/// ```
/// use parea::propagation::tower::InboundLayer;
///
/// // Behind a gateway that strips these headers from what comes from outside:
/// let app: axum::Router = axum::Router::new().layer(InboundLayer::new().trust_all());
/// // Or by what the request says:
/// let secret = "7d0f…";
/// let app: axum::Router = axum::Router::new()
///     .layer(InboundLayer::new().trust(move |headers| headers.get("x-mesh").is_some_and(|sent| sent == secret)));
/// ```
#[derive(Clone, Default)]
pub struct InboundLayer {
    trust: Option<Trust>,
}

impl fmt::Debug for InboundLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundLayer").field("trusts", &self.trust.is_some()).finish()
    }
}

impl InboundLayer {
    /// Trusts nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts every caller. For services that only trusted ones can reach.
    #[must_use]
    pub fn trust_all(self) -> Self {
        self.trust(|_| true)
    }

    /// Trusts a caller by the headers of its request.
    #[must_use]
    pub fn trust(self, trust: impl Fn(&HeaderMap) -> bool + Send + Sync + 'static) -> Self {
        Self { trust: Some(Arc::new(trust)) }
    }
}

impl<S> Layer<S> for InboundLayer {
    type Service = Inbound<S>;

    fn layer(&self, inner: S) -> Inbound<S> {
        Inbound { inner, trust: self.trust.clone() }
    }
}

/// A service that runs its requests in the traces of their callers. See [`InboundLayer`].
#[derive(Clone)]
pub struct Inbound<S> {
    inner: S,
    trust: Option<Trust>,
}

impl<S: fmt::Debug> fmt::Debug for Inbound<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for Inbound<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = WithContext<S::Future>;

    fn poll_ready(&mut self, task: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let headers = request.headers();
        let trusted = self.trust.as_ref().is_some_and(|trust| trust(headers));
        let caller = if trusted { Remote::extract(headers) } else { None };
        let context = caller.map_or_else(Context::outside, |caller| caller.context());
        // The call itself may start spans, before there is a future.
        context.enter(|| self.inner.call(request)).in_context(context)
    }
}

/// For clients: each request carries what its host may know of the current span. For `http::Request` and, with the feature
/// `http`, `reqwest::Request`.
///
/// ```
/// use parea::propagation::{Propagator, tower::OutboundLayer};
/// use tower::ServiceBuilder;
///
/// # fn client<C>(client: C) {
/// let client = ServiceBuilder::new()
///     .layer(OutboundLayer::new(Propagator::to_hosts(["ranker.internal"])))
///     .service(client);
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct OutboundLayer {
    propagator: Propagator,
}

impl OutboundLayer {
    /// Sends what the propagator lets through.
    pub fn new(propagator: Propagator) -> Self {
        Self { propagator }
    }
}

impl<S> Layer<S> for OutboundLayer {
    type Service = Outbound<S>;

    fn layer(&self, inner: S) -> Outbound<S> {
        Outbound { inner, propagator: self.propagator.clone() }
    }
}

/// A client whose requests carry the current span. See [`OutboundLayer`].
#[derive(Clone, Debug)]
pub struct Outbound<S> {
    inner: S,
    propagator: Propagator,
}

impl<S, R> Service<R> for Outbound<S>
where
    S: Service<R>,
    R: OutgoingRequest,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, task: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, mut request: R) -> S::Future {
        self.propagator.inject_request(&mut request);
        self.inner.call(request)
    }
}
