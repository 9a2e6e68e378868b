//! What was acknowledged survives `kill -9`.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    client::{Client, log},
    process::Process,
};

/// Posts without end, singly and in batches, with updates in between. What is acknowledged is told to `acknowledged`;
/// returns when the server is gone.
pub(crate) async fn load(client: Client, name: Arc<str>, acknowledged: mpsc::UnboundedSender<String>) {
    for number in 0.. {
        let id = |part: usize| format!("{name}-{number}-{part}");
        let (request, ids) = match number % 3 {
            0 => {
                let batch: Vec<Value> = (0..20).map(|part| log(&id(part))).collect();
                let request = client.request("POST", "/trace_logs").body(Value::from(batch).to_string());
                (request, (0..20).map(id).collect())
            }
            1 => (client.request("POST", "/trace_log").body(log(&id(0)).to_string()), vec![id(0)]),
            _ => {
                let before = format!("{name}-{}-0", number - 1);
                let body = json!({ "trace_id": before, "field_name_to_value_map": { "output": "updated" } });
                (client.request("PUT", "/trace_log").body(body.to_string()), vec![format!("{before}!")])
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

/// Every acknowledged log is there, and every acknowledged update (`ID!`).
pub(crate) async fn check(client: &Client, acknowledged: &BTreeSet<String>) {
    let logs = client.logs().await;
    let mut stored = BTreeSet::new();
    for log in &logs {
        let id = log["trace_id"].as_str().unwrap();
        stored.insert(id.to_owned());
        if log["output"] == "updated" {
            stored.insert(format!("{id}!"));
        }
    }
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged are lost: {lost:?}", lost.len(), acknowledged.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_log_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..3 {
        let server = Process::serve(folder.path());
        let client = server.client();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let loads: Vec<_> = (0..6)
            .map(|connection| {
                let name = format!("{round}-{connection}").into();
                tokio::spawn(load(client.clone(), name, sender.clone()))
            })
            .collect();
        drop(sender);
        let enough = acknowledged.len() + 500;
        while acknowledged.len() < enough {
            acknowledged.insert(receiver.recv().await.unwrap());
        }
        server.signal("KILL");
        for load in loads {
            load.await.unwrap();
        }
        receiver.close();
        while let Some(id) = receiver.recv().await {
            acknowledged.insert(id);
        }
        server.wait();
    }
    let server = Process::serve(folder.path());
    check(&server.client(), &acknowledged).await;
    server.signal("TERM");
    assert!(server.wait().0.success());
    let file = rusqlite::Connection::open(folder.path().join("parea.db")).unwrap();
    let verdict: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}
