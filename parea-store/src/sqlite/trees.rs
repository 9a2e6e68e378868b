//! Logs with what hangs below them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use parea_types::{EvaluationScore, Timestamp, TraceLog, TraceLogTree};
use rusqlite::{Connection, OptionalExtension, Params, params};

use super::{
    directory::{kind, linked},
    ingest::damaged,
    key::{Key, key},
    lists::List,
    values::{Blocks, Source, WIDTH},
};
use crate::{After, Cursor, Page, row::json, tree};

/// Bytes of JSON after which a page ends early: what hangs below its rows is looked up once for the whole page, so the
/// longer it is the better, but all of it is in memory.
const ENOUGH: usize = 4 << 20;

/// What a whole log is read from: [`COLUMNS`](values::COLUMNS) and [`SOURCES`](values::SOURCES) with its place and its
/// project. `CROSS` keeps the tables in this order.
pub(super) const LOG: &str = "SELECT log.id, log.block, doc.stamps, doc.json, late.said, parent, root,
    project.uuid, project.name
    FROM log LEFT JOIN doc ON doc.id = log.id LEFT JOIN late ON late.log = log.id CROSS JOIN project ON project.id = log.project";

/// From rows of [`below`] to those whose parents they are. `CROSS` keeps SQLite from walking all logs at each step.
fn step() -> String {
    format!(
        "SELECT log.id, log.trace_id FROM below CROSS JOIN log ON log.id IN ({}) AND +log.project = ?1
            AND +log.parent = below.trace_id AND log.parent <> log.trace_id",
        linked("below.trace_id", kind::CHILDREN)
    )
}

/// The log `?2` of project `?1` and everything below it by the links, each once even if they form a circle.
pub(super) static BELOW: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH RECURSIVE below (id, trace_id) AS (
            SELECT id, trace_id FROM log WHERE id IN ({}) AND trace_id = ?2 AND +project = ?1 UNION {}
        ) {LOG} WHERE log.id IN (SELECT id FROM below)",
        linked("?2", kind::OWN),
        step()
    )
});

/// Everything that hangs below the logs whose ids are in the JSON array `?2`, themselves included, as links and scores.
pub(super) static LINKS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH RECURSIVE below (id, trace_id) AS (
            SELECT log.id, log.trace_id FROM json_each(?2) wanted CROSS JOIN log ON log.id IN ({})
                AND +log.trace_id = key_of(wanted.value) AND +log.project = ?1
            UNION {}
        )
        SELECT log.trace_id, parent, scores FROM below CROSS JOIN log ON log.id = below.id
        ORDER BY execution_order, started, id_of(log.trace_id)",
        linked("wanted.value", kind::OWN),
        step()
    )
});

/// The direct children of log `?2`.
pub(super) static CHILDREN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT trace_id FROM log WHERE id IN ({}) AND +project = ?1 AND parent = ?2 AND parent <> trace_id
        ORDER BY execution_order, started, id_of(trace_id)",
        linked("?2", kind::CHILDREN)
    )
});

/// All of trace `?2`.
pub(super) static TRACE: LazyLock<String> = LazyLock::new(|| {
    format!("{LOG} WHERE log.id IN ({}) AND +log.project = ?1 AND log.root = ?2", linked("?2", kind::MEMBERS))
});

/// The project of the newest log `?1`.
static NEWEST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT project FROM log WHERE id IN ({}) AND trace_id = ?1 ORDER BY +id DESC LIMIT 1",
        linked("?1", kind::OWN)
    )
});
/// The logs that `sql` finds by [`LOG`], as they are stored, with their places and projects. Their sizes are added to
/// `size`.
pub(super) fn logs(
    conn: &Connection,
    blocks: &Blocks,
    sql: &str,
    values: impl Params,
    size: &mut usize,
) -> rusqlite::Result<Vec<TraceLog>> {
    let mut find = conn.prepare_cached(sql)?;
    let mut rows = find.query(values)?;
    let mut logs = Vec::new();
    while let Some(row) = rows.next()? {
        let value = Source::read(row)?.value(conn, blocks)?;
        *size += value.json.len();
        let mut log: TraceLog = serde_json::from_str(&value.json).map_err(damaged)?;
        log.parent_trace_id = Some(row.get::<_, Key>(WIDTH)?.0);
        log.root_trace_id = Some(row.get::<_, Key>(WIDTH + 1)?.0);
        log.project_uuid = row.get(WIDTH + 2)?;
        log.project_name = row.get(WIDTH + 3)?;
        logs.push(log);
    }
    Ok(logs)
}

/// The newest log of that id with its tree.
pub(super) fn tree(conn: &Connection, trace_id: &str) -> rusqlite::Result<Option<TraceLogTree>> {
    let project: Option<i64> = conn.prepare_cached(&NEWEST)?.query_row([key(trace_id)], |row| row.get(0)).optional()?;
    project.map_or(Ok(None), |project| below(conn, &Blocks::default(), project, trace_id, &mut 0))
}

/// The log of that id with its tree, whose size is added to `size`.
pub(super) fn below(
    conn: &Connection,
    blocks: &Blocks,
    project: i64,
    trace_id: &str,
    size: &mut usize,
) -> rusqlite::Result<Option<TraceLogTree>> {
    Ok(tree::grow(trace_id, logs(conn, blocks, &BELOW, params![project, key(trace_id)], size)?))
}

