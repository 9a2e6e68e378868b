//! Intervals and tests against values of scipy 1.17 and statsmodels 0.15, or of the papers that define them.

use parea_stats::{
    Interval,
    correlation::{pearson, spearman},
    interval::{Cluster, bca, newcombe, of_mean, of_rows, paired_score, wilson},
    power::{rows_for_mean, rows_for_proportion},
    summary::{mean, percentile, standard_deviation},
    test::{holm, mcnemar, sign_flip},
};

#[track_caller]
fn near(left: f64, right: f64, tolerance: f64) {
    assert!((left - right).abs() <= tolerance, "{left} is not {right}");
}

fn clusters(values: &[f64]) -> Vec<Cluster> {
    values.iter().map(|&sum| Cluster { sum, weight: 1.0 }).collect()
}

#[test]
fn mcnemar_is_that_of_statsmodels() {
    for (worse, better, p) in
        [(3, 11, 0.057_373_046_875), (0, 5, 0.0625), (120, 150, 0.077_389_398_980_218_49), (7, 7, 1.0), (0, 0, 1.0)]
    {
        near(mcnemar(worse, better), p, 1e-12);
    }
}

#[test]
fn wilson_is_that_of_statsmodels() {
    for (passed, n, low, high) in [
        (19, 20, 0.763_868_806_553_257_7, 0.991_118_551_199_204_4),
        (0, 10, 0.0, 0.277_532_799_862_889_26),
        (81, 263, 0.255_288_519_878_274_2, 0.366_209_576_982_800_04),
    ] {
        let interval = wilson(passed, n, 0.95);
        near(interval.low, low, 1e-12);
        near(interval.high, high, 1e-12);
    }
}

#[test]
fn newcombe_is_that_of_his_paper() {
    // The first is the example of Newcombe, Statistics in Medicine 17 (1998), 2635–2650, method 10; the others were
    // worked out apart from this code.
    for ((e, f, g, h), low, high) in [
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((53, 0, 1, 0), -0.0977, 0.0496),
        ((20, 4, 9, 7), -0.2932, 0.0542),
        ((5, 1, 0, 14), -0.0936, 0.1959),
    ] {
        let interval = newcombe(e, g, f, h, 0.95);
        near(interval.low, low, 6e-5);
        near(interval.high, high, 6e-5);
    }
}

#[test]
fn the_paired_score_interval_is_that_of_an_independent_program() {
    // Worked out with scipy.optimize.brentq by a program that, with the factor n/(n-1) on the variance, gives the -0.528113
    // to -0.018422 that the R package ratesci 1.0 publishes for 1 against 7 of 21 (Fagerland et al. 2014), and without the
    // correction for skewness the intervals published for Tango's method: -0.517 to -0.026 for the same rows, -0.020 to
    // 0.207 for 8 against 16 of 86 (Agresti and Min 2005), -0.1240 to -0.0054 for 16 against 6 of 161 (Cavo et al. 2012).
    for ((worse, better, rows), low, high) in [
        ((7, 1, 21), -0.522_891_373, -0.026_208_174),
        ((16, 6, 161), -0.122_752_024, -0.005_358_157),
        ((8, 16, 86), -0.019_599_800, 0.206_556_114),
        ((0, 1, 20), -0.101_377_507, 0.217_383_758),
        ((3, 0, 50), -0.153_291_796, 0.013_102_538),
        ((0, 20, 20), 0.740_568_265, 1.0),
        ((12, 30, 200), 0.027_511_640, 0.154_529_562),
    ] {
        let interval = paired_score(worse, better, rows, 0.95);
        near(interval.low, low, 1e-8);
        near(interval.high, high, 1e-8);
        let turned = paired_score(better, worse, rows, 0.95);
        assert_eq!((turned.low, turned.high), (-interval.high, -interval.low));
    }
    let same = paired_score(0, 0, 20, 0.95);
    near(same.high, 0.129_715_868, 1e-8);
    near(same.low, -0.129_715_868, 1e-8);
    assert_eq!(paired_score(0, 0, 0, 0.95), Interval { low: -1.0, high: 1.0 });
}

#[test]
fn holm_is_that_of_statsmodels() {
    let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
    for (adjusted, expected) in adjusted.into_iter().zip([0.03, 0.06, 0.06, 0.02]) {
        near(adjusted, expected, 1e-12);
    }
    assert!(holm(&[]).is_empty());
}

