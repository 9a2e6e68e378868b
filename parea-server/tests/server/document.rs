//! The published OpenAPI document, against which every answer is held.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::client::{Answer, Local, log};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    yaml_serde::from_str(include_str!("../../../parea-types/tests/parea-v1.openapi.yaml"))
        .expect("the document is YAML")
});

/// By method, path and status; nothing where the document has no such answer.
type Validators = HashMap<(String, String, u16), Option<Validator>>;

static VALIDATORS: LazyLock<Mutex<Validators>> = LazyLock::new(Mutex::default);

fn described(method: &str, path: &str, status: u16) -> Option<Validator> {
    let answer = &DOCUMENT["paths"][path][method]["responses"][status.to_string()];
    let schema = answer.pointer("/content/application~1json/schema")?;
    let schema = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
    Some(jsonschema::validator_for(&schema).expect("the document's schemas are schemas"))
}

/// Whether the document describes such an answer. Fails when it does, and this one is not like that.
pub(crate) fn check(method: &str, operation: &str, (status, body): &Answer) -> bool {
    let steps: Vec<&str> = operation.split('/').skip(1).collect();
    let path = match *steps {
        ["trace_log", id, ..] if id != "langchain" => "/trace_log/{trace_id}".to_owned(),
        ["experiment", _, last] => format!("/experiment/{{experiment_uuid}}/{last}"),
        ["collection", _] => "/collection/{test_collection_identifier}".to_owned(),
        ["update_test_case", _, _] => "/update_test_case/{dataset_id}/{test_case_id}".to_owned(),
        _ => operation.to_owned(),
    };
    let (method, path) = (method.to_lowercase(), format!("/api/parea/v1{path}"));
    // A test that failed here takes none of the others along.
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator =
        validators.entry((method.clone(), path.clone(), *status)).or_insert_with(|| described(&method, &path, *status));
    let Some(validator) = validator else { return false };
    let faults: Vec<_> = validator.iter_errors(body).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{method} {path} {status}: {faults:?}: {body}");
    true
}

#[tokio::test]
async fn the_document_describes_what_is_answered() {
    let local = Local::start().await;
    for (method, operation, body, status) in [
        ("GET", "/", Value::Null, 200),
        ("POST", "/trace_log", log("a"), 200),
        ("POST", "/trace_log", json!({}), 422),
        ("PUT", "/trace_log", json!({ "trace_id": "a", "field_name_to_value_map": { "output": "b" } }), 200),
        ("PUT", "/trace_log", json!([]), 422),
        ("GET", "/trace_log/a", Value::Null, 200),
        ("GET", "/trace_log/b", Value::Null, 200),
        ("POST", "/get_trace_logs", json!({ "project_name": "test" }), 200),
        ("POST", "/get_trace_logs", json!({}), 422),
        ("POST", "/feedback", json!({ "trace_id": "a", "score": 1 }), 200),
        ("POST", "/feedback", json!({ "trace_id": "a" }), 422),
        ("POST", "/project", json!({ "name": "test" }), 200),
        ("POST", "/project", json!({}), 422),
        ("POST", "/experiment", json!({ "name": "e", "project_uuid": "p" }), 200),
        ("POST", "/experiment", json!({}), 422),
        ("POST", "/experiments", json!({}), 200),
        ("GET", "/experiment/e/stats", Value::Null, 200),
        (
            "POST",
            "/trace_log",
            json!({
                "trace_id": "of e", "start_timestamp": "2024-05-30 13:48:34", "project_name": "test", "experiment_uuid": "e"
            }),
            200,
        ),
        ("POST", "/experiment/e/finished", json!({}), 200),
        ("POST", "/experiment/e/trace_logs", json!({}), 200),
        ("POST", "/collection", json!({ "name": "c", "column_names": [] }), 200),
        ("GET", "/collection/c", Value::Null, 200),
        ("GET", "/collection/d", Value::Null, 200),
        ("POST", "/testcases", json!({ "name": "c", "test_cases": [{ "inputs": {} }] }), 200),
        ("POST", "/testcases", json!({}), 422),
        ("POST", "/update_test_case/1/1", json!({}), 200),
        ("POST", "/update_test_case/1/1", json!([]), 422),
    ] {
        let answer = local.client.send(method, operation, body.to_string()).await;
        assert_eq!(answer.0, status, "{method} {operation}: {}", answer.1);
        assert!(check(method, operation, &answer), "{method} {operation} {status} is not described");
    }
}
