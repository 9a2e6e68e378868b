//! A user's verdict on a log.

use serde::{Deserialize, Serialize};

use crate::{Location, ValidationError, null, score};

/// The body of `POST /feedback` (`FeedbackRequestSchema`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FeedbackRequestSchema"))]
pub struct FeedbackRequest {
    /// The verdict, 0 to 1. A boolean is read as 1 or 0.
    #[serde(deserialize_with = "null::score", serialize_with = "score::finite")]
    pub score: f64,
    /// The log; this or `inference_id` is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Another name for `trace_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_id: Option<String>,
    /// A remark on the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The corrected output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Filled by the server from the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// Deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl FeedbackRequest {
    /// A verdict on a log, 0 to 1.
    pub fn new(trace_id: impl Into<String>, score: f64) -> Self {
        Self { trace_id: Some(trace_id.into()), score, ..Self::default() }
    }

    /// Adds a remark.
    #[must_use]
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// Adds the output as it should have been.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Id of the log that is judged, by whichever name it came; an empty one is none.
    pub fn log_id(&self) -> Option<&str> {
        let ids = [self.trace_id.as_deref(), self.inference_id.as_deref()];
        ids.into_iter().flatten().find(|id| !id.is_empty())
    }

    /// What is wrong with it beyond its types; empty when it may be applied.
    pub fn validate(&self) -> Vec<ValidationError> {
        let mut errors = ValidationError::out_of_range(&["score"], Some(self.score), 0.0, 1.0);
        if self.log_id().is_none() {
            let loc = vec![Location::from("body"), Location::from("trace_id")];
            let msg = "Field required: give the log's id as `trace_id` or `inference_id`".to_owned();
            errors.push(ValidationError { loc, msg, kind: "missing".to_owned() });
        }
        errors
    }
}
