//! The traps that the API and the real SDKs lay for a server, and which test holds each.
//!
//! Where the contract's section on disagreements and traps is concerned:
//!
//! | trap | held by |
//! | --- | --- |
//! | 1 the key in `x-user-id` or `x-api-key` | `start::a_server_with_a_key_answers_those_who_have_it` |
//! | 2 nothing found is 200 `null` | `sdk::logs_of_both_sdks…`, `datasets::a_dataset_is_read_back_by_id_and_by_name` |
//! | 3 Python retries a 422 and hides it | `odd_input::every_row_of_the_table_is_true`, `bad_input::every_fault_of_a_log…` |
//! | 4 sampling is left to the server | here |
//! | 5 a score that is `true` | here |
//! | 6 `temp` above 1 in a log | here; that `/completion` refuses it comes with the proxy |
//! | 7 roles outside the list | here, `odd_input` |
//! | 8 no `status` is no failure | here |
//! | 9 `filter_value` is a text, `between` | `filters::each_operator_finds_its_logs` |
//! | 10 clients wait before feedback and the end of a run | here, `feedback::a_verdict_outranks_the_log…` |
//! | 11 default page sizes | here |
//! | 12 names outside the operations | `operations::every_operation_of_the_api_answers…`, `openapi` |
//!
//! Of what was recorded of the clients:
//!
//! | trap | held by |
//! | --- | --- |
//! | 1 nulls that crash Python | `sdk::logs_of_both_sdks…`; here after updates with null |
//! | 2 TypeScript's roots: no parent, no status | here, `sdk` |
//! | 3 one post a span, any order, many connections, no root | here, `operations::logs_come_in_any_order…`, `pages` |
//! | 4 a 4xx costs a Python user 8 s | here (ids that nobody knows), `experiments::a_run_that_only_logs_name…` |
//! | 5 the rate is sent, not applied | here |
//! | 6 a retry sends the same id | `operations::logs_come_in_any_order_and_more_than_once` |
//! | 7 values that are texts already | here, `sdk` |
//! | 8 one event a chunk; 9 to 11 of Opik | later work: the server has neither the proxy nor Opik's API yet |
//!
//! The worked example of a run's figures is `experiments::a_run_of_two_samples_ends_in_these_figures`.

use serde_json::{Value, json};

use crate::client::{Client, Local, log};

/// A log with these members too.
fn with(trace_id: &str, members: &Value) -> Value {
    let mut log = log(trace_id);
    log.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    log
}

/// A log below `parent` in the trace of `root`.
fn below(root: &str, parent: &str, trace_id: &str, order: usize) -> Value {
    with(trace_id, &json!({ "root_trace_id": root, "parent_trace_id": parent, "execution_order": order }))
}

async fn stored(local: &Local, log: &Value) {
    let (status, answer) = local.client.post("/trace_log", log).await;
    assert_eq!(status, 200, "{log}: {answer}");
}

async fn total(local: &Local, conditions: Value) -> Value {
    let mut query = json!({ "project_name": "test" });
    query.as_object_mut().unwrap().extend(conditions.as_object().unwrap().clone());
    let (status, page) = local.client.post("/get_trace_logs", &query).await;
    assert_eq!(status, 200, "{query}: {page}");
    page["total"].clone()
}

/// Both SDKs send every log with the rate of its root, and drop nothing.
#[tokio::test]
async fn sampling_is_done_here_and_once_for_a_whole_trace() {
    const TRACES: usize = 60;
    let local = Local::start().await;
    let trace = async |root: &str, more: Value| {
        let mut child = below(root, root, &format!("{root}.child"), 1);
        child.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        // What is left out is acknowledged as well.
        stored(&local, &child).await;
        stored(&local, &with(root, &more)).await;
        let found = [local.client.log(root).await, local.client.log(&format!("{root}.child")).await];
        assert_eq!(found[0].is_null(), found[1].is_null(), "a trace is kept whole: {found:?}");
        !found[0].is_null()
    };
    assert!(!trace("never", json!({ "log_sample_rate": 0.0 })).await);
    let update = json!({ "trace_id": "never", "root_trace_id": "never", "field_name_to_value_map": { "output": "x" } });
    assert_eq!(local.client.send("PUT", "/trace_log", update.to_string()).await.0, 200);
    assert_eq!(local.client.post("/feedback", &json!({ "trace_id": "never", "score": 1 })).await.0, 200);
    assert!(trace("of a run", json!({ "log_sample_rate": 0.0, "experiment_uuid": "run" })).await);
    // A client that chose by itself says 1 or nothing, and nothing of it is left out again.
    assert!(trace("chosen", json!({ "log_sample_rate": 1.0 })).await);
    assert!(trace("unsaid", json!({ "log_sample_rate": null })).await);
    let mut kept = 0;
    for number in 0..TRACES {
        kept += usize::from(trace(&format!("trace-{number}"), json!({ "log_sample_rate": 0.5 })).await);
    }
    assert!((TRACES / 4..TRACES * 3 / 4).contains(&kept), "{kept} of {TRACES} at a half");
    assert_eq!(total(&local, json!({})).await, 2 * (3 + kept));
}

