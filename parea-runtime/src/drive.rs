//! The body of an annotated function, run inside its span.
//!
//! What is generic is compiled once for each annotated function, so it is as little as can be: a closure that takes
//! the steps which only the function knows. All else is here once.

mod course;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    thread,
};

use pin_project_lite::pin_project;

use course::{Beginning, BegunSpan, Body, Course, Inside, end_unwound, enter, suspend};

use crate::{
    clock::Moment,
    context::{self, Context, Entered},
    hooks::{End, panic_error},
    ladder::Look,
    record::Outcome,
    site::CallSite,
    span::Span,
    stack::{self, Begun},
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

/// The future of an annotated function's body. The span starts at the first poll and ends when the body has
/// returned, panicked, or was dropped half-way.
pub fn drive<F, O, L: Look>(site: &'static CallSite, body: F, outcome: O) -> Drive<F, O, Beginning>
where
    F: Future,
    O: Fn(&F::Output, &mut End) -> L,
{
    Drive { outcome, body, course: Beginning::new(site) }
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
    DriveOn { complete: Some(complete), body, course: Beginning::new(site) }
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
