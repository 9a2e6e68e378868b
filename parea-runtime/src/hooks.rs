//! What the expansion of `#[parea::trace]` calls. Hidden from the documentation and free to change with any
//! version: both sides are pinned to each other.

use std::{
    any::Any,
    borrow::Cow,
    fmt::Display,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
};

use pin_project_lite::pin_project;

pub use crate::ladder::{
    DebugErrorKind, DebugKind, DebugLockKind, DerefErrorKind, DisplayErrorKind, ErrorKind, NameErrorKind, NameKind,
    OpaqueLockKind, ResultKind, SerializeDebugKind, SerializeErrorKind, SerializeKind, Slot, ValueKind, Wrap,
};
use crate::{
    context::{self, Context, Entered},
    record::{Outcome, text_of},
    span::{Draft, Span},
};

/// What is known of an annotated function at compile time: one static each.
#[derive(Debug)]
pub struct CallSite {
    name: &'static str,
    function: &'static str,
    module: &'static str,
    file: &'static str,
    line: u32,
}

impl CallSite {
    /// Called by the expansion.
    pub const fn new(
        name: &'static str,
        function: &'static str,
        module: &'static str,
        file: &'static str,
        line: u32,
    ) -> Self {
        Self { name, function, module, file, line }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Where the function is, under the names that OpenTelemetry's semantic conventions give these attributes.
    pub(crate) fn code_attributes(&self) -> [(&'static str, Cow<'static, str>); 3] {
        [
            ("code.function.name", Cow::Owned(format!("{}::{}", self.module, self.function))),
            ("code.file.path", Cow::Borrowed(self.file)),
            ("code.line.number", Cow::Owned(self.line.to_string())),
        ]
    }
}

/// Runs a plain function's body inside a span.
#[inline]
pub fn drive_sync<R>(site: &'static CallSite, body: impl FnOnce() -> R, outcome: impl FnOnce(&R, &mut End)) -> R {
    let Some(span) = context::begin(site) else { return body() };
    let entered = Entered::new(Context::inside(Arc::clone(&span)));
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => {
            let mut end = End::default();
            guarded(|| outcome(&result, &mut end));
            drop(entered);
            span.finish(end.outcome());
            result
        }
        Err(payload) => {
            drop(entered);
            panicked(&span, payload)
        }
    }
}

/// The future of an annotated function's body. The span starts at the first poll and ends when the body has
/// returned, panicked, or was dropped half-way.
pub fn drive<F, O>(site: &'static CallSite, body: F, outcome: O) -> Drive<F, O>
where
    F: Future,
    O: FnOnce(&F::Output, &mut End),
{
    Drive { state: Progress::New(site), outcome: Some(outcome), body: Some(body) }
}

/// [`drive`] for a plain function that returns a future: what it does before is part of the span, which starts with
/// the call.
pub fn drive_returned<F, O>(site: &'static CallSite, body: impl FnOnce() -> F, outcome: O) -> Drive<F, O>
where
    F: Future,
    O: FnOnce(&F::Output, &mut End),
{
    let (state, future) = match context::begin(site) {
        None => (Progress::Off, body()),
        Some(span) => {
            let entered = Entered::new(Context::inside(Arc::clone(&span)));
            let returned = catch_unwind(AssertUnwindSafe(body));
            drop(entered);
            match returned {
                Ok(future) => (Progress::Live(span), future),
                Err(payload) => panicked(&span, payload),
            }
        }
    };
    Drive { state, outcome: Some(outcome), body: Some(future) }
}

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
    pub struct Drive<F, O> {
        state: Progress,
        outcome: Option<O>,
        #[pin]
        body: Option<F>,
    }

    impl<F, O> PinnedDrop for Drive<F, O> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.body.is_some() && let Progress::Live(span) = mem::replace(this.state, Progress::Off) {
                // Inside the context: what a cancelled future drops still finds its parent.
                let entered = Entered::new(Context::inside(Arc::clone(&span)));
                let dropped = catch_unwind(AssertUnwindSafe(|| this.body.set(None)));
                drop(entered);
                match dropped {
                    Ok(()) => span.finish(Outcome { error: Some(CANCELLED.to_owned()), ..Outcome::default() }),
                    Err(payload) => panicked(&span, payload),
                }
            }
        }
    }
}

const CANCELLED: &str = "cancelled: the future was dropped before it completed";

