//! How many rows it takes to see a difference.

use crate::distribution::normal_quantile;

/// Rows for a paired difference of means of `effect` to be seen with that power, when the rows' differences have that
/// standard deviation. The normal formula, with the half square of the quantile that makes up for using Student's t.
///
/// `None` when the effect is zero or something is not finite.
pub fn rows_for_mean(effect: f64, standard_deviation: f64, confidence: f64, power: f64) -> Option<u64> {
    let z = normal_quantile(f64::midpoint(1.0, confidence));
    let ratio = (z + normal_quantile(power)) * standard_deviation / effect;
    whole(ratio * ratio + z * z / 2.0)
}

/// Rows for a difference of pass rates of `effect` to be seen by McNemar's test, when that share of the rows flips
/// (Connor 1987).
///
/// A share below the effect itself cannot be, and counts as the effect.
pub fn rows_for_proportion(effect: f64, flipping: f64, confidence: f64, power: f64) -> Option<u64> {
    let (z, zb) = (normal_quantile(f64::midpoint(1.0, confidence)), normal_quantile(power));
    let effect = effect.abs();
    let flipping = flipping.max(effect);
    let root = z * flipping.sqrt() + zb * (flipping - effect * effect).max(0.0).sqrt();
    whole(root * root / (effect * effect))
}

fn whole(rows: f64) -> Option<u64> {
    (rows.is_finite() && rows < 1e15).then(|| (rows.ceil() as u64).max(2))
}
