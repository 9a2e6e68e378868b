//! Keys, their scopes and their projects: what one may reach, no other does.

use parea_server::{KeyRing, KeyScope};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client, Local},
    document,
    process::{Process, command},
};

/// A server with a key for each of two projects, with something of the first in it.
struct Shared {
    local: Local,
    /// Keys by what they are for.
    a: String,
    b: String,
    reads: String,
    all: String,
    a_uuid: String,
    b_uuid: String,
    run: String,
    dataset: i64,
    case: i64,
}

impl Shared {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(folder.path());
        let make = |scope, project: Option<&str>| ring.create(scope, project.map(str::to_owned), None).unwrap().0;
        let a = make(KeyScope::Write, Some("a"));
        let b = make(KeyScope::Write, Some("b"));
        let reads = make(KeyScope::Read, Some("a"));
        let all = make(KeyScope::Admin, None);
        let local = Local::on(folder).await;
        let mut shared = Self {
            local,
            a,
            b,
            reads,
            all,
            a_uuid: String::new(),
            b_uuid: String::new(),
            run: String::new(),
            dataset: 0,
            case: 0,
        };
        let uuid = async |key: &str, name: &str| {
            shared.ask(key, "POST", "/project", &json!({ "name": name })).await.1["uuid"].as_str().unwrap().to_owned()
        };
        (shared.a_uuid, shared.b_uuid) = (uuid(&shared.a, "a").await, uuid(&shared.b, "b").await);
        let run = json!({ "name": "e", "project_uuid": shared.a_uuid });
        let (_, run) = shared.ask(&shared.a, "POST", "/experiment", &run).await;
        shared.run = run["uuid"].as_str().unwrap().to_owned();
        for (id, parent) in [("root", "root"), ("child", "root")] {
            let log = json!({
                "trace_id": id, "parent_trace_id": parent, "root_trace_id": "root", "project_uuid": shared.a_uuid,
                "start_timestamp": "2024-05-30 13:48:34", "output": "the secret of a", "experiment_uuid": shared.run,
                "trace_name": "zebra", "scores": [{ "name": "s", "score": 0.5 }],
            });
            assert_eq!(shared.ask(&shared.a, "POST", "/trace_log", &log).await.0, 200);
        }
        let dataset = json!({ "name": "d", "column_names": ["q"], "test_cases": [{ "inputs": { "q": "secret" } }] });
        let (_, dataset) = shared.ask(&shared.a, "POST", "/collection", &dataset).await;
        shared.dataset = dataset["id"].as_i64().unwrap();
        shared.case = dataset["test_case_ids"][0].as_i64().unwrap();
        shared
    }

    async fn ask(&self, key: &str, method: &str, operation: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = self.local.client.request(method, operation).header("x-api-key", key).body(body);
        let answer = Client::attempt(request).await.unwrap();
        document::check(method, operation, &answer);
        answer
    }
}

fn log(id: &str, project: &Value) -> Value {
    let mut log = json!({ "trace_id": id, "start_timestamp": "2024-05-30 13:48:34" });
    log.as_object_mut().unwrap().extend(project.as_object().unwrap().clone());
    log
}

