//! The server over real sockets, and the binary as a real process.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "rows of the table of `cargo xtask crash`")]

mod access;
mod bad_input;
mod batch;
mod bodies;
mod client;
mod commands;
mod config;
mod crash;
mod datasets;
mod demo;
#[cfg(target_os = "linux")]
mod disk;
mod document;
mod experiments;
mod feedback;
mod filters;
mod health;
#[path = "../http/mod.rs"]
mod http;
mod langchain;
mod odd_input;
mod openapi;
mod operate;
mod operations;
mod process;
mod reading;
mod sdk;
mod spool;
mod start;
mod stop;
mod traps;
