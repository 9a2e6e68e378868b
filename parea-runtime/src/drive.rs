//! The body of an annotated function, run inside its span.
//!
//! What is generic is compiled once for each annotated function, so it is as little as can be: a closure that takes
//! the steps which only the function knows. All else is here once.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    thread,
};

use pin_project_lite::pin_project;

use crate::{
    clock::Moment,
    context::{self, Context, Entered},
    hooks::{End, panic_error},
    ladder::Look,
    record::Outcome,
    site::CallSite,
    span::Span,
    stack::{self, Begun, Place},
};

/// The steps of a function: with nothing, it runs its body, or a part of it, and says whether the body is done; with
/// an end, it captures there what the body has returned.
type Step<'a> = dyn FnMut(Option<&mut End>) -> bool + 'a;

/// Runs a plain function's body inside a span.
#[inline]
pub fn drive_sync<R, L: Look>(
    site: &'static CallSite,
    body: impl FnOnce() -> R,
    outcome: impl Fn(&R, &mut End) -> L,
) -> R {
    let begun = if context::is_listening() { stack::begin(site) } else { Begun::Off };
    // In one place, so that it is compiled once for each function.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => {
            match begun {
                Begun::Off => {}
                _ if L::SEES_NOTHING => ended_bare(begun),
                _ => ended(begun, &mut |end| _ = outcome(&result, end)),
            }
            result
        }
        Err(payload) => unwound(begun, payload),
    }
}

/// Runs `body` with the span in force, if there is one; a panic ends the span and goes on.
pub(crate) fn run<R>(span: Option<&Arc<Span>>, body: impl FnOnce() -> R) -> R {
    let Some(span) = span else { return body() };
    inside(span, body).unwrap_or_else(|payload| {
        span.finish(Outcome { error: Some(panic_error(&*payload)), ..Outcome::default() });
        resume_unwind(payload)
    })
}

/// Runs `body` with the span in force; a panic is caught.
pub(crate) fn inside<R>(span: &Arc<Span>, body: impl FnOnce() -> R) -> thread::Result<R> {
    let entered = Entered::new(Context::inside(Arc::clone(span)));
    let done = caught(body);
    drop(entered);
    done
}

/// Runs `body`; a panic is caught.
pub(crate) fn caught<R>(body: impl FnOnce() -> R) -> thread::Result<R> {
    catch_unwind(AssertUnwindSafe(body))
}

// The parts that are the same for every function, once.

/// The body of the innermost span has returned.
#[inline(never)]
fn ended(begun: Begun, outcome: &mut dyn FnMut(&mut End)) {
    if begun == Begun::Muted {
        return stack::leave_for_good();
    }
    let now = Moment::now();
    let mut end = End::of_stack();
    // The span stays in force: a value's `Serialize` may call annotated functions too.
    end.fill(outcome);
    stack::finish(&mut end.captured, now);
}

/// The same where there is nothing to look at.
#[inline(never)]
fn ended_bare(begun: Begun) {
    if begun == Begun::Muted {
        return stack::leave_for_good();
    }
    stack::finish_bare(Moment::now());
}

/// It has panicked.
#[cold]
#[inline(never)]
fn unwound(begun: Begun, payload: Box<dyn Any + Send>) -> ! {
    match begun {
        Begun::Live => _ = fail(&panic_error(&*payload)),
        Begun::Muted => stack::leave_for_good(),
        Begun::Off => {}
    }
    resume_unwind(payload)
}

/// Ends the innermost span without an output; `false` if there is no span.
#[cold]
fn fail(error: &str) -> bool {
    let (mut end, now) = (End::of_stack(), Moment::now());
    end.fail(error);
    stack::finish_unusual(&mut end.captured, now)
}

/// Leaves what was entered, also when a panic comes along.
struct Left;

impl Drop for Left {
    fn drop(&mut self) {
        stack::leave_for_good();
    }
}

