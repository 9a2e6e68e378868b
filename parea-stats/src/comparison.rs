//! Two runs, row by row and score by score, and what may be said of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    Interval,
    bootstrap::{Cluster, mean},
    flips, interval,
    pairing::{Pairs, pair},
    power, summary, test,
};

/// The pass-or-fail score of having returned at all. Compared whenever a row failed in either run.
pub const SUCCEEDED: &str = "succeeded";

/// One row of a run, in one trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What the row is paired by: equal contents have equal keys.
    pub key: String,
    /// The row's inputs in a few words, for readers.
    pub label: String,
    /// Which trial, from 0.
    pub trial: u32,
    /// What the function returned, or why it failed.
    pub output: String,
    /// Whether it failed.
    pub failed: bool,
    /// Id of the trace, to look it up by.
    pub trace_id: Option<String>,
    /// Its scores by name.
    pub scores: BTreeMap<String, f64>,
}

/// A run: its name and its rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// As readers know it.
    pub name: String,
    /// Every row in every trial.
    pub rows: Vec<Row>,
}

/// What is asked of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Share of the time that intervals hold, 0.95 unless set.
    pub confidence: f64,
    /// The least difference that matters, for the number of rows that it takes to see it; 0.05 unless set.
    pub minimal_effect: f64,
    /// The chance of seeing it with that many rows; 0.8 unless set.
    pub power: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { confidence: 0.95, minimal_effect: 0.05, power: 0.8 }
    }
}

/// Whether the candidate is better, score by score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its scores are higher, beyond what chance explains.
    Better,
    /// Its scores are lower, beyond what chance explains.
    Worse,
    /// The rows tell neither.
    NoEvidence,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NoEvidence => "no evidence",
        })
    }
}

/// How an interval and its p-value were worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// BCa bootstrap over rows, and the sign-flip test.
    Bootstrap,
    /// The score interval of paired proportions, and the exact McNemar test.
    PairedProportions,
}

/// A row whose score changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Flip {
    /// The row's inputs in a few words.
    pub label: String,
    /// The score in the baseline, the mean of its trials.
    pub before: f64,
    /// The score in the candidate.
    pub after: f64,
    /// What the baseline returned, in its first trial.
    pub baseline_output: String,
    /// What the candidate returned.
    pub candidate_output: String,
    /// Trace of the baseline.
    pub baseline_trace: Option<String>,
    /// Trace of the candidate.
    pub candidate_trace: Option<String>,
}

/// One score of both runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScoreComparison {
    /// The score's name.
    pub name: String,
    /// Rows that have it in both runs.
    pub rows: usize,
    /// Paired rows that lack it in one of them or in both.
    pub missing: usize,
    /// Mean of the baseline over those rows.
    pub baseline: f64,
    /// Mean of the candidate over those rows.
    pub candidate: f64,
    /// Candidate minus baseline.
    pub difference: f64,
    /// Where the true difference lies. `None` for fewer than two rows.
    pub interval: Option<Interval>,
    /// How it was worked out.
    pub method: Method,
    /// The chance of so large a difference if there is none.
    pub p_value: f64,
    /// The same, after Holm's correction for the number of scores.
    pub adjusted_p_value: f64,
    /// In one word.
    pub verdict: Verdict,
    /// Rows with which the minimal effect would be seen.
    pub rows_needed: Option<u64>,
    /// Rows that changed, the largest losses first, then the largest gains.
    pub flips: Vec<Flip>,
}

/// Two runs compared. Its `Display` is a table for the terminal; [`markdown`](Self::markdown) one for a pull request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Name of the baseline.
    pub baseline: String,
    /// Name of the candidate.
    pub candidate: String,
    /// Rows found in both.
    pub paired: usize,
    /// Rows found in the baseline alone.
    pub only_baseline: usize,
    /// Rows found in the candidate alone.
    pub only_candidate: usize,
    /// Share of the time that the intervals hold.
    pub confidence: f64,
    /// The least difference that matters.
    pub minimal_effect: f64,
    /// Score by score, in the order of their names.
    pub scores: Vec<ScoreComparison>,
}

