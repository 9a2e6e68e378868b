//! What came of a run.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::Path,
    process::ExitCode,
};

use parea_runtime::types::{EvaluationScore, TraceLog};
use parea_stats::{Comparison, Interval, Run, interval, summary};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Log,
    log::text_of,
    results::{Cell, Results},
};

/// One row in one trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RowResult {
    /// Its number, from 1.
    pub row: usize,
    /// Its trial, from 0.
    pub trial: u32,
    /// What it is paired by in comparisons: equal contents have equal keys.
    pub key: String,
    /// Its values by column.
    pub inputs: Map<String, Value>,
    /// The expected output.
    pub target: Option<String>,
    /// What the function returned, as logs hold it: a text as it is, anything else as JSON.
    pub output: Option<String>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// All scores of its trace. One that several spans have is their mean, unless the root has it.
    pub scores: Vec<EvaluationScore>,
    /// Evaluations that failed, each with its error.
    pub evaluation_errors: Vec<String>,
    /// Seconds, all attempts together.
    pub latency: f64,
    /// Tokens of all prompts of its trace.
    pub input_tokens: i64,
    /// Tokens of all completions.
    pub output_tokens: i64,
    /// Both together.
    pub total_tokens: i64,
    /// US dollars; nothing when no log has a cost.
    pub cost: Option<f64>,
    /// Id of its root log.
    pub trace_id: String,
}

impl RowResult {
    /// The row's inputs in a few words.
    pub fn label(&self) -> String {
        let cell = |(column, value): (&String, &Value)| format!("{column}={}", text_of(value));
        self.inputs.iter().map(cell).collect::<Vec<_>>().join(" ")
    }

    /// The root log, as evaluations of whole runs see it.
    pub(crate) fn log(&self) -> Log {
        Log::from(TraceLog {
            trace_id: self.trace_id.clone(),
            inputs: Some(self.inputs.clone()),
            output: self.output.clone(),
            target: self.target.clone(),
            scores: Some(self.scores.clone()),
            latency: Some(self.latency),
            cost: self.cost,
            ..TraceLog::default()
        })
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Every row succeeded.
    #[default]
    Completed,
    /// At least one row failed.
    Failed,
    /// It was ended by its first failed row, as was asked for; what was done is kept.
    Stopped,
    /// It was ended by Ctrl-C; what was done is kept.
    Interrupted,
}

/// Whether what was asked of a run holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It does.
    #[default]
    Passed,
    /// The rows tell neither: more of them are needed.
    NoEvidence,
    /// It does not.
    Failed,
}

/// One thing that was asked of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Check {
    /// What was asked.
    pub name: String,
    /// Whether it holds.
    pub outcome: Outcome,
    /// A sentence with the figures.
    pub message: String,
    /// Rows that are farthest from what was asked, the worst first, where it does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

/// A score over all rows that have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScoreSummary {
    /// The score's name.
    pub name: String,
    /// The mean.
    pub mean: f64,
    /// Where the true mean lies, 95 times in 100: by BCa over rows, or Wilson's for pass or fail. `None` for one row.
    pub interval: Option<Interval>,
    /// How many rows and trials have it.
    pub count: usize,
}

/// What came of a run. `Display` is the table for the terminal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[must_use = "a report that nobody looks at tells nothing: `.print()`, `.exit_code()`"]
#[non_exhaustive]
pub struct Report {
    /// The experiment's name.
    pub experiment: String,
    /// The run's name.
    pub run_name: String,
    /// The run's id, for `resume` and to find it by.
    pub uuid: String,
    /// How it ended.
    pub status: RunStatus,
    /// What is known of it, the git commit included.
    pub metadata: BTreeMap<String, String>,
    /// What was done, in the order of rows and trials.
    pub rows: Results,
    /// How many rows times trials there were to do.
    pub planned: usize,
    /// How many of them an earlier part of the run had done.
    pub resumed: usize,
    /// Seconds that this part of the run took.
    pub seconds: f64,
    /// What scores tell, by name, where their evaluations say so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub descriptions: BTreeMap<String, String>,
    /// Scores of the whole run.
    pub dataset_scores: Vec<EvaluationScore>,
    /// The run's page on the server, if one has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What the user should know besides.
    pub notes: Vec<String>,
    /// The comparison with the baseline, if one was asked for.
    pub comparison: Option<Comparison>,
    /// What was asked of it.
    pub checks: Vec<Check>,
}

impl Report {
    /// Prints the table on stdout, and the comparison and checks below it.
    pub fn print(&self) -> &Self {
        // Whoever closed stdout does not want to read it.
        let _ = write!(io::stdout(), "{self}");
        self
    }

    /// Each score, in the order of their names.
    pub fn scores(&self) -> Vec<ScoreSummary> {
        self.rows.by_score().into_iter().map(|(name, values)| summarise(name, &values)).collect()
    }

    /// One score.
    pub fn score(&self, name: &str) -> Option<ScoreSummary> {
        self.scores().into_iter().find(|score| score.name == name)
    }