/// All logs of a trace, as they are stored but for their latency.
pub(super) fn trace(conn: &Connection, root: &str) -> rusqlite::Result<Vec<TraceLog>> {
    let project: Option<i64> = conn
        .prepare_cached("SELECT project FROM trace WHERE root = ?1 ORDER BY id DESC LIMIT 1")?
        .query_row([key(root)], |row| row.get(0))
        .optional()?;
    project.map_or_else(|| Ok(Vec::new()), |project| whole(conn, project, root))
}

/// The same in one project.
pub(super) fn whole(conn: &Connection, project: i64, root: &str) -> rusqlite::Result<Vec<TraceLog>> {
    let mut logs = logs(conn, &Blocks::default(), &TRACE, params![project, key(root)], &mut 0)?;
    logs.sort_by(tree::in_order);
    for log in &mut logs {
        log.latency = crate::row::latency(log);
    }
    Ok(logs)
}

/// A page of logs: roots with their trees, others with their children's ids and scores. May end early, at a row behind
/// which it goes on.
pub(super) fn page(conn: &Connection, list: &List, after: &After, limit: u32) -> rusqlite::Result<Page<TraceLogTree>> {
    let ids = list.page(conn, after, limit)?;
    let mut place = conn.prepare_cached("SELECT project, trace_id, parent, started FROM log WHERE id = ?1")?;
    let own = format!("{LOG} WHERE log.id = ?1");
    let blocks = Blocks::default();
    let mut rows = Vec::new();
    // Those that are no roots, by project: their places among the rows.
    let mut inner: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    let (mut size, mut next) = (0, ids.next);
    for (number, id) in ids.rows.iter().enumerate() {
        let (project, Key(trace_id), Key(parent), started): (i64, Key, Key, i64) =
            place.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        if parent == trace_id {
            let tree = below(conn, &blocks, project, &trace_id, &mut size)?;
            rows.push(tree.ok_or(rusqlite::Error::QueryReturnedNoRows)?);
        } else {
            let log = logs(conn, &blocks, &own, [id], &mut size)?.pop();
            let log = log.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            inner.entry(project).or_default().push(rows.len());
            rows.push(TraceLogTree { log, children_logs: Vec::new() });
        }
        if size > ENOUGH && number + 1 < ids.rows.len() {
            next = Some(Cursor { started: Timestamp::from_micros(started).unwrap_or_default(), id: trace_id });
            break;
        }
    }
    for (project, places) in inner {
        let wanted = places.iter().map(|place| rows[*place].log.trace_id.as_str());
        let mut copies = scores_below(conn, project, &wanted.collect::<Vec<_>>())?.into_iter();
        for place in places {
            let log = std::mem::take(&mut rows[place].log);
            let own = log.scores.clone().unwrap_or_default();
            let copies = copies.next().unwrap_or_default();
            let children = children(conn, project, &log.trace_id)?;
            rows[place].log = tree::fill(log, children, tree::not_in(&copies, Some(&own)).collect());
        }
    }
    Ok(Page { rows, next })
}

fn children(conn: &Connection, project: i64, trace_id: &str) -> rusqlite::Result<Vec<String>> {
    conn.prepare_cached(&CHILDREN)?
        .query_map(params![project, key(trace_id)], |row| row.get(0))?
        .map(|id| id.map(|Key(id)| id))
        .collect()
}

/// For each of the logs, none of them a root, the scores of what hangs below it, in execution order. What hangs below
/// several of them, as on a chain, is read once.
fn scores_below(conn: &Connection, project: i64, wanted: &[&str]) -> rusqlite::Result<Vec<Vec<EvaluationScore>>> {
    let mut find = conn.prepare_cached(&LINKS)?;
    let (mut ids, mut parents, mut scores) = (Vec::new(), Vec::new(), Vec::new());
    let mut rows = find.query(params![project, json(wanted)])?;
    while let Some(row) = rows.next()? {
        ids.push(row.get::<_, Key>(0)?.0);
        parents.push(row.get::<_, Key>(1)?.0);
        let own: Option<&str> = row.get_ref(2)?.as_str_or_null()?;
        let own: Vec<EvaluationScore> = own.map_or_else(|| Ok(Vec::new()), serde_json::from_str).map_err(damaged)?;
        scores.push(own);
    }
    let places: HashMap<&str, usize> = ids.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
    let parents: Vec<Option<usize>> = parents.iter().map(|parent| places.get(parent.as_str()).copied()).collect();
    let mut asked = vec![None; ids.len()];
    for (number, id) in wanted.iter().enumerate() {
        if let Some(place) = places.get(id) {
            asked[*place] = Some(number);
        }
    }
    let levels = tree::levels(scores.iter().map(Vec::len).enumerate(), &parents);
    let mut copies = vec![Vec::new(); wanted.len()];
    // By which log each was passed last.
    let mut passed = vec![usize::MAX; ids.len()];
    for (place, scores) in scores.iter().enumerate().filter(|(_, scores)| !scores.is_empty()) {
        passed[place] = place;
        for ancestor in tree::above(place, &parents, levels, None) {
            // Parents may form a circle.
            if std::mem::replace(&mut passed[ancestor], place) == place {
                break;
            }
            if let Some(number) = asked[ancestor] {
                copies[number].extend_from_slice(scores);
            }
        }
    }
    Ok(copies)
}
