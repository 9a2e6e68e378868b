//! Ways out of the process.

#[cfg(feature = "http")]
pub(crate) mod http;
pub(crate) mod losses;
mod segment;
pub(crate) mod spool;
#[cfg(feature = "http")]
mod suspects;

/// One log in its form on the wire, shared with the request that carries it.
pub(crate) type Line = std::sync::Arc<Vec<u8>>;
