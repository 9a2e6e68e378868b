//! Writing and reading logs.

use std::mem;

use parea_types::{
    BatchResponse, PaginatedTraceLogs, QueryParamsPagination, RejectedLog, TraceLog, TraceLogTree, UpdateLog,
};
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

use super::{
    ApiClient, ApiError,
    client::{done, read, segment},
    retry::Again,
};

/// Most bytes of logs in one request, unless a single log is larger.
const BATCH_BYTES: usize = 1024 * 1024;

impl ApiClient {
    /// Whether the server answers, and whether what answers is a Parea server.
    pub async fn health(&self) -> Result<(), ApiError> {
        self.get::<serde_json::Map<String, Value>>("/").await.map(drop)
    }

    /// Stores a log, or completes the one of its id: sent twice it is there once.
    ///
    /// A log needs a `project_name` or a `project_uuid`.
    pub async fn log(&self, log: &TraceLog) -> Result<(), ApiError> {
        if self.connection.logs_off {
            return Ok(());
        }
        done(&self.write(Method::POST, "/trace_log", log, Again::Harmless).await?)
    }

    /// Stores many logs. Good ones are stored, bad ones are named in the answer by their place in `logs`.
    ///
    /// In batches where the server takes them, else one by one. An error means that some may not be stored; sending all
    /// of them again does no harm.
    pub async fn log_all(&self, logs: &[TraceLog]) -> Result<BatchResponse, ApiError> {
        self.write_all(&Method::POST, logs).await
    }

    /// Changes many logs, as [`update_log`](Self::update_log) does one: made for scores that come later. Otherwise like
    /// [`log_all`](Self::log_all).
    pub async fn update_all(&self, updates: &[UpdateLog]) -> Result<BatchResponse, ApiError> {
        self.write_all(&Method::PUT, updates).await
    }

    async fn write_all(&self, method: &Method, items: &[impl Serialize]) -> Result<BatchResponse, ApiError> {
        let mut answer = BatchResponse::default();
        if self.connection.logs_off {
            return Ok(answer);
        }
        let mut batches = true;
        // The next one last.
        let mut waiting = cut(items)?;
        waiting.reverse();
        while let Some(batch) = waiting.pop() {
            if !batches {
                self.write_singly(method, batch, &mut answer).await?;
                continue;
            }
            let request =
                self.request(method.clone(), "/trace_logs", "application/x-ndjson", &[], batch.lines.join(&b'\n'))?;
            match self.repeat(request, Again::Harmless).await.and_then(|body| read::<BatchResponse>(&body)) {
                Ok(BatchResponse { accepted, rejected })
                    if accepted + rejected.len() as u64 == batch.lines.len() as u64 =>
                {
                    answer.accepted += accepted;
                    let placed =
                        rejected.into_iter().map(|log| RejectedLog { index: log.index + batch.first as u64, ..log });
                    answer.rejected.extend(placed);
                }
                // Not offered, or a success of something that does not know the operation or lost count.
                Ok(_) | Err(ApiError::Answer(_) | ApiError::Status { status: 404 | 405 | 501, .. }) => {
                    batches = false;
                    waiting.push(batch);
                }
                Err(ApiError::Status { status: 413, .. }) if batch.lines.len() > 1 => {
                    let Batch { first, mut lines } = batch;
                    let second = lines.split_off(lines.len() / 2);
                    waiting.push(Batch { first: first + lines.len(), lines: second });
                    waiting.push(Batch { first, lines });
                }
                // Refused as a whole: one by one, the good ones are taken.
                Err(ApiError::Status { status: 400 | 413 | 415 | 422, .. }) => {
                    self.write_singly(method, batch, &mut answer).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(answer)
    }

    async fn write_singly(&self, method: &Method, batch: Batch, answer: &mut BatchResponse) -> Result<(), ApiError> {
        for (index, line) in (batch.first as u64..).zip(batch.lines) {
            let request = self.request(method.clone(), "/trace_log", "application/json", &[], line)?;
            match self.repeat(request, Again::Harmless).await.and_then(|body| done(&body)) {
                Ok(()) => answer.accepted += 1,
                Err(error @ ApiError::Status { status: 400 | 413 | 422, .. }) => {
                    let mut detail = error.validation_errors();
                    if detail.is_empty() {
                        detail.push(parea_types::ValidationError {
                            loc: vec!["body".into()],
                            msg: error.to_string(),
                            kind: "value_error".to_owned(),
                        });
                    }
                    answer.rejected.push(RejectedLog { index, trace_id: None, detail });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Changes fields of a log. One that is not stored yet is completed when it comes.
    pub async fn update_log(&self, update: &UpdateLog) -> Result<(), ApiError> {
        if self.connection.logs_off {
            return Ok(());
        }
        done(&self.write(Method::PUT, "/trace_log", update, Again::Harmless).await?)
    }

    /// Stores a run of LangChain, as its tracer writes it, with the runs below it.
    pub async fn log_langchain(&self, run: &Value) -> Result<(), ApiError> {
        if self.connection.logs_off {
            return Ok(());
        }
        done(&self.write(Method::POST, "/trace_log/langchain", run, Again::Harmless).await?)
    }

    /// The log of that id with all its descendants; `None` when the server has none.
    pub async fn trace_log(&self, trace_id: &str) -> Result<Option<TraceLogTree>, ApiError> {
        self.get(&format!("/trace_log/{}", segment("the trace's id", trace_id)?)).await
    }

    /// One page of the logs that the query asks for, newest first. Roots come with their descendants.
    pub async fn trace_logs(&self, query: &QueryParamsPagination) -> Result<PaginatedTraceLogs, ApiError> {
        self.post("/get_trace_logs", query, Again::Harmless).await
    }
}

/// Some of the logs or updates, which are sent together.
struct Batch {
    /// Place of the first among all.
    first: usize,
    /// The JSON of each.
    lines: Vec<Vec<u8>>,
}

/// Logs or updates in batches of about [`BATCH_BYTES`].
fn cut(items: &[impl Serialize]) -> Result<Vec<Batch>, ApiError> {
    let mut batches = Vec::new();
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for (place, item) in items.iter().enumerate() {
        let line = serde_json::to_vec(item).map_err(|error| ApiError::Request(format!("log {place}: {error}")))?;
        if bytes + line.len() > BATCH_BYTES && !lines.is_empty() {
            batches.push(Batch { first: place - lines.len(), lines: mem::take(&mut lines) });
            bytes = 0;
        }
        bytes += line.len() + 1;
        lines.push(line);
    }
    if !lines.is_empty() {
        batches.push(Batch { first: items.len() - lines.len(), lines });
    }
    Ok(batches)
}
