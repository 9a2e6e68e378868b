//! Whole comparisons.

use std::collections::BTreeMap;

use parea_stats::{CompareError, Method, Row, Run, Settings, Verdict, compare};
use proptest::prelude::*;

fn row(key: usize, trial: u32, score: f64) -> Row {
    Row {
        key: format!("{key}"),
        label: format!("n={key}"),
        trial,
        output: format!("output {score}"),
        scores: BTreeMap::from([("accuracy".to_owned(), score)]),
        ..Row::default()
    }
}

fn run(name: &str, scores: impl IntoIterator<Item = f64>) -> Run {
    let rows = scores.into_iter().enumerate().map(|(key, score)| row(key, 0, score)).collect();
    Run { name: name.to_owned(), rows }
}

#[test]
fn a_clear_gain_a_clear_loss_and_neither() {
    // 40 rows; 12 pass only in the candidate, 1 only in the baseline.
    let before = (0..40).map(|n| f64::from(n >= 12));
    let after = (0..40).map(|n| f64::from(n != 39));
    let (baseline, candidate) = (run("one", before), run("two", after));
    let comparison = compare(&baseline, &candidate, &Settings::default()).unwrap();
    let score = comparison.score("accuracy").unwrap();
    assert_eq!((score.method, score.verdict, score.rows), (Method::PairedProportions, Verdict::Better, 40));
    assert!((score.p_value - 0.003_417_968_75).abs() < 1e-12, "exact McNemar of 1 against 12");
    assert_eq!(score.flips.len(), 13);
    assert_eq!((&*score.flips[0].label, score.flips[0].before, score.flips[0].after), ("n=39", 1.0, 0.0));
    assert_eq!(score.flips[0].candidate_output, "output 0");

    let back = compare(&candidate, &baseline, &Settings::default()).unwrap();
    assert_eq!(back.verdict(), Verdict::Worse);
    assert_eq!(back.regressions(0.05).len(), 1);
    assert!(back.regressions(0.9).is_empty(), "the interval reaches above that margin");

    // Four of four flips leave zero out of the interval, and may be chance by the exact test: no failure yet.
    let four = run("three", (0..40).map(|n| f64::from(n >= 4)));
    let doubtful = compare(&run("all", [1.0; 40]), &four, &Settings::default()).unwrap();
    let score = doubtful.score("accuracy").unwrap();
    assert!(score.interval.unwrap().high < 0.0 && score.p_value > 0.05 && score.verdict == Verdict::NoEvidence);
    assert_eq!((score.regressed(0.0), score.regressed(0.5)), (None, Some(false)));

    let same = compare(&baseline, &baseline, &Settings::default()).unwrap();
    assert_eq!(same.verdict(), Verdict::NoEvidence);
    let text = same.to_string();
    assert!(text.contains("no evidence of a difference; a difference of 0.05 would take about"), "{text}");
}

#[test]
fn rows_that_did_not_change_tell_nothing_of_how_many_it_takes() {
    let runs = ["one", "two"].map(|name| run(name, [0.25, 0.5]));
    let comparison = compare(&runs[0], &runs[1], &Settings::default()).unwrap();
    assert_eq!(comparison.score("accuracy").unwrap().rows_needed, None);
    assert!(
        comparison.to_string().contains("accuracy: no evidence of a difference: no row changed (BCa"),
        "{comparison}"
    );
}

