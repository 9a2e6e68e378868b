//! A server inside the test, and a client that speaks to any.

use std::path::Path;

use parea_server::{Config, Handle, Server};
use serde_json::{Value, json};

use crate::document;

/// A server inside the test's process, on a folder of its own.
pub(crate) struct Local {
    pub(crate) client: Client,
    pub(crate) handle: Handle,
    pub(crate) folder: tempfile::TempDir,
}

impl Local {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    /// On a free port and a fresh folder, whatever the configuration says.
    pub(crate) async fn with(config: Config) -> Self {
        Self::open(tempfile::tempdir().unwrap(), config).await
    }

    /// On a folder that has something in it already.
    pub(crate) async fn on(folder: tempfile::TempDir) -> Self {
        Self::open(folder, Config::default()).await
    }

    async fn open(folder: tempfile::TempDir, config: Config) -> Self {
        let listen = ([127, 0, 0, 1], 0).into();
        let config = Config { listen, data: folder.path().to_owned(), ..config };
        let handle = Server::bind(config).await.unwrap().spawn();
        Self { client: Client::of(handle.url()), handle, folder }
    }

    /// Stops the server and opens its store.
    pub(crate) async fn into_store(self) -> (parea_store::SqliteStore, tempfile::TempDir) {
        self.handle.shutdown().await;
        (parea_store::SqliteStore::open(self.folder.path()).unwrap(), self.folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

/// An answer's status and JSON.
pub(crate) type Answer = (u16, Value);

impl Client {
    pub(crate) fn of(url: &str) -> Self {
        let http = crate::http::client();
        Self { http, base: format!("{url}/api/parea/v1") }
    }

    pub(crate) fn request(&self, method: &str, operation: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method.parse().unwrap(), format!("{}{operation}", self.base));
        // A server without a key demands it.
        request.header("content-type", "application/json")
    }

    /// `None` when the connection failed: the server is gone, or did not answer.
    pub(crate) async fn attempt(request: reqwest::RequestBuilder) -> Option<Answer> {
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("no JSON: {bytes:?}"))))
    }

    /// The answer to a request that is built already.
    pub(crate) async fn execute(request: reqwest::Request) -> Answer {
        let response = crate::http::client().execute(request).await.expect("the server answers");
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("no JSON: {bytes:?}")))
    }

    /// The answer, which is as the published document has it.
    pub(crate) async fn send(&self, method: &str, operation: &str, body: impl Into<reqwest::Body>) -> Answer {
        let answer = Self::attempt(self.request(method, operation).body(body)).await.expect("the server answers");
        document::check(method, operation, &answer);
        answer
    }

    pub(crate) async fn post(&self, operation: &str, body: &Value) -> Answer {
        self.send("POST", operation, body.to_string()).await
    }

    pub(crate) async fn get(&self, operation: &str) -> Answer {
        self.send("GET", operation, "").await
    }

    /// The stored log, or null.
    pub(crate) async fn log(&self, trace_id: &str) -> Value {
        let (status, log) = self.get(&format!("/trace_log/{trace_id}")).await;
        assert_eq!(status, 200, "{log}");
        log
    }

    /// All logs of the project `test`.
    pub(crate) async fn logs(&self) -> Vec<Value> {
        let (status, mut page) =
            self.post("/get_trace_logs", &json!({ "project_name": "test", "page_size": 100_000 })).await;
        assert_eq!(status, 200, "{page}");
        let results: Vec<Value> = serde_json::from_value(page["results"].take()).unwrap();
        assert_eq!(page["total"], results.len(), "the total is what the pages hold");
        results
    }
}

/// The least that a log needs.
pub(crate) fn log(trace_id: &str) -> Value {
    json!({ "trace_id": trace_id, "start_timestamp": "2024-05-30 13:48:34", "project_name": "test" })
}
