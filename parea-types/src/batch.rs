//! The project's own operation `POST /trace_logs`: many logs at once.
//!
//! The request is an array of logs or one log a line. Good logs are stored, bad ones named.

use serde::{Deserialize, Serialize};

use crate::{ValidationError, null};

/// The answer of `POST /trace_logs`, given when the accepted logs are durable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BatchResponse {
    /// Number of logs that were stored, repeats included.
    pub accepted: u64,
    /// The others.
    #[serde(default, deserialize_with = "null::as_default")]
    pub rejected: Vec<RejectedLog>,
}

/// A log of a batch that was not stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RejectedLog {
    /// Its place in the batch, from 0.
    pub index: u64,
    /// Its id, where that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// What is wrong with it.
    #[serde(default, deserialize_with = "null::as_default")]
    pub detail: Vec<ValidationError>,
}
