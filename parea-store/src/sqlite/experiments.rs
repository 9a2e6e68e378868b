//! Runs of experiments: their names in the catalog, and their figures out of the logs.

use std::collections::BTreeMap;

use parea_types::{
    CreateExperimentRequest, EvaluationScore, Experiment, ExperimentPinnedStatistic, ExperimentStatus,
    ExperimentWithStats, ListExperimentsRequest, Timestamp, TraceLogTree, TraceStats,
};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};

use super::{
    ingest::{Ingest, damaged},
    key::{Key, key},
    rollup,
    scope::Within,
    trees,
    values::Blocks,
};
use crate::{Cursor, Page, StoreError, row};

/// How many uuids the writer knows to be in the file without looking.
const KNOWN: usize = 10_000;

/// The roots of run `?1`.
pub(super) const ROOTS: &str = "FROM log WHERE log.experiment = ?1 AND log.parent = log.trace_id
    AND log.root = log.trace_id";

/// Those behind one of them, oldest first.
pub(super) const BEHIND: &str = "AND (started, trace_id) > (?2, ?3) ORDER BY started, trace_id LIMIT ?4";

/// Makes a run whose name is free, or says that it is not. One that brings its id, since no server was there when it began,
/// is made once, and gets a free name.
pub(super) fn create(
    ingest: &mut Ingest<'_>,
    request: &CreateExperimentRequest,
    kept: Option<&(String, Timestamp)>,
) -> rusqlite::Result<Result<Experiment, StoreError>> {
    let project = ingest.project_of(Some(&request.project_uuid), None)?;
    let conn = ingest.conn;
    if let Some((uuid, _)) = kept
        && let Some(known) = known(conn, uuid)?
    {
        let own = known.project_uuid == request.project_uuid;
        let detail = || format!("the run `{uuid}` is another project's");
        return Ok(if own { Ok(known) } else { Err(StoreError::Taken(detail())) });
    }
    let run_name = match &request.run_name {
        None => free_name(conn, project, &request.name)?,
        Some(name) if is_taken(conn, project, &request.name, name)? => {
            if kept.is_none() {
                let detail = format!(
                    "the experiment `{}` has a run named `{name}` already; choose another name for this run",
                    request.name
                );
                return Ok(Err(StoreError::Taken(detail)));
            }
            numbered_name(conn, project, &request.name, name)?
        }
        Some(name) => name.clone(),
    };
    let experiment = Experiment {
        name: request.name.clone(),
        run_name: Some(run_name),
        project_uuid: request.project_uuid.clone(),
        is_public: request.is_public,
        metadata: request.metadata.clone(),
        uuid: kept.map_or_else(|| uuid::Uuid::new_v4().to_string(), |(uuid, _)| uuid.clone()),
        created_at: kept.map_or_else(|| chrono::Utc::now().into(), |(_, created)| *created),
    };
    // Logs that came before it have left a placeholder.
    conn.prepare_cached(
        "INSERT INTO experiment (uuid, project, name, run_name, is_public, metadata, created, placeholder, named)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0)
         ON CONFLICT (uuid) DO UPDATE SET project = ?2, name = ?3, run_name = ?4, is_public = ?5, metadata = ?6,
            created = ?7, placeholder = 0",
    )?
    .execute(params![
        experiment.uuid,
        project,
        experiment.name,
        experiment.run_name,
        experiment.is_public,
        experiment.metadata.as_ref().map(row::json),
        experiment.created_at.micros(),
    ])?;
    Ok(Ok(experiment))
}

/// The run of that uuid, unless only logs have named it.
fn known(conn: &Connection, uuid: &str) -> rusqlite::Result<Option<Experiment>> {
    let placeholder: Option<bool> = conn
        .prepare_cached("SELECT placeholder FROM experiment WHERE uuid = ?1")?
        .query_row([uuid], |row| row.get(0))
        .optional()?;
    if placeholder != Some(false) {
        return Ok(None);
    }
    let wanted = ListExperimentsRequest { experiment_uuids: Some(vec![uuid.to_owned()]), ..Default::default() };
    Ok(list(conn, Within::All, &wanted)?.pop().map(|run| run.experiment))
}

/// `name-2`, `name-3`, …
fn numbered_name(conn: &Connection, project: i64, name: &str, run_name: &str) -> rusqlite::Result<String> {
    let mut number = 2u64;
    loop {
        let free = format!("{run_name}-{number}");
        if !is_taken(conn, project, name, &free)? {
            return Ok(free);
        }
        number += 1;
    }
}

fn is_taken(conn: &Connection, project: i64, name: &str, run_name: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached(
        "SELECT 1 FROM experiment WHERE project = ?1 AND name = ?2 AND run_name = ?3 AND placeholder = 0",
    )?
    .exists(params![project, name, run_name])
}

