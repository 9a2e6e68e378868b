//! Evaluations of a whole run: each looks at the finished root logs of all rows.
//!
//! They go to [`Experiment::dataset_eval`](crate::Experiment::dataset_eval). Classes are the texts of output and target,
//! trimmed.

use std::collections::BTreeMap;

use parea_stats::{correlation, summary};

use crate::{Log, Score};

/// The share of logs whose output is their target. 0 to 1. `None` when no log has a target.
pub fn accuracy(logs: &[Log]) -> Option<Score> {
    let right: Vec<f64> = classes(logs).map(|(output, target)| f64::from(output == target)).collect();
    summary::mean(&right).map(Score::new)
}

/// The mean over classes (targets) of the share that was scored 1 under `score`: as Parea's `balanced_acc_factory`, under the
/// same name, `balanced_acc_{score}`. Scores below 1 count as 0. Rows without a target are a class of their own.
pub fn balanced_acc(score: &str) -> impl Fn(&[Log]) -> Option<Score> + Send + Sync + 'static {
    let score = score.to_owned();
    move |logs| {
        let mut by_target: BTreeMap<Option<&str>, Vec<f64>> = BTreeMap::new();
        for log in logs {
            if let Some(value) = score_of(log, &score) {
                by_target.entry(log.expected()).or_default().push(value.trunc());
            }
        }
        let recalls: Vec<f64> = by_target.values().filter_map(|values| summary::mean(values)).collect();
        Some(Score::named(format!("balanced_acc_{score}"), summary::mean(&recalls)?))
    }
}

/// Precision, recall and F1 of each class as `precision_{class}` and so on, and `macro_f1`, the mean of the classes' F1. 0 to
/// 1. What was never predicted has precision 0.
pub fn precision_recall_f1(logs: &[Log]) -> Vec<Score> {
    #[derive(Default)]
    struct Count {
        right: f64,
        predicted: f64,
        actual: f64,
    }
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    for (output, target) in classes(logs) {
        counts.entry(target).or_default().actual += 1.0;
        counts.entry(output).or_default().predicted += 1.0;
        if output == target {
            counts.entry(target).or_default().right += 1.0;
        }
    }
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let mut scores = Vec::new();
    let mut f1s = Vec::new();
    for (class, count) in &counts {
        let f1 = share(2.0 * count.right, count.predicted + count.actual);
        f1s.push(f1);
        scores.push(Score::named(format!("precision_{class}"), share(count.right, count.predicted)));
        scores.push(Score::named(format!("recall_{class}"), share(count.right, count.actual)));
        scores.push(Score::named(format!("f1_{class}"), f1));
    }
    scores.extend(summary::mean(&f1s).map(|f1| Score::named("macro_f1", f1)));
    scores
}

/// The mean of a score, as `mean_{score}`.
pub fn mean(score: &str) -> impl Fn(&[Log]) -> Option<Score> + Send + Sync + 'static {
    let score = score.to_owned();
    move |logs| Some(Score::named(format!("mean_{score}"), summary::mean(&scores(logs, &score))?))
}

/// The chance that at least one of `k` tries passes, as `pass@k` (Chen et al. 2021): the mean over rows of
/// `1 − C(n − c, k) / C(n, k)`, with `n` trials of which `c` were scored 1 under `score`. Rows are told apart by inputs and
/// target; those with fewer than `k` trials are left out. 0 to 1.
pub fn pass_at_k(score: &str, k: usize) -> impl Fn(&[Log]) -> Option<Score> + Send + Sync + 'static {
    let score = score.to_owned();
    move |logs| {
        let mut rows: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for log in logs {
            if let Some(value) = score_of(log, &score) {
                let (n, c) = rows.entry(format!("{:?}{:?}", log.inputs, log.target)).or_default();
                *n += 1;
                *c += usize::from(value >= 1.0);
            }
        }
        let estimates: Vec<f64> =
            rows.values().filter(|(n, _)| k > 0 && *n >= k).map(|(n, c)| pass_at(*n, *c, k)).collect();
        Some(Score::named(format!("pass@{k}"), summary::mean(&estimates)?))
    }
}

/// `1 − C(n − c, k) / C(n, k)`, as a product that does not overflow.
fn pass_at(n: usize, c: usize, k: usize) -> f64 {
    if n - c < k {
        return 1.0;
    }
    1.0 - (n - c + 1..=n).map(|i| 1.0 - k as f64 / i as f64).product::<f64>()
}

/// Pearson's and Spearman's correlation of two scores, as `pearson_{one}_{other}` and `spearman_{one}_{other}`: how far a cheap
/// evaluation agrees with a dear one, or with people. -1 to 1. Nothing where one of them does not vary.
pub fn correlation(one: &str, other: &str) -> impl Fn(&[Log]) -> Vec<Score> + Send + Sync + 'static {
    let (one, other) = (one.to_owned(), other.to_owned());
    move |logs| {
        let both = logs.iter().filter_map(|log| score_of(log, &one).zip(score_of(log, &other)));
        let (first, second): (Vec<f64>, Vec<f64>) = both.unzip();
        let pearson = correlation::pearson(&first, &second).map(|r| Score::named(format!("pearson_{one}_{other}"), r));
        let spearman =
            correlation::spearman(&first, &second).map(|r| Score::named(format!("spearman_{one}_{other}"), r));
        pearson.into_iter().chain(spearman).collect()
    }
}

/// How far a score `confidence` (0 to 1) may be taken for the chance that `correct` is 1: the Brier score and the expected
/// calibration error over ten equal bins (Guo et al. 2017), as `brier` and `ece`. 0 is best, 1 worst.
pub fn calibration(confidence: &str, correct: &str) -> impl Fn(&[Log]) -> Vec<Score> + Send + Sync + 'static {
    const BINS: usize = 10;
    let (confidence, correct) = (confidence.to_owned(), correct.to_owned());
    move |logs| {
        let mut bins = [(0.0, 0.0); BINS];
        let mut squares = Vec::new();
        for log in logs {
            let Some((said, right)) = score_of(log, &confidence).zip(score_of(log, &correct)) else { continue };
            let said = said.clamp(0.0, 1.0);
            squares.push((said - right) * (said - right));
            // A bin holds its upper end, as in the paper.
            let bin = ((said * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            bins[bin].0 += said;
            bins[bin].1 += right;
        }
        let Some(brier) = summary::mean(&squares) else { return Vec::new() };
        // |Σ said − Σ right| of a bin is its gap times its size.
        let ece = bins.iter().map(|(said, right)| (said - right).abs()).sum::<f64>() / squares.len() as f64;
        vec![Score::named("brier", brier), Score::named("ece", ece)]
    }
}

fn classes(logs: &[Log]) -> impl Iterator<Item = (&str, &str)> {
    logs.iter().filter_map(|log| Some((log.judged().trim(), log.expected()?.trim())))
}

fn scores(logs: &[Log], name: &str) -> Vec<f64> {
    logs.iter().filter_map(|log| score_of(log, name)).collect()
}

fn score_of(log: &Log, name: &str) -> Option<f64> {
    log.scores.iter().flatten().find(|score| score.name == name).map(|score| score.score)
}
