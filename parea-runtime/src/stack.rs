//! The spans that are open on a thread, and the buffers that they capture into.
//!
//! A span that begins and ends on one thread lives here alone: no allocation, no lock, no reference count. What it
//! captures lies in buffers that grow and shrink with the stack. As soon as it is to be seen from elsewhere it is
//! *shared*: its state moves to the heap and the stack keeps a pointer.
//!
//! No code of the user's runs while the stack is borrowed.

mod frames;

use std::{
    cell::{Cell, RefCell},
    sync::{Arc, OnceLock},
    time::Duration,
};

use frames::{Stack, Waiting, What};

use crate::{
    client,
    clock::Moment,
    exit::fork::{self, PerProcess},
    hooks::Captured,
    id,
    json::{Buffer, Out as _, push_text},
    record::{HEAD, Outcome, Sections},
    scope::Scope,
    site::CallSite,
    span::{Draft, Span},
    thread_log::{Count, Registry, Writer},
};

/// Where all threads leave their records for the exporter.
static LOGS: PerProcess<OnceLock<Registry>> = PerProcess::new(OnceLock::new(), OnceLock::new);

/// The logs of this process.
pub(crate) fn logs() -> &'static Registry {
    LOGS.get().get_or_init(Registry::default)
}

/// A log for this thread.
#[cold]
fn new_writer() -> Writer {
    if fork::generation() > 0 {
        // In a child the first span that ends starts the exporter, wherever its trace began.
        client::is_recording();
    }
    Writer::new(logs())
}

/// In a forked child: what this thread holds of its parent's logs is let go, and ids are drawn anew.
#[cfg(unix)]
pub(crate) fn after_fork() {
    with(|stack| {
        stack.writer = None;
        stack.frames.inherited();
        stack.random = id::reseeded(&mut stack.random);
    });
}

thread_local! {
    static STACK: RefCell<Stack> = RefCell::new(Stack::default());

    /// Whether what lies on top of the stack is a trace that is not recorded: told without a look at the stack.
    static MUTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is inside a trace that is not recorded.
#[inline]
pub(crate) fn is_muted() -> bool {
    MUTED.get()
}

/// What became of an attempt to begin a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It is on the stack now.
    Live,
    /// Its trace is not in the sample; that is on the stack now.
    Muted,
    /// Nobody wants it.
    Off,
}

/// A place in a trace that can be carried elsewhere.
#[derive(Clone, Debug, Default)]
pub(crate) enum Place {
    #[default]
    Outside,
    Scope(Arc<Scope>),
    Inside(Arc<Span>),
    Muted,
}

#[inline]
fn with<R>(body: impl FnOnce(&mut Stack) -> R) -> Option<R> {
    // A thread whose locals are gone already is outside of everything.
    STACK.try_with(|stack| stack.try_borrow_mut().ok().map(|mut stack| body(&mut stack))).ok().flatten()
}

/// Hands on what goes elsewhere than to the exporter.
#[cold]
fn hand_on() {
    while let Some(waiting) = with(|stack| stack.waiting.pop()).flatten() {
        waiting.hand_on();
    }
}

/// Starts a span at the current place and enters it, if anybody wants it.
pub(crate) fn begin(site: &'static CallSite) -> Begun {
    if is_muted() { Begun::Off } else { begin_here(site) }
}

/// [`begin`] where that is known not to be [muted](is_muted).
#[inline(never)]
pub(crate) fn begin_here(site: &'static CallSite) -> Begun {
    let begun = with(|stack| if stack.begin_usual(site) { Begun::Live } else { stack.begin_other(site) });
    begun.unwrap_or(Begun::Off)
}

/// Enters a place, until [`leave`]. Gives it back where there is no stack: on a thread that is about to end.
pub(crate) fn enter(place: Place) -> Result<(), Place> {
    let mut place = Some(place);
    with(|stack| {
        let Some(place) = place.take() else { return };
        stack.frames.push(match place {
            Place::Outside => What::Scope(None),
            Place::Scope(scope) => What::Scope(Some(scope)),
            Place::Inside(span) if span.is_muted() => What::Muted,
            Place::Inside(span) => What::Shared(span),
            Place::Muted => What::Muted,
        });
    });
    place.map_or(Ok(()), Err)
}

/// [`enter`] for a trace that is not recorded.
#[inline]
pub(crate) fn enter_muted() {
    with(|stack| stack.frames.push(What::Muted));
}

/// [`enter`] for a span that is recorded.
#[inline]
pub(crate) fn enter_span(span: Arc<Span>) -> Result<(), Arc<Span>> {
    let mut span = Some(span);
    with(|stack| stack.frames.push_shared(&mut span));
    span.map_or(Ok(()), Err)
}

/// Leaves what was entered last if that is a span, which others may enter from now on.
#[inline]
pub(crate) fn leave_span() -> Option<Arc<Span>> {
    with(|stack| stack.frames.pop_shared().or_else(|| stack.leave_own())).flatten()
}

/// Leaves what was entered last, which nobody enters again.
#[inline]
pub(crate) fn leave_for_good() {
    with(|stack| stack.frames.leave());
}

