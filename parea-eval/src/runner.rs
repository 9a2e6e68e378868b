//! From a plan to a report.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

#[cfg(feature = "http")]
use crate::kept;
use parea_runtime::{
    InCurrentSpan as _,
    cell::{Cell, CellStart},
    types::{EvaluationScore, Status, TraceLog},
};
use parea_stats::{ROW_KEY, TRIAL, row_key};
use serde_json::Map;
use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet},
};

use crate::{
    ExperimentError, Log, Report, Row, checks,
    experiment::{Plan, RowFailure},
    git,
    journal::{self, Header, Journal, Place},
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
struct Job {
    row: usize,
    trial: u32,
    key: String,
    /// Row, trial, parameters and version: what makes it the same work in another process.
    cell: String,
    values: Arc<Row>,
}

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
            .filter_map(|eval| Some((eval.name(), eval.description()?)))
            .map(owned)
            .collect(),
        ..Report::default()
    };
    evaluate_run(plan, &mut report);
    #[cfg(feature = "http")]
    match &opened.server {
        Some(api) => tell_server(api, &opened.folder, &mut report).await,
        None => {
            if let Err(error) = kept::ended(&opened.folder, &report.uuid, report.status, &report.dataset_scores) {
                report.notes.push(format!("no server will hear how this run ended, which cannot be noted: {error}"));
            }
        }
    }
    report.seconds = start.elapsed().as_secs_f64();
    checks::make(plan, baseline.as_ref(), &mut report)?;
    Ok(report)
}

fn owned((name, description): (&str, &str)) -> (String, String) {
    (name.to_owned(), description.to_owned())
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

/// What names the code, so that a resumed run does not mix two versions of it.
fn version(plan: &Plan, git: &git::State) -> Result<String, ExperimentError> {
    match (&plan.version, &git.commit) {
        (Some(version), _) => Ok(version.clone()),
        (None, Some(commit)) if !git.dirty => Ok(commit.clone()),
        (None, _) if plan.resume.is_none() => Ok("unnamed".to_owned()),
        (None, Some(_)) => Err(ExperimentError::Resume(
            "the working tree has changes that are not committed, so it cannot be told whether the rest of the run would try \
             the same code: commit them, or name the code with `.version(\"..\")` in both runs"
                .to_owned(),
        )),
        (None, None) => Err(ExperimentError::Resume(
            "there is no git commit to tell the code by: name it with `.version(\"..\")` in both runs".to_owned(),
        )),
    }
}

/// A run that has its id, its journal and, if there is one, its server.
struct Opened {
    header: Header,
    journal: Journal,
    /// What an earlier part of the run has done, until it is taken over.
    finished: HashMap<String, Place>,
    /// How much of it was taken over.
    resumed: usize,
    #[cfg(feature = "http")]
    server: Option<parea_runtime::ApiClient>,
    notes: Vec<String>,
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "what is kept for servers lies there"))]
    folder: PathBuf,
}

impl Opened {
    /// What an earlier part of the run has made of that job, and the line of the journal that has it.
    fn finished(&mut self, job: &Job) -> Option<(RowResult, (u64, usize))> {
        // A row that failed is not finished: its cause may be gone.
        let Place { at, length, .. } = self.finished.remove(&job.cell).filter(|place| !place.failed)?;
        let result = self.journal.source().result(at, length).ok()?;
        self.resumed += 1;
        Some((RowResult { row: job.row, ..result }, (at, length)))
    }
}

