//! The spans that are open on a thread, and the buffers that they capture into.
//!
//! A span that begins and ends on one thread lives here alone: no allocation, no lock, no reference count. What it
//! captures lies in buffers that grow and shrink with the stack. As soon as it is to be seen from elsewhere it is
//! [shared](share): its state moves to the heap and the stack keeps a pointer.
//!
//! No code of the user's runs while the stack is borrowed.

use std::{cell::RefCell, mem, sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{
    client,
    clock::Moment,
    evaluation,
    exit::fork::{self, PerProcess},
    hooks::{Captured, End, Recorder},
    id,
    json::{Buffer, push_text},
    record::{self, Finished, Outcome, Sections},
    sampling,
    scope::{Scope, Sink},
    site::CallSite,
    span::{Draft, Identity, Known, Span, Trace},
    thread_log::{Count, Registry, Writer},
};

/// Where all threads leave their records for the exporter.
static LOGS: PerProcess<Registry> = PerProcess::new(Registry::new(), Registry::new);

/// The logs of this process.
pub(crate) fn logs() -> &'static Registry {
    LOGS.get()
}

/// A log for this thread.
#[cold]
fn new_writer() -> Writer {
    if fork::generation() > 0 {
        // In a child the first span that ends starts the exporter, wherever its trace began.
        client::is_recording();
    }
    logs().writer()
}

/// In a forked child: what this thread holds of its parent's logs is let go, and ids are drawn anew.
#[cfg(unix)]
pub(crate) fn after_fork() {
    with(|stack| {
        stack.writer = None;
        stack.random = id::reseeded(&mut stack.random);
    });
}

thread_local! {
    static STACK: RefCell<Stack> = RefCell::new(Stack::default());
}

#[derive(Debug, Default)]
struct Stack {
    frames: Vec<Frame>,
    /// Inputs of the open spans, one behind the other, and the output of the one that ends.
    buffer: Buffer,
    /// Children of the open spans, likewise.
    children: Vec<[u64; 2]>,
    random: fastrand::Rng,
    writer: Option<Writer>,
    waiting: Vec<Waiting>,
}

/// A step down into the program.
#[derive(Debug)]
enum Frame {
    /// A span that only this thread knows.
    Open(Open),
    /// One that is shared.
    Shared(Arc<Span>),
    /// Outside any span: roots that start here belong to the scope.
    Scope(Option<Arc<Scope>>),
    /// Inside a trace that is not recorded.
    Muted,
}

/// What every span needs. It is small, for it is written and dropped with each call.
#[derive(Debug)]
struct Open {
    identity: Identity,
    root_id: Uuid,
    /// Index of the frame by which this thread came into the trace.
    base: u32,
    /// Where its inputs begin in the buffer, and how long they are.
    buffer_start: u32,
    inputs: u32,
    /// Where its children begin.
    children_start: u32,
    /// Of a root: number of the next span of its trace, as long as they are all on this thread.
    next_order: u32,
    awaits_inputs: bool,
    /// Whether its record goes to the exporter, by whatever way.
    exported: bool,
    /// Whether the trace has nothing that is to be looked up when the span ends.
    plain: bool,
    rest: Option<Box<Rest>>,
}

/// What few spans have.
#[derive(Debug, Default)]
struct Rest {
    draft: Option<Box<Draft>>,
    target: Option<Arc<str>>,
    /// Of a root: where it started.
    scope: Option<Arc<Scope>>,
    /// Of a root: the chance by which it was kept, if it had one.
    sample_rate: Option<f64>,
    /// Of a root: its trace, from when one of the spans is shared on.
    trace: Option<Arc<Trace>>,
}

/// What became of an attempt to begin a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It is on the stack now.
    Live,
    /// Its trace is not in the sample; that is on the stack now.
    Muted,
    /// Nobody wants it.
    Off,
}

/// A place in a trace that can be carried elsewhere.
#[derive(Clone, Debug, Default)]
pub(crate) enum Place {
    #[default]
    Outside,
    Scope(Arc<Scope>),
    Inside(Arc<Span>),
    Muted,
}

