//! Patches into the file, inside one transaction.

use std::collections::{HashMap, HashSet};

use parea_types::{Status, TraceLog};
use rusqlite::{
    Connection, OptionalExtension, params, params_from_iter,
    types::{Null, ToSqlOutput},
};
use serde_json::{Map, Value};

use super::{
    job::{Post, Prepared},
    links::Relinked,
    pending,
    rollup::Rollups,
    sampling,
    terms::Vocabulary,
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
    is_loaded: bool,
    arrivals: u64,
    pub(super) pending: i64,
    pub(super) unsampled: i64,
    pub(super) vocabulary: Vocabulary,
    pub(super) projects_by_name: HashMap<String, i64>,
    /// Runs of experiments that logs are known to have named.
    pub(super) experiments: HashSet<String>,
    /// With whether the name is a placeholder.
    pub(super) projects_by_uuid: HashMap<String, (i64, bool)>,
}

/// A transaction that takes patches.
pub(super) struct Ingest<'a> {
    pub(super) conn: &'a Connection,
    pub(super) memory: &'a mut Memory,
    pub(super) rollups: Rollups,
    pub(super) relinked: Relinked,
}

/// A log that is stored.
struct Stored {
    id: i64,
    project: i64,
    stamps: Option<String>,
    json: String,
}

impl<'a> Ingest<'a> {
    pub(super) fn new(conn: &'a Connection, memory: &'a mut Memory) -> rusqlite::Result<Self> {
        if !memory.is_loaded {
            (memory.arrivals, memory.vocabulary.count) =
                conn.query_row("SELECT arrivals, words FROM history", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            memory.pending = pending::count(conn)?;
            memory.unsampled = sampling::count(conn)?;
            memory.is_loaded = true;
        }
        Ok(Self { conn, memory, rollups: Rollups::default(), relinked: Relinked::default() })
    }

    /// Writes what was put off to the end. The commit itself is the caller's.
    pub(super) fn finish(mut self) -> rusqlite::Result<Token> {
        self.mend_roots()?;
        self.leave_out()?;
        self.rollups.write(self.conn)?;
        let arrivals = self.memory.arrivals;
        let words = self.memory.vocabulary.count;
        self.conn.prepare_cached("UPDATE history SET arrivals = ?1, words = ?2")?.execute(params![arrivals, words])?;
        Ok(Token(arrivals))
    }

    pub(super) fn patch(&mut self, patch: &Prepared) -> rusqlite::Result<Outcome> {
        self.memory.arrivals += 1;
        let arrival = self.memory.arrivals;
        match patch {
            Prepared::Post(post) => self.post(post, arrival),
            Prepared::Put(update) => self.put(update, arrival),
        }
    }

    fn post(&mut self, post: &Post, arrival: u64) -> rusqlite::Result<Outcome> {
        let project = self.project_of(post.project_uuid.as_deref(), post.project_name.as_deref())?;
        let trace_id = &post.log.trace_id;
        let stored = self
            .conn
            .prepare_cached(
                "SELECT log.id, project, stamps, json FROM log JOIN doc USING (id)
                 WHERE trace_id = ?1 AND project = ?2",
            )?
            .query_row(params![trace_id, project], Stored::read)
            .optional()?;
        let said = || {
            let updated = post.log.last_updated_at.map(parea_types::Timestamp::micros);
            fields(&post.json).map(|fields| Cells::of_post(fields, updated, arrival))
        };
        if let Some(stored) = stored {
            // The usual repetition, told without reading it.
            if stored.stamps.is_none() && stored.json == post.json {
                return Ok(Outcome::Unchanged);
            }
            return self.merge(&stored, said()?);
        }
        if self.is_left_out(project, &post.log)? {
            self.take_pending(trace_id)?;
            return Ok(Outcome::Unchanged);
        }
        match self.take_pending(trace_id)? {
            None => {
                self.insert(project, arrival, &post.log, &post.json, None)?;
                Ok(Outcome::Created)
            }
            Some(mut cells) => {
                cells.join(said()?);
                let (log, form) = read(&cells, trace_id)?;
                self.insert(project, arrival, &log, &row::json(&log), Some(&row::json(&form)))?;
                Ok(Outcome::Merged)
            }
        }
    }

    fn put(&mut self, update: &Update, arrival: u64) -> rusqlite::Result<Outcome> {
        let stored: Vec<Stored> = self
            .conn
            .prepare_cached("SELECT log.id, project, stamps, json FROM log JOIN doc USING (id) WHERE trace_id = ?1")?
            .query_map([&update.trace_id], Stored::read)?
            .collect::<Result<_, _>>()?;
        let said = update.cells(arrival);
        if stored.is_empty() {
            return self.postpone(&update.trace_id, said, arrival);
        }
        let mut outcome = Outcome::Unchanged;
        for stored in stored {
            if self.merge(&stored, said.clone())? == Outcome::Merged {
                outcome = Outcome::Merged;
            }
        }
        Ok(outcome)
    }

    fn merge(&mut self, stored: &Stored, said: Cells) -> rusqlite::Result<Outcome> {
        let old: TraceLog = serde_json::from_str(&stored.json).map_err(damaged)?;
        let once =
            |log: &TraceLog| Form::of_post(log.last_updated_at.map(parea_types::Timestamp::micros), stored.id as u64);
        let form = match &stored.stamps {
            None => once(&old),
            Some(stamps) => serde_json::from_str(stamps).map_err(damaged)?,
        };
        let before = form.cells(fields(&stored.json)?);
        let mut cells = before.clone();
        cells.join(said);
        if cells.repeats(&before) {
            return Ok(Outcome::Unchanged);
        }
        let (log, form) = read(&cells, &old.trace_id)?;
        let stamps = (form != once(&log)).then(|| row::json(&form));
        self.conn.prepare_cached("UPDATE doc SET stamps = ?2, json = ?3 WHERE id = ?1")?.execute(params![
            stored.id,
            stamps,
            row::json(&log)
        ])?;
        self.change_terms(stored.project, stored.id, &old, &log)?;
        self.replace(stored, &log, Row::of(&log) == Row::of(&old))?;
        Ok(Outcome::Merged)
    }

    /// Adds a log that is not stored yet.
    fn insert(
        &mut self,
        project: i64,
        arrival: u64,
        log: &TraceLog,
        json: &str,
        stamps: Option<&str>,
    ) -> rusqlite::Result<()> {
        let row = Row::of(log);
        // Where none is named, the parent's id stands in until the end of the transaction.
        let root = row.root.as_ref().unwrap_or(&row.parent);
        let identity =
            [("id", (arrival as i64).into()), ("project", project.into()), ("trace_id", log.trace_id.as_str().into())];
        let (names, values): (Vec<_>, Vec<_>) = identity.into_iter().chain(columns(&row, root)).unzip();
        let places = vec!["?"; names.len()].join(", ");
        self.conn
            .prepare_cached(&format!("INSERT INTO log ({}) VALUES ({places})", names.join(", ")))?
            .execute(params_from_iter(values))?;
        self.conn
            .prepare_cached("INSERT INTO doc (id, stamps, json) VALUES (?1, ?2, ?3)")?
            .execute(params![arrival, stamps, json])?;
        if let Some(experiment) = &row.experiment {
            self.name_experiment(project, experiment)?;
        }
        self.add_terms(project, arrival as i64, log)?;
        self.relinked.note(project, &log.trace_id, row.root.is_none());
        if row.root.is_some() {
            self.rollups.add(project, root, log, &row);
        }
        Ok(())
    }

    /// Brings what stands beside a log up to date with it.
    fn replace(&mut self, stored: &Stored, log: &TraceLog, is_same_row: bool) -> rusqlite::Result<()> {
        let old_root: String =
            self.conn.prepare_cached("SELECT root FROM log WHERE id = ?1")?.query_row([stored.id], |row| row.get(0))?;
        if is_same_row {
            self.rollups.change(stored.project, &old_root, log);
            return Ok(());
        }
        self.rollups.recount(stored.project, &old_root);
        let row = Row::of(log);
        let root = row.root.as_ref().unwrap_or(&old_root);
        let (names, values): (Vec<_>, Vec<_>) = columns(&row, root).into_iter().unzip();
        self.conn
            .prepare_cached(&format!("UPDATE log SET {} = ? WHERE id = ?", names.join(" = ?, ")))?
            .execute(params_from_iter(values.into_iter().chain([stored.id.into()])))?;
        if let Some(experiment) = &row.experiment {
            self.name_experiment(stored.project, experiment)?;
        }
        self.rollups.recount(stored.project, root);
        self.relinked.note(stored.project, &log.trace_id, row.root.is_none());
        Ok(())
    }
}

impl Stored {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, project: row.get(1)?, stamps: row.get(2)?, json: row.get(3)? })
    }
}

