//! The propagator as a middleware of the crate `reqwest-middleware`.

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};

use super::Propagator;

/// ```no_run
/// use parea::propagation::Propagator;
/// use reqwest_middleware::ClientBuilder;
///
/// # fn client(reqwest_client: reqwest::Client) -> reqwest_middleware::ClientWithMiddleware {
/// ClientBuilder::new(reqwest_client).with(Propagator::to_hosts(["ranker.internal"])).build()
/// # }
/// ```
#[async_trait::async_trait]
impl Middleware for Propagator {
    async fn handle(&self, mut request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        self.inject_request(&mut request);
        next.run(request, extensions).await
    }
}
