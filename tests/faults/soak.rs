//! A long run against a server that keeps failing: everything arrives, and memory stays flat.

use std::{
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::hostile::{Hostile, Manner};

#[parea::trace]
fn outer(n: usize, text: &str) -> usize {
    inner(n) + text.len()
}

#[parea::trace]
fn inner(n: usize) -> usize {
    parea::current().score("half", n as f64 / 2.0);
    n
}

/// `CALLS` calls of two spans each, held back only where the spool would grow without end.
#[test]
#[ignore = "a program that the other tests start"]
fn soaks() {
    const MOST_WAITING: u64 = 200_000;
    let calls: usize = std::env::var("CALLS").unwrap().parse().unwrap();
    let guard = parea::builder().project("soak").init().unwrap();
    let (begun, mut memory) = (Instant::now(), Vec::new());
    for n in 0..calls {
        outer(n, "a text that is captured with each call");
        if n % 500 == 499 {
            let waiting = |report: parea::FlushReport| report.pending + report.spooled;
            while waiting(guard.flush(Duration::ZERO)) > MOST_WAITING {
                thread::sleep(Duration::from_millis(10));
            }
            // Less than the processor can do, so that the exporter has its share of it.
            thread::sleep(Duration::from_millis(2));
        }
        if n % (calls / 4) == calls / 4 - 1 {
            memory.push(resident_kb());
        }
    }
    let called = begun.elapsed();
    let report = guard.flush(Duration::from_secs(300));
    println!(
        "\nRESULT {}",
        json!({"delivered": report.delivered, "spooled": report.spooled, "dropped": report.total_dropped(),
               "pending": report.pending, "open": report.open, "resident_kb": memory,
               "called_ms": called.as_millis() as u64, "delivered_ms": begun.elapsed().as_millis() as u64})
    );
}

/// Memory of this process in KB; 0 where the system does not say.
fn resident_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or_default()
}

/// Runs the program, whose server goes from one manner to the next.
async fn soak(calls: usize) -> Value {
    const MANNERS: [Manner; 6] =
        [Manner::Good, Manner::Says(503), Manner::Good, Manner::HalfAnswers, Manner::TakesItsTime(300), Manner::Resets];
    let server = Arc::new(Hostile::start(Manner::Good).await);
    let folder = tempfile::tempdir().unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let moody = {
        let (server, ended) = (Arc::clone(&server), Arc::clone(&ended));
        tokio::spawn(async move {
            for manner in MANNERS.iter().cycle().take_while(|_| !ended.load(Ordering::Relaxed)) {
                server.behave(*manner);
                tokio::time::sleep(Duration::from_millis(400)).await;
            }
        })
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["soak::soaks", "--exact", "--ignored", "--nocapture"]).current_dir(folder.path());
    command.env_remove("PAREA_API_KEY").env("PAREA_BASE_URL", server.url()).env("CALLS", calls.to_string());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    ended.store(true, Ordering::Relaxed);
    moody.await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let result = stdout.lines().find_map(|line| line.strip_prefix("RESULT ")).unwrap_or_else(|| panic!("{stdout}"));
    let result: Value = serde_json::from_str(result).unwrap();
    assert_eq!(
        (&result["delivered"], &result["dropped"], &result["spooled"], &result["pending"], server.count()),
        (&json!(2 * calls), &json!(0), &json!(0), &json!(0), 2 * calls),
        "{result}"
    );
    // From the first quarter on nothing grows: 32 MB is what an allocator may keep back.
    let memory: Vec<u64> = serde_json::from_value(result["resident_kb"].clone()).unwrap();
    assert!(memory[3].saturating_sub(memory[0]) < 32 * 1024, "{result}");
    result
}

#[tokio::test(flavor = "multi_thread")]
async fn through_all_moods_of_a_server_everything_arrives() {
    soak(10_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute long: run by `cargo xtask faults`"]
async fn a_million_spans() {
    println!("\nA million spans: {}", soak(500_000).await);
}
