//! What any store does, told through the public traits alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use parea_store::{After, Catalog, Count, LogFilter, Logs, Outcome, Patch, Scope, SqliteStore, StoreError};
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
        let status = if n.is_multiple_of(3) { "error" } else { "success" };
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
    let failed = LogFilter { status: Some(Status::Error), ..LogFilter::default() };
    let page = store.page(&scope, &failed, After::Skip(1), 2).await.unwrap();
    assert_eq!(page.rows.iter().map(shape).collect::<Vec<_>>(), ["t6", "t3"]);
    assert_eq!(store.count(&scope, &failed, 100).await.unwrap(), Count::Exact(4));
    assert_eq!(store.count(&scope, &LogFilter::default(), 5).await.unwrap(), Count::AtLeast(5));
    let elsewhere = Scope { project: Some("nowhere".to_owned()) };
    assert_eq!(store.count(&elsewhere, &LogFilter::default(), 5).await.unwrap(), Count::Exact(0));
}

#[tokio::test]
async fn an_unknown_uuid_gets_a_place_and_later_a_name() {
    let (_folder, store) = fresh();
    let of = |id: &str, project: Value| {
        post(with(json!({"trace_id": id, "start_timestamp": "2024-05-30 13:48:34"}), &project))
    };
    commit(&store, [of("a", json!({"project_uuid": "u"}))]).await;
    let names =
        async || -> Vec<String> { store.projects().await.unwrap().into_iter().map(|project| project.name).collect() };
    assert_eq!(names().await, ["u"], "a placeholder");
    commit(&store, [of("b", json!({"project_uuid": "u", "project_name": "named"}))]).await;
    assert_eq!(names().await, ["named"]);
    commit(&store, [of("c", json!({"project_uuid": "u", "project_name": "another"}))]).await;
    assert_eq!(names().await, ["named"], "the uuid says which project, and its name stays");
    let read = store.tree("a").await.unwrap().unwrap();
    assert_eq!((read.log.project_uuid.as_deref(), read.log.project_name.as_deref()), (Some("u"), Some("named")));
    let (found, is_new) = store.project("named").await.unwrap();
    assert_eq!((found.uuid.as_str(), is_new), ("u", false));

    store.add_losses("u", &[("queue_full".to_owned(), 2)], None).await.unwrap();
    store.add_losses("named", &[("queue_full".to_owned(), 3), ("too_large".to_owned(), 1)], None).await.unwrap();
    let losses = store.losses(&Scope { project: Some("u".to_owned()) }).await.unwrap();
    assert_eq!(losses, [("queue_full".to_owned(), 5), ("too_large".to_owned(), 1)]);
    assert_eq!(store.losses(&Scope { project: Some("v".to_owned()) }).await.unwrap(), []);
    // Clients choose the reasons: those beyond the 64th count together.
    let many: Vec<(String, u64)> = (0..100).map(|number| (format!("reason {number}"), 1)).collect();
    for (report, is_new) in [("a-1", true), ("a-2", true), ("a-1", false), ("a-2", false)] {
        assert_eq!(store.add_losses("u", &many, Some(report)).await.unwrap(), is_new, "{report}");
    }
    let losses = store.losses(&Scope { project: Some("u".to_owned()) }).await.unwrap();
    assert_eq!((losses.len(), losses.iter().map(|(_, count)| count).sum::<u64>()), (65, 206));
    assert!(losses.contains(&("other".to_owned(), 76)) && losses.contains(&("reason 61".to_owned(), 2)));
}

#[tokio::test]
async fn one_id_in_two_projects_is_two_logs() {
    let (_folder, store) = fresh();
    let of = |project: &str, output: &str| {
        post(with(span("a", "a", 0), &json!({"project_name": project, "output": output})))
    };
    let outcomes = commit(&store, [of("p", "1"), of("q", "2"), of("p", "1")]).await;
    assert_eq!(outcomes, [Outcome::Created, Outcome::Created, Outcome::Unchanged]);
    let read = store.tree("a").await.unwrap().unwrap();
    assert_eq!((read.log.output.as_deref(), read.log.project_name.as_deref()), (Some("2"), Some("q")));
    commit(&store, [put("a", &json!({"target": "t"}), false)]).await;
    let page = store.page(&Scope::default(), &LogFilter::default(), After::Start, 10).await.unwrap();
    assert_eq!(page.rows.iter().filter(|row| row.log.target.as_deref() == Some("t")).count(), 2);
}

