//! The server `parea serve`: the Parea v1 API and a web interface on one file.
//!
//! A program can hold one inside itself:
//!
//! ```no_run
//! use parea_server::{Config, Server};
//!
//! # async fn example() -> Result<(), parea_server::ServeError> {
//! let server = Server::bind(Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() }).await?.spawn();
//! println!("see {}", server.url());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod admin;
mod api;
mod auth;
mod body;
pub mod config;
mod error;
mod health;
mod ingest;
mod keeper;
mod kept_run;
mod langchain;
mod limits;
mod metrics;
mod openapi;
pub mod operate;
mod operator;
mod pages;
mod refused;
mod router;
mod server;
mod site;
mod spool;
mod state;
mod statistics;
mod tls;

pub use auth::{KeyRecord, KeyRing, KeyScope};
pub use config::Config;
pub use operator::listen as show_logs;
pub use parea_store::OpenError;
pub use refused::{Refused, refused};
pub use server::{Handle, ServeError, Server};
