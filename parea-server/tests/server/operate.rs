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
    batch[9]["cost"] = 0.5.into();
    client.post("/trace_logs", &json!(batch)).await;
    client.post("/trace_log", &log("0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0")).await;
    let update = json!({ "trace_id": "batch-3", "field_name_to_value_map": { "target": "t", "scores": [{ "name": "late", "score": 1 }] } });
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

    // A server that runs on the folder takes in itself, and tells what is wrong.
    let more = [&lines[..], log("more").to_string().as_bytes(), b"\nno log\n"].concat();
    let (code, _, said) = run(&["import", "--data", from], &more);
    assert!(code == Some(1) && said.contains("line 103: ") && said.contains("1 logs created"), "{said}");
    assert_eq!(server.client().log("more").await["trace_id"], "more");
    // Without its socket it cannot be asked.
    fs::remove_file(old.path().join("parea.sock")).unwrap();
    let (code, _, said) = run(&["import", "--data", from], &lines);
    assert!(code == Some(1) && said.contains("in use by another parea"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_beside_a_server_at_work_is_a_whole_store() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = filled(old.path()).await;
    let from = old.path().to_str().unwrap();
    let copy = new.path().join("parea.db");
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let load = tokio::spawn(crate::crash::load(server.client(), "load".into(), sender));
    let mut acknowledged = std::collections::BTreeSet::new();
    for _ in 0..500 {
        acknowledged.insert(receiver.recv().await.unwrap());
    }
    let arguments = ["backup", "--data", from, copy.to_str().unwrap()].map(str::to_owned);
    let backup = tokio::task::spawn_blocking(move || run(&arguments.each_ref().map(String::as_str), b""));
    let (code, _, said) = backup.await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    drop(receiver);
    load.await.unwrap();
    let (code, _, said) = run(&["backup", "--data", from, copy.to_str().unwrap()], b"");
    assert!(code == Some(1) && said.contains("parea.db"), "a copy is never written over: {said}");
    server.client().post("/trace_log", &log("later")).await;
    let restored = Process::serve(new.path());
    // All from before it began, and whatever came while it was made.
    crate::crash::check(new.path(), &acknowledged);
    assert_eq!(restored.client().log("later").await, Value::Null);
    for (query, id) in [("needle", "batch-7"), ("named", "batch-8")] {
        let (_, answer) = restored.client().post("/search_trace_logs", &json!({ "query": query })).await;
        assert_eq!(answer["results"][0]["trace_id"], id);
    }
    assert_eq!(restored.client().log("batch-3").await, server.client().log("batch-3").await);
    // Without a server.
    server.signal("TERM");
    server.wait();
    let copy = new.path().join("other.db");
    assert_eq!(run(&["backup", "--data", from, copy.to_str().unwrap()], b"").0, Some(0));
    assert!(fs::metadata(copy).unwrap().len() > 0);
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
    let all = exported(folder.path());
    for (sql, fault) in [
        ("UPDATE trace SET spans = spans + 1", "the sums of a trace"),
        ("UPDATE trace SET cost = 17", "the cost of a trace"),
        ("UPDATE trace SET name = 'x', output_preview = 'y'", "what lists show of its trace"),
        ("DELETE FROM trace", "a log has no trace"),
        ("DELETE FROM word_list", "is not found by"),
        ("DELETE FROM spelling", "is not found by parts"),
        ("INSERT INTO posting VALUES (12800, x'00')", "a part of the index of words belongs to nothing"),
        ("UPDATE term SET log = 1000000", "a word leads to no log"),
        ("DELETE FROM term", "is not found by 1 of its names"),
        ("UPDATE history SET arrivals = 3", "the count of arrivals is behind"),
        ("UPDATE history SET words = 0", "the count of words is behind"),
        ("UPDATE log SET execution_order = 7", "its row is not that of its value"),
        ("UPDATE log SET trace_id = 'batch-x' WHERE trace_id = 'batch-9'", "its row is not that of its value"),
        ("DELETE FROM log WHERE trace_id = 'batch-9'", "which has no row"),
        ("DELETE FROM log WHERE typeof(trace_id) = 'blob'", "a value has no log"),
        ("UPDATE doc SET block = 12345 WHERE block IS NULL", "disagree on their block"),
        ("UPDATE late SET block = 12345", "something later was said"),
        ("DELETE FROM score WHERE log IN (SELECT log FROM late)", "is not found by 1 of its"),
        ("DELETE FROM project", "project is missing"),
    ] {
        let before = fs::read(folder.path().join("parea.db")).unwrap();
        damage(sql);
        let (code, _, said) = doctor(&[]);
        assert!(code == Some(1) && said.contains(fault) && said.contains("--repair"), "{sql}: {said}");
        let (code, _, said) = doctor(&["--repair"]);
        assert_eq!((code, said.trim()), (Some(0), "all is well"), "{sql}");
        if fault == "project is missing" {
            fs::write(folder.path().join("parea.db"), before).unwrap();
        } else {
            assert_eq!(exported(folder.path()), all, "{sql}");
        }
    }
    damage("UPDATE block SET data = substr(data, 1, 100)");
    let (code, _, said) = doctor(&[]);
    assert!(code == Some(1) && said.contains("block"), "{said}");
    // What else is wrong is mended beside it.
    damage("DELETE FROM trace");
    let (code, _, said) = doctor(&["--repair"]);
    assert!(
        code == Some(1) && said.contains("block") && !said.contains("no trace") && said.contains("backup"),
        "{said}"
    );
}

/// Pages of the file that say nothing any more, each in turn, and bits that turned: the doctor tells, never fails, and says
/// what can be done; what can still be read is written out, and kept in a new file.
#[tokio::test]
async fn what_a_damaged_file_still_holds_is_found_and_kept() {
    const PAGE: usize = 8192;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = filled(folder.path()).await;
    let client = server.client();
    client
        .post(
            "/collection",
            &json!({ "name": "rows", "column_names": ["q"], "test_cases": [{ "inputs": { "q": "1" } }] }),
        )
        .await;
    server.signal("TERM");
    server.wait();
    let file = folder.path().join("parea.db");
    let sound = fs::read(&file).unwrap();
    let all = exported(folder.path());
    let pages = (1..sound.len() / PAGE).step_by(3).map(|page| {
        let mut damaged = sound.clone();
        damaged[page * PAGE..(page + 1) * PAGE].fill(0x5a);
        (format!("page {page}"), damaged)
    });
    // Every few thousand bytes one has another bit; the places differ from case to case.
    let bits = (0..8).map(|case| {
        let mut damaged = sound.clone();
        for place in (PAGE + 997 * case..sound.len()).step_by(40_009) {
            damaged[place] ^= 1 << case;
        }
        (format!("bits of case {case}"), damaged)
    });
    let ends =
        [2, 5].map(|part| (format!("the last of {part} parts"), sound[..sound.len() / part * (part - 1)].to_vec()));
    let (mut told, mut beyond, mut whole) = (0, 0, 0);
    for (case, damaged) in pages.chain(bits).chain(ends) {
        fs::write(&file, &damaged).unwrap();
        let (code, _, said) = run(&["doctor", "--data", data], b"");
        assert!(!said.contains("panicked") && !said.trim().is_empty(), "{case}: {said}");
        // Some pages are free.
        assert!(code == Some(1) || said.trim() == "all is well", "{case}: {said}");
        told += usize::from(code == Some(1));
        let (code, lines, said) = run(&["export", "--data", data], b"");
        assert!(matches!(code, Some(0 | 1)) && !said.contains("panicked"), "{case}: {said}");
        let found = sorted(&lines).len();
        assert!(
            code == Some(0) || said.contains("cannot be read") || said.contains("restore a backup"),
            "{case}: {said}"
        );
        let (code, _, said) = run(&["doctor", "--data", data, "--repair"], b"");
        assert!(matches!(code, Some(0 | 1)) && !said.contains("panicked"), "{case}: {said}");
        if said.contains("damaged (") {
            assert!(said.contains("restore a backup") && said.contains("--salvage"), "{case}: {said}");
            beyond += 1;
        }

        fs::write(&file, &damaged).unwrap();
        let (code, _, said) = run(&["doctor", "--data", data, "--salvage"], b"");
        assert!(matches!(code, Some(0 | 1)) && !said.contains("panicked"), "{case}: {said}");
        if !said.contains("all is well") {
            assert!(said.contains("restore a backup") && fs::read(&file).unwrap() == damaged, "{case}: {said}");
            continue;
        }
        assert!(fs::read(folder.path().join("parea.db.damaged")).unwrap() == damaged, "{case}: it is kept");
        fs::remove_file(folder.path().join("parea.db.damaged")).unwrap();
        let kept = exported(folder.path());
        assert!(kept.len() >= found, "{case}: {found} could be read, {} are kept: {said}", kept.len());
        // What is not said to be lost is there.
        if code == Some(0) {
            assert_eq!(kept.len(), all.len(), "{case}: {said}");
            whole += 1;
        }
    }
    assert!(told > 5 && beyond > 3 && whole > 5, "{told} told, {beyond} beyond repair, {whole} kept whole");
    // The new file is one like any other.
    fs::write(&file, &sound).unwrap();
    let (code, _, said) = run(&["doctor", "--data", data, "--salvage"], b"");
    assert!(code == Some(0) && said.contains("all is well"), "{said}");
    assert_eq!(exported(folder.path()), all);
    let client = Process::serve(folder.path());
    assert_eq!(client.client().get("/collection/rows").await.1["test_cases"]["1"]["inputs"]["q"], "1");
    let (_, answer) = client.client().post("/search_trace_logs", &json!({ "query": "needle" })).await;
    assert_eq!(answer["results"][0]["trace_id"], "batch-7");
}

#[tokio::test]
async fn what_is_erased_by_command_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = filled(folder.path()).await;
    let erase = |arguments: &[&str]| run(&[&["erase", "--data", data], arguments].concat(), b"");
    // Beside a server, which goes on.
    assert_eq!(erase(&["--trace", "batch-7"]).2.trim(), "1 log erased");
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|path| path.extension().is_some_and(|ending| ending != "sock")) {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"needle"), "{}", file.display());
    }
    assert_eq!(server.client().log("batch-7").await, Value::Null);
    assert_eq!(
        server.client().post("/trace_log", &log("batch-7")).await.0,
        200,
        "a client that has it still is not in the wrong"
    );
    assert_eq!(server.client().log("batch-7").await, Value::Null);
    server.signal("TERM");
    server.wait();
    assert!(!folder.path().join("parea.sock").exists());
    for arguments in [&[][..], &["--trace", "a", "--user", "b"]] {
        assert_eq!(erase(arguments).0, Some(2), "{arguments:?}");
    }
    assert_eq!(erase(&["--project", "test"]).2.trim(), "100 logs erased");
    // In a folder that is not the server's nobody was erased, and nothing is made there.
    let elsewhere = folder.path().join("elsewhere");
    let (code, _, said) = run(&["erase", "--data", elsewhere.to_str().unwrap(), "--user", "ann"], b"");
    assert_eq!((code, elsewhere.exists()), (Some(1), false), "{said}");
    assert!(said.contains("there is no parea database at"), "{said}");
    let (code, lines, _) = run(&["export", "--data", data], b"");
    assert_eq!((code, lines.len()), (Some(0), 0));
}

