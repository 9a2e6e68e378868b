//! Intervals around means and proportions.

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
