//! The published OpenAPI document, and what we add to it.

use std::sync::LazyLock;

use serde_json::{Value, json};

/// The document as published.
static PUBLISHED: LazyLock<Value> =
    LazyLock::new(|| yaml_serde::from_str(include_str!("../parea-v1.openapi.yaml")).expect("the document is YAML"));

/// `#/components` with all that our types hold beyond the published schemas, and the one thing that they hold closer.
pub(crate) static COMPONENTS: LazyLock<Value> = LazyLock::new(|| {
    let mut components = PUBLISHED["components"].clone();
    let schemas = components["schemas"].as_object_mut().expect("schemas");
    for (schema, field, definition) in [
        ("TraceLogSchema", "last_updated_at", json!({"anyOf": [{"type": "string"}, {"type": "null"}]})),
        ("TraceLogTreeSchema", "last_updated_at", json!({"anyOf": [{"type": "string"}, {"type": "null"}]})),
        ("UpdateLogSchema", "merge", json!({"type": "boolean", "default": false})),
    ] {
        let properties = schemas[schema]["properties"].as_object_mut().expect("properties");
        let before = properties.insert(field.to_owned(), definition);
        assert_eq!(before, None, "{schema}.{field} has been published; it is no addition of ours any more");
    }
    for (schema, definition) in [
        (
            "BatchResponse",
            json!({
                "type": "object",
                "properties": {
                    "accepted": {"type": "integer", "minimum": 0},
                    "rejected": {"type": "array", "items": {"$ref": "#/components/schemas/RejectedLog"}},
                },
                "required": ["accepted"],
            }),
        ),
        (
            "RejectedLog",
            json!({
                "type": "object",
                "properties": {
                    "index": {"type": "integer", "minimum": 0},
                    "trace_id": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "detail": {"type": "array", "items": {"$ref": "#/components/schemas/ValidationError"}},
                },
                "required": ["index"],
            }),
        ),
    ] {
        assert!(schemas.insert(schema.to_owned(), definition).is_none(), "{schema} has been published");
    }
    // Published as an open object. Values are texts, as in the rows that they change; others are turned into texts.
    let inputs = &mut schemas["UpdateTestCasePublicRequestSchema"]["properties"]["inputs"]["anyOf"][0];
    assert_eq!(*inputs, json!({"type": "object"}));
    inputs["additionalProperties"] = json!({"type": "string"});
    components
});

/// The schema of that name.
pub(crate) fn schema(name: &str) -> &'static Value {
    COMPONENTS["schemas"].get(name).unwrap_or_else(|| panic!("no schema {name}"))
}

/// The schema itself, or the one that it refers to by name. A wrapper that only adds a default is seen through.
pub(crate) fn resolve(schema: &'static Value) -> &'static Value {
    let inner = schema.get("allOf").map_or(schema, |all| &all[0]);
    match inner.get("$ref") {
        Some(path) => self::schema(path.as_str().expect("text").trim_start_matches("#/components/schemas/")),
        None => inner,
    }
}

/// Checks values against a schema in which nothing may lie that the schema does not name.
pub(crate) fn closed_validator(name: &str) -> jsonschema::Validator {
    let mut components = COMPONENTS.clone();
    for schema in components["schemas"].as_object_mut().expect("schemas").values_mut() {
        if schema.get("properties").is_some() {
            schema["additionalProperties"] = json!(false);
        }
    }
    let schema = json!({"$ref": format!("#/components/schemas/{name}"), "components": components});
    jsonschema::draft202012::new(&schema).expect("the document's schemas are valid")
}
