//! Logs that are to be gone for good: from the tables, the indexes, the words, and from the file's unused parts.

use std::{collections::BTreeSet, path::Path};

use parea_types::{Timestamp, TraceLog};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{
    SqliteStore,
    ingest::{Ingest, Memory, damaged},
    key::{Key, key},
    open::{self, Folder, OpenError},
    repair,
    values::{self, Blocks, Source},
};

/// What is to go. Traces go as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Erasure {
    /// The trace that has a log of this id, in every project.
    Trace(String),
    /// All traces in which a log names this end user.
    User(String),
    /// All of a project: its logs, its runs of experiments, its figures. The name stays, so that clients who still have
    /// logs of it are known to send what was erased. Datasets belong to no project.
    Project(String),
    /// Traces that started before this moment. Those of experiments stay, and those that people judged or commented;
    /// and they may come again, for they are not erased but forgotten.
    Before(Timestamp),
}

/// The logs of traces that started before `?1`.
const OLD: &str = "(log.project, log.root) IN (SELECT project, root FROM trace WHERE started < ?1)";

/// A trace by its project and root.
type Trace = (i64, String);

impl SqliteStore {
    /// Erases logs from a folder that no server holds, and answers how many. When this returns nothing of them is left
    /// in the file, nor beside it; their ids alone are kept, so that they are not taken in again. Copies of the file
    /// are not reached. The whole file is written anew, which takes some seconds for each hundred thousand logs.
    pub fn erase(dir: &Path, what: &Erasure) -> Result<u64, OpenError> {
        let folder = Folder::lock(dir)?;
        let mut conn = open::writer(&folder.file)?;
        erase(&mut conn, what).map_err(|error| open::refusal(&folder.file, &error))
    }
}

fn erase(conn: &mut Connection, what: &Erasure) -> rusqlite::Result<u64> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let traces = find(&tx, what)?;
    let mut memory = Memory::default();
    let mut ingest = Ingest::new(&tx, &mut memory)?;
    let mut count = 0;
    for (project, root) in &traces {
        let gone = ingest.remove_logs(*project, root, "1")?;
        count += gone.len() as u64;
        if matches!(what, Erasure::Before(_)) {
            continue;
        }
        for id in gone.iter().chain([root]) {
            tx.prepare_cached("INSERT OR IGNORE INTO erased (id, project) VALUES (?1, ?2)")?
                .execute(params![key(id), project])?;
            tx.prepare_cached("DELETE FROM pending WHERE trace_id = ?1")?.execute([id])?;
        }
    }
    ingest.finish()?;
    if let Erasure::Project(name) = what {
        let project: Option<i64> =
            tx.query_row("SELECT id FROM project WHERE name = ?1", [name], |row| row.get(0)).optional()?;
        for table in ["experiment", "loss", "unsampled"] {
            tx.execute(&format!("DELETE FROM {table} WHERE project = ?1"), [project])?;
        }
    }
    tx.execute_batch("DELETE FROM word WHERE id NOT IN (SELECT word FROM term UNION ALL SELECT word FROM score)")?;
    repair::words(&tx)?;
    tx.commit()?;
    // Without the pages and the parts of pages that are no longer in use.
    conn.execute_batch("VACUUM")?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(count)
}

fn find(conn: &Connection, what: &Erasure) -> rusqlite::Result<BTreeSet<Trace>> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Key>(1)?.0));
    match what {
        Erasure::Trace(id) => conn
            .prepare("SELECT project, root FROM log WHERE trace_id = ?1 OR root = ?1")?
            .query_map([key(id)], read)?
            .collect(),
        Erasure::Project(name) => conn
            .prepare("SELECT project, root FROM log WHERE project = (SELECT id FROM project WHERE name = ?1)")?
            .query_map([name], read)?
            .collect(),
        Erasure::User(user) => having(conn, "1", [], |log| log.end_user_identifier.as_ref() == Some(user)),
        Erasure::Before(moment) => {
            let mut traces: BTreeSet<Trace> = conn
                .prepare("SELECT project, root FROM trace WHERE started < ?1")?
                .query_map([moment.micros()], read)?
                .collect::<Result<_, _>>()?;
            for kept in having(conn, OLD, [moment.micros()], is_kept)? {
                traces.remove(&kept);
            }
            Ok(traces)
        }
    }
}

/// Whether someone may come back to it.
fn is_kept(log: &TraceLog) -> bool {
    log.experiment_uuid.is_some()
        || log.annotations.is_some()
        || log.feedback_score.is_some()
        || log.comments.as_ref().is_some_and(|comments| !comments.is_empty())
}

/// Traces with such a log.
fn having(
    conn: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
    is_wanted: impl Fn(&TraceLog) -> bool,
) -> rusqlite::Result<BTreeSet<Trace>> {
    let blocks = Blocks::default();
    let sql =
        format!("SELECT {}, project, root FROM {} WHERE {condition} ORDER BY log.id", values::COLUMNS, values::SOURCES);
    let mut read = conn.prepare(&sql)?;
    let mut rows = read.query(values)?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let value = Source::read(row)?.value(conn, &blocks)?;
        let log: TraceLog = serde_json::from_str(&value.json).map_err(damaged)?;
        if is_wanted(&log) {
            found.insert((row.get(4)?, row.get::<_, Key>(5)?.0));
        }
    }
    Ok(found)
}

/// How many ids are kept of what was erased.
pub(super) fn count(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT count(*) FROM (SELECT 1 FROM erased LIMIT 1)", [], |row| row.get(0))
}

impl Ingest<'_> {
    /// Whether one of these ids was erased, in a project or in any.
    pub(super) fn is_erased(&self, project: Option<i64>, ids: &[&str]) -> rusqlite::Result<bool> {
        if self.memory.erased == 0 {
            return Ok(false);
        }
        let mut find =
            self.conn.prepare_cached("SELECT 1 FROM erased WHERE id = ?1 AND (?2 IS NULL OR project = ?2)")?;
        for id in ids {
            if find.exists(params![key(id), project])? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
