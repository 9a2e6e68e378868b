//! What is erased is gone: from answers, from the file's bytes, and for good.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{io::Read, path::Path};

use parea_store::{
    Catalog, Count, Erasure, LogFilter, Logs, Outcome, Patch, Scope, SqliteStore, StoreFile, text::TextQuery,
};
use serde_json::{Value, json};

/// A span of one of many traces; those of `ada` say things that stand nowhere else.
fn span(trace: u32, span: u32) -> Value {
    let root = format!("{trace:08x}-0000-4000-8000-000000000000");
    let id = if span == 0 { root.clone() } else { format!("{trace:08x}-0000-4000-8000-00000000000{span}") };
    let user = if trace.is_multiple_of(10) { "ada-lovelace" } else { "bob" };
    json!({
        "trace_id": id, "root_trace_id": root, "parent_trace_id": root, "project_name": if trace % 4 == 1 { "q" } else { "p" },
        "start_timestamp": format!("2024-05-{:02} 13:48:34", 1 + trace % 30), "trace_name": "step",
        "end_user_identifier": if span == 1 { Some(user) } else { None },
        "output": if user == "bob" { format!("usual words {trace}") } else { format!("analytical{trace} engine usual words") },
        "metadata": {"secret": if user == "bob" { "none" } else { "difference-engine" }},
    })
}

fn post(log: &Value) -> Patch {
    Patch::Post(Box::new(serde_json::from_value(log.clone()).unwrap()))
}

/// A hundred traces of three: most in batches, some one by one, some changed afterwards.
async fn fill(folder: &Path) {
    let store = SqliteStore::open(folder).unwrap();
    let traces: Vec<Value> = (0..100).flat_map(|trace| (0..3).map(move |place| span(trace, place))).collect();
    for batch in traces[..270].chunks(90) {
        store.commit(batch.iter().map(post).collect()).await.unwrap();
    }
    for log in &traces[270..] {
        store.commit(vec![post(log)]).await.unwrap();
    }
    for log in [span(10, 0), span(90, 0)] {
        let update = json!({"trace_id": log["trace_id"], "field_name_to_value_map": {"target": "analytical target"}});
        store.commit(vec![Patch::Put(serde_json::from_value(update).unwrap())]).await.unwrap();
    }
    store.close().await;
}

async fn count(store: &SqliteStore) -> Count {
    store.count(&Scope::default(), &LogFilter::default(), 10_000).await.unwrap()
}

/// Whether some text stands anywhere in the folder's files: as it is, in what any zstd frame in them holds, whole or cut
/// off, or in its logs.
fn says(folder: &Path, text: &str) -> bool {
    let has = |bytes: &[u8]| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let in_bytes = files.into_iter().any(|bytes| {
        let mut frames = memchr::memmem::find_iter(&bytes, b"\x28\xb5\x2f\xfd");
        has(&bytes) || frames.any(|begin| has(&unpacked(&bytes[begin..])))
    });
    let conn = rusqlite::Connection::open(folder.join("parea.db")).unwrap();
    let mut blocks = conn.prepare("SELECT data FROM block").unwrap();
    let mut blocks = blocks.query([]).unwrap();
    let mut in_blocks = false;
    while let Some(row) = blocks.next().unwrap() {
        in_blocks |= has(&unpacked(&row.get_ref(0).unwrap().as_blob().unwrap()[1..]));
    }
    let logs = StoreFile::open(folder).unwrap().logs(0, 10_000).unwrap();
    let in_logs = logs.iter().any(|exported| serde_json::to_string(&exported.log).unwrap().contains(text));
    in_bytes || in_blocks || in_logs
}

/// What can be read of a frame.
fn unpacked(frame: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    if let Ok(mut decoder) = zstd::stream::Decoder::new(frame) {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = decoder.read(&mut part) {
            text.extend_from_slice(&part[..length]);
        }
    }
    text
}

/// How many words lead to a block, by what the index says of each.
fn leads(folder: &Path) -> i64 {
    let conn = rusqlite::Connection::open(folder.join("parea.db")).unwrap();
    let sql = "SELECT (SELECT total(length(hashes)) FROM word_list) + (SELECT total(length(data)) FROM posting)";
    conn.query_row(sql, [], |row| row.get::<_, f64>(0)).unwrap() as i64
}

