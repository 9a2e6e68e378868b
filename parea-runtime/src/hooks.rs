//! What the expansion of `#[parea::trace]` calls. Hidden from the documentation and free to change with any
//! version: both sides are pinned to each other.

use std::{
    any::Any,
    cell::Cell,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

pub use std::boxed::Box;

pub use crate::label::{Chance, Label};
pub use crate::ladder::{Slot, Wrap};
use crate::{
    context,
    error_text::{RAW, Short},
    evaluation::Evaluator,
    json::{Buffer, Out as _, push_text},
    record::{Outcome, Sections, error_text_of, text_of},
    span::Draft,
    stack,
};
pub use crate::{
    drive::{drive, drive_begun, drive_returned, drive_sync},
    items::Keep,
    json::Key,
    returned::{
        Boxed, Holds, boxed, drive_boxed, drive_iterator, drive_stream, drive_try_boxed, drive_try_iterator,
        drive_try_stream, iterator, returned_boxed, returned_iterator, returned_stream, returned_try_boxed,
        returned_try_iterator, returned_try_stream, stream, take_in, try_boxed, try_iterator, try_stream,
    },
    site::CallSite,
};

/// The rungs of all ladders: one glob brings their methods into scope, and no name.
pub mod rungs {
    pub use crate::ladder::{
        DebugErrorKind as _, DebugKind as _, DebugLockKind as _, DerefErrorKind as _, DisplayErrorKind as _,
        ErrorKind as _, KnownKind as _, NameErrorKind as _, NameKind as _, OpaqueLockKind as _, ResultKind as _,
        SerializeDebugKind as _, SerializeErrorKind as _, SerializeKind as _, TextErrorKind as _, ValueKind as _,
    };
}

/// A panic as an error's text, with what it was raised with.
pub(crate) fn panic_error(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(a value that is no text)");
    format!("panicked: {text}")
}

/// The same of a panic that goes no further. What it was raised with may panic in turn as it is dropped.
#[cold]
pub(crate) fn swallowed(payload: Box<dyn Any + Send>) -> String {
    let text = panic_error(&*payload);
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
    text
}

/// Runs code of the user's that only serves the recording: what panics in it is no business of the program.
#[inline(never)]
pub(crate) fn guarded(record: &mut dyn FnMut()) -> Result<(), String> {
    // The values themselves are guarded one by one where they are captured; this is for the rest.
    catch_unwind(AssertUnwindSafe(record)).map_err(|payload| format!("<{}>", swallowed(payload)))
}

thread_local! {
    /// How many captures this thread is in.
    static CAPTURING: Cell<u8> = const { Cell::new(0) };
}

/// Runs what captures values; a panic is caught. Inside of other captures it does so only to a depth: to show a value
/// whose own `Debug` is traced would be to show it again, without an end.
#[inline]
fn capturing(capture: impl FnOnce()) -> thread::Result<()> {
    const DEEPEST: u8 = 3;
    let depth = CAPTURING.get();
    if depth == DEEPEST {
        return Ok(());
    }
    CAPTURING.set(depth + 1);
    let done = catch_unwind(AssertUnwindSafe(capture));
    CAPTURING.set(depth);
    done
}

/// What the body returned, as it is being captured.
#[derive(Debug, Default)]
pub struct End {
    pub(crate) captured: Captured,
    /// Where what is being written began.
    pub(crate) mark: usize,
    writing: Writing,
    failed: bool,
    /// Whether the thread's buffer is lent to it as soon as it needs one.
    lends: bool,
}

/// What was captured of a span that ends.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    /// That of the thread, while it is lent. What was captured are the bytes of the sections, from `start` to its end.
    pub(crate) buffer: Option<Box<Buffer>>,
    pub(crate) start: usize,
    pub(crate) sections: Sections,
    /// In the place of their error, if there is one.
    pub(crate) error: Short,
}

impl Captured {
    /// Puts a short error behind the rest.
    pub(crate) fn push_error(&self, buffer: &mut Buffer, sections: &mut Sections) {
        if !self.error.is_empty() {
            buffer.bytes.extend(self.error.bytes());
            sections.error = self.error.len() as u32;
        }
    }
}

/// The section of the record that grows.
#[derive(Clone, Copy, Debug, Default)]
enum Writing {
    #[default]
    Output,
    OutputForEvalMetrics,
    Error,
}

/// Room for the text of an error.
#[derive(Debug)]
pub struct ErrorSlot<'a>(pub(crate) &'a mut End);

impl End {
    /// One for the innermost span of this thread.
    #[inline]
    pub(crate) fn of_innermost() -> Self {
        Self { lends: true, ..Self::default() }
    }

