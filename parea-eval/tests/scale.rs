//! Ten thousand rows, or as many as `ROWS` says. Prints its figures; in release:
//! `ROWS=10000 cargo test --release -p parea-eval --test scale -- --ignored --nocapture`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parea_eval::{evals::levenshtein, experiment, row};

/// A figure of this process's memory in megabytes, where the system tells: `VmRSS` now, `VmHWM` at most so far.
fn memory(which: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seconds, and its figures mean something in release only"]
async fn ten_thousand_rows_take_little_more_than_their_function() {
    let rows: usize = std::env::var("ROWS").map_or(10_000, |rows| rows.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let begin = memory("VmRSS");
    let experiment = experiment("Scale")
        .folder(folder.path())
        .quiet()
        .rows((0..rows).map(|n| row! { n: n, target: n.to_string() }))
        .concurrency(100)
        .eval(levenshtein);
    let given = memory("VmRSS");
    let (calls, start) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let report = experiment
        .run(move |row| {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            if call % (rows / 5).max(1) == 0 {
                println!("{:3} % done: {:.1} MB", 100 * call / rows, memory("VmRSS"));
            }
            async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok(format!("{} {}", row.get::<u32>("n")?, "a".repeat(500)))
            }
        })
        .await
        .unwrap();
    let took = start.elapsed();
    assert_eq!((report.rows.len(), report.score("levenshtein").unwrap().count), (rows, rows));
    println!("at the end {:.1} MB, at most {:.1} MB", memory("VmRSS"), memory("VmHWM"));
    report.write_json(folder.path().join("report.json")).unwrap().write_junit(folder.path().join("junit.xml")).unwrap();
    println!("reports written: {:.1} MB, at most {:.1} MB", memory("VmRSS"), memory("VmHWM"));
    let ideal = Duration::from_millis(50) * rows.div_ceil(100) as u32;
    println!(
        "{rows} rows: {took:.2?}, {:.3} of the ideal {ideal:.2?}; {begin:.1} MB at the begin, {given:.1} MB with the rows",
        took.as_secs_f64() / ideal.as_secs_f64(),
    );
}