/// The span of a future. As its last field it outlives the body: what a body that is cancelled drops is inside the
/// span, which ends after that.
#[derive(Debug)]
struct Course(Progress);

/// How far it is.
#[derive(Debug)]
enum Progress {
    New(&'static CallSite),
    Live(Arc<Span>),
    /// Of a trace that is not in the sample.
    Muted,
    /// Entered, while what is left of the body is dropped.
    Dropping,
    /// The same where it cannot be entered.
    DroppingApart(Arc<Span>),
    /// Not recorded, or recorded already.
    Off,
}

/// What is to become of the span when the body is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    End,
    GoOn,
}

impl Course {
    fn new(site: &'static CallSite) -> Self {
        Self(Progress::New(site))
    }

    /// For a span that began before.
    fn begun(span: Option<Arc<Span>>) -> Self {
        Self(span.map_or(Progress::Off, Progress::Live))
    }

    /// Whether the body runs without. One that has begun without goes on without.
    #[inline]
    fn is_off(&mut self) -> bool {
        if let Progress::New(_) = self.0
            && !context::is_listening()
        {
            self.0 = Progress::Off;
        }
        matches!(self.0, Progress::Off)
    }

    /// Takes a step of a body inside the span. When that is done the span ends, or is live for whoever goes on.
    fn poll(&mut self, step: &mut Step<'_>, then: Then) {
        if self.is_off() {
            step(None);
        } else {
            self.poll_live(step, then);
        }
    }

    #[inline(never)]
    fn poll_live(&mut self, step: &mut Step<'_>, then: Then) {
        let begun = match mem::replace(&mut self.0, Progress::Off) {
            Progress::New(site) => stack::begin(site),
            Progress::Live(span) => match stack::enter_span(span) {
                Err(span) => return self.poll_apart(span, step, then),
                Ok(()) => Begun::Live,
            },
            Progress::Muted => {
                let _ = stack::enter(Place::Muted);
                Begun::Muted
            }
            _ => Begun::Off,
        };
        match begun {
            Begun::Live => {}
            Begun::Off => {
                step(None);
                return;
            }
            Begun::Muted => {
                let _left = Left;
                self.0 = Progress::Muted;
                step(None);
                return;
            }
        }
        match catch_unwind(AssertUnwindSafe(|| step(None))) {
            Ok(done) if done && then == Then::End => ended(Begun::Live, &mut |end| _ = step(Some(end))),
            Ok(_) => self.0 = suspended(),
            // The body stays where it is; when it is dropped, its span has ended already.
            Err(payload) => unwound(Begun::Live, payload),
        }
    }

    /// [`poll`](Self::poll) on a thread that is about to end: the span cannot be entered, but it can end.
    #[cold]
    fn poll_apart(&mut self, span: Arc<Span>, step: &mut Step<'_>, then: Then) {
        match catch_unwind(AssertUnwindSafe(|| step(None))) {
            Ok(done) if done && then == Then::End => {
                let mut end = End::default();
                end.fill(&mut |end| _ = step(Some(end)));
                span.finish(end.outcome());
            }
            Ok(_) => self.0 = Progress::Live(span),
            Err(payload) => {
                span.finish(Outcome { error: Some(panic_error(&*payload)), ..Outcome::default() });
                resume_unwind(payload);
            }
        }
    }

    /// The future is dropped, and its body is next.
    #[inline]
    fn begin_drop(&mut self) {
        if !matches!(self.0, Progress::Off | Progress::New(_)) {
            self.enter_to_drop();
        }
    }

    #[cold]
    #[inline(never)]
    fn enter_to_drop(&mut self) {
        let place = match mem::replace(&mut self.0, Progress::Off) {
            Progress::Live(span) => Place::Inside(span),
            Progress::Muted => Place::Muted,
            _ => return,
        };
        self.0 = match stack::enter(place) {
            Ok(()) => Progress::Dropping,
            Err(Place::Inside(span)) => Progress::DroppingApart(span),
            Err(_) => Progress::Off,
        };
    }

