//! Rows of two runs brought together by their contents.

use std::collections::BTreeMap;

use crate::comparison::{Row, Run, SUCCEEDED};

/// Rows of both runs that have the same key.
pub(crate) struct Paired<'a> {
    baseline: Vec<&'a Row>,
    candidate: Vec<&'a Row>,
}

/// All of them, and how many rows found no partner.
pub(crate) struct Pairs<'a> {
    pub(crate) rows: Vec<Paired<'a>>,
    pub(crate) only_baseline: usize,
    pub(crate) only_candidate: usize,
}

/// One content with its scores in both runs.
pub(crate) struct Scored<'a> {
    pub(crate) before: f64,
    pub(crate) after: f64,
    /// How many rows have this content.
    pub(crate) weight: f64,
    /// Whether each side is a single run of a single row.
    pub(crate) single: bool,
    pub(crate) baseline: &'a Row,
    pub(crate) candidate: &'a Row,
}

pub(crate) fn pair<'a>(baseline: &'a Run, candidate: &'a Run) -> Pairs<'a> {
    let mut of_candidate = by_key(candidate);
    let mut pairs = Pairs { rows: Vec::new(), only_baseline: 0, only_candidate: 0 };
    for (key, rows) in by_key(baseline) {
        match of_candidate.remove(key) {
            Some(partners) => pairs.rows.push(Paired { baseline: rows, candidate: partners }),
            None => pairs.only_baseline += duplicates(&rows),
        }
    }
    pairs.only_candidate = of_candidate.values().map(|rows| duplicates(rows)).sum();
    pairs
}

fn by_key(run: &Run) -> BTreeMap<&str, Vec<&Row>> {
    let mut keys: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &run.rows {
        keys.entry(&row.key).or_default().push(row);
    }
    for rows in keys.values_mut() {
        rows.sort_by_key(|row| row.trial);
    }
    keys
}

/// How many rows of a run these are, trials aside.
fn duplicates(rows: &[&Row]) -> usize {
    rows.chunk_by(|a, b| a.trial == b.trial).map(<[_]>::len).max().unwrap_or(0)
}

impl<'a> Pairs<'a> {
    /// Number of paired rows, trials aside.
    pub(crate) fn count(&self) -> usize {
        self.rows.iter().map(Paired::weight).sum()
    }

    /// Those that have the score in both runs.
    pub(crate) fn scored(&self, name: &str) -> Vec<Scored<'a>> {
        self.rows.iter().filter_map(|pair| pair.scored(name)).collect()
    }
}

impl<'a> Paired<'a> {
    fn weight(&self) -> usize {
        duplicates(&self.baseline).min(duplicates(&self.candidate))
    }

    fn scored(&self, name: &str) -> Option<Scored<'a>> {
        let (before, after) = (mean(&self.baseline, name)?, mean(&self.candidate, name)?);
        Some(Scored {
            before,
            after,
            weight: self.weight() as f64,
            single: self.baseline.len() == 1 && self.candidate.len() == 1,
            baseline: self.baseline.first()?,
            candidate: self.candidate.first()?,
        })
    }
}

/// The mean over all trials and duplicates that have the score.
fn mean(rows: &[&Row], name: &str) -> Option<f64> {
    let values: Vec<f64> = rows.iter().filter_map(|row| score(row, name)).collect();
    crate::summary::mean(&values)
}

fn score(row: &Row, name: &str) -> Option<f64> {
    let given = row.scores.get(name).copied();
    if name == SUCCEEDED { given.or(Some(f64::from(!row.failed))) } else { given }
}
