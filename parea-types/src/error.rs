//! Error bodies, shaped as FastAPI shapes them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One step of the way to the value that is wrong: a field's name or an element's index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Location {
    /// A member of an object, or `body`, `path`, `query` at the start.
    Name(String),
    /// An element of an array, or a byte offset in a body that is no JSON.
    Index(u64),
}

impl From<&str> for Location {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<usize> for Location {
    fn from(index: usize) -> Self {
        Self::Index(index as u64)
    }
}

/// What is wrong with one value of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationError {
    /// Where, from the outside in: `["body", "scores", 0, "score"]`.
    pub loc: Vec<Location>,
    /// What is wrong and how to mend it, for people.
    pub msg: String,
    /// The kind of fault, for programs: `missing`, `json_invalid`, `string_type`, ….
    #[serde(rename = "type")]
    pub kind: String,
}

/// The body of a 422 answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpValidationError {
    /// Everything that is wrong, not only the first.
    #[serde(default)]
    pub detail: Vec<ValidationError>,
}

/// The body of any other error answer: `{"detail": "…"}`, where foreign servers also put other JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A text in all answers of our own server.
    pub detail: Value,
}
