//! What is erased is gone: from answers, from the file's bytes, and for good.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use parea_store::{
    After, Count, Erasure, LogFilter, Logs, Outcome, Patch, Scope, SqliteStore, StoreFile, text::TextQuery,
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

/// Whether some text stands anywhere in the folder's files or in its logs.
fn says(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let in_bytes = files.into_iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()));
    let logs = StoreFile::open(folder).unwrap().logs(0, 10_000).unwrap();
    in_bytes || logs.iter().any(|exported| serde_json::to_string(&exported.log).unwrap().contains(text))
}

fn assert_sound(folder: &Path) {
    assert_eq!(StoreFile::open(folder).unwrap().check(10).unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_user_is_forgotten_by_every_byte_and_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path()).await;
    for text in ["ada-lovelace", "analytical", "difference"] {
        assert!(says(folder.path(), text), "{text}");
    }
    assert_eq!(SqliteStore::erase(folder.path(), &Erasure::User("ada-lovelace".to_owned())).unwrap(), 30);
    for text in ["ada-lovelace", "lovelace", "analytical", "difference"] {
        assert!(!says(folder.path(), text), "{text}");
    }
    assert_sound(folder.path());

    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(count(&store).await, Count::Exact(270));
    let kept = TextQuery::parse("usual words 77").unwrap();
    let found = store.text(&Scope::default(), &kept, &LogFilter::default(), None, 10).await.unwrap();
    assert_eq!(found.rows.len(), 3);
    // What a client still has of it: the same again, more of it, and changes.
    let late = span(10, 7);
    let update = json!({"trace_id": span(90, 2)["trace_id"], "field_name_to_value_map": {"output": "analytical"}});
    let again = vec![post(&span(10, 0)), post(&late), Patch::Put(serde_json::from_value(update).unwrap())];
    assert_eq!(store.commit(again).await.unwrap().outcomes, [Outcome::Unchanged; 3]);
    assert_eq!(count(&store).await, Count::Exact(270));
    store.close().await;
    assert!(!says(folder.path(), "analytical"));
}

#[tokio::test]
async fn a_trace_goes_as_a_whole_and_a_project_with_all_it_has() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path()).await;
    let inner = span(33, 2)["trace_id"].as_str().unwrap().to_owned();
    let erase = |what: &Erasure| SqliteStore::erase(folder.path(), what).unwrap();
    assert_eq!(erase(&Erasure::Trace(inner.clone())), 3, "also by a log that is not its root");
    assert_eq!(erase(&Erasure::Trace(inner)), 0);
    assert_eq!(erase(&Erasure::Trace("unknown".to_owned())), 0);
    assert_eq!(erase(&Erasure::Project("q".to_owned())), 24 * 3);
    assert_sound(folder.path());
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(count(&store).await, Count::Exact(300 - 3 - 24 * 3));
    store.commit(vec![post(&span(1, 0))]).await.unwrap();
    assert_eq!(count(&store).await, Count::Exact(300 - 3 - 24 * 3), "its name is known, and so is the log");
}

#[tokio::test]
async fn what_is_old_goes_unless_someone_may_come_back_to_it() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path()).await;
    {
        let store = SqliteStore::open(folder.path()).unwrap();
        let mut run = span(0, 1);
        run["experiment_uuid"] = "e".into();
        let judged = json!({"trace_id": span(30, 2)["trace_id"], "field_name_to_value_map": {"feedback_score": 0.0}});
        let judged = Patch::Put(serde_json::from_value(judged).unwrap());
        store.commit(vec![post(&run), judged]).await.unwrap();
        store.close().await;
    }
    // Traces 0, 30, 60 and 90 are of the first of May.
    let before = Erasure::Before("2024-05-02 00:00:00".parse().unwrap());
    assert_eq!(SqliteStore::erase(folder.path(), &before).unwrap(), 6);
    assert_sound(folder.path());
    let store = SqliteStore::open(folder.path()).unwrap();
    for (trace, is_kept) in [(0, true), (30, true), (60, false), (90, false), (1, true)] {
        let root = span(trace, 0)["trace_id"].as_str().unwrap().to_owned();
        assert_eq!(store.trace(&root).await.unwrap().len(), if is_kept { 3 } else { 0 }, "{trace}");
    }
    assert_eq!(store.commit(vec![post(&span(60, 0))]).await.unwrap().outcomes, [Outcome::Created], "it may come again");
    let page = store.page(&Scope::default(), &LogFilter::default(), After::Start, 1000).await.unwrap();
    assert_eq!(page.rows.len(), 295);
}