#[test]
fn the_sign_flip_test_is_scipys_permutation_test() {
    near(sign_flip(&clusters(&[0.1, 0.2, -0.05, 0.3, 0.0, 0.4, 0.15, -0.1])), 0.109_375, 1e-12);
    near(sign_flip(&clusters(&DIFFERENCES)), 0.005_493_164, 2e-3);
    near(sign_flip(&clusters(&[0.0; 8])), 1.0, 0.0);
}

const DIFFERENCES: [f64; 15] = [0.1, 0.25, -0.05, 0.3, 0.0, 0.4, 0.15, -0.1, 0.2, 0.05, 0.6, 0.02, 0.11, -0.02, 0.33];

#[test]
fn bca_is_scipys_at_the_widened_level() {
    // scipy.stats.bootstrap(method="BCa") with 400,000 resamples at level 2 Φ(sqrt(15/14) t(0.975, 14)) - 1.
    let interval = bca(&clusters(&DIFFERENCES), 0.95).unwrap();
    near(interval.low, 0.065_3, 0.006);
    near(interval.high, 0.281_3, 0.008);
    assert_eq!(bca(&clusters(&DIFFERENCES), 0.95), Some(interval), "the same rows give the same interval");
    assert_eq!(bca(&clusters(&[0.5]), 0.95), None);
    assert_eq!(bca(&clusters(&[0.5, f64::NAN]), 0.95), None);
    let constant = of_mean(&[0.5; 9], 0.95).unwrap();
    near(constant.low, 0.5, 0.0);
    near(constant.high, 0.5, 0.0);
}

#[test]
fn trials_that_all_passed_are_worth_their_rows() {
    // 20 rows in three trials, all passed: as 20 of 20, not certain.
    let trials = || (0..60).map(|trial| (trial % 20, 1.0));
    assert_eq!(of_rows(trials(), 0.95), Some(wilson(20, 20, 0.95)));
    assert_eq!(of_rows(trials().map(|(row, _)| (row, 0.0)), 0.95), Some(wilson(0, 20, 0.95)));
    // One failure, and what the rows' rates vary by is known; fewer than two rows say nothing.
    let one = of_rows(trials().enumerate().map(|(at, (row, _))| (row, f64::from(at > 0))), 0.95).unwrap();
    assert!(one.low > 0.85 && one.low < 0.98 && one.high <= 1.0, "{one:?}");
    assert_eq!(of_rows([(1, 1.0), (1, 1.0)], 0.95), None);
    assert_eq!(of_rows([(1, 1.0), (2, 1.0)], 0.95), of_mean(&[1.0, 1.0], 0.95));
}

#[test]
fn duplicates_are_drawn_as_a_whole() {
    // The same 15 rows, each there four times, tell no more than once.
    let fourfold: Vec<_> = DIFFERENCES.iter().map(|d| Cluster { sum: 4.0 * d, weight: 4.0 }).collect();
    let (once, four) = (bca(&clusters(&DIFFERENCES), 0.95).unwrap(), bca(&fourfold, 0.95).unwrap());
    near(once.low, four.low, 1e-9);
    near(once.high, four.high, 1e-9);
}

#[test]
fn rows_needed_are_those_of_statsmodels() {
    // TTestPower().solve_power(alpha=0.05, power=0.8): 127.5 and 33.4.
    assert_eq!(rows_for_mean(0.05, 0.2, 0.95, 0.8), Some(128));
    assert_eq!(rows_for_mean(0.5, 1.0, 0.95, 0.8), Some(34));
    assert_eq!(rows_for_mean(0.0, 0.2, 0.95, 0.8), None);
    // Connor 1987 for 10 % flips and an effect of 5 points.
    assert_eq!(rows_for_proportion(0.05, 0.1, 0.95, 0.8), Some(312));
}

#[test]
fn correlations_are_those_of_scipy() {
    let (x, y) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.5, 2.0], [2.0, 1.0, 4.0, 3.0, 7.0, 5.0, 9.0, 2.0]);
    near(pearson(&x, &y).unwrap(), 0.899_715_955_029_502_6, 1e-12);
    near(spearman(&x, &y).unwrap(), 0.897_590_361_445_783_7, 1e-12);
    assert_eq!(pearson(&x, &[1.0; 8]), None);
    assert_eq!(pearson(&x, &[1.0]), None);
}

#[test]
fn summaries_are_those_of_numpy() {
    let values = [4.0, 1.0, 3.0, 2.0];
    assert_eq!(mean(&values), Some(2.5));
    near(standard_deviation(&values).unwrap(), 1.290_994_448_735_805_6, 1e-12);
    near(percentile(&values, 0.95).unwrap(), 3.85, 1e-12);
    assert_eq!((mean(&[]), standard_deviation(&[1.0]), percentile(&[], 0.5)), (None, None, None));
}
