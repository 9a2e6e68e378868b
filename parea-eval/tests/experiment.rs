//! Whole experiments, without a server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parea_eval::{
    Experiment, ExperimentError, Log, Outcome, Report, Row, RunStatus, Score,
    evals::{dataset, levenshtein},
    experiment, mean, most, row,
};
use parea_runtime::testing;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// An experiment that leaves nothing behind.
fn quiet(name: &str, folder: &tempfile::TempDir) -> Experiment {
    experiment(name).folder(folder.path()).quiet().keep_on_ctrl_c(false)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

async fn greeting(name: &str) -> String {
    tokio::task::yield_now().await;
    format!("Hello {name}")
}

#[tokio::test]
async fn the_greeting_of_pareas_readme_has_the_scores_of_its_python_sdk() {
    let folder = folder();
    let report = quiet("Greeting", &folder)
        .rows([row! { name: "Foo", target: "Hi Foo" }, row! { name: "Bar", target: "Hello Bar" }])
        .eval(levenshtein)
        .run(|row| async move { Ok(greeting(row.get("name")?).await) })
        .await
        .unwrap();
    // `p.experiment(name="Greeting", data=.., func=greeting).run()` of Parea's Python SDK 0.2.220 against `parea serve`, with
    // its `levenshtein`: each row's score as the server has it, and the mean over rows.
    let scores: Vec<f64> = report.rows.iter().map(|row| row.scores[0].score).collect();
    assert_eq!(scores, [0.555_555_555_555_555_6, 1.0]);
    let score = report.score("levenshtein").unwrap();
    assert!((score.mean - 0.777_777_777_777_777_8).abs() < 1e-12);
    assert_eq!((score.count, report.rows.get(0).unwrap().output.as_deref()), (2, Some("Hello Foo")));
    let text = report.to_string();
    assert!(text.contains("levenshtein    0.7778") && text.contains("n=2") && text.contains("0 failed"), "{text}");
}

#[tokio::test]
async fn rows_of_every_kind_have_the_scores_of_pareas_python_sdk() {
    // The same experiment over these rows, by the same SDK.
    let rows = [
        ("Foo", "Hi Foo", 0.555_555_555_555_555_6),
        ("Bar", "Hello Bar", 1.0),
        ("", "Hello ", 1.0),
        ("Zoë", "hello zoë", 0.777_777_777_777_777_8),
        ("日本", "Hello 日本語", 0.888_888_888_888_888_8),
        ("a b", "Hello", 0.555_555_555_555_555_6),
        ("xyz", "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", 0.0),
    ];
    let folder = folder();
    let report = quiet("Greeting", &folder)
        .rows(rows.map(|(name, target, _)| row! { name: name, target: target }))
        .eval(levenshtein)
        .run(|row| async move { Ok(greeting(row.get("name")?).await) })
        .await
        .unwrap();
    let scores: Vec<f64> = report.rows.iter().map(|row| row.scores[0].score).collect();
    assert_eq!(scores, rows.map(|(_, _, score)| score));
    assert!((report.score("levenshtein").unwrap().mean - 0.682_54).abs() < 5e-6);
}

#[parea::trace]
async fn step(n: i64) -> i64 {
    parea_runtime::current().score("inline", n as f64);
    n * 2
}

#[tokio::test]
async fn each_row_is_a_trace_of_its_own_with_its_evaluations_below() {
    let folder = folder();
    let (report, traces) = testing::capture_async(async {
        quiet("Double", &folder)
            .rows([row! { n: 3, target: 6 }])
            .tag("nightly")
            .eval_as("right", |log: &Log| log.output_as::<i64>().ok() == log.target_as().ok())
            .eval_as("fails", |_: &Log| Err::<f64, _>("no opinion"))
            .run(|row| async move { Ok(step(row.get("n")?).await) })
            .await
            .unwrap()
    })
    .await;
    assert_eq!(
        traces.tree(),
        "Double (ok) score right 1\n├─ step (ok) score inline 3\n├─ right (ok)\n└─ fails (error: no opinion)\n"
    );
    let root = traces.log("Double");
    assert_eq!(root.tags.as_deref(), Some(&["nightly".to_owned()][..]));
    assert_eq!(root.target.as_deref(), Some("6"));
    assert_eq!(root.metadata.as_ref().unwrap()["parea.row"], report.rows.get(0).unwrap().key);
    assert!(traces.logs().iter().all(|log| log.experiment_uuid.as_ref() == Some(&report.uuid)));
    // The row has what its whole trace was given.
    let row = report.rows.get(0).unwrap();
    let names: Vec<&str> = row.scores.iter().map(|score| score.name.as_str()).collect();
    assert_eq!(names, ["inline", "right"]);
    assert_eq!(row.evaluation_errors, ["fails: no opinion"]);
}

#[derive(Debug, Deserialize, Serialize)]
struct Question {
    text: String,
    k: u32,
    strict: Option<bool>,
    target: Option<String>,
}

#[tokio::test]
async fn rows_come_from_structs_csv_and_json_lines_and_are_typed() {
    let folder = folder();
    let (csv, jsonl) = (folder.path().join("rows.csv"), folder.path().join("rows.jsonl"));
    std::fs::write(&csv, "\u{feff}text,k,strict,target\n\"one, \"\"two\"\"\",3,,T\nthree,4,yes,\n").unwrap();
    std::fs::write(&jsonl, "{\"text\": \"four\", \"k\": 5}\n\n{\"text\": \"five\", \"k\": 6, \"strict\": false}\n")
        .unwrap();
    let own = Question { text: "own".to_owned(), k: 7, strict: Some(true), target: None };
    let report = quiet("Typed", &folder)
        .csv(&csv)
        .jsonl(&jsonl)
        .rows([own])
        .run_typed(|question: Question| async move {
            Ok(format!("{} {} {:?} {:?}", question.text, question.k, question.strict, question.target))
        })
        .await
        .unwrap();
    let outputs: Vec<String> = report.rows.iter().map(|row| row.output.unwrap()).collect();
    assert_eq!(
        outputs,
        [
            "one, \"two\" 3 None Some(\"T\")",
            "three 4 Some(true) None",
            "four 5 None None",
            "five 6 Some(false) None",
            "own 7 Some(true) None"
        ]
    );
    let wrapped =
        quiet("Typed", &folder).csv(&csv).run_typed(|Wrapped(question): Wrapped| async move { Ok(question.k) });
    let outputs: Vec<String> = wrapped.await.unwrap().rows.iter().map(|row| row.output.unwrap()).collect();
    assert_eq!(outputs, ["3", "4"]);
}

#[derive(Deserialize)]
struct Wrapped(Question);

async fn refused(experiment: Experiment) -> String {
    let report = experiment.run_typed(|question: Question| async move { Ok(question.k) }).await;
    report.unwrap_err().to_string()
}

#[tokio::test]
async fn bad_input_names_row_column_and_fix_before_anything_runs() {
    let folder = folder();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let here = |path: &Path| path.display().to_string();
    let empty = refused(quiet("E", &folder)).await;
    assert!(empty.starts_with("experiment `E` has no rows: add them with"), "{empty}");
    let missing = refused(quiet("E", &folder).rows([row! { text: "a", k: 1 }, row! { text: "b" }])).await;
    assert_eq!(missing, "row 2: does not fit `Question`: missing field `k`; its columns are `text`");
    let csv = write("bad.csv", "text,k\na,1\nb,many\n");
    let wrong = refused(quiet("E", &folder).csv(&csv)).await;
    assert!(
        wrong.starts_with(&format!(
            "row 2 of {}: does not fit `Question`: column `k`: invalid value: string \"many\"",
            here(&csv)
        )),
        "{wrong}"
    );
    let typed = row! { text: "a", k: 1, strict: "maybe" };
    let wrong = refused(quiet("E", &folder).rows([typed])).await;
    let why = "row 1: does not fit `Question`: column `strict`: invalid type: string \"maybe\", expected a boolean; its columns";
    assert!(wrong.starts_with(why), "{wrong}");
    for (name, text) in [("head.csv", "text,k\n"), ("empty.csv", "")] {
        let none = write(name, text);
        assert_eq!(refused(quiet("E", &folder).csv(&none)).await, format!("{}: it has no rows", here(&none)));
    }
    let none = write("empty.jsonl", "\n");
    assert_eq!(refused(quiet("E", &folder).jsonl(&none)).await, format!("{}: it has no rows", here(&none)));
    let ragged = write("ragged.csv", "text,k\na\n");
    assert!(refused(quiet("E", &folder).csv(&ragged)).await.contains("found record with 1 fields"));
    let twice = write("twice.csv", "k,k\n1,2\n");
    assert!(refused(quiet("E", &folder).csv(&twice)).await.ends_with("two columns are named `k`"));
    let lines = write("bad.jsonl", "{\"text\": \"a\", \"k\": 1}\n[1]\n");
    assert!(refused(quiet("E", &folder).jsonl(&lines)).await.contains("line 2 is no JSON object"));
    assert!(refused(quiet("E", &folder).jsonl("none.jsonl")).await.starts_with("none.jsonl: No such file"));
    assert_eq!(refused(quiet("E", &folder).rows([1])).await, "row 1: not a struct or map but a number");
    let one = || quiet("E", &folder).rows([row! { text: "a", k: 1 }]);
    assert_eq!(refused(one().trials(0)).await, "`trials` must be 1 or more");
    assert_eq!(refused(one().concurrency(0)).await, "`concurrency` must be 1 or more");
    assert!(refused(one().run_name("my run")).await.contains("letters, digits, `-`, `_` and `'`"));
    assert!(refused(one().fail_on_regression(0.1)).await.contains("used with `compare_to`"));
    assert!(refused(one().compare_to("no-such-run")).await.starts_with("baseline `no-such-run`: no run of that name"));
    assert!(refused(one().resume("x".to_owned()).version("1")).await.starts_with("run x cannot be gone on with"));
    let named = || quiet("E", &folder).rows([row! { n: 1 }]).run_name("first");
    let first = named().run(|_| async { Ok(1) }).await.unwrap();
    let twice = named().run(|_| async { Ok(1) }).await.unwrap();
    let taken = format!("run name `first` is taken in experiment `E` by run {} in ", first.uuid);
    assert!(first.notes.is_empty() && twice.notes[0].starts_with(&taken), "{:?}", twice.notes);
    let column = row! { name: "Foo" }.get::<u32>("name").unwrap_err().to_string();
    assert_eq!(column, "the row: column `name`: invalid type: string \"Foo\", expected u32");
}

#[tokio::test]
async fn a_row_that_fails_panics_or_takes_too_long_is_a_failed_row() {
    let folder = folder();
    let report = quiet("Mixed", &folder)
        .rows((0..4).map(|n| row! { n: n }))
        .timeout(Duration::from_millis(200))
        .eval_as("scored", |_: &Log| 1)
        .run(|row| async move {
            match row.get("n")? {
                0 => Err("no answer".into()),
                1 => panic!("no way"),
                2 => std::future::pending().await,
                n => Ok::<i32, _>(n),
            }
        })
        .await
        .unwrap();
    let errors: Vec<Option<String>> = report.rows.iter().map(|row| row.error).collect();
    let errors: Vec<Option<&str>> = errors.iter().map(Option::as_deref).collect();
    assert_eq!(errors, [Some("no answer"), Some("panicked: no way"), Some("took longer than 200ms"), None]);
    assert_eq!((report.status, report.score("scored").unwrap().count), (RunStatus::Failed, 1));
    assert!(report.to_string().contains("✗ row 2 n=1: panicked: no way"), "{report}");
}

#[tokio::test]
async fn what_fails_is_tried_again_and_the_first_failure_can_end_the_run() {
    let folder = folder();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let report = quiet("Flaky", &folder)
        .rows([row! { n: 1 }])
        .retries(2)
        .run(move |_| {
            let call = counted.fetch_add(1, Ordering::Relaxed);
            async move { if call == 0 { Err("busy".into()) } else { Ok(call) } }
        })
        .await
        .unwrap();
    let row = report.rows.get(0).unwrap();
    assert_eq!((row.attempts, row.error.as_deref()), (2, None));

    let report = quiet("Stops", &folder)
        .rows((0..100).map(|n| row! { n: n }))
        .concurrency(1)
        .stop_on_error(true)
        .run(|row| async move { if row.get::<i32>("n")? == 4 { Err("no".into()) } else { Ok(0) } })
        .await
        .unwrap();
    assert_eq!((report.status, report.rows.len(), report.planned), (RunStatus::Stopped, 5, 100));
}

#[tokio::test]
async fn concurrency_is_bounded_and_trials_are_told_apart() {
    let folder = folder();
    let (now, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, highest) = (Arc::clone(&now), Arc::clone(&peak));
    let report = quiet("Trials", &folder)
        .rows((0..20).map(|n| row! { n: n, target: n % 2 }))
        .trials(3)
        .concurrency(7)
        .eval_as("right", |log: &Log| log.output == log.target)
        .dataset_eval(dataset::pass_at_k("right", 2))
        .dataset_eval(dataset::balanced_acc("right"))
        .dataset_eval(|_: &[Log]| f64::NAN)
        .run(move |_| {
            let (now, peak) = (Arc::clone(&counted), Arc::clone(&highest));
            async move {
                peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(2)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(0)
            }
        })
        .await
        .unwrap();
    assert_eq!((peak.load(Ordering::SeqCst), report.rows.len()), (7, 60));
    let places: Vec<_> = report.rows.iter().take(4).map(|row| (row.row, row.trial)).collect();
    assert_eq!(places, [(1, 0), (1, 1), (1, 2), (2, 0)]);
    let whole: Vec<_> = report.dataset_scores.iter().map(|score| (score.name.as_str(), score.score)).collect();
    assert_eq!(whole, [("pass@2", 0.5), ("balanced_acc_right", 0.5)]);
    assert!(report.notes.iter().any(|note| note.contains("must be a finite number")), "{:?}", report.notes);
}

/// Runs rows of which those in `fail` fail, counting the calls.
async fn resumable(folder: &tempfile::TempDir, resume: Option<String>, version: &str, fail: bool) -> (Report, usize) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let report = quiet("Resume", folder)
        .rows((0..6).map(|n| row! { n: n / 2 }))
        .trials(2)
        .version(version)
        .resume(resume)
        .run(move |row| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move { if fail && row.get::<i32>("n")? == 2 { Err("down".into()) } else { Ok(row.get::<i32>("n")?) } }
        })
        .await
        .unwrap();
    (report, calls.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_resumed_run_does_what_is_missing_and_no_more() {
    let folder = folder();
    let (first, calls) = resumable(&folder, None, "a", true).await;
    assert_eq!((calls, first.failures().count()), (12, 4));
    // The journal's end was torn by a kill, and the last whole line with it.
    let path = folder.path().join(format!("{}.jsonl", first.uuid));
    let text = std::fs::read_to_string(&path).unwrap();
    let (good, last): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| !line.contains("\"down\""));
    std::fs::write(&path, format!("{}\n{}", good.join("\n"), &last[0][..40])).unwrap();

    let (second, calls) = resumable(&folder, Some(first.uuid.clone()), "a", false).await;
    assert_eq!(
        (calls, second.resumed, second.failures().count()),
        (4, 8, 0),
        "duplicates and trials are cells of their own"
    );
    assert_eq!((&second.uuid, &second.run_name), (&first.uuid, &first.run_name));
    let outputs: Vec<String> = second.rows.iter().map(|row| row.output.unwrap()).collect();
    assert_eq!(outputs, ["0", "0", "0", "0", "1", "1", "1", "1", "2", "2", "2", "2"]);

    let (_, calls) = resumable(&folder, Some(first.uuid.clone()), "a", false).await;
    assert_eq!(calls, 0);
    let (_, calls) = resumable(&folder, Some(first.uuid), "b", false).await;
    assert_eq!(calls, 12, "other code is other work");
}