#[inline]
fn with<R>(body: impl FnOnce(&mut Stack) -> R) -> Option<R> {
    // A thread whose locals are gone already is outside of everything.
    STACK.try_with(|stack| stack.try_borrow_mut().ok().map(|mut stack| body(&mut stack))).ok().flatten()
}

/// Hands on what goes elsewhere than to the exporter.
#[cold]
fn hand_on() {
    while let Some(waiting) = with(|stack| stack.waiting.pop()).flatten() {
        waiting.hand_on();
    }
}

/// A record for others than the exporter. They have locks and code of their own, so it waits until the stack is free.
#[derive(Debug)]
enum Waiting {
    /// For a test or an experiment.
    Aside(Sink, Vec<u8>),
    /// To be evaluated first.
    Evaluated(Box<Finished>),
}

impl Waiting {
    fn hand_on(self) {
        match self {
            Self::Aside(sink, record) => sink.finished(record),
            Self::Evaluated(record) => match record.span.trace.sink().clone() {
                Sink::Undecided(trace) => trace.evaluated(record),
                _ => evaluation::start(*record),
            },
        }
    }
}

/// Starts a span at the current place and enters it, if anybody wants it.
pub(crate) fn begin(site: &'static CallSite) -> Begun {
    with(|stack| stack.begin(site)).unwrap_or(Begun::Off)
}

/// Enters a place, until [`leave`]. Gives it back where there is no stack: on a thread that is about to end.
pub(crate) fn enter(place: Place) -> Result<(), Place> {
    let mut place = Some(place);
    with(|stack| {
        let Some(place) = place.take() else { return };
        stack.frames.push(match place {
            Place::Outside => Frame::Scope(None),
            Place::Scope(scope) => Frame::Scope(Some(scope)),
            Place::Inside(span) if span.is_muted() => Frame::Muted,
            Place::Inside(span) => Frame::Shared(span),
            Place::Muted => Frame::Muted,
        });
    });
    place.map_or(Ok(()), Err)
}

/// Leaves what was entered last, and returns it to be entered again.
pub(crate) fn leave() -> Place {
    with(|stack| {
        let place = stack.place();
        stack.frames.pop();
        place
    })
    .unwrap_or_default()
}

/// Where the running code is. A span that is asked for is shared from then on.
pub(crate) fn place() -> Place {
    with(Stack::place).unwrap_or_default()
}

/// Gets ready to capture the inputs of the span that was begun for `site`, if it is the innermost one.
pub(crate) fn begin_inputs(site: &'static CallSite, recorder: &mut Recorder) -> bool {
    with(|stack| {
        let awaited = match stack.frames.last_mut() {
            Some(Frame::Open(open)) => {
                std::ptr::eq(open.identity.site, site) && mem::replace(&mut open.awaits_inputs, false)
            }
            Some(Frame::Shared(span)) => span.awaits_inputs_of(site),
            Some(Frame::Scope(_) | Frame::Muted) | None => false,
        };
        if awaited {
            recorder.take(&mut stack.buffer);
        }
        awaited
    })
    .unwrap_or(false)
}

/// Keeps what was captured since [`begin_inputs`].
pub(crate) fn keep_inputs(recorder: &mut Recorder) {
    with(|stack| {
        let start = recorder.put_back(&mut stack.buffer);
        let (draft, target) = (recorder.draft.take(), recorder.target.take());
        match stack.frames.last_mut() {
            Some(Frame::Open(open)) => {
                open.inputs = (stack.buffer.len() - start) as u32;
                if draft.is_some() || target.is_some() {
                    open.rest.get_or_insert_default().fill_in(draft, target);
                }
            }
            Some(Frame::Shared(span)) => {
                let inputs = stack.buffer.bytes.split_off(start);
                span.update_all(|known| {
                    known.inputs = inputs;
                    if let Some(said) = draft {
                        known.draft.get_or_insert_default().fill_in(*said);
                    }
                });
                if let Some(target) = target {
                    span.set_target(target);
                }
            }
            Some(Frame::Scope(_) | Frame::Muted) | None => stack.buffer.bytes.truncate(start),
        }
    });
}

