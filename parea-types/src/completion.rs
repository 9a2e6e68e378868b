//! Calls of models through the gateway, and deployed prompts.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Message, Timestamp, ValidationError, null, score};

/// The body of `POST /completion` and `POST /completion/stream` (`CompletionsSchema`). Nothing in it is required.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CompletionsSchema"))]
#[expect(clippy::struct_excessive_bools, reason = "the wire's own fields")]
pub struct Completions {
    /// Variables of the deployed or inline template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_inputs: Option<Map<String, Value>>,
    /// The call; what is set here wins over the deployed prompt.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "null::is_default")]
    pub llm_configuration: LlmInputs,
    /// The deployed prompt, which brings model, parameters and functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// The project's name; `default` when neither this nor `project_uuid` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_name: Option<String>,
    /// The project's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_uuid: Option<String>,
    /// The experiment to which the call's log belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_uuid: Option<String>,
    /// The span that calls. The Python SDK sends the call's own id outside a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_trace_id: Option<String>,
    /// Root of its trace. The Python SDK sends an empty text outside a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_trace_id: Option<String>,
    /// Id of the call's log; the server makes one when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Deprecated other name of `trace_id`, and the one that both SDKs send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_id: Option<String>,
    /// Name of the call's log; `llm-{provider}` when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_name: Option<String>,
    /// The end user, copied to the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_user_identifier: Option<String>,
    /// The expected answer, copied to the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Free keys and values, copied to the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// Free labels, copied to the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Deployed evaluations to run on the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_metric_ids: Option<Vec<i64>>,
    /// Key for the provider; the server's own when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_api_key: Option<String>,
    /// Whether the same inputs may be answered from what is stored; unset means yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<bool>,
    /// Log the call without inputs, messages, functions and parameters.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "null::is_default")]
    pub log_omit_inputs: bool,
    /// Log the call without the answer.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "null::is_default")]
    pub log_omit_outputs: bool,
    /// Both.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "null::is_default")]
    pub log_omit: bool,
    /// Chance, 0 to 1, that the whole trace is kept; unset means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_sample_rate: Option<f64>,
    /// Deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Deprecated: the gateway always retries.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "null::is_default")]
    pub retry: bool,
    /// Deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_strategy: Option<Vec<String>>,
    /// Deprecated: the path tells.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "null::is_default")]
    pub stream: bool,
}

impl Completions {
    /// Id that the client chose for the call's log, by whichever name it came; an empty one is none.
    pub fn log_id(&self) -> Option<&str> {
        let ids = [self.trace_id.as_deref(), self.inference_id.as_deref()];
        ids.into_iter().flatten().find(|id| !id.is_empty())
    }

    /// What is out of its range; empty when the call may be made.
    pub fn validate(&self) -> Vec<ValidationError> {
        let mut errors = ValidationError::out_of_range(&["log_sample_rate"], self.log_sample_rate, 0.0, 1.0);
        if let Some(params) = &self.llm_configuration.model_params {
            for (name, value, low, high) in [
                ("temp", params.temp, 0.0, 1.0),
                ("top_p", params.top_p, 0.0, 1.0),
                ("frequency_penalty", params.frequency_penalty, -2.0, 2.0),
                ("presence_penalty", params.presence_penalty, -2.0, 2.0),
            ] {
                let path = ["llm_configuration", "model_params", name];
                errors.extend(ValidationError::out_of_range(&path, value, low, high));
            }
        }
        errors
    }
}

/// A call of a model: which, and with what (`LLMInputsSchema`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "LLMInputsSchema"))]
pub struct LlmInputs {
    /// The model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Who runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_params: Option<CompletionParams>,
    /// The prompt, with `{{name}}` where a variable goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// Messages to put before `messages`: what was said in the chat so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<Message>>,
    /// Functions that the model may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<Value>>,
    /// `"auto"`, or an object whose `name` forces that function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_call: Option<Value>,
}