fn assert_sound(folder: &Path) {
    assert_eq!(StoreFile::open(folder).unwrap().check(10).unwrap(), [""; 0]);
}

async fn erase(store: &SqliteStore, what: Erasure) -> u64 {
    store.erase(&what).await.unwrap()
}

#[tokio::test]
async fn a_user_is_forgotten_by_every_byte_and_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path()).await;
    let texts = ["ada-lovelace", "lovelace", "analytical", "difference", "00000046-0000-4000-8000-000000000002"];
    for text in texts {
        assert!(says(folder.path(), text), "{text}");
    }
    let before = leads(folder.path());
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(erase(&store, Erasure::User("ada-lovelace".to_owned())).await, 30);
    // As it is when the call returns, with the store still open.
    for text in texts {
        assert!(!says(folder.path(), text), "{text}");
    }
    assert!(
        !holds(folder.path(), &[0x00, 0x00, 0x00, 0x46, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 2]),
        "the id as bytes"
    );
    assert!(leads(folder.path()) < before);
    assert_sound(folder.path());

    assert_eq!(count(&store).await, Count::Exact(270));
    let kept = TextQuery::parse("usual words 77").unwrap();
    let found = store.text(&Scope::default(), &kept, &LogFilter::default(), None, 10).await.unwrap();
    assert_eq!(found.rows.len(), 3);
    // By parts of words, which are looked for among the spelled.
    let part = TextQuery::parse("*sual*").unwrap();
    let found = store.text(&Scope::default(), &part, &LogFilter::default(), None, 10).await.unwrap();
    assert_eq!(found.rows.len(), 10);
    // What a client still has of it: the same again, more of it, and changes.
    let late = span(10, 7);
    let update = json!({"trace_id": span(90, 2)["trace_id"], "field_name_to_value_map": {"output": "analytical"}});
    let again = vec![post(&span(10, 0)), post(&late), Patch::Put(serde_json::from_value(update).unwrap())];
    assert_eq!(store.commit(again).await.unwrap().outcomes, [Outcome::Unchanged; 3]);
    assert_eq!(count(&store).await, Count::Exact(270));
    store.close().await;
    assert!(!says(folder.path(), "analytical"));
}

/// Whether some bytes stand in the database.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    memchr::memmem::find(&std::fs::read(folder.join("parea.db")).unwrap(), bytes).is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_write_and_read_while_a_user_is_erased() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path()).await;
    let store = SqliteStore::open(folder.path()).unwrap();
    let going_on = std::sync::Arc::new(());
    let writer = tokio::spawn({
        let (store, going_on) = (store.clone(), std::sync::Arc::clone(&going_on));
        async move {
            let mut number = 1_000;
            while std::sync::Arc::strong_count(&going_on) > 2 || number < 1_100 {
                // None of them is a multiple of ten, so none is Ada's.
                number += if number % 10 == 9 { 2 } else { 1 };
                let logs = (0..3).map(|place| post(&span(number, place))).collect();
                store.commit(logs).await.unwrap();
            }
            number
        }
    });
    let waiting = std::sync::Arc::clone(&going_on);
    assert_eq!(erase(&store, Erasure::User("ada-lovelace".to_owned())).await, 30);
    for text in ["ada-lovelace", "analytical", "difference"] {
        assert!(!says(folder.path(), text), "{text}");
    }
    drop(waiting);
    let last = writer.await.unwrap();
    drop(going_on);
    assert_sound(folder.path());
    let root = span(last, 0)["trace_id"].as_str().unwrap().to_owned();
    assert_eq!(store.trace(&root).await.unwrap().len(), 3);
    // What was written while words were forgotten is found, by parts as well.
    let part = TextQuery::parse(&format!("{last} *sua*")).unwrap();
    let found = store.text(&Scope::default(), &part, &LogFilter::default(), None, 10).await.unwrap();
    assert_eq!(found.rows.len(), 3);
    store.close().await;
    assert_sound(folder.path());
}