/// The body of the innermost span has returned: gets ready to capture what. The span stays entered.
pub(crate) fn begin_end(end: &mut End) -> bool {
    with(|stack| {
        let now = Moment::now();
        match stack.frames.last_mut() {
            Some(Frame::Open(open)) => {
                let inputs = mem::take(&mut open.inputs);
                end.take(&mut stack.buffer, open.buffer_start as usize, inputs, now.since(open.identity.start));
                true
            }
            Some(Frame::Shared(span)) => {
                let (start, inputs) = (stack.buffer.len(), span.take_inputs());
                stack.buffer.bytes.extend_from_slice(&inputs);
                end.take(&mut stack.buffer, start, inputs.len() as u32, now.since(span.identity.start));
                true
            }
            Some(Frame::Scope(_) | Frame::Muted) | None => false,
        }
    })
    .unwrap_or(false)
}

/// Leaves the innermost span and hands its record over.
pub(crate) fn finish(end: &mut End) {
    let waits = with(|stack| {
        match stack.frames.last() {
            Some(Frame::Open(open)) if fork::is_inherited(open.identity.start) => stack.drop_open(),
            Some(Frame::Open(open)) if open.plain && open.rest.is_none() => stack.finish_plain(end),
            _ => stack.finish_any(end),
        }
        mem::swap(&mut stack.buffer, &mut end.captured.buffer);
        stack.buffer.bytes.truncate(end.captured.start);
        stack.waits()
    });
    client::write_through();
    if waits == Some(true) {
        hand_on();
    }
}

/// Ends a shared span that may be the innermost one or not.
pub(crate) fn finish_shared(span: &Arc<Span>, outcome: Outcome) {
    let latency = Moment::now().since(span.identity.start);
    let mut buffer = Buffer::of(span.take_inputs());
    let mut sections = Sections { inputs: buffer.len() as u32, ..Sections::default() };
    buffer.bytes.extend_from_slice(&outcome.output);
    sections.output = outcome.output.len() as u32;
    buffer.bytes.extend_from_slice(&outcome.output_for_eval_metrics);
    sections.output_for_eval_metrics = outcome.output_for_eval_metrics.len() as u32;
    if let Some(error) = outcome.error {
        let before = buffer.len();
        push_text(&mut buffer.bytes, &error);
        sections.error = (buffer.len() - before) as u32;
    }
    let mut captured = Captured { buffer, sections, start: 0 };
    if with(|stack| stack.finish_shared(span, &mut captured, latency)).is_some() {
        client::write_through();
        hand_on();
    } else {
        // Without a stack the thread is about to end: a new one, with a log of its own, serves for this once.
        let mut last = Stack::default();
        last.finish_shared(span, &mut captured, latency);
        last.waiting.into_iter().for_each(Waiting::hand_on);
    }
}

/// Leaves a record to the exporter.
pub(crate) fn append(record: &[u8]) {
    let appended = with(|stack| stack.writer().append(&[], &[], record));
    if appended.is_none() {
        new_writer().append(&[], &[], record);
    }
    client::write_through();
}

/// Counts a span that starts elsewhere than on a stack.
pub(crate) fn count_started() {
    let counted = with(|stack| stack.writer().count(Count::Started, 1));
    if counted.is_none() {
        new_writer().count(Count::Started, 1);
    }
}

impl Rest {
    fn fill_in(&mut self, draft: Option<Box<Draft>>, target: Option<Arc<str>>) {
        match (&mut self.draft, draft) {
            (Some(draft), Some(said)) => draft.fill_in(*said),
            (draft @ None, said) => *draft = said,
            (Some(_), None) => {}
        }
        if let Some(target) = target {
            if let Some(trace) = &self.trace {
                trace.set_root_target(Arc::clone(&target));
            }
            self.target = Some(target);
        }
    }

