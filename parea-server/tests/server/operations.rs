//! Which operations there are, and what becomes of logs in every order.

use serde_json::{Value, json};

use crate::client::{Client, Local, log};

#[tokio::test]
async fn every_operation_of_the_api_answers_or_says_that_it_is_not_offered() {
    let local = Local::start().await;
    let not_offered = [("POST", "/completion"), ("POST", "/completion/stream"), ("POST", "/deployed-prompt")];
    for (method, operation) in not_offered {
        let (status, body) = local.client.send(method, operation, "{}").await;
        assert_eq!(status, 501, "{method} {operation}");
        let named = format!("{method} {}", operation.split('/').take(2).collect::<Vec<_>>().join("/"));
        assert!(body["detail"].as_str().unwrap().contains(&named), "{body}");
    }
    for operation in ["/nowhere", "/trace_log/", "/collection/"] {
        let (status, body) = local.client.get(operation).await;
        assert_eq!((status, body["detail"].is_string()), (404, true), "{operation}");
    }
    for (method, operation, allowed) in [
        ("DELETE", "/trace_log", "POST,PUT"),
        ("DELETE", "/trace_logs", "POST,PUT"),
        ("POST", "/trace_log/a", "GET,HEAD"),
        ("GET", "/feedback", "POST"),
    ] {
        let response = local.client.request(method, operation).send().await.unwrap();
        assert_eq!(response.status(), 405, "{method} {operation}");
        assert_eq!(response.headers()["allow"], allowed, "{method} {operation}");
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert!(body["detail"].is_string(), "{body}");
    }
    for operation in ["", "/"] {
        assert_eq!(local.client.get(operation).await.1["version"], env!("CARGO_PKG_VERSION"));
    }
}

#[tokio::test]
async fn projects_are_found_or_created_by_name_and_by_their_first_log() {
    let local = Local::start().await;
    let project = async |name: &str| local.client.post("/project", &json!({ "name": name })).await.1;
    let first = project("one").await;
    assert_eq!((&first["name"], &first["was_created"]), (&json!("one"), &json!(true)));
    let again = project("one").await;
    assert_eq!((&again["uuid"], &again["was_created"]), (&first["uuid"], &json!(false)));
    assert_eq!(again["created_at"], first["created_at"]);
    assert_eq!(local.client.post("/trace_log", &log("a")).await.0, 200);
    let by_log = project("test").await;
    assert_eq!(by_log["was_created"], false);
    assert_eq!(local.client.log("a").await["project_uuid"], by_log["uuid"]);
}

#[tokio::test]
async fn unknown_fields_and_nulls_refuse_nothing() {
    let local = Local::start().await;
    let mut body = log("a");
    body["evalFuncs"] = json!([null]);
    body["applyEvalFrac"] = json!(1);
    body["configuration"] = json!({ "history": [{ "deep": [[]] }], "model": null });
    for field in ["output", "latency", "depth", "execution_order", "scores", "comments", "cache_hit", "children"] {
        body[field] = Value::Null;
    }
    // Nor does a wrong content type, which is what curl sends unless told.
    let request =
        local.client.request("POST", "/trace_log").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(Client::attempt(request.body(body.to_string())).await.unwrap().0, 200);
    assert_eq!(local.client.log("a").await["trace_id"], "a");
}

#[tokio::test]
async fn half_a_character_and_a_repeated_member_refuse_nothing() {
    let local = Local::start().await;
    for (id, output, read) in [("a", r#""cut \ud83d""#, "cut \u{fffd}"), ("b", r#""old", "output": "new""#, "new")] {
        let body = log(id).to_string().replacen('{', &format!(r#"{{"output": {output}, "#), 1);
        let (status, answer) = local.client.send("POST", "/trace_log", body).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(local.client.log(id).await["output"], read);
    }
}

#[tokio::test]
async fn every_spelling_of_a_time_is_read_and_one_is_written() {
    let local = Local::start().await;
    let spellings = [
        ("2024-05-30 13:48:34", "2024-05-30T13:48:34.000000+00:00"),
        ("2024-05-30T13:48:34", "2024-05-30T13:48:34.000000+00:00"),
        ("2024-04-15T22:19:13.381503+00:00", "2024-04-15T22:19:13.381503+00:00"),
        ("2024-04-15T22:19:13.381Z", "2024-04-15T22:19:13.381000+00:00"),
        ("2024-04-16T00:19:13.381503999+02:00", "2024-04-15T22:19:13.381503+00:00"),
        ("2024-04-15 17:19:13-0500", "2024-04-15T22:19:13.000000+00:00"),
    ];
    for (number, (spelling, written)) in spellings.into_iter().enumerate() {
        let mut body = log(&number.to_string());
        body["start_timestamp"] = spelling.into();
        body["end_timestamp"] = spelling.into();
        assert_eq!(local.client.post("/trace_log", &body).await.0, 200, "{spelling}");
        let log = local.client.log(&number.to_string()).await;
        assert_eq!((&log["start_timestamp"], &log["end_timestamp"]), (&json!(written), &json!(written)), "{spelling}");
    }
}

#[tokio::test]
async fn logs_come_in_any_order_and_more_than_once() {
    let local = Local::start().await;
    let mut child = log("child");
    child["root_trace_id"] = "root".into();
    child["parent_trace_id"] = "root".into();
    child["depth"] = 1.into();
    child["execution_order"] = 1.into();
    child["scores"] = json!([{ "name": "accuracy", "score": 0.8 }]);
    let update =
        json!({ "trace_id": "root", "field_name_to_value_map": { "output": "done", "tags": ["b"] }, "merge": true });
    let mut root = log("root");
    root["tags"] = json!(["a"]);
    let post = async |body: &Value| local.client.post("/trace_log", body).await;
    assert_eq!(post(&child).await, (200, json!({ "trace_id": "child", "outcome": "created" })));
    assert_eq!(local.client.log("child").await["trace_id"], "child");
    assert!(local.client.log("root").await.is_null());
    assert_eq!(local.client.send("PUT", "/trace_log", update.to_string()).await.0, 200);
    assert_eq!(post(&root).await.0, 200);
    assert_eq!(post(&child).await.1["outcome"], "unchanged");
    assert_eq!(post(&root).await.1["outcome"], "unchanged");

    let tree = local.client.log("root").await;
    assert_eq!(tree["output"], "done", "{tree}");
    let mut tags: Vec<_> = tree["tags"].as_array().unwrap().iter().map(Value::to_string).collect();
    tags.sort();
    assert_eq!(tags, ["\"a\"", "\"b\""]);
    assert_eq!(tree["children_logs"].as_array().unwrap().len(), 1);
    assert_eq!(tree["children_logs"][0]["trace_id"], "child");
    assert_eq!(tree["children_logs"][0]["scores"].as_array().unwrap().len(), 1);
    assert_eq!(tree["scores"], json!([{ "name": "accuracy", "score": 0.8 }]), "copied up on reading");
    assert_eq!(local.client.logs().await.len(), 2);
}
