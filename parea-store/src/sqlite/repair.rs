//! What follows from the logs, made anew from them.

use std::{collections::BTreeSet, path::Path};

use parea_types::TraceLog;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{
    SqliteStore,
    block::{Opened, Value},
    check,
    directory::{self, kind},
    ingest::{Ingest, Memory},
    job::Facts,
    key::{Key, key},
    open::{self, Folder, OpenError},
    pack,
    removal::Trace,
    salvage, tallies,
    terms::{Terms, Vocabulary},
    values::{self, Blocks, Source},
};

impl SqliteStore {
    /// Makes anew what follows from the logs of a folder that no server holds: their rows, the sums of traces, what logs
    /// are looked up by, the index of words, the counts. A value whose row is lost gets one again, in the project of its
    /// trace, or in one named `recovered`. The values themselves stay as they are. All of it or nothing; takes some seconds
    /// for each hundred thousand logs.
    pub fn repair(dir: &Path) -> Result<(), OpenError> {
        open::existing(dir)?;
        let folder = Folder::lock(dir)?;
        let mut conn = open::writer(&folder.file)?;
        rebuild(&mut conn).map_err(|error| open::refusal(&folder.file, &error))
    }
}

pub(super) fn rebuild(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch("REINDEX")?;
    directory::rebuild(&tx)?;
    counts(&tx)?;
    let mut memory = Memory::default();
    let mut ingest = Ingest::new(&tx, &mut memory)?;
    singles(&mut ingest)?;
    blocks(&mut ingest)?;
    rows(&mut ingest)?;
    ingest.finish()?;
    // With the rows that came back.
    directory::rebuild(&tx)?;
    tallies::rebuild(&tx)?;
    words(&tx)?;
    let damaged = terms(&tx)?;
    let mut memory = Memory::default();
    let mut ingest = Ingest::new(&tx, &mut memory)?;
    for sql in ["SELECT project, root FROM trace", "SELECT DISTINCT project, root FROM log"] {
        let mut find = tx.prepare(sql)?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let trace = (row.get(0)?, row.get::<_, Key>(1)?.0);
            if !damaged.contains(&trace) {
                ingest.rollups.recount(trace.0, &trace.1);
            }
        }
    }
    ingest.finish()?;
    damaged.iter().try_for_each(|(project, id)| sums(&tx, *project, id))?;
    tx.commit()?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// New logs and words come behind all that there are.
fn counts(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "INSERT INTO history (arrivals, words) SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM history);
         UPDATE history SET
            arrivals = max(arrivals, (SELECT coalesce(max(id), 0) FROM log), (SELECT coalesce(max(id), 0) FROM doc),
                (SELECT coalesce(max(id) >> 8, 0) FROM block)),
            words = max(words, (SELECT coalesce(max(id), 0) FROM word));
         INSERT OR IGNORE INTO project (id, uuid, name, placeholder, created)
            SELECT DISTINCT project, 'recovered-' || project, 'recovered-' || project, 1, 0 FROM log",
    )
}

/// Values that stand alone: each has a row, and names its block.
fn singles(ingest: &mut Ingest<'_>) -> rusqlite::Result<()> {
    let lost: Vec<(i64, String)> = ingest
        .conn
        .prepare("SELECT id, json FROM doc WHERE id NOT IN (SELECT id FROM log)")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, json) in lost {
        if !recover(ingest, id, &json, None)? {
            ingest.conn.execute("DELETE FROM doc WHERE id = ?1", [id])?;
        }
    }
    ingest.conn.execute_batch(
        "UPDATE doc SET block = (SELECT block FROM log WHERE log.id = doc.id)
         WHERE iif(block > 0, block, NULL) IS NOT (SELECT block FROM log WHERE log.id = doc.id);
         UPDATE log SET plain = NULL WHERE block IS NULL",
    )
}

