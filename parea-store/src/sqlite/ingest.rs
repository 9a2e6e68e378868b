//! Patches into the file, inside one transaction.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use parea_types::{Status, TraceLog};
use rusqlite::{
    Connection, OptionalExtension, params, params_from_iter,
    types::{Null, ToSqlOutput},
};
use serde_json::{Map, Value};

use super::{
    block::SIZE,
    directory::{Directory, kind},
    erase,
    job::{Batch, Facts, Post, Prepared},
    key::{Key, key},
    late::{self, Merged, Plain},
    links::{self, Relinked},
    pack::{Loose, Spelled},
    pending,
    rollup::Rollups,
    sampling,
    tallies::Tallies,
    terms::Vocabulary,
    values::{self, Blocks, Source},
};
use crate::{
    Outcome, Token,
    merge::{Cells, Form, Update},
    row::{self, Row},
};

/// What the writer knows of the file without looking. Forgotten when a transaction fails.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Whether the rest was read from the file.
    pub(super) is_loaded: bool,
    pub(super) arrivals: u64,
    pub(super) pending: i64,
    pub(super) unsampled: i64,
    /// Whether some log carries a rate of sampling; some log once did is enough.
    pub(super) is_sampled: bool,
    /// Whether some log names no root, so that it follows from parents; likewise.
    pub(super) is_linked: bool,
    pub(super) directory: Directory,
    /// 0 when nothing was ever erased.
    pub(super) erased: i64,
    pub(super) vocabulary: Vocabulary,
    pub(super) loose: Loose,
    pub(super) spelled: Spelled,
    pub(super) projects_by_name: HashMap<String, i64>,
    /// Runs of experiments that logs are known to have named.
    pub(super) experiments: HashSet<String>,
    /// With whether the name is a placeholder.
    pub(super) projects_by_uuid: HashMap<String, (i64, bool)>,
}

impl Memory {
    /// What is particular about a log that is being written.
    fn note(&mut self, row: &Row) {
        self.is_sampled |= row.sample_rate.is_some();
        self.is_linked |= row.root.is_none();
    }
}

/// A transaction that takes patches.
pub(super) struct Ingest<'a> {
    pub(super) conn: &'a Connection,
    pub(super) memory: &'a mut Memory,
    pub(super) rollups: Rollups,
    pub(super) tallies: Tallies,
    pub(super) relinked: Relinked,
    /// The block that is being filled, and what it is to hold.
    block: Option<i64>,
    unwritten: Vec<(i64, &'a Post)>,
    /// Those that this transaction has opened, as they are now.
    pub(super) blocks: Blocks,
}

/// A log that is stored.
struct Stored {
    source: Source,
    project: i64,
    /// Whether its block has no stamps of it.
    is_plain: bool,
}

