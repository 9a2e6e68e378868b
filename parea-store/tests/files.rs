//! Files that earlier versions wrote: `tests/files/schema_N.db.zst`, one for each schema that was ever in use, made by
//! the server of that time. Each is opened, brought up to date, and still says what was posted to it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use parea_store::{
    After, Catalog, Count, DatasetKey, LogFilter, Logs, Patch, Scope, SqliteStore, StoreFile, text::TextQuery,
};
use serde_json::json;

fn restored(file: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("parea.db"), zstd::decode_all(file).unwrap()).unwrap();
    folder
}

#[tokio::test]
async fn a_file_of_the_fourth_schema_is_brought_up_to_date() {
    let folder = restored(include_bytes!("files/schema_4.db.zst"));
    let refused = StoreFile::open(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("schema version 4") && refused.contains("`parea serve`"), "{refused}");
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(StoreFile::open(folder.path()).unwrap().check(10).unwrap(), [""; 0]);

    let everything = Scope::default();
    let count = async |filter: &LogFilter| store.count(&everything, filter, 1000).await.unwrap();
    assert_eq!(count(&LogFilter::default()).await, Count::Exact(41));
    // Ids that are UUIDs, and others.
    for (root, spans) in [("00000003-0000-4000-8000-000000000000", 4), ("trace-6", 4), ("trace-4", 4)] {
        assert_eq!(store.trace(root).await.unwrap().len(), spans, "{root}");
        let tree = store.tree(root).await.unwrap().unwrap();
        assert_eq!((tree.children_logs.len(), tree.log.scores.as_ref().map(Vec::len)), (2, Some(1)), "{root}");
        assert_eq!(tree.children_logs[1].children_logs.len(), 1, "{root}");
    }
    let changed = store.tree("trace-0-1").await.unwrap().unwrap();
    assert_eq!((changed.log.output.as_deref(), changed.log.target.as_deref()), (Some("changed later"), Some("t")));
    let query = TextQuery::parse("\"trace 5\" \"span 2\"").unwrap();
    let found = store.text(&everything, &query, &LogFilter::default(), None, 10).await.unwrap();
    let ids: Vec<&str> = found.rows.iter().map(|log| log.trace_id.as_str()).collect();
    assert_eq!(ids, ["00000005-0000-4000-8000-000000000002"]);

    // What was said of a log before it came; the same log again; more of one that was there.
    let post = |log: serde_json::Value| Patch::Post(Box::new(serde_json::from_value(log).unwrap()));
    let start = "2024-05-30 13:48:34";
    let come = json!({ "trace_id": "still to come", "project_name": "old", "start_timestamp": start });
    let more = json!({ "trace_id": "00000001-0000-4000-8000-000000000000", "project_name": "old", "start_timestamp": start,
        "last_updated_at": start, "target": "more" });
    store.commit(vec![post(come), post(more)]).await.unwrap();
    assert_eq!(store.tree("still to come").await.unwrap().unwrap().log.output.as_deref(), Some("early"));
    let read = store.tree("00000001-0000-4000-8000-000000000000").await.unwrap().unwrap();
    assert_eq!((read.log.target.as_deref(), read.log.session_id.as_deref()), (Some("more"), Some("s1")));
    assert_eq!(count(&LogFilter::default()).await, Count::Exact(42));

    let projects: Vec<String> = store.projects().await.unwrap().into_iter().map(|project| project.name).collect();
    assert_eq!(projects, ["old", "other"]);
    let runs = store.experiments(&Scope::default(), parea_types::ListExperimentsRequest::default()).await.unwrap();
    assert_eq!(store.experiment_sizes(&Scope::default(), vec![runs[0].experiment.uuid.clone()]).await.unwrap(), [1]);
    assert!(store.dataset(&Scope::default(), DatasetKey::Name("d".to_owned())).await.unwrap().is_some());
    let page = store.page(&everything, &LogFilter::default(), After::Start, 100).await.unwrap();
    assert_eq!(page.rows.len(), 42);
    store.close().await;
    assert_eq!(StoreFile::open(folder.path()).unwrap().check(10).unwrap(), [""; 0]);
}