/// `run-1`, `run-2`, …
fn free_name(conn: &Connection, project: i64, name: &str) -> rusqlite::Result<String> {
    let mut number: u64 = conn
        .prepare_cached("SELECT count(*) FROM experiment WHERE project = ?1 AND name = ?2 AND placeholder = 0")?
        .query_row(params![project, name], |row| row.get(0))?;
    loop {
        number += 1;
        let run_name = format!("run-{number}");
        if !is_taken(conn, project, name, &run_name)? {
            return Ok(run_name);
        }
    }
}

/// Notes how a run ended.
pub(super) fn finish(
    conn: &Connection,
    within: Within,
    uuid: &str,
    status: ExperimentStatus,
    pinned: &[ExperimentPinnedStatistic],
) -> rusqlite::Result<Result<(), StoreError>> {
    let finite: Vec<_> = pinned.iter().filter(|figure| figure.value.is_finite()).collect();
    let found = conn
        .prepare_cached(&format!(
            "UPDATE experiment SET status = ?2, pinned = ?3 WHERE uuid = ?1{}",
            within.and("project")
        ))?
        .execute(params![uuid, status.as_str(), row::json(&finite)])?;
    let unknown = || StoreError::Unknown(format!("there is no experiment `{uuid}`; create it with `POST /experiment`"));
    Ok(if found == 0 { Err(unknown()) } else { Ok(()) })
}

impl Ingest<'_> {
    /// Notes that a log names a run. One that is not known gets a placeholder.
    pub(super) fn name_experiment(&mut self, project: i64, uuid: &str) -> rusqlite::Result<()> {
        if self.memory.experiments.contains(uuid) {
            return Ok(());
        }
        let now = Timestamp::from(chrono::Utc::now()).micros();
        let noted = self
            .conn
            .prepare_cached(
                "INSERT INTO experiment (uuid, project, name, run_name, is_public, created, placeholder, named)
                 VALUES (?1, ?2, ?1, ?1, 0, ?3, 1, 1)
                 ON CONFLICT (uuid) DO UPDATE SET named = 1 WHERE project = excluded.project",
            )?
            .execute(params![uuid, project, now])?;
        // Of another project: the run is not under way for that.
        if noted == 0 {
            return Ok(());
        }
        if self.memory.experiments.len() >= KNOWN {
            self.memory.experiments.clear();
        }
        self.memory.experiments.insert(uuid.to_owned());
        Ok(())
    }
}

