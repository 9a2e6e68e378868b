//! stub
extern crate self as parea;
pub use parea_macros::trace;
pub use parea_runtime::*;
#[doc(hidden)]
pub use parea_runtime::hooks as __private;
/// What most programs need.
pub mod prelude { pub use crate::InCurrentSpan as _; }
