//! The wire of the Parea v1 API, used by both ends: what a client sends is what the server reads.
//!
//! Three rules hold for every type here:
//!
//! - **Null and absent are the same.** Both mean the field's default, and neither is written back.
//! - **Unknown fields are ignored.** A log is never refused for what a newer or another client adds.
//! - **Every spelling of a time is read, one is written** (see [`Timestamp`]).
//!
//! Rust names are the schema names without the `Schema` suffix; field names are the wire's.

mod error;
mod null;
mod time;
mod trace_log;

pub use error::{ErrorBody, HttpValidationError, Location, ValidationError};
pub use time::{ParseTimestampError, Timestamp};
pub use trace_log::{
    Annotations, Configuration, EvaluationScore, Id, Message, MessageContent, ModelParams, Role, Status, TraceLog,
    TraceLogAnnotation, TraceLogComment, TraceLogImage, TraceLogTree, UpdateLog,
};