    /// The span for whoever goes on.
    fn take_live(&mut self) -> Option<Live> {
        match mem::replace(&mut self.0, Progress::Off) {
            Progress::Live(span) => Some(Live(span)),
            Progress::Muted => Some(Live(Span::muted())),
            _ => None,
        }
    }
}

impl Drop for Course {
    #[inline]
    fn drop(&mut self) {
        match &self.0 {
            Progress::Dropping => cancelled(),
            Progress::DroppingApart(span) => {
                span.finish(Outcome { error: Some(CANCELLED.to_owned()), ..Outcome::default() });
            }
            _ => {}
        }
    }
}

/// Leaves the innermost span, which others may enter from now on.
#[inline]
fn suspended() -> Progress {
    stack::leave_span().map_or_else(suspended_first, Progress::Live)
}

/// The same of one that may be on this thread alone.
#[inline(never)]
fn suspended_first() -> Progress {
    match stack::leave() {
        Place::Inside(span) => Progress::Live(span),
        Place::Muted => Progress::Muted,
        Place::Outside | Place::Scope(_) => Progress::Off,
    }
}

/// Error of a span whose future was dropped half-way.
const CANCELLED: &str = "cancelled: the future was dropped before it completed";

/// The body of a future that was dropped half-way is gone.
#[cold]
fn cancelled() {
    if !fail(CANCELLED) {
        stack::leave();
    }
}

/// The future of an annotated function's body. The span starts at the first poll and ends when the body has
/// returned, panicked, or was dropped half-way.
pub fn drive<F, O, L: Look>(site: &'static CallSite, body: F, outcome: O) -> Drive<F, O>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
{
    Drive { outcome, body, course: Course::new(site) }
}

/// [`drive`] where the span begins at once: inside an `async fn`, which runs at its first poll.
pub fn drive_begun<F, O, L: Look>(site: &'static CallSite, body: F, outcome: O) -> DriveBegun<F, O>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
{
    DriveBegun { outcome, body, begun: BegunSpan(context::begin(site)) }
}

/// [`drive`] for a plain function that returns a future: what it does before is part of the span, which starts with
/// the call.
pub fn drive_returned<F, O, L: Look>(site: &'static CallSite, body: impl FnOnce() -> F, outcome: O) -> DriveBegun<F, O>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
{
    let span = context::begin(site);
    let body = run(span.as_ref(), body);
    DriveBegun { outcome, body, begun: BegunSpan(span) }
}

/// The span of a future that began before it. Nothing but the span: half of a [`Course`].
#[derive(Debug)]
struct BegunSpan(Option<Arc<Span>>);

impl BegunSpan {
    fn poll(&mut self, step: &mut Step<'_>) {
        let mut course = Course(match self.0.take() {
            Some(span) if span.is_muted() => Progress::Muted,
            Some(span) => Progress::Live(span),
            None => Progress::Off,
        });
        course.poll(step, Then::End);
        self.0 = course.take_live().map(|Live(span)| span);
    }

    /// The future is dropped, and its body is next.
    #[inline(never)]
    fn begin_drop(&mut self) {
        if let Some(span) = &self.0 {
            // Where it cannot be entered, it ends all the same.
            let _ = stack::enter(Place::Inside(Arc::clone(span)));
        }
    }
}

impl Drop for BegunSpan {
    #[inline]
    fn drop(&mut self) {
        if let Some(span) = &self.0 {
            cancelled();
            // For a thread without a stack; elsewhere it has ended by now.
            span.finish(Outcome { error: Some(CANCELLED.to_owned()), ..Outcome::default() });
        }
    }
}

pin_project! {
    /// See [`drive_begun`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct DriveBegun<F, O> {
        outcome: O,
        #[pin]
        body: F,
        // Last: fields are dropped in order.
        begun: BegunSpan,
    }

    impl<F, O> PinnedDrop for DriveBegun<F, O> {
        fn drop(this: Pin<&mut Self>) {
            this.project().begun.begin_drop();
        }
    }
}

impl<F, O, L> Future for DriveBegun<F, O>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.begun.0.is_none() {
            return poll_body(this.body, task);
        }
        poll_in(this.body, this.outcome, task, |step| this.begun.poll(step))
    }
}

