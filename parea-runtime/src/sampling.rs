//! Which traces are kept, where the annotation does not say.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    context::Context,
    evaluation,
    hooks::swallowed,
    id::{self, Id},
    record::{self, Finished, Record},
    scope::{Scope, Sink},
    stack,
};

/// Most bytes of a trace that is not decided yet; a larger one is kept.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Which traces are kept: by chance, the same for all or by what a trace starts with, and some for certain.
///
/// The decision holds for the whole trace; a function that has a `log_sample_rate` of its own decides by that alone. What is
/// kept tells its chance in the metadata (`sample_rate`), so that counts can be made good: each trace stands for 1 / rate.
///
/// ```no_run
/// use std::time::Duration;
/// use parea::Sampler;
///
/// let by_name = Sampler::by(|start| if start.name() == "health" { 0.0 } else { 0.1 });
/// let _parea = parea::builder().sampler(by_name.keep_errors().keep_slow(Duration::from_secs(2))).init()?;
/// # Ok::<(), parea::InitError>(())
/// ```
///
/// With a plain rate a trace that is left out costs next to nothing. All else is decided when the root has ended: until
/// then the trace is recorded and held in memory (8 MB at most; a larger one is kept), and its evaluations wait. What it
/// calls in other processes is recorded there in any case.
#[derive(Clone)]
pub struct Sampler {
    chance: Chance,
    errors: bool,
    slow: Option<Duration>,
}

/// What the user decides by.
type Choose = dyn Fn(&TraceStart<'_>) -> f64 + Send + Sync;

#[derive(Clone)]
enum Chance {
    Plain(f64),
    By(Arc<Choose>),
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Sampler");
        match &self.chance {
            Chance::Plain(rate) => shown.field("rate", rate),
            Chance::By(_) => shown.field("rate", &"by a function"),
        };
        shown.field("errors", &self.errors).field("slow", &self.slow).finish()
    }
}

impl Sampler {
    /// Keeps each trace with this chance, 0 to 1.
    pub fn rate(rate: f64) -> Self {
        Self { chance: Chance::Plain(rate), errors: false, slow: None }
    }

    /// Keeps a trace with the chance that `choose` says, 0 to 1; no number is 1. If it panics, the trace is kept.
    ///
    /// It is asked when the root has ended, before the call returns. What it calls is not traced.
    pub fn by(choose: impl Fn(&TraceStart<'_>) -> f64 + Send + Sync + 'static) -> Self {
        Self { chance: Chance::By(Arc::new(choose)), errors: false, slow: None }
    }

    /// Keeps every trace in which a span has failed.
    #[must_use]
    pub fn keep_errors(self) -> Self {
        Self { errors: true, ..self }
    }

    /// Keeps every trace whose root took so long or longer.
    #[must_use]
    pub fn keep_slow(self, least: Duration) -> Self {
        Self { slow: Some(least), ..self }
    }

    /// The rate, if it is none.
    pub(crate) fn wrong_rate(&self) -> Option<f64> {
        match self.chance {
            Chance::Plain(rate) if !(0.0..=1.0).contains(&rate) => Some(rate),
            _ => None,
        }
    }

    /// The chance by which a trace that ended like this is kept, or nothing if it is not.
    fn decide(&self, root: &Root<'_>, failed: bool) -> Option<f64> {
        if self.errors && failed || self.slow.is_some_and(|least| root.latency >= least) {
            return Some(1.0);
        }
        let rate = match &self.chance {
            Chance::Plain(rate) => *rate,
            Chance::By(choose) => {
                let start = TraceStart { name: root.name, inputs: root.inputs };
                // What it calls is no trace of its own, which it would be asked about.
                catch_unwind(AssertUnwindSafe(|| Context::off().enter(|| choose(&start)))).unwrap_or_else(|payload| {
                    swallowed(payload);
                    1.0
                })
            }
        };
        let rate = if rate.is_nan() { 1.0 } else { rate.clamp(0.0, 1.0) };
        (fastrand::f64() < rate).then_some(rate)
    }
}

/// What a trace starts with.
#[derive(Debug)]
pub struct TraceStart<'a> {
    name: &'a str,
    inputs: &'a [u8],
}

impl TraceStart<'_> {
    /// Name of the root.
    pub fn name(&self) -> &str {
        self.name
    }

    /// One of the root's inputs as it was captured; `None` when it has none of that name.
    pub fn input(&self, name: &str) -> Option<Value> {
        self.inputs().remove(name)
    }

    /// All inputs of the root as they were captured.
    pub fn inputs(&self) -> Map<String, Value> {
        serde_json::from_slice(self.inputs).unwrap_or_default()
    }
}