/// A log of some days ago.
fn aged(id: &str, days: i64) -> Value {
    let mut log = log(id);
    let started = chrono::Utc::now() - chrono::Duration::days(days);
    log["start_timestamp"] = started.format("%Y-%m-%d %H:%M:%S").to_string().into();
    log
}

#[tokio::test]
async fn a_server_lets_go_of_what_its_settings_do_not_keep() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = Process::serve(folder.path());
    let client = server.client();
    for (id, days) in [("old", 40), ("judged", 40), ("young", 1)] {
        assert_eq!(client.post("/trace_log", &aged(id, days)).await.0, 200);
    }
    assert_eq!(client.post("/feedback", &json!({ "trace_id": "judged", "score": 1.0 })).await.0, 200);
    let retain = |arguments: &[&str]| run(&[&["retain", "--data", data], arguments].concat(), b"");
    assert!(retain(&[]).2.contains("everything is kept"));
    assert_eq!(retain(&["--keep", "soon"]).0, Some(2));
    let (code, _, said) = retain(&["--keep", "30 d", "--dry-run"]);
    assert!(code == Some(0) && said.contains("test: 1 trace, 1 log") && said.contains("1 old trace kept"), "{said}");
    assert!(retain(&["--keep", "30 d", "--keep-project", "test=forever", "--dry-run"]).2.contains("0 traces"));
    assert_eq!(client.logs().await.len(), 3, "a dry run leaves everything");
    // By the command, which has the server do it.
    let (code, _, said) = retain(&["--keep", "30 d"]);
    assert!(code == Some(0) && said.contains("1 trace, 1 log went"), "{said}");
    assert_eq!(client.logs().await.len(), 2);
    // By the server's own settings.
    assert_eq!(client.post("/trace_log", &aged("old again", 20)).await.0, 200);
    server.signal("TERM");
    server.wait();
    fs::write(folder.path().join("parea.toml"), "keep = \"10 d\"\n").unwrap();
    let server = Process::serve(folder.path());
    let mut left = 3;
    while left == 3 {
        left = server.client().logs().await.len();
    }
    assert_eq!(left, 2);
    server.signal("TERM");
    let (status, said) = server.wait();
    assert!(status.success() && said.contains("retention let go of 1 traces, 1 logs"), "{said}");
    assert_eq!(run(&["doctor", "--data", data], b"").0, Some(0));
}