async fn graded(
    folder: &tempfile::TempDir,
    name: &str,
    good: i32,
    then: impl FnOnce(Experiment) -> Experiment,
) -> Report {
    let experiment = quiet("Graded", folder).run_name(name).rows((0..40).map(|n| row! { n: n }));
    let score = move |log: &Log| Score::new(f64::from(log.output_as::<i32>().unwrap() < good));
    then(experiment.eval_as("good", score)).run(|row| async move { Ok(row.get::<i32>("n")?) }).await.unwrap()
}

#[tokio::test]
async fn a_run_is_held_against_a_baseline_and_against_bounds() {
    let folder = folder();
    let baseline = graded(&folder, "base", 36, |it| it).await;
    assert_eq!(baseline.outcome(), Outcome::Passed);

    let worse = graded(&folder, "worse", 20, |it| it.compare_to(&baseline).fail_on_regression(0.05)).await;
    let comparison = worse.comparison.as_ref().unwrap();
    assert_eq!((comparison.paired, comparison.score("good").unwrap().flips.len()), (40, 16));
    assert_eq!(worse.outcome(), Outcome::Failed, "{worse}");
    let text = worse.to_string();
    assert!(
        text.contains("✗ `good` is worse than base by more than 0.05 (difference -0.4, 95 % interval -0."),
        "{text}"
    );

    // By its name, from the journal; the interval of two flips in 40 reaches over the margin.
    let unclear = graded(&folder, "unclear", 34, |it| it.compare_to("base").fail_on_regression(0.05)).await;
    assert_eq!(unclear.outcome(), Outcome::NoEvidence, "{unclear}");
    let path = folder.path().join("base.json");
    baseline.write_json(&path).unwrap();
    let same = graded(&folder, "same", 36, |it| it.compare_to(path.to_str().unwrap()).fail_on_regression(0.2)).await;
    assert_eq!(same.outcome(), Outcome::Passed, "{same}");

    let bounds = graded(&folder, "bounds", 30, |it| {
        it.require("good", mean().at_least(0.8))
            .require("latency", most().at_most(60.0))
            .require("bad", mean().at_least(0.0))
    })
    .await;
    let messages: Vec<&str> = bounds.checks.iter().map(|check| check.message.as_str()).collect();
    assert_eq!(messages[0], "mean of `good` must be at least 0.8, it is 0.75 over 40 rows");
    assert!(messages[1].starts_with("greatest value of `latency` is at most 60, it is 0."), "{}", messages[1]);
    assert_eq!(messages[2], "no row has a score `bad`; there are `good`");
    let junit = bounds.junit();
    assert!(junit.contains("tests=\"43\" failures=\"2\" errors=\"0\""), "{junit}");
    let failed = std::panic::catch_unwind(|| bounds.assert().rows.len()).unwrap_err();
    assert!(failed.downcast_ref::<String>().unwrap().contains("mean of `good` must be at least 0.8"));
}

