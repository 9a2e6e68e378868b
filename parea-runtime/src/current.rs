//! The innermost open span, from anywhere below it.

use std::{borrow::Cow, sync::Arc};

use parea_types::EvaluationScore;
use serde::Serialize;

use crate::{
    context,
    evaluation::Evaluator,
    hooks::guarded,
    json::{self, Buffer, displayed},
    ladder::short_type_name,
    locks::is_lock_type,
    record::text_of,
    redact::{REDACTED, is_secret_type},
    span::{Draft, Span},
    stack,
};

/// The innermost open span, or nothing when there is none or tracing is off; then every method does nothing.
///
/// Methods return `&Self`, so that calls can be chained:
///
/// ```
/// # #[parea::trace]
/// # fn answer() {
/// parea::current().score("accuracy", 0.8).tag("beta").metadata("shard", 3);
/// # }
/// # let (_, traces) = parea::testing::capture(answer);
/// # assert_eq!(traces.logs()[0].scores.as_ref().unwrap()[0].score, 0.8);
/// ```
#[derive(Clone, Debug)]
pub struct CurrentSpan(Option<Arc<Span>>);

/// The innermost span that is open where this is called.
pub fn current() -> CurrentSpan {
    CurrentSpan(context::current_span())
}

impl CurrentSpan {
    /// Id of the span's log, by which the server finds it; `None` outside of a span.
    pub fn trace_id(&self) -> Option<String> {
        self.0.as_ref().map(|span| span.identity.id.to_string())
    }

    /// Id of the trace: that of its root's log.
    pub fn root_trace_id(&self) -> Option<String> {
        self.0.as_ref().map(|span| span.trace.root_id.to_string())
    }

    /// Attaches a score; a later one of the same name replaces it. Booleans count as 1 and 0.
    ///
    /// A score that is not finite is no JSON and spoils every mean: it is left out, and metadata `score_refused`
    /// says so.
    pub fn score(&self, name: impl Into<String>, score: impl Into<ScoreValue>) -> &Self {
        self.put_score(name.into(), score.into().0, None)
    }

    /// [`score`](Self::score) with the reason for it.
    pub fn score_with_reason(
        &self,
        name: impl Into<String>,
        score: impl Into<ScoreValue>,
        reason: impl Into<String>,
    ) -> &Self {
        self.put_score(name.into(), score.into().0, Some(reason.into()))
    }

    fn put_score(&self, name: String, score: f64, reason: Option<String>) -> &Self {
        self.update(|draft| {
            if !score.is_finite() {
                draft.metadata.insert("score_refused".to_owned(), format!("{name} = {score}").into());
                return;
            }
            draft.scores.retain(|old| old.name != name);
            draft.scores.push(EvaluationScore { name, score, reason, ..EvaluationScore::default() });
        })
    }

    /// Sets a key of the metadata: a text as it is, anything else as JSON text. A value that cannot be serialised
    /// is replaced by the reason. Otherwise as inputs are captured: within the same limits, a secret type as `[redacted]`, a
    /// lock by its type's name.
    pub fn metadata(&self, key: impl Into<String>, value: impl Serialize) -> &Self {
        if self.0.is_some() {
            let (key, text) = (key.into(), to_text(&value));
            self.update(|draft| {
                draft.metadata.insert(key, text.into());
            });
        }
        self
    }

    /// Adds a tag, once.
    pub fn tag(&self, tag: impl Into<Cow<'static, str>>) -> &Self {
        let tag = tag.into();
        self.update(|draft| {
            if !draft.tags.iter().any(|old| *old == tag) {
                draft.tags.push(tag.into_owned());
            }
        })
    }

    /// Sets the session, which groups traces such as those of one chat. Set it on the root: children do not inherit.
    pub fn session(&self, session_id: impl Into<String>) -> &Self {
        // Converted first: the user's `Into` must not run while the span is locked.
        let session_id = session_id.into();
        self.update(|draft| draft.session_id = Some(session_id))
    }

    /// Sets the end user on whose behalf the span runs. Set it on the root: children do not inherit.
    pub fn end_user(&self, end_user_identifier: impl Into<String>) -> &Self {
        let end_user_identifier = end_user_identifier.into();
        self.update(|draft| draft.end_user_identifier = Some(end_user_identifier))
    }

    /// Sets the expected output: a text as it is, anything else as JSON text. Children that start later inherit it.
    pub fn target(&self, target: impl Serialize) -> &Self {
        if let Some(span) = &self.0 {
            span.set_target(to_text(&target).into());
        }
        self
    }

    /// Marks the span as failed, whatever it returns. Several errors are kept as a JSON array.
    pub fn error(&self, error: impl std::fmt::Display) -> &Self {
        if self.0.is_some() {
            let error = shown(|| displayed(&error));
            self.update(|draft| draft.errors.push(error));
        }
        self
    }

    /// Adds an evaluation that runs once the span has ended.
    #[doc(hidden)]
    pub fn evaluate_with(&self, evaluator: Arc<dyn Evaluator>) -> &Self {
        self.update(|draft| draft.evaluators.0.push(evaluator))
    }

    fn update(&self, change: impl FnOnce(&mut Draft)) -> &Self {
        if let Some(span) = &self.0 {
            span.update(change);
        }
        self
    }
}

/// A text that the user's code makes: what panics in it is recorded in its place.
fn shown(make: impl FnOnce() -> String) -> String {
    let (mut make, mut text) = (Some(make), String::new());
    match guarded(&mut || text = make.take().map(|make| make()).unwrap_or_default()) {
        Ok(()) => text,
        Err(panic) => panic,
    }
}

fn to_text(value: &impl Serialize) -> String {
    shown(|| serialised(value))
}

/// As inputs are captured: bounded, without secrets, and without waiting for a lock.
fn serialised<T: Serialize>(value: &T) -> String {
    if is_secret_type::<T>() {
        stack::count_redacted(1);
        return REDACTED.to_owned();
    }
    if is_lock_type::<T>() {
        return short_type_name::<T>();
    }
    let mut buffer = Buffer::default();
    let written = json::write(&mut buffer, value);
    stack::count_redacted(buffer.redacted);
    match written {
        Ok(()) => text_of(&buffer.bytes).unwrap_or_else(|| "null".to_owned()),
        Err(why) => format!("<not serialisable: {why}>"),
    }
}

/// What counts as a score: numbers, and booleans as 1 and 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreValue(f64);

macro_rules! scores {
    ($($number:ty),+) => {$(
        impl From<$number> for ScoreValue {
            fn from(score: $number) -> Self {
                Self(f64::from(score))
            }
        }
    )+};
}

scores!(f64, f32, i32, u32, i16, u16, i8, u8, bool);