    /// For the value, or the `Ok` of a `Result`.
    pub fn output(&mut self) -> Slot<'_> {
        self.next(Writing::Output)
    }

    /// For what evaluations see in place of the output.
    pub fn output_for_eval_metrics(&mut self) -> Slot<'_> {
        self.next(Writing::OutputForEvalMetrics)
    }

    /// For the `Err`.
    #[inline]
    pub fn error(&mut self) -> ErrorSlot<'_> {
        self.failed = true;
        ErrorSlot(self)
    }

    /// For what stands for an error and is JSON.
    pub(crate) fn error_as_json(&mut self) -> Slot<'_> {
        self.next(Writing::Error)
    }

    #[inline(never)]
    fn next(&mut self, writing: Writing) -> Slot<'_> {
        if self.captured.buffer.is_some() {
            self.settle();
        } else if self.lends {
            // Goes behind the inputs of the span.
            stack::lend(&mut self.captured);
            self.mark = self.captured.buffer.as_ref().map_or(0, |buffer| buffer.len());
        }
        self.writing = writing;
        Slot::new(self.captured.buffer.get_or_insert_default())
    }

    /// What was written so far belongs to its section.
    #[inline]
    fn settle(&mut self) {
        let Captured { buffer: Some(buffer), sections, .. } = &mut self.captured else { return };
        *match self.writing {
            Writing::Output => &mut sections.output,
            Writing::OutputForEvalMetrics => &mut sections.output_for_eval_metrics,
            Writing::Error => &mut sections.error,
        } += (buffer.len() - self.mark) as u32;
        self.mark = buffer.len();
    }

    /// How many values were left out since this was asked.
    pub(crate) fn take_redacted(&mut self) -> u32 {
        self.captured.buffer.as_mut().map_or(0, |buffer| mem::take(&mut buffer.redacted))
    }

    /// Runs what fills it. If that panics, the output says so.
    #[expect(clippy::inline_always, reason = "for the usual end of a call, and few others")]
    #[inline(always)]
    pub(crate) fn fill(&mut self, capture: impl FnOnce(&mut Self)) {
        if let Err(payload) = capturing(|| capture(self)) {
            self.spoilt(payload);
        }
        if self.failed && self.captured.error.is_empty() {
            self.ensure_text();
        }
        self.settle();
    }

    #[cold]
    fn spoilt(&mut self, payload: Box<dyn Any + Send>) {
        let panic = format!("<{}>", swallowed(payload));
        self.failed = false;
        self.captured.error = Short::default();
        self.next(Writing::Output);
        let Captured { buffer: Some(buffer), start, sections, .. } = &mut self.captured else { return };
        buffer.bytes.truncate(*start + sections.inputs as usize);
        *sections = Sections { inputs: sections.inputs, ..Sections::default() };
        self.mark = buffer.len();
        push_text(&mut buffer.bytes, &panic);
    }

    /// An error always has a text, so that it is told from a success.
    #[inline]
    fn ensure_text(&mut self) {
        let buffer = self.captured.buffer.as_ref();
        // A text, and not an empty slot.
        if !matches!(buffer.and_then(|buffer| buffer.bytes.get(self.mark..)), Some([b'"' | RAW, ..])) {
            self.make_text();
        }
    }

    #[cold]
    fn make_text(&mut self) {
        if self.captured.buffer.is_none() {
            self.error_as_json();
        }
        let Some(Buffer { bytes, .. }) = self.captured.buffer.as_deref_mut() else { return };
        if self.captured.sections.error == 0 && matches!(bytes.get(self.mark..), Some(b"" | b"null")) {
            bytes.truncate(self.mark);
            push_text(bytes, "(no text)");
        }
        // One that has nothing but its `Serialize` is shown as JSON.
        if let Some(json) = bytes.get(self.mark..).filter(|json| !matches!(json, [] | [b'"', ..])) {
            let text = String::from_utf8_lossy(json).into_owned();
            bytes.truncate(self.mark);
            push_text(bytes, &text);
        }
    }

    /// Whether what was captured is told by `Debug` or by its type's name.
    pub(crate) fn is_described(&self) -> bool {
        self.captured.buffer.as_ref().is_some_and(|buffer| buffer.described)
    }

    /// The span failed by other means than an `Err`.
    pub(crate) fn fail(&mut self, error: &str) {
        push_text(&mut self.error_as_json().buffer.bytes, error);
        self.settle();
    }

    pub(crate) fn outcome(self) -> Outcome {
        let Captured { buffer, start, sections, error: short } = self.captured;
        let Sections { inputs, output, output_for_eval_metrics, error, .. } = sections;
        let mut rest = buffer.as_ref().map_or(&[][..], |buffer| buffer.since(start));
        let mut section = |bytes: u32| {
            let (section, after) = rest.split_at(bytes as usize);
            rest = after;
            section
        };
        section(inputs);
        let (output, output_for_eval_metrics, error) =
            (section(output), section(output_for_eval_metrics), section(error));
        Outcome {
            output: output.to_vec(),
            output_for_eval_metrics: output_for_eval_metrics.to_vec(),
            error: error_text_of(if short.is_empty() { error } else { short.bytes() }),
        }
    }
}

