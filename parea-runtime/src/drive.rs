//! The body of an annotated function, run inside its span.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    thread,
};

use pin_project_lite::pin_project;

use crate::{
    context::{self, Context, Entered},
    hooks::{CallSite, End, panicked},
    record::Outcome,
    span::Span,
};

/// Runs a plain function's body inside a span.
#[inline]
pub fn drive_sync<R>(site: &'static CallSite, body: impl FnOnce() -> R, outcome: impl FnOnce(&R, &mut End)) -> R {
    let span = context::begin(site);
    let result = run(span.as_ref(), body);
    if let Some(span) = span {
        finish(&span, &result, outcome);
    }
    result
}

/// Runs `body` with the span in force, if there is one; a panic ends the span and goes on.
#[inline]
pub(crate) fn run<R>(span: Option<&Arc<Span>>, body: impl FnOnce() -> R) -> R {
    let (mut body, mut result) = (Some(body), None);
    // Called in one place only, so that it is compiled once for each function.
    step(span, &mut || result = body.take().map(|body| body()));
    match result {
        Some(result) => result,
        None => unreachable!("the step was taken"),
    }
}

fn finish<R>(span: &Arc<Span>, result: &R, outcome: impl FnOnce(&R, &mut End)) {
    let mut outcome = Some(outcome);
    end(span, &mut |end| {
        if let Some(outcome) = outcome.take() {
            outcome(result, end);
        }
    });
}

// The parts that are the same for every function, once.

/// Takes a step of a body inside the span.
#[inline(never)]
fn step(span: Option<&Arc<Span>>, body: &mut dyn FnMut()) {
    let Some(span) = span else { return body() };
    if let Err(payload) = inside(span, body) {
        panicked::<()>(span, payload);
    }
}

/// Runs `body` with the span in force; a panic is caught.
pub(crate) fn inside<R>(span: &Arc<Span>, body: impl FnOnce() -> R) -> thread::Result<R> {
    let entered = Entered::new(Context::inside(Arc::clone(span)));
    let done = catch_unwind(AssertUnwindSafe(body));
    drop(entered);
    done
}

/// Runs `body`; a panic is caught.
pub(crate) fn caught<R>(body: impl FnOnce() -> R) -> thread::Result<R> {
    catch_unwind(AssertUnwindSafe(body))
}

/// Ends the span with what `capture` makes of the result.
#[inline(never)]
fn end(span: &Arc<Span>, capture: &mut dyn FnMut(&mut End)) {
    if span.is_muted() {
        return;
    }
    let mut end = End::default();
    // A value's `Serialize` may call annotated functions too.
    let entered = Entered::new(Context::inside(Arc::clone(span)));
    end.fill(capture);
    drop(entered);
    span.finish(end.outcome());
}

/// The future was dropped half-way.
#[inline(never)]
fn cancel(span: &Arc<Span>, drop_body: &mut dyn FnMut()) {
    // Inside the context: what a cancelled future drops still finds its parent.
    step(Some(span), drop_body);
    span.finish(Outcome { error: Some(CANCELLED.to_owned()), ..Outcome::default() });
}

/// The future of an annotated function's body. The span starts at the first poll and ends when the body has
/// returned, panicked, or was dropped half-way.
pub fn drive<F, O>(
    site: &'static CallSite,
    body: F,
    outcome: O,
) -> Drive<F, impl FnOnce(F::Output, Option<Live>) -> F::Output>
where
    F: Future,
    O: FnOnce(&F::Output, &mut End),
{
    Drive { state: Progress::New(site), complete: Some(ends_with(outcome)), body: Some(body) }
}

/// [`drive`] for a plain function that returns a future: what it does before is part of the span, which starts with
/// the call.
pub fn drive_returned<F, O>(
    site: &'static CallSite,
    body: impl FnOnce() -> F,
    outcome: O,
) -> Drive<F, impl FnOnce(F::Output, Option<Live>) -> F::Output>
where
    F: Future,
    O: FnOnce(&F::Output, &mut End),
{
    let span = context::begin(site);
    let future = run(span.as_ref(), body);
    let state = span.map_or(Progress::Off, Progress::Live);
    Drive { state, complete: Some(ends_with(outcome)), body: Some(future) }
}

/// The span ends with what the body returned.
fn ends_with<R>(outcome: impl FnOnce(&R, &mut End)) -> impl FnOnce(R, Option<Live>) -> R {
    move |result, span| {
        if let Some(Live(span)) = span {
            finish(&span, &result, outcome);
        }
        result
    }
}

/// [`drive`] where the span goes on in what `complete` makes of the body's result.
pub(crate) fn drive_on<F, C, T>(site: &'static CallSite, body: F, complete: C) -> Drive<F, C>
where
    F: Future,
    C: FnOnce(F::Output, Option<Live>) -> T,
{
    Drive { state: Progress::New(site), complete: Some(complete), body: Some(body) }
}

/// A span whose body has returned and that has not ended yet.
#[derive(Debug)]
pub struct Live(pub(crate) Arc<Span>);

#[derive(Debug)]
enum Progress {
    New(&'static CallSite),
    Live(Arc<Span>),
    /// Not recorded, or recorded already.
    Off,
}

pin_project! {
    /// See [`drive`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Drive<F, C> {
        state: Progress,
        complete: Option<C>,
        #[pin]
        body: Option<F>,
    }

    impl<F, C> PinnedDrop for Drive<F, C> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.body.is_some() && let Progress::Live(span) = mem::replace(this.state, Progress::Off) {
                cancel(&span, &mut || this.body.set(None));
            }
        }
    }
}

const CANCELLED: &str = "cancelled: the future was dropped before it completed";

impl<F, C, T> Future for Drive<F, C>
where
    F: Future,
    C: FnOnce(F::Output, Option<Live>) -> T,
{
    type Output = T;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<T> {
        let mut this = self.project();
        if let Progress::New(site) = this.state {
            *this.state = context::begin(site).map_or(Progress::Off, Progress::Live);
        }
        let span = match this.state {
            Progress::Live(span) => Some(Arc::clone(span)),
            Progress::New(_) | Progress::Off => None,
        };
        let mut polled = Poll::Pending;
        // A panic leaves the body where it is; when it is dropped, its span has ended already.
        step(span.as_ref(), &mut || {
            let Some(body) = this.body.as_mut().as_pin_mut() else { panic!("`async fn` polled after completion") };
            polled = body.poll(task);
            if polled.is_ready() {
                // Before the end is taken, so that what the body's locals do while they drop is within the latency.
                this.body.set(None);
            }
        });
        polled.map(|result| {
            *this.state = Progress::Off;
            let Some(complete) = this.complete.take() else { unreachable!("a body completes once") };
            complete(result, span.map(Live))
        })
    }
}
