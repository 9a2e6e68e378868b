//! Rows whose score changed.

use crate::{comparison::Flip, pairing::Scored};

/// Changes smaller than this are rounding.
const SAME: f64 = 1e-9;

/// All of them: the largest losses first, then the largest gains.
pub(crate) fn of(scored: &[Scored<'_>]) -> Vec<Flip> {
    let mut changed: Vec<&Scored<'_>> = scored.iter().filter(|row| (row.after - row.before).abs() > SAME).collect();
    changed.sort_by(|a, b| {
        let (of_a, of_b) = (a.after - a.before, b.after - b.before);
        let losses_first = (of_a > 0.0).cmp(&(of_b > 0.0));
        let largest_first = losses_first.then_with(|| of_b.abs().total_cmp(&of_a.abs()));
        largest_first.then_with(|| a.baseline.label.cmp(&b.baseline.label))
    });
    changed.into_iter().map(flip).collect()
}

fn flip(row: &Scored<'_>) -> Flip {
    Flip {
        label: row.baseline.label.clone(),
        before: row.before,
        after: row.after,
        baseline_output: row.baseline.output.clone(),
        candidate_output: row.candidate.output.clone(),
        baseline_trace: row.baseline.trace_id.clone(),
        candidate_trace: row.candidate.trace_id.clone(),
    }
}
