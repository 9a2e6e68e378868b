//! Logs with what hangs below them.

use parea_types::{EvaluationScore, TraceLog, TraceLogTree};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{ingest::damaged, lists::List};
use crate::{After, Page, tree};

/// What a whole log is read from.
pub(super) const LOG: &str = "SELECT json, parent, root, project.uuid, project.name
    FROM log JOIN doc USING (id) JOIN project ON project.id = log.project";

/// The log `?2` of project `?1` and everything below it by the links, each once even if they form a circle. `CROSS`
/// keeps SQLite from walking all logs of the project at each step.
pub(super) const BELOW: &str = "WITH RECURSIVE below (id, trace_id) AS (
        SELECT id, trace_id FROM log WHERE trace_id = ?2 AND project = ?1
        UNION
        SELECT log.id, log.trace_id FROM below CROSS JOIN log
            ON log.project = ?1 AND log.parent = below.trace_id AND log.parent <> log.trace_id
    )";

/// The logs that are [`BELOW`].
pub(super) const OF_THEM: &str = "WHERE log.id IN (SELECT id FROM below)";

/// The scores of what is [`BELOW`].
pub(super) const SCORES: &str = "SELECT scores FROM log
    WHERE id IN (SELECT id FROM below) AND trace_id <> ?2 AND scores IS NOT NULL
    ORDER BY execution_order, started, trace_id";

/// The direct children of log `?2`.
pub(super) const CHILDREN: &str = "SELECT trace_id FROM log
    WHERE project = ?1 AND parent = ?2 AND parent <> trace_id ORDER BY execution_order, started, trace_id";

/// All of a trace.
pub(super) const TRACE: &str = "WHERE log.project = ?1 AND log.root = ?2";

/// A log as it is stored, with its place and its project.
fn read(row: &Row<'_>) -> rusqlite::Result<TraceLog> {
    let json = row.get_ref(0)?.as_str()?;
    let mut log: TraceLog = serde_json::from_str(json).map_err(damaged)?;
    log.parent_trace_id = row.get(1)?;
    log.root_trace_id = row.get(2)?;
    log.project_uuid = row.get(3)?;
    log.project_name = row.get(4)?;
    Ok(log)
}

/// The newest log of that id with its tree.
pub(super) fn tree(conn: &Connection, trace_id: &str) -> rusqlite::Result<Option<TraceLogTree>> {
    let project: Option<i64> = conn
        .prepare_cached("SELECT project FROM log WHERE trace_id = ?1 ORDER BY id DESC LIMIT 1")?
        .query_row([trace_id], |row| row.get(0))
        .optional()?;
    project.map_or(Ok(None), |project| below(conn, project, trace_id))
}

/// The log of that id with its tree.
pub(super) fn below(conn: &Connection, project: i64, trace_id: &str) -> rusqlite::Result<Option<TraceLogTree>> {
    let logs: Vec<TraceLog> = conn
        .prepare_cached(&format!("{BELOW} {LOG} {OF_THEM}"))?
        .query_map(params![project, trace_id], read)?
        .collect::<Result<_, _>>()?;
    Ok(tree::grow(trace_id, logs))
}

/// All logs of a trace, as they are stored but for their latency.
pub(super) fn trace(conn: &Connection, root: &str) -> rusqlite::Result<Vec<TraceLog>> {
    let project: Option<i64> = conn
        .prepare_cached("SELECT project FROM trace WHERE root = ?1 ORDER BY id DESC LIMIT 1")?
        .query_row([root], |row| row.get(0))
        .optional()?;
    let Some(project) = project else { return Ok(Vec::new()) };
    let mut logs: Vec<TraceLog> = conn
        .prepare_cached(&format!("{LOG} {TRACE}"))?
        .query_map(params![project, root], read)?
        .collect::<Result<_, _>>()?;
    logs.sort_by(tree::in_order);
    for log in &mut logs {
        log.latency = crate::row::latency(log);
    }
    Ok(logs)
}

/// A page of logs: roots with their trees, others with their children's ids and scores.
pub(super) fn page(conn: &Connection, list: &List, after: &After, limit: u32) -> rusqlite::Result<Page<TraceLogTree>> {
    let ids = list.page(conn, after, limit)?;
    let mut place = conn.prepare_cached("SELECT project, trace_id, parent FROM log WHERE id = ?1")?;
    ids.try_map(|id| {
        let (project, trace_id, parent): (i64, String, String) =
            place.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if parent == trace_id {
            return below(conn, project, &trace_id)?.ok_or(rusqlite::Error::QueryReturnedNoRows);
        }
        let log = conn.prepare_cached(&format!("{LOG} WHERE log.id = ?1"))?.query_row([id], read)?;
        let scores = scores_below(conn, project, &log)?;
        let log = tree::fill(log, children(conn, project, &trace_id)?, scores);
        Ok(TraceLogTree { log, children_logs: Vec::new() })
    })
}

fn children(conn: &Connection, project: i64, trace_id: &str) -> rusqlite::Result<Vec<String>> {
    conn.prepare_cached(CHILDREN)?.query_map(params![project, trace_id], |row| row.get(0))?.collect()
}

/// What [`tree::grow`] copies to a log, without reading the logs below it.
fn scores_below(conn: &Connection, project: i64, log: &TraceLog) -> rusqlite::Result<Vec<EvaluationScore>> {
    let mut find = conn.prepare_cached(&format!("{BELOW} {SCORES}"))?;
    let mut rows = find.query(params![project, log.trace_id])?;
    let mut copies = Vec::new();
    while let Some(row) = rows.next()? {
        let json = row.get_ref(0)?.as_str()?;
        let scores: Vec<EvaluationScore> = serde_json::from_str(json).map_err(damaged)?;
        copies.extend(tree::not_in(&scores, log.scores.as_deref()));
    }
    Ok(copies)
}
