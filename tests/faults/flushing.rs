//! A flush may be asked for anywhere, and comes back.

use std::{
    panic::AssertUnwindSafe,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::FutureExt as _;
use parea::FlushReport;

use crate::hostile::{Hostile, Manner};

const TIMEOUT: Duration = Duration::from_millis(100);

#[parea::trace]
fn step(n: u32) -> u32 {
    n
}

/// Records one and flushes with a server that never answers: it must come back, with everything accounted for.
fn flush_here(place: &str) {
    step(1);
    let begun = Instant::now();
    let report = parea::flush(TIMEOUT);
    check(place, &report, begun);
}

fn check(place: &str, report: &FlushReport, begun: Instant) {
    assert!(report.spooled + report.pending > 0 && report.dropped.is_empty(), "{place}: {report}");
    println!("BACK {} {place}", begun.elapsed().as_millis());
}

/// Flushes when it is dropped.
struct Flushes(&'static str);

impl Drop for Flushes {
    fn drop(&mut self) {
        flush_here(self.0);
    }
}

#[test]
#[ignore = "a program that the other tests start"]
fn flushes_everywhere() {
    static STUCK: AtomicBool = AtomicBool::new(false);
    let stuck = |_: &str| {
        while STUCK.load(Ordering::Relaxed) {
            std::thread::park();
        }
        None
    };
    let guard = parea::builder().deadline(Duration::from_millis(100)).redact_with(stuck).init().unwrap();
    println!();
    flush_here("no runtime");
    STUCK.store(std::env::var("STUCK").is_ok(), Ordering::Relaxed);
    let current = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    current().block_on(async { flush_here("current_thread") });
    current().block_on(async {
        let begun = Instant::now();
        step(2);
        check("async", &parea::flush_async(TIMEOUT).await, begun);
    });
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    many.block_on(async {
        let inside = tokio::spawn(async {
            flush_here("a task");
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async { flush_here("block_on") });
            });
        });
        inside.await.unwrap();
        let tasks: Vec<_> = (0..16).map(|_| tokio::task::spawn_blocking(|| flush_here("in parallel"))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });

    drop(Flushes("a destructor"));
    let panicked = std::panic::catch_unwind(|| {
        let _flushes = Flushes("during a panic");
        panic!("on purpose");
    });
    assert!(panicked.is_err());
    thread_local!(static LAST: Flushes = const { Flushes("a thread's last moment") });
    std::thread::spawn(|| LAST.with(|_| ())).join().unwrap();
    futures_executor();
    let begun = Instant::now();
    drop(guard);
    println!("BACK {} the guard", begun.elapsed().as_millis());
    println!("DONE");
}

/// The async form needs no runtime at all.
fn futures_executor() {
    let begun = Instant::now();
    check("another executor", &futures::executor::block_on(parea::flush_async(TIMEOUT)), begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_comes_back_from_wherever_it_is_asked_for() {
    let server = Hostile::start(Manner::Hangs).await;
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let [hanging, absent] = [[("PAREA_BASE_URL", &*url)], [("STUCK", "1")]];
    // The server never answers; there is none, and a hook of the user's never returns.
    for environment in [&hanging, &absent] {
        let ran = run("flushing::flushes_everywhere", folder.path(), environment).await;
        let places = ran.lines().filter(|line| line.starts_with("BACK ")).count();
        assert_eq!(places, 26, "{ran}");
        assert!(ran.contains("DONE"), "{ran}");
    }
}

#[parea::trace]
async fn handled(n: u32) -> u32 {
    step(n);
    assert!(n < u32::MAX, "on purpose");
    n
}

#[test]
#[ignore = "a program that the other tests start"]
fn serves_without_a_server() {
    let guard = parea::init().unwrap();
    std::mem::forget(guard);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let handler = parea::serverless(handled);
        for n in 1..=3 {
            assert_eq!(handler(n).await, n);
            let report = parea::flush(Duration::ZERO);
            assert_eq!((report.delivered, report.pending), (u64::from(2 * n), 0), "{report}");
        }
        let fails = AssertUnwindSafe(handler(u32::MAX)).catch_unwind().await;
        let report = parea::flush(Duration::ZERO);
        assert_eq!((fails.is_err(), report.delivered, report.pending), (true, 8, 0), "{report}");
    });
    println!("\nDONE");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_invocation_of_a_serverless_function_delivers_its_logs() {
    let server = Hostile::start(Manner::Good).await;
    let folder = tempfile::tempdir().unwrap();
    let ran = run("flushing::serves_without_a_server", folder.path(), &[("PAREA_BASE_URL", &server.url())]).await;
    assert!(ran.contains("DONE"), "{ran}");
    assert_eq!(server.count(), 8);
}

#[test]
#[ignore = "a program that the other tests start"]
fn serves_in_vain() {
    std::mem::forget(parea::builder().deadline(TIMEOUT).init().unwrap());
    let handler = parea::serverless(handled);
    for n in 1..=3 {
        assert_eq!(futures::executor::block_on(handler(n)), n);
        let report = parea::flush(Duration::ZERO);
        assert_eq!((report.spooled, report.pending), (u64::from(2 * n), 0), "{report}");
    }
    println!("\nDONE");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_leaves_nothing_in_memory_alone() {
    let server = Hostile::start(Manner::Hangs).await;
    let folder = tempfile::tempdir().unwrap();
    let ran = run("flushing::serves_in_vain", folder.path(), &[("PAREA_BASE_URL", &server.url())]).await;
    assert!(ran.contains("DONE"), "{ran}");
}

#[cfg(unix)]
#[test]
#[ignore = "a program that the other tests start"]
fn ends_while_a_hook_never_returns() {
    crate::unix::die_after(30);
    let stuck = |_: &str| loop {
        std::thread::park();
    };
    std::mem::forget(parea::builder().deadline(Duration::ZERO).redact_with(stuck).init().unwrap());
    step(1);
    println!("\nDONE");
    std::process::exit(0);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_for_ever_to_be_written_holds_up_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("PAREA_BASE_URL", "http://127.0.0.1:1")];
    let ran = run("flushing::ends_while_a_hook_never_returns", folder.path(), &environment).await;
    // Killed, it could not say so.
    assert!(ran.contains("DONE") && ran.contains("not every log was delivered: 0 delivered, 1 pending"), "{ran}");
}

async fn run(program: &str, folder: &Path, environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([program, "--exact", "--ignored", "--nocapture", "--test-threads=1"]).current_dir(folder);
    for name in ["PAREA_API_KEY", "PAREA_BASE_URL", "TURN_OFF_PAREA_LOGGING"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