#[tokio::test]
async fn what_reads_fill_in() {
    let (_folder, store) = fresh();
    let bare = json!({
        "trace_id": "a", "start_timestamp": "2024-05-30 13:48:34", "project_name": "p", "inputs": {"x": "y".repeat(5000)},
        "children": ["announced"], "output": "é".repeat(500),
    });
    commit(&store, [post(bare), put("a", &json!({"end_timestamp": "2024-05-30T13:48:35.500Z"}), false)]).await;
    let read = store.tree("a").await.unwrap().unwrap();
    assert_eq!(read.log.parent_trace_id.as_deref(), Some("a"));
    assert_eq!(read.log.root_trace_id.as_deref(), Some("a"));
    assert_eq!(read.log.latency, Some(1.5));
    assert_eq!(read.log.children, Some(vec!["announced".to_owned()]));
    let wire = serde_json::to_value(&read).unwrap();
    assert!(wire.as_object().unwrap().values().all(|value| !value.is_null()), "{wire}");
    assert_eq!(wire["configuration"], json!({}));
    let trace = store.traces(&Scope::default(), &LogFilter::default(), After::Start, 1).await.unwrap().rows.remove(0);
    assert_eq!(trace.latency, Some(1.5));
    assert!(trace.inputs_preview.unwrap().starts_with("{\"x\":\"yyy"));
    assert_eq!(trace.output_preview.unwrap(), "é".repeat(150), "300 bytes");
}

#[tokio::test]
async fn a_value_that_is_none_of_its_fields_is_refused() {
    let (_folder, store) = fresh();
    let wrong = put("a", &json!({"cost": "much"}), false);
    let refused = store.commit(vec![post(span("a", "a", 0)), wrong]).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Invalid(fault) if fault.starts_with("cost")), "{refused}");
    assert_eq!(store.tree("a").await.unwrap(), None);
}

#[tokio::test]
async fn the_lowest_rate_decides_on_a_whole_trace_and_never_on_experiments() {
    let (_folder, store) = fresh();
    let of = |n: u32, id: &str, more: Value| {
        let root = format!("trace-{n}");
        post(with(span(&format!("{root}{id}"), &root, n % 60), &with(json!({"root_trace_id": root}), &more)))
    };
    let rate = |rate: f64| json!({"log_sample_rate": rate});
    let traces = 0..200;
    // The lower rate first, last, and alone; what is of an experiment stays.
    for n in traces.clone() {
        let mut logs = vec![
            of(n, "", json!({})),
            of(n, "/b", rate(0.5)),
            of(n, "/c", json!({"experiment_uuid": "e", "log_sample_rate": 0.0})),
        ];
        logs.rotate_left(n as usize % 3);
        for log in logs {
            commit(&store, [log]).await;
        }
    }
    let mut kept = 0;
    for n in traces {
        let spans: Vec<_> = store.trace(&format!("trace-{n}")).await.unwrap();
        let ids: Vec<_> = spans.iter().map(|log| log.trace_id.rsplit('/').next().unwrap()).collect();
        if ids.len() == 3 {
            kept += 1;
        } else {
            assert_eq!(ids, ["c"]);
        }
    }
    assert!((50..150).contains(&kept), "{kept} of 200 at a half");
    let sums = store.traces(&Scope::default(), &LogFilter::default(), After::Start, 1000).await.unwrap().rows;
    assert_eq!(sums.iter().map(|trace| trace.spans).sum::<u64>(), 200 + 2 * kept);
    assert_eq!(sums.iter().filter(|trace| trace.has_root).count() as u64, kept);
}

#[tokio::test]
async fn a_chain_of_thousands_is_read_in_whole() {
    let (_folder, store) = fresh();
    let id = |n: u32| format!("s{n}");
    let chain = (0..5000).map(|n| {
        let log = json!({"root_trace_id": "s0", "parent_trace_id": id(n.max(1) - 1), "trace_id": id(n), "execution_order": n});
        post(with(span("", "", 0), &log))
    });
    commit(&store, chain.rev()).await;
    let tree = store.tree("s0").await.unwrap().unwrap();
    let mut deepest = &tree;
    let mut depth = 0;
    while let Some(child) = deepest.children_logs.first() {
        deepest = child;
        depth += 1;
    }
    assert_eq!((depth, deepest.log.trace_id.as_str()), (4999, "s4999"));
}

