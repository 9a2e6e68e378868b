//! From a plan to a report.

mod job;
mod opened;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use parea_runtime::InCurrentSpan as _;
use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet},
};

use self::{
    job::{Job, jobs, panic_text, run_job},
    opened::{Opened, open, version},
};
use crate::{
    ExperimentError, Log, Report, Row, checks,
    experiment::{Plan, RowFailure},
    git,
    progress::Progress,
    report::{RowResult, RunStatus},
    results::Results,
    run_name,
};

/// The user's function, as the runner calls it: a row to JSON.
pub(crate) type Work =
    Arc<dyn Fn(&Row) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, RowFailure>> + Send>> + Send + Sync>;

/// How long delivery may take at the end before the report comes without it.
#[cfg(feature = "http")]
const DELIVERY: Duration = Duration::from_secs(30);

/// Rows whose evaluations may be awaited at once, beside those whose functions run: as many as the runtime evaluates.
const EVALUATED_AT_ONCE: usize = 64;

/// How long rows under way may go on after Ctrl-C. A second one ends them at once.
const GRACE: Duration = Duration::from_secs(5);

/// What all jobs share.
struct Shared {
    plan: Plan,
    /// How many functions may run at once. Evaluations hold no place.
    places: Semaphore,
    /// A row has failed, and that was to be the end.
    stopped: AtomicBool,
    uuid: String,
    work: Work,
}

pub(crate) async fn run(mut plan: Plan, rows: Vec<Row>, work: Work) -> Result<Report, ExperimentError> {
    check_plan(&plan, &rows)?;
    let start = Instant::now();
    let git = git::state().await;
    let folder = plan.folder.clone().unwrap_or_else(|| parea_runtime::connection::folder().join("experiments"));
    let version = version(&plan, &git)?;
    if let Some(commit) = &git.commit {
        plan.metadata.entry("git.commit".to_owned()).or_insert_with(|| commit.clone());
        plan.metadata.entry("git.dirty".to_owned()).or_insert_with(|| git.dirty.to_string());
    }
    // Before anything is paid for.
    let baseline = match plan.baseline.take() {
        Some(baseline) => Some(baseline.find(&plan.name, &folder).await?),
        None => None,
    };
    let mut opened = open(&plan, folder).await?;
    let planned = rows.len() * plan.trials as usize;
    let places = Semaphore::new(plan.concurrency);
    let shared =
        Arc::new(Shared { plan, places, stopped: AtomicBool::new(false), uuid: opened.header.uuid.clone(), work });
    let plan = &shared.plan;
    let mut done = Results::of(opened.journal.source());
    let ended = run_jobs(&shared, jobs(plan, rows, version), planned, &mut opened, &mut done).await;
    let resumed = opened.resumed;
    done.sort();

    let mut report = Report {
        experiment: plan.name.clone(),
        run_name: opened.header.run_name.clone(),
        uuid: shared.uuid.clone(),
        status: match done.cells().iter().any(|cell| cell.failed) {
            _ if ended == Ended::Interrupted => RunStatus::Interrupted,
            _ if ended == Ended::Stopped => RunStatus::Stopped,
            true => RunStatus::Failed,
            false => RunStatus::Completed,
        },
        metadata: plan.metadata.clone(),
        rows: done,
        planned,
        resumed,
        notes: opened.notes,
        // Known now that each was called.
        descriptions: plan
            .evals
            .iter()
            .filter_map(|eval| Some((eval.name().to_owned(), eval.description()?.to_owned())))
            .collect(),
        ..Report::default()
    };
    evaluate_run(plan, &mut report);
    #[cfg(feature = "http")]
    match &opened.server {
        Some(api) => tell_server(api, &opened.folder, &mut report).await,
        None => {
            if let Err(error) = crate::kept::ended(&opened.folder, &report.uuid, report.status, &report.dataset_scores)
            {
                report.notes.push(format!("no server will hear how this run ended, which cannot be noted: {error}"));
            }
        }
    }
    report.seconds = start.elapsed().as_secs_f64();
    checks::make(plan, baseline.as_ref(), &mut report)?;
    Ok(report)
}

fn check_plan(plan: &Plan, rows: &[Row]) -> Result<(), ExperimentError> {
    if rows.is_empty() {
        return Err(ExperimentError::NoRows(plan.name.clone()));
    }
    if plan.name.trim().is_empty() {
        return Err(ExperimentError::Setting("the experiment's name", "a text that is not empty"));
    }
    if plan.trials == 0 {
        return Err(ExperimentError::Setting("`trials`", "1 or more"));
    }
    if plan.concurrency == 0 {
        return Err(ExperimentError::Setting("`concurrency`", "1 or more"));
    }
    if !(plan.minimal_effect.is_finite() && plan.minimal_effect > 0.0) {
        return Err(ExperimentError::Setting("`minimal_effect`", "a number above 0"));
    }
    if plan.margin.is_some_and(|margin| !margin.is_finite() || margin < 0.0) {
        return Err(ExperimentError::Setting("the margin of `fail_on_regression`", "0 or more"));
    }
    if plan.margin.is_some() && plan.baseline.is_none() {
        return Err(ExperimentError::Setting("`fail_on_regression`", "used with `compare_to`, which says with what"));
    }
    match plan.run_name.as_deref().and_then(run_name::fault) {
        Some(fault) => Err(ExperimentError::RunName(fault)),
        None => Ok(()),
    }
}

