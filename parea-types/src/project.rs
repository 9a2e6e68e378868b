//! What logs, experiments and datasets belong to.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The body of `POST /project`: finds the project of that name or creates it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CreateGetProjectRequestSchema"))]
pub struct CreateGetProjectRequest {
    /// The project's name; both SDKs send `default` when the user names none.
    pub name: String,
}

/// The answer of `POST /project`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CreateGetProjectResponseSchema"))]
pub struct CreateGetProjectResponse {
    /// The project's name.
    pub name: String,
    /// Its id, for `project_uuid` of logs and experiments.
    pub uuid: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether this call did so.
    pub was_created: bool,
}
