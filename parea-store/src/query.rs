//! Which logs are wanted: one tree of typed conditions, whatever language it was asked in.
//!
//! A parser turns a language into a [`Filter`] (here `parea`, the API's own form), [`Filter::matches`] is the plain
//! reading of the rules, and each engine plans a filter for itself.
//!
//! A log is seen as it is read back (latency worked out, links resolved, children filled in), with one exception:
//! lists of logs look at a log's *own* scores, for those that reads copy up from its descendants would make every
//! ancestor of a match a match. Where copies are to count, as for the roots of an experiment, use
//! [`Filter::matches`] on the log with its copies filled in.

mod evaluate;
mod field;
mod filter;
mod parea;

pub(crate) use evaluate::{flat, number};
pub use field::{AnnotationType, Field, Kind, LogField};
pub use filter::{Comparison, Condition, Filter, Operand, Test};
