//! Evaluation functions, experiments and datasets. Use it through the crate `parea`, which re-exports what is public here.

// `row!` and the documentation name this crate.
extern crate self as parea_eval;

mod baseline;
mod cell_value;
mod checks;
mod described;
mod error;
pub mod evals;
mod evaluation;
mod experiment;
mod git;
#[doc(hidden)]
pub mod hooks;
mod journal;
#[cfg(feature = "http")]
mod kept;
mod log;
#[cfg(feature = "parquet")]
mod parquet_file;
mod progress;
#[cfg(feature = "http")]
mod remote;
mod render;
mod replay;
mod replay_http;
mod report;
mod requirement;
mod results;
mod row;
mod run_name;
mod runner;
mod score;
mod source;
mod test_eval;

pub use baseline::Baseline;
pub use described::EvalFn;
pub use error::ExperimentError;
pub use evaluation::{Eval, Evaluate};
pub use experiment::{Experiment, RowFailure, experiment};
pub use log::{Log, LogError};
pub use parea_stats as stats;
pub use replay::{Cassette, CassetteRequest, Miss};
pub use replay_http::{HttpAnswer, HttpRequest, Replay};
pub use report::{Check, Outcome, Report, RowResult, RunStatus, ScoreSummary};
pub use requirement::{Figure, Requirement, least, mean, most, percentile};
pub use results::Results;
pub use row::{FromRow, Row, RowError};
pub use score::{IntoScores, Score};
