//! The web interface over a real socket, on a real store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../examples/demo/traces.rs"]
mod demo;
mod escaping;
#[path = "../http/mod.rs"]
mod http;
mod list;
mod search;
mod site;
mod trace;
