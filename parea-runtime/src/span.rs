//! One open span: who it is, what was learned of it so far, and how it ends.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use parea_types::EvaluationScore;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    clock::Start,
    evaluation::{self, Evaluators},
    hooks::CallSite,
    id,
    propagation::Position,
    record::{Outcome, Record},
    sink::Sink,
    site::site_of,
};

/// What all spans of one trace share.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) root_id: Uuid,
    /// Number of the next span in order of start; the root took 0.
    next_order: AtomicU32,
    /// Where finished spans go: decided by the root, so that a trace is never split.
    sink: Sink,
    /// The chance by which the root was kept, if it had one.
    pub(crate) sample_rate: Option<f64>,
    /// Uuid of the run of an experiment to which the whole trace belongs.
    pub(crate) experiment: Option<Box<str>>,
    /// The root's target, for evaluations of spans that started before it was set.
    root_target: Mutex<Option<Arc<str>>>,
    /// What callers in other processes said of the whole trace, to be passed on.
    baggage: Option<Arc<str>>,
}

impl Trace {
    pub(crate) fn sink(&self) -> &Sink {
        &self.sink
    }

    pub(crate) fn root_target(&self) -> Option<Arc<str>> {
        self.root_target.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A span from its start to its end. Shared by everything that runs inside it.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) site: &'static CallSite,
    pub(crate) id: Uuid,
    pub(crate) parent_id: Uuid,
    pub(crate) trace: Arc<Trace>,
    pub(crate) depth: u32,
    pub(crate) order: u32,
    pub(crate) start: Start,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once the span has ended.
    draft: Option<Draft>,
    /// Outlives the draft: children that start later inherit it too.
    target: Option<Arc<str>>,
}

/// What is known of a span while it is open.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) children: Vec<Uuid>,
    /// A JSON object, or nothing yet.
    pub(crate) inputs: Vec<u8>,
    pub(crate) errors: Vec<String>,
    pub(crate) scores: Vec<EvaluationScore>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) tags: Vec<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) time_to_first_token: Option<f64>,
    pub(crate) deployment_id: Option<String>,
    pub(crate) evaluation_metric_names: Vec<String>,
    pub(crate) apply_eval_frac: Option<f64>,
    /// What scores the span once it has ended, on our side.
    pub(crate) evaluators: Evaluators,
    pub(crate) end_user_identifier: Option<String>,
}

impl Span {
    /// The first span of a trace.
    pub(crate) fn root(site: &'static CallSite, sink: Sink) -> Arc<Self> {
        Self::root_of(site, sink, None)
    }

    /// The first span of a trace that may belong to an experiment.
    pub(crate) fn root_of(site: &'static CallSite, sink: Sink, experiment: Option<Box<str>>) -> Arc<Self> {
        let start = Start::now();
        let id = id::fresh(start);
        sink.opened();
        let next_order = AtomicU32::new(1);
        let root_target = Mutex::default();
        let sample_rate = site.sample_rate();
        let trace =
            Arc::new(Trace { root_id: id, next_order, sink, sample_rate, experiment, root_target, baggage: None });
        Arc::new(Self { site, id, parent_id: id, trace, depth: 0, order: 0, start, state: State::new(None) })
    }

    /// Stands for every span of a trace that is not in the sample. It has ended before it began: all that is done to
    /// it does nothing.
    pub(crate) fn muted() -> Arc<Self> {
        static SITE: CallSite = CallSite::new("", "", "", "", 0);
        thread_local! {
            static MUTED: Arc<Span> = Span::ended(&SITE);
        }
        // A thread that is ending has no locals any more.
        MUTED.try_with(Arc::clone).unwrap_or_else(|_| Self::ended(&SITE))
    }

    fn ended(site: &'static CallSite) -> Arc<Self> {
        let span = Self::root(site, Sink::Nowhere);
        span.lock().draft = None;
        span
    }

    /// Whether it is [`muted`](Self::muted).
    pub(crate) fn is_muted(&self) -> bool {
        matches!(self.trace.sink, Sink::Nowhere)
    }

    /// A span inside another. One that outlives its parent keeps the trace all the same.
    pub(crate) fn child(parent: &Self, site: &'static CallSite) -> Arc<Self> {
        let start = Start::now();
        let id = id::fresh(start);
        parent.trace.sink.opened();
        // The parent's lock is held while the number is taken, so that `children` is in the order of the numbers.
        let (order, target) = {
            let mut state = parent.lock();
            if let Some(draft) = state.draft.as_mut() {
                draft.children.push(id);
            }
            (parent.trace.next_order.fetch_add(1, Ordering::Relaxed), state.target.clone())
        };
        Arc::new(Self {
            site,
            id,
            parent_id: parent.id,
            trace: Arc::clone(&parent.trace),
            depth: parent.depth + 1,
            order,
            start,
            state: State::new(target),
        })
    }

    /// The span of another process from which this one was called: for this process it has ended, and what starts
    /// inside it is its child. Numbers go on behind its own, so that they may be given twice in one trace.
    pub(crate) fn remote(position: Position, sink: Sink) -> Arc<Self> {
        let Position { root_id, id, depth, order, sample_rate, experiment, target, baggage } = position;
        let next_order = AtomicU32::new(order.saturating_add(1));
        let root_target = Mutex::new(target.clone());
        let trace = Arc::new(Trace { root_id, next_order, sink, sample_rate, experiment, root_target, baggage });
        let state = Mutex::new(State { draft: None, target });
        Arc::new(Self { site: site_of("remote"), id, parent_id: id, trace, depth, order, start: Start::now(), state })
    }

    /// What another process has to know to go on from here.
    pub(crate) fn position(&self) -> Position {
        Position {
            root_id: self.trace.root_id,
            id: self.id,
            depth: self.depth,
            order: self.order,
            sample_rate: self.trace.sample_rate,
            experiment: self.trace.experiment.clone(),
            target: self.lock().target.clone(),
            baggage: self.trace.baggage.clone(),
        }
    }

    /// Changes what is known of the span; does nothing once it has ended. Never call user code in `change`: it
    /// may come back here.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Draft)) {
        if let Some(draft) = self.lock().draft.as_mut() {
            change(draft);
        }
    }

    /// Sets the expected output of this span and of those that start inside it from now on.
    pub(crate) fn set_target(&self, target: Arc<str>) {
        let mut state = self.lock();
        if state.draft.is_some() {
            if self.depth == 0 {
                *self.trace.root_target.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&target));
            }
            state.target = Some(target);
        }
    }

    /// Whether nothing was captured yet, so that a call that is not recorded cannot write into its caller's span.
    pub(crate) fn awaits_inputs_of(&self, site: &'static CallSite) -> bool {
        std::ptr::eq(self.site, site) && self.lock().draft.as_ref().is_some_and(|draft| draft.inputs.is_empty())
    }

    /// Ends the span and hands its record over. The second call does nothing.
    pub(crate) fn finish(self: &Arc<Self>, outcome: Outcome) {
        let latency = self.start.elapsed();
        let (draft, target) = {
            let mut state = self.lock();
            (state.draft.take(), state.target.clone())
        };
        let Some(draft) = draft else { return };
        let record = Record { span: Arc::clone(self), latency, draft, target, outcome };
        if record.wants_evaluation() { evaluation::start(record) } else { self.trace.sink.finished(record) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held; if it did, a half-made record is still better than none.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(target: Option<Arc<str>>) -> Mutex<Self> {
        Mutex::new(Self { draft: Some(Draft::default()), target })
    }
}