/// Runs that fulfil all conditions, newest first.
pub(super) fn list(
    conn: &Connection,
    within: Within,
    wanted: &ListExperimentsRequest,
) -> rusqlite::Result<Vec<ExperimentWithStats>> {
    let texts = [
        (&wanted.project_name, "project.name = ?"),
        (&wanted.experiment_name_filter, "instr(experiment.name, ?)"),
        (&wanted.run_name_filter, "instr(run_name, ?)"),
    ];
    let mut conditions = vec!["1"];
    let mut values = Vec::new();
    for (text, condition) in texts {
        if let Some(text) = text {
            conditions.push(condition);
            values.push(Value::Text(text.clone()));
        }
    }
    if let Some(uuids) = &wanted.experiment_uuids {
        conditions.push("experiment.uuid IN (SELECT value FROM json_each(?))");
        values.push(Value::Text(row::json(uuids)));
    }
    let sql = format!(
        "SELECT experiment.uuid, project.uuid, experiment.name, run_name, is_public, metadata, experiment.created,
            named, status, pinned
         FROM experiment JOIN project ON project.id = experiment.project
         WHERE {}{} ORDER BY experiment.created DESC, experiment.id DESC",
        conditions.join(" AND "),
        within.and("experiment.project")
    );
    let mut runs: Vec<ExperimentWithStats> =
        conn.prepare_cached(&sql)?.query_map(params_from_iter(values), read)?.collect::<Result<_, _>>()?;
    if let Some(pairs) = &wanted.metadata_filter {
        runs.retain(|run| has_all(run.experiment.metadata.as_ref(), pairs));
    }
    Ok(runs)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ExperimentWithStats> {
    let json: Option<String> = row.get(5)?;
    let metadata = json.map(|json| serde_json::from_str(&json).map_err(damaged)).transpose()?;
    let experiment = Experiment {
        uuid: row.get(0)?,
        project_uuid: row.get(1)?,
        name: row.get(2)?,
        run_name: row.get(3)?,
        is_public: row.get(4)?,
        metadata,
        created_at: Timestamp::from_micros(row.get(6)?).unwrap_or_default(),
    };
    let (named, ended): (bool, Option<String>) = (row.get(7)?, row.get(8)?);
    let status = match (ended.as_deref(), named) {
        (Some("completed"), _) => ExperimentStatus::Completed,
        (Some("failed"), _) => ExperimentStatus::Failed,
        (Some("running"), _) | (None, true) => ExperimentStatus::Running,
        _ => ExperimentStatus::Pending,
    };
    let json: Option<String> = row.get(9)?;
    let pinned_stats = json.map_or_else(|| Ok(Vec::new()), |json| serde_json::from_str(&json).map_err(damaged))?;
    Ok(ExperimentWithStats { experiment, status, pinned_stats, num_samples: None })
}

/// Whether the metadata hold every pair. What is no text is meant as its JSON text, as metadata are stored.
fn has_all(metadata: Option<&BTreeMap<String, String>>, pairs: &serde_json::Map<String, serde_json::Value>) -> bool {
    pairs.iter().filter(|(_, value)| !value.is_null()).all(|(key, value)| {
        let wanted = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        metadata.and_then(|metadata| metadata.get(key)) == Some(&wanted)
    })
}

/// Number of roots of each run.
pub(super) fn sizes(conn: &Connection, within: Within, uuids: &[String]) -> rusqlite::Result<Vec<u64>> {
    let mut count = conn.prepare_cached(&format!("SELECT count(*) {ROOTS}{}", within.and("log.project")))?;
    uuids.iter().map(|uuid| count.query_row([uuid], |row| row.get(0))).collect()
}

/// The figures of each trace of a run, oldest first.
pub(super) fn stats(conn: &Connection, within: Within, uuid: &str) -> rusqlite::Result<Vec<TraceStats>> {
    let sql = format!("SELECT project, trace_id {ROOTS} ORDER BY started, trace_id");
    let roots: Vec<(i64, String)> = conn
        .prepare_cached(&sql)?
        .query_map([uuid], |row| Ok((row.get(0)?, row.get::<_, Key>(1)?.0)))?
        .collect::<Result<_, _>>()?;
    let mut find = conn.prepare_cached(
        "SELECT latency, input_tokens, output_tokens, total_tokens, cost FROM trace WHERE root = ?2 AND project = ?1",
    )?;
    let mut all = Vec::with_capacity(roots.len());
    for (project, trace_id) in roots.into_iter().filter(|(project, _)| within.has(*project)) {
        let sums = find.query_row(params![project, key(&trace_id)], |row| {
            let latency: Option<f64> = row.get(0)?;
            Ok(TraceStats {
                latency: latency.unwrap_or_default(),
                input_tokens: row.get(1)?,
                output_tokens: row.get(2)?,
                total_tokens: row.get(3)?,
                cost: row.get(4)?,
                ..TraceStats::default()
            })
        });
        let Some(mut stats) = sums.optional()? else { continue };
        // Most clients write a cost of 0 with every log: without tokens that is no call that was free.
        if (stats.input_tokens, stats.output_tokens, stats.total_tokens) == (0, 0, 0) {
            stats.cost.take_if(|cost| *cost == 0.0);
        }
        stats.scores = scores(conn, project, &trace_id)?;
        stats.trace_id = trace_id;
        all.push(stats);
    }
    Ok(all)
}

/// All scores of a trace, each once: the root's own, then the others in execution order.
fn scores(conn: &Connection, project: i64, root: &str) -> rusqlite::Result<Vec<EvaluationScore>> {
    let mut find = conn.prepare_cached(&rollup::SCORES)?;
    let (mut own, mut others) = (Vec::new(), Vec::new());
    let mut rows = find.query(params![project, key(root)])?;
    while let Some(row) = rows.next()? {
        let scores: Vec<EvaluationScore> = serde_json::from_str(row.get_ref(1)?.as_str()?).map_err(damaged)?;
        if row.get::<_, Key>(0)?.0 == root { own.extend(scores) } else { others.extend(scores) }
    }
    own.append(&mut others);
    Ok(own)
}

/// A page of a run's roots with their trees, oldest first.
pub(super) fn page(
    conn: &Connection,
    within: Within,
    uuid: &str,
    after: Option<&Cursor>,
    limit: u32,
) -> rusqlite::Result<Page<TraceLogTree>> {
    let sql = format!("SELECT project, trace_id, started {ROOTS}{} {BEHIND}", within.and("log.project"));
    let (started, id) = after.map_or((i64::MIN, ""), |cursor| (cursor.started.micros(), cursor.id.as_str()));
    let mut roots: Vec<(i64, String, i64)> = conn
        .prepare_cached(&sql)?
        // One more than asked for tells whether there is a next page.
        .query_map(params![uuid, started, key(id), i64::from(limit) + 1], |row| {
            Ok((row.get(0)?, row.get::<_, Key>(1)?.0, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    let has_more = roots.len() > limit as usize;
    roots.truncate(limit as usize);
    let next = roots.last().filter(|_| has_more).map(|(_, id, started)| Cursor {
        started: Timestamp::from_micros(*started).unwrap_or_default(),
        id: id.clone(),
    });
    let blocks = Blocks::default();
    let rows =
        roots.into_iter().filter_map(|(project, id, _)| trees::below(conn, &blocks, project, &id, &mut 0).transpose());
    Ok(Page { rows: rows.collect::<Result<_, _>>()?, next })
}
