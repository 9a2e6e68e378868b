//! What must not leave the process.

mod names;

pub use names::is_secret_name;

/// What stands where a secret was.
pub const REDACTED: &str = "[redacted]";
