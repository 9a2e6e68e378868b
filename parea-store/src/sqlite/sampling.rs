//! Leaving out the traces that sampling does not keep.

use parea_types::TraceLog;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    directory::kind,
    ingest::{Ingest, damaged, status_of},
    key::{Key, key},
    pack::Loose,
    values,
};
use crate::{row::Row, sampling::is_kept};

/// How many traces left out are remembered. Logs of one trace carry the same rate as a rule, which decides without.
const MOST: i64 = 1_000_000;

/// The lowest rate in trace `?2`.
pub(super) const LOWEST: &str = "SELECT min(sample_rate) FROM log
    WHERE project = ?1 AND root = ?2 AND sample_rate IS NOT NULL AND root_said = 1";

pub(super) fn count(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT count(*) FROM unsampled", [], |row| row.get(0))
}

/// Whether some log carries a rate.
pub(super) fn is_used(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT EXISTS (SELECT 1 FROM log WHERE sample_rate IS NOT NULL)", [], |row| row.get(0))
}

impl Ingest<'_> {
    /// Tells of a new log that it need not be stored. Where that is not plain yet [`leave_out`](Self::leave_out) will
    /// tell.
    pub(super) fn is_left_out(&mut self, project: i64, row: &Row) -> rusqlite::Result<bool> {
        let Some(root) = row.root.as_ref().filter(|_| row.experiment.is_none()) else { return Ok(false) };
        if row.sample_rate.is_some_and(|rate| !is_kept(root, rate)) {
            if !self.is_unsampled(project, root)? {
                self.remember(project, root)?;
                // What came before goes at the end.
                self.rollups.recount(project, root);
            }
            return Ok(true);
        }
        self.is_unsampled(project, root)
    }

    /// Removes what came of traces that are not kept, but for logs of experiments. A log that names no root has no say,
    /// for its root may not be known yet.
    pub(super) fn leave_out(&mut self) -> rusqlite::Result<()> {
        if !self.memory.is_sampled && self.memory.unsampled == 0 {
            return Ok(());
        }
        for (project, root) in self.rollups.touched() {
            let lowest: Option<f64> =
                self.conn.prepare_cached(LOWEST)?.query_row(params![project, key(&root)], |row| row.get(0))?;
            let known = self.is_unsampled(project, &root)?;
            if !known && lowest.is_none_or(|rate| is_kept(&root, rate)) {
                continue;
            }
            if !known {
                self.remember(project, &root)?;
            }
            self.remove_logs(project, &root, "experiment IS NULL")?;
        }
        Ok(())
    }

    /// Removes those logs of a trace for which a condition holds, and answers their ids.
    pub(super) fn remove_logs(&mut self, project: i64, root: &str, condition: &str) -> rusqlite::Result<Vec<String>> {
        let unwanted =
            format!("log.id IN (SELECT value FROM json_each(?3)) AND +project = ?1 AND root = ?2 AND {condition}");
        let members = self.memory.directory.json(self.conn, root, kind::MEMBERS)?;
        for value in values::all(self.conn, &unwanted, params![project, key(root), members])? {
            let log: TraceLog = serde_json::from_str(&value.json).map_err(damaged)?;
            self.remove_terms(project, value.id, &log)?;
        }
        let (mut places, mut ids) = (Vec::new(), Vec::new());
        {
            let mut remove = self.conn.prepare_cached(&format!(
                "DELETE FROM log WHERE {unwanted} RETURNING id, block, trace_id, started, status"
            ))?;
            let mut rows = remove.query(params![project, key(root), members])?;
            while let Some(row) = rows.next()? {
                places.push((row.get(0)?, row.get(1)?));
                ids.push(row.get::<_, Key>(2)?.0);
                self.tallies.note(-1, project, row.get(3)?, status_of(row.get(4)?));
            }
        }
        values::remove(self.conn, &places)?;
        self.rollups.recount(project, root);
        // Rare enough to be counted anew.
        self.memory.loose = Loose::count(self.conn)?;
        Ok(ids)
    }

    fn is_unsampled(&self, project: i64, root: &str) -> rusqlite::Result<bool> {
        if self.memory.unsampled == 0 {
            return Ok(false);
        }
        let found = self
            .conn
            .prepare_cached("SELECT 1 FROM unsampled WHERE root = ?2 AND project = ?1")?
            .query_row(params![project, root], |_| Ok(()))
            .optional()?;
        Ok(found.is_some())
    }

    fn remember(&mut self, project: i64, root: &str) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("INSERT INTO unsampled (project, root) VALUES (?1, ?2)")?
            .execute(params![project, root])?;
        self.memory.unsampled += 1;
        if self.memory.unsampled > MOST {
            self.memory.unsampled -= self
                .conn
                .prepare_cached("DELETE FROM unsampled WHERE id = (SELECT min(id) FROM unsampled)")?
                .execute([])? as i64;
        }
        Ok(())
    }
}