/// Blocks that can be read hold what is theirs: values without a row get one, those of other blocks' logs go.
fn blocks(ingest: &mut Ingest<'_>) -> rusqlite::Result<()> {
    let ids: Vec<i64> = ingest
        .conn
        .prepare("SELECT id FROM block ORDER BY id")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for block in ids {
        let Some(opened) = open_block(ingest.conn, block)? else { continue };
        let mut own = Vec::new();
        let mut is_changed = false;
        for (id, stamps, json) in opened.values() {
            let owner = ingest
                .conn
                .prepare_cached("SELECT block FROM log WHERE id = ?1")?
                .query_row([id], |row| row.get::<_, Option<i64>>(0))
                .optional()?;
            let is_own = match owner {
                Some(owner) => owner == Some(block),
                None => recover(ingest, id, json, Some(block))?,
            };
            is_changed |= !is_own;
            if is_own {
                own.push(Value { id, stamps: stamps.map(ToOwned::to_owned), json: json.to_owned() });
            }
        }
        if is_changed {
            values::replace(ingest.conn, block, &own)?;
        }
        values::mark(ingest.conn, &own)?;
    }
    // What was said later is kept of those that are there alone.
    ingest.conn.execute_batch(
        "DELETE FROM late WHERE log IN (SELECT id FROM doc) OR log NOT IN (SELECT id FROM log WHERE block IS NOT NULL);
         UPDATE late SET block = (SELECT block FROM log WHERE log.id = late.log)",
    )
}

/// A block, if it can be read.
fn open_block(conn: &Connection, block: i64) -> rusqlite::Result<Option<Opened>> {
    conn.prepare_cached("SELECT first, data FROM block WHERE id = ?1")?
        .query_row([block], |row| Ok(Opened::read(row.get(0)?, row.get_ref(1)?.as_blob()?).ok()))
}

/// Gives a value its row again, unless there is that log already, or it is none.
fn recover(ingest: &mut Ingest<'_>, id: i64, json: &str, block: Option<i64>) -> rusqlite::Result<bool> {
    let Ok(log) = serde_json::from_str::<TraceLog>(json) else { return Ok(false) };
    let root = log.root_trace_id.as_ref().unwrap_or(&log.trace_id);
    let mates = ingest.memory.directory.json(ingest.conn, root, kind::MEMBERS | kind::CHILDREN)?;
    let mate: Option<i64> = ingest
        .conn
        .prepare_cached(
            "SELECT project FROM log WHERE id IN (SELECT value FROM json_each(?2)) AND (root = ?1 OR parent = ?1) LIMIT 1",
        )?
        .query_row(params![key(root), mates], |row| row.get(0))
        .optional()?;
    let project = match mate {
        Some(project) => project,
        None => only_project(ingest)?,
    };
    let own = ingest.memory.directory.json(ingest.conn, &log.trace_id, kind::OWN)?;
    let taken = ingest
        .conn
        .prepare_cached(
            "SELECT 1 FROM log WHERE id IN (SELECT value FROM json_each(?3)) AND trace_id = ?1 AND +project = ?2",
        )?
        .exists(params![key(&log.trace_id), project, own])?;
    if !taken {
        ingest.insert(project, id, &Facts::of(&log), block)?;
    }
    Ok(!taken)
}

