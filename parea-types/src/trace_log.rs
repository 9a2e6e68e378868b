//! The log of one span, and what hangs on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EvaluationScore, Timestamp, null, score};

/// One span as it is sent and stored (`TraceLogSchema`).
///
/// Only `trace_id` and `start_timestamp` are required. Readers take an absent or empty parent or root as "myself".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "TraceLogSchema"))]
pub struct TraceLog {
    /// Id of this log; any text of 1 to 255 bytes.
    pub trace_id: String,
    /// Id of the trace's root; a root names itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_trace_id: Option<String>,
    /// Id of the enclosing span; a root names itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_trace_id: Option<String>,
    /// The span's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_name: Option<String>,
    /// When the span started.
    pub start_timestamp: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_timestamp: Option<Timestamp>,
    /// Seconds from start to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<f64>,
    /// 0 for a root, one more at each level.
    #[serde(default, deserialize_with = "null::integer")]
    pub depth: i64,
    /// 0 for a root, then 1, 2, … for every span of the trace in order of start.
    #[serde(default, deserialize_with = "null::integer")]
    pub execution_order: i64,
    /// Ids of the direct children in order of start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<Vec<String>>,
    /// The server's numeric ids of the children: 53-bit hashes of their ids. Filled on reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children_ids: Option<Vec<i64>>,
    /// Deprecated: once asked the server to fill `children`, which it now always does.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "null::is_default")]
    pub fill_children: bool,
    /// Inputs by name, as JSON values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Map<String, Value>>,
    /// The result: a text as it is, anything else as compact JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The expected output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether the span succeeded. Absent is not a failure: the TypeScript SDK leaves it out for successes. A word of another
    /// server is read as none in a [`TraceLogTree`](crate::TraceLogTree).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What went wrong when `status` is `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Settings of the model call, if the span is one.
    #[serde(default, deserialize_with = "null::as_default")]
    pub configuration: Configuration,
    /// Tokens of the prompt.
    #[serde(default, deserialize_with = "null::optional_integer", skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<i64>,
    /// Tokens of the completion.
    #[serde(default, deserialize_with = "null::optional_integer", skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<i64>,
    /// Both together.
    #[serde(default, deserialize_with = "null::optional_integer", skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<i64>,
    /// US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Seconds from start to the first token or item of a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_first_token: Option<f64>,
    /// Whether the model's answer came from a cache.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "null::is_default")]
    pub cache_hit: bool,
    /// The deployed prompt that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// Results of evaluations. Non-finite ones are left out when the log is written.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "score::finite_only_if_set")]
    pub scores: Option<Vec<EvaluationScore>>,
    /// What evaluations on the server see in place of `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_for_eval_metrics: Option<String>,
    /// Deployed evaluations that the server is to run on this log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_metric_names: Option<Vec<String>>,
    /// Deprecated form of `evaluation_metric_names`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_metric_ids: Option<Vec<i64>>,
    /// Chance, 0 to 1, that those evaluations run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_eval_frac: Option<f64>,
    /// Chance, 0 to 1, that the whole trace is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_sample_rate: Option<f64>,
    /// A user's verdict, 0 to 1; set by feedback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback_score: Option<f64>,
    /// Free keys and values to filter by. Both SDKs send values as text; any JSON is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The end user on whose behalf the span ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_user_identifier: Option<String>,
    /// Groups traces, such as those of one chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The experiment to which the log belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_uuid: Option<String>,
    /// Images that were part of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Vec<TraceLogImage>>,
    /// Remarks made in the web interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<Vec<TraceLogComment>>,
    /// Verdicts of people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// The project's name; this or `project_uuid` is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_name: Option<String>,
    /// The project's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_uuid: Option<String>,
    /// Filled by the server from the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// Version of a log that is sent more than once: among logs of one id the newer wins, field by field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated_at: Option<Timestamp>,
}

/// How a span ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It returned, and what it returned is no `Err`.
    Success,
    /// It failed, panicked, or was cancelled.
    Error,
}

impl Status {
    /// The wire's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// Settings of a model call inside a log (`InputsSchema`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "InputsSchema"))]
pub struct Configuration {
    /// The model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Who runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_params: Option<ModelParams>,
    /// The prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// Functions that the model may call, each with `name`, `description`, `parameters`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<Value>>,
    /// `"auto"`, or an object whose `name` forces that function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_call: Option<Value>,
}

/// Parameters of a model call inside a log (`ParamsSchema`). No ranges: what a provider took is what is logged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ParamsSchema"))]
pub struct ModelParams {
    /// The model's name, again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp: Option<f64>,
    /// Nucleus sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Penalty on frequent tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Penalty on tokens that occurred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Most tokens of the completion.
    #[serde(default, deserialize_with = "null::optional_integer", skip_serializing_if = "Option::is_none")]
    pub max_length: Option<i64>,
    /// OpenAI's response format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Value>,
    /// Mistral's safe prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe_prompt: Option<bool>,
}

/// One message of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "MessageSchema"))]
pub struct Message {
    /// Its text or parts. Always written: the Python SDK fails on a message without.
    #[serde(default, deserialize_with = "null::as_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<MessageContent>"))]
    pub content: MessageContent,
    /// Who speaks.
    #[serde(default, deserialize_with = "null::as_default")]
    pub role: Role,
}

/// A message's text, or its parts as the provider's API has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(untagged, expecting = "text or an array of parts")]
pub enum MessageContent {
    /// Plain text.
    Text(String),
    /// Text, images and other parts.
    Parts(Vec<Value>),
}

impl Default for MessageContent {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// Who speaks in a message. Unknown roles are kept, for a log is never refused for one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person or program that asks.
    #[default]
    User,
    /// The model.
    Assistant,
    /// Instructions.
    System,
    /// A function's result, in OpenAI's old form.
    Function,
    /// A tool's result.
    Tool,
    /// Any other word, such as `developer` or the SDKs' `example_user`.
    #[serde(untagged)]
    Other(String),
}

impl Role {
    /// The wire's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
            Self::Function => "function",
            Self::Tool => "tool",
            Self::Other(role) => role,
        }
    }
}

/// An image that was part of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TraceLogImage {
    /// Where it is; a `data:` URL holds it.
    pub url: String,
    /// What it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
}

/// An id that some servers number and others spell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(untagged, expecting = "text or an integer")]
pub enum Id {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// A remark on a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "TraceLogCommentSchema"))]
pub struct TraceLogComment {
    /// The log.
    pub trace_id: String,
    /// The text.
    pub comment: String,
    /// The remark's own id.
    pub id: Id,
    /// Who wrote it.
    pub user_id: String,
    /// Their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_email_address: Option<String>,
    /// When, as the server spelled it.
    pub created_at: String,
}

/// Criterion id → user id → verdict.
pub type Annotations = BTreeMap<String, BTreeMap<String, TraceLogAnnotation>>;

/// A person's verdict on a log by one criterion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "TraceLogAnnotationSchema"))]
pub struct TraceLogAnnotation {
    /// The log.
    pub trace_id: String,
    /// The criterion.
    pub defined_annotation_id: i64,
    /// The verdict of a continuous criterion. Always written: the Python SDK fails without the key.
    #[serde(default)]
    pub score: Option<f64>,
    /// The verdict of a categorical criterion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The verdict's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// When, as the server spelled it.
    pub created_at: String,
    /// Who gave it.
    pub user_id: String,
    /// Their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_email_address: Option<String>,
    /// The criterion's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation_name: Option<String>,
}
