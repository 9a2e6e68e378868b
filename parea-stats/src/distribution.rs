//! The distributions behind intervals and tests.

/// Probability that a standard normal variable is at most `x`.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// The point below which a standard normal variable lies with probability `p`; infinite at 0 and 1.
///
/// Halley's step on a start that is good to 5e-4 (Abramowitz and Stegun 26.2.23), which doubles the digits each time.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    let tail = p.min(1.0 - p);
    let t = (-2.0 * tail.ln()).sqrt();
    let start =
        t - (2.515_517 + t * (0.802_853 + t * 0.010_328)) / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    // Worked out in the lower tail, where a small probability keeps its digits.
    let mut x = -start;
    for _ in 0..3 {
        let error = normal_cdf(x) - tail;
        let step = error * (2.0 * std::f64::consts::PI).sqrt() * (x * x / 2.0).exp();
        x -= step / (1.0 + x * step / 2.0);
    }
    if p < 0.5 { x } else { -x }
}

/// Probability that Student's t with that many degrees of freedom is at most `x`.
fn t_cdf(x: f64, freedom: f64) -> f64 {
    let tail = 0.5 * incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + x * x));
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// The quantile of Student's t, for probabilities above one half.
pub(crate) fn t_quantile(p: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while t_cdf(high, freedom) < p && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if t_cdf(middle, freedom) < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The regularised incomplete beta function, by its continued fraction (Lentz's method).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast only on this side of the mean.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let log_front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * (1.0 - x).ln();
    let (mut numerator, mut denominator) = (1.0, 1.0 - (a + b) * x / (a + 1.0));
    let away_from_zero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    denominator = 1.0 / away_from_zero(denominator);
    let mut fraction = denominator;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            denominator = 1.0 / away_from_zero(1.0 + term * denominator);
            numerator = away_from_zero(1.0 + term / numerator);
            change = numerator * denominator;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (log_front.exp() * fraction / a).clamp(0.0, 1.0)
}

/// Probability of at most `k` heads in `n` tosses of a fair coin.
pub(crate) fn fair_binomial_cdf(k: u64, n: u64) -> f64 {
    let log_two = std::f64::consts::LN_2 * n as f64;
    let log_factorial = |n: u64| libm::lgamma(n as f64 + 1.0);
    let term = |i: u64| (log_factorial(n) - log_factorial(i) - log_factorial(n - i) - log_two).exp();
    (0..=k.min(n)).map(term).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64, tolerance: f64) {
        assert!((left - right).abs() <= tolerance, "{left} is not {right}");
    }

    // Values of scipy.stats 1.17: norm.ppf, norm.cdf, t.ppf, binom.cdf.
    #[test]
    fn quantiles_are_those_of_scipy() {
        near(normal_quantile(0.975), 1.959_963_984_540_054, 1e-13);
        near(normal_quantile(0.8), 0.841_621_233_572_914_3, 1e-13);
        near(normal_quantile(1e-10), -6.361_340_902_404_056, 1e-10);
        near(normal_cdf(-1.0), 0.158_655_253_931_457_05, 1e-15);
        near(t_quantile(0.975, 1.0), 12.706_204_736_174_694, 1e-8);
        near(t_quantile(0.975, 4.0), 2.776_445_105_197_793_4, 1e-9);
        near(t_quantile(0.975, 19.0), 2.093_024_054_408_308_7, 1e-10);
        near(t_quantile(0.95, 999.0), 1.646_380_345_427_535, 1e-8);
        near(fair_binomial_cdf(3, 14), 0.028_686_523_437_5, 1e-12);
        near(fair_binomial_cdf(450, 1000), 0.000_865_268_042_488_151_3, 1e-12);
    }
}
