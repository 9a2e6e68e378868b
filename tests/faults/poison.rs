//! Logs to which a server answers 500 for ever.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use crate::{
    hostile::{Hostile, Manner},
    program::{Ran, run, start},
};

/// The `n` of the logs that were set aside.
fn set_aside(folder: &Path) -> Vec<u64> {
    let paths = |folder: &Path| fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let files = paths(&folder.join(".parea/spool")).flat_map(|server| paths(&server.join("rejected")));
    let texts = files.map(|file| fs::read_to_string(file).unwrap()).collect::<Vec<_>>();
    let logs = texts.iter().flat_map(|text| text.lines()).map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut numbers: Vec<u64> = logs.map(|log| log["inputs"]["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// A program of 100 calls, of which some make a log that the server chokes on. Returns what it did, and the `n` of the roots
/// that came, in their order.
async fn chokes(manner: Manner, chokers: &[u64], more: &[(&str, &str)]) -> (Ran, Vec<u64>) {
    let server = Hostile::start(manner).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let numbers = chokers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    let environment = [("PAREA_BASE_URL", &*url), ("CHOKERS", &*numbers), ("SETTLES", "1")];
    let ran = run(folder.path(), &[&environment[..], more].concat()).await;
    let (report, bad) = (ran.report(), chokers.len() as u64);
    let good = 2 * (100 - bad);
    let shown = format!("{manner:?}: {report}\n{}", ran.stderr);
    assert_eq!((&report["delivered"], &report["dropped"]), (&json!(good), &json!({"server_failed": bad})), "{shown}");
    assert_eq!((&report["finished"], server.count() as u64), (&json!(good + bad), good), "{shown}");
    assert_eq!(set_aside(folder.path()), chokers, "{shown}");
    assert!(ran.stderr.contains("answered 500: choked, to these alone; they went to "), "{shown}");
    let roots = server.numbers("root");
    let all: BTreeSet<u64> = (0..100).filter(|n| !chokers.contains(n)).collect();
    assert_eq!(roots.iter().copied().collect::<BTreeSet<_>>(), all, "{shown}");
    (ran, roots)
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_set_aside_and_the_others_arrive_in_order() {
    for more in [&[("PACE_US", "2000")], &[("DURABLE", "1")]] {
        let (_, roots) = chokes(Manner::Chokes, &[0, 3, 4, 5, 50, 99], more).await;
        assert!(roots.is_sorted(), "{more:?}: {roots:?}");
    }
    chokes(Manner::ChokesSingly, &[3, 4, 5, 50, 99], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_of_them_in_front_of_all_others_are_found_too() {
    chokes(Manner::Chokes, &(0..90).collect::<Vec<_>>(), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_all_logs_costs_none() {
    let server = Hostile::start(Manner::ChokesOnAll).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let program = start(folder.path(), &[("PAREA_BASE_URL", &*url), ("SETTLES", "1")]);
    server.requested(200).await;
    server.behave(Manner::Good);
    let ran = program.wait().await;
    assert_eq!((&ran.report()["delivered"], &ran.report()["dropped"]), (&json!(200), &json!({})), "{}", ran.report());
    assert_eq!(server.numbers("root"), (0..100).collect::<Vec<_>>());
    assert_eq!(set_aside(folder.path()), [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_alone_is_kept_until_the_server_takes_another() {
    let server = Hostile::start(Manner::Chokes).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let shared = [("PAREA_BASE_URL", &*url), ("SETTLES", "1"), ("DEADLINE_MS", "100")];
    let mut program = start(folder.path(), &[&shared[..], &[("CALLS", "1"), ("CHOKERS", "0")]].concat());
    server.requested(30).await;
    program.kill();
    assert_eq!((program.wait().await.stderr.as_str(), set_aside(folder.path())), ("", vec![]));
    // The next process goes on, first with nothing but the log that it found, then with some of its own.
    let next = [("CALLS", "20"), ("FIRST", "1"), ("EARLIER", "1")];
    let ran = run(folder.path(), &[&shared[..], &next].concat()).await;
    assert_eq!(
        (&ran.report()["earlier"]["dropped"], &ran.report()["delivered"], set_aside(folder.path())),
        (&json!({"server_failed": 1}), &json!(40), vec![0]),
        "{}",
        ran.report()
    );
    assert_eq!(server.numbers("root"), (1..21).collect::<Vec<_>>());
}
