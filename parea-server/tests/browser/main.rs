//! Both pages in a real Chromium, against a real server: what a user sees, clicks and reads.
//!
//! The browser is driven over the DevTools protocol by hand: of its thousand commands a dozen are needed here, and the
//! crates that generate all of them take longer to compile than the rest of the workspace.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod chromium;
mod devtools;
mod experiments;
mod find;
mod foreign_text;
#[path = "../http/mod.rs"]
mod http;
mod list;
mod looks;
mod page;
mod search;
mod site;
mod trace;