/// Calls an option's closure with what was returned. For one lifetime, so that what it returns may borrow.
pub fn apply<'a, T: ?Sized, R>(value: &'a T, closure: impl FnOnce(&'a T) -> R) -> R {
    closure(value)
}

/// Whether anybody wants records. The body asks this before it gets ready to [`record`].
#[inline]
pub fn is_listening() -> bool {
    context::is_listening()
}

/// Captures inputs and options into the span that was started for `site`, if there is one. The body calls this
/// first, before it moves its arguments.
#[inline(never)]
pub fn record(site: &'static CallSite, capture: &mut dyn FnMut(&mut Recorder)) {
    if !stack::is_muted() {
        record_here(site, capture);
    }
}

/// [`record`] where something may be recorded.
#[inline(never)]
fn record_here(site: &'static CallSite, capture: &mut dyn FnMut(&mut Recorder)) {
    let Some(buffer) = stack::lend_for_inputs(site) else { return };
    let mut recorder = Recorder { start: buffer.len(), buffer, lead: b'{', draft: None, target: None };
    // The stack is free meanwhile: the user's `Serialize` may start spans or score the current one.
    if let Err(payload) = capturing(|| capture(&mut recorder)) {
        recorder.failed(payload);
    }
    recorder.close();
    let Recorder { buffer, start, draft, target, .. } = recorder;
    stack::keep_inputs(buffer, start, draft, target);
}

/// The inputs and options of one call, as they are being captured.
#[derive(Debug)]
pub struct Recorder {
    pub(crate) buffer: Box<Buffer>,
    /// Where the inputs begin: a JSON object that lacks its closing brace.
    pub(crate) start: usize,
    /// What stands before the next input: that brace, or a comma.
    lead: u8,
    pub(crate) draft: Option<Box<Draft>>,
    pub(crate) target: Option<Arc<str>>,
}

impl Recorder {
    /// Closes the object.
    #[inline]
    fn close(&mut self) {
        if self.lead == b'{' {
            self.buffer.bytes.put_byte(b'{');
        }
        self.buffer.bytes.put_byte(b'}');
    }

    #[cold]
    fn failed(&mut self, payload: Box<dyn Any + Send>) {
        let panic = format!("<{}>", swallowed(payload));
        self.draft().metadata.insert("capture_failed".to_owned(), panic.into());
    }

    #[cold]
    fn draft(&mut self) -> &mut Draft {
        self.draft.get_or_insert_default()
    }

    /// Room for the input of that name.
    #[inline(never)]
    pub fn input(&mut self, key: &'static Key) -> Slot<'_> {
        let secret = key.push(&mut self.buffer.bytes, mem::replace(&mut self.lead, b','));
        Slot::of(&mut self.buffer, secret)
    }

    /// Adds a tag.
    pub fn tag(&mut self, tag: &(impl Label + ?Sized)) {
        self.draft().tags.push(tag.label());
    }

    /// Sets the session.
    pub fn session_id(&mut self, session: &(impl Label + ?Sized)) {
        self.draft().session_id = Some(session.label());
    }

    /// Sets the end user.
    pub fn end_user_identifier(&mut self, user: &(impl Label + ?Sized)) {
        self.draft().end_user_identifier = Some(user.label());
    }

    /// Sets the deployed prompt that is used.
    pub fn deployment_id(&mut self, deployment: &(impl Label + ?Sized)) {
        self.draft().deployment_id = Some(deployment.label());
    }

    /// Adds a deployed evaluation that the server is to run.
    pub fn evaluation_metric_name(&mut self, name: &(impl Label + ?Sized)) {
        self.draft().evaluation_metric_names.push(name.label());
    }

    /// Adds an evaluation that runs once the span has ended.
    pub fn evaluator(&mut self, evaluator: Arc<dyn Evaluator>) {
        self.draft().evaluators.0.push(evaluator);
    }

    /// Sets the chance that those evaluations run; one that is no chance is left out, and metadata says so.
    pub fn apply_eval_frac(&mut self, fraction: &impl Chance) {
        let fraction = fraction.chance();
        if (0.0..=1.0).contains(&fraction) {
            self.draft().apply_eval_frac = Some(fraction);
        } else {
            self.draft().metadata.insert("apply_eval_frac_refused".to_owned(), fraction.to_string().into());
        }
    }

    /// Sets a key of the metadata to what `write` captures.
    pub fn metadata(&mut self, key: impl Into<String>, write: impl FnOnce(Slot<'_>)) {
        if let Some(text) = captured_text(write) {
            self.draft().metadata.insert(key.into(), text.into());
        }
    }

    /// Sets the expected output to what `write` captures.
    pub fn target(&mut self, write: impl FnOnce(Slot<'_>)) {
        self.target = captured_text(write).map(Arc::from);
    }
}

/// A captured value as Parea's texts hold it.
fn captured_text(write: impl FnOnce(Slot<'_>)) -> Option<String> {
    let mut json = Buffer::default();
    write(Slot::new(&mut json));
    text_of(&json.bytes)
}