impl<'a> Ingest<'a> {
    pub(super) fn new(conn: &'a Connection, memory: &'a mut Memory) -> rusqlite::Result<Self> {
        if !memory.is_loaded {
            (memory.arrivals, memory.vocabulary.count) =
                conn.query_row("SELECT arrivals, words FROM history", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            memory.pending = pending::count(conn)?;
            memory.unsampled = sampling::count(conn)?;
            memory.is_sampled = sampling::is_used(conn)?;
            memory.is_linked = links::are_used(conn)?;
            memory.erased = erase::count(conn)?;
            memory.loose = Loose::count(conn)?;
            memory.is_loaded = true;
        }
        if !memory.directory.is_loaded {
            memory.directory = Directory::load(conn)?;
        }
        Ok(Self {
            conn,
            memory,
            rollups: Rollups::default(),
            tallies: Tallies::default(),
            relinked: Relinked::default(),
            block: None,
            unwritten: Vec::new(),
            blocks: Blocks::default(),
        })
    }

    /// Writes what was put off to the end. The commit itself is the caller's.
    pub(super) fn finish(mut self) -> rusqlite::Result<Token> {
        self.mend_roots()?;
        self.leave_out()?;
        std::mem::take(&mut self.rollups).write(self.conn, &self.memory.directory)?;
        std::mem::take(&mut self.tallies).write(self.conn)?;
        self.memory.spelled.write(self.conn)?;
        let arrivals = self.memory.arrivals;
        let words = self.memory.vocabulary.count;
        self.conn.prepare_cached("UPDATE history SET arrivals = ?1, words = ?2")?.execute(params![arrivals, words])?;
        Ok(Token(arrivals))
    }

    /// Patches as they came. Where all of a block's are new logs, their values are packed already.
    pub(super) fn batch(&mut self, batch: &'a Batch) -> rusqlite::Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(batch.patches.len());
        for (patches, packed) in batch.patches.chunks(SIZE).zip(&batch.packed) {
            let first = self.memory.arrivals as i64 + 1;
            let last = first + patches.len() as i64 - 1;
            self.block = packed.is_some().then_some(last << 8);
            for patch in patches {
                outcomes.push(self.patch(patch)?);
            }
            if let (Some(packed), Some(block)) = (packed, self.block.take()) {
                if self.unwritten.len() == patches.len() {
                    self.unwritten.clear();
                    self.memory.spelled.note(&packed.words);
                    self.memory.loose.lists += 1;
                    values::add(self.conn, block, first, packed)?;
                } else {
                    self.write_values()?;
                }
            }
        }
        Ok(outcomes)
    }

    /// Gives up the block that is being filled: what it was to hold is packed later.
    fn write_values(&mut self) -> rusqlite::Result<()> {
        self.block = None;
        for (id, post) in std::mem::take(&mut self.unwritten) {
            self.conn.prepare_cached("UPDATE log SET block = NULL WHERE id = ?1")?.execute([id])?;
            self.put_fresh(id, None, &post.json)?;
        }
        Ok(())
    }

    fn put_fresh(&mut self, id: i64, stamps: Option<&str>, json: &str) -> rusqlite::Result<()> {
        self.memory.loose.fresh += 1;
        self.conn
            .prepare_cached("INSERT INTO doc (id, stamps, json) VALUES (?1, ?2, ?3)")?
            .execute(params![id, stamps, json])?;
        Ok(())
    }

    fn patch(&mut self, patch: &'a Prepared) -> rusqlite::Result<Outcome> {
        self.memory.arrivals += 1;
        let arrival = self.memory.arrivals;
        match patch {
            Prepared::Post(post) => self.post(post, arrival),
            Prepared::Put(update, project) => self.put(update, project.as_deref(), arrival),
        }
    }

    /// The logs of an id, in a project or in all, readable.
    fn stored(&mut self, trace_id: &str, project: Option<i64>) -> rusqlite::Result<Vec<Stored>> {
        let places = self.memory.directory.find(self.conn, trace_id, kind::OWN)?;
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {}, project, plain FROM {} WHERE log.id = ?1 AND trace_id = ?2 AND (?3 IS NULL OR project = ?3)",
            values::COLUMNS,
            values::SOURCES
        );
        let mut find = self.conn.prepare_cached(&sql)?;
        let mut stored = Vec::new();
        for place in places {
            stored.extend(find.query_row(params![place, key(trace_id), project], Stored::read).optional()?);
        }
        drop(find);
        let block = self.block;
        if block.is_some() && stored.iter().any(|stored| stored.source.block == block) {
            let ids: Vec<i64> = stored.iter().map(|stored| stored.source.id).collect();
            self.write_values()?;
            let again =
                format!("SELECT {}, project, plain FROM {} WHERE log.id = ?1", values::COLUMNS, values::SOURCES);
            let mut find = self.conn.prepare_cached(&again)?;
            stored = ids.into_iter().map(|id| find.query_row([id], Stored::read)).collect::<Result<_, _>>()?;
        }
        Ok(stored)
    }

    fn post(&mut self, post: &'a Post, arrival: u64) -> rusqlite::Result<Outcome> {
        let project = self.project_of(post.project_uuid.as_deref(), post.project_name.as_deref())?;
        let trace_id = &post.facts.trace_id;
        let stored = self.stored(trace_id, Some(project))?.pop();
        let said = || fields(&post.json).map(|fields| Cells::of_post(fields, post.updated, arrival));
        if let Some(stored) = stored {
            let stored = stored.value(self.conn, &self.blocks)?;
            // The usual repetition, told without reading it.
            if stored.value.stamps.is_none() && stored.value.json == post.json {
                return Ok(Outcome::Unchanged);
            }
            return self.merge(&stored, said()?);
        }
        let Row { root, parent, .. } = &post.facts.row;
        if self.is_erased(Some(project), &[trace_id, parent, root.as_ref().unwrap_or(parent)])? {
            return Ok(Outcome::Unchanged);
        }
        if self.is_left_out(project, &post.facts.row)? {
            self.take_pending(trace_id, project)?;
            return Ok(Outcome::Unchanged);
        }
        match self.take_pending(trace_id, project)? {
            None => {
                let id = arrival as i64;
                let block = self.block;
                self.insert(project, id, &post.facts, block)?;
                if block.is_some() {
                    self.unwritten.push((id, post));
                } else {
                    self.put_fresh(id, None, &post.json)?;
                }
                Ok(Outcome::Created)
            }
            Some(mut cells) => {
                cells.join(said()?);
                let (log, form) = read(&cells, Value::String(trace_id.to_owned()))?;
                self.insert(project, arrival as i64, &Facts::of(&log), None)?;
                self.put_fresh(arrival as i64, Some(&row::json(&form)), &row::json(&log))?;
                Ok(Outcome::Merged)
            }
        }
    }

