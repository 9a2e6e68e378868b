//! The body of an annotated function, run inside its span.
//!
//! What is generic is compiled once for each annotated function, so it is as little as can be: a closure that takes
//! the steps which only the function knows. All else is here once.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    thread,
};

use pin_project_lite::pin_project;

use crate::{
    context::{self, Context, Entered},
    hooks::{End, panic_error},
    site::CallSite,
    span::Span,
    stack::{self, Begun, Place},
};

/// The steps of a function: with nothing, it runs its body, or a part of it, and says whether the body is done; with
/// an end, it captures there what the body has returned.
type Step<'a> = dyn FnMut(Option<&mut End>) -> bool + 'a;

/// Runs a plain function's body inside a span.
#[inline]
pub fn drive_sync<R>(site: &'static CallSite, body: impl FnOnce() -> R, outcome: impl Fn(&R, &mut End)) -> R {
    let (mut body, mut result) = (Some(body), None);
    // Called in one place only, so that it is compiled once for each function.
    call(site, &mut |end| {
        match (end, &result) {
            (None, _) => result = body.take().map(|body| body()),
            (Some(end), Some(result)) => outcome(result, end),
            (Some(_), None) => {}
        }
        true
    });
    match result {
        Some(result) => result,
        None => unreachable!("the body was run"),
    }
}

