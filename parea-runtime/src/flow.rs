//! Streams and iterators that an annotated function returns: the span goes on until they end.

use std::{
    iter::FusedIterator,
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::{
    context,
    drive::{Drive, Live, drive_on, inside, run},
    hooks::{CallSite, End, panic_error},
    record::Outcome,
    span::Span,
};

/// Most bytes of items that are kept for the output; what comes later is only counted.
const MOST_BYTES: usize = 256 * 1024;

/// The span of a stream or iterator, as long as it lasts, and what came out so far.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    span: Option<Arc<Span>>,
    /// The items as JSON, separated by commas.
    items: Vec<u8>,
    count: u64,
    /// Whether there is an item that is no text, so that the items cannot be joined.
    mixed: bool,
    /// Whether items were left out.
    truncated: bool,
}

impl Flow {
    fn new(span: Option<Arc<Span>>) -> Self {
        Self { span, ..Self::default() }
    }

    /// One step of the source, with the span in force only meanwhile: what happens between two steps belongs to
    /// whoever takes the items.
    fn step<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let Some(span) = &self.span else { return step() };
        inside(span, step).unwrap_or_else(|payload| {
            self.end(Some(panic_error(&*payload)));
            resume_unwind(payload)
        })
    }

    /// Takes note of an item. One that is an `Err` ends the span.
    fn item(&mut self, capture: impl Fn(&mut End)) {
        let Some(span) = &self.span else { return };
        if self.count == 0 {
            let waited = span.start.elapsed().as_secs_f64();
            span.update(|draft| draft.time_to_first_token = Some(waited));
        }
        self.count += 1;
        let mut end = End::default();
        end.fill(&mut |end| capture(end));
        let Outcome { output, error, .. } = end.outcome();
        if error.is_some() {
            return self.end(error);
        }
        if self.items.len() + output.len() > MOST_BYTES {
            self.truncated = true;
        } else if !output.is_empty() && !self.truncated {
            if !self.items.is_empty() {
                self.items.push(b',');
            }
            self.mixed |= output[0] != b'"';
            self.items.extend_from_slice(&output);
        }
    }

    fn end(&mut self, error: Option<String>) {
        let Some(span) = self.span.take() else { return };
        let mut output = std::mem::take(&mut self.items);
        if !output.is_empty() {
            output.insert(0, b'[');
            output.push(b']');
            if !self.mixed
                && let Ok(texts) = serde_json::from_slice::<Vec<String>>(&output)
                && let Ok(joined) = serde_json::to_vec(&texts.concat())
            {
                output = joined;
            }
        }
        if self.truncated {
            let count = self.count;
            span.update(|draft| {
                draft.metadata.insert("stream_truncated".to_owned(), format!("{count} items in all").into());
            });
        }
        span.finish(Outcome { output, error, ..Outcome::default() });
    }

    /// The source is dropped before its end, which is no failure.
    fn abandon(&mut self, drop_source: impl FnOnce()) {
        self.step(drop_source);
        if let Some(span) = &self.span {
            span.update(|draft| {
                draft.metadata.insert("stream_incomplete".to_owned(), "true".into());
            });
        }
        self.end(None);
    }
}

pin_project! {
    /// A stream whose items are captured by `O`.
    #[must_use = "streams do nothing unless polled"]
    pub struct Streamed<S, O> {
        flow: Flow,
        capture: O,
        #[pin]
        source: Option<S>,
    }

    impl<S, O> PinnedDrop for Streamed<S, O> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.flow.abandon(|| this.source.set(None));
        }
    }
}

impl<S: Stream, O: Fn(&S::Item, &mut End)> Stream for Streamed<S, O> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let source = &mut this.source;
        let polled =
            this.flow.step(|| source.as_mut().as_pin_mut().map_or(Poll::Ready(None), |source| source.poll_next(task)));
        match &polled {
            Poll::Ready(Some(item)) => this.flow.item(|end| (this.capture)(item, end)),
            Poll::Ready(None) => this.flow.end(None),
            Poll::Pending => {}
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.source.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

/// An iterator whose items are captured by `O`.
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Iterated<I, O> {
    flow: Flow,
    capture: O,
    source: Option<I>,
}

impl<I: Iterator, O: Fn(&I::Item, &mut End)> Iterated<I, O> {
    fn take(&mut self, step: impl FnOnce(&mut I) -> Option<I::Item>) -> Option<I::Item> {
        let source = &mut self.source;
        let item = self.flow.step(|| source.as_mut().and_then(step));
        match &item {
            Some(item) => self.flow.item(|end| (self.capture)(item, end)),
            None => self.flow.end(None),
        }
        item
    }
}

impl<I: Iterator, O: Fn(&I::Item, &mut End)> Iterator for Iterated<I, O> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.take(Iterator::next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.source.as_ref().map_or((0, Some(0)), Iterator::size_hint)
    }
}