/// Every operation of the API with ids of a's things, by b's key. What a has stays as it is, and b learns nothing of it.
#[tokio::test]
async fn no_operation_reaches_another_project_by_an_id() {
    let shared = Shared::start().await;
    let Shared { a_uuid, run, dataset, case, .. } = &shared;
    let before = state(&shared).await;
    let update = |id: &str| json!({ "trace_id": id, "field_name_to_value_map": { "output": "overwritten" } });
    let langchain = json!({ "id": "root", "start_time": "2024-05-30T13:48:34", "name": "x", "project_uuid": a_uuid });
    let by_uuid = json!({ "project_uuid": a_uuid });
    let by_name = json!({ "project_name": "a" });
    // What must be refused, or answered as if there were nothing.
    let calls: Vec<(&str, String, Value, u16, Value)> = vec![
        ("POST", "/trace_log".into(), log("root", &by_uuid), 403, Value::Null),
        ("POST", "/trace_log".into(), log("root", &by_name), 403, Value::Null),
        ("PUT", "/trace_log".into(), update("root"), 200, json!({ "outcome": "created" })),
        ("PUT", "/trace_log".into(), update("child"), 200, json!({ "outcome": "created" })),
        ("POST", "/trace_log/langchain".into(), langchain, 403, Value::Null),
        ("GET", "/trace_log/root".into(), Value::Null, 200, Value::Null),
        ("GET", "/trace_log/child".into(), Value::Null, 200, Value::Null),
        ("POST", "/get_trace_logs".into(), by_name.clone(), 403, Value::Null),
        ("POST", "/feedback".into(), json!({ "trace_id": "root", "score": 0 }), 200, Value::Null),
        ("POST", "/project".into(), json!({ "name": "a" }), 403, Value::Null),
        ("POST", "/experiment".into(), json!({ "name": "e", "project_uuid": a_uuid }), 403, Value::Null),
        ("POST", "/experiments".into(), json!({ "experiment_uuids": [run] }), 200, json!([])),
        ("POST", "/experiments".into(), by_name.clone(), 200, json!([])),
        ("GET", format!("/experiment/{run}/stats"), Value::Null, 200, json!({ "parent_trace_stats": [] })),
        ("POST", format!("/experiment/{run}/finished"), json!({ "status": "failed" }), 404, Value::Null),
        ("POST", format!("/experiment/{run}/trace_logs"), json!({}), 200, json!([])),
        ("GET", format!("/collection/{dataset}"), Value::Null, 200, Value::Null),
        ("GET", "/collection/d".into(), Value::Null, 200, Value::Null),
        (
            "POST",
            "/testcases".into(),
            json!({ "id": dataset, "test_cases": [{ "inputs": { "q": "x" } }] }),
            404,
            Value::Null,
        ),
        ("POST", format!("/update_test_case/{dataset}/{case}"), json!({ "target": "x" }), 404, Value::Null),
        ("POST", "/completion".into(), json!({}), 501, Value::Null),
        ("POST", "/completion/stream".into(), json!({}), 501, Value::Null),
        ("POST", "/deployed-prompt".into(), json!({ "deployment_id": "x" }), 501, Value::Null),
        ("POST", "/search_trace_logs".into(), json!({ "query": "zebra" }), 200, json!({ "results": [] })),
        ("POST", "/search_trace_logs".into(), json!({ "query": "zebra", "project_name": "a" }), 403, Value::Null),
        (
            "POST",
            "/trace_logs".into(),
            json!([log("root", &by_uuid), log("mine", &json!({ "project_name": "b" }))]),
            200,
            json!({ "accepted": 1 }),
        ),
    ];
    for (method, operation, body, status, expected) in &calls {
        let (found, answer) = shared.ask(&shared.b, method, operation, body).await;
        assert_eq!(found, *status, "{method} {operation}: {answer}");
        assert!(!answer.to_string().contains("secret"), "{method} {operation}: {answer}");
        match expected {
            Value::Null if *status == 200 && *method == "GET" => assert_eq!(answer, Value::Null, "{operation}"),
            Value::Object(members) => {
                for (name, value) in members {
                    assert_eq!(&answer[name], value, "{method} {operation}: {answer}");
                }
            }
            Value::Array(_) => assert_eq!(&answer, expected, "{method} {operation}"),
            _ => {}
        }
    }
    // A log of b's that bears the same id, hangs below a's, and names a's run: each sees its own.
    let mut same = log("root", &json!({ "project_name": "b", "experiment_uuid": run, "output": "of b" }));
    assert_eq!(shared.ask(&shared.b, "POST", "/trace_log", &same).await.0, 200);
    same = log("spy", &json!({ "project_name": "b", "parent_trace_id": "child", "root_trace_id": "root" }));
    assert_eq!(shared.ask(&shared.b, "POST", "/trace_log", &same).await.0, 200);
    let (_, theirs) = shared.ask(&shared.b, "GET", "/trace_log/root", &Value::Null).await;
    assert_eq!(theirs["output"], "overwritten", "b's own update waited for b's own log");
    assert_eq!(theirs.get("children_logs").map_or(0, |children| children.as_array().unwrap().len()), 0, "{theirs}");
    // A page is as shut as the API.
    let page = async |key: &str, path: &str| {
        let url = format!("{}{path}", shared.local.handle.url());
        let response = crate::http::client().get(url).basic_auth("x", Some(key)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    for path in ["/traces/root", "/traces/child", "/", "/?project=a", "/search?q=secre*", "/search?q=secre*&project=a"]
    {
        let (_, text) = page(&shared.b, path).await;
        assert!(!text.contains("secret") && !text.contains("zebra"), "{path}: {text}");
    }
    assert!(page(&shared.a, "/traces/root").await.1.contains("the secret of a"));
    assert!(page(&shared.a, "/search?q=secre*").await.1.contains("the <mark>secret</mark> of a"));
    assert_eq!(state(&shared).await, before, "what a has is as it was");
}

/// All that a sees.
async fn state(shared: &Shared) -> Vec<Value> {
    let Shared { run, dataset, .. } = shared;
    let mut seen = Vec::new();
    for (method, operation, body) in [
        ("GET", "/trace_log/root".to_owned(), Value::Null),
        ("GET", "/trace_log/child".to_owned(), Value::Null),
        ("POST", "/get_trace_logs".to_owned(), json!({ "project_name": "a" })),
        ("POST", "/experiments".to_owned(), json!({})),
        ("GET", format!("/experiment/{run}/stats"), Value::Null),
        ("POST", format!("/experiment/{run}/trace_logs"), json!({})),
        ("GET", format!("/collection/{dataset}"), Value::Null),
        ("POST", "/search_trace_logs".to_owned(), json!({ "query": "zebra" })),
    ] {
        let (status, answer) = shared.ask(&shared.a, method, &operation, &body).await;
        assert_eq!(status, 200, "{operation}: {answer}");
        assert!(answer.to_string().contains("secret") || operation.starts_with("/experiment"), "{operation}: {answer}");
        seen.push(answer);
    }
    seen
}

#[tokio::test]
async fn a_scope_allows_what_it_says_and_no_more() {
    let shared = Shared::start().await;
    let writes = [
        ("POST", "/trace_log", log("x", &json!({ "project_name": "a" }))),
        ("PUT", "/trace_log", json!({ "trace_id": "root", "field_name_to_value_map": {} })),
        ("POST", "/trace_logs", json!([])),
        ("POST", "/feedback", json!({ "trace_id": "root", "score": 1 })),
        ("POST", "/experiment", json!({ "name": "e", "project_uuid": shared.a_uuid })),
        ("POST", "/collection", json!({ "name": "d", "column_names": [] })),
        ("POST", "/testcases", json!({ "name": "d", "test_cases": [] })),
        ("POST", "/update_test_case/1/1", json!({})),
    ];
    for (method, operation, body) in &writes {
        let (status, answer) = shared.ask(&shared.reads, method, operation, body).await;
        assert_eq!(status, 403, "{operation}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains("`write`"), "{answer}");
        assert_ne!(shared.ask(&shared.a, method, operation, body).await.0, 403, "{operation}");
    }
    assert_eq!(shared.ask(&shared.reads, "GET", "/trace_log/root", &Value::Null).await.1["trace_id"], "root");
    assert_eq!(shared.ask(&shared.reads, "POST", "/project", &json!({ "name": "a" })).await.0, 200);
    // A key of all projects makes datasets for all; one of a project reads them.
    let dataset = json!({ "name": "of all", "column_names": ["q"] });
    let (_, dataset) = shared.ask(&shared.all, "POST", "/collection", &dataset).await;
    let path = format!("/collection/{}", dataset["id"]);
    assert_eq!(shared.ask(&shared.b, "GET", &path, &Value::Null).await.1["name"], "of all");
    let more = json!({ "id": dataset["id"], "test_cases": [{ "inputs": { "q": "x" } }] });
    assert_eq!(shared.ask(&shared.b, "POST", "/testcases", &more).await.0, 404);
    assert_eq!(shared.ask(&shared.all, "POST", "/testcases", &more).await.0, 200);
    assert_eq!(shared.ask(&shared.all, "GET", "/trace_log/root", &Value::Null).await.1["trace_id"], "root");
}

#[tokio::test]
async fn a_server_without_a_key_takes_only_what_says_that_it_is_json() {
    let local = Local::start().await;
    let body = log("a", &json!({ "project_name": "p" })).to_string();
    let send = async |kind: Option<&str>| {
        let url = format!("{}/api/parea/v1/trace_log", local.handle.url());
        let request = crate::http::client().post(url).body(body.clone());
        let request = kind.iter().fold(request, |request, kind| request.header(CONTENT_TYPE, *kind));
        Client::attempt(request).await.unwrap()
    };
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/problem+json",
        "application/x-ndjson",
    ] {
        assert_eq!(send(Some(kind)).await.0, 200, "{kind}");
    }
    // What a page of another site may send without asking first.
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data")] {
        let (status, answer) = send(kind).await;
        assert_eq!(status, 415, "{kind:?}");
        assert!(answer["detail"].as_str().unwrap().contains("application/json"), "{answer}");
    }
}

#[tokio::test]
async fn keys_come_and_go_while_a_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let key = |arguments: &[&str]| {
        let output = command(&[&["key"], arguments, &["--data", data]].concat()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let first = key(&["create", "--project", "chat", "--note", "the first"]);
    let stored = std::fs::read_to_string(folder.path().join("keys.json")).unwrap();
    let secret = first.rsplit('_').next().unwrap();
    assert!(!stored.contains(secret) && stored.contains("the first"), "{stored}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path().join("keys.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    // With a key it may listen beyond this machine.
    let server = Process::serve_with(folder.path(), &[]);
    let ask = async |key: &str| {
        let request = server.client().request("GET", "/").header("x-api-key", key);
        Client::attempt(request).await.unwrap().0
    };
    assert_eq!((ask(&first).await, ask("").await, ask("parea_x_y").await), (200, 401, 401));
    let second = key(&["create", "--scope", "read"]);
    while ask(&second).await != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    key(&["revoke", &first]);
    while ask(&first).await != 401 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(ask(&second).await, 200);
    let list = key(&["list"]);
    assert!(list.contains("the first") && list.contains("revoked") && list.contains("(all)"), "{list}");
    let unknown = command(&["key", "revoke", "none", "--data", data]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
}
