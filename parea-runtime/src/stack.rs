//! The spans that are open on a thread, and the buffers that they capture into.
//!
//! A span that begins and ends on one thread lives here alone: no allocation, no lock, no reference count. What it
//! captures lies in buffers that grow and shrink with the stack. As soon as it is to be seen from elsewhere it is
//! [shared](share): its state moves to the heap and the stack keeps a pointer.
//!
//! No code of the user's runs while the stack is borrowed.

use std::{cell::RefCell, mem, sync::Arc, time::Duration};

use crate::{
    client,
    clock::Moment,
    evaluation,
    exit::fork::{self, PerProcess},
    hooks::{End, Recorder},
    id,
    json::{Buffer, push_text},
    record::{self, Finished, Outcome, Sections},
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
    /// Records that do not go to the exporter, until the stack is free: those who get them have locks of their own.
    aside: Vec<(Sink, Vec<u8>)>,
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

#[derive(Debug)]
struct Open {
    identity: Identity,
    /// Index of the frame by which this thread came into the trace.
    base: u32,
    /// Where its inputs begin in the buffer, and how long they are.
    buffer_start: u32,
    inputs: u32,
    /// Where its children begin.
    children_start: u32,
    awaits_inputs: bool,
    /// Whether its record goes to the exporter, by whatever way.
    exported: bool,
    draft: Option<Box<Draft>>,
    target: Option<Arc<str>>,
    /// Of the root.
    trace: LocalTrace,
}

/// What the spans of a trace share, as long as they are all on this thread.
#[derive(Debug)]
struct LocalTrace {
    next_order: u32,
    scope: Option<Arc<Scope>>,
    /// The chance by which the root was kept, if it had one.
    sample_rate: Option<f64>,
    /// From when one of them is shared on.
    shared: Option<Arc<Trace>>,
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

/// Hands on what goes to tests and experiments, and to the disk if that is not to wait.
fn hand_aside() {
    client::write_through();
    while let Some((sink, record)) = with(|stack| stack.aside.pop()).flatten() {
        sink.finished(record);
    }
}

/// Starts a span at the current place and enters it, if anybody wants it.
pub(crate) fn begin(site: &'static CallSite) -> Begun {
    with(|stack| stack.begin(site)).unwrap_or(Begun::Off)
}

/// Enters a place, until [`leave`].
pub(crate) fn enter(place: Place) {
    with(|stack| {
        stack.frames.push(match place {
            Place::Outside => Frame::Scope(None),
            Place::Scope(scope) => Frame::Scope(Some(scope)),
            Place::Inside(span) if span.is_muted() => Frame::Muted,
            Place::Inside(span) => Frame::Shared(span),
            Place::Muted => Frame::Muted,
        });
    });
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
pub(crate) fn begin_inputs(site: &'static CallSite) -> Option<Recorder> {
    with(|stack| {
        let awaited = match stack.frames.last_mut() {
            Some(Frame::Open(open)) => {
                std::ptr::eq(open.identity.site, site) && mem::replace(&mut open.awaits_inputs, false)
            }
            Some(Frame::Shared(span)) => span.awaits_inputs_of(site),
            Some(Frame::Scope(_) | Frame::Muted) | None => false,
        };
        awaited.then(|| Recorder::new(mem::take(&mut stack.buffer)))
    })
    .flatten()
}

/// Keeps what was captured since [`begin_inputs`].
pub(crate) fn keep_inputs(recorder: Recorder) {
    let (buffer, start, draft, target) = recorder.into_parts();
    with(|stack| {
        stack.buffer = buffer;
        match stack.frames.last_mut() {
            Some(Frame::Open(open)) => {
                open.inputs = (stack.buffer.len() - start) as u32;
                match (&mut open.draft, draft) {
                    (Some(open), Some(said)) => open.fill_in(*said),
                    (open @ None, said) => *open = said,
                    (Some(_), None) => {}
                }
                if let Some(target) = target {
                    if let Some(trace) = open.trace.shared.as_ref().filter(|_| open.identity.depth == 0) {
                        trace.set_root_target(Arc::clone(&target));
                    }
                    open.target = Some(target);
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
pub(crate) fn begin_end() -> Option<End> {
    with(|stack| {
        let now = Moment::now();
        match stack.frames.last_mut() {
            Some(Frame::Open(open)) => {
                let latency = now.since(open.identity.start);
                let (start, inputs) = (open.buffer_start as usize, mem::take(&mut open.inputs));
                Some(End::new(mem::take(&mut stack.buffer), start, inputs, latency))
            }
            Some(Frame::Shared(span)) => {
                let latency = now.since(span.identity.start);
                let mut buffer = mem::take(&mut stack.buffer);
                let (start, inputs) = (buffer.len(), span.take_inputs());
                buffer.bytes.extend_from_slice(&inputs);
                Some(End::new(buffer, start, inputs.len() as u32, latency))
            }
            Some(Frame::Scope(_) | Frame::Muted) | None => None,
        }
    })
    .flatten()
}

/// Leaves the innermost span and hands its record over.
pub(crate) fn finish(mut end: End) {
    let latency = end.latency();
    let (sections, start, buffer) = end.take_parts();
    let evaluated = with(|stack| {
        if matches!(stack.frames.last(), Some(Frame::Open(open)) if open.is_evaluated()) {
            stack.share_last();
        }
        let mut captured = Captured { buffer, start, sections };
        let evaluated = match stack.frames.pop() {
            Some(Frame::Open(open)) => {
                stack.finish_open(&open, &mut captured, latency);
                None
            }
            Some(Frame::Shared(span)) => stack.finish_shared(&span, &mut captured, latency),
            Some(Frame::Scope(_) | Frame::Muted) | None => None,
        };
        stack.buffer = captured.buffer;
        stack.buffer.bytes.truncate(start);
        evaluated
    });
    if let Some(record) = evaluated.flatten() {
        evaluation::start(record);
    }
    hand_aside();
}

/// Ends a shared span that may be the innermost one or not.
pub(crate) fn finish_shared(span: &Arc<Span>, outcome: Outcome) {
    let latency = Moment::now().since(span.identity.start);
    let mut buffer = Buffer { bytes: span.take_inputs(), ..Buffer::default() };
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
    let mut captured = Captured { buffer, start: 0, sections };
    let finished = with(|stack| stack.finish_shared(span, &mut captured, latency));
    // Without a stack the thread is about to end: a new one, with a log of its own, serves for this once.
    let mut last = Stack::default();
    let finished = finished.unwrap_or_else(|| last.finish_shared(span, &mut captured, latency));
    if let Some(record) = finished {
        evaluation::start(record);
    }
    hand_aside();
    for (sink, record) in last.aside {
        sink.finished(record);
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

/// What was captured of a span that ends: bytes of the sections, from `start` to the end of the buffer.
#[derive(Debug)]
struct Captured {
    buffer: Buffer,
    start: usize,
    sections: Sections,
}

impl Captured {
    fn bytes(&self) -> &[u8] {
        &self.buffer.bytes[self.start..]
    }
}

impl Open {
    fn is_evaluated(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| !draft.evaluators.0.is_empty())
    }
}

impl Stack {
    fn begin(&mut self, site: &'static CallSite) -> Begun {
        // What is not recorded is told before anything is done for it.
        let scope = match self.frames.last() {
            Some(Frame::Open(_) | Frame::Shared(_)) => None,
            Some(Frame::Scope(Some(scope))) => Some(Some(Arc::clone(scope))),
            Some(Frame::Scope(None)) | None if client::is_recording() => Some(None),
            Some(Frame::Scope(None) | Frame::Muted) | None => return Begun::Off,
        };
        let sample_rate = scope.is_some().then(|| site.sample_rate()).flatten();
        if sample_rate.is_some_and(|rate| self.random.f64() >= rate) {
            self.frames.push(Frame::Muted);
            return Begun::Muted;
        }
        let start = Moment::now();
        let id = id::fresh(start, &mut self.random);
        let at = self.frames.len() as u32;
        let (parent_id, depth, order, base, exported, target) = match self.frames.last_mut() {
            Some(Frame::Open(parent)) => {
                let (parent_id, depth, base) = (parent.identity.id, parent.identity.depth + 1, parent.base);
                let (exported, target) = (parent.exported, parent.target.clone());
                let (high, low) = id.as_u64_pair();
                self.children.push([high, low]);
                (parent_id, depth, self.next_order(base), base, exported, target)
            }
            Some(Frame::Shared(parent)) => {
                let (order, target) = parent.add_child(id);
                (
                    parent.identity.id,
                    parent.identity.depth + 1,
                    order,
                    at - 1,
                    parent.trace.sink().is_exported(),
                    target,
                )
            }
            Some(Frame::Scope(_) | Frame::Muted) | None => {
                let exported = scope.as_ref().and_then(Option::as_ref).is_none_or(|scope| scope.sink.is_exported());
                (id, 0, 0, at, exported, None)
            }
        };
        self.frames.push(Frame::Open(Open {
            identity: Identity { site, id, parent_id, depth, order, start },
            base,
            buffer_start: self.buffer.len() as u32,
            inputs: 0,
            children_start: self.children.len() as u32,
            awaits_inputs: true,
            exported,
            draft: None,
            target,
            trace: LocalTrace { next_order: 1, scope: scope.flatten(), sample_rate, shared: None },
        }));
        if exported {
            self.writer().count(Count::Started, 1);
        }
        Begun::Live
    }

    /// The next number in the trace that this thread came into by the frame `base`.
    fn next_order(&mut self, base: u32) -> u32 {
        match &mut self.frames[base as usize] {
            Frame::Open(root) => {
                if let Some(trace) = &root.trace.shared {
                    return trace.next_order();
                }
                let order = root.trace.next_order;
                root.trace.next_order += 1;
                order
            }
            Frame::Shared(span) => span.trace.next_order(),
            // A span's base is a span.
            Frame::Scope(_) | Frame::Muted => 0,
        }
    }

    /// The trace of an open span, shared from now on.
    fn share_trace(&mut self, base: u32) -> Option<Arc<Trace>> {
        match &mut self.frames[base as usize] {
            Frame::Open(root) => {
                let LocalTrace { next_order, scope, sample_rate, shared } = &mut root.trace;
                let shared = shared.get_or_insert_with(|| {
                    Trace::new(root.identity.id, *next_order, scope.clone(), *sample_rate, root.target.clone())
                });
                Some(Arc::clone(shared))
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
        let known = Known { children, inputs, draft: open.draft };
        let span = Span::new(open.identity, trace, known, open.target);
        self.frames.push(Frame::Shared(span));
    }

    fn finish_open(&mut self, open: &Open, captured: &mut Captured, latency: Duration) {
        if fork::is_inherited(open.identity.start) {
            return self.children.truncate(open.children_start as usize);
        }
        let (root_id, scope, rate) = match self.frames.get(open.base as usize) {
            Some(Frame::Open(root)) => (root.identity.id, root.trace.scope.as_ref(), root.trace.sample_rate),
            Some(Frame::Shared(span)) => (span.trace.root_id, span.trace.scope.as_ref(), span.trace.sample_rate),
            // It is the root itself.
            Some(Frame::Scope(_) | Frame::Muted) | None => {
                (open.identity.id, open.trace.scope.as_ref(), open.trace.sample_rate)
            }
        };
        let experiment = scope.and_then(|scope| scope.experiment.as_deref());
        let Captured { buffer, sections, .. } = captured;
        record::push_rest(buffer, sections, open.draft.as_deref(), open.target.as_deref(), experiment);
        let (own, children) = self.children.split_at(open.children_start as usize);
        let head = record::head(&open.identity, root_id, rate, latency, children.len(), captured.sections);
        let writer = self.writer.get_or_insert_with(new_writer);
        match scope.map(|scope| &scope.sink) {
            None | Some(Sink::Exporter) => _ = writer.append(&head, children, captured.bytes()),
            Some(sink) => self.aside.push((sink.clone(), record::to_bytes(&head, children, captured.bytes()))),
        }
        let redacted = mem::take(&mut captured.buffer.redacted);
        if redacted > 0 {
            writer.count(Count::Redacted, u64::from(redacted));
        }
        let own = own.len();
        self.children.truncate(own);
    }

    /// Returns the record if it is to be evaluated first.
    fn finish_shared(&mut self, span: &Arc<Span>, captured: &mut Captured, latency: Duration) -> Option<Finished> {
        let (known, target) = span.close()?;
        if fork::is_inherited(span.identity.start) {
            return None;
        }
        let redacted = mem::take(&mut captured.buffer.redacted);
        if redacted > 0 {
            self.writer().count(Count::Redacted, u64::from(redacted));
        }
        let mut finished = Finished {
            span: Arc::clone(span),
            latency,
            known,
            target,
            sections: captured.sections,
            captured: Vec::new(),
        };
        if finished.wants_evaluation() {
            finished.captured = captured.bytes().to_vec();
            return Some(finished);
        }
        let scope = span.trace.scope.as_ref();
        let experiment = scope.and_then(|scope| scope.experiment.as_deref());
        let Captured { buffer, sections, .. } = captured;
        let Finished { known, target, .. } = &finished;
        record::push_rest(buffer, sections, known.draft.as_deref(), target.as_deref(), experiment);
        let Trace { root_id, sample_rate, .. } = *span.trace;
        let children = known.children.len();
        let head = record::head(&span.identity, root_id, sample_rate, latency, children, captured.sections);
        match span.trace.sink() {
            Sink::Exporter => _ = self.writer().append(&head, &known.children, captured.bytes()),
            sink => self.aside.push((sink.clone(), record::to_bytes(&head, &known.children, captured.bytes()))),
        }
        None
    }

    #[inline]
    fn writer(&mut self) -> &mut Writer {
        self.writer.get_or_insert_with(new_writer)
    }
}
