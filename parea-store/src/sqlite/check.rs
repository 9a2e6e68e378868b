//! What SQLite's own check cannot see: whether the tables agree with one another.

use std::collections::HashSet;

use parea_types::TraceLog;
use rusqlite::Connection;

use super::{
    block::{Opened, Words},
    index,
    values::{self, Blocks, Source},
};
use crate::row::Row;

/// Statements that find nothing in a sound file, and what it means if they do. Each row is an example.
const RULES: &[(&str, &str)] = &[
    (
        "the sums of a trace are not those of its logs",
        "SELECT trace.id FROM trace LEFT JOIN (
            SELECT project, root, count(*) AS spans, total(status = 2) AS errors, total(input_tokens) AS input,
                total(output_tokens) AS output, total(total_tokens) AS total, min(started) AS started
            FROM log GROUP BY project, root
        ) own ON own.project = trace.project AND own.root = trace.root
        WHERE trace.spans IS NOT own.spans OR trace.errors IS NOT own.errors OR trace.input_tokens IS NOT own.input
            OR trace.output_tokens IS NOT own.output OR trace.total_tokens IS NOT own.total
            OR trace.started IS NOT own.started",
    ),
    (
        "a log has no trace",
        "SELECT log.id FROM log LEFT JOIN trace ON trace.root = log.root AND trace.project = log.project
        WHERE trace.id IS NULL",
    ),
    ("a value has no log", "SELECT doc.id FROM doc LEFT JOIN log ON log.id = doc.id WHERE log.id IS NULL"),
    (
        "a value and its log disagree on their block",
        "SELECT doc.id FROM doc JOIN log ON log.id = doc.id
        WHERE iif(doc.block > 0, doc.block, NULL) IS NOT log.block",
    ),
    (
        "a word leads to no log",
        "SELECT term.log FROM term LEFT JOIN log ON log.id = term.log
        WHERE log.id IS NULL OR log.started <> term.started",
    ),
    (
        "a score leads to no log",
        "SELECT score.log FROM score LEFT JOIN log ON log.id = score.log
        WHERE log.id IS NULL OR log.started <> score.started",
    ),
    (
        "a log's project is missing",
        "SELECT log.id FROM log LEFT JOIN project ON project.id = log.project
        WHERE project.id IS NULL",
    ),
    (
        "a row of a dataset has no dataset",
        "SELECT test_case.id FROM test_case LEFT JOIN dataset ON dataset.id = dataset
        WHERE dataset.id IS NULL",
    ),
];

/// Faults, at most so many.
pub(super) fn faults(conn: &Connection, most: usize) -> rusqlite::Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut check = conn.prepare("PRAGMA integrity_check")?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let said: String = row.get(0)?;
        if said != "ok" {
            faults.push(said);
        }
    }
    for (meaning, sql) in RULES {
        let mut find = conn.prepare(&format!("{sql} LIMIT {}", most.max(1)))?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            faults.push(format!("{meaning} (row {})", row.get::<_, i64>(0)?));
        }
    }
    blocks(conn, most, &mut faults)?;
    logs(conn, most, &mut faults)?;
    faults.truncate(most);
    Ok(faults)
}

/// Each block can be read, is that of its logs, and is found by all of its words.
fn blocks(conn: &Connection, most: usize, faults: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut read = conn.prepare("SELECT id, first, data FROM block ORDER BY id")?;
    let mut owner = conn.prepare("SELECT block FROM log WHERE id = ?1")?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        if faults.len() >= most {
            break;
        }
        let id: i64 = row.get(0)?;
        let opened = match Opened::read(row.get(1)?, row.get_ref(2)?.as_blob()?) {
            Ok(opened) => opened,
            Err(error) => {
                faults.push(format!("block {id}: {error}"));
                continue;
            }
        };
        let mut pieces = Vec::new();
        for (log, _, json) in opened.values() {
            if owner.query_row([log], |row| row.get::<_, Option<i64>>(0)).ok().flatten() != Some(id) {
                faults.push(format!("block {id} holds log {log}, which is not its own"));
            }
            pieces.extend(values::pieces(json));
        }
        let words = Words::of(pieces.iter());
        let missing = index::missing(conn, id, &words.hashes)?;
        if missing > 0 {
            faults.push(format!("block {id} is not found by {missing} of its words"));
        }
    }
    Ok(())
}

/// Each log's value can be read and is what its row says.
fn logs(conn: &Connection, most: usize, faults: &mut Vec<String>) -> rusqlite::Result<()> {
    let sql = format!("SELECT {}, started, scores FROM {} ORDER BY log.id", values::COLUMNS, values::SOURCES);
    let mut read = conn.prepare(&sql)?;
    let mut rows = read.query([])?;
    let blocks = Blocks::default();
    let mut broken = HashSet::new();
    while let Some(row) = rows.next()? {
        if faults.len() >= most {
            break;
        }
        let source = Source::read(row)?;
        let (id, block) = (source.id, source.block);
        if block.is_some_and(|block| broken.contains(&block)) {
            continue;
        }
        match source.value(conn, &blocks).map(|value| serde_json::from_str::<TraceLog>(&value.json)) {
            Err(error) => {
                faults.push(format!("log {id}: {error}"));
                broken.extend(block);
            }
            Ok(Err(error)) => faults.push(format!("log {id}: its value cannot be read: {error}")),
            Ok(Ok(log)) => {
                let said = Row::of(&log);
                if said.started != row.get::<_, i64>(4)? || said.scores != row.get::<_, Option<String>>(5)? {
                    faults.push(format!("log {id}: its row is not that of its value"));
                }
            }
        }
    }
    Ok(())
}
