//! Figures of one run.

use crate::bootstrap::quantile_of_sorted;

/// The arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample's standard deviation, over `n - 1`; `None` of fewer than two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// The value below which that share of the values lies, 0 to 1, between the two nearest as numpy's default does;
/// `None` of nothing.
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    (!sorted.is_empty()).then(|| quantile_of_sorted(&sorted, share))
}

/// Whether every value is 0 or 1.
pub fn all_pass_or_fail(values: &[f64]) -> bool {
    values.iter().all(|value| value.to_bits() == 1.0_f64.to_bits() || value.abs() < f64::MIN_POSITIVE)
}