/// Parameters of a call through the gateway (`ModelParamsSchema`).
///
/// Unlike [`ModelParams`](crate::ModelParams) of a log these have ranges: see [`Completions::validate`]. What is unset
/// comes from the deployed prompt, else from the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ModelParamsSchema"))]
pub struct CompletionParams {
    /// The model's name, again; empty by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Temperature, 0 to 1; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp: Option<f64>,
    /// Nucleus sampling, 0 to 1; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Penalty on frequent tokens, -2 to 2; 0 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Penalty on tokens that occurred, -2 to 2; 0 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Most tokens of the completion.
    #[serde(default, deserialize_with = "null::optional_integer", skip_serializing_if = "Option::is_none")]
    pub max_length: Option<i64>,
    /// OpenAI's response format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Map<String, Value>>,
    /// Mistral's safe prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe_prompt: Option<bool>,
}

/// Who runs a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProviderName {
    /// OpenAI.
    #[serde(rename = "openai")]
    OpenAi,
    /// OpenAI's models on Azure.
    Azure,
    /// Anthropic.
    Anthropic,
    /// Anyscale.
    Anyscale,
    /// Google Vertex AI.
    #[serde(rename = "vertexai")]
    VertexAi,
    /// AWS Bedrock.
    AwsBedrock,
    /// OpenRouter.
    #[serde(rename = "openrouter")]
    OpenRouter,
    /// Mistral.
    Mistral,
    /// A LiteLLM proxy.
    #[serde(rename = "litellm")]
    LiteLlm,
    /// Groq.
    Groq,
    /// Fireworks.
    Fireworks,
    /// Cohere.
    Cohere,
    /// Any other word: whether it is served is for the gateway to say.
    #[serde(untagged)]
    Other(String),
}

/// The answer of `POST /completion` (`CompletionsResponseSchema`).
///
/// A provider's failure comes as status 200 with `status` `error`: check it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CompletionsResponseSchema"))]
pub struct CompletionsResponse {
    /// Id of the call's log.
    pub inference_id: String,
    /// The answer.
    pub content: String,
    /// Seconds; 0 for an answer from the cache.
    #[serde(serialize_with = "score::finite")]
    pub latency: f64,
    /// Tokens of the prompt.
    pub input_tokens: i64,
    /// Tokens of the completion.
    pub output_tokens: i64,
    /// Both together.
    pub total_tokens: i64,
    /// US dollars.
    #[serde(serialize_with = "score::finite")]
    pub cost: f64,
    /// The model that answered.
    pub model: String,
    /// Who ran it.
    pub provider: String,
    /// Whether the answer came from the cache.
    pub cache_hit: bool,
    /// `success` or `error`.
    pub status: String,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Id of the call's log, again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// When the call started.
    pub start_timestamp: Timestamp,
    /// When it ended.
    pub end_timestamp: Timestamp,
}

/// The body of `POST /deployed-prompt` (`DeploymentPromptIdSchema`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "DeploymentPromptIdSchema"))]
pub struct DeploymentPromptId {
    /// The deployed prompt.
    pub deployment_id: String,
    /// Values to fill its template with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_inputs: Option<Map<String, Value>>,
}

/// The answer of `POST /deployed-prompt`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GetDeployedPromptResponseSchema"))]
pub struct GetDeployedPromptResponse {
    /// The deployed prompt.
    pub deployment_id: String,
    /// Its version.
    #[serde(serialize_with = "score::finite")]
    pub version_number: f64,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Functions that the model may call, each as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<String>>,
    /// `auto`, or the function that is forced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_call: Option<String>,
    /// Its messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
    /// The model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Who runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_params: Option<Map<String, Value>>,
}

/// The messages of a deployed prompt (`PromptSchema`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "PromptSchema"))]
pub struct Prompt {
    /// With the template's variables in them.
    pub raw_messages: Vec<Map<String, Value>>,
    /// With the variables replaced, when values were given; else the same.
    pub messages: Vec<Map<String, Value>>,
    /// The values that were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Map<String, Value>>,
}