    fn put(&mut self, update: &Update, project: Option<&str>, arrival: u64) -> rusqlite::Result<Outcome> {
        let project = project.map(|uuid| self.project_of(Some(uuid), None)).transpose()?;
        let stored = self.stored(&update.trace_id, project)?;
        let said = update.cells(arrival);
        if stored.is_empty() {
            if self.is_erased(project, &[&update.trace_id])? {
                return Ok(Outcome::Unchanged);
            }
            return self.postpone(&update.trace_id, project.unwrap_or(pending::ANY), said, arrival);
        }
        let mut outcome = Outcome::Unchanged;
        let may_wait = said.names().all(late::may_change);
        for stored in stored {
            let one = match stored.plain().filter(|_| may_wait) {
                Some(plain) => self.note_late(&plain, &said)?,
                None => self.merge(&stored.value(self.conn, &self.blocks)?, said.clone())?,
            };
            if one == Outcome::Merged {
                outcome = one;
            }
        }
        Ok(outcome)
    }

    fn merge(&mut self, stored: &Known, said: Cells) -> rusqlite::Result<Outcome> {
        let Known { value, project, .. } = stored;
        let Some(Merged { log, stamps }) = late::merge(value.id, value.stamps.as_deref(), &value.json, said)? else {
            return Ok(Outcome::Unchanged);
        };
        let old: TraceLog = serde_json::from_str(&value.json).map_err(damaged)?;
        if stored.is_loose {
            self.conn.prepare_cached("UPDATE doc SET stamps = ?2, json = ?3 WHERE id = ?1")?.execute(params![
                value.id,
                stamps,
                row::json(&log)
            ])?;
        } else {
            self.memory.loose.changed += 1;
            if stored.is_late {
                self.forget_late(value.id)?;
            }
            self.conn
                .prepare_cached("INSERT INTO doc (id, block, stamps, json) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![value.id, stored.block, stamps, row::json(&log)])?;
        }
        self.change_terms(*project, value.id, &old, &log)?;
        self.replace(*project, value.id, &log, Some(&Row::of(&old)))?;
        Ok(Outcome::Merged)
    }

    /// Adds what stands beside a log that is not stored yet.
    pub(super) fn insert(&mut self, project: i64, id: i64, facts: &Facts, block: Option<i64>) -> rusqlite::Result<()> {
        let Facts { trace_id, row, .. } = facts;
        // Where none is named, the parent's id stands in until the end of the transaction.
        let root = row.root.as_ref().unwrap_or(&row.parent);
        let identity: [ToSqlOutput<'_>; 5] = [
            id.into(),
            project.into(),
            key(trace_id),
            block.map_or(Null.into(), Into::into),
            block.map_or(Null.into(), |_| 1.into()),
        ];
        self.conn
            .prepare_cached(&INSERT)?
            .execute(params_from_iter(identity.into_iter().chain(values_of(row, root))))?;
        self.memory.note(row);
        self.memory.directory.add(id, trace_id, &row.parent, root);
        self.tallies.note(1, project, row.started, row.status);
        if let Some(experiment) = &row.experiment {
            self.name_experiment(project, experiment)?;
        }
        self.memory.vocabulary.write(self.conn, project, id, &facts.terms)?;
        self.relinked.note(project, trace_id, row.root.is_none());
        if row.root.is_some() {
            self.rollups.add(project, root, facts);
        }
        Ok(())
    }

    /// Brings what stands beside a log up to date with it; `old` is what stood there, if that is known.
    pub(super) fn replace(&mut self, project: i64, id: i64, log: &TraceLog, old: Option<&Row>) -> rusqlite::Result<()> {
        let row = Row::of(log);
        let (Key(old_root), Key(old_parent), started, status) = self
            .conn
            .prepare_cached("SELECT root, parent, started, status FROM log WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, status_of(row.get(3)?))))?;
        if let Some(old) = old.filter(|old| row.is_but_for_scores(old)) {
            if row.scores != old.scores {
                self.conn
                    .prepare_cached("UPDATE log SET scores = ?2 WHERE id = ?1")?
                    .execute(params![id, row.scores])?;
            }
            self.rollups.change(project, &old_root, log);
            return Ok(());
        }
        self.memory.note(&row);
        self.rollups.recount(project, &old_root);
        self.tallies.note(-1, project, started, status);
        self.tallies.note(1, project, row.started, row.status);
        let root = row.root.as_ref().unwrap_or(&old_root);
        self.conn
            .prepare_cached(&UPDATE)?
            .execute(params_from_iter(values_of(&row, root).into_iter().chain([id.into()])))?;
        if row.parent != old_parent || *root != old_root {
            self.memory.directory.change(self.conn, id, &log.trace_id, &row.parent, root)?;
        }
        if let Some(experiment) = &row.experiment {
            self.name_experiment(project, experiment)?;
        }
        self.rollups.recount(project, root);
        self.relinked.note(project, &log.trace_id, row.root.is_none());
        Ok(())
    }
}

/// The same with its value.
struct Known {
    value: super::block::Value,
    project: i64,
    /// The block that has it, or had it before it changed.
    block: Option<i64>,
    /// Whether the value stands in `doc`.
    is_loose: bool,
    /// Whether a part of it stands in `late`.
    is_late: bool,
}

impl Stored {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let plain: Option<i64> = row.get(values::WIDTH + 1)?;
        Ok(Self { source: Source::read(row)?, project: row.get(values::WIDTH)?, is_plain: plain.is_some() })
    }

    /// What is known of it without a look at its block, where that is enough for later words.
    fn plain(&self) -> Option<Plain<'_>> {
        let Self { source, project, is_plain } = self;
        let block = source.block.filter(|_| *is_plain && !source.is_loose())?;
        Some(Plain { id: source.id, project: *project, block, said: source.late() })
    }

