//! What the expansion of `#[parea::trace]` calls.

use std::sync::Arc;

use parea_runtime::evaluation::Evaluator;

use crate::Evaluate;

/// One entry of the option `evals`.
pub fn evaluator<Form>(evaluation: impl Evaluate<Form>) -> Arc<dyn Evaluator> {
    evaluation.eval().into_evaluator()
}
