//! Bodies that are wrong, one way each: what is wrong is said, and the server stays up.

use serde_json::{Value, json};

use crate::client::{Client, Local, log};

/// `(loc, type)` of each fault.
fn faults(body: &Value) -> Vec<(String, String)> {
    let detail = body["detail"].as_array().unwrap_or_else(|| panic!("no faults: {body}"));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    detail
        .iter()
        .map(|fault| {
            let loc: Vec<_> = fault["loc"].as_array().unwrap().iter().map(text).collect();
            assert!(!fault["msg"].as_str().unwrap().is_empty());
            (loc.join("."), fault["type"].as_str().unwrap().to_owned())
        })
        .collect()
}

async fn refused(
    client: &Client,
    method: &str,
    operation: &str,
    body: impl Into<Vec<u8>>,
) -> (Value, Vec<(String, String)>) {
    let body = body.into();
    let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    let (status, answer) = client.send(method, operation, body).await;
    assert_eq!(status, 422, "{method} {operation} {shown}: {answer}");
    let faults = faults(&answer);
    // It goes on, and what is good is taken.
    assert_eq!(client.post("/trace_log", &log("good")).await.0, 200, "after {shown}");
    (answer, faults)
}

fn expect(faults: &[(String, String)], expected: &[(&str, &str)], what: &str) {
    let faults: Vec<_> = faults.iter().map(|(loc, kind)| (loc.as_str(), kind.as_str())).collect();
    assert_eq!(faults, expected, "{what}");
}