/// Written by the last version that kept ids of what was erased in full.
#[tokio::test]
async fn what_a_file_of_the_seventh_schema_has_erased_stays_away() {
    let folder = restored(include_bytes!("files/schema_7.db.zst"));
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(StoreFile::open(folder.path()).unwrap().check(10).unwrap(), [""; 0]);
    let everything = Scope::default();
    let count = async || store.count(&everything, &LogFilter::default(), 1000).await.unwrap();
    assert_eq!(count().await, Count::Exact(136));
    let post = |id: &str, root: &str| {
        let log = json!({ "trace_id": id, "root_trace_id": root, "project_name": "other", "start_timestamp": "2024-05-09 13:48:34" });
        Patch::Post(Box::new(serde_json::from_value(log).unwrap()))
    };
    for patch in [post("trace-8-2", "trace-8"), post("trace-8", "trace-8"), post("new", "trace-8")] {
        store.commit(vec![patch]).await.unwrap();
    }
    assert_eq!(count().await, Count::Exact(136));
    for (words, id) in [
        ("\"number77\"", "many-77"),
        ("word5x2", "00000005-0000-4000-8000-000000000002"),
        ("changed later", "trace-0-1"),
    ] {
        let query = TextQuery::parse(words).unwrap();
        let found = store.text(&everything, &query, &LogFilter::default(), None, 10).await.unwrap();
        let ids: Vec<&str> = found.rows.iter().map(|log| log.trace_id.as_str()).collect();
        assert_eq!(ids, [id], "{words}");
    }
    store.close().await;
    let conn = rusqlite::Connection::open(folder.path().join("parea.db")).unwrap();
    let kept: i64 =
        conn.query_row("SELECT count(*) FROM tombstone WHERE length(id) = 16", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 4);
}

/// Written by the same version: a batch, and a trace that was erased.
#[tokio::test]
async fn a_file_of_the_seventh_schema_is_brought_up_to_date() {
    let folder = restored(include_bytes!("files/schema_7_batch.db.zst"));
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(StoreFile::open(folder.path()).unwrap().check(10).unwrap(), [""; 0]);
    let everything = Scope::default();
    assert_eq!(store.count(&everything, &LogFilter::default(), 1000).await.unwrap(), Count::Exact(97));
    // Each log is found by its id, its parent's and its root's. These came in one batch and lie in one block.
    for trace in 0..7 {
        let id = |span: &str| format!("{trace:08x}-0000-4000-8000-0000000000{span}");
        assert_eq!(store.trace(&id("ff")).await.unwrap().len(), 8, "{trace}");
        let tree = store.tree(&id("ff")).await.unwrap().unwrap();
        let children: Vec<usize> = tree.children_logs.iter().map(|child| child.children_logs.len()).collect();
        assert_eq!(children, [1, 1, 1, 0], "{trace}");
        assert_eq!(tree.log.scores.as_ref().map(Vec::len), Some(1), "those of a name are copied up once");
        assert_eq!(store.tree(&id("07")).await.unwrap().unwrap().log.output, Some(format!("answer {trace} 7")));
    }
    // Those that came singly.
    let changed = store.tree("trace-0-1").await.unwrap().unwrap();
    assert_eq!((changed.log.output.as_deref(), changed.log.target.as_deref()), (Some("changed later"), Some("t")));
    // What was erased stays so; what is known is not stored twice.
    let post = |id: &str, root: &str| {
        let log = json!({ "trace_id": id, "root_trace_id": root, "parent_trace_id": root, "project_name": "batch",
            "start_timestamp": "2024-06-01 10:00:00", "output": "once more" });
        Patch::Post(Box::new(serde_json::from_value(log).unwrap()))
    };
    let gone = "00000007-0000-4000-8000-0000000000ff";
    let known = ("00000001-0000-4000-8000-000000000003", "00000001-0000-4000-8000-0000000000ff");
    store.commit(vec![post(gone, gone), post(known.0, known.1)]).await.unwrap();
    assert!(store.tree(gone).await.unwrap().is_none());
    assert_eq!(store.tree(known.0).await.unwrap().unwrap().log.output.as_deref(), Some("once more"));
    assert_eq!(store.count(&everything, &LogFilter::default(), 1000).await.unwrap(), Count::Exact(97));
    store.close().await;
    assert_eq!(StoreFile::open(folder.path()).unwrap().check(10).unwrap(), [""; 0]);
}
