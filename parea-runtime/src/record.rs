//! A finished span, immutable from here on, and its form on the wire.

use std::{io, sync::Arc, time::Duration};

use parea_types::{EvaluationScore, Status, Timestamp, TraceLog};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::{Map, Value, value::RawValue};
use uuid::Uuid;

use crate::span::{Draft, Span};

/// How the body of a span ended.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// One JSON value, or nothing when the output is left out.
    pub(crate) output: Vec<u8>,
    /// What evaluations see in its place, or nothing.
    pub(crate) output_for_eval_metrics: Vec<u8>,
    /// The text of the `Err`, the panic, or the cancellation.
    pub(crate) error: Option<String>,
}

/// A finished span.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) span: Arc<Span>,
    pub(crate) latency: Duration,
    pub(crate) draft: Draft,
    pub(crate) target: Option<Arc<str>>,
    pub(crate) outcome: Outcome,
}

/// The project as logs name it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProjectRef {
    pub(crate) name: String,
    /// Known once the server has told it.
    pub(crate) uuid: Option<String>,
}

/// The members of `TraceLog` that a client fills, borrowed from the record. Kept apart from it so that captured
/// values are copied once, as the JSON that they already are.
#[derive(Serialize)]
struct WireLog<'a> {
    trace_id: Uuid,
    root_trace_id: Uuid,
    parent_trace_id: Uuid,
    trace_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_uuid: Option<&'a str>,
    start_timestamp: Timestamp,
    end_timestamp: Timestamp,
    latency: f64,
    depth: u32,
    execution_order: u32,
    children: &'a [Uuid],
    inputs: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_for_eval_metrics: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    evaluation_metric_names: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    apply_eval_frac: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_sample_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_first_token: Option<f64>,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    configuration: Map<String, Value>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scores: &'a [EvaluationScore],
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_user_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment_uuid: Option<&'a str>,
}

/// Key of the metadata for the rate by which a trace was kept: each stands for 1 / rate of them.
const SAMPLE_RATE: &str = "sample_rate";

/// What the user said, beside where the function is; the user's word wins.
struct Metadata<'a>(&'a Record);

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let said = &self.0.draft.metadata;
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in said {
            map.serialize_entry(key, value)?;
        }
        for (key, value) in self.0.span.site.code_attributes() {
            if !said.contains_key(key) {
                map.serialize_entry(key, &value)?;
            }
        }
        if let Some(rate) = self.0.span.trace.sample_rate
            && !said.contains_key(SAMPLE_RATE)
        {
            map.serialize_entry(SAMPLE_RATE, &rate.to_string())?;
        }
        map.end()
    }
}