#[test]
fn trials_are_averaged_and_duplicates_count_as_one_draw() {
    let trials = |name: &str, passed: [[f64; 3]; 4]| Run {
        name: name.to_owned(),
        rows: passed
            .iter()
            .enumerate()
            .flat_map(|(key, trials)| trials.iter().enumerate().map(move |(t, s)| row(key, t as u32, *s)))
            .collect(),
    };
    let one = trials("one", [[0.0, 0.0, 1.0], [0.0; 3], [0.0, 1.0, 1.0], [1.0; 3]]);
    let two = trials("two", [[1.0; 3], [0.0, 0.0, 1.0], [1.0; 3], [1.0; 3]]);
    let comparison = compare(&one, &two, &Settings::default()).unwrap();
    let score = comparison.score("accuracy").unwrap();
    assert_eq!((score.rows, score.method), (4, Method::Bootstrap));
    assert!((score.difference - 1.0 / 3.0).abs() < 1e-12);

    // Trials that pass in both runs alike do not prove that none ever fails.
    let all = [trials("one", [[1.0; 3]; 4]), trials("two", [[1.0; 3]; 4])];
    let alike = compare(&all[0], &all[1], &Settings::default()).unwrap();
    let interval = alike.score("accuracy").unwrap().interval.unwrap();
    assert!(interval.low < -0.3 && interval.high > 0.3, "{interval:?}");

    let mut double = (one.clone(), two.clone());
    for run in [&mut double.0, &mut double.1] {
        run.rows.extend(run.rows.clone());
    }
    let doubled = compare(&double.0, &double.1, &Settings::default()).unwrap();
    let twice = doubled.score("accuracy").unwrap();
    assert_eq!(twice.rows, 8);
    assert_eq!(twice.interval, score.interval, "the same rows again prove no more");
}

#[test]
fn a_failed_row_counts_as_failed_and_is_not_forgotten() {
    let baseline = run("one", [1.0; 30]);
    let mut candidate = run("two", [1.0; 30]);
    for row in &mut candidate.rows[..10] {
        (row.failed, row.output) = (true, "no answer".to_owned());
        row.scores.clear();
    }
    let comparison = compare(&baseline, &candidate, &Settings::default()).unwrap();
    assert_eq!(comparison.score("accuracy").unwrap().missing, 10);
    let succeeded = comparison.score("succeeded").unwrap();
    assert_eq!((succeeded.verdict, succeeded.candidate), (Verdict::Worse, 20.0 / 30.0));
    assert_eq!(comparison.verdict(), Verdict::Worse);
}

#[test]
fn what_cannot_be_compared_says_why() {
    let (one, empty) = (run("one", [1.0]), run("none", []));
    let says = |baseline: &Run, candidate: &Run, settings: Settings| {
        compare(baseline, candidate, &settings).unwrap_err().to_string()
    };
    assert_eq!(says(&one, &empty, Settings::default()), "run `none` has no rows to compare");
    let mut other = run("two", [1.0]);
    other.rows[0].key = "else".to_owned();
    assert!(matches!(compare(&one, &other, &Settings::default()), Err(CompareError::NothingPaired { .. })));
    let infinite = run("two", [f64::INFINITY]);
    assert!(says(&one, &infinite, Settings::default()).contains("score `accuracy` of row n=0 in run `two`"));
    let settings = Settings { confidence: 95.0, ..Settings::default() };
    assert_eq!(says(&one, &one, settings), "confidence must be between 0 and 1");
}

#[test]
fn markdown_cannot_be_broken_by_what_was_returned() {
    let mut candidate = run("two", [0.0, 1.0]);
    candidate.rows[0].output = "a | b\n`c` </details>".to_owned();
    let text = compare(&run("one", [1.0, 1.0]), &candidate, &Settings::default()).unwrap().markdown();
    let line = text.lines().find(|line| line.contains("a \\| b")).unwrap();
    assert!(line.contains("`a \\| b ˋcˋ </details>`"), "{line}");
}

proptest! {
    #[test]
    fn a_comparison_turns_round_with_its_runs(scores in prop::collection::vec((0.0..1.0, 0.0..1.0), 2..40)) {
        let baseline = run("one", scores.iter().map(|(one, _)| *one));
        let candidate = run("two", scores.iter().map(|(_, two)| *two));
        let there = compare(&baseline, &candidate, &Settings::default()).unwrap();
        let back = compare(&candidate, &baseline, &Settings::default()).unwrap();
        let (there, back) = (&there.scores[0], &back.scores[0]);
        prop_assert!((there.difference + back.difference).abs() < 1e-12);
        prop_assert!((there.p_value - back.p_value).abs() < 1e-9);
        let (one, two) = (there.interval.unwrap(), back.interval.unwrap());
        prop_assert!(one.contains(there.difference));
        // Not to the last digit: quantiles of the same draws, mirrored.
        prop_assert!((one.low + two.high).abs() < 0.02 && (one.high + two.low).abs() < 0.02);
    }
}
