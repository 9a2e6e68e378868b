//! Runs as a server's logs tell them.

use std::collections::BTreeMap;

use parea_types::{Status, TraceLog, TraceLogTree};
use serde_json::{Map, Value};

use crate::{
    comparison::{Row, Run},
    key::{ROW_KEY, TRIAL, row_key},
};

/// A run from the traces of its rows.
///
/// Rows are known by the key and trial that the Rust client writes into the root's metadata; those of other clients by their
/// inputs and target, as trial 0. A score that several logs of a trace have is their mean, unless the root has it.
pub fn run_of_logs(name: impl Into<String>, traces: &[TraceLogTree]) -> Run {
    Run { name: name.into(), rows: traces.iter().map(row).collect() }
}

fn row(tree: &TraceLogTree) -> Row {
    let root = &tree.log;
    let no_inputs = Map::new();
    let inputs = root.inputs.as_ref().unwrap_or(&no_inputs);
    let failed = root.status == Some(Status::Error);
    Row {
        key: said(root, ROW_KEY).unwrap_or_else(|| row_key(inputs, root.target.as_deref())),
        label: inputs.iter().map(|(key, value)| format!("{key}={}", text(value))).collect::<Vec<_>>().join(" "),
        trial: said(root, TRIAL).and_then(|trial| trial.parse().ok()).unwrap_or(0),
        output: root.error.clone().filter(|_| failed).or_else(|| root.output.clone()).unwrap_or_default(),
        failed,
        trace_id: Some(root.trace_id.clone()),
        scores: scores(tree),
    }
}

fn said(log: &TraceLog, key: &str) -> Option<String> {
    log.metadata.as_ref()?.get(key).map(text)
}

fn scores(tree: &TraceLogTree) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for node in tree {
        for score in node.log.scores.iter().flatten() {
            let (sum, count) = sums.entry(&score.name).or_default();
            *sum += score.score;
            *count += 1.0;
        }
    }
    let mut scores: BTreeMap<String, f64> =
        sums.into_iter().map(|(name, (sum, count))| (name.to_owned(), sum / count)).collect();
    scores.extend(tree.log.scores.iter().flatten().map(|score| (score.name.clone(), score.score)));
    scores
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
