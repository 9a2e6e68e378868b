//! The span of a future, from one poll to the next.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use super::{Live, ended, fail, unwound};
use crate::{
    context,
    hooks::{End, panic_error},
    record::Outcome,
    site::CallSite,
    span::Span,
    stack::{self, Begun, Place},
};

/// What was entered for a poll of a future's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    Live,
    /// A trace that is not in the sample.
    Muted,
    /// Nothing: it is not recorded.
    Off,
    /// Nothing, on a thread that is about to end: the span cannot be entered there, but it can end.
    Apart,
}

impl From<Begun> for Inside {
    #[inline]
    fn from(begun: Begun) -> Self {
        match begun {
            Begun::Live => Self::Live,
            Begun::Muted => Self::Muted,
            Begun::Off => Self::Off,
        }
    }
}

/// How far the span of a future is.
#[derive(Debug)]
enum Stage {
    New(&'static CallSite),
    Live(Arc<Span>),
    /// Of a trace that is not in the sample.
    Muted,
    /// Inside, while what is left of the body is dropped.
    Dropping,
    /// The same where it cannot be entered.
    DroppingApart(Arc<Span>),
    /// Not recorded, or recorded already.
    Off,
}

/// How far the span of a future is, for the hooks alone.
#[derive(Debug)]
pub struct Progress(Stage);

/// A span that has begun and is recorded, likewise.
#[derive(Debug)]
pub struct LiveSpan(Arc<Span>);

/// A body that is polled inside its span. The steps around it are the same for every function, and compiled once.
pub trait Body {
    /// Polls it; whether it has returned.
    fn poll(&mut self) -> bool;

    /// Looks at what it has returned.
    fn look(&mut self, end: &mut End);
}

/// The span of a future, between two polls. As its last field it outlives the body: what a body that is cancelled drops is
/// inside the span, which ends after that.
pub trait Course: Sized {
    /// Whether the body is compiled apart from where the future is polled: inside an `async fn` it would be taken along by
    /// each of its states.
    const APART: bool;

    /// Whether the body runs without. One that has begun without goes on without.
    fn is_off(&mut self) -> bool;

    /// Takes it out, for as long as the body runs.
    fn take(&mut self) -> Progress;

    /// [`take`](Self::take) of one that has not begun, and that somebody wants; else nothing has happened.
    fn take_new(&mut self) -> Option<&'static CallSite>;

    /// The same of one that has begun and is recorded.
    fn take_live(&mut self) -> Option<LiveSpan>;

    /// Puts it back.
    fn put(&mut self, progress: Progress);

    /// Polls the body inside the span, which ends if that has returned.
    fn step(&mut self, body: &mut dyn Body);