/// All that a folder exports, by id, however it does so.
fn exported(data: &Path) -> Vec<Value> {
    sorted(&run(&["export", "--data", data.to_str().unwrap()], b"").1)
}

#[tokio::test]
async fn tables_hold_all_of_a_log() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = filled(old.path()).await;
    let mut rich = log("rich");
    let more = json!({
        "root_trace_id": "r", "parent_trace_id": "p", "trace_name": "név", "end_timestamp": "2024-05-30 13:48:34.123456",
        "latency": 0.25, "depth": 2, "execution_order": 3, "inputs": {"a": [1, {"b": null}]}, "output": "[1]", "target": "",
        "status": "error", "error": "e", "configuration": {"model": "m", "model_params": {"temp": 0.5}},
        "input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "cost": 0.1, "time_to_first_token": 0.2, "cache_hit": true,
        "deployment_id": "d", "scores": [{"name": "s", "score": 1.0, "reason": "r"}], "metadata": {"k": "v", "n": 1.5},
        "tags": ["a", "b"], "end_user_identifier": "u", "session_id": "s", "feedback_score": 0.5, "log_sample_rate": 1.0,
        "images": [{"url": "http://x/y.png", "caption": null}], "experiment_uuid": "e", "apply_eval_frac": 0.5,
    });
    rich.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(server.client().post("/trace_log", &rich).await.0, 200);
    let tables = new.path().join("tables");
    let (from, tables) = (old.path().to_str().unwrap(), tables.to_str().unwrap());
    let to_tables = ["export", "--data", from, "--format", "parquet", "--to", tables];
    let (code, _, said) = run(&to_tables, b"");
    assert!(code == Some(0) && said.contains("102 logs"), "{said}");
    // What comes later goes into a table of its own.
    assert_eq!(server.client().post("/trace_log", &log("later")).await.0, 200);
    assert!(run(&to_tables, b"").2.contains("1 log "));
    assert_eq!(fs::read_dir(tables).unwrap().count(), 2);
    let data = new.path().join("data");
    let (code, _, said) = run(&["import", "--data", data.to_str().unwrap(), tables], b"");
    assert_eq!((code, said.trim()), (Some(0), "103 logs created, 0 merged, 0 already there, 0 lines refused"));
    assert_eq!(exported(&data), exported(old.path()));
    // As one table on stdout.
    let one = new.path().join("one.parquet");
    fs::write(&one, run(&["export", "--data", from, "--format", "parquet"], b"").1).unwrap();
    let (code, _, said) = run(&["import", "--data", data.to_str().unwrap(), one.to_str().unwrap()], b"");
    assert!(code == Some(0) && said.contains("103 already there"), "{said}");
}

