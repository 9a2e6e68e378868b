//! The body of an annotated function, run inside its span.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
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
    let Some(span) = context::begin(site) else { return body() };
    let result = run(&span, body);
    finish(&span, &result, outcome);
    result
}

/// Runs `body` with the span in force; a panic ends the span and goes on.
pub(crate) fn run<R>(span: &Arc<Span>, body: impl FnOnce() -> R) -> R {
    let entered = Entered::new(Context::inside(Arc::clone(span)));
    let result = catch_unwind(AssertUnwindSafe(body));
    drop(entered);
    result.unwrap_or_else(|payload| panicked(span, payload))
}

fn finish<R>(span: &Arc<Span>, result: &R, outcome: impl FnOnce(&R, &mut End)) {
    let mut end = End::default();
    // A value's `Serialize` may call annotated functions too.
    let entered = Entered::new(Context::inside(Arc::clone(span)));
    let mut outcome = Some(outcome);
    end.fill(&mut |end| {
        if let Some(outcome) = outcome.take() {
            outcome(result, end);
        }
    });
    drop(entered);
    span.finish(end.outcome());
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
    let (state, future) = match context::begin(site) {
        None => (Progress::Off, body()),
        Some(span) => {
            let future = run(&span, body);
            (Progress::Live(span), future)
        }
    };
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
                // Inside the context: what a cancelled future drops still finds its parent.
                run(&span, || this.body.set(None));
                span.finish(Outcome { error: Some(CANCELLED.to_owned()), ..Outcome::default() });
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
        let mut step = || {
            let Some(body) = this.body.as_mut().as_pin_mut() else { panic!("`async fn` polled after completion") };
            let polled = body.poll(task);
            if polled.is_ready() {
                // Before the end is taken, so that what the body's locals do while they drop is within the latency.
                this.body.set(None);
            }
            polled
        };
        let polled = match &span {
            None => step(),
            Some(span) => {
                let entered = Entered::new(Context::inside(Arc::clone(span)));
                let polled = catch_unwind(AssertUnwindSafe(&mut step));
                drop(entered);
                polled.unwrap_or_else(|payload| {
                    *this.state = Progress::Off;
                    panicked(span, payload)
                })
            }
        };
        polled.map(|result| {
            *this.state = Progress::Off;
            match this.complete.take() {
                Some(complete) => complete(result, span.map(Live)),
                None => resume_unwind(Box::new("`async fn` polled after completion")),
            }
        })
    }
}
