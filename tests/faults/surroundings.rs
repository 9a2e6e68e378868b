//! What a program does to its own process: folder, files, descriptors, signals, forks.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use parea_runtime::cell::{Cell, CellStart};
use serde_json::{Value, json};

use crate::{
    hostile::{Hostile, Manner},
    program::{Ran, print_report, run, segments, start_program},
    unix,
};

const NOBODY: &str = "http://127.0.0.1:1";
const LOGS: usize = 10;

#[parea::trace]
fn before(n: usize) -> usize {
    n
}

#[parea::trace]
fn after(n: usize) -> usize {
    n
}

#[test]
#[ignore = "a program that the other tests start"]
fn program() {
    let what = env::var("DOES").unwrap();
    let guard = parea::builder().project("faults").deadline(Duration::from_millis(400)).init().unwrap();
    println!();
    match &*what {
        "closes" => unix::close_standard(),
        "closes and opens" => {
            unix::close_standard();
            // They get the numbers of the three.
            for name in ["0", "1", "2"] {
                std::mem::forget(fs::File::create(name).unwrap());
            }
        }
        _ => {}
    }
    (0..LOGS).for_each(|n| _ = before(n));
    match &*what {
        "moves" => {
            wait_for_segments();
            env::set_current_dir("/").unwrap();
            (0..LOGS).for_each(|n| _ = after(n));
        }
        "is moved" => {
            wait_for_segments();
            fs::rename(".parea", "elsewhere").unwrap();
            fs::write(".parea", "no folder any more").unwrap();
            (0..LOGS).for_each(|n| _ = after(n));
        }
        "closes" => {
            wait_for_segments();
            eprintln!("This is for nobody.");
            unix::exit_at_once();
        }
        "closes and opens" => {}
        "takes its signals" => println!("TAKEN {:?}", threads_that_take(libc::SIGTERM)),
        "leaves a daemon" => {
            wait_for_segments();
            if unix::fork().is_none() {
                unix::close_standard();
                unix::die_after(60);
                // As long as the test's folder is there.
                while Path::new(".parea").exists() {
                    thread::sleep(Duration::from_millis(10));
                }
                unix::exit_at_once();
            }
        }
        "forks" => fork_while_others_are_busy(),
        what => panic!("nobody does {what}"),
    }
    drop(guard);
    print_report(&parea::flush(Duration::ZERO));
}

fn wait_for_segments() {
    while segments(Path::new(".")).is_empty() {
        thread::sleep(Duration::from_millis(10));
    }
}

/// The names of our threads that a signal may come to.
fn threads_that_take(signal: i32) -> Vec<String> {
    let ours = || -> Vec<(String, PathBuf)> {
        let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
        let named = tasks.map(|task| (fs::read_to_string(task.join("comm")).unwrap_or_default(), task));
        named.filter(|(name, _)| name.starts_with("parea")).collect()
    };
    // A thread gives itself its name.
    while ours().is_empty() {
        thread::yield_now();
    }
    let takes = |task: &PathBuf| {
        let status = fs::read_to_string(task.join("status")).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        u64::from_str_radix(blocked.trim(), 16).unwrap() & (1 << (signal - 1)) == 0
    };
    ours().into_iter().filter(|(_, task)| takes(task)).map(|(name, _)| name).collect()
}

/// Each child records under a name that is new to it, while threads of its parent did that when it was forked.
fn fork_while_others_are_busy() {
    let record = |name: &str| Cell::start(CellStart { name, ..CellStart::default() }).finish(Ok(b"1".to_vec()));
    let enough = Arc::new(());
    for number in 0..2 {
        let goes_on = Arc::downgrade(&enough);
        thread::spawn(move || {
            for n in 0.. {
                if goes_on.upgrade().is_none() {
                    return;
                }
                record(&format!("{number} {n}"));
            }
        });
    }
    for n in 0..30 {
        let Some(child) = unix::fork() else {
            // One that hangs fails.
            unix::die_after(20);
            record(&format!("child {n}"));
            unix::exit_with(0);
        };
        unix::wait_for(child);
    }
}

async fn does(what: &str, folder: &Path, environment: &[(&str, &str)]) -> Ran {
    let environment = [&[("DOES", what)], environment].concat();
    start_program("surroundings::program", folder, &environment).wait().await
}

/// Logs in these files, with nothing else between them.
fn lines(files: Vec<PathBuf>) -> usize {
    let count = |file: PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let logs: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        logs.len()
    };
    files.into_iter().map(count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_changes_its_folder_keeps_its_spool() {
    let folder = tempfile::tempdir().unwrap();
    let ran = does("moves", folder.path(), &[("PAREA_BASE_URL", NOBODY)]).await;
    assert_eq!(
        (&ran.report()["spooled"], lines(segments(folder.path()))),
        (&json!(2 * LOGS), 2 * LOGS),
        "{}",
        ran.stderr
    );
    let told = format!("20 logs wait in {}", folder.path().canonicalize().unwrap().join(".parea").display());
    assert!(ran.stderr.contains(&told), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_was_moved_away_is_no_loss() {
    let folder = tempfile::tempdir().unwrap();
    let ran = does("is moved", folder.path(), &[("PAREA_BASE_URL", NOBODY)]).await;
    let report = ran.report();
    assert_eq!((&report["spooled"], &report["dropped"]), (&json!(2 * LOGS), &json!({})), "{}", ran.stderr);
    // As they lie in the folder of a data folder.
    fs::remove_file(folder.path().join(".parea")).unwrap();
    fs::rename(folder.path().join("elsewhere"), folder.path().join(".parea")).unwrap();
    assert_eq!(lines(segments(folder.path())), 2 * LOGS);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_a_closed_standard_error_goes_into_nobodys_file() {
    let folder = tempfile::tempdir().unwrap();
    does("closes", folder.path(), &[("PAREA_BASE_URL", NOBODY)]).await;
    assert_eq!(lines(segments(folder.path())), LOGS, "and nothing that is no log");
    does("closes and opens", folder.path(), &[("PAREA_BASE_URL", NOBODY)]).await;
    let written = ["0", "1", "2"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
    assert!(!written[2].contains("parea"), "{written:?}");
    assert_eq!(lines(segments(folder.path())), 2 * LOGS);
}

/// A program may block signals once it has started and wait for them where it wants to: they must not come to a thread
/// that would be ended by them.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn no_signal_comes_to_a_thread_of_ours() {
    let server = Hostile::start(Manner::Good).await;
    let folder = tempfile::tempdir().unwrap();
    let ran = does("takes its signals", folder.path(), &[("PAREA_BASE_URL", &server.url())]).await;
    assert_eq!((ran.last("TAKEN"), server.count()), ("[]", LOGS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_lives_on_holds_nothing_of_its_parents_spool() {
    let server = Hostile::start(Manner::Hangs).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    does("leaves a daemon", folder.path(), &[("PAREA_BASE_URL", &url)]).await;
    server.behave(Manner::Good);
    let expected = LOGS.to_string();
    let next = run(folder.path(), &[("PAREA_BASE_URL", &*url), ("CALLS", "0"), ("EARLIER", &*expected)]).await;
    assert_eq!((&next.report()["earlier"]["delivered"], server.count()), (&json!(LOGS), LOGS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_waits_for_no_thread_of_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let ran = does("forks", folder.path(), &[("PAREA_BASE_URL", NOBODY)]).await;
    assert!(ran.status.success(), "{}", ran.stderr);
}
