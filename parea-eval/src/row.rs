//! Rows of data.

use std::{fmt, sync::Arc};

use parea_runtime::types::{TestCase, TraceLog};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    cell_value::{Columns, Loose},
    log::text_of,
};

/// One row: values by column. The columns `target` (the expected output) and `tags` are set apart, as in the Parea SDKs.
///
/// Made by [`row!`](crate::row), from anything that has `Serialize`, or read from a file or a dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    values: Map<String, Value>,
    /// Where it comes from, for messages.
    origin: Origin,
    /// Its source knows only texts, so that `"3"` may be meant as a number.
    loose: bool,
    /// Why a value could not be taken.
    broken: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Origin {
    source: Arc<str>,
    /// From 1.
    number: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.source, self.number) {
            ("", 0) => f.write_str("the row"),
            ("", number) => write!(f, "row {number}"),
            (source, number) => write!(f, "row {number} of {source}"),
        }
    }
}

/// A [`Row`] from names and values: `row! { name: "Foo", target: "Hi Foo" }`. Names are written as they are, or as literals
/// where they are no Rust names: `row! { "first name": "Foo" }`. Values need `Serialize`.
#[macro_export]
macro_rules! row {
    ($($key:tt : $value:expr),* $(,)?) => {
        $crate::Row::default()$(.with($crate::row!(@key $key), $value))*
    };
    (@key $key:literal) => { $key };
    (@key $key:ident) => { ::core::stringify!($key) };
}

impl Row {
    /// The same row with one value more. One that cannot be serialised makes the run fail, with its column.
    #[must_use]
    pub fn with(mut self, column: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => {
                self.values.insert(column.to_owned(), value);
            }
            Err(error) => self.broken = Some(format!("column `{column}` cannot be taken: {error}")),
        }
        self
    }

    /// The value of a column, as the type that is wanted: `row.get::<u32>("age")?`, `row.get::<&str>("name")?`.
    ///
    /// Rows of CSV files and of a server's datasets hold texts, which are read as numbers, booleans or JSON where those are
    /// wanted.
    pub fn get<'a, T: Deserialize<'a>>(&'a self, column: &str) -> Result<T, RowError> {
        let Some(value) = self.values.get(column) else {
            let known = self.values.keys().map(String::as_str).collect::<Vec<_>>().join("`, `");
            return Err(self.error(format!("there is no column `{column}`, only `{known}`")));
        };
        let taken = if self.loose { T::deserialize(Loose(value)) } else { T::deserialize(value) };
        taken.map_err(|error| self.error(format!("column `{column}`: {error}")))
    }

    /// The whole row as a type with a field for each column, `target` and `tags` included if it has such fields.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, RowError> {
        self.check()?;
        T::deserialize(Columns { values: &self.values, loose: self.loose }).map_err(|error| {
            let columns = self.values.keys().map(String::as_str).collect::<Vec<_>>().join("`, `");
            self.error(format!(
                "does not fit `{}`: {error}; its columns are `{columns}`",
                short(std::any::type_name::<T>())
            ))
        })
    }

    /// The expected output: a text as it is, anything else as JSON; nothing for null.
    pub fn target(&self) -> Option<String> {
        self.values.get("target").filter(|target| !target.is_null()).map(text_of)
    }

    /// The row's labels.
    pub fn tags(&self) -> Vec<String> {
        let tags = self.values.get("tags").and_then(Value::as_array);
        tags.map(|tags| tags.iter().map(text_of).collect()).unwrap_or_default()
    }

    /// A stored trace as a row: its inputs, and its target or, if it has none, its output.
    pub fn of_log(log: &TraceLog) -> Self {
        let target = log.target.as_ref().or(log.output.as_ref());
        let values = log.inputs.clone().unwrap_or_default();
        let row = Self::from_values(values, false);
        match target {
            Some(target) => row.with("target", target),
            None => row,
        }
    }

    /// The row as a dataset of the server takes it, by `ApiClient::add_test_cases`: every input as a text.
    pub fn to_test_case(&self) -> TestCase {
        let inputs = self.inputs().iter().map(|(column, value)| (column.clone(), text_of(value))).collect();
        TestCase { inputs, target: self.target(), tags: self.tags() }
    }

    /// Values by column, without `target` and `tags`.
    pub fn inputs(&self) -> Map<String, Value> {
        let input = |(column, _): &(&String, &Value)| !matches!(column.as_str(), "target" | "tags");
        self.values.iter().filter(input).map(|(column, value)| (column.clone(), value.clone())).collect()
    }

    pub(crate) fn from_values(values: Map<String, Value>, loose: bool) -> Self {
        Self { values, loose, ..Self::default() }
    }

    pub(crate) fn at(mut self, source: &Arc<str>, number: usize) -> Self {
        self.origin = Origin { source: Arc::clone(source), number };
        self
    }

    /// The row with its number in the run, unless its source has numbered it.
    pub(crate) fn numbered(mut self, number: usize) -> Self {
        if self.origin.number == 0 {
            self.origin.number = number;
        }
        self
    }

    /// A row from anything that serialises as a map.
    pub(crate) fn of(item: &impl Serialize) -> Self {
        match serde_json::to_value(item) {
            Ok(Value::Object(values)) => Self::from_values(values, false),
            Ok(other) => {
                let broken = Some(format!("not a struct or map but {}", kind(&other)));
                Self { broken, ..Self::default() }
            }
            Err(error) => Self { broken: Some(error.to_string()), ..Self::default() },
        }
    }

    pub(crate) fn check(&self) -> Result<(), RowError> {
        match &self.broken {
            Some(why) => Err(self.error(why.clone())),
            None => Ok(()),
        }
    }

    fn error(&self, why: String) -> RowError {
        RowError { origin: self.origin.to_string(), why }
    }
}

impl Serialize for Row {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.broken {
            Some(why) => Err(serde::ser::Error::custom(why)),
            None => self.values.serialize(serializer),
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// A type's name without its path.
fn short(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

/// A row that is not as it has to be: which one, and why.
#[derive(Clone, PartialEq, Eq)]
pub struct RowError {
    origin: String,
    why: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.why)
    }
}

/// The text of `Display`: a `main` or a test that returns the error prints this.
impl fmt::Debug for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for RowError {}

/// What an experiment's function may take: a [`Row`], or any type with `Deserialize` that has a field for each column that it
/// needs.
pub trait FromRow: Sized + Send + 'static {
    /// The row as this type.
    fn from_row(row: &Row) -> Result<Self, RowError>;
}

impl FromRow for Row {
    fn from_row(row: &Row) -> Result<Self, RowError> {
        row.check()?;
        Ok(row.clone())
    }
}

impl<T: DeserializeOwned + Send + 'static> FromRow for T {
    fn from_row(row: &Row) -> Result<Self, RowError> {
        row.parse()
    }
}
