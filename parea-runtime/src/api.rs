//! The typed client of the Parea v1 API: one file for each group of operations. With `transport/http.rs` the only room
//! that knows reqwest.

mod blocking;
mod builder;
mod client;
mod completions;
mod datasets;
mod error;
mod events;
mod experiments;
mod feedback;
pub mod foreign;
mod logs;
mod projects;
mod retry;

pub use blocking::{BlockingApiClient, BlockingCompletion};
pub use builder::ApiClientBuilder;
pub use client::ApiClient;
pub use completions::CompletionStream;
pub use error::ApiError;