/// Why two runs cannot be compared.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompareError {
    /// A run without rows; its name.
    Empty(String),
    /// No row of one is in the other.
    NothingPaired {
        /// Name of the baseline.
        baseline: String,
        /// Name of the candidate.
        candidate: String,
    },
    /// A setting that makes no sense: its name and what it has to be.
    Setting(&'static str, &'static str),
    /// A score that is no finite number: run, row and score.
    NotFinite {
        /// Name of the run.
        run: String,
        /// The row's label.
        row: String,
        /// The score's name.
        score: String,
    },
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(run) => write!(f, "run `{run}` has no rows to compare"),
            Self::NothingPaired { baseline, candidate } => write!(
                f,
                "no row of `{candidate}` is in `{baseline}`: rows are paired by their contents, so both runs need the same \
                 data"
            ),
            Self::Setting(name, must) => write!(f, "{name} must be {must}"),
            Self::NotFinite { run, row, score } => {
                write!(f, "score `{score}` of row {row} in run `{run}` is no finite number")
            }
        }
    }
}

/// The text of `Display`: a `main` or a test that returns the error prints this.
impl fmt::Debug for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CompareError {}

/// Compares a candidate with a baseline.
///
/// Rows are paired by their keys. Trials of a row are averaged first; rows with the same key are kept together. Scores of 0
/// and 1 without trials or duplicates are compared as proportions, all others by their means. A score is better or worse
/// only if its interval leaves zero out *and* its test holds after Holm's correction.
pub fn compare(baseline: &Run, candidate: &Run, settings: &Settings) -> Result<Comparison, CompareError> {
    check(baseline, candidate, settings)?;
    let pairs = pair(baseline, candidate);
    if pairs.rows.is_empty() {
        let (baseline, candidate) = (baseline.name.clone(), candidate.name.clone());
        return Err(CompareError::NothingPaired { baseline, candidate });
    }
    let rows = || baseline.rows.iter().chain(&candidate.rows);
    let mut names: BTreeSet<&str> = rows().flat_map(|row| row.scores.keys().map(String::as_str)).collect();
    if rows().any(|row| row.failed) {
        names.insert(SUCCEEDED);
    }
    let mut scores: Vec<_> = names.into_iter().filter_map(|name| compare_score(&pairs, name, settings)).collect();
    let p_values: Vec<f64> = scores.iter().map(|score| score.p_value).collect();
    for (score, adjusted) in scores.iter_mut().zip(test::holm(&p_values)) {
        score.adjusted_p_value = adjusted;
        score.verdict = verdict(score, 1.0 - settings.confidence);
    }
    Ok(Comparison {
        baseline: baseline.name.clone(),
        candidate: candidate.name.clone(),
        paired: pairs.count(),
        only_baseline: pairs.only_baseline,
        only_candidate: pairs.only_candidate,
        confidence: settings.confidence,
        minimal_effect: settings.minimal_effect,
        scores,
    })
}

fn check(baseline: &Run, candidate: &Run, settings: &Settings) -> Result<(), CompareError> {
    let inside = |value: f64| value > 0.0 && value < 1.0;
    if !inside(settings.confidence) {
        return Err(CompareError::Setting("confidence", "between 0 and 1"));
    }
    if !inside(settings.power) {
        return Err(CompareError::Setting("power", "between 0 and 1"));
    }
    if !(settings.minimal_effect.is_finite() && settings.minimal_effect > 0.0) {
        return Err(CompareError::Setting("minimal effect", "a number above 0"));
    }
    for run in [baseline, candidate] {
        if run.rows.is_empty() {
            return Err(CompareError::Empty(run.name.clone()));
        }
        for row in &run.rows {
            if let Some((score, _)) = row.scores.iter().find(|(_, value)| !value.is_finite()) {
                let (run, row) = (run.name.clone(), row.label.clone());
                return Err(CompareError::NotFinite { run, row, score: score.clone() });
            }
        }
    }
    Ok(())
}