/// Words that go with some logs and come again with others, while several erasures look at what is left: each log that
/// stays is found by all of its words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasures_beside_one_another_forget_no_word_that_is_used() {
    const TASKS: usize = 6;
    const ROUNDS: usize = 5;
    const WORDS: usize = TASKS * ROUNDS * 16;
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let batch = |root: &str, name: &str, words: std::ops::Range<usize>| {
        let logs = words.map(|word| {
            post(&json!({ "trace_id": format!("{root}-{word}"), "root_trace_id": root, "project_name": "p",
                "start_timestamp": "2024-05-30 13:48:34", "output": format!("{name}{word}") }))
        });
        logs.collect::<Vec<Patch>>()
    };
    let tasks = (0..TASKS).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                // All words come with what goes, a few at a time, and each comes once with what stays.
                let goes = format!("goes-{task}-{round}");
                for words in (0..WORDS).step_by(16) {
                    store.commit(batch(&goes, "word", words..words + 16)).await.unwrap();
                }
                assert_eq!(store.erase(&Erasure::Trace(goes)).await.unwrap(), WORDS as u64);
                let own = (task * ROUNDS + round) * 16;
                store.commit(batch(&format!("stays-{task}-{round}"), "word", own..own + 16)).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(count(&store).await, Count::Exact(WORDS as u64));
    assert_sound(folder.path());
    store.close().await;
}

#[tokio::test]
async fn a_trace_goes_as_a_whole_and_a_project_with_all_it_has() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path()).await;
    let inner = span(33, 2)["trace_id"].as_str().unwrap().to_owned();
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(erase(&store, Erasure::Trace(inner.clone())).await, 3, "also by a log that is not its root");
    assert_eq!(erase(&store, Erasure::Trace(inner)).await, 0);
    assert_eq!(erase(&store, Erasure::Trace("unknown".to_owned())).await, 0);
    assert_eq!(erase(&store, Erasure::Project("q".to_owned())).await, 24 * 3);
    store.close().await;
    assert_sound(folder.path());
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(count(&store).await, Count::Exact(300 - 3 - 24 * 3));
    store.commit(vec![post(&span(1, 0))]).await.unwrap();
    assert_eq!(count(&store).await, Count::Exact(300 - 3 - 24 * 3), "its name is known, and so is the log");
}

/// Updates of logs that never came, and the datasets of a project, are erased as well.
#[tokio::test]
async fn what_stands_beside_logs_is_erased_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let project = store.project("q").await.unwrap().0.uuid;
    let update = |id: &str, user: &str, said: &str| {
        let fields = json!({"end_user_identifier": user, "output": said});
        serde_json::from_value(json!({"trace_id": id, "field_name_to_value_map": fields})).unwrap()
    };
    let patches = vec![
        Patch::Put(update("by id", "bob", "waiting-for-id")),
        Patch::Put(update("by user", "ada", "waiting-for-user")),
        Patch::PutIn(project.clone(), update("by project", "bob", "waiting-for-project")),
        Patch::Put(update("stays", "bob", "waiting-for-good")),
    ];
    store.commit(patches).await.unwrap();
    for (project, said) in [(Some(project), "rows-of-q"), (None, "rows-of-all")] {
        let row =
            json!({"name": said, "column_names": ["c"], "test_cases": [{"inputs": {"c": format!("case of {said}")}}]});
        store.create_dataset(&Scope { project }, serde_json::from_value(row).unwrap()).await.unwrap();
    }
    for what in [Erasure::Trace("by id".to_owned()), Erasure::User("ada".to_owned()), Erasure::Project("q".to_owned())]
    {
        assert_eq!(erase(&store, what).await, 0);
    }
    // Counted right, or the next one would be given up.
    store
        .commit(vec![post(
            &json!({"trace_id": "stays", "project_name": "p", "start_timestamp": "2024-05-30 13:48:34"}),
        )])
        .await
        .unwrap();
    assert_eq!(store.tree("stays").await.unwrap().unwrap().log.output.as_deref(), Some("waiting-for-good"));
    store.close().await;
    for gone in ["waiting-for-id", "waiting-for-user", "waiting-for-project", "rows-of-q"] {
        assert!(!says(folder.path(), gone), "{gone}");
    }
    assert!(says(folder.path(), "case of rows-of-all"));
    assert_sound(folder.path());
}
