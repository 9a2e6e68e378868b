//! The selected span with everything that its log holds.

use parea_types::{Configuration, Message, MessageContent, Role, Status, Timestamp, TraceLog};
use serde_json::{Map, Value as Json};

use super::{
    figures::{self, ScoreChip},
    json,
    markup::{Limits, Markup, Value},
    moment::Moment,
    trace,
    tree::{Kind, Node},
    waterfall::{self, Axis},
};

/// Most entries of one map, and most messages of one prompt; what is beyond stands in the raw log.
const ENTRIES: usize = 200;

/// The side pane.
pub(super) struct Pane {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) status: Option<Status>,
    /// The parent that is named and not here.
    pub(super) missing_parent: Option<String>,
    pub(super) latency: Option<String>,
    /// Time since the trace's start; `None` for a span that started with it.
    pub(super) offset: Option<String>,
    pub(super) started: Moment,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
    pub(super) error: Option<Markup>,
    pub(super) model: Option<ModelCall>,
    pub(super) messages: Vec<Utterance>,
    pub(super) inputs: Vec<Entry>,
    pub(super) output: Option<Payload>,
    pub(super) target: Option<Payload>,
    pub(super) scores: Vec<ScoreChip>,
    pub(super) metadata: Vec<Entry>,
    pub(super) tags: Vec<String>,
    /// Session, user and other ids: label and value.
    pub(super) ids: Vec<(&'static str, String)>,
    pub(super) images: Vec<Picture>,
    pub(super) raw: Markup,
}

/// A value ready to be shown.
pub(super) struct Payload {
    pub(super) markup: Markup,
    /// Whether it is JSON.
    pub(super) json: bool,
}

/// A value and its key.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: Payload,
}

/// What is particular to a call of a model.
pub(super) struct ModelCall {
    pub(super) model: String,
    pub(super) provider: Option<String>,
    /// Label and value: parameters, tokens, cost, time to the first token.
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) functions: Option<Markup>,
}

/// One message of a prompt.
pub(super) struct Utterance {
    pub(super) role: String,
    /// The class that colours it.
    pub(super) class: &'static str,
    pub(super) parts: Vec<Part>,
}

/// One part of a message.
pub(super) enum Part {
    Payload(Payload),
    Picture(Picture),
}

/// An image: inside the log and shown, or elsewhere and only named, for a page loads nothing foreign.
pub(super) struct Picture {
    pub(super) url: String,
    pub(super) caption: String,
    pub(super) inside: bool,
}

