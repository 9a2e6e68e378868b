//! What of a log is looked for, summed or listed, apart from the log itself.

use std::{collections::BTreeMap, io};

use parea_types::{MessageContent, Role, Status, TraceLog};
use serde::Serialize;

/// Length of a preview in bytes.
const PREVIEW: usize = 300;

/// More tokens than any call has, and few enough that sums of them stay within 63 bits.
const MOST_TOKENS: i64 = 1_000_000_000_000;

/// The figures of a log that stand beside it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// The parent, or the log itself when it is a root.
    pub(crate) parent: String,
    /// The root that the log names, if it names one or is its own.
    pub(crate) root: Option<String>,
    pub(crate) started: i64,
    pub(crate) execution_order: i64,
    pub(crate) status: Option<Status>,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) total_tokens: i64,
    pub(crate) cost: Option<f64>,
    /// Its own scores as JSON, `None` without.
    pub(crate) scores: Option<String>,
    pub(crate) experiment: Option<String>,
    /// The chance that its trace is kept, if less than 1. Experiments are always kept.
    pub(crate) sample_rate: Option<f64>,
}

impl Row {
    /// Whether both are the same, but for the scores, which are in no sum.
    pub(crate) fn is_but_for_scores(&self, other: &Self) -> bool {
        let Self { scores: _, .. } = self;
        *self == Self { scores: self.scores.clone(), ..other.clone() }
    }

    pub(crate) fn of(log: &TraceLog) -> Self {
        let parent = log.parent_trace_id.clone().unwrap_or_else(|| log.trace_id.clone());
        let is_root = parent == log.trace_id;
        let tokens = |count: Option<i64>| count.unwrap_or_default().clamp(-MOST_TOKENS, MOST_TOKENS);
        let (input_tokens, output_tokens) = (tokens(log.input_tokens), tokens(log.output_tokens));
        let experiment = log.experiment_uuid.clone().filter(|experiment| !experiment.is_empty());
        Self {
            root: log.root_trace_id.clone().or_else(|| is_root.then(|| log.trace_id.clone())),
            parent,
            started: log.start_timestamp.micros(),
            execution_order: log.execution_order,
            status: log.status,
            input_tokens,
            output_tokens,
            // Some clients send the parts and leave the sum to us.
            total_tokens: match tokens(log.total_tokens) {
                0 => input_tokens + output_tokens,
                total => total,
            },
            cost: log.cost,
            scores: log.scores.as_ref().filter(|scores| !scores.is_empty()).map(json),
            sample_rate: log.log_sample_rate.filter(|rate| *rate < 1.0 && experiment.is_none()),
            experiment,
        }
    }
}

/// What a list of traces shows of a trace's root.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    pub(crate) name: Option<String>,
    pub(crate) latency: Option<f64>,
    pub(crate) status: Option<Status>,
    /// JSON, `None` without.
    pub(crate) tags: Option<String>,
    pub(crate) inputs_preview: Option<String>,
    pub(crate) output_preview: Option<String>,
    pub(crate) error_preview: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) end_user_identifier: Option<String>,
}

impl Head {
    pub(crate) fn of(log: &TraceLog) -> Self {
        Self {
            name: log.trace_name.clone(),
            latency: latency(log),
            status: log.status,
            tags: log.tags.as_ref().filter(|tags| !tags.is_empty()).map(json),
            inputs_preview: inputs_preview(log),
            output_preview: log.output.as_deref().map(|output| cut(output).to_owned()),
            error_preview: error_preview(log).map(ToOwned::to_owned),
            session_id: log.session_id.clone(),
            end_user_identifier: log.end_user_identifier.clone(),
        }
    }
}

/// The begin of the inputs; without any that of what the model was asked last, as its role's only member.
pub(crate) fn inputs_preview(log: &TraceLog) -> Option<String> {
    if let Some(inputs) = log.inputs.as_ref().filter(|inputs| !inputs.is_empty()) {
        return Some(preview_json(inputs));
    }
    let messages = log.configuration.messages.as_deref()?;
    let asked = messages.iter().rfind(|message| message.role == Role::User).or(messages.last())?;
    let text = match &asked.content {
        MessageContent::Text(text) => text,
        MessageContent::Parts(parts) => parts.iter().find_map(|part| part.get("text")?.as_str())?,
    };
    Some(preview_json(&BTreeMap::from([(asked.role.as_str(), text)])))
}

/// The begin of what a failed log says of its failure.
pub(crate) fn error_preview(log: &TraceLog) -> Option<&str> {
    let failed = log.status == Some(Status::Error);
    log.error.as_deref().filter(|error| failed && !error.is_empty()).map(cut)
}

/// The latency as sent, else from the times. Told on reading, so that an end that comes later counts.
pub(crate) fn latency(log: &TraceLog) -> Option<f64> {
    let sent = log.latency.filter(|latency| *latency != 0.0);
    let between =
        || log.end_timestamp.map(|end| end.seconds_since(log.start_timestamp)).filter(|seconds| *seconds > 0.0);
    sent.or_else(between).or(log.latency)
}

/// JSON of what our types hold, which always can be written: keys are text.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Whether a value's JSON has at most so many bytes, without writing it.
pub(crate) fn is_within<T: Serialize + ?Sized>(value: &T, bytes: usize) -> bool {
    struct Room(usize);
    impl io::Write for Room {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::WriteZero)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(&mut Room(bytes), value).is_ok()
}

/// The beginning of a value's JSON, without writing the rest of what may be megabytes.
fn preview_json<T: Serialize>(value: &T) -> String {
    struct Beginning(Vec<u8>);
    impl io::Write for Beginning {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0.len() > PREVIEW {
                return Err(io::ErrorKind::WriteZero.into());
            }
            let room = PREVIEW + 4 - self.0.len();
            self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut beginning = Beginning(Vec::with_capacity(PREVIEW + 4));
    // It fails once there is enough.
    let _ = serde_json::to_writer(&mut beginning, value);
    cut(&String::from_utf8_lossy(&beginning.0)).to_owned()
}

/// The first bytes of a text, whole characters only.
fn cut(text: &str) -> &str {
    let end = (0..=PREVIEW.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_within_the_length_of_its_json_and_no_less() {
        let value = serde_json::json!({ "text": "a \"quoted\" 漢", "numbers": [1, 2.5, null], "none": {} });
        let length = json(&value).len();
        assert!(is_within(&value, length));
        assert!(!is_within(&value, length - 1));
    }
}
