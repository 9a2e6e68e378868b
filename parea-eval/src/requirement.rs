//! What is asked of a score.

use std::fmt;

use parea_stats::summary;

/// A figure of a score over the rows that have it: see [`mean`], [`percentile`], [`least`], [`most`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "say what it must be: `.at_least(0.8)`"]
pub struct Figure(Kind);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Mean,
    Percentile(f64),
}

/// The mean over rows.
pub fn mean() -> Figure {
    Figure(Kind::Mean)
}

/// The value below which that share of the rows lies, 0 to 1: `percentile(0.95)`.
pub fn percentile(share: f64) -> Figure {
    Figure(Kind::Percentile(share))
}

/// The least value of any row.
pub fn least() -> Figure {
    percentile(0.0)
}

/// The greatest value of any row.
pub fn most() -> Figure {
    percentile(1.0)
}

/// A bound on a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Requirement {
    figure: Figure,
    low: f64,
    high: f64,
}

impl Figure {
    /// It must not be lower.
    pub fn at_least(self, low: f64) -> Requirement {
        Requirement { figure: self, low, high: f64::INFINITY }
    }

    /// It must not be higher.
    pub fn at_most(self, high: f64) -> Requirement {
        Requirement { figure: self, low: f64::NEG_INFINITY, high }
    }

    fn of(self, values: &[f64]) -> Option<f64> {
        match self.0 {
            Kind::Mean => summary::mean(values),
            Kind::Percentile(share) => summary::percentile(values, share),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Mean => f.write_str("mean"),
            Kind::Percentile(share) if share <= 0.0 => f.write_str("least value"),
            Kind::Percentile(share) if share >= 1.0 => f.write_str("greatest value"),
            Kind::Percentile(share) => write!(f, "{}th percentile", share * 100.0),
        }
    }
}

impl Requirement {
    /// Whether high values are what is asked for.
    pub(crate) fn wants_high(&self) -> bool {
        self.low.is_finite()
    }

    /// Whether it is met, and a sentence that says so. `known` are the names there are.
    pub(crate) fn check(&self, name: &str, values: &[f64], known: &[&str]) -> (bool, String) {
        let Some(figure) = self.figure.of(values) else {
            return (false, format!("no row has a score `{name}`; there are `{}`", known.join("`, `")));
        };
        let bound =
            if self.low.is_finite() { format!("at least {}", self.low) } else { format!("at most {}", self.high) };
        let met = self.low <= figure && figure <= self.high;
        let said = if met { "is" } else { "must be" };
        let shown = (figure * 1e6).round() / 1e6;
        (met, format!("{} of `{name}` {said} {bound}, it is {shown} over {} rows", self.figure, values.len()))
    }
}