    fn is_evaluated(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| !draft.evaluators.0.is_empty())
    }
}

impl Stack {
    fn begin(&mut self, site: &'static CallSite) -> Begun {
        match self.frames.last() {
            Some(Frame::Open(_)) => self.begin_below(site),
            Some(Frame::Shared(parent)) => {
                let parent = Arc::clone(parent);
                self.begin_below_shared(site, &parent);
            }
            Some(Frame::Scope(Some(scope))) => {
                let scope = Arc::clone(scope);
                return self.begin_root(site, Some(scope));
            }
            Some(Frame::Scope(None)) | None if client::is_recording() => return self.begin_root(site, None),
            Some(Frame::Scope(None) | Frame::Muted) | None => return Begun::Off,
        }
        Begun::Live
    }

    fn begin_root(&mut self, site: &'static CallSite, scope: Option<Arc<Scope>>) -> Begun {
        // What is not recorded is told before anything is done for it.
        let own_rate = site.sample_rate();
        let outside = scope.is_none() && own_rate.is_none();
        let sample_rate = if outside { sampling::plain_rate() } else { own_rate };
        if sample_rate.is_some_and(|rate| self.random.f64() >= rate) {
            self.frames.push(Frame::Muted);
            return Begun::Muted;
        }
        let start = Moment::now();
        let id = id::fresh(start, &mut self.random);
        let scope = if outside { sampling::scope_of(id) } else { scope };
        let plain = scope.is_none() && sample_rate.is_none();
        let exported = scope.as_ref().is_none_or(|scope| scope.sink.is_exported());
        let rest = (!plain).then(|| Box::new(Rest { scope, sample_rate, ..Rest::default() }));
        let identity = Identity { site, id, parent_id: id, depth: 0, order: 0, start };
        self.open(identity, id, self.frames.len() as u32, exported, plain, rest);
        Begun::Live
    }

    /// Inside a span that is on this thread alone.
    fn begin_below(&mut self, site: &'static CallSite) {
        let start = Moment::now();
        let id = id::fresh(start, &mut self.random);
        let Some(Frame::Open(parent)) = self.frames.last() else { return };
        let Open { identity: Identity { id: parent_id, depth, .. }, root_id, base, exported, plain, .. } = *parent;
        let target = parent.rest.as_ref().and_then(|rest| rest.target.clone());
        let rest = target.map(|target| Box::new(Rest { target: Some(target), ..Rest::default() }));
        let (high, low) = id.as_u64_pair();
        self.children.push([high, low]);
        let order = self.next_order(base);
        let identity = Identity { site, id, parent_id, depth: depth + 1, order, start };
        self.open(identity, root_id, base, exported, plain, rest);
    }

    fn begin_below_shared(&mut self, site: &'static CallSite, parent: &Span) {
        let start = Moment::now();
        let id = id::fresh(start, &mut self.random);
        let (order, target) = parent.add_child(id);
        let rest = target.map(|target| Box::new(Rest { target: Some(target), ..Rest::default() }));
        let Identity { id: parent_id, depth, .. } = parent.identity;
        let identity = Identity { site, id, parent_id, depth: depth + 1, order, start };
        let Trace { root_id, sample_rate, .. } = *parent.trace;
        let plain = parent.trace.scope.is_none() && sample_rate.is_none();
        let exported = parent.trace.sink().is_exported();
        let base = self.frames.len() as u32 - 1;
        self.open(identity, root_id, base, exported, plain, rest);
    }

    #[inline]
    fn open(
        &mut self,
        identity: Identity,
        root_id: Uuid,
        base: u32,
        exported: bool,
        plain: bool,
        rest: Option<Box<Rest>>,
    ) {
        if exported {
            self.writer().count(Count::Started, 1);
        }
        self.frames.push(Frame::Open(Open {
            identity,
            root_id,
            base,
            buffer_start: self.buffer.len() as u32,
            inputs: 0,
            children_start: self.children.len() as u32,
            next_order: 1,
            awaits_inputs: true,
            exported,
            plain,
            rest,
        }));
    }

