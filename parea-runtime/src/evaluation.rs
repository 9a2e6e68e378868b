//! Evaluations of a finished span: its record is held back, scored on a thread of its own, and then goes its way.
//!
//! The caller waits for nothing: it hands the record over. Whatever becomes of an evaluation (an error, a panic, a thread
//! that cannot be started), the record itself is sent.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt, mem,
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
    thread,
    time::Duration,
};

use parea_types::{EvaluationScore, TraceLog};
use tokio::sync::{Notify, Semaphore, mpsc};
use uuid::Uuid;

use crate::{
    carry::InCurrentSpan as _,
    context::Context,
    drive,
    exit::fork::PerProcess,
    hooks::swallowed,
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
    /// Its name, which its span has too. It may be known only once it was called.
    fn name(&self) -> &str;

    /// What it tells, in a sentence; metadata of its span.
    fn description(&self) -> Option<&str> {
        None
    }

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

/// The evaluations of this process.
static EVALUATIONS: PerProcess<Evaluations> = PerProcess::new(Evaluations::new(), Evaluations::new);

#[derive(Debug)]
struct Evaluations {
    all: Tally,
    /// Records on their way through, so that they can be sent without waiting for the end of it.
    held: Mutex<BTreeMap<usize, Arc<Slot>>>,
    /// Records that were handed over and not taken up yet.
    waiting: AtomicUsize,
    /// Records that went without their scores because the program ended.
    released: AtomicU64,
    worker: OnceLock<Result<mpsc::UnboundedSender<Held>, String>>,
}

/// A record, until it is handed on.
type Slot = Mutex<Option<Finished>>;

impl Evaluations {
    const fn new() -> Self {
        Self {
            all: Tally { count: Mutex::new(0), none: Condvar::new(), woken: Notify::const_new() },
            held: Mutex::new(BTreeMap::new()),
            waiting: AtomicUsize::new(0),
            released: AtomicU64::new(0),
            worker: OnceLock::new(),
        }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<Slot>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

thread_local! {
    /// Whether this thread is that of the evaluations.
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Waits until every evaluation that was started is done, at most so long. One that asks for it does not wait for itself.
pub(crate) fn wait(timeout: Duration) {
    if IS_WORKER.get() {
        return;
    }
    EVALUATIONS.get().all.wait(timeout);
}

/// Whether nothing is being evaluated.
pub(crate) fn is_idle() -> bool {
    EVALUATIONS.get().all.is_none()
}

/// Hands on what is still being evaluated, without the scores that are not there yet: the program ends.
pub(crate) fn release() {
    let evaluations = EVALUATIONS.get();
    // One that is being written to is about to be handed on.
    let held: Vec<_> = match evaluations.held.try_lock() {
        Ok(held) => held.values().cloned().collect(),
        Err(_) => return,
    };
    for slot in held {
        let Some(mut record) = slot.try_lock().ok().and_then(|mut slot| slot.take()) else { continue };
        evaluations.released.fetch_add(1, Ordering::Relaxed);
        tell(&mut record, "the program ended before they did".to_owned());
        hand_on(&record);
    }
}

/// How many records were [released](release).
pub(crate) fn released() -> u64 {
    EVALUATIONS.get().released.load(Ordering::Relaxed)
}

/// A record on its way through its evaluations. However that ends, it is handed on.
#[derive(Debug)]
struct Held(Arc<Slot>);

impl Held {
    fn new(record: Finished) -> Self {
        let evaluations = EVALUATIONS.get();
        evaluations.all.change(|count| *count += 1);
        record.span.trace.sink().tallies(&mut |tally| tally.change(|count| *count += 1));
        let slot = Arc::new(Mutex::new(Some(record)));
        evaluations.held().insert(Arc::as_ptr(&slot) as usize, Arc::clone(&slot));
        Self(slot)
    }

    /// Changes the record, unless it was handed on.
    fn change<R>(&self, change: impl FnOnce(&mut Finished) -> R) -> Option<R> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(change)
    }

    fn skip(&self, why: String) {
        self.change(|record| tell(record, why));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        EVALUATIONS.get().held().remove(&(Arc::as_ptr(&self.0) as usize));
        let record = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(record) = record {
            hand_on(&record);
        }
    }
}

fn hand_on(record: &Finished) {
    let sink = record.span.trace.sink();
    sink.finished(record.to_bytes());
    sink.tallies(&mut |tally| tally.change(|count| *count -= 1));
    EVALUATIONS.get().all.change(|count| *count -= 1);
}

/// Says in the record why it has no scores.
fn tell(record: &mut Finished, why: String) {
    record.known.draft.get_or_insert_default().metadata.insert("evaluations_skipped".to_owned(), why.into());
}

/// Takes a finished record, has it evaluated, and hands it on.
pub(crate) fn start(record: Finished) {
    let held = Held::new(record);
    let waiting = &EVALUATIONS.get().waiting;
    if waiting.load(Ordering::Relaxed) >= MOST_WAITING {
        return held.skip(format!("{MOST_WAITING} logs were waiting for theirs already"));
    }
    let sent = match worker() {
        Ok(worker) => {
            waiting.fetch_add(1, Ordering::Relaxed);
            worker.send(held).map_err(|unsent| unsent.0)
        }
        Err(error) => return held.skip(format!("their thread cannot be started: {error}")),
    };
    if let Err(held) = sent {
        held.skip("their thread has ended".to_owned());
    }
}

/// The thread of the evaluations, started when the first is due.
fn worker() -> Result<&'static mpsc::UnboundedSender<Held>, &'static str> {
    let evaluations = EVALUATIONS.get();
    let worker = evaluations.worker.get_or_init(|| {
        let (sender, mut held) = mpsc::unbounded_channel::<Held>();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let work = async move {
            let places = Arc::new(Semaphore::new(AT_ONCE));
            while let Some(held) = held.recv().await {
                evaluations.waiting.fetch_sub(1, Ordering::Relaxed);
                let place = Arc::clone(&places).acquire_owned().await;
                tokio::task::spawn_local(async move {
                    evaluate(held).await;
                    drop(place);
                });
            }
        };
        let thread = thread::Builder::new().name("parea-evaluations".to_owned());
        let spawned = thread.spawn(move || {
            IS_WORKER.set(true);
            tokio::task::LocalSet::new().block_on(&runtime, work);
        });
        spawned.map(|_| sender).map_err(|error| error.to_string())
    });
    worker.as_ref().map_err(String::as_str)
}

async fn evaluate(held: Held) {
    let prepared = held.change(|record| {
        let evaluators = mem::take(&mut record.known.draft.get_or_insert_default().evaluators).0;
        // A target that was set on the root only after this span had started counts as well.
        if record.target.is_none() {
            record.target = record.span.trace.root_target();
        }
        (Arc::clone(&record.span), evaluators, Record::whole_log_of(&record.to_bytes()))
    });
    let (span, evaluators, log) = match prepared {
        Some((span, evaluators, Ok(log))) => (span, evaluators, Arc::new(log)),
        Some((_, _, Err(error))) => return held.skip(format!("the log cannot be read: {error}")),
        None => return,
    };
    let runs: Vec<_> = evaluators
        .into_iter()
        .map(|evaluator| tokio::task::spawn_local(run(Arc::clone(&span), evaluator, Arc::clone(&log))))
        .collect();
    for run in runs {
        let Ok((child, scores)) = run.await else { continue };
        held.change(|record| {
            record.known.children.extend(child.map(|child| child.as_u64_pair()).map(|(high, low)| [high, low]));
            let draft = record.known.draft.get_or_insert_default();
            for score in scores {
                draft.scores.retain(|old| old.name != score.name);
                draft.scores.push(score);
            }
        });
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
    // It may have learned both by being called.
    let span = match site_of(evaluator.name()) {
        site if std::ptr::eq(site, span.identity.site) => span,
        site => span.renamed(site),
    };
    if let Some(description) = evaluator.description() {
        span.update(|draft| _ = draft.metadata.insert("description".to_owned(), description.into()));
    }
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
        Err(payload) => return Err(swallowed(payload)),
    };
    let scores = std::future::poll_fn(|task| match drive::caught(|| evaluation.as_mut().poll(task)) {
        Ok(Poll::Ready(scores)) => Poll::Ready(scores),
        Ok(Poll::Pending) => Poll::Pending,
        Err(payload) => Poll::Ready(Err(swallowed(payload))),
    });
    let scores = scores.await?;
    match scores.iter().find(|score| !score.score.is_finite()) {
        Some(bad) => Err(format!("score `{}` is {}; a score must be a finite number", bad.name, bad.score)),
        None => Ok(scores),
    }
}
