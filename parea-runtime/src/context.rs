//! Which span the running code is in, and ways to carry that along.

use std::{
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{self, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    scope::{Scope, Sink},
    site::CallSite,
    span::Span,
    stack::{self, Begun, Place},
};

/// How many parties want records: the exporter, and each running capture. At 0 an annotated call costs one load.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// A place in a trace, to be carried to another thread or task.
///
/// Spans that start while it is entered become children of the span that was open where [`Context::current`] was
/// called. It may outlive that span.
///
/// ```
/// let here = parea::Context::current();
/// std::thread::spawn(move || here.enter(|| { /* as if called there */ })).join().unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Context(Place);

impl Context {
    /// Where the running code is.
    pub fn current() -> Self {
        Self(stack::place())
    }

    /// Runs `body` as if it were called where this context was taken.
    pub fn enter<R>(&self, body: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(self.clone());
        body()
    }

    /// A closure that runs in this context wherever it is called: for threads, pools and callbacks.
    pub fn wrap<A, R>(self, body: impl FnOnce(A) -> R) -> impl FnOnce(A) -> R {
        move |argument| {
            let _entered = Entered::new(self);
            body(argument)
        }
    }

    /// A place where traces start.
    pub(crate) fn scope(scope: Scope) -> Self {
        Self(Place::Scope(Arc::new(scope)))
    }

    pub(crate) fn inside(span: Arc<Span>) -> Self {
        Self(Place::Inside(span))
    }

    pub(crate) fn span(&self) -> Option<&Arc<Span>> {
        match &self.0 {
            Place::Inside(span) => Some(span),
            Place::Outside | Place::Scope(_) | Place::Muted => None,
        }
    }

    /// A place where nothing is recorded.
    pub(crate) fn off() -> Self {
        Self(Place::Muted)
    }

    /// Whether nothing is recorded here, by choice.
    pub(crate) fn is_off(&self) -> bool {
        match &self.0 {
            Place::Inside(span) => span.is_muted(),
            Place::Muted => true,
            Place::Outside | Place::Scope(_) => false,
        }
    }

    /// Where a trace that starts here would go, if anybody wants it.
    pub(crate) fn sink(&self) -> Option<Sink> {
        match &self.0 {
            Place::Inside(span) => Some(span.trace.sink().clone()),
            Place::Scope(scope) => Some(scope.sink.clone()),
            Place::Outside => crate::client::is_recording().then_some(Sink::Exporter),
            Place::Muted => None,
        }
    }
}

/// Puts a context in force on this thread until it is dropped. Private: user code gets closures and futures only,
/// so that no guard of an entered span can be held across an `.await`.
#[derive(Debug)]
pub(crate) struct Entered(());

impl Entered {
    pub(crate) fn new(context: Context) -> Self {
        stack::enter(context.0);
        Self(())
    }

    /// Leaves, and returns the context without a count of references in between.
    pub(crate) fn leave(self) -> Context {
        mem::forget(self);
        Context(stack::leave())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        stack::leave();
    }
}

/// Whether anybody wants records.
#[inline]
pub(crate) fn is_listening() -> bool {
    LISTENERS.load(Ordering::Relaxed) != 0
}

/// Starts a span at the current place, if anybody wants it, and does not enter it.
pub(crate) fn begin(site: &'static CallSite) -> Option<Arc<Span>> {
    if !is_listening() {
        return None;
    }
    match stack::begin(site) {
        Begun::Off => return None,
        Begun::Live | Begun::Muted => {}
    }
    match stack::leave() {
        Place::Inside(span) => Some(span),
        Place::Muted => Some(Span::muted()),
        Place::Outside | Place::Scope(_) => None,
    }
}

/// The span in force.
pub(crate) fn current_span() -> Option<Arc<Span>> {
    if !is_listening() {
        return None;
    }
    Context::current().span().cloned()
}

/// One party that wants records, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Listener(());

impl Listener {
    pub(crate) fn new() -> Self {
        LISTENERS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// A future that runs in the context where it was made. See [`InCurrentSpan`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct WithContext<F> {
        context: Context,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for WithContext<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What the future drops may start spans too.
            let _entered = Entered::new(mem::take(this.context));
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for WithContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let entered = Entered::new(mem::take(this.context));
        let polled = match this.future.as_pin_mut() {
            Some(future) => future.poll(task),
            // Taken only by drop.
            None => Poll::Pending,
        };
        *this.context = entered.leave();
        polled
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
///     let mut tasks = tokio::task::JoinSet::new();
///     tasks.spawn(child().in_current_span());
///     tasks.join_all().await;
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
        WithContext { context, future: Some(self) }
    }
}

impl<F: Future> InCurrentSpan for F {}

/// [`tokio::spawn`] with the current span carried along.
///
/// # Panics
///
/// Outside of a Tokio runtime, as `tokio::spawn` does.
#[track_caller]
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_current_span())
}
