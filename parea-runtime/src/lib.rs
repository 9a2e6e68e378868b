//! Capture, span stack, batching and delivery behind `#[parea::trace]`. Use it through the crate `parea`, which
//! re-exports what is public here.

#[cfg(feature = "http")]
mod api;
mod books;
mod carry;
#[doc(hidden)]
pub mod cell;
mod client;
mod clock;
#[doc(hidden)]
pub mod connection;
mod context;
mod current;
mod drive;
mod error_text;
#[doc(hidden)]
pub mod evaluation;
mod exit;
mod exporter;
mod fit;
mod flow;
mod guard;
#[doc(hidden)]
pub mod hooks;
mod id;
mod items;
mod json;
mod label;
mod ladder;
mod locks;
mod outbox;
mod processor;

pub mod propagation;
mod queue;
mod record;
#[doc(hidden)]
pub mod redact;
mod report;
mod returned;
mod sampling;
mod scope;
#[cfg(feature = "http")]
mod sender;
mod serverless;
mod settings;
mod site;
mod span;
mod stack;
mod streamed;
mod tasks;
pub mod testing;
mod thread_log;
mod transport;
pub mod tree;
mod type_names;

#[cfg(feature = "http")]
#[doc(hidden)]
pub use api::foreign;
#[cfg(feature = "http")]
pub use api::{ApiClient, ApiClientBuilder, ApiError, BlockingApiClient, BlockingCompletion, CompletionStream};
pub use carry::{CallInCurrentSpan, Carried, InCurrentSpan, StreamInCurrentSpan, WithContext};
pub use client::{Builder, InitError, builder, init};
pub use context::Context;
pub use current::{CurrentSpan, ScoreValue, current};
pub use exit::exit;
pub use guard::{Flushing, Guard, flush, flush_async};
pub use report::{DropReason, EarlierLogs, FlushReport};
pub use serverless::{Invocation, serverless};

pub use sampling::{Sampler, TraceStart};
pub use tasks::{JoinSet, spawn, spawn_blocking, spawn_local};

pub use parea_types as types;
