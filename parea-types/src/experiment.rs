//! Runs of a function over samples, and the figures they end in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EvaluationScore, Timestamp, ValidationError, null, score};

/// The body of `POST /experiment`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CreateExperimentRequestSchema"))]
pub struct CreateExperimentRequest {
    /// Name of the experiment, which may have many runs.
    pub name: String,
    /// Name of this run, unique among the project's runs of that experiment. The server makes one when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_name: Option<String>,
    /// The project.
    pub project_uuid: String,
    /// Whether the run may be seen without a key.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "null::is_default")]
    pub is_public: bool,
    /// Free keys and values to find runs by.
    #[serde(default, deserialize_with = "null::optional_texts", skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

impl CreateExperimentRequest {
    /// A run of the experiment `name`; the server names the run.
    ///
    /// ```
    /// use parea_types::CreateExperimentRequest;
    /// let run = CreateExperimentRequest::new("Greeting", "b8d4…").run_name("brave-otter").metadata("model", "small");
    /// assert!(run.validate().is_empty());
    /// ```
    pub fn new(name: impl Into<String>, project_uuid: impl Into<String>) -> Self {
        Self { name: name.into(), project_uuid: project_uuid.into(), ..Self::default() }
    }

    /// Names the run: letters, digits, `-`, `_` and `'`.
    #[must_use]
    pub fn run_name(mut self, run_name: impl Into<String>) -> Self {
        self.run_name = Some(run_name.into());
        self
    }

    /// Adds a key and its value to find the run by.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// Lets the run be seen without a key.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.is_public = true;
        self
    }

    /// What is wrong with it beyond its types: a run's name is made of letters, digits, `-`, `_` and
    /// `'`, which stands in a name that the other SDKs make up.
    pub fn validate(&self) -> Vec<ValidationError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '\'');
        match &self.run_name {
            Some(name) if name.is_empty() || !name.chars().all(allowed) => vec![ValidationError::in_body(
                "run_name",
                "string_pattern_mismatch",
                "A run's name is made of letters, digits, `-`, `_` and `'`",
            )],
            _ => Vec::new(),
        }
    }
}

/// One run of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ExperimentSchema"))]
pub struct Experiment {
    /// Name of the experiment.
    pub name: String,
    /// Name of the run. Always written: the Python SDK fails without the key.
    #[serde(default)]
    pub run_name: Option<String>,
    /// The project.
    pub project_uuid: String,
    /// Whether the run may be seen without a key.
    #[serde(default, deserialize_with = "null::as_default")]
    pub is_public: bool,
    /// Free keys and values.
    #[serde(default, deserialize_with = "null::optional_texts", skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Id of the run, for `experiment_uuid` of its logs.
    pub uuid: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ExperimentStatus {
    /// Created; no log names it yet.
    #[default]
    Pending,
    /// Logs arrive.
    Running,
    /// Finished.
    Completed,
    /// Finished, and at least one sample failed.
    Failed,
}

impl ExperimentStatus {
    /// The wire's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// How a pinned figure was worked out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StatisticOperation {
    /// Arithmetic mean.
    #[default]
    Mean,
    /// The middle value.
    Median,
    /// Variance.
    Variance,
    /// Its square root.
    StandardDeviation,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// Mean squared error of two variables.
    Mse,
    /// Mean absolute error of two variables.
    Mae,
    /// Pearson's correlation of two variables.
    Correlation,
    /// Spearman's rank correlation of two variables.
    SpearmanCorrelation,
    /// Share of samples where two variables agree.
    Accuracy,
    /// Worked out by the client over the whole run.
    Custom,
}

/// One figure of a run, as lists of runs show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExperimentPinnedStatistic {
    /// A score's name, or `Cost`, `Latency`, `Input Tokens`, `Output Tokens`, `Total Tokens`.
    pub var1: String,
    /// The other variable of an operation on two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub var2: Option<String>,
    /// How it was worked out.
    pub operation: StatisticOperation,
    /// The figure. Lists leave a non-finite one out.
    #[serde(deserialize_with = "null::score", serialize_with = "score::finite")]
    pub value: f64,
}

impl ExperimentPinnedStatistic {
    /// Whether it is one of the figures that every run has, and no score.
    pub fn is_built_in(&self) -> bool {
        ["Cost", "Latency", "Input Tokens", "Output Tokens", "Total Tokens"].contains(&self.var1.as_str())
    }
}

