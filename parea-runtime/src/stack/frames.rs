//! The frames of a thread, and how spans begin and end on them.

use std::{mem, sync::Arc, time::Duration};

use uuid::Uuid;

use super::{Begun, Place, new_writer};
use crate::{
    client,
    clock::Moment,
    evaluation,
    exit::fork,
    hooks::{Captured, End},
    id,
    json::Buffer,
    record::{self, Finished},
    sampling,
    scope::{Scope, Sink},
    site::CallSite,
    span::{Draft, Identity, Known, Span, Trace},
    thread_log::{Count, Writer},
};

#[derive(Debug, Default)]
pub(super) struct Stack {
    pub(super) frames: Vec<Frame>,
    /// Inputs of the open spans, one behind the other, and the output of the one that ends.
    pub(super) buffer: Buffer,
    /// Children of the open spans, likewise.
    pub(super) children: Vec<[u64; 2]>,
    pub(super) random: fastrand::Rng,
    pub(super) writer: Option<Writer>,
    pub(super) waiting: Vec<Waiting>,
}

/// A step down into the program.
#[derive(Debug)]
pub(super) enum Frame {
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
pub(super) struct Open {
    pub(super) identity: Identity,
    pub(super) root_id: Uuid,
    /// Index of the frame by which this thread came into the trace.
    pub(super) base: u32,
    /// Where its inputs begin in the buffer, and how long they are.
    pub(super) buffer_start: u32,
    pub(super) inputs: u32,
    /// Where its children begin.
    pub(super) children_start: u32,
    /// Of a root: number of the next span of its trace, as long as they are all on this thread.
    pub(super) next_order: u32,
    pub(super) awaits_inputs: bool,
    /// Whether its record goes to the exporter, by whatever way.
    pub(super) exported: bool,
    /// Whether the trace has nothing that is to be looked up when the span ends.
    pub(super) plain: bool,
    pub(super) rest: Option<Box<Rest>>,
}

/// What few spans have.
#[derive(Debug, Default)]
pub(super) struct Rest {
    pub(super) draft: Option<Box<Draft>>,
    pub(super) target: Option<Arc<str>>,
    /// Of a root: where it started.
    pub(super) scope: Option<Arc<Scope>>,
    /// Of a root: the chance by which it was kept, if it had one.
    pub(super) sample_rate: Option<f64>,
    /// Of a root: its trace, from when one of the spans is shared on.
    pub(super) trace: Option<Arc<Trace>>,
}

/// A record for others than the exporter. They have locks and code of their own, so it waits until the stack is free.
#[derive(Debug)]
pub(super) enum Waiting {
    /// For a test or an experiment.
    Aside(Sink, Vec<u8>),
    /// To be evaluated first.
    Evaluated(Box<Finished>),
}

impl Waiting {
    pub(super) fn hand_on(self) {
        match self {
            Self::Aside(sink, record) => sink.finished(record),
            Self::Evaluated(record) => match record.span.trace.sink().clone() {
                Sink::Undecided(trace) => trace.evaluated(record),
                _ => evaluation::start(*record),
            },
        }
    }
}

impl Rest {
    pub(super) fn fill_in(&mut self, draft: Option<Box<Draft>>, target: Option<Arc<str>>) {
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

    pub(super) fn is_evaluated(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| !draft.evaluators.0.is_empty())
    }
}

impl Stack {
    pub(super) fn begin(&mut self, site: &'static CallSite) -> Begun {
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

    pub(super) fn begin_root(&mut self, site: &'static CallSite, scope: Option<Arc<Scope>>) -> Begun {
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
    pub(super) fn begin_below(&mut self, site: &'static CallSite) {
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

    pub(super) fn begin_below_shared(&mut self, site: &'static CallSite, parent: &Span) {
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
    pub(super) fn open(
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
    pub(super) fn next_order(&mut self, base: u32) -> u32 {
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
    pub(super) fn share_trace(&mut self, base: u32) -> Option<Arc<Trace>> {
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

    pub(super) fn place(&mut self) -> Place {
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
    pub(super) fn share_last(&mut self) {
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
    pub(super) fn finish_plain(&mut self, end: &mut End) {
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
    pub(super) fn drop_open(&mut self) {
        if let Some(Frame::Open(open)) = self.frames.pop() {
            self.children.truncate(open.children_start as usize);
        }
    }

    /// Ends whatever is innermost.
    #[cold]
    pub(super) fn finish_any(&mut self, end: &mut End) {
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

    pub(super) fn finish_open(&mut self, captured: &mut Captured, latency: Duration) {
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

    pub(super) fn finish_shared(&mut self, span: &Arc<Span>, captured: &mut Captured, latency: Duration) {
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

    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    #[inline]
    pub(super) fn writer(&mut self) -> &mut Writer {
        self.writer.get_or_insert_with(new_writer)
    }
}