#[tokio::test]
async fn every_fault_of_a_log_is_named_by_its_place() {
    let local = Local::start().await;
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("", &[("body", "missing")]),
        (" \n ", &[("body", "missing")]),
        ("[]", &[("body", "model_attributes_type")]),
        ("null", &[("body", "model_attributes_type")]),
        ("\"text\"", &[("body", "model_attributes_type")]),
        (r#"["a", "b"]"#, &[("body", "model_attributes_type")]),
        ("{", &[("body.1", "json_invalid")]),
        ("nonsense", &[("body.1", "json_invalid")]),
        (r#"{"trace_id": "a",}"#, &[("body.17", "json_invalid")]),
        ("{\n  \"trace_id\": NaN}", &[("body.16", "json_invalid")]),
        ("{}", &[("body.trace_id", "missing"), ("body.start_timestamp", "missing"), ("body.project_name", "missing")]),
        (
            r#"{"trace_id": null, "start_timestamp": "2024-05-30 13:48:34", "project_name": "p"}"#,
            &[("body.trace_id", "string_type")],
        ),
        (
            r#"{"trace_id": "a", "start_timestamp": "2024-05-30 13:48:34", "project_name": "p", "log_sample_rate": -1}"#,
            &[("body.log_sample_rate", "less_than_equal")],
        ),
        (
            r#"{"trace_id": "", "start_timestamp": "2024-05-30 13:48:34", "project_name": ""}"#,
            &[("body.trace_id", "string_too_short"), ("body.project_name", "missing")],
        ),
        (
            r#"{"trace_id": 7, "start_timestamp": "yesterday", "project_name": ["p"], "inputs": "x", "tags": {"a": 1},
                "status": "ok", "latency": "1", "depth": 0.5, "cache_hit": "no", "output": {"a": 1},
                "scores": [{"name": "a", "score": 1}, {"score": "high"}, 5],
                "configuration": {"model_params": {"temp": "hot"}, "messages": [{"content": 3}]}}"#,
            &[
                ("body.cache_hit", "bool_type"),
                ("body.configuration.messages.0.content", "string_type"),
                ("body.configuration.model_params.temp", "float_type"),
                ("body.depth", "int_type"),
                ("body.inputs", "dict_type"),
                ("body.latency", "float_type"),
                ("body.output", "string_type"),
                ("body.project_name", "string_type"),
                ("body.scores.1.name", "missing"),
                ("body.scores.1.score", "float_type"),
                ("body.scores.2", "model_attributes_type"),
                ("body.start_timestamp", "datetime_parsing"),
                ("body.status", "enum"),
                ("body.tags", "list_type"),
                ("body.trace_id", "string_type"),
            ],
        ),
    ];
    for (body, expected) in cases {
        let (_, mut found) = refused(&local.client, "POST", "/trace_log", *body).await;
        if expected.len() > 3 {
            found.sort();
        }
        expect(&found, expected, body);
    }
    let (answer, _) = refused(&local.client, "POST", "/trace_log", "{\"trace_id\": \"a\"}").await;
    let first = json!({ "loc": ["body", "start_timestamp"], "msg": "Field required", "type": "missing" });
    assert_eq!(answer["detail"][0], first);
    let long = json!({ "trace_id": "é".repeat(128), "start_timestamp": "2024-05-30 13:48:34", "project_name": "test" });
    let (_, found) = refused(&local.client, "POST", "/trace_log", long.to_string()).await;
    expect(&found, &[("body.trace_id", "string_too_long")], "256 bytes");
    assert_eq!(local.client.post("/trace_log", &log(&"x".repeat(255))).await.0, 200);
    assert_eq!(local.client.logs().await.len(), 2);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_named_by_their_place() {
    let local = Local::start().await;
    let mut body = log("broken").to_string().into_bytes();
    let place = body.windows(6).position(|bytes| bytes == b"broken").unwrap();
    body[place] = 0xff;
    let (answer, found) = refused(&local.client, "POST", "/trace_log", body).await;
    expect(&found, &[(&format!("body.{place}"), "json_invalid")], "invalid UTF-8");
    assert!(answer["detail"][0]["msg"].as_str().unwrap().contains("0xff"), "{answer}");
}

#[tokio::test]
async fn depth_is_refused_and_harmless() {
    let local = Local::start().await;
    let nested = |depth: usize| {
        let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let mut log = log("deep").to_string();
        log.insert_str(log.len() - 1, &format!(r#","inputs":{{"a":{value}}}"#));
        log
    };
    assert_eq!(local.client.send("POST", "/trace_log", nested(100)).await.0, 200);
    for body in [nested(129), nested(100_000), "[".repeat(100_000), "{\"a\":".repeat(100_000)] {
        let (answer, found) = refused(&local.client, "POST", "/trace_log", body).await;
        assert_eq!(found[0].1, "json_invalid");
        assert!(answer["detail"][0]["msg"].as_str().unwrap().contains("nested deeper"), "{answer}");
    }
    let batch = format!("[{},{},{}]", log("first"), nested(100_000), log("last"));
    let (status, answer) = local.client.send("POST", "/trace_logs", batch).await;
    assert_eq!((status, &answer["accepted"], &answer["rejected"][0]["index"]), (200, &json!(2), &json!(1)), "{answer}");
    assert!(!local.client.log("last").await.is_null());
}

#[tokio::test]
async fn updates_name_fields_that_exist_and_can_change() {
    let local = Local::start().await;
    let cases = [
        (json!({ "field_name_to_value_map": {} }), vec![("body.trace_id", "missing")]),
        (json!({ "trace_id": "a" }), vec![("body.field_name_to_value_map", "missing")]),
        (
            json!({ "trace_id": "a", "field_name_to_value_map": [] }),
            vec![("body.field_name_to_value_map", "dict_type")],
        ),
        (
            json!({ "trace_id": "", "field_name_to_value_map": {
                "outptu": "x", "parent_trace_id": "b", "scores": "good", "start_timestamp": null } }),
            vec![
                ("body.trace_id", "string_too_short"),
                ("body.field_name_to_value_map.outptu", "extra_forbidden"),
                ("body.field_name_to_value_map.parent_trace_id", "frozen_field"),
                ("body.field_name_to_value_map.scores", "list_type"),
                ("body.field_name_to_value_map.start_timestamp", "string_type"),
            ],
        ),
    ];
    for (body, expected) in cases {
        let (_, found) = refused(&local.client, "PUT", "/trace_log", body.to_string()).await;
        expect(&found, &expected, &body.to_string());
    }
}

#[tokio::test]
async fn other_operations_check_their_bodies_too() {
    let local = Local::start().await;
    let cases = [
        ("/project", json!({}), vec![("body.name", "missing")]),
        ("/project", json!({ "name": "" }), vec![("body.name", "string_too_short")]),
        ("/get_trace_logs", json!({ "status": "ok" }), vec![("body.status", "enum"), ("body.project_name", "missing")]),
        (
            "/get_trace_logs",
            json!({ "project_name": "test", "page": 0, "page_size": 100_001, "time_range": null }),
            vec![("body.page", "greater_than"), ("body.page_size", "less_than_equal")],
        ),
        ("/get_trace_logs", json!({ "project_name": "test", "time_range": "2h" }), vec![("body.time_range", "enum")]),
    ];
    for (operation, body, expected) in cases {
        let (_, found) = refused(&local.client, "POST", operation, body.to_string()).await;
        expect(&found, &expected, &body.to_string());
    }
}