impl<I: DoubleEndedIterator, O: Fn(&I::Item, &mut End)> DoubleEndedIterator for Iterated<I, O> {
    fn next_back(&mut self) -> Option<I::Item> {
        self.take(DoubleEndedIterator::next_back)
    }
}

impl<I: ExactSizeIterator, O: Fn(&I::Item, &mut End)> ExactSizeIterator for Iterated<I, O> {}

impl<I: FusedIterator, O: Fn(&I::Item, &mut End)> FusedIterator for Iterated<I, O> {}

impl<I, O> Drop for Iterated<I, O> {
    fn drop(&mut self) {
        let source = &mut self.source;
        self.flow.abandon(|| *source = None);
    }
}

/// The hooks of one kind of flow: returned as it is or in a `Result`, by a plain or an async function. `wrap` boxes
/// what the signature says is boxed.
macro_rules! hooks {
    ($trait:ident, $flowing:ident: $plain:ident $fallible:ident $plain_async:ident $fallible_async:ident) => {
        /// For a plain function.
        pub fn $plain<S: $trait, O: Fn(&S::Item, &mut End), T>(
            site: &'static CallSite,
            body: impl FnOnce() -> S,
            capture: O,
            wrap: impl FnOnce($flowing<S, O>) -> T,
        ) -> T {
            let span = context::begin(site);
            let source = run(span.as_ref(), body);
            wrap($flowing { flow: Flow::new(span), capture, source: Some(source) })
        }

        /// For a plain function that may fail before.
        pub fn $fallible<S: $trait, E, O: Fn(&S::Item, &mut End), T>(
            site: &'static CallSite,
            body: impl FnOnce() -> Result<S, E>,
            capture: O,
            failed: impl FnOnce(&E, &mut End),
            wrap: impl FnOnce($flowing<S, O>) -> T,
        ) -> Result<T, E> {
            let span = context::begin(site);
            let result = run(span.as_ref(), body);
            let source = begun(result, span.as_ref(), failed)?;
            Ok(wrap($flowing { flow: Flow::new(span), capture, source: Some(source) }))
        }

        /// For an async function.
        pub fn $plain_async<F, S: $trait, O: Fn(&S::Item, &mut End), T>(
            site: &'static CallSite,
            body: F,
            capture: O,
            wrap: impl FnOnce($flowing<S, O>) -> T,
        ) -> Drive<F, impl FnOnce(S, Option<Live>) -> T>
        where
            F: Future<Output = S>,
        {
            drive_on(site, body, move |source, span: Option<Live>| {
                let span = span.map(|Live(span)| span);
                wrap($flowing { flow: Flow::new(span), capture, source: Some(source) })
            })
        }

        /// For an async function that may fail before.
        pub fn $fallible_async<F, S: $trait, E, O: Fn(&S::Item, &mut End), T>(
            site: &'static CallSite,
            body: F,
            capture: O,
            failed: impl FnOnce(&E, &mut End),
            wrap: impl FnOnce($flowing<S, O>) -> T,
        ) -> Drive<F, impl FnOnce(Result<S, E>, Option<Live>) -> Result<T, E>>
        where
            F: Future<Output = Result<S, E>>,
        {
            drive_on(site, body, move |result, span: Option<Live>| {
                let span = span.map(|Live(span)| span);
                let source = begun(result, span.as_ref(), failed)?;
                Ok(wrap($flowing { flow: Flow::new(span), capture, source: Some(source) }))
            })
        }
    };
}

hooks!(Stream, Streamed: stream try_stream drive_stream drive_try_stream);
hooks!(Iterator, Iterated: iterator try_iterator drive_iterator drive_try_iterator);

/// The source, or the end of the span with the error.
fn begun<S, E>(result: Result<S, E>, span: Option<&Arc<Span>>, failed: impl FnOnce(&E, &mut End)) -> Result<S, E> {
    if let (Err(error), Some(span)) = (&result, span) {
        let mut end = End::default();
        let mut failed = Some(failed);
        end.fill(&mut |end| {
            if let Some(failed) = failed.take() {
                failed(error, end);
            }
        });
        span.finish(end.outcome());
    }
    result
}
