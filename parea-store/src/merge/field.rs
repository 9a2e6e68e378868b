//! What the fields of a log are made of.

use parea_types::{EvaluationScore, TraceLog};
use serde_json::Value;

/// How the values of a field combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One value; the newer replaces the older.
    Scalar,
    /// A group of parts by key. A `POST` replaces the group, a merging `PUT` its parts.
    Map,
    /// The same with a list, whose elements are their own keys.
    Set,
    /// A list whose elements are named by their `id`.
    Comments,
    /// A set to which a `POST` only ever adds.
    Union,
    /// A union keyed by the evaluation.
    Scores,
    /// A text to which a merging `PUT` adds another.
    Error,
}

impl Shape {
    pub(crate) fn of(field: &str) -> Self {
        match field {
            "metadata" | "inputs" | "configuration" | "annotations" => Self::Map,
            "comments" => Self::Comments,
            "tags" | "images" | "evaluation_metric_names" | "evaluation_metric_ids" => Self::Set,
            "children" => Self::Union,
            "scores" => Self::Scores,
            "error" => Self::Error,
            _ => Self::Scalar,
        }
    }

    /// Whether the whole field in a `POST` hides the parts that older ones gave it.
    pub(crate) fn post_replaces(self) -> bool {
        !matches!(self, Self::Union | Self::Scores)
    }

    /// The key of an element of a list.
    pub(crate) fn key(self, element: &Value) -> String {
        match (self, element) {
            (Self::Scores, Value::Object(score)) => {
                let name = score.get("name").and_then(Value::as_str).unwrap_or_default();
                score_key(name, score.get("evaluation_metric_id").and_then(Value::as_i64))
            }
            (Self::Comments, Value::Object(comment)) => {
                comment.get("id").map_or_else(|| element.to_string(), Value::to_string)
            }
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        }
    }
}

/// Whether a `PUT` may change the field. The others say which log it is, or the server alone fills them.
pub(crate) fn is_updatable(field: &str) -> bool {
    TraceLog::field_names().contains(&field)
        && !TraceLog::is_identity_field(field)
        && !matches!(field, "children_ids" | "fill_children")
}

/// Whether a value is what a client writes that has nothing to say.
pub(crate) fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// What makes two scores of a log the same one.
pub(crate) fn key_of_score(score: &EvaluationScore) -> String {
    score_key(&score.name, score.evaluation_metric_id)
}

fn score_key(name: &str, metric: Option<i64>) -> String {
    metric.map_or_else(|| name.to_owned(), |id| format!("{name}\0{id}"))
}
