//! One row for each trace: what its logs sum up to, and what a list shows of its root.

use std::{
    collections::{BTreeMap, HashSet},
    sync::LazyLock,
};

use parea_types::{EvaluationScore, Status, Timestamp, TraceLog};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    directory::{Directory, kind, linked},
    ingest::{damaged, status_code, status_of},
    job::Facts,
    key::{Key, key},
    lists::List,
    values::{self, Blocks, COLUMNS, SOURCES, Source, WIDTH},
};
use crate::{
    After, Page, TraceSummary,
    row::{self, Head, Row},
    tree,
};

/// The sums of trace `?2`, whose logs are among the rows of the JSON array `?3`.
pub(super) const COUNT: &str = "SELECT min(started), count(*), total(status = 2), total(input_tokens),
    total(output_tokens), total(total_tokens), sum(cost)
    FROM log WHERE id IN (SELECT value FROM json_each(?3)) AND +project = ?1 AND root = ?2 HAVING count(*) > 0";

/// All scores of trace `?2`.
pub(super) static SCORES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT trace_id, scores FROM log WHERE id IN ({}) AND +project = ?1 AND root = ?2 AND scores IS NOT NULL
        ORDER BY execution_order, started, id_of(trace_id)",
        linked("?2", kind::MEMBERS)
    )
});

/// Changes of one transaction, gathered so that each trace is written once.
#[derive(Debug, Default)]
pub(super) struct Rollups {
    added: BTreeMap<(i64, String), Sums>,
    /// Traces to be counted anew: a log of theirs changed or moved.
    recounted: HashSet<(i64, String)>,
}

#[derive(Debug)]
struct Sums {
    started: i64,
    spans: i64,
    errors: i64,
    input_tokens: i64,
    output_tokens: i64,
    total_tokens: i64,
    cost: Option<f64>,
    head: Option<Head>,
}

impl Sums {
    fn from(started: i64) -> Self {
        Self {
            started,
            spans: 0,
            errors: 0,
            input_tokens: 0,
            output_tokens: 0,
            total_tokens: 0,
            cost: None,
            head: None,
        }
    }

    fn add(&mut self, row: &Row) {
        self.started = self.started.min(row.started);
        self.spans += 1;
        self.errors += i64::from(row.status == Some(Status::Error));
        self.input_tokens += row.input_tokens;
        self.output_tokens += row.output_tokens;
        self.total_tokens += row.total_tokens;
        if let Some(cost) = row.cost {
            *self.cost.get_or_insert(0.0) += cost;
        }
    }
}

impl Rollups {
    /// A new log.
    pub(super) fn add(&mut self, project: i64, root: &str, facts: &Facts) {
        if let Some(sums) = self.sums(project, root, facts.row.started) {
            sums.add(&facts.row);
            if facts.head.is_some() {
                sums.head.clone_from(&facts.head);
            }
        }
    }

    /// A log that changed in nothing that is summed up.
    pub(super) fn change(&mut self, project: i64, root: &str, log: &TraceLog) {
        if log.trace_id == root
            && let Some(sums) = self.sums(project, root, log.start_timestamp.micros())
        {
            sums.head = Some(Head::of(log));
        }
    }

    /// What is added to a trace; `None` when it is counted anew anyway.
    fn sums(&mut self, project: i64, root: &str, started: i64) -> Option<&mut Sums> {
        let key = (project, root.to_owned());
        if self.recounted.contains(&key) {
            return None;
        }
        Some(self.added.entry(key).or_insert_with(|| Sums::from(started)))
    }

    /// The traces that changed.
    pub(super) fn touched(&self) -> Vec<(i64, String)> {
        self.added.keys().chain(&self.recounted).cloned().collect()
    }

    /// A trace of which a log changed, came from elsewhere or went there.
    pub(super) fn recount(&mut self, project: i64, root: &str) {
        let key = (project, root.to_owned());
        self.added.remove(&key);
        self.recounted.insert(key);
    }