#[tokio::test]
async fn a_score_of_true_is_one() {
    let local = Local::start().await;
    let scores = |right: Value, wrong: Value| json!([{ "name": "right", "score": right, "reason": null }, { "name": "wrong", "score": wrong }]);
    stored(&local, &with("python", &json!({ "scores": scores(json!(true), json!(false)) }))).await;
    stored(&local, &with("typescript", &json!({ "scores": scores(json!(1), json!(0)) }))).await;
    stored(&local, &log("updated")).await;
    let update =
        json!({ "trace_id": "updated", "field_name_to_value_map": { "scores": scores(json!(true), json!(false)) } });
    assert_eq!(local.client.send("PUT", "/trace_log", update.to_string()).await.0, 200);
    for id in ["python", "typescript", "updated"] {
        let read = local.client.log(id).await;
        let of = |index: usize| read["scores"][index]["score"].as_f64();
        assert_eq!((of(0), of(1)), (Some(1.0), Some(0.0)), "{read}");
    }
    for (name, operator) in [("right", "equals"), ("wrong", "less_than")] {
        let filter = json!({ "filter_field": name, "filter_operator": operator, "filter_value": "1.0" });
        assert_eq!(total(&local, filter).await, 3, "{name}");
    }
}

#[tokio::test]
async fn a_temperature_above_one_and_the_roles_of_the_sdks_are_kept() {
    let local = Local::start().await;
    let roles = ["user", "assistant", "system", "example_user", "example_assistant", "tool", "function"];
    let messages: Vec<Value> = roles.iter().map(|role| json!({ "role": role, "content": "x" })).collect();
    let configuration = json!({ "model": "m", "model_params": { "temp": 1.8, "top_p": 1.0 }, "messages": messages });
    stored(&local, &with("a", &json!({ "configuration": configuration }))).await;
    // Not held against the document, which knows fewer roles.
    let (_, read) = Client::attempt(local.client.request("GET", "/trace_log/a")).await.unwrap();
    assert_eq!(read["configuration"]["model_params"]["temp"], 1.8);
    assert_eq!(read["configuration"]["messages"], json!(messages));
}

#[tokio::test]
async fn a_log_without_a_status_has_not_failed() {
    let local = Local::start().await;
    let run = json!({ "experiment_uuid": "run", "scores": [{ "name": "acc", "score": 1 }] });
    stored(&local, &with("typescript", &run)).await;
    stored(&local, &with("python", &json!({ "status": "success" }))).await;
    stored(&local, &with("failed", &json!({ "status": "error", "error": "E" }))).await;
    let read = local.client.log("typescript").await;
    assert!(read["status"].is_null() && read["error"].is_null(), "{read}");
    for (status, found) in [("error", 1), ("success", 1)] {
        assert_eq!(total(&local, json!({ "status": status })).await, found, "{status}");
    }
    let filter = json!({ "filter_field": "status", "filter_operator": "not_equals", "filter_value": "error" });
    assert_eq!(total(&local, filter).await, 2);
    let (_, stats) = local.client.get("/experiment/run/stats").await;
    assert_eq!(stats["parent_trace_stats"][0]["scores"][0]["score"], 1.0, "it counts: {stats}");
}

/// Clients wait for seconds before they give feedback or end a run, as a server may be behind; this one is not.
#[tokio::test]
async fn what_was_answered_is_there_and_what_comes_after_the_end_of_a_run_counts_too() {
    let local = Local::start().await;
    let sample = |id: &str, score: u32| {
        with(id, &json!({ "experiment_uuid": "run", "scores": [{ "name": "acc", "score": score }] }))
    };
    let acc = async || {
        let (_, runs) = local.client.post("/experiments", &json!({ "experiment_uuids": ["run"] })).await;
        let pinned = runs[0]["pinned_stats"].as_array().unwrap().clone();
        pinned.into_iter().find(|pinned| pinned["var1"] == "acc").unwrap()["value"].clone()
    };
    stored(&local, &sample("first", 1)).await;
    assert_eq!(local.client.post("/feedback", &json!({ "trace_id": "first", "score": 0.25 })).await.0, 200);
    assert_eq!(local.client.log("first").await["feedback_score"], 0.25);
    let (_, stats) = local.client.post("/experiment/run/finished", &json!({})).await;
    assert_eq!((stats["parent_trace_stats"].as_array().unwrap().len(), acc().await), (1, json!(1.0)));
    // Its last log was slower than the end.
    stored(&local, &sample("late", 0)).await;
    let (_, stats) = local.client.get("/experiment/run/stats").await;
    assert_eq!(stats["parent_trace_stats"].as_array().unwrap().len(), 2, "{stats}");
    local.client.post("/experiment/run/finished", &json!({})).await;
    assert_eq!(acc().await, 0.5);
}

