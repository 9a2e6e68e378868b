//! The server under test, and the traces that its pages show.

use parea_server::{Config, Handle, Server};
use parea_types::Timestamp;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

/// A server on a free port and a fresh folder.
pub(crate) struct Site {
    runtime: Runtime,
    handle: Handle,
    _folder: tempfile::TempDir,
}

impl Site {
    /// A server that was sent these logs.
    pub(crate) fn with(logs: &[Value]) -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let listen = ([127, 0, 0, 1], 0).into();
        let config = Config { listen, data: folder.path().to_owned(), ..Config::default() };
        let handle = runtime.block_on(async { Server::bind(config).await.unwrap().spawn() });
        let site = Self { runtime, handle, _folder: folder };
        site.send(logs);
        site
    }

    pub(crate) fn url(&self) -> &str {
        self.handle.url()
    }

    /// Tells of a run of an experiment, which has ended.
    pub(crate) fn run(&self, uuid: &str, experiment: &str, name: &str) {
        let url = format!("{}/api/parea/v1/experiment/{uuid}", self.url());
        let run = json!({
            "uuid": uuid, "name": experiment, "run_name": name, "project_name": "support", "status": "completed",
            "created_at": Timestamp::from(chrono::Utc::now()), "metadata": { "model": name },
            "dataset_level_stats": [{ "name": "balanced_acc", "score": 0.75 }],
        });
        let request = crate::http::client().put(url).header("content-type", "application/json").body(run.to_string());
        let status = self.runtime.block_on(async { request.send().await.unwrap().status() });
        assert_eq!(status.as_u16(), 200);
    }

    /// Sends logs as a program would.
    pub(crate) fn send(&self, logs: &[Value]) {
        let url = format!("{}/api/parea/v1/trace_logs", self.url());
        let request = crate::http::client().post(url);
        let request = request.header("content-type", "application/json").body(Value::from(logs).to_string());
        let body = self.runtime.block_on(async { request.send().await.unwrap().bytes().await.unwrap() });
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(logs.len()), &json!([])), "{answer}");
    }
}

/// A root that started so many seconds ago.
pub(crate) fn root(id: &str, name: &str, age: f64, fields: Value) -> Value {
    span(id, id, id, name, age, fields)
}

/// A span of the trace `root` below `parent`.
pub(crate) fn span(id: &str, parent: &str, root: &str, name: &str, age: f64, fields: Value) -> Value {
    let now = chrono::Utc::now().timestamp_micros();
    let start = Timestamp::from_micros(now - (age * 1e6) as i64).unwrap();
    let mut log = json!({
        "trace_id": id, "parent_trace_id": parent, "root_trace_id": root, "trace_name": name,
        "project_name": "support", "start_timestamp": start.to_string(), "status": "success",
    });
    let fields: Map<String, Value> = serde_json::from_value(fields).unwrap();
    log.as_object_mut().unwrap().extend(fields);
    log
}

/// The trace `answer`: a retrieval, a call of a model, an evaluation, and a tool that fails.
pub(crate) fn answer(age: f64) -> Vec<Value> {
    let child =
        |id: &str, name: &str, later: f64, fields: Value| span(id, "answer", "answer", name, age - later, fields);
    vec![
        root(
            "answer",
            "answer_question",
            age,
            json!({
                "latency": 2.5,
                "inputs": { "question": "Why is the sky blue?", "depth": 3 },
                "output": "Because air scatters blue light more than red.",
                "target": "Rayleigh scattering",
                "tags": ["prod", "v2"], "session_id": "session-7", "end_user_identifier": "ada",
                "scores": [{ "name": "relevance", "score": 0.875, "reason": "names the cause" }],
                "metadata": { "region": "eu-west", "plan": { "seats": 12 } },
            }),
        ),
        child(
            "answer-1",
            "retrieve",
            0.0,
            json!({
                "latency": 0.5, "execution_order": 1, "depth": 1,
                "inputs": { "k": 2 }, "output": "[\"optics.md\",\"air.md\"]",
            }),
        ),
        span(
            "answer-2",
            "answer-1",
            "answer",
            "read_file",
            age - 0.1,
            json!({
                "latency": 0.25, "execution_order": 2, "depth": 2,
                "status": "error", "error": "air.md: no such file\nCaused by: entity not found", "inputs": { "path": "air.md" },
            }),
        ),
        child(
            "answer-3",
            "llm",
            0.5,
            json!({
                "latency": 2.0, "execution_order": 3, "depth": 1,
                "configuration": {
                    "model": "gpt-4o-mini", "provider": "openai", "model_params": { "temp": 0.25 },
                    "messages": [
                        { "role": "system", "content": "Answer in one sentence." },
                        { "role": "user", "content": "Why is the sky blue?" },
                    ],
                },
                "output": "Because air scatters blue light more than red.",
                "input_tokens": 1200, "output_tokens": 34, "total_tokens": 1234, "cost": 0.0042,
            }),
        ),
    ]
}

/// The logs of a run of 40 rows, of which those below `good` are right; the last one failed.
pub(crate) fn rows(uuid: &str, good: usize, hostile: &str) -> Vec<Value> {
    let row = |n: usize| {
        let mut fields = json!({
            "experiment_uuid": uuid, "latency": 0.25 + n as f64 / 100.0, "cost": 0.001, "total_tokens": 20,
            "input_tokens": 15, "output_tokens": 5,
            "inputs": { "question": format!("question {n} {hostile}") }, "target": format!("target {n}"),
            "output": format!("{uuid} says {n} {hostile}"),
            "scores": [
                { "name": "right", "score": u8::from(n < good), "reason": "as asked" },
                { "name": "near", "score": (n as f64 / 40.0 + good as f64 / 100.0).min(1.0) },
            ],
        });
        if n == 39 {
            fields["status"] = "error".into();
            fields["error"] = format!("no answer {hostile}").into();
        }
        root(&format!("{uuid}-{n}"), "answer", 100.0 - n as f64, fields)
    };
    let mut logs: Vec<Value> = (0..40).map(row).collect();
    let told = json!({ "latency": 0.01, "metadata": { "description": "Whether it is right." } });
    logs.push(span(&format!("{uuid}-eval"), &format!("{uuid}-0"), &format!("{uuid}-0"), "right", 99.0, told));
    logs
}
