//! Conditions that no column answers, asked of a log's document while SQLite walks.

use std::{borrow::Cow, fmt, sync::Arc};

use parea_types::{Timestamp, TraceLog};
use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
    types::ValueRef,
};
use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;

use crate::{query::Condition, row, tree::child_id};

/// `holds(condition, document [, children])` and `text_holds(condition, text)`, the condition as JSON.
pub(super) fn register(conn: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    for arguments in [2, 3] {
        conn.create_scalar_function("holds", arguments, flags, move |context| {
            let condition = condition(context)?;
            let document = context.get_raw(1).as_str().map_err(failed)?;
            let value = match condition.field.holder() {
                "latency" => latency(document)?,
                name @ ("children" | "children_ids") if arguments == 3 => {
                    let links = context.get_raw(2).as_str().map_err(failed)?;
                    children(document, links, name == "children_ids")?
                }
                name => member(document, name)?,
            };
            Ok(condition.holds(value.as_ref()))
        })?;
    }
    conn.create_scalar_function("text_holds", 2, flags, |context| {
        let condition = condition(context)?;
        let value = match context.get_raw(1) {
            ValueRef::Null => None,
            value => Some(Value::String(value.as_str().map_err(failed)?.to_owned())),
        };
        Ok(condition.holds(value.as_ref()))
    })
}

/// Read once for a statement.
fn condition(context: &Context<'_>) -> rusqlite::Result<Arc<Condition>> {
    context.get_or_create_aux(0, |value| {
        serde_json::from_str(value.as_str()?).map_err(Box::<dyn std::error::Error + Send + Sync>::from)
    })
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(Box::new(error))
}

/// The latency that reads show.
fn latency(document: &str) -> rusqlite::Result<Option<Value>> {
    let number = member(document, "latency")?.and_then(|latency| latency.as_f64());
    let time = |value: Option<Value>| value.and_then(|time| time.as_str()?.parse::<Timestamp>().ok());
    let log = TraceLog {
        latency: number,
        start_timestamp: time(member(document, "start_timestamp")?).unwrap_or_default(),
        end_timestamp: time(member(document, "end_timestamp")?),
        ..TraceLog::default()
    };
    Ok(row::latency(&log).map(Value::from))
}

/// The children that reads show: those that name the log as their parent, then those that it announced itself.
fn children(document: &str, links: &str, as_numbers: bool) -> rusqlite::Result<Option<Value>> {
    let mut ids: Vec<String> = serde_json::from_str(links).map_err(failed)?;
    if let Some(said) = member(document, "children")? {
        ids.extend(serde_json::from_value::<Vec<String>>(said).map_err(failed)?);
    }
    let ids = ids.into_iter().map(|id| if as_numbers { Value::from(child_id(&id)) } else { Value::from(id) });
    Ok(Some(ids.collect()))
}

/// One member of a JSON object; the others are passed over.
fn member(document: &str, name: &str) -> rusqlite::Result<Option<Value>> {
    struct Member<'a>(&'a str);
    impl<'de> DeserializeSeed<'de> for Member<'_> {
        type Value = Option<Value>;
        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_map(self)
        }
    }
    impl<'de> Visitor<'de> for Member<'_> {
        type Value = Option<Value>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = None;
            while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                if name == self.0 {
                    found = Some(map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(found)
        }
    }
    Member(name).deserialize(&mut serde_json::Deserializer::from_str(document)).map_err(failed)
}