/// A run in a list, with its figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ExperimentWithStatsSchema"))]
pub struct ExperimentWithStats {
    /// The run itself; on the wire its fields lie beside the others.
    #[serde(flatten)]
    pub experiment: Experiment,
    /// How far it has come.
    pub status: ExperimentStatus,
    /// Its figures. Always an array: the Python SDK fails on null.
    #[serde(default, deserialize_with = "null::as_default", serialize_with = "finite_figures")]
    pub pinned_stats: Vec<ExperimentPinnedStatistic>,
    /// Number of root logs.
    #[serde(default, deserialize_with = "null::optional_integer", skip_serializing_if = "Option::is_none")]
    pub num_samples: Option<i64>,
}

fn finite_figures<S: serde::Serializer>(
    figures: &[ExperimentPinnedStatistic],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(figures.iter().filter(|figure| figure.value.is_finite()))
}

/// The body of `POST /experiments`. All conditions join with *and*; an empty one lists every run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ListExperimentsRequestSchema"))]
pub struct ListExperimentsRequest {
    /// Name of the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_name: Option<String>,
    /// Pairs that the run's metadata must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_filter: Option<Map<String, Value>>,
    /// A part of the experiment's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_name_filter: Option<String>,
    /// A part of the run's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_name_filter: Option<String>,
    /// Ids of the runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_uuids: Option<Vec<String>>,
}

impl ListExperimentsRequest {
    /// Runs of a project.
    pub fn of_project(project_name: impl Into<String>) -> Self {
        Self { project_name: Some(project_name.into()), ..Self::default() }
    }

    /// Only those whose experiment has this in its name.
    #[must_use]
    pub fn experiment_name(mut self, part: impl Into<String>) -> Self {
        self.experiment_name_filter = Some(part.into());
        self
    }

    /// Only those that have this in their name.
    #[must_use]
    pub fn run_name(mut self, part: impl Into<String>) -> Self {
        self.run_name_filter = Some(part.into());
        self
    }

    /// Only those whose metadata has this pair.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata_filter.get_or_insert_default().insert(key.into(), value.into());
        self
    }
}

/// The body of `POST /experiment/{uuid}/finished`, which may also be missing altogether: that is the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FinishExperimentRequestSchema"))]
pub struct FinishExperimentRequest {
    /// `completed` or `failed`.
    #[serde(default = "completed", deserialize_with = "status_or_completed")]
    pub status: ExperimentStatus,
    /// Results over the whole run. Non-finite ones are left out when they are written.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "score::finite_only_if_set")]
    pub dataset_level_stats: Option<Vec<EvaluationScore>>,
}

impl FinishExperimentRequest {
    /// Of a run in which at least one sample failed.
    pub fn failed() -> Self {
        Self { status: ExperimentStatus::Failed, ..Self::default() }
    }

    /// Adds a result over the whole run.
    #[must_use]
    pub fn statistic(mut self, result: EvaluationScore) -> Self {
        self.dataset_level_stats.get_or_insert_default().push(result);
        self
    }
}

impl Default for FinishExperimentRequest {
    fn default() -> Self {
        Self { status: completed(), dataset_level_stats: None }
    }
}

fn completed() -> ExperimentStatus {
    ExperimentStatus::Completed
}

fn status_or_completed<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ExperimentStatus, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(completed))
}

/// The figures of a run, trace by trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ExperimentStatsSchema"))]
pub struct ExperimentStats {
    /// One for each root log.
    pub parent_trace_stats: Vec<TraceStats>,
}

/// The figures of one trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "TraceStatsSchema"))]
pub struct TraceStats {
    /// Id of the root.
    pub trace_id: String,
    /// The root's own seconds.
    #[serde(default, deserialize_with = "null::as_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub latency: f64,
    /// Sum over the trace.
    #[serde(default, deserialize_with = "null::integer")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<i64>"))]
    pub input_tokens: i64,
    /// Sum over the trace.
    #[serde(default, deserialize_with = "null::integer")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<i64>"))]
    pub output_tokens: i64,
    /// Sum over the trace.
    #[serde(default, deserialize_with = "null::integer")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<i64>"))]
    pub total_tokens: i64,
    /// Sum over the trace in US dollars; nothing when no log has a cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Those of all logs of the trace. Always an array: the Python SDK fails on null.
    #[serde(default, deserialize_with = "null::as_default", serialize_with = "score::finite_only")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<EvaluationScore>>"))]
    pub scores: Vec<EvaluationScore>,
}
