//! One row in one trial, from the function's call to its result.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use parea_runtime::{
    InCurrentSpan as _,
    cell::{Cell, CellStart},
    types::{EvaluationScore, Status, TraceLog},
};
use parea_stats::{ROW_KEY, TRIAL, row_key};
use serde_json::Map;

use super::{Shared, Work};
use crate::{Row, experiment::Plan, report::RowResult};

/// A row that is to be run.
struct Wanted {
    /// From 1.
    number: usize,
    /// Which of the rows of the same content it is, from 1.
    twin: usize,
    key: String,
    /// Until its last trial has begun.
    values: Option<Arc<Row>>,
}

/// One row in one trial.
pub(super) struct Job {
    pub(super) row: usize,
    trial: u32,
    key: String,
    /// Row, trial, parameters and version: what makes it the same work in another process.
    pub(super) cell: String,
    values: Arc<Row>,
}

/// Every row in every trial; the first trial of all rows comes first, so that an interrupted run has seen most rows.
pub(super) fn jobs(plan: &Plan, rows: Vec<Row>, version: String) -> impl Iterator<Item = Job> + use<> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let number = |(index, row): (usize, Row)| {
        let key = row_key(&row.inputs(), row.target().as_deref());
        let twin = seen.entry(key.clone()).or_default();
        *twin += 1;
        Wanted { number: index + 1, twin: *twin, key, values: Some(Arc::new(row)) }
    };
    let mut rows: Vec<Wanted> = rows.into_iter().enumerate().map(number).collect();
    let (trials, parameters) = (plan.trials, plan.parameters.clone());
    let places = (0..trials).flat_map({
        let rows = rows.len();
        move |trial| (0..rows).map(move |row| (trial, row))
    });
    places.filter_map(move |(trial, row)| {
        let Wanted { number, twin, key, values } = &mut rows[row];
        let values = if trial + 1 == trials { values.take() } else { values.clone() };
        Some(Job {
            row: *number,
            trial,
            key: key.clone(),
            cell: format!("{key} {twin} {trial} {version} {parameters}"),
            values: values?,
        })
    })
}

/// The row's result, unless the run was stopped before the job began.
pub(super) async fn run_job(shared: &Shared, job: &Job) -> Option<RowResult> {
    let plan = &shared.plan;
    // Never closed, so there is a place in the end.
    let place = shared.places.acquire().await;
    if shared.stopped.load(Ordering::Relaxed) {
        return None;
    }
    let metadata = Map::from_iter([
        (ROW_KEY.to_owned(), job.key.as_str().into()),
        (TRIAL.to_owned(), job.trial.to_string().into()),
    ]);
    let cell = Cell::start(CellStart {
        name: &plan.name,
        experiment_uuid: &shared.uuid,
        inputs: job.values.inputs(),
        target: job.values.target(),
        metadata,
        tags: job.values.tags().into_iter().chain(plan.tags.iter().cloned()).collect(),
        evaluators: plan.evals.iter().map(|eval| eval.clone().into_evaluator()).collect(),
    });
    let mut attempts = 1;
    let result = loop {
        let result = attempt(shared, job).in_context(cell.context()).await;
        if result.is_ok() || attempts > plan.retries {
            break result;
        }
        tokio::time::sleep(Duration::from_millis(500) * (1 << (attempts - 1).min(6))).await;
        attempts += 1;
    };
    if attempts > 1 {
        cell.context().enter(|| {
            parea_runtime::current().metadata("parea.attempts", attempts);
        });
    }
    if plan.stop_on_error && result.is_err() {
        shared.stopped.store(true, Ordering::Relaxed);
    }
    cell.finish(result);
    drop(place);
    let names: Vec<&str> = plan.evals.iter().map(crate::Eval::name).collect();
    let mut result = result_of(&cell.logs().await, &cell.trace_id(), &names);
    // The row's own, whatever the log left out of it.
    result.inputs = job.values.inputs();
    result.target = job.values.target();
    Some(RowResult { row: job.row, trial: job.trial, key: job.key.clone(), attempts, ..result })
}

async fn attempt(shared: &Shared, job: &Job) -> Result<Vec<u8>, String> {
    let work = guarded(&shared.work, &job.values);
    match shared.plan.timeout {
        None => work.await,
        Some(limit) => match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => Err(format!("took longer than {limit:?}")),
        },
    }
}

/// Calls the user's function; a panic is a failure of the row.
async fn guarded(work: &Work, row: &Row) -> Result<Vec<u8>, String> {
    let mut future = catch_unwind(AssertUnwindSafe(|| work(row))).map_err(|panic| panic_text(&*panic))?;
    std::future::poll_fn(|task| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(task))) {
        Ok(poll) => poll.map_err(|error| error_text(&*error)),
        Err(panic) => Poll::Ready(Err(panic_text(&*panic))),
    })
    .await
}

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("(a value that is no text)"))
}

/// An error with its sources, each on a line.
fn error_text(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}\ncaused by: {cause}");
        source = cause.source();
    }
    text
}

/// What the logs of a trace say of its row.
fn result_of(logs: &[TraceLog], root: &str, evaluations: &[&str]) -> RowResult {
    let mut result = RowResult { trace_id: root.to_owned(), ..RowResult::default() };
    let mut sums: BTreeMap<&str, (f64, f64, Option<&EvaluationScore>)> = BTreeMap::new();
    for log in logs {
        let is_root = log.trace_id == root;
        for score in log.scores.iter().flatten() {
            let (sum, count, own) = sums.entry(&score.name).or_default();
            *sum += score.score;
            *count += 1.0;
            *own = if is_root { Some(score) } else { *own };
        }
        result.input_tokens += log.input_tokens.unwrap_or(0);
        result.output_tokens += log.output_tokens.unwrap_or(0);
        result.total_tokens += log.total_tokens.unwrap_or(0);
        result.cost = log.cost.map(|cost| cost + result.cost.unwrap_or(0.0)).or(result.cost);
        let name = log.trace_name.as_deref().unwrap_or_default();
        if is_root {
            result.latency = log.latency.unwrap_or(0.0);
            result.inputs = log.inputs.clone().unwrap_or_default();
            result.output.clone_from(&log.output);
            result.target.clone_from(&log.target);
            if log.status == Some(Status::Error) {
                result.error = Some(log.error.clone().unwrap_or_else(|| "(no text)".to_owned()));
            }
        } else if evaluations.contains(&name)
            && log.parent_trace_id.as_deref() == Some(root)
            && let Some(error) = &log.error
        {
            result.evaluation_errors.push(format!("{name}: {error}"));
        }
    }
    let score = |(name, (sum, count, own)): (&str, (f64, f64, Option<&EvaluationScore>))| match own {
        Some(own) => own.clone(),
        None => EvaluationScore { name: name.to_owned(), score: sum / count, ..EvaluationScore::default() },
    };
    result.scores = sums.into_iter().map(score).collect();
    result
}
