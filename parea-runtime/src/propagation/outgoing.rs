//! Out: the current span into the headers of what is sent.

use std::sync::Arc;

use super::{
    BAGGAGE, TRACEPARENT, TRACESTATE, baggage, carrier::Carrier, hosts::Hosts, traceparent::Traceparent,
    tracestate::Entry,
};
use crate::context::Context;

/// Writes all that is known of the current span into `carrier`, whose receiver should be one of yours: the run of the
/// experiment, the expected output, and what earlier callers said in `tracestate` and `baggage` go along. Outside of a span it
/// writes nothing.
///
/// A `traceparent` that is there already stays, and entries of other systems stay in the other two headers.
pub fn inject(carrier: &mut (impl Carrier + ?Sized)) {
    put(carrier, true);
}

/// Decides by the receiver's host how much of a trace goes there.
///
/// Any host gets `traceparent`, which is made of random ids; the rest goes to the hosts on the list.
///
/// ```
/// use parea::propagation::Propagator;
///
/// // Names, names with a port, everything below a domain.
/// let propagator = Propagator::to_hosts(["ranker.internal", "localhost:8080", "*.svc.cluster.local"]);
/// # #[cfg(feature = "http")] {
/// let mut headers = http::HeaderMap::new();
/// propagator.inject("api.openai.com", None, &mut headers);
/// # }
/// ```
///
/// A redirect repeats the headers to wherever it leads: let clients of hosts on the list follow none, or only to hosts
/// that are on it as well, as [`redirects`](Self::redirects) does for reqwest.
#[derive(Clone, Debug, Default)]
pub struct Propagator {
    hosts: Arc<Hosts>,
}

impl Propagator {
    /// `traceparent` to everyone, and no more than that.
    pub fn new() -> Self {
        Self::default()
    }

    /// All headers to these hosts: `api.internal`, `api.internal:8080`, `*.internal` for everything below a domain, `*`
    /// for every host there is.
    pub fn to_hosts(hosts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { hosts: Arc::new(Hosts::new(hosts)) }
    }

    /// How a client of reqwest follows redirects, at most ten of them, without carrying to others what is meant for the
    /// hosts on the list: a request to one of these ends with the answer that leads away from them.
    ///
    /// ```no_run
    /// # fn client() -> Result<reqwest::Client, reqwest::Error> {
    /// let propagator = parea::propagation::Propagator::to_hosts(["ranker.internal"]);
    /// reqwest::Client::builder().redirect(propagator.redirects()).build()
    /// # }
    /// ```
    #[cfg(feature = "http")]
    pub fn redirects(&self) -> reqwest::redirect::Policy {
        const MOST: usize = 10;
        let hosts = Arc::clone(&self.hosts);
        let listed = move |url: &reqwest::Url| {
            url.host_str().is_some_and(|host| hosts.contain(host, url.port_or_known_default()))
        };
        reqwest::redirect::Policy::custom(move |attempt| {
            // The first one decided what the headers say.
            let leads_away = attempt.previous().first().is_some_and(&listed) && !listed(attempt.url());
            if leads_away {
                attempt.stop()
            } else if attempt.previous().len() > MOST {
                attempt.error("more than ten redirects")
            } else {
                attempt.follow()
            }
        })
    }

    /// Writes into the headers of a request to this host what it may know of the current span.
    pub fn inject(&self, host: &str, port: Option<u16>, carrier: &mut (impl Carrier + ?Sized)) {
        put(carrier, self.hosts.contain(host, port));
    }

    /// [`inject`](Self::inject) for a request that knows its host.
    ///
    /// ```no_run
    /// # #[cfg(feature = "http")]
    /// # async fn call(client: reqwest::Client) -> Result<(), reqwest::Error> {
    /// let propagator = parea::propagation::Propagator::to_hosts(["ranker.internal"]);
    /// let mut request = client.get("http://ranker.internal/rank").build()?;
    /// propagator.inject_request(&mut request);
    /// client.execute(request).await?;
    /// # Ok(()) }
    /// ```
    pub fn inject_request<R: OutgoingRequest + ?Sized>(&self, request: &mut R) {
        let listed = request.host().is_some_and(|(host, port)| self.hosts.contain(host, port));
        put(request.headers(), listed);
    }
}

/// A request that knows where it goes. Implemented for `http::Request` (feature `http` or `tower`) and
/// `reqwest::Request` (feature `http`).
pub trait OutgoingRequest {
    /// What its headers are.
    type Headers: Carrier;

    /// The host that it goes to, and the port; `None` when that is not known.
    fn host(&self) -> Option<(&str, Option<u16>)>;

    /// Its headers.
    fn headers(&mut self) -> &mut Self::Headers;
}

#[cfg(any(feature = "http", feature = "tower"))]
impl<B> OutgoingRequest for http::Request<B> {
    type Headers = http::HeaderMap;

    fn host(&self) -> Option<(&str, Option<u16>)> {
        let port = self.uri().port_u16().or_else(|| match self.uri().scheme_str() {
            Some("http") => Some(80),
            Some("https") => Some(443),
            _ => None,
        });
        self.uri().host().map(|host| (host, port))
    }

    fn headers(&mut self) -> &mut http::HeaderMap {
        self.headers_mut()
    }
}

#[cfg(feature = "http")]
impl OutgoingRequest for reqwest::Request {
    type Headers = http::HeaderMap;

    fn host(&self) -> Option<(&str, Option<u16>)> {
        self.url().host_str().map(|host| (host, self.url().port_or_known_default()))
    }

    fn headers(&mut self) -> &mut http::HeaderMap {
        self.headers_mut()
    }
}

fn put(carrier: &mut (impl Carrier + ?Sized), everything: bool) {
    let here = Context::current();
    let (entry, parent) = if here.is_off() {
        // So that the trace is not recorded in part. These ids lead nowhere.
        let parent = Traceparent { trace_id: fastrand::u128(1..), parent_id: fastrand::u64(1..), sampled: false };
        (Entry::Off, parent)
    } else if let Some(span) = here.span() {
        let position = span.position();
        let (_, parent_id) = position.id.as_u64_pair();
        let parent = Traceparent { trace_id: position.root_id.as_u128(), parent_id, sampled: true };
        (Entry::Inside(position), parent)
    } else {
        return;
    };
    if !carrier.values(TRACEPARENT).iter().any(|present| Traceparent::parse(present).is_some()) {
        carrier.set(TRACEPARENT, parent.to_string());
    }
    if !everything {
        return;
    }
    let passed_on = if let Entry::Inside(position) = &entry { position.state.as_deref() } else { None };
    let state = entry.put_before(&carrier.values(TRACESTATE), passed_on);
    carrier.set(TRACESTATE, state);
    if let Entry::Inside(position) = entry {
        let header = baggage::write(&carrier.values(BAGGAGE), position.baggage.as_deref(), position.target.as_deref());
        if let Some(header) = header {
            carrier.set(BAGGAGE, header);
        }
    }
}
