//! The API's document, made from the table of operations and their types.

use std::sync::LazyLock;

use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use parea_types::{ErrorBody, HttpValidationError};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    api::{BASE, OPERATIONS, Operation, Sent},
    state::AppState,
};

/// Where the document is.
pub(crate) const PATH: &str = "/api/openapi.json";

/// The document. It holds no data, so that it needs no key.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route(PATH, get(show))
}

/// `GET /api/openapi.json`
async fn show() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// Refusals that any operation may answer with, and when.
const REFUSALS: &[(&str, &str)] = &[
    ("400", "the body broke off or does not decompress, or a name is taken"),
    ("401", "the key is missing or none of this server's"),
    ("403", "the key does not allow this, or another site asks"),
    ("404", "what is to be changed is not there"),
    ("408", "the body did not come in time"),
    ("413", "the body is too large"),
    ("415", "the body's encoding or type is not known"),
    ("431", "the head is too large"),
    ("503", "the server is stopping, or has too much to do"),
];

fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = format!("{BASE}{}", operation.path.replace("{*", "{"));
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[operation.method.to_ascii_lowercase()] = described(operation, &mut generator);
    }
    // Named by every operation.
    let _ = (generator.subschema_for::<ErrorBody>(), generator.subschema_for::<HttpValidationError>());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Parea v1 API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Logs of LLM applications, experiments and datasets. A null means the same as an absent \
                field: its default. Unknown fields are passed over.",
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "ApiKey": { "type": "apiKey", "in": "header", "name": "x-api-key" },
                "UserId": { "type": "apiKey", "in": "header", "name": "x-user-id" },
            },
        },
    })
}

fn described(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let json = |schema: Value| json!({ "application/json": { "schema": schema } });
    let answer = (operation.answer)(generator).to_value();
    let kind = match operation.name {
        "stream_completion" => "text/event-stream",
        "list_refused_logs" => "application/x-ndjson",
        _ => "application/json",
    };
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": "done", "content": { kind: { "schema": answer } } }));
    let refusal = json(json!({ "$ref": "#/components/schemas/ErrorBody" }));
    for (status, when) in REFUSALS {
        responses.insert((*status).to_owned(), json!({ "description": when, "content": refusal }));
    }
    let faults = json(json!({ "$ref": "#/components/schemas/HTTPValidationError" }));
    let when = "what is wrong with the body or the path, place by place";
    responses.insert("422".to_owned(), json!({ "description": when, "content": faults }));
    if operation.about.contains("501") {
        responses.insert("501".to_owned(), json!({ "description": "not offered yet", "content": refusal }));
    }
    let mut described = json!({
        "operationId": operation.name,
        "summary": operation.about.trim(),
        "responses": responses,
        "security": [{ "ApiKey": [] }, { "UserId": [] }],
        "x-scope": operation.scope.as_str(),
    });
    let parameters: Vec<Value> = operation
        .path
        .split('/')
        .filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let name = name.trim_start_matches('*');
            let schema = match name {
                "dataset_id" | "test_case_id" => json!({ "type": "integer" }),
                "test_collection_identifier" => json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }] }),
                _ => json!({ "type": "string" }),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    let (schema, required) = match operation.request {
        Sent::Nothing => return described,
        Sent::Json(schema) => (schema(generator), true),
        Sent::Perhaps(schema) => (schema(generator), false),
    };
    described["requestBody"] = json!({ "required": required, "content": json(schema.to_value()) });
    described
}
