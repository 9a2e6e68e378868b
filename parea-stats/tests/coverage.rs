//! How often intervals hold the true value, by simulation.
//!
//! The quick version runs with the others. The full one takes a minute or two:
//! `cargo test --release -p parea-stats --test coverage -- --ignored --nocapture`.

use std::{collections::BTreeMap, fmt::Write as _};

use fastrand::Rng;
use parea_stats::{
    Interval, Method, Row, Run, Settings, compare,
    interval::{Cluster, bca, newcombe, paired_score, wilson},
};

/// A population of paired differences: its name, how one row is drawn, and its true mean.
type Population = (&'static str, fn(&mut Rng) -> f64, f64);

/// An exponential variable, as skewed as scores come, cut to nothing: mean 1.
fn exponential(random: &mut Rng) -> f64 {
    -(1.0 - random.f64()).ln()
}

/// A score between 0 and 1 that is mostly close to 1: Beta(k, 1), of mean k / (k + 1).
fn high_score(random: &mut Rng, k: f64) -> f64 {
    random.f64().powf(1.0 / k)
}

/// A latency or a cost: lognormal, its logarithm's mean 0 and standard deviation `sigma`; mean exp(sigma² / 2).
fn lognormal(random: &mut Rng, sigma: f64) -> f64 {
    let normal = (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos();
    (sigma * normal).exp()
}

/// The share of five trials that passed.
fn pass_rate(random: &mut Rng, rate: f64) -> f64 {
    (0..5).filter(|_| random.f64() < rate).count() as f64 / 5.0
}

const POPULATIONS: [Population; 6] = [
    ("high scores against slightly lower ones", |r| high_score(r, 5.0) - high_score(r, 4.0), 5.0 / 6.0 - 0.8),
    ("skewed scores of one run", |r| high_score(r, 5.0), 5.0 / 6.0),
    ("exponential", exponential, 1.0),
    ("lognormal, sigma 0.5 (skewness 1.75)", |r| lognormal(r, 0.5), 1.133_148_453_066_826_3),
    ("pass rates of 0.95 over five trials, both", |r| pass_rate(r, 0.95) - pass_rate(r, 0.95), 0.0),
    ("pass rates of 0.95 against 0.8 over five trials", |r| pass_rate(r, 0.95) - pass_rate(r, 0.8), 0.15),
];

fn coverage(population: &Population, rows: usize, repetitions: usize) -> f64 {
    let (_, draw, mean) = population;
    let mut random = Rng::with_seed(rows as u64);
    let hits = (0..repetitions).filter(|_| {
        let clusters: Vec<_> = (0..rows).map(|_| Cluster { sum: draw(&mut random), weight: 1.0 }).collect();
        bca(&clusters, 0.95).is_some_and(|interval| interval.contains(*mean))
    });
    hits.count() as f64 / repetitions as f64
}

#[test]
fn intervals_of_means_hold_about_as_often_as_they_say() {
    // 300 repetitions are good to 2.5 points: enough to see a plain percentile interval at 20 rows fail.
    for population in &POPULATIONS[..2] {
        let covered = coverage(population, 20, 300);
        assert!((0.915..=0.985).contains(&covered), "{}: {covered}", population.0);
    }
}

#[test]
#[ignore = "a minute or two, in release: see above"]
fn intervals_of_means_hold_in_93_to_97_of_100_cases() {
    for population in &POPULATIONS {
        for rows in [20, 50, 200] {
            let covered = coverage(population, rows, 4_000);
            println!("{rows:4} rows, {}: {:.1} %", population.0, covered * 100.0);
            // 4,000 repetitions are good to 0.7 points.
            assert!((0.923..=0.977).contains(&covered), "{rows} rows of {}: {covered}", population.0);
        }
    }
    // So skewed that 20 rows seldom have one of the values that make the mean: no interval is good there.
    let heavy: Population = ("lognormal, sigma 1 (skewness 6.2)", |r| lognormal(r, 1.0), 1.648_721_270_700_128_2);
    for rows in [20, 50, 200] {
        println!("{rows:4} rows, {}: {:.1} %", heavy.0, coverage(&heavy, rows, 4_000) * 100.0);
    }
}

/// Logarithms of the factorials up to that of `n`.
fn ln_factorials(n: usize) -> Vec<f64> {
    let factors = (0..=n).map(|n| (n.max(1) as f64).ln());
    factors
        .scan(0.0, |sum, factor| {
            Some({
                *sum += factor;
                *sum
            })
        })
        .collect()
}

/// The chance of those counts if each of the rows falls into a class with that share.
fn chance(counts: &[usize], shares: &[f64], ln_factorials: &[f64]) -> f64 {
    let rows: usize = counts.iter().sum();
    let ln = |(&count, &share): (&usize, &f64)| {
        if count == 0 { 0.0 } else { count as f64 * share.ln() - ln_factorials[count] }
    };
    (ln_factorials[rows] + counts.iter().zip(shares).map(ln).sum::<f64>()).exp()
}

/// Shares of rows that pass in both runs, in the baseline alone, in the candidate alone, and in neither, at those rates and
/// that correlation. `None` where rates so different cannot go together so closely.
fn shares(baseline: f64, candidate: f64, correlation: f64) -> Option<[f64; 4]> {
    let deviations = (baseline * (1.0 - baseline) * candidate * (1.0 - candidate)).sqrt();
    let both = baseline * candidate + correlation * deviations;
    let shares = [both, baseline - both, candidate - both, 1.0 - baseline - candidate + both];
    shares.iter().all(|share| *share >= 0.0).then_some(shares)
}

/// Every outcome of pairs of rows with its interval of the difference.
struct Paired {
    outcomes: Vec<([usize; 3], Interval)>,
    ln_factorials: Vec<f64>,
}

impl Paired {
    fn new(rows: usize) -> Self {
        let of = |worse: usize, better: usize| {
            ([worse, better, rows - worse - better], paired_score(worse as u64, better as u64, rows as u64, 0.95))
        };
        let outcomes = (0..=rows).flat_map(|worse| (0..=rows - worse).map(move |better| of(worse, better))).collect();
        Self { outcomes, ln_factorials: ln_factorials(rows) }
    }

    /// The chance that the interval holds: a sum over every outcome, so exact.
    fn coverage(&self, [_, worse, better, _]: [f64; 4]) -> f64 {
        let classes = [worse, better, 1.0 - worse - better];
        let held = self.outcomes.iter().filter(|(_, interval)| interval.contains(better - worse));
        held.map(|(counts, _)| chance(counts, &classes, &self.ln_factorials)).sum()
    }

    /// The mean coverage over both runs' rates up to 4 points around that one, in steps of 1 point.
    fn around(&self, rate: f64, correlation: f64) -> f64 {
        let near = || (-4..=4).map(|points| rate + f64::from(points) / 100.0);
        let all = near().flat_map(|one| near().filter_map(move |other| shares(one, other, correlation)));
        let covered: Vec<f64> = all.map(|shares| self.coverage(shares)).collect();
        covered.iter().sum::<f64>() / covered.len() as f64
    }
}

const RATES: [f64; 6] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

#[test]
fn intervals_of_paired_pass_rates_hold_as_often_as_they_say() {
    for (rows, up_to) in [(20, 0.8), (50, 0.95), (200, 0.95)] {
        let paired = Paired::new(rows);
        for rate in RATES.into_iter().filter(|rate| *rate <= up_to) {
            for correlation in [0.0, 0.3] {
                let at = paired.coverage(shares(rate, rate, correlation).unwrap());
                assert!((0.93..=0.97).contains(&at), "{rows} rows, {rate}, {correlation}: {at}");
            }
        }
        for (baseline, candidate) in [(0.5, 0.6), (0.7, 0.5), (0.8, 0.7), (0.8, 0.5)] {
            let at = paired.coverage(shares(baseline, candidate, 0.0).unwrap());
            assert!((0.93..=0.97).contains(&at), "{rows} rows, {baseline} and {candidate}: {at}");
        }
    }
}

#[test]
fn with_20_rows_that_nearly_all_pass_no_interval_could_do_better() {
    // About two of 20 rows flip at rates of 0.95. An interval either leaves zero out when three of three flips go one way..
    let ln_factorials = ln_factorials(20);
    let one_way = |flipping: f64, from: usize| -> f64 {
        let classes = [flipping / 2.0, flipping / 2.0, 1.0 - flipping];
        (from..=20).map(|flips| 2.0 * chance(&[flips, 0, 20 - flips], &classes, &ln_factorials)).sum()
    };
    // .. and then holds too seldom where two rates of about 0.9 differ in nothing, ..
    assert!(1.0 - one_way(0.18, 3) < 0.91);
    // .. or it does not, and then next to nothing that leaves zero out ever happens.
    let paired = Paired::new(20);
    let at = paired.coverage(shares(0.95, 0.95, 0.0).unwrap());
    assert!((1.0 - one_way(0.095, 4) - 0.001..=1.0).contains(&at) && at > 0.98, "{at}");
    assert!(paired_score(0, 3, 20, 0.95).contains(0.0) && !paired_score(0, 4, 20, 0.95).contains(0.0));
}

#[test]
fn intervals_of_one_pass_rate_hold_as_often_as_they_say_around_it() {
    // Outcomes are whole numbers of rows: at 20 rows and a rate of 0.95 an interval holds in 92.5 % or in 98.4 % of the
    // cases, so rates up to 3 points around are taken together.
    for rows in [20, 50, 200] {
        let ln_factorials = ln_factorials(rows);
        let coverage = |rate: f64| -> f64 {
            let held = (0..=rows).filter(|passed| wilson(*passed as u64, rows as u64, 0.95).contains(rate));
            held.map(|passed| chance(&[passed, rows - passed], &[rate, 1.0 - rate], &ln_factorials)).sum()
        };
        for rate in RATES {
            let around: f64 = (-30..=30).map(|tenths| coverage(rate + f64::from(tenths) / 1000.0)).sum::<f64>() / 61.0;
            assert!((0.93..=0.97).contains(&around), "{rows} rows, {rate}: {around}");
        }
    }
}

/// Two runs over the same rows that pass at those rates.
fn runs(rows: usize, baseline: f64, candidate: f64, random: &mut Rng) -> [Run; 2] {
    [baseline, candidate].map(|rate| Run {
        name: rate.to_string(),
        rows: (0..rows)
            .map(|row| Row {
                key: row.to_string(),
                scores: BTreeMap::from([("passed".to_owned(), f64::from(random.f64() < rate))]),
                ..Row::default()
            })
            .collect(),
    })
}

#[test]
fn whole_comparisons_of_pass_rates_hold_as_often_and_seldom_cry_wolf() {
    const REPETITIONS: usize = 600;
    let mut random = Rng::with_seed(95);
    for (baseline, candidate) in [(0.95, 0.95), (0.9, 0.8)] {
        let (mut held, mut said) = (0, 0);
        for _ in 0..REPETITIONS {
            let [one, other] = runs(50, baseline, candidate, &mut random);
            let comparison = compare(&one, &other, &Settings::default()).unwrap();
            let score = comparison.score("passed").unwrap();
            assert_eq!(score.method, Method::PairedProportions);
            held += usize::from(score.interval.unwrap().contains(candidate - baseline));
            said += usize::from(score.verdict != parea_stats::Verdict::NoEvidence);
        }
        // 600 repetitions are good to 1.8 points.
        let held = held as f64 / REPETITIONS as f64;
        assert!((0.93..=0.975).contains(&held), "{baseline} and {candidate}: {held}");
        assert!(baseline > candidate || said as f64 / REPETITIONS as f64 <= 0.05, "{said} differences that are none");
    }
}

/// The chance that Newcombe's interval holds.
fn newcombe_coverage(rows: usize, shares: [f64; 4], ln_factorials: &[f64]) -> f64 {
    let mut covered = 0.0;
    for worse in 0..=rows {
        for better in 0..=rows - worse {
            for neither in 0..=rows - worse - better {
                let counts = [rows - worse - better - neither, worse, better, neither];
                let chance = chance(&counts, &shares, ln_factorials);
                let [both, worse, better, neither] = counts.map(|count| count as u64);
                if chance > 1e-9 && newcombe(both, worse, better, neither, 0.95).contains(shares[2] - shares[1]) {
                    covered += chance;
                }
            }
        }
    }
    covered
}

#[test]
fn newcombes_interval_is_wider_than_it_says_where_rows_agree() {
    let ln_factorials = ln_factorials(50);
    let covered = |rate, correlation| newcombe_coverage(50, shares(rate, rate, correlation).unwrap(), &ln_factorials);
    assert!((0.93..=0.97).contains(&covered(0.7, 0.0)));
    assert!(covered(0.95, 0.3) > 0.98, "the reason why comparisons do not take it");
}

#[test]
#[ignore = "prints the table of BENCHMARKS.md; seconds, in release"]
fn table_of_paired_pass_rates() {
    println!("| both rates | correlation | 20 rows | 50 rows | 200 rows | Newcombe's, 20 rows | 50 rows |");
    println!("|---|---|---|---|---|---|---|");
    for correlation in [0.0, 0.3] {
        for rate in RATES {
            let shares = shares(rate, rate, correlation).unwrap();
            let mut line = format!("| {rate} | {correlation} |");
            for rows in [20, 50, 200] {
                let paired = Paired::new(rows);
                let (at, around) = (paired.coverage(shares), paired.around(rate, correlation));
                write!(line, " {:.1} % ({:.1} %) |", at * 100.0, around * 100.0).unwrap();
            }
            for rows in [20, 50] {
                let newcombe = newcombe_coverage(rows, shares, &ln_factorials(rows));
                write!(line, " {:.1} % |", newcombe * 100.0).unwrap();
            }
            println!("{line}");
        }
    }
}
