//! What the expansion of `#[parea::trace]` calls. Hidden from the documentation and free to change with any
//! version: both sides are pinned to each other.

use std::{
    any::Any,
    borrow::Cow,
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

pub use crate::ladder::{
    DebugErrorKind, DebugKind, DebugLockKind, DerefErrorKind, DisplayErrorKind, ErrorKind, NameErrorKind, NameKind,
    OpaqueLockKind, ResultKind, SerializeDebugKind, SerializeErrorKind, SerializeKind, Slot, ValueKind, Wrap,
};
use crate::{
    context,
    evaluation::Evaluator,
    record::{Outcome, text_of},
    span::{Draft, Span},
};
pub use crate::{
    drive::{drive, drive_returned, drive_sync},
    items::Keep,
    returned::{
        Boxed, Holds, boxed, drive_boxed, drive_iterator, drive_stream, drive_try_boxed, drive_try_iterator,
        drive_try_stream, iterator, stream, take_in, try_boxed, try_iterator, try_stream,
    },
};

/// What is known of an annotated function at compile time: one static each.
#[derive(Debug)]
pub struct CallSite {
    name: &'static str,
    function: &'static str,
    module: &'static str,
    file: &'static str,
    line: u32,
    /// Chance that a trace which starts here is kept.
    sample_rate: Option<f64>,
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
        Self { name, function, module, file, line, sample_rate: None }
    }

    /// With the chance that a trace which starts here is kept. Called by the expansion in a constant, so that a rate
    /// that is no chance does not compile.
    #[must_use]
    pub const fn sampled(self, rate: f64) -> Self {
        assert!(0.0 <= rate && rate <= 1.0, "`log_sample_rate` is a chance: from 0.0 (no trace) to 1.0 (every trace)");
        Self { sample_rate: Some(rate), ..self }
    }

    pub(crate) fn sample_rate(&self) -> Option<f64> {
        self.sample_rate
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

/// Records the panic and lets it go on.
#[cold]
pub(crate) fn panicked<R>(span: &Arc<Span>, payload: Box<dyn Any + Send>) -> R {
    let error = Some(panic_error(&*payload));
    span.finish(Outcome { error, ..Outcome::default() });
    resume_unwind(payload)
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

/// Runs code of the user's that only serves the recording: what panics in it is no business of the program.
#[inline(never)]
pub(crate) fn guarded(record: &mut dyn FnMut()) -> Result<(), String> {
    // The values themselves are guarded one by one where they are captured; this is for the rest.
    catch_unwind(AssertUnwindSafe(record)).map_err(|payload| format!("<{}>", panic_error(&*payload)))
}

/// What the body returned, as it is being captured.
#[derive(Debug, Default)]
pub struct End {
    output: Vec<u8>,
    output_for_eval_metrics: Vec<u8>,
    error: Vec<u8>,
    failed: bool,
}

impl End {
    /// For the value, or the `Ok` of a `Result`.
    pub fn output(&mut self) -> Slot<'_> {
        Slot::new(&mut self.output)
    }

    /// For what evaluations see in place of the output.
    pub fn output_for_eval_metrics(&mut self) -> Slot<'_> {
        Slot::new(&mut self.output_for_eval_metrics)
    }

    /// For the `Err`.
    pub fn error(&mut self) -> Slot<'_> {
        self.failed = true;
        Slot::new(&mut self.error)
    }

    /// Runs what fills it. If that panics, the output says so.
    #[inline(never)]
    pub(crate) fn fill(&mut self, capture: &mut dyn FnMut(&mut Self)) {
        if let Err(panic) = guarded(&mut || capture(self)) {
            self.output = serde_json::to_vec(&panic).unwrap_or_default();
        }
    }

    pub(crate) fn outcome(self) -> Outcome {
        let error = self.failed.then(|| text_of(&self.error).unwrap_or_else(|| "(no text)".to_owned()));
        Outcome { output: self.output, output_for_eval_metrics: self.output_for_eval_metrics, error }
    }
}

/// Calls an option's closure with what was returned.
pub fn apply<T: ?Sized, R>(value: &T, closure: impl FnOnce(&T) -> R) -> R {
    closure(value)
}

/// Captures inputs and options into the span that was started for `site`, if there is one. The body calls this
/// first, before it moves its arguments.
pub fn record(site: &'static CallSite, capture: impl FnOnce(&mut Recorder)) {
    let Some(span) = recorded(site) else { return };
    let mut recorder = Recorder::default();
    let mut capture = Some(capture);
    // No lock is held here: the user's `Serialize` may start spans or score the current one.
    let captured = guarded(&mut || {
        if let Some(capture) = capture.take() {
            capture(&mut recorder);
        }
    });
    if let Err(panic) = captured {
        recorder.draft.metadata.insert("capture_failed".to_owned(), panic.into());
    }
    keep(&span, recorder);
}

// The parts of `record` that are the same for every function, once.

#[inline(never)]
fn recorded(site: &'static CallSite) -> Option<Arc<Span>> {
    context::current_span().filter(|span| span.awaits_inputs_of(site))
}

#[inline(never)]
fn keep(span: &Span, recorder: Recorder) {
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
        open.deployment_id = draft.deployment_id;
        open.evaluation_metric_names = draft.evaluation_metric_names;
        open.apply_eval_frac = draft.apply_eval_frac;
        open.evaluators.0.extend(draft.evaluators.0);
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
    #[inline(never)]
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

    /// Sets the deployed prompt that is used.
    pub fn deployment_id(&mut self, deployment: impl Display) {
        self.draft.deployment_id = Some(deployment.to_string());
    }

    /// Adds a deployed evaluation that the server is to run.
    pub fn evaluation_metric_name(&mut self, name: impl Into<String>) {
        self.draft.evaluation_metric_names.push(name.into());
    }

    /// Sets the chance that those evaluations run; one that is no chance is left out, and metadata says so.
    pub fn apply_eval_frac(&mut self, fraction: impl Into<f64>) {
        let fraction = fraction.into();
        if (0.0..=1.0).contains(&fraction) {
            self.draft.apply_eval_frac = Some(fraction);
        } else {
            self.draft.metadata.insert("apply_eval_frac_refused".to_owned(), fraction.to_string().into());
        }
    }

    /// Adds an evaluation that runs once the span has ended.
    pub fn evaluator(&mut self, evaluator: Arc<dyn Evaluator>) {
        self.draft.evaluators.0.push(evaluator);
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
    text_of(&json)
}
