//! What is said of a log that lies in a block, where nothing follows from it but its scores: it stays beside the block, in
//! a narrow row, and is merged when the log is read. So a score or a verdict costs no look at the log, and the block need
//! not be written again for it.

use parea_types::{EvaluationScore, Timestamp, TraceLog};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    block,
    ingest::{Ingest, damaged},
    terms::Scored,
};
use crate::{
    Outcome,
    merge::{Cells, Form},
    row,
};

/// Fields from which nothing follows that is kept elsewhere, but for scores: no list shows them, no search looks into them.
const FIELDS: &[&str] = &[
    "scores",
    "feedback_score",
    "target",
    "comments",
    "annotations",
    "evaluation_metric_names",
    "evaluation_metric_ids",
    "last_updated_at",
];

/// Whether a field may differ from what the block says of it.
pub(super) fn may_change(field: &str) -> bool {
    FIELDS.contains(&field)
}

/// Cells as a row of `late` has them.
#[derive(Serialize, Deserialize)]
struct Said {
    stamps: Form,
    fields: Map<String, Value>,
}

fn write(cells: &Cells) -> String {
    row::json(&Said { stamps: Form::of(cells), fields: cells.fields() })
}

fn read(said: &str) -> rusqlite::Result<Cells> {
    let Said { stamps, fields } = serde_json::from_str(said).map_err(damaged)?;
    Ok(stamps.cells(fields))
}

/// A log with more said of it.
pub(super) struct Merged {
    pub(super) log: TraceLog,
    /// Those of its cells, null when they are those of a log that was sent once.
    pub(super) stamps: Option<String>,
}

/// Joins what is stored of a log with what is said of it; `None` when that changes nothing.
pub(super) fn merge(id: i64, stamps: Option<&str>, json: &str, said: Cells) -> rusqlite::Result<Option<Merged>> {
    let mut fields: Map<String, Value> = serde_json::from_str(json).map_err(damaged)?;
    let once = |updated: Option<Timestamp>| Form::of_post(updated.map(Timestamp::micros), id as u64);
    let form = match stamps {
        None => {
            let updated = fields.get("last_updated_at").filter(|updated| !updated.is_null());
            once(updated.map(Timestamp::deserialize).transpose().map_err(damaged)?)
        }
        Some(stamps) => serde_json::from_str(stamps).map_err(damaged)?,
    };
    let trace_id = fields.remove("trace_id").unwrap_or_default();
    let before = form.cells(fields);
    let mut cells = before.clone();
    cells.join(said);
    if cells.repeats(&before) {
        return Ok(None);
    }
    let (log, form) = super::ingest::read(&cells, trace_id)?;
    let stamps = (form != once(log.last_updated_at)).then(|| row::json(&form));
    Ok(Some(Merged { log, stamps }))
}

/// A block's value with what was said later.
pub(super) fn value(id: i64, stamps: Option<&str>, json: &str, said: &str) -> rusqlite::Result<block::Value> {
    Ok(match merge(id, stamps, json, read(said)?)? {
        Some(Merged { log, stamps }) => block::Value { id, stamps, json: row::json(&log) },
        None => block::Value { id, stamps: stamps.map(ToOwned::to_owned), json: json.to_owned() },
    })
}

/// A log in a block that has no stamps there: all that an update says outranks it.
pub(super) struct Plain<'a> {
    pub(super) id: i64,
    pub(super) project: i64,
    pub(super) block: i64,
    /// As `late` has it.
    pub(super) said: Option<&'a str>,
}

impl Ingest<'_> {
    /// Notes what an update says beside the log's block.
    pub(super) fn note_late(&mut self, log: &Plain<'_>, said: &Cells) -> rusqlite::Result<Outcome> {
        let before = log.said.map(read).transpose()?.unwrap_or_default();
        let mut cells = before.clone();
        cells.join(said.clone());
        if cells.repeats(&before) {
            return Ok(Outcome::Unchanged);
        }
        self.conn
            .prepare_cached("INSERT OR REPLACE INTO late (log, block, said) VALUES (?1, ?2, ?3)")?
            .execute(params![log.id, log.block, write(&cells)])?;
        self.memory.loose.late += i64::from(log.said.is_none());
        if said.says("scores") {
            self.change_scores(log, &cells)?;
        }
        Ok(Outcome::Merged)
    }

    /// Brings what follows from the scores up to date.
    fn change_scores(&mut self, log: &Plain<'_>, cells: &Cells) -> rusqlite::Result<()> {
        let (shown, started): (Option<String>, i64) = self
            .conn
            .prepare_cached("SELECT scores, started FROM log WHERE id = ?1")?
            .query_row([log.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let parse = |json: &str| serde_json::from_str::<Vec<EvaluationScore>>(json).map_err(damaged);
        let old = shown.as_deref().map(parse).transpose()?.unwrap_or_default();
        let values = shown.as_deref().map(serde_json::from_str).transpose().map_err(damaged)?;
        let new: Vec<EvaluationScore> =
            serde_json::from_value(cells.scores_over(values, log.id as u64)).map_err(damaged)?;
        let scores = (!new.is_empty()).then(|| row::json(&new));
        if scores == shown {
            return Ok(());
        }
        self.conn.prepare_cached("UPDATE log SET scores = ?2 WHERE id = ?1")?.execute(params![log.id, scores])?;
        let place = Scored { project: log.project, started, log: log.id };
        self.memory.vocabulary.change_scores(self.conn, place, &old, &new)
    }

    /// What was said of a log since it came into its block is now part of its value elsewhere.
    pub(super) fn forget_late(&mut self, id: i64) -> rusqlite::Result<()> {
        let gone = self.conn.prepare_cached("DELETE FROM late WHERE log = ?1")?.execute([id])?;
        self.memory.loose.late -= gone as i64;
        Ok(())
    }

    /// The block of which later words have waited longest.
    pub(super) fn block_of_late(&self) -> rusqlite::Result<Option<i64>> {
        self.conn
            .prepare_cached("SELECT block FROM late ORDER BY block LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()
    }
}