    pub(super) fn write(self, conn: &Connection, directory: &Directory) -> rusqlite::Result<()> {
        for ((project, root), sums) in &self.added {
            merge(conn, None, *project, root, sums)?;
        }
        for (project, root) in &self.recounted {
            let id = conn
                .prepare_cached("DELETE FROM trace WHERE project = ?1 AND root = ?2 RETURNING id")?
                .query_row(params![project, key(root)], |row| row.get(0))
                .optional()?;
            if let Some(sums) = count(conn, directory, *project, root)? {
                merge(conn, id, *project, root, &sums)?;
            }
        }
        Ok(())
    }
}

/// Adds to the row of a trace, or makes it, with that row id if it had one.
fn merge(conn: &Connection, id: Option<i64>, project: i64, root: &str, sums: &Sums) -> rusqlite::Result<()> {
    let head = sums.head.as_ref();
    conn.prepare_cached(
        "INSERT INTO trace (project, root, started, spans, errors, input_tokens, output_tokens, total_tokens, cost,
            has_root, status, latency, name, session_id, end_user_identifier, tags, inputs_preview, output_preview,
            error_preview, id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
         ON CONFLICT (root, project) DO UPDATE SET
            started = min(started, excluded.started),
            spans = spans + excluded.spans,
            errors = errors + excluded.errors,
            input_tokens = input_tokens + excluded.input_tokens,
            output_tokens = output_tokens + excluded.output_tokens,
            total_tokens = total_tokens + excluded.total_tokens,
            cost = coalesce(cost + excluded.cost, cost, excluded.cost),
            has_root = max(has_root, excluded.has_root),
            status = iif(excluded.has_root, excluded.status, status),
            latency = iif(excluded.has_root, excluded.latency, latency),
            name = iif(excluded.has_root, excluded.name, name),
            session_id = iif(excluded.has_root, excluded.session_id, session_id),
            end_user_identifier = iif(excluded.has_root, excluded.end_user_identifier, end_user_identifier),
            tags = iif(excluded.has_root, excluded.tags, tags),
            inputs_preview = iif(excluded.has_root, excluded.inputs_preview, inputs_preview),
            output_preview = iif(excluded.has_root, excluded.output_preview, output_preview),
            error_preview = iif(excluded.has_root, excluded.error_preview, error_preview)",
    )?
    .execute(params![
        project,
        key(root),
        sums.started,
        sums.spans,
        sums.errors,
        sums.input_tokens,
        sums.output_tokens,
        sums.total_tokens,
        sums.cost,
        head.is_some(),
        head.and_then(|head| head.status).map(status_code),
        head.and_then(|head| head.latency),
        head.and_then(|head| head.name.as_deref()),
        head.and_then(|head| head.session_id.as_deref()),
        head.and_then(|head| head.end_user_identifier.as_deref()),
        head.and_then(|head| head.tags.as_deref()),
        head.and_then(|head| head.inputs_preview.as_deref()),
        head.and_then(|head| head.output_preview.as_deref()),
        head.and_then(|head| head.error_preview.as_deref()),
        id,
    ])?;
    Ok(())
}

/// Sums up all logs of a trace; `None` when there is none.
fn count(conn: &Connection, directory: &Directory, project: i64, root: &str) -> rusqlite::Result<Option<Sums>> {
    let members = directory.json(conn, root, kind::MEMBERS)?;
    let sums = conn
        .prepare_cached(COUNT)?
        .query_row(params![project, key(root), members], |row| {
            // `total` is a float, which no sum of ours makes overflow as `sum` might.
            let whole = |column| row.get::<_, f64>(column).map(|sum| sum as i64);
            Ok(Sums {
                started: row.get(0)?,
                spans: row.get(1)?,
                errors: whole(2)?,
                input_tokens: whole(3)?,
                output_tokens: whole(4)?,
                total_tokens: whole(5)?,
                cost: row.get(6)?,
                head: None,
            })
        })
        .optional()?;
    let Some(mut sums) = sums else { return Ok(None) };
    let itself = "log.id IN (SELECT value FROM json_each(?3)) AND trace_id = ?2 AND +project = ?1 AND root = trace_id";
    let own = values::all(conn, itself, params![project, key(root), directory.json(conn, root, kind::OWN)?])?;
    for value in own {
        let log: TraceLog = serde_json::from_str(&value.json).map_err(damaged)?;
        sums.head = Some(Head::of(&log));
    }
    Ok(Some(sums))
}

