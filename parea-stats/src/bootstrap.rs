//! The bootstrap over rows, bias-corrected and accelerated.

use fastrand::Rng;

use crate::{
    Interval,
    distribution::{normal_cdf, normal_quantile, t_quantile},
};

/// Same rows, same interval.
const SEED: u64 = 0x5eed_0f9a_3ea1;

/// What is drawn as a whole: rows of the same content, since they say the same thing twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cluster {
    /// Sum of its rows' values.
    pub sum: f64,
    /// Number of its rows.
    pub weight: f64,
}

/// The mean over rows.
pub(crate) fn mean(clusters: &[Cluster]) -> f64 {
    let (sum, weight) = clusters.iter().fold((0.0, 0.0), |(s, w), c| (s + c.sum, w + c.weight));
    sum / weight
}

/// The BCa bootstrap interval (Efron 1987) of the mean over rows, clusters drawn whole.
///
/// Levels are widened from the normal's to Student's (Hesterberg 2015, section 3.1): the plain bootstrap draws from too narrow a
/// distribution by a factor of `sqrt((n - 1) / n)` and so covers too little when rows are few. Covers 93 to 97 % at 20, 50
/// and 200 rows for bounded, skewed and pass-or-fail differences alike; the tests show it. `None` for fewer than two
/// clusters, or when a value is not finite.
pub fn bca(clusters: &[Cluster], confidence: f64) -> Option<Interval> {
    let n = clusters.len();
    if n < 2 || clusters.iter().any(|cluster| !cluster.sum.is_finite() || cluster.weight <= 0.0) {
        return None;
    }
    let observed = mean(clusters);
    let spread = clusters.iter().map(|c| (c.sum - observed * c.weight).abs()).fold(0.0, f64::max);
    if spread <= f64::EPSILON * observed.abs().max(1.0) {
        return Some(Interval { low: observed, high: observed });
    }
    let means = resampled_means(clusters);
    let level = f64::midpoint(1.0, confidence);
    let rows = n as f64;
    let z = (rows / (rows - 1.0)).sqrt() * t_quantile(level, rows - 1.0);
    let bias = bias(&means, observed);
    let acceleration = acceleration(clusters);
    let end = |z: f64| {
        let shifted = bias + z;
        let bent = 1.0 - acceleration * shifted;
        // Past the pole the formula turns round; the outermost mean is what it means to say.
        let z = if bent <= 0.0 { shifted.signum() * f64::INFINITY } else { bias + shifted / bent };
        quantile_of_sorted(&means, normal_cdf(z))
    };
    Some(Interval { low: end(-z), high: end(z) })
}

/// Means of resamples, sorted. Fewer of them for very many rows, whose means vary less.
fn resampled_means(clusters: &[Cluster]) -> Vec<f64> {
    let n = clusters.len();
    let resamples = (40_000_000 / n).clamp(1_000, 10_000);
    let mut random = Rng::with_seed(SEED);
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| {
            let (mut sum, mut weight) = (0.0, 0.0);
            for _ in 0..n {
                let cluster = clusters[random.usize(..n)];
                sum += cluster.sum;
                weight += cluster.weight;
            }
            sum / weight
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    means
}

/// How far the median of the resamples lies from what was observed, in standard deviations; ties count half.
fn bias(means: &[f64], observed: f64) -> f64 {
    let count = means.len() as f64;
    // Means of the same rows in another order differ in the last digits.
    let tolerance = 1e-12 * observed.abs().max(1e-3);
    let below = means.iter().filter(|mean| **mean < observed - tolerance).count() as f64;
    let equal = means.iter().filter(|mean| (**mean - observed).abs() <= tolerance).count() as f64;
    normal_quantile(((below + equal / 2.0) / count).clamp(1.0 / (count + 1.0), count / (count + 1.0)))
}

/// How fast the standard error changes with the mean: the jackknife's estimate.
fn acceleration(clusters: &[Cluster]) -> f64 {
    let (sum, weight) = clusters.iter().fold((0.0, 0.0), |(s, w), c| (s + c.sum, w + c.weight));
    let without: Vec<f64> = clusters.iter().map(|c| (sum - c.sum) / (weight - c.weight)).collect();
    let centre = without.iter().sum::<f64>() / without.len() as f64;
    let (squares, cubes) = without.iter().fold((0.0, 0.0), |(squares, cubes), mean| {
        let difference = centre - mean;
        (squares + difference * difference, cubes + difference * difference * difference)
    });
    if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 }
}

/// Between the two nearest values, as numpy's default does.
pub(crate) fn quantile_of_sorted(sorted: &[f64], p: f64) -> f64 {
    let place = p.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}