    /// Rows that failed.
    pub fn failures(&self) -> impl Iterator<Item = RowResult> + '_ {
        self.rows.those(|cell| cell.failed)
    }

    /// How many rows failed.
    pub(crate) fn failed(&self) -> usize {
        self.rows.cells().iter().filter(|cell| cell.failed).count()
    }

    /// Seconds per row at that share of the rows, 0 to 1: `latency(0.95)`. Failed rows aside.
    pub fn latency(&self, share: f64) -> Option<f64> {
        summary::percentile(&self.values("latency"), share)
    }

    /// US dollars of all rows; nothing when no log has a cost.
    pub fn cost(&self) -> Option<f64> {
        self.rows.cells().iter().filter_map(|cell| cell.cost).reduce(|sum, cost| sum + cost)
    }

    /// The worst outcome of all checks. Failed rows alone fail nothing: require `succeeded` for that.
    pub fn outcome(&self) -> Outcome {
        self.checks.iter().map(|check| check.outcome).max().unwrap_or_default()
    }

    /// For `main`: 0 if all that was asked holds, 1 if something does not or the first failed row ended the run, 3 if the rows
    /// tell neither, 130 if Ctrl-C ended the run.
    pub fn exit_code(&self) -> ExitCode {
        match (self.outcome(), self.status) {
            (Outcome::Failed, _) | (_, RunStatus::Stopped) => ExitCode::from(1),
            (_, RunStatus::Interrupted) => ExitCode::from(130),
            (Outcome::NoEvidence, _) => ExitCode::from(3),
            (Outcome::Passed, _) => ExitCode::SUCCESS,
        }
    }

    /// For tests.
    ///
    /// # Panics
    ///
    /// When something that was asked does not hold; the message has what, and the rows that failed.
    #[track_caller]
    pub fn assert(&self) -> &Self {
        let unfinished = matches!(self.status, RunStatus::Stopped | RunStatus::Interrupted);
        assert!(!unfinished && self.outcome() != Outcome::Failed, "{self}");
        self
    }

    /// The report as JSON, which `compare_to` reads back.
    pub fn json(&self) -> String {
        // Every part of it is JSON by its type, and no number is infinite.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Writes [`json`](Self::json) to a file.
    pub fn write_json(&self, path: impl AsRef<Path>) -> io::Result<&Self> {
        let mut file = BufWriter::new(File::create(path)?);
        serde_json::to_writer_pretty(&mut file, self)?;
        file.flush().map(|()| self)
    }

    /// Writes [`markdown`](Self::markdown) to a file.
    pub fn write_markdown(&self, path: impl AsRef<Path>) -> io::Result<&Self> {
        fs::write(path, self.markdown()).map(|()| self)
    }

    /// Writes [`junit`](Self::junit) to a file.
    pub fn write_junit(&self, path: impl AsRef<Path>) -> io::Result<&Self> {
        let mut file = BufWriter::new(File::create(path)?);
        self.junit_to(&mut file)?;
        file.flush().map(|()| self)
    }

    /// Reads a report that was written as JSON.
    pub fn read_json(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
    }

    /// The run for a comparison.
    pub fn to_run(&self) -> Run {
        Run { name: self.run_name.clone(), rows: self.rows.iter().map(|row| compared(&row)).collect() }
    }

    /// All values of a score, or of `latency`, `cost`, `total_tokens`, `succeeded`.
    pub(crate) fn values(&self, name: &str) -> Vec<f64> {
        let scores = self.rows.by_score().remove(name).unwrap_or_default();
        let scores: Vec<f64> = scores.into_iter().map(|(_, score)| score).collect();
        let cells = self.rows.cells().iter();
        let done = cells.clone().filter(|cell| !cell.failed);
        match name {
            _ if !scores.is_empty() => scores,
            "latency" => done.map(|row| row.latency).collect(),
            "cost" => cells.filter_map(|cell| cell.cost).collect(),
            "total_tokens" => done.map(|row| row.total_tokens as f64).collect(),
            "succeeded" => cells.map(|cell| f64::from(!cell.failed)).collect(),
            _ => self.dataset_scores.iter().filter(|score| score.name == name).map(|score| score.score).collect(),
        }
    }
}

pub(crate) fn compared(row: &RowResult) -> parea_stats::Row {
    parea_stats::Row {
        key: row.key.clone(),
        label: row.label(),
        trial: row.trial,
        output: row.error.clone().or_else(|| row.output.clone()).unwrap_or_default(),
        failed: row.error.is_some(),
        trace_id: Some(row.trace_id.clone()),
        scores: row.scores.iter().map(|score| (score.name.clone(), score.score)).collect(),
    }
}

/// Trials of a row, and rows of the same content, are one draw of the interval.
fn summarise(name: &str, values: &[(&Cell, f64)]) -> ScoreSummary {
    let plain: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    ScoreSummary {
        name: name.to_owned(),
        mean: summary::mean(&plain).unwrap_or_default(),
        interval: interval::of_rows(values.iter().map(|(cell, value)| (cell.content(), *value)), 0.95),
        count: plain.len(),
    }
}
