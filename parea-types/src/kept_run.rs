//! A run of an experiment that was made while no server was there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EvaluationScore, ExperimentStatus, Timestamp, null};

/// A run as its program leaves it in the file `experiments/UUID.run.json` of its folder, so that a server or the program's
/// next run can tell the server of it: its logs name it by `uuid`. Written when the run begins, and again when it ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptRun {
    /// Id of the run, which its logs carry.
    pub uuid: String,
    /// Name of the experiment.
    pub name: String,
    /// Name of the run. A server that has one of that name gives it another.
    pub run_name: String,
    /// The project, by name.
    pub project_name: String,
    /// The server that was asked for and did not answer; `None` for whichever takes the folder in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// Free keys and values.
    #[serde(default, deserialize_with = "null::as_default")]
    pub metadata: BTreeMap<String, String>,
    /// How it ended; `None` while it runs, or for ever if it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ExperimentStatus>,
    /// Scores of the whole run.
    #[serde(default, deserialize_with = "null::as_default")]
    pub dataset_level_stats: Vec<EvaluationScore>,
}

impl KeptRun {
    /// How the file of a run is named.
    pub const ENDING: &str = ".run.json";
}
