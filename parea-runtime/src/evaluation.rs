//! Evaluations of a finished span: its record is held back, scored on a thread of its own, and then goes its way.
//!
//! The caller waits for nothing: it hands the record over. Whatever becomes of an evaluation (an error, a panic, a thread
//! that cannot be started), the record itself is sent.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    thread,
    time::Duration,
};

use parea_types::{EvaluationScore, TraceLog};
use tokio::sync::{Notify, Semaphore, mpsc};
use uuid::Uuid;

use crate::{
    context::{Context, InCurrentSpan as _},
    drive,
    hooks::panic_error,
    record::{Finished, Outcome, Record},
    settings,
    site::site_of,
    span::Span,
};

/// Records that may wait for their evaluations at once; what comes beyond goes without scores, and metadata says so.
const MOST_WAITING: usize = 10_000;

/// Records that are evaluated at the same time: most evaluations that take long wait for a model.
const AT_ONCE: usize = 64;

/// What an evaluation gave: the future of [`Evaluator::evaluate`]. It stays on one thread, so it need not be `Send`.
pub type Evaluation<'a> = Pin<Box<dyn Future<Output = Result<Vec<EvaluationScore>, String>> + 'a>>;

/// Scores a finished span.
pub trait Evaluator: Send + Sync + 'static {
    /// Its name, which its span has too.
    fn name(&self) -> &str;

    /// The scores, none of them, or why there are none.
    fn evaluate<'a>(&'a self, log: &'a TraceLog) -> Evaluation<'a>;
}

/// The evaluations that a span asks for.
#[derive(Clone, Default)]
pub(crate) struct Evaluators(pub(crate) Vec<Arc<dyn Evaluator>>);

impl fmt::Debug for Evaluators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|evaluator| evaluator.name())).finish()
    }
}

/// How many records are being evaluated, and a way to wait until none is.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    count: Mutex<usize>,
    none: Condvar,
    woken: Notify,
}

/// Those of the whole process.
static ALL: Tally = Tally { count: Mutex::new(0), none: Condvar::new(), woken: Notify::const_new() };

impl Tally {
    fn change(&self, change: impl FnOnce(&mut usize)) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut count);
        if *count == 0 {
            self.none.notify_all();
            self.woken.notify_waiters();
        }
    }

    fn is_none(&self) -> bool {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) == 0
    }

    /// Waits on this thread, at most so long.
    pub(crate) fn wait(&self, timeout: Duration) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.none.wait_timeout_while(count, timeout, |count| *count > 0));
    }

    /// Waits without holding up a thread.
    pub(crate) async fn waited(&self) {
        loop {
            let mut woken = std::pin::pin!(self.woken.notified());
            woken.as_mut().enable();
            if self.is_none() {
                return;
            }
            woken.await;
        }
    }
}

/// Waits until every evaluation that was started is done, at most so long.
pub(crate) fn wait(timeout: Duration) {
    ALL.wait(timeout);
}

/// A record on its way through its evaluations. However that ends, it is handed on.
struct Held(Option<Finished>);

impl Held {
    fn new(record: Finished) -> Self {
        ALL.change(|count| *count += 1);
        record.span.trace.sink().tallies(&mut |tally| tally.change(|count| *count += 1));
        Self(Some(record))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(record) = self.0.take() else { return };
        let span = Arc::clone(&record.span);
        span.trace.sink().finished(record.to_bytes());
        span.trace.sink().tallies(&mut |tally| tally.change(|count| *count -= 1));
        ALL.change(|count| *count -= 1);
    }
}

/// Records that were handed over and not taken up yet.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Takes a finished record, has it evaluated, and hands it on.
pub(crate) fn start(record: Finished) {
    let mut held = Held::new(record);
    if WAITING.load(Ordering::Relaxed) >= MOST_WAITING {
        return held.tell("evaluations_skipped", format!("{MOST_WAITING} logs were waiting for theirs already"));
    }
    let sent = match worker() {
        Ok(worker) => {
            WAITING.fetch_add(1, Ordering::Relaxed);
            worker.send(held).map_err(|unsent| unsent.0)
        }
        Err(error) => {
            held.tell("evaluations_skipped", format!("their thread cannot be started: {error}"));
            return;
        }
    };
    if let Err(mut held) = sent {
        held.tell("evaluations_skipped", "their thread has ended".to_owned());
    }
}

impl Held {
    fn tell(&mut self, key: &str, why: String) {
        if let Some(record) = &mut self.0 {
            record.known.draft.get_or_insert_default().metadata.insert(key.to_owned(), why.into());
        }
    }
}