    /// The future is dropped, and its body is next.
    fn begin_drop(&mut self);
}

/// [`Course::step`] of any.
#[inline]
fn step(course: &mut impl Course, body: &mut dyn Body) {
    let entered = enter(course);
    match catch_unwind(AssertUnwindSafe(|| body.poll())) {
        Ok(false) => suspend(course, entered),
        Ok(true) => end(course, entered, body),
        Err(payload) => end_unwound(course, entered, payload),
    }
}

/// Enters the span, if there is one, for a poll of the body.
#[inline]
pub(super) fn enter(course: &mut impl Course) -> Inside {
    if let Some(site) = course.take_new() {
        return stack::begin_here(site).into();
    }
    match course.take_live().map(|LiveSpan(span)| stack::enter_span(span)) {
        Some(Ok(())) => Inside::Live,
        Some(Err(span)) => {
            course.put(Progress(Stage::Live(span)));
            Inside::Apart
        }
        None => enter_other(course),
    }
}

/// [`enter`] where there is no span, or one that is not recorded.
#[inline(never)]
fn enter_other(course: &mut impl Course) -> Inside {
    match course.take().0 {
        Stage::Muted => {
            stack::enter_muted();
            Inside::Muted
        }
        Stage::New(_) | Stage::Live(_) | Stage::Dropping | Stage::DroppingApart(_) | Stage::Off => Inside::Off,
    }
}

/// The body waits, or has returned what the span goes on in.
#[inline]
pub(super) fn suspend(course: &mut impl Course, entered: Inside) {
    if entered == Inside::Live
        && let Some(span) = stack::leave_span()
    {
        course.put(Progress(Stage::Live(span)));
    } else {
        suspend_other(course, entered);
    }
}

/// [`suspend`] where there is no span.
#[inline(never)]
fn suspend_other(course: &mut impl Course, entered: Inside) {
    match entered {
        Inside::Muted => {
            stack::leave_for_good();
            course.put(Progress(Stage::Muted));
        }
        Inside::Live => stack::leave_for_good(),
        Inside::Apart | Inside::Off => {}
    }
}

/// The body has returned.
#[inline]
fn end(course: &mut impl Course, entered: Inside, body: &mut dyn Body) {
    match entered {
        Inside::Live => ended(Begun::Live, &mut |end| body.look(end)),
        Inside::Muted => stack::leave_for_good(),
        Inside::Apart => end_apart(course, outcome_of(body)),
        Inside::Off => {}
    }
}

/// The body has panicked. It stays where it is; when it is dropped, its span has ended already.
#[cold]
#[inline(never)]
pub(super) fn end_unwound(course: &mut impl Course, entered: Inside, payload: Box<dyn Any + Send>) -> ! {
    match entered {
        Inside::Live => unwound(Begun::Live, payload),
        Inside::Muted => unwound(Begun::Muted, payload),
        Inside::Apart => {
            end_apart(course, Outcome { error: Some(panic_error(&*payload)), ..Outcome::default() });
            resume_unwind(payload)
        }
        Inside::Off => resume_unwind(payload),
    }
}

#[cold]
#[inline(never)]
fn outcome_of(body: &mut dyn Body) -> Outcome {
    let mut end = End::default();
    end.fill(|end| body.look(end));
    end.outcome()
}

#[cold]
#[inline(never)]
fn end_apart(course: &mut impl Course, outcome: Outcome) {
    if let Some(LiveSpan(span)) = course.take_live() {
        span.finish(outcome);
    }
}

/// A span that begins with the first poll.
#[derive(Debug)]
pub struct Beginning(Stage);

impl Course for Beginning {
    const APART: bool = false;

    #[inline]
    fn is_off(&mut self) -> bool {
        if let Stage::New(_) = self.0
            && !(context::is_listening() && context::is_wanted())
        {
            self.0 = Stage::Off;
        }
        matches!(self.0, Stage::Off)
    }

    #[inline]
    fn take_new(&mut self) -> Option<&'static CallSite> {
        let Stage::New(site) = self.0 else { return None };
        mem::forget(mem::replace(&mut self.0, Stage::Off));
        Some(site)
    }

    #[inline]
    fn take_live(&mut self) -> Option<LiveSpan> {
        let Stage::Live(_) = self.0 else { return None };
        let Stage::Live(span) = mem::replace(&mut self.0, Stage::Off) else { return None };
        Some(LiveSpan(span))
    }

    #[inline]
    fn take(&mut self) -> Progress {
        Progress(mem::replace(&mut self.0, Stage::Off))
    }

    #[inline]
    fn put(&mut self, progress: Progress) {
        // It has been taken out: there is nothing to drop.
        mem::forget(mem::replace(&mut self.0, progress.0));
    }

    #[inline(never)]
    fn step(&mut self, body: &mut dyn Body) {
        step(self, body);
    }

    #[inline]
    fn begin_drop(&mut self) {
        if !matches!(self.0, Stage::Off | Stage::New(_)) {
            self.enter_to_drop();
        }
    }
}

