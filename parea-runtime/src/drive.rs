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

/// Runs a plain function's body inside a span.
#[inline]
pub fn drive_sync<R, L: Look>(
    site: &'static CallSite,
    body: impl FnOnce() -> R,
    outcome: impl Fn(&R, &mut End) -> L,
) -> R {
    let begun = if context::is_listening() { stack::begin(site) } else { Begun::Off };
    // In one place, so that it is compiled once for each function. What is caught and what is called would share their room:
    // the result has its own, which the compiler sees through.
    let mut result = None;
    let returned = &mut result;
    match (catch_unwind(AssertUnwindSafe(move || *returned = Some(body()))), result) {
        // Nobody looks at it, so it needs no place in memory.
        (Ok(()), Some(result)) if begun == Begun::Off => result,
        (Ok(()), Some(result)) => looked_at(begun, result, outcome),
        (Ok(()), None) => unreachable!("the body has returned"),
        (Err(payload), _) => unwound(begun, payload),
    }
}

/// The result of a body, once its span has ended.
#[expect(clippy::inline_always, reason = "once for each function")]
#[inline(always)]
fn looked_at<R, L: Look>(begun: Begun, result: R, outcome: impl Fn(&R, &mut End) -> L) -> R {
    if L::SEES_NOTHING {
        ended_bare(begun);
    } else {
        ended(begun, &mut |end| _ = outcome(&result, end));
    }
    result
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
    let mut end = End::of_innermost();
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

/// This thread has panicked, and the process ends with it: so do the spans in which it is, which nobody would hear of.
#[cold]
pub(crate) fn fail_all(payload: &(dyn Any + Send)) {
    let error = panic_error(payload);
    while fail(&error) {}
}

/// Ends the innermost span without an output; `false` if there is no span.
#[cold]
fn fail(error: &str) -> bool {
    let (mut end, now) = (End::of_innermost(), Moment::now());
    end.fail(error);
    stack::finish_unusual(&mut end.captured, now)
}

/// What was entered for a poll of a future's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
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
fn enter(course: &mut impl Course) -> Inside {
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
fn suspend(course: &mut impl Course, entered: Inside) {
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
fn end_unwound(course: &mut impl Course, entered: Inside, payload: Box<dyn Any + Send>) -> ! {
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
    /// For one that began before.
    fn begun(span: Option<Arc<Span>>) -> Self {
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
    fn go_on(&mut self) -> Option<Live> {
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
pub struct BegunSpan(Option<Arc<Span>>);

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

/// The future of an annotated function's body. The span starts at the first poll and ends when the body has
/// returned, panicked, or was dropped half-way.
pub fn drive<F, O, L: Look>(site: &'static CallSite, body: F, outcome: O) -> Drive<F, O, Beginning>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
{
    Drive { outcome, body, course: Beginning(Stage::New(site)) }
}

/// [`drive`] where the span begins at once: inside an `async fn`, which runs at its first poll.
pub fn drive_begun<F, O, L: Look>(site: &'static CallSite, body: F, outcome: O) -> Drive<F, O, BegunSpan>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
{
    Drive { outcome, body, course: BegunSpan(context::begin(site)) }
}

/// [`drive`] for a plain function that returns a future: what it does before is part of the span, which starts with
/// the call.
pub fn drive_returned<F, O, L: Look>(
    site: &'static CallSite,
    body: impl FnOnce() -> F,
    outcome: O,
) -> Drive<F, O, BegunSpan>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
{
    let span = context::begin(site);
    let body = run(span.as_ref(), body);
    Drive { outcome, body, course: BegunSpan(span) }
}

pin_project! {
    /// See [`drive`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Drive<F, O, C: Course> {
        outcome: O,
        #[pin]
        body: F,
        // Last: fields are dropped in order.
        course: C,
    }

    impl<F, O, C: Course> PinnedDrop for Drive<F, O, C> {
        fn drop(this: Pin<&mut Self>) {
            this.project().course.begin_drop();
        }
    }
}

impl<F, O, L, C> Future for Drive<F, O, C>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
    L: Look,
    C: Course,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        if C::APART { poll_apart(self, task) } else { poll(self, task) }
    }
}

#[expect(clippy::inline_always, reason = "once in each of the two ways to poll")]
#[inline(always)]
fn poll<F, O, L, C>(drive: Pin<&mut Drive<F, O, C>>, task: &mut task::Context<'_>) -> Poll<F::Output>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
    L: Look,
    C: Course,
{
    let this = drive.project();
    if this.course.is_off() {
        return this.body.poll(task);
    }
    let mut inside = InSpan { body: this.body, outcome: this.outcome, task, polled: Poll::Pending };
    this.course.step(&mut inside);
    inside.polled
}

/// What a poll of a [`Drive`] has at hand.
struct InSpan<'a, 'b, F: Future, O> {
    body: Pin<&'a mut F>,
    outcome: &'a O,
    task: &'a mut task::Context<'b>,
    polled: Poll<F::Output>,
}

impl<F, O, L> Body for InSpan<'_, '_, F, O>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
{
    fn poll(&mut self) -> bool {
        self.polled = self.body.as_mut().poll(self.task);
        self.polled.is_ready()
    }

    fn look(&mut self, end: &mut End) {
        if let Poll::Ready(result) = &self.polled {
            (self.outcome)(result, end);
        }
    }
}

#[inline(never)]
fn poll_apart<F, O, L, C>(drive: Pin<&mut Drive<F, O, C>>, task: &mut task::Context<'_>) -> Poll<F::Output>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
    L: Look,
    C: Course,
{
    poll(drive, task)
}

/// [`drive`] where the span goes on in what `complete` makes of the body's result.
pub(crate) fn drive_on<F, C, T>(site: &'static CallSite, body: F, complete: C) -> DriveOn<F, C>
where
    F: Future,
    C: FnOnce(F::Output, Option<Live>) -> T,
{
    DriveOn { complete: Some(complete), body, course: Beginning(Stage::New(site)) }
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
    DriveOn { complete: Some(complete), body: future, course: Beginning::begun(span) }
}

/// A span whose body has returned and that has not ended yet.
#[derive(Debug)]
pub struct Live(pub(crate) Arc<Span>);

pin_project! {
    /// See [`drive_on`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct DriveOn<F, C> {
        complete: Option<C>,
        #[pin]
        body: F,
        // Last: fields are dropped in order.
        course: Beginning,
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
        let this = self.project();
        let entered = if this.course.is_off() { Inside::Off } else { enter(this.course) };
        let polled = match catch_unwind(AssertUnwindSafe(|| this.body.poll(task))) {
            Ok(polled) => polled,
            Err(payload) => end_unwound(this.course, entered, payload),
        };
        suspend(this.course, entered);
        polled.map(|result| {
            let span = this.course.go_on();
            let Some(complete) = this.complete.take() else { unreachable!("a body completes once") };
            complete(result, span)
        })
    }
}
