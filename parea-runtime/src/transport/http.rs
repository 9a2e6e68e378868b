//! Logs to a Parea server: in batches where it takes them, one by one elsewhere.

use std::{fmt::Write as _, time::Duration};

use parea_types::ProjectLosses;
use reqwest::Method;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::{
    Line,
    suspects::{Round, Suspects},
};
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
    suspects: Suspects,
}

/// What the server said of some logs that were sent together.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) delivered: u64,
    /// Logs that are given up, and why; one that the server did not name is none in particular.
    pub(crate) dropped: Vec<(DropReason, Option<Line>)>,
    /// What one of the dropped was refused for.
    pub(crate) complaint: Option<String>,
    /// Logs to send again, and why.
    pub(crate) again: Vec<Line>,
    pub(crate) failure: Option<ApiError>,
    /// Whether the server did take or judge some log all the same.
    pub(crate) progress: bool,
    /// Whether the server took the account of losses that went along.
    pub(crate) losses_taken: bool,
}

impl Answer {
    pub(super) fn drop_log(&mut self, reason: DropReason, line: Option<Line>, complaint: impl Into<String>) {
        self.dropped.push((reason, line));
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
    index: Option<usize>,
    #[serde(default)]
    detail: serde_json::Value,
}

impl Http {
    pub(crate) fn new(client: ApiClient) -> Self {
        Self { client, batches: true, suspects: Suspects::default() }
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

    /// Sends the logs once. Whatever is to be tried again is in the answer. `behind` are some of the logs that come after
    /// them.
    pub(crate) async fn send(
        &mut self,
        lines: Vec<Line>,
        losses: &ProjectLosses,
        behind: impl Fn() -> Vec<Line>,
    ) -> Answer {
        let mut round = self.suspects.begin(lines);
        // Parts of a batch that was too large are sent in order.
        while let Some(part) = round.parts.pop() {
            if round.answer.failure.is_some() {
                // The server is in trouble: the rest waits for the next attempt, in order.
                round.answer.again.extend(part);
            } else if self.batches {
                self.send_batch(part, losses, &mut round).await;
            } else {
                self.send_singly(part, &mut round).await;
            }
            if round.is_in_doubt() {
                self.probe(&mut round, &behind).await;
            }
            if Suspects::is_enough(&round) {
                round.give_in(None);
            }
        }
        self.suspects.judge(round)
    }

    /// Asks whether the server takes any log at all.
    async fn probe(&mut self, round: &mut Round, behind: impl Fn() -> Vec<Line>) {
        let Some(line) = self.suspects.probe(round, behind) else { return round.give_in(None) };
        let taken = if self.batches {
            let sent = self.post_batch(std::slice::from_ref(&line), &[]).await;
            sent.map(|answer| answer.is_some_and(|answer| answer.accepted == 1))
        } else {
            post(&self.client, &line).await.map(|body| is_json(&body))
        };
        match taken {
            Ok(true) => {
                self.suspects.took(&line);
                round.took();
            }
            Ok(false) => round.give_in(None),
            Err(error) => round.give_in(Some(error)),
        }
    }

    /// Sends them together; `None` is an answer that does not account for each of them.
    async fn post_batch(
        &self,
        lines: &[Line],
        headers: &[(&'static str, String)],
    ) -> Result<Option<Accepted>, ApiError> {
        let body = lines.iter().fold(Vec::new(), |mut body, line| {
            body.extend_from_slice(line);
            body.push(b'\n');
            body
        });
        let sent = self.client.send(Method::POST, "/trace_logs", "application/x-ndjson", headers, body).await?;
        let answer = serde_json::from_slice::<Accepted>(&sent).ok();
        Ok(answer
            .filter(|answer| answer.accepted.checked_add(answer.rejected.len() as u64) == Some(lines.len() as u64)))
    }

    async fn send_batch(&mut self, lines: Vec<Line>, losses: &ProjectLosses, round: &mut Round) {
        let headers = if round.answer.losses_taken { Vec::new() } else { headers(losses) };
        match self.post_batch(&lines, &headers).await {
            Ok(Some(Accepted { accepted, rejected })) => {
                round.answer.losses_taken |= !headers.is_empty();
                round.answer.delivered += accepted;
                if accepted > 0 {
                    round.took();
                }
                if let Some(last) = lines.last().filter(|_| rejected.is_empty()) {
                    self.suspects.took(last);
                }
                for Rejected { index, detail } in rejected {
                    let line = index.and_then(|index| lines.get(index)).cloned();
                    round.answer.drop_log(DropReason::Rejected, line, detail.to_string());
                }
            }
            // Not offered, or a success of something that does not know the operation or lost count. A log that is
            // sent twice is stored once, so nothing is taken on trust.
            Ok(None) | Err(ApiError::Status { status: 404 | 405 | 501, .. }) => {
                let before = round.answer.delivered;
                self.send_singly(lines, round).await;
                // Remembered only if single posts are understood: else there is no Parea server at all just now.
                self.batches = round.answer.delivered == before;
            }
            Err(ApiError::Status { status: 413, .. }) if lines.len() > 1 => round.halve(lines),
            Err(error) if round.is_telling(&error) && lines.len() > 1 => round.halve(lines),
            // Refused as a whole: one by one, the good ones are taken and the bad ones named.
            Err(error) if is_about_the_log(&error) && lines.len() > 1 => self.send_singly(lines, round).await,
            Err(error) if lines.len() > 1 => {
                round.answer.again.extend(lines);
                round.answer.failure = Some(error);
            }
            Err(error) => {
                let again = lines.into_iter().filter_map(|line| failed(round, line, error.clone())).collect::<Vec<_>>();
                round.answer.again.extend(again);
            }
        }
    }

    async fn send_singly(&mut self, lines: Vec<Line>, round: &mut Round) {
        let mut waiting = lines.into_iter().enumerate();
        let mut posts = JoinSet::new();
        // Answers come in any order; what is sent again keeps its own.
        let mut again = Vec::new();
        loop {
            while posts.len() < CONCURRENT_POSTS && !round.pauses() {
                let Some((place, line)) = waiting.next() else { break };
                let client = self.client.clone();
                posts.spawn(async move {
                    let sent = post(&client, &line).await;
                    (place, line, sent)
                });
            }
            match posts.join_next().await {
                Some(Ok((_, line, Ok(body)))) if is_json(&body) => {
                    round.answer.delivered += 1;
                    round.took();
                    self.suspects.took(&line);
                }
                Some(Ok((place, line, Ok(_)))) => {
                    round.answer.failure = Some(ApiError::Answer("it is no JSON".to_owned()));
                    again.push((place, line));
                }
                Some(Ok((place, line, Err(error)))) => {
                    again.extend(failed(round, line, error).map(|line| (place, line)));
                }
                // A post that panicked would be a fault of ours; its log was moved into it.
                Some(Err(error)) => round.answer.drop_log(DropReason::Rejected, None, error.to_string()),
                None => break,
            }
        }
        again.sort_by_key(|(place, _)| *place);
        round.answer.again.extend(again.into_iter().map(|(_, line)| line));
        let rest: Vec<Line> = waiting.map(|(_, line)| line).collect();
        if !rest.is_empty() {
            round.parts.push(rest);
        }
    }
}

async fn post(client: &ApiClient, line: &Line) -> Result<Vec<u8>, ApiError> {
    client.send(Method::POST, "/trace_log", "application/json", &[], line.to_vec()).await
}

/// Books the failure of a log that was sent alone; returns it if it is to be sent again.
fn failed(round: &mut Round, line: Line, error: ApiError) -> Option<Line> {
    match error {
        ApiError::Status { status: 413, detail, .. } => round.answer.drop_log(DropReason::TooLarge, Some(line), detail),
        error if is_about_the_log(&error) => {
            round.answer.drop_log(DropReason::Rejected, Some(line), error.to_string());
        }
        error => {
            if round.is_telling(&error) {
                round.suspect(Line::clone(&line), error);
            } else {
                round.answer.failure = Some(error);
            }
            return Some(line);
        }
    }
    None
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
    headers.extend(losses.id.clone().map(|id| ("x-parea-losses-id", id)));
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