/// Kills a command again and again, a little later each time, until it ends by itself. How often it was killed.
fn until_done(arguments: &[&str], mut pause: std::time::Duration) -> u32 {
    for kills in 0.. {
        let mut child = command(arguments).spawn().unwrap();
        std::thread::sleep(pause);
        pause += pause / 8;
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return kills;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    unreachable!()
}

#[tokio::test]
async fn what_is_broken_off_goes_on_without_holes_or_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old");
    let server = Process::serve(&old);
    for part in 0..12 {
        let batch: Vec<Value> = (0..1000).map(|n| log(&format!("{part}-{n}"))).collect();
        assert_eq!(server.client().post("/trace_logs", &json!(batch)).await.0, 200);
    }
    server.signal("TERM");
    server.wait();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (from, lines, tables) = (path("old"), path("logs.jsonl"), path("tables"));
    let pause = std::time::Duration::from_millis(40);
    let mut kills = until_done(&["export", "--data", &from, "--to", &lines], pause);
    kills += until_done(&["export", "--data", &from, "--format", "parquet", "--to", &tables], pause * 4);
    let expected = exported(&old);
    assert_eq!(expected.len(), 12_000);
    assert_eq!(sorted(&fs::read(&lines).unwrap()), expected);
    for source in [&lines, &tables] {
        let new = tempfile::tempdir().unwrap();
        kills += until_done(&["import", "--data", new.path().to_str().unwrap(), source], pause * 3);
        assert_eq!(exported(new.path()), expected);
        let left: Vec<_> = fs::read_dir(new.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_str().unwrap().contains("progress")), "{left:?}");
    }
    assert!(kills > 3, "it was never broken off");
    let partial = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert!(!partial.iter().any(|name| name.to_str().unwrap().contains(".p")), "{partial:?}");
}

/// Who may read a file or folder, and write it.
#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
}

#[cfg(unix)]
#[tokio::test]
async fn what_users_said_is_for_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    // The first step of a server that others reach.
    let data = folder.path().join("new");
    assert_eq!(run(&["key", "list", "--data", data.to_str().unwrap()], b"").0, Some(0));
    assert!(!data.exists(), "a list makes nothing");
    assert_eq!(run(&["key", "create", "--data", data.to_str().unwrap()], b"").0, Some(0));
    assert_eq!(mode(&data), 0o700);
    // A folder that was there, and that everyone may look into.
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let server = Process::serve(&open);
    assert_eq!(server.client().post("/trace_log", &log("a")).await.0, 200);
    for entry in fs::read_dir(&open).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        assert_eq!(mode(&entry), 0o600, "{}", entry.display());
    }
    assert_eq!(mode(&open), 0o755, "a folder that was there stays as it is");
}
