//! JSON schemas of the types that write themselves.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{Timestamp, TraceLog, TraceLogTree};

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A log's fields and its children.
impl JsonSchema for TraceLogTree {
    fn schema_name() -> Cow<'static, str> {
        "TraceLogTreeSchema".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let children = generator.subschema_for::<Self>();
        let mut schema = TraceLog::json_schema(generator);
        if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
            let children = json_schema!({
                "description": "The direct children in order of start, each with its own.",
                "type": "array",
                "items": children,
                "default": [],
            });
            properties.insert("children_logs".to_owned(), children.to_value());
        }
        schema.insert("description".to_owned(), "A log with all that lies below it.".into());
        schema
    }
}