impl Record {
    /// Bytes that this record keeps in memory, near enough to bound the queue with.
    pub(crate) fn size(&self) -> usize {
        /// The structures themselves, and the smaller members.
        const FIXED: usize = 512;
        let draft = &self.draft;
        FIXED
            + draft.inputs.capacity()
            + self.outcome.output.capacity()
            + self.outcome.output_for_eval_metrics.capacity()
            + self.outcome.error.as_ref().map_or(0, String::capacity)
            + draft.children.capacity() * size_of::<Uuid>()
            + draft.errors.iter().map(String::len).sum::<usize>()
            + draft.tags.iter().map(String::len).sum::<usize>()
            + draft
                .metadata
                .iter()
                .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len) + 64)
                .sum::<usize>()
            + draft
                .scores
                .iter()
                .map(|score| score.name.len() + score.reason.as_ref().map_or(0, String::len) + 64)
                .sum::<usize>()
            + self.target.as_ref().map_or(0, |target| target.len())
            + draft.session_id.as_ref().map_or(0, String::len)
            + draft.end_user_identifier.as_ref().map_or(0, String::len)
    }

    /// Whether it has to be evaluated before it is sent: it asks for that, has not failed, and its lot says so.
    pub(crate) fn wants_evaluation(&self) -> bool {
        !self.draft.evaluators.0.is_empty()
            && self.draft.errors.is_empty()
            && self.outcome.error.is_none()
            && self.draft.apply_eval_frac.is_none_or(|fraction| fastrand::f64() < fraction)
    }

    /// Appends the log as one line of JSON, without a line end.
    pub(crate) fn write_json(&self, project: &ProjectRef, line: &mut Vec<u8>) -> io::Result<()> {
        let (start_timestamp, end_timestamp) = self.span.start.interval(self.latency);
        let inputs = if self.draft.inputs.is_empty() { &b"{}"[..] } else { &self.draft.inputs };
        let inputs: &RawValue = serde_json::from_slice(inputs)?;
        let output = self.output();
        let output_for_eval_metrics = text_of(&self.outcome.output_for_eval_metrics);
        let error = self.error();
        let log = WireLog {
            trace_id: self.span.id,
            root_trace_id: self.span.trace.root_id,
            parent_trace_id: self.span.parent_id,
            trace_name: self.span.site.name(),
            project_name: Some(project.name.as_str()).filter(|name| !name.is_empty()),
            project_uuid: project.uuid.as_deref(),
            start_timestamp,
            end_timestamp,
            latency: self.latency.as_secs_f64(),
            depth: self.span.depth,
            execution_order: self.span.order,
            children: &self.draft.children,
            inputs,
            output: output.as_deref(),
            target: self.target.as_deref(),
            output_for_eval_metrics: output_for_eval_metrics.as_deref(),
            deployment_id: self.draft.deployment_id.as_deref(),
            evaluation_metric_names: &self.draft.evaluation_metric_names,
            apply_eval_frac: self.draft.apply_eval_frac,
            // It has been sampled: with the rate itself the server would do so again.
            log_sample_rate: self.span.trace.sample_rate.map(|_| 1.0),
            time_to_first_token: self.draft.time_to_first_token,
            status: if error.is_some() { Status::Error } else { Status::Success },
            error: error.as_deref(),
            configuration: Map::new(),
            scores: &self.draft.scores,
            metadata: Metadata(self),
            tags: &self.draft.tags,
            session_id: self.draft.session_id.as_deref(),
            end_user_identifier: self.draft.end_user_identifier.as_deref(),
            experiment_uuid: self.span.trace.experiment.as_deref(),
        };
        serde_json::to_writer(line, &log).map_err(io::Error::from)
    }

    /// The log as a reader of the wire gets it.
    pub(crate) fn to_log(&self) -> serde_json::Result<TraceLog> {
        let mut line = Vec::new();
        self.write_json(&ProjectRef::default(), &mut line).map_err(serde_json::Error::io)?;
        serde_json::from_slice(&line)
    }

    /// A text as it is, any other value as compact JSON, nothing for null.
    fn output(&self) -> Option<String> {
        text_of(&self.outcome.output)
    }

    /// The one error as it is; several, such as one told by [`CurrentSpan::error`](crate::CurrentSpan::error) and
    /// the `Err` that was returned afterwards, as a JSON array of their texts.
    fn error(&self) -> Option<String> {
        let all: Vec<&str> =
            self.draft.errors.iter().map(String::as_str).chain(self.outcome.error.as_deref()).collect();
        match all.as_slice() {
            [] => None,
            [one] => Some((*one).to_owned()),
            several => serde_json::to_string(several).ok(),
        }
    }
}

/// One JSON value as Parea's texts hold it: a string as it is, anything else as JSON, nothing for null.
pub(crate) fn text_of(json: &[u8]) -> Option<String> {
    match json {
        b"" | b"null" => None,
        // A string that is no text, such as half a surrogate from a raw value, stays JSON.
        [b'"', ..] if let Ok(text) = serde_json::from_slice(json) => Some(text),
        _ => Some(String::from_utf8_lossy(json).into_owned()),
    }
}