/// The thread of the evaluations, started when the first is due.
fn worker() -> Result<&'static mpsc::UnboundedSender<Held>, &'static str> {
    static WORKER: OnceLock<Result<mpsc::UnboundedSender<Held>, String>> = OnceLock::new();
    let worker = WORKER.get_or_init(|| {
        let (sender, mut held) = mpsc::unbounded_channel::<Held>();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let work = async move {
            let places = Arc::new(Semaphore::new(AT_ONCE));
            while let Some(held) = held.recv().await {
                WAITING.fetch_sub(1, Ordering::Relaxed);
                let place = Arc::clone(&places).acquire_owned().await;
                tokio::task::spawn_local(async move {
                    evaluate(held).await;
                    drop(place);
                });
            }
        };
        let thread = thread::Builder::new().name("parea-evaluations".to_owned());
        let spawned = thread.spawn(move || tokio::task::LocalSet::new().block_on(&runtime, work));
        spawned.map(|_| sender).map_err(|error| error.to_string())
    });
    worker.as_ref().map_err(String::as_str)
}

async fn evaluate(mut held: Held) {
    let Some(record) = &mut held.0 else { return };
    let draft = record.known.draft.get_or_insert_default();
    let evaluators = mem::take(&mut draft.evaluators).0;
    // A target that was set on the root only after this span had started counts as well.
    if record.target.is_none() {
        record.target = record.span.trace.root_target();
    }
    let log = match Record::log_of(&record.to_bytes()) {
        Ok(log) => Arc::new(log),
        Err(error) => return held.tell("evaluations_skipped", format!("the log cannot be read: {error}")),
    };
    let runs: Vec<_> = evaluators
        .into_iter()
        .map(|evaluator| tokio::task::spawn_local(run(Arc::clone(&record.span), evaluator, Arc::clone(&log))))
        .collect();
    for run in runs {
        if let Ok((child, scores)) = run.await {
            record.known.children.extend(child.map(|child| child.as_u64_pair()).map(|(high, low)| [high, low]));
            let draft = record.known.draft.get_or_insert_default();
            for score in scores {
                draft.scores.retain(|old| old.name != score.name);
                draft.scores.push(score);
            }
        }
    }
}

/// Runs one evaluation in a span below the evaluated one, unless these spans are turned off.
async fn run(
    evaluated: Arc<Span>,
    evaluator: Arc<dyn Evaluator>,
    log: Arc<TraceLog>,
) -> (Option<Uuid>, Vec<EvaluationScore>) {
    if settings::evaluations_are_untraced() {
        return (None, guarded(&*evaluator, &log).in_context(Context::off()).await.unwrap_or_default());
    }
    let span = Span::child(&evaluated, site_of(evaluator.name()));
    let inputs = serde_json::to_vec(&serde_json::json!({ "log": *log }));
    span.update_all(|known| known.inputs = inputs.unwrap_or_default());
    let result = guarded(&*evaluator, &log).in_context(Context::inside(Arc::clone(&span))).await;
    let (outcome, scores) = match result {
        Ok(scores) => (Outcome { output: written(&scores), ..Outcome::default() }, scores),
        Err(error) => (Outcome { error: Some(error), ..Outcome::default() }, Vec::new()),
    };
    span.finish(outcome);
    (Some(span.identity.id), scores)
}

/// A single score as its number, several with their names, none as null.
fn written(scores: &[EvaluationScore]) -> Vec<u8> {
    let json = match scores {
        [] => serde_json::to_vec(&()),
        [one] if one.reason.is_none() => serde_json::to_vec(&one.score),
        [one] => serde_json::to_vec(one),
        several => serde_json::to_vec(several),
    };
    json.unwrap_or_default()
}

/// What panics in an evaluation is its own failure. Scores that are no finite numbers are as well.
async fn guarded(evaluator: &dyn Evaluator, log: &TraceLog) -> Result<Vec<EvaluationScore>, String> {
    let mut evaluation = match drive::caught(|| evaluator.evaluate(log)) {
        Ok(evaluation) => evaluation,
        Err(payload) => return Err(panic_error(&*payload)),
    };
    let scores = std::future::poll_fn(|task| match drive::caught(|| evaluation.as_mut().poll(task)) {
        Ok(Poll::Ready(scores)) => Poll::Ready(scores),
        Ok(Poll::Pending) => Poll::Pending,
        Err(payload) => Poll::Ready(Err(panic_error(&*payload))),
    });
    let scores = scores.await?;
    match scores.iter().find(|score| !score.score.is_finite()) {
        Some(bad) => Err(format!("score `{}` is {}; a score must be a finite number", bad.name, bad.score)),
        None => Ok(scores),
    }
}
