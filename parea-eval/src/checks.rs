//! What was asked of a run, held against it.

use parea_stats::{Run, Settings, compare};

use crate::{
    ExperimentError, Report,
    experiment::Plan,
    render,
    report::{Check, Outcome},
    results::Cell,
};

pub(crate) fn make(plan: &Plan, baseline: Option<&Run>, report: &mut Report) -> Result<(), ExperimentError> {
    let scores = report.scores();
    let known: Vec<&str> = scores.iter().map(|score| score.name.as_str()).collect();
    let mut checks = Vec::new();
    for (name, requirement) in &plan.requirements {
        let (met, message) = requirement.check(name, &report.values(name), &known);
        let outcome = if met { Outcome::Passed } else { Outcome::Failed };
        let examples = if met { Vec::new() } else { worst(report, name, requirement.wants_high()) };
        checks.push(Check { name: format!("require {name}"), outcome, message, examples });
    }
    if let Some(baseline) = baseline {
        let settings = Settings { minimal_effect: plan.minimal_effect, ..Settings::default() };
        let comparison = compare(baseline, &report.to_run(), &settings)?;
        if let Some(margin) = plan.margin {
            checks.extend(comparison.scores.iter().map(|score| regression(score, margin, &comparison.baseline)));
        }
        report.comparison = Some(comparison);
    }
    report.checks = checks;
    Ok(())
}

/// Fails if the score is surely worse by more than the margin, holds if it surely is not, and else cannot tell.
fn regression(score: &parea_stats::ScoreComparison, margin: f64, baseline: &str) -> Check {
    let name = format!("no regression of {}", score.name);
    let Some(interval) = score.interval else {
        let message = format!("`{}` has too few rows to compare with {baseline}", score.name);
        return Check { name, outcome: Outcome::NoEvidence, message, examples: Vec::new() };
    };
    let shown = |value: f64| (value * 1e4).round() / 1e4;
    let reach = format!("{} to {}", shown(interval.low), shown(interval.high));
    let (outcome, said) = match score.regressed(margin) {
        Some(true) => (Outcome::Failed, format!("is worse than {baseline} by more than {margin}")),
        Some(false) => (Outcome::Passed, format!("is not worse than {baseline} by more than {margin}")),
        None => {
            let said = format!("may or may not be worse than {baseline} by more than {margin}: take more rows");
            (Outcome::NoEvidence, said)
        }
    };
    let difference = shown(score.difference);
    Check {
        name,
        outcome,
        message: format!("`{}` {said} (difference {difference}, 95 % interval {reach})", score.name),
        examples: Vec::new(),
    }
}

/// Rows that are shown of a requirement that is not met.
const WORST: usize = 3;

/// The rows that are farthest from what was asked of a score, as lines.
fn worst(report: &Report, name: &str, wants_high: bool) -> Vec<String> {
    let mut scored = report.rows.by_score().remove(name).unwrap_or_default();
    let badness = |score: f64| if wants_high { score } else { -score };
    scored.sort_by(|(a, one), (b, other)| {
        badness(*one).total_cmp(&badness(*other)).then_with(|| a.place().cmp(&b.place()))
    });
    // Trials of a row tell the same.
    let mut rows: Vec<(&Cell, f64)> = Vec::new();
    for (cell, score) in scored {
        if rows.len() < WORST && rows.iter().all(|(known, _)| known.content() != cell.content()) {
            rows.push((cell, score));
        }
    }
    rows.into_iter().map(|(cell, score)| render::example(score, &report.rows.read(cell))).collect()
}
