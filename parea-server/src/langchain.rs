//! Runs as LangChain's tracers write them, read as logs.

use std::borrow::Cow;

use parea_types::{Configuration, Location, Status, Timestamp, TraceLog, ValidationError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

use crate::{
    body::{Checked, at, missing},
    ingest,
};

/// A time: Python's tracers write it as text, JavaScript's as milliseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(millis) => {
                let micros = millis.as_f64().map(|millis| (millis * 1000.0).round() as i64);
                let time = micros.and_then(Timestamp::from_micros);
                time.ok_or_else(|| D::Error::custom(format!("no time has {millis} milliseconds since 1970")))
            }
            other => Timestamp::deserialize(other).map_err(D::Error::custom),
        }
        .map(Self)
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "LangchainTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"], "description": "Text, or milliseconds since 1970" })
    }
}

/// A run with those that it started, and what a Parea SDK writes beside the outermost one.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "LangchainRun")]
pub(crate) struct Run {
    id: String,
    start_time: Moment,
    name: Option<String>,
    end_time: Option<Moment>,
    error: Option<String>,
    inputs: Option<Value>,
    outputs: Option<Value>,
    extra: Option<Value>,
    tags: Option<Vec<String>>,
    parent_run_id: Option<String>,
    /// The outermost run, in newer versions.
    trace_id: Option<String>,
    child_runs: Option<Vec<Run>>,
    project_uuid: Option<String>,
    project_name: Option<String>,
    experiment_uuid: Option<String>,
    #[serde(rename = "_parea_root_trace_id")]
    parea_root: Option<String>,
    #[serde(rename = "_parea_parent_trace_id")]
    parea_parent: Option<String>,
    #[serde(rename = "_session_id")]
    session_id: Option<String>,
    #[serde(rename = "_tags")]
    parea_tags: Option<Vec<String>>,
    #[serde(rename = "_metadata")]
    parea_metadata: Option<Map<String, Value>>,
    #[serde(rename = "_end_user_identifier")]
    end_user_identifier: Option<String>,
    #[serde(rename = "_deployment_id")]
    deployment_id: Option<String>,
    #[serde(rename = "_log_sample_rate")]
    log_sample_rate: Option<f64>,
}

impl Checked for Run {
    fn faults(&self, above: &[Location]) -> Vec<ValidationError> {
        let mut faults = Vec::from_iter(ingest::id_faults(&self.id, at(above, "id")));
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        if !given(&self.project_uuid) && !given(&self.project_name) {
            faults.push(missing(at(above, "project_uuid")));
        }
        faults
    }
}

/// The logs of a run and of all below it, parents first. The SDKs send inner runs by themselves too, as soon as these
/// end: they have the same ids, and become one.
pub(crate) fn logs(mut top: Run) -> Vec<TraceLog> {
    let is_outermost = top.parent_run_id.is_none();
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let parent = given(top.parent_run_id.take()).or_else(|| given(top.parea_parent.take()));
    // An inner run alone may not know its root, which then follows from its parents.
    let known = given(top.parea_root.take()).or_else(|| given(top.trace_id.take()));
    let root = known.or_else(|| parent.is_none().then(|| top.id.clone()));
    let shared = TraceLog {
        root_trace_id: root,
        project_uuid: top.project_uuid.take(),
        project_name: top.project_name.take(),
        experiment_uuid: top.experiment_uuid.take(),
        session_id: top.session_id.take(),
        end_user_identifier: top.end_user_identifier.take(),
        log_sample_rate: top.log_sample_rate.filter(|rate| (0.0..=1.0).contains(rate)),
        ..TraceLog::default()
    };
    let (tags, metadata, deployment) = (top.parea_tags.take(), top.parea_metadata.take(), top.deployment_id.take());
    // What is above the run is not told.
    let first = i64::from(parent.is_some());
    let mut waiting = vec![(top, parent, first)];
    let mut logs = Vec::new();
    while let Some((mut run, parent, depth)) = waiting.pop() {
        let mut children = run.child_runs.take().unwrap_or_default();
        children.sort_by_key(|child| child.start_time);
        let id = run.id.clone();
        let mut log = log(run, &shared, parent, depth);
        log.execution_order = first + logs.len() as i64;
        log.children = Some(children.iter().map(|child| child.id.clone()).collect());
        logs.push(log);
        for child in children.into_iter().rev() {
            waiting.push((child, Some(id.clone()), depth + 1));
        }
    }
    if let Some(top) = logs.first_mut().filter(|_| is_outermost) {
        top.tags.get_or_insert_default().extend(tags.unwrap_or_default());
        top.metadata.get_or_insert_default().extend(metadata.unwrap_or_default());
        top.deployment_id = deployment;
    }
    logs
}

/// One run alone.
fn log(run: Run, shared: &TraceLog, parent: Option<String>, depth: i64) -> TraceLog {
    let outputs = run.outputs.unwrap_or_default();
    let usage = Usage::of(&outputs);
    let status = match (&run.error, run.end_time) {
        (Some(_), _) => Some(Status::Error),
        (None, Some(_)) => Some(Status::Success),
        (None, None) => None,
    };
    let extra = run.extra.unwrap_or_default();
    let model = ["/invocation_params/model", "/invocation_params/model_name"]
        .into_iter()
        .find_map(|place| extra.pointer(place))
        .or_else(|| outputs.pointer("/llm_output/model_name"));
    TraceLog {
        parent_trace_id: Some(parent.unwrap_or_else(|| run.id.clone())),
        trace_id: run.id,
        trace_name: run.name,
        start_timestamp: run.start_time.0,
        end_timestamp: run.end_time.map(|end| end.0),
        depth,
        inputs: run.inputs.filter(|inputs| !inputs.is_null()).map(named),
        output: output(&outputs),
        status,
        error: run.error,
        configuration: Configuration {
            model: model.and_then(Value::as_str).map(ToOwned::to_owned),
            ..Configuration::default()
        },
        input_tokens: usage.input,
        output_tokens: usage.output,
        total_tokens: usage.total,
        metadata: extra.get("metadata").and_then(Value::as_object).filter(|metadata| !metadata.is_empty()).cloned(),
        tags: run.tags,
        ..shared.clone()
    }
}

/// Inputs by name, as logs have them.
fn named(inputs: Value) -> Map<String, Value> {
    match inputs {
        Value::Object(inputs) => inputs,
        other => Map::from_iter([("input".to_owned(), other)]),
    }
}

/// The text of a model's answer, or of the only text among the outputs; else all of them as JSON.
fn output(outputs: &Value) -> Option<String> {
    let only = |outputs: &Value| match outputs.as_object() {
        Some(map) if map.len() == 1 => map.values().next().cloned(),
        _ => None,
    };
    match outputs.pointer("/generations/0/0/text").cloned().or_else(|| only(outputs)).unwrap_or_else(|| outputs.clone())
    {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// Tokens of a call of a model, where the provider's package puts them.
#[derive(Default)]
struct Usage {
    input: Option<i64>,
    output: Option<i64>,
    total: Option<i64>,
}

impl Usage {
    fn of(outputs: &Value) -> Self {
        let usage = outputs
            .pointer("/llm_output/token_usage")
            .or_else(|| outputs.pointer("/generations/0/0/message/kwargs/usage_metadata"));
        let Some(usage) = usage else { return Self::default() };
        let tokens = |names: [&str; 2]| names.into_iter().find_map(|name| usage.get(name)?.as_i64());
        Self {
            input: tokens(["prompt_tokens", "input_tokens"]),
            output: tokens(["completion_tokens", "output_tokens"]),
            total: tokens(["total_tokens", "total"]),
        }
    }
}
