//! The span of a stream or an iterator: it goes on until that ends.

use std::{panic::resume_unwind, sync::Arc};

use crate::{
    clock::Moment,
    drive::inside,
    hooks::{End, panic_error},
    items::Items,
    record::Outcome,
    span::Span,
    stack,
};

/// The span of a stream or iterator, as long as it lasts, and what came out so far.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    span: Option<Arc<Span>>,
    pub(crate) items: Items,
    pub(crate) for_evals: Items,
    count: u64,
}

impl Flow {
    pub(crate) fn new(span: Option<Arc<Span>>) -> Self {
        Self { span, ..Self::default() }
    }

    /// One step of the source, with the span in force only meanwhile: what happens between two steps belongs to
    /// whoever takes the items.
    pub(crate) fn step<T>(&mut self, capture: &mut impl CaptureEnd, step: impl FnOnce() -> T) -> T {
        let Some(span) = &self.span else { return step() };
        inside(span, step).unwrap_or_else(|payload| {
            self.end(capture, Some(panic_error(&*payload)));
            resume_unwind(payload)
        })
    }

    /// Takes note of an item. One that is an `Err` ends the span.
    pub(crate) fn item<T>(&mut self, capture: &mut impl CaptureItem<T>, item: &T) {
        let Some(span) = self.span.as_ref().filter(|span| !span.is_muted()) else { return };
        if self.count == 0 {
            let waited = Moment::now().since(span.identity.start).as_secs_f64();
            span.update(|draft| draft.time_to_first_token = Some(waited));
        }
        self.count += 1;
        let mut end = End::default();
        captured(span, &mut end, &mut |end| capture.item(item, end));
        let is_described = end.is_described();
        let Outcome { output, output_for_eval_metrics, error } = end.outcome();
        if error.is_some() {
            return self.end(capture, error);
        }
        self.items.add(&output, is_described);
        if !output_for_eval_metrics.is_empty() {
            self.for_evals.add(&output_for_eval_metrics, is_described);
        }
    }

    pub(crate) fn end(&mut self, capture: &mut impl CaptureEnd, error: Option<String>) {
        let Some(span) = self.span.take().filter(|span| !span.is_muted()) else { return };
        if self.items.truncated {
            let count = self.count;
            span.update(|draft| {
                draft.metadata.insert("stream_truncated".to_owned(), format!("{count} items in all").into());
            });
        }
        let mut end = End::default();
        captured(&span, &mut end, &mut |end| capture.end(end));
        let mut outcome = end.outcome();
        if outcome.output.is_empty() {
            outcome.output = self.items.output();
        }
        if outcome.output_for_eval_metrics.is_empty() {
            outcome.output_for_eval_metrics = self.for_evals.output();
        }
        span.finish(Outcome { error, ..outcome });
    }

    /// The source is dropped before its end, which is no failure.
    pub(crate) fn abandon(&mut self, capture: &mut impl CaptureEnd, drop_source: impl FnOnce()) {
        self.step(capture, drop_source);
        if let Some(span) = &self.span {
            span.update(|draft| {
                draft.metadata.insert("stream_incomplete".to_owned(), "true".into());
            });
        }
        self.end(capture, None);
    }
}

/// A value's `Serialize` may call annotated functions too.
fn captured(span: &Arc<Span>, end: &mut End, capture: &mut dyn FnMut(&mut End)) {
    // What panics in the user's code is caught where it is captured.
    let _ = inside(span, || end.fill(capture));
    stack::count_redacted(end.take_redacted());
}

/// How a flow's items are captured.
pub trait CaptureEnd {
    /// At the end, for what was not captured item by item.
    fn end(&mut self, _end: &mut End) {}
}

/// How items of a type are captured.
pub trait CaptureItem<T>: CaptureEnd {
    /// For each item.
    fn item(&mut self, item: &T, end: &mut End);
}

/// Each item by itself.
#[derive(Debug)]
pub struct Each<O>(pub(crate) O);

impl<O> CaptureEnd for Each<O> {}

impl<T, O: Fn(&T, &mut End)> CaptureItem<T> for Each<O> {
    fn item(&mut self, item: &T, end: &mut End) {
        (self.0)(item, end);
    }
}

/// All items, taken together by `W` in an `A` of the user's, which `C` captures at the end.
#[derive(Debug)]
pub struct Together<A, W, C> {
    /// Made with the first item, where a panic of the user's `Default` is caught.
    pub(crate) all: Option<A>,
    pub(crate) start: fn() -> A,
    pub(crate) with: W,
    pub(crate) capture: C,
}

impl<A, W, C: Fn(&A, &mut End)> CaptureEnd for Together<A, W, C> {
    fn end(&mut self, end: &mut End) {
        (self.capture)(self.all.get_or_insert_with(self.start), end);
    }
}

impl<T, A, W: FnMut(&mut A, &T, &mut End), C: Fn(&A, &mut End)> CaptureItem<T> for Together<A, W, C> {
    fn item(&mut self, item: &T, end: &mut End) {
        (self.with)(self.all.get_or_insert_with(self.start), item, end);
    }
}
