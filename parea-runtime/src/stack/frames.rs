//! The frames of a thread, and how spans begin and end on them.

mod finish;
mod frame;

use std::{mem, sync::Arc};

use frame::{Children, Open, TraceKind};
pub(super) use frame::{Frames, Rest, What};

use super::{Begun, Place, new_writer};
use crate::{
    client,
    clock::Moment,
    evaluation,
    hooks::Captured,
    id,
    json::{Buffer, Out as _},
    record::{self, Finished},
    sampling,
    scope::{Scope, Sink},
    site::CallSite,
    span::{Draft, Known, Span, Trace},
    thread_log::{Count, Writer},
};

/// Buffers of inputs that are kept for the next spans that are shared, and the largest of them.
const SPARE: usize = 16;
const LARGEST_SPARE: usize = 4 * 1024;

#[derive(Debug, Default)]
pub(super) struct Stack {
    pub(super) frames: Frames,
    /// Inputs of the open spans, one behind the other, and the output of the one that ends. `None` while it is lent to
    /// what captures.
    buffer: Option<Box<Buffer>>,
    /// Children of the open spans, likewise.
    children: Children,
    pub(super) random: fastrand::Rng,
    pub(super) writer: Option<Writer>,
    pub(super) waiting: Vec<Waiting>,
    /// Of shared spans that have ended.
    spare: Vec<Vec<u8>>,
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

impl Stack {
    /// Starts a span right below one that this thread alone knows, if all is there that it takes; else nothing has happened.
    #[inline]
    pub(super) fn begin_usual(&mut self, site: &'static CallSite) -> bool {
        let Self { frames, children, random, writer: Some(writer), .. } = self else { return false };
        let Some(((parent, What::Span), next, next_order)) = frames.split() else { return false };
        if parent.trace != TraceKind::Plain {
            return false;
        }
        // Field by field, each as soon as it is known: there are fewer registers than fields.
        let open = &mut next.0;
        (open.begun.parent, open.begun.root) = (parent.begun.id, parent.begun.root);
        open.begun.depth = parent.begun.depth + 1;
        open.base = parent.base;
        let Some(start) = Moment::quick() else { return false };
        let id = id::fresh(start, random);
        if !children.add(id) {
            return false;
        }
        (open.begun.id, open.begun.start) = (id, start);
        open.begun.order = *next_order;
        *next_order += 1;
        open.children_start = children.len() as u32;
        open.site = site;
        open.inputs = 0;
        open.awaits_inputs = true;
        open.trace = TraceKind::Plain;
        writer.count(Count::Started, 1);
        frames.enter_next();
        true
    }

    /// Starts a span wherever this is.
    #[inline(never)]
    pub(super) fn begin_other(&mut self, site: &'static CallSite) -> Begun {
        match self.frames.last() {
            Some((_, What::Span)) => self.begin_below(site, None),
            Some((_, What::SpanWith(rest))) => {
                let rest = rest.target.clone().map(Rest::inherited).map(Box::new);
                self.begin_below(site, rest);
            }
            Some((_, What::Shared(parent))) => {
                let parent = Arc::clone(parent);
                self.begin_below_shared(site, &parent);
            }
            Some((_, What::Scope(Some(scope)))) => {
                let scope = Arc::clone(scope);
                return self.begin_root(site, Some(scope));
            }
            Some((_, What::Scope(None))) | None if client::is_recording() => return self.begin_root(site, None),
            Some((_, What::Scope(None) | What::Muted)) | None => return Begun::Off,
        }
        Begun::Live
    }

    #[inline]
    fn begin_root(&mut self, site: &'static CallSite, scope: Option<Arc<Scope>>) -> Begun {
        // What is not recorded is told before anything is done for it.
        let own_rate = site.sample_rate();
        let outside = scope.is_none() && own_rate.is_none();
        let sample_rate = if outside { sampling::plain_rate() } else { own_rate };
        if sample_rate.is_some_and(|rate| self.random.f64() >= rate) {
            self.frames.push(What::Muted);
            return Begun::Muted;
        }
        self.begin_kept_root(site, scope, sample_rate, outside);
        Begun::Live
    }

    #[inline(never)]
    fn begin_kept_root(
        &mut self,
        site: &'static CallSite,
        scope: Option<Arc<Scope>>,
        sample_rate: Option<f64>,
        outside: bool,
    ) {
        self.get_ready();
        let start = Moment::now();
        let id = id::fresh(start, &mut self.random);
        let scope = if outside { sampling::scope_of(id) } else { scope };
        let is_plain = scope.is_none() && sample_rate.is_none();
        let sink = scope.as_ref().map_or(&Sink::Exporter, |scope| &scope.sink);
        let kind = TraceKind::of(sink, is_plain);
        let rest = (!is_plain).then(|| Box::new(Rest { scope, sample_rate, ..Rest::default() }));
        let begun = record::Begun { id, parent: id, root: id, start, depth: 0, order: 0 };
        self.frames.order = 1;
        self.open(Open::new(site, begun, self.frames.len() as u32, kind), rest);
    }

