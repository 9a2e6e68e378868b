//! A span that may be seen from more than one place: carried to another task or thread, suspended, or held by
//! [`CurrentSpan`](crate::CurrentSpan). One that never is stays on its thread's [stack](crate::stack).

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use parea_types::EvaluationScore;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    clock::Moment,
    evaluation::Evaluators,
    id::{self, Id},
    propagation::Position,
    record::Outcome,
    scope::{Scope, Sink},
    site::{CallSite, site_of},
    stack,
};

/// What all spans of one trace share.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) root_id: Uuid,
    /// Number of the next span in order of start; the root took 0.
    next_order: AtomicU32,
    /// Where the root started: it says where finished spans go, so that a trace is never split.
    pub(crate) scope: Option<Arc<Scope>>,
    /// The chance by which the root was kept, if it had one.
    pub(crate) sample_rate: Option<f64>,
    /// The root's target, for evaluations of spans that started before it was set.
    root_target: Mutex<Option<Arc<str>>>,
}

impl Trace {
    pub(crate) fn new(
        root_id: Uuid,
        next_order: u32,
        scope: Option<Arc<Scope>>,
        sample_rate: Option<f64>,
        root_target: Option<Arc<str>>,
    ) -> Arc<Self> {
        let (next_order, root_target) = (AtomicU32::new(next_order), Mutex::new(root_target));
        Arc::new(Self { root_id, next_order, scope, sample_rate, root_target })
    }

    /// Where records of this trace go.
    pub(crate) fn sink(&self) -> &Sink {
        self.scope.as_ref().map_or(&Sink::Exporter, |scope| &scope.sink)
    }

    pub(crate) fn next_order(&self) -> u32 {
        self.next_order.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn root_target(&self) -> Option<Arc<str>> {
        self.root_target.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_root_target(&self, target: Arc<str>) {
        *self.root_target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }
}

/// Who a span is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) site: &'static CallSite,
    pub(crate) id: Uuid,
    pub(crate) parent_id: Uuid,
    pub(crate) depth: u32,
    pub(crate) order: u32,
    pub(crate) start: Moment,
}

/// An open span that is shared by everything that runs inside it.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) identity: Identity,
    pub(crate) trace: Arc<Trace>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once the span has ended.
    open: Option<Known>,
    /// Outlives the rest: children that start later inherit it too.
    target: Option<Arc<str>>,
}

/// What is known of a shared span while it is open.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Ids of direct children in order of start.
    pub(crate) children: Vec<Id>,
    /// A JSON object, or nothing yet.
    pub(crate) inputs: Vec<u8>,
    pub(crate) draft: Option<Box<Draft>>,
}

/// What was said of a span beside what it took and returned. Most spans have none of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Draft {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) scores: Vec<EvaluationScore>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) metadata: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_to_first_token: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) evaluation_metric_names: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) apply_eval_frac: Option<f64>,
    /// What scores the span once it has ended, on our side.
    #[serde(skip)]
    pub(crate) evaluators: Evaluators,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) end_user_identifier: Option<String>,
}

impl Draft {
    /// Whether the span has to be evaluated before its record is sent: it asks for that, has not failed, and its lot says
    /// so.
    pub(crate) fn wants_evaluation(&self, failed: bool) -> bool {
        !failed
            && !self.evaluators.0.is_empty()
            && self.errors.is_empty()
            && self.apply_eval_frac.is_none_or(|fraction| fastrand::f64() < fraction)
    }

    /// Takes over what an annotation says. What was said in the body, or in the expressions themselves, stays.
    pub(crate) fn fill_in(&mut self, said: Self) {
        self.tags.splice(0..0, said.tags);
        for (key, value) in said.metadata {
            self.metadata.entry(key).or_insert(value);
        }
        self.session_id = self.session_id.take().or(said.session_id);
        self.end_user_identifier = self.end_user_identifier.take().or(said.end_user_identifier);
        self.deployment_id = said.deployment_id;
        self.evaluation_metric_names = said.evaluation_metric_names;
        self.apply_eval_frac = said.apply_eval_frac;
        self.evaluators.0.extend(said.evaluators.0);
    }
}

impl Span {
    pub(crate) fn new(identity: Identity, trace: Arc<Trace>, known: Known, target: Option<Arc<str>>) -> Arc<Self> {
        let state = Mutex::new(State { open: Some(known), target });
        Arc::new(Self { identity, trace, state })
    }

    /// The first span of a trace, in a scope of its own.
    pub(crate) fn root_of(site: &'static CallSite, scope: Arc<Scope>) -> Arc<Self> {
        let start = Moment::now();
        let id = id::uuid(id::fresh(start, &mut fastrand::Rng::new()));
        if scope.sink.is_exported() {
            stack::count_started();
        }
        let identity = Identity { site, id, parent_id: id, depth: 0, order: 0, start };
        let trace = Trace::new(id, 1, Some(scope), site.sample_rate(), None);
        Self::new(identity, trace, Known::default(), None)
    }

