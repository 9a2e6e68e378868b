//! Intervals around means and proportions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::{
    bootstrap::{Cluster, bca},
    proportion::{newcombe, paired_score, wilson},
};

/// Where the true value lies, as far as the rows tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies in it, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The interval of a mean of independent values: Wilson's where all are 0 or 1, else BCa. `None` for fewer than two
/// values.
pub fn of_mean(values: &[f64], confidence: f64) -> Option<Interval> {
    if values.len() < 2 {
        return None;
    }
    if crate::summary::all_pass_or_fail(values) {
        let passed = values.iter().filter(|value| **value > 0.5).count();
        return Some(wilson(passed as u64, values.len() as u64, confidence));
    }
    let clusters: Vec<Cluster> = values.iter().map(|&sum| Cluster { sum, weight: 1.0 }).collect();
    bca(&clusters, confidence)
}

/// The interval of the mean over rows, each value beside what its row's content is known by: trials of a row, and rows of
/// the same content, are one draw. As [`of_mean`] where every content is there once, else BCa over contents; where all of
/// them passed, or all failed, Wilson's for as many rows as there are contents, since what does not vary has no bootstrap.
/// `None` for fewer than two contents.
pub fn of_rows<K: Ord>(values: impl IntoIterator<Item = (K, f64)>, confidence: f64) -> Option<Interval> {
    let mut clusters: BTreeMap<K, Cluster> = BTreeMap::new();
    let mut plain = Vec::new();
    for (content, value) in values {
        let cluster = clusters.entry(content).or_insert(Cluster { sum: 0.0, weight: 0.0 });
        cluster.sum += value;
        cluster.weight += 1.0;
        plain.push(value);
    }
    if clusters.len() == plain.len() {
        return of_mean(&plain, confidence);
    }
    let alike = plain.iter().all(|value| value.total_cmp(&plain[0]).is_eq());
    if alike && crate::summary::all_pass_or_fail(&plain) && clusters.len() > 1 {
        let contents = clusters.len() as u64;
        return Some(wilson(if plain[0] > 0.5 { contents } else { 0 }, contents, confidence));
    }
    bca(&clusters.into_values().collect::<Vec<_>>(), confidence)
}