/// Where a log goes whose project cannot be told: the only one that there is, or one of its own.
fn only_project(ingest: &mut Ingest<'_>) -> rusqlite::Result<i64> {
    let (count, first): (i64, Option<i64>) =
        ingest.conn.query_row("SELECT count(*), min(id) FROM project", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    match first {
        Some(first) if count == 1 => Ok(first),
        _ => ingest.project_of(None, Some("recovered")),
    }
}

/// Each log's row is that of its value, where that can be read.
fn rows(ingest: &mut Ingest<'_>) -> rusqlite::Result<()> {
    let blocks = Blocks::default();
    let mut wrong = Vec::new();
    {
        let sql = format!(
            "SELECT {}, project, trace_id, {} FROM {} ORDER BY log.id",
            values::COLUMNS,
            check::ROW,
            values::SOURCES
        );
        let mut read = ingest.conn.prepare(&sql)?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let Some((id, log)) = readable(ingest.conn, row, &blocks)? else { continue };
            let is_own = row.get(values::WIDTH + 1).map(|Key(trace_id)| trace_id == log.trace_id);
            let is_right = match is_own.and_then(|is_own| Ok(is_own && check::is_row(row, values::WIDTH + 2, &log)?)) {
                Err(error) if salvage::is_damage(&error) => false,
                said => said?,
            };
            if !is_right {
                wrong.push((row.get(values::WIDTH)?, id, log));
            }
        }
    }
    for (project, id, log) in wrong {
        ingest
            .conn
            .prepare_cached("UPDATE log SET trace_id = ?2 WHERE id = ?1")?
            .execute(params![id, key(&log.trace_id)])?;
        ingest.replace(project, id, &log, None)?;
    }
    let runs: Vec<(i64, String)> = ingest
        .conn
        .prepare("SELECT DISTINCT project, experiment FROM log WHERE experiment IS NOT NULL")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    runs.into_iter().try_for_each(|(project, run)| ingest.name_experiment(project, &run))
}

/// A log with its value, unless that is damaged.
pub(super) fn readable(
    conn: &Connection,
    row: &rusqlite::Row<'_>,
    blocks: &Blocks,
) -> rusqlite::Result<Option<(i64, TraceLog)>> {
    match Source::read(row).and_then(|source| source.value(conn, blocks)) {
        Ok(value) => Ok(serde_json::from_str(&value.json).ok().map(|log| (value.id, log))),
        // That of the engine itself is more than a value.
        Err(error) if salvage::is_damage(&error) && error.sqlite_error_code().is_none() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The words of every block that can be read.
fn words(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("DELETE FROM word_list; DELETE FROM slab; DELETE FROM posting; DELETE FROM spelling")?;
    pack::note_words(conn, |_| true)
}

/// What logs are looked up by. Answers those whose values cannot be read.
fn terms(conn: &Connection) -> rusqlite::Result<BTreeSet<Trace>> {
    conn.execute_batch("DELETE FROM term; DELETE FROM score; DELETE FROM word")?;
    let mut vocabulary = Vocabulary::default();
    let blocks = Blocks::default();
    let sql = format!("SELECT {}, project, trace_id FROM {} ORDER BY log.id", values::COLUMNS, values::SOURCES);
    let mut read = conn.prepare(&sql)?;
    let mut rows = read.query([])?;
    let mut damaged = BTreeSet::new();
    while let Some(row) = rows.next()? {
        match readable(conn, row, &blocks)? {
            Some((id, log)) => vocabulary.write(conn, row.get(values::WIDTH)?, id, &Terms::of(&log))?,
            None => {
                damaged.insert((row.get(values::WIDTH)?, row.get::<_, Key>(values::WIDTH + 1)?.0));
            }
        }
    }
    conn.execute("UPDATE history SET words = ?1", [vocabulary.count])?;
    Ok(damaged)
}

/// The sums of a trace whose root cannot be read, without what lists show of it.
fn sums(conn: &Connection, project: i64, root: &str) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM trace WHERE project = ?1 AND root = ?2")?.execute(params![project, key(root)])?;
    conn.prepare_cached(
        "INSERT INTO trace (project, root, started, spans, errors, input_tokens, output_tokens, total_tokens, cost, has_root)
         SELECT project, root, min(started), count(*), total(status = 2), total(input_tokens), total(output_tokens),
            total(total_tokens), sum(cost), 1
         FROM log WHERE project = ?1 AND root = ?2 GROUP BY project, root",
    )?
    .execute(params![project, key(root)])?;
    Ok(())
}
