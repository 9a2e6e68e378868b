//! Ten thousand rows. Prints its figures; in release:
//! `cargo test --release -p parea-eval --test scale -- --ignored --nocapture`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use parea_eval::{evals::levenshtein, experiment, row};

/// Bytes of memory that this process has in use, where the system tells.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}

async fn run(rows: usize) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let report = experiment("Scale")
        .folder(folder.path())
        .quiet()
        .rows((0..rows).map(|n| row! { n: n, target: n.to_string() }))
        .concurrency(100)
        .eval(levenshtein)
        .run(|row| async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(row.get::<u32>("n")?)
        })
        .await
        .unwrap();
    assert_eq!(report.rows.len(), rows);
    assert_eq!(report.score("levenshtein").unwrap().count, rows);
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seconds, and its figures mean something in release only"]
async fn ten_thousand_rows_take_little_more_than_their_function() {
    for rows in [1_000, 10_000] {
        let ideal = Duration::from_millis(50) * (rows / 100) as u32;
        let took = run(rows).await;
        let ratio = took.as_secs_f64() / ideal.as_secs_f64();
        println!("{rows} rows: {took:.2?}, {ratio:.3} of the ideal {ideal:.2?}, {:.0} MB", resident().unwrap_or(0.0));
    }
}
