//! Error bodies, shaped as FastAPI shapes them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::null;

/// One step of the way to the value that is wrong: a field's name or an element's index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(untagged)]
pub enum Location {
    /// A member of an object, or `body`, `path`, `query` at the start.
    Name(String),
    /// An element of an array, or a byte offset in a body that is no JSON.
    Index(i64),
}

impl From<&str> for Location {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<usize> for Location {
    fn from(index: usize) -> Self {
        Self::Index(index as i64)
    }
}

/// What is wrong with one value of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "HTTPValidationError"))]
pub struct HttpValidationError {
    /// Everything that is wrong, not only the first.
    #[serde(default, deserialize_with = "null::as_default")]
    pub detail: Vec<ValidationError>,
}

/// The body of any other error answer: `{"detail": "…"}`, where foreign servers also put other JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// A text in all answers of our own server.
    pub detail: Value,
}

/// `scores.0.score: Input should be a valid number`; where it is the body as a whole, without the place.
impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = self.loc.iter().filter(|step| **step != Location::from("body")).peekable();
        let is_placed = steps.peek().is_some();
        while let Some(step) = steps.next() {
            match step {
                Location::Name(name) => f.write_str(name)?,
                Location::Index(index) => write!(f, "{index}")?,
            }
            f.write_str(if steps.peek().is_some() { "." } else { "" })?;
        }
        write!(f, "{}{}", if is_placed { ": " } else { "" }, self.msg)
    }
}

/// The detail for people: a text as it is, a list of faults one after the other, anything else as JSON.
impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Value::String(text) = &self.detail {
            return f.write_str(text);
        }
        match Vec::<ValidationError>::deserialize(&self.detail) {
            Ok(faults) if !faults.is_empty() => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                f.write_str(&faults.join("; "))
            }
            _ => write!(f, "{}", self.detail),
        }
    }
}

impl ValidationError {
    /// A fault of one member of the request's body.
    pub fn in_body(name: &str, kind: &str, msg: impl Into<String>) -> Self {
        Self { loc: vec!["body".into(), name.into()], msg: msg.into(), kind: kind.to_owned() }
    }

    /// The fault of a number outside `low..=high`, NaN included; nothing when it is unset or inside.
    pub(crate) fn out_of_range(path: &[&str], value: Option<f64>, low: f64, high: f64) -> Vec<Self> {
        let (kind, msg) = match value {
            None => return Vec::new(),
            Some(value) if (low..=high).contains(&value) => return Vec::new(),
            Some(value) if value < low => {
                ("greater_than_equal", format!("Input should be greater than or equal to {low}"))
            }
            Some(_) => ("less_than_equal", format!("Input should be less than or equal to {high}")),
        };
        let loc = std::iter::once("body").chain(path.iter().copied()).map(Location::from).collect();
        vec![Self { loc, msg, kind: kind.to_owned() }]
    }

    /// A fault that serde reported, in FastAPI's words: `invalid type: string "x", expected a number` becomes
    /// `float_type`, `Input should be a valid number, not string "x"`.
    pub fn from_serde(loc: Vec<Location>, message: &str) -> Self {
        // `invalid type: GOT, expected WHAT`, where GOT is a user's text and may hold anything.
        let parts = message.rsplit_once(", expected ").map(|(before, expected)| {
            let got = before.strip_prefix("invalid type: ").or_else(|| before.strip_prefix("invalid value: "));
            (got, expected)
        });
        let fault = |kind: &str, msg: String| Self { loc, msg, kind: kind.to_owned() };
        if message.starts_with("missing field ") {
            return fault("missing", "Field required".to_owned());
        }
        if message.starts_with("unknown variant ") {
            let choices = parts.map_or(message, |(_, expected)| expected.trim_start_matches("one of "));
            return fault("enum", format!("Input should be {}", choices.replace('`', "'")));
        }
        if message.contains(" is not a time; ") {
            return fault("datetime_parsing", message.to_owned());
        }
        // Untagged enums report only what they expect.
        let (got, expected) = parts.unwrap_or((None, message));
        let (kind, what) = match expected {
            "a string" => ("string_type", "a valid string"),
            "a time as text" => ("string_type", "a time as a string"),
            "a number" | "f64" => ("float_type", "a valid number"),
            "an integer" | "i64" | "u64" => ("int_type", "a valid integer"),
            "a boolean" => ("bool_type", "a valid boolean"),
            "a sequence" => ("list_type", "a valid list"),
            "a map" => ("dict_type", "a valid dictionary"),
            "text or an array of parts" => ("string_type", "a valid string or list"),
            "text or an integer" => ("string_type", "a valid string or integer"),
            object if object.starts_with("struct ") => ("model_attributes_type", "a valid dictionary or object"),
            _ => return fault("value_error", message.to_owned()),
        };
        let got = got.map_or_else(String::new, |got| format!(", not {got}"));
        fault(kind, format!("Input should be {what}{got}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_well_in_a_line() {
        for (body, line) in [
            (r#"{"detail":"no room"}"#, "no room"),
            (
                r#"{"detail":[{"loc":["body","scores",0,"score"],"msg":"Field required","type":"missing"},
                    {"loc":["body"],"msg":"a list belongs here","type":"list_type"}]}"#,
                "scores.0.score: Field required; a list belongs here",
            ),
            (r#"{"detail":[]}"#, "[]"),
            (r#"{"detail":{"code":7}}"#, r#"{"code":7}"#),
        ] {
            assert_eq!(
                serde_json::from_str::<ErrorBody>(body).map(|body| body.to_string()).ok().as_deref(),
                Some(line)
            );
        }
    }
}
