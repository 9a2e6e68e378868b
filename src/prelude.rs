//! The traits that bring methods along, in one `use`: `use parea::prelude::*;`.

pub use crate::{CallInCurrentSpan, InCurrentSpan, StreamInCurrentSpan};
#[cfg(feature = "eval")]
pub use crate::{Evaluate, evals::levenshtein, mean, row};
