//! Conditions on logs as clients send them.

use serde_json::{Value, json};

use crate::client::{Local, log};

/// Three logs that differ in all that is asked for.
async fn start() -> Local {
    let local = Local::start().await;
    for (id, fields) in [
        (
            "right",
            json!({
                "trace_name": "LLM-openai", "cost": 0.25, "tags": ["eu", "a,b"], "cache_hit": true,
                "metadata": { "tier": "gold", "seat": "12" }, "inputs": { "q": "why?" },
                "scores": [{ "name": "is_correct", "score": 1 }, { "name": "len", "score": 12.5 }],
                "start_timestamp": "2024-05-30 13:48:36",
            }),
        ),
        (
            "wrong",
            json!({
                "trace_name": "llm_test%", "cost": 2, "tags": ["us"], "metadata": { "tier": "Gold", "seat": "9" },
                "scores": [{ "name": "is_correct", "score": 0 }], "status": "error",
                "start_timestamp": "2024-05-30T15:48:35+02:00",
                "annotations": { "7": { "u": {
                    "trace_id": "wrong", "defined_annotation_id": 7, "score": 0.5, "value": "poor",
                    "created_at": "2024-05-30 13:48:34", "user_id": "u",
                } } },
            }),
        ),
        // Its child's score is not its own.
        ("bare", json!({ "end_user_identifier": "O'Hara" })),
        (
            "child",
            json!({ "parent_trace_id": "bare", "root_trace_id": "bare", "scores": [{ "name": "deep", "score": 1 }],
            "start_timestamp": "2024-05-30 13:48:33" }),
        ),
    ] {
        let mut log = log(id);
        for (name, value) in fields.as_object().unwrap() {
            log[name] = value.clone();
        }
        assert_eq!(local.client.post("/trace_log", &log).await.0, 200);
    }
    local
}

/// The body that asks for `[field, operator, value]` or `[field, key, operator, value]`.
fn body(asked: &Value) -> Value {
    let asked = asked.as_array().unwrap();
    let (field, key, rest) = match asked.as_slice() {
        [field, rest @ ..] if asked.len() == 3 => (field, &Value::Null, rest),
        [field, key, rest @ ..] => (field, key, rest),
        _ => unreachable!(),
    };
    json!({
        "project_name": "test", "page": 1, "page_size": 20, "time_range": "na", "status": null,
        "filter_field": field, "filter_key": key, "filter_operator": rest[0], "filter_value": rest[1],
    })
}

