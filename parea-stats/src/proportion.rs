//! Intervals of proportions, by their score tests: they stay inside their bounds and hold at rates near the ends.

use crate::{Interval, distribution::normal_quantile};

/// Wilson's interval (1927) of a proportion. Everything from 0 to 1 when there are no trials.
pub fn wilson(passed: u64, n: u64, confidence: f64) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let z = normal_quantile(f64::midpoint(1.0, confidence));
    let (n, z2) = (n as f64, z * z);
    let p = passed as f64 / n;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt() / (1.0 + z2 / n);
    Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

/// The score interval of the difference of two proportions over the same rows, `candidate` minus `baseline`: Tango's
/// (Statistics in Medicine 17, 1998) with Laud's correction for skewness (Pharmaceutical Statistics 16, 2017, carried over
/// to pairs by his package ratesci), without a correction for continuity.
///
/// `only_baseline` and `only_candidate` of the rows passed in one run alone; how many passed in both says nothing of the
/// difference. All differences that the rows do not speak against at that confidence. Everything from -1 to 1 when there
/// are no rows.
///
/// Covers 94 to 97 % from 50 rows on at rates of 0.5 to 0.95, and at 20 rows up to rates of 0.8. Where fewer than about
/// four rows flip it covers more, up to 99 % at 20 rows and rates of 0.95: counts that small cannot be split more finely.
///
/// # Panics
///
/// When more rows flipped than there are.
pub fn paired_score(only_baseline: u64, only_candidate: u64, rows: u64, confidence: f64) -> Interval {
    assert!(only_baseline + only_candidate <= rows, "more rows flipped than there are");
    if rows == 0 {
        return Interval { low: -1.0, high: 1.0 };
    }
    let z = normal_quantile(f64::midpoint(1.0, confidence));
    let pairs = Pairs { worse: only_baseline as f64, better: only_candidate as f64, rows: rows as f64 };
    let high = |worse, better| Pairs { worse, better, ..pairs }.greatest_difference(z);
    Interval { low: -high(pairs.better, pairs.worse), high: high(pairs.worse, pairs.better) }
}

/// Rows that passed in one run alone, and all rows.
#[derive(Clone, Copy)]
struct Pairs {
    worse: f64,
    better: f64,
    rows: f64,
}

impl Pairs {
    /// The greatest difference that these rows do not speak against.
    fn greatest_difference(self, z: f64) -> f64 {
        let (mut inside, mut outside) = ((self.better - self.worse) / self.rows, 1.0);
        // Halved as often as a double has digits.
        for _ in 0..54 {
            let middle = f64::midpoint(inside, outside);
            if self.standardised(middle) < -z { outside = middle } else { inside = middle }
        }
        inside
    }

    /// How many standard errors the observed difference lies above `difference`, freed from the skewness that it has if
    /// `difference` is true.
    fn standardised(self, difference: f64) -> f64 {
        let Self { worse, better, rows } = self;
        // The likeliest share of rows that pass in the baseline alone, for that difference.
        let (a, b) = (2.0 * rows, (2.0 * rows - better + worse) * difference - better - worse);
        let c = -worse * difference * (1.0 - difference);
        let share = ((b * b - 4.0 * a * c).max(0.0).sqrt() - b) / (2.0 * a);
        let flipping = 2.0 * share + difference;
        let variance = flipping - difference * difference;
        let above = (better - worse) / rows - difference;
        if variance <= 1e-15 {
            return if above.abs() <= 1e-15 { 0.0 } else { above.signum() * f64::INFINITY };
        }
        let score = above / (variance / rows).sqrt();
        let third = difference - 3.0 * difference * flipping + 2.0 * difference.powi(3);
        let skewness = third / (6.0 * variance.powf(1.5) * rows.sqrt());
        // Solves score = z + skewness (z² - 1); for no skewness that is the score itself.
        let root = (1.0 + 4.0 * skewness * (score + skewness)).max(0.0).sqrt();
        2.0 * (score + skewness) / (1.0 + root)
    }
}

/// Newcombe's interval (1998, method 10) of the difference of two proportions over the same rows: `candidate` minus
/// `baseline`.
///
/// `both` and `neither` passed in both runs or in none, `only_baseline` and `only_candidate` in one. Comparisons take
/// [`paired_score`] instead: this one covers 98 to 100 % where runs agree on most rows, with 50 rows too.
pub fn newcombe(both: u64, only_baseline: u64, only_candidate: u64, neither: u64, confidence: f64) -> Interval {
    let n = both + only_baseline + only_candidate + neither;
    if n == 0 {
        return Interval { low: -1.0, high: 1.0 };
    }
    let rows = n as f64;
    let (passed, passed_before) = (both + only_candidate, both + only_baseline);
    let (first, second) = (passed as f64 / rows, passed_before as f64 / rows);
    let (one, two) = (wilson(passed, n, confidence), wilson(passed_before, n, confidence));
    let margins = [passed, n - passed, passed_before, n - passed_before].map(|count| count as f64);
    let margins: f64 = margins.iter().product();
    let excess = both as f64 * neither as f64 - only_candidate as f64 * only_baseline as f64;
    // The continuity correction that the method prescribes for a positive correlation.
    let corrected = if excess > rows / 2.0 { excess - rows / 2.0 } else { excess.min(0.0) };
    let phi = if margins > 0.0 { corrected / margins.sqrt() } else { 0.0 };
    let difference = first - second;
    let reach = |a: f64, b: f64| (a * a - 2.0 * phi * a * b + b * b).max(0.0).sqrt();
    Interval {
        low: difference - reach(first - one.low, two.high - second),
        high: difference + reach(one.high - first, second - two.low),
    }
}
