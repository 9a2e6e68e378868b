//! What the Python and TypeScript SDKs send, byte for byte in shape, and what their readers need.

use serde_json::{Value, json};

use crate::client::Local;

/// A nested span as the Python SDK sends it: all keys, many of them null.
fn python(trace_id: &str, root: &str, project_uuid: &Value) -> Value {
    json!({
        "configuration": {
            "model": null, "provider": null,
            "model_params": {
                "temp": 1.0, "top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0, "max_length": null,
                "response_format": null, "safe_prompt": null
            },
            "messages": null, "history": null, "functions": null, "function_call": null
        },
        "inputs": { "x": 1 }, "output": "{\"a\": \"leaf 1\", \"y\": 2}", "target": null, "latency": 0.001_027,
        "time_to_first_token": null, "input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "cost": 0.0,
        "scores": [{ "name": "s1", "score": 0.25, "reason": "r" }], "trace_id": trace_id, "parent_trace_id": root,
        "root_trace_id": root, "start_timestamp": "2026-11-20T15:24:56.285156+00:00", "organization_id": null,
        "project_uuid": project_uuid, "error": null, "status": "success", "deployment_id": null, "cache_hit": false,
        "output_for_eval_metrics": "2", "evaluation_metric_names": null, "apply_eval_frac": 1.0,
        "log_sample_rate": 1.0, "feedback_score": null, "trace_name": "mid",
        "children": ["5bd0ae33-7a53-4f6b-9f0a-6b6d8a1d0d6b"], "end_timestamp": "2026-11-20T15:24:56.286183+00:00",
        "end_user_identifier": null, "session_id": null, "metadata": { "n": "3", "d": "{\"x\": 1}" }, "tags": null,
        "experiment_uuid": null, "images": [], "comments": null, "annotations": null, "depth": 1,
        "execution_order": 1
    })
}

/// A root as the TypeScript SDK sends it: no parent, no status, and options of its own left in.
fn typescript(trace_id: &str, project_uuid: &Value) -> Value {
    json!({
        "trace_id": trace_id, "trace_name": "greet", "start_timestamp": "2026-11-20T15:27:16.525Z", "depth": 0,
        "execution_order": 0, "root_trace_id": trace_id, "children": [], "inputs": { "name": "Foo" },
        "output": "\"Hello Foo\"", "experiment_uuid": null, "end_timestamp": "2026-11-20T15:27:16.526Z",
        "latency": 0.001, "project_uuid": project_uuid, "evalFuncs": [null], "applyEvalFrac": 1,
        "evalFuncNames": ["f"], "accessOutputOfFunc": null
    })
}

/// The Python SDK fails on a null where it expects an object, and on these where they are absent.
fn readable_by_python(log: &Value) {
    let log = log.as_object().unwrap();
    for required in ["trace_id", "parent_trace_id", "root_trace_id", "start_timestamp"] {
        assert!(log[required].is_string(), "{required}: {log:?}");
    }
    for never_null in
        ["scores", "children", "children_logs", "images", "comments", "annotations", "depth", "execution_order"]
    {
        assert!(log.get(never_null).is_none_or(|value| !value.is_null()), "{never_null}: {log:?}");
    }
    let configuration = log["configuration"].as_object().unwrap();
    assert!(configuration.values().all(|value| !value.is_null()), "{configuration:?}");
    for child in log["children_logs"].as_array().unwrap() {
        readable_by_python(child);
    }
}

#[tokio::test]
async fn logs_of_both_sdks_are_stored_and_come_back_without_the_nulls_that_crash_python() {
    let local = Local::start().await;
    let (status, project) = local.client.post("/project", &json!({ "name": "default" })).await;
    assert_eq!(status, 200);
    assert!(project["created_at"].is_string() && project["was_created"] == true, "{project}");
    let (root, child) = ("0c4df5e6-33a4-4b8e-9e0f-2b1f6e3d8f10", "a1d7a2f4-6d3a-43a5-8f3d-5cb2bb9f1c55");
    // The child comes first, as it ends first.
    for body in [python(child, root, &project["uuid"]), typescript(root, &project["uuid"])] {
        let (status, answer) = local.client.post("/trace_log", &body).await;
        assert_eq!(status, 200, "{answer}");
    }
    let tree = local.client.log(root).await;
    readable_by_python(&tree);
    assert_eq!(tree["parent_trace_id"], root, "a root names itself");
    assert_eq!(tree["output"], "\"Hello Foo\"", "stored as it is");
    let read = &tree["children_logs"][0];
    assert_eq!(read["trace_id"], child);
    assert_eq!(read["metadata"], json!({ "n": "3", "d": "{\"x\": 1}" }));
    assert_eq!(read["inputs"], json!({ "x": 1 }));

    let python_query = json!({
        "project_name": "default", "filter_field": null, "filter_key": null, "filter_operator": null,
        "filter_value": null, "page": 1, "page_size": 20, "time_range": "na", "status": null
    });
    let typescript_query = json!({ "project_name": "default", "page": 1, "page_size": 10, "time_range": "na" });
    for query in [python_query, typescript_query] {
        let (status, page) = local.client.post("/get_trace_logs", &query).await;
        assert_eq!((status, &page["total"]), (200, &json!(2)), "{page}");
        page["results"].as_array().unwrap().iter().for_each(readable_by_python);
    }
    let update = json!({ "trace_id": root, "root_trace_id": root,
        "field_name_to_value_map": { "output": "changed", "metadata": { "a": "1" } } });
    assert_eq!(local.client.send("PUT", "/trace_log", update.to_string()).await.0, 200);
    assert_eq!(local.client.log(root).await["output"], "changed");
    assert_eq!(local.client.get("/trace_log/unknown").await, (200, Value::Null));
}