#[tokio::test]
async fn each_operator_finds_its_logs() {
    let local = start().await;
    for (asked, expected) in [
        (json!(["is_correct", "equals", "1.0"]), vec!["right"]),
        (json!(["trace_name", "like", "llm"]), vec!["right", "wrong"]),
        (json!(["trace_name", "like", "_test%"]), vec!["wrong"]),
        (json!(["trace_name", "like", "%"]), vec!["wrong"]),
        (json!(["trace_name", "not_equals", "llm_test%"]), vec!["right", "bare", "child"]),
        (json!(["score:is_correct", "less_than", "1"]), vec!["wrong"]),
        (json!(["score:deep", "exists", null]), vec!["child"]),
        (json!(["scores", "equals", "len"]), vec!["right"]),
        (json!(["annotation:continuous:7", "greater_than_or_equal", "0.50"]), vec!["wrong"]),
        (json!(["annotation:categorical:7", "equals", "poor"]), vec!["wrong"]),
        (json!(["cost", "between", "0.25,1"]), vec!["right"]),
        (json!(["cost", "between", "[\"0.3\", 2]"]), vec!["wrong"]),
        (
            json!(["start_timestamp", "between", "2024-05-30 13:48:34, 2024-05-30T14:48:35+01:00"]),
            vec!["wrong", "bare"],
        ),
        (json!(["start_timestamp", "greater_than", "2024-05-30T13:48:34Z"]), vec!["right", "wrong"]),
        (json!(["start_timestamp", "less_than", "2024-05-31"]), vec!["right", "wrong", "bare", "child"]),
        (json!(["trace_id", "in", "right, bare,nobody"]), vec!["right", "bare"]),
        (json!(["tags", "in", "[\"a,b\", \"x\"]"]), vec!["right"]),
        (json!(["tags", "equals", "us"]), vec!["wrong"]),
        (json!(["metadata", "tier", "equals", "gold"]), vec!["right"]),
        (json!(["metadata", "seat", "greater_than", "10"]), vec!["right"]),
        (json!(["metadata", "tier", "exists", null]), vec!["right", "wrong"]),
        (json!(["metadata", "like", "\"SEAT\":\"9\""]), vec!["wrong"]),
        (json!(["metadata", "equals", "{\"tier\": \"gold\", \"seat\": \"12\"}"]), vec!["right"]),
        (json!(["inputs", "q", "like", "WHY"]), vec!["right"]),
        (json!(["inputs", "is_null", null]), vec!["wrong", "bare", "child"]),
        (json!(["end_user_identifier", "equals", "O'Hara"]), vec!["bare"]),
        (json!(["trace_name", "equals", "' OR 1=1 --"]), vec![]),
        (json!(["cache_hit", "equals", "true"]), vec!["right"]),
        (json!(["status", "equals", "error"]), vec!["wrong"]),
        (json!(["children", "equals", "child"]), vec!["bare"]),
        (json!([null, null, null]), vec!["right", "wrong", "bare", "child"]),
    ] {
        let (status, page) = local.client.post("/get_trace_logs", &body(&asked)).await;
        assert_eq!(status, 200, "{asked}: {page}");
        let ids: Vec<&str> =
            page["results"].as_array().unwrap().iter().map(|log| log["trace_id"].as_str().unwrap()).collect();
        assert_eq!((ids, page["total"].as_u64().unwrap() as usize), (expected.clone(), expected.len()), "{asked}");
    }
    let mut both = body(&json!(["trace_name", "like", "llm"]));
    both["status"] = "error".into();
    assert_eq!(local.client.post("/get_trace_logs", &both).await.1["total"], 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_told_with_its_place() {
    let local = start().await;
    for (asked, member, says) in [
        (json!(["cost", "equals", "much"]), "filter_value", "number"),
        (json!(["cost", "equals", "NaN"]), "filter_value", "number"),
        (json!(["cost", "like", "1"]), "filter_operator", "use equals"),
        (json!(["cost", "in", "1,x"]), "filter_value", "`x`"),
        (json!(["cost", "between", "1"]), "filter_value", "two values, not 1"),
        (json!(["cost", "between", "[1, 2, 3]"]), "filter_value", "not 3"),
        (json!(["trace_name", "in", "[[1]]"]), "filter_value", "`[1]`"),
        (json!(["trace_name", "between", "1,2024-05-30"]), "filter_value", "one of each"),
        (json!(["trace_name", "greater_than", "b"]), "filter_value", "neither"),
        (json!(["start_timestamp", "equals", "yesterday"]), "filter_value", "2024-05-30"),
        (json!(["cache_hit", "equals", "maybe"]), "filter_value", "true or false"),
        (json!(["cache_hit", "less_than", "true"]), "filter_operator", "does not fit"),
        (json!(["tags", "greater_than", "1"]), "filter_operator", "a list"),
        (json!(["metadata", "less_than", "1"]), "filter_operator", "filter_key"),
        (json!(["trace_name", "x", "equals", "y"]), "filter_key", "no map"),
        (json!(["traceName", "like", "llm"]), "filter_operator", "no field of a log"),
        (json!(["score:", "equals", "1"]), "filter_field", "score:{name}"),
        (json!(["annotation:7", "equals", "1"]), "filter_field", "annotation:continuous:{id}"),
        (json!(["cost", "equals", null]), "filter_value", "required"),
        (json!(["cost", null, "1"]), "filter_operator", "required"),
        (json!([null, "equals", "1"]), "filter_operator", "filter_field"),
        (json!(["cost", "resembles", "1"]), "filter_operator", "'between'"),
    ] {
        let (status, answer) = local.client.post("/get_trace_logs", &body(&asked)).await;
        assert_eq!(status, 422, "{asked}: {answer}");
        let detail = &answer["detail"].as_array().unwrap()[0];
        assert_eq!(detail["loc"], json!(["body", member]), "{asked}: {answer}");
        assert!(detail["msg"].as_str().unwrap().contains(says), "{asked}: {answer}");
    }
}

#[tokio::test]
async fn an_experiment_is_filtered_by_its_roots_with_the_scores_of_their_traces() {
    let local = Local::start().await;
    for (id, root, score) in [("a", "a", "own"), ("a child", "a", "deep"), ("b", "b", "own"), ("b child", "b", "other")]
    {
        let mut log = log(id);
        log["parent_trace_id"] = root.into();
        log["root_trace_id"] = root.into();
        log["experiment_uuid"] = "run".into();
        log["scores"] = json!([{ "name": score, "score": 0.5 }]);
        assert_eq!(local.client.post("/trace_log", &log).await.0, 200);
    }
    for (asked, expected) in [
        (json!(["deep", "equals", "0.50"]), vec!["a"]),
        (json!(["score:own", "less_than", "1"]), vec!["a", "b"]),
        (json!(["trace_id", "like", "child"]), vec![]),
        (json!(["trace_id", "not_equals", "a"]), vec!["b"]),
    ] {
        let (status, roots) = local.client.post("/experiment/run/trace_logs", &body(&asked)).await;
        assert_eq!(status, 200, "{asked}: {roots}");
        let ids: Vec<&str> = roots.as_array().unwrap().iter().map(|log| log["trace_id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{asked}");
    }
    let nonsense = body(&json!(["cost", "like", "1"]));
    let (status, answer) = local.client.post("/experiment/run/trace_logs", &nonsense).await;
    assert_eq!((status, &answer["detail"][0]["loc"]), (422, &json!(["body", "filter_operator"])));
}