/// The columns of `log` that may change, each beside its value.
fn columns<'a>(row: &'a Row, root: &'a str) -> [(&'static str, ToSqlOutput<'a>); 13] {
    fn text(text: Option<&String>) -> ToSqlOutput<'_> {
        text.map_or(Null.into(), |text| text.as_str().into())
    }
    fn or_null<'a>(value: Option<impl Into<ToSqlOutput<'a>>>) -> ToSqlOutput<'a> {
        value.map_or(Null.into(), Into::into)
    }
    [
        ("parent", row.parent.as_str().into()),
        ("root", root.into()),
        ("root_said", row.root.is_some().into()),
        ("started", row.started.into()),
        ("execution_order", row.execution_order.into()),
        ("status", or_null(row.status.map(status_code))),
        ("input_tokens", row.input_tokens.into()),
        ("output_tokens", row.output_tokens.into()),
        ("total_tokens", row.total_tokens.into()),
        ("cost", or_null(row.cost)),
        ("scores", text(row.scores.as_ref())),
        ("experiment", text(row.experiment.as_ref())),
        ("sample_rate", or_null(row.sample_rate)),
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
fn read(cells: &Cells, trace_id: &str) -> rusqlite::Result<(TraceLog, Form)> {
    let mut fields = cells.fields();
    fields.insert("trace_id".to_owned(), Value::String(trace_id.to_owned()));
    Ok((serde_json::from_value(Value::Object(fields)).map_err(damaged)?, Form::of(cells)))
}

/// JSON of ours that cannot be read is a damaged file.
pub(super) fn damaged(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}
