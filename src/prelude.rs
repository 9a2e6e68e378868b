//! The traits that bring methods along, in one `use`: `use parea::prelude::*;`.

pub use crate::InCurrentSpan;
#[cfg(feature = "eval")]
pub use crate::{Evaluate, evals::levenshtein, mean, row};
