//! Logs to a Parea server: in batches where it takes them, one by one elsewhere.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use parea_types::ProjectLosses;
use reqwest::Method;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::Line;
use crate::{
    api::{ApiClient, ApiError},
    report::DropReason,
};

/// Single posts under way at once.
const CONCURRENT_POSTS: usize = 16;

/// One server.
#[derive(Debug)]
pub(crate) struct Http {
    client: ApiClient,
    /// Cleared once the server said that it has no batch operation.
    batches: bool,
}

/// What the server said of some logs that were sent together.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) delivered: u64,
    pub(crate) dropped: BTreeMap<DropReason, u64>,
    /// What one of the dropped was refused for.
    pub(crate) complaint: Option<String>,
    /// Logs to send again, and why.
    pub(crate) again: Vec<Line>,
    pub(crate) failure: Option<ApiError>,
    /// Whether the server took the account of losses that went along.
    pub(crate) losses_taken: bool,
}

impl Answer {
    fn drop_log(&mut self, reason: DropReason, complaint: impl Into<String>) {
        *self.dropped.entry(reason).or_default() += 1;
        self.complaint.get_or_insert_with(|| complaint.into());
    }
}

/// Answer of the batch operation.
#[derive(Deserialize)]
struct Accepted {
    accepted: u64,
    #[serde(default)]
    rejected: Vec<Rejected>,
}

#[derive(Deserialize)]
struct Rejected {
    #[serde(default)]
    detail: serde_json::Value,
}

impl Http {
    pub(crate) fn new(client: ApiClient) -> Self {
        Self { client, batches: true }
    }

    pub(crate) fn client(&self) -> &ApiClient {
        &self.client
    }

