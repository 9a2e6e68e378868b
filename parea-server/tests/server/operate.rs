//! The commands for who runs a server, as processes.

use std::{fs, path::Path, process::Stdio};

use serde_json::{Value, json};

use crate::{
    client::log,
    process::{Process, command},
};

/// Runs a command with this input; its exit code, output, and what it says.
fn run(arguments: &[&str], input: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A command that ends early closes its input.
        let _ = std::io::Write::write_all(&mut stdin, &input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

fn sorted(lines: &[u8]) -> Vec<Value> {
    let mut logs: Vec<Value> =
        std::str::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    logs.sort_by_key(|log| log["trace_id"].to_string());
    logs
}

/// A server with a batch, single posts and an update.
async fn filled(folder: &Path) -> Process {
    let server = Process::serve(folder);
    let client = server.client();
    let mut batch: Vec<Value> = (0..100).map(|n| log(&format!("batch-{n}"))).collect();
    batch[7]["output"] = "needle".into();
    batch[8]["trace_name"] = "named".into();
    client.post("/trace_logs", &json!(batch)).await;
    client.post("/trace_log", &log("0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0")).await;
    let update = json!({ "trace_id": "batch-3", "field_name_to_value_map": { "target": "t" } });
    let (status, _) = client.send("PUT", "/trace_log", update.to_string()).await;
    assert_eq!(status, 200);
    server
}

#[tokio::test]
async fn what_is_exported_beside_a_server_makes_the_same_store_elsewhere() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = filled(old.path()).await;
    let (from, to) = (old.path().to_str().unwrap(), new.path().to_str().unwrap());
    let (code, lines, said) = run(&["export", "--data", from], b"");
    assert_eq!((code, sorted(&lines).len()), (Some(0), 101), "{said}");
    assert!(said.contains("101 logs; `--after 101`"), "{said}");
    assert_eq!(run(&["export", "--data", from, "--after", "99"], b"").1.split(|byte| *byte == b'\n').count(), 3);

    let (code, _, said) = run(&["import", "--data", to], &lines);
    assert_eq!((code, said.trim()), (Some(0), "101 logs created, 0 merged, 0 already there, 0 lines refused"));
    let file = new.path().join("more.jsonl");
    fs::write(&file, [&lines[..], b"{\"trace_id\": 5}\n\n"].concat()).unwrap();
    let (code, _, said) = run(&["import", "--data", to, file.to_str().unwrap()], b"");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("line 102: ") && said.contains("101 already there, 1 lines refused"), "{said}");
    assert_eq!(sorted(&run(&["export", "--data", to], b"").1), sorted(&lines));

    let (code, _, said) = run(&["import", "--data", from], &lines);
    assert!(code == Some(1) && said.contains("in use by another parea"), "{said}");
    drop(server);
}

#[tokio::test]
async fn a_copy_made_beside_a_server_is_a_whole_store() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = filled(old.path()).await;
    let from = old.path().to_str().unwrap();
    let copy = new.path().join("parea.db");
    let (code, _, said) = run(&["backup", "--data", from, copy.to_str().unwrap()], b"");
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = run(&["backup", "--data", from, copy.to_str().unwrap()], b"");
    assert!(code == Some(1) && said.contains("parea.db"), "a copy is never written over: {said}");
    server.client().post("/trace_log", &log("later")).await;
    let restored = Process::serve(new.path());
    assert_eq!(restored.client().logs().await.len(), 101);
    let (_, answer) = restored.client().post("/search_trace_logs", &json!({ "query": "needle" })).await;
    assert_eq!(answer["results"][0]["trace_id"], "batch-7");
}

#[tokio::test]
async fn a_doctor_finds_what_is_wrong_and_mends_what_follows_from_logs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = filled(folder.path()).await;
    let doctor = |arguments: &[&str]| run(&[&["doctor", "--data", data], arguments].concat(), b"");
    let (code, _, said) = doctor(&[]);
    assert_eq!((code, said.trim()), (Some(0), "all is well"), "beside a server");
    let (code, _, said) = doctor(&["--repair"]);
    assert!(code == Some(1) && said.contains("in use by another parea"), "{said}");
    server.signal("TERM");
    server.wait();

    let damage = |sql: &str| {
        let conn = rusqlite::Connection::open(folder.path().join("parea.db")).unwrap();
        assert!(conn.execute(sql, []).unwrap() > 0, "{sql}");
    };
    for (sql, fault) in [
        ("UPDATE trace SET spans = spans + 1", "the sums of a trace"),
        ("DELETE FROM trace", "a log has no trace"),
        ("DELETE FROM word_list", "is not found by"),
        ("UPDATE term SET log = 1000000", "a word leads to no log"),
    ] {
        damage(sql);
        let (code, _, said) = doctor(&[]);
        assert!(code == Some(1) && said.contains(fault) && said.contains("--repair"), "{sql}: {said}");
        let (code, _, said) = doctor(&["--repair"]);
        assert_eq!((code, said.trim()), (Some(0), "all is well"), "{sql}");
    }
    damage("UPDATE block SET data = substr(data, 1, 100)");
    let (code, _, said) = doctor(&[]);
    assert!(code == Some(1) && said.contains("block"), "{said}");
}

#[tokio::test]
async fn what_is_erased_by_command_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = filled(folder.path()).await;
    let erase = |arguments: &[&str]| run(&[&["erase", "--data", data], arguments].concat(), b"");
    let (code, _, said) = erase(&["--trace", "batch-7"]);
    assert!(code == Some(1) && said.contains("in use by another parea"), "{said}");
    server.signal("TERM");
    server.wait();
    for arguments in [&[][..], &["--trace", "a", "--user", "b"], &["--before", "yesterday"]] {
        assert_eq!(erase(arguments).0, Some(2), "{arguments:?}");
    }
    assert_eq!(erase(&["--trace", "batch-7"]).2.trim(), "1 logs erased");
    assert_eq!(erase(&["--before", "2020-01-01T00:00:00Z"]).2.trim(), "0 logs erased");
    assert_eq!(erase(&["--project", "test"]).2.trim(), "100 logs erased");
    let (code, lines, _) = run(&["export", "--data", data], b"");
    assert_eq!((code, lines.len()), (Some(0), 0));
}