/// The links name parents only, and the leaf comes first: quick unless each link has the rest walked again.
#[tokio::test]
async fn a_chain_without_roots_gets_its_root() {
    let (_folder, store) = fresh();
    let count = 20_000;
    let link = |n: u32| {
        post(json!({
            "trace_id": format!("s{n}"), "parent_trace_id": format!("s{}", n.max(1) - 1), "project_name": "p",
            "start_timestamp": "2024-05-30 13:48:34", "execution_order": n,
        }))
    };
    commit(&store, (1..count).rev().map(link)).await;
    assert_eq!(store.trace("s0").await.unwrap().len(), 19_999, "as far as it is known");
    commit(&store, [link(0)]).await;
    let traces = store.traces(&Scope::default(), &LogFilter::default(), After::Start, 10).await.unwrap().rows;
    assert_eq!(traces.iter().map(|trace| (trace.spans, trace.has_root)).collect::<Vec<_>>(), [(20_000, true)]);
    // Below another one, all of it moves.
    commit(
        &store,
        [post(json!({
            "trace_id": "s0", "parent_trace_id": "top", "project_name": "p", "start_timestamp": "2024-05-30 13:48:34",
            "last_updated_at": "2024-05-30 13:48:35",
        }))],
    )
    .await;
    assert_eq!(store.trace("top").await.unwrap().len(), 20_000);
    assert_eq!(store.trace("s0").await.unwrap().len(), 0);
}

/// Every log of a chain carries the score of its leaf: quick unless each has the chain below it walked again.
#[tokio::test]
async fn scores_of_a_chain_are_copied_to_all_above() {
    let (_folder, store) = fresh();
    let count = 10_000;
    let link = |n: u32| {
        let scores = if n + 1 == count { json!([{"name": "s", "score": 0.5}]) } else { json!([]) };
        let log = json!({
            "root_trace_id": "s0", "parent_trace_id": format!("s{}", n.max(1) - 1), "trace_id": format!("s{n}"),
            "execution_order": n, "scores": scores, "output": "x".repeat(600),
        });
        post(with(span("", "", 0), &log))
    };
    commit(&store, (0..count).map(link)).await;
    let mut after = After::Start;
    let (mut seen, mut pages) = (0, 0);
    loop {
        let page = store.page(&Scope::default(), &LogFilter::default(), after, 100_000).await.unwrap();
        for row in &page.rows {
            let scores = row.log.scores.clone().unwrap();
            assert_eq!(scores.len(), 1, "{}", row.log.trace_id);
        }
        seen += page.rows.len();
        pages += 1;
        let Some(next) = page.next else { break };
        after = After::Cursor(next);
    }
    assert_eq!(seen, 10_000);
    assert!(pages > 1, "memory holds a few megabytes at a time");
}

/// Where every log of a chain has scores, copying all of them to all above would make twelve million.
#[tokio::test]
async fn scores_of_a_chain_of_scored_logs_stay_few() {
    let (_folder, store) = fresh();
    let link = |n: u32| {
        let log = json!({
            "root_trace_id": "s0", "parent_trace_id": format!("s{}", n.max(1) - 1), "trace_id": format!("s{n}"),
            "execution_order": n, "scores": [{"name": format!("of {n}"), "score": 0.5}],
        });
        post(with(span("", "", 0), &log))
    };
    commit(&store, (0..5000).map(link)).await;
    let names = |log: &TraceLog| log.scores.iter().flatten().map(|score| score.name.clone()).collect::<Vec<_>>();
    let of = |numbers: std::ops::Range<usize>| numbers.map(|n| format!("of {n}")).collect::<Vec<_>>();
    let tree = store.tree("s0").await.unwrap().unwrap();
    for (n, tree) in tree.iter().enumerate() {
        let expected = if n == 0 { 0..5000 } else { n..5000.min(n + 65) };
        assert_eq!(names(&tree.log), of(expected), "the root has all, others those of the 64 below");
    }
    assert_eq!(names(&store.tree("s100").await.unwrap().unwrap().log), of(100..165));
    let page = store.page(&Scope::default(), &LogFilter::default(), After::Start, 5000).await.unwrap();
    for log in page.rows.iter().map(|row| &row.log).filter(|log| log.trace_id != "s0") {
        let n: usize = log.trace_id[1..].parse().unwrap();
        assert_eq!(names(log), of(n..5000.min(n + 65)));
    }
}

#[tokio::test]
async fn a_circle_of_parents_is_a_trace_of_its_own() {
    let (_folder, store) = fresh();
    let of = |id: &str, parent: &str| {
        post(json!({
            "trace_id": id, "parent_trace_id": parent, "project_name": "p", "start_timestamp": "2024-05-30 13:48:34",
        }))
    };
    commit(&store, [of("x", "elsewhere")]).await;
    commit(&store, [of("y", "x")]).await;
    assert_eq!(store.trace("elsewhere").await.unwrap().len(), 2, "roots follow from parents");
    commit(&store, [of("x", "y")]).await;
    assert_eq!(store.trace("x").await.unwrap().len(), 2, "the smallest id names it");
    assert_eq!(store.trace("elsewhere").await.unwrap(), []);
    assert_eq!(shape(&store.tree("y").await.unwrap().unwrap()), "y(x)");
}