/// Shows in the traces of an older file why their roots failed and what models were asked, but for what is damaged, which
/// the doctor tells. In the order of arrival each block is opened once.
pub(super) fn fill(conn: &Connection) -> rusqlite::Result<()> {
    let mut find = conn.prepare(&format!(
        "SELECT {COLUMNS}, log.project, log.root FROM {SOURCES} JOIN trace ON trace.root = log.root AND trace.project = log.project
         WHERE log.root = trace_id AND (log.status = 2 OR inputs_preview IS NULL) ORDER BY log.id"
    ))?;
    let mut rows = find.query([])?;
    let mut show =
        conn.prepare("UPDATE trace SET error_preview = ?3, inputs_preview = ?4 WHERE root = ?2 AND project = ?1")?;
    let blocks = Blocks::default();
    while let Some(row) = rows.next()? {
        let (project, Key(root)): (i64, _) = (row.get(WIDTH)?, row.get(WIDTH + 1)?);
        let Ok(value) = Source::read(row)?.value(conn, &blocks) else { continue };
        let Ok(log) = serde_json::from_str::<TraceLog>(&value.json) else { continue };
        show.execute(params![project, key(&root), row::error_preview(&log), row::inputs_preview(&log)])?;
    }
    Ok(())
}

/// A page of traces.
pub(super) fn page(conn: &Connection, list: &List, after: &After, limit: u32) -> rusqlite::Result<Page<TraceSummary>> {
    let ids = list.page(conn, after, limit)?;
    let mut find = conn.prepare_cached(
        "SELECT trace.project, root, uuid, started, spans, errors, input_tokens, output_tokens, total_tokens, cost,
            has_root, status, latency, trace.name, session_id, end_user_identifier, tags, inputs_preview, output_preview,
            error_preview
         FROM trace JOIN project ON project.id = trace.project WHERE trace.id = ?1",
    )?;
    ids.try_map(|id| {
        let (project, tags, mut summary) = find.query_row([id], |row| {
            let project: i64 = row.get(0)?;
            let tags: Option<String> = row.get(16)?;
            let summary = TraceSummary {
                root_trace_id: row.get::<_, Key>(1)?.0,
                project_uuid: row.get(2)?,
                started: Timestamp::from_micros(row.get(3)?).unwrap_or_default(),
                spans: row.get(4)?,
                errors: row.get(5)?,
                input_tokens: row.get(6)?,
                output_tokens: row.get(7)?,
                total_tokens: row.get(8)?,
                cost: row.get(9)?,
                has_root: row.get(10)?,
                status: status_of(row.get(11)?),
                latency: row.get(12)?,
                name: row.get(13)?,
                session_id: row.get(14)?,
                end_user_identifier: row.get(15)?,
                tags: Vec::new(),
                inputs_preview: row.get(17)?,
                output_preview: row.get(18)?,
                error_preview: row.get(19)?,
                scores: Vec::new(),
            };
            Ok((project, tags, summary))
        })?;
        if let Some(tags) = tags {
            summary.tags = serde_json::from_str(&tags).map_err(damaged)?;
        }
        summary.scores = scores(conn, project, &summary.root_trace_id)?;
        Ok(summary)
    })
}

/// The root's own scores, then those of the others whose names it does not carry.
fn scores(conn: &Connection, project: i64, root: &str) -> rusqlite::Result<Vec<EvaluationScore>> {
    let mut find = conn.prepare_cached(&SCORES)?;
    let (mut own, mut others) = (Vec::new(), Vec::new());
    let mut rows = find.query(params![project, key(root)])?;
    while let Some(row) = rows.next()? {
        let Key(trace_id) = row.get(0)?;
        let json: String = row.get(1)?;
        let scores: Vec<EvaluationScore> = serde_json::from_str(&json).map_err(damaged)?;
        if trace_id == root { own = scores } else { others.extend(scores) }
    }
    let copies: Vec<_> = tree::not_in(&others, Some(&own)).collect();
    own.extend(copies);
    Ok(own)
}