    /// Tells of losses alone; whether the server takes that.
    pub(crate) async fn tell(&self, losses: &ProjectLosses) -> Result<bool, ApiError> {
        if !self.batches {
            return Ok(false);
        }
        let path = "/trace_logs";
        let sent = self.client.send(Method::POST, path, "application/x-ndjson", &headers(losses), Vec::new()).await;
        match sent.map(|body| serde_json::from_slice::<Accepted>(&body)) {
            Ok(answer) => Ok(answer.is_ok()),
            Err(error) if error.is_transient() => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Sends the logs once. Whatever is to be tried again is in the answer.
    pub(crate) async fn send(&mut self, lines: Vec<Line>, losses: &ProjectLosses) -> Answer {
        let mut answer = Answer::default();
        // Parts of a batch that was too large are sent in order.
        let mut parts = vec![lines];
        while let Some(part) = parts.pop() {
            if self.batches {
                self.send_batch(part, losses, &mut answer, &mut parts).await;
            } else {
                self.send_singly(part, &mut answer).await;
            }
        }
        answer
    }

    async fn send_batch(
        &mut self,
        lines: Vec<Line>,
        losses: &ProjectLosses,
        answer: &mut Answer,
        parts: &mut Vec<Vec<Line>>,
    ) {
        if answer.failure.is_some() {
            // The server is in trouble: the rest waits for the next attempt, in order.
            answer.again.extend(lines);
            return;
        }
        let headers = if answer.losses_taken { Vec::new() } else { headers(losses) };
        let body = lines.iter().fold(Vec::new(), |mut body, line| {
            body.extend_from_slice(line);
            body.push(b'\n');
            body
        });
        let sent = self.client.send(Method::POST, "/trace_logs", "application/x-ndjson", &headers, body).await;
        match sent.map(|body| serde_json::from_slice::<Accepted>(&body)) {
            Ok(Ok(Accepted { accepted, rejected })) if accepted + rejected.len() as u64 == lines.len() as u64 => {
                answer.losses_taken |= !headers.is_empty();
                answer.delivered += accepted;
                for log in rejected {
                    answer.drop_log(DropReason::Rejected, log.detail.to_string());
                }
            }
            // Not offered, or a success of something that does not know the operation or lost count. A log that is
            // sent twice is stored once, so nothing is taken on trust.
            Ok(_) | Err(ApiError::Status { status: 404 | 405 | 501, .. }) => {
                let before = answer.delivered;
                self.send_singly(lines, answer).await;
                // Remembered only if single posts are understood: else there is no Parea server at all just now.
                self.batches = answer.delivered == before;
            }
            Err(ApiError::Status { status: 413, detail, .. }) => {
                if lines.len() == 1 {
                    answer.drop_log(DropReason::TooLarge, detail);
                } else {
                    let mut first = lines;
                    let second = first.split_off(first.len() / 2);
                    parts.push(second);
                    parts.push(first);
                }
            }
            // Refused as a whole: one by one, the good ones are taken and the bad ones named.
            Err(error) if is_about_the_log(&error) && lines.len() > 1 => self.send_singly(lines, answer).await,
            Err(error) if is_about_the_log(&error) => {
                for _ in lines {
                    answer.drop_log(DropReason::Rejected, error.to_string());
                }
            }
            Err(error) => {
                answer.again.extend(lines);
                answer.failure = Some(error);
            }
        }
    }

    async fn send_singly(&mut self, lines: Vec<Line>, answer: &mut Answer) {
        let mut waiting = lines.into_iter().enumerate();
        let mut posts = JoinSet::new();
        // Answers come in any order; what is sent again keeps its own.
        let mut failed = Vec::new();
        loop {
            while posts.len() < CONCURRENT_POSTS && answer.failure.is_none() {
                let Some((place, line)) = waiting.next() else { break };
                let client = self.client.clone();
                posts.spawn(async move {
                    let body = line.to_vec();
                    let sent = client.send(Method::POST, "/trace_log", "application/json", &[], body).await;
                    (place, line, sent)
                });
            }
            match posts.join_next().await {
                Some(Ok((_, _, Ok(body)))) if is_json(&body) => answer.delivered += 1,
                Some(Ok((place, line, Ok(_)))) => {
                    answer.failure = Some(ApiError::Answer("it is no JSON".to_owned()));
                    failed.push((place, line));
                }
                Some(Ok((_, _, Err(ApiError::Status { status: 413, detail, .. })))) => {
                    answer.drop_log(DropReason::TooLarge, detail);
                }
                Some(Ok((_, _, Err(error)))) if is_about_the_log(&error) => {
                    answer.drop_log(DropReason::Rejected, error.to_string());
                }
                Some(Ok((place, line, Err(error)))) => {
                    answer.failure = Some(error);
                    failed.push((place, line));
                }
                // A post that panicked would be a fault of ours; its log was moved into it.
                Some(Err(error)) => answer.drop_log(DropReason::Rejected, error.to_string()),
                None => break,
            }
        }
        failed.sort_by_key(|(place, _)| *place);
        answer.again.extend(failed.into_iter().chain(waiting).map(|(_, line)| line));
    }
}

/// Whether an error judges the log, which is then given up. After any other it is kept, whether the error is a passing one
/// or, like a key that does not fit or an address that is not the API's, one that only the user can mend.
fn is_about_the_log(error: &ApiError) -> bool {
    matches!(error, ApiError::Status { status: 400 | 409 | 415 | 422, .. })
}

/// Whether an answer may come from the API: JSON, or nothing. A page that asks for a login is neither.
fn is_json(body: &[u8]) -> bool {
    body.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// What a request says of logs that were given up: nothing where nothing was lost.
fn headers(losses: &ProjectLosses) -> Vec<(&'static str, String)> {
    if losses.counts.is_empty() {
        return Vec::new();
    }
    let counts = losses.counts.iter().fold(String::new(), |mut header, (reason, count)| {
        let separator = if header.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(header, "{separator}{reason}={count}");
        header
    });
    let mut headers = vec![("x-parea-losses", counts)];
    // The logs that go along may be another project's: an earlier process left them.
    let project = losses.project_uuid.as_ref().unwrap_or(&losses.project_name);
    if !project.is_empty() && project.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        headers.push(("x-parea-project", project.clone()));
    }
    headers
}

/// How long to wait before the attempt after `failures` failed ones: doubling from 100 ms to 5 s, at random between
/// half and all of it, so that many clients of one server do not come back together. A server's own wish counts up
/// to a minute.
pub(crate) fn backoff(failures: u32, asked: Option<Duration>) -> Duration {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);
    const LONGEST_ASKED: Duration = Duration::from_secs(60);
    let doubled = FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST);
    let spread = doubled.mul_f64(0.5 + fastrand::f64() / 2.0);
    spread.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}