#[tokio::test]
async fn a_page_has_twenty_logs_unless_the_client_says_ten() {
    let local = Local::start().await;
    let logs: Vec<Value> = (0..25).map(|number| log(&number.to_string())).collect();
    assert_eq!(local.client.post("/trace_logs", &logs.into()).await.1["accepted"], 25);
    for (size, expected, pages) in
        [(json!({}), 20, 2), (json!({ "page": null, "page_size": null }), 20, 2), (json!({ "page_size": 10 }), 10, 3)]
    {
        let mut query = json!({ "project_name": "test", "time_range": "na" });
        query.as_object_mut().unwrap().extend(size.as_object().unwrap().clone());
        let (status, page) = local.client.post("/get_trace_logs", &query).await;
        assert_eq!(status, 200, "{page}");
        let head = ["page", "page_size", "total", "total_pages"].map(|name| page[name].as_u64().unwrap());
        assert_eq!((head, page["results"].as_array().unwrap().len() as u64), ([1, expected, 25, pages], expected));
    }
}

/// Python fails on a null in these, and on a log without the ids.
#[tokio::test]
async fn no_update_puts_a_null_where_python_fails_on_it() {
    let local = Local::start().await;
    let lists =
        ["scores", "children", "images", "comments", "annotations", "configuration", "tags", "inputs", "metadata"];
    stored(&local, &with("root", &json!({ "scores": [{ "name": "s", "score": 1 }], "experiment_uuid": "run" }))).await;
    let mut child = below("root", "root", "child", 1);
    child["configuration"] = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] });
    stored(&local, &child).await;
    for id in ["root", "child"] {
        let nulls: serde_json::Map<_, _> = lists.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
        let updates = [
            Value::Object(nulls),
            json!({ "configuration": { "messages": null, "model_params": null, "model": null } }),
        ];
        for fields in updates {
            let update = json!({ "trace_id": id, "root_trace_id": "root", "field_name_to_value_map": fields });
            let (status, answer) = local.client.send("PUT", "/trace_log", update.to_string()).await;
            assert_eq!(status, 200, "{update}: {answer}");
        }
    }
    let (_, page) = local.client.post("/get_trace_logs", &json!({ "project_name": "test" })).await;
    let (_, run) = local.client.post("/experiment/run/trace_logs", &json!({})).await;
    let tree = local.client.log("root").await;
    assert_eq!((&tree["scores"], &tree["children_logs"][0]["configuration"]), (&json!([]), &json!({})), "{tree}");
    for answer in [&tree, &page["results"], &run] {
        let text = answer.to_string();
        for field in lists.iter().chain(&["children_logs", "depth", "execution_order", "messages", "model_params"]) {
            assert!(!text.contains(&format!("\"{field}\":null")), "{field}: {text}");
        }
        for id in ["trace_id", "parent_trace_id", "root_trace_id", "start_timestamp"] {
            assert_eq!(
                text.matches(&format!("\"{id}\":\"")).count(),
                text.matches("\"children_logs\":").count(),
                "{id}"
            );
        }
    }
}

