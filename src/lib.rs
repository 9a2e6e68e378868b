#![doc = include_str!("../README.md")]

// The attribute's expansion names `::parea`, in this crate's own documentation and tests as well.
extern crate self as parea;

#[cfg(doctest)]
#[doc = include_str!("../tests/editions.md")]
mod editions {}
pub mod prelude;

/// What the expansion of the attribute calls.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "eval")]
    pub use parea_eval::hooks::*;
    pub use parea_runtime::hooks::*;

    /// Stands where the option `evals` would, so that its absence says why.
    #[cfg(not(feature = "eval"))]
    #[diagnostic::on_unimplemented(message = "the option `evals` needs the feature `eval` of the crate `parea`")]
    pub trait NeedsTheFeatureEval {}

    #[cfg(not(feature = "eval"))]
    #[expect(clippy::needless_pass_by_value, reason = "as the one whose place it takes")]
    pub fn evaluator(evaluation: impl NeedsTheFeatureEval) -> std::sync::Arc<dyn parea_runtime::evaluation::Evaluator> {
        let _ = evaluation;
        unreachable!("nothing has that trait")
    }
}

#[cfg(feature = "eval")]
pub use parea_eval::{
    Baseline, Cassette, CassetteRequest, Check, Eval, EvalFn, Evaluate, Experiment, ExperimentError, Figure, FromRow,
    HttpAnswer, HttpRequest, IntoScores, Log, LogError, Miss, Outcome, Replay, Report, Requirement, Results, Row,
    RowError, RowFailure, RowResult, RunStatus, Score, ScoreSummary, evals, experiment, least, mean, most, percentile,
    row, stats,
};
pub use parea_macros::trace;
#[cfg(feature = "eval")]
pub use parea_macros::{eval, test_eval};

#[cfg(feature = "http")]
pub use parea_runtime::{
    ApiClient, ApiClientBuilder, ApiError, BlockingApiClient, BlockingCompletion, CompletionStream,
};
pub use parea_runtime::{
    Builder, CallInCurrentSpan, Carried, Context, CurrentSpan, DropReason, EarlierLogs, FlushReport, Flushing, Guard,
    InCurrentSpan, InitError, Invocation, JoinSet, Sampler, ScoreValue, StreamInCurrentSpan, TraceStart, WithContext,
    builder, current, exit, flush, flush_async, init, propagation, serverless, spawn, spawn_blocking, spawn_local,
    testing, tree, types,
};