    /// The next number in the trace that this thread came into by the frame `base`.
    #[inline]
    fn next_order(&mut self, base: u32) -> u32 {
        match self.frames.get_mut(base as usize) {
            Some(Frame::Open(root)) => {
                if let Some(trace) = root.rest.as_ref().and_then(|rest| rest.trace.as_ref()) {
                    return trace.next_order();
                }
                let order = root.next_order;
                root.next_order += 1;
                order
            }
            Some(Frame::Shared(span)) => span.trace.next_order(),
            // A span's base is a span.
            Some(Frame::Scope(_) | Frame::Muted) | None => 0,
        }
    }

    /// The trace of an open span, shared from now on.
    fn share_trace(&mut self, base: u32) -> Option<Arc<Trace>> {
        match self.frames.get_mut(base as usize)? {
            Frame::Open(root) => {
                let Rest { target, scope, sample_rate, trace, .. } = &mut **root.rest.get_or_insert_default();
                let trace = trace.get_or_insert_with(|| {
                    Trace::new(root.root_id, root.next_order, scope.clone(), *sample_rate, target.clone())
                });
                Some(Arc::clone(trace))
            }
            Frame::Shared(span) => Some(Arc::clone(&span.trace)),
            Frame::Scope(_) | Frame::Muted => None,
        }
    }

    fn place(&mut self) -> Place {
        if let Some(Frame::Open(_)) = self.frames.last() {
            self.share_last();
        }
        match self.frames.last() {
            Some(Frame::Shared(span)) => Place::Inside(Arc::clone(span)),
            Some(Frame::Scope(Some(scope))) => Place::Scope(Arc::clone(scope)),
            Some(Frame::Muted) => Place::Muted,
            Some(Frame::Scope(None) | Frame::Open(_)) | None => Place::Outside,
        }
    }

    /// Moves the innermost span to the heap.
    fn share_last(&mut self) {
        let Some(Frame::Open(open)) = self.frames.last() else { return };
        let Some(trace) = self.share_trace(open.base) else { return };
        let Some(Frame::Open(open)) = self.frames.pop() else { return };
        let inputs = if open.inputs == 0 {
            // Nothing yet, or just being captured: then the buffer is elsewhere.
            Vec::new()
        } else {
            self.buffer.bytes.split_off(open.buffer_start as usize)
        };
        let children = self.children.split_off(open.children_start as usize);
        let Rest { draft, target, .. } = open.rest.map(|rest| *rest).unwrap_or_default();
        let span = Span::new(open.identity, trace, Known { children, inputs, draft }, target);
        self.frames.push(Frame::Shared(span));
    }

    /// Ends a span of which there is nothing but what was captured.
    #[inline]
    fn finish_plain(&mut self, end: &mut End) {
        let Some(Frame::Open(open)) = self.frames.last() else { return };
        let children = self.children.get(open.children_start as usize..).unwrap_or_default();
        let bytes = end.captured.bytes();
        let head = record::head(&open.identity, open.root_id, None, end.latency, children.len(), end.captured.sized());
        let writer = self.writer.get_or_insert_with(new_writer);
        writer.append(&head, children, bytes);
        if end.captured.buffer.redacted > 0 {
            writer.count(Count::Redacted, u64::from(mem::take(&mut end.captured.buffer.redacted)));
        }
        self.children.truncate(open.children_start as usize);
        self.frames.pop();
    }

    /// Leaves a span of the process that this one was forked from: that one ends it.
    #[cold]
    fn drop_open(&mut self) {
        if let Some(Frame::Open(open)) = self.frames.pop() {
            self.children.truncate(open.children_start as usize);
        }
    }