/// [`drive`] where the span goes on in what `complete` makes of the body's result.
pub(crate) fn drive_on<F, C, T>(site: &'static CallSite, body: F, complete: C) -> DriveOn<F, C>
where
    F: Future,
    C: FnOnce(F::Output, Option<Live>) -> T,
{
    DriveOn { complete: Some(complete), body, course: Course::new(site) }
}

/// [`drive_on`] for a plain function that returns a future.
pub(crate) fn drive_returned_on<F, C, T>(
    site: &'static CallSite,
    body: impl FnOnce() -> F,
    complete: C,
) -> DriveOn<F, C>
where
    F: Future,
    C: FnOnce(F::Output, Option<Live>) -> T,
{
    let span = context::begin(site);
    let future = run(span.as_ref(), body);
    DriveOn { complete: Some(complete), body: future, course: Course::begun(span) }
}

/// A span whose body has returned and that has not ended yet.
#[derive(Debug)]
pub struct Live(pub(crate) Arc<Span>);

pin_project! {
    /// See [`drive`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Drive<F, O> {
        outcome: O,
        #[pin]
        body: F,
        // Last: fields are dropped in order.
        course: Course,
    }

    impl<F, O> PinnedDrop for Drive<F, O> {
        fn drop(this: Pin<&mut Self>) {
            this.project().course.begin_drop();
        }
    }
}

impl<F, O, L> Future for Drive<F, O>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.course.is_off() {
            return poll_body(this.body, task);
        }
        poll_in(this.body, this.outcome, task, |step| this.course.poll_live(step, Then::End))
    }
}

/// Polls a body. Called from two places, and compiled once.
#[inline(never)]
fn poll_body<F: Future>(body: Pin<&mut F>, task: &mut task::Context<'_>) -> Poll<F::Output> {
    body.poll(task)
}

/// Polls a body as the steps of `poll`, which ends the span with what it is ready with.
#[inline]
fn poll_in<F: Future, L>(
    mut body: Pin<&mut F>,
    outcome: &impl Fn(&F::Output, &mut End) -> L,
    task: &mut task::Context<'_>,
    poll: impl FnOnce(&mut Step<'_>),
) -> Poll<F::Output> {
    let mut polled = Poll::Pending;
    poll(&mut |end| {
        match (end, &polled) {
            (None, _) => polled = poll_body(body.as_mut(), task),
            (Some(end), Poll::Ready(result)) => _ = outcome(result, end),
            (Some(_), Poll::Pending) => {}
        }
        polled.is_ready()
    });
    polled
}

pin_project! {
    /// See [`drive_on`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct DriveOn<F, C> {
        complete: Option<C>,
        #[pin]
        body: F,
        // Last: fields are dropped in order.
        course: Course,
    }

    impl<F, C> PinnedDrop for DriveOn<F, C> {
        fn drop(this: Pin<&mut Self>) {
            this.project().course.begin_drop();
        }
    }
}

impl<F, C, T> Future for DriveOn<F, C>
where
    F: Future,
    C: FnOnce(F::Output, Option<Live>) -> T,
{
    type Output = T;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<T> {
        let mut this = self.project();
        let mut polled = Poll::Pending;
        let step = &mut |_: Option<&mut End>| {
            polled = this.body.as_mut().poll(task);
            polled.is_ready()
        };
        this.course.poll(step, Then::GoOn);
        polled.map(|result| {
            let span = this.course.take_live();
            let Some(complete) = this.complete.take() else { unreachable!("a body completes once") };
            complete(result, span)
        })
    }
}
