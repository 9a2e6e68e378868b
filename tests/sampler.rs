//! Which traces are kept, as the program says at its start. A process has one client, so each story is a program of its
//! own: this test binary again.
#![allow(clippy::unwrap_used, unused_variables, reason = "this is a test, and arguments are there to be captured")]

use std::{collections::BTreeMap, process::Command, time::Duration};

use parea::{ApiClient, InitError, Sampler, types::QueryParamsPagination};
use parea_server::{Config, Server};

#[parea::trace]
fn health() {
    child(0, false).unwrap();
}

#[parea::trace]
fn ask(n: usize, vip: bool) {
    parea::Context::current().enter(|| child(n, false).unwrap());
}

/// The root succeeds, a span below it fails on another thread.
#[parea::trace]
fn handles(n: usize) {
    let here = parea::Context::current();
    std::thread::spawn(move || here.enter(|| child(n, true).unwrap_err())).join().unwrap();
}

#[parea::trace]
fn slow() {
    std::thread::sleep(Duration::from_millis(60));
}

#[parea::trace(log_sample_rate = 0.0)]
fn never() {
    child(0, true).unwrap_err();
}

#[parea::trace]
fn child(n: usize, fail: bool) -> Result<usize, &'static str> {
    if fail { Err("no") } else { Ok(n) }
}

#[parea::trace]
fn outlived(vip: bool) -> parea::Context {
    parea::Context::current()
}

#[test]
#[ignore = "a program that the other test starts"]
fn by_choice() {
    let sampler = Sampler::by(|start| match start.name() {
        // What it calls is no trace, about which it would be asked again.
        "health" => child(1, false).map_or(1.0, |_| 0.0),
        "handles" => panic!("never asked: it failed"),
        "child" => f64::NAN,
        _ if start.input("vip") == Some(true.into()) => 0.999_999,
        _ => 0.0,
    });
    let guard = parea::builder()
        .project("sampled")
        .sampler(sampler.keep_errors().keep_slow(Duration::from_millis(50)))
        .init()
        .unwrap();
    for n in 0..20 {
        health();
        ask(n, false);
        never();
    }
    for n in 0..5 {
        ask(n, true);
    }
    (0..3).for_each(handles);
    slow();
    child(9, false).unwrap();
    // What ends after its root goes the way of its trace.
    for vip in [true, false] {
        outlived(vip).enter(|| child(7, false).unwrap());
    }
    let report = guard.flush(Duration::from_secs(20));
    assert_eq!((report.delivered, report.open, report.pending), (5 * 2 + 3 * 2 + 1 + 1 + 2, 0, 0), "{report}");
}

#[test]
#[ignore = "a program that the other test starts"]
fn by_a_plain_rate() {
    let wrong = parea::builder().sample_rate(1.5).init().unwrap_err();
    assert!(matches!(wrong, InitError::InvalidSampleRate(_)) && wrong.to_string().contains("1.5"), "{wrong}");
    let guard = parea::builder().project("sampled").sample_rate(0.5).init().unwrap();
    for n in 0..1000 {
        ask(n, false);
        never();
    }
    assert!(guard.flush(Duration::from_secs(20)).is_complete());
}

/// The kept logs by name: how many, and at what rate.
async fn kept(program: &'static str) -> BTreeMap<(String, String), usize> {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: folder.path().into(), ..Config::default() };
    let server = Server::bind(config).await.unwrap().spawn();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([program, "--exact", "--ignored", "--test-threads=1"]).current_dir(folder.path());
    command.env_remove("PAREA_API_KEY").env_remove("TURN_OFF_PAREA_LOGGING").env("PAREA_BASE_URL", server.url());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let api = ApiClient::new(server.url(), None).unwrap();
    let page = api.trace_logs(&QueryParamsPagination::new("sampled").page_size(5_000)).await.unwrap();
    let mut kept = BTreeMap::new();
    for tree in &page.results {
        assert_eq!(tree.log.log_sample_rate, Some(1.0), "it is not sampled again");
        let rate = tree.log.metadata.as_ref().unwrap()["sample_rate"].as_str().unwrap().to_owned();
        *kept.entry((tree.log.trace_name.clone().unwrap(), rate)).or_default() += 1;
    }
    server.shutdown().await;
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn by_name_and_inputs_and_what_failed_or_was_slow_for_certain() {
    let expected = [
        ("ask", "0.999999", 5),
        ("child", "0.999999", 5 + 1),
        ("child", "1", 3 + 1),
        ("handles", "1", 3),
        ("outlived", "0.999999", 1),
        ("slow", "1", 1),
    ];
    let expected = expected.into_iter().map(|(name, rate, count)| ((name.to_owned(), rate.to_owned()), count));
    assert_eq!(kept("by_choice").await, expected.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_them_whole() {
    let kept = kept("by_a_plain_rate").await;
    let of = |name: &str| kept[&(name.to_owned(), "0.5".to_owned())];
    assert_eq!((of("ask"), kept.len()), (of("child"), 2), "whole traces, and none of `never`: {kept:?}");
    assert!((350..650).contains(&of("ask")), "{kept:?}");
}