impl Beginning {
    #[inline]
    pub(super) fn new(site: &'static CallSite) -> Self {
        Self(Stage::New(site))
    }

    /// For one that began before.
    pub(super) fn begun(span: Option<Arc<Span>>) -> Self {
        Self(span.map_or(Stage::Off, Stage::Live))
    }

    #[cold]
    #[inline(never)]
    fn enter_to_drop(&mut self) {
        let place = match self.take().0 {
            Stage::Live(span) => Place::Inside(span),
            Stage::Muted => Place::Muted,
            _ => return,
        };
        self.0 = match stack::enter(place) {
            Ok(()) => Stage::Dropping,
            Err(Place::Inside(span)) => Stage::DroppingApart(span),
            Err(_) => Stage::Off,
        };
    }

    /// The body of a future that was dropped half-way is gone.
    #[cold]
    #[inline(never)]
    fn dropped(&mut self) {
        match self.take().0 {
            Stage::Dropping => cancelled(),
            Stage::DroppingApart(span) => {
                span.finish(Outcome { error: Some(CANCELLED.to_owned()), ..Outcome::default() });
            }
            _ => {}
        }
    }

    /// The span for whoever goes on.
    pub(super) fn go_on(&mut self) -> Option<Live> {
        match self.take().0 {
            Stage::Live(span) => Some(Live(span)),
            Stage::Muted => Some(Live(Span::muted())),
            _ => None,
        }
    }
}

impl Drop for Beginning {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.0, Stage::Off | Stage::New(_)) {
            self.dropped();
        }
        // Nothing is left to drop.
        mem::forget(mem::replace(&mut self.0, Stage::Off));
    }
}

/// A span that began before its future. Nothing but the span: half of a [`Beginning`].
#[derive(Debug)]
pub struct BegunSpan(pub(super) Option<Arc<Span>>);

impl Course for BegunSpan {
    const APART: bool = true;

    #[inline]
    fn is_off(&mut self) -> bool {
        self.0.is_none()
    }

    #[inline]
    fn take_new(&mut self) -> Option<&'static CallSite> {
        None
    }

    #[inline]
    fn take_live(&mut self) -> Option<LiveSpan> {
        self.0.take_if(|span| !span.is_muted()).map(LiveSpan)
    }

    #[inline]
    fn take(&mut self) -> Progress {
        Progress(match self.0.take() {
            Some(span) if span.is_muted() => Stage::Muted,
            Some(span) => Stage::Live(span),
            None => Stage::Off,
        })
    }

    #[inline]
    fn put(&mut self, progress: Progress) {
        self.0 = match progress.0 {
            Stage::Live(span) => Some(span),
            Stage::Muted => Some(Span::muted()),
            _ => None,
        };
    }

    #[inline(never)]
    fn step(&mut self, body: &mut dyn Body) {
        step(self, body);
    }

    #[inline]
    fn begin_drop(&mut self) {
        if let Some(span) = &self.0 {
            enter_to_drop(span);
        }
    }
}

#[cold]
#[inline(never)]
fn enter_to_drop(span: &Arc<Span>) {
    // Where it cannot be entered, it ends all the same.
    let _ = stack::enter(Place::Inside(Arc::clone(span)));
}

impl Drop for BegunSpan {
    #[inline]
    fn drop(&mut self) {
        if let Some(span) = &self.0 {
            dropped_begun(span);
        }
    }
}

#[cold]
#[inline(never)]
fn dropped_begun(span: &Arc<Span>) {
    cancelled();
    // For a thread without a stack; elsewhere it has ended by now.
    span.finish(Outcome { error: Some(CANCELLED.to_owned()), ..Outcome::default() });
}

/// Error of a span whose future was dropped half-way.
const CANCELLED: &str = "cancelled: the future was dropped before it completed";

/// The body of a future that was dropped half-way is gone, inside its span.
#[cold]
fn cancelled() {
    if !fail(CANCELLED) {
        stack::leave();
    }
}
