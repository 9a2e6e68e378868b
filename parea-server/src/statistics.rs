//! The figures in which a run of an experiment ends.

use std::collections::BTreeMap;

use parea_types::{EvaluationScore, ExperimentPinnedStatistic, StatisticOperation, TraceStats};

/// All figures of a run that ends: the means over its traces, and what its program worked out over the whole of it.
pub(crate) fn pinned(traces: &[TraceStats], over_the_run: Vec<EvaluationScore>) -> Vec<ExperimentPinnedStatistic> {
    let custom = |EvaluationScore { name, score, .. }| ExperimentPinnedStatistic {
        var1: name,
        var2: None,
        operation: StatisticOperation::Custom,
        value: rounded(score),
    };
    means(traces).into_iter().chain(over_the_run.into_iter().map(custom)).collect()
}

/// The means over a run's traces: of each score, by name, over the logs that carry it; then of latency, cost and
/// tokens over the traces, where a trace without a cost does not count as one that was free.
pub(crate) fn means(traces: &[TraceStats]) -> Vec<ExperimentPinnedStatistic> {
    let mut scores: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for score in traces.iter().flat_map(|trace| &trace.scores) {
        scores.entry(&score.name).or_default().push(score.score);
    }
    let of = |figure: fn(&TraceStats) -> f64| traces.iter().map(figure).collect::<Vec<_>>();
    let figures = [
        ("Latency", of(|trace| trace.latency)),
        ("Cost", traces.iter().filter_map(|trace| trace.cost).collect()),
        ("Input Tokens", of(|trace| trace.input_tokens as f64)),
        ("Output Tokens", of(|trace| trace.output_tokens as f64)),
        ("Total Tokens", of(|trace| trace.total_tokens as f64)),
    ];
    scores
        .into_iter()
        .chain(figures)
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| {
            let value = rounded(values.iter().sum::<f64>() / values.len() as f64);
            ExperimentPinnedStatistic { var1: name.to_owned(), var2: None, operation: StatisticOperation::Mean, value }
        })
        .collect()
}

/// To six decimals, as pinned figures are shown.
pub(crate) fn rounded(value: f64) -> f64 {
    let shifted = value * 1e6;
    // What is too large to be shifted has no decimals.
    if shifted.is_finite() { shifted.round() / 1e6 } else { value }
}
