//! What lies on a thread's stack: one frame for each step down into the program.

use std::{mem, sync::Arc};

use crate::{
    id::{self, Id},
    json::Buffer,
    record::Begun,
    scope::{Scope, Sink},
    site::CallSite,
    span::{Draft, Identity, Span, Trace},
    stack::MUTED,
};

/// What every span needs. It is written with each call, so it has nothing that would have to be dropped.
#[derive(Clone, Copy, Debug)]
pub(in crate::stack) struct Open {
    /// As it will stand in the record.
    pub(super) begun: Begun,
    pub(super) site: &'static CallSite,
    /// Index of the frame by which this thread came into the trace.
    pub(super) base: u32,
    /// Where its inputs begin in the buffer, if it has some, and how long they are.
    pub(super) buffer_start: u32,
    pub(super) inputs: u32,
    /// Where its children begin.
    pub(super) children_start: u32,
    /// Of a scope: [`Frames::order`] of the trace around it.
    outer_order: u32,
    pub(super) awaits_inputs: bool,
    pub(super) trace: TraceKind,
}

/// What is asked of a trace with each of its spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TraceKind {
    /// It goes to the exporter, and there is nothing to be looked up when a span begins or ends. Of this process, and of this
    /// thread alone.
    Plain,
    /// The same, but other threads may know of it: its spans are numbered by the trace.
    PlainShared,
    /// Its records go to the exporter, by whatever way.
    Exported,
    /// They go elsewhere.
    Apart,
}

impl TraceKind {
    pub(super) fn of(sink: &Sink, is_plain: bool) -> Self {
        match sink {
            Sink::Exporter if is_plain => Self::Plain,
            sink if sink.is_exported() => Self::Exported,
            _ => Self::Apart,
        }
    }

    /// The same of a trace that others know of.
    pub(super) fn shared(self) -> Self {
        if self == Self::Plain { Self::PlainShared } else { self }
    }

    /// Whether there is nothing to be looked up when a span ends.
    #[inline]
    pub(super) fn is_plain(self) -> bool {
        matches!(self, Self::Plain | Self::PlainShared)
    }
}

impl Open {
    #[inline]
    pub(super) fn new(site: &'static CallSite, begun: Begun, base: u32, trace: TraceKind) -> Self {
        Self {
            begun,
            site,
            base,
            buffer_start: 0,
            inputs: 0,
            children_start: 0,
            outer_order: 0,
            awaits_inputs: true,
            trace,
        }
    }

    /// The number of its function, if the span has nothing at all but itself.
    #[inline]
    pub(super) fn bare_site(&self, children: &Children) -> Option<u32> {
        let is_bare = self.trace.is_plain() && self.inputs == 0 && children.len() == self.children_start as usize;
        self.site.known_number().filter(|_| is_bare)
    }

    /// Where what is captured of it begins in the buffer.
    #[inline]
    pub(super) fn start_in(&self, buffer: &Buffer) -> usize {
        if self.inputs > 0 { self.buffer_start as usize } else { buffer.len() }
    }

    pub(super) fn identity(&self) -> Identity {
        let Self { site, begun, .. } = *self;
        let Begun { id, parent, start, depth, order, .. } = begun;
        Identity { site, id: id::uuid(id), parent_id: id::uuid(parent), depth, order, start }
    }
}

/// A step down into the program. All but the first two have nothing in their [`Open`].
#[derive(Debug)]
pub(in crate::stack) enum What {
    /// A span that only this thread knows, and that has no more to it.
    Span,
    /// One that has.
    SpanWith(Box<Rest>),
    /// One that is shared.
    Shared(Arc<Span>),
    /// Outside any span: roots that start here belong to the scope.
    Scope(Option<Arc<Scope>>),
    /// Inside a trace that is not recorded.
    Muted,
}

impl What {
    /// What there is to a span beside its [`Open`].
    pub(in crate::stack) fn rest(&mut self) -> Option<&mut Rest> {
        if let Self::Span = self {
            *self = Self::SpanWith(Box::default());
        }
        match self {
            Self::SpanWith(rest) => Some(rest),
            _ => None,
        }
    }
}

