//! What clients left in the folder while no server answered.

use std::{fs, path::Path, thread, time::Duration};

use serde_json::Value;

use crate::{client::log, health::get, process::Process};

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Returns when the spool holds just these files.
fn until(spool: &Path, left: &[&str]) {
    while names(spool) != left {
        thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn complete_files_are_taken_in_and_bad_lines_kept_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    fs::create_dir_all(&spool).unwrap();
    // The same log twice: the older file comes first, so that the newer one wins.
    let versioned = |output: &str| {
        let mut log = log("twice");
        log["output"] = output.into();
        log.to_string()
    };
    fs::write(spool.join("0002.ndjson"), format!("{}\n{}\n", log("b"), versioned("new"))).unwrap();
    let bad = r#"{"trace_id":"bad","start_timestamp":5,"project_name":"test"}"#;
    fs::write(spool.join("0001.ndjson"), format!("{}\nnonsense\n\n{bad}\n{}", log("a"), versioned("old"))).unwrap();
    fs::write(spool.join("0003.tmp"), log("not complete").to_string()).unwrap();

    let server = Process::serve(folder.path());
    until(&spool, &["0003.tmp"]);
    // While it runs, too.
    fs::rename(spool.join("0003.tmp"), spool.join("0003.ndjson")).unwrap();
    until(&spool, &[]);
    let client = server.client();
    assert_eq!(client.logs().await.len(), 4);
    assert_eq!(client.log("twice").await["output"], "new");

    let rejected = spool.join("rejected");
    assert_eq!(names(&rejected), ["0001.ndjson", "0001.reasons.ndjson"]);
    assert_eq!(fs::read_to_string(rejected.join("0001.ndjson")).unwrap(), format!("nonsense\n{bad}\n"));
    let reasons = fs::read_to_string(rejected.join("0001.reasons.ndjson")).unwrap();
    let reasons: Vec<Value> = reasons.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&reasons[0]["index"], &reasons[1]["index"], &reasons[1]["trace_id"]),
        (&1.into(), &3.into(), &"bad".into())
    );
    assert_eq!(reasons[1]["detail"][0]["loc"][2], "start_timestamp");

    // A later file of the same name overwrites nothing.
    fs::write(spool.join("0001.ndjson"), "other nonsense").unwrap();
    until(&spool, &[]);
    assert_eq!(names(&rejected).len(), 4);
    server.signal("TERM");
    let (status, stderr) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(stderr.contains("2 lines") && stderr.contains("rejected/0001.ndjson"), "{stderr}");
}

#[tokio::test]
async fn what_a_client_still_holds_is_left_to_it_until_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    fs::create_dir_all(&spool).unwrap();
    for (name, id) in [("0001.open", "held"), ("0002.open", "orphan"), ("0003.ndjson", "being sent")] {
        fs::write(spool.join(name), format!("{}\n", log(id))).unwrap();
    }
    let held = ["0001.open", "0003.ndjson"].map(|name| {
        let file = fs::File::open(spool.join(name)).unwrap();
        file.lock().unwrap();
        file
    });

    let server = Process::serve(folder.path());
    until(&spool, &["0001.open", "0003.ndjson"]);
    let client = server.client();
    assert_eq!(client.logs().await.len(), 1);
    // As a process does that ends in whatever way.
    drop(held);
    until(&spool, &[]);
    assert_eq!(client.logs().await.len(), 3);
}

#[tokio::test]
async fn losses_that_clients_left_are_added_to_their_projects_and_one_file_held_by_a_client_waits() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    fs::create_dir_all(&spool).unwrap();
    let losses = r#"{"losses": [{"project_name": "one", "counts": {"queue_full": 12, "too_large": 1}}, {"counts": {"damaged": 2}}]}"#;
    fs::write(spool.join("losses.json"), losses).unwrap();
    fs::write(spool.join("losses-1-1.json"), losses).unwrap();
    // Lines that a client gave up: it has kept the one report, and died before it could keep the other.
    let kept = r#"{"losses": [{"project_name": "one", "counts": {"rejected": 5}, "id": "a-1"}]}"#;
    fs::write(spool.join("losses-1-2.json"), kept).unwrap();
    let lines = "#a-1 rejected d\":\"x\"}\n{\"trace_id\": \"x\", \"project_name\": \"one\"}\n#a-2 too_large \"}\n";
    fs::write(spool.join("1-1.ndjson"), lines).unwrap();
    fs::write(spool.join("losses-2-2.json"), r#"{"losses": [{"proj"#).unwrap();
    let held = fs::File::options().write(true).open(spool.join("losses-1-1.json")).unwrap();
    held.lock().unwrap();
    let server = Process::serve(folder.path());
    until(&spool, &["losses-1-1.json"]);
    drop(held);
    until(&spool, &[]);
    let (_, figures) = get(&format!("http://{}/metrics", server.address()), None).await;
    for (reason, count) in [("queue_full", 24), ("too_large", 3), ("damaged", 4), ("rejected", 5)] {
        let figure = format!("{{reason=\"{reason}\"}} {count}\n");
        assert!(figures.contains(&figure), "{figure} in {figures}");
    }
}