fn compare_score(pairs: &Pairs<'_>, name: &str, settings: &Settings) -> Option<ScoreComparison> {
    let scored = pairs.scored(name);
    if scored.is_empty() {
        return None;
    }
    let clusters: Vec<Cluster> =
        scored.iter().map(|row| Cluster { sum: (row.after - row.before) * row.weight, weight: row.weight }).collect();
    let side = |value: fn(&crate::pairing::Scored<'_>) -> f64| {
        let clusters: Vec<_> =
            scored.iter().map(|row| Cluster { sum: value(row) * row.weight, weight: row.weight }).collect();
        mean(&clusters)
    };
    let single = scored.iter().all(|row| row.single);
    let values: Vec<f64> = scored.iter().flat_map(|row| [row.before, row.after]).collect();
    let (method, interval, p_value, rows_needed) = if single && summary::all_pass_or_fail(&values) {
        let count =
            |flipped: fn(f64, f64) -> bool| scored.iter().filter(|row| flipped(row.before, row.after)).count() as u64;
        let (worse, better) = (count(|before, after| before > after), count(|before, after| before < after));
        let interval = interval::paired_score(worse, better, scored.len() as u64, settings.confidence);
        // One flip more than were seen, so that none seen does not mean that none ever happens.
        let flipping = (worse + better + 1) as f64 / (scored.len() + 2) as f64;
        let needed = power::rows_for_proportion(settings.minimal_effect, flipping, settings.confidence, settings.power);
        let interval = (scored.len() > 1).then_some(interval);
        (Method::PairedProportions, interval, test::mcnemar(worse, better), needed)
    } else {
        let differences: Vec<f64> = scored.iter().map(|row| row.after - row.before).collect();
        // Of differences that are all the same it is not known how much others would vary.
        let deviation = summary::standard_deviation(&differences).filter(|deviation| *deviation > 1e-12);
        let needed = deviation.and_then(|deviation| {
            power::rows_for_mean(settings.minimal_effect, deviation, settings.confidence, settings.power)
        });
        let unchanged = scored.iter().all(|row| row.after.total_cmp(&row.before).is_eq());
        let interval = if unchanged && summary::all_pass_or_fail(&values) && scored.len() > 1 {
            // What does not vary has no bootstrap; of passes and failures it is known how far they may vary all the same.
            Some(interval::paired_score(0, 0, scored.len() as u64, settings.confidence))
        } else {
            interval::bca(&clusters, settings.confidence)
        };
        (Method::Bootstrap, interval, test::sign_flip(&clusters), needed)
    };
    let rows = scored.iter().map(|row| row.weight as usize).sum();
    Some(ScoreComparison {
        name: name.to_owned(),
        rows,
        missing: pairs.count() - rows,
        baseline: side(|row| row.before),
        candidate: side(|row| row.after),
        difference: mean(&clusters),
        interval,
        method,
        p_value,
        adjusted_p_value: p_value,
        verdict: Verdict::NoEvidence,
        rows_needed,
        flips: flips::of(&scored),
    })
}

fn verdict(score: &ScoreComparison, level: f64) -> Verdict {
    match score.interval {
        Some(interval) if score.adjusted_p_value <= level && interval.low > 0.0 => Verdict::Better,
        Some(interval) if score.adjusted_p_value <= level && interval.high < 0.0 => Verdict::Worse,
        _ => Verdict::NoEvidence,
    }
}

impl ScoreComparison {
    /// Whether the candidate is worse by more than `margin`: surely, if the verdict is that it is worse and the whole interval
    /// lies below `-margin`; surely not, if none of it does. `None` where the rows tell neither.
    pub fn regressed(&self, margin: f64) -> Option<bool> {
        let (interval, bar) = (self.interval?, -margin.abs());
        if interval.low >= bar {
            return Some(false);
        }
        (interval.high < bar && self.verdict == Verdict::Worse).then_some(true)
    }
}

impl Comparison {
    /// Worse if any score is, else better if any score is, else no evidence.
    pub fn verdict(&self) -> Verdict {
        let any = |verdict| self.scores.iter().any(|score| score.verdict == verdict);
        [Verdict::Worse, Verdict::Better].into_iter().find(|verdict| any(*verdict)).unwrap_or(Verdict::NoEvidence)
    }

    /// The comparison of one score.
    pub fn score(&self, name: &str) -> Option<&ScoreComparison> {
        self.scores.iter().find(|score| score.name == name)
    }

    /// Scores that are surely worse by more than `margin`: [`regressed`](ScoreComparison::regressed).
    pub fn regressions(&self, margin: f64) -> Vec<&ScoreComparison> {
        self.scores.iter().filter(|score| score.regressed(margin) == Some(true)).collect()
    }
}
