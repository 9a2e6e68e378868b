//! What the expansions of `#[parea::trace]`, `#[parea::eval]` and `#[parea::test_eval]` call.

use std::sync::Arc;

use parea_runtime::evaluation::Evaluator;

pub use crate::{
    Eval, EvalFn, Evaluate, IntoScores,
    described::{EvalSite, evaluated_as},
    experiment, least, mean, most, percentile,
    test_eval::{Plain, Returned, test_eval},
};

/// One entry of the option `evals`.
pub fn evaluator<Form>(evaluation: impl Evaluate<Form>) -> Arc<dyn Evaluator> {
    evaluation.eval().into_evaluator()
}