/// A cell that is done, unless the run was stopped before it began.
type Done = Box<(String, Option<RowResult>)>;

/// What a run waits for.
enum Next {
    Finished(Option<Result<Done, JoinError>>),
    Interrupted,
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Done,
    /// At the first failed row.
    Stopped,
    /// By Ctrl-C.
    Interrupted,
}

/// Takes over what an earlier part of the run has done, and runs the rest.
async fn run_jobs(
    shared: &Arc<Shared>,
    mut jobs: impl Iterator<Item = Job>,
    planned: usize,
    opened: &mut Opened,
    done: &mut Results,
) -> Ended {
    let plan = &shared.plan;
    let mut progress = Progress::new(planned, plan.quiet);
    let mut under_way: JoinSet<Done> = JoinSet::new();
    let mut journalled = true;
    let mut interrupted = false;
    let mut end: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(ctrl_c(plan.ctrl_c));
    let ended = loop {
        while !shared.stopped.load(Ordering::Relaxed) && under_way.len() < plan.concurrency + EVALUATED_AT_ONCE {
            let Some(job) = jobs.next() else { break };
            if let Some((result, line)) = opened.finished(&job) {
                progress.resumed(&result);
                done.add(result, Some(line));
                continue;
            }
            let shared = Arc::clone(shared);
            under_way
                .spawn(async move { Box::new((job.cell.clone(), run_job(&shared, &job).await)) }.in_current_span());
        }
        let next = std::future::poll_fn(|task| match end.as_mut().poll(task) {
            Poll::Ready(()) => Poll::Ready(Next::Interrupted),
            Poll::Pending => under_way.poll_join_next(task).map(Next::Finished),
        });
        match next.await {
            // Nothing more starts; what is under way, and was paid for, has a moment to be done.
            Next::Interrupted if !interrupted => {
                interrupted = true;
                shared.stopped.store(true, Ordering::Relaxed);
                end = Box::pin(async {
                    let _ = tokio::time::timeout(GRACE, ctrl_c(true)).await;
                });
            }
            Next::Interrupted => {
                // The rest ends as cancelled, and is run again when the run is gone on with.
                under_way.shutdown().await;
                break Ended::Interrupted;
            }
            Next::Finished(None) if interrupted => break Ended::Interrupted,
            Next::Finished(None) if done.len() < planned => break Ended::Stopped,
            Next::Finished(None) => break Ended::Done,
            Next::Finished(Some(Ok(finished))) => {
                let (cell, Some(result)) = *finished else { continue };
                // A full disk is no reason to lose what was paid for.
                let line =
                    journalled.then(|| opened.journal.write(&cell, &result)).transpose().unwrap_or_else(|error| {
                        journalled = false;
                        opened.notes.push(format!(
                            "the journal cannot be written any more, so this run cannot be resumed: {error}"
                        ));
                        None
                    });
                progress.row(&result);
                done.add(result, line);
            }
            // The runner's own code does not panic, and nobody else can abort these tasks.
            Next::Finished(Some(Err(_))) => {}
        }
    };
    progress.end();
    // Of a run that was ended early, what an earlier part of it has done is kept all the same.
    for job in jobs {
        if let Some((result, line)) = opened.finished(&job) {
            done.add(result, Some(line));
        }
    }
    if ended == Ended::Interrupted {
        opened.notes.push(format!("interrupted: `.resume(\"{}\")` goes on with this run", shared.uuid));
    }
    ended
}

async fn ctrl_c(wanted: bool) {
    if !wanted || tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Runs the evaluations of the whole run.
fn evaluate_run(plan: &Plan, report: &mut Report) {
    if plan.dataset_evals.is_empty() {
        return;
    }
    let logs: Vec<Log> = report.rows.those(|cell| !cell.failed).map(|row| row.log()).collect();
    for (name, evaluation) in &plan.dataset_evals {
        let scores = catch_unwind(AssertUnwindSafe(|| evaluation(&logs)));
        match scores.unwrap_or_else(|panic| Err(panic_text(&*panic))) {
            Ok(scores) => report.dataset_scores.extend(scores),
            Err(error) => report.notes.push(format!("evaluation {name} of the whole run failed: {error}")),
        }
    }
}

/// Waits for delivery and closes the run on the server. What goes wrong there is a note: the rows are done.
#[cfg(feature = "http")]
async fn tell_server(api: &parea_runtime::ApiClient, folder: &std::path::Path, report: &mut Report) {
    let delivered = tokio::task::spawn_blocking(|| parea_runtime::flush(DELIVERY)).await;
    if let Ok(delivery) = delivered.as_ref()
        && !delivery.is_complete()
    {
        report.notes.push(format!("not every log was delivered: {delivery}"));
    }
    let closed = crate::remote::finish(api, &report.uuid, report.status, report.dataset_scores.clone()).await;
    match closed {
        Ok(()) => crate::kept::forget(folder, &report.uuid),
        Err(why) => report.notes.push(format!("the run could not be closed on the server: {why}")),
    }
    report.link = Some(crate::remote::page(api, &report.uuid));
    report.notes.extend(crate::kept::tell(api, folder).await);
}