    fn value(self, conn: &Connection, blocks: &Blocks) -> rusqlite::Result<Known> {
        let (block, is_loose) = (self.source.block, self.source.is_loose());
        let is_late = self.source.late().is_some();
        let value = self.source.value(conn, blocks)?;
        Ok(Known { value, project: self.project, block, is_loose, is_late })
    }
}

/// The columns of `log` that may change.
const COLUMNS: [&str; 13] = [
    "parent",
    "root",
    "root_said",
    "started",
    "execution_order",
    "status",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost",
    "scores",
    "experiment",
    "sample_rate",
];

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let places = vec!["?"; COLUMNS.len() + 5].join(", ");
    format!("INSERT INTO log (id, project, trace_id, block, plain, {}) VALUES ({places})", COLUMNS.join(", "))
});

static UPDATE: LazyLock<String> =
    LazyLock::new(|| format!("UPDATE log SET {} = ? WHERE id = ?", COLUMNS.join(" = ?, ")));

/// Their values.
fn values_of<'a>(row: &'a Row, root: &'a str) -> [ToSqlOutput<'a>; COLUMNS.len()] {
    fn text(text: Option<&String>) -> ToSqlOutput<'_> {
        text.map_or(Null.into(), |text| text.as_str().into())
    }
    fn or_null<'a>(value: Option<impl Into<ToSqlOutput<'a>>>) -> ToSqlOutput<'a> {
        value.map_or(Null.into(), Into::into)
    }
    [
        key(&row.parent),
        key(root),
        row.root.is_some().into(),
        row.started.into(),
        row.execution_order.into(),
        or_null(row.status.map(status_code)),
        row.input_tokens.into(),
        row.output_tokens.into(),
        row.total_tokens.into(),
        or_null(row.cost),
        text(row.scores.as_ref()),
        text(row.experiment.as_ref()),
        or_null(row.sample_rate),
    ]
}

/// A status as the file has it.
pub(super) fn status_code(status: Status) -> i64 {
    match status {
        Status::Success => 1,
        Status::Error => 2,
    }
}

pub(super) fn status_of(code: Option<i64>) -> Option<Status> {
    match code {
        Some(1) => Some(Status::Success),
        Some(2) => Some(Status::Error),
        _ => None,
    }
}

fn fields(json: &str) -> rusqlite::Result<Map<String, Value>> {
    serde_json::from_str(json).map_err(damaged)
}

/// The log that the cells make.
pub(super) fn read(cells: &Cells, trace_id: Value) -> rusqlite::Result<(TraceLog, Form)> {
    let mut fields = cells.fields();
    fields.insert("trace_id".to_owned(), trace_id);
    Ok((serde_json::from_value(Value::Object(fields)).map_err(damaged)?, Form::of(cells)))
}

/// JSON of ours that cannot be read is a damaged file.
pub(super) fn damaged(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}
