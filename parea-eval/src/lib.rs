//! Evaluation functions, experiments and datasets. Use it through the crate `parea`, which re-exports what is public here.

pub mod evals;
mod evaluation;
mod log;
mod score;

pub use evaluation::{Eval, Evaluate};
pub use log::{Log, LogError};
pub use score::{IntoScores, Score};
