//! The spans that are open on a thread, and the buffers that they capture into.
//!
//! A span that begins and ends on one thread lives here alone: no allocation, no lock, no reference count. What it
//! captures lies in buffers that grow and shrink with the stack. As soon as it is to be seen from elsewhere it is
//! *shared*: its state moves to the heap and the stack keeps a pointer.
//!
//! No code of the user's runs while the stack is borrowed.

mod frames;

use std::{cell::RefCell, mem, sync::Arc};

use frames::{Frame, Stack, Waiting};

use crate::{
    client,
    clock::Moment,
    exit::fork::{self, PerProcess},
    hooks::{Captured, End, Recorder},
    id,
    json::{Buffer, push_text},
    record::{Outcome, Sections},
    scope::Scope,
    site::CallSite,
    span::Span,
    thread_log::{Count, Registry, Writer},
};

/// Where all threads leave their records for the exporter.
static LOGS: PerProcess<Registry> = PerProcess::new(Registry::new(), Registry::new);

/// The logs of this process.
pub(crate) fn logs() -> &'static Registry {
    LOGS.get()
}

/// A log for this thread.
#[cold]
fn new_writer() -> Writer {
    if fork::generation() > 0 {
        // In a child the first span that ends starts the exporter, wherever its trace began.
        client::is_recording();
    }
    logs().writer()
}

/// In a forked child: what this thread holds of its parent's logs is let go, and ids are drawn anew.
#[cfg(unix)]
pub(crate) fn after_fork() {
    with(|stack| {
        stack.writer = None;
        stack.random = id::reseeded(&mut stack.random);
    });
}

thread_local! {
    static STACK: RefCell<Stack> = RefCell::new(Stack::default());
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
    with(|stack| stack.begin(site)).unwrap_or(Begun::Off)
}

/// Enters a place, until [`leave`]. Gives it back where there is no stack: on a thread that is about to end.
pub(crate) fn enter(place: Place) -> Result<(), Place> {
    let mut place = Some(place);
    with(|stack| {
        let Some(place) = place.take() else { return };
        stack.frames.push(match place {
            Place::Outside => Frame::Scope(None),
            Place::Scope(scope) => Frame::Scope(Some(scope)),
            Place::Inside(span) if span.is_muted() => Frame::Muted,
            Place::Inside(span) => Frame::Shared(span),
            Place::Muted => Frame::Muted,
        });
    });
    place.map_or(Ok(()), Err)
}

/// Leaves what was entered last, and returns it to be entered again.
pub(crate) fn leave() -> Place {
    with(|stack| {
        let place = stack.place();
        stack.frames.pop();
        place
    })
    .unwrap_or_default()
}

/// Where the running code is. A span that is asked for is shared from then on.
pub(crate) fn place() -> Place {
    with(Stack::place).unwrap_or_default()
}

/// Gets ready to capture the inputs of the span that was begun for `site`, if it is the innermost one.
pub(crate) fn begin_inputs(site: &'static CallSite, recorder: &mut Recorder) -> bool {
    with(|stack| {
        let awaited = match stack.frames.last_mut() {
            Some(Frame::Open(open)) => {
                std::ptr::eq(open.identity.site, site) && mem::replace(&mut open.awaits_inputs, false)
            }
            Some(Frame::Shared(span)) => span.awaits_inputs_of(site),
            Some(Frame::Scope(_) | Frame::Muted) | None => false,
        };
        if awaited {
            recorder.take(&mut stack.buffer);
        }
        awaited
    })
    .unwrap_or(false)
}

/// Keeps what was captured since [`begin_inputs`].
pub(crate) fn keep_inputs(recorder: &mut Recorder) {
    with(|stack| {
        let start = recorder.put_back(&mut stack.buffer);
        let (draft, target) = (recorder.draft.take(), recorder.target.take());
        match stack.frames.last_mut() {
            Some(Frame::Open(open)) => {
                open.inputs = (stack.buffer.len() - start) as u32;
                if draft.is_some() || target.is_some() {
                    open.rest.get_or_insert_default().fill_in(draft, target);
                }
            }
            Some(Frame::Shared(span)) => {
                let inputs = stack.buffer.bytes.split_off(start);
                span.update_all(|known| {
                    known.inputs = inputs;
                    if let Some(said) = draft {
                        known.draft.get_or_insert_default().fill_in(*said);
                    }
                });
                if let Some(target) = target {
                    span.set_target(target);
                }
            }
            Some(Frame::Scope(_) | Frame::Muted) | None => stack.buffer.bytes.truncate(start),
        }
    });
}

/// The body of the innermost span has returned: gets ready to capture what. The span stays entered.
pub(crate) fn begin_end(end: &mut End) -> bool {
    with(|stack| {
        let now = Moment::now();
        match stack.frames.last_mut() {
            Some(Frame::Open(open)) => {
                let inputs = mem::take(&mut open.inputs);
                end.take(&mut stack.buffer, open.buffer_start as usize, inputs, now.since(open.identity.start));
                true
            }
            Some(Frame::Shared(span)) => {
                let (start, inputs) = (stack.buffer.len(), span.take_inputs());
                stack.buffer.bytes.extend_from_slice(&inputs);
                end.take(&mut stack.buffer, start, inputs.len() as u32, now.since(span.identity.start));
                true
            }
            Some(Frame::Scope(_) | Frame::Muted) | None => false,
        }
    })
    .unwrap_or(false)
}

/// Leaves the innermost span and hands its record over.
pub(crate) fn finish(end: &mut End) {
    let waits = with(|stack| {
        match stack.frames.last() {
            Some(Frame::Open(open)) if fork::is_inherited(open.identity.start) => stack.drop_open(),
            Some(Frame::Open(open)) if open.plain && open.rest.is_none() => stack.finish_plain(end),
            _ => stack.finish_any(end),
        }
        mem::swap(&mut stack.buffer, &mut end.captured.buffer);
        stack.buffer.bytes.truncate(end.captured.start);
        stack.waits()
    });
    client::write_through();
    if waits == Some(true) {
        hand_on();
    }
}

/// Ends a shared span that may be the innermost one or not.
pub(crate) fn finish_shared(span: &Arc<Span>, outcome: Outcome) {
    let latency = Moment::now().since(span.identity.start);
    let mut buffer = Buffer::of(span.take_inputs());
    let mut sections = Sections { inputs: buffer.len() as u32, ..Sections::default() };
    buffer.bytes.extend_from_slice(&outcome.output);
    sections.output = outcome.output.len() as u32;
    buffer.bytes.extend_from_slice(&outcome.output_for_eval_metrics);
    sections.output_for_eval_metrics = outcome.output_for_eval_metrics.len() as u32;
    if let Some(error) = outcome.error {
        let before = buffer.len();
        push_text(&mut buffer.bytes, &error);
        sections.error = (buffer.len() - before) as u32;
    }
    let mut captured = Captured { buffer, sections, start: 0 };
    if with(|stack| stack.finish_shared(span, &mut captured, latency)).is_some() {
        client::write_through();
        hand_on();
    } else {
        // Without a stack the thread is about to end: a new one, with a log of its own, serves for this once.
        let mut last = Stack::default();
        last.finish_shared(span, &mut captured, latency);
        last.waiting.into_iter().for_each(Waiting::hand_on);
    }
}

/// Leaves a record to the exporter.
pub(crate) fn append(record: &[u8]) {
    let appended = with(|stack| stack.writer().append(&[], &[], record));
    if appended.is_none() {
        new_writer().append(&[], &[], record);
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
