//! A finished log, as evaluations see it.

use std::{fmt, ops::Deref};

use parea_runtime::types::TraceLog;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A finished span: its inputs, output, target, configuration and the rest, as [`TraceLog`] has them, and typed ways in.
#[derive(Clone, Debug, Default, PartialEq)]
#[repr(transparent)]
pub struct Log(TraceLog);

impl Deref for Log {
    type Target = TraceLog;

    fn deref(&self) -> &TraceLog {
        &self.0
    }
}

impl From<TraceLog> for Log {
    fn from(log: TraceLog) -> Self {
        Self(log)
    }
}

impl Log {
    /// A log for trying an evaluation out: an output, and a target.
    ///
    /// ```
    /// # use parea_eval::Log;
    /// let log = Log::of("Hello Foo", Some("Hi Foo")).with_input("name", "Foo");
    /// assert_eq!(log.input::<String>("name")?, "Foo");
    /// # Ok::<(), parea_eval::LogError>(())
    /// ```
    pub fn of(output: impl Into<String>, target: Option<&str>) -> Self {
        let (output, target) = (Some(output.into()), target.map(str::to_owned));
        Self(TraceLog { output, target, ..TraceLog::default() })
    }

    /// The same log with one input more.
    #[must_use]
    pub fn with_input(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.inputs.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// What evaluations are to judge: `output_for_eval_metrics` where it is set, else the output, else nothing.
    pub fn judged(&self) -> &str {
        self.0.output_for_eval_metrics.as_deref().or(self.0.output.as_deref()).unwrap_or_default()
    }

    /// The expected output, if the log has one.
    pub fn expected(&self) -> Option<&str> {
        self.0.target.as_deref()
    }

    /// The output as a value of that type: parsed from JSON, or the text itself where a text is wanted.
    pub fn output_as<T: DeserializeOwned>(&self) -> Result<T, LogError> {
        typed("output", self.0.output_for_eval_metrics.as_deref().or(self.0.output.as_deref()))
    }

    /// The target as a value of that type.
    pub fn target_as<T: DeserializeOwned>(&self) -> Result<T, LogError> {
        typed("target", self.expected())
    }

    /// The input of that name as a value of that type.
    pub fn input<T: DeserializeOwned>(&self, name: &str) -> Result<T, LogError> {
        let inputs = self.0.inputs.as_ref();
        let Some(value) = inputs.and_then(|inputs| inputs.get(name)) else {
            let known = inputs.map(|inputs| inputs.keys().cloned().collect()).unwrap_or_default();
            return Err(LogError::NoInput { name: name.to_owned(), known });
        };
        T::deserialize(value).map_err(|error| LogError::Type(format!("input `{name}`"), error.to_string()))
    }

    /// The input as text: texts as they are, anything else as JSON.
    pub(crate) fn input_text(&self, name: &str) -> Result<String, LogError> {
        self.input::<Value>(name).map(|value| text_of(&value))
    }
}

/// A value as Parea's texts hold it.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn typed<T: DeserializeOwned>(what: &str, text: Option<&str>) -> Result<T, LogError> {
    let Some(text) = text else { return Err(LogError::Missing(what.to_owned())) };
    // Which of both was meant is for the type to say: `"12"` is a fine String and a fine u32.
    serde_json::from_str(text).or_else(|error| {
        T::deserialize(Value::String(text.to_owned())).map_err(|_| LogError::Type(what.to_owned(), error.to_string()))
    })
}

/// Why a log has not what an evaluation asks of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogError {
    /// The log has no output, or no target.
    Missing(String),
    /// The log has no input of that name.
    NoInput {
        /// The name.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// It is there, and of another type: what, and why not.
    Type(String, String),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "the log has no {what}"),
            Self::NoInput { name, known } if known.is_empty() => {
                write!(f, "the log has no input `{name}`, nor any other")
            }
            Self::NoInput { name, known } => write!(f, "the log has no input `{name}`, only `{}`", known.join("`, `")),
            Self::Type(what, why) => write!(f, "{what}: {why}"),
        }
    }
}

/// The text of `Display`: a `main` or a test that returns the error prints this.
impl fmt::Debug for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for LogError {}
