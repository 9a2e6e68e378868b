//! Updates of logs that are still to come.

use parea_types::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};

use super::ingest::{Ingest, damaged};
use crate::{
    Outcome,
    merge::{Cells, Form},
    row,
};

/// How many logs may be waited for; the oldest are given up.
const MOST: i64 = 10_000;

/// How long, in microseconds: a week.
const LONGEST: i64 = 7 * 24 * 3600 * 1_000_000;

/// Stands for whatever project the log will be in.
pub(super) const ANY: i64 = 0;

pub(super) fn count(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT count(*) FROM pending", [], |row| row.get(0))
}

impl Ingest<'_> {
    /// Keeps what an update says until its log comes.
    pub(super) fn postpone(
        &mut self,
        trace_id: &str,
        project: i64,
        said: Cells,
        arrival: u64,
    ) -> rusqlite::Result<Outcome> {
        let known = self.pending(trace_id, project)?;
        let outcome = if known.is_some() { Outcome::Merged } else { Outcome::Created };
        let cells = match known {
            None => said,
            Some(before) => {
                let mut cells = before.clone();
                cells.join(said);
                if cells.repeats(&before) {
                    return Ok(Outcome::Unchanged);
                }
                cells
            }
        };
        let now = Timestamp::from(chrono::Utc::now()).micros();
        self.conn
            .prepare_cached(
                "INSERT INTO pending (id, trace_id, received, stamps, fields, project) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (trace_id, project) DO UPDATE SET stamps = excluded.stamps, fields = excluded.fields",
            )?
            .execute(params![
                arrival,
                trace_id,
                now,
                row::json(&Form::of(&cells)),
                row::json(&cells.fields()),
                project
            ])?;
        if outcome == Outcome::Created {
            self.memory.pending += 1;
            self.forget(now)?;
        }
        Ok(outcome)
    }

    /// Gives up the oldest. Rows are in order of arrival, so both looks are at the front only.
    fn forget(&mut self, now: i64) -> rusqlite::Result<()> {
        let surplus = (self.memory.pending - MOST).max(0);
        let dropped = self
            .conn
            .prepare_cached("DELETE FROM pending WHERE id IN (SELECT id FROM pending ORDER BY id LIMIT ?1)")?
            .execute([surplus])?;
        let outdated = self
            .conn
            .prepare_cached(
                "DELETE FROM pending WHERE id IN (SELECT id FROM pending ORDER BY id LIMIT 16) AND received < ?1",
            )?
            .execute([now - LONGEST])?;
        self.memory.pending -= (dropped + outdated) as i64;
        Ok(())
    }

    /// What was said of a log before it came; it is forgotten here, for the log takes it over.
    pub(super) fn take_pending(&mut self, trace_id: &str, project: i64) -> rusqlite::Result<Option<Cells>> {
        if self.memory.pending == 0 {
            return Ok(None);
        }
        let mut said: Option<Cells> = None;
        for project in [ANY, project] {
            let Some(cells) = self.pending(trace_id, project)? else { continue };
            self.conn
                .prepare_cached("DELETE FROM pending WHERE trace_id = ?1 AND project = ?2")?
                .execute(params![trace_id, project])?;
            self.memory.pending -= 1;
            match &mut said {
                None => said = Some(cells),
                Some(said) => said.join(cells),
            }
        }
        Ok(said)
    }

    fn pending(&self, trace_id: &str, project: i64) -> rusqlite::Result<Option<Cells>> {
        let found: Option<(String, String)> = self
            .conn
            .prepare_cached("SELECT stamps, fields FROM pending WHERE trace_id = ?1 AND project = ?2")?
            .query_row(params![trace_id, project], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((stamps, fields)) = found else { return Ok(None) };
        let form: Form = serde_json::from_str(&stamps).map_err(damaged)?;
        let fields: Map<String, Value> = serde_json::from_str(&fields).map_err(damaged)?;
        Ok(Some(form.cells(fields)))
    }
}
