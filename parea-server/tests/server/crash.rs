//! What was acknowledged survives `kill -9`, whenever it comes.

use std::{collections::BTreeSet, env, path::Path, sync::Arc, time::Duration};

use parea_store::StoreFile;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    client::{Client, log},
    process::Process,
};

/// Posts without end, in batches and singly, with updates and feedback in between. What is acknowledged is told to
/// `acknowledged`: `ID` for a log, `ID!` for its update, `ID+` for feedback on it. Returns when the server is gone.
pub(crate) async fn load(client: Client, name: Arc<str>, acknowledged: mpsc::UnboundedSender<String>) {
    for number in 0.. {
        let id = |part: usize| format!("{name}-{number}-{part}");
        let post = |operation: &str, body: Value| client.request("POST", operation).body(body.to_string());
        let (request, ids) = match number % 4 {
            0 => {
                let batch: Vec<Value> = (0..20).map(|part| log(&id(part))).collect();
                (post("/trace_logs", Value::from(batch)), (0..20).map(id).collect())
            }
            1 => (post("/trace_log", log(&id(0))), vec![id(0)]),
            2 => {
                let before = format!("{name}-{}-0", number - 1);
                let body = json!({ "trace_id": before, "field_name_to_value_map": { "output": "updated" } });
                (client.request("PUT", "/trace_log").body(body.to_string()), vec![format!("{before}!")])
            }
            _ => {
                let before = format!("{name}-{}-0", number - 2);
                (post("/feedback", json!({ "trace_id": before, "score": 0.5 })), vec![format!("{before}+")])
            }
        };
        match Client::attempt(request).await {
            // The test has seen enough.
            Some((200, _)) if ids.into_iter().try_for_each(|id| acknowledged.send(id)).is_err() => return,
            Some((200, _)) => {}
            // It was told to stop in the midst.
            Some((503, _)) | None => return,
            Some(other) => panic!("{other:?}"),
        }
    }
}

/// The file in a folder is sound and has everything acknowledged; a server may hold it.
pub(crate) fn check(folder: &Path, acknowledged: &BTreeSet<String>) {
    let file = StoreFile::open(folder).unwrap();
    assert_eq!(file.check(10).unwrap(), [""; 0]);
    let mut missing = acknowledged.clone();
    let mut after = 0;
    loop {
        let logs = file.logs(after, 1000).unwrap();
        let Some(last) = logs.last() else { break };
        after = last.arrival;
        for exported in &logs {
            let log = &exported.log;
            missing.remove(&log.trace_id);
            if log.output.as_deref() == Some("updated") {
                missing.remove(&format!("{}!", log.trace_id));
            }
            if log.feedback_score.is_some() {
                missing.remove(&format!("{}+", log.trace_id));
            }
        }
    }
    let some: Vec<_> = missing.iter().take(5).collect();
    assert!(missing.is_empty(), "{} of {} acknowledged are lost, such as {some:?}", missing.len(), acknowledged.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_log_survives_a_kill() {
    kill_often(3, 6, 100..600).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: `cargo xtask crash`"]
async fn full_size() {
    kill_often(20, 24, 50..4000).await;
}

/// Kills the server so many times, each at a random moment (milliseconds after its start) under load, on one folder.
async fn kill_often(kills: usize, connections: usize, moments: std::ops::Range<u64>) {
    let seed = env::var("PAREA_CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..kills {
        let server = Process::serve(folder.path());
        let client = server.client();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let loads: Vec<_> = (0..connections)
            .map(|connection| {
                let name = format!("{round}-{connection}").into();
                tokio::spawn(load(client.clone(), name, sender.clone()))
            })
            .collect();
        drop(sender);
        // However slow the machine is, something was acknowledged by then.
        acknowledged.insert(receiver.recv().await.unwrap());
        tokio::time::sleep(Duration::from_millis(random.u64(moments.clone()))).await;
        server.signal("KILL");
        for load in loads {
            load.await.unwrap();
        }
        while let Some(id) = receiver.recv().await {
            acknowledged.insert(id);
        }
        server.wait();
        // As the crash left it, before a server has had a hand in it.
        check(folder.path(), &acknowledged);
    }
    let server = Process::serve(folder.path());
    check(folder.path(), &acknowledged);
    server.signal("TERM");
    assert!(server.wait().0.success());
    // A row of the chore's table.
    println!(
        "row: `kill -9` under the load of {connections} connections (seed {seed}) | {kills} | {} logs, updates, verdicts",
        acknowledged.len()
    );
}