    /// Stands for every span of a trace that is not in the sample. It has ended before it began: all that is done to
    /// it does nothing.
    pub(crate) fn muted() -> Arc<Self> {
        static SITE: CallSite = CallSite::new("", "", "", "", 0);
        static MUTED: OnceLock<Arc<Span>> = OnceLock::new();
        let muted = MUTED.get_or_init(|| {
            let span = Self::root_of(&SITE, Arc::new(Scope::of(Sink::Nowhere)));
            span.lock().open = None;
            span
        });
        Arc::clone(muted)
    }

    /// The span of another process from which this one was called: for this process it has ended, and what starts
    /// inside it is its child. Numbers go on behind its own, so that they may be given twice in one trace.
    pub(crate) fn remote(position: Position, sink: Sink) -> Arc<Self> {
        let Position { root_id, id, depth, order, sample_rate, experiment, target, baggage, state } = position;
        let scope = Arc::new(Scope { sink, experiment, baggage, state });
        let trace = Trace::new(root_id, order.saturating_add(1), Some(scope), sample_rate, target.clone());
        // Its own parent is the other process's business.
        let identity = Identity { site: site_of("remote"), id, parent_id: id, depth, order, start: Moment::now() };
        Arc::new(Self { identity, trace, state: Mutex::new(State { open: None, target }) })
    }

    /// What another process has to know to go on from here.
    pub(crate) fn position(&self) -> Position {
        let scope = self.trace.scope.as_ref();
        Position {
            root_id: self.trace.root_id,
            id: self.identity.id,
            depth: self.identity.depth,
            order: self.identity.order,
            sample_rate: self.trace.sample_rate,
            experiment: scope.and_then(|scope| scope.experiment.clone()),
            target: self.lock().target.clone(),
            baggage: scope.and_then(|scope| scope.baggage.clone()),
            state: scope.and_then(|scope| scope.state.clone()),
        }
    }

    /// Whether it is [`muted`](Self::muted).
    pub(crate) fn is_muted(&self) -> bool {
        matches!(self.trace.sink(), Sink::Nowhere)
    }

    /// A span inside another, wherever that is.
    pub(crate) fn child(parent: &Self, site: &'static CallSite) -> Arc<Self> {
        let start = Moment::now();
        let id = id::fresh(start, &mut fastrand::Rng::new());
        if parent.trace.sink().is_exported() {
            stack::count_started();
        }
        let (order, target) = parent.add_child(id);
        let id = id::uuid(id);
        let Identity { id: parent_id, depth, .. } = parent.identity;
        let identity = Identity { site, id, parent_id, depth: depth + 1, order, start };
        Self::new(identity, Arc::clone(&parent.trace), Known::default(), target)
    }

    /// Takes note of a child that starts. Returns the child's number and the target that it inherits.
    pub(crate) fn add_child(&self, id: Id) -> (u32, Option<Arc<str>>) {
        let mut state = self.lock();
        if let Some(open) = state.open.as_mut() {
            open.children.push(id);
        }
        // Taken under the lock, so that `children` is in the order of the numbers.
        (self.trace.next_order(), state.target.clone())
    }

    /// The same span under another name, with all that is known of it. This one has ended then.
    pub(crate) fn renamed(self: Arc<Self>, site: &'static CallSite) -> Arc<Self> {
        match self.close() {
            Some((known, target)) => {
                let identity = Identity { site, ..self.identity };
                Self::new(identity, Arc::clone(&self.trace), known, target)
            }
            None => self,
        }
    }

    /// Changes what is known of the span; does nothing once it has ended. Never call user code in `change`: it
    /// may come back here.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Draft)) {
        self.update_all(|known| change(known.draft.get_or_insert_default()));
    }

    pub(crate) fn update_all(&self, change: impl FnOnce(&mut Known)) {
        if let Some(open) = self.lock().open.as_mut() {
            change(open);
        }
    }

    /// Sets the expected output of this span and of those that start inside it from now on.
    pub(crate) fn set_target(&self, target: Arc<str>) {
        let mut state = self.lock();
        if state.open.is_some() {
            if self.identity.depth == 0 {
                self.trace.set_root_target(Arc::clone(&target));
            }
            state.target = Some(target);
        }
    }

    /// Whether nothing was captured yet, so that a call that is not recorded cannot write into its caller's span.
    pub(crate) fn awaits_inputs_of(&self, site: &'static CallSite) -> bool {
        std::ptr::eq(self.identity.site, site) && self.lock().open.as_ref().is_some_and(|open| open.inputs.is_empty())
    }

    /// Ends the span and hands its record over. The second call does nothing.
    pub(crate) fn finish(self: &Arc<Self>, outcome: Outcome) {
        stack::finish_shared(self, outcome);
    }

    /// Takes the inputs alone, for a record that is being made.
    pub(crate) fn take_inputs(&self) -> Vec<u8> {
        self.lock().open.as_mut().map(|open| std::mem::take(&mut open.inputs)).unwrap_or_default()
    }

    /// Ends the span: what is known of it, and its target. `None` if it has ended before.
    pub(crate) fn close(&self) -> Option<(Known, Option<Arc<str>>)> {
        let mut state = self.lock();
        Some((state.open.take()?, state.target.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held; if it did, a half-made record is still better than none.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
