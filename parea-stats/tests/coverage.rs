//! How often intervals hold the true value, by simulation.
//!
//! The quick version runs with the others. The full one takes a minute or two:
//! `cargo test --release -p parea-stats --test coverage -- --ignored --nocapture`.

use fastrand::Rng;
use parea_stats::interval::{Cluster, bca, newcombe};

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

/// The share of five trials that passed.
fn pass_rate(random: &mut Rng, rate: f64) -> f64 {
    (0..5).filter(|_| random.f64() < rate).count() as f64 / 5.0
}

const POPULATIONS: [Population; 5] = [
    ("high scores against slightly lower ones", |r| high_score(r, 5.0) - high_score(r, 4.0), 5.0 / 6.0 - 0.8),
    ("skewed scores of one run", |r| high_score(r, 5.0), 5.0 / 6.0),
    ("exponential", exponential, 1.0),
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
}

/// The chance that Newcombe's interval holds, summed over every outcome of `rows` independent pairs.
fn newcombe_coverage(rows: u64, baseline: f64, candidate: f64) -> f64 {
    let ln_factorial: Vec<f64> = (0..=rows)
        .scan(0.0, |sum, n| {
            *sum += (n.max(1) as f64).ln();
            Some(*sum)
        })
        .collect();
    let shares = [
        baseline * candidate,
        baseline * (1.0 - candidate),
        (1.0 - baseline) * candidate,
        (1.0 - baseline) * (1.0 - candidate),
    ];
    let mut covered = 0.0;
    for worse in 0..=rows {
        for better in 0..=rows - worse {
            for neither in 0..=rows - worse - better {
                let counts = [rows - worse - better - neither, worse, better, neither];
                let ln: f64 =
                    counts.iter().zip(shares).map(|(n, p)| *n as f64 * p.ln() - ln_factorial[*n as usize]).sum();
                let chance = (ln + ln_factorial[rows as usize]).exp();
                if chance > 1e-9 && newcombe(counts[0], worse, better, neither, 0.95).contains(candidate - baseline) {
                    covered += chance;
                }
            }
        }
    }
    covered
}

#[test]
fn intervals_of_proportions_hold_at_least_as_often_as_they_say() {
    for rows in [20, 50] {
        for (baseline, candidate) in [(0.7, 0.7), (0.5, 0.6), (0.9, 0.8)] {
            let covered = newcombe_coverage(rows, baseline, candidate);
            assert!((0.93..=0.97).contains(&covered), "{rows} rows, {baseline} and {candidate}: {covered}");
        }
    }
    // Where next to nothing flips, counts cannot be split finely enough for 95 %: the interval is wide rather than wrong.
    assert!((0.93..1.0).contains(&newcombe_coverage(20, 0.95, 0.95)));
    assert!((0.93..0.98).contains(&newcombe_coverage(50, 0.95, 0.95)));
}
