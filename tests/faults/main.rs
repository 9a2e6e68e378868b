//! Whatever the network, the server and the program do, every log is delivered, in the spool, or counted.
//!
//! A process has one client, so each story runs programs of its own against a server that misbehaves. `cargo xtask faults`
//! runs them at the size of a table.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "this is a test")]

#[cfg(unix)]
mod aborts;
mod flushing;
mod hostile;
mod losses;
mod network;
mod poison;
mod program;
#[cfg(unix)]
mod schedules;
mod soak;
mod spool;
#[cfg(unix)]
mod surroundings;
mod table;
mod tls;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod ways_to_end;
