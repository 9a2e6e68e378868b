//! A trace that goes on in another process: W3C `traceparent`, `tracestate` and `baggage`, in and out.
//!
//! The trace's id is the UUID of its root. `traceparent` has room for it and for half of the parent's id, so that the rest
//! travels in `tracestate` as our entry: the parent's whole id, its depth and number, and the run of the experiment. The
//! expected output travels in `baggage`.
//!
//! Out: [`inject`] writes all of it into anything that holds headers, and a [`Propagator`] decides by the receiver's host
//! how much of it goes there. In: [`Remote::extract`] reads it, and code that runs in its [`context`](Remote::context)
//! becomes part of the caller's trace. Only do so where the caller may be trusted: who sets these headers decides into
//! which trace the logs go.
//!
//! ```
//! use std::collections::HashMap;
//! use parea::propagation::{Remote, inject};
//!
//! #[parea::trace]
//! fn produce() -> HashMap<String, String> {
//!     let mut headers = HashMap::new();
//!     inject(&mut headers);
//!     headers
//! }
//!
//! #[parea::trace]
//! fn consume() {}
//!
//! let (_, traces) = parea::testing::capture(|| {
//!     let headers = produce();
//!     // In the other process:
//!     Remote::extract(&headers).unwrap().context().enter(consume);
//! });
//! assert_eq!(traces.tree(), "produce (ok)\n└─ consume (ok)\n");
//! ```
//!
//! For services there are layers for tower (feature `tower`) and a middleware for reqwest (feature
//! `reqwest-middleware`).

mod baggage;
mod carrier;
mod hosts;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
mod outgoing;
mod position;
mod remote;
#[cfg(feature = "tower")]
pub mod tower;
mod traceparent;
mod tracestate;

pub use carrier::Carrier;
pub use outgoing::{OutgoingRequest, Propagator, inject};
pub(crate) use position::Position;
pub use remote::Remote;

/// The header of the trace's id, the parent's short id, and whether the trace is recorded.
pub const TRACEPARENT: &str = "traceparent";
/// The header of what each system adds to that; ours is the entry `parea`.
pub const TRACESTATE: &str = "tracestate";
/// The header of what the callers say about the whole trace.
pub const BAGGAGE: &str = "baggage";