async fn open(plan: &Plan, folder: PathBuf) -> Result<Opened, ExperimentError> {
    let unwritable = |error: std::io::Error| ExperimentError::Journal(format!("{}: {error}", folder.display()));
    let (mut header, earlier) = if let Some(uuid) = &plan.resume {
        let read = resumed(plan, &folder, uuid)?;
        (read.header, Some(read.cells))
    } else {
        let run_name = plan.run_name.clone().unwrap_or_else(run_name::made_up);
        (Header { experiment: plan.name.clone(), run_name, uuid: String::new(), registered: false }, None)
    };
    let mut notes = Vec::new();
    #[cfg(feature = "http")]
    let mut server = None;
    #[cfg(feature = "http")]
    let found = parea_runtime::connection::server().filter(|_| !plan.local);
    #[cfg(feature = "http")]
    if let Some((api, project)) = &found {
        let known = if header.registered {
            true
        } else if header.uuid.is_empty() {
            let given = crate::remote::register(api, project, &plan.name, &header.run_name, &plan.metadata).await?;
            header.registered = given.is_some();
            header.uuid = given.unwrap_or_default();
            header.registered
        } else {
            // It began where no server was.
            api.keep_experiment(&kept::new(&header, (project, None), &plan.metadata)).await.is_ok()
        };
        if known {
            server = Some(api.clone());
        } else {
            notes.push(format!(
                "no server answers at {}: the run is kept in {}, and told to the server that takes its logs",
                api.base_url(),
                folder.display()
            ));
        }
    }
    // A server refuses a name that is taken. Without one the run is not worth less than its name.
    if let (false, Some(name)) = (header.registered || plan.resume.is_some(), &plan.run_name)
        && let Some(other) = journal::named(&folder, &plan.name, name)
    {
        notes.push(format!(
            "run name `{name}` is taken in experiment `{}` by run {} in {}: comparisons by that name take the newest, and a \
             server will rename this one; give it another with `.run_name(..)`, or leave it out",
            plan.name,
            other.uuid,
            folder.display()
        ));
    }
    if header.uuid.is_empty() {
        header.uuid = fresh_uuid();
    }
    let journal = match earlier {
        Some(_) => Journal::reopen(&folder, &header.uuid),
        None => Journal::create(&folder, &header),
    };
    let journal = journal.map_err(unwritable)?;
    #[cfg(feature = "http")]
    if let (None, Some((api, project))) = (&server, &found) {
        let named = parea_runtime::connection::server_is_named().then(|| api.base_url());
        if let Err(error) = kept::write(&folder, &kept::new(&header, (project, named), &plan.metadata)) {
            notes.push(format!("no server will hear of this run, which cannot be noted: {error}"));
        }
    }
    Ok(Opened {
        header,
        journal,
        finished: earlier.unwrap_or_default(),
        resumed: 0,
        #[cfg(feature = "http")]
        server,
        notes,
        folder,
    })
}

/// What the run that is to be gone on with has done.
fn resumed(plan: &Plan, folder: &Path, uuid: &str) -> Result<journal::Finished, ExperimentError> {
    let path = journal::path(folder, uuid);
    let read = journal::read(&path).map_err(|error| {
        ExperimentError::Resume(format!("run {uuid} cannot be gone on with: {}: {error}", path.display()))
    })?;
    if read.header.experiment != plan.name {
        let why = format!("run {uuid} belongs to experiment `{}`, not to `{}`", read.header.experiment, plan.name);
        return Err(ExperimentError::Resume(why));
    }
    Ok(read)
}

fn fresh_uuid() -> String {
    let mut random = [0; 16];
    fastrand::fill(&mut random);
    uuid::Builder::from_random_bytes(random).into_uuid().to_string()
}

/// Every row in every trial; the first trial of all rows comes first, so that an interrupted run has seen most rows.
fn jobs(plan: &Plan, rows: Vec<Row>, version: String) -> impl Iterator<Item = Job> + use<> {
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

async fn run_job(shared: &Shared, job: &Job) -> Option<RowResult> {
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

fn panic_text(panic: &(dyn Any + Send)) -> String {
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
async fn tell_server(api: &parea_runtime::ApiClient, folder: &Path, report: &mut Report) {
    let delivered = tokio::task::spawn_blocking(|| parea_runtime::flush(DELIVERY)).await;
    if let Ok(delivery) = delivered.as_ref()
        && !delivery.is_complete()
    {
        report.notes.push(format!("not every log was delivered: {delivery}"));
    }
    let closed = crate::remote::finish(api, &report.uuid, report.status, report.dataset_scores.clone()).await;
    match closed {
        Ok(()) => kept::forget(folder, &report.uuid),
        Err(why) => report.notes.push(format!("the run could not be closed on the server: {why}")),
    }
    report.link = Some(crate::remote::page(api, &report.uuid));
    report.notes.extend(kept::tell(api, folder).await);
}
