//! Which span the running code is in, and ways to carry that along.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

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
///
/// By reference for threads that may borrow, and for pools that call a closure many times:
///
/// ```
/// # let texts = ["a", "b"];
/// # fn rank(text: &str) -> usize { text.len() }
/// use rayon::prelude::*;
///
/// let here = parea::Context::current();
/// let ranks: Vec<_> = texts.par_iter().map(|text| here.enter(|| rank(text))).collect();
/// # assert_eq!(ranks, [1, 1]);
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

    /// A closure that runs in this context wherever it is called: for callbacks that are called once.
    pub fn wrap<A, R>(self, body: impl FnOnce(A) -> R) -> impl FnOnce(A) -> R {
        move |argument| {
            let _entered = Entered::new(self);
            body(argument)
        }
    }

    /// The same for callbacks that are called often, and from several threads at once if `body` may be.
    ///
    /// ```
    /// # struct Button; impl Button { fn on_click(&self, f: impl Fn(u32) -> u32 + Send + Sync + 'static) { f(1); } }
    /// # let button = Button;
    /// # fn handle(n: u32) -> u32 { n }
    /// button.on_click(parea::Context::current().wrap_fn(|click| handle(click)));
    /// ```
    pub fn wrap_fn<A, R>(self, body: impl Fn(A) -> R) -> impl Fn(A) -> R {
        move |argument| self.enter(|| body(argument))
    }

    /// A place where traces start.
    pub(crate) fn scope(scope: Scope) -> Self {
        Self(Place::Scope(Arc::new(scope)))
    }

    /// Outside of every trace. In a test that captures, what starts there is captured.
    #[cfg(feature = "tower")]
    pub(crate) fn outside() -> Self {
        match Self::current().sink() {
            Some(sink @ Sink::Capture(_)) => Self::scope(Scope::of(sink)),
            _ => Self::default(),
        }
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
        // Without a stack nothing is entered, and nothing left.
        let _ = stack::enter(context.0);
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

/// Whether what runs here is wanted by somebody who listens, rather than part of a trace that is not recorded. Compiled
/// apart: inline, it would be read even where nobody listens.
#[inline(never)]
pub(crate) fn is_wanted() -> bool {
    !stack::is_muted()
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
