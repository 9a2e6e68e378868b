//! Model answers of stored traces as a cassette: tests that need no model, no key and no network.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use parea_runtime::types::{Message, MessageContent, Role, TraceLog, TraceLogTree};
use serde_json::Value;

use crate::evals::{
    Judge, JudgeError,
    judge::{Answer, Question},
};

/// The model calls of stored traces, by what was asked.
///
/// Strict: a request is answered if the same messages were recorded for the same model, white space included; asked again, it
/// gives the next recorded answer, and the last one for ever. What was not recorded is a [`Miss`] that says which message
/// changed. It is a [`Judge`] too, for evaluations by a model.
///
/// ```
/// use parea_eval::{Cassette, CassetteRequest};
/// # use parea_runtime::types::{Configuration, Message, MessageContent, Role, TraceLog};
/// # let message = |role, text: &str| Message { role, content: MessageContent::Text(text.into()) };
/// # let mut log = TraceLog { output: Some("4".into()), ..TraceLog::default() };
/// # log.configuration = Configuration { model: Some("m".into()), messages: Some(vec![message(Role::User, "2+2?")]), ..Configuration::default() };
/// # let logs = [log];
/// // `logs` are those of a trace, read from a server or captured in a test.
/// let cassette = Cassette::from_logs(&logs);
/// assert_eq!(cassette.answer(&CassetteRequest::new("m").user("2+2?"))?, "4");
///
/// let miss = cassette.answer(&CassetteRequest::new("m").user("2+3?")).unwrap_err();
/// assert_eq!(miss.to_string(), "not recorded: message 1 (user) changed at letter 3: `2+2?` was recorded, `2+3?` was asked");
/// # Ok::<(), parea_eval::Miss>(())
/// ```
#[derive(Debug, Default)]
pub struct Cassette {
    takes: Vec<Take>,
    /// How often each was asked for.
    asked: Mutex<HashMap<usize, usize>>,
}

/// One request with its answers, in the order of the calls.
#[derive(Debug)]
struct Take {
    request: CassetteRequest,
    answers: Vec<String>,
}

/// What a model is asked: its name and the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CassetteRequest {
    model: String,
    /// Role and text.
    messages: Vec<(String, String)>,
}

impl CassetteRequest {
    /// A request to that model.
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), messages: Vec::new() }
    }

    /// The same with one message more.
    #[must_use]
    pub fn message(mut self, role: impl Into<String>, text: impl Into<String>) -> Self {
        self.messages.push((role.into(), text.into()));
        self
    }

    /// The same with a message of the system's.
    #[must_use]
    pub fn system(self, text: impl Into<String>) -> Self {
        self.message("system", text)
    }

    /// The same with a message of the user's.
    #[must_use]
    pub fn user(self, text: impl Into<String>) -> Self {
        self.message("user", text)
    }

    fn of(log: &TraceLog) -> Option<Self> {
        let messages = log.configuration.messages.as_ref().filter(|messages| !messages.is_empty())?;
        let model = log.configuration.model.clone().unwrap_or_default();
        Some(Self { model, messages: messages.iter().map(plain).collect() })
    }
}

fn plain(message: &Message) -> (String, String) {
    let role = match &message.role {
        Role::Other(word) => word.clone(),
        known => serde_json::to_value(known).ok().and_then(|role| role.as_str().map(str::to_owned)).unwrap_or_default(),
    };
    let text = match &message.content {
        MessageContent::Text(text) => text.clone(),
        MessageContent::Parts(parts) => Value::Array(parts.clone()).to_string(),
    };
    (role, text)
}