#[tokio::test]
async fn a_report_is_read_back_as_it_was_written_and_its_forms_hold_any_text() {
    let folder = folder();
    let report = quiet("A <b> & | \"c\"", &folder)
        .rows([row! { text: "</system-out>\u{1b}[2J|" }])
        .eval_as("x|y", |_: &Log| Score::new(0.1 + 0.2).because("a\nb"))
        .run(|row| async move { Err::<(), _>(row.get::<String>("text")?.into()) })
        .await
        .unwrap();
    assert_eq!(serde_json::from_str::<Report>(&report.json()).unwrap(), report);
    let (junit, markdown, text) = (report.junit(), report.markdown(), report.to_string());
    assert!(junit.contains("&lt;/system-out&gt;[2J|") && !junit.contains('\u{1b}'), "{junit}");
    assert!(!markdown.contains('\u{1b}') && !text.contains('\u{1b}'));
}

#[tokio::test]
async fn results_lie_in_the_journal_and_are_read_back_as_they_were() {
    let folder = folder();
    let run = |resume: Option<String>| {
        quiet("Many", &folder)
            .rows((0..300).map(|n| row! { n: n, text: format!("{n} \u{0} \"é\n"), target: n % 7 }))
            .trials(2)
            .version("1")
            .resume(resume)
            .eval_as("seventh", |log: &Log| log.output == log.target)
            .eval_as("complains", |log: &Log| if log.judged() == "3" { Err("three") } else { Ok(0.5) })
            .run(|row| async move {
                match row.get::<u32>("n")? {
                    13 => Err("unlucky".into()),
                    n => Ok(n % 7),
                }
            })
    };
    let report = run(None).await.unwrap();
    assert_eq!((report.rows.len(), report.failures().count(), report.status), (600, 2, RunStatus::Failed));
    for (index, row) in report.rows.iter().enumerate() {
        let (n, trial) = (index / 2, index as u32 % 2);
        assert_eq!((row.row, row.trial, row.inputs["n"].as_u64()), (n + 1, trial, Some(n as u64)));
        assert_eq!(row.inputs["text"], format!("{n} \u{0} \"é\n"));
        let output = (n != 13).then(|| (n % 7).to_string());
        assert_eq!((&row.output, row.error.as_deref()), (&output, (n == 13).then_some("unlucky")));
        assert_eq!(row.evaluation_errors.is_empty(), n % 7 != 3 || n == 13, "{n}");
    }
    let seventh = report.score("seventh").unwrap();
    assert_eq!((seventh.mean, seventh.count), (1.0, 598));
    assert!(report.to_string().contains("evaluation complains: three (86×)"), "{report}");
    // Rows are there as they came, whatever is left out of logs.
    #[cfg(unix)]
    for entry in std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert!(mode == 0o600 || entry.file_name() == ".gitignore", "{:?} {mode:o}", entry.file_name());
    }

    // What is gone on with is the same report, but for the rows that failed.
    let path = folder.path().join("report.json");
    let text = report.write_json(&path).unwrap().json();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let read = Report::read_json(&path).unwrap();
    assert_eq!(read, report);
    assert_eq!((read.scores(), read.to_string()), (report.scores(), report.to_string()));
    let again = run(Some(report.uuid.clone())).await.unwrap();
    assert_eq!((again.resumed, again.rows.len()), (598, 600));
    for row in &again.rows {
        assert_eq!(row.attempts, 1);
    }
    assert!(again.rows.iter().zip(report.rows.iter()).all(|(new, old)| new == old || old.error.is_some()));
    // A journal that is deleted under the program is still there for it.
    #[cfg(unix)]
    {
        drop(folder);
        assert_eq!(again.rows.get(599).unwrap().inputs["n"], 299);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_experiments_at_once_do_not_mix() {
    let (one, other) = (folder(), folder());
    let run = |name: &'static str, folder| async move {
        quiet(name, folder)
            .rows((0..200).map(|n| row! { n: n }))
            .concurrency(50)
            .eval_as(name, |_: &Log| 1)
            .run(|row| async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok(step(row.get("n")?).await)
            })
            .await
            .unwrap()
    };
    let (a, b) = tokio::join!(run("a", &one), run("b", &other));
    assert_ne!(a.uuid, b.uuid);
    for (report, name) in [(&a, "a"), (&b, "b")] {
        assert_eq!(report.rows.len(), 200);
        let own = |row: parea_eval::RowResult| row.scores.iter().map(|s| s.name.as_str()).eq([name, "inline"]);
        assert!(report.rows.iter().all(own), "{name}");
        assert!(report.rows.iter().all(|row| row.output == row.inputs["n"].as_i64().map(|n| (n * 2).to_string())));
    }
}

#[test]
fn what_runs_may_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_send(experiment("x").rows([row! { n: 1 }]).run(|row: Row| async move { Ok(row.get::<i32>("n")?) }));
    is_error::<ExperimentError>();
}

proptest! {
    #[test]
    fn a_value_of_a_row_is_what_it_was(n in any::<i64>(), x in -1e300..1e300_f64, text in ".*", list in prop::collection::vec(any::<u8>(), 0..5)) {
        let row = row! { n: n, x: x, text: &text, list: &list, "a name": true, none: Option::<i32>::None };
        prop_assert_eq!(row.get::<i64>("n"), Ok(n));
        prop_assert_eq!(row.get::<f64>("x"), Ok(x));
        prop_assert_eq!(row.get::<&str>("text"), Ok(text.as_str()));
        prop_assert_eq!(row.get::<Vec<u8>>("list"), Ok(list));
        prop_assert_eq!(row.get::<bool>("a name"), Ok(true));
        prop_assert_eq!(row.get::<Option<i32>>("none"), Ok(None));
    }
}
