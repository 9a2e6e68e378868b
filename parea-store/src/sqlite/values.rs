//! The values of logs, wherever they are kept: in `doc` while they are new or changed, in blocks afterwards.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    io,
    rc::Rc,
};

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::{
    block::{Opened, Packed, Value, Words, encode},
    index, late,
};
use crate::text::{Pieces, Searchable};

/// Blocks that are remembered in one read. A page's logs lie in few.
const KNOWN: usize = 32;

/// Blocks that one read has opened. Another read may see other ones, so it starts anew.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    opened: RefCell<HashMap<i64, Rc<Opened>>>,
}

impl Blocks {
    /// Forgets all: some may have changed.
    pub(super) fn clear(&self) {
        self.opened.borrow_mut().clear();
    }

    pub(super) fn open(&self, conn: &Connection, id: i64) -> rusqlite::Result<Rc<Opened>> {
        if let Some(opened) = self.opened.borrow().get(&id) {
            return Ok(Rc::clone(opened));
        }
        let opened = Rc::new(open(conn, id)?);
        let mut known = self.opened.borrow_mut();
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert(id, Rc::clone(&opened));
        Ok(opened)
    }
}

fn open(conn: &Connection, id: i64) -> rusqlite::Result<Opened> {
    conn.prepare_cached("SELECT first, data FROM block WHERE id = ?1")?
        .query_row([id], |row| Opened::read(row.get(0)?, row.get_ref(1)?.as_blob()?).map_err(damaged))
}

/// A place from which a value can be read, as [`COLUMNS`] and [`SOURCES`] give it.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) id: i64,
    /// The block that has it, or had it before it changed.
    pub(super) block: Option<i64>,
    doc: Option<(Option<String>, String)>,
    /// What was said since the block was written.
    late: Option<String>,
}

/// The first columns of a query that reads values from [`SOURCES`].
pub(super) const COLUMNS: &str = "log.id, log.block, doc.stamps, doc.json, late.said";
pub(super) const SOURCES: &str = "log LEFT JOIN doc ON doc.id = log.id LEFT JOIN late ON late.log = log.id";

/// How many columns these are.
pub(super) const WIDTH: usize = 5;

impl Source {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (stamps, json): (_, Option<String>) = (row.get(2)?, row.get(3)?);
        Ok(Self { id: row.get(0)?, block: row.get(1)?, doc: json.map(|json| (stamps, json)), late: row.get(4)? })
    }

    /// Whether it stands in `doc`.
    pub(super) fn is_loose(&self) -> bool {
        self.doc.is_some()
    }

    /// What was said since its block was written.
    pub(super) fn late(&self) -> Option<&str> {
        self.late.as_deref()
    }

    pub(super) fn value(self, conn: &Connection, blocks: &Blocks) -> rusqlite::Result<Value> {
        let id = self.id;
        let (stamps, json) = match (self.doc, self.block) {
            (Some(doc), _) => doc,
            (None, Some(block)) => {
                let block = blocks.open(conn, block)?;
                let (stamps, json) = block.value(id).ok_or_else(|| missing(id))?;
                if let Some(said) = &self.late {
                    return late::value(id, stamps, json, said);
                }
                (stamps.map(ToOwned::to_owned), json.to_owned())
            }
            (None, None) => return Err(missing(id)),
        };
        Ok(Value { id, stamps, json })
    }
}

/// The values of the logs for which a condition holds, in no order.
pub(super) fn all(conn: &Connection, condition: &str, values: impl Params) -> rusqlite::Result<Vec<Value>> {
    let blocks = Blocks::default();
    let sources: Vec<Source> = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM {SOURCES} WHERE {condition}"))?
        .query_map(values, Source::read)?
        .collect::<Result<_, _>>()?;
    sources.into_iter().map(|source| source.value(conn, &blocks)).collect()
}

/// Adds a block; its words go to the index.
pub(super) fn add(conn: &Connection, id: i64, first: i64, packed: &Packed) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT INTO block (id, first, data) VALUES (?1, ?2, ?3)")?.execute(params![
        id,
        first,
        packed.data
    ])?;
    index::add(conn, id, &packed.words.hashes)
}

/// Puts other values in place of a block's, which is what it answers; without any the block goes.
pub(super) fn replace(conn: &Connection, id: i64, values: &[Value]) -> rusqlite::Result<Option<Packed>> {
    let Some(first) = values.first() else {
        conn.prepare_cached("DELETE FROM word_list WHERE block = ?1")?.execute([id])?;
        conn.prepare_cached("DELETE FROM block WHERE id = ?1")?.execute([id])?;
        return Ok(None);
    };
    let packed = pack(values)?;
    write(conn, id, first.id, &packed.data)?;
    index::add(conn, id, &packed.words.hashes)?;
    Ok(Some(packed))
}

