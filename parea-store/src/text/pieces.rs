//! What of a log is searched.

use std::borrow::Cow;

use parea_types::TraceLog;
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
}

/// Tells each text that is searched, in order, with the key of the map's member that holds it.
pub(crate) fn each_text<'a>(
    texts: [Option<&'a str>; 3],
    maps: [Option<&'a Map<String, Value>>; 2],
    mut tell: impl FnMut(Field, Option<&'a str>, Cow<'a, str>),
) {
    for (field, text) in [Field::Name, Field::Output, Field::Error].into_iter().zip(texts) {
        if let Some(text) = text {
            tell(field, None, text.into());
        }
    }
    let mut waiting: Vec<&Value> = Vec::new();
    for (field, map) in [Field::Inputs, Field::Metadata].into_iter().zip(maps) {
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
        let texts = [&log.trace_name, &log.output, &log.error].map(Option::as_deref);
        Self::from(texts, [&log.inputs, &log.metadata].map(Option::as_ref))
    }

    fn from(texts: [Option<&str>; 3], maps: [Option<&Map<String, Value>>; 2]) -> Self {
        let mut pieces = Self::default();
        each_text(texts, maps, |_, _, text| pieces.add(&text));
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
}

impl Searchable<'_> {
    /// The same as of the whole log.
    pub(crate) fn pieces(&self) -> Pieces {
        let texts = [&self.trace_name, &self.output, &self.error].map(Option::as_deref);
        Pieces::from(texts, [&self.inputs, &self.metadata].map(Option::as_ref))
    }
}