/// The plain rate in force, as bits; no number where there is none.
static PLAIN: AtomicU64 = AtomicU64::new(f64::NAN.to_bits());
static CHOSEN: OnceLock<Sampler> = OnceLock::new();

/// Puts a sampler in force for the rest of the process. The first one stays.
pub(crate) fn enforce(sampler: Sampler) {
    match sampler {
        Sampler { chance: Chance::Plain(rate), errors: false, slow: None } => {
            PLAIN.store(rate.to_bits(), Ordering::Relaxed);
        }
        // A second `init` fails before it comes here.
        chosen => drop(CHOSEN.set(chosen)),
    }
}

/// The chance of traces that start outside of everything.
#[inline]
pub(crate) fn plain_rate() -> Option<f64> {
    Some(f64::from_bits(PLAIN.load(Ordering::Relaxed))).filter(|rate| !rate.is_nan())
}

/// Where a trace belongs that is decided at its end, if traces are.
#[inline]
pub(crate) fn scope_of(root: Id) -> Option<Arc<Scope>> {
    CHOSEN.get()?;
    let root_id = id::uuid(root);
    Some(Arc::new(Scope::of(Sink::Undecided(Arc::new(Undecided { root_id, state: Mutex::default() })))))
}

/// A trace of which is decided at its end whether it is kept.
#[derive(Debug)]
pub(crate) struct Undecided {
    root_id: Uuid,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open {
        held: Vec<Held>,
        bytes: usize,
        failed: bool,
    },
    /// By this chance.
    Kept(f64),
    LeftOut,
}

impl Default for State {
    fn default() -> Self {
        Self::Open { held: Vec::new(), bytes: 0, failed: false }
    }
}

/// A span that has ended.
#[derive(Debug)]
enum Held {
    Record(Vec<u8>),
    /// To be evaluated first, if the trace is kept.
    Finished(Box<Finished>),
}

/// What is known of a trace when one of its spans has ended.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    /// Its root has not ended.
    Open,
    /// By this chance.
    Keep(f64),
    LeaveOut,
}

/// The root as it ended.
struct Root<'a> {
    name: &'a str,
    inputs: &'a [u8],
    latency: Duration,
}

impl Undecided {
    pub(crate) fn finished(&self, bytes: Vec<u8>) {
        let Some(record) = Record::read(&bytes) else { return };
        let (failed, size) = (record.has_failed(), bytes.len());
        let verdict = if record.trace_id() == self.root_id {
            let root = Root { name: record.name(), inputs: record.inputs(), latency: record.latency() };
            self.decide(&root, failed)
        } else {
            Verdict::Open
        };
        self.take(Held::Record(bytes), size, failed, verdict);
    }

    pub(crate) fn evaluated(&self, finished: Box<Finished>) {
        let identity = &finished.span.identity;
        let inputs = finished.captured.get(..finished.sections.inputs as usize).unwrap_or_default();
        let verdict = if identity.id == self.root_id {
            let root = Root { name: identity.site.name(), inputs, latency: finished.latency };
            self.decide(&root, false)
        } else {
            Verdict::Open
        };
        let size = finished.captured.len();
        self.take(Held::Finished(finished), size, false, verdict);
    }

    /// Asks the user, and so without the lock. What fails meanwhile on other threads comes too late to count.
    fn decide(&self, root: &Root<'_>, failed: bool) -> Verdict {
        let failed = failed || matches!(*self.lock(), State::Open { failed: true, .. });
        let kept = CHOSEN.get().map_or(Some(1.0), |sampler| sampler.decide(root, failed));
        kept.map_or(Verdict::LeaveOut, Verdict::Keep)
    }

    /// Holds what has ended, or lets everything go where it belongs once that is known: by the root, as `verdict` says.
    fn take(&self, ended: Held, size: usize, has_failed: bool, verdict: Verdict) {
        let mut state = self.lock();
        let (rate, mut free) = match &mut *state {
            State::LeftOut => return,
            State::Kept(rate) => (*rate, Vec::new()),
            State::Open { held, bytes, failed } => {
                *bytes += size;
                *failed |= has_failed;
                let rate = match verdict {
                    Verdict::Keep(rate) => rate,
                    Verdict::LeaveOut => return *state = State::LeftOut,
                    Verdict::Open if *bytes > MOST_BYTES => 1.0,
                    Verdict::Open => return held.push(ended),
                };
                let free = mem::take(held);
                *state = State::Kept(rate);
                (rate, free)
            }
        };
        drop(state);
        free.push(ended);
        for ended in free {
            match ended {
                Held::Record(mut bytes) => {
                    record::set_sample_rate(&mut bytes, rate);
                    stack::count_started();
                    stack::append(&bytes);
                }
                Held::Finished(finished) => evaluation::start(*finished),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