/// The same where no word has changed.
pub(super) fn restate(conn: &Connection, id: i64, values: &[Value]) -> rusqlite::Result<()> {
    let first = values.first().map_or(0, |value| value.id);
    write(conn, id, first, &encode(first, each(values)).map_err(damaged)?)
}

fn write(conn: &Connection, id: i64, first: i64, data: &[u8]) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE block SET first = ?2, data = ?3 WHERE id = ?1")?.execute(params![id, first, data])?;
    Ok(())
}

fn each(values: &[Value]) -> impl Iterator<Item = (i64, Option<&str>, &str)> + Clone {
    values.iter().map(|value| (value.id, value.stamps.as_deref(), value.json.as_str()))
}

/// Compresses values, which are in the order of their ids.
pub(super) fn pack(values: &[Value]) -> rusqlite::Result<Packed> {
    let first = values.first().map_or(0, |value| value.id);
    let pieces: Vec<Pieces> = values.iter().map(|value| pieces(&value.json)).collect::<Result<_, _>>()?;
    Ok(Packed { data: encode(first, each(values)).map_err(damaged)?, words: Words::of(pieces.iter()) })
}

/// What is searched of a stored log.
pub(super) fn pieces(json: &str) -> rusqlite::Result<Pieces> {
    let searchable: Searchable<'_> = serde_json::from_str(json).map_err(super::ingest::damaged)?;
    Ok(searchable.pieces())
}

/// Removes the values of logs, physically as far as the file's pages are.
pub(super) fn remove(conn: &Connection, logs: &[(i64, Option<i64>)]) -> rusqlite::Result<()> {
    let mut by_block: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (id, block) in logs {
        conn.prepare_cached("DELETE FROM doc WHERE id = ?1")?.execute([id])?;
        conn.prepare_cached("DELETE FROM late WHERE log = ?1")?.execute([id])?;
        if let Some(block) = block {
            by_block.entry(*block).or_default().push(*id);
        }
    }
    for (block, ids) in by_block {
        let opened = open(conn, block)?;
        let kept = opened.values().filter(|(id, ..)| !ids.contains(id));
        let kept: Vec<Value> = kept.map(Value::from).collect();
        replace(conn, block, &kept)?;
    }
    Ok(())
}

/// The values of a block with what was said of them since, which is taken out of `late`.
pub(super) fn take_late(conn: &Connection, block: i64) -> rusqlite::Result<Vec<Value>> {
    let opened = open(conn, block)?;
    let late: HashMap<i64, String> = conn
        .prepare_cached("DELETE FROM late WHERE block = ?1 RETURNING log, said")?
        .query_map([block], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let now = |(id, stamps, json)| match late.get(&id) {
        Some(said) => late::value(id, stamps, json, said),
        None => Ok(Value::from((id, stamps, json))),
    };
    opened.values().map(now).collect()
}

/// The values of a block as they are now, changes included, which are taken out of `doc` and `late`.
pub(super) fn take_changes(conn: &Connection, block: i64) -> rusqlite::Result<Vec<Value>> {
    let mut changed: HashMap<i64, Value> = conn
        .prepare_cached("DELETE FROM doc WHERE block = ?1 AND block > 0 RETURNING id, stamps, json")?
        .query_map([block], |row| Ok(Value { id: row.get(0)?, stamps: row.get(1)?, json: row.get(2)? }))?
        .map(|value| value.map(|value| (value.id, value)))
        .collect::<Result<_, _>>()?;
    let values = take_late(conn, block)?;
    Ok(values.into_iter().map(|value| changed.remove(&value.id).unwrap_or(value)).collect())
}

/// Notes of the logs of a block whether their values are as they were sent.
pub(super) fn mark(conn: &Connection, values: &[Value]) -> rusqlite::Result<()> {
    let mut mark = conn.prepare_cached("UPDATE log SET plain = ?2 WHERE id = ?1 AND plain IS NOT ?2")?;
    for value in values {
        mark.execute(params![value.id, value.stamps.is_none().then_some(1)])?;
    }
    Ok(())
}

/// An id for the block whose last log is this one.
pub(super) fn free_id(conn: &Connection, last: i64) -> rusqlite::Result<i64> {
    let taken: Option<i64> = conn
        .prepare_cached("SELECT max(id) FROM block WHERE id BETWEEN ?1 AND ?1 + 255")?
        .query_row([last << 8], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(taken.map_or(last << 8, |taken| taken + 1))
}

impl From<(i64, Option<&str>, &str)> for Value {
    fn from((id, stamps, json): (i64, Option<&str>, &str)) -> Self {
        Self { id, stamps: stamps.map(ToOwned::to_owned), json: json.to_owned() }
    }
}

pub(super) fn damaged(error: io::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error))
}

fn missing(id: i64) -> rusqlite::Error {
    damaged(io::Error::other(format!("the value of log {id} is missing")))
}