    /// Inside a span that is on this thread alone.
    #[inline(never)]
    fn begin_below(&mut self, site: &'static CallSite, rest: Option<Box<Rest>>) {
        self.get_ready();
        let start = Moment::now();
        let id = id::fresh(start, &mut self.random);
        self.children.push(id);
        let Some((parent, _)) = self.frames.last() else { return };
        let (base, kind, depth) = (parent.base, parent.trace, parent.begun.depth + 1);
        let (root, parent) = (parent.begun.root, parent.begun.id);
        let order = self.next_order(base);
        let begun = record::Begun { id, parent, root, start, depth, order };
        self.open(Open::new(site, begun, base, kind), rest);
    }

    #[inline(never)]
    fn begin_below_shared(&mut self, site: &'static CallSite, parent: &Span) {
        self.get_ready();
        let start = Moment::now();
        let id = id::fresh(start, &mut self.random);
        let (order, target) = parent.add_child(id);
        let Trace { root_id, sample_rate, .. } = *parent.trace;
        let is_plain = parent.trace.scope.is_none() && sample_rate.is_none();
        let kind = TraceKind::of(parent.trace.sink(), is_plain).shared();
        let (root, depth, base) = (id::of(root_id), parent.identity.depth + 1, self.frames.len() as u32 - 1);
        let begun = record::Begun { id, parent: id::of(parent.identity.id), root, start, depth, order };
        self.open(Open::new(site, begun, base, kind), target.map(Rest::inherited).map(Box::new));
    }

    /// What is made once is there: what follows keeps in registers what it writes.
    #[inline]
    fn get_ready(&mut self) {
        self.frames.ready();
        if self.writer.is_none() {
            self.make_writer();
        }
    }

    #[cold]
    #[inline(never)]
    fn make_writer(&mut self) {
        self.writer = Some(new_writer());
    }

    #[inline]
    fn open(&mut self, mut open: Open, rest: Option<Box<Rest>>) {
        if open.trace != TraceKind::Apart
            && let Some(writer) = &self.writer
        {
            writer.count(Count::Started, 1);
        }
        open.children_start = self.children.len() as u32;
        self.frames.push_open(open, rest);
    }

    /// The next number in the trace that this thread came into by the frame `base`.
    fn next_order(&mut self, base: u32) -> u32 {
        match self.frames.get(base) {
            Some((_, What::Shared(span))) => return span.trace.next_order(),
            Some((_, What::SpanWith(rest))) => {
                if let Some(trace) = &rest.trace {
                    return trace.next_order();
                }
            }
            // A span's base is a span.
            Some((_, What::Span | What::Scope(_) | What::Muted)) | None => {}
        }
        let order = self.frames.order;
        self.frames.order += 1;
        order
    }

    /// The trace of an open span, shared from now on.
    fn share_trace(&mut self, base: u32) -> Option<Arc<Trace>> {
        let next_order = self.frames.order;
        let (root, what) = self.frames.get_mut(base)?;
        let root_id = id::uuid(root.begun.root);
        let rest = match what {
            What::Span | What::SpanWith(_) => what.rest()?,
            What::Shared(span) => return Some(Arc::clone(&span.trace)),
            What::Scope(_) | What::Muted => return None,
        };
        let Rest { target, scope, sample_rate, trace: known, .. } = rest;
        if let Some(trace) = known {
            return Some(Arc::clone(trace));
        }
        let trace = Trace::new(root_id, next_order, scope.clone(), *sample_rate, target.clone());
        *known = Some(Arc::clone(&trace));
        self.frames.share_trace(base);
        Some(trace)
    }

    pub(super) fn place(&mut self) -> Place {
        self.share_last();
        match self.frames.last() {
            Some((_, What::Shared(span))) => Place::Inside(Arc::clone(span)),
            Some((_, What::Scope(Some(scope)))) => Place::Scope(Arc::clone(scope)),
            Some((_, What::Muted)) => Place::Muted,
            Some((_, What::Scope(None) | What::Span | What::SpanWith(_))) | None => Place::Outside,
        }
    }

    /// Leaves what was entered last.
    pub(super) fn leave(&mut self) -> Place {
        self.share_last();
        match self.frames.pop() {
            Some(What::Shared(span)) => Place::Inside(span),
            Some(What::Scope(Some(scope))) => Place::Scope(scope),
            Some(What::Muted) => Place::Muted,
            Some(What::Scope(None) | What::Span | What::SpanWith(_)) | None => Place::Outside,
        }
    }

    /// Leaves the innermost span that is on this thread alone, and shares it.
    #[inline(never)]
    pub(super) fn leave_own(&mut self) -> Option<Arc<Span>> {
        self.share_last();
        self.frames.pop_shared()
    }

    /// Moves the innermost span to the heap, if it is on this thread alone.
    #[inline]
    fn share_last(&mut self) {
        if let Some((open, What::Span | What::SpanWith(_))) = self.frames.last() {
            let open = *open;
            self.share(&open);
        }
    }

