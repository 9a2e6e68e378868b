//! What any store does, told through the public traits alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use parea_store::{After, Catalog, Count, LogFilter, Logs, Outcome, Patch, Scope, SqliteStore};
use parea_types::{Status, TraceLog, TraceLogTree, UpdateLog};
use serde_json::{Value, json};

/// A store in a folder that goes with it.
fn fresh() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    (folder, store)
}

fn log(value: Value) -> TraceLog {
    serde_json::from_value(value).unwrap()
}

fn post(value: Value) -> Patch {
    Patch::Post(Box::new(log(value)))
}

/// A span of trace `a` that started `order` seconds after ten.
fn span(id: &str, parent: &str, order: u32) -> Value {
    json!({
        "trace_id": id, "parent_trace_id": parent, "root_trace_id": "a", "trace_name": id, "project_name": "p",
        "start_timestamp": format!("2024-05-30 10:00:{order:02}"), "execution_order": order, "status": "success",
    })
}

fn put(id: &str, fields: &Value, merge: bool) -> Patch {
    let field_name_to_value_map = fields.as_object().unwrap().clone();
    Patch::Put(UpdateLog { trace_id: id.to_owned(), field_name_to_value_map, root_trace_id: None, merge })
}

fn with(mut log: Value, more: &Value) -> Value {
    log.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    log
}

async fn commit(store: &dyn Logs, patches: impl IntoIterator<Item = Patch>) -> Vec<Outcome> {
    store.commit(patches.into_iter().collect()).await.unwrap().outcomes
}

/// The tree as ids: `a(b(d) c)`.
fn shape(tree: &TraceLogTree) -> String {
    if tree.children_logs.is_empty() {
        return tree.log.trace_id.clone();
    }
    let below: Vec<_> = tree.children_logs.iter().map(shape).collect();
    format!("{}({})", tree.log.trace_id, below.join(" "))
}

#[tokio::test]
async fn children_before_their_parent_form_a_tree() {
    let (_folder, store) = fresh();
    let scored = |id: &str, parent: &str, order, name: &str, score: f64| {
        with(span(id, parent, order), &json!({"scores": [{"name": name, "score": score}]}))
    };
    commit(&store, [post(scored("d", "b", 2, "accuracy", 0.5)), post(scored("c", "a", 3, "tone", 0.25))]).await;
    assert_eq!(store.tree("a").await.unwrap(), None, "the root is still to come");
    assert_eq!(store.trace("a").await.unwrap().len(), 2, "what came of it can be seen");
    commit(&store, [post(span("b", "a", 1)), post(scored("a", "a", 0, "tone", 1.0))]).await;

    let tree = store.tree("a").await.unwrap().unwrap();
    assert_eq!(shape(&tree), "a(b(d) c)");
    let scores: Vec<_> = tree.log.scores.clone().unwrap().into_iter().map(|score| (score.name, score.score)).collect();
    assert_eq!(scores, [("tone".to_owned(), 1.0), ("accuracy".to_owned(), 0.5)], "own first, own names not twice");
    assert_eq!(tree.log.children, Some(vec!["b".to_owned(), "c".to_owned()]));
    assert_eq!(tree.log.children_ids.clone().unwrap().len(), 2);
    assert_eq!(shape(&store.tree("b").await.unwrap().unwrap()), "b(d)");
    let order: Vec<_> = store.trace("a").await.unwrap().into_iter().map(|log| log.trace_id).collect();
    assert_eq!(order, ["a", "b", "d", "c"]);
}

#[tokio::test]
async fn an_update_may_come_first() {
    let (_folder, store) = fresh();
    let early = put("a", &json!({"output": "late", "cost": 2.0, "status": null}), false);
    assert_eq!(commit(&store, [early]).await, [Outcome::Created]);
    assert_eq!(store.tree("a").await.unwrap(), None);
    let sent = with(span("a", "a", 0), &json!({"output": "early", "cost": 1.0, "target": "t"}));
    assert_eq!(commit(&store, [post(sent.clone())]).await, [Outcome::Merged]);
    let read = store.tree("a").await.unwrap().unwrap().log.clone();
    assert_eq!((read.output.as_deref(), read.cost, read.status), (Some("late"), Some(2.0), None));
    assert_eq!(read.target.as_deref(), Some("t"));
    assert_eq!(commit(&store, [post(sent)]).await, [Outcome::Unchanged]);
}

#[tokio::test]
async fn lists_are_newest_first_and_know_their_next_page() {
    let (_folder, store) = fresh();
    let one = |n: u32| {
        let id = format!("t{n}");
        let status = if n % 3 == 0 { "error" } else { "success" };
        post(with(span(&id, &id, n), &json!({"root_trace_id": id, "status": status, "input_tokens": n})))
    };
    commit(&store, (0..10).map(one)).await;
    let (project, is_new) = store.project("p").await.unwrap();
    assert!(!is_new, "a log made it");
    let scope = Scope { project: Some(project.uuid) };
    let mut after = After::Start;
    let mut seen = Vec::new();
    loop {
        let page = store.traces(&scope, &LogFilter::default(), after, 4).await.unwrap();
        seen.extend(page.rows.into_iter().map(|trace| trace.root_trace_id));
        let Some(cursor) = page.next else { break };
        after = After::Cursor(cursor);
    }
    assert_eq!(seen, (0..10).rev().map(|n| format!("t{n}")).collect::<Vec<_>>());
    let failed = LogFilter { status: Some(Status::Error), started_from: None };
    let page = store.page(&scope, &failed, After::Skip(1), 2).await.unwrap();
    assert_eq!(page.rows.iter().map(shape).collect::<Vec<_>>(), ["t6", "t3"]);
    assert_eq!(store.count(&scope, &failed, 100).await.unwrap(), Count::Exact(4));
    assert_eq!(store.count(&scope, &LogFilter::default(), 5).await.unwrap(), Count::AtLeast(5));
    let elsewhere = Scope { project: Some("nowhere".to_owned()) };
    assert_eq!(store.count(&elsewhere, &LogFilter::default(), 5).await.unwrap(), Count::Exact(0));
}
