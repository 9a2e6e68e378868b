//! Files that earlier versions wrote, made by the server of that time. Each is opened, brought up to date, and still says
//! what was posted to it.
//!
//! `tests/files/filled_N.db.zst` has all that a server of schema N could store, one for each schema that there ever was, the
//! present one too: a change of the schema adds the file that its own server writes
//! (`parea-store/tests/files/fill.py target/debug/parea N`). Those of other names hold what went wrong once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use parea_store::{
    After, Catalog, Count, DatasetKey, LogFilter, Logs, Patch, Scope, SqliteStore, StoreFile, query::Filter,
    text::TextQuery,
};
use parea_types::{ExperimentStatus, FilterBase, FilterOperator, ListExperimentsRequest};
use serde_json::json;

fn restored(file: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("parea.db"), zstd::decode_all(file).unwrap()).unwrap();
    folder
}

/// The schema that this version writes.
async fn newest() -> i64 {
    let folder = tempfile::tempdir().unwrap();
    SqliteStore::open(folder.path()).unwrap().close().await;
    let conn = rusqlite::Connection::open(folder.path().join("parea.db")).unwrap();
    conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_file_of_every_schema_is_brought_up_to_date() {
    let newest = newest().await;
    for schema in 1..=newest {
        let path = format!("{}/tests/files/filled_{schema}.db.zst", env!("CARGO_MANIFEST_DIR"));
        let file = std::fs::read(&path).unwrap_or_else(|error| {
            panic!("{path}: {error}; write it: parea-store/tests/files/fill.py target/debug/parea {schema}")
        });
        let folder = restored(&file);
        {
            let conn = rusqlite::Connection::open(folder.path().join("parea.db")).unwrap();
            let is: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
            assert_eq!(is, schema, "{path}");
        }
        // Twice: what is brought up to date is a file of the newest schema.
        for _ in 0..2 {
            let store = SqliteStore::open(folder.path()).unwrap();
            says_what_was_posted(&store, schema).await;
            store.close().await;
            assert_eq!(StoreFile::open(folder.path()).unwrap().check(10).unwrap(), [""; 0], "schema {schema}");
        }
        let conn = rusqlite::Connection::open(folder.path().join("parea.db")).unwrap();
        let is: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(is, newest, "{path}");
    }
}

/// What `fill.py` posts to a server of that schema.
async fn says_what_was_posted(store: &SqliteStore, schema: i64) {
    let has = |since: i64| schema >= since;
    let (everything, all) = (Scope::default(), LogFilter::default());
    // 17 traces of four spans and 40 roots; from then on a run of two, a trace that was erased, two that failed, and a call of a model.
    let logs = 17 * 4 + 40 + if has(2) { 2 } else { 0 } + if has(13) { 3 } else { 0 } - if has(7) { 4 } else { 0 };
    assert_eq!(store.count(&everything, &all, 1000).await.unwrap(), Count::Exact(logs), "schema {schema}");
    let page = store.page(&everything, &all, After::Start, 1000).await.unwrap();
    assert_eq!(page.rows.len() as u64, logs, "schema {schema}");
    for trace in (0..16).chain([18]).filter(|trace| *trace != 9 || !has(7)) {
        let name = |place: u32| match trace % 3 {
            0 => format!("trace-{trace}-{place}"),
            _ => format!("{trace:08x}-0000-4000-8000-{place:012x}"),
        };
        let tree = store.tree(&name(0)).await.unwrap().unwrap();
        assert_eq!(tree.log.output, Some(format!("trace {trace} span 0 word{trace}x0")), "schema {schema}");
        let children: Vec<usize> = tree.children_logs.iter().map(|child| child.children_logs.len()).collect();
        assert_eq!(children, [0, 1], "schema {schema}, trace {trace}");
        let scores = tree.log.scores.clone().unwrap_or_default();
        assert_eq!((scores.len(), scores[0].score), (1, f64::from(trace) / 10.0), "copied up, schema {schema}");
        let inner = store.tree(&name(3)).await.unwrap().unwrap();
        assert_eq!((inner.log.total_tokens, inner.log.cost), (Some(5), Some(0.25)), "schema {schema}");
        let found = texts(store, &format!("word{trace}x2")).await;
        assert_eq!(found, [name(2)], "schema {schema}");
    }
    assert_eq!(texts(store, "*umber37").await, ["many-37"], "by a part of a word, schema {schema}");
    if has(13) {
        assert_eq!(texts(store, "\"parrot dead\"").await, ["asked"], "by a message, schema {schema}");
        assert_eq!(texts(store, "*arro*").await, ["asked"], "by a part of its word, schema {schema}");
        let page = store.traces(&everything, &all, After::Start, 3).await.unwrap();
        let shown: Vec<_> = page.rows.into_iter().map(|trace| trace.inputs_preview.or(trace.error_preview)).collect();
        let told = [r#"{"user":"Is the parrot dead?"}"#, "no route\nto host 1", "no route\nto host 0"];
        assert_eq!(shown, told.map(|text| Some(text.to_owned())), "schema {schema}");
    }
    let changed = store.tree("trace-0-1").await.unwrap().unwrap();
    assert_eq!((changed.log.output.as_deref(), changed.log.target.as_deref()), (Some("changed later"), Some("t")));
    assert!(store.tree("still to come").await.unwrap().is_none());
    for (field, key, operator, value, found) in [
        ("metadata", Some("tier"), FilterOperator::Equals, "gold", if has(7) { 7 * 4 } else { 8 * 4 }),
        ("score:acc", None, FilterOperator::GreaterThan, "1.05", 6),
        ("tags", None, FilterOperator::Equals, "t3", 4 * 4),
        ("end_user_identifier", None, FilterOperator::Equals, "u2", 5 * 4),
        ("trace_name", None, FilterOperator::Like, "STEP 3", if has(7) { 16 } else { 17 }),
    ] {
        let form = FilterBase {
            filter_field: Some(field.to_owned()),
            filter_key: key.map(str::to_owned),
            filter_operator: Some(operator),
            filter_value: Some(value.to_owned()),
        };
        let filter = LogFilter { filter: Some(Filter::from_parea(&form).unwrap()), ..LogFilter::default() };
        let count = store.count(&everything, &filter, 1000).await.unwrap();
        assert_eq!(count, Count::Exact(found), "{field} {value}, schema {schema}");
    }
    if has(2) {
        let judged = store.tree("trace-3-0").await.unwrap().unwrap().log.clone();
        assert_eq!((judged.feedback_score, judged.comments.map(|all| all.len())), (Some(0.75), Some(1)));
        let runs = store.experiments(&everything, ListExperimentsRequest::default()).await.unwrap();
        let (run, uuid) = (&runs[0], runs[0].experiment.uuid.clone());
        assert_eq!((runs.len(), run.experiment.run_name.as_deref()), (1, Some("r-1")), "schema {schema}");
        assert_eq!(run.status, ExperimentStatus::Completed, "schema {schema}");
        let pinned: Vec<(&str, f64)> =
            run.pinned_stats.iter().map(|pinned| (pinned.var1.as_str(), pinned.value)).collect();
        assert!(pinned.contains(&("acc", 0.5)) && pinned.contains(&("f1", 0.5)), "schema {schema}: {pinned:?}");
        assert_eq!(store.experiment_stats(&everything, &uuid).await.unwrap().len(), 2, "schema {schema}");
    }
    if has(3) {
        let dataset = store.dataset(&everything, DatasetKey::Name("d".to_owned())).await.unwrap().unwrap();
        let rows: Vec<(&str, Option<&str>)> = dataset
            .test_cases
            .values()
            .map(|row| (row.test_case.inputs["q"].as_str(), row.test_case.target.as_deref()))
            .collect();
        assert_eq!(rows, [("one", Some("uno")), ("two", None), ("three", None)], "schema {schema}");
        let versions = store.dataset_versions(&everything, DatasetKey::Name("d".to_owned())).await.unwrap().unwrap();
        assert_eq!(versions.len(), if has(10) { 3 } else { 1 }, "schema {schema}");
    }
    if has(15) {
        assert!(!store.add_losses("old", &[("queue_full".to_owned(), 3)], Some("report-1")).await.unwrap());
        assert_eq!(store.losses(&everything).await.unwrap(), [("queue_full".to_owned(), 3)], "schema {schema}");
    }
    let projects: Vec<String> = store.projects().await.unwrap().into_iter().map(|project| project.name).collect();
    assert_eq!(projects, ["old", "other"], "schema {schema}");
    if has(7) {
        let post = json!({ "trace_id": "trace-9-1", "root_trace_id": "trace-9-0", "project_name": "old",
            "start_timestamp": "2024-05-10 13:48:34" });
        store.commit(vec![Patch::Post(Box::new(serde_json::from_value(post).unwrap()))]).await.unwrap();
        assert!(store.tree("trace-9-1").await.unwrap().is_none(), "what was erased stays away, schema {schema}");
    }
}

/// Ids of the logs that say this.
async fn texts(store: &SqliteStore, query: &str) -> Vec<String> {
    let query = TextQuery::parse(query).unwrap();
    let found = store.text(&Scope::default(), &query, &LogFilter::default(), None, 10).await.unwrap();
    found.rows.into_iter().map(|log| log.trace_id).collect()
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
    let runs = store.experiments(&Scope::default(), ListExperimentsRequest::default()).await.unwrap();
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
