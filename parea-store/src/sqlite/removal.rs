//! Logs out of the file, with all that follows from them: what retention and erasure have in common.

use std::collections::BTreeSet;

use parea_types::TraceLog;
use rusqlite::{OptionalExtension, params};

use super::{
    directory::kind,
    ingest::{Ingest, damaged, status_of},
    key::{Key, key},
    pack::Loose,
    terms::Terms,
    values::{self, Blocks, Source},
};

/// A trace by its project and root.
pub(super) type Trace = (i64, String);

/// A log that is to go.
#[derive(Debug)]
pub(super) struct Doomed {
    pub(super) log: TraceLog,
    id: i64,
    block: Option<i64>,
}

impl Ingest<'_> {
    /// Some logs of a trace, at most so many, that arrived up to a moment: the last to start first, so that a trace
    /// that goes in several steps keeps its age until the end.
    pub(super) fn some_of(&self, trace: &Trace, until: i64, most: usize) -> rusqlite::Result<Vec<Doomed>> {
        let blocks = Blocks::default();
        let sql = format!(
            "SELECT {} FROM {} WHERE log.id IN (SELECT value FROM json_each(?5)) AND +project = ?1 AND root = ?2
                AND log.id <= ?3 ORDER BY +started DESC LIMIT ?4",
            values::COLUMNS,
            values::SOURCES
        );
        let mut find = self.conn.prepare_cached(&sql)?;
        let members = self.memory.directory.json(self.conn, &trace.1, kind::MEMBERS)?;
        let mut rows = find.query(params![trace.0, key(&trace.1), until, most, members])?;
        let mut some = Vec::new();
        while let Some(row) = rows.next()? {
            let source = Source::read(row)?;
            let block = source.block;
            let value = source.value(self.conn, &blocks)?;
            let log: TraceLog = serde_json::from_str(&value.json).map_err(damaged)?;
            some.push(Doomed { log, id: value.id, block });
        }
        Ok(some)
    }

    /// Removes them, and answers the blocks that changed or went. The words of those blocks and how they were spelled
    /// stay behind: see `tidy`.
    pub(super) fn remove(&mut self, project: i64, doomed: &[Doomed]) -> rusqlite::Result<BTreeSet<i64>> {
        let mut places = Vec::with_capacity(doomed.len());
        for Doomed { log, id, block } in doomed {
            let terms = Terms::of(log);
            self.memory.vocabulary.erase(self.conn, project, *id, &terms)?;
            self.memory.vocabulary.drop_unused(self.conn, project, &terms)?;
            let (Key(root), started, status) = self
                .conn
                .prepare_cached("DELETE FROM log WHERE id = ?1 RETURNING root, started, status")?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, status_of(row.get(2)?))))?;
            self.tallies.note(-1, project, started, status);
            self.rollups.recount(project, &root);
            places.push((*id, *block));
        }
        values::remove(self.conn, &places)?;
        self.memory.loose = Loose::count(self.conn)?;
        Ok(places.into_iter().filter_map(|(_, block)| block).collect())
    }

    /// Gives back unused pages at the end of the file, at most so many; whether there are more than are worth keeping.
    pub(super) fn shrink(&self, most: i64, keep: i64) -> rusqlite::Result<bool> {
        let free: i64 = self.conn.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
        if free <= keep {
            return Ok(false);
        }
        // Each row is a page.
        let mut vacuum = self.conn.prepare(&format!("PRAGMA incremental_vacuum({})", most.min(free - keep)))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
        Ok(free - keep > most)
    }
}

/// Bytes of the file that are in use.
pub(super) fn used(conn: &rusqlite::Connection) -> rusqlite::Result<u64> {
    let number = |name: &str| conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u64>(0));
    Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?)
}

/// The arrival of the last log.
pub(super) fn last(conn: &rusqlite::Connection) -> rusqlite::Result<i64> {
    Ok(conn.query_row("SELECT max(id) FROM log", [], |row| row.get(0)).optional()?.flatten().unwrap_or(0))
}