/// What few spans have.
#[derive(Debug, Default)]
pub(in crate::stack) struct Rest {
    pub(super) draft: Option<Box<Draft>>,
    pub(super) target: Option<Arc<str>>,
    /// Of a root: where it started.
    pub(super) scope: Option<Arc<Scope>>,
    /// Of a root: the chance by which it was kept, if it had one.
    pub(super) sample_rate: Option<f64>,
    /// Of a root: its trace, from when one of the spans is shared on.
    pub(super) trace: Option<Arc<Trace>>,
}

impl Rest {
    /// That of a span whose parent has a target.
    pub(super) fn inherited(target: Arc<str>) -> Self {
        Self { target: Some(target), ..Self::default() }
    }

    pub(in crate::stack) fn fill_in(&mut self, draft: Option<Box<Draft>>, target: Option<Arc<str>>) {
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

type Frame = (Open, What);

/// Ids of the children of all open spans, one behind the other. Those that were left stay, as frames do.
#[derive(Debug, Default)]
pub(super) struct Children {
    all: Vec<Id>,
    len: usize,
}

impl Children {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds one, if there is room for it.
    #[inline]
    pub(super) fn add(&mut self, id: Id) -> bool {
        let Some(room) = self.all.get_mut(self.len) else { return false };
        *room = id;
        self.len += 1;
        true
    }

    #[inline]
    pub(super) fn push(&mut self, id: Id) {
        if !self.add(id) {
            self.grow();
            self.add(id);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.all.reserve(1);
        self.all.resize(self.all.capacity(), Id::default());
    }

    /// Those from there on.
    #[inline]
    pub(super) fn since(&self, start: u32) -> &[Id] {
        self.all.get(start as usize..self.len).unwrap_or_default()
    }

    #[inline]
    pub(super) fn truncate(&mut self, len: u32) {
        self.len = self.len.min(len as usize);
    }
}

/// The frames. Those that were left stay where they are and are written again, which is cheaper than to make and to drop
/// one with each call; nothing is held by them meanwhile.
#[derive(Debug, Default)]
pub(in crate::stack) struct Frames {
    all: Vec<Frame>,
    depth: usize,
    /// Number of the next span of the trace that is open, as long as that is on this thread alone.
    pub(super) order: u32,
    /// How many of those that were entered are [`What::Muted`].
    muted: usize,
}

impl Frames {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.depth
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> Option<&Frame> {
        self.all.get(at as usize)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Frame> {
        self.all.get_mut(at as usize)
    }

    #[inline]
    pub(in crate::stack) fn last(&self) -> Option<&Frame> {
        self.all.get(self.depth.wrapping_sub(1))
    }

    #[inline]
    pub(in crate::stack) fn last_mut(&mut self) -> Option<&mut Frame> {
        self.all.get_mut(self.depth.wrapping_sub(1))
    }

    /// Sees to it that there is a frame for what is entered next.
    #[inline]
    pub(super) fn ready(&mut self) {
        if self.depth == self.all.len() {
            self.grow();
        }
    }

    /// What was entered last, the frame for what is entered next if there is one, and the order.
    #[inline]
    pub(super) fn split(&mut self) -> Option<(&Frame, &mut Frame, &mut u32)> {
        let (entered, free) = self.all.split_at_mut_checked(self.depth)?;
        Some((entered.last()?, free.first_mut()?, &mut self.order))
    }

    /// From now on others know of the trace that this thread came into by the frame `base`.
    pub(super) fn share_trace(&mut self, base: u32) {
        for (open, _) in self.all.iter_mut().take(self.depth).skip(base as usize) {
            open.trace = open.trace.shared();
        }
    }

    /// Enters the frame behind those that were: that of [`split`](Self::split), which is a [`What::Span`].
    #[inline]
    pub(super) fn enter_next(&mut self) {
        self.depth += 1;
    }

    /// In a forked child: spans that are open are not its own, which is looked at when they end.
    #[cfg(unix)]
    pub(in crate::stack) fn inherited(&mut self) {
        for (open, _) in self.all.iter_mut().take(self.depth).filter(|(open, _)| open.trace.is_plain()) {
            open.trace = TraceKind::Exported;
        }
    }

    /// Enters a span. To be called [`ready`](Self::ready).
    #[inline]
    pub(super) fn push_open(&mut self, open: Open, rest: Option<Box<Rest>>) {
        let Some(frame) = self.all.get_mut(self.depth) else { return };
        frame.0 = open;
        if let Some(rest) = rest {
            frame.1 = What::SpanWith(rest);
        }
        self.depth += 1;
    }

    /// Enters what is no span of this thread's own.
    #[inline]
    pub(in crate::stack) fn push(&mut self, what: What) {
        if let What::Muted = what {
            self.muted += 1;
            MUTED.set(true);
        } else if self.muted > 0 {
            MUTED.set(false);
        }
        self.ready();
        self.push_ready(what);
    }

    /// The same of a shared span. Nothing has to be dropped should this fail to find room.
    #[inline]
    pub(in crate::stack) fn push_shared(&mut self, span: &mut Option<Arc<Span>>) {
        if self.muted > 0 {
            MUTED.set(false);
        }
        self.ready();
        if let Some(span) = span.take() {
            self.push_ready(What::Shared(span));
        }
    }

    #[inline]
    fn push_ready(&mut self, what: What) {
        if let Some(frame) = self.all.get_mut(self.depth) {
            // It is a `What::Span`: there is nothing to drop.
            mem::forget(mem::replace(&mut frame.1, what));
            frame.0.outer_order = self.order;
            self.depth += 1;
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        static NOWHERE: CallSite = CallSite::new("", "", "", "", 0);
        self.all.push((Open::new(&NOWHERE, Begun::default(), 0, TraceKind::Apart), What::Span));
    }

    /// Leaves what was entered last.
    #[inline]
    pub(in crate::stack) fn pop(&mut self) -> Option<What> {
        let (open, what) = self.last_mut()?;
        let (outer_order, what) = (open.outer_order, mem::replace(what, What::Span));
        if let What::Scope(_) = what {
            self.order = outer_order;
        }
        self.depth -= 1;
        if self.muted > 0 {
            self.unmute(matches!(what, What::Muted));
        }
        Some(what)
    }

    /// Something was left, and it or what is below is not recorded.
    #[inline]
    fn unmute(&mut self, was_muted: bool) {
        self.muted -= usize::from(was_muted);
        MUTED.set(self.muted > 0 && matches!(self.last(), Some((_, What::Muted))));
    }

    /// Leaves what was entered last, for good.
    #[inline]
    pub(in crate::stack) fn leave(&mut self) {
        if let Some((_, what @ What::Muted)) = self.last_mut() {
            // There is nothing to drop.
            mem::forget(mem::replace(what, What::Span));
            self.depth -= 1;
            self.unmute(true);
        } else {
            drop(self.pop());
        }
    }

    /// Leaves what was entered last if that is a shared span.
    #[inline]
    pub(in crate::stack) fn pop_shared(&mut self) -> Option<Arc<Span>> {
        let frame = self.last_mut()?;
        let What::Shared(_) = frame.1 else { return None };
        let What::Shared(span) = mem::replace(&mut frame.1, What::Span) else { return None };
        self.depth -= 1;
        if self.muted > 0 {
            self.unmute(false);
        }
        Some(span)
    }

    /// Leaves a [`What::Span`].
    #[inline]
    pub(super) fn pop_plain(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// What was entered last, and the depth: one less leaves it, if it is a [`What::Span`].
    #[inline]
    pub(super) fn last_and_depth(&mut self) -> Option<(&Frame, &mut usize)> {
        Some((self.all.get(self.depth.wrapping_sub(1))?, &mut self.depth))
    }
}