    #[inline(never)]
    fn share(&mut self, open: &Open) {
        let Some(trace) = self.share_trace(open.base) else { return };
        let Some((_, what)) = self.frames.last_mut() else { return };
        let rest = match mem::replace(what, What::Muted) {
            What::SpanWith(rest) => *rest,
            _ => Rest::default(),
        };
        let inputs = match &mut self.buffer {
            // Unless there are none yet, or they are just being captured: then the buffer is elsewhere.
            Some(buffer) if open.inputs > 0 => {
                let mut inputs = self.spare.pop().unwrap_or_default();
                inputs.extend_from_slice(buffer.since(open.buffer_start as usize));
                buffer.bytes.truncate(open.buffer_start as usize);
                inputs
            }
            _ => Vec::new(),
        };
        let children = self.children.since(open.children_start).to_vec();
        self.children.truncate(open.children_start);
        let known = Known { children, inputs, draft: rest.draft };
        *what = What::Shared(Span::new(open.identity(), trace, known, rest.target));
    }

    /// Lends the buffer to what captures, behind the inputs of the innermost span. Without a span it stays as it is.
    #[expect(clippy::inline_always, reason = "for the usual end of a call, a few instructions")]
    #[inline(always)]
    pub(super) fn lend(&mut self, captured: &mut Captured) {
        match self.frames.last_mut() {
            Some((open, What::Span | What::SpanWith(_))) => {
                let mut buffer = self.buffer.take().unwrap_or_default();
                captured.start = open.start_in(&buffer);
                captured.sections.inputs = mem::take(&mut open.inputs);
                // What somebody else left, if anything.
                buffer.bytes.truncate(captured.start + captured.sections.inputs as usize);
                captured.buffer = Some(buffer);
            }
            Some((_, What::Shared(span))) => {
                let span = Arc::clone(span);
                self.lend_for_shared(&span, captured);
            }
            Some((_, What::Scope(_) | What::Muted)) | None => {}
        }
    }

    #[inline(never)]
    fn lend_for_shared(&mut self, span: &Span, captured: &mut Captured) {
        let mut buffer = self.buffer.take().unwrap_or_default();
        captured.start = buffer.len();
        let mut inputs = span.take_inputs();
        buffer.bytes.extend(&inputs);
        captured.sections.inputs = inputs.len() as u32;
        captured.buffer = Some(buffer);
        if inputs.capacity() <= LARGEST_SPARE && self.spare.len() < SPARE {
            inputs.clear();
            self.spare.push(inputs);
        }
    }

    /// Gets ready to capture the inputs of the innermost span, if it is one of that site that has none yet.
    #[inline]
    pub(super) fn lend_for_inputs(&mut self, site: &'static CallSite) -> Option<Box<Buffer>> {
        let awaited = match self.frames.last_mut() {
            Some((open, What::Span | What::SpanWith(_))) => {
                std::ptr::eq(open.site, site) && mem::replace(&mut open.awaits_inputs, false)
            }
            Some((_, What::Shared(span))) => span.awaits_inputs_of(site),
            Some((_, What::Scope(_) | What::Muted)) | None => false,
        };
        awaited.then(|| self.buffer.take().unwrap_or_default())
    }

    /// Takes the buffer back, with the inputs of the innermost span at its end.
    #[inline]
    pub(super) fn keep_inputs(
        &mut self,
        buffer: Box<Buffer>,
        start: usize,
        draft: Option<Box<Draft>>,
        target: Option<Arc<str>>,
    ) {
        let inputs = (buffer.len() - start) as u32;
        self.put_back(buffer);
        match self.frames.last_mut() {
            Some((open, What::Span)) if draft.is_none() && target.is_none() => {
                (open.buffer_start, open.inputs) = (start as u32, inputs);
            }
            _ => self.keep_all(draft, target, start, inputs),
        }
    }

    #[inline(never)]
    fn keep_all(&mut self, draft: Option<Box<Draft>>, target: Option<Arc<str>>, start: usize, inputs: u32) {
        match self.frames.last_mut() {
            Some((open, what @ (What::Span | What::SpanWith(_)))) => {
                (open.buffer_start, open.inputs) = (start as u32, inputs);
                if let Some(rest) = (draft.is_some() || target.is_some()).then(|| what.rest()).flatten() {
                    rest.fill_in(draft, target);
                }
            }
            Some((_, What::Shared(span))) => {
                let span = Arc::clone(span);
                let inputs = self.buffer().bytes.split_off(start);
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
            Some((_, What::Scope(_) | What::Muted)) | None => self.buffer().bytes.truncate(start),
        }
    }

    /// Where records are put together.
    pub(super) fn buffer(&mut self) -> &mut Buffer {
        self.buffer.get_or_insert_default()
    }

    /// The buffer comes back from what captured.
    #[inline]
    pub(super) fn put_back(&mut self, buffer: Box<Buffer>) {
        self.buffer = Some(buffer);
    }

    #[inline]
    pub(super) fn writer(&mut self) -> &mut Writer {
        self.writer.get_or_insert_with(new_writer)
    }
}
