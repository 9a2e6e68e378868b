//! What of a log is searched.

use std::borrow::Cow;

use parea_types::{Message, MessageContent, TraceLog};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::tokens::lowercase;

/// Bytes of a log that are searched; what comes behind is kept and shown all the same.
const MOST: usize = 64 << 10;

/// A part of a log that is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The name of the span.
    Name,
    /// The output.
    Output,
    /// The error.
    Error,
    /// A value among the inputs, at any depth.
    Inputs,
    /// A value among the metadata, at any depth.
    Metadata,
    /// A message to the model.
    Messages,
}

/// The members of a log that are searched.
#[derive(Clone, Copy)]
pub(crate) struct Said<'a> {
    /// Name, output and error.
    texts: [Option<&'a str>; 3],
    /// Inputs and metadata.
    maps: [Option<&'a Map<String, Value>>; 2],
    messages: Option<&'a [Message]>,
}

impl<'a> Said<'a> {
    pub(crate) fn by(log: &'a TraceLog) -> Self {
        Self {
            texts: [&log.trace_name, &log.output, &log.error].map(Option::as_deref),
            maps: [&log.inputs, &log.metadata].map(Option::as_ref),
            messages: log.configuration.messages.as_deref(),
        }
    }

    /// Tells each text that is searched, in order, with the key of the map's member that holds it, or the role of the message.
    pub(crate) fn each_text(self, mut tell: impl FnMut(Field, Option<&'a str>, Cow<'a, str>)) {
        for (field, text) in [Field::Name, Field::Output, Field::Error].into_iter().zip(self.texts) {
            if let Some(text) = text {
                tell(field, None, text.into());
            }
        }
        let mut waiting: Vec<&Value> = Vec::new();
        for (field, map) in [Field::Inputs, Field::Metadata].into_iter().zip(self.maps) {
            for (key, value) in map.into_iter().flatten() {
                waiting.push(value);
                while let Some(value) = waiting.pop() {
                    match value {
                        Value::String(text) => tell(field, Some(key), text.into()),
                        Value::Number(number) => tell(field, Some(key), number.to_string().into()),
                        Value::Array(elements) => waiting.extend(elements.iter().rev()),
                        Value::Object(members) => waiting.extend(members.values().rev()),
                        Value::Null | Value::Bool(_) => {}
                    }
                }
            }
        }
        for message in self.messages.into_iter().flatten() {
            match &message.content {
                MessageContent::Text(text) => tell(Field::Messages, Some(message.role.as_str()), text.into()),
                MessageContent::Parts(parts) => waiting.extend(parts.iter().rev()),
            }
            // Images and other data are parts too, so only what is named as text counts.
            while let Some(part) = waiting.pop() {
                match part {
                    Value::String(text) => tell(Field::Messages, Some(message.role.as_str()), text.into()),
                    Value::Array(parts) => waiting.extend(parts.iter().rev()),
                    Value::Object(members) => {
                        waiting.extend(["content", "text"].iter().filter_map(|key| members.get(*key)));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The beginning of a text that is still searched behind `size` bytes of the log.
pub(crate) fn within(text: &str, size: usize) -> &str {
    let room = MOST.saturating_sub(size);
    let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    &text[..end]
}

/// The texts of a log in lower case, each apart: no phrase spans two of them.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    texts: Vec<String>,
    size: usize,
}

impl Pieces {
    pub(crate) fn of(log: &TraceLog) -> Self {
        Self::from(Said::by(log))
    }

    fn from(said: Said<'_>) -> Self {
        let mut pieces = Self::default();
        said.each_text(|_, _, text| pieces.add(&text));
        pieces
    }

    fn add(&mut self, text: &str) {
        let text = within(text, self.size);
        self.size += text.len();
        if !text.is_empty() {
            self.texts.push(lowercase(text).into_owned());
        }
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }
}

/// Those members of a stored log that are searched; the others are passed over.
#[derive(Deserialize)]
pub(crate) struct Searchable<'a> {
    #[serde(borrow, default)]
    trace_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    output: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
    #[serde(default)]
    inputs: Option<Map<String, Value>>,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    configuration: Option<Prompt>,
}

/// What of the configuration is searched.
#[derive(Deserialize)]
struct Prompt {
    #[serde(default)]
    messages: Option<Vec<Message>>,
}

impl Searchable<'_> {
    /// The same as of the whole log.
    pub(crate) fn pieces(&self) -> Pieces {
        Pieces::from(Said {
            texts: [&self.trace_name, &self.output, &self.error].map(Option::as_deref),
            maps: [&self.inputs, &self.metadata].map(Option::as_ref),
            messages: self.configuration.as_ref().and_then(|prompt| prompt.messages.as_deref()),
        })
    }
}
