//! Conditions that no column answers, asked of a log's document while SQLite walks.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

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

use super::{block::Opened, directory::Slot, key, late};
use crate::{query::Condition, row, tree::child_id};

/// The blocks that a connection has open.
type Open = Arc<Mutex<HashMap<i64, Opened>>>;

/// Blocks that are kept open. A walk along the time goes through few at once.
const KNOWN: usize = 32;

/// The value of a row of `log`, as `holds` takes it: what `doc` has of it, and its block unless that is open already.
/// Only then a block's bytes are read.
pub(super) const VALUE: &str = "log.id, log.block, (SELECT json FROM doc WHERE doc.id = log.id),
    (SELECT said FROM late WHERE late.log = log.id),
    iif(is_open(log.block), NULL, (SELECT first FROM block WHERE block.id = log.block)),
    iif(is_open(log.block), NULL, (SELECT data FROM block WHERE block.id = log.block))";

/// `holds(condition, VALUE [, children])` and `text_holds(condition, text)`, the condition as JSON; `is_open(block)`
/// and `close_blocks()`, which a read begins with, as blocks may have changed since the last one. Beside them those of
/// the directory, which look into the slot.
pub(super) fn register(conn: &Connection, slot: &Slot) -> rusqlite::Result<()> {
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    let open = Open::default();
    for arguments in [7, 8] {
        let open = Arc::clone(&open);
        conn.create_scalar_function("holds", arguments, flags, move |context| {
            let condition = condition(context)?;
            let holder = condition.field.holder();
            with_document(context, &open, late::may_change(holder), |document| {
                let value = match holder {
                    "latency" => latency(document)?,
                    name @ ("children" | "children_ids") if arguments == 8 => {
                        let links = context.get_raw(7).as_str().map_err(failed)?;
                        children(document, links, name == "children_ids")?
                    }
                    name => member(document, name)?,
                };
                Ok(condition.holds(value.as_ref()))
            })
        })?;
    }
    let asked = Arc::clone(&open);
    conn.create_scalar_function("is_open", 1, flags, move |context| {
        let block: Option<i64> = context.get(0)?;
        Ok(block.is_none_or(|block| blocks(&asked).contains_key(&block)))
    })?;
    conn.create_scalar_function("close_blocks", 0, flags, move |_| {
        blocks(&open).clear();
        Ok(true)
    })?;
    conn.create_scalar_function("text_holds", 2, pure, |context| {
        let condition = condition(context)?;
        let value = match context.get_raw(1) {
            ValueRef::Null => None,
            value => Some(Value::String(key::text(value).map_err(failed)?)),
        };
        Ok(condition.holds(value.as_ref()))
    })?;
    slot.register(conn)?;
    keys(conn)
}

/// What a read begins with.
pub(super) fn begin(conn: &Connection) -> rusqlite::Result<()> {
    conn.prepare_cached("SELECT close_blocks()")?.query_row([], |_| Ok(()))
}

/// `key_of(id)` and `id_of(key)`: an id as a column of ids has it, and back.
pub(super) fn keys(conn: &Connection) -> rusqlite::Result<()> {
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    conn.create_scalar_function("key_of", 1, pure, |context| {
        Ok(key::key_value(&key::text(context.get_raw(0)).map_err(failed)?))
    })?;
    conn.create_scalar_function("id_of", 1, pure, |context| key::text(context.get_raw(0)).map_err(failed))
}

fn blocks(open: &Open) -> MutexGuard<'_, HashMap<i64, Opened>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The document of a log by the arguments that [`VALUE`] makes; with what was said since its block was written, or
/// without, which is quicker.
fn with_document<T>(
    context: &Context<'_>,
    open: &Open,
    with_late: bool,
    read: impl FnOnce(&str) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let (id, block): (i64, Option<i64>) = (context.get(1)?, context.get(2)?);
    if let (ValueRef::Text(_), _) | (_, None) = (context.get_raw(3), block) {
        return read(context.get_raw(3).as_str().map_err(failed)?);
    }
    let mut blocks = blocks(open);
    let block = block.unwrap_or_default();
    if let ValueRef::Blob(data) = context.get_raw(6) {
        if blocks.len() >= KNOWN {
            blocks.clear();
        }
        blocks.insert(block, Opened::read(context.get(5)?, data).map_err(failed)?);
    }
    let value = blocks.get(&block).and_then(|opened| opened.value(id));
    let (stamps, document) = value.ok_or_else(|| failed(io::Error::other("a log's value is missing")))?;
    match context.get_raw(4) {
        ValueRef::Text(_) if with_late => {
            read(&late::value(id, stamps, document, context.get_raw(4).as_str().map_err(failed)?)?.json)
        }
        _ => read(document),
    }
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
