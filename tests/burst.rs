//! Many calls from one process over a work-stealing runtime: paced, all of them arrive in their trees and memory
//! stays flat; unpaced, what does not arrive is in the report.
//!
//! The full size is `cargo xtask burst`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "this is a test")]

use std::{
    collections::HashMap,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use parea::{
    ApiClient,
    types::{PaginatedTraceLogs, QueryParamsPagination, TraceLogTree},
};
use parea_server::{Config, Server};
use serde_json::{Value, json};

#[parea::trace]
async fn single(n: usize, text: &str) -> usize {
    n + text.len()
}

#[parea::trace]
async fn outer(n: usize) -> usize {
    parea::spawn(middle(n)).await.unwrap()
}

#[parea::trace]
async fn middle(n: usize) -> usize {
    tokio::task::yield_now().await;
    inner(n).await
}

#[parea::trace]
async fn inner(n: usize) -> usize {
    parea::current().score("half", n as f64 / 2.0);
    n
}

/// The calling process: `CALLS` calls, every tenth nested three deep.
#[test]
#[ignore = "a program that the other tests start"]
fn program() {
    let setting = |name: &str| std::env::var(name).unwrap().parse::<usize>().unwrap();
    let (calls, paced) = (setting("CALLS"), setting("PACED") == 1);
    let guard = parea::builder().project("burst").init().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let started = Instant::now();
    let mut memory = Vec::new();
    runtime.block_on(async {
        // A hundred calls at a time are under way at once.
        for first in (0..calls).step_by(100) {
            let tasks: Vec<_> = (first..calls.min(first + 100))
                .map(|n| {
                    tokio::spawn(async move {
                        if n % 10 == 0 { outer(n).await } else { single(n, "a text to be captured").await }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            while paced && guard.flush(Duration::ZERO).pending > 10_000 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if first % (calls / 4) == 0 {
                memory.push(resident_kb());
            }
        }
    });
    let called = started.elapsed();
    let report = guard.flush(Duration::from_secs(300));
    memory.push(resident_kb());
    println!(
        "\nRESULT {}",
        json!({
            "made": spans(calls), "delivered": report.delivered, "dropped": report.total_dropped(),
            "pending": report.pending, "open": report.open, "resident_kb": memory,
            "calls_ms": called.as_millis() as u64, "delivered_ms": started.elapsed().as_millis() as u64,
        })
    );
}

/// Logs that so many calls make.
fn spans(calls: usize) -> usize {
    calls + 2 * calls.div_ceil(10)
}

/// Memory of this process in KB; 0 where the system does not say.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or_default()
}

struct Story {
    result: Value,
    logs: Vec<TraceLogTree>,
    total: u64,
}

/// Runs the program against our server and reads everything back.
async fn story(calls: usize, paced: bool) -> Story {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: folder.path().join("data"), ..Config::default() };
    let server = Server::bind(config).await.unwrap().spawn();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["program", "--exact", "--ignored", "--nocapture"])
        .env("PAREA_BASE_URL", server.url())
        .env_remove("PAREA_API_KEY")
        .env("CALLS", calls.to_string())
        .env("PACED", u8::from(paced).to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    let result = stdout.lines().find_map(|line| line.strip_prefix("RESULT ")).unwrap();
    let client = ApiClient::new(server.url(), None).unwrap();
    let (mut logs, mut total) = (Vec::new(), 0);
    for page in 1.. {
        let query = QueryParamsPagination { page, page_size: 5_000, ..QueryParamsPagination::new("burst") };
        let PaginatedTraceLogs { total: all, results, .. } = client.trace_logs(&query).await.unwrap();
        total = all;
        if results.is_empty() {
            break;
        }
        logs.extend(results);
    }
    server.shutdown().await;
    Story { result: serde_json::from_str(result).unwrap(), logs, total: u64::try_from(total).unwrap() }
}

/// Each call's tree, whole and right.
fn check_trees(logs: &[TraceLogTree], calls: usize) {
    let mut roots: HashMap<u64, &TraceLogTree> = HashMap::new();
    for tree in logs.iter().filter(|tree| tree.log.depth == 0) {
        let n = tree.log.inputs.as_ref().unwrap()["n"].as_u64().unwrap();
        assert!(roots.insert(n, tree).is_none(), "call {n} is there twice");
    }
    assert_eq!(roots.len(), calls);
    for (n, root) in roots {
        let names: Vec<_> = root
            .iter()
            .map(|tree| &tree.log)
            .map(|log| (log.trace_name.as_deref().unwrap(), log.depth, log.execution_order))
            .collect();
        if n % 10 == 0 {
            assert_eq!(names, [("outer", 0, 0), ("middle", 1, 1), ("inner", 2, 2)]);
            for log in root.iter().map(|tree| &tree.log) {
                assert_eq!(log.inputs.as_ref().unwrap()["n"], n);
                assert_eq!(log.output, Some(n.to_string()));
                assert_eq!(log.root_trace_id.as_ref(), Some(&root.log.trace_id));
            }
        } else {
            assert_eq!(names, [("single", 0, 0)]);
        }
    }
}

async fn paced(calls: usize) -> Value {
    let Story { result, logs, total } = story(calls, true).await;
    assert_eq!(
        (result["delivered"].as_u64(), &result["dropped"], &result["open"]),
        (Some(total), &json!(0), &json!(0))
    );
    assert_eq!(total, spans(calls) as u64, "the server's count is the number made");
    assert_eq!(logs.len(), spans(calls));
    check_trees(&logs, calls);
    // After the first quarter nothing grows any more: 32 MB is what an allocator may keep back.
    let memory: Vec<u64> = serde_json::from_value(result["resident_kb"].clone()).unwrap();
    assert!(memory.last().unwrap().saturating_sub(memory[1]) < 32 * 1024, "{memory:?}");
    result
}

async fn unpaced(calls: usize) -> Value {
    let Story { result, total, .. } = story(calls, false).await;
    let number = |name: &str| result[name].as_u64().unwrap();
    assert_eq!(number("delivered"), total);
    assert_eq!(number("delivered") + number("dropped") + number("pending"), spans(calls) as u64, "to the last one");
    result
}

#[tokio::test(flavor = "multi_thread")]
async fn paced_everything_arrives_in_its_tree() {
    paced(8_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unpaced_everything_is_accounted_for() {
    unpaced(8_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes long: run by `cargo xtask burst`"]
async fn full_size() {
    println!("\npaced   {}", paced(100_000).await);
    println!("unpaced {}", unpaced(1_000_000).await);
}
