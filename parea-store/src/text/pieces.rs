//! What of a log is searched.

use std::borrow::Cow;

use parea_types::TraceLog;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::tokens::lowercase;

/// Bytes of a log that are searched; what comes behind is kept and shown all the same.
const MOST: usize = 64 << 10;

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
        for text in texts.into_iter().flatten() {
            pieces.add(text);
        }
        let mut waiting: Vec<&Value> = Vec::new();
        for map in maps.into_iter().flatten() {
            waiting.extend(map.values().rev());
            while let Some(value) = waiting.pop() {
                match value {
                    Value::String(text) => pieces.add(text),
                    Value::Number(number) => pieces.add(&number.to_string()),
                    Value::Array(elements) => waiting.extend(elements.iter().rev()),
                    Value::Object(members) => waiting.extend(members.values().rev()),
                    Value::Null | Value::Bool(_) => {}
                }
            }
        }
        pieces
    }

    fn add(&mut self, text: &str) {
        let room = MOST - self.size;
        let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        self.size += end;
        if end > 0 {
            self.texts.push(lowercase(&text[..end]).into_owned());
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