/// Runs `body` with the span in force, if there is one; a panic ends the span and goes on.
pub(crate) fn run<R>(span: Option<&Arc<Span>>, body: impl FnOnce() -> R) -> R {
    let Some(span) = span else { return body() };
    inside(span, body).unwrap_or_else(|payload| {
        span.finish(crate::record::Outcome { error: Some(panic_error(&*payload)), ..Default::default() });
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

#[inline(never)]
fn call(site: &'static CallSite, step: &mut Step<'_>) {
    match if context::is_listening() { stack::begin(site) } else { Begun::Off } {
        Begun::Live => {}
        Begun::Off => {
            step(None);
            return;
        }
        Begun::Muted => {
            let _left = Left;
            step(None);
            return;
        }
    }
    match catch_unwind(AssertUnwindSafe(|| step(None))) {
        Ok(_) => end(step),
        Err(payload) => {
            fail(&panic_error(&*payload));
            resume_unwind(payload);
        }
    }
}

/// Leaves what was entered, also when a panic comes along.
struct Left;

impl Drop for Left {
    fn drop(&mut self) {
        stack::leave();
    }
}

/// Ends the innermost span with what its body returned.
#[inline]
fn end(step: &mut Step<'_>) {
    let mut end = End::default();
    if stack::begin_end(&mut end) {
        // The span stays in force: a value's `Serialize` may call annotated functions too.
        end.fill(|end| _ = step(Some(end)));
        stack::finish(&mut end);
    }
}

/// Ends the innermost span without an output.
#[cold]
fn fail(error: &str) {
    let mut end = End::default();
    if stack::begin_end(&mut end) {
        end.fail(error);
        stack::finish(&mut end);
    }
}

/// How far the span of a future is.
#[derive(Debug)]
enum Progress {
    New(&'static CallSite),
    Live(Arc<Span>),
    /// Of a trace that is not in the sample.
    Muted,
    /// Not recorded, or recorded already.
    Off,
}

/// What is to become of the span when the body is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    End,
    GoOn,
}

impl Progress {
    /// Takes a step of a body inside the span. When that is done the span ends, or is live for whoever goes on.
    #[inline(never)]
    fn poll(&mut self, step: &mut Step<'_>, then: Then) {
        let begun = match mem::replace(self, Self::Off) {
            Self::New(site) if context::is_listening() => stack::begin(site),
            Self::New(_) | Self::Off => Begun::Off,
            Self::Live(span) => {
                stack::enter(Place::Inside(span));
                Begun::Live
            }
            Self::Muted => {
                stack::enter(Place::Muted);
                Begun::Muted
            }
        };
        match begun {
            Begun::Live => {}
            Begun::Off => {
                step(None);
                return;
            }
            Begun::Muted => {
                let _left = Left;
                *self = Self::Muted;
                step(None);
                return;
            }
        }
        match catch_unwind(AssertUnwindSafe(|| step(None))) {
            Ok(done) if done && then == Then::End => end(step),
            Ok(_) => *self = Self::suspended(),
            // The body stays where it is; when it is dropped, its span has ended already.
            Err(payload) => {
                fail(&panic_error(&*payload));
                resume_unwind(payload);
            }
        }
    }

    /// Leaves the innermost span, which others may enter from now on.
    fn suspended() -> Self {
        match stack::leave() {
            Place::Inside(span) => Self::Live(span),
            Place::Muted => Self::Muted,
            Place::Outside | Place::Scope(_) => Self::Off,
        }
    }

    /// The future was dropped half-way.
    #[inline(never)]
    fn cancel(&mut self, drop_body: &mut dyn FnMut()) {
        let span = match mem::replace(self, Self::Off) {
            Self::Live(span) => span,
            Self::Muted => {
                stack::enter(Place::Muted);
                let _left = Left;
                return drop_body();
            }
            Self::New(_) | Self::Off => return,
        };
        // Inside the context: what a cancelled future drops still finds its parent.
        stack::enter(Place::Inside(span));
        match catch_unwind(AssertUnwindSafe(drop_body)) {
            Ok(()) => fail(CANCELLED),
            Err(payload) => {
                fail(&panic_error(&*payload));
                resume_unwind(payload);
            }
        }
    }

    /// Of a span that has begun already.
    fn begun(span: Option<Arc<Span>>) -> Self {
        match span {
            Some(span) if span.is_muted() => Self::Muted,
            Some(span) => Self::Live(span),
            None => Self::Off,
        }
    }

    fn into_live(self) -> Option<Live> {
        match self {
            Self::Live(span) => Some(Live(span)),
            Self::Muted => Some(Live(Span::muted())),
            Self::New(_) | Self::Off => None,
        }
    }
}

const CANCELLED: &str = "cancelled: the future was dropped before it completed";

/// The future of an annotated function's body. The span starts at the first poll and ends when the body has
/// returned, panicked, or was dropped half-way.
pub fn drive<F, O>(site: &'static CallSite, body: F, outcome: O) -> Drive<F, O>
where
    F: Future,
    O: Fn(&F::Output, &mut End),
{
    Drive { progress: Progress::New(site), body: Some(body), outcome }
}

/// [`drive`] for a plain function that returns a future: what it does before is part of the span, which starts with
/// the call.
pub fn drive_returned<F, O>(site: &'static CallSite, body: impl FnOnce() -> F, outcome: O) -> Drive<F, O>
where
    F: Future,
    O: Fn(&F::Output, &mut End),
{
    let span = context::begin(site);
    let future = run(span.as_ref(), body);
    Drive { progress: Progress::begun(span), body: Some(future), outcome }
}

/// [`drive`] where the span goes on in what `complete` makes of the body's result.
pub(crate) fn drive_on<F, C, T>(site: &'static CallSite, body: F, complete: C) -> DriveOn<F, C>
where
    F: Future,
    C: FnOnce(F::Output, Option<Live>) -> T,
{
    DriveOn { progress: Progress::New(site), body: Some(body), complete: Some(complete) }
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
    DriveOn { progress: Progress::begun(span), body: Some(future), complete: Some(complete) }
}

/// A span whose body has returned and that has not ended yet.
#[derive(Debug)]
pub struct Live(pub(crate) Arc<Span>);

pin_project! {
    /// See [`drive`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Drive<F, O> {
        progress: Progress,
        outcome: O,
        #[pin]
        body: Option<F>,
    }

    impl<F, O> PinnedDrop for Drive<F, O> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.progress.cancel(&mut || this.body.set(None));
        }
    }
}

impl<F, O> Future for Drive<F, O>
where
    F: Future,
    O: Fn(&F::Output, &mut End),
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let mut polled = Poll::Pending;
        let step = &mut |end: Option<&mut End>| {
            match (end, &polled) {
                (None, _) => polled = poll_body(this.body.as_mut(), task),
                (Some(end), Poll::Ready(result)) => (this.outcome)(result, end),
                (Some(_), Poll::Pending) => {}
            }
            polled.is_ready()
        };
        this.progress.poll(step, Then::End);
        polled
    }
}

pin_project! {
    /// See [`drive_on`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct DriveOn<F, C> {
        progress: Progress,
        complete: Option<C>,
        #[pin]
        body: Option<F>,
    }

    impl<F, C> PinnedDrop for DriveOn<F, C> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.progress.cancel(&mut || this.body.set(None));
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
            polled = poll_body(this.body.as_mut(), task);
            polled.is_ready()
        };
        this.progress.poll(step, Then::GoOn);
        polled.map(|result| {
            let span = mem::replace(this.progress, Progress::Off).into_live();
            let Some(complete) = this.complete.take() else { unreachable!("a body completes once") };
            complete(result, span)
        })
    }
}

/// Polls the body, and drops it when it is done: what its locals do while they drop is within the latency.
#[inline]
fn poll_body<F: Future>(mut body: Pin<&mut Option<F>>, task: &mut task::Context<'_>) -> Poll<F::Output> {
    let Some(future) = body.as_mut().as_pin_mut() else { panic!("`async fn` polled after completion") };
    let polled = future.poll(task);
    if polled.is_ready() {
        body.set(None);
    }
    polled
}