/// As the TypeScript SDK has them: neither parent nor status for a root, options under names that no schema knows,
/// values that are JSON already, siblings that became a chain, and a project of a server that was wiped.
#[tokio::test]
async fn logs_of_typescript_are_taken_as_they_are() {
    let local = Local::start().await;
    let (project, root) = ("6f9b0c2e-3d0d-4d6c-9a53-1f0e1d2c3b4a", "0c4df5e6-33a4-4b8e-9e0f-2b1f6e3d8f10");
    let span = |id: &str, depth: usize, more: Value| {
        let mut span = json!({
            "trace_id": id, "root_trace_id": root, "trace_name": "greet", "start_timestamp": "2026-11-20T15:27:16.525Z",
            "end_timestamp": "2026-11-20T15:27:17.025Z", "depth": depth, "execution_order": depth, "children": [],
            "inputs": { "name": "Foo", "list": ["a", "b"] }, "output": "\"Hello Foo\"", "target": "\"Hi Foo\"",
            "metadata": { "n": "3", "d": "{\"x\":1}" }, "experiment_uuid": null, "project_uuid": project,
            "evalFuncs": [null], "applyEvalFrac": 0.5, "evalFuncNames": ["f"], "accessOutputOfFunc": null,
        });
        span.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        span
    };
    stored(&local, &span("second", 2, json!({ "parent_trace_id": "first" }))).await;
    stored(&local, &span("first", 1, json!({ "parent_trace_id": root }))).await;
    stored(&local, &span(root, 0, json!({}))).await;
    // A root that says nothing of its links is one.
    stored(&local, &json!({ "trace_id": "bare", "start_timestamp": "2024-05-30 13:48:34", "project_uuid": project }))
        .await;
    let bare = local.client.log("bare").await;
    assert_eq!((&bare["parent_trace_id"], &bare["root_trace_id"]), (&json!("bare"), &json!("bare")));

    let tree = local.client.log(root).await;
    assert_eq!((&tree["parent_trace_id"], &tree["project_uuid"]), (&json!(root), &json!(project)));
    assert!(tree["status"].is_null(), "{tree}");
    let (first, second) = (&tree["children_logs"][0], &tree["children_logs"][0]["children_logs"][0]);
    assert_eq!((&first["trace_id"], &second["trace_id"]), (&json!("first"), &json!("second")), "not repaired");
    assert_eq!((&first["depth"], &second["depth"]), (&json!(1), &json!(2)));
    for log in [&tree, first, second] {
        assert_eq!((&log["output"], &log["target"]), (&json!("\"Hello Foo\""), &json!("\"Hi Foo\"")));
        assert_eq!(log["inputs"], json!({ "name": "Foo", "list": ["a", "b"] }));
        assert_eq!(log["metadata"], json!({ "n": "3", "d": "{\"x\":1}" }));
        // What is not under its real name was not said.
        assert!(log["evaluation_metric_names"].as_array().is_none_or(Vec::is_empty), "{log}");
        assert!(log["apply_eval_frac"].as_f64() != Some(0.5) && log["applyEvalFrac"].is_null(), "{log}");
    }
    // Python's texts have no quotes of their own, and get none.
    stored(&local, &with("python", &json!({ "target": "Hi Foo" }))).await;
    assert_eq!(local.client.log("python").await["target"], "Hi Foo");
}

/// The number of logs in the tree of a span, each where it belongs.
fn whole(tree: &Value, trace: usize, span: usize) -> usize {
    assert_eq!(tree["trace_id"], format!("{trace}.{span}"));
    let children = tree["children_logs"].as_array().unwrap();
    let below: usize = children.iter().zip(2 * span + 1..).map(|(child, span)| whole(child, trace, span)).sum();
    below + 1
}

/// Every span is a request, from many connections at once, children as a rule before their parents.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_that_come_singly_over_many_connections_become_their_trees() {
    const TRACES: usize = 6;
    const SPANS: usize = 15;
    let local = Local::start().await;
    let id = |trace: usize, span: usize| format!("{trace}.{span}");
    let mut spans = Vec::new();
    for trace in 0..TRACES {
        for span in 0..SPANS {
            // The parent of 1 and 2 is 0, of 3 and 4 it is 1, …
            let parent = span.saturating_sub(1) / 2;
            let mut log = below(&id(trace, 0), &id(trace, parent), &id(trace, span), span);
            // The last of each trace is an evaluation, which ends after the root.
            log["scores"] = if span + 1 == SPANS { json!([{ "name": "late", "score": 0.5 }]) } else { json!([]) };
            // The root of the last trace never comes.
            if (trace, span) != (TRACES - 1, 0) {
                spans.push(log);
            }
        }
    }
    // Children first, then roots and behind them the evaluations; traces mixed, a share for each connection.
    spans.sort_by_key(|span| std::cmp::Reverse(span["execution_order"].as_u64().unwrap() as usize % (SPANS - 1)));
    let connections: Vec<_> = (0..8)
        .map(|connection| {
            let share: Vec<Value> = spans.iter().skip(connection).step_by(8).cloned().collect();
            let client = Client::of(local.handle.url());
            tokio::spawn(async move {
                for span in share {
                    assert_eq!(client.post("/trace_log", &span).await.0, 200, "{span}");
                }
            })
        })
        .collect();
    for connection in connections {
        connection.await.unwrap();
    }
    for trace in 0..TRACES - 1 {
        let tree = local.client.log(&id(trace, 0)).await;
        assert_eq!(whole(&tree, trace, 0), SPANS);
        assert_eq!(tree["scores"], json!([{ "name": "late", "score": 0.5 }]), "of its last evaluation");
    }
    // What hangs under a root that never came is read all the same.
    assert!(local.client.log(&id(TRACES - 1, 0)).await.is_null());
    for half in [1, 2] {
        assert_eq!(whole(&local.client.log(&id(TRACES - 1, half)).await, TRACES - 1, half), SPANS / 2);
    }
    assert_eq!(local.client.logs().await.len(), TRACES * SPANS - 1);
}