impl Cassette {
    /// The model calls among these logs: those with messages that succeeded, in the order of their start.
    pub fn from_logs<'a>(logs: impl IntoIterator<Item = &'a TraceLog>) -> Self {
        let mut calls: Vec<&TraceLog> = logs.into_iter().filter(|log| log.error.is_none()).collect();
        calls.sort_by_key(|log| (log.start_timestamp, log.execution_order));
        let mut cassette = Self::default();
        for (request, answer) in calls.into_iter().filter_map(|log| CassetteRequest::of(log).zip(log.output.clone())) {
            match cassette.takes.iter_mut().find(|take| take.request == request) {
                Some(take) => take.answers.push(answer),
                None => cassette.takes.push(Take { request, answers: vec![answer] }),
            }
        }
        cassette
    }

    /// The model calls of a trace as a server tells it.
    pub fn from_trace(trace: &TraceLogTree) -> Self {
        Self::from_logs(trace.iter().map(|node| &node.log))
    }

    /// How many different requests it can answer.
    pub fn len(&self) -> usize {
        self.takes.len()
    }

    /// Whether it can answer none.
    pub fn is_empty(&self) -> bool {
        self.takes.is_empty()
    }

    /// The recorded answer.
    pub fn answer(&self, request: &CassetteRequest) -> Result<String, Miss> {
        let found = self.takes.iter().enumerate().find(|(_, take)| take.request == *request);
        let Some((place, take)) = found else { return Err(self.miss(request)) };
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let times = asked.entry(place).or_default();
        let answer = take.answers.get(*times).or(take.answers.last());
        *times += 1;
        answer.cloned().ok_or_else(|| self.miss(request))
    }

    /// What is different from the nearest recording: that with the most equal messages at its begin.
    fn miss(&self, request: &CassetteRequest) -> Miss {
        let equal = |take: &&Take| {
            let pairs = take.request.messages.iter().zip(&request.messages);
            (pairs.take_while(|(one, other)| one == other).count(), take.request.model == request.model)
        };
        let Some(nearest) = self.takes.iter().max_by_key(equal).map(|take| &take.request) else {
            return Miss("not recorded: the cassette is empty".to_owned());
        };
        if nearest.messages == request.messages {
            return Miss(format!(
                "not recorded: model `{}` was recorded, `{}` was asked",
                nearest.model, request.model
            ));
        }
        let place = nearest.messages.iter().zip(&request.messages).take_while(|(one, other)| one == other).count();
        let number = place + 1;
        let why = match (nearest.messages.get(place), request.messages.get(place)) {
            (Some((role, before)), Some((now_role, now))) if role == now_role => {
                let letter = before.chars().zip(now.chars()).take_while(|(one, other)| one == other).count() + 1;
                let (before, now) = (around(before, letter), around(now, letter));
                format!(
                    "message {number} ({role}) changed at letter {letter}: `{before}` was recorded, `{now}` was asked"
                )
            }
            (Some((role, _)), Some((now_role, _))) => {
                format!("message {number} is {now_role}'s, and was recorded as {role}'s")
            }
            (Some((role, _)), None) => format!("message {number} ({role}) is missing"),
            _ => format!("message {number} is new"),
        };
        Miss(format!("not recorded: {why}"))
    }
}

/// The part of a text around a letter, on one line.
fn around(text: &str, letter: usize) -> String {
    const BEFORE: usize = 20;
    const SHOWN: usize = 60;
    let start = letter.saturating_sub(BEFORE + 1);
    let part = text.chars().skip(start).take(SHOWN).map(|letter| if letter.is_control() { ' ' } else { letter });
    let part: String = part.collect();
    let (head, tail) = (if start > 0 { "…" } else { "" }, if text.chars().count() > start + SHOWN { "…" } else { "" });
    format!("{head}{part}{tail}")
}

/// A request that was not recorded: what is different from the nearest one that was.
#[derive(Clone, PartialEq, Eq)]
pub struct Miss(String);

impl Miss {
    pub(crate) fn new(why: impl fmt::Display) -> Self {
        Self(format!("not recorded: {why}"))
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text of `Display`: a `main` or a test that returns the error prints this.
impl fmt::Debug for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Miss {}

/// Judges by what was recorded of any model: a question says none.
impl Judge for Cassette {
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        let models = self.takes.iter().map(|take| &take.request.model);
        let answers =
            models.map(|model| self.answer(&CassetteRequest::new(model).system(&question.system).user(&question.user)));
        let mut miss = Miss("not recorded: the cassette is empty".to_owned());
        let mut found = None;
        for answer in answers {
            match answer {
                Ok(answer) => {
                    found = Some(answer);
                    break;
                }
                Err(error) => miss = error,
            }
        }
        Box::pin(async move { found.ok_or_else(|| JudgeError::Unreachable(miss.to_string())) })
    }
}
