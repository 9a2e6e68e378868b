//! A store's life: opened, used by many, closed or dropped, opened again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use parea_store::{After, Catalog, Count, LogFilter, Logs, OpenError, Patch, Scope, SqliteStore, StoreError, Token};
use serde_json::json;

fn span(id: &str, root: &str) -> Patch {
    let log = json!({
        "trace_id": id, "parent_trace_id": root, "root_trace_id": root, "project_name": "p",
        "start_timestamp": "2024-05-30 13:48:34", "input_tokens": 1,
    });
    Patch::Post(Box::new(serde_json::from_value(log).unwrap()))
}

async fn count(store: &SqliteStore) -> Count {
    store.count(&Scope::default(), &LogFilter::default(), u64::MAX).await.unwrap()
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_drop_and_a_close() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("made/when/absent");
    let mut last = Token::default();
    for round in 1..4_u64 {
        let store = SqliteStore::open(&dir).unwrap();
        let done = store.commit(vec![span(&format!("t{round}"), "t")]).await.unwrap();
        assert!(done.token > last, "history goes on");
        last = done.token;
        assert_eq!(count(&store).await, Count::Exact(round));
        if round.is_multiple_of(2) {
            store.close().await;
            assert!(matches!(store.commit(vec![span("late", "t")]).await, Err(StoreError::Closed)));
            assert!(matches!(store.tree("t1").await, Err(StoreError::Closed)));
            store.close().await;
        }
    }
    let left: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name == "parea.db-wal"), "nothing is left beside the file: {left:?}");
}

#[tokio::test]
async fn what_was_handed_over_is_written_before_it_closes() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let commits = (0..64).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.commit(vec![span(&format!("t{n}"), "t")]).await })
    });
    let commits: Vec<_> = commits.collect();
    tokio::task::yield_now().await;
    store.close().await;
    let mut acknowledged = 0;
    for commit in commits {
        match commit.await.unwrap() {
            Ok(_) => acknowledged += 1,
            Err(error) => assert!(matches!(error, StoreError::Closed), "{error}"),
        }
    }
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(count(&store).await, Count::Exact(acknowledged));
}

#[tokio::test]
async fn a_folder_belongs_to_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let refused = SqliteStore::open(folder.path()).unwrap_err();
    assert!(matches!(&refused, OpenError::InUse { path } if path == folder.path()), "{refused}");
    assert!(refused.to_string().contains("in use by another parea process"), "{refused}");
    store.close().await;
    assert!(SqliteStore::open(folder.path()).is_ok(), "free again although the closed store still exists");
}

#[test]
fn what_is_no_store_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parea.db");
    std::fs::write(&file, "certainly no database, and long enough to be asked about".repeat(20)).unwrap();
    let before = std::fs::read(&file).unwrap();
    assert!(matches!(SqliteStore::open(folder.path()).unwrap_err(), OpenError::NotADatabase { .. }));
    assert_eq!(std::fs::read(&file).unwrap(), before);
    std::fs::remove_file(&file).unwrap();
    let foreign = rusqlite::Connection::open(&file).unwrap();
    foreign.execute_batch("CREATE TABLE recipe (name TEXT)").unwrap();
    drop(foreign);
    assert!(matches!(SqliteStore::open(folder.path()).unwrap_err(), OpenError::NotADatabase { .. }));
    let blocked = folder.path().join("parea.db/below");
    assert!(matches!(SqliteStore::open(&blocked).unwrap_err(), OpenError::Folder { .. }));
}

/// Each commit writes a whole trace of four; readers must never see part of one, nor sums that are not theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_write_while_readers_see_whole_commits() {
    const TASKS: u64 = 16;
    const TRACES: u64 = 25;
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let writing = Arc::new(());
    let writers = (0..TASKS).map(|task| {
        let (store, writing) = (store.clone(), Arc::clone(&writing));
        tokio::spawn(async move {
            for n in 0..TRACES {
                let root = format!("{task}-{n}");
                let spans = (0..3).map(|child| span(&format!("{root}-{child}"), &root));
                store.commit(spans.chain([span(&root, &root)]).collect()).await.unwrap();
            }
            drop(writing);
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut reads = 0;
    while Arc::strong_count(&writing) > 1 || reads == 0 {
        let page = store.page(&Scope::default(), &LogFilter::default(), After::Start, 50).await.unwrap();
        for row in page.rows.iter().filter(|row| row.log.parent_trace_id == Some(row.log.trace_id.clone())) {
            assert_eq!(row.children_logs.len(), 3);
        }
        for trace in store.traces(&Scope::default(), &LogFilter::default(), After::Start, 50).await.unwrap().rows {
            assert_eq!((trace.spans, trace.input_tokens, trace.has_root), (4, 4, true));
        }
        reads += 1;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(count(&store).await, Count::Exact(TASKS * TRACES * 4));
    assert!(store.transactions() < TASKS * TRACES, "commits shared transactions: {}", store.transactions());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_stands_for_one_project_whoever_asks_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let calls = (0..16).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.project("p").await.unwrap() })
    });
    let mut answers = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        answers.push(call.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|(_, is_new)| *is_new).count(), 1);
    assert!(answers.iter().all(|(project, _)| *project == answers[0].0));
    assert_eq!(store.projects().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_child_without_a_root_gets_its_parents_although_that_comes_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let child = json!({
        "trace_id": "child", "parent_trace_id": "parent", "project_name": "p", "start_timestamp": "2024-05-30 13:48:34",
    });
    store.commit(vec![Patch::Post(Box::new(serde_json::from_value(child).unwrap()))]).await.unwrap();
    store.close().await;
    let store = SqliteStore::open(folder.path()).unwrap();
    store.commit(vec![span("parent", "root")]).await.unwrap();
    let ids: Vec<String> = store.trace("root").await.unwrap().into_iter().map(|log| log.trace_id).collect();
    assert_eq!(ids, ["child", "parent"]);
}