impl<F, O> Future for Drive<F, O>
where
    F: Future,
    O: FnOnce(&F::Output, &mut End),
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let Progress::New(site) = this.state {
            *this.state = context::begin(site).map_or(Progress::Off, Progress::Live);
        }
        let span = match this.state {
            Progress::Live(span) => Arc::clone(span),
            Progress::New(_) | Progress::Off => {
                let Some(body) = this.body.as_mut().as_pin_mut() else { panic!("`async fn` polled after completion") };
                return body.poll(task).map(|result| {
                    this.body.set(None);
                    result
                });
            }
        };
        let entered = Entered::new(Context::inside(Arc::clone(&span)));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            // A live span has a body; without one there would be nothing to wait for.
            let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Pending };
            let Poll::Ready(result) = body.poll(task) else { return Poll::Pending };
            // Before the end is taken, so that what the body's locals do while they drop is within the latency.
            this.body.set(None);
            let mut end = End::default();
            if let Some(outcome) = this.outcome.take() {
                guarded(|| outcome(&result, &mut end));
            }
            Poll::Ready((result, end))
        }));
        drop(entered);
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready((result, end))) => {
                *this.state = Progress::Off;
                span.finish(end.outcome());
                Poll::Ready(result)
            }
            Err(payload) => {
                *this.state = Progress::Off;
                panicked(&span, payload)
            }
        }
    }
}

/// Records the panic and lets it go on.
#[cold]
fn panicked<R>(span: &Arc<Span>, payload: Box<dyn Any + Send>) -> R {
    let error = Some(format!("panicked: {}", panic_text(&*payload)));
    span.finish(Outcome { error, ..Outcome::default() });
    resume_unwind(payload)
}

/// The text that a panic was raised with.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(a value that is no text)")
}

/// Runs code of the user's that only serves the recording: what panics in it is no business of the program.
fn guarded(record: impl FnOnce()) {
    // The values themselves are guarded one by one where they are captured; this is for the rest.
    let _ = catch_unwind(AssertUnwindSafe(record));
}

/// What the body returned, as it is being captured.
#[derive(Debug, Default)]
pub struct End {
    output: Vec<u8>,
    error: Vec<u8>,
    failed: bool,
}

impl End {
    /// For the value, or the `Ok` of a `Result`.
    pub fn output(&mut self) -> Slot<'_> {
        Slot::new(&mut self.output)
    }

    /// For the `Err`.
    pub fn error(&mut self) -> Slot<'_> {
        self.failed = true;
        Slot::new(&mut self.error)
    }

    fn outcome(self) -> Outcome {
        let error = self.failed.then(|| text_of(&self.error).ok().flatten().unwrap_or_else(|| "(no text)".to_owned()));
        Outcome { output: self.output, error }
    }
}

/// Captures inputs and options into the span that was started for `site`, if there is one. The body calls this
/// first, before it moves its arguments.
pub fn record(site: &'static CallSite, capture: impl FnOnce(&mut Recorder)) {
    let Some(span) = context::with_current(Arc::clone).filter(|span| span.awaits_inputs_of(site)) else { return };
    let mut recorder = Recorder::default();
    // No lock is held here: the user's `Serialize` may start spans or score the current one.
    guarded(|| capture(&mut recorder));
    let Recorder { mut inputs, draft, target } = recorder;
    inputs.extend_from_slice(if inputs.is_empty() { b"{}" } else { b"}" });
    span.update(|open| {
        open.inputs = inputs;
        open.tags.splice(0..0, draft.tags);
        for (key, value) in draft.metadata {
            open.metadata.entry(key).or_insert(value);
        }
        open.session_id = open.session_id.take().or(draft.session_id);
        open.end_user_identifier = open.end_user_identifier.take().or(draft.end_user_identifier);
    });
    if let Some(target) = target {
        span.set_target(target);
    }
}

/// The inputs and options of one call, as they are being captured.
#[derive(Debug, Default)]
pub struct Recorder {
    /// A JSON object that lacks its closing brace.
    inputs: Vec<u8>,
    draft: Draft,
    target: Option<Arc<str>>,
}

impl Recorder {
    /// Room for the input of that name. `key` is the name as a JSON member: `"name":`.
    pub fn input(&mut self, key: &'static str) -> Slot<'_> {
        self.inputs.push(if self.inputs.is_empty() { b'{' } else { b',' });
        self.inputs.extend_from_slice(key.as_bytes());
        Slot::new(&mut self.inputs)
    }

    /// Adds a tag.
    pub fn tag(&mut self, tag: impl Into<String>) {
        self.draft.tags.push(tag.into());
    }

    /// Sets the session.
    pub fn session_id(&mut self, session: impl Display) {
        self.draft.session_id = Some(session.to_string());
    }

    /// Sets the end user.
    pub fn end_user_identifier(&mut self, user: impl Display) {
        self.draft.end_user_identifier = Some(user.to_string());
    }

    /// Sets a key of the metadata to what `write` captures.
    pub fn metadata(&mut self, key: impl Into<String>, write: impl FnOnce(Slot<'_>)) {
        if let Some(text) = captured_text(write) {
            self.draft.metadata.insert(key.into(), text.into());
        }
    }

    /// Sets the expected output to what `write` captures.
    pub fn target(&mut self, write: impl FnOnce(Slot<'_>)) {
        self.target = captured_text(write).map(Arc::from);
    }
}

/// A captured value as Parea's texts hold it.
fn captured_text(write: impl FnOnce(Slot<'_>)) -> Option<String> {
    let mut json = Vec::new();
    write(Slot::new(&mut json));
    text_of(&json).ok().flatten()
}
