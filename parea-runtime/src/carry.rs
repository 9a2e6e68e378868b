//! The current span, carried into what runs elsewhere: futures, streams and closures.

use std::{
    mem,
    pin::Pin,
    task::{self, Poll},
};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::context::{Context, Entered};

pin_project! {
    /// A future or a stream that runs in the context where it was made. See [`InCurrentSpan`] and
    /// [`StreamInCurrentSpan`].
    #[derive(Debug)]
    #[must_use = "futures and streams do nothing unless polled"]
    pub struct WithContext<F> {
        context: Context,
        #[pin]
        inner: Option<F>,
    }

    impl<F> PinnedDrop for WithContext<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What it drops may start spans too.
            let _entered = Entered::new(mem::take(this.context));
            this.inner.set(None);
        }
    }
}

impl<F> WithContext<F> {
    fn new(inner: F, context: Context) -> Self {
        Self { context, inner: Some(inner) }
    }

    /// Polls in the context. Without an inner, which is taken only by drop, nothing ever comes.
    fn poll_with<R>(self: Pin<&mut Self>, poll: impl FnOnce(Pin<&mut F>) -> Poll<R>) -> Poll<R> {
        let this = self.project();
        let entered = Entered::new(mem::take(this.context));
        let polled = this.inner.as_pin_mut().map_or(Poll::Pending, poll);
        *this.context = entered.leave();
        polled
    }
}

impl<F: Future> Future for WithContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        self.poll_with(|future| future.poll(task))
    }
}

impl<S: Stream> Stream for WithContext<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Option<S::Item>> {
        self.poll_with(|stream| stream.poll_next(task))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, None), Stream::size_hint)
    }
}

/// Carries the current span into a future that another task polls.
///
/// ```
/// use parea::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// #[parea::trace]
/// async fn child() {}
///
/// #[parea::trace]
/// async fn parent() {
///     tokio::spawn(child().in_current_span()).await.unwrap();
/// }
///
/// let (_, traces) = parea::testing::capture_async(parent()).await;
/// assert_eq!(traces.tree(), "parent (ok)\n└─ child (ok)\n");
/// # }
/// ```
pub trait InCurrentSpan: Future + Sized {
    /// Runs this future in the span that is open now, whoever polls it.
    fn in_current_span(self) -> WithContext<Self> {
        self.in_context(Context::current())
    }

    /// Runs this future in a context taken elsewhere.
    fn in_context(self, context: Context) -> WithContext<Self> {
        WithContext::new(self, context)
    }
}

impl<F: Future> InCurrentSpan for F {}

/// Carries the current span into a stream that another task polls: what runs in the stream is below that span, what its
/// consumer does is not.
pub trait StreamInCurrentSpan: Stream + Sized {
    /// Runs this stream in the span that is open now, whoever polls it.
    fn in_current_span(self) -> WithContext<Self> {
        self.in_context(Context::current())
    }

    /// Runs this stream in a context taken elsewhere.
    fn in_context(self, context: Context) -> WithContext<Self> {
        WithContext::new(self, context)
    }
}

impl<S: Stream> StreamInCurrentSpan for S {}

/// Carries the current span into a closure without arguments, for threads and pools. For callbacks with an argument there
/// are [`Context::wrap`] and [`Context::wrap_fn`].
///
/// ```
/// use parea::prelude::*;
///
/// #[parea::trace]
/// fn child() {}
///
/// #[parea::trace]
/// fn parent() {
///     std::thread::spawn((|| child()).in_current_span()).join().unwrap();
/// }
///
/// let (_, traces) = parea::testing::capture(parent);
/// assert_eq!(traces.tree(), "parent (ok)\n└─ child (ok)\n");
/// ```
pub trait CallInCurrentSpan<R>: FnOnce() -> R + Sized {
    /// Runs this closure in the span that is open now, wherever it is called.
    fn in_current_span(self) -> impl FnOnce() -> R {
        let here = Context::current();
        move || here.enter(self)
    }
}

impl<R, F: FnOnce() -> R> CallInCurrentSpan<R> for F {}

/// A value on its way to somewhere else, such as through a channel, with the span that sent it.
///
/// ```
/// use parea::Carried;
///
/// #[parea::trace]
/// fn handle(job: u32) {}
///
/// #[parea::trace]
/// fn send(jobs: std::sync::mpsc::Sender<Carried<u32>>) {
///     jobs.send(Carried::new(7)).unwrap();
/// }
///
/// let (sender, receiver) = std::sync::mpsc::channel();
/// let (_, traces) = parea::testing::capture(|| {
///     send(sender);
///     receiver.recv().unwrap().enter(handle);
/// });
/// assert_eq!(traces.tree(), "send (ok)\n└─ handle (ok)\n");
/// ```
#[derive(Clone, Debug)]
pub struct Carried<T> {
    value: T,
    context: Context,
}

impl<T> Carried<T> {
    /// The value, with the span that is open now.
    pub fn new(value: T) -> Self {
        Self { value, context: Context::current() }
    }

    /// Runs `body` on the value as if it were called where the value was sent.
    pub fn enter<R>(self, body: impl FnOnce(T) -> R) -> R {
        let Self { value, context } = self;
        context.enter(|| body(value))
    }

    /// Runs the future that `body` makes of the value as if it were awaited where the value was sent.
    pub fn run<F: Future>(self, body: impl FnOnce(T) -> F) -> WithContext<F> {
        let Self { value, context } = self;
        let future = context.enter(|| body(value));
        InCurrentSpan::in_context(future, context)
    }

    /// The value and where it was sent.
    pub fn into_parts(self) -> (T, Context) {
        (self.value, self.context)
    }
}
