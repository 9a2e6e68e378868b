//! How programs end.

use std::{fs, os::unix::process::ExitStatusExt as _, path::Path, time::Duration};

use serde_json::json;

use crate::{
    hostile::{Hostile, Manner},
    program::{LOGS_PER_CALL, Ran, run, segments, start},
    unix,
};

const CALLS: usize = 100;
const LOGS: usize = CALLS * LOGS_PER_CALL;

/// Ends a program whose server is good, without its guard.
async fn ends(how: &str, environment: &[(&str, &str)]) -> (Ran, Hostile) {
    let server = Hostile::start(Manner::Good).await;
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let environment = [&[("PAREA_BASE_URL", &*url), ("END", how)], environment].concat();
    let ran = run(folder.path(), &environment).await;
    (ran, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn returning_panicking_and_exiting_deliver_without_a_guard() {
    for (how, code) in [("forget", 0), ("panic", 101), ("exit", 3), ("parea_exit", 3)] {
        let (ran, server) = ends(how, &[]).await;
        assert_eq!((server.count(), ran.status.code()), (LOGS, Some(code)), "{how}: {}", ran.stderr);
        assert!(!ran.stderr.contains("parea:"), "{how}: {}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_from_any_thread_delivers_while_others_record() {
    let (ran, server) = ends("exit_on_a_thread", &[]).await;
    assert_eq!(ran.status.code(), Some(3), "{}", ran.stderr);
    let numbers = server.numbers("root");
    assert_eq!(numbers.len(), CALLS + 1, "{}", ran.stderr);
    assert!(numbers.contains(&(usize::MAX as u64 / 2)), "what the exiting thread had just ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_that_leaves_c_goes_to_the_spool_first() {
    // The server never answers, so what is there afterwards was on disk.
    let server = Hostile::start(Manner::Hangs).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let ran = run(folder.path(), &[("PAREA_BASE_URL", &*url), ("END", "c_panic")]).await;
    assert_eq!(ran.status.signal(), Some(libc::SIGABRT), "{}", ran.stderr);
    server.behave(Manner::Good);
    let expected = (LOGS + 1).to_string();
    run(folder.path(), &[("PAREA_BASE_URL", &*url), ("CALLS", "0"), ("EARLIER", &*expected)]).await;
    assert_eq!(server.count(), LOGS + 1, "the one that panicked is there as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_delivers_by_choice_and_still_ends_the_program() {
    let server = Hostile::start(Manner::Good).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    for (signal, first) in [(libc::SIGTERM, 0), (libc::SIGINT, 1)] {
        let ready = folder.path().join("ready");
        let program = start(folder.path(), &[("PAREA_BASE_URL", &*url), ("END", "sigterm")]);
        while !ready.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        unix::send(signal, program.id());
        let ran = program.wait().await;
        assert_eq!(ran.status.signal(), Some(signal), "{}", ran.stderr);
        assert_eq!(server.count(), (first + 1) * LOGS, "{}", ran.stderr);
        fs::remove_file(ready).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_durable_mode_nothing_finished_is_lost_whatever_kills_the_program() {
    for how in ["_exit", "abort", "panic_and_die", "wait"] {
        // No server is there: what is counted is what the next process finds.
        let server = Hostile::start(Manner::Hangs).await;
        let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
        let environment = [("PAREA_BASE_URL", &*url), ("END", how), ("DURABLE", "1")];
        let mut program = start(folder.path(), &environment);
        if how == "wait" {
            // As soon as all of it is on disk it may be killed; that it is there is what is asserted below.
            while spooled_lines(folder.path()) < LOGS {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            program.kill();
        }
        let ran = program.wait().await;
        assert!(!ran.status.success());
        assert_eq!(spooled_lines(folder.path()), LOGS, "{how}: {}", ran.stderr);
        server.behave(Manner::Good);
        let expected = LOGS.to_string();
        run(folder.path(), &[("PAREA_BASE_URL", &*url), ("CALLS", "0"), ("EARLIER", &*expected)]).await;
        assert_eq!((server.count(), spooled_lines(folder.path())), (LOGS, 0), "{how}");
    }
}

/// Lines in all files of the spool.
fn spooled_lines(folder: &Path) -> usize {
    segments(folder).iter().map(|file| fs::read_to_string(file).unwrap_or_default().lines().count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_fork_parent_and_child_both_deliver() {
    let (ran, server) = ends("fork", &[]).await;
    assert!(ran.status.success(), "{}\n{}", ran.stdout, ran.stderr);
    let mut numbers = server.numbers("root");
    numbers.sort_unstable();
    let all = (0..100).chain(1_000..1_050).chain(2_000..2_050);
    assert_eq!(numbers, all.collect::<Vec<_>>(), "none twice, none missing: {}", ran.stderr);
    // And the span in which they forked, which is the parent's.
    assert_eq!(server.count(), 2 * 200 + 1);
    assert_eq!(server.log("fork").unwrap()["output"], "false", "as the parent ended it");
    assert_eq!(ran.report()["finished"], json!(LOGS + 100 + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_whose_errors_nobody_reads_ends_as_ever() {
    // Every run has something to say: the server is not there.
    for (how, pipe) in [("", "1"), ("exit", "1"), ("exit", "0"), ("panic", "0")] {
        let folder = tempfile::tempdir().unwrap();
        let environment =
            [("PAREA_BASE_URL", "http://127.0.0.1:1"), ("END", how), ("DEADLINE_MS", "100"), ("SIGPIPE", pipe)];
        let mut program = start(folder.path(), &environment);
        program.close_stderr();
        let ran = program.wait().await;
        let code = match how {
            "exit" => 3,
            "panic" => 101,
            _ => 0,
        };
        assert_eq!((ran.status.code(), spooled_lines(folder.path())), (Some(code), LOGS), "{how}: {}", ran.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_in_a_forked_child_delivers_what_is_the_childs() {
    let (ran, server) = ends("fork_guard", &[]).await;
    assert!(ran.status.success(), "{}\n{}", ran.stdout, ran.stderr);
    let mut numbers = server.numbers("root");
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).chain([1_000]).collect::<Vec<_>>(), "{}", ran.stderr);
    assert_eq!(ran.stderr, "", "nothing of the parent's is in the spool");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_evaluated_at_the_end_goes_without_its_scores() {
    let (ran, server) = ends("evaluating", &[("DEADLINE_MS", "400")]).await;
    assert!(ran.status.success(), "{}", ran.stderr);
    let log = server.log("pondered").unwrap_or_else(|| panic!("it is not there: {}", ran.stderr));
    assert_eq!(log["metadata"]["evaluations_skipped"], "the program ended before they did");
    assert_eq!(server.count(), LOGS + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_says_in_a_child_that_it_is_the_parents() {
    let (ran, server) = ends("fork_client", &[]).await;
    assert!(ran.status.success(), "{}", ran.stderr);
    assert_eq!(server.count(), LOGS, "{}", ran.stderr);
}
