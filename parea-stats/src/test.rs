//! Tests of whether two runs differ at all.

use fastrand::Rng;

use crate::{bootstrap::Cluster, distribution::fair_binomial_cdf};

/// The exact two-sided McNemar test: the chance of so uneven a split of the rows that flipped, if neither run is better.
///
/// `worse` rows passed only in the baseline, `better` only in the candidate. 1 when none flipped.
pub fn mcnemar(worse: u64, better: u64) -> f64 {
    (2.0 * fair_binomial_cdf(worse.min(better), worse + better)).min(1.0)
}

/// The two-sided sign-flip test of the mean of paired differences: exact up to 12 clusters, else 9,999 random flips and
/// the observed one.
pub fn sign_flip(differences: &[Cluster]) -> f64 {
    const EXACT: usize = 12;
    const DRAWS: u32 = 9_999;
    let observed = differences.iter().map(|cluster| cluster.sum).sum::<f64>().abs();
    // Sums of the same values in another order differ in the last digits.
    let bar = observed * (1.0 - 1e-12) - 1e-300;
    let changed: Vec<f64> = differences.iter().map(|cluster| cluster.sum).filter(|sum| *sum != 0.0).collect();
    if changed.is_empty() {
        return 1.0;
    }
    if changed.len() <= EXACT {
        let flips = 1_u32 << changed.len();
        let extreme = (0..flips).filter(|flip| {
            let sum: f64 = changed.iter().enumerate().map(|(i, d)| if flip >> i & 1 == 1 { -d } else { *d }).sum();
            sum.abs() >= bar
        });
        return extreme.count() as f64 / f64::from(flips);
    }
    let mut random = Rng::with_seed(0x0f11_95ee);
    let extreme = (0..DRAWS).filter(|_| {
        let sum = changed.chunks(64).fold(0.0, |sum, chunk| {
            let mut signs = random.u64(..);
            chunk.iter().fold(sum, |sum, difference| {
                let flipped = signs & 1 == 1;
                signs >>= 1;
                if flipped { sum - difference } else { sum + difference }
            })
        });
        f64::abs(sum) >= bar
    });
    (extreme.count() as f64 + 1.0) / f64::from(DRAWS + 1)
}

/// Holm's correction (1979): p-values that may all be held against one level, in the order in which they were given.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max(p_values[index] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}