    /// Ends whatever is innermost.
    #[cold]
    fn finish_any(&mut self, end: &mut End) {
        if matches!(self.frames.last(), Some(Frame::Open(open)) if open.rest.as_ref().is_some_and(|rest| rest.is_evaluated()))
        {
            self.share_last();
        }
        match self.frames.last() {
            Some(Frame::Open(_)) => self.finish_open(&mut end.captured, end.latency),
            Some(Frame::Shared(_)) => {
                if let Some(Frame::Shared(span)) = self.frames.pop() {
                    self.finish_shared(&span, &mut end.captured, end.latency);
                }
            }
            Some(Frame::Scope(_) | Frame::Muted) | None => {}
        }
    }

    fn finish_open(&mut self, captured: &mut Captured, latency: Duration) {
        let Some(Frame::Open(open)) = self.frames.last() else { return };
        let (scope, rate) = match self.frames.get(open.base as usize) {
            Some(Frame::Open(root)) => match &root.rest {
                Some(rest) => (rest.scope.as_ref(), rest.sample_rate),
                None => (None, None),
            },
            Some(Frame::Shared(span)) => (span.trace.scope.as_ref(), span.trace.sample_rate),
            Some(Frame::Scope(_) | Frame::Muted) | None => (None, None),
        };
        let experiment = scope.and_then(|scope| scope.experiment.as_deref());
        let (draft, target) = match &open.rest {
            Some(rest) => (rest.draft.as_deref(), rest.target.as_deref()),
            None => (None, None),
        };
        let Captured { buffer, sections, .. } = captured;
        record::push_rest(buffer, sections, draft, target, experiment);
        let children = self.children.get(open.children_start as usize..).unwrap_or_default();
        let head = record::head(&open.identity, open.root_id, rate, latency, children.len(), captured.sized());
        let writer = self.writer.get_or_insert_with(new_writer);
        match scope.map(|scope| &scope.sink) {
            None | Some(Sink::Exporter) => _ = writer.append(&head, children, captured.bytes()),
            Some(sink) => {
                let record = record::to_bytes(&head, children, captured.bytes());
                self.waiting.push(Waiting::Aside(sink.clone(), record));
            }
        }
        let redacted = mem::take(&mut captured.buffer.redacted);
        if redacted > 0 {
            writer.count(Count::Redacted, u64::from(redacted));
        }
        self.children.truncate(open.children_start as usize);
        self.frames.pop();
    }

    fn finish_shared(&mut self, span: &Arc<Span>, captured: &mut Captured, latency: Duration) {
        let Some((known, target)) = span.close() else { return };
        if fork::is_inherited(span.identity.start) {
            return;
        }
        let redacted = mem::take(&mut captured.buffer.redacted);
        if redacted > 0 {
            self.writer().count(Count::Redacted, u64::from(redacted));
        }
        let failed = captured.sections.error != 0;
        if known.draft.as_ref().is_some_and(|draft| draft.wants_evaluation(failed)) {
            let (sections, captured) = (captured.sections, captured.bytes().to_vec());
            let finished = Finished { span: Arc::clone(span), latency, known, target, sections, captured };
            return self.waiting.push(Waiting::Evaluated(Box::new(finished)));
        }
        let scope = span.trace.scope.as_ref();
        let experiment = scope.and_then(|scope| scope.experiment.as_deref());
        let Captured { buffer, sections, .. } = captured;
        record::push_rest(buffer, sections, known.draft.as_deref(), target.as_deref(), experiment);
        let Trace { root_id, sample_rate, .. } = *span.trace;
        let children = known.children.len();
        let head = record::head(&span.identity, root_id, sample_rate, latency, children, captured.sized());
        match span.trace.sink() {
            Sink::Exporter => _ = self.writer().append(&head, &known.children, captured.bytes()),
            sink => {
                let record = record::to_bytes(&head, &known.children, captured.bytes());
                self.waiting.push(Waiting::Aside(sink.clone(), record));
            }
        }
    }

    fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    #[inline]
    fn writer(&mut self) -> &mut Writer {
        self.writer.get_or_insert_with(new_writer)
    }
}