impl Pane {
    /// The pane of the span at `at` in reading order.
    pub(super) fn new(nodes: &[Node<'_>], at: usize, axis: &Axis, now: Timestamp) -> Option<Self> {
        let node = nodes.get(at)?;
        let log = node.log;
        let neighbour =
            |index: Option<usize>| index.and_then(|index| nodes.get(index)).map(|node| trace::span_query(node.log));
        Some(Self {
            id: log.trace_id.clone(),
            name: node.name().to_owned(),
            kind: node.kind,
            status: log.status,
            missing_parent: node.orphan.then(|| log.parent_trace_id.clone()).flatten(),
            latency: waterfall::latency(log).map(figures::duration),
            offset: Some(axis.offset(log)).filter(|offset| *offset > 0.0).map(figures::duration),
            started: Moment::new(log.start_timestamp, now),
            previous: neighbour(at.checked_sub(1)),
            next: neighbour(at.checked_add(1)),
            error: log
                .error
                .as_deref()
                .filter(|error| !error.is_empty())
                .map(|error| Value::text(error).markup(Limits::VALUE)),
            model: model_call(log),
            messages: utterances(&log.configuration),
            inputs: log.inputs.as_ref().map(entries).unwrap_or_default(),
            output: log.output.as_deref().map(|text| written(text, Limits::VALUE)),
            target: log.target.as_deref().map(|text| written(text, Limits::VALUE)),
            scores: log.scores.iter().flatten().map(ScoreChip::from).collect(),
            metadata: log.metadata.as_ref().map(entries).unwrap_or_default(),
            tags: log.tags.clone().unwrap_or_default(),
            ids: ids(log),
            images: log.images.iter().flatten().map(|image| picture(&image.url, image.caption.as_deref())).collect(),
            raw: raw(log),
        })
    }
}

impl Pane {
    /// Whether there is nothing to read but names and times.
    pub(super) fn is_blank(&self) -> bool {
        self.error.is_none() && self.messages.is_empty() && self.inputs.is_empty() && self.output.is_none()
    }
}

/// A text, as JSON if it is some.
fn written(text: &str, limits: Limits) -> Payload {
    match json::structured(text) {
        Some(structure) => structured(&structure, limits),
        None => Payload { markup: Value::text(text).markup(limits), json: false },
    }
}

fn structured(value: &Json, limits: Limits) -> Payload {
    Payload { markup: json::layout(value, limits).markup(limits), json: true }
}

/// A JSON value; strings as the text that they hold.
fn payload(value: &Json, limits: Limits) -> Payload {
    match value {
        Json::String(text) => written(text, limits),
        other => structured(other, limits),
    }
}

fn entries(map: &Map<String, Json>) -> Vec<Entry> {
    map.iter()
        .take(ENTRIES)
        .map(|(key, value)| Entry { key: key.clone(), value: payload(value, Limits::VALUE) })
        .collect()
}

fn model_call(log: &TraceLog) -> Option<ModelCall> {
    let Configuration { model, provider, model_params, functions, function_call, .. } = &log.configuration;
    let model = model.clone()?;
    let mut facts = Vec::new();
    let tokens = [("in", log.input_tokens), ("out", log.output_tokens), ("total", log.total_tokens)];
    facts.extend(
        tokens.into_iter().filter_map(|(label, tokens)| Some((label, figures::exact(tokens.filter(|n| *n != 0)?)))),
    );
    facts.extend(log.cost.map(|cost| ("cost", figures::cost(cost))));
    facts.extend(log.time_to_first_token.map(|seconds| ("first token", figures::duration(seconds))));
    facts.extend(tokens_per_second(log).map(|rate| ("tokens/s", figures::decimal(rate))));
    if log.cache_hit {
        facts.push(("cache", "hit".to_owned()));
    }
    if let Some(params) = model_params {
        let numbers = [
            ("temperature", params.temp),
            ("top_p", params.top_p),
            ("frequency_penalty", params.frequency_penalty),
            ("presence_penalty", params.presence_penalty),
            ("max_length", params.max_length.map(|length| length as f64)),
        ];
        facts.extend(numbers.into_iter().filter_map(|(label, number)| Some((label, figures::decimal(number?)))));
        facts.extend(params.response_format.as_ref().map(|format| ("response_format", compact(format))));
        facts.extend(params.safe_prompt.map(|safe| ("safe_prompt", safe.to_string())));
    }
    facts.extend(function_call.as_ref().map(|call| ("function_call", compact(call))));
    let functions = functions
        .as_ref()
        .filter(|functions| !functions.is_empty())
        .map(|functions| json::layout(&Json::Array(functions.clone()), Limits::WHOLE).markup(Limits::WHOLE));
    Some(ModelCall { model, provider: provider.clone(), facts, functions })
}

/// The pace of the answer once it had begun.
fn tokens_per_second(log: &TraceLog) -> Option<f64> {
    let seconds = log.latency? - log.time_to_first_token?;
    let tokens = log.output_tokens.filter(|tokens| *tokens > 0)?;
    (seconds > 0.0).then(|| (tokens as f64 / seconds).round())
}

fn compact(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned).chars().take(200).collect()
}

fn utterances(configuration: &Configuration) -> Vec<Utterance> {
    configuration.messages.iter().flatten().take(ENTRIES).map(utterance).collect()
}

fn utterance(message: &Message) -> Utterance {
    let class = match &message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Function | Role::Tool => "tool",
        Role::System | Role::Other(_) => "system",
    };
    let parts = match &message.content {
        MessageContent::Text(text) => vec![Part::Payload(written(text, Limits::MESSAGE))],
        MessageContent::Parts(parts) => parts.iter().take(ENTRIES).map(part).collect(),
    };
    Utterance { role: message.role.as_str().to_owned(), class, parts }
}

/// A part as the providers spell it: text, an image by its URL, or anything else as JSON.
fn part(value: &Json) -> Part {
    let image = value.get("image_url");
    let url = image.and_then(|image| image.get("url").or(Some(image))).and_then(Json::as_str);
    match (value.get("text").and_then(Json::as_str), url) {
        (Some(text), None) => Part::Payload(written(text, Limits::MESSAGE)),
        (_, Some(url)) => Part::Picture(picture(url, None)),
        _ => Part::Payload(payload(value, Limits::MESSAGE)),
    }
}

fn picture(url: &str, caption: Option<&str>) -> Picture {
    let inside = url.starts_with("data:image/");
    Picture {
        url: if inside { url.to_owned() } else { url.chars().take(500).collect() },
        caption: caption.unwrap_or("image").to_owned(),
        inside,
    }
}

fn ids(log: &TraceLog) -> Vec<(&'static str, String)> {
    let named = [
        ("session", &log.session_id),
        ("user", &log.end_user_identifier),
        ("deployed prompt", &log.deployment_id),
        ("experiment", &log.experiment_uuid),
    ];
    let mut ids: Vec<_> = named.into_iter().filter_map(|(label, id)| Some((label, id.clone()?))).collect();
    ids.extend(log.feedback_score.map(|score| ("feedback", figures::decimal(score))));
    ids
}

fn raw(log: &TraceLog) -> Markup {
    let json = serde_json::to_value(log).unwrap_or_default();
    json::layout(&json, Limits::WHOLE).markup(Limits::WHOLE)
}
