//! Runs of LangChain as logs.

use serde_json::{Value, json};

use crate::client::Local;

/// A chain that calls a model and then a tool that fails, as the Python SDK sends it.
fn chain() -> Value {
    let model = json!({
        "id": "model", "name": "ChatOpenAI", "run_type": "llm", "parent_run_id": "chain", "trace_id": "chain",
        "start_time": "2024-05-30T13:48:34.100000+00:00", "end_time": "2024-05-30T13:48:34.600000+00:00",
        "error": null, "serialized": null, "events": [], "tags": ["seq:step:1"], "child_runs": [],
        "extra": { "invocation_params": { "model": "gpt-4o" }, "metadata": { "ls_provider": "openai" } },
        "inputs": { "prompts": ["Human: hi"] },
        "outputs": {
            "generations": [[{ "text": "hello", "generation_info": {}, "type": "ChatGeneration" }]],
            "llm_output": {
                "token_usage": { "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 },
                "model_name": "gpt-4o-2024"
            }
        }
    });
    let tool = json!({
        "id": "tool", "name": "search", "run_type": "tool", "parent_run_id": "chain", "trace_id": "chain",
        "start_time": "2024-05-30T13:48:34.700000", "end_time": "2024-05-30T13:48:34.900000",
        "error": "ValueError('no')", "inputs": { "input": "x" }, "outputs": null, "child_runs": null
    });
    json!({
        "id": "chain", "name": "RunnableSequence", "run_type": "chain", "parent_run_id": null, "trace_id": "chain",
        "start_time": "2024-05-30T13:48:34", "end_time": "2024-05-30T13:48:35", "error": null,
        "inputs": { "question": "hi" }, "outputs": { "output": "done" }, "extra": {}, "tags": [],
        "child_runs": [tool, model], "project_uuid": "p", "experiment_uuid": null,
        "_parea_root_trace_id": null, "_parea_parent_trace_id": null, "_session_id": "s", "_tags": ["t"],
        "_metadata": { "k": "v" }, "_end_user_identifier": "u", "_deployment_id": null, "_log_sample_rate": 1.0
    })
}

#[tokio::test]
async fn a_run_and_those_below_it_become_a_tree() {
    let local = Local::start().await;
    let chain = chain();
    // The model's run is sent by itself when it ends, before the chain that called it.
    let mut model = chain["child_runs"][1].clone();
    for field in ["project_uuid", "_session_id", "_tags"] {
        model[field] = chain[field].clone();
    }
    for (run, outcome) in [(&model, "created"), (&chain, "created"), (&chain, "unchanged")] {
        let (status, answer) = local.client.post("/trace_log/langchain", run).await;
        assert_eq!((status, &answer["outcome"]), (200, &json!(outcome)), "{answer}");
    }
    let tree = local.client.log("chain").await;
    let [called, failed] = tree["children_logs"].as_array().unwrap().as_slice() else { panic!("{tree}") };
    for (log, id, parent, depth, order, latency) in [
        (&tree, "chain", "chain", 0, 0, 1.0),
        (called, "model", "chain", 1, 1, 0.5),
        (failed, "tool", "chain", 1, 2, 0.2),
    ] {
        assert_eq!(
            (&log["trace_id"], &log["parent_trace_id"], &log["root_trace_id"]),
            (&json!(id), &json!(parent), &json!("chain"))
        );
        assert_eq!((&log["depth"], &log["execution_order"]), (&json!(depth), &json!(order)), "{id}");
        assert!((log["latency"].as_f64().unwrap() - latency).abs() < 1e-9, "{id}");
        assert_eq!((&log["session_id"], &log["project_uuid"]), (&json!("s"), &json!("p")), "{id}");
    }
    assert_eq!((&tree["output"], &tree["status"], &tree["tags"]), (&json!("done"), &json!("success"), &json!(["t"])));
    assert_eq!((&tree["metadata"], &tree["inputs"]), (&json!({ "k": "v" }), &json!({ "question": "hi" })));
    assert_eq!((&called["output"], &called["configuration"]["model"]), (&json!("hello"), &json!("gpt-4o")));
    assert_eq!(
        ["input_tokens", "output_tokens", "total_tokens"].map(|name| called[name].clone()),
        [10, 5, 15].map(Value::from)
    );
    assert_eq!((&called["tags"], &failed["status"]), (&json!(["seq:step:1"]), &json!("error")));
    assert_eq!(failed["error"], "ValueError('no')");
}

#[tokio::test]
async fn a_run_inside_a_trace_hangs_below_it_and_one_without_an_id_is_refused() {
    let local = Local::start().await;
    let mut inside = chain();
    inside["_parea_root_trace_id"] = "root".into();
    inside["_parea_parent_trace_id"] = "root".into();
    assert_eq!(local.client.post("/trace_log/langchain", &inside).await.0, 200);
    let root = json!({ "trace_id": "root", "start_timestamp": "2024-05-30 13:48:33", "project_uuid": "p" });
    assert_eq!(local.client.post("/trace_log", &root).await.0, 200);
    let tree = local.client.log("root").await;
    assert_eq!(tree["children_logs"][0]["trace_id"], "chain");
    assert_eq!(tree["children_logs"][0]["children_logs"].as_array().unwrap().len(), 2);
    for field in ["id", "start_time", "project_uuid"] {
        let mut run = chain();
        run.as_object_mut().unwrap().remove(field);
        let (status, answer) = local.client.post("/trace_log/langchain", &run).await;
        assert_eq!((status, &answer["detail"][0]["loc"]), (422, &json!(["body", field])), "{answer}");
    }
}

#[tokio::test]
async fn times_are_milliseconds_where_javascript_writes_them() {
    let local = Local::start().await;
    let mut run = chain();
    let mut child = run["child_runs"][1].take();
    (child["start_time"], child["end_time"]) = (json!(1_717_076_914_100_i64), json!(1_717_076_914_600.5));
    run["child_runs"] = json!([child]);
    (run["start_time"], run["end_time"]) = (json!(1_717_076_914_000_i64), json!(1_717_076_915_000_i64));
    assert_eq!(local.client.post("/trace_log/langchain", &run).await.0, 200);
    let tree = local.client.log("chain").await;
    assert_eq!(tree["start_timestamp"], "2024-05-30T13:48:34.000000+00:00");
    assert_eq!((&tree["latency"], &tree["status"]), (&json!(1.0), &json!("success")));
    assert_eq!(tree["children_logs"][0]["end_timestamp"], "2024-05-30T13:48:34.600500+00:00");
    for time in [json!(1e30), json!(true), json!("yesterday")] {
        run["start_time"] = time;
        let (status, answer) = local.client.post("/trace_log/langchain", &run).await;
        assert_eq!((status, &answer["detail"][0]["loc"]), (422, &json!(["body", "start_time"])), "{answer}");
    }
}