/// Leaves what was entered last, and returns it to be entered again.
pub(crate) fn leave() -> Place {
    with(Stack::leave).unwrap_or_default()
}

/// Where the running code is. A span that is asked for is shared from then on.
pub(crate) fn place() -> Place {
    with(Stack::place).unwrap_or_default()
}

/// Gets ready to capture the inputs of the span that was begun for `site`, if it is the innermost one.
#[inline]
pub(crate) fn lend_for_inputs(site: &'static CallSite) -> Option<Box<Buffer>> {
    with(|stack| stack.lend_for_inputs(site)).flatten()
}

/// Keeps what was captured since [`lend_for_inputs`].
#[inline]
pub(crate) fn keep_inputs(buffer: Box<Buffer>, start: usize, draft: Option<Box<Draft>>, target: Option<Arc<str>>) {
    with(|stack| stack.keep_inputs(buffer, start, draft, target));
}

/// Lends the buffer to what captures what the innermost span returned.
#[inline]
pub(crate) fn lend(captured: &mut Captured) {
    with(|stack| stack.lend(captured));
}

/// Leaves the innermost span, of whose end there is nothing to be captured, and hands its record over.
#[inline]
pub(crate) fn finish_bare(now: Moment) {
    if with(|stack| stack.finish_bare(now) || stack.finish(None, now)) == Some(true) {
        client::write_through();
    } else {
        finish_unusual(&mut Captured::default(), now);
    }
}

/// Leaves the innermost span, whose body was done at `now`, and hands its record over.
#[inline]
pub(crate) fn finish(captured: &mut Captured, now: Moment) {
    let finish = |stack: &mut Stack| {
        let is_usual = if captured.error.is_empty() {
            stack.finish_lent(captured, now)
        } else {
            captured.buffer.is_none() && stack.finish_failed(captured, now)
        };
        is_usual || stack.finish(Some(captured), now)
    };
    if with(finish) == Some(true) {
        client::write_through();
    } else {
        finish_unusual(captured, now);
    }
}

/// [`finish`], where it is not the usual end of a call; `false` if there is no span.
#[inline(never)]
pub(crate) fn finish_unusual(captured: &mut Captured, now: Moment) -> bool {
    let done = with(|stack| (stack.finish_any(captured, now), stack.waiting.is_empty()));
    client::write_through();
    if let Some((_, false)) = done {
        hand_on();
    }
    matches!(done, Some((true, _)))
}

/// Ends a shared span that may be the innermost one or not.
pub(crate) fn finish_shared(span: &Arc<Span>, outcome: Outcome) {
    let latency = Moment::now().since(span.identity.start);
    let mut outcome = Some(outcome);
    with(|stack| {
        if let Some(outcome) = outcome.take() {
            finish_outcome(stack, span, outcome, latency);
        }
    });
    if let Some(outcome) = outcome {
        // Without a stack the thread is about to end: a new one, with a log of its own, serves for this once.
        let mut last = Stack::default();
        finish_outcome(&mut last, span, outcome, latency);
        last.waiting.into_iter().for_each(Waiting::hand_on);
    } else {
        client::write_through();
        hand_on();
    }
}

fn finish_outcome(stack: &mut Stack, span: &Arc<Span>, outcome: Outcome, latency: Duration) {
    let Outcome { output, output_for_eval_metrics, error } = outcome;
    let inputs = span.take_inputs();
    let bytes = &mut stack.buffer().bytes;
    let start = bytes.len();
    let mut sections = Sections {
        inputs: inputs.len() as u32,
        output: output.len() as u32,
        output_for_eval_metrics: output_for_eval_metrics.len() as u32,
        ..Sections::default()
    };
    for section in [inputs, output, output_for_eval_metrics] {
        bytes.extend(&section);
    }
    if let Some(error) = error {
        let before = bytes.len();
        push_text(bytes, &error);
        sections.error = (bytes.len() - before) as u32;
    }
    stack.finish_shared(span, start, sections, latency);
    stack.buffer().bytes.truncate(start);
}

/// Leaves a record to the exporter.
pub(crate) fn append(record: &[u8]) {
    let words: Vec<u64> = record.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    // What is behind the head are ids and steps: pairs of words all the same.
    let Some((head, rest)) = words.split_first_chunk::<HEAD>() else { return };
    let appended = with(|stack| stack.writer().append(head, rest.as_chunks().0, &[]));
    if appended.is_none() {
        new_writer().append(head, rest.as_chunks().0, &[]);
    }
    client::write_through();
}

/// Counts values that were left out elsewhere than in what ends with a span.
pub(crate) fn count_redacted(count: u32) {
    if count > 0 {
        let _ = with(|stack| stack.writer().count(Count::Redacted, u64::from(count)));
    }
}

/// Counts a span that starts elsewhere than on a stack.
pub(crate) fn count_started() {
    let counted = with(|stack| stack.writer().count(Count::Started, 1));
    if counted.is_none() {
        new_writer().count(Count::Started, 1);
    }
}
