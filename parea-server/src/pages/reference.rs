//! `/api/docs`: the API's document for people to read.

use askama::Template;
use axum::response::Html;
use serde_json::Value;

use super::{
    assets::{URLS, Urls},
    failure::Failure,
};
use crate::{
    api::{BASE, OPERATIONS},
    openapi::DOCUMENT,
};

#[derive(Template)]
#[template(path = "reference.html")]
struct ReferencePage {
    assets: &'static Urls,
    about: &'static str,
    base: &'static str,
    operations: Vec<Described>,
    schemas: Vec<Schema>,
}

struct Described {
    name: &'static str,
    method: &'static str,
    path: String,
    about: &'static str,
    scope: &'static str,
    sent: Option<Vec<Part>>,
    answer: Vec<Part>,
}

struct Schema {
    name: &'static str,
    about: &'static str,
    shape: Vec<Part>,
    fields: Vec<Field>,
}

struct Field {
    name: &'static str,
    required: bool,
    shape: Vec<Part>,
    about: &'static str,
}

/// A piece of a type's spelling; a link leads to a schema.
struct Part {
    text: String,
    is_link: bool,
}

/// `GET /api/docs`
pub(super) async fn show() -> Result<Html<String>, Failure> {
    let document = &*DOCUMENT;
    let operations = OPERATIONS.iter().map(|operation| {
        let path = operation.path.replace("{*", "{");
        let described = &document["paths"][format!("{BASE}{path}")][operation.method.to_ascii_lowercase()];
        let answers = described["responses"]["200"]["content"].as_object();
        let answer = answers.and_then(|answers| answers.values().next()).map(|answer| &answer["schema"]);
        Described {
            name: operation.name,
            method: operation.method,
            path,
            about: operation.about,
            scope: operation.scope.as_str(),
            sent: described.pointer("/requestBody/content/application~1json/schema").map(shape),
            answer: answer.map(shape).unwrap_or_default(),
        }
    });
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten().map(|(name, schema)| {
        let required = schema["required"].as_array();
        let fields = schema["properties"].as_object().into_iter().flatten().map(|(name, field)| Field {
            name,
            required: required.is_some_and(|required| required.iter().any(|required| required == name.as_str())),
            shape: shape(field),
            about: text(&field["description"]),
        });
        Schema { name, about: text(&schema["description"]), shape: shape(schema), fields: fields.collect() }
    });
    let page = ReferencePage {
        assets: &URLS,
        about: text(&document["info"]["description"]),
        base: BASE,
        operations: operations.collect(),
        schemas: schemas.collect(),
    };
    Ok(Html(page.render()?))
}

fn text(value: &'static Value) -> &'static str {
    value.as_str().unwrap_or_default()
}

/// A type as one would say it: `string or null`, `list of TraceLogSchema`.
fn shape(schema: &Value) -> Vec<Part> {
    let plain = |text: &str| Part { text: text.to_owned(), is_link: false };
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return vec![Part { text: name.to_owned(), is_link: true }];
    }
    let mut choices: Vec<Vec<Part>> = Vec::new();
    for key in ["anyOf", "oneOf", "allOf"] {
        choices.extend(schema[key].as_array().into_iter().flatten().map(shape));
    }
    let words = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
    choices.extend(words.map(|word| vec![plain(&word.to_string())]));
    let is_worded = !choices.is_empty();
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    for kind in kinds.into_iter().filter(|kind| !(is_worded && *kind == "string")) {
        let inner = match kind {
            "array" => Some(("list of ", &schema["items"])),
            "object" if schema["additionalProperties"].is_object() => {
                Some(("map of ", &schema["additionalProperties"]))
            }
            _ => None,
        };
        choices.push(match inner {
            Some((word, inner)) => [plain(word)].into_iter().chain(shape(inner)).collect(),
            None => vec![plain(kind)],
        });
    }
    let mut parts = Vec::new();
    for choice in choices {
        if !parts.is_empty() {
            parts.push(plain(" or "));
        }
        parts.extend(choice);
    }
    if parts.is_empty() { vec![plain("anything")] } else { parts }
}
